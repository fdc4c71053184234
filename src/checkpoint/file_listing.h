#pragma once
// What the weight files of a model say they hold, without asking whether the model can be run: names as in the files,
// stored types, shapes, bytes.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace assay {

struct ListedTensor {
  std::string name;
  std::string type;            // GGUF type or safetensors dtype: "Q4_K", "F8_E4M3"
  std::vector<int64_t> shape;  // mathematical order; of packed codes, not of the weights they stand for
  uint64_t bytes = 0;
};

/// A GGUF file that has a tokenizer and no tensors.
struct Vocabulary {
  TokenizerSpec tokenizer;
  std::string chat_template;  // empty: none
  Json metadata;              // arrays longer than 64 elements left out
};

struct FileListing {
  std::string container;     // "GGUF", "safetensors"
  std::string architecture;  // general.architecture, or the class in config.json; may be empty
  std::string quantization;  // "q4_k_m", or quant_method and what goes with it; empty: none is stated
  std::vector<std::string> files;
  std::vector<ListedTensor> tensors;  // by name
  uint64_t file_bytes = 0;            // of the weight files
  std::optional<Vocabulary> vocabulary;
};

/// `path`: a GGUF file (the first of a split set lists them all), a safetensors file, or a folder of safetensors. Reads
/// headers only. Throws Error.
FileListing ListWeightFiles(const std::filesystem::path& path);

/// "gptq, 4 bits, group 128, act-order": the facts of a quantization_config, for people.
std::string QuantizationText(const Json& quantization_config);

}  // namespace assay
