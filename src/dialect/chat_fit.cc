#include "dialect/chat_fit.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "dialect/kimi_tools.h"
#include "jinja/template.h"

namespace assay {
namespace {

enum class Content { kGiven, kJoined, kParts };
enum class Arguments { kObjects, kTexts };
enum class CallContent { kGiven, kEmpty, kNull, kAbsent };

struct Form {
  Content content = Content::kGiven;
  Arguments arguments = Arguments::kObjects;
  CallContent call_content = CallContent::kGiven;
};

constexpr const char* kReasoning[] = {"reasoning_content", "thinking", "reasoning"};

/// JSON as Python's json.dumps writes it: what models have seen.
std::string PythonDumps(const Json& value) {
  static const auto dumps = jinja::Template::Parse("{{ value | tojson }}", "json");
  return dumps->Render(Json{{"value", value}}, 0);
}

bool HasCalls(const Json& message) {
  auto calls = message.find("tool_calls");
  return calls != message.end() && calls->is_array() && !calls->empty();
}

template <typename Visit>  // visit(Json& function) for each call
void EachCall(Json& messages, const Visit& visit) {
  for (Json& message : messages)
    if (message.is_object() && HasCalls(message))
      for (Json& call : message["tool_calls"])
        if (call.is_object() && call.contains("function") && call["function"].is_object()) visit(call["function"]);
}

/// Of a text that holds an object; absent otherwise.
std::optional<Json> ObjectIn(const Json& arguments) {
  if (arguments.is_object()) return arguments;
  if (!arguments.is_string()) return std::nullopt;
  if (Trim(arguments.get_ref<const std::string&>()).empty()) return Json::object();
  try {
    Json parsed = AsPythonReads(ParseExactJson(arguments.get_ref<const std::string&>(), "arguments"));
    if (parsed.is_object()) return parsed;
  } catch (const Error&) {  // a text that stays one
  }
  return std::nullopt;
}

Json Normalized(const Json& messages) {
  Json out = messages;
  if (!out.is_array()) return out;
  for (Json& message : out) {
    if (!message.is_object()) continue;
    std::vector<std::string> nulls;
    for (const auto& [key, value] : message.items())
      if (value.is_null() && key != "content") nulls.push_back(key);
    for (const std::string& key : nulls) message.erase(key);
    for (const char* name : kReasoning) {
      if (!message.contains(name)) continue;
      const Json reasoning = message[name];
      message["reasoning_content"] = reasoning;
      if (!message.contains("thinking")) message["thinking"] = reasoning;
      break;
    }
  }
  return out;
}

void SetContent(Json& message, CallContent form) {
  const bool empty = !message.contains("content") || message["content"].is_null() || message["content"] == "";
  if (form == CallContent::kGiven || !empty) return;
  if (form == CallContent::kEmpty)
    message["content"] = "";
  else if (form == CallContent::kNull)
    message["content"] = nullptr;
  else
    message.erase("content");
}

void SetContent(Json& message, Content form) {
  auto content = message.find("content");
  if (form == Content::kGiven || content == message.end() || content->is_null()) return;
  if (form == Content::kParts && content->is_string()) {
    *content = Json::array({{{"type", "text"}, {"text", content->get<std::string>()}}});
  } else if (form == Content::kJoined && content->is_array()) {
    std::vector<std::string> texts;
    for (const Json& part : *content)
      if (part.is_object() && part.contains("text") && part["text"].is_string())
        texts.push_back(part["text"].get<std::string>());
    *content = Join(texts, "\n");
  }
}

Json Formed(Json messages, const Form& form) {
  for (Json& message : messages) {
    if (!message.is_object()) continue;
    if (HasCalls(message)) SetContent(message, form.call_content);
    SetContent(message, form.content);
  }
  EachCall(messages, [&](Json& function) {
    auto arguments = function.find("arguments");
    if (arguments == function.end()) return;
    if (form.arguments == Arguments::kObjects) {
      if (std::optional<Json> object = ObjectIn(*arguments)) *arguments = std::move(*object);
    } else if (arguments->is_object()) {
      *arguments = PythonDumps(*arguments);
    }
  });
  return messages;
}

/// The forms that are worth trying, the preferred one first.
std::vector<Form> FormsOf(Json messages) {
  bool parts = false, texts = false, calls = false, silent_calls = false;
  for (const Json& message : messages) {
    if (!message.is_object()) continue;
    auto content = message.find("content");
    const bool is_text = content != message.end() && content->is_string();
    parts = parts || (content != message.end() && content->is_array());
    texts = texts || is_text;
    silent_calls =
        silent_calls || (HasCalls(message) && (content == message.end() || content->is_null() || *content == ""));
  }
  EachCall(messages, [&](Json& function) { calls = calls || function.contains("arguments"); });
  std::vector<Content> contents = {Content::kGiven};
  if (parts) contents.push_back(Content::kJoined);
  if (texts) contents.push_back(Content::kParts);
  std::vector<CallContent> call_contents = {CallContent::kGiven};
  // As both engines have it; a few templates look for calls where there is no content.
  if (silent_calls) call_contents = {CallContent::kEmpty, CallContent::kNull, CallContent::kAbsent};
  std::vector<Arguments> arguments = {Arguments::kObjects};
  if (calls) arguments.push_back(Arguments::kTexts);
  std::vector<Form> forms;
  for (CallContent call_content : call_contents)
    for (Arguments argument : arguments)
      for (Content content : contents) forms.push_back({content, argument, call_content});
  return forms;
}

/// A conversation with marks in its texts, and what it means when one does not come through.
class Marked {
 public:
  explicit Marked(const ChatTemplate::Input& input) : input_(input) {
    MarkMessages();
    MarkTools();
    MarkDocuments();
  }
  const ChatTemplate::Input& input() const { return input_; }

