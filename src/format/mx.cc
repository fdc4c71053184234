#include "format/mx.h"

#include <algorithm>
#include <array>
#include <bit>

#include "format/vector/bit_spread.h"
#include "format/vector/code_range.h"
#include "format/vector/rounding.h"
#include "format/vector/vector_codes.h"
#include "number/e8m0.h"
#include "number/fp4_e2m1.h"
#include "number/fp6.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/integers.h"

namespace assay {
namespace {

struct Element {
  int bits, mantissa, largest_exponent;
  float largest;
};
constexpr Element kE4m3{8, 3, 8, kFp8E4m3Max};
constexpr Element kE5m2{8, 2, 15, kFp8E5m2Max};
constexpr Element kE3m2{6, 2, 4, kFp6E3m2Max};
constexpr Element kE2m3{6, 3, 2, kFp6E2m3Max};
constexpr Element kE2m1{4, 1, 2, kFp4E2m1Max};
constexpr Element kInt8{8, 6, 0, kMxInt8Max};

// NaN and infinity as number/ has them.
template <typename V, const Element& element>
ASSAY_INLINE V Values(IntsOf<V> codes) {
  if constexpr (&element == &kE3m2) return MinifloatValues<3, 2>(codes);
  if constexpr (&element == &kE2m3) return MinifloatValues<2, 3>(codes);
  if constexpr (&element == &kE2m1) return Fp4E2m1Values(codes);
  if constexpr (&element == &kInt8) return __builtin_convertvector((codes ^ 128) - 128, V) * 0x1p-6f;
  if constexpr (&element == &kE4m3) return Fp8E4m3Values(codes);
  if constexpr (&element == &kE5m2) {
    const V values = MinifloatValues<5, 2>(codes);
    const IntsOf<V> magnitude = codes & 127;
    const IntsOf<V> special = 0x7f800000 | (magnitude & 3) << 21 | (codes & 128) << 24;
    return magnitude >= 0x7c ? FromBits(special) : values;
  }
}

template <typename V, const Element& element>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  const std::byte* in = view.codes + row * (view.cols / 8) * element.bits;
  const std::byte* scales = view.scales + row * (view.cols / kMxGroup);
  for (int64_t g = 0; g < view.cols / kMxGroup; ++g) {
    const float scale = DecodeE8m0(static_cast<uint8_t>(scales[g]));
    ASSAY_UNROLL
    for (int i = 0; i < kMxGroup; i += kLanes<V>, in += kLanes<V> / 8 * element.bits, out += kLanes<V>) {
      const V values = Values<V, element>(LoadCodes<IntsOf<V>, element.bits>(in)) * scale;
      std::memcpy(out, &values, sizeof values);
    }
  }
}

// The scales' codes for eight groups with these largest magnitudes.
ASSAY_INLINE Int8Lanes ScaleCodes(const Element& element, MxScaleRule rule, Float8 largest) {
  Int8Lanes exponent{};
  const Int8Lanes bits = BitsOf(largest);
  const auto rounded = [&](int mantissa) __attribute__((always_inline)) {
    return (bits + (0x400000 >> mantissa)) >> 23;
  };
  switch (rule) {
    case MxScaleRule::kFloor:
      exponent = bits >> 23;
      break;
    case MxScaleRule::kEven:
      exponent = rounded(element.mantissa);
      break;
    case MxScaleRule::kCompressedTensors:
      exponent = rounded(element.bits == 6 ? element.mantissa : kE2m1.mantissa);
      break;
    case MxScaleRule::kCeil:
      exponent = (bits + 0x7fffff) >> 23;
      break;
    case MxScaleRule::kRceil:
      return Min((BitsOf(largest / element.largest) + 0x7fffff) >> 23, Int8Lanes{} + 254);
  }
  return Min(Max(exponent - element.largest_exponent, Int8Lanes{}), Int8Lanes{} + 254);
}

template <const Element& element, typename V>
ASSAY_INLINE IntsOf<V> Codes(V v) {
  constexpr float largest = element.largest;
  if constexpr (&element == &kE4m3) return MinifloatCodes<4, 3>(v, largest);
  if constexpr (&element == &kE5m2) return MinifloatCodes<5, 2>(v, largest);
  if constexpr (&element == &kE3m2) return MinifloatCodes<3, 2>(v, largest);
  if constexpr (&element == &kE2m3) return MinifloatCodes<2, 3>(v, largest);
  if constexpr (&element == &kE2m1) return Fp4E2m1Codes(v);
  if constexpr (&element == &kInt8) return RoundClampToInts(v * 64.0f, -64.0f * largest, 64.0f * largest) & 255;
}

template <typename V, const Element& element>
ASSAY_INLINE void Encode(MxScaleRule rule, const float* weights, int64_t n_groups, std::byte* codes,
                         std::byte* scales) {
  EachEightRuns<kMxGroup>(
      weights, n_groups, [&](const float* x, int n, int64_t first) __attribute__((always_inline)) {
        const Int8Lanes code = ScaleCodes(element, rule, LargestMagnitudeOfRuns<kMxGroup, V>(x));
        StoreBytes(code, n, scales + first);
        for (int k = 0; k < n; ++k) {
          const float inverse = DecodeE8m0(static_cast<uint8_t>(254 - code[k]));  // exact, as the products with it
          ASSAY_UNROLL
          for (int i = 0; i < kMxGroup; i += kLanes<V>, codes += kLanes<V> / 8 * element.bits)
            StorePacked<element.bits>(Codes<element>(Load<V>(x + k * kMxGroup + i) * inverse), codes);
        }
      });
}

// The elements in table order.
constexpr int kElements = 6;
template <typename V>
ASSAY_INLINE void EncodeGroups(int element, MxScaleRule rule, const float* weights, int64_t n_groups, std::byte* codes,
                               std::byte* scales) {
  switch (element) {
    case 0:
      return Encode<V, kE4m3>(rule, weights, n_groups, codes, scales);
    case 1:
      return Encode<V, kE5m2>(rule, weights, n_groups, codes, scales);
    case 2:
      return Encode<V, kE3m2>(rule, weights, n_groups, codes, scales);
    case 3:
      return Encode<V, kE2m3>(rule, weights, n_groups, codes, scales);
    case 4:
      return Encode<V, kE2m1>(rule, weights, n_groups, codes, scales);
    default:
      return Encode<V, kInt8>(rule, weights, n_groups, codes, scales);
  }
}

ASSAY_BY_WIDTH(EncodeElement,
               (int element, MxScaleRule rule, const float* weights, int64_t n_groups, std::byte* codes,
                std::byte* scales),
               (element, rule, weights, n_groups, codes, scales), EncodeGroups)

template <int element, MxScaleRule rule>
void EncodeRowsBy(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                  std::byte* scales) {
  EncodeElement(element, rule, weights, n_rows * (cols / kMxGroup), codes, scales);
}

template <int element>
constexpr std::array<EncodeRows, 5> kEncoders = {
    EncodeRowsBy<element, MxScaleRule::kFloor>,
    EncodeRowsBy<element, MxScaleRule::kEven>,
    EncodeRowsBy<element, MxScaleRule::kCeil>,
    EncodeRowsBy<element, MxScaleRule::kRceil>,
    EncodeRowsBy<element, MxScaleRule::kCompressedTensors>,
};

struct ElementRow {
  decltype(Format::decode_row) decode;
  std::array<EncodeRows, 5> encoders;
};
constexpr ElementRow kRows[kElements] = {
    {DecodeRowMxfp8E4m3, kEncoders<0>}, {DecodeRowMxfp8E5m2, kEncoders<1>}, {DecodeRowMxfp6E3m2, kEncoders<2>},
    {DecodeRowMxfp6E2m3, kEncoders<3>}, {DecodeRowMxfp4, kEncoders<4>},     {DecodeRowMxInt8, kEncoders<5>},
};

}  // namespace

