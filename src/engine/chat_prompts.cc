#include "engine/chat_prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr std::string_view kDefault = "default", kToolUse = "tool_use";
constexpr uint64_t kMaxTemplateBytes = uint64_t{64} << 20;

// Variables under which templates take what others find in `tools`, and switches of thinking: named in messages.
constexpr std::string_view kToolVariables[] = {"xml_tools", "python_tools", "custom_tools", "builtin_tools"};
constexpr std::string_view kSwitches[] = {"enable_thinking", "thinking", "reasoning_effort", "thinking_budget"};

template <size_t size>
std::string ReadOf(const ChatTemplate& chat_template, const std::string_view (&names)[size]) {
  std::vector<std::string> read;
  for (std::string_view name : names)
    if (chat_template.Reads(name)) read.emplace_back(name);
  return Join(read, ", ");
}

std::string TokenText(const TokenizerSpec& spec, TokenId id) {
  return id >= 0 ? spec.tokens[static_cast<size_t>(id)] : "";
}

bool BeginsWithSystem(const Json& messages) {
  return messages.is_array() && !messages.empty() && messages[0].is_object() &&
         messages[0].value("role", "") == "system";
}

std::string TimeText(int64_t now_s, const char* form) {
  const auto seconds = static_cast<std::time_t>(now_s);
  std::tm time{};
  gmtime_r(&seconds, &time);
  char text[64];
  return {text, std::strftime(text, sizeof text, form, &time)};
}

/// llama.cpp's way out where a template knows no system message: its text goes before the next message's.
std::optional<Json> SystemMerged(const Json& messages) {
  if (!BeginsWithSystem(messages) || messages.size() < 2 || !messages[1].is_object()) return std::nullopt;
  const Json system = messages[0].value("content", Json()), next = messages[1].value("content", Json());
  if (!system.is_string() || !next.is_string()) return std::nullopt;
  Json merged = messages;
  merged.erase(merged.begin());
  merged[0]["content"] = system.get<std::string>() + "\n" + next.get<std::string>();
  return merged;
}

}  // namespace

int64_t LocalClock() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return static_cast<int64_t>(timegm(&local));
}

std::string ClockText(int64_t now_s) {
  return TimeText(now_s, "%Y-%m-%dT%H:%M:%S");
}

int64_t ClockFromText(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm time{};
    const char* end = strptime(text.c_str(), form, &time);
    if (!end || *end != '\0') continue;
    const int day = time.tm_mday;
    const std::time_t seconds = timegm(&time);
    if (time.tm_mday == day) return static_cast<int64_t>(seconds);  // else a day that its month lacks
  }
  Fail(ErrorKind::kInvalid, "--now: expected a time such as 2026-05-01 or 2026-05-01T12:30:00, found \"{}\"", text);
}

ChatPrompts::ChatPrompts(const Checkpoint& checkpoint, const Tokenizer& tokenizer, const PromptOptions& options)
    : checkpoint_(checkpoint),
      tokenizer_(tokenizer),
      where_(checkpoint.path().string()),
      variables_(options.template_variables),
      now_s_(options.now_s.value_or(LocalClock())),
      chosen_(options.chat_template) {
  auto add = [&](std::string_view name, const std::string& source) {
    const std::string place =
        fmt::format("{}: chat template{}", where_, name == kDefault ? "" : fmt::format(" {}", name));
    templates_.emplace(name, ChatTemplate::Parse(source, place));
  };
  const auto& extra = checkpoint.extra_chat_templates();
  if (chosen_.empty()) {
    if (!checkpoint.chat_template().empty()) add(kDefault, checkpoint.chat_template());
    if (auto it = extra.find(std::string(kToolUse)); it != extra.end()) add(kToolUse, it->second);
    return;
  }
  if (auto it = extra.find(chosen_); it != extra.end()) {
    add(chosen_, it->second);
  } else if (chosen_ == kDefault && !checkpoint.chat_template().empty()) {
    add(kDefault, checkpoint.chat_template());
  } else if (std::filesystem::is_regular_file(chosen_)) {
    templates_.emplace(chosen_, ChatTemplate::Parse(ReadFile(chosen_, kMaxTemplateBytes), chosen_));
  } else {
    std::vector<std::string> names;
    if (!checkpoint.chat_template().empty()) names.emplace_back(kDefault);
    for (const auto& [name, source] : extra) names.push_back(name);
    Fail(ErrorKind::kNotFound, "--template {}: no such file, and {} ships {}", chosen_, where_,
         names.empty() ? "no chat template" : "chat templates of other names: " + Join(names, ", "));
  }
}

