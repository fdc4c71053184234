#pragma once
// The language model's tensors among those of a model of text and images (describe/hf_wrapper.h).

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "describe/hf_wrapper.h"

namespace assay {

/// Tensors outside of the language model leave `files`, the others are renamed.
struct TextTensors {
  std::map<std::string, std::string> stored_names;  // by the new name, where it differs
  size_t unread = 0;
  uint64_t unread_bytes = 0;
  bool has_head = false;  // lm_head.weight
};
TextTensors KeepTextTensors(const HfWrapper& wrapper, std::vector<SafetensorsFile>& files);

}  // namespace assay
