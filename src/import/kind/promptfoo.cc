// promptfoo: a configuration (prompts, tests, defaultTest), or a list of tests. Every prompt is asked with every test's
// variables; assertions that have a check become one, the others are named.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

constexpr size_t kMostCombinations = 10'000;  // of one test's lists of variables
using Variables = std::vector<std::pair<std::string, std::string>>;

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : DumpJson(value);
}

// `text` with its {{names}} filled in. What is left of the template language, in `why`.
std::string Filled(std::string_view text, const Variables& variables, std::string& why) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find('{', at);
    if (open == std::string_view::npos || open + 1 >= text.size()) break;
    out += text.substr(at, open - at);
    if (text[open + 1] == '%' || text[open + 1] == '#') {
      why = "its prompt has tags of a template ({% … %}), of which variables alone are filled in";
      return "";
    }
    if (text[open + 1] != '{') {
      out += '{';
      at = open + 1;
      continue;
    }
    const size_t close = text.find("}}", open);
    if (close == std::string_view::npos) {
      why = "its prompt has {{ without }}";
      return "";
    }
    const std::string_view name = Trim(text.substr(open + 2, close - open - 2));
    const auto value =
        std::find_if(variables.begin(), variables.end(), [&](const auto& one) { return one.first == name; });
    if (value == variables.end()) {
      why = fmt::format("its prompt has {{{{{}}}}}, which the test gives no value", name.substr(0, 60));
      return "";
    }
    out += value->second;
    at = close + 2;
  }
  return out + std::string(text.substr(std::min(at, text.size())));
}

Json List(const Json& value) {
  if (value.is_array()) {
    Json texts = Json::array();
    for (const Json& one : value) texts.push_back(TextOf(one));
    return texts;
  }
  Json texts = Json::array();  // "a, b"
  for (const std::string& one : Split(TextOf(value), ','))
    if (!Trim(one).empty()) texts.push_back(std::string(Trim(one)));
  return texts;
}

// The check of an assertion; null: none. `type` has lost its "not-".
Json CheckOf(std::string_view type, bool negated, const Json& value) {
  const bool any_case = type.starts_with("icontains");
  const std::string_view contains = any_case ? type.substr(1) : type;
  const auto with = [&](Json check) {
    if (negated) check["not"] = true;
    return check;
  };
  if (contains == "contains" || contains == "contains-any" || contains == "contains-all") {
    if (value.is_null() || (negated && contains == "contains-all")) return {};
    Json check = {{"type", "contains"}, {"value", contains == "contains" ? Json(TextOf(value)) : List(value)}};
    if (contains == "contains-any" && !negated) check["any"] = true;
    if (any_case) check["ignore_case"] = true;
    return with(std::move(check));
  }
  if (type == "equals") {
    if (value.is_null()) return {};
    if (value.is_structured()) return negated ? Json() : Json{{"type", "json_value"}, {"value", value}};
    if (negated) return with({{"type", "regex"}, {"pattern", fmt::format("\\A{}\\z", PatternOf(Trim(TextOf(value))))}});
    return {{"type", "equals"}, {"value", TextOf(value)}};
  }
  if (type == "regex" && value.is_string()) return with({{"type", "regex"}, {"pattern", value}});
  if (type == "starts-with" && !value.is_null())
    return with({{"type", "regex"}, {"pattern", "\\A" + PatternOf(TextOf(value))}});
  if (type == "ends-with" && !value.is_null())
    return with({{"type", "regex"}, {"pattern", PatternOf(TextOf(value)) + "\\z"}});
  if (type == "contains-json" && !negated && (value.is_null() || value.is_object()))
    return {{"type", "json_schema"},
            {"schema", value.is_null() ? Json::object() : value},
            {"allow_empty", true},
            {"find", true}};
  if (type == "is-json" && !negated && (value.is_null() || value.is_object()))
    return {{"type", "json_schema"}, {"schema", value.is_null() ? Json::object() : value}, {"allow_empty", true}};
  return {};
}

