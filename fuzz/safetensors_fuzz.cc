// Any bytes as a safetensors file, then as the weights of a one-layer model under each quantization scheme. Only
// assay::Error may come out.
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf_tensors.h"

namespace {

constexpr std::string_view kConfigs[] = {
    R"({})",
    R"({"quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"}})",
    R"({"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"group_size":32,"strategy":"group"}}},"ignore":["lm_head"]}})",
    R"({"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":8,"strategy":"channel"}}},"ignore":["re:.*head"]}})",
    R"({"quantization_config":{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":8,"type":"float","strategy":"channel"}}},"ignore":["lm_head"]}})",
    R"({"quantization_config":{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16}}},"ignore":["lm_head"]}})",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  SafetensorsFile file;
  try {
    file = SafetensorsFile::Parse(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const Error&) {
    return 0;
  }
  ModelConfig config;
  config.architecture = "llama";
  config.n_layers = 1;
  config.hidden = config.head_dim = config.rotary_dim = config.feed_forward = 32;
  config.n_heads = config.n_kv_heads = 1;
  config.vocab = 2;
  for (std::string_view text : kConfigs) {
    try {
      std::unique_ptr<const HfQuantization> quantization = ParseHfQuantization(ParseJson(text, "config"), {}, "config");
      HfTensors tensors = AssembleHfTensors(config, quantization.get(), std::span(&file, 1), "fuzz");
      float row[32];
      for (const Tensor& tensor : tensors.tensors)
        tensor.view.format->decode_row(tensor.view, tensor.view.rows - 1, row);
    } catch (const Error&) {
    }
  }
  return 0;
}
