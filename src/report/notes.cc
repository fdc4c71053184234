#include "report/notes.h"

#include <algorithm>

namespace assay {
namespace {

bool Has(const Comparison& comparison, const std::string& note) {
  return std::find(comparison.notes.begin(), comparison.notes.end(), note) != comparison.notes.end();
}

}  // namespace

Notes NotesOf(std::span<const Comparison> comparisons) {
  Notes notes;
  notes.own.resize(comparisons.size());
  for (size_t i = 0; i < comparisons.size(); ++i)
    for (const std::string& note : comparisons[i].notes) {
      const bool common = comparisons.size() > 1 && std::all_of(comparisons.begin(), comparisons.end(),
                                                                [&](const Comparison& c) { return Has(c, note); });
      if (!common)
        notes.own[i].push_back(note);
      else if (i == 0)
        notes.common.push_back(note);
    }
  return notes;
}

std::string AsSentence(std::string_view note) {
  std::string text(note);
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace assay
