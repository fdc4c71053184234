#include "model/per_layer_input.h"

#include <cmath>

namespace assay {

PerLayerEmbedding::PerLayerEmbedding(const ModelConfig& config, const WeightReader& reader) : config_(config) {
  const int64_t width = config.n_layers * config.per_layer_input;
  table_ = reader.ReadMatrix("per_layer_token_embd.weight", config.PerLayerRows(), width);
  projection_ = reader.ReadLinear("per_layer_model_proj", width, config.hidden);
  norm_ = reader.ReadVector("per_layer_proj_norm.weight", config.per_layer_input);
}

void PerLayerEmbedding::Fill(const Pass& pass, ConstRows embedded) const {
  const int64_t each = config_.per_layer_input, width = config_.n_layers * each;
  const Rows all{pass.shared.per_layer, width};
  Multiply(pass, embedded, pass.n(), {{projection_, all}});
  Scale(pass, 1.0f / std::sqrt(static_cast<float>(config_.hidden)), pass.n(), width, all);
  NormalizeHeads(pass, config_.rms_epsilon, norm_, {config_.n_layers, each, each}, all);
  const float scale = std::sqrt(static_cast<float>(each)), half = std::sqrt(0.5f);
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    Vector own(static_cast<size_t>(width));
    for (int64_t t = begin; t < end; ++t) {
      const int64_t id = pass.token(t).id;
      table_.format->decode_row(table_, id < table_.rows ? id : 0, own.data());
      for (int64_t i = 0; i < width; ++i) all[t][i] = (all[t][i] + own[static_cast<size_t>(i)] * scale) * half;
    }
  });
}

PerLayerInput::PerLayerInput(const ModelConfig& config, const WeightReader& reader, int64_t layer)
    : config_(config),
      layer_(layer),
      gate_(reader.ReadLinear("inp_gate", config.per_layer_input, config.hidden)),
      projection_(reader.ReadLinear("proj", config.hidden, config.per_layer_input)),
      norm_(reader.ReadNorm("post_norm", config.hidden)) {}

void PerLayerInput::Run(const Pass& pass, const float* x, float* out) const {
  const int64_t width = config_.per_layer_input, hidden = config_.hidden, n = pass.n();
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const Rows gate{scratch.gate, width}, added{out, hidden};
  const Rows own = Rows{pass.shared.per_layer, config_.n_layers * width}.From(layer_ * width);
  Multiply(pass, {x, hidden}, n, {{gate_, gate}});
  Activate(pass, config_, gate, own, n, width, gate);
  Multiply(pass, gate, n, {{projection_, added}});
  Normalize(pass, config_, norm_, added, n, added);
}

void PerLayerInput::VisitLinears(const LinearVisitor& visit) const {
  visit(gate_);
  visit(projection_);
}

}  // namespace assay
