#include "evidence/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/error.h"
#include "evidence/advice.h"
#include "evidence/runs.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// b regressions and c fixes among n, the rest passes both times.
Comparison Flipped(size_t n, size_t b, size_t c, double margin = 10, std::span<const Displacement> displacement = {}) {
  // Static, because a comparison points into its runs.
  static std::vector<std::unique_ptr<RunRecord>> keep;
  keep.push_back(std::make_unique<RunRecord>(MadeRun(std::string(n - c, '.') + std::string(c, 'x'))));
  keep.push_back(std::make_unique<RunRecord>(MadeRun(std::string(b, 'x') + std::string(n - b, '.'), 0, "q4_0")));
  return Compare(*keep[keep.size() - 2], *keep.back(), displacement, margin);
}

TEST(Compare, CountsAndVerdictsFollowTheRule) {
  struct Row {
    size_t n, b, c;
    double margin;
    Verdict verdict;
  };
  // Tango 90% upper ends in points (section 2.3 of the note): 0,0: 5.1; 1,0: 8.5; 2,0: 11.4; 3,3: 9.2. Mid-p: 3,0
  // .0625; 4,0 .031; 6,1 .035.
  const Row rows[] = {
      {50, 0, 0, 10, Verdict::kHolds},    {50, 1, 0, 10, Verdict::kHolds},    {50, 2, 0, 10, Verdict::kCantTell},
      {50, 3, 0, 10, Verdict::kCantTell}, {50, 4, 0, 10, Verdict::kCracks},   {50, 6, 1, 10, Verdict::kCracks},
      {50, 8, 3, 10, Verdict::kCantTell}, {50, 3, 3, 10, Verdict::kHolds},    {50, 0, 0, 5, Verdict::kCantTell},
      {50, 0, 5, 10, Verdict::kHolds},    {10, 0, 0, 10, Verdict::kCantTell}, {100, 0, 0, 5, Verdict::kHolds},
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

TEST(Compare, DefaultMarginFollowsTheNumberOfExamples) {
  EXPECT_EQ(Flipped(50, 0, 0, 0).margin, 10);
  EXPECT_EQ(Flipped(99, 0, 0, 0).margin, 10);
  EXPECT_EQ(Flipped(100, 0, 0, 0).margin, 5);
  EXPECT_THROW(Flipped(50, 0, 0, -1), Error);
  EXPECT_THROW(Flipped(50, 0, 0, 100), Error);
}

TEST(Compare, MeasuredLossBesideHolds) {
  Comparison comparison = Flipped(400, 8, 1, 5);
  EXPECT_EQ(comparison.all.verdict, Verdict::kHolds);
  EXPECT_THAT(comparison.notes, Contains("holds within 5 points, with a measured loss of 1.8"));
}

TEST(Compare, SaysWhenTheMarginIsOutOfReach) {
  EXPECT_THAT(
      Flipped(50, 0, 0, 5).notes,
      Contains(HasSubstr("50 examples cannot show a margin of 5 points even without a single regression; 52 can")));
  EXPECT_EQ(Flipped(51, 0, 0, 5).all.verdict, Verdict::kCantTell);
  EXPECT_EQ(Flipped(52, 0, 0, 5).all.verdict, Verdict::kHolds);
}

TEST(Compare, PromptsMayDifferAsTheirEnginesMakeThem) {
  RunRecord folder = MadeRun(Outcomes(50, 0)), gguf = folder;
  gguf.examples[7].prompt_hash = "x";
  folder.header.prompts_by = "transformers";
  gguf.header.prompts_by = "llama.cpp";
  const Comparison apart = Compare(folder, gguf, {}, 10);
  EXPECT_TRUE(apart.comparable);
  EXPECT_THAT(apart.notes,
              Contains(HasSubstr("prompt tokens of 1 of 50 examples differ, as transformers (baseline) and "
                                 "llama.cpp (candidate) make them of the same messages: e7")));
  gguf.header.now = "2026-05-01T12:30:00";  // another reason
  EXPECT_FALSE(Compare(folder, gguf, {}, 10).comparable);
  gguf.header.now.clear();
  gguf.header.prompts_by = "transformers";
  EXPECT_FALSE(Compare(folder, gguf, {}, 10).comparable);
}

TEST(Compare, GateRefusesDifferentRuns) {
  const RunRecord baseline = MadeRun(Outcomes(50, 0));
  auto obstacles = [&](auto change) {
    RunRecord candidate = MadeRun(Outcomes(50, 0), 0, "q4_0");
    change(candidate);
    Comparison comparison = Compare(baseline, candidate, {}, 10);
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
  Comparison one = Compare(baseline, candidate, {}, 5);
  EXPECT_TRUE(one.comparable);
  EXPECT_EQ(one.all.counts.n, 99);
  EXPECT_EQ(one.all.counts.regressions, 0);
  EXPECT_THAT(one.excluded, ElementsAre("e5"));
  EXPECT_THAT(one.notes, Contains(HasSubstr("left out of both models because one of them had an error: e5")));
  baseline.examples[6].error = "timeout";
  EXPECT_TRUE(Compare(baseline, candidate, {}, 5).comparable);  // 2 of 100 is not more than 2%
  baseline.examples[7].error = "timeout";
  Comparison three = Compare(baseline, candidate, {}, 5);
  EXPECT_FALSE(three.comparable);
  EXPECT_THAT(three.obstacles, ElementsAre("3 of 100 examples ended in an error (more than 2%): e5, e6, e7"));
}

TEST(Compare, WeakBaselineIsNotJudged) {
  // Slices of ten: the first passes, the second fails six times.
  const RunRecord baseline = MadeRun(
                      ".........."
                      "....xxxxxx",
                      10),
                  candidate = MadeRun(
                      ".........."
                      "xxxxxxxxxx",
                      10, "q2_k");
  Comparison comparison = Compare(baseline, candidate, {}, 10);
  ASSERT_EQ(comparison.slices.size(), 2u);
  EXPECT_TRUE(comparison.slices[0].judged);
  EXPECT_FALSE(comparison.slices[1].judged);
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCantTell);
  EXPECT_EQ(comparison.slices[1].reason, "not judged: the baseline itself passes only 4 of 10");
  const RunRecord fails = MadeRun(Outcomes(0, 50)), also = MadeRun(Outcomes(0, 50), 0, "q2_k");
  Comparison nothing = Compare(fails, also, {}, 10);
  EXPECT_FALSE(nothing.all.judged);  // 0 regressions, but nothing was there to lose
  EXPECT_EQ(nothing.all.verdict, Verdict::kCantTell);
}

TEST(Compare, SlicesTakeHolm) {
  // Five slices of ten; four regressions of ten in one is mid-p .031 alone, times five is no verdict; seven (.004) is.
  std::string outcomes(50, '.');
  for (int i : {0, 1, 2, 3}) outcomes[static_cast<size_t>(i)] = 'x';
  const RunRecord baseline = MadeRun(Outcomes(50, 0), 10);
  const RunRecord four = MadeRun(outcomes, 10, "q3_k");
  Comparison comparison = Compare(baseline, four, {}, 10);
  EXPECT_EQ(comparison.all.verdict, Verdict::kCracks);
  EXPECT_NEAR(comparison.slices[0].mid_p, 0.03125, 1e-12);
  EXPECT_NEAR(comparison.slices[0].adjusted_mid_p, 0.15625, 1e-12);
  EXPECT_EQ(comparison.slices[0].verdict, Verdict::kCantTell);
  EXPECT_THAT(comparison.slices[0].reason, HasSubstr("a loss on its own, not among 5 slices"));
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCantTell);  // ten examples never show ten points
  for (int i : {4, 5, 6}) outcomes[static_cast<size_t>(i)] = 'x';
  const RunRecord seven = MadeRun(outcomes, 10, "q2_k");
  EXPECT_EQ(Compare(baseline, seven, {}, 10).slices[0].verdict, Verdict::kCracks);
  // One slice alone is not adjusted.
  const RunRecord alone = MadeRun(Outcomes(50, 0)),
                  lost = MadeRun(std::string(4, 'x') + std::string(46, '.'), 0, "q3_k");
  EXPECT_EQ(Compare(alone, lost, {}, 10).slices[0].verdict, Verdict::kCracks);
}

TEST(Compare, SliceThatHoldsAloneButNotAmongMany) {
  // Two slices of 30: no flips, Tango p = .0339 each, times two above .05.
  const RunRecord baseline = MadeRun(Outcomes(60, 0), 30), candidate = MadeRun(Outcomes(60, 0), 30, "q8_0");
  Comparison comparison = Compare(baseline, candidate, {}, 10);
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
  Comparison comparison = Compare(baseline, candidate, {}, 10);
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
  // and a slice was looked for among all: minutes.
  for (size_t slices : {size_t{100}, size_t{20000}}) {
    std::string base(slices, '.'), other = base;
    for (size_t i = 0; i < slices; i += 7) other[i] = 'x';
    const RunRecord baseline = MadeRun(base, 1), candidate = MadeRun(other, 1, "q8_0");
    const auto start = std::chrono::steady_clock::now();
    const Comparison comparison = Compare(baseline, candidate, {}, 10);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "far less, on an idle machine";
    ASSERT_EQ(comparison.slices.size(), slices);
    // The figures of one slice are those of a comparison of it alone.
    const Judgement& slice = comparison.slices[8];
    EXPECT_EQ(slice.name, "s8");
    const Comparison alone = Compare(MadeRun(".", 1), MadeRun(".", 1, "q8_0"), {}, 10);
    EXPECT_EQ(slice.mid_p, alone.slices[0].mid_p);
    EXPECT_EQ(slice.chance_worse, alone.slices[0].chance_worse);
    EXPECT_EQ(slice.drop.upper, alone.slices[0].drop.upper);
  }
}

TEST(Compare, SharedSourcesAreTold) {
  RunRecord baseline = MadeRun(Outcomes(50, 0)), candidate = MadeRun(Outcomes(50, 0), 0, "q8_0");
  baseline.examples[0].cluster = baseline.examples[1].cluster = "document 1";
  EXPECT_THAT(Compare(baseline, candidate, {}, 10).notes, Contains(HasSubstr("share a source")));
}

TEST(Compare, JsonIsDeterministicAndFinite) {
  const auto moved = Moved(50, std::numeric_limits<double>::infinity(), 0.5);
  const std::string first = DumpJson(ToJson(Flipped(50, 3, 1, 10, moved))),
                    second = DumpJson(ToJson(Flipped(50, 3, 1, 10, moved)));
  EXPECT_EQ(first, second);
  EXPECT_THAT(first, HasSubstr("\"mean_kl\":null"));
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
  EXPECT_EQ(Recommended(record, Judge(record)), 1u);
  EXPECT_EQ(AdviceOf(record),
            "Ship f1 (400 B, 40% of bf16): the smallest that holds within 10 points (0 lost, 0 gained of 50).");
  EXPECT_THAT(AdviceOf(RecordOf({lost_seven}, {100})),
              HasSubstr("Do not ship any of these for this task: the best, f0, still cracks (7 lost, 0 gained of 50)"));
  EXPECT_THAT(AdviceOf(RecordOf({lost_seven, lost_two}, {100, 200})),
              HasSubstr("Nearest to an answer is f1 (2 lost, 0 gained of 50): about "));
  record = RecordOf({lost_seven}, {100});
  EXPECT_EQ(Recommended(record, Judge(record)), std::nullopt);
}

TEST(Advice, KeepsTheBaselineWhenOnlyLargerOnesHold) {
  CheckRecord record = RecordOf({std::string(50, '.'), std::string(7, 'x') + std::string(43, '.')}, {1200, 100});
  EXPECT_EQ(
      AdviceOf(record),
      "Keep bf16: nothing smaller is shown to hold within 10 points; f0 (1.17 KiB, 120% of bf16) holds (0 lost, 0 "
      "gained of 50).");
}

TEST(Advice, ACrackedSliceSpoilsAnOverallHold) {
  // Seven lost in one slice, five gained elsewhere, at a wide margin: holds overall, cracks in s0.
  CheckRecord record = RecordOf({std::string(7, 'x') + std::string(43, '.')}, {100});
  record.margin = 30;
  std::vector<Comparison> comparisons = Judge(record);
  ASSERT_EQ(comparisons[0].all.verdict, Verdict::kHolds);
  ASSERT_EQ(comparisons[0].slices[0].verdict, Verdict::kCracks);
  EXPECT_EQ(Recommended(record, comparisons), std::nullopt);
  EXPECT_EQ(Advice(record, comparisons),
            "No format here holds in every slice. f0 cracks in s0, though it holds overall.");
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
