// Block formats against the reference implementations (golden/format, made by tools/golden/format.py) and against
// themselves.

#include "format/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "format/golden_files.h"
#include "number/bf16.h"
#include "system/machine.h"

namespace assay {
namespace {

const Json& Golden() {
  static const Json golden = ParseJson(ReadGolden("golden.json"), "golden.json");
  return golden;
}

std::string Hex(const std::vector<std::byte>& bytes, size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += fmt::format("{:02x}", static_cast<int>(bytes[i]));
  return text;
}

// A matrix encoded in a format, with room of exactly the size the format states.
struct Encoded {
  std::vector<std::byte> codes, scales;
  PackedView view;

  Encoded(const Format& format, const std::vector<float>& weights, int64_t rows, int64_t cols,
          const float* importance = nullptr)
      : codes(static_cast<size_t>(CodesBytes(format, rows, cols))),
        scales(static_cast<size_t>(ScalesBytes(format, rows, cols))) {
    view.format = &format;
    view.rows = rows;
    view.cols = cols;
    double largest = 0, sum = 0;
    for (const float x : weights) {
      largest = std::max<double>(largest, std::fabs(x));
      sum += std::fabs(x);
    }
    const MatrixStatistics statistics{static_cast<float>(largest),
                                      static_cast<float>(sum / static_cast<double>(weights.size()))};
    if (format.choose_global != nullptr) format.choose_global(statistics, &view.global_scale, &view.global_divisor);
    format.encode_rows(weights.data(), rows, cols, importance, view.global_scale, view.global_divisor, codes.data(),
                       scales.data());
    view.codes = codes.data();
    view.scales = scales.empty() ? nullptr : scales.data();
  }

