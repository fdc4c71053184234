// Linear kernels over bfloat16 cells for AVX-512 with BF16: vdpbf16ps adds two products to a lane at a time, the second
// after the first, each rounded to nearest even, subnormals as zero.

#if defined(__x86_64__)

#include "kernel/cpu/kernels.h"
#include "kernel/cpu/vector/intrinsics.h"
#include "kernel/ref/decode.h"
#include "number/fp4_e2m1.h"
#include "number/nf4.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/vector/begin_avx512_bf16.h"

namespace assay::avx512bf16 {
#include "kernel/cpu/vector/vector_avx512.inc"
#include "kernel/cpu/float_dot.inc"
#include "kernel/cpu/decoders.inc"
// clang-format on

struct Bf16Math {
  using Cell = uint16_t;
  using V = __m512i;
  static constexpr int kColumns = 32;
  static constexpr int kTokens = 6;
  static inline V LoadCells(const Cell* p) { return LoadI(p); }
  static inline F MultiplyAdd(V a, V b, F sum) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
};

struct CellRow {
  const uint16_t* p = nullptr;
  inline I At(int64_t k) const { return LoadI(p + k); }
  inline I PartAt(int64_t k, int) const { return LoadI(p + k); }
};

struct Bf16Source {
  struct Row {
    const uint16_t* p = nullptr;
    inline I At(int64_t k) const { return LoadI(p + k); }
    inline I PartAt(int64_t k, int n) const { return _mm512_maskz_loadu_epi16((1u << n) - 1, p + k); }
  };
  static inline Row PieceOf(const PackedView& view, int64_t row, int64_t begin) {
    return {reinterpret_cast<const uint16_t*>(view.codes) + row * view.cols + begin};
  }
};

// Two vectors of decoded weights, or of activations, as 32 cells.
static inline void StoreCells(uint16_t* cells, F low, F high) {
  StoreI(cells, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

template <class Decoder>
struct CellSource {
  using BufferedRow = CellRow;
  static inline void Fill(const PackedView& view, int64_t row, int64_t begin, int64_t n, uint16_t* cells) {
    if (Decoder::Fits(view, row, begin, n)) {
      Decoder decoder = Decoder::Open(view, row, begin, n);
      for (int64_t k = 0; k < n; k += 32)
        StoreCells(cells + k, decoder.At(k), k + 16 < n ? decoder.At(k + 16) : ZeroF());
      return;
    }
    alignas(64) float values[kDecodeColumns];
    DecodeColumns(view, row, begin, n, values);
    for (int64_t k = n; k % 32 != 0; ++k) values[k] = 0;
    for (int64_t k = 0; k < n; k += 32) StoreCells(cells + k, Load(values + k), Load(values + k + 16));
  }
};

int64_t Bf16Bytes(int64_t cols) {
  return (cols * 2 + 63) / 64 * 64;
}

void PrepareBf16(const float* x, int64_t cols, std::byte* out) {
  auto* cells = reinterpret_cast<uint16_t*>(out);
  int64_t k = 0;
  for (; k + 32 <= cols; k += 32) StoreCells(cells + k, Load(x + k), Load(x + k + 16));
  if (k == cols) return;
  int n = static_cast<int>(cols - k);
  F low = n >= 16 ? Load(x + k) : LoadPart(x + k, n), high = n > 16 ? LoadPart(x + k + 16, n - 16) : ZeroF();
  StoreCells(cells + k, low, high);
}

void MultiplyBf16(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                  int64_t row_end, float* y, int64_t y_stride) {
  MultiplyDirect<Bf16Math, Bf16Source>(weights, activations, Bf16Bytes(weights.cols), n_tokens, row_begin, row_end, y,
                                       y_stride);
}

#define ASSAY_DECODED(name, Decoder)                                                                                  \
  void name(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,             \
            int64_t row_end, float* y, int64_t y_stride) {                                                            \
    MultiplyFilled<Bf16Math, CellSource<Decoder>>(weights, activations, Bf16Bytes(weights.cols), n_tokens, row_begin, \
                                                  row_end, y, y_stride);                                              \
  }
ASSAY_DECODED(MultiplyAnyAsBf16, AnyDecoder)
ASSAY_DECODED(MultiplyInt8Channel, Int8Decoder)
ASSAY_DECODED(MultiplyFp8Channel, Fp8Decoder)
ASSAY_DECODED(MultiplyInt4G128, Int4Decoder<128>)
ASSAY_DECODED(MultiplyInt4G64, Int4Decoder<64>)
ASSAY_DECODED(MultiplyInt4G32, Int4Decoder<32>)
ASSAY_DECODED(MultiplyNf4, Nf4Decoder)
ASSAY_DECODED(MultiplyNvfp4, Nvfp4Decoder)
ASSAY_DECODED(MultiplyMxfp4, Mxfp4Decoder)
#undef ASSAY_DECODED

// One token of FP8 activations: the codes as bfloat16, which holds every E4M3 value, then a cache line with the scale.
int64_t Fp8TokenBytes(int64_t cols) {
  return Bf16Bytes(cols) + 64;
}

void PrepareFp8(const float* x, int64_t cols, std::byte* out) {
  auto* cells = reinterpret_cast<uint16_t*>(out);
  float scale = Fp8TokenScale(x, cols);
  for (int64_t k = 0; k < cols; k += 32)
    StoreCells(cells + k, Fp8Lanes(x + k, cols - k, scale),
               k + 16 < cols ? Fp8Lanes(x + k + 16, cols - k - 16, scale) : ZeroF());
  __builtin_memcpy(out + Bf16Bytes(cols), &scale, 4);
}

void MultiplyFp8ChannelA8(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                          int64_t row_end, float* y, int64_t y_stride) {
  int64_t token_bytes = Fp8TokenBytes(weights.cols);
  MultiplyFilled<Bf16Math, CellSource<Fp8CodeDecoder>>(weights, activations, token_bytes, n_tokens, row_begin, row_end,
                                                       y, y_stride);
  ScaleResults(weights, activations + token_bytes - 64, token_bytes, n_tokens, row_begin, row_end, y, y_stride);
}

}  // namespace assay::avx512bf16

#include "kernel/cpu/vector/end_target.h"

#endif
