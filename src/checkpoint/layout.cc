#include "checkpoint/layout.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"

namespace assay {

void CheckTensors(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where) {
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const Tensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
  std::unordered_set<std::string_view> known;
  std::vector<TensorSlot> slots = TensorSlots(config);
  for (const TensorSlot& slot : slots) {
    known.insert(slot.name);
    auto found = by_name.find(slot.name);
    if (found == by_name.end()) {
      if (slot.required)
        Fail(ErrorKind::kCorrupt, "{}: tensor {} {} is missing (the configuration says {} layers)", where, slot.name,
             ShapeText(slot.shape), config.n_layers);
      continue;
    }
    if (found->second->shape != slot.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: the configuration expects shape {}, found {}", where,
           found->second->source_name, ShapeText(slot.shape), ShapeText(found->second->shape));
    if (slot.integers != found->second->view.format->integers)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected {}, found {}", where, found->second->source_name,
           slot.integers ? "integers" : "weights", found->second->view.format->name);
    if (slot.shape.size() == 1) {
      std::string_view format = found->second->view.format->name;
      if (format != "f32" && format != "f16" && format != "bf16")
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: norms and biases are expected in f32, f16 or bf16, found {}",
             where, found->second->source_name, format);
    }
  }
  for (const Tensor& tensor : tensors) {
    if (known.contains(tensor.name) || IsRopeTable(tensor.name)) continue;
    Fail(ErrorKind::kUnsupported, "{}: tensor {} {} has no place in the {} architecture with {} layers", where,
         tensor.source_name, ShapeText(tensor.shape), config.architecture, config.n_layers);
  }
}

void CheckTables(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where) {
  for (const Tensor& tensor : tensors) {
    const PackedView& view = tensor.view;
    if (!view.format->integers) continue;
    std::vector<float> row(static_cast<size_t>(view.cols));
    for (int64_t r = 0; r < view.rows; ++r) {
      view.format->decode_row(view, r, row.data());
      for (float id : row)
        if (!(id >= 0 && id < static_cast<float>(config.experts.count)))
          Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} names expert {} of {}", where, tensor.source_name, r, id,
               config.experts.count);
    }
  }
}

bool FitsPlace(const StoredPlace& place, const Format& format, int64_t rows, int64_t cols) {
  if (place.whole()) return true;
  if (place.turned) return false;
  int64_t step = format.block_rows;  // rows that are whole blocks together
  if (format.flat) {
    const int64_t block = std::max<int64_t>(format.block_weights, format.scale_weights);
    step = block / std::gcd(block, cols);
    if (place.run > 0) return false;
  }
  return rows % step == 0 && place.first % step == 0 && place.run % step == 0 && place.stride % step == 0;
}

const Format& TableFormat(Container container) {
  return GetFormat(container == Container::kGguf ? "i32" : "i64");
}

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

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace assay
