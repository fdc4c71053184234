#include "format/activations.h"

#include "format/lanes.h"
#include "format/rounding.h"
#include "number/f16.h"

namespace assay {

ASSAY_CLONES void EncodeRowQ8_0(const float* x, int64_t cols, BlockQ8_0* out) {
  EncodeBlocksQ8<Float8>(x, cols / kQ, out, [](BlockQ8_0&, float) {});
}

ASSAY_CLONES void EncodeRowQ8_1(const float* x, int64_t cols, BlockQ8_1* out) {
  EncodeBlocksQ8<Float8>(
      x, cols / kQ, out, [](BlockQ8_1 & block, float d) __attribute__((always_inline)) {
        int sum = 0;
        for (const int8_t q : block.qs) sum += q;
        block.s = EncodeF16(static_cast<float>(sum) * d);
      });
}

ASSAY_CLONES void EncodeRowQ8K(const float* x, int64_t cols, BlockQ8K* out) {
  for (int64_t i = 0; i < cols / kQk; ++i, x += kQk) {
    BlockQ8K& block = out[i];
    const float largest = SignedLargest<kQk>(x);
    if (largest == 0) {
      block = {};
      continue;
    }
    const float inverse = -127.0f / largest;
    block.d = 1.0f / inverse;
    for (int j = 0; j < kQk; j += 8) {
      Float8 v;
      std::memcpy(&v, x + j, sizeof v);
      v = Min(Round(v * inverse), Broadcast<Float8>(127.0f));
      for (int lane = 0; lane < 8; ++lane) block.qs[j + lane] = static_cast<int8_t>(static_cast<int>(v[lane]));
    }
    for (int j = 0; j < kQk / 16; ++j) {
      int sum = 0;
      for (int k = 0; k < 16; ++k) sum += block.qs[16 * j + k];
      block.bsums[j] = static_cast<int16_t>(sum);
    }
  }
}

}  // namespace assay
