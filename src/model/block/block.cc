#include "model/block/block.h"

#include "model/block/indexer.h"

namespace assay {
namespace {

constexpr int64_t kContextStep = 256;

}  // namespace

BatchShape::BatchShape(int64_t tokens, int64_t with_logits, int64_t last, int pool)
    : n(tokens), wanted(with_logits), context((last + kContextStep - 1) / kContextStep * kContextStep), threads(pool) {}

SharedScratch::SharedScratch(Arena& arena, const ModelConfig& config, const BatchShape& shape, int64_t bytes)
    : angles(arena.Floats(shape.n * config.rotary_dim)),
      local_angles(config.rope_local_theta > 0 ? arena.Floats(shape.n * config.LocalRotaryDim()) : nullptr),
      per_layer(config.per_layer_input > 0 ? arena.Floats(shape.n * config.n_layers * config.per_layer_input)
                                           : nullptr),
      chosen(TakeChosen(arena, config, shape)),
      prepared(arena.Take<std::byte>(bytes)),
      prepared_bytes(bytes) {}

}  // namespace assay
