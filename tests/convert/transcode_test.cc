#include "convert/transcode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "format/format.h"

namespace assay {
namespace {

constexpr int64_t kCols = 512;

/// Rows of random weights in a format, encoded by it.
struct Packed {
  const Format& format;
  std::vector<std::byte> codes, scales;
  PackedView view;

  Packed(const std::string& name, int64_t rows, float spread = 1.0f, uint32_t seed = 1) : format(GetFormat(name)) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, spread);
    std::vector<float> weights(static_cast<size_t>(rows * kCols));
    for (float& w : weights) w = normal(random);
    codes.resize(static_cast<size_t>(CodesBytes(format, rows, kCols)));
    scales.resize(static_cast<size_t>(ScalesBytes(format, rows, kCols)));
    format.encode_rows(weights.data(), rows, kCols, nullptr, 1.0f, 1.0f, codes.data(), scales.data());
    view = {&format, rows, kCols, codes.data(), scales.empty() ? nullptr : scales.data()};
  }
};

/// Whether every row goes over; checks that what went decodes to the same.
bool Goes(const Packed& from, const std::string& to_name) {
  const Format& to = GetFormat(to_name);
  if (!MayTranscode(from.format, to)) return false;
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(to, 1, kCols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(to, 1, kCols)));
  for (int64_t row = 0; row < from.view.rows; ++row) {
    if (!TranscodeRow(from.view, row, to, codes.data(), scales.data())) return false;
    std::vector<float> expected(kCols), found(kCols);
    from.format.decode_row(from.view, row, expected.data());
    to.decode_row({&to, 1, kCols, codes.data(), scales.data()}, 0, found.data());
    EXPECT_EQ(expected, found) << from.format.name << " to " << to_name << " row " << row;
  }
  return true;
}

TEST(Transcode, KeepsWhatTheTargetCanHold) {
  for (auto [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"int4_g128", "q4_0"},  // a GPTQ file for llama.cpp
                                                        {"int4_g32", "q4_0"},
                                                        {"q4_0", "int4_g32"},
                                                        {"q8_0", "int8_g32"},
                                                        {"int8_g128", "q8_0"},
                                                        {"q5_0", "int5_g32"},
                                                        {"int5_g128", "q5_0"},
                                                        {"int4_g128", "int4_g32"},  // groups split
                                                        {"int4_g128", "int4_g128_asym"},
                                                        {"int4_g128", "int8_g128"},
                                                        {"int3_g128", "q4_0"},
                                                        {"int2_g64", "int4_g32"},
                                                        {"int8_channel", "int8_g128"},
                                                        {"mxfp4", "mxfp4_gguf"},
                                                        {"mxfp4_gguf", "mxfp4"},
                                                        {"nvfp4_gguf", "nvfp4"},
                                                        {"bf16", "f32"},
                                                        {"f16", "f32"},
                                                        {"tq2_0", "tq1_0"},
                                                        {"tq1_0", "tq2_0"},
                                                        {"q4_k", "f32"},
                                                        {"int4_g128_asym", "int8_g128_asym"}})
    EXPECT_TRUE(Goes(Packed(from, 3), to)) << from << " to " << to;
}

TEST(Transcode, RefusesWhatWouldChange) {
  for (auto [from, to] : std::vector<std::pair<std::string, std::string>>{{"int8_g128", "int4_g128"},  // narrower
                                                                          {"q8_0", "q4_0"},
                                                                          {"int4_g32", "int4_g128"},  // coarser
                                                                          {"q4_k", "q4_0"},
                                                                          {"f32", "bf16"},
                                                                          {"q4_0", "nf4"},
                                                                          {"int4_g128", "fp8_tensor"},
                                                                          {"q4_0", "int8_block128"}})
    EXPECT_FALSE(Goes(Packed(from, 3), to)) << from << " to " << to;
  // A scale below the smallest half.
  EXPECT_FALSE(Goes(Packed("int4_g128", 1, 1e-9f), "q4_0"));
}

TEST(Transcode, CoarserScalesThatAgree) {
  Packed fine("int4_g32", 1);
  for (size_t i = 4; i < fine.scales.size(); ++i) fine.scales[i] = fine.scales[i % 4];
  EXPECT_TRUE(Goes(fine, "int4_g128"));
  EXPECT_TRUE(Goes(fine, "int4_channel"));
}

TEST(Transcode, ZerosInTheMiddleNeedNoZeros) {
  Packed asymmetric("int4_g128_asym", 2);
  EXPECT_FALSE(Goes(asymmetric, "int4_g128"));
  auto* entries = reinterpret_cast<ScaleAndZero*>(asymmetric.scales.data());
  for (size_t i = 0; i < asymmetric.scales.size() / sizeof(ScaleAndZero); ++i) entries[i].zero = 8;
  EXPECT_TRUE(Goes(asymmetric, "int4_g128"));
  EXPECT_TRUE(Goes(asymmetric, "q4_0"));
  for (size_t i = 0; i < asymmetric.scales.size() / sizeof(ScaleAndZero); ++i) entries[i].zero = 7.5f;  // HQQ
  EXPECT_FALSE(Goes(asymmetric, "int8_g128"));
  EXPECT_TRUE(Goes(asymmetric, "int8_g128_asym"));
}

TEST(Transcode, EveryPairIsExactOrRefused) {
  for (const Format* from : RepresentativeFormats()) {
    if (!from->encode_rows || from->has_global || !FitsColumns(*from, kCols) || from->by_column_group) continue;
    Packed packed(std::string(from->name), from->block_rows);
    for (const Format* to : RepresentativeFormats())
      if (FitsColumns(*to, kCols)) Goes(packed, std::string(to->name));
  }
}

}  // namespace
}  // namespace assay
