#pragma once
// Rows and columns that the two containers keep in different orders, or times different numbers. Weights are never
// changed when a file is opened: the model runs either, and whoever converts a checkpoint applies the difference.

#include <cstdint>
#include <string_view>
#include <vector>

#include "describe/model_config.h"
#include "describe/slots.h"

namespace assay {

/// The orders in which a checkpoint lies.
struct TensorOrders {
  /// Rows of attn_q and attn_k (weights and biases): pairs (2i, 2i+1) that RoPE turns are neighbours (GGUF's llama);
  /// else the two halves of a head are apart (i, i + head_dim / 2).
  bool rope_interleaved = false;
  /// Value heads of a gated delta net: those that share a key head are apart by the number of key heads (GGUF's
  /// qwen35); else they are neighbours.
  bool tiled_heads = false;
  /// Multipliers are in the weights (GGUF's falcon-h1).
  bool folded = false;
  /// Layers have embeddings of every token; else of the first ones, and token 0's for the others (Gemma 3n).
  bool every_token = false;
};
TensorOrders OrdersOf(const ModelConfig& config);
/// Those that a container keeps for this architecture.
TensorOrders OrdersOf(std::string_view architecture, Container container);

/// [row of the target] = row of the source, and the same for columns; empty: the same order. A vector is one row.
struct TensorOrder {
  std::vector<int64_t> rows, cols;
  /// On the rows of the target, one for all or one for each; empty: none. With them `cols` is never empty: codes cannot
  /// go over as they are.
  std::vector<float> factors = {};
  /// The shape of the target: more rows than the source where some are taken twice.
  std::vector<int64_t> Shape(std::vector<int64_t> source) const;
};
/// What a GGUF says of the model: where it has multipliers in the weights, none.
ModelConfig Folded(ModelConfig config);
TensorOrder OrderBetween(const ModelConfig& source, TensorOrders target, std::string_view canonical_name);

}  // namespace assay
