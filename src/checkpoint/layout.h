#pragma once
// Which tensors a model of the Llama family has, what they are called in either container, and how GGUF's order of rows
// in the query and key projections differs from Hugging Face's.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"

namespace assay {

struct TensorSlot {
  std::string name;            // canonical: "blk.0.attn_q.weight"
  std::string hugging_face;    // "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;  // [out, in] or [n]
  bool required = true;        // biases are not
  bool linear = false;         // torch.nn.Linear: what Hugging Face's quantization schemes target
};

/// Every tensor that the configuration allows, in the order of evaluation.
std::vector<TensorSlot> TensorSlots(const ModelConfig& config);

/// Numbers of a configuration that contradict each other or leave sane limits: Error{kCorrupt} beginning with `where`.
void CheckConfig(const ModelConfig& config, std::string_view where);

/// Tensors against the configuration: missing, unknown, wrong shape; a tied output that is there all the same is
/// Error{kCorrupt}.
void CheckTensors(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where);

/// GGUF files of architecture llama keep the rows of attn_q and attn_k (weights and biases) so that RoPE turns
/// neighbours (2i, 2i+1); Hugging Face keeps the two halves of a head apart (i, i + head_dim/2). For a matrix that goes
/// from the source's order to the target's: result[output row] = source row. Whoever converts a checkpoint applies it
/// to the tensors for which NeedsRopeOrder is true, when the two containers differ in `rope_interleaved`.
std::vector<int64_t> RopeRowOrder(const ModelConfig& source, bool for_q, bool target_interleaved);
/// True for blk.N.attn_{q,k}.{weight,bias}; `for_q` tells which.
bool NeedsRopeOrder(std::string_view canonical_name, bool* for_q);

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
