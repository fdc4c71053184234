// The operations of kernel/ops.h for AVX2.

#if defined(__x86_64__)

#include <cstddef>

#include "kernel/cpu/ops.h"
#include "kernel/cpu/vector/intrinsics.h"
#include "kernel/ref/ops_ref.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/vector/begin_avx2.h"

namespace assay::avx2 {
#include "kernel/cpu/vector/vector_avx2.inc"
#include "kernel/cpu/ops.inc"
// clang-format on
}  // namespace assay::avx2

#include "kernel/cpu/vector/end_target.h"

#endif
