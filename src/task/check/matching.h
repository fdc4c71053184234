#pragma once
// Maximum bipartite matching (augmenting paths): order-free comparison that never rejects a valid assignment, as greedy
// pairing does.

#include <functional>
#include <vector>

namespace assay {

/// For each of `left` elements the element of `right` it is paired with, -1 for none. compatible(i, j) is called at
/// most once per pair. Among maximum matchings, lower indices are tried first.
std::vector<int> MatchPairs(int left, int right, const std::function<bool(int, int)>& compatible);

}  // namespace assay
