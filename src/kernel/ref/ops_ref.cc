#include "kernel/ref/ops_ref.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "number/f16.h"

namespace assay::ref {
namespace {

float CacheValue(const CacheView& cache, int64_t position, int64_t element) {
  const std::byte* row = cache.Row(position);
  return cache.half ? DecodeF16(reinterpret_cast<const uint16_t*>(row)[element])
                    : reinterpret_cast<const float*>(row)[element];
}

}  // namespace

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  auto factor = static_cast<float>(1.0 / std::sqrt(sum / static_cast<double>(n) + epsilon));
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void LayerNorm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* out) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  double factor = 1.0 / std::sqrt(squares / static_cast<double>(n) + epsilon);
  for (int64_t i = 0; i < n; ++i)
    out[i] = static_cast<float>((x[i] - mean) * factor) * weight[i] + (bias ? bias[i] : 0.0f);
}

void AddTo(float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void GeluTanhMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    float x = gate[i], inner = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    out[i] = 0.5f * x * (1.0f + std::tanh(inner)) * (up ? up[i] : 1.0f);
  }
}

void GeluMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i)
    out[i] = 0.5f * gate[i] * (1.0f + std::erf(gate[i] * 0.70710678118654752f)) * (up ? up[i] : 1.0f);
}

void Relu2Mul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    float positive = gate[i] < 0 ? 0.0f : gate[i];
    out[i] = positive * positive * (up ? up[i] : 1.0f);
  }
}

void ClampedSwiglu(const float* gate, const float* up, int64_t n, float limit, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    float g = std::min(gate[i], limit), u = std::clamp(up[i], -limit, limit);
    out[i] = (u + 1.0f) * (g / (1.0f + std::exp(-1.702f * g)));
  }
}

void UnitLength(float* x, int64_t n, float scale, float epsilon) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const float factor = scale / std::sqrt(sum + epsilon);
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

void ConvolveStep(const float* weights, const float* bias, int64_t channels, int64_t kernel, float* history, float* x) {
  const int64_t past = kernel - 1;
  for (int64_t ch = 0; ch < channels; ++ch) {
    const float now = x[ch];
    float sum = 0;
    for (int64_t i = 0; i < past; ++i) sum += weights[ch * kernel + i] * history[i * channels + ch];
    sum += weights[ch * kernel + past] * now;
    if (bias) sum += bias[ch];
    x[ch] = sum;
    for (int64_t i = 0; i + 1 < past; ++i) history[i * channels + ch] = history[(i + 1) * channels + ch];
    if (past > 0) history[(past - 1) * channels + ch] = now;
  }
}

void DeltaStep(float* state, const float* q, const float* k, const float* v, float decay, float beta, int64_t key_dim,
               int64_t value_dim, float* out) {
  for (int64_t e = 0; e < value_dim; ++e) {
    float answer = 0;
    for (int64_t d = 0; d < key_dim; ++d) answer += (state[d * value_dim + e] *= decay) * k[d];
    const float error = (v[e] - answer) * beta;
    float sum = 0;
    for (int64_t d = 0; d < key_dim; ++d) sum += (state[d * value_dim + e] += k[d] * error) * q[d];
    out[e] = sum;
  }
}

void StateStep(float* state, const float* q, const float* k, const float* v, float decay, float gain, int64_t key_dim,
               int64_t value_dim, float* out) {
  for (int64_t e = 0; e < value_dim; ++e) {
    const float in = v[e] * gain;
    float sum = 0;
    for (int64_t d = 0; d < key_dim; ++d) {
      float& cell = state[d * value_dim + e];
      cell = cell * decay + k[d] * in;
      sum += cell * q[d];
    }
    out[e] = sum;
  }
}

void Softcap(float* x, int64_t n, float cap) {
  for (int64_t i = 0; i < n; ++i) x[i] = cap * std::tanh(x[i] / cap);
}

void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
          bool interleaved) {
  int64_t half = rotary_dim / 2;
  for (int64_t h = 0; h < n_heads; ++h, x += head_dim) {
    for (int64_t i = 0; i < half; ++i) {
      int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
      float left = x[a], right = x[b];
      x[a] = left * cosine[i] - right * sine[i];
      x[b] = right * cosine[i] + left * sine[i];
    }
  }
}

void AttendHead(const float* q, const CacheView& keys, const CacheView& values, int64_t head_offset, int64_t head_dim,
                int64_t first, int64_t last, const AttentionOptions& options, float* scores, float* out) {
  int64_t n = last - first + 1;
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    float dot = 0;
    for (int64_t d = 0; d < head_dim; ++d) dot += q[d] * CacheValue(keys, first + i, head_offset + d);
    scores[i] = dot * options.scale;
  }
  if (options.softcap > 0) Softcap(scores, n, options.softcap);
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, scores[i]);
  float sum = 0;
  if (options.sinks) {
    largest = std::max(largest, *options.sinks);
    sum = std::exp(*options.sinks - largest);
  }
  for (int64_t i = 0; i < n; ++i) {
    scores[i] = std::exp(scores[i] - largest);
    sum += scores[i];
  }
  for (int64_t d = 0; d < head_dim; ++d) out[d] = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t d = 0; d < head_dim; ++d) out[d] += scores[i] * CacheValue(values, first + i, head_offset + d);
  float inverse = 1.0f / sum;
  for (int64_t d = 0; d < head_dim; ++d) out[d] *= inverse;
}

void AttendHeads(const float* q, int64_t n_heads, const CacheView& keys, const CacheView& values, int64_t head_offset,
                 int64_t head_dim, int64_t first, int64_t last, const AttentionOptions& options, float* scores,
                 float* out) {
  AttentionOptions one = options;
  for (int64_t h = 0; h < n_heads; ++h) {
    if (options.sinks) one.sinks = options.sinks + h;
    ref::AttendHead(q + h * head_dim, keys, values, head_offset, head_dim, first, last, one, scores,
                    out + h * head_dim);
  }
}

void IndexScores(const float* q, const float* weights, int64_t n_heads, const CacheView& keys, int64_t head_dim,
                 int64_t begin, int64_t end, float* out) {
  for (int64_t i = begin; i < end; ++i) {
    float sum = 0;
    for (int64_t h = 0; h < n_heads; ++h) {
      float dot = 0;
      for (int64_t d = 0; d < head_dim; ++d) dot += q[h * head_dim + d] * CacheValue(keys, i, d);
      sum += weights[h] * (dot < 0 ? 0.0f : dot);
    }
    out[i - begin] = sum;
  }
}

void TopPositions(const float* scores, int64_t n, int64_t k, uint64_t* order, int32_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    // Bits that ascend with the number; then turned round, so that the best come first, then the lower position.
    auto bits = std::bit_cast<uint32_t>(scores[i] + 0.0f);
    uint32_t rank = std::isnan(scores[i]) ? UINT32_MAX : bits >> 31 ? ~bits : bits | 0x80000000u;
    order[i] = static_cast<uint64_t>(~rank) << 32 | static_cast<uint64_t>(i);
  }
  if (k < n) std::nth_element(order, order + k, order + n);
  for (int64_t i = 0; i < k; ++i) out[i] = static_cast<int32_t>(order[i] & UINT32_MAX);
  std::sort(out, out + k);
}

void ToHalf(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = EncodeF16(x[i]);
}

double LogSumExp(const float* x, int64_t n) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, static_cast<double>(x[i]));
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - largest);
  return largest + std::log(sum);
}

int64_t ArgMax(const float* x, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i)
    if (x[i] > x[best]) best = i;
  return best;
}

}  // namespace assay::ref
