#pragma once
// Scales on their way into files. Internal to hf/.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "format/format.h"

namespace assay {

/// float32 values as F32, F16 or BF16, to nearest.
std::vector<std::byte> ScaleBytes(std::span<const float> values, std::string_view dtype);

/// The scales of a plane of floats or of ScaleAndZero; `zeros`, when given, receives the zeros.
std::vector<float> FloatsOfPlane(const Format& format, std::span<const std::byte> plane,
                                 std::vector<float>* zeros = nullptr);

}  // namespace assay