// Texts of an assertion's value are templates, too.
Json FilledValue(const Json& value, const Variables& variables, std::string& why) {
  if (value.is_string()) return Filled(value.get_ref<const std::string&>(), variables, why);
  if (!value.is_array()) return value;
  Json out = Json::array();
  for (const Json& one : value) out.push_back(FilledValue(one, variables, why));
  return out;
}

struct Prompt {
  std::string label;
  Json content;  // a text, or messages
};

// Prompts as a configuration names them. Files are not followed.
std::vector<Prompt> PromptsOf(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  std::vector<Prompt> prompts;
  const Json* given = source.whole.is_object() ? FindMember(source.whole, "prompts") : nullptr;
  const auto add = [&](const Json& one, const std::string& label) {
    if (one.is_string() && one.get_ref<const std::string&>().starts_with("file://")) {
      sink.Skip(source.name, fmt::format("the prompt {} is a file of its own, which is not read: put its text into the "
                                         "configuration",
                                         one.get<std::string>()));
      return;
    }
    if (one.is_string() && Trim(one.get_ref<const std::string&>()).starts_with("[")) try {
        Json messages = ParseJson(one.get_ref<const std::string&>(), "");
        if (messages.is_array() && !messages.empty() && messages[0].is_object() && messages[0].contains("role"))
          return prompts.push_back({label, std::move(messages)});
      } catch (const Error&) {  // a text that begins with a bracket
      }
    prompts.push_back({label, one});
  };
  if (given && given->is_array())
    for (const Json& one : *given) {
      if (one.is_string())
        add(one, "");
      else if (const Json* raw = one.is_object() ? FindMember(one, "raw") : nullptr; raw && raw->is_string())
        add(*raw, one.value("label", std::string()));
      else
        sink.Skip(source.name, "a prompt that is no text");
    }
  else if (given && given->is_string())
    add(*given, "");
  if (const auto column = options.columns.find("prompt"); prompts.empty() && column != options.columns.end())
    prompts.push_back({"", "{{" + column->second + "}}"});
  if (prompts.empty())
    Fail(ErrorKind::kInvalid,
         "{}: promptfoo tests without a prompt: give the configuration that has \"prompts\", or say with --map "
         "prompt=VARIABLE which variable is asked",
         source.name);
  return prompts;
}

// A list among a test's variables stands for a test each.
std::vector<Variables> Combinations(const Json& vars, std::string& why) {
  std::vector<Variables> all = {{}};
  if (!vars.is_object()) return all;
  for (const auto& [name, value] : vars.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().starts_with("file://")) {
      why = "a variable is a file of its own, which is not read";
      return {};
    }
    std::vector<Variables> next;
    const size_t values = value.is_array() ? value.size() : 1;
    if (values * all.size() > kMostCombinations) {
      why = fmt::format("its variables are more than {} combinations", kMostCombinations);
      return {};
    }
    for (const Variables& one : all)
      for (size_t i = 0; i < values; ++i) {
        next.push_back(one);
        next.back().emplace_back(name, TextOf(value.is_array() ? value[i] : value));
      }
    all = std::move(next);
  }
  return all;
}

Json Merged(const Json& common, const Json& own) {
  Json out = common.is_object() ? common : Json::object();
  if (own.is_object())
    for (const auto& [key, value] : own.items()) out[key] = value;
  return out;
}

