// The block formats of Hugging Face checkpoints against the libraries that own them: golden/format/formats_hf.json,
// made by tools/golden/formats_hf.py.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "format/bit_packing.h"
#include "format/bitnet.h"
#include "format/bitsandbytes/nested_absmax.h"
#include "format/format.h"
#include "format/golden_files.h"
#include "format/mx.h"
#include "number/bf16.h"
#include "number/bnb_dynamic8.h"

namespace assay {
namespace {

const Json& Golden() {
  static const Json golden = ParseJson(ReadGolden("formats_hf.json"), "formats_hf.json");
  return golden;
}

template <typename T>
std::string Sha(const std::vector<T>& values) {
  return Sha256Hex(std::as_bytes(std::span(values)));
}

std::string ShaOfValues(std::vector<float> values) {
  for (float& v : values) v += 0.0f;  // the sign of zero is nobody's business
  return Sha(values);
}

constexpr int64_t kRows = 40, kCols = 512;

// [kRows, kCols]
const std::vector<float>& Weights() {
  static const std::vector<float> weights = [] {
    const std::string bytes = ReadGolden("weights.bf16");
    std::vector<float> values(bytes.size() / 2);
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t code;
      std::memcpy(&code, bytes.data() + 2 * i, 2);
      values[i] = DecodeBf16(code);
    }
    return values;
  }();
  return weights;
}

// The first columns of the weights, rows repeated, as the generator cuts them.
std::vector<float> Cut(int64_t rows, int64_t cols) {
  std::vector<float> out;
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = Weights().data() + row % kRows * kCols;
    out.insert(out.end(), in, in + cols);
  }
  return out;
}

// The generator's sequences.
struct Stream {
  uint32_t state;
  uint32_t Next() { return state = state * 1664525u + 1013904223u; }
};
std::vector<std::byte> RandomBytes(int64_t n, uint32_t seed) {
  Stream stream{seed};
  std::vector<std::byte> bytes(static_cast<size_t>(n));
  for (std::byte& b : bytes) b = static_cast<std::byte>(stream.Next() >> 24);
  return bytes;
}
std::vector<float> RandomFloats(int64_t n, uint32_t seed) {
  Stream stream{seed};
  std::vector<float> values(static_cast<size_t>(n));
  for (float& x : values) {
    const uint32_t s = stream.Next();
    x = static_cast<float>(std::ldexp(1.0 + (s >> 8 & 255) / 256.0, static_cast<int>(s >> 16 & 15) - 12));
    if (s >> 31 != 0) x = -x;
  }
  return values;
}

struct Matrix {
  std::vector<std::byte> codes, scales;
  std::vector<int32_t> column_group;
  PackedView view;

  Matrix(const Format& format, int64_t rows, int64_t cols)
      : codes(static_cast<size_t>(CodesBytes(format, rows, cols))),
        scales(static_cast<size_t>(ScalesBytes(format, rows, cols))) {
    view.format = &format;
    view.rows = rows;
    view.cols = cols;
    view.codes = codes.data();
    view.scales = scales.empty() ? nullptr : scales.data();
  }
  void Encode(const std::vector<float>& weights, EncodeRows encode) {
    double largest = 0, sum = 0;
    for (const float x : weights) {
      largest = std::max<double>(largest, std::fabs(x));
      sum += std::fabs(x);
    }
    const Format& format = *view.format;
    if (format.choose_global != nullptr) {
      format.choose_global({static_cast<float>(largest), static_cast<float>(sum / static_cast<double>(weights.size()))},
                           &view.global_scale, &view.global_divisor);
    }
    encode(weights.data(), view.rows, view.cols, nullptr, view.global_scale, view.global_divisor, codes.data(),
           scales.data());
  }
  std::vector<float> Decode() const {
    std::vector<float> out(static_cast<size_t>(view.rows * view.cols));
    for (int64_t row = 0; row < view.rows; ++row) view.format->decode_row(view, row, out.data() + row * view.cols);
    return out;
  }
};

std::string Hex(const std::vector<std::byte>& bytes) {
  std::string text;
  for (size_t i = 0; i < 16; ++i) text += fmt::format("{:02x}", static_cast<int>(bytes[i]));
  return text;
}

