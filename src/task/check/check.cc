#include "task/check/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_member.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "dialect/answer_text.h"
#include "dialect/reasoning.h"
#include "task/check/pattern.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr size_t kMaxDetailBytes = 600;

[[noreturn]] void WrongMember(std::string_view key, std::string_view expected, const Json& found) {
  throw FieldError{std::string(key), fmt::format("expected {}, found {}", expected, FoundText(found))};
}

const Json& Need(const Json& spec, std::string_view key, std::string_view expected) {
  const Json* found = FindMember(spec, key);
  if (!found) throw FieldError{std::string(key), fmt::format("is missing: expected {}", expected)};
  return *found;
}

}  // namespace

std::string SpecString(const Json& spec, std::string_view key) {
  const Json& value = Need(spec, key, "a string");
  if (!value.is_string()) WrongMember(key, "a string", value);
  return value.get<std::string>();
}
std::string SpecString(const Json& spec, std::string_view key, std::string_view fallback) {
  return FindMember(spec, key) ? SpecString(spec, key) : std::string(fallback);
}
bool SpecBool(const Json& spec, std::string_view key, bool fallback) {
  const Json* value = FindMember(spec, key);
  if (!value) return fallback;
  if (!value->is_boolean()) WrongMember(key, "true or false", *value);
  return value->get<bool>();
}
Decimal SpecNumber(const Json& spec, std::string_view key) {
  const Json& value = Need(spec, key, "a number");
  if (!IsNumber(value)) WrongMember(key, "a number", value);
  return NumberOf(value);
}
Decimal SpecNumber(const Json& spec, std::string_view key, const Decimal& fallback) {
  return FindMember(spec, key) ? SpecNumber(spec, key) : fallback;
}
int64_t SpecInt(const Json& spec, std::string_view key, int64_t fallback) {
  const Json* value = FindMember(spec, key);
  if (!value) return fallback;
  if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{1} << 53))
    WrongMember(key, "an integer", *value);
  return value->get<int64_t>();
}
std::vector<std::string> SpecStrings(const Json& spec, std::string_view key) {
  const Json& value = Need(spec, key, "a string or a list of strings");
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) WrongMember(key, "a string or a list of strings", value);
  if (value.empty()) throw FieldError{std::string(key), "expected at least one string, found an empty list"};
  std::vector<std::string> out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_string()) WrongMember(fmt::format("{}[{}]", key, i), "a string", value[i]);
    out.push_back(value[i].get<std::string>());
  }
  return out;
}

void RefuseUnknown(const Json& object, std::span<const std::string_view> known, const std::string& field) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string near = Nearest(key, {known.begin(), known.end()});
    std::string name = field.empty() ? key : field + "." + key;
    throw FieldError{CutAt(name, 200), near.empty() ? fmt::format("unknown member: remove it; expected some of {}",
                                                                  fmt::join(known, ", "))
                                                    : fmt::format("unknown member; did you mean \"{}\"?", near)};
  }
}

Check CompileCheck(const Json& spec, const Example& example) {
  if (!spec.is_object())
    throw FieldError{"", fmt::format("expected an object such as {{\"type\": \"contains\", \"value\": …}}, found {}",
                                     FoundText(spec))};
  std::string type = SpecString(spec, "type");
  std::vector<std::string> names;
  for (const CheckType& row : CheckTypes()) {
    names.emplace_back(row.name);
    if (row.name != type) continue;
    std::vector<std::string_view> members(row.members.begin(), row.members.end());
    members.emplace_back("type");
    RefuseUnknown(spec, members, "");
    return {type, spec, row.compile(spec, example)};
  }
  std::string near = Nearest(type, names);
  throw FieldError{"type", near.empty() ? fmt::format("unknown check {}; there are {}", Quote(type), Join(names, ", "))
                                        : fmt::format("unknown check {}; did you mean \"{}\"?", Quote(type), near)};
}

CheckResult RunCheck(const Check& check, const AnswerView& answer, const Example& example) {
  CheckResult result;
  result.type = check.type;
  CheckRemarks remarks;
  CheckOutcome outcome;
  AnswerParts parts = SplitReasoning(answer.raw.empty() ? answer.text : answer.raw, answer.in_reasoning);
  AnswerView said{parts.found ? std::string_view(parts.content) : answer.text,
                  answer.finish,
                  parts.content,
                  false,
                  answer.call_syntax,
                  answer.calls};
  const bool calls = answer.calls && !answer.calls->empty();
  if (IsBlank(said.text) && IsBlank(said.raw) && !(calls && check.body->reads_calls()))
    outcome = Mismatch{Failure::kEmpty, parts.unfinished ? "the answer has reasoning that never ends, and nothing else"
                                        : calls          ? "the answer has tool calls and no text"
                                                         : "the answer is empty"};
  else
    outcome = check.body->Run(said, example, remarks);
  result.pass = !outcome;
  result.read = CutAt(remarks.read, kMaxDetailBytes);
  if (result.pass) {
    result.detail = remarks.note;
    return result;
  }
  if (answer.finish == "length") {
    outcome->detail =
        fmt::format("cut at max_tokens; as it stands: {}: {}", FailureName(outcome->failure), outcome->detail);
    outcome->failure = Failure::kTruncated;
  }
  result.failure = FailureName(outcome->failure);
  result.detail = CutAt(outcome->detail, kMaxDetailBytes);
  return result;
}

}  // namespace assay
