// Mamba and attention side by side, as in Falcon-H1: both read the same input, what they give back is added.

#include "model/block/table.h"
#include "model/operations.h"

namespace assay {

// Each in the file of its kind.
LayerCache AttentionCache(const ModelConfig&, const LayerConfig&);
LayerCache MambaCache(const ModelConfig&, const LayerConfig&);
BlockPointer LoadAttention(const BlockContext&, const WeightReader&);
BlockPointer LoadMamba(const BlockContext&, const WeightReader&);

namespace {

class SideBySide : public Block {
 public:
  SideBySide(const BlockContext& context, const WeightReader& reader)
      : config_(context.config), mamba_(LoadMamba(context, reader)), attention_(LoadAttention(context, reader)) {}
  void Plan(const BatchShape& shape, Arena& arena) const override {
    Scratch(arena, *this, shape);
    for (const Block* block : {mamba_.get(), attention_.get()}) {
      Arena::Scope scope(arena);
      block->Plan(shape, arena);
    }
  }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override {
    mamba_->VisitLinears(visit);
    attention_->VisitLinears(visit);
  }

 private:
  struct Scratch {
    Scratch(Arena& arena, const SideBySide& block, const BatchShape& shape)
        : in(arena.Floats(shape.n * block.config_.hidden)), attended(arena.Floats(shape.n * block.config_.hidden)) {}
    float *in, *attended;
  };

  const ModelConfig& config_;
  BlockPointer mamba_, attention_;
};

void SideBySide::Run(const Pass& pass, const float* x, float* out) const {
  const Multipliers& m = config_.multipliers;
  const int64_t hidden = config_.hidden;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  auto run = [&](const Block& block, double before, double behind, float* to) {
    const Rows in{scratch.in, hidden};
    CopyRows(pass, {x, hidden}, pass.n(), hidden, in);
    Scale(pass, static_cast<float>(before), pass.n(), hidden, in);
    block.Run(pass, scratch.in, to);
    Scale(pass, static_cast<float>(behind), pass.n(), hidden, {to, hidden});
  };
  run(*mamba_, m.mamba_in, m.mamba_out, out);
  run(*attention_, m.attention_in, m.attention_out, scratch.attended);
  AddRows(pass, {scratch.attended, hidden}, hidden, {out, hidden});
}

}  // namespace

LayerCache SideBySideCache(const ModelConfig& config, const LayerConfig& layer) {
  LayerCache cache = AttentionCache(config, layer);
  cache.state_floats = MambaCache(config, layer).state_floats;
  return cache;
}

BlockPointer LoadSideBySide(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<SideBySide>(context, reader);
}

}  // namespace assay