ASSAY_BY_WIDTH(DecodeRowMxfp8E4m3, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow,
               kE4m3)
ASSAY_BY_WIDTH(DecodeRowMxfp8E5m2, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow,
               kE5m2)
ASSAY_BY_WIDTH(DecodeRowMxfp6E3m2, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow,
               kE3m2)
ASSAY_BY_WIDTH(DecodeRowMxfp6E2m3, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow,
               kE2m3)
ASSAY_BY_WIDTH(DecodeRowMxfp4, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, kE2m1)
ASSAY_BY_WIDTH(DecodeRowMxInt8, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, kInt8)

bool ValidRowMx(const PackedView& view, int64_t row) {
  const int64_t n = view.cols / kMxGroup;
  for (int64_t g = row * n; g < (row + 1) * n; ++g) {
    if (static_cast<uint8_t>(view.scales[g]) == 255) return false;
  }
  const auto decode = view.format->decode_row;
  const uint8_t first_bad = decode == DecodeRowMxfp8E4m3 ? 0x7f : decode == DecodeRowMxfp8E5m2 ? 0x7c : 0x80;
  return first_bad == 0x80 || MagnitudesBelow<uint8_t>(view.codes + row * view.cols, view.cols, first_bad);
}

EncodeRows MxEncoder(const Format& format, MxScaleRule rule) {
  for (const ElementRow& row : kRows) {
    if (row.decode == format.decode_row) return row.encoders[static_cast<size_t>(rule)];
  }
  return nullptr;
}

