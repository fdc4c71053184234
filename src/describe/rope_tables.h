#pragma once
// Rotations that files keep as tables of factors, and the numbers they come from.

#include <optional>
#include <string_view>
#include <vector>

#include "describe/model_config.h"

namespace assay {

/// Tensors of files that are metadata in truth: rope_freqs.weight and its kin.
bool IsRopeTable(std::string_view name);

/// YaRN's factor on query and key where the file states none: 0.1 ln(factor) + 1.
double DefaultYarnAttention(double factor);

/// The factors by which llama3 scaling divides the frequencies, [rotary_dim / 2] (GGUF's rope_freqs.weight).
std::vector<float> Llama3RopeFactors(const ModelConfig& config);
/// The llama3 scaling that gives exactly these factors (to float32 rounding); nothing when none of the published ones
/// does.
std::optional<RopeScaling> Llama3ScalingFromFactors(const ModelConfig& config, const std::vector<float>& factors);

}  // namespace assay
