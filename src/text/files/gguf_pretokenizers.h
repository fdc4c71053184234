#pragma once
// Pre-tokenizers by the name that GGUF has for them (`tokenizer.ggml.pre`). Each has two sets of rules: those that the
// model's own tokenizer states, and llama.cpp's, which a GGUF file means. Mostly they are the same.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

struct PreTokenizerRules {
  bool ignore_merges = false;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> steps;
};

/// Nothing for a name that is not known.
std::optional<PreTokenizerRules> MakersRules(std::string_view name);
std::optional<PreTokenizerRules> EngineRules(std::string_view name);

/// The name whose maker's rules (for `spec.pre` also llama.cpp's) are the spec's, `spec.pre` where it is one of
/// several; empty when none is. A spec without the normalizer that a maker's rules have may have been read from a GGUF
/// and fits too.
std::string FindPreTokenizer(const TokenizerSpec& spec);

/// BPE by merges on text whose spaces are marks, in place of the byte alphabet.
bool HasMergesOfMarkedText(std::string_view pre);

/// All names.
std::vector<std::string_view> PreTokenizerNames();

}  // namespace assay
