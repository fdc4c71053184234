#pragma once
// Eight small codes between a dense little-endian stream and a byte each, a word at a time.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace assay {

/// `n` (1 … 8) bytes, little-endian. Two whole loads: filling a word piece by piece would wait for memory.
template <int n>
inline uint64_t LoadWord(const std::byte* in) {
  constexpr int first = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
  uint64_t low = 0, high = 0;
  std::memcpy(&low, in, first);
  if constexpr (n > first) {
    std::memcpy(&high, in + n - first, first);  // overlaps the first
    return low | high << 8 * (n - first);
  }
  return low;
}

/// The eight `bits`-bit values in the low 8 * bits bits of `word`, a byte each, the first lowest.
template <int bits>
constexpr uint64_t SpreadBits(uint64_t word) {
  if constexpr (bits == 8) return word;
  constexpr uint64_t ones = 1;
  word = (word & ((ones << 4 * bits) - 1)) | (word >> 4 * bits) << 32;
  word = (word & 0x0000000100000001 * ((ones << 2 * bits) - 1)) |
         (word >> 2 * bits & 0x0000000100000001 * ((ones << 2 * bits) - 1)) << 16;
  return (word & 0x0001000100010001 * ((ones << bits) - 1)) | (word >> bits & 0x0001000100010001 * ((ones << bits) - 1))
                                                                  << 8;
}

/// Its inverse; each byte of `bytes` is below 2^bits. The bits above come out zero.
template <int bits>
constexpr uint64_t GatherBits(uint64_t bytes) {
  if constexpr (bits == 8) return bytes;
  bytes = (bytes & 0x00ff00ff00ff00ff) | (bytes >> 8 & 0x00ff00ff00ff00ff) << bits;
  bytes = (bytes & 0x0000ffff0000ffff) | (bytes >> 16 & 0x0000ffff0000ffff) << 2 * bits;
  return (bytes & 0xffffffff) | bytes >> 32 << 4 * bits;
}

}  // namespace assay
