// What prompts without right answers add to a verdict.
#include "evidence/unlabelled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/hash.h"
#include "evidence/advice.h"
#include "evidence/comparison.h"
#include "evidence/runs.h"
#include "statistics/interval.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Answers as letters, one a prompt: the same letter is the same answer; '-' is blank, 'E' an error.
RunRecord Prompts(const std::string& answers, const std::string& format) {
  RunRecord run = MadeRun(std::string(answers.size(), '.'), 0, format);
  run.header.task_name = "traffic.jsonl";
  for (size_t i = 0; i < answers.size(); ++i) {
    ExampleResult& result = run.examples[i];
    result.prompt_hash = "u" + std::to_string(i);
    result.answer = answers.substr(i, 1);
    result.checks = {{"reading", true, "", "text:" + result.answer}};
    if (answers[i] == '-') {
      result.pass = false;
      result.checks = {{"reading", false, "empty", "the answer is empty"}};
    }
    if (answers[i] == 'E') {
      result.error = "server said 500";
      result.checks.clear();
    }
  }
  return run;
}

/// The first `differ` of n prompts are answered otherwise.
CheckRecord Record(const std::string& base, const std::string& other, size_t prompts, size_t differ, double margin) {
  CheckRecord record;
  record.margin = margin;
  record.baseline.run = MadeRun(base);
  record.baseline.unlabelled = Prompts(std::string(prompts, 'a'), "bf16");
  Arm& arm = record.candidates.emplace_back();
  arm.run = MadeRun(other, 0, "q4_0");
  arm.unlabelled = Prompts(std::string(differ, 'b') + std::string(prompts - differ, 'a'), "q4_0");
  return record;
}

void Label(CheckRecord& record, size_t prompt, const std::string& right) {
  const ExampleResult& base = record.baseline.unlabelled.examples[prompt];
  record.labels.push_back(
      {base.id, HashHex(base.answer), HashHex(record.candidates[0].unlabelled.examples[prompt].answer), right});
}

TEST(Unlabelled, BoundBeforeAnyLabel) {
  struct Row {
    size_t prompts, differ;
    double bound;
  };
  // The p at which P(X <= d) of Binomial(N, p) is .05, by bisection of the exact sum.
  const Row rows[] = {
      {400, 8, 0.035797}, {450, 14, 0.048210}, {450, 15, 0.050864}, {400, 0, 0.007461}, {30, 0, 0.095034}};
  for (const Row& row : rows) {
    const CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), row.prompts, row.differ, 10);
    const Comparison found = Judge(record)[0];
    ASSERT_TRUE(found.unlabelled);
    EXPECT_NEAR(found.unlabelled->bound, row.bound, 2e-6) << row.prompts << " " << row.differ;
    EXPECT_EQ(found.unlabelled->differing.size(), row.differ);
  }
}

TEST(Unlabelled, LiftsCantTellToHolds) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 0, 0, 5);
  EXPECT_EQ(Judge(record)[0].all.verdict, Verdict::kCantTell);
  EXPECT_FALSE(Judge(record)[0].unlabelled);
  record = Record(std::string(50, '.'), std::string(50, '.'), 400, 8, 5);
  const Comparison found = Judge(record)[0];
  EXPECT_EQ(found.all.verdict, Verdict::kHolds) << found.all.reason;
  EXPECT_TRUE(found.unlabelled->used && found.unlabelled->decided);
  EXPECT_EQ(found.unlabelled->examples, 450);
  EXPECT_EQ(found.unlabelled->unknown, 8);
  EXPECT_THAT(found.unlabelled->summary, HasSubstr("400 unlabelled prompts: 8 answers differ, so at most 3.6 points"));
  EXPECT_THAT(found.all.reason, HasSubstr("8 of unknown worth of 450 (50 examples and 400 unlabelled prompts)"));
  EXPECT_LE(found.all.drop.upper, 0.05);
  EXPECT_THAT(found.notes, Not(testing::Contains(HasSubstr("do not show a margin"))));
  EXPECT_THAT(Advice(record, Judge(record)), HasSubstr("8 of 400 unlabelled answers differ"));
}

TEST(Unlabelled, FourteenOfFourHundredAndFiftyShowFivePoints) {
  // One labelled example, so that there is a verdict at all; it changes nothing here.
  EXPECT_EQ(Judge(Record(".", ".", 450, 14, 5))[0].all.verdict, Verdict::kHolds);
  EXPECT_EQ(Judge(Record(".", ".", 450, 17, 5))[0].all.verdict, Verdict::kCantTell);
}

TEST(Unlabelled, NeverTakesCracksBack) {
  const CheckRecord record = Record(std::string(50, '.'), "xxxx" + std::string(46, '.'), 400, 0, 5);
  const Comparison found = Judge(record)[0];
  EXPECT_LE(found.unlabelled->holds_p, 0.05);
  EXPECT_EQ(found.all.verdict, Verdict::kCracks);
  EXPECT_FALSE(found.unlabelled->decided);
}

