// What `assay formats --explain` says, against values worked out by hand.

#include "quantize/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

TEST(Explain, LevelsOfTheNumbers) {
  const FormatExplanation fp4 = ExplainFormat("fp4_e2m1");
  EXPECT_THAT(fp4.levels, testing::ElementsAre(-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6));
  EXPECT_FLOAT_EQ(fp4.levels_in_deviations.back(), 3.0f);
  EXPECT_EQ(ExplainFormat("int8").levels.size(), 256u);
  EXPECT_EQ(ExplainFormat("fp8").levels.size(), 253u);  // 256 less two NaNs and one of two zeros
  EXPECT_EQ(ExplainFormat("ternary").levels.size(), 4u);
  EXPECT_EQ(ExplainFormat("nf4").number, "nf4");
  EXPECT_TRUE(ExplainFormat("bf16").levels.empty());  // 65,000 levels are no picture
}

// One value of 60 makes a step of 0.47 of int8: of values within ±0.3 those below half a step vanish (78 %), the rest
// become ±0.47. FP8 keeps their mantissa.
TEST(Explain, OneOutlierIsTooMuchForInt8AndNotForFp8) {
  const FormatExplanation int8 = ExplainFormat("int8"), fp8 = ExplainFormat("fp8");
  EXPECT_EQ(int8.name, "int8_channel");
  const double step = 60 / 127.5, half = step / 2;
  const double squared = (std::pow(half, 3) * 2 - std::pow(step - 0.3, 3)) / 3 / 0.3;
  EXPECT_NEAR(int8.outlier.small_zeros, half / 0.3, 0.01);
  EXPECT_NEAR(int8.outlier.small_rms, std::sqrt(squared), 0.002);
  EXPECT_NEAR(int8.outlier.small_relative, std::sqrt(squared) / (0.3 / std::sqrt(3.0)), 0.01);
  EXPECT_LT(fp8.outlier.small_relative, 0.03);
  EXPECT_LT(fp8.outlier.small_zeros, 0.01);
  // On normal data it is the other way round: evenly spaced levels waste nothing.
  EXPECT_LT(int8.gaussian.relative, fp8.gaussian.relative / 2);
  EXPECT_NEAR(fp8.gaussian.relative, 0.026, 0.003);
}

TEST(Explain, SmallGroupsConfineAnOutlier) {
  EXPECT_LT(ExplainFormat("int8_g32").outlier.small_relative, ExplainFormat("int8_channel").outlier.small_relative / 3);
  EXPECT_LT(ExplainFormat("int4_g32").outlier.small_relative, ExplainFormat("int4_g128").outlier.small_relative);
}

TEST(Explain, SamplesAreWhatTheySay) {
  double sum = 0, squared = 0;
  for (const float x : GaussianSample()) {
    sum += x;
    squared += x * x;
  }
  const auto n = static_cast<double>(kExplainRows * kExplainCols);
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squared / n, 1, 0.02);
  int outliers = 0;
  for (const float x : OutlierSample()) {
    outliers += x == 60.0f;
    EXPECT_TRUE(x == 60.0f || std::fabs(x) <= 0.3f);
  }
  EXPECT_EQ(outliers, kExplainRows);
}

TEST(Explain, EveryFormatAndNumber) {
  for (const Format* format : RepresentativeFormats()) {
    if (format->encode_rows == nullptr) continue;
    const FormatExplanation explanation = ExplainFormat(format->name);
    EXPECT_LT(explanation.gaussian.relative, 1.0) << format->name;
    EXPECT_GT(explanation.bits_per_weight, 1.0) << format->name;
    EXPECT_GE(explanation.gaussian.max, explanation.gaussian.rms) << format->name;
  }
  for (const NumberFormat& number : NumberFormats()) {
    if (number.name == "e8m0" || number.name.find("u") == 0 || number.name.ends_with("unsigned")) continue;
    EXPECT_LT(ExplainFormat(number.name).gaussian.relative, 1.0) << number.name;
  }
}

TEST(Explain, NamesTheNearest) {
  try {
    ExplainFormat("fp8_e4m4");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("fp8_e4m3"));
  }
}

}  // namespace
}  // namespace assay
