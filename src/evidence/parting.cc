#include "evidence/parting.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace assay {
namespace {

/// Characters that both texts begin with (UTF-8: what is not the continuation of one).
int64_t CommonCharacters(std::string_view a, std::string_view b) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  int64_t characters = std::count_if(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(at), begins);
  const bool inside = (at < a.size() && !begins(a[at])) || (at < b.size() && !begins(b[at]));
  return characters - (inside ? 1 : 0);
}

}  // namespace

std::string PartingText(const Comparison& comparison) {
  int64_t pairs = 0;
  std::vector<int64_t> alike;  // characters
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.outcome == Outcome::kExcluded || pair.samples.empty()) continue;
    const ExampleResult &a = *pair.samples[0].baseline, &b = *pair.samples[0].candidate;
    ++pairs;
    if (a.answer != b.answer) alike.push_back(CommonCharacters(a.answer, b.answer));
  }
  if (pairs == 0) return "";
  if (alike.empty())
    return fmt::format("the answers to {} are the same text",
                       pairs == 1 ? "the one example" : fmt::format("all {} examples", pairs));
  std::nth_element(alike.begin(), alike.begin() + static_cast<std::ptrdiff_t>(alike.size() / 2), alike.end());
  return fmt::format("{} of {} answers are the same text; the others begin to differ after {} characters (median)",
                     pairs - static_cast<int64_t>(alike.size()), pairs, alike[alike.size() / 2]);
}

}  // namespace assay
