#include "task/check/matching.h"

namespace assay {
namespace {

// Kuhn's algorithm with the compatibility table at hand. The recursion is as deep as an augmenting path, at most `left`
// steps.
class Matching {
 public:
  Matching(int left, int right, const std::function<bool(int, int)>& compatible)
      : left_(left), right_(right), edge_(static_cast<size_t>(left) * static_cast<size_t>(right)), owner_(right, -1) {
    for (int i = 0; i < left; ++i)
      for (int j = 0; j < right; ++j) edge_[Index(i, j)] = compatible(i, j);
  }

  std::vector<int> Solve() {
    for (int i = 0; i < left_; ++i) {
      seen_.assign(right_, false);
      Augment(i);
    }
    std::vector<int> partner(left_, -1);
    for (int j = 0; j < right_; ++j)
      if (owner_[j] >= 0) partner[owner_[j]] = j;
    return partner;
  }

 private:
  size_t Index(int i, int j) const {
    return static_cast<size_t>(i) * static_cast<size_t>(right_) + static_cast<size_t>(j);
  }

  bool Augment(int i) {
    for (int j = 0; j < right_; ++j) {
      if (seen_[j] || !edge_[Index(i, j)]) continue;
      seen_[j] = true;
      if (owner_[j] < 0 || Augment(owner_[j])) {
        owner_[j] = i;
        return true;
      }
    }
    return false;
  }

  int left_, right_;
  std::vector<bool> edge_;  // [left, right]
  std::vector<int> owner_;  // of each right element
  std::vector<bool> seen_;
};

}  // namespace

std::vector<int> MatchPairs(int left, int right, const std::function<bool(int, int)>& compatible) {
  return Matching(left, right, compatible).Solve();
}

}  // namespace assay
