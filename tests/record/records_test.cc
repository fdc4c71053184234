#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "record/bench_record.h"
#include "record/check_record.h"
#include "record/json_fields.h"
#include "record/quant_record.h"
#include "system/file.h"

namespace assay {
namespace {

using testing::HasSubstr;

CheckRecord Check() {
  CheckRecord record;
  record.started = "2026-11-22T00:00:00Z";
  record.elapsed_s = 61.5;
  record.build = "b";
  record.machine = "m";
  record.task_name = "task.jsonl";
  record.text_name = "text.txt";
  record.margin = 10;
  record.examples = {{"e0", "json", {{"system", "Be brief."}, {"user", "<b>?"}}, "yes"}};
  record.baseline.run.header.model = {"demo", "f00d", "llama", "bf16", 16, 1000};
  record.baseline.run.complete = true;
  record.baseline.run.examples.resize(1);
  record.baseline.run.examples[0].id = "e0";
  record.baseline.quality.perplexity = 12.25;
  record.candidates.resize(1);
  Arm& arm = record.candidates[0];
  arm.run = record.baseline.run;
  arm.cost = {100.5, 20.25, 1 << 30};
  arm.quality = {13.5, 0.25, 0.03, std::numeric_limits<double>::infinity(), 0.9};
  record.noise = {40, {"e1"}, {"e2", "e3"}, 5, {"e0"}};
  arm.displacement = {{"e0", 12, 0.5, std::numeric_limits<double>::infinity(), 0.75, 3}};
  return record;
}

TEST(CheckRecord, RoundTrip) {
  const CheckRecord record = Check();
  const std::string text = DumpJson(ToJson(record));
  const CheckRecord back = CheckRecordFromJson(ParseJson(text, "t"), "t");
  EXPECT_EQ(DumpJson(ToJson(back)), text);
  EXPECT_FALSE(back.baseline.quality.mean_kl);
  EXPECT_EQ(back.candidates[0].quality.mean_kl, 0.03);
  EXPECT_TRUE(std::isinf(*back.candidates[0].quality.p99_kl));
  EXPECT_TRUE(std::isinf(back.candidates[0].displacement[0].max_kl));
  EXPECT_EQ(back.candidates[0].displacement[0].first_divergence, 3);
  EXPECT_EQ(back.examples[0].prompt[1].text, "<b>?");
  EXPECT_EQ(back.noise.gained, record.noise.gained);
  EXPECT_EQ(back.noise.repeated, 5);
  CheckRecord quiet = record;
  quiet.noise = {};
  EXPECT_FALSE(ToJson(quiet).contains("noise"));

  const auto path = std::filesystem::temp_directory_path() / ("assay_check_" + std::to_string(::getpid()) + ".json");
  WriteFileAtomically(path, DumpJson(ToJson(record)) + "\n");
  EXPECT_TRUE(IsCheckRecord(ReadFile(path)));
  EXPECT_EQ(DumpJson(ToJson(ReadCheckRecord(path))), text);
  std::filesystem::remove(path);
}

TEST(CheckRecord, KeepsUnlabelledRunsAndLabels) {
  CheckRecord record;
  record.baseline.unlabelled.header.task_name = "traffic.jsonl";
  ExampleResult& result = record.baseline.unlabelled.examples.emplace_back();
  result.id = "7";
  result.answer = "one";
  result.checks = {{"reading", true, "", "text:ab"}};
  record.labels = {{"7", "aa", "bb", "both"}};
  const CheckRecord back = CheckRecordFromJson(ToJson(record), "x");
  ASSERT_EQ(back.baseline.unlabelled.examples.size(), 1u);
  EXPECT_EQ(back.baseline.unlabelled.examples[0].checks[0].detail, "text:ab");
  ASSERT_EQ(back.labels.size(), 1u);
  EXPECT_EQ(back.labels[0].other_hash, "bb");
  EXPECT_EQ(back.labels[0].right, "both");
  Json json = ToJson(record);
  json["labels"][0]["right"] = "maybe";
  EXPECT_THROW(CheckRecordFromJson(json, "x"), Error);
}

TEST(CheckRecord, RefusesNewerAndBroken) {
  auto message = [](Json json) -> std::string {
    try {
      CheckRecordFromJson(json, "f.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "read";
  };
  Json json = ToJson(Check());
  EXPECT_EQ(message(json), "read");
  json["assay_check"] = 2;
  EXPECT_THAT(message(json), HasSubstr("f.json: version 2 of a check"));
  json["assay_check"] = 0;
  EXPECT_THAT(message(json), HasSubstr("at least 1"));
  json["assay_check"] = 1;
  json["candidates"] = Json::object();
  EXPECT_THAT(message(json), HasSubstr("\"candidates\" should be an array"));
  json.erase("baseline");
  EXPECT_THAT(message(json), HasSubstr("\"baseline\" is missing"));
  EXPECT_THAT(message(Json(3)), HasSubstr("expected an object"));
}

TEST(QuantRecord, RoundTrip) {
  QuantRecord record;
  record.source = {"demo", "f00d", "llama", "bf16", 16, 1000};
  record.result = {"demo-q4", "beef", "llama", "q4_0", 4.5, 300};
  record.preset = "q4_0";
  record.seed = 7;
  record.elapsed_s = 1.5;
  record.tensors = {{"blk.0.attn_q.weight", {64, 128}, "bf16", "q4_0", "rtn", 4608, 0.01, 0.08}};
  const std::string text = DumpJson(ToJson(record));
  EXPECT_EQ(DumpJson(ToJson(QuantRecordFromJson(ParseJson(text, "t"), "t"))), text);
}

TEST(BenchRecord, RoundTripAndMedian) {
  BenchRecord record;
  record.model = {"demo", "f00d", "llama", "bf16", 16, 1000};
  record.threads = 2;
  record.rows = {{"pp512", 512, {100, 90, 110, 40}}, {"tg128", 128, {}}, {"tg1", 1, {NAN, 5}}};
  EXPECT_EQ(record.rows[0].median(), 95);
  EXPECT_EQ(record.rows[1].median(), 0);
  EXPECT_EQ(record.rows[2].median(), 5);  // of what was measured
  const std::string text = DumpJson(ToJson(record));
  EXPECT_EQ(DumpJson(ToJson(BenchRecordFromJson(ParseJson(text, "t"), "t"))), text);
}

}  // namespace
}  // namespace assay
