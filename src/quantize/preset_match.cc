#include "quantize/preset_match.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "quantize/choose.h"

namespace assay {
namespace {

/// {0, 1, 2, 5} → "0-2, 5".
std::string Ranges(const std::vector<int64_t>& layers) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < layers.size();) {
    size_t end = i;
    while (end + 1 < layers.size() && layers[end + 1] == layers[end] + 1) ++end;
    parts.push_back(end == i ? fmt::format("{}", layers[i]) : fmt::format("{}-{}", layers[i], layers[end]));
    i = end + 1;
  }
  return Join(parts, ", ");
}

}  // namespace

std::string RoleName(const std::string& canonical_name) {
  auto parts = Split(canonical_name, '.');
  return parts.size() >= 3 && parts[0] == "blk" ? parts[2] : parts[0];
}

PresetMatch MatchPreset(const Checkpoint& checkpoint) {
  PresetMatch best;
  for (const PresetInfo& info : Preset::All()) {
    if (info.container != checkpoint.container()) continue;
    PresetMatch match;
    match.preset = info.name;
    const std::vector<const Format*> formats = ChooseFormats(Preset::Get(info.name), checkpoint);
    // One that would quantize nothing here (experts alone, of a model without) says nothing.
    if (std::all_of(formats.begin(), formats.end(), [](const Format* format) { return format == nullptr; })) continue;
    double same = 0, all = 0;
    for (size_t i = 0; i < formats.size(); ++i) {
      const Tensor& tensor = checkpoint.tensors()[i];
      if (tensor.shape.size() < 2 || tensor.format->integers) continue;
      const Format* expected = formats[i];
      const double weights = static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
      const bool as_stored = tensor.stored_as.empty();
      all += weights;
      if (as_stored && (expected ? tensor.format == expected : IsPlain(*tensor.format))) {
        same += weights;
      } else {
        match.different.push_back(fmt::format("{}: {}, the preset gives {}", tensor.name, tensor.format_name(),
                                              expected ? expected->name : "no quantization"));
      }
    }
    match.share = all > 0 ? same / all : 0;
    if (match.share > best.share) best = std::move(match);
  }
  return best;
}

std::vector<std::string> RecipeLines(const Checkpoint& checkpoint) {
  std::map<std::string, std::map<std::string, std::vector<int64_t>>> kinds;  // kind, format: layers
  for (const Tensor& tensor : checkpoint.tensors()) {
    if (tensor.shape.size() < 2) continue;
    const TensorRole role = RoleOf(tensor, checkpoint.config(), false);
    kinds[RoleName(tensor.name)][std::string(tensor.format_name())].push_back(role.layer);
  }
  std::vector<std::string> lines;
  for (auto& [kind, formats] : kinds) {
    std::vector<std::pair<std::string, std::vector<int64_t>>> order(formats.begin(), formats.end());
    for (auto& [format, layers] : order) {
      std::sort(layers.begin(), layers.end());
      layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    }
    std::sort(order.begin(), order.end(),
              [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    std::string line = kind + ": ";
    for (size_t i = 0; i < order.size(); ++i) {
      const bool last = i + 1 == order.size();
      line += order[i].first;
      if (order.size() > 1) line += last ? " in the others" : fmt::format(" in layers {}; ", Ranges(order[i].second));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace assay
