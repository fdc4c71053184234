#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace assay {
namespace {

// All options of a command, long names.
std::string OptionNames(const CLI::App& app) {
  std::string names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names += " --" + name;
  return names;
}

}  // namespace

std::function<int()> AddCompletion(CLI::App& command, CommonFlags&) {
  auto shell = std::make_shared<std::string>("bash");
  command.add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->capture_default_str();
  command.footer(
      "bash: source <(assay completion bash)    zsh: source <(assay completion zsh)    fish: assay completion fish | "
      "source");
  CLI::App* self = &command;
  return [self, shell] {
    std::string commands, cases, fish;
    for (const CLI::App* sub : self->get_parent()->get_subcommands({})) {
      commands += (commands.empty() ? "" : " ") + sub->get_name();
      cases += fmt::format("    {}) words=\"{}\" ;;\n", sub->get_name(), OptionNames(*sub));
      fish += fmt::format("complete -c assay -n __fish_use_subcommand -f -a {} -d '{}'\n", sub->get_name(),
                          sub->get_description());
      for (const CLI::Option* option : sub->get_options())
        for (const std::string& name : option->get_lnames())
          fish += fmt::format("complete -c assay -n '__fish_seen_subcommand_from {}' -l {}\n", sub->get_name(), name);
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
