#include "capture/duplicates.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_map>

#include "base/strings.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kShingle = 5;  // characters
constexpr size_t kMostCounters = size_t{1} << 22;

std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (content.is_array())
    for (const Json& part : content) text += part.value("text", std::string()) + "\n";
  return text;
}

/// Marks that only divide words. Operators do not: 2 - 2 is not 2 * 2.
bool Divides(char32_t c) {
  if (c < 0x80) return std::u32string_view(U".,;:!?'\"()[]{}`").find(c) != std::u32string_view::npos;
  return IsPunctuation(c);
}

std::string Prepared(std::string_view text) {
  std::string out;
  bool gap = false;
  std::string_view rest = text;
  std::string lower;
  if (IsValidUtf8(text)) {
    lower = LowercaseUnicode(Normalize(text, NormalForm::kNfkc));
    rest = lower;
  }
  while (!rest.empty()) {
    const size_t n = std::max<size_t>(1, Utf8SequenceLength(rest));
    const char32_t c = Utf8SequenceLength(rest) ? Utf8Decode(rest.substr(0, n)) : U'\xFFFD';
    if (IsWhiteSpace(c) || Divides(c) || IsControl(c)) {
      gap = true;
    } else {
      if (gap && !out.empty()) out += ' ';
      gap = false;
      out += rest.substr(0, n);
    }
    rest.remove_prefix(n);
  }
  return out.empty() ? std::string(Trim(text)) : out;  // nothing but marks: they are what it says
}

uint32_t Hash(std::string_view text) {  // FNV-1a, and a finisher
  uint64_t h = 0xcbf29ce484222325ull;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15ull;
  return static_cast<uint32_t>(h >> 32);
}

/// Sorted hashes of its sequences; of a shorter text: of the text itself.
std::vector<uint32_t> Shingles(std::string_view text) {
  std::vector<size_t> begins;
  for (size_t at = 0; at < text.size(); at += std::max<size_t>(1, Utf8SequenceLength(text.substr(at))))
    begins.push_back(at);
  begins.push_back(text.size());
  std::vector<uint32_t> out;
  if (begins.size() <= kShingle) {
    if (!text.empty()) out.push_back(Hash(text));
    return out;
  }
  for (size_t i = 0; i + kShingle < begins.size(); ++i)
    out.push_back(Hash(text.substr(begins[i], begins[i + kShingle] - begins[i])));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

double SimilarityOf(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  if (a.empty() && b.empty()) return 1;
  size_t both = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    both += a[i] == b[j];
    const bool first = a[i] <= b[j], second = b[j] <= a[i];
    i += first;
    j += second;
  }
  return static_cast<double>(both) / static_cast<double>(a.size() + b.size() - both);
}

}  // namespace

std::string ComparedText(const Json& example) {
  if (example.contains("prompt")) return Prepared(example["prompt"].get<std::string>());
  std::string text;
  for (const Json& message : example["messages"]) {
    const Json role = message.value("role", Json());
    if (role == "system" || role == "developer") continue;
    if (message.contains("content")) text += TextOf(message["content"]) + "\n";
    if (message.contains("tool_calls")) text += DumpJson(message["tool_calls"]) + "\n";
  }
  return Prepared(text);
}

std::string SystemText(const Json& example) {
  std::string text;
  if (example.contains("messages"))
    for (const Json& message : example["messages"])
      if (const Json role = message.value("role", Json());
          (role == "system" || role == "developer") && message.contains("content"))
        text += TextOf(message["content"]) + "\n";
  std::string out = Prepared(text);
  std::erase_if(out, [](char c) { return c >= '0' && c <= '9'; });
  return out;
}

double Jaccard(std::string_view a, std::string_view b) {
  return SimilarityOf(Shingles(a), Shingles(b));
}

std::vector<size_t> NearDuplicates(const std::vector<std::string>& texts, double threshold) {
  std::vector<size_t> of(texts.size(), kKept);
  std::unordered_map<std::string_view, size_t> same;
  for (size_t i = 0; i < texts.size(); ++i)
    if (const auto [first, is_new] = same.emplace(texts[i], i); !is_new) of[i] = first->second;
  std::vector<std::vector<uint32_t>> sets(texts.size());
  size_t all = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (of[i] == kKept) sets[i] = Shingles(texts[i]);
    all += sets[i].size();
  }
  // How often a sequence stands in the log; some share a counter.
  std::vector<uint32_t> counts(std::min(kMostCounters, all + 1));
  for (const std::vector<uint32_t>& set : sets)
    for (uint32_t shingle : set) ++counts[shingle % counts.size()];
  // Any order would do, as long as it is one; rare sequences first make short lists.
  const auto rarer = [&](uint32_t a, uint32_t b) {
    const uint32_t of_a = counts[a % counts.size()], of_b = counts[b % counts.size()];
    return of_a != of_b ? of_a < of_b : a < b;
  };
  std::unordered_map<uint32_t, std::vector<size_t>> index;
  std::vector<size_t> seen(texts.size(), kKept), candidates;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (of[i] != kKept) continue;
    const std::vector<uint32_t>& set = sets[i];
    const double size = static_cast<double>(set.size());
    // Of a set as similar, at least threshold * size are shared; one more than what may be missing must be.
    const size_t prefix = set.size() - static_cast<size_t>(std::ceil(threshold * size - 1e-9)) + 1;
    std::vector<uint32_t> rarest = set;
    std::partial_sort(rarest.begin(), rarest.begin() + static_cast<std::ptrdiff_t>(std::min(prefix, set.size())),
                      rarest.end(), rarer);
    rarest.resize(std::min(prefix, set.size()));
    candidates.clear();
    for (uint32_t shingle : rarest) {
      const auto list = index.find(shingle);
      if (list == index.end()) continue;
      for (size_t other : list->second)
        if (seen[other] != i) {
          seen[other] = i;
          candidates.push_back(other);
        }
    }
    std::sort(candidates.begin(), candidates.end());
    for (size_t other : candidates) {
      const double others = static_cast<double>(sets[other].size());
      if (std::min(size, others) < threshold * std::max(size, others) - 1e-9) continue;
      if (SimilarityOf(set, sets[other]) < threshold) continue;
      of[i] = other;
      break;
    }
    if (of[i] != kKept) {
      sets[i].clear();
      continue;
    }
    for (uint32_t shingle : rarest) index[shingle].push_back(i);
  }
  // What repeats exactly a text that went, repeats what that one almost repeats.
  for (size_t i = 0; i < texts.size(); ++i)
    while (of[i] != kKept && of[of[i]] != kKept) of[i] = of[of[i]];
  return of;
}

}  // namespace assay
