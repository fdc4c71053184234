#include "evidence/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "evidence/advice.h"
#include "evidence/runs.h"
#include "processor_time.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Rules At(double margin) {
  return RulesOf({}, margin);
}

/// b regressions and c fixes among n, the rest passes both times.
Comparison Flipped(size_t n, size_t b, size_t c, double margin = 10, std::span<const Displacement> displacement = {}) {
  // Static, because a comparison points into its runs.
  static std::vector<std::unique_ptr<RunRecord>> keep;
  keep.push_back(std::make_unique<RunRecord>(MadeRun(std::string(n - c, '.') + std::string(c, 'x'))));
  keep.push_back(std::make_unique<RunRecord>(MadeRun(std::string(b, 'x') + std::string(n - b, '.'), 0, "q4_0")));
  return Compare(*keep[keep.size() - 2], *keep.back(), displacement, RulesOf({}, margin));
}

TEST(Compare, CountsAndVerdictsFollowTheRule) {
  struct Row {
    size_t n, b, c;
    double margin;
    Verdict verdict;
  };
  // Exact p-values (tools/golden/verdicts.py): no flip of 29 shows 10 points, of 58 not yet 5; 3 lost of 50 is .0495.
  const Row rows[] = {
      {50, 0, 0, 10, Verdict::kHolds},    {50, 1, 0, 10, Verdict::kHolds},    {50, 2, 0, 10, Verdict::kCantTell},
      {50, 3, 0, 10, Verdict::kCracks},   {50, 4, 0, 10, Verdict::kCracks},   {50, 6, 1, 10, Verdict::kCracks},
      {50, 8, 3, 10, Verdict::kCantTell}, {50, 3, 3, 10, Verdict::kHolds},    {50, 0, 0, 5, Verdict::kCantTell},
      {50, 0, 5, 10, Verdict::kHolds},    {10, 0, 0, 10, Verdict::kCantTell}, {100, 0, 0, 5, Verdict::kHolds},
      {25, 0, 0, 10, Verdict::kCantTell}, {28, 0, 0, 10, Verdict::kCantTell}, {29, 0, 0, 10, Verdict::kHolds},
      {52, 0, 0, 5, Verdict::kCantTell},  {58, 0, 0, 5, Verdict::kCantTell},  {59, 0, 0, 5, Verdict::kHolds},
      {11, 0, 0, 20, Verdict::kCantTell}, {14, 0, 0, 20, Verdict::kHolds},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(testing::Message() << row.n << " " << row.b << " " << row.c << " " << row.margin);
    Comparison comparison = Flipped(row.n, row.b, row.c, row.margin);
    ASSERT_TRUE(comparison.comparable);
    EXPECT_EQ(comparison.all.counts.n, static_cast<int64_t>(row.n));
    EXPECT_EQ(comparison.all.counts.regressions, static_cast<int64_t>(row.b));
    EXPECT_EQ(comparison.all.counts.fixes, static_cast<int64_t>(row.c));
    EXPECT_EQ(comparison.all.verdict, row.verdict) << comparison.all.reason;
    EXPECT_EQ(comparison.all.examples_to_settle.has_value(), row.verdict == Verdict::kCantTell);
    EXPECT_FALSE(comparison.all.reason.empty());
    EXPECT_TRUE(comparison.all.detectable_drop);
  }
}

TEST(Compare, TheMarginIsTheTasks) {
  RunHeader header;
  EXPECT_EQ(RulesOf(header, 0).margin, 10);
  header.margin = 4;
  EXPECT_EQ(RulesOf(header, 0).margin, 4);
  EXPECT_EQ(RulesOf(header, 3).margin, 3);
  EXPECT_THROW(RulesOf(header, -1), Error);
  EXPECT_THROW(RulesOf(header, 100), Error);
  // It does not change with the number of examples: three lost hold nowhere if they do not hold here.
  for (size_t n : {99, 100, 101}) {
    EXPECT_EQ(Flipped(n, 3, 0, 0).margin, 10);
    EXPECT_EQ(Flipped(n, 3, 0, 0).all.verdict, Verdict::kHolds);
    EXPECT_NE(Flipped(n, 3, 0, 5).all.verdict, Verdict::kHolds);
  }
  RunRecord baseline = MadeRun(Outcomes(50, 0)), candidate = MadeRun(Outcomes(50, 0), 0, "q4_0");
  baseline.header.margin = 10;
  EXPECT_THAT(Compare(baseline, candidate, {}, RulesOf(baseline.header, 0)).obstacles,
              ElementsAre("different margins in their tasks: 10 and 0 points (0: none)"));
  EXPECT_TRUE(Compare(baseline, candidate, {}, RulesOf(baseline.header, 7)).comparable);
}

