#pragma once
// Packed matrices and activations for the kernel tests.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "format/format.h"
#include "format/gguf/blocks.h"
#include "kernel/linear.h"
#include "number/f16.h"

namespace assay {

struct TestMatrix {
  std::vector<std::byte> codes, scales;
  PackedView view;
};

inline TestMatrix Allocate(const Format& format, int64_t rows, int64_t cols) {
  TestMatrix m;
  m.codes.resize(static_cast<size_t>(CodesBytes(format, rows, cols)));
  m.scales.resize(static_cast<size_t>(ScalesBytes(format, rows, cols)));
  m.view = {&format, rows, cols, m.codes.data(), m.scales.empty() ? nullptr : m.scales.data()};
  return m;
}

/// What the formats with calibrated activations are tested with: some values of a normal token lie beyond it.
inline constexpr float kActivationScale = 0.02f;

/// Normal weights through the format's encoder.
inline TestMatrix EncodeMatrix(const Format& format, int64_t rows, int64_t cols, uint64_t seed, float sigma) {
  Random random(seed);
  std::vector<float> weights(static_cast<size_t>(rows * cols));
  float largest = 0;
  for (float& w : weights) {
    w = static_cast<float>(random.Normal()) * sigma;
    largest = std::max(largest, std::fabs(w));
  }
  TestMatrix m = Allocate(format, rows, cols);
  m.view.activation_scale = kActivationScale;
  if (format.choose_global)
    format.choose_global({largest, 0.5f * largest}, &m.view.global_scale, &m.view.global_divisor);
  format.encode_rows(weights.data(), rows, cols, nullptr, m.view.global_scale, m.view.global_divisor, m.codes.data(),
                     m.scales.data());
  return m;
}

/// The same made once: some encoders take their time, and every kernel asks for the same matrices.
inline TestMatrix EncodedMatrix(const Format& format, int64_t rows, int64_t cols, uint64_t seed, float sigma = 0.05f) {
  static std::map<std::tuple<std::string_view, int64_t, int64_t, uint64_t, float>, TestMatrix> made;
  const auto key = std::tuple(format.name, rows, cols, seed, sigma);
  if (!made.contains(key)) made[key] = EncodeMatrix(format, rows, cols, seed, sigma);
  TestMatrix m = made[key];
  m.view.codes = m.codes.data();
  if (m.view.scales) m.view.scales = m.scales.data();
  return m;
}

/// Offsets of the half fields of a GGUF block; -1: none.
struct HalfFields {
  int first = -1, second = -1;
};
inline HalfFields HalfFieldsOf(std::string_view format) {
  if (format == "q8_0" || format == "q4_0" || format == "q5_0" || format == "iq4_nl") return {0, -1};
  if (format == "q4_1" || format == "q5_1" || format == "q4_k" || format == "q5_k") return {0, 2};
  if (format == "q2_k") return {80, 82};
  if (format == "q3_k") return {108, -1};
  if (format == "q6_k") return {208, -1};
  if (format == "tq1_0") return {52, -1};
  if (format == "tq2_0") return {64, -1};
  if (format.starts_with("iq") && format != "iq1_m") return {0, -1};
  if (format == "q1_0" || format == "q2_0") return {0, -1};
  return {};
}

/// Any bytes at all, with scales of either sign made finite: every code and every packed scale occurs.
inline TestMatrix RandomBytesMatrix(const Format& format, int64_t rows, int64_t cols, uint64_t seed) {
  Random random(seed);
  TestMatrix m = Allocate(format, rows, cols);
  for (std::byte& b : m.codes) b = static_cast<std::byte>(random.Below(256));
  HalfFields fields = HalfFieldsOf(format.name);
  for (size_t at = 0; at < m.codes.size(); at += static_cast<size_t>(format.block_bytes)) {
    for (int field : {fields.first, fields.second}) {
      if (field < 0) continue;
      uint16_t half = EncodeF16(static_cast<float>(random.Normal()) * 0.01f);
      std::memcpy(&m.codes[at + static_cast<size_t>(field)], &half, 2);
    }
  }
  return m;
}

inline std::vector<float> RandomActivations(int64_t n, uint64_t seed, float sigma = 1.0f) {
  Random random(seed);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = static_cast<float>(random.Normal()) * sigma;
  return x;
}

/// Memory at a multiple of 64 bytes with a guard after it.
class Aligned {
 public:
  explicit Aligned(int64_t bytes) : bytes_(bytes), memory_(static_cast<size_t>(bytes) + 128, std::byte{0xcd}) {}
  std::byte* data() { return memory_.data() + (64 - reinterpret_cast<uintptr_t>(memory_.data()) % 64) % 64; }
  bool GuardIntact() {
    for (int64_t i = bytes_; i < bytes_ + 64 && data() + i < memory_.data() + memory_.size(); ++i)
      if (data()[i] != std::byte{0xcd}) return false;
    return true;
  }

 private:
  int64_t bytes_;
  std::vector<std::byte> memory_;
};

/// All rows by one kernel, in one call.
inline std::vector<float> Multiply(const LinearKernel& kernel, const PackedView& weights, const std::vector<float>& x,
                                   int64_t n_tokens) {
  int64_t token_bytes = kernel.activation_bytes(weights.cols);
  Aligned prepared(token_bytes * n_tokens);
  for (int64_t t = 0; t < n_tokens; ++t)
    kernel.prepare(x.data() + t * weights.cols, weights.cols, prepared.data() + t * token_bytes);
  std::vector<float> y(static_cast<size_t>(n_tokens * weights.rows), -1.0f);
  kernel.multiply(weights, prepared.data(), n_tokens, 0, weights.rows, y.data(), weights.rows);
  return prepared.GuardIntact() ? y : std::vector<float>{};
}

/// The instruction sets that this processor can be limited to, with what they leave.
struct Level {
  std::string name;
  CpuFeatures features;
};
inline std::vector<Level> Levels() {
  std::vector<Level> levels;
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    LimitCpu(name);
    levels.push_back({name, Cpu()});
  }
  return levels;  // the last one is the whole processor
}

}  // namespace assay
