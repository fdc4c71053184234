#include "task/answer_displacement.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

std::vector<TokenLogprob> Step(const char* first, double p, const char* second, double q) {
  return {{-1, first, static_cast<float>(std::log(p))}, {-1, second, static_cast<float>(std::log(q))}};
}

TEST(AnswerDisplacement, UpToWhereTheAnswersPart) {
  Answer base, other;
  base.top_logprobs = {Step("a", 0.9, "b", 0.05), Step("c", 0.6, "d", 0.3), Step("e", 0.9, "f", 0.1)};
  other.top_logprobs = {Step("a", 0.9, "b", 0.05), Step("d", 0.5, "c", 0.4), Step("x", 0.9, "y", 0.1)};
  const Displacement moved = DisplacementOfAnswers("e1", base, other);
  EXPECT_EQ(moved.id, "e1");
  EXPECT_EQ(moved.tokens, 2);  // behind the parting they saw different texts
  EXPECT_EQ(moved.first_divergence, 1);
  EXPECT_EQ(moved.same_top, 0.5);
  EXPECT_EQ(moved.known_tokens, 2);
  const double second = 0.6 * std::log(0.6 / 0.4) + 0.3 * std::log(0.3 / 0.5) + 0.1 * std::log(0.1 / 0.1);
  EXPECT_NEAR(moved.max_kl, second, 1e-6);
  EXPECT_NEAR(moved.mean_kl, second / 2, 1e-6);
}

TEST(AnswerDisplacement, EqualShorterAndUnknown) {
  Answer base, other;
  base.top_logprobs = {Step("a", 0.9, "b", 0.05), Step("c", 0.6, "d", 0.3)};
  Displacement moved = DisplacementOfAnswers("e", base, base);
  EXPECT_EQ(moved.mean_kl, 0);
  EXPECT_EQ(moved.same_top, 1);
  EXPECT_EQ(moved.first_divergence, -1);
  other.top_logprobs = {base.top_logprobs[0]};
  moved = DisplacementOfAnswers("e", base, other);  // it ended there
  EXPECT_EQ(moved.first_divergence, 1);
  EXPECT_EQ(moved.tokens, 1);
  moved = DisplacementOfAnswers("e", base, Answer());
  EXPECT_EQ(moved.tokens, 0);
  EXPECT_EQ(moved.first_divergence, -1);
}

}  // namespace
}  // namespace assay
