#pragma once
// Double quantization of bitsandbytes: the block scales of a 4-bit matrix, less their mean, in blocks of 256 of 8-bit
// codes of the dynamic map (number/bnb_dynamic8.h) with a float32 scale each.
// Source: bitsandbytes, functional.py (quantize_4bit with compress_statistics, dequantize_blockwise); Dettmers et al.,
// "QLoRA", 2023, section 3.

#include <cstdint>
#include <span>
#include <vector>

namespace assay {

inline constexpr int kNestedBlock = 256;

struct NestedAbsmax {
  std::vector<uint8_t> codes;  // one per block of weights
  std::vector<float> absmax;   // one per 256 codes, the last may stand for fewer
  float offset = 0;            // the mean of the scales
};

/// The offset is the mean in double, rounded; torch's float32 sum may differ from it in the last bit.
NestedAbsmax NestAbsmax(std::span<const float> absmax);
NestedAbsmax NestAbsmax(std::span<const float> absmax, float offset);

/// absmax[i] = map[codes[i]] * nested_absmax[i / block] + offset, for a map and a block size as the file states them.
/// Sizes: map 256, nested_absmax ceil(codes / block), absmax as codes.
void UnnestAbsmax(std::span<const uint8_t> codes, std::span<const float> nested_absmax, std::span<const float> map,
                  float offset, int block, std::span<float> absmax);

}  // namespace assay