TEST(Compare, LooksArePlanned) {
  RunHeader header;
  EXPECT_EQ(RulesOf(header, 0).level, 0.05);
  header.looks = {50, 100, 200};
  EXPECT_EQ(RulesOf(header, 0).level, 0.022);
  auto look = [&](size_t n, size_t lost) {
    RunRecord baseline = MadeRun(Outcomes(n, 0)),
              candidate = MadeRun(std::string(lost, 'x') + Outcomes(n - lost, 0), 0, "q");
    baseline.header.looks = candidate.header.looks = header.looks;
    return Compare(baseline, candidate, {}, RulesOf(baseline.header, 0));
  };
  EXPECT_EQ(look(50, 0).all.verdict, Verdict::kHolds);
  EXPECT_EQ(look(50, 1).all.verdict, Verdict::kCantTell);  // holds where it is looked at once
  EXPECT_EQ(look(50, 3).all.verdict, Verdict::kCantTell);  // cracks there
  EXPECT_THAT(look(73, 0).obstacles,
              ElementsAre("the task plans to be looked at with 50, 100, 200 examples, this run has 73"));
}

TEST(Compare, ASecondLookIsToBePlanned) {
  EXPECT_THAT(Flipped(50, 2, 0).notes, Contains(HasSubstr("{\"task\": {\"looks\": [50, 100]}}")));
  EXPECT_THAT(Flipped(50, 0, 0).notes, testing::Not(Contains(HasSubstr("second look"))));
}

TEST(Compare, CopiesOfAPromptAreOneSource) {
  RunRecord baseline = MadeRun(Outcomes(50, 0)), candidate = MadeRun(Outcomes(50, 0), 0, "q2_k");
  EXPECT_EQ(Compare(baseline, candidate, {}, At(10)).all.verdict, Verdict::kHolds);
  for (RunRecord* run : {&baseline, &candidate})
    for (ExampleResult& example : run->examples) example.prompt_hash = "the same";
  const Comparison comparison = Compare(baseline, candidate, {}, At(10));
  EXPECT_EQ(comparison.all.sources, 1);
  EXPECT_EQ(comparison.all.verdict, Verdict::kCantTell);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("or the same prompt")));
}

TEST(Compare, ClustersMayStandInEitherRun) {
  RunRecord baseline = MadeRun(Outcomes(50, 0)), candidate = MadeRun(Outcomes(50, 0), 0, "q");
  for (size_t i = 0; i < 50; ++i) candidate.examples[i].cluster = std::to_string(i / 5);
  EXPECT_EQ(Compare(baseline, candidate, {}, At(10)).all.sources, 10);
  EXPECT_EQ(Compare(candidate, baseline, {}, At(10)).all.sources, 10);
  baseline.examples[7].cluster = "another";
  EXPECT_THAT(Compare(baseline, candidate, {}, At(10)).obstacles,
              ElementsAre("the runs put examples into different clusters: e7"));
}

TEST(Compare, BoundsAreExact) {
  EXPECT_NEAR(Flipped(10, 0, 0).all.drop.upper, 0.2589, 1e-4);
  EXPECT_NEAR(Flipped(1, 0, 0).all.drop.upper, 0.95, 1e-4);
  EXPECT_NEAR(Flipped(30, 0, 0).all.drop.upper, 0.0950, 1e-4);
}

TEST(Compare, NothingThatIsSaidContradictsTheVerdict) {
  // A gain makes 50 examples enough for 5 points: then nothing says that they are not.
  for (size_t n : {30, 50, 57})
    for (size_t b = 0; b < 6; ++b)
      for (size_t c = 0; c < 6; ++c)
        for (double margin : {5.0, 10.0}) {
          const Comparison comparison = Flipped(n, b, c, margin);
          const Judgement& all = comparison.all;
          SCOPED_TRACE(testing::Message() << n << " " << b << " " << c << " " << margin << ": " << all.reason);
          for (const std::string& note : comparison.notes)
            if (note.find("do not show a margin") != std::string::npos) {
              EXPECT_NE(all.verdict, Verdict::kHolds);
            }
          if (all.verdict == Verdict::kHolds) {
            EXPECT_LE(100 * all.drop.upper, margin + 1e-9);
          }
          if (all.holds_p > 0.05) {
            EXPECT_GE(100 * all.drop.upper, margin - 1e-3);
          }
          EXPECT_EQ(all.drop.lower > 0, all.cracks_p <= 0.05);
          EXPECT_EQ(all.reason.find("no loss"), std::string::npos);
        }
  EXPECT_THAT(Flipped(50, 4, 0).all.reason, HasSubstr("no worse would lose so many in at most 2.4% of runs"));
}

