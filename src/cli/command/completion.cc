
#include "cli/command.h"

namespace assay {
std::function<int()> AddCompletion(CommandLine& command, CommonFlags&) {
  auto shell = std::make_shared<std::string>("bash");
  command.Option("SHELL", *shell, "bash, zsh or fish").OneOf({"bash", "zsh", "fish"}).ShowDefault();
  command.Footer(
      "bash: source <(assay completion bash)    zsh: source <(assay completion zsh)    fish: assay completion fish | "
      "source");
  return [&command, shell] {
    std::string commands, cases, fish;
    for (const CommandLine::Summary& sub : command.Siblings()) {
      std::string words;
      for (const std::string& name : sub.options) words += " --" + name;
      commands += (commands.empty() ? "" : " ") + sub.name;
      cases += fmt::format("    {}) words=\"{}\" ;;\n", sub.name, words);
      fish += fmt::format("complete -c assay -n __fish_use_subcommand -f -a {} -d '{}'\n", sub.name, sub.summary);
      for (const std::string& name : sub.options)
        fish += fmt::format("complete -c assay -n '__fish_seen_subcommand_from {}' -l {}\n", sub.name, name);
    }
    if (*shell == "fish") {
      PrintTrusted(fish);
      return static_cast<int>(kHolds);
    }
    if (*shell == "zsh") Print("autoload -U +X bashcompinit && bashcompinit");
    PrintTrusted(fmt::format(R"(_assay() {{
  local words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{}" -- "${{COMP_WORDS[1]}}"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}") $(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o filenames -F _assay assay)",
                             commands, cases));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
