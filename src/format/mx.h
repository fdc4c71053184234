#pragma once
// The OCP microscaling formats: 32 weights along a row share an E8M0 scale, x = element * 2^(scale - 127).
//
// Elements E4M3 and E5M2 (a byte each), E3M2 and E2M3 (six bits, a dense little-endian stream: four in three bytes),
// E2M1 (two a byte, the even column in the low nibble), INT8 (two's complement, in 64ths). Codes = x / scale to nearest
// even, saturating. The specification leaves the scale's rule open; what toolkits use differs (MxScaleRule), and all of
// them decode alike. Source: OCP Microscaling Formats (MX) Specification 1.0; compressed-tensors,
// quantization/utils/mxfp_utils.py; torchao, prototype/mx_formats.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

inline constexpr int kMxGroup = 32;

/// The exponent of the scale from m = max|group|, where e is the exponent of the element's largest value (448: 8).
enum class MxScaleRule : uint8_t {
  kFloor,              // floor(log2 m) - e: OCP's text, microxcaling; the largest values may saturate
  kEven,               // m is rounded to the element's mantissa first: AMD Quark, torchao
  kCeil,               // ceil(log2 m) - e: never saturates, wastes up to one bit of range
  kRceil,              // ceil(log2(m / largest element)): NVIDIA, ModelOpt; never saturates
  kCompressedTensors,  // kEven with the mantissa of E2M1 for 4 and 8 bits, so that from 1.75 up m counts as the next
                       // power of two
};

void DecodeRowMxfp8E4m3(const PackedView& view, int64_t row, float* out);
void DecodeRowMxfp8E5m2(const PackedView& view, int64_t row, float* out);
void DecodeRowMxfp6E3m2(const PackedView& view, int64_t row, float* out);
void DecodeRowMxfp6E2m3(const PackedView& view, int64_t row, float* out);
void DecodeRowMxfp4(const PackedView& view, int64_t row, float* out);
void DecodeRowMxInt8(const PackedView& view, int64_t row, float* out);

/// Any of these formats: scales that are not NaN, elements that are finite.
bool ValidRowMx(const PackedView& view, int64_t row);

/// An encode_rows of an MX format by another rule than the one of its row in the table (kCompressedTensors where that
/// has the format, else kFloor); null for formats that are not MX.
using EncodeRows = decltype(Format::encode_rows);
EncodeRows MxEncoder(const Format& format, MxScaleRule rule);

void EncodeRowsMxfp8E4m3(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsMxfp8E5m2(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsMxfp6E3m2(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsMxfp6E2m3(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsMxfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsMxInt8(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                      float global_divisor, std::byte* codes, std::byte* scales);

/// The scale by the rule of the format's row.
void FitMx(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundMx(const Format& format, const Grid& grid, float x);
inline constexpr GridRule kMxGrid{FitMx, RoundMx, PackPlanes};

}  // namespace assay
