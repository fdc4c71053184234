#pragma once
// What reading and writing of bitsandbytes' checkpoints share. Internal to hf/.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "format/format.h"
#include "number/table.h"

namespace assay {

/// A 4-bit type as the files name it, in blocks of that many weights.
struct BitsandbytesType {
  std::string_view name;  // "nf4", "fp4"
  int64_t block = 64;
};

/// Nothing for other formats.
inline std::optional<BitsandbytesType> BitsandbytesTypeOf(const Format& format) {
  if (format.family != FormatFamily::kBnb4) return std::nullopt;
  return BitsandbytesType{format.number == "nf4" ? "nf4" : "fp4", format.group};
}

/// The reverse; null when we have no such format.
inline const Format* BitsandbytesFormat(const BitsandbytesType& type) {
  for (const Format& format : Formats())
    if (const auto found = BitsandbytesTypeOf(format); found && found->name == type.name && found->block == type.block)
      return &format;
  return nullptr;
}

/// The values of the codes 0 … 15.
inline std::array<float, 16> BitsandbytesMap(std::string_view type) {
  const NumberFormat* number = FindNumberFormat(type == "nf4" ? "nf4" : "bnb_fp4");
  ASSAY_CHECK(number != nullptr);
  std::array<float, 16> out{};
  for (uint32_t i = 0; i < 16; ++i) out[i] = number->decode(i);
  return out;
}

}  // namespace assay
