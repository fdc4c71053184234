// A gated short convolution over time, as LFM2 has it: what comes in is gated, mixed with the last inputs of its
// channel, and gated again.

#include "model/operations.h"

namespace assay {
namespace {

class ShortConv : public Block {
 public:
  ShortConv(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override {
    visit(in_);
    visit(out_);
  }

 private:
  struct Scratch {
    Scratch(Arena& arena, const ShortConv& block, const BatchShape& shape)
        : in(arena.Floats(shape.n * 3 * block.config_.hidden)) {}
    float* in;  // for each token a gate before the convolution, a gate behind it, what passes both
  };

  const ModelConfig& config_;
  int64_t index_;
  Linear in_, out_;
  Vector convolution_;  // [hidden, kernel]
};

ShortConv::ShortConv(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index) {
  const int64_t hidden = config_.hidden;
  in_ = reader.ReadLinear("shortconv.in_proj", 3 * hidden, hidden);
  convolution_ = reader.ReadTable("shortconv.conv.weight", hidden, config_.short_convolution);
  out_ = reader.ReadLinear("shortconv.out_proj", hidden, hidden);
}

void ShortConv::Run(const Pass& pass, const float* x, float* out) const {
  const int64_t hidden = config_.hidden, n = pass.n();
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const Rows in{scratch.in, 3 * hidden}, passed = in.From(2 * hidden);
  Multiply(pass, {x, hidden}, n, {{in_, in}});
  MultiplyRows(pass, in, hidden, passed);
  Convolve(pass, index_, 0, convolution_, {}, hidden, config_.short_convolution, passed);
  MultiplyRows(pass, in.From(hidden), hidden, passed);
  Multiply(pass, passed, n, {{out_, {out, hidden}}});
}

}  // namespace

LayerCache ShortConvCache(const ModelConfig& config, const LayerConfig&) {
  LayerCache cache;
  cache.state_floats = config.hidden * (config.short_convolution - 1);  // the last inputs of every channel
  return cache;
}

BlockPointer LoadShortConv(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<ShortConv>(context, reader);
}

}  // namespace assay