  std::vector<float> Decode() const {
    std::vector<float> out(static_cast<size_t>(view.rows * view.cols));
    for (int64_t row = 0; row < view.rows; ++row) view.format->decode_row(view, row, out.data() + row * view.cols);
    return out;
  }
};

std::string ShaOfValues(std::vector<float> values) {
  for (float& v : values) v += 0.0f;  // the sign of zero is nobody's business
  return Sha256Hex(std::as_bytes(std::span(values)));
}

// Columns of the golden weights.
constexpr int64_t kCols = 512;

std::vector<float> RandomWeights(uint64_t seed, int64_t n, double deviation = 0.02) {
  Random random(seed);
  std::vector<float> weights;
  for (int64_t i = 0; i < n; ++i) weights.push_back(static_cast<float>(random.Normal() * deviation));
  return weights;
}

TEST(Format, DecodesAsTheGgufReference) {
  int compared = 0;
  for (const auto& [name, golden] : Golden()["gguf_decode"].items()) {
    const Format& format = GetFormat(name);
    const std::string bytes = ReadGolden(name + ".blocks");
    const int64_t n = golden["blocks"];
    ASSERT_EQ(bytes.size(), static_cast<size_t>(n * format.block_bytes)) << name;
    PackedView view;
    view.format = &format;
    view.rows = n;
    view.cols = format.block_weights;
    view.codes = reinterpret_cast<const std::byte*>(bytes.data());
    std::vector<float> values(static_cast<size_t>(n * view.cols));
    for (int64_t row = 0; row < n; ++row) {
      EXPECT_TRUE(format.valid_row(view, row)) << name << " " << row;
      format.decode_row(view, row, values.data() + row * view.cols);
    }
    for (size_t i = 0; i < golden["first"].size(); ++i)
      EXPECT_EQ(values[i], golden["first"][i].get<float>()) << name << " " << i;
    EXPECT_EQ(ShaOfValues(values), golden["decoded_sha256"]) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 11);
}

TEST(Format, EncodesExactRulesBitForBit) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const int64_t rows = Golden()["rows"];
  int compared = 0;
  for (const auto& [name, golden] : Golden()["gguf_encode"].items()) {
    const Encoded encoded(GetFormat(name), weights, rows, kCols);
    EXPECT_EQ(Hex(encoded.codes, golden["first_row"].get<std::string>().size() / 2), golden["first_row"]) << name;
    EXPECT_EQ(Sha256Hex(encoded.codes), golden["codes_sha256"]) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

void ExpectPlanes(const std::string& name, const Json& golden, const Encoded& encoded) {
  EXPECT_EQ(Hex(encoded.codes, golden["first_row"].get<std::string>().size() / 2), golden["first_row"]) << name;
  EXPECT_EQ(Sha256Hex(encoded.scales), golden["scales_sha256"]) << name;
  EXPECT_EQ(Sha256Hex(encoded.codes), golden["codes_sha256"]) << name;
  EXPECT_EQ(ShaOfValues(encoded.Decode()), golden["decoded_sha256"]) << name;
  if (golden.contains("global_divisor")) {
    EXPECT_EQ(encoded.view.global_divisor, golden["global_divisor"].get<float>()) << name;
  }
}

TEST(Format, EncodesAndDecodesSchemesBitForBit) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const int64_t rows = Golden()["rows"];
  int compared = 0;
  for (const auto& [name, golden] : Golden()["planes"].items()) {
    if (name == "nf4_odd") continue;
    ExpectPlanes(name, golden, Encoded(GetFormat(name), weights, rows, kCols));
    ++compared;
  }
  EXPECT_EQ(compared, 8);
}

TEST(Format, FlatFormatsEndAnywhere) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  std::vector<float> odd;
  for (int row = 0; row < 5; ++row)
    odd.insert(odd.end(), weights.begin() + row * kCols, weights.begin() + row * kCols + 101);
  const Encoded encoded(GetFormat("nf4"), odd, 5, 101);
  EXPECT_EQ(encoded.codes.size(), 253u);
  EXPECT_EQ(encoded.scales.size(), 8u * 4);
  ExpectPlanes("nf4_odd", Golden()["planes"]["nf4_odd"], encoded);
}

// Sums of squared errors over the regular rows, weighted as in tools/golden/format.py.
struct Errors {
  double plain = 0, magnitude = 0, importance = 0;
};

Errors Measure(const std::vector<float>& weights, const std::vector<float>& decoded,
               const std::vector<float>& importance) {
  Errors errors;
  for (int64_t row = 0; row < Golden()["regular_rows"].get<int64_t>(); ++row) {
    double mean_square = 0;
    for (int64_t i = 0; i < kCols; ++i)
      mean_square += std::pow(weights[static_cast<size_t>(row * kCols + i)], 2) / kCols;
    for (int64_t i = 0; i < kCols; ++i) {
      const double x = weights[static_cast<size_t>(row * kCols + i)];
      const double e = std::pow(decoded[static_cast<size_t>(row * kCols + i)] - x, 2);
      errors.plain += e;
      errors.magnitude += std::fabs(x) * e;
      errors.importance += importance[static_cast<size_t>(i)] * std::sqrt(mean_square + x * x) * e;
    }
  }
  return errors;
}

TEST(Format, SearchesLeaveNoMoreErrorThanTheReferenceEncoder) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const std::vector<float> importance = ReadGoldenBf16("importance.bf16");
  const int64_t rows = Golden()["rows"];
  int compared = 0;
  for (const auto& [name, golden] : Golden()["ggml_error"].items()) {
    const Format& format = GetFormat(name);
    if (golden.contains("none")) {
      const Errors ours = Measure(weights, Encoded(format, weights, rows, kCols).Decode(), importance);
      EXPECT_LE(ours.plain, golden["none"]["plain"].get<double>()) << name;
      EXPECT_LE(ours.magnitude, golden["none"]["magnitude"].get<double>()) << name;
      ++compared;
    }
    const Errors ours = Measure(weights, Encoded(format, weights, rows, kCols, importance.data()).Decode(), importance);
    EXPECT_LE(ours.importance, golden["importance"]["importance"].get<double>()) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 16);
}

// --- every row of the table ---

// Columns that fit every row of the table.
constexpr int64_t kSweepCols = 1024;

class EveryFormat : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Table, EveryFormat, testing::ValuesIn(Formats().begin(), Formats().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(EveryFormat, IsFoundByItsName) {
  EXPECT_EQ(GetFormat(GetParam().name).name, GetParam().name);
  EXPECT_FALSE(GetParam().description.empty());
  EXPECT_NE(GetParam().valid_row, nullptr);
}

double CodeBits(const Format& format) {
  if (format.name == "q8_k") return 8;  // the block holds sums of its codes too
  return 8.0 * format.block_bytes / format.block_weights;
}

// More bits, less error; a bound on each by its bits per weight, without the scales where these lie apart (a uniform
// quantizer of b bits on a normal variable of full range).
TEST_P(EveryFormat, ComesBackCloseToTheWeights) {
  const Format& format = GetFormat(GetParam().name);
  const std::vector<float> weights = RandomWeights(1, 8 * kSweepCols);
  const std::vector<float> back = Encoded(format, weights, 8, kSweepCols).Decode();
  double error = 0, power = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    error += std::pow(back[i] - weights[i], 2);
    power += std::pow(weights[i], 2);
  }
  const double bits = CodeBits(format);
  const double db = bits >= 32 ? 1000 : 10 * std::log10(power / error);
  // Floats of many exponents keep a relative precision of their mantissa, so they are far from what their bits could
  // do.
  const bool two_bits = format.name.ends_with("e5m2") || format.name.ends_with("e3m2");
  const bool three_bits = format.name.starts_with("fp8") || format.name.starts_with("mxfp8");
  const double least = two_bits ? 22 : three_bits ? 28 : std::min(6.02 * bits - 9.5, 50.0);
  EXPECT_GT(db, least) << bits << " bits";
}

