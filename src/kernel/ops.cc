#include "kernel/ops.h"

#include "kernel/cpu/ops.h"
#include "kernel/ref/ops_ref.h"
#include "system/machine.h"

namespace assay {

#if defined(__x86_64__)
#define ASSAY_DISPATCH(call)           \
  const CpuFeatures& cpu = Cpu();      \
  if (cpu.avx512) return avx512::call; \
  if (cpu.avx2_fma) return avx2::call; \
  return ref::call
#else
#define ASSAY_DISPATCH(call) return ref::call
#endif

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  ASSAY_DISPATCH(RmsNorm(x, weight, n, epsilon, out));
}

void LayerNorm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* out) {
  ref::LayerNorm(x, weight, bias, n, epsilon, out);
}

void AddTo(float* x, const float* y, int64_t n) {
  ASSAY_DISPATCH(AddTo(x, y, n));
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  ASSAY_DISPATCH(SiluMul(gate, up, n, out));
}

void GeluTanhMul(const float* gate, const float* up, int64_t n, float* out) {
  ASSAY_DISPATCH(GeluTanhMul(gate, up, n, out));
}

void GeluMul(const float* gate, const float* up, int64_t n, float* out) {
  ref::GeluMul(gate, up, n, out);
}

void Relu2Mul(const float* gate, const float* up, int64_t n, float* out) {
  ASSAY_DISPATCH(Relu2Mul(gate, up, n, out));
}

void ClampedSwiglu(const float* gate, const float* up, int64_t n, float limit, float* out) {
  ASSAY_DISPATCH(ClampedSwiglu(gate, up, n, limit, out));
}

void UnitLength(float* x, int64_t n, float scale, float epsilon) {
  ref::UnitLength(x, n, scale, epsilon);
}

void ConvolveStep(const float* weights, const float* bias, int64_t channels, int64_t kernel, float* history, float* x) {
  ref::ConvolveStep(weights, bias, channels, kernel, history, x);
}

void DeltaStep(float* state, const float* q, const float* k, const float* v, float decay, float beta, int64_t key_dim,
               int64_t value_dim, float* out) {
  ASSAY_DISPATCH(DeltaStep(state, q, k, v, decay, beta, key_dim, value_dim, out));
}

void StateStep(float* state, const float* q, const float* k, const float* v, float decay, float gain, int64_t key_dim,
               int64_t value_dim, float* out) {
  ASSAY_DISPATCH(StateStep(state, q, k, v, decay, gain, key_dim, value_dim, out));
}

void Softcap(float* x, int64_t n, float cap) {
  ASSAY_DISPATCH(Softcap(x, n, cap));
}

void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
          bool interleaved) {
  ASSAY_DISPATCH(Rope(x, n_heads, head_dim, rotary_dim, cosine, sine, interleaved));
}

void AttendHeads(const float* q, int64_t n_heads, const CacheView& keys, const CacheView& values, int64_t head_offset,
                 int64_t head_dim, int64_t first, int64_t last, const AttentionOptions& options, float* scores,
                 float* out) {
  ASSAY_DISPATCH(AttendHeads(q, n_heads, keys, values, head_offset, head_dim, first, last, options, scores, out));
}

void AttendHead(const float* q, const CacheView& keys, const CacheView& values, int64_t head_offset, int64_t head_dim,
                int64_t first, int64_t last, const AttentionOptions& options, float* scores, float* out) {
  AttendHeads(q, 1, keys, values, head_offset, head_dim, first, last, options, scores, out);
}

void IndexScores(const float* q, const float* weights, int64_t n_heads, const CacheView& keys, int64_t head_dim,
                 int64_t begin, int64_t end, float* out) {
  ASSAY_DISPATCH(IndexScores(q, weights, n_heads, keys, head_dim, begin, end, out));
}

void TopPositions(const float* scores, int64_t n, int64_t k, uint64_t* order, int32_t* out) {
  ref::TopPositions(scores, n, k, order, out);
}

void ToHalf(const float* x, int64_t n, uint16_t* out) {
  ASSAY_DISPATCH(ToHalf(x, n, out));
}

double LogSumExp(const float* x, int64_t n) {
  ASSAY_DISPATCH(LogSumExp(x, n));
}

int64_t ArgMax(const float* x, int64_t n) {
  ASSAY_DISPATCH(ArgMax(x, n));
}

}  // namespace assay
