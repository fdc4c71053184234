#pragma once
// The tensors of GPTQ and AWQ modules, which AutoRound uses as well. Internal to hf/.

#include <string>

#include "checkpoint/hf/packing/integers.h"

namespace assay {

/// How the zeros of a GPTQ file are stored.
enum class GptqZeros {
  kLessOne,  // "gptq": AutoGPTQ, zero - 1
  kTrue,     // "gptq_v2": the zero itself
};

/// Widths that GPTQModel knows in planes with true zeros only, whatever a file calls them.
constexpr bool IsPlanarOnly(int64_t bits) {
  return bits >= 5 && bits <= 7;
}

struct GptqLayout {
  IntegerKind kind;  // group -1: a row
  GptqZeros zeros = GptqZeros::kLessOne;
  bool planar = false;   // GPTQModel's gptq_p
  std::string declared;  // "checkpoint_format gptq", for messages
};

/// qweight [in * bits / 32, out], qzeros [groups, out * bits / 32], scales [groups, out], g_idx [in].
void PlaceGptq(const GptqLayout& layout, const std::string& module, HfSource& source, Tensor& tensor);

enum class AwqVersion { kGemm, kGemv, kGemvFast };

/// AWQ's own tensors, 4 bits.
void PlaceAwq(const IntegerKind& kind, AwqVersion version, const std::string& module, HfSource& source, Tensor& tensor);

}  // namespace assay