TEST(Unlabelled, UnknownAnswersNeverCrack) {
  const Comparison found = Judge(Record(std::string(50, '.'), std::string(50, '.'), 400, 30, 10))[0];
  EXPECT_NE(found.all.verdict, Verdict::kCracks);
  EXPECT_GT(found.unlabelled->cracks_p, 0.5);
}

TEST(Unlabelled, LabelsTurnThemIntoLostAndGained) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 8, 2);
  EXPECT_EQ(Judge(record)[0].all.verdict, Verdict::kCantTell);
  for (size_t i = 0; i < 8; ++i)
    Label(record, i, i < 2 ? "both" : i < 4 ? "neither" : i < 6 ? "candidate" : "baseline");
  Comparison found = Judge(record)[0];
  EXPECT_EQ(found.unlabelled->lost, 2);
  EXPECT_EQ(found.unlabelled->gained, 2);
  EXPECT_EQ(found.unlabelled->same_worth, 4);
  EXPECT_EQ(found.unlabelled->unknown, 0);
  EXPECT_EQ(found.all.verdict, Verdict::kHolds) << found.all.reason;
  EXPECT_THAT(StaleLabels(record), testing::IsEmpty());
  EXPECT_THAT(Advice(record, Judge(record)),
              HasSubstr("8 of 400 unlabelled answers differ: 2 lost, 2 gained, 4 worth the same)"));
  // All lost is a loss that fifty examples did not show.
  record.labels.clear();
  for (size_t i = 0; i < 8; ++i) Label(record, i, "baseline");
  found = Judge(record)[0];
  EXPECT_EQ(found.all.verdict, Verdict::kCracks) << found.all.reason;
  EXPECT_TRUE(found.unlabelled->decided);
}

TEST(Unlabelled, LabelsOfOtherAnswersDoNotCount) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 8, 10);
  Label(record, 0, "both");
  record.labels[0].other_hash = HashHex("something else");
  EXPECT_EQ(Judge(record)[0].unlabelled->unknown, 8);
  EXPECT_THAT(StaleLabels(record), ElementsAre("e0"));
}

TEST(Unlabelled, WhereMostAnswersDifferTheExamplesDecideAlone) {
  const Comparison found = Judge(Record(std::string(50, '.'), std::string(50, '.'), 100, 90, 10))[0];
  EXPECT_FALSE(found.unlabelled->used);
  EXPECT_EQ(found.all.verdict, Verdict::kHolds);
  EXPECT_THAT(found.unlabelled->summary, HasSubstr("worded anew"));
}

TEST(Unlabelled, MoreThanTheMarginSaysNothingBeforeItIsLabelled) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 60, 10);
  EXPECT_FALSE(Judge(record)[0].unlabelled->used);
  EXPECT_EQ(Judge(record)[0].all.verdict, Verdict::kHolds);
  for (size_t i = 0; i < 60; ++i) Label(record, i, "both");
  EXPECT_TRUE(Judge(record)[0].unlabelled->used);
  // Near the margin the two are one test, so that together they do not claim more than the level allows.
  const Comparison near = Judge(Record(std::string(50, '.'), std::string(50, '.'), 400, 40, 10))[0];
  EXPECT_EQ(near.all.verdict, Verdict::kCantTell);
  EXPECT_THAT(near.all.reason, HasSubstr("label the answers that differ (the task's examples alone hold)"));
}

TEST(Unlabelled, FalseHoldsStayBelowTheLevel) {
  // Ten points are lost, nothing is gained, and at least as many answers differ. All outcomes of 50 examples and 30
  // prompts, by the program's own verdicts.
  constexpr int64_t kExamples = 50, kPrompts = 30, kMostLost = 7;
  std::vector<std::vector<bool>> holds;
  for (int64_t lost = 0; lost <= kMostLost; ++lost) {
    std::vector<bool>& row = holds.emplace_back();
    const std::string after =
        std::string(static_cast<size_t>(lost), 'x') + std::string(static_cast<size_t>(kExamples - lost), '.');
    for (int64_t differ = 0; differ <= kPrompts; ++differ)
      row.push_back(
          Judge(Record(std::string(kExamples, '.'), after, kPrompts, static_cast<size_t>(differ), 10))[0].all.verdict ==
          Verdict::kHolds);
  }
  EXPECT_THAT(holds[kMostLost], Not(testing::Contains(true)));  // nor where more are lost
  double worst = 0;
  for (double rate = 0.1; rate <= 1; rate += 0.02) {
    double chance = 0;
    for (int64_t lost = 0; lost <= kMostLost; ++lost)
      for (int64_t differ = 0; differ <= kPrompts; ++differ)
        if (holds[static_cast<size_t>(lost)][static_cast<size_t>(differ)])
          chance += BinomialPmf(kExamples, lost, 0.1) * BinomialPmf(kPrompts, differ, rate);
    worst = std::max(worst, chance);
  }
  EXPECT_GT(worst, 0.02);
  EXPECT_LE(worst, 0.05);
}

TEST(Unlabelled, AWeakBaselineStillCannotHold) {
  const std::string weak = std::string(10, '.') + std::string(40, 'x');
  EXPECT_EQ(Judge(Record(weak, weak, 400, 0, 5))[0].all.verdict, Verdict::kCantTell);
}

