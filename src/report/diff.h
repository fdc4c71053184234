#pragma once
// What changed between two answers, word by word.

#include <string_view>
#include <vector>

namespace assay {

struct DiffPart {
  enum Kind { kSame, kRemoved, kAdded } kind = kSame;
  std::string_view before, after;  // equal for kSame; the other one empty otherwise. Views into the texts given.
};

/// Parts in order: all `before` joined give the first text, all `after` the second. Words, runs of spaces and single
/// punctuation marks are the units. Very different long texts (over a million unit pairs) come back as one removal and
/// one addition.
std::vector<DiffPart> DiffWords(std::string_view before, std::string_view after);

}  // namespace assay