std::string ChatPrompts::sources() const {
  if (templates_.size() == 1) return templates_.begin()->second.source();
  std::string all;
  for (const auto& [name, parsed] : templates_) all += fmt::format("{}\n{}\n", name, parsed.source());
  return all;
}

std::string ChatPrompts::tool_source() const {
  if (templates_.empty()) return "";
  auto it = templates_.find(std::string(kToolUse));
  return (it == templates_.end() ? templates_.begin() : it)->second.source();
}

std::string ChatPrompts::now() const {
  const bool gguf = checkpoint_.container() == Container::kGguf;
  for (const auto& [name, parsed] : templates_)
    if (parsed.Reads("strftime_now") || (gguf && (parsed.Reads("date_string") || parsed.Reads("datetime"))))
      return ClockText(now_s_);
  return "";
}

// As transformers' get_chat_template and llama.cpp's common_chat_templates_apply choose.
const ChatTemplate& ChatPrompts::Choose(bool has_tools) const {
  if (!chosen_.empty()) return templates_.begin()->second;
  auto tool_use = templates_.find(std::string(kToolUse)), fallback = templates_.find(std::string(kDefault));
  if (has_tools && tool_use != templates_.end()) return tool_use->second;
  if (fallback != templates_.end()) return fallback->second;
  if (tool_use != templates_.end() && checkpoint_.container() == Container::kGguf) return tool_use->second;
  std::vector<std::string> names;
  for (const auto& [name, source] : checkpoint_.extra_chat_templates()) names.push_back(name);
  if (names.empty())
    Fail(ErrorKind::kInvalid,
         "{}: the model ships no chat template, so `messages` cannot be rendered; use `prompt`, "
         "or give a template with --template FILE",
         where_);
  Fail(ErrorKind::kInvalid, "{}: the model ships chat templates, but no default: choose with --template: {}", where_,
       Join(names, ", "));
}

ChatTemplate::Input ChatPrompts::InputFor(const Chat& chat) const {
  const TokenizerSpec& spec = tokenizer_.spec();
  ChatTemplate::Input input;
  input.messages = chat.messages;
  input.tools = chat.tools;
  input.documents = chat.documents;
  input.bos_token = TokenText(spec, spec.bos);
  input.eos_token = TokenText(spec, spec.eos);
  input.now_unix_s = now_s_;
  input.extra = Json::object();
  if (checkpoint_.container() == Container::kGguf) {  // as llama.cpp, which gives three variables to every template
    input.extra = {{"enable_thinking", true},
                   {"datetime", TimeText(now_s_, "%b %d %Y")},
                   {"date_string", TimeText(now_s_, "%d %b %Y")}};
    input.none_is_undefined = true;
    if (input.tools.empty()) input.tools = Json();
  } else {  // transformers gives the special tokens that have a name
    for (const NamedToken& token : spec.named) input.extra[token.name] = token.content;
  }
  for (const Json* given : {&variables_, &chat.template_variables})
    if (given->is_object())
      for (const auto& [name, value] : given->items()) input.extra[name] = value;
  return input;
}

FittedChat ChatPrompts::Fit(const ChatTemplate& chat_template, ChatTemplate::Input input) const {
  if (checkpoint_.container() != Container::kGguf) return FitChat(chat_template, input);
  // llama.cpp: gpt-oss alone has developers of its own.
  std::vector<std::string> changes;
  if (chat_template.source().find("<|channel|>") == std::string::npos && input.messages.is_array())
    for (Json& message : input.messages)
      if (message.is_object() && message.value("role", "") == "developer") {
        message["role"] = "system";
        changes = {"the developer's message given as the system's, as llama.cpp does"};
      }
  FittedChat fitted = FitChat(chat_template, input);
  auto hides_system = [](const FittedChat& f) {
    return !f.renders || std::any_of(f.losses.begin(), f.losses.end(),
                                     [](const ChatLoss& loss) { return loss.kind == ChatLoss::Kind::kSystem; });
  };
  if (BeginsWithSystem(input.messages) && hides_system(fitted))
    if (std::optional<Json> merged = SystemMerged(input.messages)) {
      ChatTemplate::Input other = input;
      other.messages = std::move(*merged);
      if (FittedChat second = FitChat(chat_template, other); !hides_system(second)) {
        fitted = std::move(second);
        changes.push_back(
            "the system message put before the next message's text, as llama.cpp does: the chat template "
            "takes none");
      }
    }
  fitted.changes.insert(fitted.changes.begin(), changes.begin(), changes.end());
  return fitted;
}