// Encoding rows together or one by one gives the same bytes, and what is decoded encodes to itself where the rule is a
// projection.
TEST_P(EveryFormat, RowsAreIndependent) {
  const Format& format = GetFormat(GetParam().name);
  const std::vector<float> weights = RandomWeights(2, 4 * kSweepCols);
  const Encoded all(format, weights, 4, kSweepCols);
  if (format.flat || format.block_rows > 1) return;
  for (int64_t row = 0; row < 4; ++row) {
    const std::vector<float> one(weights.begin() + row * kSweepCols, weights.begin() + (row + 1) * kSweepCols);
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, kSweepCols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, kSweepCols)));
    format.encode_rows(one.data(), 1, kSweepCols, nullptr, all.view.global_scale, all.view.global_divisor, codes.data(),
                       scales.data());
    const PackedView slice = SliceRows(all.view, row, 1);
    EXPECT_EQ(std::memcmp(codes.data(), slice.codes, codes.size()), 0);
    if (!scales.empty()) {
      EXPECT_EQ(std::memcmp(scales.data(), slice.scales, scales.size()), 0);
    }
    std::vector<float> a(kSweepCols), b(kSweepCols);
    format.decode_row(slice, 0, a.data());
    format.decode_row(all.view, row, b.data());
    EXPECT_EQ(a, b);
  }
}

// Vectors of sixteen and of eight: signs of zeros, ties and what lies behind the last whole vector included.
TEST_P(EveryFormat, EveryInstructionSetGivesTheSameBits) {
  const Format& format = GetFormat(GetParam().name);
  if (!format.encode_rows) return;
  std::vector<float> weights = RandomWeights(6, 4 * kSweepCols);
  Random random(7);
  for (int64_t i = 0; i < 3 * kSweepCols; ++i) {
    float& x = weights[static_cast<size_t>(i)];
    if (random.Below(8) == 0) x = random.Below(2) == 0 ? 0.0f : -0.0f;
    if (i < kSweepCols) x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xfff80000u);  // codes and midpoints
    if (i >= 2 * kSweepCols && random.Below(2) == 0) x = std::copysign(x, 1.0f);
  }
  const auto all = [&](const char* level) {
    LimitCpu(level);
    const Encoded encoded(format, weights, 4, kSweepCols);
    std::vector<std::byte> bytes = encoded.codes;
    bytes.insert(bytes.end(), encoded.scales.begin(), encoded.scales.end());
    std::vector<float> row(kSweepCols);
    for (int64_t r = 0; r < 4; ++r) {
      format.decode_row(encoded.view, r, row.data());
      const auto decoded = std::as_bytes(std::span(row));
      bytes.insert(bytes.end(), decoded.begin(), decoded.end());
    }
    LimitCpu("avx512");  // the whole processor
    return bytes;
  };
  EXPECT_TRUE(all("avx2") == all("avx512"));
}

// Encoders that take eight blocks at a time: rows of any number of blocks begin alike, and nothing is written behind.
TEST(Format, BlocksAreEncodedAlikeInAnyNumber) {
  constexpr int64_t kMost = 17;
  for (const char* name : {"q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "mxfp4_gguf", "nvfp4_gguf", "nvfp4", "mxfp4",
                           "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8"}) {
    const Format& format = GetFormat(name);
    const int64_t unit = std::max(format.block_weights, format.scale_weights);
    std::vector<float> weights = RandomWeights(9, kMost * unit, 3.0);
    // Zeros, and a largest magnitude of either sign.
    std::fill_n(weights.begin() + 2 * unit, unit, 0.0f);
    std::fill_n(weights.begin() + 3 * unit, unit, -0.0f);
    weights[static_cast<size_t>(4 * unit + 3)] = -20.0f;
    weights[static_cast<size_t>(4 * unit + 5)] = 20.0f;
    auto encode = [&](int64_t blocks) {
      std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, blocks * unit) + 8), std::byte{0xa5});
      std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, blocks * unit) + 8), std::byte{0xa5});
      format.encode_rows(weights.data(), 1, blocks * unit, nullptr, 1.0f, 1.0f, codes.data(), scales.data());
      return std::pair(codes, scales);
    };
    const auto all = encode(kMost);
    for (int64_t blocks = 1; blocks <= kMost; ++blocks) {
      const auto some = encode(blocks);
      for (const auto& [part, whole] : {std::pair(some.first, all.first), {some.second, all.second}}) {
        EXPECT_TRUE(std::equal(part.begin(), part.end() - 8, whole.begin())) << name << " " << blocks;
        EXPECT_EQ(std::count(part.end() - 8, part.end(), std::byte{0xa5}), 8) << name << " " << blocks;
      }
    }
  }
}

