#include "model/block/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "model/block/block.h"

namespace assay {

RopeTable::RopeTable(const ModelConfig& config, Kind kind) {
  int64_t dim = kind == Kind::kLocal ? config.LocalRotaryDim() : config.rotary_dim;
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
    case RopeScaling::Kind::kProportional:
      std::fill(frequencies_.begin() + scaling.turned, frequencies_.end(), 0.0f);
      [[fallthrough]];
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

RopeAngles::RopeAngles(const ModelConfig& config) : main_(config, RopeTable::Kind::kMain) {
  if (!config.rope_long_factors.empty()) long_.emplace(config, RopeTable::Kind::kLong);
  if (config.rope_local_theta > 0) local_.emplace(config, RopeTable::Kind::kLocal);
}

void RopeAngles::Angles(const Pass& pass) const {
  pass.pool.For(pass.n(), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const RopeTable& rope = pass.sequence(t).long_rope() ? *long_ : main_;
      auto fill = [&](const RopeTable& table, float* angles) {
        const int64_t half = table.half();
        table.Angles(pass.position(t), angles + t * 2 * half, angles + (t * 2 + 1) * half);
      };
      fill(rope, pass.shared.angles);
      if (local_) fill(*local_, pass.shared.local_angles);
    }
  });
}

}  // namespace assay
