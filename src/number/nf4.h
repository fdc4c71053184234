#pragma once
// NormalFloat4: sixteen quantiles of the normal distribution scaled to [-1, 1]; a code is an index into them.
// Source: Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, appendix E; values as bitsandbytes
// stores them.

#include <cstdint>

namespace assay {

inline constexpr float kNf4Values[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

constexpr float DecodeNf4(uint8_t code) {
  return kNf4Values[code & 15];
}

/// The bound between codes i and i + 1 (the float32 mean of their values); a value on a bound takes the lower code.
constexpr float Nf4Bound(int i) {
  return (kNf4Values[i] + kNf4Values[i + 1]) / 2;
}

/// The nearest code; saturates at -1 and 1; NaN becomes code 0.
constexpr uint8_t EncodeNf4(float x) {
  int code = 0;
  for (int i = 0; i < 15; ++i) code += x > Nf4Bound(i);
  return static_cast<uint8_t>(code);
}

}  // namespace assay
