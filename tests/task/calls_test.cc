// Tool calls: the syntaxes, and the semantics of the check on what BFCL's own answers accept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "base/random.h"
#include "base/strings.h"
#include "dialect/call/call_syntax.h"
#include "dialect/reasoning.h"
#include "system/file.h"
#include "task/check/matcher.h"
#include "task_testing.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using testing::ReadLines;
using testing::Refusal;
using testing::Try;

Json Offered(const std::vector<std::string>& names) {
  Json tools = Json::array();
  for (const std::string& name : names) tools.push_back({{"type", "function"}, {"function", {{"name", name}}}});
  return tools;
}

Json Calls(std::string_view text, const std::vector<std::string>& tools = {"f", "g"}) {
  ParsedCalls parsed = ParseCalls(text, Offered(tools));
  if (!parsed.error.empty()) return "error";
  Json out = Json::array();
  for (const ToolCall& call : parsed.calls) out.push_back(Json::array({call.name, call.arguments}));
  return out;
}

TEST(CallSyntax, ReadsWhatModelsWrite) {
  Json one = Json::parse(R"([["f",{"a":1}]])");
  for (const char* text : {
           "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>",
           "I will call f.\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>",
           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}",  // the closing tag was a stop string
           "<tool_call>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]</tool_call>",  // SmolLM2 writes a list
           "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>",
           "<tool_calls>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]</tool_calls>",  // Hunyuan
           "<function_calls>\nf(a=1)\n</function_calls>",                              // OLMo 3
           "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
           "[TOOL_CALLS]f[ARGS]{\"a\": 1}",
           "[TOOL_CALLS]f{\"a\": 1}",
           "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
           "<|python_tag|>f.call(a=1)",
           "{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
           "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"a\": 1}}",
           "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}}]",
           "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
           "```json\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n```",
           "<function=f>{\"a\": 1}</function>",
           "[f(a=1)]",
           "[ f( a = 1, ) ]",
           "f(a=1)",
       })
    EXPECT_EQ(Calls(text), one) << text;
  Json two = Json::parse(R"([["f",{"a":1}],["g",{}]])");
  for (const char* text : {
           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>\n<tool_call>{\"name\": \"g\", "
           "\"arguments\": {}}</tool_call>",
           "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}",
           "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}; {\"name\": \"g\", \"parameters\": {}}",
           "{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n{\"name\": \"g\"}",
           "[f(a=1), g()]",
           "f(a=1)\ng()",
           "<function_calls>\nf(a=1)\ng()\n</function_calls>",
           "<function=f>{\"a\": 1}</function><function=g>{}</function>",
       })
    EXPECT_EQ(Calls(text), two) << text;
}

TEST(CallSyntax, ValuesOfOlmoAreJsonOrPython) {
  EXPECT_EQ(Calls("<function_calls>\nf(a='x', b=true, c=null, d=[1, 2.5], e=False)\n</function_calls>"),
            Json::parse(R"([["f",{"a":"x","b":true,"c":null,"d":[1,2.5],"e":false}]])"));
  EXPECT_EQ(Calls("<function_calls>\n<invoke name=\"f\">\n</invoke>\n</function_calls>"), "error");
}

TEST(CallSyntax, PlainTextIsNoCall) {
  for (const char* text :
       {"The weather is fine.", "f is a function", "{\"name\": \"Ann\", \"age\": 3}", "[1, 2]", "[see (1)]",
        "[link](http://x)", "{\"answer\": 3}", "The name (f) is short", "[]", "h(a=1)", "{\"name\": \"Bob\"}"})
    EXPECT_EQ(Calls(text), Json::array()) << text;
}

TEST(CallSyntax, BrokenCallsAreErrorsNotText) {
  for (const char* text : {
           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call>",
           "<tool_call></tool_call>",
           "<tool_call>f(1)</tool_call>",
           "<tool_call>{\"arguments\": {}}</tool_call>",
           "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1, \"a\": 2}}</tool_call>",
           "{\"name\": \"f\", \"arguments\": {\"a\": 1}",
           "Sure! {\"name\": \"f\", \"arguments\": {\"a\": 1}}",
           "{\"name\": \"f\", \"arguments\": {\"a\": 1}} as asked",
           "[TOOL_CALLS] nothing",
           "[TOOL_CALLS] []",
           "<|python_tag|>",
           "<function=f{\"a\": 1}",
           "[f(a=1), g(]",
           "[f(1)]",
           "[f(a=b)]",
           "[f(a=1, a=2)]",
           "[f(a='x)]",
           "{\"name\": \"f\"} trailing",
           "x</tool_call>",
       })
    EXPECT_EQ(Calls(text), "error") << text;
}

