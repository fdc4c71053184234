#include "describe/rope_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace assay {

bool IsRopeTable(std::string_view name) {
  return name == "rope_freqs.weight" || name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

double DefaultYarnAttention(double factor) {
  return factor > 1.0 ? 0.1 * std::log(factor) + 1.0 : 1.0;
}

std::vector<float> Llama3RopeFactors(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  const double original = static_cast<double>(rope.original_context);
  std::vector<float> factors;
  for (int64_t i = 0; i < config.rotary_dim / 2; ++i) {
    double frequency =
        std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.rotary_dim));
    double wavelength = 2.0 * std::numbers::pi / frequency;
    double factor = 1.0;
    if (wavelength > original / rope.low_freq_factor) {
      factor = rope.factor;
    } else if (wavelength >= original / rope.high_freq_factor && rope.high_freq_factor > rope.low_freq_factor) {
      double smooth = (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      factor = 1.0 / ((1.0 - smooth) / rope.factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

std::vector<float> RopeFactorsOf(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  if (rope.kind == RopeScaling::Kind::kLlama3) return Llama3RopeFactors(config);
  if (rope.kind != RopeScaling::Kind::kProportional) return config.rope_factors;
  std::vector<float> factors(static_cast<size_t>(config.rotary_dim / 2), kStillFactor);
  std::fill_n(factors.begin(), rope.turned, static_cast<float>(rope.factor));
  return factors;
}

std::optional<RopeScaling> ProportionalScalingFromFactors(const std::vector<float>& factors) {
  const auto still =
      std::find_if(factors.begin(), factors.end(), [](float factor) { return factor >= kLeastStillFactor; });
  if (still == factors.end()) return std::nullopt;
  RopeScaling out;
  out.kind = RopeScaling::Kind::kProportional;
  out.turned = still - factors.begin();
  if (out.turned > 0) out.factor = static_cast<double>(factors.front());
  if (!std::all_of(factors.begin(), still, [&](float factor) { return factor == factors.front(); }) ||
      !std::all_of(still, factors.end(), [](float factor) { return factor >= kLeastStillFactor; }))
    return std::nullopt;
  return out;
}

std::optional<RopeScaling> Llama3ScalingFromFactors(const ModelConfig& config, const std::vector<float>& factors) {
  if (factors.empty()) return std::nullopt;
  ModelConfig trial = config;
  RopeScaling& scaling = trial.rope_scaling;
  scaling = {};
  scaling.kind = RopeScaling::Kind::kLlama3;
  scaling.factor = factors.back();
  for (double high : {4.0, 1.0}) {  // Llama 3, Llama 4 Scout
    scaling.high_freq_factor = high;
    for (int64_t original : {8192, 4096, 2048, 16384, 32768, 1024, 512, 256, 128, 64}) {
      scaling.original_context = original;
      std::vector<float> expected = Llama3RopeFactors(trial);
      bool same = expected.size() == factors.size();
      for (size_t i = 0; same && i < factors.size(); ++i)
        same = std::abs(expected[i] - factors[i]) <= 1e-5f * std::abs(expected[i]);
      if (same) return scaling;
    }
  }
  return std::nullopt;
}

}  // namespace assay
