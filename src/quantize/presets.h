#pragma once
// Presets: which format each tensor of a model gets. A preset is a row of a table; GGUF mixes follow llama-quantize's
// rules tensor by tensor, so that a file of the same name means the same thing.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "format/format.h"

namespace assay {

/// What a rule may look at.
struct TensorRole {
  std::string name;            // GGUF's, "blk.3.attn_v.weight", "blk.3.ffn_down_exps.weight"
  int64_t rows = 0, cols = 0;  // of a matrix
  int64_t layer = -1, n_layers = 0;
  int64_t n_heads = 0, n_kv_heads = 0;
  bool tied_output = false;     // token_embd.weight is the output matrix too
  int64_t n_experts = 0;        // of the model; 0: dense
  int64_t n_matrices = 1;       // in this tensor: experts lie together
  std::string architecture;     // "llama"
  bool has_importance = false;  // an importance matrix will be used: some mixes need fewer bits then
  /// Place among the tensors of the same kind (gguf_mix.h), in the order of layers, and their number. RoleOf takes the
  /// layer, which is the same where every layer has one; RolesOf counts.
  int64_t position = -1, n_positions = 0;
};

/// Description of a preset for people and for writers.
struct PresetInfo {
  std::string_view name;  // "q4_k_m"
  Container container;    // what it is written as
  std::string_view base;  // format of most matrices
  int gguf_file_type;     // general.file_type; -1 outside GGUF
  std::string_view description;
  bool needs_importance = false;  // of little use without an importance matrix: say so
  std::string_view warning = {};  // what to tell whoever chooses it; empty: nothing
  bool experts_only = false;      // only experts that lie together in one tensor of the file
};

class Preset {
 public:
  /// Names are taken in any case and with '-' for '_'; "q4_k" is "q4_k_m" as in llama-quantize. A block format that
  /// safetensors hold is a preset too ("mxfp8_e4m3"). Throws Error{kInvalid} with the nearest name.
  static const Preset& Get(std::string_view name);
  static std::span<const PresetInfo> All();

  const PresetInfo& info() const { return info_; }
  /// The format of a matrix; null: it stays unquantized (Hugging Face schemes leave embedding and lm_head alone, GGUF
  /// mixes routers and small mixing matrices). Where the columns do not fit the mix's format, the type that
  /// llama-quantize falls back to; never fails for a matrix.
  const Format* Choose(const TensorRole& role) const;

  explicit Preset(const PresetInfo& info) : info_(info) {}

 private:
  PresetInfo info_;
};

/// What takes a format's place where a matrix has no whole blocks of it; empty: nothing.
std::string_view ShapeFallback(std::string_view format);

/// The role of a tensor of a checkpoint.
TensorRole RoleOf(const Tensor& tensor, const ModelConfig& config, bool tied_output);
/// Roles of all tensors of a model, in their order, with positions counted: models whose layers differ (only some have
/// attention, some have shared experts beside the others) need it.
std::vector<TensorRole> RolesOf(std::span<const Tensor> tensors, const ModelConfig& config);

}  // namespace assay