TEST(CallSyntax, PythonLiterals) {
  EXPECT_EQ(
      Calls(
          R"py([f(a='it\'s', b="\u00e9\n", c=True, d=None, e=-1.5e2, g=[1, (2, 3)], h={"k": [False]}, i=(4), j='''x"y''', k=1_000)])py"),
      Json::parse(
          R"([["f",{"a":"it's","b":"é\n","c":true,"d":null,"e":-150.0,"g":[1,[2,3]],"h":{"k":[false]},"i":4,"j":"x\"y","k":1000}]])"));
  EXPECT_EQ(Calls("[a.b.c(x=1)]"), Json::parse(R"([["a.b.c",{"x":1}]])"));
  EXPECT_EQ(Calls("[f(a=" + std::string(100000, '[') + ")]"), "error");
  EXPECT_EQ(DumpJson(Calls("[f(a=99999999999999999999)]")[0][1]["a"]), "99999999999999999999");
}

TEST(CallSyntax, ManyCallsAreRefused) {
  std::string text;
  for (size_t i = 0; i <= kMaxCalls; ++i) text += "<tool_call>{\"name\": \"f\"}</tool_call>";
  EXPECT_EQ(Calls(text), "error");
}

TEST(CallSyntax, ManyArgumentsAreRefusedAsThatManyAndTwiceAsTwice) {
  for (auto [open, between, close, end] : std::initializer_list<std::array<const char*, 4>>{
           {"<tool_call>f\n<arg_key>", "</arg_key><arg_value>", "</arg_value><arg_key>", "</tool_call>"},
           {"<tool_call><function=f><parameter=", ">", "</parameter><parameter=", "</function></tool_call>"}}) {
    auto error = [&, open = open, between = between, close = close, end = end](int count, bool twice) {
      std::string text = open;
      for (int i = 0; i < count; ++i) {
        std::string tail = i + 1 < count ? close : std::string(close).substr(0, std::string(close).find("><") + 1);
        text += "k" + std::to_string(twice ? 0 : i) + between + "1" + tail;
      }
      return ParseCalls(text + end, nullptr).error;
    };
    EXPECT_EQ(error(1000, false), "") << open;
    EXPECT_EQ(error(1001, false), "more than 1000 arguments") << open;
    EXPECT_EQ(error(2, true), "\"k0\" is given twice") << open;
  }
}

TEST(CallSyntax, TheTemplateTellsTheSyntax) {
  EXPECT_EQ(CallSyntaxOf("{{ '<tool_call>' }}"), "hermes");
  EXPECT_EQ(CallSyntaxOf("{{ '[TOOL_CALLS]' }}"), "mistral");
  EXPECT_EQ(CallSyntaxOf("{{ '<|python_tag|>' }}"), "llama3");
  EXPECT_EQ(CallSyntaxOf("{{ messages }}"), "");
  // Another's marks inside an argument mislead nobody.
  const char* text = "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": \"<tool_call>\"}}";
  for (std::string_view first : {"", "llama3", "hermes"}) {
    ParsedCalls parsed = ParseCalls(text, nullptr, first);
    EXPECT_EQ(parsed.syntax, "llama3") << parsed.error;
    EXPECT_EQ(parsed.calls.size(), 1u);
  }
}

TEST(CallSyntax, ValuesBetweenTagsHaveTheTypesThatAreDeclared) {
  Json tools = Json::parse(R"([{"type":"function","function":{"name":"f","parameters":{"properties":{
      "s":{"type":"string"},"n":{"type":"integer"},"m":{"type":["string","null"]},"o":{"type":"object"}}}}}])");
  auto arguments = [&](const char* body) {
    ParsedCalls parsed =
        ParseCalls("<tool_call>\n<function=f>\n" + std::string(body) + "</function>\n</tool_call>", tools);
    EXPECT_EQ(parsed.error, "");
    return parsed.calls.empty() ? Json() : parsed.calls[0].arguments;
  };
  EXPECT_EQ(arguments("<parameter=s>\n12\n</parameter>"), Json::parse(R"({"s":"12"})"));
  EXPECT_EQ(arguments("<parameter=s>\n\n two\nlines \n\n</parameter>"), Json::parse(R"({"s":"\n two\nlines \n"})"));
  EXPECT_EQ(arguments("<parameter=n>\n12\n</parameter>"), Json::parse(R"({"n":12})"));
  EXPECT_EQ(arguments("<parameter=n>\ntwelve\n</parameter>"), Json::parse(R"({"n":"twelve"})"));
  EXPECT_EQ(arguments("<parameter=m>\nnull\n</parameter>"), Json::parse(R"({"m":null})"));
  EXPECT_EQ(arguments("<parameter=o>\n{'a': [True, None]}\n</parameter>"), Json::parse(R"({"o":{"a":[true,null]}})"));
  EXPECT_EQ(arguments("<parameter=u>\n1.5\n</parameter>"), Json::parse(R"({"u":1.5})"));
}

TEST(CallSyntax, BrokenMarksAreErrorsNotText) {
  for (const char* text : {
           "<tool_call>\n<function=f>\n<parameter=a>\n1\n</function>\n</tool_call>",
           "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>",
           "<tool_call>\n<function=>\n</function>\n</tool_call>",
           "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=a>\n2\n</parameter>\n</function></"
           "tool_call>",
           "<tool_call>f\n<arg_key>a</arg_key>\n</tool_call>",
           "<tool_call>f\n<arg_key>a</arg_key><arg_value>1</tool_call>",
           "<｜tool▁calls▁begin｜>f",
           "<｜tool▁call▁begin｜>f{}<｜tool▁call▁end｜>",
           "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0{}",
           "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": ",
           "<|START_ACTION|>[{\"tool_name\": \"f\", \"parameters\": {]<|END_ACTION|>",
           "<|tool_call>call:f{a:<|\"|>x}<tool_call|>",
           "<|tool_call>f{a:1}<tool_call|>",
           "<|tools_prefix|>[{\"f\": 1}]<|tools_suffix|>",
           "<|tool_call_start|>[f(a=]<|tool_call_end|>",
           "<minimax:tool_call><invoke name=\"f\"><parameter name=\"a\">1</invoke></minimax:tool_call>",
           ">>>f\n{\"a\": 1",
           "functools[{\"name\": \"f\"",
           "Action: ```json\n[{\"tool_name\": \"f\", \"parameters\": {\"a\": }}]\n```",
       })
    EXPECT_EQ(Calls(text), "error") << text;
}

TEST(CallSyntax, HostileTextIsReadInLinearTime) {
  for (std::string_view syntax : CallSyntaxNames()) {
    std::string open = RenderCalls({{"f", Json::object()}}, syntax);
    std::string text, half = open.substr(0, open.size() / 2);
    while (text.size() < 300'000) text += half;
    ParseCalls(text, nullptr);
    text.clear();
    while (text.size() < 300'000) text += open;
    ParseCalls(text, nullptr);
  }
  for (const char* part : {"<parameter=a", "[", "{\"a\":", "<arg_key>", "<|\"|>", "call:f{", "(", "'", "<|"}) {
    std::string text = "<tool_call><function=f><parameter=";
    while (text.size() < 300'000) text += part;
    ParseCalls(text, nullptr);
    ParseCalls("<|tool_call>call:f{" + text, nullptr);
  }
}

// What models' own chat templates make of calls reads back as the calls: data/template_calls.json, made by
// tools/golden/tool_calls.py.
TEST(CallSyntax, ReadsBackWhatTemplatesRender) {
  Json golden = ParseJson(ReadFile(ASSAY_TEST_DATA "/task/data/template_calls.json"), "template_calls.json");
  std::set<std::string> templates, syntaxes;
  // Tags of their own that no parser here reads: a malformed call, never silently text.
  const std::set<std::string> unread = {"MiniMax-M3", "tencent-Hy3"};
  for (const Json& row : golden["rows"]) {
    std::string text = row["text"];
    Json expected = golden[row["case"] == "one" ? "one" : "two"], found = Json::array();
    ParsedCalls parsed = ParseCalls(SplitReasoning(text).content, golden["tools"]);
    if (unread.contains(row["template"])) {
      EXPECT_NE(parsed.error, "") << text;
      continue;
    }
    for (const ToolCall& call : parsed.calls) found.push_back(Json::array({call.name, call.arguments}));
    EXPECT_EQ(parsed.error, "") << row["template"] << "\n" << text;
    // Objects of the same members are equal in any order.
    EXPECT_EQ(nlohmann::json(found), nlohmann::json(expected)) << row["template"] << "\n" << text;
    if (nlohmann::json(found) != nlohmann::json(expected)) continue;
    templates.insert(row["template"]);
    syntaxes.insert(parsed.syntax);
  }
  EXPECT_GE(templates.size(), 50u);
  EXPECT_GE(syntaxes.size(), 20u);
}

// ---- The check
// -----------------------------------------------------------------------------------------------------------------------

std::string Class(const char* spec, const std::string& text) {
  return Try(spec, text).failure;
}

TEST(ToolCalls, ClassesOfFailure) {
  const char* spec =
      R"({"type":"tool_calls","calls":[{"name":"book","arguments":{"city":"Rome","seats":2,"note":{"$optional":"x"}}}]})";
  auto call = [](const char* name, const char* arguments) {
    return fmt::format("<tool_call>{{\"name\": \"{}\", \"arguments\": {}}}</tool_call>", name, arguments);
  };
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":2})")), "");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":2,"note":"x"})")), "");
  EXPECT_EQ(Class(spec, "I booked it."), "no call");
  EXPECT_EQ(Class(spec, call("look", R"({"city":"Rome","seats":2})")), "wrong tool");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome"})")), "missing");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":2,"hour":1})")), "extra");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":"2"})")), "wrong type");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":3})")), "wrong value");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":2})") + call("book", R"({"city":"Rome","seats":2})")),
            "wrong count");
  EXPECT_EQ(Class(spec, call("book", R"({"city":"Rome","seats":)")), "malformed call");
  EXPECT_EQ(Try(spec, call("book", R"({"city":"Oslo","seats":2})")).detail,
            "arguments.city: expected \"Rome\", found \"Oslo\"");
}

TEST(ToolCalls, NoCallMeansADirectAnswer) {
  const char* spec = R"({"type":"tool_calls","calls":[]})";
  EXPECT_EQ(Class(spec, "None of the tools fits."), "");
  EXPECT_EQ(Class(spec, "[f(a=1)]"), "unexpected call");
  EXPECT_EQ(Class(spec, "<tool_call>{\"name\""), "malformed call");  // BFCL would count this as right
  EXPECT_EQ(Class(spec, ""), "empty");
}

TEST(ToolCalls, OrderExtraCallsAndExtraArguments) {
  const char* free =
      R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":1}},{"name":"f","arguments":{"a":2}}]})";
  const char* ordered =
      R"({"type":"tool_calls","ordered":true,"calls":[{"name":"f","arguments":{"a":1}},{"name":"f","arguments":{"a":2}}]})";
  const char* more =
      R"({"type":"tool_calls","allow_extra_calls":true,"calls":[{"name":"f","arguments":{"a":1}},{"name":"f","arguments":{"a":2}}]})";
  const char* both =
      R"({"type":"tool_calls","allow_extra_calls":true,"ordered":true,"calls":[{"name":"f","arguments":{"a":1}},{"name":"f","arguments":{"a":2}}]})";
  EXPECT_EQ(Class(free, "[f(a=2), f(a=1)]"), "");
  EXPECT_EQ(Class(free, "[f(a=2), f(a=2)]"), "wrong value");
  EXPECT_EQ(Class(free, "[f(a=2), g(a=1)]"), "wrong tool");
  EXPECT_EQ(Class(ordered, "[f(a=2), f(a=1)]"), "wrong value");
  EXPECT_EQ(Class(ordered, "[f(a=1), f(a=2)]"), "");
  EXPECT_EQ(Class(more, "[f(a=2), g(), f(a=1)]"), "");
  EXPECT_EQ(Class(more, "[f(a=2)]"), "wrong count");
  EXPECT_EQ(Class(both, "[f(a=1), g(), f(a=2)]"), "");
  EXPECT_EQ(Class(both, "[f(a=2), g(), f(a=1)]"), "wrong value");
  EXPECT_EQ(Class(R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":1},"allow_extra_arguments":true}]})",
                  "[f(a=1, b=2)]"),
            "");
  EXPECT_EQ(Class(R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"$ignore":true}}]})", "[f(a=1, b=2)]"), "");
  EXPECT_EQ(Class(R"({"type":"tool_calls","calls":[{"name":"f"}]})", "[f()]"), "");
  EXPECT_EQ(Class(R"({"type":"tool_calls","calls":[{"name":"f"}]})", "[f(b=2)]"), "extra");
}

// The first expected call accepts both answers, the second only one: pairing in order fails, a matching does not.
TEST(ToolCalls, PairsByMatchingNotGreedily) {
  const char* spec =
      R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":{"$any_of":[1,2]}}},{"name":"f","arguments":{"a":1}}]})";
  EXPECT_EQ(Class(spec, "[f(a=1), f(a=2)]"), "");
  EXPECT_EQ(Class(spec, "[f(a=2), f(a=1)]"), "");
  EXPECT_EQ(Class(spec, "[f(a=2), f(a=2)]"), "wrong value");
}

TEST(ToolCalls, RefusesBadDefinitionsByPlace) {
  EXPECT_THAT(Refusal(R"({"type":"tool_calls"})"), HasSubstr("calls: is missing"));
  EXPECT_THAT(Refusal(R"({"type":"tool_calls","calls":{}})"), HasSubstr("calls: expected a list"));
  EXPECT_THAT(Refusal(R"({"type":"tool_calls","calls":[{"name":"f","args":{}}]})"),
              HasSubstr("calls[0].args: unknown member"));
  EXPECT_THAT(Refusal(R"({"type":"tool_calls","calls":[{"arguments":{}}]})"), HasSubstr("calls[0].name: is missing"));
  EXPECT_THAT(Refusal(R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":{"$nope":1}}}]})"),
              HasSubstr("calls[0].arguments.a.$nope"));
}

// ---- BFCL
// ------------------------------------------------------------------------------------------------------------------------------

TEST(ToolCalls, WhicheverOfSeveralTools) {
  constexpr const char* kAny =
      R"({"type":"tool_calls","calls":[{"name":{"$any_of":["search","lookup"]},"arguments":{"q":"x"}}]})";
  EXPECT_EQ(Class(kAny, R"([search(q="x")])"), "");
  EXPECT_EQ(Class(kAny, R"({"name":"lookup","arguments":{"q":"x"}})"), "");
  EXPECT_EQ(Class(kAny, R"({"name":"find","arguments":{"q":"x"}})"), "wrong tool");
  EXPECT_EQ(Class(kAny, R"({"name":"lookup","arguments":{"q":"y"}})"), "wrong value");
  for (const char* name :
       {R"({"$any_of":[]})", R"({"$any_of":["a",1]})", R"({"$casefold":"a"})", R"({"$any_of":["a"],"x":1})"})
    EXPECT_THAT(Refusal((R"({"type":"tool_calls","calls":[{"name":)" + std::string(name) + "}]}").c_str()),
                HasSubstr("calls[0].name"));
}

// Schema types of the data set to JSON Schema's.
Json ConvertTypes(const Json& schema) {
  static const std::map<std::string, std::string> kNames = {
      {"dict", "object"}, {"float", "number"}, {"tuple", "array"}};
  Json out = schema;
  if (schema.is_object())
    for (auto& [key, value] : out.items()) {
      value = ConvertTypes(value);
      if (key == "type" && value.is_string())
        if (auto name = kNames.find(value.get<std::string>()); name != kNames.end()) value = name->second;
    }
  if (schema.is_array())
    for (Json& value : out) value = ConvertTypes(value);
  return out;
}

bool Omissible(const Json& alternative) {
  return alternative == "";
}

// "" in the list of allowed values means: may be left out. A dict's members are lists of allowed values themselves.
Json Expectation(const Json& alternatives);
Json ExpectationOfValue(const Json& value) {
  if (value.is_object()) {
    Json out = Json::object();
    for (const auto& [key, inner] : value.items()) out[key] = Expectation(inner);
    return out;
  }
  Json out = value;
  if (value.is_array())
    for (Json& element : out) element = ExpectationOfValue(element);
  return out;
}
Json Expectation(const Json& alternatives) {
  Json any = Json::array();
  bool optional = false;
  for (const Json& alternative : alternatives) {
    if (Omissible(alternative))
      optional = true;
    else
      any.push_back(ExpectationOfValue(alternative));
  }
  if (any.empty()) any.push_back("");
  Json out = {{"$any_of", any}};
  return optional ? Json{{"$optional", out}} : out;
}

// A concrete value of an alternative.
Json Concrete(const Json& value, Random& random) {
  if (value.is_object()) {
    Json out = Json::object();
    for (const auto& [key, inner] : value.items()) {
      const Json& chosen = inner[random.Below(inner.size())];
      if (!Omissible(chosen)) out[key] = Concrete(chosen, random);
    }
    return out;
  }
  Json out = value;
  if (value.is_array())
    for (Json& element : out) element = Concrete(element, random);
  return out;
}

struct BfclCase {
  std::string id;
  Example example;
  Json spec;
  Json truth;
};

std::vector<BfclCase> BfclCases() {
  std::vector<BfclCase> cases;
  for (const Json& row : ReadLines(ASSAY_TEST_DATA "/task/data/bfcl.jsonl")) {
    BfclCase item{row["id"], {}, {{"type", "tool_calls"}, {"calls", Json::array()}}, row["ground_truth"]};
    item.example.tools = Json::array();
    for (const Json& function : row["function"])
      item.example.tools.push_back(
          {{"type", "function"},
           {"function", {{"name", function["name"]}, {"parameters", ConvertTypes(function["parameters"])}}}});
    for (const Json& call : item.truth)
      for (const auto& [name, arguments] : call.items()) {
        Json expected = Json::object();
        for (const auto& [key, alternatives] : arguments.items()) expected[key] = Expectation(alternatives);
        item.spec["calls"].push_back({{"name", name}, {"arguments", expected}});
      }
    cases.push_back(std::move(item));
  }
  return cases;
}

// Random allowed values, optional ones sometimes left out.
std::vector<ToolCall> TrueCalls(const Json& truth, Random& random) {
  std::vector<ToolCall> calls;
  for (const Json& call : truth)
    for (const auto& [name, arguments] : call.items()) {
      ToolCall made{name, Json::object()};
      for (const auto& [key, alternatives] : arguments.items()) {
        const Json& chosen = alternatives[random.Below(alternatives.size())];
        if (!Omissible(chosen)) made.arguments[key] = Concrete(chosen, random);
      }
      calls.push_back(std::move(made));
    }
  return calls;
}

// Kind of JSON value, numbers being one.
int KindOf(const Json& value) {
  return value.is_number() ? 100 : static_cast<int>(value.type());
}

// An argument that may not be left out, and its alternatives; empty when there is none.
std::string RequiredArgument(const Json& truth, size_t i) {
  for (const auto& [name, arguments] : truth[i].items())
    for (const auto& [key, alternatives] : arguments.items())
      if (std::none_of(alternatives.begin(), alternatives.end(), Omissible)) return key;
  return "";
}

TEST(Bfcl, EveryAllowedAnswerPassesInEverySyntax) {
  Random random(11);
  int passed = 0;
  for (const BfclCase& item : BfclCases()) {
    if (item.truth.empty()) continue;
    for (int round = 0; round < 5; ++round) {
      std::vector<ToolCall> calls = TrueCalls(item.truth, random);
      for (size_t i = calls.size(); i > 1; --i) std::swap(calls[i - 1], calls[random.Below(i)]);  // order is free
      for (std::string_view syntax : CallSyntaxNames()) {
        std::string text = RenderCalls(calls, syntax);
        CheckResult result = Try(item.spec, text, item.example);
        EXPECT_TRUE(result.pass) << item.id << " " << syntax << ": " << result.failure << ": " << result.detail << "\n"
                                 << text;
        ParsedCalls parsed = ParseCalls(text, nullptr);
        EXPECT_EQ(parsed.syntax, syntax);
        passed += result.pass;
      }
    }
  }
  EXPECT_GE(passed, 49 * 5 * 6);
}

TEST(Bfcl, DamagedAnswersFailInTheRightClass) {
  Random random(12);
  std::map<std::string, int> seen;
  for (const BfclCase& item : BfclCases()) {
    if (item.truth.empty()) continue;
    auto expect = [&](const std::vector<ToolCall>& calls, const std::string& failure) {
      for (std::string_view syntax : CallSyntaxNames()) {
        std::string text = RenderCalls(calls, syntax);
        CheckResult result = Try(item.spec, text, item.example);
        // Between tags everything is text: there, only its value can be wrong.
        bool untyped =
            failure == "wrong type" && result.failure == "wrong value" && text.find("</") != std::string::npos;
        if (untyped || (syntax == "kimi3" && failure == "wrong type")) {
          EXPECT_NE(result.failure, "") << text;
          continue;
        }
        EXPECT_EQ(result.failure, failure) << item.id << " " << syntax << ": " << result.detail << "\n"
                                           << RenderCalls(calls, syntax);
        ++seen[failure];
      }
    };
    const std::vector<ToolCall> good = TrueCalls(item.truth, random);
    std::vector<ToolCall> calls = good;
    calls[0].name += "_all";
    expect(calls, "wrong tool");

    calls = good;
    calls.push_back(good[0]);
    expect(calls, "wrong count");
    if (good.size() > 1) expect({good.begin() + 1, good.end()}, "wrong count");

    calls = good;
    calls.back().arguments["not_a_parameter"] = 1;
    expect(calls, "extra");

    std::string key = RequiredArgument(item.truth, 0);
    if (!key.empty()) {
      calls = good;
      calls[0].arguments.erase(key);
      expect(calls, "missing");
      calls = good;
      calls[0].arguments[key] = Json{{"surely", "wrong"}};
      if (KindOf(good[0].arguments[key]) != KindOf(Json::object())) expect(calls, "wrong type");
      calls = good;
      Json& value = calls[0].arguments[key];
      if (value.is_number())
        value = value.get<double>() + 1234567;
      else if (value.is_string())
        value = value.get<std::string>() + " or so";
      else
        continue;
      expect(calls, "wrong value");
    }
    for (std::string_view syntax : CallSyntaxNames()) {
      std::string text = RenderCalls(good, syntax);
      // Cut inside the last call: a section's end alone may be missing, since it serves as a stop string.
      size_t cut = 0;
      for (std::string_view end :
           {")", "}", "</parameter>", "</｜DSML｜parameter>", "</param>", "</atem:parameter>", "<|close|>argument"})
        if (size_t at = text.rfind(end); at != std::string::npos) cut = std::max(cut, at);
      text.resize(cut);
      EXPECT_EQ(Try(item.spec, text, item.example).failure, "malformed call") << syntax << ": " << text;
    }
    EXPECT_EQ(Try(item.spec, "I cannot do that.", item.example).failure, "no call");
  }
  for (const char* failure : {"wrong tool", "wrong count", "extra", "missing", "wrong type", "wrong value"})
    EXPECT_GT(seen[failure], 50) << failure;
}

TEST(Bfcl, IrrelevantToolsWantADirectAnswer) {
  int seen = 0;
  for (const BfclCase& item : BfclCases()) {
    if (!item.truth.empty()) continue;
    ++seen;
    auto name = item.example.tools[0]["function"]["name"].get<std::string>();
    EXPECT_TRUE(Try(item.spec, "None of these tools can answer that.", item.example).pass);
    for (std::string_view syntax : CallSyntaxNames())
      EXPECT_EQ(Try(item.spec, RenderCalls({{name, Json{{"x", 1}}}}, syntax), item.example).failure, "unexpected call");
    EXPECT_EQ(Try(item.spec, name + "(x=1)", item.example).failure, "unexpected call");
    EXPECT_EQ(Try(item.spec, "{\"name\": \"" + name + "\", \"argum", item.example).failure, "malformed call");
  }
  EXPECT_EQ(seen, 10);
}

}  // namespace
}  // namespace assay
