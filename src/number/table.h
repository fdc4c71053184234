#pragma once
// All scalar number formats, one row each.

#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

/// A row of the number table. Codes are the low `bits` bits.
struct NumberFormat {
  std::string_view name;         // "fp8_e4m3"
  std::string_view description;  // one line for people
  int bits;
  float largest;   // largest finite magnitude
  bool saturates;  // finite values beyond `largest` become `largest`, else infinity or NaN
  float (*decode)(uint32_t code);
  uint32_t (*encode)(float value);  // to nearest, ties as the format's header says
};

/// All number formats, widest first.
std::span<const NumberFormat> NumberFormats();
/// Null when there is no such format.
const NumberFormat* FindNumberFormat(std::string_view name);

}  // namespace assay
