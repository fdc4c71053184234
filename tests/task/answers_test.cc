// Answers as people and models write them, with what is right: tests/task/data/answers.jsonl.
#include <gtest/gtest.h>

#include "task_testing.h"

namespace assay {
namespace {

TEST(Answers, AreScoredAsTheyAreMeant) {
  std::ifstream in(ASSAY_TEST_DATA "/task/data/answers.jsonl");
  int rows = 0;
  for (std::string line; std::getline(in, line); ++rows) {
    Json row = ParseJson(line, "answers", /*strict=*/true);  // numbers beyond the doubles
    auto answer = row["answer"].get<std::string>(), right = row["right"].get<std::string>();
    CheckResult result = testing::Try(row["check"], answer);
    std::string found = result.pass ? "pass" : result.failure;
    if (right == "fail")
      EXPECT_NE(found, "pass") << line;
    else
      EXPECT_EQ(found, right) << line << "\n" << result.detail;
  }
  EXPECT_GE(rows, 300);
}

}  // namespace
}  // namespace assay
