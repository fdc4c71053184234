// The GGUF formats of src/format/gguf/ against the reference implementations (golden/format/gguf, made by
// tools/golden/gguf_types.py).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "format/format.h"
#include "format/gguf/codebook/grids.h"
#include "format/gguf/rows.h"
#include "format/golden_files.h"
#include "number/bf16.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kRows = 40, kCols = 512;
constexpr int64_t kRegularRows = 32;  // the rest are edge cases

const Json& Golden() {
  static const Json golden = ParseJson(ReadGolden("gguf/golden.json"), "golden.json");
  return golden;
}

std::vector<std::byte> Encode(const Format& format, const std::vector<float>& weights, int64_t cols = kCols,
                              const float* importance = nullptr) {
  const int64_t rows = static_cast<int64_t>(weights.size()) / cols;
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, rows, cols)));
  format.encode_rows(weights.data(), rows, cols, importance, 1.0f, 1.0f, codes.data(), nullptr);
  return codes;
}

std::vector<float> Decode(const Format& format, const std::byte* codes, int64_t rows, int64_t cols) {
  PackedView view;
  view.format = &format;
  view.rows = rows;
  view.cols = cols;
  view.codes = codes;
  std::vector<float> out(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; row < rows; ++row) {
    EXPECT_TRUE(format.valid_row(view, row)) << format.name << " " << row;
    format.decode_row(view, row, out.data() + row * cols);
  }
  return out;
}

TEST(GgufTypes, DecodeAsTheReference) {
  size_t compared = 0;
  for (const auto& [name, golden] : Golden()["decode"].items()) {
    const Format& format = GetFormat(name);
    const std::string bytes = ReadGolden("gguf/" + name + ".blocks");
    const int64_t n = golden["blocks"];
    ASSERT_GE(n, 64);
    ASSERT_EQ(bytes.size(), static_cast<size_t>(n * format.block_bytes)) << name;
    std::vector<float> values =
        Decode(format, reinterpret_cast<const std::byte*>(bytes.data()), n, format.block_weights);
    for (size_t i = 0; i < golden["first"].size(); ++i)
      EXPECT_EQ(values[i], golden["first"][i].get<float>()) << name << " " << i;
    for (float& v : values) v += 0.0f;  // the sign of zero is nobody's business
    EXPECT_EQ(Sha256Hex(std::as_bytes(std::span(values))), golden["decoded_sha256"]) << name;
    ++compared;
  }
  EXPECT_EQ(compared, kGgufFormats.size());
}

TEST(GgufTypes, ExactRulesEncodeBitForBit) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  int compared = 0;
  for (const auto& [name, golden] : Golden()["encode"].items()) {
    const std::vector<std::byte> codes = Encode(GetFormat(name), weights);
    std::string first_row;
    for (size_t i = 0; i < codes.size() / kRows; ++i) first_row += fmt::format("{:02x}", static_cast<int>(codes[i]));
    EXPECT_EQ(first_row, golden["first_row"]) << name;
    EXPECT_EQ(Sha256Hex(codes), golden["codes_sha256"]) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 4);
}

// Sums of squared errors over the regular rows: plain, and weighted as in tools/golden/format.py.
struct Errors {
  double plain = 0, importance = 0;
};

Errors Measure(const std::vector<float>& weights, const std::vector<float>& decoded,
               const std::vector<float>& importance) {
  Errors errors;
  for (size_t row = 0; row < kRegularRows; ++row) {
    const float* x = weights.data() + row * kCols;
    double mean_square = 0;
    for (size_t i = 0; i < kCols; ++i) mean_square += std::pow(x[i], 2) / kCols;
    for (size_t i = 0; i < kCols; ++i) {
      const double e = std::pow(static_cast<double>(decoded[row * kCols + i]) - x[i], 2);
      errors.plain += e;
      errors.importance += importance[i] * std::sqrt(mean_square + std::pow(x[i], 2)) * e;
    }
  }
  return errors;
}

TEST(GgufTypes, LeaveNoMoreErrorThanTheReferenceEncoder) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const std::vector<float> importance = ReadGoldenBf16("importance.bf16");
  size_t compared = 0;
  for (const auto& [name, golden] : Golden()["ggml_error"].items()) {
    const Format& format = GetFormat(name);
    const auto errors = [&](const float* importance_or_none) {
      const std::vector<std::byte> codes = Encode(format, weights, kCols, importance_or_none);
      return Measure(weights, Decode(format, codes.data(), kRows, kCols), importance);
    };
    EXPECT_LE(errors(nullptr).plain, golden["none"]["plain"].get<double>() * (1 + 1e-9)) << name;
    EXPECT_LE(errors(importance.data()).importance, golden["importance"]["importance"].get<double>()) << name;
    ++compared;
  }
  EXPECT_EQ(compared, kGgufFormats.size() - 1);  // Q8_K is no type that files are quantized to
}

