#pragma once
// The tensors of Hugging Face safetensors put together: a quantized module's weight, scales and shape become one
// Tensor.

#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf_quantization.h"
#include "checkpoint/safetensors.h"

namespace assay {

struct HfTensors {
  std::vector<Tensor> tensors;                     // canonical names
  std::deque<std::vector<float>> float_planes;     // scales that the file keeps in 16 bits
  std::deque<std::vector<std::byte>> byte_planes;  // codes that the file keeps in another order, or at an odd address
};

/// Finds every tensor that `config` expects, under its Hugging Face name, in the form that `quantization` says. Throws
/// Error for missing and unknown tensors and for every contradiction. `where` names the folder.
HfTensors AssembleHfTensors(const ModelConfig& config, const HfQuantization& quantization,
                            std::span<const SafetensorsFile> files, std::string_view where);

}  // namespace assay
