#include "model/blocks.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "describe/slots.h"

namespace assay {
namespace {

// Rows per piece: enough pieces that two threads end together, large enough that a piece is worth a wake-up.
int64_t RowGrain(int64_t rows, int threads) {
  int64_t grain = (rows + threads * 4 - 1) / (threads * 4);
  return std::max<int64_t>(32, (grain + 15) / 16 * 16);
}

}  // namespace

PackedView WeightReader::ReadMatrix(const std::string& name, int64_t rows, int64_t cols) const {
  const Tensor& tensor = checkpoint_.Get(name);
  if (tensor.shape != std::vector<int64_t>{rows, cols})
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected shape [{}, {}] from the configuration, found {}",
         checkpoint_.path().string(), tensor.source_name, rows, cols, ShapeText(tensor.shape));
  return tensor.view;
}

Vector WeightReader::ReadVector(const std::string& name, int64_t n) const {
  const Tensor& tensor = checkpoint_.Get(name);
  if (tensor.shape != std::vector<int64_t>{n})
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected shape [{}] from the configuration, found {}",
         checkpoint_.path().string(), tensor.source_name, n, ShapeText(tensor.shape));
  Vector out(static_cast<size_t>(n));
  tensor.view.format->decode_row(tensor.view, 0, out.data());
  return out;
}

Vector WeightReader::ReadOptionalVector(const std::string& name, int64_t n) const {
  return checkpoint_.Find(name) ? ReadVector(name, n) : Vector{};
}

Vector WeightReader::ReadTable(const std::string& name, int64_t rows, int64_t cols) const {
  PackedView view = ReadMatrix(name, rows, cols);
  Vector out(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) view.format->decode_row(view, r, out.data() + r * cols);
  return out;
}

NormWeights WeightReader::ReadNorm(const std::string& name, int64_t n) const {
  return {ReadOptionalVector(name + ".weight", n), ReadOptionalVector(name + ".bias", n)};
}

Linear WeightReader::ReadLinear(const std::string& name, int64_t out, int64_t in) const {
  Linear linear;
  linear.weight = ReadMatrix(name + ".weight", out, in);
  linear.kernel = &ChooseLinear(*linear.weight.format, options_.arithmetic, Cpu(), options_.kernel);
  linear.bias = ReadOptionalVector(name + ".bias", out);
  return linear;
}

void RunLinears(std::initializer_list<const Linear*> linears, const float* x, int64_t n_tokens,
                std::initializer_list<float*> out, Workspace& workspace, int slot, ThreadPool& pool) {
  int64_t cols = (*linears.begin())->weight.cols;
  const Linear* prepared = nullptr;
  std::byte* activations = nullptr;
  auto output = out.begin();
  for (auto it = linears.begin(); it != linears.end();) {
    const Linear* first = *it;
    if (!prepared || first->kernel->prepare != prepared->kernel->prepare) {
      int64_t stride = first->kernel->activation_bytes(cols);
      activations = workspace.Bytes(slot, stride * n_tokens);
      auto prepare = first->kernel->prepare;
      std::byte* target = activations;
      pool.For(n_tokens, 8, [=](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) prepare(x + t * cols, cols, target + t * stride);
      });
      prepared = first;
    }
    // All following linears that read the same prepared tokens run in one loop over their rows together.
    struct Part {
      const Linear* linear;
      float* out;
      int64_t first_row;
    };
    Part parts[4];
    int n_parts = 0;
    int64_t rows = 0;
    for (; it != linears.end() && n_parts < 4 && (*it)->kernel->prepare == prepared->kernel->prepare; ++it, ++output) {
      parts[n_parts++] = {*it, *output, rows};
      rows += (*it)->weight.rows;
    }
    pool.For(rows, RowGrain(rows, pool.threads()), [&](int64_t begin, int64_t end, int) {
      for (int p = 0; p < n_parts; ++p) {
        const Part& part = parts[p];
        int64_t n = part.linear->weight.rows;
        int64_t from = std::max<int64_t>(0, begin - part.first_row), to = std::min(n, end - part.first_row);
        if (from >= to) continue;
        part.linear->kernel->multiply(part.linear->weight, activations, n_tokens, from, to, part.out, n);
        if (const Vector& bias = part.linear->bias; !bias.empty())
          for (int64_t t = 0; t < n_tokens; ++t)
            for (int64_t r = from; r < to; ++r) part.out[t * n + r] += bias[static_cast<size_t>(r)];
      }
    });
  }
}

