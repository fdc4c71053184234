#include "model/block/table.h"

#include "base/error.h"
#include "model/block/block.h"

namespace assay {

using C = const ModelConfig&;
using L = const LayerConfig&;

// Each in the file of its kind.
LayerCache AttentionCache(C, L);
LayerCache CompressedCache(C, L);
LayerCache DeltaCache(C, L);
LayerCache LatentCache(C, L);
LayerCache MambaCache(C, L);
LayerCache ShortConvCache(C, L);
LayerCache SideBySideCache(C, L);
BlockPointer LoadAttention(const BlockContext&, const WeightReader&);
BlockPointer LoadCompressed(const BlockContext&, const WeightReader&);
BlockPointer LoadDelta(const BlockContext&, const WeightReader&);
BlockPointer LoadExperts(const BlockContext&, const WeightReader&);
BlockPointer LoadFeedForward(const BlockContext&, const WeightReader&);
BlockPointer LoadLatent(const BlockContext&, const WeightReader&);
BlockPointer LoadLinearMixer(const BlockContext&, const WeightReader&);
BlockPointer LoadMamba(const BlockContext&, const WeightReader&);
BlockPointer LoadShortConv(const BlockContext&, const WeightReader&);
BlockPointer LoadSideBySide(const BlockContext&, const WeightReader&);

namespace {

BlockPointer LoadNothing(const BlockContext&, const WeightReader&) {
  return nullptr;
}

// The first that serves a layer is taken.
constexpr BlockKind kKinds[] = {
    {"none", Place::kMixer, [](C, L l) { return !l.HasMixer(); }, nullptr, LoadNothing},
    {"none", Place::kFeedForward, [](C, L l) { return !l.HasFeedForward(); }, nullptr, LoadNothing},
    {"linear", Place::kMixer, [](C, L l) { return l.linear; }, nullptr, LoadLinearMixer},
    {"side_by_side", Place::kMixer, [](C, L l) { return l.beside; }, SideBySideCache, LoadSideBySide},
    {"mamba", Place::kMixer, [](C c, L l) { return l.recurrent && c.mamba.heads > 0; }, MambaCache, LoadMamba},
    {"short_conv", Place::kMixer, [](C c, L l) { return l.recurrent && c.short_convolution > 0; }, ShortConvCache,
     LoadShortConv},
    {"delta", Place::kMixer, [](C, L l) { return l.recurrent; }, DeltaCache, LoadDelta},
    {"latent", Place::kMixer, [](C c, L) { return c.latent.kv_rank > 0; }, LatentCache, LoadLatent},
    {"compressed", Place::kMixer, [](C c, L) { return c.compressed.q_rank > 0; }, CompressedCache, LoadCompressed},
    {"attention", Place::kMixer, [](C, L) { return true; }, AttentionCache, LoadAttention},
    {"experts", Place::kFeedForward, [](C, L l) { return l.experts; }, nullptr, LoadExperts},
    {"feed_forward", Place::kFeedForward, [](C, L) { return true; }, nullptr, LoadFeedForward},
};

}  // namespace

BlockTable BlockKinds() {
  return kKinds;
}

const BlockKind& KindOf(BlockTable kinds, Place place, const ModelConfig& config, const LayerConfig& layer) {
  for (const BlockKind& kind : kinds)
    if (kind.place == place && kind.serves(config, layer)) return kind;
  ASSAY_CHECK(!"a kind of block that serves every layer");
  return kinds.front();
}

}  // namespace assay
