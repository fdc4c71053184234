#pragma once
// How HQQ packs codes. Internal to hf/.

#include <cstdint>
#include <string_view>

namespace assay {

struct HqqPacking {
  int64_t bits;
  std::string_view name;  // "4bit_u8"
  int per_item;           // codes an item
  int item_bytes;
  int shift;  // bits from one code of an item to the next
};

/// Null for widths that HQQ does not have.
const HqqPacking* FindHqqPacking(int64_t bits);

}  // namespace assay
