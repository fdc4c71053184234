// Linear kernels over integer codes for AVX2.

#if defined(__x86_64__)

#include "format/gguf/iq4_nl.h"
#include "kernel/cpu/activation_layout.h"
#include "kernel/cpu/kernels.h"
#include "kernel/cpu/vector/intrinsics.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/vector/begin_avx2.h"

namespace assay::avx2 {
#include "kernel/cpu/vector/vector_avx2.inc"
#include "kernel/cpu/vector/integer_avx2.inc"
#include "kernel/cpu/tile.inc"
#include "kernel/cpu/block32.inc"
#include "kernel/cpu/kquant.inc"
#include "kernel/cpu/int8_token.inc"
// clang-format on
}  // namespace assay::avx2

#include "kernel/cpu/vector/end_target.h"

#endif
