#pragma once
// y = x · Wᵀ for a packed W: which kernels exist, which one is chosen, and why.
//
// The result of one (token, row) pair is the same bits whatever the number of tokens, the piece of rows and the thread:
// every kernel adds in an order fixed by the columns alone.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "format/format.h"
#include "system/machine.h"

namespace assay {

enum class Arithmetic : uint8_t {
  kReference,  // weights decoded to float32, activations float32, float32 sums
  kDeployed,   // the arithmetic of the engine that the format is meant for (Format::activation)
};
std::string_view ArithmeticName(Arithmetic arithmetic);  // "reference", "deployed"

/// What a kernel needs of the processor.
enum class InstructionSet : uint8_t { kScalar, kAvx2, kAvx512, kAvx512Bf16, kAvx512Vnni };

/// An algorithm of the table (table.cc) on one instruction set.
struct LinearKernel {
  std::string name;  // "avx512-vnni q4_k*q8_k"
  Arithmetic arithmetic;
  InstructionSet needs;
  std::string_view made_for;                 // the one format that it multiplies; empty: any
  std::optional<ActivationKind> activation;  // that a format must have; none: any
  /// Bytes of one prepared token (a multiple of 64).
  int64_t (*activation_bytes)(int64_t cols);
  /// Turns one token x [cols] into what Multiply reads; `out` is 64-byte aligned.
  void (*prepare)(const float* x, int64_t cols, std::byte* out);
  /// y[t * y_stride + r] = dot(prepared token t, row r) for t in [0, n_tokens), r in [row_begin, row_end).
  /// Prepared token t starts at activations + t * activation_bytes(cols). No allocation, no errors.
  void (*multiply)(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                   int64_t row_end, float* y, int64_t y_stride);

  /// Empty when the kernel can run this format on this processor, else the reason.
  std::string unsupported(const Format& format, const CpuFeatures& cpu) const;
};

/// In the order of choice: an algorithm made for a format before those for any, its fastest instruction set first.
std::span<const LinearKernel> LinearKernels();

/// The first kernel of the table that supports the format here; always finds one (the scalar reference path). `forced`
/// is a kernel name or empty; a forced kernel that does not support it throws Error{kUnsupported} with the reason.
const LinearKernel& ChooseLinear(const Format& format, Arithmetic arithmetic, const CpuFeatures& cpu,
                                 std::string_view forced = {});

}  // namespace assay