void ReadTest(const ImportRow& row, const Json& common, const std::vector<Prompt>& prompts, ImportSink& sink) {
  std::string why;
  const Json* own = FindMember(row.value, "vars");
  const std::vector<Variables> all = Combinations(Merged(common.value("vars", Json()), own ? *own : Json()), why);
  if (!why.empty()) return sink.Skip(row.place, why);
  Json assertions = Json::array();
  for (const Json* from : {FindMember(common, "assert"), FindMember(row.value, "assert")})
    if (from && from->is_array())
      for (const Json& one : *from) assertions.push_back(one);
  for (const auto& [key, value] : row.value.items())
    if (key != "vars" && key != "assert" && key != "description" && !value.is_null())
      sink.Drop("\"" + key + "\" of a test");
  std::string id;
  if (const Json* description = FindMember(row.value, "description"); description && description->is_string())
    id = description->get<std::string>();
  for (const Prompt& prompt : prompts)
    for (const Variables& variables : all) {
      Json line = Json::object();
      if (!id.empty()) line["id"] = id;
      if (prompts.size() > 1 && !prompt.label.empty()) line["slice"] = prompt.label;
      // One test under several prompts is no several independent examples.
      if (prompts.size() > 1) line["cluster"] = id.empty() ? row.place : id;
      if (prompt.content.is_array()) {
        line["messages"] = prompt.content;
        for (Json& message : line["messages"])
          if (message.is_object() && message.contains("content") && message["content"].is_string())
            message["content"] = Filled(message["content"].get<std::string>(), variables, why);
      } else {
        line["messages"] = UserMessages(Filled(prompt.content.get_ref<const std::string&>(), variables, why));
      }
      Json expect = Json::array();
      for (const Json& assertion : assertions) {
        const Json* named = assertion.is_object() ? FindMember(assertion, "type") : nullptr;
        if (!named || !named->is_string()) {
          sink.Drop("an assertion without a type");
          continue;
        }
        std::string_view type = named->get_ref<const std::string&>();
        const bool negated = type.starts_with("not-");
        if (negated) type.remove_prefix(4);
        const Json* value = FindMember(assertion, "value");
        Json check = CheckOf(type, negated, value ? FilledValue(*value, variables, why) : Json());
        if (check.is_null())
          sink.Drop("the assertion " + named->get<std::string>());
        else
          expect.push_back(std::move(check));
        for (const char* key : {"threshold", "weight", "transform"})
          if (FindMember(assertion, key)) sink.Drop(fmt::format("\"{}\" of an assertion", key));
      }
      if (!why.empty()) {
        sink.Skip(row.place, why);
        return;
      }
      if (expect.empty()) {
        sink.AddPrompt(row, std::move(line),
                       assertions.empty() ? "no assertion" : "none of its assertions has a check");
        continue;
      }
      line["expect"] = std::move(expect);
      sink.Add(row, std::move(line));
    }
}

}  // namespace

bool FitsPromptfoo(const ImportSource& source) {
  if (source.is_table()) return false;
  if (source.whole.is_object() && FindMember(source.whole, "prompts")) return true;
  return RowsHave(source, {"vars"});
}

void ReadPromptfoo(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  const std::vector<Prompt> prompts = PromptsOf(source, options, sink);
  Json common = Json::object();
  if (source.whole.is_object()) {
    if (const Json* given = FindMember(source.whole, "defaultTest"); given && given->is_object()) common = *given;
    for (const auto& [key, value] : source.whole.items())
      if (key != "prompts" && key != "defaultTest" && key != "tests" && key != "description" && !value.is_null())
        sink.Drop("\"" + key + "\" of the configuration");
    if (const Json* tests = FindMember(source.whole, "tests"); tests && !tests->is_array())
      sink.Skip(source.name, "\"tests\" is a file of its own: give it to assay task import with the prompts");
  }
  for (const auto& [key, value] : common.items())
    if (key != "vars" && key != "assert") sink.Drop("\"" + key + "\" of defaultTest");
  for (const ImportRow& row : source.rows)
    if (FindMember(row.value, "vars") || FindMember(row.value, "assert"))
      ReadTest(row, common, prompts, sink);
    else if (!FindMember(row.value, "prompts"))  // the configuration itself, where it has no list of tests
      sink.Skip(row.place, "a test without \"vars\" and \"assert\"");
}

}  // namespace assay
