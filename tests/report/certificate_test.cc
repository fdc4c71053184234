#include "report/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "report/sample.h"

namespace assay {
namespace {

using testing::HasSubstr;

std::string Bytes(const CheckRecord& record) {
  return DumpJson(ToJson(record)) + "\n";
}

Json Certificate(const CheckRecord& record) {
  return ParseCertificate(DumpJson(MakeCertificate(record, Judge(record), Bytes(record)), 1), "c.json");
}

/// "what: detail" of all that differs.
std::vector<std::string> Differences(const std::vector<Finding>& findings) {
  std::vector<std::string> differ;
  for (const Finding& finding : findings)
    if (finding.state == CheckState::kDiffers) differ.push_back(finding.what + ": " + finding.detail);
  return differ;
}

TEST(Certificate, StatesWhatTheCheckFound) {
  CheckRecord record = SampleCheck();
  record.baseline.run.header.margin = 10;
  for (Arm& arm : record.candidates) arm.run.header.margin = 10;
  const Json json = Certificate(record);
  EXPECT_EQ(json.at("schema"), "assay.certificate");
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_EQ(json.at("record").at("sha256"), Sha256Hex(Bytes(record)));
  EXPECT_EQ(json.at("task").at("hash"), record.baseline.run.header.task_hash);
  EXPECT_EQ(json.at("task").at("margin"), 10);
  EXPECT_EQ(json.at("baseline").at("model").at("fingerprint"), record.baseline.model().fingerprint);
  ASSERT_EQ(json.at("candidates").size(), record.candidates.size());
  const Json& verdict = json.at("candidates")[0].at("verdict");
  for (const char* member : {"verdict", "regressions", "fixes", "drop_bounds", "cracks_p", "holds_p"})
    EXPECT_TRUE(verdict.at("all").contains(member)) << member;
  EXPECT_EQ(verdict.at("slices").size(), 5u);
}

TEST(Certificate, WhatItSpeaksOfIsOk) {
  const CheckRecord record = SampleCheck();
  const std::vector<Finding> findings = VerifyRecord(Certificate(record), Bytes(record), "r.json");
  EXPECT_THAT(Differences(findings), testing::IsEmpty());
  EXPECT_EQ(findings.size(), 5 + 2 * record.candidates.size());
  for (const Finding& finding : findings) EXPECT_EQ(finding.state, CheckState::kOk) << finding.what;
}

TEST(Certificate, AChangedByteOfTheRecordIsFound) {
  const CheckRecord record = SampleCheck();
  const Json certificate = Certificate(record);
  std::string bytes = Bytes(record);
  bytes.back() = ' ';  // means the same
  EXPECT_THAT(Differences(VerifyRecord(certificate, bytes, "r.json")),
              testing::ElementsAre(HasSubstr("record: sha256: the certificate says")));
}

TEST(Certificate, ExamplesAreCountedOnce) {
  CheckRecord record = SampleCheck();
  const int64_t examples = record.baseline.run.example_count();
  for (Arm* arm : {&record.baseline, &record.candidates[0]}) {
    arm->run.header.samples = 2;
    const std::vector<ExampleResult> once = arm->run.examples;
    for (ExampleResult example : once) {
      example.sample = 1;
      arm->run.examples.push_back(std::move(example));
    }
  }
  const Json certificate = Certificate(record);
  EXPECT_EQ(certificate["task"]["examples"], examples);
  EXPECT_EQ(certificate["baseline"]["samples"], 2);
  Json changed = certificate;
  changed["record"]["bytes"] = 1;
  EXPECT_THAT(Differences(VerifyRecord(changed, Bytes(record), "r.json")),
              testing::ElementsAre(HasSubstr("record: bytes: the certificate says 1, found")));
}

TEST(Certificate, AnotherOutcomeIsFoundWhereItIs) {
  CheckRecord record = SampleCheck();
  const Json certificate = Certificate(record);
  for (ExampleResult& result : record.candidates[0].run.examples) result.pass = false;
  const std::vector<std::string> differ = Differences(VerifyRecord(certificate, Bytes(record), "r.json"));
  EXPECT_THAT(differ, testing::Contains(HasSubstr(record.candidates[0].model().format + ": verdict: all.")));
  EXPECT_THAT(differ, testing::Not(testing::Contains(HasSubstr(record.candidates[1].model().format + ": verdict"))));
}

TEST(Certificate, AVerdictThatTheRecordDoesNotGiveIsFound) {
  const CheckRecord record = SampleCheck();
  Json certificate = Certificate(record);
  const size_t last = record.candidates.size() - 1;
  ASSERT_EQ(certificate["candidates"][last]["verdict"]["all"]["verdict"], "cracks");
  certificate["candidates"][last]["verdict"]["all"]["verdict"] = "holds";
  certificate["recommended"] = record.candidates[last].model().format;
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")),
              testing::ElementsAre(HasSubstr("all.verdict: the certificate says \"holds\", found \"cracks\""),
                                   HasSubstr("recommended: format: the certificate says")));
  // A figure that only a rounding moved is the same.
  certificate = Certificate(record);
  double holds_p = certificate["candidates"][0]["verdict"]["all"]["holds_p"].get<double>();
  certificate["candidates"][0]["verdict"]["all"]["holds_p"] = holds_p + 1e-6;
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")), testing::IsEmpty());
  certificate["candidates"][0]["verdict"]["all"]["holds_p"] = holds_p + 1e-5;
  EXPECT_EQ(Differences(VerifyRecord(certificate, Bytes(record), "r.json")).size(), 1u);
  // A member that was taken out or a candidate that was left out is a difference, not an error.
  certificate = Certificate(record);
  certificate["candidates"].erase(last);
  certificate["candidates"][0]["verdict"].erase("slices");
  certificate.erase("started");
  EXPECT_EQ(Differences(VerifyRecord(certificate, Bytes(record), "r.json")).size(), 3u);
  // Nor does anybody add words of his own.
  certificate = Certificate(record);
  certificate["approved_by"] = "the board";
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")),
              testing::ElementsAre(HasSubstr("no certificate has approved_by")));
}

