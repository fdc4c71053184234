#pragma once
// Which type llama-quantize gives each tensor of a GGUF preset: the facts of llama.cpp's mixes (2026), as a table of
// rules, so that a file of the same name means the same thing.

#include <string_view>

namespace assay {

struct TensorRole;

/// What the mixes tell tensors apart by.
enum class TensorKind {
  kEmbedding,  // token_embd, per_layer_token_embd
  kOutput,     // output
  kAttnV,      // attn_v, and what holds values besides: attn_qkv, attn_kv_b
  kAttnK,
  kAttnQ,
  kAttnOutput,
  kFfnUp,
  kFfnGate,
  kFfnDown,
  kOther,
};

/// By GGUF name, "blk.3.ffn_down_exps.weight".
TensorKind KindOfTensor(std::string_view name);

/// False for matrices that stay as they are whatever the preset: routers, small mixing matrices, position tables.
bool MixesQuantize(const TensorRole& role);

/// Name of the format for a matrix, before its shape is looked at. `base`: the format of most matrices of the preset.
std::string_view GgufMixFormat(std::string_view preset, std::string_view base, const TensorRole& role);

/// What takes the place of a format whose blocks the columns do not fill: smaller blocks of about as many bits; empty:
/// nothing but F16.
std::string_view GgufShapeFallback(std::string_view format);

}  // namespace assay
