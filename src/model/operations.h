#pragma once
// What blocks are made of: operations over the n rows of a batch, with the thread pool inside. The bits of a row depend
// on that row (and on its sequence) alone.

#include <cmath>
#include <initializer_list>

#include "kernel/ops.h"
#include "model/block/block.h"
#include "model/weights.h"

namespace assay {

/// One linear layer of several that read the same x.
struct Product {
  const Linear& linear;
  Rows out;
};
/// out[i] [n, out_i] = x [n, in] · Wᵢᵀ + bᵢ. Prepared activations are shared where kernels agree. No out may overlap x.
void Multiply(const Pass& pass, ConstRows x, int64_t n, std::initializer_list<Product> products);

/// Activations of one token as the kernel of a linear layer reads them.
inline int64_t PreparedBytes(const Linear& linear) {
  return linear.kernel->activation_bytes(linear.weight.cols);
}

/// x [n, width of the norm]; out may be x. The norm of the configuration, or RMS.
void Normalize(const Pass& pass, const ModelConfig& config, const NormWeights& norm, ConstRows x, int64_t n, Rows out);
void NormalizeLayer(const Pass& pass, double epsilon, const NormWeights& norm, ConstRows x, int64_t n, Rows out);
void NormalizeRms(const Pass& pass, double epsilon, const Vector& weight, ConstRows x, int64_t n, Rows out);

/// Vectors of `dim` elements in each row.
struct Heads {
  int64_t count = 0, dim = 0, stride = 0;  // elements from one to the next
};
/// Heads by themselves, in place: RMS with one weight [dim] for all.
void NormalizeHeads(const Pass& pass, double epsilon, const Vector& weight, Heads heads, Rows x);
/// LayerNorm without bias, a weight [count, dim].
void NormalizeEachHead(const Pass& pass, double epsilon, const Vector& weight, Heads heads, Rows x);

/// Rotates heads in place by the angles [n, 2, dim / 2] of the rows' positions; back: by their opposites.
struct Rotation {
  const float* angles = nullptr;
  bool interleaved = false;
  bool back = false;
};
void Rotate(const Pass& pass, Rotation rotation, Heads heads, Rows x);

/// out [n, width] = f(gate) · up with the activation of the configuration; up.data null: 1; out may be gate.
void Activate(const Pass& pass, const ModelConfig& config, ConstRows gate, ConstRows up, int64_t n, int64_t width,
              Rows out);
/// out [n, width] = f(x) with an activation that has no limit; out may be x.
void Activate(const Pass& pass, Activation activation, ConstRows x, int64_t n, int64_t width, Rows out);

/// xIELU (Huang and Schlag 2024, arXiv 2411.13010): positive · x² + beta · x above 0, below it
/// negative · (exp(min(x, epsilon)) - 1 - x) + beta · x.
struct Xielu {
  float positive = 0, negative = 0, beta = 0, epsilon = 0;
};
/// The same with xIELU, whose parameters are a layer's own.
void ActivateXielu(const Pass& pass, const Xielu& xielu, ConstRows gate, ConstRows up, int64_t n, int64_t width,
                   Rows out);

/// x [n, width] *= factor.
void Scale(const Pass& pass, float factor, int64_t n, int64_t width, Rows x);
/// to [n, width] = from.
void CopyRows(const Pass& pass, ConstRows from, int64_t n, int64_t width, Rows to);
/// sum [n, width] += x.
void AddRows(const Pass& pass, ConstRows x, int64_t width, Rows sum);

/// product [n, width] *= x.
void MultiplyRows(const Pass& pass, ConstRows x, int64_t width, Rows product);

/// A short convolution over the time of each sequence, in place: x [n, channels]. The last kernel - 1 inputs lie
/// `history` floats behind the beginning of the layer's state.
void Convolve(const Pass& pass, int64_t layer, int64_t history, const Vector& weights, const Vector& bias,
              int64_t channels, int64_t kernel, Rows x);

inline float Sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}
inline float Softplus(float x) {
  return x > 20.0f ? x : std::log1p(std::exp(x));
}

}  // namespace assay