TEST(Compare, ARunAgainstItselfIsTold) {
  const RunRecord run = MadeRun(Outcomes(50, 0));
  EXPECT_THAT(Compare(run, run, {}, At(10)).notes, Contains(HasSubstr("are the same weights")));
}

TEST(Compare, ABaselineThatPassesEverythingIsTold) {
  EXPECT_THAT(Flipped(50, 3, 0).notes, Contains(HasSubstr("if they were chosen because it does")));
  EXPECT_THAT(Flipped(50, 3, 1).notes, testing::Not(Contains(HasSubstr("if they were chosen"))));
  EXPECT_THAT(Flipped(50, 0, 0).notes, testing::Not(Contains(HasSubstr("if they were chosen"))));
}

TEST(Compare, MeasuredLossBesideHolds) {
  Comparison comparison = Flipped(400, 8, 1, 5);
  EXPECT_EQ(comparison.all.verdict, Verdict::kHolds);
  EXPECT_THAT(comparison.notes, Contains("holds within 5 points, with a measured loss of 1.8"));
}

TEST(Compare, SaysWhenTheMarginIsOutOfReach) {
  EXPECT_THAT(
      Flipped(50, 0, 0, 5).notes,
      Contains(HasSubstr("with none lost and none gained, 50 examples do not show a margin of 5 points; 59 do")));
  EXPECT_THAT(Flipped(25, 0, 0, 10).notes, Contains(HasSubstr("; 29 do")));
}

TEST(Compare, PromptsMayDifferAsTheirEnginesMakeThem) {
  RunRecord folder = MadeRun(Outcomes(50, 0)), gguf = folder;
  gguf.examples[7].prompt_hash = "x";
  folder.header.prompts_by = "transformers";
  gguf.header.prompts_by = "llama.cpp";
  const Comparison apart = Compare(folder, gguf, {}, At(10));
  EXPECT_TRUE(apart.comparable);
  EXPECT_THAT(apart.notes,
              Contains(HasSubstr("prompt tokens of 1 of 50 examples differ, as transformers (baseline) and "
                                 "llama.cpp (candidate) make them of the same messages: e7")));
  gguf.header.now = "2026-05-01T12:30:00";  // another reason
  EXPECT_FALSE(Compare(folder, gguf, {}, At(10)).comparable);
  gguf.header.now.clear();
  gguf.header.prompts_by = "transformers";
  EXPECT_FALSE(Compare(folder, gguf, {}, At(10)).comparable);
}

TEST(Compare, GateRefusesDifferentRuns) {
  const RunRecord baseline = MadeRun(Outcomes(50, 0));
  auto obstacles = [&](auto change) {
    RunRecord candidate = MadeRun(Outcomes(50, 0), 0, "q4_0");
    change(candidate);
    Comparison comparison = Compare(baseline, candidate, {}, At(10));
    EXPECT_EQ(comparison.comparable, comparison.obstacles.empty());
    EXPECT_FALSE(comparison.all.judged && !comparison.comparable);
    if (!comparison.comparable) {
      EXPECT_EQ(comparison.all.verdict, Verdict::kCantTell);
    }
    return comparison.obstacles;
  };
  EXPECT_THAT(obstacles([](RunRecord&) {}), IsEmpty());
  EXPECT_THAT(obstacles([](RunRecord& r) { r.header.task_hash = "other"; }),
              ElementsAre("different task: task and other"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.header.tokenizer_hash = ""; }),
              ElementsAre("different tokenizer: tokens and none"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.header.template_hash = "x"; }),
              ElementsAre("different chat template: chat and x"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.header.sampling["temperature"] = 0.7; }),
              ElementsAre(HasSubstr("different sampling")));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.complete = false; }),
              ElementsAre("the run of the candidate was interrupted; run it again to finish it"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.examples[7].prompt_hash = "x"; }),
              ElementsAre("the models saw different prompt tokens in examples e7"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.examples.pop_back(); }), ElementsAre("the candidate lacks examples e49"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.examples[3].id = "new"; }),
              ElementsAre("the candidate lacks examples e3", "the baseline lacks examples new"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.examples[3].id = "e4"; }),
              Contains("the candidate has two results for example e4"));
  EXPECT_THAT(obstacles([](RunRecord& r) { r.examples.clear(); }), Contains("the runs share no example"));
  // Order does not matter, pairing is by id.
  EXPECT_THAT(obstacles([](RunRecord& r) { std::reverse(r.examples.begin(), r.examples.end()); }), IsEmpty());
  // Arithmetic, build and machine are told, not refused.
  EXPECT_THAT(obstacles([](RunRecord& r) { r.header.machine = "other"; }), IsEmpty());
}

