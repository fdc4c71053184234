#pragma once
// The other operations of a transformer, on float32 rows. Like the linear kernels they give the same bits for a token
// whatever else is computed beside it. Each dispatches once to the widest instruction set of Cpu(); the scalar path is
// the reference (ops_ref.cc).

#include <cstddef>
#include <cstdint>

namespace assay {

/// out[i] = x[i] / sqrt(mean(x²) + epsilon) * weight[i]; out may be x.
void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out);

/// out[i] = (x[i] - mean(x)) / sqrt(variance(x) + epsilon) * weight[i] + bias[i]; bias may be null; out may be x.
void LayerNorm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* out);

/// x[i] += y[i].
void AddTo(float* x, const float* y, int64_t n);

/// out[i] = silu(gate[i]) * up[i]; out may be gate.
void SiluMul(const float* gate, const float* up, int64_t n, float* out);

/// The same with GELU's tanh approximation; up may be null: 1.
void GeluTanhMul(const float* gate, const float* up, int64_t n, float* out);

/// The same with GELU itself, by the error function. Computed one by one everywhere.
void GeluMul(const float* gate, const float* up, int64_t n, float* out);

/// The same with max(0, x)².
void Relu2Mul(const float* gate, const float* up, int64_t n, float* out);

/// gpt-oss: out[i] = (u + 1) · g · sigmoid(1.702 g), g = min(gate[i], limit), u = up[i] within ± limit; out may be
/// gate.
void ClampedSwiglu(const float* gate, const float* up, int64_t n, float limit, float* out);

/// x[i] = cap * tanh(x[i] / cap).
void Softcap(float* x, int64_t n, float cap);

/// Rotates `n_heads` heads of `head_dim` in place by the angles of one position. cosine, sine: [rotary_dim / 2].
/// interleaved: pairs (2i, 2i+1), as GGUF llama files are permuted for; else pairs (i, i + rotary_dim/2), as Hugging
/// Face files.
void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t rotary_dim, const float* cosine, const float* sine,
          bool interleaved);

/// Keys or values of one layer of one sequence: [n_positions, n_kv_heads * head_dim], float32 or IEEE half. One after
/// the other, or in pages; the bits of what is computed from them are the same.
struct CacheView {
  const void* data = nullptr;  // the first; of rows in pages: null
  bool half = false;
  int64_t stride = 0;                       // elements from one position to the next
  const std::byte* const* pages = nullptr;  // position p is in page p >> page_shift
  int64_t offset = 0;                       // bytes from the beginning of a page to its first row
  int page_shift = 62;                      // log2 of the rows of a page
  /// Where position p is.
  const std::byte* Row(int64_t p) const {
    const int64_t bytes = half ? 2 : 4;
    const std::byte* first = pages ? pages[p >> page_shift] + offset : static_cast<const std::byte*>(data);
    return first + (p & ((int64_t{1} << page_shift) - 1)) * stride * bytes;
  }
  /// Positions of [p, end) that are in the page of p.
  int64_t Together(int64_t p, int64_t end) const {
    const int64_t next = ((p >> page_shift) + 1) << page_shift;
    return (next < end ? next : end) - p;
  }
};

/// How scores become weights.
struct AttentionOptions {
  float scale;                   // on q·k
  float softcap = 0;             // then Softcap; 0: none
  const float* sinks = nullptr;  // [n_heads] a score that takes part in the softmax and has no value; null: none
  AttentionOptions(float s) : scale(s) {}  // NOLINT: mostly a scale is all there is
};

/// Causal attention of one query head over positions [first, last]: out[head_dim] = softmax(scale * q·kᵀ) · v.
/// q [head_dim]; head_offset: element offset of the KV head inside a position. scores: scratch of last - first + 1
/// floats.
void AttendHead(const float* q, const CacheView& keys, const CacheView& values, int64_t head_offset, int64_t head_dim,
                int64_t first, int64_t last, const AttentionOptions& options, float* scores, float* out);

/// The same for n_heads query heads that share one head of keys and values: q, out [n_heads, head_dim]; scores: scratch
/// of n_heads * (last - first + 1) floats. The bits of every head are those of AttendHead; keys and values are read
/// fewer times.
void AttendHeads(const float* q, int64_t n_heads, const CacheView& keys, const CacheView& values, int64_t head_offset,
                 int64_t head_dim, int64_t first, int64_t last, const AttentionOptions& options, float* scores,
                 float* out);

/// What an indexer thinks of positions [begin, end): out[i] = Σ_h weights[h] · max(0, q_h · k_{begin + i}).
/// q [n_heads, head_dim]; keys [n_positions, head_dim]. Heads are added in their order.
void IndexScores(const float* q, const float* weights, int64_t n_heads, const CacheView& keys, int64_t head_dim,
                 int64_t begin, int64_t end, float* out);

/// The k best of n scores, k <= n, as positions in ascending order: the first of equals; what is not a number is taken,
/// so that it stays visible. order: scratch [n].
void TopPositions(const float* scores, int64_t n, int64_t k, uint64_t* order, int32_t* out);

// Of a gated delta net (Yang et al. 2024, arXiv 2412.06464).

/// x[i] = x[i] / sqrt(sum(x²) + epsilon) * scale. Computed one by one everywhere.
void UnitLength(float* x, int64_t n, float scale, float epsilon);

/// A short convolution over time: x [channels] becomes Σ_i weights[ch, i] · past_i[ch] + weights[ch, kernel - 1] ·
/// x[ch] + bias[ch]; bias may be null. history [kernel - 1, channels], oldest first, takes x in. Computed one by one
/// everywhere.
void ConvolveStep(const float* weights, const float* bias, int64_t channels, int64_t kernel, float* history, float* x);

/// One step of one head: the state [key_dim, value_dim] decays, learns beta · (v - its answer to k) for k, and answers
/// q: out [value_dim].
void DeltaStep(float* state, const float* q, const float* k, const float* v, float decay, float beta, int64_t key_dim,
               int64_t value_dim, float* out);

/// One step of one head of Mamba-2 (Dao & Gu 2024, arXiv 2405.21060): the state [key_dim, value_dim] decays, takes in
/// k · (gain v)ᵀ, and answers q: out [value_dim].
void StateStep(float* state, const float* q, const float* k, const float* v, float decay, float gain, int64_t key_dim,
               int64_t value_dim, float* out);

/// Float to half with round-to-nearest-even, and back.
void ToHalf(const float* x, int64_t n, uint16_t* out);

/// log(sum(exp(x))) in double, and the index of the largest element (the first on ties).
double LogSumExp(const float* x, int64_t n);
int64_t ArgMax(const float* x, int64_t n);

}  // namespace assay
