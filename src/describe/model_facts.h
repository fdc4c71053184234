#pragma once
// What two configurations compute differently: numbers and choices that reach the arithmetic, in a form in which equal
// models are equal however they are described.

#include <string>
#include <vector>

#include "describe/model_config.h"

namespace assay {

/// "activation gelu_tanh, not silu" for each thing that `a` has and `b` has otherwise; empty: the same model. Which
/// biases there are, and whether the output is tied, is a matter of the tensors. Numbers are compared to the precision
/// of float32.
std::vector<std::string> ModelDifferences(const ModelConfig& a, const ModelConfig& b);

}  // namespace assay