TEST(Compare, ErrorsAreExcludedPairwise) {
  RunRecord baseline = MadeRun(Outcomes(98, 2)), candidate = MadeRun(Outcomes(98, 2), 0, "q4_0");
  candidate.examples[5].error = "timeout";
  candidate.examples[5].pass = false;
  Comparison one = Compare(baseline, candidate, {}, At(5));
  EXPECT_TRUE(one.comparable);
  EXPECT_EQ(one.all.counts.n, 99);
  EXPECT_EQ(one.all.counts.regressions, 0);
  EXPECT_THAT(one.excluded, ElementsAre("e5"));
  EXPECT_THAT(one.notes, Contains(HasSubstr("left out of both models because one of them had an error: e5")));
  baseline.examples[6].error = "timeout";
  EXPECT_TRUE(Compare(baseline, candidate, {}, At(5)).comparable);  // 2 of 100 is not more than 2%
  baseline.examples[7].error = "timeout";
  Comparison three = Compare(baseline, candidate, {}, At(5));
  EXPECT_FALSE(three.comparable);
  EXPECT_THAT(three.obstacles, ElementsAre("3 of 100 examples ended in an error (more than 2%): e5, e6, e7"));
}

TEST(Compare, AWeakBaselineWithholdsOnlyHolds) {
  // Half of fifty fall to nothing: nothing could be shown to hold, and this is a collapse.
  Comparison comparison = Compare(MadeRun(Outcomes(24, 26)), MadeRun(Outcomes(0, 50), 0, "q2_k"), {}, At(10));
  EXPECT_TRUE(comparison.all.weak_baseline);
  EXPECT_EQ(comparison.all.verdict, Verdict::kCracks);
  EXPECT_NEAR(comparison.all.mid_p, 3e-8, 1e-9);
  // Slices of ten: the first passes, the second fails six times and then always.
  const RunRecord baseline = MadeRun("..............xxxxxx", 10),
                  candidate = MadeRun("..........xxxxxxxxxx", 10, "q2_k");
  comparison = Compare(baseline, candidate, {}, At(10));
  ASSERT_EQ(comparison.slices.size(), 2u);
  EXPECT_FALSE(comparison.slices[0].weak_baseline);
  EXPECT_TRUE(comparison.slices[1].weak_baseline);
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCracks);  // the only one that has flips at all
  const RunRecord fails = MadeRun(Outcomes(0, 50)), also = MadeRun(Outcomes(0, 50), 0, "q2_k");
  comparison = Compare(fails, also, {}, At(10));
  EXPECT_EQ(comparison.all.verdict, Verdict::kCantTell);  // 0 regressions, but nothing was there to lose
  EXPECT_EQ(comparison.all.reason,
            "0 lost, 0 gained of 50: the baseline itself passes only 0, too little to lose to show that it holds");
}

TEST(Compare, SlicesTakeTaroneAndHolm) {
  // Five slices of ten; four regressions of ten in one are mid-p .031. Slices without flips cannot crack: they do not
  // count.
  std::string outcomes(50, '.');
  for (int i : {0, 1, 2, 3}) outcomes[static_cast<size_t>(i)] = 'x';
  const RunRecord baseline = MadeRun(Outcomes(50, 0), 10);
  Comparison comparison = Compare(baseline, MadeRun(outcomes, 10, "q3_k"), {}, At(10));
  EXPECT_EQ(comparison.all.verdict, Verdict::kCracks);
  EXPECT_NEAR(comparison.slices[0].mid_p, 0.03125, 1e-12);
  EXPECT_NEAR(comparison.slices[0].adjusted_cracks_p, 0.03125, 1e-12);
  EXPECT_EQ(comparison.slices[0].verdict, Verdict::kCracks);
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCantTell);  // ten examples never show ten points
  // Another slice that could crack counts: twice .031 is no verdict.
  std::string base(50, '.');
  for (int i : {10, 11, 12, 13}) (i < 12 ? base : outcomes)[static_cast<size_t>(i)] = 'x';
  comparison = Compare(MadeRun(base, 10), MadeRun(outcomes, 10, "q3_k"), {}, At(10));
  EXPECT_NEAR(comparison.slices[0].adjusted_cracks_p, 0.0625, 1e-12);
  EXPECT_EQ(comparison.slices[0].verdict, Verdict::kCantTell);
  EXPECT_THAT(comparison.slices[0].reason, HasSubstr("a loss on its own, not among 5 slices"));
}

