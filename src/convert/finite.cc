#include "convert/finite.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "number/bf16.h"
#include "number/f16.h"

namespace assay {

void FailOverflow(const PackedView& packed, const float* weights, const std::string& place) {
  float largest = 0;
  for (int64_t i = 0; i < packed.cols; ++i) largest = std::max(largest, std::fabs(weights[i]));
  const bool plain = packed.format->block_weights == 1 && packed.format->scale_weights == 0;
  Fail(ErrorKind::kUnsupported, "{} has weights up to {:.6g}, too large for {}: {} would be infinite; bf16 has room",
       place, largest, packed.format->name, plain ? "they" : "a scale");
}

void RoundScales(std::string_view dtype, int entry_bytes, std::byte* scales, int64_t bytes) {
  if (dtype != "F16" && dtype != "BF16") return;
  for (int64_t at = 0; at < bytes; at += entry_bytes) {
    float scale;
    std::memcpy(&scale, scales + at, sizeof scale);
    scale = dtype == "F16" ? DecodeF16(EncodeF16(scale)) : RoundToBf16(scale);
    std::memcpy(scales + at, &scale, sizeof scale);
  }
}

}  // namespace assay
