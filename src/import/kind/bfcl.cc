// Berkeley Function Calling Leaderboard: {"id", "question": [[messages]], "function": […]}, with the possible answers
// in a file of their own ({"id", "ground_truth"}), or beside them.
#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/json_member.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

struct TypeName {
  std::string_view name, meant;  // empty: any
};
// Its own words for types, and those of the Java and JavaScript categories.
constexpr TypeName kTypes[] = {
    {"dict", "object"},    {"float", "number"},     {"tuple", "array"},     {"any", ""},         {"list", "array"},
    {"Any", ""},           {"String", "string"},    {"Boolean", "boolean"}, {"Array", "array"},  {"ArrayList", "array"},
    {"HashMap", "object"}, {"Hashtable", "object"}, {"double", "number"},   {"long", "integer"}, {"byte", "integer"},
    {"short", "integer"},  {"char", "string"},      {"int", "integer"},     {"bool", "boolean"}, {"Bigint", "integer"},
};

// `schema` with JSON Schema's types.
void MapTypes(Json& schema, ImportSink& sink, int depth = 0) {
  if (!schema.is_object() || depth > 100) return;
  if (auto type = schema.find("type"); type != schema.end() && type->is_string()) {
    const auto& name = type->get_ref<const std::string&>();
    const auto* row =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) { return t.name == name; });
    if (row != std::end(kTypes)) {
      sink.Note("types by other names (dict, float, tuple, any …) are JSON Schema's");
      if (row->meant.empty())
        schema.erase("type");
      else
        *type = row->meant;
    }
  }
  if (schema.erase("optional") > 0) sink.Drop("\"optional\" of a parameter, which \"required\" says");
  if (auto properties = schema.find("properties"); properties != schema.end() && properties->is_object())
    for (auto& [name, property] : properties->items()) MapTypes(property, sink, depth + 1);
  for (const char* key : {"items", "additionalProperties"})
    if (auto inner = schema.find(key); inner != schema.end()) MapTypes(*inner, sink, depth + 1);
}

// "" among the allowed values: the argument may be left out. Members of a dict have lists of allowed values themselves.
Json Allowed(const Json& alternatives, int depth);

Json AllowedValue(const Json& value, int depth) {
  if (depth > 100) Fail(ErrorKind::kInvalid, "possible answers nested too deep");
  if (value.is_string()) return {{"$casefold", value}};
  Json out = value;
  if (value.is_object()) {
    for (auto& [key, inner] : out.items()) inner = Allowed(inner, depth + 1);
    return {{"$fields", std::move(out)}};
  }
  if (value.is_array())
    for (Json& element : out) element = AllowedValue(element, depth + 1);
  return out;
}

Json Allowed(const Json& alternatives, int depth) {
  if (!alternatives.is_array()) Fail(ErrorKind::kInvalid, "expected lists of allowed values in the possible answers");
  Json any = Json::array();
  bool optional = false;
  for (const Json& alternative : alternatives)
    if (alternative == "")
      optional = true;
    else
      any.push_back(AllowedValue(alternative, depth));
  if (any.empty()) any.push_back("");
  Json one = any.size() == 1 ? any[0] : Json{{"$any_of", any}};
  return optional ? Json{{"$optional", std::move(one)}} : one;
}

Json CallsOf(const Json& truth) {
  if (!truth.is_array()) Fail(ErrorKind::kInvalid, "expected a list of calls in the possible answers");
  Json calls = Json::array();
  for (const Json& call : truth) {
    if (!call.is_object()) Fail(ErrorKind::kInvalid, "expected possible answers of the form {{\"function\": {{…}}}}");
    for (const auto& [name, arguments] : call.items()) {
      if (!arguments.is_object()) Fail(ErrorKind::kInvalid, "expected the arguments of {} as an object", name);
      Json expected = Json::object();
      for (const auto& [key, alternatives] : arguments.items()) expected[key] = Allowed(alternatives, 0);
      calls.push_back({{"name", name}, {"arguments", std::move(expected)}});
    }
  }
  return calls;
}

// "simple_python_12" is of the category simple_python.
std::string CategoryOf(const std::string& id) {
  const size_t end = id.find_last_not_of("0123456789-");
  std::string category = id.substr(0, end == std::string::npos ? 0 : end + 1);
  while (category.ends_with('_')) category.pop_back();
  return category.empty() ? "tools" : category;
}

void ReadRow(const ImportRow& row, const Json* truth, const KindOptions& options, ImportSink& sink) {
  const Json *question = FindMember(row.value, "question"), *functions = FindMember(row.value, "function");
  const Json* id = FindMember(row.value, "id");
  if (!question || !question->is_array() || question->empty() || !functions || !functions->is_array() || !id ||
      !id->is_string())
    return sink.Skip(row.place, "expected an \"id\", a \"question\" and a list \"function\"");
  if ((*question)[0].is_array() && question->size() > 1)
    return sink.Skip(row.place, "several turns, whose calls are carried out between them");
  Json line = {{"id", *id}, {"slice", CategoryOf(id->get<std::string>())}};
  line["messages"] = (*question)[0].is_array() ? (*question)[0] : *question;
  line["tools"] = Json::array();
  for (const Json& function : *functions) {
    if (!function.is_object()) return sink.Skip(row.place, "a function that is no object");
    Json kept = Json::object();
    for (const auto& [key, value] : function.items())
      if (key == "name" || key == "description" || key == "parameters")
        kept[key] = value;
      else
        sink.Drop("\"" + key + "\" of a function");
    if (kept.contains("parameters")) MapTypes(kept["parameters"], sink);
    line["tools"].push_back({{"type", "function"}, {"function", std::move(kept)}});
  }
  const std::string category = line["slice"];
  if (!truth && category.find("irrelevance") == std::string::npos)
    return sink.AddPrompt(row, std::move(line),
                          options.answers.empty()
                              ? "its possible answers are in a file of their own: --answers possible_answer/FILE"
                              : "no possible answers for it in " + options.answers_name);
  Json calls = Json::array();
  if (truth) try {
      calls = CallsOf(*truth);
    } catch (const Error& error) {
      return sink.Skip(row.place, error.what());
    }
  line["expect"] = Json::array({{{"type", "tool_calls"}, {"calls", std::move(calls)}}});
  sink.Add(row, std::move(line));
}

}  // namespace

bool FitsBfcl(const ImportSource& source) {
  return !source.is_table() && RowsHave(source, {"id", "question", "function"});
}

void ReadBfcl(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  std::unordered_map<std::string, Json> answers;
  if (!options.answers.empty())
    for (const ImportRow& row : ReadSource(options.answers, options.answers_name).rows)
      if (const Json* id = FindMember(row.value, "id"), *truth = FindMember(row.value, "ground_truth"); id && truth)
        if (id->is_string()) answers.emplace(id->get<std::string>(), *truth);
  sink.Note(
      "texts among the possible answers are compared whatever their case, numbers by value; the leaderboard's "
      "own checker also passes over spaces and punctuation, and tells 5 from 5.0 where an integer is due");
  for (const ImportRow& row : source.rows) {
    const Json* truth = FindMember(row.value, "ground_truth");
    if (const Json* id = FindMember(row.value, "id"); !truth && id && id->is_string())
      if (const auto found = answers.find(id->get<std::string>()); found != answers.end()) truth = &found->second;
    ReadRow(row, truth, options, sink);
  }
}

}  // namespace assay
