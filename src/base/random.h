#pragma once
// A small deterministic generator (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64): the same seed gives
// the same stream on every machine, which std::normal_distribution and friends do not promise.

#include <cstdint>

namespace assay {

class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t Next();
  /// Uniform in [0, 1), 53 bits.
  double Uniform();
  /// Uniform in [0, n), n > 0.
  uint64_t Below(uint64_t n);
  /// Standard normal (Box-Muller).
  double Normal();

 private:
  uint64_t state_[4];
};

}  // namespace assay
