#include "cli/flags.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <map>

namespace assay {
namespace {

constexpr const char* kSomeText = "some text";

// A variable of a script that was not set: nobody means it.
const CLI::Validator& SomeText() {
  static const CLI::Validator kValidator(
      [](std::string& text) -> std::string { return text.empty() ? "expected some text, found ''" : ""; }, "",
      kSomeText);
  return kValidator;
}

// What an option without its value, or with too many of them, should have had: CLI11 tells the counts alone.
std::string UsageText(const CLI::ParseError& error, const CLI::App& app) {
  const std::string text = error.what();
  if (error.get_name() != "ArgumentMismatch" || app.get_subcommands().empty()) return text;
  CLI::Option* option = app.get_subcommands()[0]->get_option_no_throw(text.substr(0, text.find(':')));
  if (!option) return text;
  std::string expected = "expected one value, found none", nothing;
  if (const size_t found = option->results().size(); found > 1) {
    expected = fmt::format("expected one value, found {}", found);
  } else {
    try {
      CLI::Validator* validator = option->get_validator();
      if (validator->get_name() != kSomeText) expected = (*validator)(nothing);
    } catch (const CLI::OptionNotFound&) {  // any text will do
    }
  }
  return fmt::format("{}: {}", option->get_name(), expected);
}

/// What completes an option's value. CLI11 keeps such words in a text for people alone.
std::map<const CLI::Option*, std::vector<std::string>>& WordsOf() {
  static std::map<const CLI::Option*, std::vector<std::string>> words;
  return words;
}

CommandLine::FlagText TextOf(const CLI::Option& option) {
  CommandLine::FlagText flag;
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  flag.by_place = flag.names.empty();
  if (flag.by_place) flag.names.push_back(option.get_name());
  if (option.get_items_expected_max() > 0 && !flag.by_place) flag.value = option.get_type_name();
  if (!option.get_default_str().empty()) flag.value += fmt::format(" [{}]", option.get_default_str());
  flag.help = option.get_description();
  if (const auto words = WordsOf().find(&option); words != WordsOf().end()) flag.words = words->second;
  flag.listed = option.get_delimiter() == ',';
  return flag;
}

CommandLine::Summary TextOf(const CLI::App& command) {
  CommandLine::Summary summary{command.get_name(), command.get_description(), command.get_footer(), {}, {}};
  for (const CLI::Option* option : command.get_options())
    if (!option->get_group().empty()) summary.flags.push_back(TextOf(*option));
  for (const CLI::App* below : command.get_subcommands({})) summary.commands.push_back(TextOf(*below));
  return summary;
}

}  // namespace

Flag Flag::Required() const {
  option_->required();
  return *this;
}
Flag Flag::ShowDefault() const {
  option_->capture_default_str();
  return *this;
}
Flag Flag::Within(const Reading& reading) const {
  option_->transform(CLI::Validator(reading.read, reading.expected));
  return *this;
}
Flag Flag::OneOf(std::initializer_list<const char*> words) const {
  option_->check(CLI::IsMember(std::vector<std::string>(words.begin(), words.end())));
  return Completes({words.begin(), words.end()});
}
Flag Flag::Completes(std::vector<std::string> words) const {
  WordsOf()[option_] = std::move(words);
  return *this;
}
Flag Flag::CommaSeparated() const {
  option_->delimiter(',');
  return *this;
}
Flag Flag::Needs(Flag other) const {
  option_->needs(other.option_);
  return *this;
}
Flag Flag::Excludes(Flag other) const {
  option_->excludes(other.option_);
  return *this;
}
Flag Flag::Hidden() const {
  option_->group("");
  return *this;
}
bool Flag::given() const {
  return option_->count() > 0;
}

CommandLine::CommandLine(std::string summary, std::string name, std::string version)
    : own_(std::make_unique<CLI::App>(std::move(summary), std::move(name))), app_(own_.get()) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", version);
}
CommandLine::CommandLine(CLI::App* app) : app_(app) {}
CommandLine::~CommandLine() = default;

CommandLine& CommandLine::Command(std::string_view name, std::string_view summary, std::function<void()> chosen) {
  CLI::App* app = app_->add_subcommand(std::string(name), std::string(summary));
  app->callback(std::move(chosen));
  if (app_->get_parent()) app->fallthrough();  // --json and its like are the command's, whatever is below it
  commands_.push_back(std::unique_ptr<CommandLine>(new CommandLine(app)));
  return *commands_.back();
}

template <typename T>
Flag CommandLine::Option(const std::string& names, T& value, const std::string& help) {
  CLI::Option* option = app_->add_option(names, value, help);
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::vector<std::string>>)
    option->check(SomeText());
  return Flag(option);
}
template Flag CommandLine::Option(const std::string&, std::string&, const std::string&);
template Flag CommandLine::Option(const std::string&, std::vector<std::string>&, const std::string&);
template Flag CommandLine::Option(const std::string&, int32_t&, const std::string&);
template Flag CommandLine::Option(const std::string&, int64_t&, const std::string&);
template Flag CommandLine::Option(const std::string&, uint64_t&, const std::string&);
template Flag CommandLine::Option(const std::string&, float&, const std::string&);
template Flag CommandLine::Option(const std::string&, double&, const std::string&);

Flag CommandLine::Text(const std::string& names, std::string& value, const std::string& help) {
  return Flag(app_->add_option(names, value, help));
}
Flag CommandLine::Switch(const std::string& names, bool& value, const std::string& help) {
  return Flag(app_->add_flag(names, value, help));
}
void CommandLine::Footer(const std::string& text) {
  const std::string before = app_->get_footer();
  app_->footer(before.empty() ? text : before + "\n" + text);
}

CommandLine::Parsed CommandLine::Parse(int argc, char** argv) {
  Parsed out;
  try {
    app_->parse(argc, argv);
    out.run = true;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0)
      out.exit = app_->exit(error);  // --help, --version
    else
      out.error = UsageText(error, *app_);
  }
  for (const CLI::App* app = app_; !app->get_subcommands().empty();) {
    app = app->get_subcommands()[0];
    out.command += (out.command.empty() ? "" : " ") + app->get_name();
  }
  return out;
}

CommandLine::Summary CommandLine::Program() const {
  const CLI::App* app = app_;
  while (app->get_parent()) app = app->get_parent();
  return TextOf(*app);
}

}  // namespace assay
