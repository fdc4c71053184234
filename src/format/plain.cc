#include "format/plain.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstring>

#include "format/vector/code_range.h"
#include "format/vector/vector_codes.h"
#include "number/bf16.h"
#include "number/f16.h"
#include "system/machine.h"

namespace assay {
namespace {

template <typename Code, typename Convert>
ASSAY_INLINE void ReadCodes(const std::byte* in, int64_t n, float* out, Convert convert) {
  for (int64_t i = 0; i < n; ++i) {
    Code code;
    std::memcpy(&code, in + i * static_cast<int64_t>(sizeof code), sizeof code);
    out[i] = convert(code);
  }
}

#if defined(__x86_64__)
// The processor's own conversion: the same values (a signalling NaN becomes a quiet one).
__attribute__((target("avx,f16c"))) void ReadHalves(const std::byte* in, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i codes;
    std::memcpy(&codes, in + 2 * i, sizeof codes);
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(codes));
  }
  ReadCodes<uint16_t>(in + 2 * i, n - i, out + i, [](uint16_t code) { return DecodeF16(code); });
}
#endif

template <typename Code, typename Convert>
ASSAY_INLINE void WriteCodes(const float* in, int64_t n, std::byte* out, Convert convert) {
  for (int64_t i = 0; i < n; ++i) {
    const Code code = convert(in[i]);
    std::memcpy(out + i * static_cast<int64_t>(sizeof code), &code, sizeof code);
  }
}

template <typename V>
ASSAY_INLINE void ReadBf16(const PackedView& view, int64_t row, float* out) {
  constexpr int lanes = kLanes<V>;
  const std::byte* in = view.codes + row * view.cols * 2;
  int64_t i = 0;
  for (; i + lanes <= view.cols; i += lanes) {
    const V values = FromBits(LoadHalves<IntsOf<V>>(in + 2 * i) << 16);
    std::memcpy(out + i, &values, sizeof values);
  }
  ReadCodes<uint16_t>(in + 2 * i, view.cols - i, out + i, [](uint16_t code) { return DecodeBf16(code); });
}

template <typename V>
ASSAY_INLINE void WriteF16(const float* in, int64_t n, std::byte* out) {
  int64_t i = 0;
  for (; i + kLanes<V> <= n; i += kLanes<V>) StoreHalves(F16Codes(Load<V>(in + i)), out + 2 * i);
  WriteCodes<uint16_t>(in + i, n - i, out + 2 * i, [](float x) { return EncodeF16(x); });
}

template <typename V>
ASSAY_INLINE void WriteBf16(const float* in, int64_t n, std::byte* out) {
  using I = IntsOf<V>;
  int64_t i = 0;
  for (; i + kLanes<V> <= n; i += kLanes<V>) {
    const I bits = BitsOf(Load<V>(in + i));
    const I rounded = bits + 0x7fff + (bits >> 16 & 1);
    const I nan = (bits & static_cast<int32_t>(0x80000000)) | 0x7fc00000;
    StoreHalves(((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded) >> 16, out + 2 * i);
  }
  WriteCodes<uint16_t>(in + i, n - i, out + 2 * i, [](float x) { return EncodeBf16(x); });
}

template <typename Code>
bool AllFinite(const PackedView& view, int64_t row, Code infinity) {
  return MagnitudesBelow<Code>(view.codes + row * view.cols * static_cast<int64_t>(sizeof(Code)), view.cols, infinity);
}

}  // namespace

void DecodeRowF32(const PackedView& view, int64_t row, float* out) {
  std::memcpy(out, view.codes + row * view.cols * 4, static_cast<size_t>(view.cols) * 4);
}

void DecodeRowF16(const PackedView& view, int64_t row, float* out) {
  const std::byte* in = view.codes + row * view.cols * 2;
#if defined(__x86_64__)
  if (Cpu().avx2_fma) return ReadHalves(in, view.cols, out);
#endif
  ReadCodes<uint16_t>(in, view.cols, out, [](uint16_t code) { return DecodeF16(code); });
}

ASSAY_BY_WIDTH(DecodeRowBf16, (const PackedView& view, int64_t row, float* out), (view, row, out), ReadBf16)

void EncodeRowsF32(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  std::memcpy(codes, weights, static_cast<size_t>(n_rows * cols) * 4);
}

namespace {
ASSAY_BY_WIDTH(WriteAsF16, (const float* in, int64_t n, std::byte* out), (in, n, out), WriteF16)
ASSAY_BY_WIDTH(WriteAsBf16, (const float* in, int64_t n, std::byte* out), (in, n, out), WriteBf16)
}  // namespace

void EncodeRowsF16(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  WriteAsF16(weights, n_rows * cols, codes);
}
void EncodeRowsBf16(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                    std::byte*) {
  WriteAsBf16(weights, n_rows * cols, codes);
}

void DecodeRowI32(const PackedView& view, int64_t row, float* out) {
  ReadCodes<int32_t>(view.codes + row * view.cols * 4, view.cols, out, [](int32_t x) { return static_cast<float>(x); });
}

void DecodeRowI64(const PackedView& view, int64_t row, float* out) {
  ReadCodes<int64_t>(view.codes + row * view.cols * 8, view.cols, out, [](int64_t x) { return static_cast<float>(x); });
}

void EncodeRowsI32(const float* values, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  WriteCodes<int32_t>(values, n_rows * cols, codes, [](float x) { return static_cast<int32_t>(x); });
}

void EncodeRowsI64(const float* values, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  WriteCodes<int64_t>(values, n_rows * cols, codes, [](float x) { return static_cast<int64_t>(x); });
}

bool ValidRowF32(const PackedView& view, int64_t row) {
  return AllFinite<uint32_t>(view, row, 0x7f800000);
}
bool ValidRowF16(const PackedView& view, int64_t row) {
  return AllFinite<uint16_t>(view, row, 0x7c00);
}
bool ValidRowBf16(const PackedView& view, int64_t row) {
  return AllFinite<uint16_t>(view, row, 0x7f80);
}

}  // namespace assay
