// Linear kernels over floating-point cells for AVX512.

#if defined(__x86_64__)

#include "kernel/cpu/kernels.h"
#include "kernel/cpu/vector/intrinsics.h"
#include "kernel/ref/decode.h"
#include "number/fp4_e2m1.h"
#include "number/nf4.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/vector/begin_avx512.h"

namespace assay::avx512 {
#include "kernel/cpu/vector/vector_avx512.inc"
#include "kernel/cpu/float_dot.inc"
#include "kernel/cpu/decoders.inc"
#include "kernel/cpu/float_kernels.inc"
// clang-format on
}  // namespace assay::avx512

#include "kernel/cpu/vector/end_target.h"

#endif
