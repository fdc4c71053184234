#include "format/bitsandbytes/nested_absmax.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "number/bnb_dynamic8.h"

namespace assay {

NestedAbsmax NestAbsmax(std::span<const float> absmax) {
  double sum = 0;
  for (const float x : absmax) sum += x;
  return NestAbsmax(absmax, absmax.empty() ? 0.0f : static_cast<float>(sum / static_cast<double>(absmax.size())));
}

NestedAbsmax NestAbsmax(std::span<const float> absmax, float offset) {
  constexpr float kSmallestScale = 1e-38f;
  NestedAbsmax out;
  out.offset = offset;
  out.codes.resize(absmax.size());
  for (size_t begin = 0; begin < absmax.size(); begin += kNestedBlock) {
    const size_t end = std::min(absmax.size(), begin + kNestedBlock);
    float scale = 0;
    for (size_t i = begin; i < end; ++i) scale = std::max(scale, std::fabs(absmax[i] - offset));
    // Whole blocks multiply with the reciprocal and keep a scale of 0; a short one divides.
    const bool whole = end - begin == kNestedBlock;
    const float divisor = std::max(scale, kSmallestScale), inverse = 1.0f / divisor;
    out.absmax.push_back(whole ? scale : divisor);
    for (size_t i = begin; i < end; ++i) {
      const float x = absmax[i] - offset;
      out.codes[i] = EncodeDynamic8(std::clamp(whole ? x * inverse : x / divisor, -1.0f, 1.0f));
    }
  }
  return out;
}

void UnnestAbsmax(std::span<const uint8_t> codes, std::span<const float> nested_absmax, std::span<const float> map,
                  float offset, int block, std::span<float> absmax) {
  ASSAY_CHECK(block > 0 && map.size() == 256 && absmax.size() == codes.size());
  const auto size = static_cast<size_t>(block);
  ASSAY_CHECK(nested_absmax.size() == (codes.size() + size - 1) / size);
  for (size_t i = 0; i < codes.size(); ++i) absmax[i] = map[codes[i]] * nested_absmax[i / size] + offset;
}

}  // namespace assay