void ChatPrompts::RefuseLosses(const ChatTemplate& chat_template, const FittedChat& fitted) const {
  using Kind = ChatLoss::Kind;
  struct Row {
    Kind kind;
    std::string remedy;
  };
  std::string tools = ReadOf(chat_template, kToolVariables);
  const Row rows[] = {
      {Kind::kTool, tools.empty()
                        ? ""
                        : fmt::format("give them in a variable that it reads (chat_template_kwargs: {}), or ", tools)},
      {Kind::kSystem, "put the text into the first user message, or "},
      {Kind::kDocument, "put the texts into a message, or "},
  };
  const auto tool_use = templates_.find(std::string(kToolUse));
  for (const Row& row : rows) {
    std::vector<std::string> hidden;
    for (const ChatLoss& loss : fitted.losses)
      if (loss.kind == row.kind) hidden.push_back(loss.what);
    if (hidden.empty()) continue;
    std::vector<std::string> names;
    for (const auto& [name, source] : checkpoint_.extra_chat_templates()) names.push_back(name);
    if (hidden.size() > 5) hidden.resize(5);
    Fail(ErrorKind::kInvalid,
         "{}: the chat template{} does not show the model {}; {}give a template that does with --template FILE{}",
         where_, tool_use != templates_.end() && &tool_use->second == &chat_template ? " tool_use" : "",
         Join(hidden, ", "), row.remedy,
         names.empty() ? "" : fmt::format(" (the model also ships: {})", Join(names, ", ")));
  }
}

Prompt ChatPrompts::Render(const Chat& chat) const {
  const ChatTemplate& chat_template = Choose(chat.tools.is_array() && !chat.tools.empty());
  FittedChat fitted = Fit(chat_template, InputFor(chat));
  Prompt prompt;
  prompt.text = RenderChat(chat_template, fitted.input);
  RefuseLosses(chat_template, fitted);
  prompt.ids = TokensOfChat(prompt.text);
  prompt.remarks = std::move(fitted.changes);
  std::set<std::string> told;
  for (const ChatLoss& loss : fitted.losses)
    if (told.insert(loss.what).second)
      prompt.remarks.push_back(fmt::format("the chat template leaves out {}", loss.what));
  for (const Json* given : {&variables_, &chat.template_variables})
    if (given->is_object())
      for (const auto& [name, value] : given->items()) {
        if (chat_template.Reads(name) || !told.insert(name).second) continue;
        const std::string switches = ReadOf(chat_template, kSwitches);
        prompt.remarks.push_back(fmt::format("the chat template reads no variable {}{}", name,
                                             switches.empty() ? "" : fmt::format("; it reads {}", switches)));
      }
  return prompt;
}

std::vector<int32_t> ChatPrompts::TokensOfChat(std::string_view text) const {
  const TokenizerSpec& spec = tokenizer_.spec();
  if (checkpoint_.container() != Container::kGguf) return tokenizer_.Encode(text, true, false);
  // llama.cpp adds what the vocabulary asks for, and takes it from the text where a template wrote it.
  const std::string bos = TokenText(spec, spec.bos), eos = TokenText(spec, spec.eos);
  if (spec.add_bos && !bos.empty() && text.starts_with(bos)) text.remove_prefix(bos.size());
  if (spec.add_eos && !eos.empty() && text.ends_with(eos)) text.remove_suffix(eos.size());
  return tokenizer_.Encode(text, true, true);
}

Prompt ChatPrompts::Raw(std::string text) const {
  Prompt prompt{std::move(text), {}, {}};
  prompt.ids = tokenizer_.Encode(prompt.text, true, true);
  if (std::string doubled = tokenizer_.DoubledSpecial(prompt.ids); !doubled.empty())
    prompt.remarks.push_back(std::move(doubled));
  return prompt;
}

}  // namespace assay
