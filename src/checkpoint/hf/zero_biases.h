#pragma once
// Biases that are all zeros and that the model's class does not have: early GPTQ files carry one for every linear
// module. Their libraries skip them, and they change nothing.

#include <functional>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"

namespace assay {

/// Takes them out of `files` and returns how many they were. A bias belongs to a module that has a weight and has the
/// weight's first dimension; `has` tells whether the class has the bias of an optional slot. Others are left: they are
/// weights, or errors.
size_t LeaveZeroBiases(const ModelConfig& config, const std::function<bool(const TensorSlot&)>& has,
                       std::vector<SafetensorsFile>& files);

}  // namespace assay