// Weights that a file of the type held come back: what was decoded encodes to the same values. (Not for NVFP4: a scale
// that no code of 6 uses is not found again.)
TEST(GgufTypes, TernaryAndFourBitWeightsComeBack) {
  Random random(3);
  std::vector<float> ternary, levels, fp4;
  for (int i = 0; i < 8 * kCols; ++i) {
    ternary.push_back(0.0625f * static_cast<float>(static_cast<int>(random.Below(3)) - 1));
    levels.push_back(0.0625f * static_cast<float>(static_cast<int>(random.Below(4)) - 1));
    constexpr float values[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    const float value = i % 16 == 0 ? 6.0f : values[random.Below(8)];
    fp4.push_back((random.Below(2) == 0 ? value : -value) * 0.125f);
  }
  for (const auto& [name, weights] : {std::pair{"tq1_0", &ternary},
                                      {"tq2_0", &ternary},
                                      {"q2_0", &ternary},
                                      {"q2_0", &levels},
                                      {"mxfp4_gguf", &fp4},
                                      {"nvfp4_gguf", &fp4}}) {
    const Format& format = GetFormat(name);
    for (const bool with_importance : {false, true}) {
      const std::vector<float> importance(kCols, 2.0f);
      const auto codes = Encode(format, *weights, kCols, with_importance ? importance.data() : nullptr);
      EXPECT_EQ(Decode(format, codes.data(), 8, kCols), *weights) << name << " " << with_importance;
    }
  }
}

// The codebook formats against a search over everything they can express, for a super-block whose sub-blocks are alike:
// what the encoder leaves is close to the best entry of every vector at the best common scale.
TEST(GgufTypes, CodebookSearchIsNearTheBestThereIs) {
  Random random(11);
  std::vector<float> x;
  for (int i = 0; i < 256; ++i) x.push_back(static_cast<float>(random.Normal()));
  double mean_square = 0;
  for (const float v : x) mean_square += v * v / 256.0;
  const auto error_weight = [&](double v) { return std::sqrt(mean_square + v * v); };
  // Exhaustive: one scale for all 256 weights, every vector at its best entry with free signs.
  double best = 1e30;
  for (double scale = 0.02; scale < 0.09; scale *= 1.01) {
    double error = 0;
    for (int v = 0; v < 32; ++v) {
      double nearest = 1e30;
      for (const Grid8& entry : kGridIq2S) {
        double e = 0;
        for (size_t j = 0; j < 8; ++j) {
          const double value = std::fabs(x[static_cast<size_t>(8 * v) + j]);
          e += error_weight(value) * std::pow(value - scale * entry[j], 2);
        }
        nearest = std::min(nearest, e);
      }
      error += nearest;
    }
    best = std::min(best, error);
  }
  const Format& format = GetFormat("iq2_s");
  const auto codes = Encode(format, x, 256);
  const std::vector<float> back = Decode(format, codes.data(), 1, 256);
  double error = 0;
  for (size_t i = 0; i < 256; ++i) error += error_weight(x[i]) * std::pow(static_cast<double>(back[i]) - x[i], 2);
  // With a scale for every 16 weights the format can do better than the one scale.
  EXPECT_LT(error, best);
}

// The encoders have a version for AVX-512 and one for everything else: the same bytes.
TEST(GgufTypes, SameBytesOnEveryInstructionSet) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const std::vector<float> importance = ReadGoldenBf16("importance.bf16");
  for (const char* name :
       {"q2_k", "q3_k", "q6_k", "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s"}) {
    const Format& format = GetFormat(name);
    for (const float* weigh : {static_cast<const float*>(nullptr), importance.data()}) {
      LimitCpu("avx2");
      const auto narrow = Encode(format, weights, kCols, weigh);
      LimitCpu("avx512");  // the whole processor
      EXPECT_EQ(Encode(format, weights, kCols, weigh), narrow) << name;
    }
  }
}

// The codebooks are made on first use, from any thread.
TEST(GgufTypes, ThreadsAgree) {
  const std::vector<float> weights = ReadGoldenBf16("weights.bf16");
  const std::vector<float> some(weights.begin(), weights.begin() + 2 * kCols);
  for (const char* name : {"iq1_s", "iq2_xxs", "iq3_s"}) {
    std::vector<std::vector<std::byte>> results(4);
    std::vector<std::thread> threads;
    for (auto& result : results) threads.emplace_back([&, name] { result = Encode(GetFormat(name), some); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& result : results) EXPECT_EQ(result, results[0]) << name;
  }
}

TEST(GgufTypes, SignSetsAreEven) {
  for (uint32_t set = 0; set < 128; ++set) {
    EXPECT_EQ(SignsOfSet(set) & 127u, set);
    EXPECT_EQ(__builtin_popcount(SignsOfSet(set)) % 2, 0);
  }
}

}  // namespace
}  // namespace assay
