// What templates take and what they hide, found by marks: shapes that published templates have.

#include "dialect/chat_fit.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"

namespace assay {
namespace {

Json Parsed(const char* text) {
  return ParseJson(text, "test");
}

struct Shown {
  std::string text;
  FittedChat fitted;
};

Shown Show(const std::string& source, const Json& messages, const Json& tools = nullptr,
           const Json& documents = nullptr, const Json& extra = nullptr) {
  const ChatTemplate chat_template = ChatTemplate::Parse(source, "t");
  ChatTemplate::Input input;
  input.messages = messages;
  input.tools = tools;
  input.documents = documents;
  input.extra = extra;
  input.add_generation_prompt = false;
  Shown shown;
  shown.fitted = FitChat(chat_template, input);
  shown.text = RenderChat(chat_template, shown.fitted.input);
  return shown;
}

std::vector<std::string> Losses(const Shown& shown) {
  std::vector<std::string> all;
  for (const ChatLoss& loss : shown.fitted.losses) all.push_back(loss.what);
  return all;
}

constexpr const char* kConcatenating = "{% for m in messages %}{{ '<' + m.role + '>' + m.content }}{% endfor %}";
constexpr const char* kPrinting = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
constexpr const char* kBoth =
    "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{% if p.type == 'text' %}[{{ p.text }}]{% endif %}{% endfor %}{% endif %}{% endfor %}";
constexpr const char* kPartsOnly =
    "{% for m in messages %}<{{ m.role }}>{% for p in m.content | selectattr('type', 'equalto', 'text') %}"
    "{{ p['text'] }}{% endfor %}{% endfor %}";

TEST(ChatFit, ContentInParts) {
  const Json parts = Parsed(R"([{"role":"user","content":[{"type":"text","text":"a b"},{"type":"text","text":"c"}]}])");
  for (const char* source : {kConcatenating, kPrinting}) {
    Shown shown = Show(source, parts);
    EXPECT_EQ(shown.text, "<user>a b\nc") << source;
    EXPECT_EQ(shown.fitted.changes.size(), 1u);
    EXPECT_TRUE(Losses(shown).empty());
  }
  EXPECT_EQ(Show(kBoth, parts).text, "<user>[a b][c]");
  EXPECT_TRUE(Show(kBoth, parts).fitted.changes.empty());
  EXPECT_EQ(Show(kPartsOnly, parts).text, "<user>a bc");
  EXPECT_EQ(Show("{{ messages | tojson }}", parts).text, R"([{"role": "user", "content": "a b\nc"}])");
}

TEST(ChatFit, ContentAsText) {
  const Json text = Parsed(R"([{"role":"user","content":"a b"}])");
  EXPECT_EQ(Show(kPartsOnly, text).text, "<user>a b");
  EXPECT_EQ(Show(kPartsOnly, text).fitted.changes.size(), 1u);
  EXPECT_EQ(Show(kBoth, text).text, "<user>a b");
  const Json mixed = Parsed(R"([{"role":"system","content":"s"},
                                {"role":"user","content":[{"type":"text","text":"a"}]},
                                {"role":"assistant","content":[{"type":"text","text":"b"}]}])");
  EXPECT_EQ(Show(kConcatenating, mixed).text, "<system>s<user>a<assistant>b");
  EXPECT_EQ(Show(kPrinting, mixed).text, "<system>s<user>a<assistant>b");
  EXPECT_EQ(Show(kPartsOnly, mixed).text, "<system>s<user>a<assistant>b");
}

Json Calls(const Json& arguments, const Json& content = "") {
  return Json::array(
      {{{"role", "user"}, {"content", "hi"}},
       {{"role", "assistant"},
        {"content", content},
        {"tool_calls", {{{"type", "function"}, {"function", {{"name", "f"}, {"arguments", arguments}}}}}}}});
}

constexpr const char* kCallHead = "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.name }}:";
constexpr const char* kCallTail = "{% endfor %}{% endfor %}";

TEST(ChatFit, ArgumentsOfCalls) {
  const std::string as_json = std::string(kCallHead) + "{{ c.function.arguments | tojson }}" + kCallTail,
                    by_item = std::string(kCallHead) +
                              "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}" + kCallTail,
                    as_text = std::string(kCallHead) + "{{ c.function.arguments }}" + kCallTail,
                    joined = std::string(kCallHead) + "{{ '' + c.function.arguments }}" + kCallTail,
                    either = std::string(kCallHead) +
                             "{% if c.function.arguments is string %}{{ c.function.arguments }}{% else %}{{ "
                             "c.function.arguments | tojson }}{% endif %}" +
                             kCallTail;
  // Integers of any size survive, as in Python.
  EXPECT_EQ(Show(by_item, Calls(Json(R"({"a": 123456789012345678901})"))).text, "f:a=123456789012345678901");
  EXPECT_EQ(Show(as_json, Calls(Json(R"({"a": 18446744073709551615})"))).text, R"(f:{"a": 18446744073709551615})");
  for (const Json& arguments : {Json(R"({"a": "x"})"), Json{{"a", "x"}}}) {
    EXPECT_EQ(Show(as_json, Calls(arguments)).text, R"(f:{"a": "x"})");
    EXPECT_EQ(Show(by_item, Calls(arguments)).text, "f:a=x");
    EXPECT_EQ(Show(as_text, Calls(arguments)).text, R"(f:{"a": "x"})");
    EXPECT_EQ(Show(joined, Calls(arguments)).text, R"(f:{"a": "x"})");
    EXPECT_EQ(Show(either, Calls(arguments)).text, R"(f:{"a": "x"})");
  }
  // A text that stays one keeps its spelling; one that holds no object is left alone; none is an empty object.
  EXPECT_EQ(Show(joined, Calls(R"({"a":1})")).text, R"(f:{"a":1})");
  EXPECT_EQ(Show(as_text, Calls("{\"a\": ")).text, "f:{\"a\": ");
  EXPECT_EQ(Show(by_item, Calls("")).text, "f:");
  EXPECT_EQ(Show(as_json, Calls(" ")).text, "f:{}");
}

TEST(ChatFit, ContentBesideCalls) {
  // DeepSeek's: a call is where there is no content.
  const std::string where_none =
      "{% for m in messages %}{% if m.content is none %}{% for c in m.tool_calls %}{{ c.function.name }}{% endfor %}"
      "{% else %}{{ m.content }}|{% endif %}{% endfor %}";
  for (const Json& content : {Json(""), Json()}) EXPECT_EQ(Show(where_none, Calls("{}", content)).text, "hi|f");
  const std::string concatenating =
      "{% for m in messages %}{{ m.content + '|' }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor "
      "%}{% "
      "endfor %}";
  EXPECT_EQ(Show(concatenating, Calls("{}", nullptr)).text, "hi||f");
  const std::string printing =
      "{% for m in messages %}{{ m.content }}|{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}{% "
      "endfor "
      "%}";
  EXPECT_EQ(Show(printing, Calls("{}", nullptr)).text, "hi||f");
}

TEST(ChatFit, NullsAndReasoning) {
  const Json messages = Parsed(R"([{"role":"user","content":"q","name":null,"tool_calls":null},
                                   {"role":"assistant","content":"a","reasoning":"why"}])");
  EXPECT_EQ(
      Show("{% for m in messages %}{% if 'tool_calls' in m %}x{% endif %}{{ m.reasoning_content }}{{ m.thinking }}"
           "{% endfor %}{{ messages[0].content }}",
           messages)
          .text,
      "whywhyq");
}