TEST(Compare, ASliceThatIsTheWholeHasItsVerdict) {
  // Mid-p is below .05, Suissa and Shuster's p is not.
  const Comparison comparison = Flipped(50, 19, 10, 10);
  EXPECT_LE(comparison.all.mid_p, 0.05);
  EXPECT_GT(comparison.all.cracks_p, 0.05);
  ASSERT_EQ(comparison.slices.size(), 1u);
  EXPECT_EQ(comparison.slices[0].cracks_p, comparison.all.cracks_p);
  EXPECT_EQ(comparison.slices[0].verdict, comparison.all.verdict);
}

TEST(Compare, ClustersCount) {
  // Ten documents of five paraphrases each: two documents are lost whole. As fifty examples that is p = .0005.
  RunRecord baseline = MadeRun(Outcomes(50, 0)),
            candidate = MadeRun(std::string(10, 'x') + std::string(40, '.'), 0, "q");
  EXPECT_EQ(Compare(baseline, candidate, {}, At(10)).all.verdict, Verdict::kCracks);
  for (RunRecord* run : {&baseline, &candidate})
    for (size_t i = 0; i < 50; ++i) run->examples[i].cluster = "document " + std::to_string(i / 5);
  const Comparison comparison = Compare(baseline, candidate, {}, At(10));
  EXPECT_TRUE(comparison.all.clustered);
  EXPECT_EQ(comparison.all.sources, 10);
  EXPECT_EQ(comparison.all.cracks_p, 0.25);  // of four sign patterns one loses as much
  EXPECT_EQ(comparison.all.verdict, Verdict::kCantTell);
  EXPECT_THAT(comparison.all.reason, HasSubstr("10 lost, 0 gained of 50 (of 10 sources)"));
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("what is tested is 10 sources, not 50 examples")));
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("10 sources do not show a margin of 10")));
  // Nothing lost is no proof either: ten sources are ten.
  EXPECT_EQ(Compare(baseline, baseline, {}, At(10)).all.verdict, Verdict::kCantTell);
  // A cluster of one example is an example.
  for (RunRecord* run : {&baseline, &candidate})
    for (size_t i = 0; i < 50; ++i) run->examples[i].cluster = std::to_string(i);
  EXPECT_FALSE(Compare(baseline, candidate, {}, At(10)).all.clustered);
}

TEST(Compare, SliceThatHoldsAloneButNotAmongMany) {
  // Two slices of 30: no flips, p = .9^30 = .042 each, times two above .05.
  const RunRecord baseline = MadeRun(Outcomes(60, 0), 30), candidate = MadeRun(Outcomes(60, 0), 30, "q8_0");
  Comparison comparison = Compare(baseline, candidate, {}, At(10));
  EXPECT_LT(comparison.slices[0].holds_p, 0.05);
  EXPECT_EQ(comparison.slices[0].verdict, Verdict::kCantTell);
  EXPECT_THAT(comparison.slices[0].reason, HasSubstr("within the margin on its own, not among 2 slices"));
  ASSERT_TRUE(comparison.slices[0].examples_to_settle);
  EXPECT_GT(*comparison.slices[0].examples_to_settle, 30);
}

std::vector<Displacement> Moved(size_t n, double kl, double same_top) {
  std::vector<Displacement> all;
  for (size_t i = 0; i < n; ++i) all.push_back({"e" + std::to_string(i), 10, kl, 2 * kl, same_top, i % 2 ? -1 : 3});
  return all;
}

