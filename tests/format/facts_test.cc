// What formats state of themselves: against a list written by hand, against their bytes, and against each other.

#include <gtest/gtest.h>

#include <algorithm>

#include "format/format.h"
#include "number/table.h"

namespace assay {
namespace {

using Family = FormatFamily;

struct Expected {
  std::string_view name;
  FormatFacts facts;
};
// From the formats' documents.
constexpr Expected kExpected[] = {
    {"bf16", {Family::kPlain, "bf16", 16, 0, false}},
    {"q8_0", {Family::kLegacy, "int8", 8, 32, false}},
    {"q4_1", {Family::kLegacy, "uint4", 4, 32, true}},
    {"q5_0", {Family::kLegacy, "int5", 5, 32, false}},
    {"q2_k", {Family::kKQuant, "uint2", 2, 16, true}},
    {"q3_k", {Family::kKQuant, "int3", 3, 16, false}},
    {"q4_k", {Family::kKQuant, "uint4", 4, 32, true}},
    {"q6_k", {Family::kKQuant, "int6", 6, 16, false}},
    {"iq4_xs", {Family::kUneven, "", 4, 32, false}},
    {"iq2_xs", {Family::kVectors, "", 0, 16, false}},
    {"iq3_xxs", {Family::kVectors, "", 0, 32, false}},
    {"q1_0", {Family::kFewLevels, "", 1, 128, false}},
    {"tq1_0", {Family::kTernary, "ternary", 2, 256, false}},
    {"i2_s", {Family::kTernary, "ternary", 2, 0, false}},
    {"fp8_channel_a8", {Family::kFp8, "fp8_e4m3", 8, -1, false}},
    {"fp8_block128", {Family::kFp8, "fp8_e4m3", 8, 128, false}},
    {"nf4_b256", {Family::kBnb4, "nf4", 4, 256, false}},
    {"bnb_fp4", {Family::kBnb4, "bnb_fp4", 4, 64, false}},
    {"llm_int8", {Family::kLlmInt8, "int8", 8, -1, false}},
    {"nvfp4_gguf", {Family::kNvfp4, "fp4_e2m1", 4, 16, false}},
    {"mxfp6_e3m2", {Family::kMx, "fp6_e3m2", 6, 32, false}},
    {"mxfp4_gguf", {Family::kMx, "fp4_e2m1", 4, 32, false}},
    {"int4_g128_asym", {Family::kInteger, "int4", 4, 128, true}},
    {"int5_channel_asym", {Family::kInteger, "int5", 5, -1, true}},
    {"int8_tensor", {Family::kInteger, "int8", 8, 0, false}},
    {"int4_axis0_g64", {Family::kCyclic, "int4", 4, 64, true}},
};

TEST(Facts, AreThoseOfTheDocuments) {
  for (const Expected& row : kExpected) {
    const Format& format = GetFormat(row.name);
    EXPECT_EQ(format.family, row.facts.family) << row.name;
    EXPECT_EQ(format.number, row.facts.number) << row.name;
    EXPECT_EQ(format.bits, row.facts.bits) << row.name;
    EXPECT_EQ(format.group, row.facts.group) << row.name;
    EXPECT_EQ(format.asymmetric, row.facts.asymmetric) << row.name;
  }
}

TEST(Facts, AgreeWithTheBytes) {
  for (const Format& format : Formats()) {
    const bool ternary = format.family == Family::kTernary;  // packed closer, in base three
    const int codes = format.bits * format.block_weights, block = 8 * format.block_bytes;
    EXPECT_TRUE(ternary || codes <= block) << format.name;
    if (format.scale_weights != 0) {
      EXPECT_EQ(codes, block) << format.name << ": its scales lie apart";
      EXPECT_EQ(format.group, format.scale_weights) << format.name;
      EXPECT_EQ(format.asymmetric, format.scale_bytes == sizeof(ScaleAndZero)) << format.name;
    }
    if (format.number.empty()) continue;
    const NumberFormat* number = FindNumberFormat(format.number);
    ASSERT_NE(number, nullptr) << format.name;
    EXPECT_EQ(number->bits, format.bits) << format.name;
  }
  EXPECT_TRUE(IsPlain(F32Format()) && IsPlain(F16Format()) && IsPlain(Bf16Format()));
  EXPECT_EQ(F16Format().name, "f16");
  EXPECT_EQ(Bf16Format().name, "bf16");
  EXPECT_EQ(std::count_if(Formats().begin(), Formats().end(), IsPlain), 3);
}

TEST(Facts, ActivationsAreAllThatFormatsOfTheSameWeightsDifferIn) {
  int pairs = 0;
  for (const Format& a : Formats()) {
    EXPECT_EQ(WithActivations(a, a.activation), &a) << a.name;
    for (const Format& b : Formats()) {
      if (&a == &b || !SameWeights(a, b)) continue;
      EXPECT_NE(a.activation, b.activation) << a.name << " " << b.name;
      const std::string_view shorter = a.name.size() < b.name.size() ? a.name : b.name;
      EXPECT_TRUE(a.name.starts_with(shorter.substr(0, shorter.find("_a8"))) &&
                  b.name.starts_with(shorter.substr(0, shorter.find("_a8"))))
          << a.name << " " << b.name;
      ++pairs;
    }
  }
  EXPECT_GT(pairs, 20);
  EXPECT_EQ(WithActivations(GetFormat("nvfp4"), ActivationKind::kNvfp4), &GetFormat("nvfp4_a4"));
  EXPECT_EQ(WithActivations(GetFormat("fp8_block128"), ActivationKind::kFp8Group128), &GetFormat("fp8_block128_a8"));
  EXPECT_EQ(WithActivations(GetFormat("int4_g128"), ActivationKind::kFp8PerToken), &GetFormat("int4_g128_af8"));
  EXPECT_EQ(WithActivations(GetFormat("q4_k"), ActivationKind::kBF16), nullptr);
}

}  // namespace
}  // namespace assay
