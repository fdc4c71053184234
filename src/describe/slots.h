#pragma once
// Which tensors a model has, what they are called and how they lie in either container. The wiring in ModelConfig says
// which there are; the architecture's description (arch/) says what files call them.

#include <cstdint>
#include <string>
#include <vector>

#include "describe/model_config.h"

namespace assay {

enum class Container { kGguf, kHuggingFace };

/// Where a tensor of ours lies in the tensor that a file has.
struct StoredPlace {
  std::string name;                        // of the file's tensor
  int64_t slices = 1, slice = 0;           // along the first of three dimensions
  int64_t rows = 0;                        // of the file's matrix (or elements of its vector); 0: all are ours
  int64_t first = 0, run = 0, stride = 0;  // our row r is its row first + r / run * stride + r % run; run 0: first + r
  bool transposed = false;                 // [in, out]
  bool turned = false;                     // our row r, column c is its row first + c, column r
  bool flat = false;                       // the file's tensor has further dimensions of size 1
  std::vector<int64_t> shape = {};         // of the file's tensor, where our vector lies there as a matrix
  bool whole() const { return slices == 1 && rows == 0 && !transposed && !turned && !flat && shape.empty(); }
  int64_t Row(int64_t r) const { return first + (run > 0 ? r / run * stride + r % run : r); }
};

/// Values that Hugging Face stores otherwise than engines have them.
enum class StoredValue : uint8_t {
  kSame,
  kLessOne,        // of norms: x - 1
  kLogOfNegative,  // of the decay of a gated delta net: log(-x)
};

struct TensorSlot {
  std::string name;            // canonical: "blk.0.attn_q.weight"
  std::string hugging_face;    // "model.layers.0.self_attn.q_proj.weight": the tensor of the file
  std::vector<int64_t> shape;  // [out, in] or [n]; of HfSlots also [slices, out, in]
  bool required = true;        // biases are not
  bool linear = false;         // torch.nn.Linear: what Hugging Face's quantization schemes target
  StoredPlace in_hf = {}, in_gguf = {};
  StoredValue hf_value = StoredValue::kSame;
  bool integers = false;  // a table of ids (TableFormat), each below ExpertConfig::count
};

/// Every tensor that the configuration allows, in the order of evaluation.
std::vector<TensorSlot> TensorSlots(const ModelConfig& config);

/// The tensors of a Hugging Face checkpoint: `TensorSlots` with those that share a stored tensor as one (canonical
/// name: that of their first with ".weight" → its own; shapes as the file has them). What AssembleHfTensors puts
/// together and SplitStored takes apart.
std::vector<TensorSlot> HfSlots(const ModelConfig& config);

/// "[64, 128]".
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace assay
