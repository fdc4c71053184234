#pragma once
// Small unsigned integers in bit streams: the order of the integer formats in memory and of the containers that hold
// them.

#include <cstdint>
#include <span>

namespace assay {

/// Values of `bits` (1 … 8) bits, value i in the bits i * bits … of a little-endian stream that crosses bytes and
/// words: GPTQ's qweight columns and qzeros rows, compressed-tensors since 0.16, the integer formats here. `bytes`
/// holds at least (n * bits + 7) / 8 bytes, all of which are written; unused high bits become zero.
void PackDense(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes);
void UnpackDense(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values);

/// The same, but 32 / bits values a little-endian 32-bit word, none across words, the rest of a word zero:
/// compressed-tensors before 0.16. `bytes` holds at least PaddedBytes.
void PackPadded(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes);
void UnpackPadded(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values);
int64_t PaddedBytes(int64_t n, int bits);
/// Bytes of n densely packed values in whole 32-bit words, as the files above lay a row.
int64_t DenseWordBytes(int64_t n, int bits);

/// GPTQModel's `gptq_p`: 32 values become `bits` words, bit planes of widths 4, 2, 1 (5 = 4 + 1, 7 = 4 + 2 + 1,
/// 3 = 2 + 1, 6 = 4 + 2), the widest with the low bits first; within a plane a dense stream. n is a multiple of 32.
void PackPlanar(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes);
void UnpackPlanar(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values);

}  // namespace assay
