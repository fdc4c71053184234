#pragma once
// Sparse attention (DeepSeek-V3.2, "lightning indexer"; GLM-5): which positions a query sees. A few small heads score
// every position, Σ_h w_h · max(0, q_h · k), and the best top_k are attended to. The published code also turns both
// sides by a Hadamard matrix, for the sake of FP8: orthogonal, so no score depends on it.

#include "model/operations.h"

namespace assay {

/// How many positions (or entries, where they stand for `compress` positions each) there are before `position` is done.
int64_t Indexed(int64_t compress, int64_t position);

/// Elements of SharedScratch::chosen, [n, top_k]; 0 where every position is seen.
int64_t ChosenCount(const ModelConfig& config, const BatchShape& shape);
int32_t* TakeChosen(Arena& arena, const ModelConfig& config, const BatchShape& shape);

/// Scores what a plane of index keys stands for, and fills SharedScratch::chosen with the best top_k, positions (or
/// entries) in ascending order; rows of tokens that see all are left as they are. Layers that share an indexer find
/// there what the last one chose.
class Ranking {
 public:
  Ranking(const ModelConfig& config, int64_t compress) : config_(config), compress_(compress) {}
  struct Scratch {
    Scratch(Arena& arena, const Ranking& ranking, const BatchShape& shape);
    float *q, *weights;  // [n, heads, head_dim], [n, heads]: for the caller to fill
    int64_t scored;      // room for a row
    float* scores;
    uint64_t* order;
  };
  /// Multiplies the weights by their scale, and ranks.
  void Choose(const Pass& pass, int64_t layer, int plane, const Scratch& scratch) const;
  bool SeesAll(int64_t position) const;

 private:
  const ModelConfig& config_;
  int64_t compress_;
};

/// The network that makes queries, weights and keys from hidden states.
class Indexer {
 public:
  Indexer(const BlockContext& context, const WeightReader& reader);
  struct Scratch {
    Scratch(Arena& arena, const Indexer& indexer, const BatchShape& shape);
    float* k;
    Ranking::Scratch ranking;
  };
  /// x [n, hidden]; low [n, q_rank]: the normed queries of low rank. Keys go into `plane`.
  void Run(const Pass& pass, const Scratch& scratch, const float* x, const float* low, int plane) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  const ModelConfig& config_;
  int64_t index_;
  Linear q_, k_, weights_;
  NormWeights k_norm_;
  Ranking ranking_;
};

}  // namespace assay
