#include "serve/review/shown.h"

#include "base/edit/json_edit.h"
#include "base/json_member.h"
#include "report/diff.h"
#include "report/escape.h"

namespace assay {
namespace {

std::string ContentText(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return "";
  std::string text;
  for (const Json& part : content)
    if (part.is_object() && part.value("text", Json()).is_string())
      text += (text.empty() ? "" : "\n") + part["text"].get<std::string>();
  return text;
}

/// Members of the object `text`, as they are written.
Json Members(std::string_view text) {
  Json out = Json::object();
  for (const JsonPart& part : JsonParts(text)) out[part.key] = LayOutJson(part.Text(text), 2);
  return out;
}

}  // namespace

std::string QuestionText(const Json& object) {
  if (!object.is_object()) return "";
  if (const Json* prompt = FindMember(object, "prompt"); prompt && prompt->is_string())
    return prompt->get<std::string>();
  const Json* messages = FindMember(object, "messages");
  if (!messages || !messages->is_array()) return "";
  for (size_t i = messages->size(); i-- > 0;)
    if (const Json& message = (*messages)[i]; message.is_object() && message.value("role", Json()) == "user")
      return ContentText(message.value("content", Json()));
  return "";
}

Json ConversationJson(const Example& example) {
  Json out = Json::array();
  const auto say = [&](const std::string& role, const std::string& text, bool aside) {
    out.push_back({{"role", VisibleText(role, false)}, {"text", AnswerText(text)}, {"aside", aside}});
  };
  if (!example.is_chat()) say("prompt", example.prompt, false);
  if (example.is_chat())
    for (const Json& message : example.messages) {
      std::string text = ContentText(message.value("content", Json()));
      for (const char* key : {"reasoning_content", "reasoning", "thinking"})
        if (const Json* thought = FindMember(message, key))
          text = "(reasoning) " + thought->get<std::string>() + "\n" + text;
      if (const Json* calls = FindMember(message, "tool_calls"))
        text += (text.empty() ? "" : "\n") + DumpJson(*calls, 1);
      say(message.value("role", ""), text, false);
    }
  const auto aside = [&](const char* name, const Json& value) {
    if (!value.is_null()) say(name, DumpJson(value, 1), true);
  };
  aside("tools", example.tools);
  aside("documents", example.documents);
  aside("response_schema", example.response_schema);
  aside("chat_template_kwargs", example.chat_template_kwargs);
  aside("sampling", example.sampling);
  return out;
}

Json ChecksJson(std::string_view line) {
  Json out = Json::array();
  for (const JsonPart& member : JsonParts(line)) {
    if (member.key != "expect") continue;
    const std::string_view expect = member.Text(line);
    for (const JsonPart& check : JsonParts(expect)) {
      const std::string_view text = check.Text(expect);
      Json one = {{"members", Members(text)}, {"text", LayOutJson(text, 2)}};
      for (const JsonPart& part : JsonParts(text)) {
        if (part.key != "calls") continue;
        one["calls"] = Json::array();
        for (const JsonPart& call : JsonParts(part.Text(text)))
          one["calls"].push_back(Members(call.Text(part.Text(text))));
      }
      out.push_back(std::move(one));
    }
  }
  return out;
}

Json DiffJson(std::string_view before, std::string_view after) {
  Json out = {{"before", Json::array()}, {"after", Json::array()}};
  for (const DiffPart& part : DiffWords(before, after)) {
    const bool differs = part.kind != DiffPart::kSame;
    if (!part.before.empty()) out["before"].push_back(Json::array({AnswerText(part.before), differs}));
    if (!part.after.empty()) out["after"].push_back(Json::array({AnswerText(part.after), differs}));
  }
  return out;
}

}  // namespace assay