TEST(Certificate, OfBeforeInfiniteHadAName) {
  CheckRecord record = SampleCheck();
  record.candidates[0].displacement[0].max_kl = INFINITY;
  Json certificate = Certificate(record);
  Json& stated = certificate["candidates"][0]["verdict"]["all"]["displacement"]["max_kl"];
  EXPECT_EQ(stated, "inf");
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")), testing::IsEmpty());
  stated = nullptr;
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")),
              testing::Not(testing::Contains(HasSubstr("verdict: all."))));
  stated = 2.5;
  EXPECT_THAT(Differences(VerifyRecord(certificate, Bytes(record), "r.json")),
              testing::Contains(HasSubstr("max_kl: the certificate says 2.5, found \"inf\"")));
}

TEST(Certificate, TaskAndWeights) {
  CheckRecord record = SampleCheck();
  record.baseline.run.header.looks = {50, 100};
  const Json certificate = Certificate(record);
  const std::string& hash = record.baseline.run.header.task_hash;
  const std::vector<int64_t> looks = {50, 100};
  EXPECT_EQ(VerifyTask(certificate, hash, 0, looks).state, CheckState::kOk);
  EXPECT_EQ(VerifyTask(certificate, "other", 0, looks).state, CheckState::kDiffers);
  EXPECT_EQ(VerifyTask(certificate, hash, 5, looks).state, CheckState::kDiffers);
  EXPECT_EQ(VerifyTask(certificate, hash, 0, {}).state, CheckState::kDiffers);
  EXPECT_EQ(VerifyBaseline(certificate, record.baseline.model().fingerprint).state, CheckState::kOk);
  EXPECT_EQ(VerifyBaseline(certificate, "other").state, CheckState::kDiffers);
  const std::vector<std::string> weights = {record.candidates[1].model().fingerprint, "other"};
  const std::vector<Finding> findings = VerifyCandidates(certificate, weights);
  ASSERT_EQ(findings.size(), record.candidates.size() + 1);
  EXPECT_EQ(findings[0].state, CheckState::kNotChecked);
  EXPECT_EQ(findings[1].state, CheckState::kOk);
  EXPECT_THAT(Differences(findings), testing::ElementsAre(HasSubstr("candidate 2: fingerprint other is none")));
}

TEST(Certificate, OtherFilesAreRefused) {
  for (const char* text :
       {"{}", "[]", "{\"schema\": \"assay.check\", \"version\": 1}",
        "{\"schema\": \"assay.certificate\", \"version\": 1}", "{\"schema\": \"assay.certificate\", \"version\": 2}",
        "{\"schema\": \"assay.certificate\", \"version\": 1, \"record\": {\"sha256\": 5}}"})
    EXPECT_THROW(ParseCertificate(text, "c.json"), Error) << text;
}

}  // namespace
}  // namespace assay
