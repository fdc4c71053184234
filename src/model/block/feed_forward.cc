#include "model/block/feed_forward.h"

#include <algorithm>
#include <cmath>

#include "model/block/table.h"

namespace assay {
namespace {

Xielu ReadXielu(const WeightReader& reader) {
  auto parameter = [&](const char* name) {
    const Vector value = reader.ReadVector(std::string("ffn_xielu.") + name, 1);
    return value.empty() ? 0.0f : value[0];  // planned without weights
  };
  const float beta = parameter("beta");
  return {Softplus(parameter("alpha_p")), beta + Softplus(parameter("alpha_n")), beta, parameter("eps")};
}

/// What is above mean + deviations · standard deviation of the row, less that.
void KeepAbove(const Pass& pass, double deviations, bool sample, int64_t n, int64_t width, Rows x) {
  const auto count = static_cast<double>(width), over = static_cast<double>(std::max<int64_t>(1, width - sample));
  pass.pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < width; ++i) sum += static_cast<double>(x[t][i]);
      const double mean = sum / count;
      for (int64_t i = 0; i < width; ++i) squares += (x[t][i] - mean) * (x[t][i] - mean);
      const auto bound = static_cast<float>(mean + deviations * std::sqrt(squares / over));
      for (int64_t i = 0; i < width; ++i) x[t][i] = std::max(0.0f, x[t][i] - bound);
    }
  });
}

}  // namespace

FeedForward::FeedForward(const ModelConfig& config, const WeightReader& reader, const std::string& suffix,
                         int64_t width, bool gated)
    : config_(&config), width_(width) {
  if (gated) gate_ = reader.ReadLinear("ffn_gate" + suffix, width, config.hidden);
  up_ = reader.ReadLinear("ffn_up" + suffix, width, config.hidden);
  down_ = reader.ReadLinear("ffn_down" + suffix, config.hidden, width);
  if (config.activation == Activation::kXielu) xielu_ = ReadXielu(reader);
}

void FeedForward::ReadSubNorm(const WeightReader& reader) {
  sub_norm_ = reader.ReadNorm("ffn_sub_norm", width_);
}

void FeedForward::BoundGate(double deviations, bool sample) {
  bound_ = Bound{deviations, sample};
}

void FeedForward::Run(const Pass& pass, const Scratch& scratch, const float* x, int64_t n, float* out) const {
  const ConstRows in{x, config_->hidden};
  const Rows gate{scratch.gate, width_}, up{scratch.up, width_};
  if (gate_.present())
    Multiply(pass, in, n, {{gate_, gate}, {up_, up}});
  else
    Multiply(pass, in, n, {{up_, gate}});
  Scale(pass, static_cast<float>(config_->multipliers.ffn_gate), n, width_, gate);
  if (bound_) KeepAbove(pass, bound_->deviations, bound_->sample, n, width_, gate);
  if (config_->activation == Activation::kXielu)
    ActivateXielu(pass, xielu_, gate, gate_.present() ? up : Rows{}, n, width_, gate);
  else
    Activate(pass, *config_, gate, gate_.present() ? up : Rows{}, n, width_, gate);
  if (!sub_norm_.weight.empty()) Normalize(pass, *config_, sub_norm_, gate, n, gate);
  Multiply(pass, gate, n, {{down_, {out, config_->hidden}}});
  Scale(pass, static_cast<float>(config_->multipliers.ffn_down), n, config_->hidden, {out, config_->hidden});
}

void FeedForward::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear* linear : {&gate_, &up_, &down_})
    if (linear->present()) visit(*linear);
}

namespace {

class DenseBlock : public Block {
 public:
  DenseBlock(const ModelConfig& config, const LayerConfig& layer, const WeightReader& reader)
      : width_(config.FeedForward(layer)), feed_forward_(config, reader, "", width_, config.gated) {
    feed_forward_.ReadSubNorm(reader);
    if (layer.sparse_gate) feed_forward_.BoundGate(layer.gate_bound, config.sample_deviation);
  }
  void Plan(const BatchShape& shape, Arena& arena) const override { FeedForward::Scratch(arena, shape.n, width_); }
  void Run(const Pass& pass, const float* x, float* out) const override {
    Arena::Scope scope(pass.arena);
    feed_forward_.Run(pass, FeedForward::Scratch(pass.arena, pass.n(), width_), x, pass.n(), out);
  }
  void VisitLinears(const LinearVisitor& visit) const override { feed_forward_.VisitLinears(visit); }

 private:
  int64_t width_;
  FeedForward feed_forward_;
};

}  // namespace

BlockPointer LoadFeedForward(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<DenseBlock>(context.config, context.layer, reader);
}

}  // namespace assay
