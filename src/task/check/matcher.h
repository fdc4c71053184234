#pragma once
// Compares a JSON value with an expectation. An expectation is JSON, in which objects whose members begin with `$` are
// comparators:
//   {"$exact": v}  {"$casefold": "s"}  {"$contains": "s"}  {"$number": n, "tolerance": t, "relative": r}  {"$regex":
//   "p"}
//   {"$set": [e…]}  {"$any_of": [e…]}  {"$optional": e}  {"$type": "string"}  {"$fields": {…}, "allow_extra": true}
//   {"$ignore": true}
// Everything else is compared recursively: objects by members, lists in order, numbers by value (5 equals 5.0, true is
// no number), strings byte by byte.

#include <memory>
#include <string>

#include "base/json.h"
#include "schema/work.h"
#include "task/check/failure.h"

namespace assay {

class Matcher {  // const after Compile; copies share
 public:
  /// Members that the expectation does not name, of all objects or of the outermost one alone.
  enum class Extra : uint8_t { kRefused, kAccepted, kAcceptedAtTop };

  /// Throws FieldError (field relative to `spec`).
  static Matcher Compile(const Json& spec, Extra extra);
  static Matcher Compile(const Json& spec, bool allow_extra) {
    return Compile(spec, allow_extra ? Extra::kAccepted : Extra::kRefused);
  }
  /// `path` names the value in the detail ("arguments"). A comparison that takes more work than is left (work.h) is
  /// undecided.
  CheckOutcome Match(const Json& value, const std::string& path, Work& work) const;
  /// The same with the failure's class alone, for those who compare much.
  CheckOutcome MatchUntold(const Json& value, Work& work) const;
  /// Accepts every value.
  bool accepts_all() const;

  struct Node;

 private:
  explicit Matcher(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

}  // namespace assay
