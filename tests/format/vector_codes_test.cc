// The vector encoders give the codes of the scalar number formats, bit for bit.

#include "format/vector_codes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/random.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"
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
    const Int8Lanes codes = Fp8E4m3Codes(Load8(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeFp8E4m3(values[i])) << values[i];
  });
}

TEST(VectorCodes, Fp4E2m1) {
  ForManyValues([](const float* values) {
    const Int8Lanes codes = Fp4E2m1Codes(Load8(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeFp4E2m1(values[i] + 0.0f)) << values[i];
  });
}

TEST(VectorCodes, Nf4) {
  ForManyValues([](const float* values) {
    const Int8Lanes codes = Nf4Codes(Load8(values));
    for (int i = 0; i < 8; ++i) ASSERT_EQ(codes[i], EncodeNf4(values[i])) << values[i];
  });
}

}  // namespace
}  // namespace assay
