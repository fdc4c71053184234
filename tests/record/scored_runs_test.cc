// Files are made by hand in the layout that each tool writes (lm-evaluation-harness 0.4, Inspect logs of version 2,
// promptfoo results of version 3).
#include "record/scored_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Outcomes(const RunRecord& run) {
  std::string text;
  for (const ExampleResult& e : run.examples)
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", e.id,
                        !e.error.empty() ? "error"
                        : e.pass         ? "pass"
                                         : "fail");
  return text;
}

ScoredRun Parse(std::string_view text, const ScoreChoice& choice = {}) {
  return ParseScoredRun(text, "dir/file.json", choice);
}

std::string Refusal(std::string_view text, const ScoreChoice& choice = {}) {
  try {
    Parse(text, choice);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

ScoreChoice Metric(const std::string& name) {
  ScoreChoice choice;
  choice.metric = name;
  return choice;
}

std::string LmEval(int id, const std::string& scores, const std::string& filter, const std::string& metrics) {
  return fmt::format(
      R"({{"doc_id": {0}, "doc": {{"question": "q{0}"}}, "target": "7", "arguments": {{"gen_args_0": {{"arg_0": "Q: q{0}"}}}}, )"
      R"("resps": [["so 7"]], "filtered_resps": ["7"], "filter": "{1}", "metrics": [{2}], "doc_hash": "d{0}", )"
      R"("prompt_hash": "p{0}", "target_hash": "t{0}", {3}}})"
      "\n",
      id, filter, metrics, scores);
}

TEST(ScoredRuns, LmEvalSamples) {
  const std::string text =
      LmEval(0, R"("acc": 1.0)", "none", R"("acc")") + LmEval(1, R"("acc": 0.0)", "none", R"("acc")");
  const ScoredRun scored = Parse(text);
  EXPECT_EQ(Outcomes(scored.run), "0:pass 1:fail");
  EXPECT_TRUE(scored.run.complete);
  EXPECT_EQ(scored.run.examples[1].prompt_hash, "p1");
  EXPECT_EQ(scored.run.examples[1].answer, "7");
  EXPECT_EQ(scored.run.examples[1].checks[0].type, "acc");
  EXPECT_EQ(scored.run.header.answers_from, "file.json");
  EXPECT_EQ(scored.run.header.model.format, "file");
  EXPECT_THAT(scored.notes, IsEmpty());
}

TEST(ScoredRuns, LmEvalMetricsAreNamedWhereSeveral) {
  const std::string two = LmEval(0, R"("acc": 1.0, "acc_norm": 0.0)", "none", R"("acc", "acc_norm")");
  EXPECT_THAT(Refusal(two), HasSubstr("several metrics: acc, acc_norm; name one by --metric"));
  EXPECT_EQ(Outcomes(Parse(two, Metric("acc_norm")).run), "0:fail");
  EXPECT_THAT(Refusal(two, Metric("f1")), HasSubstr("no metric \"f1\"; there are: acc, acc_norm"));
  // Two filters: every example stands twice.
  const std::string filters = LmEval(0, R"("exact_match": 0.0)", "strict-match", R"("exact_match")") +
                              LmEval(0, R"("exact_match": 1.0)", "flexible-extract", R"("exact_match")");
  EXPECT_THAT(Refusal(filters), HasSubstr("exact_match,strict-match, exact_match,flexible-extract"));
  EXPECT_EQ(Outcomes(Parse(filters, Metric("exact_match,flexible-extract")).run), "0:pass");
  // One filter need not be named; without a list of metrics what is a number counts.
  const std::string one = LmEval(0, R"("exact_match": 1.0)", "strict-match", R"("exact_match")");
  EXPECT_EQ(Outcomes(Parse(one, Metric("exact_match")).run), "0:pass");
  EXPECT_EQ(Outcomes(Parse("{\"doc_id\": 3, \"doc\": {}, \"resps\": [[[-1.5, false]]], \"acc\": 1.0}\n").run),
            "3:pass");
}

TEST(ScoredRuns, OtherScoresNeedAThreshold) {
  const std::string text = LmEval(0, R"("f1": 0.8)", "none", R"("f1")") + LmEval(1, R"("f1": 0.0)", "none", R"("f1")") +
                           LmEval(2, R"("f1": 0.25)", "none", R"("f1")");
  EXPECT_THAT(Refusal(text), HasSubstr("2 of 3 scores of f1 are neither 0 nor 1 (0.8 in line 1, 0.25 in line 3)"));
  ScoreChoice choice;
  choice.threshold = 0.5;
  const ScoredRun scored = Parse(text, choice);
  EXPECT_EQ(Outcomes(scored.run), "0:pass 1:fail 2:fail");
  EXPECT_THAT(scored.notes, ElementsAre("f1 of at least 0.5 passes"));
}

constexpr std::string_view kInspect = R"({
  "version": 2, "status": "success",
  "eval": {"created": "2026-05-01T10:00:00+00:00", "task": "capitals", "model": "vllm/demo", "config": {"epochs": 1}},
  "plan": {"name": "plan", "steps": []},
  "results": {"total_samples": 4, "completed_samples": 3},
  "samples": [
    {"id": "a", "epoch": 1, "input": "Capital of France?", "target": "Paris", "metadata": {"slice": "europe"},
     "output": {"model": "demo", "choices": [{"message": {"role": "assistant", "content": "Paris"}, "stop_reason": "stop"}],
                "completion": "Paris"},
     "scores": {"match": {"value": "C", "answer": "Paris", "explanation": "Paris"}}},
    {"id": "b", "epoch": 1, "input": "Capital of Peru?", "target": "Lima", "metadata": {},
     "output": {"model": "demo", "choices": [{"message": {"role": "assistant", "content": "Li"}, "stop_reason": "max_tokens"}],
                "completion": "Li"},
     "scores": {"match": {"value": "I", "answer": "Li", "explanation": "found Li"}}},
    {"id": 7, "epoch": 1, "input": [{"id": "x1", "role": "user", "content": "?"}], "target": "", "output": {"completion": ""},
     "scores": {"match": {"value": "N"}}},
    {"id": "d", "epoch": 1, "input": "?", "target": "", "error": {"message": "Connection reset", "traceback": "…"}}
  ]})";

