#include <fmt/format.h>

#include <string>
#include <vector>

#include "cli/command.h"

namespace assay {
namespace {

using Summary = CommandLine::Summary;
using FlagText = CommandLine::FlagText;

/// Calls visit(path, command) for the program and all below it: "", "task", "task show".
template <typename Visit>
void ForEach(const Summary& command, const std::string& path, Visit visit) {
  visit(path, command);
  for (const Summary& below : command.commands)
    ForEach(below, path.empty() ? below.name : path + " " + below.name, visit);
}

std::string Words(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// In single quotes of a shell; of fish, where a backslash counts in them, too.
std::string Quoted(std::string_view text, bool fish) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'')
      out += fish ? "\\'" : "'\\''";
    else if (c == '\\' && fish)
      out += "\\\\";
    else
      out += c;
  }
  return out + "'";
}

/// zsh reads it through bashcompinit.
std::string Bash(const Summary& program) {
  std::string paths, cases, values;
  ForEach(program, "", [&](const std::string& path, const Summary& command) {
    if (!path.empty()) {
      const size_t last = path.rfind(' ');
      const std::string above = last == std::string::npos ? "" : path.substr(0, last);
      paths += fmt::format("{}\"{}:{}\"", paths.empty() ? "" : "|", above, command.name);
    }
    std::vector<std::string> flags, places;
    for (const Summary& below : command.commands) places.push_back(below.name);
    for (const FlagText& flag : command.flags) {
      if (flag.by_place) {
        places.insert(places.end(), flag.words.begin(), flag.words.end());
        continue;
      }
      flags.insert(flags.end(), flag.names.begin(), flag.names.end());
      if (flag.words.empty()) continue;
      std::string names;
      for (const std::string& name : flag.names)
        names += fmt::format("{}\"{}:{}\"", names.empty() ? "" : "|", path, name);
      values += fmt::format("    {}) words=\"{}\" listed={} ;;\n", names, Words(flag.words), flag.listed ? 1 : 0);
    }
    cases += fmt::format("    \"{}\") flags=\"{}\" places=\"{}\" ;;\n", path, Words(flags), Words(places));
  });
  return fmt::format(R"(_assay() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  local command="" flags="" places="" words="" listed=0 word head=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$command:$word" in
    {}) command="${{command:+$command }}$word" ;;
    esac
  done
  case "$command" in
{}  esac
  case "$command:$before" in
{}  esac
  if [ -n "$words" ]; then
    [ "$listed" = 1 ] && head="${{current%"${{current##*,}}"}}"
    COMPREPLY=($(compgen -P "$head" -W "$words" -- "${{current#"$head"}}"))
  elif [ "${{current#-}}" != "$current" ]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$places" -- "$current"))
    [ -n "$command" ] && COMPREPLY+=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _assay assay)",
                     paths, cases, values);
}

std::string Fish(const Summary& program) {
  std::string out;
  ForEach(program, "", [&](const std::string& path, const Summary& command) {
    std::string here = "__fish_use_subcommand";
    if (!path.empty()) {
      const size_t last = path.rfind(' ');
      here = "__fish_seen_subcommand_from " + command.name;
      if (last != std::string::npos) here += "; and __fish_seen_subcommand_from " + path.substr(0, last);
      std::string below;
      for (const Summary& other : command.commands) below += " " + other.name;
      for (const Summary& other : command.commands)
        out += fmt::format("complete -c assay -n '{}; and not __fish_seen_subcommand_from{}' -f -a {} -d {}\n", here,
                           below, other.name, Quoted(other.summary, true));
    } else {
      for (const Summary& other : command.commands)
        out += fmt::format("complete -c assay -n {} -f -a {} -d {}\n", here, other.name, Quoted(other.summary, true));
    }
    for (const FlagText& flag : command.flags) {
      std::string line = fmt::format("complete -c assay -n '{}'", here);
      if (!flag.by_place)
        for (const std::string& name : flag.names)
          line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (flag.by_place && flag.words.empty()) continue;  // a file, which fish offers by itself
      if (!flag.words.empty())
        line += flag.listed
                    ? fmt::format(" -x -a \"(__fish_complete_list , 'printf \\\"%s\\\\n\\\" {}')\"", Words(flag.words))
                    : fmt::format(" -x -a '{}'", Words(flag.words));
      else if (!flag.value.empty())
        line += " -r";
      out += fmt::format("{} -d {}\n", line, Quoted(flag.help, true));
    }
  });
  return out;
}

}  // namespace

std::function<int()> AddCompletion(CommandLine& command, CommonFlags&) {
  auto shell = std::make_shared<std::string>("bash");
  command.Option("SHELL", *shell, "bash, zsh or fish").OneOf({"bash", "zsh", "fish"}).ShowDefault();
  command.Footer(
      "bash: source <(assay completion bash)    zsh: source <(assay completion zsh)    fish: assay completion fish | "
      "source");
  return [&command, shell] {
    const Summary program = command.Program();
    if (*shell == "zsh") Print("autoload -U +X bashcompinit && bashcompinit");
    PrintTrusted(*shell == "fish" ? Fish(program) : Bash(program));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
