#include "task/answer_displacement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "base/error.h"

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

ForcedPredictions Led(std::vector<std::vector<std::pair<int, double>>> steps) {
  ForcedPredictions led;
  for (const auto& step : steps) {
    auto& list = led.steps.emplace_back();
    for (const auto& [id, p] : step) list.push_back({id, "", static_cast<float>(std::log(p))});
  }
  return led;
}

TEST(AnswerDisplacement, AlongTheWholeAnswer) {
  // Behind the step where the most likely tokens differ it goes on: both were given the same text.
  const ForcedPredictions base = Led({{{5, 0.9}, {6, 0.05}}, {{7, 0.6}, {8, 0.3}}, {{5, 0.7}, {9, 0.2}}}),
                          other = Led({{{5, 0.9}, {6, 0.05}}, {{8, 0.5}, {7, 0.4}}, {{5, 0.5}, {4, 0.3}, {9, 0.1}}});
  const int32_t said[] = {5, 7}, answered[] = {5, 8, 8};
  const Displacement moved = DisplacementAlong("e1", base, other, said, answered);
  EXPECT_EQ(moved.id, "e1");
  EXPECT_EQ(moved.tokens, 3);
  EXPECT_TRUE(moved.whole_answer);
  EXPECT_EQ(moved.known_tokens, 2);
  EXPECT_EQ(moved.first_divergence, 1);
  EXPECT_NEAR(moved.same_top, 2.0 / 3, 1e-12);
  const double second = 0.6 * std::log(0.6 / 0.4) + 0.3 * std::log(0.3 / 0.5) + 0.1 * std::log(0.1 / 0.1),
               third = 0.7 * std::log(0.7 / 0.5) + 0.2 * std::log(0.2 / 0.1) + 0.1 * std::log(0.1 / 0.4);
  EXPECT_NEAR(moved.max_kl, std::max(second, third), 1e-6);
  EXPECT_NEAR(moved.mean_kl, (second + third) / 3, 1e-6);
  // Tokens are told apart by their ids, not by texts that pieces of characters share.
  const ForcedPredictions swapped = Led({{{6, 0.9}, {5, 0.05}}});
  EXPECT_EQ(DisplacementAlong("e", swapped, swapped, {}, {}).max_kl, 0);
  EXPECT_GT(DisplacementAlong("e", Led({{{5, 0.9}, {6, 0.05}}}), swapped, {}, {}).max_kl, 1);
  // Equal answers, one that goes on, and one whose tokens are not known.
  EXPECT_EQ(DisplacementAlong("e", base, base, said, said).first_divergence, -1);
  EXPECT_EQ(DisplacementAlong("e", base, base, answered, std::span(answered, 2)).first_divergence, 2);
  EXPECT_EQ(DisplacementAlong("e", base, base, said, {}).first_divergence, -1);
  // Logits are no logarithms of probabilities.
  EXPECT_THROW(DisplacementAlong("e", base, Led({{{5, 0.9}}, {{7, 0.6}, {8, 0.6}}, {{5, 1}}}), said, said), Error);
}

}  // namespace
}  // namespace assay