void EncodeRowsMxfp8E4m3(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                         std::byte* codes, std::byte* scales) {
  EncodeElement(0, MxScaleRule::kCompressedTensors, weights, n_rows * (cols / kMxGroup), codes, scales);
}
void EncodeRowsMxfp8E5m2(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                         std::byte* codes, std::byte* scales) {
  EncodeElement(1, MxScaleRule::kFloor, weights, n_rows * (cols / kMxGroup), codes, scales);
}
void EncodeRowsMxfp6E3m2(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                         std::byte* codes, std::byte* scales) {
  EncodeElement(2, MxScaleRule::kFloor, weights, n_rows * (cols / kMxGroup), codes, scales);
}
void EncodeRowsMxfp6E2m3(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                         std::byte* codes, std::byte* scales) {
  EncodeElement(3, MxScaleRule::kCompressedTensors, weights, n_rows * (cols / kMxGroup), codes, scales);
}
void EncodeRowsMxfp4(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                     std::byte* scales) {
  EncodeElement(4, MxScaleRule::kCompressedTensors, weights, n_rows * (cols / kMxGroup), codes, scales);
}
void EncodeRowsMxInt8(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                      std::byte* scales) {
  EncodeElement(5, MxScaleRule::kFloor, weights, n_rows * (cols / kMxGroup), codes, scales);
}

namespace {

// Calls body<element>(the rule of its row) for the format's element.
template <typename Body>
auto WithElement(const Format& format, const Body& body) {
  if (format.bits == 4) return body.template operator()<kE2m1>(MxScaleRule::kCompressedTensors);
  if (format.number == "fp6_e2m3") return body.template operator()<kE2m3>(MxScaleRule::kCompressedTensors);
  if (format.number == "fp6_e3m2") return body.template operator()<kE3m2>(MxScaleRule::kFloor);
  if (format.number == "fp8_e4m3") return body.template operator()<kE4m3>(MxScaleRule::kCompressedTensors);
  if (format.number == "fp8_e5m2") return body.template operator()<kE5m2>(MxScaleRule::kFloor);
  return body.template operator()<kInt8>(MxScaleRule::kFloor);
}

}  // namespace

void FitMx(const Format& format, const GridInput& in, Grid* grid, SuperGrid*) {
  const Float8 largest = Broadcast<Float8>(LargestMagnitude<kMxGroup>(in.weights));
  grid->scale_code = WithElement(
      format, [&]<const Element & element>(MxScaleRule rule) { return ScaleCodes(element, rule, largest)[0]; });
  grid->scale = DecodeE8m0(static_cast<uint8_t>(grid->scale_code));
  grid->factor = DecodeE8m0(static_cast<uint8_t>(254 - grid->scale_code));
}

Rounded RoundMx(const Format& format, const Grid& grid, float x) {
  const Float8 v = FirstLane(x * grid.factor);
  return WithElement(format, [&]<const Element & element>(MxScaleRule) {
    const Int8Lanes codes = Codes<element>(v);
    return Rounded{static_cast<uint8_t>(codes[0]), Values<Float8, element>(codes)[0] * grid.scale};
  });
}

}  // namespace assay
