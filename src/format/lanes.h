#pragma once
// A few float vectors for the encoders' searches: lane i works on run i of weights, so every sum is added in the same
// order whatever the instruction set, and the same bits come out. No fused multiply-add may appear in here (the build
// says -ffp-contract=off).

#include <cstdint>
#include <cstring>

// One copy of a function per instruction set, chosen when the program starts; all copies give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ASSAY_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define ASSAY_CLONES
#endif
#define ASSAY_INLINE inline __attribute__((always_inline))
// Before a loop of few turns whose vectors must stay in registers.
#define ASSAY_UNROLL _Pragma("GCC unroll 16")

namespace assay {

template <int lanes>
struct LaneTypes;
template <>
struct LaneTypes<8> {
  typedef float Float __attribute__((vector_size(32)));
  typedef int32_t Int __attribute__((vector_size(32)));
};
template <>
struct LaneTypes<16> {
  typedef float Float __attribute__((vector_size(64)));
  typedef int32_t Int __attribute__((vector_size(64)));
};
/// `lanes` float32 side by side.
template <int lanes>
using FloatLanes = typename LaneTypes<lanes>::Float;

using Float8 = FloatLanes<8>;
using Float16 = FloatLanes<16>;

template <typename V>
inline constexpr int kLanes = sizeof(V) / sizeof(float);

template <typename V>
ASSAY_INLINE V Broadcast(float x) {
  return V{} + x;
}
template <typename V>
ASSAY_INLINE V Min(V a, V b) {
  return a < b ? a : b;
}
template <typename V>
ASSAY_INLINE V Max(V a, V b) {
  return a > b ? a : b;
}
template <typename V>
ASSAY_INLINE V Abs(V a) {
  typename LaneTypes<kLanes<V>>::Int bits;
  std::memcpy(&bits, &a, sizeof bits);
  bits &= 0x7fffffff;  // of negative zero too
  std::memcpy(&a, &bits, sizeof a);
  return a;
}
/// To nearest even; |a| at most 2^22.
template <typename V>
ASSAY_INLINE V Round(V a) {
  const V magic = Broadcast<V>(12582912.0f);
  return (a + magic) - magic;
}
template <typename V>
ASSAY_INLINE V Clamp(V a, float low, float high) {
  return Min(Max(a, Broadcast<V>(low)), Broadcast<V>(high));
}
/// 1 / a; 0 where a is 0 or so small that products with the reciprocal could overflow.
template <typename V>
ASSAY_INLINE V Reciprocal(V a) {
  return Abs(a) < Broadcast<V>(1e-30f) ? V{} : 1.0f / a;
}

/// Turns `lanes` runs of `count` weights lying one after the other into `count` vectors; runs from `n_runs` on become
/// zero.
template <typename V, int count>
ASSAY_INLINE void LoadRuns(const float* runs, int n_runs, V* out) {
  float buffer[count * kLanes<V>];
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    for (int i = 0; i < count; ++i) buffer[i * kLanes<V> + lane] = lane < n_runs ? runs[lane * count + i] : 0.0f;
  }
  std::memcpy(out, buffer, sizeof buffer);
}

/// The reverse for codes: lane i's codes become run i.
template <typename V, int count>
ASSAY_INLINE void StoreRuns(const V* codes, uint8_t* runs) {
  float buffer[count * kLanes<V>];
  std::memcpy(buffer, codes, sizeof buffer);
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    for (int i = 0; i < count; ++i)
      runs[lane * count + i] = static_cast<uint8_t>(static_cast<int>(buffer[i * kLanes<V> + lane]));
  }
}

}  // namespace assay
