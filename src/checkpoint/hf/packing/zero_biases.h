#pragma once
// Biases that are all zeros and that the model's class does not have: early GPTQ files carry one for every linear
// module. Their libraries skip them, and they change nothing.

#include <span>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"

namespace assay {

/// Takes them out of `files` of a model with these HfSlots and returns how many they were. A bias belongs to a module
/// that has a weight and has the weight's first dimension; the class has those that are required (ReadBias in
/// hf_config.cc). Others are left: they are weights, or errors.
size_t LeaveZeroBiases(std::span<const TensorSlot> slots, std::vector<SafetensorsFile>& files);

}  // namespace assay
