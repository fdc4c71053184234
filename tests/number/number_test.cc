// Every code of every number format, against ml_dtypes, numpy and bitsandbytes (golden/format/numbers.json and
// golden.json) and against the definition of rounding.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "base/hash.h"
#include "base/json.h"
#include "number/bf16.h"
#include "number/bnb_dynamic8.h"
#include "number/e8m0.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp6.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/fp8_fnuz.h"
#include "number/integers.h"
#include "number/nf4.h"
#include "number/table.h"

namespace assay {
namespace {

Json ReadGolden(const std::string& name) {
  std::ifstream in(ASSAY_TEST_DATA "/golden/format/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return ParseJson(text.str(), name);
}

const Json& Golden() {
  static const Json golden = ReadGolden("golden.json");
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
  EXPECT_EQ(NumberFormats().size(), 31u);
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

// The inputs of tools/golden/number_formats.py: every value, every midpoint of neighbours, their float neighbours, and
// patterned values.
std::vector<float> DenseValues(const NumberFormat& format, double low, double high) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values;
  for (uint32_t code = 0; code < 1u << format.bits; ++code) {
    const float value = format.decode(code) + 0.0f;
    if (std::isfinite(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<float> middles;
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    const auto middle = static_cast<float>((static_cast<double>(values[i]) + values[i + 1]) / 2);
    if (std::isfinite(middle)) middles.push_back(middle);
  }
  values.insert(values.end(), middles.begin(), middles.end());
  for (const float middle : middles) values.push_back(std::nextafter(middle, infinity));
  for (const float middle : middles) values.push_back(std::nextafter(middle, -infinity));
  uint32_t bits = 1;
  for (int i = 0; i < 60000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    const int exponent = static_cast<int>(std::floor(low + (bits >> 8 & 0xffff) / 65536.0 * (high - low)));
    const auto x =
        static_cast<float>(std::ldexp(1.0 + (bits & 0xff) / 256.0 + (bits >> 24) / 65536.0 / 256.0, exponent));
    values.push_back((bits >> 7 & 1) != 0 ? -x : x);
  }
  return values;
}

template <typename Encode>
std::string ShaOfCodes(const std::vector<float>& values, int bits, Encode encode) {
  std::vector<uint16_t> wide;
  std::vector<uint8_t> narrow;
  for (const float value : values) {
    if (bits > 8) {
      wide.push_back(static_cast<uint16_t>(encode(value)));
    } else {
      narrow.push_back(static_cast<uint8_t>(encode(value)));
    }
  }
  return bits > 8 ? Sha(wide) : Sha(narrow);
}

TEST(NumberTable, EveryCodeAndADenseSetOfValuesAsTheReference) {
  const Json golden_file = ReadGolden("numbers.json");
  size_t compared = 0;
  for (const auto& [name, golden] : golden_file["numbers"].items()) {
    const NumberFormat* format = FindNumberFormat(name);
    ASSERT_NE(format, nullptr) << name;
    std::vector<uint32_t> decoded;
    for (uint32_t code = 0; code < 1u << format->bits; ++code) {
      const float value = format->decode(code);
      decoded.push_back(std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value));
    }
    EXPECT_EQ(Sha(decoded), golden["decoded_sha256"]) << name;
    const std::vector<float> values = DenseValues(*format, golden["low"], golden["high"]);
    ASSERT_EQ(values.size(), golden["n"].get<size_t>()) << name;
    ASSERT_EQ(Sha(values), golden["inputs_sha256"]) << name;
    EXPECT_EQ(ShaOfCodes(values, format->bits, format->encode), golden["codes_sha256"]) << name;
    if (golden.contains("overflowing_sha256")) {
      const auto encode = name == "fp8_e4m3" ? EncodeFp8E4m3Overflowing : EncodeFp8E5m2Overflowing;
      EXPECT_EQ(ShaOfCodes(values, 8, encode), golden["overflowing_sha256"]) << name;
    }
    ++compared;
  }
  EXPECT_EQ(compared, NumberFormats().size() - 2);  // f32 is itself; e8m0 is compared above
}

TEST(NumberTable, WhatIsNotFiniteEverywhere) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const NumberFormat& format : NumberFormats()) {
    const auto trip = [&](float x) { return format.decode(format.encode(x)); };
    const uint32_t mask = format.bits == 32 ? ~0u : (1u << format.bits) - 1;
    for (const float x : {infinity, -infinity, nan, 0.0f, -0.0f, 1e-45f, -1e-45f, 3e38f, -3e38f})
      ASSERT_EQ(format.encode(x) & ~mask, 0u) << format.name << " " << x;
    if (format.name == "e8m0") continue;  // tested below
    if (format.saturates && format.name != "fp8_e5m2") {
      EXPECT_EQ(trip(infinity), trip(3e38f)) << format.name;
      EXPECT_EQ(trip(-infinity), trip(-3e38f)) << format.name;
      EXPECT_LE(std::fabs(trip(infinity)), format.largest) << format.name;
    } else {
      EXPECT_EQ(trip(infinity), infinity) << format.name;
      EXPECT_EQ(trip(-infinity), -infinity) << format.name;
    }
    const bool has_nan =
        format.name == "f32" || format.name == "f16" || format.name == "bf16" || format.name.starts_with("fp8");
    EXPECT_EQ(std::isnan(trip(nan)), has_nan) << format.name;
    const bool signed_zero = (has_nan || format.name.starts_with("fp")) && !format.name.ends_with("fnuz");
    EXPECT_EQ(std::signbit(trip(-0.0f)), signed_zero) << format.name;
    EXPECT_EQ(trip(-0.0f), 0.0f) << format.name;
  }
}

// The spec's own table: all values of FP6 and the ends of the FP8 variants.
TEST(NumberTable, ValuesOfTheSpecifications) {
  EXPECT_EQ(DecodeFp6E3m2(0x1f), 28.0f);
  EXPECT_EQ(DecodeFp6E3m2(0x01), 0.0625f);
  EXPECT_EQ(DecodeFp6E3m2(0x04), 0.25f);
  EXPECT_EQ(DecodeFp6E2m3(0x1f), 7.5f);
  EXPECT_EQ(DecodeFp6E2m3(0x01), 0.125f);
  EXPECT_EQ(DecodeFp6E2m3(0x28), -1.0f);
  EXPECT_EQ(DecodeFp8E4m3Fnuz(0x7f), 240.0f);
  EXPECT_EQ(DecodeFp8E4m3Fnuz(0x01), 0x1p-10f);
  EXPECT_EQ(DecodeFp8E5m2Fnuz(0x7f), 57344.0f);
  EXPECT_EQ(DecodeFp8E5m2Fnuz(0x01), 0x1p-17f);
  EXPECT_EQ(EncodeFp8E4m3Fnuz(-1e-6f), 0x00);
  EXPECT_TRUE(std::isnan(DecodeFp8E5m2Fnuz(0x80)));
  EXPECT_EQ(DecodeMxInt8(0x7f), 1.984375f);
  EXPECT_EQ(DecodeMxInt8(0x80), -2.0f);
  EXPECT_EQ(kDynamic8Map[0], -0.992968738079071f);
  EXPECT_EQ(EncodeFp8E4m3Overflowing(465.0f), 0x7f);
  EXPECT_EQ(EncodeFp8E4m3Overflowing(464.0f), 0x7e);
  EXPECT_EQ(EncodeFp8E5m2Overflowing(61440.0f), 0x7c);
  EXPECT_EQ(EncodeFp8E5m2Overflowing(-61439.0f), 0xfb);
}

// Between two neighbouring values the midpoint goes to the even code, its float neighbours to the nearer value; each
// value to itself.
TEST(NumberTable, RoundsToNearestEvenEverywhere) {
  for (const char* name : {"f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"}) {
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