TEST_P(EveryFormat, HandlesExtremeRows) {
  const Format& format = GetFormat(GetParam().name);
  std::vector<std::vector<float>> rows(6, std::vector<float>(kSweepCols, 0.0f));
  rows[1].assign(kSweepCols, 0.37f);
  rows[2].assign(kSweepCols, -0.37f);
  rows[3][5] = 100.0f;
  for (int64_t i = 0; i < kSweepCols; ++i) rows[4][static_cast<size_t>(i)] = i % 2 == 0 ? 1.0f : -1.0f;
  for (int64_t i = 0; i < kSweepCols; ++i) rows[5][static_cast<size_t>(i)] = 1e-20f * static_cast<float>(i - 200);
  for (size_t row = 0; row < rows.size(); ++row) {
    for (const bool with_importance : {false, true}) {
      std::vector<float> importance(kSweepCols, 1.0f);
      for (int64_t i = 0; i < kSweepCols / 2; ++i) importance[static_cast<size_t>(i)] = 0.0f;
      const Encoded encoded(format, rows[row], 1, kSweepCols, with_importance ? importance.data() : nullptr);
      EXPECT_TRUE(format.valid_row(encoded.view, 0)) << row;
      const std::vector<float> back = encoded.Decode();
      float largest = 0;
      for (const float x : rows[row]) largest = std::max(largest, std::fabs(x));
      for (size_t i = 0; i < back.size(); ++i) {
        ASSERT_TRUE(std::isfinite(back[i])) << row << " " << i;
        if (row == 0) {
          ASSERT_EQ(back[i], 0.0f);
        }
        if (row == 1 || row == 2) {
          // Symmetric integers have no code at the upper end of their range: half a step is missing.
          ASSERT_NEAR(back[i], rows[row][i], std::max(0.04, 0.38 / (std::exp2(CodeBits(format)) - 1)))
              << row << " " << i;
        }
        ASSERT_LE(std::fabs(back[i]), largest * 1.6f + 1e-4f) << row << " " << i;
      }
    }
  }
}

TEST_P(EveryFormat, RefusesShapesThatDoNotFit) {
  const Format& format = GetFormat(GetParam().name);
  EXPECT_TRUE(FitsColumns(format, kSweepCols));
  EXPECT_THROW(CodesBytes(format, -1, kSweepCols), Error);
  EXPECT_THROW(CodesBytes(format, int64_t{1} << 60, int64_t{1} << 40), Error);
  EXPECT_EQ(CodesBytes(format, 0, kSweepCols), 0);
  if (format.flat || format.block_weights == 1) return;
  EXPECT_FALSE(FitsColumns(format, kSweepCols + 1));
  EXPECT_THROW(CodesBytes(format, 1, kSweepCols + 1), Error);
  EXPECT_THROW(ScalesBytes(format, 1, kSweepCols + 1), Error);
}

// Bytes that no encoder writes are told apart: all ones are NaN in every scale there is.
TEST_P(EveryFormat, TellsBrokenScales) {
  const Format& format = GetFormat(GetParam().name);
  Encoded encoded(format, RandomWeights(3, 16 * kSweepCols), 16, kSweepCols);
  EXPECT_TRUE(format.valid_row(encoded.view, 0));
  EXPECT_TRUE(format.valid_row(encoded.view, 15));
  if (format.has_global && format.scale_weights == 0) {
    encoded.view.global_scale = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(format.valid_row(encoded.view, 0));
    return;
  }
  std::vector<std::byte>& plane = encoded.scales.empty() ? encoded.codes : encoded.scales;
  for (size_t i = plane.size() / 2; i < plane.size(); ++i) plane[i] = std::byte{0xff};
  EXPECT_TRUE(format.cyclic || format.valid_row(encoded.view, 0));  // a cyclic row may use every entry
  EXPECT_FALSE(format.valid_row(encoded.view, 15));
}

TEST(Format, NamesTheNearestWhenUnknown) {
  EXPECT_EQ(FindFormat("q4_l"), nullptr);
  try {
    GetFormat("q4_l");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(error.what(), testing::HasSubstr("q4_"));
  }
}

TEST(Format, StatesBitsPerWeight) {
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("q4_k"), 3, 512), 4.5);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("q6_k"), 3, 512), 6.5625);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("q2_k"), 3, 512), 2.625);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("mxfp4"), 3, 512), 4.25);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("nf4"), 4, 512), 4.5);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("int4_g128"), 4, 512), 4.25);
  EXPECT_DOUBLE_EQ(BitsPerWeight(GetFormat("int8_channel"), 4, 512), 8.0625);
}

}  // namespace
}  // namespace assay