TEST(Displacement, MayOnlyDowngrade) {
  const auto none = Moved(50, 0.03, 0.92), large_kl = Moved(50, 0.5, 0.92), large_top = Moved(50, 0.03, 0.70);
  EXPECT_EQ(Flipped(50, 0, 0, 10, none).all.verdict, Verdict::kHolds);
  for (const auto& moved : {large_kl, large_top}) {
    Comparison comparison = Flipped(50, 0, 0, 10, moved);
    EXPECT_EQ(comparison.all.verdict, Verdict::kCantTell);
    EXPECT_TRUE(comparison.all.downgraded);
    EXPECT_EQ(comparison.all.examples_to_settle, kSmallSample);
    EXPECT_THAT(comparison.all.reason, HasSubstr("the outputs moved as far as 2-bit quantization"));
    // Neither a crack nor an open question becomes better or worse.
    EXPECT_EQ(Flipped(50, 6, 0, 10, moved).all.verdict, Verdict::kCracks);
    EXPECT_EQ(Flipped(50, 2, 0, 10, moved).all.verdict, Verdict::kCantTell);
    EXPECT_FALSE(Flipped(50, 2, 0, 10, moved).all.downgraded);
  }
  // No displacement at all does not prove anything either.
  EXPECT_EQ(Flipped(50, 6, 0, 10, Moved(50, 0, 1)).all.verdict, Verdict::kCracks);
  EXPECT_EQ(Flipped(50, 2, 0, 10, Moved(50, 0, 1)).all.verdict, Verdict::kCantTell);
  // Enough passes overrule.
  EXPECT_EQ(Flipped(120, 0, 0, 10, Moved(120, 0.5, 0.7)).all.verdict, Verdict::kHolds);
}

TEST(Displacement, IsPooledOverTokens) {
  std::vector<Displacement> moved = {
      {"e0", 30, 0.1, 0.4, 1.0, -1}, {"e1", 10, 0.5, 0.9, 0.6, 4}, {"e2", 0, 0, 0, 1, -1}};
  DisplacementSummary sum = Flipped(50, 0, 0, 10, moved).all.displacement;
  EXPECT_TRUE(sum.measured);
  EXPECT_EQ(sum.tokens, 40);
  EXPECT_EQ(sum.examples, 3);
  EXPECT_NEAR(sum.mean_kl, 0.2, 1e-12);
  EXPECT_NEAR(sum.same_top, 0.9, 1e-12);
  EXPECT_EQ(sum.max_kl, 0.9);
  EXPECT_NEAR(sum.diverged, 1.0 / 3, 1e-12);
  EXPECT_FALSE(Flipped(50, 0, 0).all.displacement.measured);
}

TEST(Compare, FailureClassesAndChanges) {
  RunRecord baseline = MadeRun("...xx" + std::string(45, '.')),
            candidate = MadeRun("xx.x" + std::string(46, '.'), 0, "q2_k");
  candidate.examples[0].checks[0].failure = "no call";
  candidate.examples[1].checks[0].failure = "no call";
  candidate.examples[10].answer_ids = {1, 9};  // another answer, still right
  candidate.examples[11].finish = "length";
  Comparison comparison = Compare(baseline, candidate, {}, At(10));
  ASSERT_EQ(comparison.failures.size(), 2u);
  EXPECT_EQ(comparison.failures[0].failure, "no call");
  EXPECT_EQ(comparison.failures[0].baseline, 0);
  EXPECT_EQ(comparison.failures[0].candidate, 2);
  EXPECT_EQ(comparison.failures[1].failure, "wrong value");
  EXPECT_EQ(comparison.failures[1].baseline, 2);
  EXPECT_EQ(comparison.failures[1].candidate, 1);
  EXPECT_EQ(comparison.pairs[0].outcome, Outcome::kRegression);
  EXPECT_EQ(comparison.pairs[3].outcome, Outcome::kBothFail);
  EXPECT_EQ(comparison.pairs[4].outcome, Outcome::kFix);
  EXPECT_TRUE(comparison.pairs[10].changed);
  EXPECT_FALSE(comparison.pairs[12].changed);
  EXPECT_THAT(comparison.notes, Contains("1 answer of the candidate ran into the token limit, 0 of the baseline"));
  Json json = ToJson(comparison);
  EXPECT_EQ(json["regressions"].size(), 2u);
  EXPECT_EQ(json["regressions"][0]["failure"], "no call");
  EXPECT_EQ(json["fixes"], Json({"e4"}));
  EXPECT_EQ(json["changed"], Json({"e10"}));
}

TEST(Compare, ManyExamplesStayCheap) {
  // As many as MMLU-Pro, with a fifth of the outcomes flipped.
  Comparison comparison = Flipped(12000, 1300, 1100, 5);
  EXPECT_EQ(comparison.all.verdict, Verdict::kHolds);
  EXPECT_THAT(comparison.notes, Contains("holds within 5 points, with a measured loss of 1.7"));
  ASSERT_TRUE(comparison.all.detectable_drop);
  EXPECT_LT(*comparison.all.detectable_drop, 0.02);
}

