#pragma once
// Calibrated scales of the KV cache, which some checkpoints state beside the weights: self_attn.k_scale and v_scale
// (compressed-tensors), self_attn.k_proj.k_scale and v_proj.v_scale (Model-Optimizer, AutoFP8). One FP8 number each is
// what goes from one container to another; anything else (zeros, biases, FP4) is kept with the checkpoint and left out.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/packing/source.h"

namespace assay {

/// Takes every such tensor into side_scales. `declared`: the configuration has a cache scheme, whose key is `key`; else
/// a scale is an error.
void TakeCacheScales(HfSource& source, bool declared, std::string_view key);

/// Whether a scheme of compressed-tensors' shape is what the scales here stand for: E4M3, one scale, calibrated.
bool IsFp8CacheScheme(const Json& scheme);

struct CacheScale {
  std::string attention;  // "model.layers.0.self_attn"
  char of = 'k';          // or 'v'
  float value = 0;
};
/// The FP8 scales among a checkpoint's side scales; empty when there are others too.
std::vector<CacheScale> CacheScalesOf(const std::map<std::string, std::vector<float>>& side_scales);
/// What is lost where they cannot go, for people; empty when there are none.
std::string CacheScalesText(const Checkpoint& source);
/// How many of the side scales belong to the cache.
size_t CountCacheScales(const std::map<std::string, std::vector<float>>& side_scales);

}  // namespace assay
