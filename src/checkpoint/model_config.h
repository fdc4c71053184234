#pragma once
// The hyperparameters of a decoder-only transformer, whichever file they come from.

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3, kYarn } kind = Kind::kNone;
  double factor = 1.0;
  int64_t original_context = 0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;              // llama3
  double beta_fast = 32.0, beta_slow = 1.0, attention_factor = 0.0;  // yarn; attention_factor 0: 0.1 ln(factor) + 1
};

struct ModelConfig {
  std::string architecture;  // "llama": GGUF's general.architecture; Hugging Face's class is mapped to it
  std::string name;
  int64_t n_layers = 0, hidden = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0, feed_forward = 0, vocab = 0, context = 0;
  double rms_epsilon = 1e-5;
  double rope_theta = 10000.0;
  int64_t rotary_dim = 0;         // = head_dim unless partial
  bool rope_interleaved = false;  // true: q and k rows are permuted for pairs (2i, 2i+1), as GGUF stores llama
  RopeScaling rope_scaling;
  std::vector<float>
      rope_factors;  // [rotary_dim / 2] divide the frequencies; empty: none. Only when rope_scaling cannot say it
  int64_t sliding_window = 0;  // 0: none
  bool tied_output = false;    // output.weight is token_embd.weight

  // Defaults for generation, from generation_config.json or the GGUF's metadata.
  std::vector<int32_t> stop_tokens;  // every id that ends an answer (eos, eot, eom)
  double temperature = 0.0, top_p = 1.0;
  int64_t top_k = 0;
};

}  // namespace assay