  std::vector<ChatLoss> LossesIn(const std::string& prompt) const {
    std::vector<ChatLoss> losses;
    for (const Mark& mark : marks_)
      if (std::none_of(mark.texts.begin(), mark.texts.end(),
                       [&](const std::string& text) { return prompt.find(text) != std::string::npos; }))
        losses.push_back(mark.loss);
    return losses;
  }

  /// The prompt shows Python's or JSON's spelling of a structure in place of what is in it.
  bool Misspelt(const std::string& prompt, const Form& form, const Json& messages) const {
    for (const std::string& key : keys_) {
      if (form.arguments == Arguments::kObjects && prompt.find("'" + key + "'") != std::string::npos) return true;
      if (form.arguments == Arguments::kTexts && prompt.find("\\\"" + key) != std::string::npos) return true;
    }
    const bool parts = std::any_of(messages.begin(), messages.end(), [](const Json& message) {
      return message.is_object() && message.contains("content") && message["content"].is_array();
    });
    if (!parts) return false;
    for (const char* spelling : {"{'type': 'text'", "{\"type\": \"text\"", "{\"type\":\"text\""})
      if (prompt.find(spelling) != std::string::npos) return true;
    return false;
  }

 private:
  struct Mark {
    ChatLoss loss;
    std::vector<std::string> texts;  // one is enough
  };

  std::string Next() { return fmt::format("qzx{}xzq", next_++); }

  /// Puts a mark into a text: in the middle, since templates look at how texts begin and end.
  std::string Into(std::string& text) {
    std::string mark = Next();
    size_t at = text.size() / 2;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    text.insert(at, mark);
    return mark;
  }

  void MarkMessages() {
    if (!input_.messages.is_array()) return;
    for (size_t i = 0; i < input_.messages.size(); ++i) {
      Json& message = input_.messages[i];
      if (!message.is_object()) continue;
      const Json stated = message.value("role", Json());
      const std::string role = stated.is_string() ? stated.get<std::string>() : "";
      if (role != "assistant") MarkContent(message, role, fmt::format("messages[{}] ({})", i, role));
    }
    EachCall(input_.messages, [&](Json& function) {
      if (function.contains("name") && function["name"].is_string()) {
        auto& name = function["name"].get_ref<std::string&>();
        ChatLoss loss{ChatLoss::Kind::kCall, "the call of " + name};
        const std::string mark = Next();
        name += mark;
        marks_.push_back({std::move(loss), {mark}});
      }
      if (!function.contains("arguments")) return;
      std::optional<Json> object = ObjectIn(function["arguments"]);
      if (!object) return;
      keys_.push_back(Next());
      (*object)[keys_.back()] = "x";
      function["arguments"] = std::move(*object);
    });
  }

  void MarkContent(Json& message, const std::string& role, const std::string& what) {
    const bool system = role == "system" || role == "developer";
    auto add = [&](std::string& text) {
      if (Trim(text).empty()) return;
      marks_.push_back({{system ? ChatLoss::Kind::kSystem : ChatLoss::Kind::kMessage, what}, {Into(text)}});
    };
    auto content = message.find("content");
    if (content == message.end()) return;
    if (content->is_string()) add(content->get_ref<std::string&>());
    if (content->is_array())
      for (Json& part : *content)
        if (part.is_object() && part.contains("text") && part["text"].is_string())
          add(part["text"].get_ref<std::string&>());
  }

  void MarkTools() {
    if (!input_.tools.is_array()) return;
    std::map<std::string, std::string> marked;  // name to marked name
    for (Json& tool : input_.tools) MarkNames(tool, marked, true);
    // Some templates take tools from variables of their own.
    if (input_.extra.is_object())
      for (auto& [key, value] : input_.extra.items())
        if (value.is_array())
          for (Json& tool : value) MarkNames(tool, marked, false);
  }

