#include "evidence/parting.h"

#include <gtest/gtest.h>

#include "evidence/runs.h"

namespace assay {
namespace {

TEST(Parting, SameAnswersAndWhereOthersDiffer) {
  RunRecord base = MadeRun("...."), other = MadeRun("....", 0, "q4_0");
  EXPECT_EQ(PartingText(PairRuns(base, other)), "the answers to all 4 examples are the same text");
  base.examples[1].answer = "It is 14 \xE2\x82\xAC";  // two signs that differ in their last byte
  other.examples[1].answer = "It is 14 \xE2\x82\xAD";
  EXPECT_EQ(PartingText(PairRuns(base, other)),
            "3 of 4 answers are the same text; the others begin to differ after 9 characters (median)");
  other.examples[2].answer.clear();
  other.examples[3].answer = base.examples[3].answer + " and more";
  EXPECT_EQ(PartingText(PairRuns(base, other)),
            "1 of 4 answers are the same text; the others begin to differ after 5 characters (median)");
}

}  // namespace
}  // namespace assay