TEST(ScoredRuns, InspectLog) {
  const ScoredRun scored = Parse(kInspect);
  EXPECT_EQ(Outcomes(scored.run), "a:pass b:fail 7:fail d:error");
  EXPECT_EQ(scored.run.header.model.name, "vllm/demo");
  EXPECT_EQ(scored.run.header.task_name, "capitals");
  EXPECT_EQ(scored.run.examples[0].slice, "europe");
  EXPECT_EQ(scored.run.examples[1].slice, "all");
  EXPECT_EQ(scored.run.examples[1].finish, "length");
  EXPECT_EQ(scored.run.examples[1].checks[0].detail, "found Li");
  EXPECT_FALSE(scored.run.examples[0].prompt_hash.empty());
  EXPECT_EQ(scored.run.examples[3].error, "Connection reset");
}

TEST(ScoredRuns, InspectOddities) {
  auto with = [](std::string from, std::string to) {
    std::string text(kInspect);
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  };
  EXPECT_FALSE(Parse(with(R"("status": "success")", R"("status": "cancelled")")).run.complete);
  EXPECT_THAT(Refusal(with(R"("value": "C")", R"("value": "P")")), HasSubstr("0.5 in samples[0]"));
  EXPECT_THAT(Refusal(with(R"("value": "C")", R"("value": "great")")),
              HasSubstr("samples[0]: match: expected a number, true, false, pass or fail, found \"great\""));
  EXPECT_THAT(
      Refusal(with(R"({"match": {"value": "C")", R"({"model_graded_fact": {"value": "I"}, "match": {"value": "C")")),
      HasSubstr("several scores: model_graded_fact, match"));
  EXPECT_THAT(Refusal(with(R"("value": "C")", R"("value": {"f1": 1})")), HasSubstr("several scores: match/f1, match"));
}