TEST(HuggingFaceFormats, EncodeBitForBit) {
  int compared = 0;
  for (const auto& [key, golden] : Golden()["encoded"].items()) {
    const std::string name = key.substr(0, key.find(':'));
    const Format* format = FindFormat(name);
    ASSERT_NE(format, nullptr) << name;
    const int64_t rows = golden.value("rows", kRows), cols = golden.value("cols", kCols);
    Matrix matrix(*format, rows, cols);
    std::vector<float> weights = Cut(rows, cols);
    if (name == "llm_int8") weights[32 * kCols] = 1.0f;  // bitsandbytes makes NaN of a row of zeros
    matrix.Encode(weights, format->encode_rows);
    EXPECT_EQ(Hex(matrix.codes), golden["first"]) << key;
    EXPECT_EQ(Sha(matrix.codes), golden["codes_sha256"]) << key;
    if (golden.contains("global_scale")) {
      EXPECT_EQ(matrix.view.global_scale, golden["global_scale"].get<float>());
    }
    if (golden.contains("global_divisor")) {
      EXPECT_NEAR(matrix.view.global_divisor / golden["global_divisor"].get<float>(), 1.0f, 1e-6f);
    }
    if (golden.contains("scales_sha256")) {
      EXPECT_EQ(Sha(matrix.scales), golden["scales_sha256"]) << key;
      EXPECT_EQ(ShaOfValues(matrix.Decode()), golden["decoded_sha256"]) << key;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 77 + 3 + 3 + 33 + 2);
}

TEST(HuggingFaceFormats, MxScaleRulesBitForBit) {
  constexpr std::pair<std::string_view, MxScaleRule> kRules[] = {{"floor", MxScaleRule::kFloor},
                                                                 {"even", MxScaleRule::kEven},
                                                                 {"ceil", MxScaleRule::kCeil},
                                                                 {"rceil", MxScaleRule::kRceil}};
  std::vector<float> weights = Weights();
  for (float& x : weights) x += 0.0f;
  int compared = 0;
  for (const auto& [key, golden] : Golden()["mx_rules"].items()) {
    const Format& format = GetFormat(key.substr(0, key.find(':')));
    for (const auto& [rule_name, rule] : kRules) {
      if (!key.ends_with(":" + std::string(rule_name))) continue;
      Matrix matrix(format, kRows, kCols);
      matrix.Encode(weights, MxEncoder(format, rule));
      EXPECT_EQ(Hex(matrix.codes), golden["first"]) << key;
      EXPECT_EQ(Sha(matrix.scales), golden["scales_sha256"]) << key;
      EXPECT_EQ(Sha(matrix.codes), golden["codes_sha256"]) << key;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 20);
  EXPECT_EQ(MxEncoder(GetFormat("nvfp4"), MxScaleRule::kFloor), nullptr);
}

// What random codes the libraries would never read as finite numbers become.
void KeepFinite(std::string_view name, std::vector<std::byte>& codes) {
  for (std::byte& code : codes) {
    const int magnitude = static_cast<int>(code) & 0x7f;
    if ((name == "mxfp8_e4m3" && magnitude == 0x7f) || (name == "mxfp8_e5m2" && magnitude >= 0x7c)) code = std::byte{0};
  }
}

// Seeds as in the generator's `decodes`.
void FillRandom(std::string_view name, Matrix& m) {
  const Format& format = *m.view.format;
  const bool flag_zero = format.scale_bytes == sizeof(ScaleAndZero);
  const int bits = 8 * format.block_bytes / format.block_weights;
  m.codes = RandomBytes(static_cast<int64_t>(m.codes.size()), static_cast<uint32_t>(bits));
  KeepFinite(name, m.codes);
  m.view.codes = m.codes.data();
  const int64_t n = m.view.rows * ScalesPerRow(format, m.view.cols);
  if (format.scale_bytes == 1) {
    const bool nvfp4 = format.has_global;
    m.scales = RandomBytes(n, nvfp4 ? 500 : 400);
    for (std::byte& s : m.scales) {
      if (nvfp4 ? (static_cast<int>(s) & 0x7f) == 0x7f : static_cast<int>(s) == 255) s = std::byte{0};
    }
    m.view.scales = m.scales.data();
    return;
  }
  const std::vector<float> scales = RandomFloats(n, 100 + static_cast<uint32_t>(bits));
  const std::vector<float> zeros = RandomFloats(n, 200 + static_cast<uint32_t>(bits));
  for (size_t i = 0; i < scales.size(); ++i) {
    const ScaleAndZero entry{scales[i], zeros[i]};
    const auto size = static_cast<size_t>(format.scale_bytes);
    std::memcpy(m.scales.data() + i * size, &entry, flag_zero ? sizeof entry : sizeof(float));
  }
  if (!format.by_column_group) return;
  Stream stream{300 + static_cast<uint32_t>(bits)};
  for (int64_t i = 0; i < m.view.cols; ++i)
    m.column_group.push_back(static_cast<int32_t>((stream.Next() >> 8) % (m.view.cols / format.scale_weights)));
  m.view.column_group = m.column_group.data();
}

TEST(HuggingFaceFormats, DecodeRandomBlocksBitForBit) {
  const Json& golden = Golden()["decoded"];
  int compared = 0;
  for (const auto& [key, expected] : golden["formats"].items()) {
    const std::string name = key.substr(0, key.find(':'));
    Matrix matrix(GetFormat(name), golden["rows"], golden["cols"]);
    FillRandom(name, matrix);
    if (name == "nvfp4") {
      matrix.view.global_divisor = key == name ? 3.7f : 1.0f;
      matrix.view.global_scale = key == name ? 1.0f : 0.0123f;
    }
    for (int64_t row = 0; row < matrix.view.rows; ++row) EXPECT_TRUE(matrix.view.format->valid_row(matrix.view, row));
    EXPECT_EQ(ShaOfValues(matrix.Decode()), expected) << key;
    ++compared;
  }
  EXPECT_EQ(compared, 7 * 8 + 4 * 8 + 6 + 2);
}

// A group index that runs out of the row is told, not read.
TEST(HuggingFaceFormats, ColumnGroupsAreChecked) {
  Matrix matrix(GetFormat("int4_g128_gidx"), 2, 512);
  matrix.Encode(Cut(2, 512), matrix.view.format->encode_rows);
  const std::vector<float> plain = matrix.Decode();
  std::vector<int32_t> groups;
  for (int32_t i = 0; i < 512; ++i) groups.push_back(i / 128);
  matrix.view.column_group = groups.data();
  EXPECT_EQ(matrix.Decode(), plain);
  EXPECT_TRUE(matrix.view.format->valid_row(matrix.view, 1));
  for (const int32_t bad : {-1, 4}) {
    groups[77] = bad;
    EXPECT_FALSE(matrix.view.format->valid_row(matrix.view, 1));
  }
}

TEST(HuggingFaceFormats, NestedScalesBitForBit) {
  const Json& golden = Golden()["nested"];
  std::vector<float> absmax = RandomFloats(golden["n"], 77);
  for (float& x : absmax) x = std::fabs(x);
  const float offset = golden["offset"];
  const NestedAbsmax ours = NestAbsmax(absmax);
  EXPECT_NEAR(ours.offset, offset, std::fabs(offset) * 2e-7f);
  const NestedAbsmax nested = NestAbsmax(absmax, offset);
  EXPECT_EQ(Sha(nested.codes), golden["codes_sha256"]);
  EXPECT_EQ(Sha(nested.absmax), golden["absmax_sha256"]);
  std::vector<float> back(absmax.size());
  UnnestAbsmax(nested.codes, nested.absmax, kDynamic8Map, offset, kNestedBlock, back);
  EXPECT_EQ(Sha(back), golden["decoded_sha256"]);
}

TEST(HuggingFaceFormats, BitnetPackingBitForBit) {
  Matrix matrix(GetFormat("ternary"), kRows, kCols);
  matrix.Encode(Weights(), matrix.view.format->encode_rows);
  std::vector<std::byte> packed(kRows / 4 * kCols), back(matrix.codes.size());
  PackBitnet(matrix.codes.data(), kRows, kCols, packed.data());
  EXPECT_EQ(Sha(packed), Golden()["bitnet_packed_sha256"]);
  UnpackBitnet(packed.data(), kRows, kCols, 0, kRows, back.data());
  EXPECT_EQ(back, matrix.codes);
  matrix.codes[5] = std::byte{0x30};
  EXPECT_FALSE(matrix.view.format->valid_row(matrix.view, 0));
}

TEST(BitPacking, AsCompressedTensorsAndBack) {
  for (const auto& [text, golden] : Golden()["packings"].items()) {
    const int bits = std::stoi(text);
    const std::vector<std::byte> random = RandomBytes(3 * 61, 600 + static_cast<uint32_t>(bits));
    std::vector<uint8_t> values;
    for (const std::byte b : random) values.push_back(static_cast<uint8_t>(static_cast<int>(b) & ((1 << bits) - 1)));
    std::vector<std::byte> dense(static_cast<size_t>(3 * DenseWordBytes(61, bits)));
    std::vector<std::byte> padded(static_cast<size_t>(3 * PaddedBytes(61, bits)));
    for (size_t row = 0; row < 3; ++row) {
      const std::span<const uint8_t> in(values.data() + row * 61, 61);
      const auto of_row = [&](std::vector<std::byte>& all) {
        return std::span(all).subspan(row * all.size() / 3, all.size() / 3);
      };
      PackDense(in, bits, of_row(dense));
      PackPadded(in, bits, of_row(padded));
      std::vector<uint8_t> back(61);
      UnpackDense(of_row(dense), bits, back);
      EXPECT_TRUE(std::equal(back.begin(), back.end(), in.begin())) << bits;
      UnpackPadded(of_row(padded), bits, back);
      EXPECT_TRUE(std::equal(back.begin(), back.end(), in.begin())) << bits;
    }
    EXPECT_EQ(Sha(dense), golden["dense_sha256"]) << bits;
    EXPECT_EQ(Sha(padded), golden["padded_sha256"]) << bits;
  }
}

// GPTQ's 3-bit words: values 10 and 21 straddle, 10 + (2 + 1) + 10 + (1 + 2) + 10.
TEST(BitPacking, ThreeBitWordsOfGptq) {
  std::vector<uint8_t> values(32);
  for (size_t i = 0; i < 32; ++i) values[i] = static_cast<uint8_t>((i * 5 + 3) % 8);
  uint32_t words[3] = {};
  for (uint32_t i = 0; i < 10; ++i) words[0] |= static_cast<uint32_t>(values[i]) << (3 * i);
  words[0] |= static_cast<uint32_t>(values[10]) << 30;
  words[1] |= static_cast<uint32_t>(values[10]) >> 2 & 1;
  for (uint32_t i = 0; i < 10; ++i) words[1] |= static_cast<uint32_t>(values[11 + i]) << (3 * i + 1);
  words[1] |= static_cast<uint32_t>(values[21]) << 31;
  words[2] |= static_cast<uint32_t>(values[21]) >> 1 & 3;
  for (uint32_t i = 0; i < 10; ++i) words[2] |= static_cast<uint32_t>(values[22 + i]) << (3 * i + 2);
  std::vector<std::byte> packed(12);
  PackDense(values, 3, packed);
  EXPECT_EQ(std::memcmp(packed.data(), words, 12), 0);
}

TEST(BitPacking, PlanesAndBack) {
  for (int bits = 2; bits <= 8; ++bits) {
    std::vector<uint8_t> values(96), back(96);
    Stream stream{static_cast<uint32_t>(bits)};
    for (uint8_t& v : values) v = static_cast<uint8_t>((stream.Next() >> 20) & ((1u << bits) - 1));
    std::vector<std::byte> packed(static_cast<size_t>(12 * bits));
    PackPlanar(values, bits, packed);
    UnpackPlanar(packed, bits, back);
    EXPECT_EQ(back, values) << bits;
  }
  for (const auto& [text, sha] : Golden()["planes"].items()) {
    const int bits = std::stoi(text);
    std::vector<uint8_t> values;
    for (const std::byte b : RandomBytes(96, 700 + static_cast<uint32_t>(bits)))
      values.push_back(static_cast<uint8_t>(static_cast<int>(b) & ((1 << bits) - 1)));
    std::vector<std::byte> packed(static_cast<size_t>(12 * bits));
    PackPlanar(values, bits, packed);
    EXPECT_EQ(Sha(packed), sha) << bits;
  }
  // 5 = 4 + 1: the low nibbles of 32 values, then their fifth bits.
  std::vector<uint8_t> values(32, 0);
  values[1] = 0x1f;
  std::vector<std::byte> packed(20);
  PackPlanar(values, 5, packed);
  EXPECT_EQ(packed[0], std::byte{0xf0});
  EXPECT_EQ(packed[16], std::byte{0x02});
}

}  // namespace
}  // namespace assay
