#pragma once
// The processor's intrinsics. g++ 12 takes their deliberately undefined operands for mistakes (GCC bug 105593).

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

// Before a loop of constant length over registers: without it -O2 keeps the loop and puts the registers on the stack.
#if defined(__clang__)
#define ASSAY_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_UNROLL _Pragma("GCC unroll 32")
#endif
