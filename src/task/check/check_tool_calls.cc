// tool_calls: the tools called, with their arguments. Order does not matter unless asked; calls are paired by maximum
// matching.
#include <fmt/core.h>

#include <algorithm>

#include "base/json_member.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "dialect/call/call_syntax.h"
#include "task/check/check_table.h"
#include "task/check/matcher.h"
#include "task/check/matching.h"
#include "task/message.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr std::string_view kCallMembers[] = {"name", "arguments", "allow_extra_arguments"};

std::vector<std::string> ToolNames(const Example& example) {
  std::vector<std::string> names;
  if (example.tools.is_array())
    for (const Json& tool : example.tools) names.push_back(tool["function"]["name"].get<std::string>());
  return names;
}

struct ExpectedCall {
  std::vector<std::string> names;  // any of them
  std::string name;                // for people: "a or b"
  Json arguments;                  // as written
  Matcher matcher;
};

class ToolCalls : public CheckBody {
 public:
  ToolCalls(const Json& spec, const Example& example)
      : tools_(ToolNames(example)),
        ordered_(SpecBool(spec, "ordered", false)),
        allow_extra_calls_(SpecBool(spec, "allow_extra_calls", false)) {
    bool allow_extra = SpecBool(spec, "allow_extra_arguments", false);
    auto calls = spec.find("calls");
    if (calls == spec.end() || calls->is_null())
      throw FieldError{"calls",
                       "is missing: expected [{\"name\": …, \"arguments\": {…}}] ([] means: must not call a tool)"};
    if (!calls->is_array())
      throw FieldError{"calls", fmt::format("expected a list such as [{{\"name\": …, \"arguments\": {{…}}}}], found {}",
                                            FoundText(*calls))};
    if (calls->size() > kMaxCalls)
      throw FieldError{"calls",
                       fmt::format("expected at most {} calls, found {}: ask for fewer", kMaxCalls, calls->size())};
    for (size_t i = 0; i < calls->size(); ++i) {
      std::string field = fmt::format("calls[{}]", i);
      try {
        expected_.push_back(ReadCall((*calls)[i], allow_extra));
      } catch (const FieldError& error) {
        throw FieldError{error.field.empty() ? field : field + "." + error.field, error.message};
      }
    }
    if (expected_.empty() && allow_extra_calls_)
      throw FieldError{"allow_extra_calls",
                       "no calls are expected, but extra calls allowed: nothing to check; remove it, or name a call"};
  }

  bool reads_calls() const override { return true; }

  CheckOutcome Run(const AnswerView& answer, const Example& example, CheckRemarks& remarks) const override {
    const bool given = answer.calls && !answer.calls->empty();
    ParsedCalls found =
        given ? ReadMessageCalls(*answer.calls, example.tools)
              : ParseCalls(answer.raw.empty() ? answer.text : answer.raw, example.tools, answer.call_syntax);
    if (!found.error.empty())
      return Mismatch{Failure::kMalformedCall,
                      fmt::format("{}; found {}", found.error, given ? QuoteJson(*answer.calls) : Quote(answer.text))};
    for (const ToolCall& call : found.calls)
      remarks.read += fmt::format("{}{}({})", remarks.read.empty() ? "" : "; ", call.name, DumpJson(call.arguments));
    if (expected_.empty()) {
      if (found.calls.empty()) return {};
      return Mismatch{Failure::kUnexpectedCall,
                      fmt::format("expected a direct answer, found a call of {}", Quote(found.calls[0].name))};
    }
    if (found.calls.empty())
      return Mismatch{Failure::kNoCall,
                      fmt::format("expected a call of {}, found {}", Quote(expected_[0].name), Quote(answer.text))};
    if (found.recovered) remarks.note = "recovered: taken from a ```json fence";
    Work work;
    if (ordered_ && !allow_extra_calls_) return MatchInOrder(found.calls, work);
    return MatchAnyOrder(found.calls, work);
  }

  std::vector<Lint> Doubts(const Example& example) const override;

