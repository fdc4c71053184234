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
/// What engines divide the frequencies by instead of leaving a pair where it is, and what is taken for it.
inline constexpr float kStillFactor = 1e30f, kLeastStillFactor = 1e20f;
/// The factors by which the main rotation's frequencies are divided, [rotary_dim / 2]; empty: by none, or by a single
/// number that metadata hold.
std::vector<float> RopeFactorsOf(const ModelConfig& config);
/// The proportional scaling of factors of which the last are still, as RopeFactorsOf gives them; nothing where none is,
/// or the others differ.
std::optional<RopeScaling> ProportionalScalingFromFactors(const std::vector<float>& factors);
/// The llama3 scaling that gives exactly these factors (to float32 rounding); nothing when none of the published ones
/// does.
std::optional<RopeScaling> Llama3ScalingFromFactors(const ModelConfig& config, const std::vector<float>& factors);

}  // namespace assay
