#include "checkpoint/hf/packing/cache_scales.h"

#include <algorithm>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kEnds[] = {".k_scale",      ".v_scale",      ".q_scale", ".kv_scale",
                                      ".k_zero_point", ".v_zero_point", ".k_bias",  ".v_bias"};

bool IsCacheScale(std::string_view name) {
  return std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace

void TakeCacheScales(HfSource& source, bool declared, std::string_view key) {
  std::vector<std::string> scales;
  source.ForUnused([&](const SafetensorsTensor& tensor) {
    if (IsCacheScale(tensor.name)) scales.push_back(tensor.name);
  });
  for (const std::string& name : scales) {
    if (!declared)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} is there, but the configuration has no {}", source.where(), name, key);
    source.side_scales[name] = source.Floats(source.Take(name, key));
  }
}

bool IsFp8CacheScheme(const Json& scheme) {
  auto is = [&](const char* key, const Json& expected) { return !scheme.contains(key) || scheme[key] == expected; };
  return scheme.is_object() && scheme.contains("num_bits") && is("num_bits", 8) && scheme.contains("type") &&
         is("type", "float") && is("strategy", "tensor") && is("dynamic", false) && is("symmetric", true);
}

std::vector<CacheScale> CacheScalesOf(const std::map<std::string, std::vector<float>>& side_scales) {
  std::vector<CacheScale> out;
  for (const auto& [name, values] : side_scales) {
    if (!IsCacheScale(name)) continue;
    const bool k = name.ends_with(".k_scale"), v = name.ends_with(".v_scale");
    if ((!k && !v) || values.size() != 1) return {};
    CacheScale scale{name.substr(0, name.rfind('.')), k ? 'k' : 'v', values[0]};
    const std::string projection = k ? ".k_proj" : ".v_proj";
    if (scale.attention.ends_with(projection)) scale.attention.resize(scale.attention.size() - projection.size());
    if (scale.attention.ends_with(".attn")) scale.attention.resize(scale.attention.size() - 5);
    out.push_back(std::move(scale));
  }
  return out;
}

size_t CountCacheScales(const std::map<std::string, std::vector<float>>& side_scales) {
  return static_cast<size_t>(
      std::count_if(side_scales.begin(), side_scales.end(), [](const auto& item) { return IsCacheScale(item.first); }));
}

std::string CacheScalesText(const Checkpoint& source) {
  const size_t n = CountCacheScales(source.side_scales());
  return n == 0 ? "" : fmt::format("{} calibrated scales of the KV cache are left out: there is no place for them", n);
}

}  // namespace assay