TEST(ScoredRuns, InspectEpochsShareACluster) {
  const ScoredRun scored = Parse(R"({"status": "success", "eval": {"task": "t", "model": "m"}, "samples": [
    {"id": "a", "epoch": 1, "scores": {"s": {"value": 1}}}, {"id": "a", "epoch": 2, "scores": {"s": {"value": 0}}}]})");
  EXPECT_EQ(Outcomes(scored.run), "a#1:pass a#2:fail");
  EXPECT_EQ(scored.run.examples[1].cluster, "a");
  EXPECT_THAT(scored.notes, ElementsAre(HasSubstr("several epochs")));
  EXPECT_THAT(Refusal(R"({"status": "success", "eval": {}, "plan": {}})"), HasSubstr("the log has no samples"));
  EXPECT_THAT(
      Refusal(
          R"({"status": "error", "error": {"message": "no key"}, "eval": {}, "samples": [{"id": 1, "scores": {}}]})"),
      HasSubstr("the log is unfinished, no sample has a score: status \"error\", no key"));
  EXPECT_THAT(Refusal("PK\x03\x04zip"), HasSubstr("inspect log convert dir/file.json --to json"));
}

constexpr std::string_view kPromptfoo = R"({
  "evalId": "eval-1", "config": {}, "shareableUrl": null,
  "results": {"version": 3, "timestamp": "2026-05-01T10:00:00.000Z", "prompts": [], "results": [
    {"promptIdx": 0, "testIdx": 0, "provider": {"id": "openai:base", "label": ""}, "prompt": {"raw": "Q1", "label": "Q"},
     "vars": {"q": "1"}, "response": {"output": "one"}, "success": true, "score": 1, "failureReason": 0,
     "namedScores": {}, "gradingResult": {"pass": true, "score": 1, "reason": "All assertions passed"},
     "testCase": {"vars": {"q": "1"}, "metadata": {"slice": "numbers"}}},
    {"promptIdx": 1, "testIdx": 0, "provider": {"id": "openai:small", "label": "small"}, "prompt": {"raw": "Q1", "label": "Q"},
     "vars": {"q": "1"}, "response": {"output": {"n": 2}}, "success": false, "score": 0, "failureReason": 1,
     "namedScores": {}, "gradingResult": {"pass": false, "score": 0, "reason": "Expected one"}},
    {"promptIdx": 0, "testIdx": 1, "provider": {"id": "openai:base", "label": ""}, "prompt": {"raw": "Q2", "label": "Q"},
     "vars": {"q": "2"}, "success": false, "score": 0, "failureReason": 2, "error": "API error: 503", "namedScores": {}},
    {"promptIdx": 1, "testIdx": 1, "provider": {"id": "openai:small", "label": "small"}, "prompt": {"raw": "Q2", "label": "Q"},
     "vars": {"q": "2"}, "response": {"output": "two"}, "success": true, "score": 1, "failureReason": 0, "namedScores": {}}
  ], "stats": {"successes": 2, "failures": 1, "errors": 1}}})";

TEST(ScoredRuns, PromptfooResults) {
  EXPECT_THAT(Refusal(kPromptfoo),
              HasSubstr("several providers: openai:base, small; name one by dir/file.json#PROVIDER"));
  ScoreChoice base, small;
  base.arm = "openai:base";
  small.arm = "small";
  const ScoredRun one = Parse(kPromptfoo, base), two = Parse(kPromptfoo, small);
  EXPECT_EQ(Outcomes(one.run), "test 0:pass test 1:error");
  EXPECT_EQ(Outcomes(two.run), "test 0:fail test 1:pass");
  EXPECT_EQ(one.run.examples[0].prompt_hash, two.run.examples[0].prompt_hash);
  EXPECT_NE(one.run.examples[0].prompt_hash, one.run.examples[1].prompt_hash);
  EXPECT_EQ(one.run.examples[0].slice, "numbers");
  EXPECT_EQ(one.run.examples[1].error, "API error: 503");
  EXPECT_EQ(two.run.header.model.name, "small");
  EXPECT_EQ(two.run.examples[0].answer, "{\"n\":2}");
  EXPECT_EQ(two.run.examples[0].checks[0].detail, "Expected one");
  EXPECT_THAT(Refusal(R"({"eval": {}, "samples": [{"id": 1, "scores": {"s": {"value": 1}}}]})", small),
              HasSubstr("only promptfoo's files have several providers"));
}

