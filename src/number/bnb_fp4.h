#pragma once
// The FP4 of bitsandbytes: a sign (bit 3) and eight magnitudes in no order, scaled to [0, 1]: 0, 1/192, 2/3, 1, 1/3,
// 1/2, 1/6, 1/4. Not E2M1. Source: bitsandbytes, functional.py (get_4bit_type) and backends/default/ops.py.

#include <bit>
#include <cstdint>

namespace assay {

inline constexpr float kBnbFp4Values[16] = {
    0.0f,
    0.0052083334885537624f,
    0.6666666865348816f,
    1.0f,
    0.3333333432674408f,
    0.5f,
    0.1666666716337204f,
    0.25f,
    0.0f,
    -0.0052083334885537624f,
    -0.6666666865348816f,
    -1.0f,
    -0.3333333432674408f,
    -0.5f,
    -0.1666666716337204f,
    -0.25f,
};

constexpr float DecodeBnbFp4(uint8_t code) {
  return kBnbFp4Values[code & 15];
}

/// The codes in ascending order of value; positive zero stands before negative zero.
inline constexpr uint8_t kBnbFp4Order[16] = {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3};

/// The bound between ranks i and i + 1 (the float32 mean of their values); a value on a bound takes the lower rank.
constexpr float BnbFp4Bound(int i) {
  return (kBnbFp4Values[kBnbFp4Order[i]] + kBnbFp4Values[kBnbFp4Order[i + 1]]) / 2;
}

/// The nearest code; saturates at -1 and 1. What rounds to zero from above becomes code 8. NaN becomes the code of -1.
constexpr uint8_t EncodeBnbFp4(float x) {
  int rank = 0;
  for (int i = 0; i < 15; ++i) rank += x > BnbFp4Bound(i);
  return kBnbFp4Order[rank];
}

}  // namespace assay
