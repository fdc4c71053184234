#pragma once
// The commands' flags and arguments. CLI11 reads them, behind this page: a file that includes it compiles for ten
// seconds, and flags.cc alone does.

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace assay {

/// What the text of a flag may be (ranges.h). `read` puts it into the one spelling that every reader takes alike, and
/// returns what was expected and found where it is none; `expected` is for --help.
struct Reading {
  std::function<std::string(std::string& text)> read;
  std::string expected;
};

/// One flag or argument of a command: a handle, whose copies mean the same one.
class Flag {
 public:
  Flag() = default;
  explicit Flag(CLI::Option* option) : option_(option) {}

  Flag Required() const;
  Flag ShowDefault() const;  // --help shows the value that the variable has now
  Flag Within(const Reading& reading) const;
  Flag OneOf(std::initializer_list<const char*> words) const;
  /// What a shell offers for it; other texts are read, too.
  Flag Completes(std::vector<std::string> words) const;
  Flag CommaSeparated() const;
  Flag Needs(Flag other) const;
  Flag Excludes(Flag other) const;
  Flag Hidden() const;  // from --help

  /// Whether the user gave it; after parsing.
  bool given() const;

 private:
  CLI::Option* option_ = nullptr;
};

/// What a command is asked with. Variables must live until it has run.
class CommandLine {
 public:
  struct Parsed {
    bool run = false;     // the command was chosen; else:
    int exit = 0;         // --help or --version was printed: 0
    std::string error;    // what is wrong, for people
    std::string command;  // that was named, empty: none
  };
  struct FlagText {
    std::vector<std::string> names;         // "--to", "-n"; "NAME" of an argument
    std::string value, help;                // value: of what kind it is, as --help writes it; empty: none
    std::vector<std::string> words;         // that it may be, as far as they are known
    bool by_place = false, listed = false;  // listed: several, with commas between them
  };
  struct Summary {
    std::string name, summary, footer;
    std::vector<FlagText> flags;
    std::vector<Summary> commands;  // below it
  };

  CommandLine(std::string summary, std::string name, std::string version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;

  /// A command below this one; lives as long as this. Below a command its flags are this one's, too.
  CommandLine& Command(std::string_view name, std::string_view summary, std::function<void()> chosen);

  /// "--name,-n", or "NAME" for an argument by place. An empty text is refused. T: std::string, int, int32_t, int64_t,
  /// uint64_t, double, or a vector of strings (repeatable).
  template <typename T>
  Flag Option(const std::string& names, T& value, const std::string& help);
  /// A text that may be empty, too.
  Flag Text(const std::string& names, std::string& value, const std::string& help);
  Flag Switch(const std::string& names, bool& value, const std::string& help);
  /// Below the flags in --help; a second call adds lines.
  void Footer(const std::string& text);

  Parsed Parse(int argc, char** argv);
  /// Of the whole program, as --help has it: hidden flags are left out.
  Summary Program() const;

 private:
  explicit CommandLine(CLI::App* app);
  std::unique_ptr<CLI::App> own_;
  CLI::App* app_;
  std::vector<std::unique_ptr<CommandLine>> commands_;
};

}  // namespace assay