TEST(ChatFit, WhatATemplateHides) {
  const Json messages = Parsed(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"order two"}])");
  // The question has the tool's name, so that a search for it would find it.
  const Json tools = Parsed(R"([{"type":"function","function":{"name":"order"}}])");
  using Names = std::vector<std::string>;
  EXPECT_EQ(Losses(Show(kPrinting, messages, tools)), Names{"tool order"});
  EXPECT_EQ(Losses(Show("{{ tools | length }}" + std::string(kPrinting), messages, tools)), Names{"tool order"});
  EXPECT_TRUE(Losses(Show("{{ tools | tojson }}" + std::string(kPrinting), messages, tools)).empty());
  EXPECT_TRUE(Losses(Show("{% set tools = tools or [] %}{% for t in tools %}{{ t.function.name }}{% endfor %}" +
                              std::string(kPrinting),
                          messages, tools))
                  .empty());
  const std::string users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
  EXPECT_EQ(Losses(Show(users, messages)), Names{"messages[0] (system)"});
  EXPECT_EQ(Losses(Show(users + "{{ messages | length }}", messages)), Names{"messages[0] (system)"});
  // A variable of the template's own shows them all the same.
  EXPECT_TRUE(Losses(Show("{% for t in xml_tools %}{{ t.name }}{% endfor %}" + std::string(kPrinting), messages, tools,
                          nullptr, Json{{"xml_tools", {{{"name", "order"}}}}}))
                  .empty());
  const Json documents = Parsed(R"([{"title":"T","text":"body"},{"text":"more"}])");
  EXPECT_EQ(Losses(Show(kPrinting, messages, nullptr, documents)), (Names{"documents[0]", "documents[1]"}));
  EXPECT_TRUE(Losses(Show("{% for d in documents %}{{ d.text }}{% endfor %}" + std::string(kPrinting), messages,
                          nullptr, documents))
                  .empty());
  const Json results = Parsed(R"([{"role":"user","content":"q"},{"role":"tool","content":"42","tool_call_id":"1"}])");
  EXPECT_EQ(Losses(Show(users, results)), Names{"messages[1] (tool)"});
}

TEST(ChatFit, RefusingTemplatesSayWhy) {
  const Json messages = Parsed(R"([{"role":"system","content":"s"},{"role":"user","content":"u"}])");
  const std::string source =
      "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}";
  const ChatTemplate chat_template = ChatTemplate::Parse(source, "t");
  ChatTemplate::Input input;
  input.messages = messages;
  FittedChat fitted = FitChat(chat_template, input);
  EXPECT_FALSE(fitted.renders);
  EXPECT_EQ(fitted.input.messages, messages);
  EXPECT_THROW(RenderChat(chat_template, fitted.input), Error);
}

}  // namespace
}  // namespace assay
