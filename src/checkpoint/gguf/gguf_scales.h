#pragma once
// Scales that GGUF keeps beside NVFP4 matrices: blk.0.ffn_up.scale is the factor of the whole matrix
// blk.0.ffn_up.weight (Model-Optimizer's weight_scale_2), blk.0.ffn_up.input_scale the scale of its activations' block
// scales; one number, or one per expert where experts lie together. Source: llama.cpp, src/llama-model.cpp,
// conversion/base.py.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf/gguf_file.h"

namespace assay {

/// "blk.0.ffn_up.weight" → "blk.0.ffn_up.scale".
std::string GgufScaleName(std::string_view weight);
std::string GgufInputScaleName(std::string_view weight);

class GgufScales {
 public:
  /// Whether it is such a scale: a name of either kind whose matrix is NVFP4. Takes its values; throws Error{kCorrupt}.
  bool Take(const GgufFile& file, const GgufTensor& tensor, const std::vector<GgufFile>& files);
  /// Sets global_scale and activation_scale of `tensors`, whose stored ones have been taken apart.
  void Apply(const Layout& layout, std::vector<Tensor>& tensors) const;

 private:
  struct Found {
    std::string where;
    std::vector<float> values;
  };
  std::map<std::string, Found> scales_, input_scales_;  // by the name of the weight in the file
};

}  // namespace assay
