#include "model/decoder.h"

#include <algorithm>

#include "base/error.h"
#include "model/block/indexer.h"

namespace assay {
namespace {

// Of every token. Makes room for them in the sequences.
std::vector<int64_t> PositionsOf(const ModelConfig& config, std::span<const BatchToken> batch) {
  std::vector<int64_t> positions(batch.size());
  for (size_t t = 0; t < batch.size(); ++t) {
    const bool follows = t > 0 && batch[t].sequence == batch[t - 1].sequence;
    positions[t] = follows ? positions[t - 1] + 1 : batch[t].sequence->length();
    ASSAY_CHECK(positions[t] < batch[t].sequence->capacity());
    ASSAY_CHECK(!config.learned_positions || positions[t] < config.context);
    ASSAY_CHECK(batch[t].id >= 0 && batch[t].id < config.vocab);
    const bool last = t + 1 == batch.size() || batch[t + 1].sequence != batch[t].sequence;
    if (last) batch[t].sequence->MakeRoom(positions[t] + 1);
  }
  return positions;
}

BatchShape ShapeOf(std::span<const BatchToken> batch, const std::vector<int64_t>& positions, int threads) {
  const auto wanted = std::count_if(batch.begin(), batch.end(), [](const BatchToken& t) { return t.want_logits; });
  return {static_cast<int64_t>(batch.size()), wanted, *std::max_element(positions.begin(), positions.end()) + 1,
          threads};
}

int32_t* KeepChosen(const ModelConfig& config, const BatchShape& shape, Carried& carried) {
  carried.chosen.resize(static_cast<size_t>(ChosenCount(config, shape)));
  return carried.chosen.data();
}

}  // namespace

Decoder::Decoder(const ModelConfig& config, const WeightReader& reader, BlockTable kinds)
    : config_(config), ropes_(config) {
  const ModelConfig& c = config;
  embedding_ = reader.ReadMatrix("token_embd.weight", c.vocab, c.hidden);
  if (c.learned_positions) positions_ = reader.ReadMatrix("position_embd.weight", c.context, c.hidden);
  if (c.per_layer_input > 0) per_layer_.emplace(c, reader);
  layers_.reserve(static_cast<size_t>(c.n_layers));
  for (int64_t i = 0; i < c.n_layers; ++i)
    layers_.emplace_back(BlockContext{c, ropes_, i, c.Layer(i)}, reader.OfLayer(i), kinds);
  output_norm_ = reader.ReadNorm("output_norm", c.hidden);
  if (c.hyper.streams > 0) output_mix_.emplace(c, reader, "output_hc", true);
  if (c.alt_up.streams > 0) {
    spread_.emplace(c, reader, "altup_proj");
    collapse_.emplace(c, reader, "altup_unembd_proj");
  }
  if (reader.Has("output.weight")) {
    output_ = reader.ReadLinear("output", c.vocab, c.hidden);
  } else {
    output_ = reader.ReadLinear("token_embd", c.vocab, c.hidden);
    output_.bias = reader.ReadOptionalVector("output.bias", c.vocab);
  }
  auto prepare = [&](const Linear& each) { prepared_bytes_ = std::max(prepared_bytes_, PreparedBytes(each)); };
  for (const Layer& layer : layers_) layer.VisitLinears(prepare);
  if (per_layer_) prepare(per_layer_->linear());
  if (spread_) spread_->VisitLinears(prepare);
  if (collapse_) collapse_->VisitLinears(prepare);
}

Decoder::HeadScratch::HeadScratch(Arena& arena, const Decoder& decoder, const BatchShape& shape)
    : last(arena.Floats(shape.wanted * decoder.residual_width())),
      collapsed(decoder.output_mix_ || decoder.collapse_ ? arena.Floats(shape.wanted * decoder.config_.hidden) : last),
      normed(arena.Floats(shape.wanted * decoder.config_.hidden)),
      projected(decoder.collapse_ ? arena.Floats(shape.wanted * decoder.config_.hidden) : nullptr) {
  if (decoder.output_mix_) mix.emplace(arena, *decoder.output_mix_, shape.wanted);
}

WorkspacePlan Decoder::Plan(const BatchShape& shape) const {
  Arena arena;
  Shared(arena, shape);
  arena.Floats(shape.n * residual_width());
  {
    Arena::Scope scope(arena);
    HeadScratch(arena, *this, shape);
  }
  for (const Layer& layer : layers_) layer.Plan(shape, arena);
  return WorkspacePlan(arena.peak());
}

SharedScratch Decoder::Shared(Arena& arena, const BatchShape& shape) const {
  int64_t bytes = std::max(prepared_bytes_ * shape.n, PreparedBytes(output_) * shape.wanted);
  if (output_mix_) bytes = std::max(bytes, PreparedBytes(output_mix_->linear()) * shape.wanted);
  return {arena, config_, shape, bytes};
}

Pass Decoder::Begin(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, const LinearHooks* hooks,
                    Arena& arena) const {
  std::vector<int64_t> positions = PositionsOf(config_, batch);
  const BatchShape shape = ShapeOf(batch, positions, pool.threads());
  arena = workspace.Reserve(Plan(shape));
  Pass pass{batch, std::move(positions), shape, arena, Shared(arena, shape), pool, hooks};
  ropes_.Angles(pass);
  return pass;
}

void Decoder::Run(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, const LinearHooks* hooks,
                  float* logits) const {
  Arena arena;
  const Pass pass = Begin(batch, workspace, pool, hooks, arena);
  float* residual = arena.Floats(pass.n() * residual_width());
  Embed(pass.batch, pass.positions, pool, residual);
  if (per_layer_) per_layer_->Fill(pass, {residual, residual_width()});
  if (spread_) spread_->Spread(pass, residual);
  for (const Layer& layer : layers_) layer.Run(pass, residual);
  Head(pass, residual, logits);
  Advance(batch);
}

void Decoder::Embed(std::span<const BatchToken> batch, ThreadPool& pool, float* residual) const {
  Embed(batch, PositionsOf(config_, batch), pool, residual);
}

void Decoder::RunLayer(int64_t index, std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool,
                       const LinearHooks* hooks, Carried& carried, float* residual) const {
  Arena arena;
  Pass pass = Begin(batch, workspace, pool, hooks, arena);
  pass.shared.chosen = KeepChosen(config_, pass.shape, carried);
  if (per_layer_) {  // made anew: kept for all layers it would be larger than the residual
    Arena::Scope scope(arena);
    float* embedded = arena.Floats(pass.n() * residual_width());
    Embed(pass.batch, pass.positions, pool, embedded);
    per_layer_->Fill(pass, {embedded, residual_width()});
  }
  if (spread_ && index == 0) spread_->Spread(pass, residual);  // Embed has no scratch for it
  layers_[static_cast<size_t>(index)].Run(pass, residual);
}

void Decoder::RunBlock(int64_t index, Place place, std::span<const BatchToken> batch, Workspace& workspace,
                       ThreadPool& pool, const LinearHooks* hooks, Carried& carried, const float* x, float* out) const {
  Arena arena;
  Pass pass = Begin(batch, workspace, pool, hooks, arena);
  pass.shared.chosen = KeepChosen(config_, pass.shape, carried);
  layers_[static_cast<size_t>(index)].block(place).Run(pass, x, out);
}

void Decoder::RunHead(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool,
                      const LinearHooks* hooks, const float* residual, float* logits) const {
  Arena arena;
  Head(Begin(batch, workspace, pool, hooks, arena), residual, logits);
}

void Decoder::Advance(std::span<const BatchToken> batch) {
  for (const BatchToken& token : batch) token.sequence->set_length(token.sequence->length() + 1);
}

void Decoder::Embed(std::span<const BatchToken> batch, const std::vector<int64_t>& positions, ThreadPool& pool,
                    float* residual) const {
  const int64_t hidden = config_.hidden, stride = config_.alt_up.streams > 0 ? residual_width() : hidden;
  const auto scale = static_cast<float>(config_.embedding_scale);
  pool.For(static_cast<int64_t>(batch.size()), 16, [&](int64_t begin, int64_t end, int) {
    Vector learned(positions_.format ? static_cast<size_t>(hidden) : 0);
    for (int64_t t = begin; t < end; ++t) {
      float* row = residual + t * stride;
      embedding_.format->decode_row(embedding_, batch[static_cast<size_t>(t)].id, row);
      if (scale != 1.0f)
        for (int64_t i = 0; i < hidden; ++i) row[i] *= scale;
      if (learned.empty()) continue;
      positions_.format->decode_row(positions_, positions[static_cast<size_t>(t)], learned.data());
      AddTo(row, learned.data(), hidden);
    }
  });
  if (config_.hyper.streams > 0) SpreadStreams(config_, static_cast<int64_t>(batch.size()), residual);
}

void Decoder::Head(const Pass& pass, const float* residual, float* logits) const {
  const ModelConfig& c = config_;
  const int64_t width = residual_width(), wanted = pass.shape.wanted;
  if (wanted == 0) return;
  Arena::Scope scope(pass.arena);
  const HeadScratch scratch(pass.arena, *this, pass.shape);
  float* row = scratch.last;
  for (int64_t t = 0; t < pass.n(); ++t)
    if (pass.token(t).want_logits) row = std::copy_n(residual + t * width, width, row);
  if (collapse_) collapse_->Collapse(pass, scratch.last, wanted, scratch.projected, scratch.collapsed);
  if (output_mix_) output_mix_->Collapse(pass, *scratch.mix, scratch.last, wanted, scratch.collapsed);
  const Rows normed{scratch.normed, c.hidden};
  Normalize(pass, c, output_norm_, {scratch.collapsed, c.hidden}, wanted, normed);
  Multiply(pass, normed, wanted, {{output_, {logits, c.vocab}}});
  const auto scale = static_cast<float>(c.logit_scale), cap = static_cast<float>(c.logit_softcap);
  pass.pool.For(wanted, 1, [&](int64_t begin, int64_t end, int) {
    float* from = logits + begin * c.vocab;
    const int64_t count = (end - begin) * c.vocab;
    if (c.logit_scale != 1.0)
      for (int64_t i = 0; i < count; ++i) from[i] *= scale;
    if (c.logit_softcap > 0) Softcap(from, count, cap);
  });
}

void Decoder::VisitLinears(const LinearVisitor& visit) const {
  if (per_layer_) visit(per_layer_->linear());
  if (spread_) spread_->VisitLinears(visit);
  for (const Layer& layer : layers_) layer.VisitLinears(visit);
  if (collapse_) collapse_->VisitLinears(visit);
  if (output_mix_) visit(output_mix_->linear());
  visit(output_);
}

}  // namespace assay
