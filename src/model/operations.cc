#include "model/operations.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/error.h"

namespace assay {
namespace {

// Rows per piece: enough pieces that two threads end together, large enough that a piece is worth a wake-up.
int64_t RowGrain(int64_t rows, int threads) {
  int64_t grain = (rows + threads * 4 - 1) / (threads * 4);
  return std::max<int64_t>(32, (grain + 15) / 16 * 16);
}

// A run of products that read the same prepared tokens, in one loop over their rows together.
void MultiplyPrepared(const Pass& pass, int64_t n, std::span<const Product> products) {
  int64_t rows = 0;
  for (const Product& product : products) rows += product.linear.weight.rows;
  pass.pool.For(rows, RowGrain(rows, pass.pool.threads()), [&](int64_t begin, int64_t end, int) {
    int64_t first_row = 0;
    for (const auto& [linear, out] : products) {
      const int64_t from = std::max<int64_t>(0, begin - first_row), to = std::min(linear.weight.rows, end - first_row);
      first_row += linear.weight.rows;
      if (from >= to) continue;
      linear.kernel->multiply(linear.weight, pass.shared.prepared, n, from, to, out.data, out.stride);
      if (const Vector& bias = linear.bias; !bias.empty())
        for (int64_t t = 0; t < n; ++t)
          for (int64_t r = from; r < to; ++r) out[t][r] += bias[static_cast<size_t>(r)];
    }
  });
}

void MultiplyAll(const Pass& pass, ConstRows x, int64_t n, std::span<const Product> products) {
  const int64_t cols = products.front().linear.weight.cols;
  for (size_t begin = 0, end; begin < products.size(); begin = end) {
    const LinearKernel& kernel = *products[begin].linear.kernel;
    const int64_t stride = kernel.activation_bytes(cols);
    ASSAY_CHECK(stride * n <= pass.shared.prepared_bytes);
    auto* target = pass.shared.prepared;
    pass.pool.For(n, 8, [&](int64_t first, int64_t last, int) {
      for (int64_t t = first; t < last; ++t) kernel.prepare(x[t], cols, target + t * stride);
    });
    for (end = begin; end < products.size() && products[end].linear.kernel->prepare == kernel.prepare;) ++end;
    MultiplyPrepared(pass, n, products.subspan(begin, end - begin));
  }
}

template <typename F>
void MulEach(const float* gate, const float* up, int64_t n, float* out, F f) {
  for (int64_t i = 0; i < n; ++i) out[i] = up ? f(gate[i]) * up[i] : f(gate[i]);
}

void ActivateRow(Activation activation, float limit, const float* gate, const float* up, int64_t n, float* out) {
  switch (activation) {
    case Activation::kSilu:
      if (up) return SiluMul(gate, up, n, out);
      return MulEach(gate, nullptr, n, out, [](float x) { return x * Sigmoid(x); });
    case Activation::kGeluTanh:
      return GeluTanhMul(gate, up, n, out);
    case Activation::kGelu:
      return GeluMul(gate, up, n, out);
    case Activation::kRelu:
      return MulEach(gate, up, n, out, [](float x) { return std::max(x, 0.0f); });
    case Activation::kRelu2:
      return Relu2Mul(gate, up, n, out);
    case Activation::kQuickGelu:
      return MulEach(gate, up, n, out, [](float x) { return x * Sigmoid(1.702f * x); });
    case Activation::kTanh:
      return MulEach(gate, up, n, out, [](float x) { return std::tanh(x); });
    case Activation::kXielu:
      ASSAY_CHECK(!"parameters of a layer");  // ActivateXielu
      return;
    case Activation::kClampedSilu:
      ASSAY_CHECK(up != nullptr);
      for (int64_t i = 0; i < n; ++i) {
        const float g = std::min(gate[i], limit);
        out[i] = g * Sigmoid(g) * std::clamp(up[i], -limit, limit);
      }
      return;
    case Activation::kClampedSwiglu:
      ASSAY_CHECK(up != nullptr);
      return ClampedSwiglu(gate, up, n, limit, out);
  }
}

// body(t) for every row.
template <typename F>
void EachRow(const Pass& pass, int64_t n, int64_t grain, F body) {
  pass.pool.For(n, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) body(t);
  });
}

}  // namespace

void Multiply(const Pass& pass, ConstRows x, int64_t n, std::initializer_list<Product> products) {
  if (!pass.hooks) return MultiplyAll(pass, x, n, products);
  if (pass.hooks->observe)
    for (const Product& product : products) pass.hooks->observe(product.linear, x, n);
  if (!pass.hooks->multiply) return MultiplyAll(pass, x, n, products);
  for (const Product& product : products)
    pass.hooks->multiply(product.linear, x, n, product.out, [&] { MultiplyAll(pass, x, n, {&product, 1}); });
}

void Normalize(const Pass& pass, const ModelConfig& config, const NormWeights& norm, ConstRows x, int64_t n, Rows out) {
  if (config.norm == Norm::kRms) return NormalizeRms(pass, config.rms_epsilon, norm.weight, x, n, out);
  NormalizeLayer(pass, config.rms_epsilon, norm, x, n, out);
}

