#pragma once
// The notes of a check's comparisons, so that what is true of all candidates is said once.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/comparison.h"

namespace assay {

struct Notes {
  std::vector<std::string> common;            // of every one of several candidates, in the first's order
  std::vector<std::vector<std::string>> own;  // of each candidate, what is left
};
Notes NotesOf(std::span<const Comparison> comparisons);

/// Notes follow a colon elsewhere; here they stand alone: a capital letter in front.
std::string AsSentence(std::string_view note);

}  // namespace assay
