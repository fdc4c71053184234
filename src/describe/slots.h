#pragma once
// Which tensors a model has, what they are called and how they lie in either container. The wiring in ModelConfig says
// which there are; the architecture's description (arch/) says what files call them.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
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
  bool scalar = false;                     // our vector of one element has no dimension there
  std::string metadata = {};               // no tensor but item `item` of this metadata, or the one for all
  int64_t item = 0;
  bool whole() const { return slices == 1 && rows == 0 && !transposed && !turned && !flat && shape.empty(); }
  int64_t Row(int64_t r) const { return first + (run > 0 ? r / run * stride + r % run : r); }
  /// The shape of the file's tensor that a tensor of ours, [out, in] or [n], lies in.
  std::vector<int64_t> ShapeAround(std::vector<int64_t> ours) const;
  /// Calls body(row, stored, n) for runs of rows [begin, begin + count) that follow each other in the file too: n rows
  /// of ours from `row` on, of the file's tensor from `stored` on. `all`: how many are ours. A vector's rows are its
  /// elements.
  template <typename Body>
  void ForRuns(int64_t begin, int64_t count, int64_t all, Body body) const {
    const int64_t base = slice * (rows > 0 ? rows : all), end = begin + count;
    for (int64_t row = begin, n = 0; row < end; row += n) {
      n = run > 0 ? std::min(end - row, run - row % run) : end - row;
      body(row, base + Row(row), n);
    }
  }
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

/// TensorSlots by name: built once for a checkpoint, for whoever reads or writes it.
class Layout {
 public:
  explicit Layout(const ModelConfig& config);
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  /// In the order of evaluation.
  const std::vector<TensorSlot>& slots() const { return slots_; }
  /// By its canonical name; null: there is none.
  const TensorSlot* Find(std::string_view name) const;

 private:
  std::vector<TensorSlot> slots_;
  std::unordered_map<std::string_view, const TensorSlot*> by_name_;
};

/// The order in which tensors are listed: by name, numbers as numbers, so that blk.2 comes before blk.10.
bool ListedBefore(std::string_view a, std::string_view b);

/// The tensors of a Hugging Face checkpoint: `TensorSlots` with those that share a stored tensor as one (canonical
/// name: that of their first with ".weight" → its own; shapes as the file has them). What AssembleHfTensors puts
/// together and SplitStored takes apart.
std::vector<TensorSlot> HfSlots(const ModelConfig& config);

/// "[64, 128]".
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace assay
