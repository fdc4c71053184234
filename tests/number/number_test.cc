// Every code of every number format, against ml_dtypes and numpy (golden/format/golden.json) and against the definition
// of rounding.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "base/hash.h"
#include "base/json.h"
#include "number/bf16.h"
#include "number/e8m0.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/nf4.h"
#include "number/table.h"

namespace assay {
namespace {

const Json& Golden() {
  static const Json golden = [] {
    std::ifstream in(ASSAY_TEST_DATA "/golden/format/golden.json");
    std::stringstream text;
    text << in.rdbuf();
    return ParseJson(text.str(), "golden.json");
  }();
  return golden;
}

template <typename T>
std::string Sha(const std::vector<T>& values) {
  return Sha256Hex(std::as_bytes(std::span(values)));
}

// The same values that tools/golden/format.py makes.
std::vector<float> PatternedValues(const NumberFormat& format, double low) {
  std::vector<float> values;
  uint32_t bits = 1;
  const double span = std::log2(static_cast<double>(format.largest)) - low;
  for (int i = 0; i < 100000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    const int exponent = static_cast<int>(std::floor(low + (bits >> 8 & 0xffff) / 65536.0 * span));
    float x = static_cast<float>(std::ldexp(1.0 + (bits & 0xff) / 256.0 + (bits >> 24) / 65536.0 / 256.0, exponent));
    x = std::min(x, format.largest);
    values.push_back(format.name != "e8m0" && (bits >> 7 & 1) != 0 ? -x : x);
  }
  return values;
}

TEST(NumberTable, HasEveryFormatOnce) {
  EXPECT_EQ(NumberFormats().size(), 8u);
  for (const NumberFormat& format : NumberFormats()) EXPECT_EQ(FindNumberFormat(format.name), &format);
  EXPECT_EQ(FindNumberFormat("f17"), nullptr);
}

TEST(NumberTable, DecodesAndEncodesAsTheReference) {
  int compared = 0;
  for (const auto& [name, golden] : Golden()["numbers"].items()) {
    const NumberFormat* format = FindNumberFormat(name);
    ASSERT_NE(format, nullptr) << name;
    std::vector<uint32_t> decoded;
    for (uint32_t code = 0; code < 1u << format->bits; ++code) {
      const float value = format->decode(code);
      decoded.push_back(std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value));
    }
    EXPECT_EQ(Sha(decoded), golden["decoded_sha256"]) << name;

    const std::vector<float> values = PatternedValues(*format, golden["low"]);
    ASSERT_EQ(Sha(values), golden["inputs_sha256"]) << name;
    std::vector<uint16_t> wide;
    std::vector<uint8_t> narrow;
    for (const float value : values) {
      wide.push_back(static_cast<uint16_t>(format->encode(value)));
      narrow.push_back(static_cast<uint8_t>(format->encode(value)));
    }
    EXPECT_EQ(format->bits == 16 ? Sha(wide) : Sha(narrow), golden["codes_sha256"]) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 6);
}

// Between two neighbouring values the midpoint goes to the even code, its float neighbours to the nearer value; each
// value to itself.
TEST(NumberTable, RoundsToNearestEvenEverywhere) {
  for (const char* name : {"f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}) {
    const NumberFormat& format = *FindNumberFormat(name);
    const uint32_t sign = 1u << (format.bits - 1);
    uint32_t largest = 0;
    while (format.decode(largest) != format.largest) ++largest;
    for (uint32_t code = 0; code < largest; ++code) {
      const float low = format.decode(code);
      const float high = format.decode(code + 1);
      const float middle = low + (high - low) / 2;
      const uint32_t even = code % 2 == 0 ? code : code + 1;
      ASSERT_LT(low, high) << name << " " << code;
      ASSERT_EQ(format.encode(low), code) << name;
      ASSERT_EQ(format.encode(-low), code | sign) << name;
      ASSERT_EQ(format.encode(middle), even) << name << " " << code;
      ASSERT_EQ(format.encode(std::nextafter(middle, 0.0f)), code) << name;
      ASSERT_EQ(format.encode(std::nextafter(middle, high)), code + 1) << name;
      ASSERT_EQ(format.encode(-std::nextafter(middle, high)), (code + 1) | sign) << name;
    }
    ASSERT_EQ(format.encode(format.largest), largest) << name;
  }
}

TEST(NumberTable, SaturatesAsStated) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(EncodeF16(65519.996f), 0x7bff);
  EXPECT_EQ(EncodeF16(65520.0f), 0x7c00);
  EXPECT_EQ(EncodeF16(-1e30f), 0xfc00);
  EXPECT_TRUE(std::isinf(DecodeF16(0x7c00)));
  EXPECT_TRUE(std::isnan(DecodeF16(EncodeF16(nan))));
  EXPECT_TRUE(std::isinf(DecodeBf16(EncodeBf16(3.4e38f))));
  EXPECT_TRUE(std::isnan(DecodeBf16(EncodeBf16(-nan))));
  EXPECT_EQ(EncodeFp8E4m3(1e9f), 0x7e);
  EXPECT_EQ(EncodeFp8E4m3(464.0f), 0x7e);
  EXPECT_EQ(EncodeFp8E4m3(-infinity), 0xfe);
  EXPECT_EQ(EncodeFp8E4m3(nan) & 0x7f, 0x7f);
  EXPECT_EQ(EncodeFp8E5m2(1e9f), 0x7b);
  EXPECT_EQ(EncodeFp8E5m2(61440.0f), 0x7b);
  EXPECT_EQ(EncodeFp8E5m2(-infinity), 0xfc);
  EXPECT_TRUE(std::isnan(DecodeFp8E5m2(EncodeFp8E5m2(nan))));
  EXPECT_EQ(EncodeFp4E2m1(infinity), 7);
  EXPECT_EQ(EncodeFp4E2m1(-7.0f), 15);
  EXPECT_EQ(EncodeE8m0(0.0f), 255);
  EXPECT_EQ(EncodeE8m0(-1.0f), 255);
  EXPECT_EQ(EncodeE8m0(1e-45f), 0);
  EXPECT_EQ(EncodeE8m0(1.4999f), 127);
  EXPECT_EQ(EncodeE8m0(1.5f), 128);
  EXPECT_EQ(EncodeE8m0(0x1.8p127f), 255);
}

TEST(Nf4, CodesAreTheNearestValues) {
  for (int code = 0; code < 16; ++code) EXPECT_EQ(EncodeNf4(kNf4Values[code]), code);
  for (int code = 0; code < 15; ++code) {
    EXPECT_EQ(EncodeNf4(Nf4Bound(code)), code);
    EXPECT_EQ(EncodeNf4(std::nextafter(Nf4Bound(code), 2.0f)), code + 1);
  }
  for (float x = -1.2f; x < 1.2f; x += 0.001f) {
    int nearest = 0;
    for (int code = 1; code < 16; ++code) {
      if (std::fabs(kNf4Values[code] - x) < std::fabs(kNf4Values[nearest] - x)) nearest = code;
    }
    EXPECT_EQ(EncodeNf4(x), nearest) << x;
  }
}

// Usable at compile time.
static_assert(EncodeF16(1.0f) == 0x3c00 && DecodeF16(0x0001) == 0x1p-24f);
static_assert(EncodeBf16(1.00390625f) == 0x3f80 && DecodeE8m0(127) == 1.0f);
static_assert(EncodeFp8E4m3(448.0f) == 0x7e && DecodeFp8E5m2(0x7b) == 57344.0f && EncodeFp4E2m1(2.5f) == 4);

}  // namespace
}  // namespace assay
