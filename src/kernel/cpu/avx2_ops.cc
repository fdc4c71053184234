// The operations of kernel/ops.h for AVX2.

#if defined(__x86_64__)

#include <cstddef>

#include "kernel/cpu/intrinsics.h"
#include "kernel/cpu/ops.h"
#include "kernel/ref/ops_ref.h"

// The order of what follows matters.
// clang-format off
#include "kernel/cpu/begin_avx2.h"

namespace assay::avx2 {
#include "kernel/cpu/vector_avx2.inc"
#include "kernel/cpu/ops.inc"
// clang-format on
}  // namespace assay::avx2

#include "kernel/cpu/end_target.h"

#endif
