#pragma once
// The tensors of Hugging Face safetensors put together: a quantized module's weight, scales and shape become one
// Tensor.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/safetensors.h"

namespace assay {

struct HfTensors {
  std::vector<Tensor> tensors;                            // names of HfSlots; SplitStored makes them canonical
  std::unique_ptr<const HfSource> source;                 // what planes are made from
  std::map<std::string, std::vector<float>> side_scales;  // HfSource::side_scales
  uint64_t drafts = 0, draft_bytes = 0;                   // tensors of layers that draft further tokens
};

/// Finds every tensor that `config`, whose HfSlots are `slots`, expects, under its Hugging Face name, in the form that
/// `quantization` says (null: nothing is quantized). Throws Error for missing and unknown tensors and for every
/// contradiction. `where` names the folder. `files` outlive the result.
HfTensors AssembleHfTensors(const ModelConfig& config, std::span<const TensorSlot> slots,
                            const HfQuantization* quantization, std::span<const SafetensorsFile> files,
                            std::string_view where);

}  // namespace assay
