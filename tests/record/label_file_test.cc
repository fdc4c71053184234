#include "record/label_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<DifferingPrompt> Sample(const std::string& right = "") {
  return {{"7", {{"user", "hi"}}, {"one", "bf16"}, {{"two", {"q8_0", "q4_0"}, ""}, {"three", {"q2_k"}, right}}}};
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string Refused(const std::string& text) {
  try {
    ParseLabels(text, "l.jsonl");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalid);
    return error.what();
  }
  return "";
}

TEST(LabelFile, ReadsBackWhatAPersonFilledIn) {
  const std::string text = LabelFileText(Sample());
  EXPECT_TRUE(HasNoLabels(text));
  EXPECT_TRUE(HasNoLabels(""));
  EXPECT_FALSE(HasNoLabels("my notes"));
  const std::string filled = Replaced(text, "\"right\":null", "\"right\":\"both\"");
  EXPECT_FALSE(HasNoLabels(filled));
  const std::vector<AnswerLabel> labels = ParseLabels(filled + "\n", "l.jsonl");
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_EQ(labels[0].id, "7");
  EXPECT_EQ(labels[0].right, "both");
  // What was labelled stays in the next file.
  EXPECT_EQ(ParseLabels(LabelFileText(Sample("neither")), "l.jsonl").at(0).right, "neither");
}

TEST(LabelFile, NamesLinePlaceAndFix) {
  const std::string text = LabelFileText(Sample());
  EXPECT_THAT(Refused("\n" + Replaced(text, "\"right\":null", "\"right\":\"yes\"")),
              AllOf(HasSubstr("l.jsonl:2: answers[0].right"), HasSubstr("\"neither\""), HasSubstr("\"yes\"")));
  EXPECT_THAT(Refused(Replaced(text, "\"two\"", "\"two!\"")),
              HasSubstr("l.jsonl:1: answers[0].answer: expected the one that was written"));
  EXPECT_THAT(Refused(Replaced(text, "\"one\"", "\"One\"")),
              HasSubstr("l.jsonl:1: draft.answer: expected the one that was written"));
  EXPECT_THAT(Refused("{\"id\":\"7\"}"), AllOf(HasSubstr("l.jsonl:1"), HasSubstr("differing.jsonl")));
  EXPECT_THAT(Refused("{"), AllOf(HasSubstr("l.jsonl:1"), HasSubstr("differing.jsonl")));
  EXPECT_THAT(Refused(LabelFileText(Sample("both")) + LabelFileText(Sample("neither"))),
              AllOf(HasSubstr("l.jsonl:2: answers[1].right"), HasSubstr("line 1 says \"both\"")));
}

}  // namespace
}  // namespace assay
