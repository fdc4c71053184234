// Opens a target region: what follows, up to end_target.h, is compiled for AVX2, FMA3 and F16C. Include every other
// header before it, so that no function of a library is compiled for these instructions and then shared with the rest
// of the program. No include guard.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