  void MarkNames(Json& tool, std::map<std::string, std::string>& marked, bool is_new) {
    if (!tool.is_object()) return;
    for (Json* holder :
         {&tool, tool.contains("function") && tool["function"].is_object() ? &tool["function"] : nullptr}) {
      if (!holder || !holder->contains("name") || !(*holder)["name"].is_string()) continue;
      auto& name = (*holder)["name"].get_ref<std::string&>();
      if (is_new && !marked.contains(name)) {
        const std::string mark = Next();
        marks_.push_back({{ChatLoss::Kind::kTool, "tool " + name}, {mark}});
        marked[name] = name + mark;
      }
      if (auto it = marked.find(name); it != marked.end()) name = it->second;
    }
  }

  void MarkDocuments() {
    if (!input_.documents.is_array()) return;
    for (size_t i = 0; i < input_.documents.size(); ++i) {
      Mark mark{{ChatLoss::Kind::kDocument, fmt::format("documents[{}]", i)}, {}};
      if (input_.documents[i].is_object())
        for (auto& [key, value] : input_.documents[i].items())
          if (value.is_string() && !Trim(value.get_ref<const std::string&>()).empty())
            mark.texts.push_back(Into(value.get_ref<std::string&>()));
      if (!mark.texts.empty()) marks_.push_back(std::move(mark));
    }
  }

  ChatTemplate::Input input_;
  std::vector<Mark> marks_;
  std::vector<std::string> keys_;  // of arguments
  int next_ = 0;
};

/// How well a form comes through; less is better.
struct Outcome {
  bool failed = true, misspelt = false;
  std::vector<ChatLoss> losses;
  std::tuple<bool, bool, size_t> rank() const { return {failed, misspelt, losses.size()}; }
  bool perfect() const { return !failed && !misspelt && losses.empty(); }
};

std::vector<Json> ArgumentsOf(Json messages) {
  std::vector<Json> all;
  EachCall(messages, [&](Json& function) { all.push_back(function.value("arguments", Json())); });
  return all;
}

std::vector<std::string> ChangesBetween(const Json& given, const Json& fitted) {
  std::vector<std::string> changes;
  auto note = [&](bool happened, const char* change) {
    if (happened && std::find(changes.begin(), changes.end(), change) == changes.end()) changes.push_back(change);
  };
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_object()) continue;
    const Json before = given[i].value("content", Json()), after = fitted[i].value("content", Json());
    note(before.is_array() && after.is_string(), "content parts joined by line breaks: the template takes text");
    note(!before.is_array() && after.is_array(), "text content given as a part: the template takes parts");
  }
  const std::vector<Json> before = ArgumentsOf(given), after = ArgumentsOf(fitted);
  for (size_t i = 0; i < before.size(); ++i) {
    note(before[i].is_string() && after[i].is_object(), "arguments of calls given as objects, as engines do");
    note(before[i].is_object() && after[i].is_string(), "arguments of calls given as JSON: the template takes text");
  }
  return changes;
}

}  // namespace

std::string RenderChat(const ChatTemplate& chat_template, const ChatTemplate::Input& input) {
  ChatTemplate::Input prepared = input;
  PrepareKimiTools(chat_template, prepared);
  return chat_template.Render(prepared);
}

FittedChat FitChat(const ChatTemplate& chat_template, const ChatTemplate::Input& input) {
  FittedChat fitted;
  fitted.input = input;
  fitted.input.messages = Normalized(input.messages);
  if (!fitted.input.messages.is_array()) return fitted;
  const Json given = fitted.input.messages;
  const Marked marked(fitted.input);
  std::optional<Form> best;
  Outcome best_outcome;
  for (const Form& form : FormsOf(given)) {
    ChatTemplate::Input trial = marked.input();
    trial.messages = Formed(trial.messages, form);
    Outcome outcome;
    try {
      const std::string prompt = RenderChat(chat_template, trial);
      outcome = {false, marked.Misspelt(prompt, form, trial.messages), marked.LossesIn(prompt)};
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kResource) throw;  // no form makes it cheap
    }
    if (!best || outcome.rank() < best_outcome.rank()) {
      best = form;
      best_outcome = std::move(outcome);
    }
    if (best_outcome.perfect()) break;
  }
  if (!best || best_outcome.failed) return fitted;
  fitted.input.messages = Formed(given, *best);
  fitted.renders = true;
  fitted.losses = std::move(best_outcome.losses);
  fitted.changes = ChangesBetween(given, fitted.input.messages);
  return fitted;
}

}  // namespace assay
