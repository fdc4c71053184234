#include "engine/prefixes.h"

#include <algorithm>

#include "base/error.h"

namespace assay {

size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first -
                             a.begin());
}

void Prefixes::Keep(std::vector<int32_t> tokens, std::unique_ptr<Sequence> sequence) {
  ASSAY_CHECK(sequence->length() == std::ssize(tokens));
  const bool long_rope = sequence->long_rope();
  if (!tokens.empty()) Put({long_rope, std::move(tokens)}, std::move(sequence), false);
}

Prefixes::Match Prefixes::Longest(std::span<const int32_t> prompt, bool long_rope) {
  Match best;
  auto found = kept_.end();
  // False: no sequence further on has more in common with the prompt than what was found.
  auto consider = [&](Map::iterator it) {
    const auto& [key, kept] = *it;
    if (key.first != long_rope) return false;
    // The last token is always computed anew: its logits are needed.
    const auto common = static_cast<int64_t>(std::min(CommonPrefix(key.second, prompt), prompt.size() - 1));
    if (common <= best.length) return false;
    if (const int64_t usable = kept.sequence->Restorable(common); usable > best.length) {
      best = {kept.sequence.get(), usable};
      found = it;
    }
    return true;
  };
  const auto from = kept_.lower_bound({long_rope, {prompt.begin(), prompt.end()}});
  for (auto it = from; it != kept_.end() && consider(it); ++it) continue;
  for (auto it = from; it != kept_.begin() && consider(std::prev(it)); --it) continue;
  if (found != kept_.end()) order_.splice(order_.end(), order_, found->second.place);
  return best;
}

bool Prefixes::LetGo(const Sequence* but) {
  const auto oldest =
      std::find_if(order_.begin(), order_.end(), [&](Map::iterator it) { return it->second.sequence.get() != but; });
  if (oldest == order_.end()) return false;
  Key key = (*oldest)->first;
  std::unique_ptr<Sequence> sequence = Take(*oldest);
  const int64_t pages = std::ssize(sequence->pages());
  const int64_t left = pages > 1 ? sequence->Restorable((pages - 1) * kPagePositions) : 0;
  if (left == 0) return true;
  sequence->Truncate(left);
  key.second.resize(static_cast<size_t>(left));
  Put(std::move(key), std::move(sequence), true);
  return true;
}

void Prefixes::Put(Key key, std::unique_ptr<Sequence> sequence, bool oldest) {
  // True: `whole` holds all that a sequence of the tokens of `part` does.
  auto holds = [](const Key& whole, const Sequence& in, const Key& part) {
    const auto length = std::ssize(part.second);
    return whole.first == part.first && std::ssize(whole.second) >= length &&
           CommonPrefix(whole.second, part.second) == part.second.size() && in.Restorable(length) == length;
  };
  const auto next = kept_.lower_bound(key);
  if (next != kept_.end() && holds(next->first, *next->second.sequence, key)) return;
  if (next != kept_.begin())
    if (const auto last = std::prev(next); holds(key, *sequence, last->first)) Take(last);
  fixed_bytes_ += sequence->plan().fixed_bytes;
  const auto it = kept_.emplace_hint(next, std::move(key), Kept{std::move(sequence), {}});
  it->second.place = order_.insert(oldest ? order_.begin() : order_.end(), it);
}

std::unique_ptr<Sequence> Prefixes::Take(Map::iterator from) {
  std::unique_ptr<Sequence> sequence = std::move(from->second.sequence);
  fixed_bytes_ -= sequence->plan().fixed_bytes;
  order_.erase(from->second.place);
  kept_.erase(from);
  return sequence;
}

}  // namespace assay
