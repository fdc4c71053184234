// Several answers to each example: what is counted, what is tested, and how often the verdict errs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "evidence/comparison.h"
#include "evidence/repetition.h"
#include "evidence/runs.h"
#include "statistics/bounded_mean.h"
#include "statistics/exact_paired.h"
#include "statistics/sign_flip.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

using Answers = std::vector<std::string>;  // of each example, one character per sample

Comparison Judged(const RunRecord& baseline, const RunRecord& candidate, double margin = 10) {
  return Compare(baseline, candidate, {}, RulesOf(baseline.header, margin));
}

TEST(Samples, CountsAreOfExamplesAndPassesOfAnswers) {
  Answers before(50, "...."), after(50, "....");
  before[0] = "x..x", after[0] = "....";  // gained
  before[1] = ".x..", after[1] = "x...";  // neither: one lost, one gained
  before[2] = "xxxx", after[2] = "xx.x";  // gained
  after[3] = "..xx";                      // lost
  before[4] = "...x", after[4] = "xx..";  // lost on balance, though one is gained
  before[5] = "xxxx", after[5] = "xxxx";
  const RunRecord baseline = SampledRun(before), candidate = SampledRun(after, 0, "q4_0");
  const Comparison comparison = Judged(baseline, candidate);
  ASSERT_TRUE(comparison.comparable) << comparison.obstacles[0];
  const Judgement& all = comparison.all;
  EXPECT_EQ(all.counts.n, 50);
  EXPECT_EQ(all.answers, 200);
  EXPECT_EQ(all.counts.regressions, 2);
  EXPECT_EQ(all.counts.fixes, 2);
  EXPECT_EQ(all.baseline_passed, 200 - 2 - 1 - 4 - 1 - 4);
  EXPECT_EQ(all.candidate_passed, 200 - 1 - 3 - 2 - 2 - 4);
  EXPECT_DOUBLE_EQ(all.loss(), 0.0);
  EXPECT_TRUE(all.sampled());
  EXPECT_FALSE(all.clustered);
  EXPECT_EQ(all.crack_test, CrackTest::kSignFlip);
  const std::vector<int64_t> lost = {-2, 0, -1, 2, 1};
  EXPECT_DOUBLE_EQ(all.cracks_p, SignFlipP(lost));
  // Holds: Gaffke's bound of the mean of what each example lost, a share of its samples.
  std::vector<double> shares(50, 0.0);
  for (size_t i = 0; i < lost.size(); ++i) shares[i] = static_cast<double>(lost[i]) / 4;
  EXPECT_NEAR(all.holds_p, GaffkeP(shares, 1, 0.1), 1e-9);
  EXPECT_NEAR(all.drop.upper, GaffkeUpperBound(shares, 1, 0.05), 1e-4);
  EXPECT_NEAR(all.drop.lower, GaffkeInterval(shares, -1, 1, 0.05).lower, 1e-4);
  EXPECT_EQ(all.verdict, Verdict::kHolds);
  EXPECT_FALSE(all.chance_beyond_margin);
  EXPECT_FALSE(all.detectable_drop);
  EXPECT_THAT(all.reason, HasSubstr("2 lost, 2 gained on balance of 50, 188 passes before and 188 after of 200 answers "
                                    "(50 examples \xC3\x97 4): at most "));
  EXPECT_EQ(comparison.pairs[1].outcome, Outcome::kBothPass);
  EXPECT_EQ(comparison.pairs[5].outcome, Outcome::kBothFail);
  EXPECT_TRUE(comparison.pairs[1].changed);
  // Shown is the first sample that flips as the example does.
  EXPECT_EQ(comparison.pairs[3].candidate->sample, 2);
  EXPECT_EQ(comparison.pairs[4].candidate->sample, 0);
  EXPECT_EQ(comparison.pairs[2].baseline->sample, 2);
  EXPECT_EQ(comparison.pairs[6].candidate->sample, 0);
  // Failures are of answers.
  ASSERT_EQ(comparison.failures.size(), 1u);
  EXPECT_EQ(comparison.failures[0].baseline, 12);
  EXPECT_EQ(comparison.failures[0].candidate, 12);
  const Json json = ToJson(comparison);
  EXPECT_EQ(json["all"]["answers"], 200);
  EXPECT_EQ(json["regressions"][0]["id"], "e3");
  EXPECT_EQ(json["regressions"][0]["sample"], 2);
  EXPECT_EQ(json["regressions"][0]["candidate_passes"], 2);
}