 private:
  static ExpectedCall ReadCall(const Json& spec, bool allow_extra) {
    if (!spec.is_object())
      throw FieldError{"",
                       fmt::format("expected an object with \"name\" and \"arguments\", found {}", FoundText(spec))};
    RefuseUnknown(spec, kCallMembers, "");
    std::vector<std::string> names = ReadNames(spec);
    const std::string name = Join(names, " or ");
    Json arguments = Json::object();
    if (auto given = spec.find("arguments"); given != spec.end() && !given->is_null()) arguments = *given;
    if (!arguments.is_object())
      throw FieldError{"arguments", fmt::format("expected an object such as {{\"city\": \"Oslo\"}}, found {}",
                                                FoundText(arguments))};
    try {
      // Members of an argument are no arguments.
      bool extra = SpecBool(spec, "allow_extra_arguments", allow_extra);
      return {std::move(names), name, arguments,
              Matcher::Compile(arguments, extra ? Matcher::Extra::kAcceptedAtTop : Matcher::Extra::kRefused)};
    } catch (const FieldError& error) {
      if (error.field == "allow_extra_arguments") throw;
      throw FieldError{error.field.empty() ? "arguments" : "arguments." + error.field, error.message};
    }
  }

  // A tool's name, or {"$any_of": [names]}: whichever of them is called.
  static std::vector<std::string> ReadNames(const Json& spec) {
    const Json* given = FindMember(spec, "name");
    if (!given || !given->is_object()) {
      std::string name = SpecString(spec, "name");
      if (name.empty()) throw FieldError{"name", "expected the name of a tool, found \"\""};
      return {std::move(name)};
    }
    const Json* any = FindMember(*given, "$any_of");
    if (!any || given->size() != 1 || !any->is_array() || any->empty())
      throw FieldError{"name", fmt::format("expected a name, or several as {{\"$any_of\": [\"a\", \"b\"]}}, found {}",
                                           QuoteJson(*given, 80))};
    std::vector<std::string> names;
    for (const Json& one : *any) {
      if (!one.is_string() || one.get_ref<const std::string&>().empty())
        throw FieldError{"name.$any_of", fmt::format("expected the names of tools, found {}", QuoteJson(one, 80))};
      names.push_back(one.get<std::string>());
    }
    return names;
  }

  // A call's name has lost OpenAI's namespace where no tool on offer tells whether it is one (OfferedTools::Resolve).
  static bool SameTool(const ExpectedCall& expected, const std::string& found) {
    constexpr std::string_view kNamespace = "functions.";
    return std::any_of(expected.names.begin(), expected.names.end(), [&](std::string_view name) {
      return name == found || (name.starts_with(kNamespace) && name.substr(kNamespace.size()) == found);
    });
  }

  static CheckOutcome Compare(const ExpectedCall& expected, const ToolCall& found, Work& work) {
    if (!SameTool(expected, found.name))
      return Mismatch{Failure::kWrongTool,
                      fmt::format("expected {}, found {}", Quote(expected.name), Quote(found.name))};
    return expected.matcher.Match(found.arguments, "arguments", work);
  }

  // The same for many pairs. A comparison that takes too much work is no agreement, and is kept in `undecided`.
  static bool Agree(const ExpectedCall& expected, const ToolCall& found, Work& work, CheckOutcome& undecided) {
    if (!SameTool(expected, found.name)) return false;
    CheckOutcome outcome = expected.matcher.MatchUntold(found.arguments, work);
    if (outcome && outcome->failure == Failure::kUndecided) undecided = outcome;
    return !outcome;
  }

  CheckOutcome CountDiffers(size_t found) const {
    return Mismatch{Failure::kWrongCount, fmt::format("expected {} call{}, found {}", expected_.size(),
                                                      expected_.size() == 1 ? "" : "s", found)};
  }

  // "call 2 (book): " when there are several.
  Mismatch At(size_t i, Mismatch mismatch) const {
    if (expected_.size() > 1)
      mismatch.detail = fmt::format("call {} ({}): {}", i + 1, expected_[i].name, mismatch.detail);
    return mismatch;
  }

  CheckOutcome MatchInOrder(const std::vector<ToolCall>& found, Work& work) const {
    if (found.size() != expected_.size()) return CountDiffers(found.size());
    for (size_t i = 0; i < expected_.size(); ++i)
      if (CheckOutcome outcome = Compare(expected_[i], found[i], work)) return At(i, *outcome);
    return {};
  }

  // With extra calls allowed and an order asked, the expected calls must be a subsequence.
  CheckOutcome MatchSubsequence(const std::vector<ToolCall>& found, Work& work) const {
    size_t next = 0;
    CheckOutcome undecided;
    for (const ToolCall& call : found)
      if (next < expected_.size() && Agree(expected_[next], call, work, undecided)) ++next;
    if (next == expected_.size()) return {};
    return undecided ? undecided : Mismatch{Failure::kWrongValue, "all calls are there, but in another order"};
  }

