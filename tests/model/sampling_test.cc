#include "model/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace assay {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f};

TEST(Sampler, GreedyTakesTheLowerIdOfATie) {
  Sampler sampler({});
  EXPECT_EQ(sampler.Choose(kLogits.data(), 5, {}, {}), 1);
}

TEST(Sampler, RepetitionPenaltyMovesGreedyOn) {
  Sampler sampler({.repetition_penalty = 2.0});
  std::vector<int32_t> prompt = {1}, answer = {3};
  EXPECT_EQ(sampler.Choose(kLogits.data(), 5, prompt, answer), 2);  // 3/2 < 2
}

TEST(Sampler, APenaltyMayLookAtTheLastTokensAlone) {
  std::vector<int32_t> prompt = {1, 3}, answer = {0};
  EXPECT_EQ(Sampler({.repetition_penalty = 2.0}).Choose(kLogits.data(), 5, prompt, answer), 2);
  EXPECT_EQ(Sampler({.repetition_penalty = 2.0, .repetition_window = 2}).Choose(kLogits.data(), 5, prompt, answer), 1);
  EXPECT_EQ(Sampler({.repetition_penalty = 2.0, .repetition_window = 1}).Choose(kLogits.data(), 5, prompt, answer), 1);
}

int32_t Ruled(const GenerationConfig& generation, std::vector<int32_t> prompt, std::vector<int32_t> answer,
              double temperature = 0) {
  const LogitRules rules(generation, {1});
  return Sampler({.temperature = temperature, .top_k = 1}, &rules).Choose(kLogits.data(), 5, prompt, answer);
}

TEST(LogitRules, ForbidWhatTheFileForbids) {
  EXPECT_EQ(Ruled({}, {}, {}), 1);
  EXPECT_EQ(Ruled({.suppressed = {1, 3}}, {}, {}), 2);
  EXPECT_EQ(Ruled({.suppressed = {1, 3}}, {}, {}, 1.0), 2);
  EXPECT_EQ(Ruled({.suppressed_first = {1}}, {4}, {}), 3);
  EXPECT_EQ(Ruled({.suppressed_first = {1}}, {4}, {2}), 1);
  EXPECT_EQ(Ruled({.min_new_tokens = 2}, {}, {2}), 3);  // 1 ends an answer
  EXPECT_EQ(Ruled({.min_new_tokens = 2}, {}, {2, 2}), 1);
  // Bigrams: 4 1 was said, so after 4 no 1.
  EXPECT_EQ(Ruled({.no_repeat_ngram = 2}, {4, 1, 0}, {4}), 3);
  EXPECT_EQ(Ruled({.no_repeat_ngram = 2}, {4, 1, 0}, {2}), 1);
  EXPECT_EQ(Ruled({.no_repeat_ngram = 1}, {1}, {3}), 2);
  EXPECT_EQ(Ruled({.banned = {{3, 1}}}, {}, {3}), 3);
  EXPECT_EQ(Ruled({.banned = {{3, 1}}}, {3}, {}), 3);  // the prompt counts
  EXPECT_EQ(Ruled({.banned = {{3, 1}}}, {}, {0}), 1);
  EXPECT_EQ(Ruled({.banned = {{3}}}, {}, {0}), 1);
  EXPECT_EQ(Ruled({.banned = {{1}}}, {}, {0}), 1);  // an end is no word
}

std::map<int32_t, double> Frequencies(SamplerOptions options, int draws = 20000) {
  Sampler sampler(options);
  std::map<int32_t, double> counts;
  for (int i = 0; i < draws; ++i) counts[sampler.Choose(kLogits.data(), 5, {}, {})] += 1.0 / draws;
  return counts;
}

TEST(Sampler, DrawsFollowTheSoftmax) {
  auto counts = Frequencies({.temperature = 1.5, .seed = 3});
  double total = 0;
  for (float logit : kLogits) total += std::exp(logit / 1.5);
  for (int32_t i = 0; i < 5; ++i)
    EXPECT_NEAR(counts[i], std::exp(kLogits[static_cast<size_t>(i)] / 1.5) / total, 0.012) << i;
}

TEST(Sampler, TopKTopPMinPCutTheTail) {
  auto top_k = Frequencies({.temperature = 1, .top_k = 2});
  EXPECT_EQ(top_k.size(), 2u);
  EXPECT_NEAR(top_k[1], 0.5, 0.02);
  EXPECT_EQ(top_k.count(2), 0u);
  auto top_p = Frequencies({.temperature = 1, .top_p = 0.5});  // the two best have 0.78 together, one alone 0.39
  EXPECT_EQ(top_p.size(), 2u);
  auto min_p = Frequencies({.temperature = 1, .min_p = 0.3});  // exp(-1) = 0.37 stays, exp(-2) = 0.14 goes
  EXPECT_EQ(min_p.size(), 3u);
  EXPECT_EQ(Frequencies({.temperature = 1, .top_k = 1}).size(), 1u);
}

TEST(Sampler, SameSeedSameDraws) {
  Sampler a({.temperature = 1, .seed = 5}), b({.temperature = 1, .seed = 5}), c({.temperature = 1, .seed = 6});
  int differing = 0;
  for (int i = 0; i < 200; ++i) {
    int32_t x = a.Choose(kLogits.data(), 5, {}, {});
    EXPECT_EQ(x, b.Choose(kLogits.data(), 5, {}, {}));
    differing += x != c.Choose(kLogits.data(), 5, {}, {});
  }
  EXPECT_GT(differing, 20);
}

}  // namespace
}  // namespace assay