TEST(ScoredRuns, PromptfooRepeatsShareACluster) {
  const ScoredRun scored = Parse(R"({"results": [
    {"testIdx": 0, "provider": "p", "success": true}, {"testIdx": 0, "provider": "p", "success": false},
    {"testIdx": 1, "provider": "p", "success": true}]})");
  EXPECT_EQ(Outcomes(scored.run), "test 0:pass test 0#2:fail test 1:pass");
  EXPECT_EQ(scored.run.examples[0].cluster, "test 0");
  EXPECT_EQ(scored.run.examples[1].cluster, "test 0");
  EXPECT_EQ(scored.run.examples[2].cluster, "");
}

TEST(ScoredRuns, Csv) {
  const ScoredRun scored =
      Parse("id,pass,slice,cluster,latency\na,1,json,doc1,3\nb,fail,,,4\n\"c,\"\"x\",TRUE,tools,,5\r\n");
  EXPECT_EQ(Outcomes(scored.run), "a:pass b:fail c,\"x:pass");
  EXPECT_EQ(scored.run.examples[0].cluster, "doc1");
  EXPECT_EQ(scored.run.examples[1].slice, "all");
  EXPECT_THAT(scored.notes, ElementsAre("columns that are not read: latency"));
  EXPECT_EQ(Outcomes(Parse("\xEF\xBB\xBFID;Pass\na;0\n").run), "a:fail");
  EXPECT_EQ(Outcomes(Parse("id\tscore\na\t1\n", Metric("score")).run), "a:pass");
  EXPECT_THAT(Refusal("id,score\na,1\n"), HasSubstr(":1: no column pass; expected id, pass"));
  EXPECT_THAT(Refusal("id,pass\na,1\na,0\n"), HasSubstr("line 3: a second result for a; the first is line 2"));
  EXPECT_THAT(Refusal("id,pass\na,maybe\n"), HasSubstr("line 2: pass: expected a number, true, false, pass or fail"));
  EXPECT_THAT(Refusal("id,pass\na\n"), HasSubstr(":2: expected 2 fields, found 1"));
  EXPECT_THAT(Refusal("id,pass\n\"a,1\n"), HasSubstr(":2: a quote is not closed"));
  EXPECT_THAT(Refusal("id,pass\na\"b,1\n"), HasSubstr(":2: a quote inside a field"));
  EXPECT_THAT(Refusal("id,pass\n,1\n"), HasSubstr(":2: the id is empty"));
  EXPECT_THAT(Refusal("id,pass\n"), HasSubstr("no example is in it"));
}

TEST(ScoredRuns, OtherFilesAreToldApart) {
  EXPECT_THAT(Refusal(R"({"results": {"gsm8k": {"exact_match,strict-match": 0.5}}, "versions": {}})"),
              HasSubstr("run it with --log_samples"));
  EXPECT_THAT(Refusal("{\"id\": \"a\", \"answer\": \"x\"}\n{\"id\": \"b\", \"answer\": \"y\"}\n"),
              HasSubstr("assay score TASK FILE -o RUN"));
  EXPECT_THAT(Refusal("just words"), HasSubstr("found text"));
  EXPECT_THAT(Refusal(" \n"), HasSubstr("the file is empty"));
  EXPECT_THAT(Refusal("{\"a\": 1,\n \"b\": }"), HasSubstr("dir/file.json"));
}

TEST(ScoredRuns, LabelsTellThemApart) {
  RunRecord a, b;
  auto labels = [&](std::vector<std::filesystem::path> paths, const std::set<std::string>& taken = {}) {
    a.header.model.format = b.header.model.format = "?";
    RunRecord* const both[] = {&a, &b};
    LabelScoredRuns(both, paths, taken);
    return a.header.model.format + " | " + b.header.model.format;
  };
  EXPECT_EQ(labels({"x/2026_long.json", "y/2026_longer.json"}), "x | y");
  EXPECT_EQ(labels({"x/a.json", "y/b.json"}, {"y"}), "a | b");
  EXPECT_EQ(labels({"a.csv", "b.csv"}), "a | b");
  EXPECT_EQ(labels({"x/1/a.csv", "y/1/a.csv"}), "x/1/a.csv | y/1/a.csv");
  EXPECT_EQ(labels({"a.csv", "a.csv"}), "? | ?") << "a file and itself: the reader's own name stays";
  a.header.model.name = "base";
  b.header.model.name = "small";
  EXPECT_EQ(labels({"x/a.json", "y/b.json"}), "base | small");
}