  CheckOutcome MatchAnyOrder(const std::vector<ToolCall>& found, Work& work) const {
    if (allow_extra_calls_ ? found.size() < expected_.size() : found.size() != expected_.size())
      return CountDiffers(found.size());
    CheckOutcome undecided;
    std::vector<int> partner = MatchPairs(static_cast<int>(expected_.size()), static_cast<int>(found.size()),
                                          [&](int i, int j) { return Agree(expected_[i], found[j], work, undecided); });
    auto missed = std::find(partner.begin(), partner.end(), -1);
    if (missed == partner.end()) return ordered_ ? MatchSubsequence(found, work) : CheckOutcome();
    auto first = static_cast<size_t>(missed - partner.begin());
    return undecided ? At(first, *undecided) : Explain(first, partner, found, work);
  }

  // Why expected call `i` has no partner: told against a call of the same tool that nobody else took, else the tool is
  // wrong.
  CheckOutcome Explain(size_t i, const std::vector<int>& partner, const std::vector<ToolCall>& found,
                       Work& work) const {
    const ToolCall* spare = nullptr;
    for (size_t j = 0; j < found.size(); ++j) {
      if (std::find(partner.begin(), partner.end(), static_cast<int>(j)) != partner.end()) continue;
      if (SameTool(expected_[i], found[j].name)) {
        if (CheckOutcome outcome = Compare(expected_[i], found[j], work)) return At(i, *outcome);
      }
      if (!spare) spare = &found[j];
    }
    // No call of this tool is left over: another tool was called in its place.
    return At(i, {Failure::kWrongTool, fmt::format("expected {}, found {}", Quote(expected_[i].name),
                                                   spare ? Quote(spare->name) : "none left")});
  }

  std::vector<std::string> tools_;
  bool ordered_, allow_extra_calls_;
  std::vector<ExpectedCall> expected_;
};

// The schema of a tool's parameters, null when the example has no such tool.
const Json* Parameters(const Example& example, const std::string& name, bool& known) {
  for (const Json& tool : example.tools) {
    const Json& function = tool["function"];
    if (function["name"] != name) continue;
    known = true;
    return function.contains("parameters") && function["parameters"].is_object() ? &function["parameters"] : nullptr;
  }
  return nullptr;
}

std::vector<Lint> ToolCalls::Doubts(const Example& example) const {
  std::vector<Lint> doubts;
  if (tools_.empty()) {
    doubts.push_back({"", "the example has no \"tools\": the model is not told of any by its chat template"});
    return doubts;
  }
  for (size_t i = 0; i < expected_.size(); ++i) {
    const ExpectedCall& call = expected_[i];
    const Json* schema = nullptr;
    bool all_known = true;
    for (const std::string& name : call.names) {
      bool known = false;
      schema = Parameters(example, name, known);
      all_known = all_known && known;
      if (known) continue;
      std::string near = Nearest(name, tools_);
      doubts.push_back(
          {fmt::format("calls[{}].name", i), fmt::format("{} is not among the tools of the example{}", Quote(name),
                                                         near.empty() ? "" : "; did you mean " + Quote(near) + "?")});
    }
    if (!all_known || !schema || call.names.size() > 1) continue;  // of several, each may take other arguments
    const Json* properties = schema->contains("properties") ? &(*schema)["properties"] : nullptr;
    std::vector<std::string> names;
    if (properties && properties->is_object())
      for (const auto& [key, value] : properties->items()) names.push_back(key);
    for (const auto& [key, value] : call.arguments.items()) {
      if (key.starts_with("$") || !properties || std::find(names.begin(), names.end(), key) != names.end()) continue;
      std::string near = Nearest(key, names);
      doubts.push_back({fmt::format("calls[{}].arguments.{}", i, key),
                        fmt::format("{} has no such parameter{}", Quote(call.name),
                                    near.empty() ? "" : "; did you mean " + Quote(near) + "?")});
    }
    if (!schema->contains("required") || !(*schema)["required"].is_array()) continue;
    for (const Json& required : (*schema)["required"])
      if (required.is_string() && !call.arguments.contains(required.get<std::string>()) &&
          !call.arguments.contains("$fields"))
        doubts.push_back(
            {fmt::format("calls[{}].arguments", i),
             fmt::format("the tool requires {}, which is not expected here", Quote(required.get<std::string>()))});
  }
  return doubts;
}

}  // namespace

std::unique_ptr<CheckBody> CompileToolCalls(const Json& spec, const Example& example) {
  return std::make_unique<ToolCalls>(spec, example);
}

}  // namespace assay
