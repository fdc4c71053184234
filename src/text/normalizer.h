#pragma once
// Text normalization as tokenizer files state it.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// Const after construction, shareable between threads.
class Normalizer {
 public:
  /// Throws Error{kCorrupt} for a malformed pattern or character map.
  Normalizer(const std::vector<NormalizerStep>& steps, std::string_view where);
  ~Normalizer();
  bool empty() const;
  /// `text` must be valid UTF-8; so is the result.
  std::string Apply(std::string_view text) const;

 private:
  struct Step;
  std::vector<Step> steps_;
};

}  // namespace assay