TEST(Compare, ManySlicesStayCheap) {
  // Each of them has its figures; those with the same counts have the same. Once they were made anew for every slice
  // and a slice was looked for among all: minutes. The same examples in one slice tell what they cost on this machine.
  constexpr size_t kSlices = 5000;
  std::string base(kSlices, '.'), other = base;
  for (size_t i = 0; i < kSlices; i += 7) other[i] = 'x';
  const auto compare = [&](size_t slices, Comparison& comparison) {
    const RunRecord baseline = MadeRun(base, kSlices / slices), candidate = MadeRun(other, kSlices / slices, "q8_0");
    return ProcessorSeconds([&] { comparison = Compare(baseline, candidate, {}, At(10)); });
  };
  Comparison whole, comparison;
  const double one = compare(1, whole);
  EXPECT_LT(compare(kSlices, comparison), 4 * one);
  EXPECT_EQ(whole.slices.size(), 1);
  ASSERT_EQ(comparison.slices.size(), kSlices);
  // The figures of one slice are those of a comparison of it alone.
  const Judgement& slice = comparison.slices[8];
  EXPECT_EQ(slice.name, "s8");
  const Comparison alone = Compare(MadeRun(".", 1), MadeRun(".", 1, "q8_0"), {}, At(10));
  EXPECT_EQ(slice.mid_p, alone.slices[0].mid_p);
  EXPECT_EQ(slice.chance_worse, alone.slices[0].chance_worse);
  EXPECT_EQ(slice.drop.upper, alone.slices[0].drop.upper);
}

TEST(Compare, JsonIsDeterministic) {
  const auto moved = Moved(50, std::numeric_limits<double>::infinity(), 0.5);
  const std::string first = DumpJson(ToJson(Flipped(50, 3, 1, 10, moved))),
                    second = DumpJson(ToJson(Flipped(50, 3, 1, 10, moved)));
  EXPECT_EQ(first, second);
  EXPECT_THAT(first, HasSubstr("\"mean_kl\":\"inf\""));
  EXPECT_THAT(first, HasSubstr("\"mid_p\":0.1875"));
  EXPECT_EQ(first.find("started"), std::string::npos);
  EXPECT_EQ(first.find("-0.0,"), std::string::npos);
}

CheckRecord RecordOf(std::vector<std::string> outcomes, std::vector<uint64_t> sizes) {
  CheckRecord record;
  record.margin = 10;
  record.baseline.run = MadeRun(Outcomes(50, 0), 10);
  record.baseline.run.header.model.file_bytes = 1000;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Arm arm;
    arm.run = MadeRun(outcomes[i], 10, "f" + std::to_string(i));
    arm.run.header.model.file_bytes = sizes[i];
    record.candidates.push_back(std::move(arm));
  }
  return record;
}

std::string AdviceOf(const CheckRecord& record) {
  return Advice(record, Judge(record));
}

TEST(Advice, SmallestThatHolds) {
  const std::string lost_seven = std::string(7, 'x') + std::string(43, '.'), lost_two = "xx" + std::string(48, '.'),
                    same(50, '.');
  CheckRecord record = RecordOf({same, same, lost_seven, lost_two}, {500, 400, 100, 200});
  EXPECT_EQ(WalkDown(record, Judge(record)).recommended(), 1u);
  EXPECT_EQ(
      AdviceOf(record),
      "Ship f1 (400 B, 40% of bf16): it and everything larger hold within 10 points (0 lost, 0 gained of 50); with 10 "
      "examples, s0 may still be 26 points down.");
  EXPECT_THAT(AdviceOf(RecordOf({lost_seven}, {100})),
              HasSubstr("Do not ship any of these for this task: the largest, f0, cracks (7 lost, 0 gained of 50)"));
  EXPECT_THAT(AdviceOf(RecordOf({lost_seven, lost_two}, {100, 200})),
              HasSubstr("Nothing is recommended: f1, the largest, is not shown to hold within 10 points (2 lost, 0 "
                        "gained of 50). Nearest to an answer is f1 (2 lost, 0 gained of 50): about "));
  // The smallest one holds, and is not reached: the walk stops where it must.
  record = RecordOf({same, lost_two, same}, {500, 400, 100});
  EXPECT_EQ(WalkDown(record, Judge(record)).recommended(), 0u);
  EXPECT_THAT(AdviceOf(record), HasSubstr("From the largest down, f1 is the first that does not: f2, smaller, holds on "
                                          "its own and is not recommended."));
  record.as_given = true;
  record.candidates[0].run.header.model.file_bytes = 1;
  EXPECT_EQ(WalkDown(record, Judge(record)).order, (std::vector<size_t>{0, 1, 2}));
  record.as_given = false;
  EXPECT_EQ(WalkDown(record, Judge(record)).order, (std::vector<size_t>{1, 2, 0}));
  record = RecordOf({lost_seven}, {100});
  EXPECT_EQ(WalkDown(record, Judge(record)).recommended(), std::nullopt);
}

