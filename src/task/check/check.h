#pragma once
// Checks decide whether an answer is right, and if not, which class of failure it is. Pure functions of the answer: no
// clock, no random numbers, no judge. docs/tasks.md describes each check's members.
//
// An answer of nothing but white space fails every check ("empty"). An answer cut at max_tokens that fails is
// "truncated".

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/json.h"
#include "dialect/answer_text.h"
#include "record/run_record.h"
#include "task/check/failure.h"

namespace assay {

struct Example;

/// What a check sees of an answer. The views must outlive the call.
struct AnswerView {
  std::string_view text;              // without special tokens
  std::string_view finish;            // "stop" | "length"
  std::string_view raw = {};          // with special tokens; empty: as `text`
  bool in_reasoning = false;          // the prompt ended inside a block of reasoning
  std::string_view call_syntax = {};  // the model's own (call_syntax.h), empty: not known
  const Json* calls = nullptr;  // `tool_calls` of OpenAI's message that a server gave; null: calls are in the text
};

/// What a check says beside its outcome.
struct CheckRemarks {
  std::string note;  // on a pass: "recovered: …"
  std::string read;  // what it took from the answer, for people: "204", "B", "get_weather({"city":"Oslo"})"
};

/// A finding about a check's own definition, told by `assay task check`.
struct Lint {
  std::string field;  // below the check: "calls[0].name"; empty for the check itself
  std::string message;
};

/// The compiled form of one check; const, may be shared by threads.
class CheckBody {
 public:
  virtual ~CheckBody() = default;
  virtual CheckOutcome Run(const AnswerView& answer, const Example& example, CheckRemarks& remarks) const = 0;
  /// An answer whose text is blank is not empty for this check when it calls tools.
  virtual bool reads_calls() const { return false; }
  /// Doubts about the definition: it can never fail, it names an unknown tool …
  virtual std::vector<Lint> Doubts(const Example&) const { return {}; }
};

struct Check {
  std::string type;  // "tool_calls"
  Json spec;         // as written
  std::shared_ptr<const CheckBody> body;
};

/// Thrown by the compile functions: `field` is relative to the check.
struct FieldError {
  std::string field, message;
  /// What `read` gives; a mistake in it is one below `field`.
  template <typename F>
  static auto Within(const std::string& field, F read) {
    try {
      return read();
    } catch (const FieldError& error) {
      throw FieldError{error.field.empty() ? field : field + "." + error.field, error.message};
    }
  }
};

struct CheckType {
  std::string_view name;
  std::span<const std::string_view> members;  // allowed beside "type"
  /// `example` is complete but for `expect`. Throws FieldError.
  std::unique_ptr<CheckBody> (*compile)(const Json& spec, const Example& example);
};

/// All check types; adding one is a file and a row in check_table.cc.
std::span<const CheckType> CheckTypes();

/// Compiles one element of `expect`. Throws FieldError with a did-you-mean for an unknown type or member.
Check CompileCheck(const Json& spec, const Example& example);

/// Runs one check on what the answer says: reasoning is taken off first (reasoning.h).
CheckResult RunCheck(const Check& check, const AnswerView& answer, const Example& example);

// Typed access to a check's members; FieldError names the field and both types.
std::string SpecString(const Json& spec, std::string_view key);
std::string SpecString(const Json& spec, std::string_view key, std::string_view fallback);
bool SpecBool(const Json& spec, std::string_view key, bool fallback);
Decimal SpecNumber(const Json& spec, std::string_view key);
Decimal SpecNumber(const Json& spec, std::string_view key, const Decimal& fallback);
int64_t SpecInt(const Json& spec, std::string_view key, int64_t fallback);
/// A string or a non-empty list of strings.
std::vector<std::string> SpecStrings(const Json& spec, std::string_view key);
/// Throws FieldError with a did-you-mean for members outside `known`; `field` prefixes the member's name.
void RefuseUnknown(const Json& object, std::span<const std::string_view> known, const std::string& field);

}  // namespace assay
