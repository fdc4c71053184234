// Any bytes as a safetensors file, then as the weights of a one-layer model stored plainly
// and in each quantized Hugging Face container.
// Only assay::Error may come out.
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/one_layer_llama.h"

namespace {

constexpr std::string_view kConfigs[] = {
    R"(null)",
    R"({"quant_method":"gptq","bits":4,"group_size":32,"sym":true,"desc_act":false,"checkpoint_format":"gptq"})",
    R"({"quant_method":"gptq","bits":4,"group_size":32,"sym":false,"desc_act":true,"checkpoint_format":"gptq_v2"})",
    R"({"quant_method":"gptq","bits":3,"group_size":-1,"sym":false,"checkpoint_format":"gptq"})",
    R"({"quant_method":"gptq","bits":5,"group_size":32,"sym":false,"checkpoint_format":"gptq_p"})",
    R"({"quant_method":"gptq","bits":8,"group_size":32,"sym":false,"checkpoint_format":"gptq_v2"})",
    R"({"quant_method":"awq","bits":4,"group_size":32,"version":"gemm"})",
    R"({"quant_method":"awq","bits":4,"group_size":32,"version":"gemv"})",
    R"({"quant_method":"awq","bits":4,"group_size":32,"version":"gemv_fast"})",
    R"({"quant_method":"auto-round","bits":4,"group_size":32,"packing_format":"auto_round:gptqmodel"})",
    R"({"quant_method":"fp8","weight_block_size":[128,128]})",
    R"({"quant_method":"fp8","activation_scheme":"static"})",
    R"({"quant_method":"fbgemm_fp8"})",
    R"({"quant_method":"modelopt","quant_algo":"NVFP4","group_size":16})",
    R"({"quant_method":"modelopt","quant_algo":"W4A16_AWQ","group_size":32})",
    R"({"quant_method":"modelopt","quant_algo":"FP8"})",
    R"({"quant_method":"modelopt","quant_algo":"MXFP8"})",
    R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4,"group_size":32,"axis":1}}})",
    R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":3,"group_size":32,"axis":0}}})",
    R"({"quant_method":"bitnet","linear_class":"autobitlinear"})",
    R"({"quant_method":"exl3","bits":1,"tensor_storage":{"model.layers.0.mlp.up_proj":{"bits_per_weight":1}}})",
    R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4","bnb_4bit_use_double_quant":true})",
    R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"fp4"})",
    R"({"quant_method":"bitsandbytes","load_in_8bit":true})",
    R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"group_size":32,"strategy":"group","symmetric":false,"actorder":"group"}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":5,"strategy":"channel"}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":3,"group_size":32,"strategy":"group","symmetric":false}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"float-quantized","kv_cache_scheme":{"num_bits":8},"config_groups":{"g":{
       "targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"block","block_structure":[128,128]},
       "input_activations":{"num_bits":8,"type":"float","strategy":"tensor"}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"mxfp4-pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"type":"float","strategy":"group","group_size":32}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"mxfp8-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":8,"type":"float","strategy":"group","group_size":32}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":8,"strategy":"channel"}}},"ignore":["re:.*head"]})",
    R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":4,"group_size":32,"strategy":"group"}}},"ignore":["lm_head"]})",
    R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"g":{"targets":["Linear"],
       "weights":{"num_bits":8,"type":"float","strategy":"channel"}}},"ignore":["lm_head"]})",
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
  const ModelConfig config = OneLayerLlama();
  for (std::string_view text : kConfigs) {
    try {
      const Json json = {{"quantization_config", ParseJson(text, "config")}};
      auto quantization = ParseHfQuantization(json, {}, "config");
      HfTensors tensors = AssembleHfTensors(config, HfSlots(config), quantization.get(), std::span(&file, 1), "fuzz");
      float row[32];
      ThreadPool pool(1);
      for (const Tensor& tensor : tensors.tensors) {
        if (tensor.cols > 32) continue;
        const LoadedTensor loaded = tensor.Load(pool);
        tensor.format->decode_row(loaded.view, tensor.rows - 1, row);
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
