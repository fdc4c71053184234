#pragma once
// `quantization_config` of a Hugging Face config.json: which module is stored how, and the reverse for files that we
// write. Sources: compressed-tensors (quantization/quant_config.py, quant_args.py), bitsandbytes (functional.py:
// QuantState), transformers.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "format/format.h"

namespace assay {

/// How the tensors of a module lie in the file.
enum class HfPacking {
  kWhole,         // weight [out, in], weight_scale: float-quantized, naive-quantized, int-quantized
  kPacked,        // weight_packed int32, weight_scale, weight_shape: pack-quantized
  kFp4,           // weight_packed uint8, weight_scale, weight_global_scale: nvfp4-pack-quantized, mxfp4-pack-quantized
  kBitsandbytes,  // weight uint8 [n/2, 1], weight.absmax, weight.quant_map, weight.quant_state.*
};

struct HfScheme {
  const Format* format = nullptr;
  HfPacking packing = HfPacking::kWhole;
  bool per_tensor = false;  // one scale, spread over all rows at load
  std::string group;        // "group_0", for messages
};

class HfQuantization {
 public:
  HfQuantization();
  ~HfQuantization();
  HfQuantization(HfQuantization&&) noexcept;
  HfQuantization& operator=(HfQuantization&&) noexcept;

  /// `config` is config.json; without a quantization_config nothing is quantized. Throws Error{kUnsupported} naming
  /// what we lack.
  static HfQuantization Parse(const Json& config, std::string_view where);

  /// The scheme of a linear module ("model.layers.0.mlp.up_proj"); null when it is stored plainly.
  const HfScheme* ForLinear(std::string_view module) const;
  /// "compressed-tensors pack-quantized W4A16"; empty when nothing is quantized.
  const std::string& description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A linear module of a checkpoint to be written; format null or a plain float: not quantized.
struct HfModule {
  std::string name;  // "model.layers.0.mlp.up_proj"
  const Format* format = nullptr;
};

/// Null when the format is one of the plain floats. Throws Error{kUnsupported} for formats that safetensors checkpoints
/// do not have.
const HfScheme* HfSchemeOf(const Format& format);
/// False for formats that only GGUF has.
bool HasHfScheme(const Format& format);

/// The quantization_config of these modules; null when none is quantized. Throws Error{kUnsupported} for mixtures that
/// no library reads.
Json HfQuantizationJson(const std::vector<HfModule>& modules, bool tied_output, std::string_view compute_dtype);

}  // namespace assay