RopeTable::RopeTable(const ModelConfig& config, Kind kind) {
  int64_t dim = config.rotary_dim;
  auto half = static_cast<size_t>(dim / 2);
  frequencies_.resize(half);
  auto base = static_cast<float>(kind == Kind::kLocal ? config.rope_local_theta : config.rope_theta);
  for (size_t i = 0; i < half; ++i)
    frequencies_[i] = 1.0f / std::pow(base, static_cast<float>(2 * i) / static_cast<float>(dim));
  const RopeScaling& scaling = kind == Kind::kLocal ? config.rope_local_scaling : config.rope_scaling;
  double factor = scaling.factor;
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
    case RopeScaling::Kind::kDynamic:  // up to the original context
      break;
    case RopeScaling::Kind::kLong:
      magnitude_ = static_cast<float>(scaling.attention_factor);
      break;
    case RopeScaling::Kind::kLinear:
      for (float& f : frequencies_) f = static_cast<float>(f / factor);
      break;
    case RopeScaling::Kind::kLlama3: {
      double context = static_cast<double>(scaling.original_context);
      for (float& f : frequencies_) {
        double wavelength = 2 * std::numbers::pi / f;
        if (wavelength > context / scaling.low_freq_factor) {
          f = static_cast<float>(f / factor);
        } else if (scaling.high_freq_factor > scaling.low_freq_factor &&
                   wavelength > context / scaling.high_freq_factor) {
          double smooth =
              (context / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
          f = static_cast<float>((1 - smooth) * f / factor + smooth * f);
        }
      }
      break;
    }
    case RopeScaling::Kind::kYarn:
      Yarn(scaling, base);
      break;
  }
  if (kind == Kind::kLocal) return;
  const std::vector<float>& factors = kind == Kind::kLong ? config.rope_long_factors : config.rope_factors;
  if (factors.empty()) return;
  ASSAY_CHECK(factors.size() == half);
  for (size_t i = 0; i < half; ++i) frequencies_[i] /= factors[i];
}

// Peng et al. 2023, arXiv 2309.00071, section 3.2: frequencies that turn often are kept, slow ones are interpolated.
void RopeTable::Yarn(const RopeScaling& scaling, double base) {
  const auto dim = static_cast<double>(2 * half());
  double context = static_cast<double>(scaling.original_context), factor = scaling.factor;
  auto dimension_of = [&](double rotations) {
    return dim * std::log(context / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  double low = dimension_of(scaling.beta_fast), high = dimension_of(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(0.0, low);
  high = std::min(dim - 1, high);
  if (high == low) high += 0.001;
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies_[i] = static_cast<float>(frequencies_[i] / factor * ramp + frequencies_[i] * (1 - ramp));
  }
  magnitude_ = static_cast<float>(scaling.attention_factor > 0 ? scaling.attention_factor
                                  : factor > 1                 ? 0.1 * std::log(factor) + 1.0
                                                               : 1.0);
}

void RopeTable::Angles(int64_t position, float* cosine, float* sine) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    float angle = static_cast<float>(position) * frequencies_[i];  // float32, as the reference implementation
    cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * magnitude_;
    sine[i] = static_cast<float>(std::sin(static_cast<double>(angle))) * magnitude_;
  }
}

}  // namespace assay
