#include "kernel/ref/activations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "number/bf16.h"
#include "number/e8m0.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"

namespace assay::ref {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The largest magnitude; infinity or NaN when any value is not finite.
float AbsMax(const float* x, int64_t n) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffff);
  return std::bit_cast<float>(largest);
}

// Round to nearest even for |x| < 2^22, the default rounding mode assumed.
int32_t RoundToInt(float x) {
  return static_cast<int32_t>((x + 0x1.8p23f) - 0x1.8p23f);
}

void ZeroTail(int64_t cols, std::byte* out) {
  std::memset(out + cols * 4, 0, static_cast<size_t>(FloatActivationBytes(cols) - cols * 4));
}

float Fp8Scale(float amax) {
  return amax / 448.0f;
}

float RoundFp8(float x, float scale) {
  return scale != 0 ? scale * DecodeFp8E4m3(EncodeFp8E4m3(x / scale)) : 0.0f;
}

float RoundInt8(float x, float scale) {
  return scale != 0 ? scale * static_cast<float>(RoundToInt(std::clamp(x / scale, -128.0f, 127.0f))) : 0.0f;
}

// x [n] in groups of `group` (the last may be short), each rounded by `round(values, n, amax)`.
template <typename Round>
void InGroups(int64_t n, int64_t group, float* x, Round round) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t count = std::min(group, n - begin);
    const float amax = AbsMax(x + begin, count);
    if (std::isfinite(amax)) {
      round(x + begin, count, amax);
    } else {
      std::fill_n(x + begin, count, kNan);
    }
  }
}

// The exponent of compressed-tensors' MX scale, less `largest`, the element's largest exponent; mantissas from 1.75 up
// count as the next power of two.
float MxScale(float amax, int largest) {
  const int exponent = static_cast<int>((std::bit_cast<uint32_t>(amax) + 0x200000u) >> 23) - largest;
  return DecodeE8m0(static_cast<uint8_t>(std::clamp(exponent, 0, 254)));
}

}  // namespace

int64_t FloatActivationBytes(int64_t cols) {
  return (cols * 4 + 63) / 64 * 64;
}

float QuantizeQ8_0(const float* x, int8_t* q) {
  float amax = AbsMax(x, 32);
  if (!std::isfinite(amax)) {
    std::fill_n(q, 32, int8_t{0});
    return kNan;
  }
  float inverse = amax != 0 ? 127.0f / amax : 0.0f;
  // For amax below 127 / FLT_MAX the inverse is infinite and 0 * inverse is not a number: such a block is zero.
  if (!std::isfinite(inverse)) inverse = 0;
  for (int i = 0; i < 32; ++i) q[i] = static_cast<int8_t>(RoundToInt(x[i] * inverse));
  return RoundToF16(amax / 127.0f);
}

float QuantizeQ8K(const float* x, int8_t* q) {
  float amax = AbsMax(x, 256), largest = 0;
  if (!std::isfinite(amax)) {
    std::fill_n(q, 256, int8_t{0});
    return kNan;
  }
  for (int i = 0; i < 256; ++i) {
    if (std::fabs(x[i]) == amax) {
      largest = x[i];
      break;
    }
  }
  float inverse = amax != 0 ? -127.0f / largest : 0.0f;
  if (!std::isfinite(inverse)) inverse = 0;
  for (int i = 0; i < 256; ++i) q[i] = static_cast<int8_t>(std::min(127, RoundToInt(x[i] * inverse)));
  return inverse != 0 ? 1 / inverse : 0.0f;
}

float QuantizeInt8Token(const float* x, int64_t n, int8_t* q) {
  float amax = AbsMax(x, n);
  if (!std::isfinite(amax)) {
    std::fill_n(q, n, int8_t{0});
    return kNan;
  }
  float scale = amax / 127.5f;
  for (int64_t i = 0; i < n; ++i) {
    float value = scale != 0 ? x[i] / scale : 0.0f;
    q[i] = static_cast<int8_t>(std::clamp(RoundToInt(std::clamp(value, -128.0f, 127.0f)), -128, 127));
  }
  return scale;
}

template <>
void Prepare<ActivationKind::kFloat>(const float* x, int64_t cols, std::byte* out) {
  std::memcpy(out, x, static_cast<size_t>(cols) * 4);
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kF16>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  for (int64_t i = 0; i < cols; ++i) y[i] = RoundToF16(x[i]);
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kBF16>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  for (int64_t i = 0; i < cols; ++i) y[i] = RoundToBf16(x[i]);
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kQ8_0>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  int8_t q[32];
  for (int64_t b = 0; b < cols; b += 32) {
    float d = QuantizeQ8_0(x + b, q);
    for (int i = 0; i < 32; ++i) y[b + i] = d * static_cast<float>(q[i]);
  }
  ZeroTail(cols, out);
}

// The sums of Q8_1 matter only to the kernels that use them; the codes and scales are those of Q8_0.
template <>
void Prepare<ActivationKind::kQ8_1>(const float* x, int64_t cols, std::byte* out) {
  Prepare<ActivationKind::kQ8_0>(x, cols, out);
}

