#include "model/streams/laurel.h"

namespace assay {

Laurel::Laurel(const ModelConfig& config, const WeightReader& reader)
    : config_(config),
      left_(reader.ReadLinear("laurel_l", config.laurel_rank, config.hidden)),
      right_(reader.ReadLinear("laurel_r", config.hidden, config.laurel_rank)),
      norm_(reader.ReadNorm("laurel_post_norm", config.hidden)) {}

void Laurel::Run(const Pass& pass, const float* x, float* out) const {
  Arena::Scope scope(pass.arena);
  const int64_t hidden = config_.hidden, rank = config_.laurel_rank, n = pass.n();
  const Rows low{pass.arena.Floats(n * rank), rank}, rows{out, hidden};
  Multiply(pass, {x, hidden}, n, {{left_, low}});
  Multiply(pass, low, n, {{right_, rows}});
  Normalize(pass, config_, norm_, rows, n, rows);
  AddRows(pass, {x, hidden}, hidden, rows);
}

void Laurel::VisitLinears(const LinearVisitor& visit) const {
  visit(left_);
  visit(right_);
}

}  // namespace assay
