#pragma once
// The ranges of all numbers of a configuration.

#include <cstdint>
#include <string_view>

#include "describe/model_config.h"

namespace assay {

/// What sane models stay below.
inline constexpr int64_t kMaxModelLayers = 4096;
inline constexpr int64_t kMaxModelHeads = 65536;               // and of what is counted a head, as its size
inline constexpr int64_t kMaxModelContext = int64_t{1} << 31;  // positions
/// Numbers of a configuration that contradict each other or leave sane limits: Error{kCorrupt} beginning with `where`.
void CheckConfig(const ModelConfig& config, std::string_view where);

}  // namespace assay