TEST(Unlabelled, PromptsOfTheTaskCountOnce) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 0, 5);
  for (RunRecord* run : {&record.baseline.unlabelled, &record.candidates[0].unlabelled})
    for (size_t i = 0; i < 10; ++i) run->examples[i].prompt_hash = "p" + std::to_string(i);
  EXPECT_EQ(Judge(record)[0].unlabelled->prompts, 390);
  EXPECT_EQ(Judge(record)[0].unlabelled->labelled_too, 10);
  // Nobody is asked what the task knows.
  for (size_t i = 8; i < 12; ++i) record.candidates[0].unlabelled.examples[i].checks[0].detail = "text:other";
  EXPECT_EQ(DifferingPrompts(record, {}).size(), 2u);
}

TEST(Unlabelled, ExamplesOfSeveralAnswersDecideAlone) {
  // One answer of eight gained would make up for an example that is lost whole.
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 0, 5);
  for (RunRecord* run : {&record.baseline.run, &record.candidates[0].run}) {
    run->header.samples = 2;
    const std::vector<ExampleResult> once = run->examples;
    run->examples.clear();
    for (const ExampleResult& example : once)
      for (int64_t sample : {0, 1}) {
        run->examples.push_back(example);
        run->examples.back().sample = sample;
      }
  }
  const Comparison comparison = Judge(record)[0];
  ASSERT_TRUE(comparison.comparable);
  ASSERT_TRUE(comparison.unlabelled);
  EXPECT_FALSE(comparison.unlabelled->used);
  EXPECT_THAT(comparison.unlabelled->summary, HasSubstr("(--samples), prompts once"));
}

TEST(Unlabelled, OneSourceIsOneUnit) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 8, 5);
  for (RunRecord* run : {&record.baseline.unlabelled, &record.candidates[0].unlabelled})
    for (size_t i = 0; i < 400; ++i) run->examples[i].cluster = "c" + std::to_string(i / 40);
  const Comparison found = Judge(record)[0];
  EXPECT_NEAR(found.unlabelled->bound, 0.394163, 2e-6);  // one of ten sources
  EXPECT_EQ(found.all.verdict, Verdict::kCantTell);
}

TEST(Unlabelled, BlankAnswersAreEqualAndErrorsAreLeftOut) {
  CheckRecord record = Record("..", "..", 0, 0, 10);
  record.baseline.unlabelled = Prompts("--aa" + std::string(96, 'a'), "bf16");
  record.candidates[0].unlabelled = Prompts("-bE-" + std::string(96, 'a'), "q4_0");
  const Comparison found = Judge(record)[0];
  EXPECT_THAT(found.unlabelled->differing, ElementsAre("e1", "e3"));
  EXPECT_EQ(found.unlabelled->errors, 1);
  EXPECT_EQ(found.unlabelled->prompts, 99);
}

TEST(Unlabelled, RunsThatCannotBeComparedDoNotCount) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 0, 5);
  record.candidates[0].unlabelled.examples[3].prompt_hash = "other";
  const Comparison found = Judge(record)[0];
  EXPECT_FALSE(found.unlabelled->used);
  EXPECT_EQ(found.all.verdict, Verdict::kCantTell);
  EXPECT_THAT(found.unlabelled->summary, HasSubstr("different prompt tokens"));
}

TEST(Unlabelled, WhatDiffersIsPutBeforeAPersonOnce) {
  CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 4, 2, 5);
  record.candidates.push_back(record.candidates[0]);
  record.candidates[1].unlabelled = Prompts("bbca", "q2_k");
  record.candidates[1].unlabelled.header.model.format = record.candidates[1].run.header.model.format = "q2_k";
  Label(record, 1, "both");
  const std::vector<DifferingPrompt> found = DifferingPrompts(record, {{"e0", "all", {{"user", "hi"}}, ""}});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].prompt[0].text, "hi");
  ASSERT_EQ(found[0].answers.size(), 1u);
  EXPECT_THAT(found[0].answers[0].from, ElementsAre("q4_0", "q2_k"));
  EXPECT_EQ(found[0].answers[0].right, "");
  EXPECT_EQ(found[1].answers[0].right, "both");
  EXPECT_EQ(found[2].draft.answer, "a");
  EXPECT_EQ(found[2].answers[0].answer, "c");
}

TEST(Unlabelled, JsonSaysAll) {
  const CheckRecord record = Record(std::string(50, '.'), std::string(50, '.'), 400, 8, 5);
  const Json json = ToJson(Judge(record)[0])["unlabelled"];
  EXPECT_EQ(json["prompts"], 400);
  EXPECT_EQ(json["differing"].size(), 8u);
  EXPECT_NEAR(json["bound"].get<double>(), 3.579662, 1e-6);
  EXPECT_EQ(json["compared_as"], Json({{"text", 400}}));
  EXPECT_EQ(ToJson(Judge(Record("..", "..", 0, 0, 5))[0])["unlabelled"], Json(nullptr));
}

}  // namespace
}  // namespace assay