TEST(Samples, ALossInManyExamplesIsFound) {
  // Five examples lose one answer of eight each, none gains: 2^-5. As single answers five of fifty would be few more.
  Answers before(50, "........"), after = before;
  for (size_t i = 0; i < 5; ++i) after[i][i] = 'x';
  const Comparison comparison = Judged(SampledRun(before), SampledRun(after, 0, "q4_0"));
  EXPECT_DOUBLE_EQ(comparison.all.cracks_p, 1.0 / 32);
  EXPECT_NEAR(comparison.all.loss(), 5.0 / 400, 1e-12);
  // It is small all the same: both are said, as with single answers.
  EXPECT_EQ(comparison.all.verdict, Verdict::kHolds);
  EXPECT_THAT(comparison.notes, Contains("holds within 10 points, with a measured loss of 1.2"));
}

TEST(Samples, SlicesAreJudgedBySignFlipsAndTaroneHolm) {
  Answers before(50, "........"), after = before;
  for (size_t i = 0; i < 5; ++i) after[i] = "....xxxx";
  after[10] = ".......x";
  const Comparison comparison = Judged(SampledRun(before, 10), SampledRun(after, 10, "q4_0"));
  ASSERT_EQ(comparison.slices.size(), 5u);
  const Judgement& first = comparison.slices[0];
  EXPECT_EQ(first.crack_test, CrackTest::kSignFlip);
  EXPECT_DOUBLE_EQ(first.cracks_p, 1.0 / 32);
  // One flip in another slice cannot reach 1/32: it does not count.
  EXPECT_DOUBLE_EQ(first.adjusted_cracks_p, 1.0 / 32);
  EXPECT_EQ(first.verdict, Verdict::kCracks);
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCantTell);
}

TEST(Samples, ClustersAreSourcesOfAllTheirAnswers) {
  Answers before(50, "...."), after = before;
  for (size_t i = 0; i < 10; ++i) after[i] = "..xx";
  RunRecord baseline = SampledRun(before), candidate = SampledRun(after, 0, "q4_0");
  EXPECT_DOUBLE_EQ(Judged(baseline, candidate).all.cracks_p, std::exp2(-10));
  for (RunRecord* run : {&baseline, &candidate})
    for (ExampleResult& result : run->examples) result.cluster = "document " + std::to_string(result.index / 5);
  const Judgement all = Judged(baseline, candidate).all;
  EXPECT_EQ(all.sources, 10);
  EXPECT_TRUE(all.clustered);
  EXPECT_DOUBLE_EQ(all.cracks_p, 0.25);
  std::vector<SourceLoss> sources(10, {0, 20});
  sources[0].lost = sources[1].lost = 10;
  EXPECT_DOUBLE_EQ(all.holds_p, SourcesHoldP(sources, 0.1));
}

TEST(Samples, RunsMustHaveTheSame) {
  const RunRecord four = SampledRun(Answers(50, "....")), two = SampledRun(Answers(50, ".."), 0, "q4_0");
  EXPECT_THAT(Judged(four, two).obstacles, ElementsAre("different numbers of samples of each example: 4 and 2"));
  RunRecord lacking = SampledRun(Answers(50, "...."), 0, "q4_0");
  lacking.examples.erase(lacking.examples.begin() + 6);
  EXPECT_THAT(Judged(four, lacking).obstacles, ElementsAre("not all 4 samples are there of examples e1"));
  RunRecord twice = SampledRun(Answers(50, "...."), 0, "q4_0");
  twice.examples[6].sample = 1;
  EXPECT_THAT(Judged(four, twice).obstacles, ElementsAre("the candidate has two results for example e1, sample 1",
                                                         "not all 4 samples are there of examples e1"));
  // The order in a record does not matter.
  RunRecord shuffled = SampledRun(Answers(50, "...."), 0, "q4_0");
  std::reverse(shuffled.examples.begin(), shuffled.examples.end());
  EXPECT_TRUE(Judged(four, shuffled).comparable);
}