template <>
void Prepare<ActivationKind::kQ8_K>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  int8_t q[256];
  for (int64_t b = 0; b < cols; b += 256) {
    float d = QuantizeQ8K(x + b, q);
    for (int i = 0; i < 256; ++i) y[b + i] = d * static_cast<float>(q[i]);
  }
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kInt8PerToken>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  int8_t q[64];
  float amax = AbsMax(x, cols);
  for (int64_t b = 0; b < cols; b += 64) {
    int64_t n = std::min<int64_t>(64, cols - b);
    // Every piece must see the scale of the whole token: it is passed along as one more value.
    float piece[65];
    int8_t codes[65];
    std::copy_n(x + b, n, piece);
    piece[n] = amax;
    float scale = QuantizeInt8Token(piece, n + 1, codes);
    std::copy_n(codes, n, q);
    for (int64_t i = 0; i < n; ++i) y[b + i] = scale * static_cast<float>(q[i]);
  }
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kFp8PerToken>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  float amax = AbsMax(x, cols);
  float scale = std::isfinite(amax) ? Fp8Scale(amax) : kNan;
  for (int64_t i = 0; i < cols; ++i) y[i] = RoundFp8(x[i], scale);
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kFp8Group128>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  std::copy_n(x, cols, y);
  InGroups(cols, 128, y, [](float* v, int64_t n, float amax) {
    for (int64_t i = 0; i < n; ++i) v[i] = RoundFp8(v[i], Fp8Scale(amax));
  });
  ZeroTail(cols, out);
}

// LLM.int8 takes a column out when any token of the batch is large there; here every token stands alone, so that a
// batch changes nothing.
template <>
void Prepare<ActivationKind::kInt8Outliers>(const float* x, int64_t cols, std::byte* out) {
  constexpr float kThreshold = 6.0f;
  auto* y = reinterpret_cast<float*>(out);
  float amax = 0;
  bool finite = true;
  for (int64_t i = 0; i < cols; ++i) {
    finite &= std::isfinite(x[i]);
    if (std::fabs(x[i]) < kThreshold) amax = std::max(amax, std::fabs(x[i]));
  }
  for (int64_t i = 0; i < cols; ++i) {
    if (!finite) {
      y[i] = kNan;
    } else if (std::fabs(x[i]) >= kThreshold) {
      y[i] = RoundToF16(x[i]);
    } else {
      // A quotient of 127 by a tiny amax overflows: such a token is zero.
      const float inverse = amax > 0 ? 127.0f / amax : 0.0f;
      y[i] = std::isfinite(inverse) ? amax * static_cast<float>(RoundToInt(x[i] * inverse)) / 127.0f : 0.0f;
    }
  }
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kInt8BitNet>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  const float amax = AbsMax(x, cols);
  const float scale = 127.0f / std::max(amax, 1e-5f);
  for (int64_t i = 0; i < cols; ++i)
    y[i] = std::isfinite(amax) ? static_cast<float>(std::clamp(RoundToInt(x[i] * scale), -128, 127)) / scale : kNan;
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kMxfp8>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  std::copy_n(x, cols, y);
  InGroups(cols, 32, y, [](float* v, int64_t n, float amax) {
    const float scale = MxScale(amax, 8);
    for (int64_t i = 0; i < n; ++i) v[i] = RoundFp8(v[i], scale);
  });
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kMxfp4>(const float* x, int64_t cols, std::byte* out) {
  auto* y = reinterpret_cast<float*>(out);
  std::copy_n(x, cols, y);
  InGroups(cols, 32, y, [](float* v, int64_t n, float amax) {
    const float scale = MxScale(amax, 2);
    for (int64_t i = 0; i < n; ++i) v[i] = DecodeFp4E2m1(EncodeFp4E2m1(v[i] / scale)) * scale;
  });
  ZeroTail(cols, out);
}

template <>
void Prepare<ActivationKind::kInt8Static>(const float* x, int64_t cols, std::byte* out) {
  Prepare<ActivationKind::kFloat>(x, cols, out);
}
template <>
void Prepare<ActivationKind::kFp8Static>(const float* x, int64_t cols, std::byte* out) {
  Prepare<ActivationKind::kFloat>(x, cols, out);
}
template <>
void Prepare<ActivationKind::kNvfp4>(const float* x, int64_t cols, std::byte* out) {
  Prepare<ActivationKind::kFloat>(x, cols, out);
}

void RoundStatic(ActivationKind kind, float scale, int64_t n, float* x) {
  const float amax = AbsMax(x, n);
  if (!std::isfinite(amax)) return static_cast<void>(std::fill_n(x, n, kNan));
  if (kind == ActivationKind::kNvfp4) {
    if (scale == 0) scale = amax / (448.0f * 6.0f);
    return InGroups(n, 16, x, [scale](float* v, int64_t count, float largest) {
      const float wanted = scale != 0 ? largest / 6.0f / scale : 0.0f;
      float step = DecodeFp8E4m3(EncodeFp8E4m3(wanted));
      step = (step != 0 ? step : 0.125f) * scale;
      for (int64_t i = 0; i < count; ++i) v[i] = step != 0 ? DecodeFp4E2m1(EncodeFp4E2m1(v[i] / step)) * step : 0.0f;
    });
  }
  const bool fp8 = kind == ActivationKind::kFp8Static;
  if (scale == 0) scale = fp8 ? Fp8Scale(amax) : amax / 127.5f;
  for (int64_t i = 0; i < n; ++i) x[i] = fp8 ? RoundFp8(x[i], scale) : RoundInt8(x[i], scale);
}

}  // namespace assay::ref
