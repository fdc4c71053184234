#include "report/diff.h"

#include <algorithm>
#include <cstdint>

namespace assay {
namespace {

constexpr size_t kMaxCells = 1 << 20;

enum class Class { kWord, kSpace, kMark, kWide };

/// Wide: scripts without spaces between words (CJK and what follows in Unicode), one character a unit. A byte above
/// 0x7F that is no lead byte continues its character.
Class ClassOf(unsigned char c) {
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return Class::kSpace;
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return Class::kWord;
  if (c >= 0xE3 && c != 0xEF) return Class::kWide;  // U+3000 and above, less the compatibility forms
  return c >= 0x80 ? Class::kWord : Class::kMark;
}

std::vector<std::string_view> Units(std::string_view text) {
  std::vector<std::string_view> units;
  for (size_t begin = 0; begin < text.size();) {
    const Class kind = ClassOf(static_cast<unsigned char>(text[begin]));
    size_t end = begin + 1;
    while (end < text.size()) {
      const auto c = static_cast<unsigned char>(text[end]);
      const bool continues = (c & 0xC0) == 0x80;
      if (!continues && (kind == Class::kMark || kind == Class::kWide || ClassOf(c) != kind)) break;
      if (continues && kind == Class::kMark) break;
      if (kind == Class::kSpace && c == '\n') break;  // each line break on its own, so that lines pair up
      ++end;
    }
    units.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return units;
}

void Append(std::vector<DiffPart>& parts, DiffPart::Kind kind, std::string_view before, std::string_view after) {
  if (before.empty() && after.empty()) return;
  if (!parts.empty() && parts.back().kind == kind) {
    // Neighbouring units are adjacent in the text, so the views join.
    DiffPart& last = parts.back();
    if (!before.empty()) last.before = {last.before.data(), last.before.size() + before.size()};
    if (!after.empty()) last.after = {last.after.data(), last.after.size() + after.size()};
    return;
  }
  parts.push_back({kind, before, after});
}

/// Longest common subsequence of the units, as marks; the table holds lengths of the tails.
void DiffMiddle(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b,
                std::vector<DiffPart>& parts) {
  const size_t n = a.size(), m = b.size(), row = m + 1;
  std::vector<uint32_t> table((n + 1) * row, 0);
  for (size_t i = n; i-- > 0;)
    for (size_t j = m; j-- > 0;)
      table[i * row + j] =
          a[i] == b[j] ? table[(i + 1) * row + j + 1] + 1 : std::max(table[(i + 1) * row + j], table[i * row + j + 1]);
  size_t i = 0, j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[i] == b[j]) {
      Append(parts, DiffPart::kSame, a[i], b[j]);
      ++i, ++j;
    } else if (j == m || (i < n && table[(i + 1) * row + j] >= table[i * row + j + 1])) {
      Append(parts, DiffPart::kRemoved, a[i++], {});
    } else {
      Append(parts, DiffPart::kAdded, {}, b[j++]);
    }
  }
}

/// Spaces and marks that survive between two changes would cut a changed phrase into confetti: they count as changed
/// too.
std::vector<DiffPart> Tidy(const std::vector<DiffPart>& parts) {
  auto has_word = [](std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
      const Class kind = ClassOf(static_cast<unsigned char>(c));
      return kind == Class::kWord || kind == Class::kWide;
    });
  };
  std::vector<DiffPart> tidy;
  for (size_t i = 0; i < parts.size(); ++i) {
    const DiffPart& part = parts[i];
    const bool between = i > 0 && i + 1 < parts.size();
    if (part.kind == DiffPart::kSame && between && !has_word(part.before)) {
      tidy.push_back({DiffPart::kRemoved, part.before, {}});
      tidy.push_back({DiffPart::kAdded, {}, part.after});
    } else {
      tidy.push_back(part);
    }
  }
  // One removal and one addition per change, in this order; the pieces of each are adjacent in their text.
  std::vector<DiffPart> out;
  for (size_t i = 0; i < tidy.size();) {
    if (tidy[i].kind == DiffPart::kSame) {
      out.push_back(tidy[i++]);
      continue;
    }
    std::vector<DiffPart> removed, added;
    for (; i < tidy.size() && tidy[i].kind != DiffPart::kSame; ++i)
      Append(tidy[i].kind == DiffPart::kRemoved ? removed : added, tidy[i].kind, tidy[i].before, tidy[i].after);
    out.insert(out.end(), removed.begin(), removed.end());
    out.insert(out.end(), added.begin(), added.end());
  }
  return out;
}

}  // namespace

std::vector<DiffPart> DiffWords(std::string_view before, std::string_view after) {
  std::vector<std::string_view> a = Units(before), b = Units(after);
  size_t prefix = 0, suffix = 0;
  while (prefix < a.size() && prefix < b.size() && a[prefix] == b[prefix]) ++prefix;
  while (suffix < a.size() - prefix && suffix < b.size() - prefix &&
         a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix])
    ++suffix;
  std::vector<DiffPart> parts;
  for (size_t i = 0; i < prefix; ++i) Append(parts, DiffPart::kSame, a[i], b[i]);
  const std::vector<std::string_view> middle_a(a.begin() + static_cast<long>(prefix),
                                               a.end() - static_cast<long>(suffix));
  const std::vector<std::string_view> middle_b(b.begin() + static_cast<long>(prefix),
                                               b.end() - static_cast<long>(suffix));
  if ((middle_a.size() + 1) * (middle_b.size() + 1) <= kMaxCells) {
    DiffMiddle(middle_a, middle_b, parts);
  } else {
    for (std::string_view unit : middle_a) Append(parts, DiffPart::kRemoved, unit, {});
    for (std::string_view unit : middle_b) Append(parts, DiffPart::kAdded, {}, unit);
  }
  for (size_t i = suffix; i > 0; --i) Append(parts, DiffPart::kSame, a[a.size() - i], b[b.size() - i]);
  return Tidy(parts);
}

}  // namespace assay