TEST(Advice, NamesNoSizesThatDoNotLead) {
  const std::string same(50, '.'), lost_seven = std::string(7, 'x') + std::string(43, '.');
  CheckRecord record = RecordOf({lost_seven, same}, {100, 400});
  record.as_given = true;
  EXPECT_THAT(AdviceOf(record), HasSubstr("Nothing is recommended: f0, the first, does not hold"));
  EXPECT_THAT(AdviceOf(record), HasSubstr("In the order given, f0 is the first that does not: f1, after it, holds"));
  record = RecordOf({same, lost_seven}, {0, 0});  // sizes are not known
  EXPECT_THAT(AdviceOf(RecordOf({same, same}, {0, 0})), HasSubstr("Ship f1: it and all before it hold"));
  // The best comes first, and is not what is shipped: something smaller than the baseline does hold.
  record = RecordOf({same, same}, {400, 2000});
  record.as_given = true;
  EXPECT_THAT(AdviceOf(record), HasSubstr("Ship f1"));
  // What cannot be compared has not failed to hold.
  record = RecordOf({same, same}, {500, 400});
  record.candidates[0].run.header.task_hash = "other";
  EXPECT_THAT(AdviceOf(record),
              HasSubstr("Nothing is recommended: f0, the largest, cannot be compared with the baseline"));
  EXPECT_THAT(AdviceOf(record), HasSubstr("f0 is the first that cannot be compared: f1, smaller, holds on its own"));
}

TEST(Advice, KeepsTheBaselineWhenOnlyLargerOnesHold) {
  CheckRecord record = RecordOf({std::string(50, '.'), std::string(7, 'x') + std::string(43, '.')}, {1200, 100});
  EXPECT_EQ(
      AdviceOf(record),
      "Keep bf16: nothing smaller is shown to hold within 10 points; f0 (1.17 KiB, 120% of bf16) holds (0 lost, 0 "
      "gained of 50); with 10 examples, s0 may still be 26 points down.");
}

TEST(Advice, ACrackedSliceSpoilsAnOverallHold) {
  // Seven lost in one slice, five gained elsewhere, at a wide margin: holds overall, cracks in s0.
  CheckRecord record = RecordOf({std::string(7, 'x') + std::string(43, '.')}, {100});
  record.margin = 30;
  std::vector<Comparison> comparisons = Judge(record);
  ASSERT_EQ(comparisons[0].all.verdict, Verdict::kHolds);
  ASSERT_EQ(comparisons[0].slices[0].verdict, Verdict::kCracks);
  EXPECT_EQ(WalkDown(record, comparisons).recommended(), std::nullopt);
  EXPECT_EQ(
      Advice(record, comparisons),
      "f0 cracks in s0 (7 lost, 0 gained of 10), though it holds on average. No format is recommended: f0 holds on "
      "average only.");
}

TEST(Compare, NoDropIsFoundThatTheBaselineCannotHave) {
  // Five of fifty pass: no loss is larger than ten points.
  const CheckRecord record =
      RecordOf({std::string(5, '.') + std::string(45, 'x'), std::string(4, '.') + std::string(46, 'x')}, {1200, 100});
  CheckRecord weak = record;
  weak.baseline.run.examples = record.candidates[0].run.examples;
  EXPECT_EQ(Judge(weak)[1].all.detectable_drop, std::nullopt);
  EXPECT_NE(Judge(RecordOf({std::string(50, '.')}, {100}))[0].all.detectable_drop, std::nullopt);
}

TEST(Advice, NothingToCompare) {
  CheckRecord record = RecordOf({std::string(50, '.')}, {100});
  record.candidates[0].run.header.task_hash = "other";
  EXPECT_EQ(AdviceOf(record), "No candidate can be compared with the baseline; see the reasons.");
  record.candidates.clear();
  EXPECT_EQ(AdviceOf(record), "There is no candidate to judge.");
}

}  // namespace
}  // namespace assay
