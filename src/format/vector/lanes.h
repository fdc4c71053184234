#pragma once
// A few float vectors for the encoders' searches: lane i works on run i of weights, so every sum is added in the same
// order whatever the instruction set, and the same bits come out. No fused multiply-add may appear in here (the build
// says -ffp-contract=off).

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "system/machine.h"

// One copy of a function per instruction set, chosen when the program starts; all copies give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ASSAY_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define ASSAY_CLONES
#endif
// The same for functions with a wide version for AVX-512 (Float16) and a narrow one (Float8) for everything else:
// vectors wider than the machine's compile to poor code.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ASSAY_NARROW_CLONES __attribute__((target_clones("default", "avx2")))
#define ASSAY_WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define ASSAY_HAS_WIDE Cpu().avx512
#else
#define ASSAY_NARROW_CLONES
#define ASSAY_WIDE
#define ASSAY_HAS_WIDE false
#endif
// Defines name(parameters) from function<vector type, …>(arguments); both lists in parentheses.
#define ASSAY_BY_WIDTH(name, parameters, arguments, function, ...) \
  namespace {                                                      \
  ASSAY_WIDE void Wide##name parameters {                          \
    function<Float16 __VA_OPT__(, ) __VA_ARGS__> arguments;        \
  }                                                                \
  ASSAY_NARROW_CLONES void Narrow##name parameters {               \
    function<Float8 __VA_OPT__(, ) __VA_ARGS__> arguments;         \
  }                                                                \
  }                                                                \
  void name parameters {                                           \
    (ASSAY_HAS_WIDE ? Wide##name : Narrow##name) arguments;        \
  }
// Defines a Format::encode_rows from function<vector type, arguments …>.
#define ASSAY_ENCODE_ROWS(name, function, ...)                                                                    \
  namespace {                                                                                                     \
  ASSAY_BY_WIDTH(name##ByWidth,                                                                                   \
                 (const float* weights, int64_t n_rows, int64_t cols, const float* importance, std::byte* codes), \
                 (weights, n_rows, cols, importance, codes), function __VA_OPT__(, ) __VA_ARGS__)                 \
  }                                                                                                               \
  void name(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float, float,            \
            std::byte* codes, std::byte*) {                                                                       \
    name##ByWidth(weights, n_rows, cols, importance, codes);                                                      \
  }
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
/// One value as it is (Broadcast makes zeros positive), zeros behind it.
ASSAY_INLINE Float8 FirstLane(float x) {
  return Float8{x};
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
using IntsOf = typename LaneTypes<kLanes<V>>::Int;

template <typename V>
ASSAY_INLINE IntsOf<V> BitsOf(V a) {
  IntsOf<V> bits;
  std::memcpy(&bits, &a, sizeof bits);
  return bits;
}
template <typename I>
ASSAY_INLINE FloatLanes<kLanes<I>> FromBits(I bits) {
  FloatLanes<kLanes<I>> a;
  std::memcpy(&a, &bits, sizeof a);
  return a;
}

/// Round and Clamp in one, for whole bounds: a plus 1.5 * 2^23 holds the rounded integer in its low bits, and the bits
/// of such sums are ordered as the sums are, so the bounds are compared as integers.
template <typename V>
ASSAY_INLINE IntsOf<V> BitsOfRounded(V a, float low, float high) {
  const V magic = Broadcast<V>(12582912.0f);
  return Min(Max(BitsOf(a + magic), BitsOf(magic + low)), BitsOf(magic + high));
}
template <typename V>
ASSAY_INLINE V RoundClamp(V a, float low, float high) {
  return FromBits(BitsOfRounded(a, low, high)) - Broadcast<V>(12582912.0f);
}
template <typename V>
ASSAY_INLINE IntsOf<V> RoundClampToInts(V a, float low, float high) {
  return BitsOfRounded(a, low, high) - BitsOf(Broadcast<V>(12582912.0f));
}

/// Square root of a >= 0 to about five digits: enough to weigh errors, and the same bits everywhere.
template <typename V>
ASSAY_INLINE V RoughRoot(V a) {
  const V x = a + 1e-36f;
  V y = FromBits(0x5f3759df - (BitsOf(x) >> 1));
  y = y * (1.5f - 0.5f * x * y * y);
  y = y * (1.5f - 0.5f * x * y * y);
  return a * y;
}

/// The lanes of all groups added in order.
template <typename V, int groups>
ASSAY_INLINE float SumOfLanes(const V (&a)[groups]) {
  float sum = 0;
  for (const V& group : a) {
    for (int lane = 0; lane < kLanes<V>; ++lane) sum += group[lane];
  }
  return sum;
}
template <typename V>
ASSAY_INLINE float SumOfLanes(V a) {
  const V group[1] = {a};
  return SumOfLanes(group);
}

/// The largest lane.
ASSAY_INLINE float LargestLane(Float8 v) {
  v = Max(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = Max(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  v = Max(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
  return v[0];
}

/// The smallest lane.
ASSAY_INLINE float SmallestLane(Float8 v) {
  v = Min(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = Min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  v = Min(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
  return v[0];
}

using Int8Lanes = LaneTypes<8>::Int;
using Int16Lanes = LaneTypes<16>::Int;
typedef uint8_t ByteLanes __attribute__((vector_size(32)));
typedef uint64_t PairLanes __attribute__((vector_size(32)));
typedef uint64_t WidePairLanes __attribute__((vector_size(64)));
/// Lanes two and two.
template <typename I>
using PairsOf = std::conditional_t<kLanes<I> == 8, PairLanes, WidePairLanes>;

ASSAY_INLINE Int16Lanes Join(Int8Lanes low, Int8Lanes high) {
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
ASSAY_INLINE Float16 Join(Float8 low, Float8 high) {
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
ASSAY_INLINE Int8Lanes LowHalf(Int16Lanes v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
}
ASSAY_INLINE Int8Lanes HighHalf(Int16Lanes v) {
  return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
ASSAY_INLINE Float8 LowHalf(Float16 v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
}
ASSAY_INLINE Float8 HighHalf(Float16 v) {
  return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
ASSAY_INLINE float LargestLane(Float16 v) {
  return LargestLane(Max(LowHalf(v), HighHalf(v)));
}

/// The low bytes of eight codes, the first lowest.
ASSAY_INLINE uint64_t LowBytes(Int8Lanes codes) {
  const auto bytes = reinterpret_cast<ByteLanes>(codes);
  // Shuffles within halves of 128 bits are one instruction everywhere.
  const auto halves = reinterpret_cast<PairLanes>(__builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4,
                                                                          8, 12, 0, 4, 8, 12, 16, 20, 24, 28, 16, 20,
                                                                          24, 28, 16, 20, 24, 28, 16, 20, 24, 28));
  return (halves[0] & 0xffffffffu) | (halves[2] & ~uint64_t{0xffffffffu});
}

// Compilers convert well only between widths of which one is twice the other.
typedef uint8_t SixteenBytes __attribute__((vector_size(16)));
typedef uint16_t SixteenHalves __attribute__((vector_size(32)));
typedef int8_t SixteenSignedBytes __attribute__((vector_size(16)));
typedef int16_t SixteenSignedHalves __attribute__((vector_size(32)));
/// The low bytes of sixteen codes.
ASSAY_INLINE SixteenSignedBytes LowBytes(Int16Lanes codes) {
  return __builtin_convertvector(__builtin_convertvector(codes, SixteenSignedHalves), SixteenSignedBytes);
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

#define ASSAY_SHUFFLE8(a, b, i, j, k, l, m, n, o, p) __builtin_shufflevector(a, b, i, j, k, l, m, n, o, p)
/// 8 rows of 8, in place.
ASSAY_INLINE void Transpose8(Float8* r) {
  Float8 t[8];
  ASSAY_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = ASSAY_SHUFFLE8(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = ASSAY_SHUFFLE8(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Float8 u[8];
  ASSAY_UNROLL
  for (int i = 0; i < 8; i += 4) {
    for (int k = 0; k < 2; ++k) {
      u[i + 2 * k] = ASSAY_SHUFFLE8(t[i + k], t[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      u[i + 2 * k + 1] = ASSAY_SHUFFLE8(t[i + k], t[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  ASSAY_UNROLL
  for (int i = 0; i < 4; ++i) {
    r[i] = ASSAY_SHUFFLE8(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = ASSAY_SHUFFLE8(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}
#undef ASSAY_SHUFFLE8

/// Turns `lanes` runs of `count` weights (a multiple of 8) lying one after the other into `count` vectors; runs from
/// `n_runs` on become zero.
template <typename V, int count>
ASSAY_INLINE void LoadRuns(const float* runs, int n_runs, V* out) {
  static_assert(count % 8 == 0);
  float buffer[count * kLanes<V>];
  for (int first = 0; first < kLanes<V>; first += 8) {
    for (int i = 0; i < count; i += 8) {
      Float8 r[8];
      for (int k = 0; k < 8; ++k) {
        r[k] = Float8{};
        if (first + k < n_runs) std::memcpy(&r[k], runs + (first + k) * count + i, sizeof r[k]);
      }
      Transpose8(r);
      for (int k = 0; k < 8; ++k) std::memcpy(buffer + (i + k) * kLanes<V> + first, &r[k], sizeof r[k]);
    }
  }
  std::memcpy(out, buffer, sizeof buffer);
}

template <typename V>
ASSAY_INLINE V Load(const float* x) {
  V v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

/// a rounded to 0 … high, as bytes.
template <typename V>
ASSAY_INLINE void StoreCodes(V a, float high, uint8_t* out) {
  typedef uint8_t Bytes __attribute__((vector_size(sizeof(V) / sizeof(float))));
  const Bytes bytes = __builtin_convertvector(RoundClampToInts(a, 0.0f, high), Bytes);
  std::memcpy(out, &bytes, sizeof bytes);
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
