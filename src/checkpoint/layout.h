#pragma once
// Which tensors a model has, what they are called and how they lie in either container. The wiring in ModelConfig says
// which there are; the architecture's description (arch/) says what files call them.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"

namespace assay {

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

/// Whether a matrix [rows, cols] in a packed format can lie there: no block and no scale of it may reach into its
/// neighbours.
bool FitsPlace(const StoredPlace& place, const Format& format, int64_t rows, int64_t cols);

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

/// Planes that taking apart had to copy.
struct SplitPlanes {
  std::deque<std::vector<std::byte>> bytes;
};

/// Replaces the tensors of a container that hold several of ours (fused projections, all experts of a layer) by views
/// of their parts; what cannot be viewed (rows in another order, transposed matrices, norms stored less one) is copied
/// into `planes`. Tensors are known by source_name. Throws Error{kCorrupt} for shapes that contradict the
/// configuration.
void SplitStored(const ModelConfig& config, Container container, std::vector<Tensor>& tensors, SplitPlanes& planes,
                 std::string_view where);

/// What sane models stay below.
inline constexpr int64_t kMaxModelLayers = 4096;
inline constexpr int64_t kMaxModelHeads = 65536;               // and of what is counted a head, as its size
inline constexpr int64_t kMaxModelContext = int64_t{1} << 31;  // positions
/// Numbers of a configuration that contradict each other or leave sane limits: Error{kCorrupt} beginning with `where`.
void CheckConfig(const ModelConfig& config, std::string_view where);

/// Tensors against the configuration: missing, unknown, wrong shape, a table that holds no integers; a tied output that
/// is there all the same is Error{kCorrupt}.
void CheckTensors(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where);
/// Tables name experts that there are, else Error{kCorrupt}.
void CheckTables(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where);

/// What a container keeps tables of ids in: the engines' own type.
const Format& TableFormat(Container container);

/// Tensors of files that are metadata in truth: rope_freqs.weight and its kin.
bool IsRopeTable(std::string_view name);

/// YaRN's factor on query and key where the file states none: 0.1 ln(factor) + 1.
double DefaultYarnAttention(double factor);

/// The factors by which llama3 scaling divides the frequencies, [rotary_dim / 2] (GGUF's rope_freqs.weight).
std::vector<float> Llama3RopeFactors(const ModelConfig& config);
/// The llama3 scaling that gives exactly these factors (to float32 rounding); nothing when none of the published ones
/// does.
std::optional<RopeScaling> Llama3ScalingFromFactors(const ModelConfig& config, const std::vector<float>& factors);

/// "[64, 128]".
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace assay
