#include "task/check/matching.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.h"

namespace assay {
namespace {

// Size of the largest matching by trying every assignment.
int BruteForce(const std::vector<std::vector<bool>>& edge, size_t i, std::vector<bool>& used) {
  if (i == edge.size()) return 0;
  int best = BruteForce(edge, i + 1, used);
  for (size_t j = 0; j < used.size(); ++j) {
    if (used[j] || !edge[i][j]) continue;
    used[j] = true;
    best = std::max(best, 1 + BruteForce(edge, i + 1, used));
    used[j] = false;
  }
  return best;
}

TEST(MatchPairs, IsMaximumAndValid) {
  Random random(7);
  int perfect = 0;
  for (int round = 0; round < 3000; ++round) {
    size_t left = random.Below(7), right = random.Below(7);
    double density = random.Uniform();
    std::vector<std::vector<bool>> edge(left, std::vector<bool>(right));
    for (auto& row : edge)
      for (size_t j = 0; j < right; ++j) row[j] = random.Uniform() < density;
    int asked = 0;
    std::vector<int> partner = MatchPairs(static_cast<int>(left), static_cast<int>(right), [&](int i, int j) {
      ++asked;
      return edge[i][j];
    });
    ASSERT_EQ(partner.size(), left);
    EXPECT_LE(asked, static_cast<int>(left * right));
    std::set<int> taken;
    int size = 0;
    for (size_t i = 0; i < left; ++i) {
      if (partner[i] < 0) continue;
      ++size;
      EXPECT_TRUE(edge[i][partner[i]]);
      EXPECT_TRUE(taken.insert(partner[i]).second) << "one partner each";
    }
    std::vector<bool> used(right);
    EXPECT_EQ(size, BruteForce(edge, 0, used));
    perfect += size == static_cast<int>(left) && left > 1;
  }
  EXPECT_GT(perfect, 100);
}

}  // namespace
}  // namespace assay