void NormalizeLayer(const Pass& pass, double epsilon, const NormWeights& norm, ConstRows x, int64_t n, Rows out) {
  const auto width = static_cast<int64_t>(norm.weight.size());
  const float* bias = norm.bias.empty() ? nullptr : norm.bias.data();
  EachRow(pass, n, 16,
          [&](int64_t t) { LayerNorm(x[t], norm.weight.data(), bias, width, static_cast<float>(epsilon), out[t]); });
}

void NormalizeRms(const Pass& pass, double epsilon, const Vector& weight, ConstRows x, int64_t n, Rows out) {
  const auto width = static_cast<int64_t>(weight.size());
  EachRow(pass, n, 16, [&](int64_t t) { RmsNorm(x[t], weight.data(), width, static_cast<float>(epsilon), out[t]); });
}

void NormalizeHeads(const Pass& pass, double epsilon, const Vector& weight, Heads heads, Rows x) {
  EachRow(pass, pass.n(), 8, [&](int64_t t) {
    for (int64_t h = 0; h < heads.count; ++h) {
      float* head = x[t] + h * heads.stride;
      RmsNorm(head, weight.data(), heads.dim, static_cast<float>(epsilon), head);
    }
  });
}

void NormalizeEachHead(const Pass& pass, double epsilon, const Vector& weight, Heads heads, Rows x) {
  EachRow(pass, pass.n(), 8, [&](int64_t t) {
    for (int64_t h = 0; h < heads.count; ++h) {
      float* head = x[t] + h * heads.stride;
      LayerNorm(head, weight.data() + h * heads.dim, nullptr, heads.dim, static_cast<float>(epsilon), head);
    }
  });
}

void Rotate(const Pass& pass, Rotation rotation, Heads heads, Rows x) {
  const int64_t half = heads.dim / 2;
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    Vector opposite(rotation.back ? static_cast<size_t>(half) : 0);
    for (int64_t t = begin; t < end; ++t) {
      const float *cosine = rotation.angles + t * 2 * half, *sine = cosine + half;
      for (size_t i = 0; i < opposite.size(); ++i) opposite[i] = -sine[i];
      Rope(x[t], heads.count, heads.stride, heads.dim, cosine, rotation.back ? opposite.data() : sine,
           rotation.interleaved);
    }
  });
}

void Activate(const Pass& pass, const ModelConfig& config, ConstRows gate, ConstRows up, int64_t n, int64_t width,
              Rows out) {
  const auto limit = static_cast<float>(config.swiglu_limit);
  EachRow(pass, n, 4,
          [&](int64_t t) { ActivateRow(config.activation, limit, gate[t], up.data ? up[t] : nullptr, width, out[t]); });
}

void ActivateXielu(const Pass& pass, const Xielu& xielu, ConstRows gate, ConstRows up, int64_t n, int64_t width,
                   Rows out) {
  EachRow(pass, n, 4, [&](int64_t t) {
    MulEach(gate[t], up.data ? up[t] : nullptr, width, out[t], [&](float x) {
      const float curve =
          x > 0 ? xielu.positive * x * x : xielu.negative * (std::expm1(std::min(x, xielu.epsilon)) - x);
      return curve + xielu.beta * x;
    });
  });
}

void Activate(const Pass& pass, Activation activation, ConstRows x, int64_t n, int64_t width, Rows out) {
  EachRow(pass, n, 4, [&](int64_t t) { ActivateRow(activation, 0.0f, x[t], nullptr, width, out[t]); });
}

void Scale(const Pass& pass, float factor, int64_t n, int64_t width, Rows x) {
  if (factor == 1.0f) return;
  EachRow(pass, n, 16, [&](int64_t t) {
    for (int64_t i = 0; i < width; ++i) x[t][i] *= factor;
  });
}

void CopyRows(const Pass& pass, ConstRows from, int64_t n, int64_t width, Rows to) {
  EachRow(pass, n, 16, [&](int64_t t) { std::memcpy(to[t], from[t], static_cast<size_t>(width) * 4); });
}

void AddRows(const Pass& pass, ConstRows x, int64_t width, Rows sum) {
  EachRow(pass, pass.n(), 16, [&](int64_t t) { AddTo(sum[t], x[t], width); });
}

void MultiplyRows(const Pass& pass, ConstRows x, int64_t width, Rows product) {
  EachRow(pass, pass.n(), 16, [&](int64_t t) {
    for (int64_t i = 0; i < width; ++i) product[t][i] *= x[t][i];
  });
}

void Convolve(const Pass& pass, int64_t layer, int64_t history, const Vector& weights, const Vector& bias,
              int64_t channels, int64_t kernel, Rows x) {
  for (int64_t t = 0; t < pass.n(); ++t)
    ConvolveStep(weights.data(), bias.empty() ? nullptr : bias.data(), channels, kernel,
                 pass.sequence(t).State(layer) + history, x[t]);
}

}  // namespace assay
