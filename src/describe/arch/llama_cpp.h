#pragma once
// What llama.cpp makes of a GGUF whatever the file says: a row per architecture of what its loader reads and what its
// graph takes for granted. The reader follows it, so that `deployed` arithmetic is llama.cpp's; the writer refuses what
// it cannot hold.
// Source: llama.cpp src/llama-model.cpp, src/llama-context.cpp and src/models/*.cpp, as in llama-cpp-python 0.3.36.

#include <string>
#include <string_view>
#include <vector>

#include "describe/arch/spec.h"
#include "describe/slots.h"

namespace assay {

struct EngineRow {
  std::string_view name;  // general.architecture
  Activation activation;
  Presence qkv_bias, o_bias, mlp_bias;  // biases that it loads; all others make it refuse the file
  enum class Output : uint8_t { kEither, kTied, kOwn } output;
  bool own_head_size;  // else the heads together have the hidden size
  bool whole_heads;    // rotates them whole
  enum class Tables : uint8_t {
    kNone,
    kFreqs,        // rope_freqs.weight
    kFreqsOrLong,  // or, where rope.scaling.type is longrope, the two of longrope
    kLong,         // those two only
    kFreqsAlways,  // rope_freqs.weight, without which it loads nothing
  } tables;
  bool yarn_betas;  // takes YaRN's beta_fast and beta_slow from the file; else 32 and 1
  bool windows;     // has them; else every position is seen, whatever the file says
};

const EngineRow& EngineOf(std::string_view gguf_architecture);

/// The tensors of a model: those without which it loads nothing are required, whether or not anybody reads them.
std::vector<TensorSlot> SlotsOf(const EngineRow& row, const ModelConfig& config);

/// Makes the configuration that was read what llama.cpp runs.
void ApplyEngine(const EngineRow& row, ModelConfig& config);

/// Why llama.cpp does not load a model of this configuration, or stops at it; empty: it does. `config.tied_output` and
/// `tables` (the names of the file's RoPE tensors) are the file's.
std::vector<std::string> WhyNotLoaded(const EngineRow& row, const ModelConfig& config,
                                      const std::vector<std::string_view>& tables);

/// What the file states and llama.cpp does not read, applied to `config`, which becomes the maker's; a sentence for
/// each to `differences`.
void ApplyUnread(const EngineRow& row, const GgufFields& in, ModelConfig& config,
                 std::vector<std::string>& differences);

}  // namespace assay
