#pragma once
// Takes secrets, addresses and a person's data out of an example, alike wherever they stand in it: the same value has
// the same placeholder in the messages, the tools and the answer, so that a check of the answer still fits.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// Rule → values taken out, each counted once an example.
using RedactionCounts = std::map<std::string, int64_t>;

class Redaction {
 public:
  /// All rules but those named. Throws Error{kInvalid} for a name that no rule has.
  explicit Redaction(const std::vector<std::string>& without);
  ~Redaction();
  Redaction(const Redaction&) = delete;
  Redaction& operator=(const Redaction&) = delete;

  /// Rewrites every text in `parts`, those of one example. Names of members stay, and so does what says how an example
  /// is built ("role", "type", "id").
  void Apply(const std::vector<Json*>& parts, RedactionCounts& counts) const;

 private:
  struct Rule;
  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace assay