TEST(Samples, AnErrorLeavesTheExampleOut) {
  Answers after(50, "....");
  after[7] = "..E.";
  const Comparison comparison = Judged(SampledRun(Answers(50, "....")), SampledRun(after, 0, "q4_0"));
  EXPECT_THAT(comparison.excluded, ElementsAre("e7"));
  EXPECT_EQ(comparison.all.counts.n, 49);
  EXPECT_EQ(comparison.all.answers, 196);
  EXPECT_EQ(comparison.all.baseline_passed, 196);
}

TEST(Samples, LooksAndWeakBaselinesCountExamples) {
  RunRecord baseline = SampledRun(Answers(50, "..xxx")), candidate = SampledRun(Answers(50, "..xxx"), 0, "q4_0");
  baseline.header.looks = candidate.header.looks = {50, 100};
  const Comparison comparison = Judged(baseline, candidate);
  EXPECT_TRUE(comparison.comparable);
  EXPECT_TRUE(comparison.all.weak_baseline);  // 2 of 5 pass, though 100 passes are more than half of 50
}

ExampleResult Cut(std::vector<int32_t> ids, const std::string& answer = "") {
  ExampleResult result;
  result.finish = "length";
  result.answer_ids = std::move(ids);
  result.answer = answer;
  return result;
}

TEST(Repetition, IsSeenAtTheEndOfCutAnswers) {
  std::vector<int32_t> ids = {9, 8, 7};
  for (int i = 0; i < 6; ++i) ids.insert(ids.end(), {1, 2, 3});
  EXPECT_TRUE(EndsInRepetition(Cut(ids)));
  ids.push_back(1);  // cut within the sequence
  EXPECT_TRUE(EndsInRepetition(Cut(ids)));
  ExampleResult stopped = Cut(ids);
  stopped.finish = "stop";
  EXPECT_FALSE(EndsInRepetition(stopped));
  ids.push_back(4);
  EXPECT_FALSE(EndsInRepetition(Cut(ids)));
  EXPECT_FALSE(EndsInRepetition(Cut({5, 0, 0, 0, 0, 0, 0})));  // a million
  EXPECT_TRUE(EndsInRepetition(Cut(std::vector<int32_t>(16, 0))));
  EXPECT_FALSE(EndsInRepetition(Cut(std::vector<int32_t>(15, 0))));
  EXPECT_FALSE(EndsInRepetition(Cut({})));
  // Two long repeats are no endless ones, three are.
  std::vector<int32_t> paragraph(100), twice, thrice;
  for (int i = 0; i < 100; ++i) paragraph[static_cast<size_t>(i)] = i;
  for (int i = 0; i < 3; ++i) {
    if (i < 2) twice.insert(twice.end(), paragraph.begin(), paragraph.end());
    thrice.insert(thrice.end(), paragraph.begin(), paragraph.end());
  }
  EXPECT_FALSE(EndsInRepetition(Cut(twice)));
  EXPECT_TRUE(EndsInRepetition(Cut(thrice)));
  // Without tokens the text is looked at.
  std::string text;
  while (text.size() < 80) text += "and so on, ";
  EXPECT_TRUE(EndsInRepetition(Cut({}, "It goes " + text)));
  EXPECT_FALSE(EndsInRepetition(Cut({}, "no no no")));
}

