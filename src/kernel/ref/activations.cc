#include "kernel/ref/activations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "number/bf16.h"
#include "number/f16.h"
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
  for (int64_t i = 0; i < cols; ++i) y[i] = scale != 0 ? scale * DecodeFp8E4m3(EncodeFp8E4m3(x[i] / scale)) : 0.0f;
  ZeroTail(cols, out);
}

}  // namespace assay::ref
