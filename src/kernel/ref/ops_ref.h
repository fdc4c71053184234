#pragma once
// The scalar operations: what each means, and the path of a processor without AVX2. Contracts in kernel/ops.h.

#include <cstdint>

#include "kernel/ops.h"

namespace assay::ref {

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out);
void LayerNorm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* out);
void AddTo(float* x, const float* y, int64_t n);
void SiluMul(const float* gate, const float* up, int64_t n, float* out);
void GeluTanhMul(const float* gate, const float* up, int64_t n, float* out);
void GeluMul(const float* gate, const float* up, int64_t n, float* out);
void Relu2Mul(const float* gate, const float* up, int64_t n, float* out);
void ClampedSwiglu(const float* gate, const float* up, int64_t n, float limit, float* out);
void UnitLength(float* x, int64_t n, float scale, float epsilon);
void ConvolveStep(const float* weights, const float* bias, int64_t channels, int64_t kernel, float* history, float* x);
void DeltaStep(float* state, const float* q, const float* k, const float* v, float decay, float beta, int64_t key_dim,
               int64_t value_dim, float* out);
void StateStep(float* state, const float* q, const float* k, const float* v, float decay, float gain, int64_t key_dim,
               int64_t value_dim, float* out);
void Softcap(float* x, int64_t n, float cap);
void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
          bool interleaved);
void AttendHead(const float* q, const CacheView& keys, const CacheView& values, int64_t head_offset, int64_t head_dim,
                int64_t first, int64_t last, const AttentionOptions& options, float* scores, float* out);
void AttendHeads(const float* q, int64_t n_heads, const CacheView& keys, const CacheView& values, int64_t head_offset,
                 int64_t head_dim, int64_t first, int64_t last, const AttentionOptions& options, float* scores,
                 float* out);
void IndexScores(const float* q, const float* weights, int64_t n_heads, const CacheView& keys, int64_t head_dim,
                 int64_t begin, int64_t end, float* out);
void TopPositions(const float* scores, int64_t n, int64_t k, uint64_t* order, int32_t* out);
void ToHalf(const float* x, int64_t n, uint16_t* out);
double LogSumExp(const float* x, int64_t n);
int64_t ArgMax(const float* x, int64_t n);

}  // namespace assay::ref
