#include "checkpoint/hf/packing/scale_bytes.h"

#include <cstring>

#include "base/error.h"
#include "number/bf16.h"
#include "number/f16.h"

namespace assay {

std::vector<std::byte> ScaleBytes(std::span<const float> values, std::string_view dtype) {
  if (dtype == "F32") {
    auto bytes = std::as_bytes(values);
    return {bytes.begin(), bytes.end()};
  }
  std::vector<std::byte> out(values.size() * 2);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t code = dtype == "F16" ? EncodeF16(values[i]) : EncodeBf16(values[i]);
    std::memcpy(out.data() + 2 * i, &code, 2);
  }
  return out;
}

std::vector<float> FloatsOfPlane(const Format& format, std::span<const std::byte> plane, std::vector<float>* zeros) {
  const size_t width = static_cast<size_t>(format.scale_bytes);
  ASSAY_CHECK(width == 4 || width == 8);
  std::vector<float> out(plane.size() / width);
  if (zeros) zeros->resize(out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    std::memcpy(&out[i], plane.data() + i * width, 4);
    if (zeros && width == 8) std::memcpy(&(*zeros)[i], plane.data() + i * width + 4, 4);
  }
  return out;
}

}  // namespace assay
