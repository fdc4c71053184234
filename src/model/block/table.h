#pragma once
// The kinds of blocks that decoders are built from, one row each: which layers a kind serves, what it keeps of a
// sequence, how it is loaded. Its scratch is planned by what it loads (Block::Plan), weights or none.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "describe/model_config.h"

namespace assay {

class Block;
class RopeAngles;
class WeightReader;
using BlockPointer = std::unique_ptr<const Block>;

/// Rows that a layer keeps of a sequence.
struct CachePlane {
  int64_t width = 0;   // elements of a row
  int64_t every = 0;   // 0: each position has a row, until a window leaves it behind; else as many have one together
  int64_t rows = 0;    // that there is room for, in a page where they are kept in pages (PlanCache)
  int64_t offset = 0;  // bytes from the beginning of a page, or of what has a fixed size (PlanCache)
  bool paged = false;  // (PlanCache)
};

/// All that a layer keeps of a sequence.
struct LayerCache {
  int64_t window = 0;  // positions needed, the newest included; 0: all
  std::vector<CachePlane> planes;
  int64_t state_floats = 0;  // of fixed size, zero at the beginning; float32 whatever the format of planes
  int64_t rows = 0;          // of planes that have one for each position (PlanCache)
  int64_t state_offset = 0;  // bytes from the beginning (PlanCache)
};

/// What a block is made of.
struct BlockContext {
  const ModelConfig& config;  // outlives the block, as `ropes` does
  const RopeAngles& ropes;
  int64_t index;  // of its layer
  LayerConfig layer;
};

enum class Place : uint8_t { kMixer, kFeedForward };

struct BlockKind {
  std::string_view name;
  Place place;
  bool (*serves)(const ModelConfig&, const LayerConfig&);
  LayerCache (*cache)(const ModelConfig&, const LayerConfig&);     // of mixers; null: it keeps nothing
  BlockPointer (*load)(const BlockContext&, const WeightReader&);  // null: the layer has no such block
};

using BlockTable = std::span<const BlockKind>;
BlockTable BlockKinds();

/// The first row that serves a layer; one does.
const BlockKind& KindOf(BlockTable kinds, Place place, const ModelConfig& config, const LayerConfig& layer);

}  // namespace assay
