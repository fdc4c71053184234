#include "model/layer.h"

#include <algorithm>
#include <cmath>

namespace assay {

int64_t ResidualWidth(const ModelConfig& config) {
  return std::max({int64_t{1}, config.hyper.streams, config.alt_up.streams}) * config.hidden;
}

Layer::Layer(const BlockContext& context, const WeightReader& reader, BlockTable kinds) : config_(context.config) {
  auto load = [&](Place place, const char* norm, const char* post_norm, const char* mix, Part& part) {
    // Parts that stand side by side have norms of their own.
    const bool inside = place == Place::kFeedForward && context.layer.experts && config_.experts.beside_dense;
    part.normed = config_.pre_norms && !inside;
    if (part.normed) part.norm = reader.ReadNorm(norm, config_.hidden);
    part.post_norm = reader.ReadNorm(post_norm, config_.hidden);
    if (config_.hyper.streams > 0) part.mix.emplace(config_, reader, mix, false);
    part.block = KindOf(kinds, place, config_, context.layer).load(context, reader);
  };
  load(Place::kMixer, "attn_norm", "post_attention_norm", "hc_attn", mixer_);
  load(Place::kFeedForward, "ffn_norm", "post_ffw_norm", "hc_ffn", feed_forward_);
  if (config_.alt_up.streams > 0) alt_up_.emplace(config_, reader);
  if (config_.laurel_rank > 0) laurel_.emplace(config_, reader);
  if (config_.per_layer_input > 0) own_input_.emplace(config_, reader, context.index);
  if (!config_.layer_scale) return;
  if (const Vector scale = reader.ReadOptionalVector("layer_output_scale.weight", 1); !scale.empty()) scale_ = scale[0];
}

Layer::Scratch::Scratch(Arena& arena, const Layer& layer, const BatchShape& shape) {
  const int64_t size = shape.n * layer.config_.hidden;
  const bool streams = layer.mixer_.mix.has_value(), alternating = layer.alt_up_.has_value();
  normed = arena.Floats(size);
  mixed = arena.Floats(size);
  fed = streams ? mixed : arena.Floats(size);
  collapsed = streams || alternating ? arena.Floats(size) : nullptr;
  if (streams) mix.emplace(arena, *layer.mixer_.mix, shape.n);
  if (alternating) alt_up.emplace(arena, layer.config_, shape);
}

void Layer::Plan(const BatchShape& shape, Arena& arena) const {
  Arena::Scope scope(arena);
  Scratch(arena, *this, shape);
  for (const Part* part : {&mixer_, &feed_forward_}) {
    Arena::Scope block(arena);
    if (part->block) part->block->Plan(shape, arena);
  }
  if (laurel_) {
    Arena::Scope block(arena);
    laurel_->Plan(shape, arena);
  }
  if (own_input_) own_input_->Plan(shape, arena);
}

void Layer::Add(const Pass& pass, float* x, const NormWeights& post_norm, float* residual) const {
  const int64_t hidden = config_.hidden;
  const Rows rows{x, hidden};
  if (!post_norm.weight.empty()) Normalize(pass, config_, post_norm, rows, pass.n(), rows);
  Scale(pass, static_cast<float>(config_.residual_scale), pass.n(), hidden, rows);
  AddRows(pass, rows, hidden, {residual, hidden});
}

const float* Layer::Input(const Pass& pass, const Part& part, const float* x, float* normed) const {
  if (!part.normed) return x;
  const int64_t hidden = config_.hidden;
  Normalize(pass, config_, part.norm, {x, hidden}, pass.n(), {normed, hidden});
  return normed;
}

void Layer::RunStreams(const Pass& pass, const Scratch& scratch, const Part& part, float* residual) const {
  part.mix->Collapse(pass, *scratch.mix, residual, pass.n(), scratch.collapsed);
  part.block->Run(pass, Input(pass, part, scratch.collapsed, scratch.normed), scratch.mixed);
  part.mix->Return(pass, *scratch.mix, scratch.mixed, residual);
}

void Layer::Run(const Pass& pass, float* residual) const {
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  if (alt_up_) return RunAltUp(pass, scratch, residual);
  RunBlocks(pass, scratch, residual);
  if (own_input_) {
    own_input_->Run(pass, residual, scratch.mixed);
    AddRows(pass, {scratch.mixed, config_.hidden}, config_.hidden, {residual, config_.hidden});
  }
  if (scale_ != 1.0f) Scale(pass, scale_, pass.n(), config_.hidden, {residual, config_.hidden});
}

// The computed stream goes through the blocks, and joins what stands beside attention in between.
void Layer::RunAltUp(const Pass& pass, const Scratch& scratch, float* residual) const {
  const int64_t hidden = config_.hidden;
  float* computed = scratch.collapsed;
  const Rows rows{computed, hidden};
  alt_up_->Predict(pass, *scratch.alt_up, residual, scratch.normed, computed);
  const float* x = Input(pass, mixer_, computed, scratch.normed);
  laurel_->Run(pass, x, scratch.fed);
  mixer_.block->Run(pass, x, scratch.mixed);
  Add(pass, scratch.mixed, mixer_.post_norm, computed);
  AddRows(pass, {scratch.fed, hidden}, hidden, rows);
  Scale(pass, std::sqrt(0.5f), pass.n(), hidden, rows);
  feed_forward_.block->Run(pass, Input(pass, feed_forward_, computed, scratch.normed), scratch.fed);
  Add(pass, scratch.fed, feed_forward_.post_norm, computed);
  alt_up_->Correct(pass, *scratch.alt_up, computed, scratch.normed, residual);
  alt_up_->Show(pass, residual, computed);
  own_input_->Run(pass, computed, scratch.mixed);
  alt_up_->AddToOthers(pass, scratch.mixed, residual);
}

void Layer::RunBlocks(const Pass& pass, const Scratch& scratch, float* residual) const {
  if (scratch.mix) {
    for (const Part* part : {&mixer_, &feed_forward_}) RunStreams(pass, scratch, *part, residual);
    return;
  }
  const bool together = config_.parallel && feed_forward_.block;
  const float* x = residual;
  if (mixer_.block) {
    x = Input(pass, mixer_, residual, scratch.normed);
    mixer_.block->Run(pass, x, scratch.mixed);
    if (!together) Add(pass, scratch.mixed, mixer_.post_norm, residual);
  }
  if (!feed_forward_.block) return;
  if (!config_.shared_norm) x = Input(pass, feed_forward_, residual, scratch.normed);
  feed_forward_.block->Run(pass, x, scratch.fed);
  if (together) Add(pass, scratch.mixed, mixer_.post_norm, residual);
  Add(pass, scratch.fed, feed_forward_.post_norm, residual);
}

void Layer::VisitLinears(const LinearVisitor& visit) const {
  for (const Part* part : {&mixer_, &feed_forward_}) {
    if (part->mix) visit(part->mix->linear());
    if (part->block) part->block->VisitLinears(visit);
  }
  if (alt_up_) alt_up_->VisitLinears(visit);
  if (laurel_) laurel_->VisitLinears(visit);
  if (own_input_) own_input_->VisitLinears(visit);
}

}  // namespace assay
