// What is told of a baseline that is quantized, and of a candidate that is the larger one.
#include "evidence/sizes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evidence/comparison.h"
#include "evidence/runs.h"

namespace assay {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Comparison Of(const RunRecord& baseline, const RunRecord& candidate) {
  return PairRuns(baseline, candidate);
}

TEST(Sizes, AQuantizedBaselineIsNamed) {
  RunRecord plain = MadeRun(std::string(50, '.')), quantized = MadeRun(std::string(50, '.'), 0, "q4_1");
  quantized.header.model.bits_per_weight = 5;
  quantized.header.model.file_bytes = 400;
  EXPECT_THAT(Of(quantized, plain).notes, Contains(HasSubstr("the baseline is itself quantized (q4_1, 5.00 bits")));
  EXPECT_THAT(Of(plain, quantized).notes, Not(Contains(HasSubstr("quantized"))));
  plain.header.model.bits_per_weight = 0;  // a server that does not tell
  EXPECT_THAT(Of(plain, quantized).notes, Not(Contains(HasSubstr("quantized"))));
  EXPECT_FALSE(IsQuantized({.bits_per_weight = 16}));
  EXPECT_FALSE(IsQuantized({.bits_per_weight = 32}));
  EXPECT_TRUE(IsQuantized({.bits_per_weight = 15.5}));  // a large embedding in 16 bits, all else in 8
}

TEST(Sizes, ALargerCandidateIsNamed) {
  RunRecord baseline = MadeRun(std::string(50, '.')), candidate = MadeRun(std::string(50, '.'), 0, "f32");
  candidate.header.model.file_bytes = 2000;
  EXPECT_THAT(Of(baseline, candidate).notes,
              Contains("the candidate is larger than the baseline: 1.95 KiB and 1000 B"));
  candidate.header.model.file_bytes = 1000;
  EXPECT_THAT(Of(baseline, candidate).notes, Not(Contains(HasSubstr("larger"))));
  baseline.header.model.file_bytes = 0;
  EXPECT_THAT(Of(baseline, candidate).notes, Not(Contains(HasSubstr("larger"))));
}

}  // namespace
}  // namespace assay
