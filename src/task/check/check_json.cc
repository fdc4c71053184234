// json_value, json_schema: the answer is JSON, and the right JSON.
#include <fmt/core.h>

#include <optional>

#include "base/error.h"
#include "base/json_number.h"
#include "dialect/answer_json.h"
#include "schema/json_schema.h"
#include "task/check/check_table.h"
#include "task/check/matcher.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr std::string_view kRecovered = "recovered: taken from a ```json fence",
                           kFound = "recovered: found in an answer that says more";

// Where the answer's JSON may stand: alone, in the only ```json fence, or anywhere.
enum class Where { kAlone, kFence, kAnywhere };

Where WhereOf(const Json& spec) {
  const bool strict = SpecBool(spec, "strict", false), find = SpecBool(spec, "find", false);
  if (strict && find)
    throw FieldError{"find", "\"strict\" and \"find\" exclude each other: JSON alone, or wherever it stands"};
  return strict ? Where::kAlone : find ? Where::kAnywhere : Where::kFence;
}

// The answer's JSON, or why there is none.
CheckOutcome ReadJson(const AnswerView& answer, Where where, Json& value, CheckRemarks& remarks) {
  AnswerJson parsed = ParseAnswerJson(answer.text);
  const bool whole = parsed.ok;
  if (!whole && where == Where::kAnywhere) parsed = FindAnswerJson(answer.text);
  if (!parsed.ok)
    return Mismatch{Failure::kMalformedJson, fmt::format("{}; found {}", parsed.error, Quote(answer.text))};
  if (parsed.recovered && where == Where::kAlone)
    return Mismatch{Failure::kMalformedJson, "expected JSON alone, found it in a ```json fence"};
  if (parsed.recovered) remarks.note = whole ? kRecovered : kFound;
  remarks.read = QuoteJson(parsed.value, 400);
  value = std::move(parsed.value);
  return {};
}

class JsonValue : public CheckBody {
 public:
  explicit JsonValue(const Json& spec) : where_(WhereOf(spec)), matcher_(Compile(spec)) {}

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    Json value;
    if (CheckOutcome outcome = ReadJson(answer, where_, value, remarks)) return outcome;
    Work work;
    return matcher_.Match(value, "", work);
  }

  std::vector<Lint> Doubts(const Example&) const override {
    if (matcher_.accepts_all()) return {{"value", "accepts every JSON value"}};
    return {};
  }

 private:
  static Matcher Compile(const Json& spec) {
    if (!spec.contains("value"))
      throw FieldError{"value", "is missing: expected the JSON that is right, such as {\"total\": 4.5}"};
    try {
      return Matcher::Compile(spec["value"], SpecBool(spec, "allow_extra", false));
    } catch (FieldError& error) {
      if (error.field.empty())
        error.field = "value";
      else if (error.field != "allow_extra")
        error.field = "value" + (error.field.starts_with("[") ? "" : std::string(".")) + error.field;
      throw;
    }
  }

  Where where_;
  Matcher matcher_;
};

bool IsHollow(const Json& value) {
  return (value.is_object() || value.is_array() || value.is_string()) &&
         (value.is_string() ? value.get_ref<const std::string&>().empty() : value.empty());
}

Failure ClassOf(const SchemaError& error) {
  size_t slash = error.schema_path.rfind('/');
  std::string keyword = slash == std::string::npos ? error.schema_path : error.schema_path.substr(slash + 1);
  if (keyword == "required" || keyword == "dependentRequired" || keyword == "contains") return Failure::kMissing;
  if (keyword == "additionalProperties" || keyword == "unevaluatedProperties" || keyword == "propertyNames")
    return Failure::kExtra;
  if (keyword == "type") return Failure::kWrongType;
  if (keyword == "minItems" || keyword == "maxItems" || keyword == "minProperties" || keyword == "maxProperties" ||
      keyword == "minContains" || keyword == "maxContains" || keyword == "additionalItems" ||
      keyword == "unevaluatedItems")
    return Failure::kWrongCount;
  return Failure::kWrongValue;
}

class JsonSchemaCheck : public CheckBody {
 public:
  JsonSchemaCheck(const Json& spec, const Example& example)
      : where_(WhereOf(spec)), allow_empty_(SpecBool(spec, "allow_empty", false)) {
    auto own = spec.find("schema");
    bool given = own != spec.end() && !own->is_null();
    if (!given && example.response_schema.is_null())
      throw FieldError{
          "schema",
          "is missing, and the example has no \"response_schema\" to stand in: expected a JSON Schema such as "
          "{\"type\": \"object\", \"required\": […]}"};
    const Json& schema = given ? *own : example.response_schema;
    if (!schema.is_object() && !schema.is_boolean())
      throw FieldError{"schema", fmt::format("expected a JSON Schema (an object), found {}", FoundText(schema))};
    lax_ = schema == Json(true) || (schema.is_object() && schema.empty());
    try {
      schema_.emplace(JsonSchema::Compile(schema, "schema"));
    } catch (const Error& error) {
      std::string_view message = error.what();
      if (message.starts_with("schema: ")) message.remove_prefix(8);
      throw FieldError{given ? "schema" : "", std::string(message)};
    }
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    Json value;
    if (CheckOutcome outcome = ReadJson(answer, where_, value, remarks)) return outcome;
    std::vector<SchemaError> errors;
    try {
      errors = schema_->Validate(value);
    } catch (const Error& error) {
      return Mismatch{Failure::kUndecided, error.what()};
    }
    if (errors.empty()) {
      if (IsHollow(value) && !allow_empty_)
        return Mismatch{Failure::kEmpty, fmt::format("{} conforms, but says nothing", QuoteJson(value))};
      return {};
    }
    const SchemaError& first = errors[0];
    std::string more = errors.size() > 1 ? fmt::format(" (and {} more)", errors.size() - 1) : "";
    return Mismatch{ClassOf(first),
                    fmt::format("{}: {} ({}){}", first.instance_path.empty() ? "answer" : first.instance_path,
                                first.message, first.schema_path, more)};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    if (lax_) return {{"schema", "accepts every JSON value"}};
    std::vector<Lint> out;
    for (const std::string& doubt : schema_->doubts()) out.push_back({"schema", doubt});
    return out;
  }

 private:
  Where where_;
  bool allow_empty_, lax_ = false;
  std::optional<JsonSchema> schema_;
};

}  // namespace

std::unique_ptr<CheckBody> CompileJsonValue(const Json& spec, const Example&) {
  return std::make_unique<JsonValue>(spec);
}
std::unique_ptr<CheckBody> CompileJsonSchema(const Json& spec, const Example& example) {
  return std::make_unique<JsonSchemaCheck>(spec, example);
}

}  // namespace assay
