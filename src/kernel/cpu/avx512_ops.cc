// The operations of kernel/ops.h for AVX512.

#if defined(__x86_64__)

#include <cstddef>

#include "kernel/cpu/intrinsics.h"
#include "kernel/cpu/ops.h"
#include "kernel/ref/ops_ref.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/begin_avx512.h"

namespace assay::avx512 {
#include "kernel/cpu/vector_avx512.inc"
#include "kernel/cpu/ops.inc"
// clang-format on
}  // namespace assay::avx512

#include "kernel/cpu/end_target.h"

#endif
