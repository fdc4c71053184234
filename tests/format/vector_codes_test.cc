// The vector encoders give the codes of the scalar number formats, bit for bit.

#include "format/vector/vector_codes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/random.h"
#include "format/vector/rounding.h"
#include "number/bnb_fp4.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp6.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/nf4.h"

namespace assay {
namespace {

template <typename Check>
void ForManyValues(Check check) {
  Random random(5);
  for (int i = 0; i < 20000; ++i) {
    alignas(32) float values[8];
    for (float& x : values) {
      x = static_cast<float>(random.Normal() * std::ldexp(1.0, static_cast<int>(random.Below(24)) - 14));
      if (random.Below(4) == 0)
        x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xfff80000u);  // codes and midpoints
      if (random.Below(50) == 0) x = 0;
    }
    check(values);
  }
}

TEST(VectorCodes, Fp8E4m3) {
  ForManyValues([](float* values) {
    for (int i = 0; i < 8; ++i) values[i] = std::fmax(std::fmin(values[i], kFp8E4m3Max), -kFp8E4m3Max);
    const Int8Lanes codes = Fp8E4m3Codes(Load<Float8>(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeFp8E4m3(values[i])) << values[i];
  });
}

template <int exponent_bits, int mantissa_bits, typename Encode>
void CheckMinifloat(float largest, Encode encode) {
  ForManyValues([&](float* values) {
    for (int i = 0; i < 8; ++i) values[i] = std::fmax(std::fmin(values[i], largest), -largest);
    const Int8Lanes codes = MinifloatCodes<exponent_bits, mantissa_bits>(Load<Float8>(values), largest);
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], encode(values[i])) << values[i];
  });
}
TEST(VectorCodes, Minifloats) {
  CheckMinifloat<5, 2>(kFp8E5m2Max, EncodeFp8E5m2);
  CheckMinifloat<3, 2>(kFp6E3m2Max, EncodeFp6E3m2);
  CheckMinifloat<2, 3>(kFp6E2m3Max, EncodeFp6E2m3);
  CheckMinifloat<2, 1>(kFp4E2m1Max, EncodeFp4E2m1);
}

TEST(VectorCodes, F16) {
  for (const float factor : {1.0f, 1e-6f, 1e4f}) {
    ForManyValues([&](float* values) {
      for (int i = 0; i < 8; ++i) values[i] *= factor;
      const Int8Lanes codes = F16Codes(Load<Float8>(values));
      std::byte bytes[16];
      StoreHalves(codes, bytes);
      for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(codes[i], EncodeF16(values[i])) << values[i];
        ASSERT_EQ(static_cast<int>(bytes[2 * i]) | static_cast<int>(bytes[2 * i + 1]) << 8, codes[i]);
      }
    });
  }
}

// The numbers around every half.
TEST(VectorCodes, RoundHalfAway) {
  for (int half = -2001; half <= 2001; half += 2) {
    float x = static_cast<float>(half) / 2;
    for (int step = 0; step < 3; ++step) x = std::nextafter(x, -1e9f);
    for (int step = 0; step < 7; ++step, x = std::nextafter(x, 1e9f)) {
      ASSERT_EQ(RoundHalfAway(Broadcast<Float8>(x))[3], static_cast<int>(std::round(x))) << x;
      ASSERT_EQ(RoundHalfAway(Broadcast<Float16>(x))[11], static_cast<int>(std::round(x))) << x;
    }
  }
}

TEST(VectorCodes, BnbFp4) {
  ForManyValues([](const float* values) {
    const Int8Lanes codes = BnbFp4Codes(Load<Float8>(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeBnbFp4(values[i])) << values[i];
  });
}

template <int bits>
void CheckPacked() {
  const Int8Lanes codes = Int8Lanes{3, 1, 2, 0, 7, 5, 100, 255} & ((1 << bits) - 1);
  std::byte packed[8] = {};
  StorePacked<bits>(codes, packed);
  uint64_t word;
  std::memcpy(&word, packed, 8);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(static_cast<int>(word >> (i * bits) & ((1 << bits) - 1)), codes[i]) << bits;
}
TEST(VectorCodes, Packed) {
  CheckPacked<2>();
  CheckPacked<3>();
  CheckPacked<4>();
  CheckPacked<5>();
  CheckPacked<6>();
  CheckPacked<7>();
  CheckPacked<8>();
  std::byte bytes[3] = {std::byte{9}, std::byte{9}, std::byte{9}};
  StoreBytes(Int8Lanes{1, 2, 3, 4, 5, 6, 7, 8}, 2, bytes);
  EXPECT_EQ(bytes[1], std::byte{2});
  EXPECT_EQ(bytes[2], std::byte{9});
}

TEST(VectorCodes, Fp4E2m1) {
  ForManyValues([](const float* values) {
    const Int8Lanes codes = Fp4E2m1Codes(Load<Float8>(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeFp4E2m1(values[i] + 0.0f)) << values[i];
  });
}

TEST(VectorCodes, Nf4) {
  ForManyValues([](const float* values) {
    const Int8Lanes codes = Nf4Codes(Load<Float8>(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeNf4(values[i])) << values[i];
  });
}

}  // namespace
}  // namespace assay
