#pragma once
// The seam of quantized Hugging Face checkpoints: how `quantization_config` says that linear modules are stored, and
// how the file's tensors of one become a matrix of ours. One container is one file in this folder and a row of
// table.cc; docs/formats/containers.md lists them.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/packing/source.h"
#include "checkpoint/safetensors.h"

namespace assay {

class HfQuantization {
 public:
  virtual ~HfQuantization() = default;

  /// Whether the linear module ("model.layers.0.mlp.up_proj") is stored quantized. Where the configuration leaves it
  /// open, the tensors decide. Throws Error{kCorrupt} when they contradict each other.
  virtual bool Quantizes(const std::string& module, const HfSource& source) const = 0;
  /// Takes the module's tensors and sets all of `tensor`: shape, rows and cols where they differ from what a plain file
  /// has; they are set on entry, as the names are. Reads small tensors only; makers read the others, from `source`,
  /// which lives as long as they do.
  virtual void Place(const std::string& module, HfSource& source, Tensor& tensor) const = 0;
  /// When all is placed: takes tensors that belong to no weight (KV-cache scales) and checks the whole.
  virtual void Finish(HfSource&) const {}
  /// Whether the KV cache is meant to hold E4M3 by the scales that Finish takes.
  virtual bool fp8_cache() const { return false; }
  /// "compressed-tensors pack-quantized W4A16": for people.
  virtual std::string description() const = 0;
};

/// What a parser reads. `sidecars` are the JSON files beside config.json that older tools wrote, by name.
struct HfQuantizationInput {
  const Json& json;  // the quantization_config itself
  std::string where;
  const std::map<std::string, Json>& sidecars;
};

/// Names of the sidecar files that ParseHfQuantization wants to see.
extern const char* const kHfQuantizationSidecars[4];

/// `config` is config.json. Null when nothing is quantized. Throws Error{kUnsupported} naming what we lack. `unknown`
/// receives the keys that no row of keys.cc knows.
std::unique_ptr<const HfQuantization> ParseHfQuantization(const Json& config,
                                                          const std::map<std::string, Json>& sidecars,
                                                          std::string_view where,
                                                          std::vector<std::string>* unknown = nullptr);

/// Files of which config.json says nothing, but whose tensors say it all (hqq's own `save_to_safetensors`). Null: none.
std::unique_ptr<const HfQuantization> RecognizeHfQuantization(std::span<const SafetensorsFile> files,
                                                              std::string_view where);

/// The parsers of the containers: rows of table.cc.
std::unique_ptr<const HfQuantization> ParseCompressedTensors(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseBitsandbytes(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseGptq(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseAwq(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseAutoRound(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseFineGrainedFp8(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseModelOpt(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseMxfp4(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseHqq(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseBitNet(const HfQuantizationInput& in);
std::unique_ptr<const HfQuantization> ParseExl3(const HfQuantizationInput& in);

/// Tensors that a module has in one container or another but never when it is stored plainly, "" when it has none.
std::string QuantizedLeftover(const std::string& module, const HfSource& source);

}  // namespace assay