TEST(ScoredRuns, WorkIsBounded) {
  std::string many, repeats;
  for (int i = 0; i <= 1000; ++i) many += LmEval(i, fmt::format("\"m{}\": 1", i), "none", fmt::format("\"m{}\"", i));
  EXPECT_THAT(Refusal(many), HasSubstr("more than 1000 different metrics"));
  for (int i = 0; i < 50'000; ++i)
    repeats += (i ? "," : "") + std::string(R"({"testIdx": 0, "provider": "p", "success": true})");
  EXPECT_EQ(Parse("{\"results\": [" + repeats + "]}").run.examples.size(), 50'000u);
}

// Cut anywhere, a file is refused or is a shorter one.
TEST(ScoredRuns, CutAnywhere) {
  const std::string csv = "id,pass,slice\na,1,\"x\ny\"\nb,0,z\n", lines = LmEval(0, R"("acc": 1)", "none", R"("acc")");
  for (std::string_view text : {std::string_view(csv), std::string_view(lines), kInspect, kPromptfoo})
    for (size_t size = 0; size < text.size(); ++size) {
      ScoreChoice choice;
      if (text == kPromptfoo) choice.arm = "small";
      EXPECT_FALSE(Refusal(text.substr(0, size), choice).empty());
    }
}

RunRecord Own() {
  RunRecord run;
  run.header.task_hash = "t";
  run.header.tokenizer_hash = "k";
  run.header.sampling = {{"temperature", 0}};
  run.header.machine = "m";
  run.header.margin = 5;
  run.examples.resize(1);
  run.examples[0].id = "a";
  run.examples[0].prompt_hash = "p";
  return run;
}

TEST(AssumeAlike, LeavesRunsOfThisProgramAlone) {
  RunRecord a = Own(), b = Own();
  b.header.tokenizer_hash = "other";
  EXPECT_EQ(AssumeAlike(a, b), "");
  EXPECT_EQ(b.header.tokenizer_hash, "other");
}

TEST(AssumeAlike, WhatOneSideDoesNotStateIsSaid) {
  RunRecord a = Own(), b;
  b.header.task_hash = "t";
  b.header.margin = 5;
  b.header.answers_from = "b.jsonl";
  b.examples = Own().examples;
  b.examples[0].prompt_hash.clear();
  EXPECT_EQ(
      AssumeAlike(a, b),
      "answers of the candidate (b.jsonl) were made elsewhere: that prompts, sampling and arithmetic were the same "
      "for both is not known here");
  EXPECT_EQ(b.header.tokenizer_hash, "k");
  EXPECT_EQ(b.header.sampling, a.header.sampling);
  EXPECT_EQ(b.examples[0].prompt_hash, "p");
  // Another task stays another.
  b.header.task_hash = "u";
  AssumeAlike(a, b);
  EXPECT_EQ(b.header.task_hash, "u");
}

TEST(AssumeAlike, PromptsThatBothStateCount) {
  RunRecord a = Own(), b = Own();
  a.header.answers_from = "a.csv";
  b.header.answers_from = "b.csv";
  a.header.task_hash = b.header.task_hash = "";
  b.examples[0].prompt_hash = "q";
  EXPECT_THAT(AssumeAlike(a, b), HasSubstr("both models (a.csv, b.csv)"));
  EXPECT_EQ(b.examples[0].prompt_hash, "q");
  // A prompt that another tool hashed says nothing about ours.
  a.header.answers_from.clear();
  AssumeAlike(a, b);
  EXPECT_EQ(b.examples[0].prompt_hash, "p");
}

}  // namespace
}  // namespace assay