TEST(Repetition, IsCountedPerArm) {
  RunRecord baseline = MadeRun(Outcomes(50, 0)), candidate = MadeRun("xx" + Outcomes(48, 0), 0, "q2_k");
  for (size_t i : {0u, 1u}) {
    candidate.examples[i].finish = "length";
    candidate.examples[i].answer_ids.assign(30, 7);
  }
  baseline.examples[5].finish = "length";
  const Comparison comparison = Judged(baseline, candidate);
  EXPECT_THAT(comparison.notes, Contains("2 answers of the candidate ran into the token limit, 1 of the baseline"));
  EXPECT_THAT(comparison.notes,
              Contains("2 answers of the candidate repeat the same words without end, 0 of the baseline"));
  EXPECT_THAT(Judged(baseline, baseline).notes, testing::Not(Contains(HasSubstr("without end"))));
}

/// How often each claim is made of fifty examples, by what Compare is shown above to ask.
struct Claims {
  double cracks = 0, holds = 0;
};
/// `chances(random)`: those that an answer to one example is lost, and gained.
Claims Simulate(int samples, double margin, const std::function<std::pair<double, double>(Random&)>& chances) {
  constexpr int kRuns = 2000;
  Random random(20260101);
  std::map<int64_t, double> of_single;
  int cracks = 0, holds = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<SourceLoss> sources;
    std::vector<int64_t> lost;
    PairedCounts counts{50, 0, 0};
    for (int i = 0; i < 50; ++i) {
      const auto [loss, gain] = chances(random);
      SourceLoss source{0, samples};
      for (int k = 0; k < samples; ++k) {
        const double draw = random.Uniform();
        source.lost += draw < loss ? 1 : draw < loss + gain ? -1 : 0;
      }
      counts.regressions += source.lost > 0;
      counts.fixes += source.lost < 0;
      sources.push_back(source);
      lost.push_back(source.lost);
    }
    if (samples == 1) {
      const auto [found, fresh] = of_single.try_emplace(100 * counts.regressions + counts.fixes, 0);
      if (fresh) found->second = ExactCracksP(counts);
      cracks += found->second <= 0.05;
    } else {
      cracks += SignFlipP(lost) <= 0.05;
      holds += SourcesHoldP(sources, margin) <= 0.05;
    }
  }
  return {static_cast<double>(cracks) / kRuns, static_cast<double>(holds) / kRuns};
}

TEST(Samples, PowerAndErrors) {
  using Chances = std::pair<double, double>;
  // A loss of two points spread over all answers. The chance that five examples or more lose is .885; of single
  // answers three of fifty are needed: .078.
  auto spread = [](double loss, double gain = 0) { return [=](Random&) { return Chances(loss, gain); }; };
  EXPECT_NEAR(Simulate(8, 0.1, spread(0.02)).cracks, 0.885, 0.025);
  EXPECT_NEAR(Simulate(1, 0.1, spread(0.02)).cracks, 0.078, 0.02);
  EXPECT_LE(Simulate(8, 0.1, spread(0.05, 0.05)).cracks, 0.055);
  EXPECT_LE(Simulate(8, 0.1, spread(0.01, 0.01)).cracks, 0.055);
  // At the margin nothing holds in more than one of twenty runs, whether all examples lose a little or a few
  // everything: there a t bound holds in a third of runs.
  auto few = [](double share) {
    return [=](Random& random) { return Chances(random.Uniform() < share ? 1.0 : 0.0, 0.0); };
  };
  EXPECT_LE(Simulate(8, 0.10, spread(0.10)).holds, 0.055);
  EXPECT_LE(Simulate(8, 0.10, spread(0.15, 0.05)).holds, 0.055);
  EXPECT_LE(Simulate(8, 0.10, few(0.10)).holds, 0.055);
  EXPECT_LE(Simulate(8, 0.05, few(0.05)).holds, 0.055);
  // What did not change holds within 10 points, and a spread loss of two within 10 as well.
  EXPECT_GE(Simulate(8, 0.10, spread(0.01, 0.01)).holds, 0.99);
  EXPECT_GE(Simulate(8, 0.10, spread(0.02)).holds, 0.95);
}

}  // namespace
}  // namespace assay
