#pragma once
// Why an answer does not pass: a fixed list, so that runs, reports and scripts can count by class.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace assay {

enum class Failure {
  kNoCall,          // a tool call was due and the answer has none
  kUnexpectedCall,  // a direct answer was due and the answer calls a tool
  kWrongTool,       // another tool was called
  kMalformedCall,   // text that is meant as a tool call but is not one
  kMalformedJson,   // a JSON answer was due and this is not JSON (or has duplicate keys, NaN, text around it)
  kMissing,         // a field, argument or required text is absent
  kExtra,           // a field or argument that was not asked for
  kWrongType,       // JSON type
  kWrongValue,      //
  kWrongCount,      // of calls or of list elements
  kTruncated,       // the answer was cut at max_tokens, and fails
  kEmpty,           // nothing but white space; or an empty object where content was due
  kNoMatch,         // the regular expression does not match
  kForbidden,       // text that must not occur
  kTooLong,         // longer than the check allows
  kNoNumber,        // no number in the answer
  kNoChoice,        // no letter could be extracted
  kUndecided,       // the check reached its work limit (a regular expression or schema that explodes on this answer)
};

/// "no call", "wrong tool" …: what the records carry.
std::string_view FailureName(Failure failure);
/// All names in the order of the enum.
std::span<const std::string_view> FailureNames();

/// One finding: the class, where, and what was expected and found.
struct Mismatch {
  Failure failure;
  std::string detail;
};
using CheckOutcome = std::optional<Mismatch>;  // empty: pass

}  // namespace assay
