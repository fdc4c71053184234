#pragma once
// Every supported architecture: a stack of blocks, each wired as the configuration says (describe/model_config.h).

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/blocks.h"

namespace assay {

/// Workspace slots.
enum Slot : int {
  kResidual,
  kNormed,
  kQuery,
  kKey,
  kValue,
  kAttended,
  kGate,
  kUp,
  kProjected,
  kPrepared,  // and the next
  kAngles = 11,
  kLocalAngles,
  kScores,
  kFeedForward,
  kRouter,
  kExpertIn,
  kExpertGate,
  kExpertUp,
  kExpertOut,
  kLatentQuery,
  kLatentKey,
  kIndexQuery,
  kIndexKey,
  kIndexWeights,
  kChosen,
  kOrder,
  kGathered,
  kCollapsed,
  kMix,
};

/// A dense feed-forward block, or one expert.
struct FeedForward {
  Linear gate, up, down;
  NormWeights sub_norm;
};

struct ExpertLayer {
  Linear router;
  Vector correction;  // [count] or empty
  Vector by_token;    // [vocab, used]: the experts of a token, or empty
  std::vector<FeedForward> experts;
  FeedForward shared;
  Vector shared_gate;  // [hidden] or empty
};

struct LatentLayer {
  Linear q_a, q_b, kv_a;  // without q_rank, q_b reads the hidden state
  NormWeights q_norm, kv_norm;
  std::vector<Linear> k_b, v_b;  // per head: [kv_rank, nope], [value, kv_rank]
};

struct IndexerLayer {
  Linear q, k, weights;
  NormWeights k_norm;
};

/// Makes an entry of a run of positions: their keys, weighed element by element by a softmax over the run.
struct Compressor {
  Linear kv, gate;  // [dim, hidden]; twice dim where entries overlap: for the next entry, then for this one
  Vector places;    // [compress, rows of gate] added to the gate
  NormWeights norm;
  int64_t dim = 0;
};

struct CompressedLayer {
  Linear q_a, q_b, kv, output_b;
  std::vector<Linear> output_a;  // per group of heads
  NormWeights q_norm, kv_norm;
  Compressor entries, index;
  Linear index_q, index_weights;
};

struct HyperConnection {
  Linear fn;  // [(2 + streams) * streams, streams * hidden]
  Vector base, scale;
};

struct DeltaLayer {
  Linear q, k, v, z, beta, alpha;
  Vector convolution;  // [channels, kernel]
  Vector dt, a, norm;
};

struct MambaLayer {
  Linear in;           // a gate, what the convolution takes, and a step for each head
  Vector convolution;  // [channels, kernel]
  Vector convolution_bias, dt, a, d, norm;
};

struct DecoderLayer {
  LayerConfig config;
  NormWeights attention_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm, attention_sub_norm;
  Vector q_norm, k_norm, sinks;
  Linear q, k, v, o;
  FeedForward feed_forward;
  std::unique_ptr<ExpertLayer> experts;
  std::unique_ptr<LatentLayer> latent;
  std::unique_ptr<IndexerLayer> indexer;
  std::unique_ptr<CompressedLayer> compressed;
  HyperConnection attention_mix, feed_forward_mix;
  std::unique_ptr<DeltaLayer> delta;
  std::unique_ptr<MambaLayer> mamba;
};

class Decoder : public Model {
 public:
  Decoder(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
  WorkspacePlan PlanWorkspace(int64_t n, int64_t wanted, int64_t context, int threads) const override;
  std::vector<std::string> KernelReport() const override;

 protected:
  void Step(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const override;

 private:
  /// One batch on its way through the layers.
  struct Pass {
    std::span<const BatchToken> batch;
    std::vector<int64_t> positions;
    int64_t n;
    Workspace& workspace;
    ThreadPool& pool;
  };

  void LoadLayer(int64_t index, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadLatent(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadIndexer(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadCompressed(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadMixes(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadDelta(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadMamba(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;
  void LoadExperts(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const;

  // workspace_plan.cc: the slots that each part takes for n tokens.
  void PlanRanking(int64_t n, int64_t scored, int threads, WorkspacePlan& plan) const;
  void PlanCompressed(const DecoderLayer& layer, int64_t n, int64_t context, int threads, WorkspacePlan& plan) const;
  void PlanMix(const HyperConnection& mix, int64_t n, WorkspacePlan& plan) const;
  void PlanIndexer(const DecoderLayer& layer, int64_t n, int64_t context, int threads, WorkspacePlan& plan) const;
  void PlanAttention(const DecoderLayer& layer, int64_t n, int64_t context, int threads, WorkspacePlan& plan) const;
  void PlanFeedForward(const DecoderLayer& layer, int64_t n, WorkspacePlan& plan) const;
  static void PlanDense(const FeedForward& block, int64_t n, int gate_slot, WorkspacePlan& plan);
  static void PlanExperts(const ExpertLayer& layer, int64_t n, WorkspacePlan& plan);

  void Embed(const Pass& pass) const;
  void Normalize(const float* x, const NormWeights& norm, int64_t n, float* out, ThreadPool& pool) const;
  /// residual += residual_scale * x, after the post norm.
  void AddToResidual(const Pass& pass, float* x, const NormWeights& post_norm) const;

  // Each reads kNormed and returns [n, hidden].
  float* AttentionBlock(const Pass& pass, int64_t index) const;
  float* Attention(const Pass& pass, int64_t index) const;
  float* LatentAttention(const Pass& pass, int64_t index) const;
  float* DeltaAttention(const Pass& pass, int64_t index) const;
  float* Mamba(const Pass& pass, int64_t index) const;
  float* CompressedAttention(const Pass& pass, int64_t index) const;
  float* FeedForwardBlock(const Pass& pass, const DecoderLayer& layer) const;

  void PrepareHeads(const Pass& pass, int64_t index, float* q, float* k, const float* v) const;
  void NormalizeHeads(const Vector& weight, int64_t heads, float* x) const;
  void RotateHeads(const Pass& pass, const DecoderLayer& layer, int64_t t, int64_t heads, float* x) const;
  void Store(const Pass& pass, int64_t index, int64_t t, const float* k, const float* v) const;
  /// [first, last] that position p sees in a layer.
  static int64_t FirstSeen(const LayerConfig& layer, int64_t position);
  void Attend(const Pass& pass, int64_t index, const float* q, int64_t kv_heads, int64_t head_dim, bool values_are_keys,
              float scale, float* out) const;

  // Of CompressedAttention (compressed_attention.cc).
  void ReadCompressor(const std::string& name, const WeightReader& reader, const LayerConfig& layer, int64_t dim,
                      Compressor& out) const;
  void Compress(const LayerConfig& layer, const Compressor& compressor, const float* kv, const float* gate,
                int64_t position, float* ring, float* entry) const;
  void MakeEntries(const Pass& pass, int64_t index) const;
  void ChooseEntries(const Pass& pass, int64_t index, const float* low, const float* angles) const;
  void AttendEntries(const Pass& pass, int64_t index, const float* q, float* out) const;

  // Hyper-connections (hyper_connections.cc): the residual is [n, streams, hidden].
  void Spread(const Pass& pass) const;
  /// What a block reads into kNormed; what Return needs into kMix.
  void Collapse(const Pass& pass, const HyperConnection& mix, const NormWeights& norm) const;
  void Return(const Pass& pass, const float* x) const;
  /// The residual's first n rows become one stream each: [n, hidden].
  float* CollapseHead(int64_t n, Workspace& workspace, ThreadPool& pool) const;
  void Mixes(const HyperConnection& mix, int64_t n, Workspace& workspace, ThreadPool& pool, float* out) const;

  /// The indexer (indexer.cc). `low` [n, q_rank]: the normed queries of low rank.
  void ChoosePositions(const Pass& pass, int64_t index, const float* low) const;
  void RankPositions(const Pass& pass, int64_t index, const float* q, const float* weights) const;
  /// How many positions (or entries) of a layer stand before position p is done.
  int64_t Indexed(const LayerConfig& layer, int64_t position) const;
  bool SeesAll(const Pass& pass, int64_t index, int64_t t) const;
  const int32_t* Chosen(const Pass& pass, int64_t t) const;
  const std::byte* ChosenKeys(const Pass& pass, int64_t index, int64_t t, std::byte* gathered) const;

  void Dense(const FeedForward& block, const float* x, int64_t n, float* out, Workspace& workspace, int gate_slot,
             ThreadPool& pool) const;
  void Experts(const Pass& pass, const ExpertLayer& layer, float* out) const;
  struct Route;
  void ChooseExperts(const ExpertLayer& layer, TokenId token, float* scores, std::vector<Route>& out) const;
  void Activate(const float* gate, const float* up, int64_t n, float* out) const;

  PackedView embedding_, positions_;  // [vocab, hidden], [context, hidden]
  std::vector<DecoderLayer> layers_;
  NormWeights output_norm_;
  HyperConnection output_mix_;
  Linear output_;
  std::vector<RopeTable> ropes_;  // main, then long and local where there are such
  const RopeTable* long_rope_ = nullptr;
  const RopeTable* local_rope_ = nullptr;
};

}  // namespace assay
