// Sources: compressed-tensors quantization/quant_args.py, quant_scheme.py, quant_config.py; transformers
// utils/quantization_config.py; GPTQModel quantization/config.py; AutoGPTQ quantization/config.py; AutoAWQ
// models/_config.py; auto-round export/export_to_autoround/export.py; Model-Optimizer torch/export/quant_utils.py; hqq
// core/quantize.py; exllamav3 conversion/compile.py.
#include "checkpoint/hf/packing/keys.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr std::string_view kWords = R"("int32" "torch.int32")";
constexpr std::string_view kWordsOnly = "codes are read from words of 32 bits";
constexpr std::string_view kMarlin = "its weights lie in the order of one kernel";
constexpr std::string_view kAdapter = "an adapter runs beside the weights, which nothing here does";

constexpr QuantizationKey kKeys[] = {
    {"compressed-tensors", "config_groups"},
    {"compressed-tensors", "format"},
    {"compressed-tensors", "quantization_status"},
    {"compressed-tensors", "ignore"},
    {"compressed-tensors", "kv_cache_scheme", "o"},
    {"compressed-tensors", "sparsity_config", "o"},
    {"compressed-tensors", "transform_config", "o"},
    {"compressed-tensors", "version", "s"},
    {"compressed-tensors", "global_compression_ratio", "n"},
    {"compressed-tensors", "run_compressed", "b"},
    {"compressed-tensors group", "targets"},
    {"compressed-tensors group", "weights"},
    {"compressed-tensors group", "input_activations"},
    {"compressed-tensors group", "format"},
    {"compressed-tensors group", "output_activations", "o", "null",
     "what a layer gives would be rounded, which nothing here does"},
    {"compressed-tensors args", "num_bits"},
    {"compressed-tensors args", "type"},
    {"compressed-tensors args", "symmetric"},
    {"compressed-tensors args", "group_size"},
    {"compressed-tensors args", "strategy"},
    {"compressed-tensors args", "block_structure"},
    {"compressed-tensors args", "dynamic"},
    // The order itself is in weight_g_idx.
    {"compressed-tensors args", "actorder", "bs", R"(true false "group" "weight" "dynamic" "static")",
     "these are the orders that there are"},
    {"compressed-tensors args", "scale_dtype", "s"},
    {"compressed-tensors args", "zp_dtype", "s"},
    {"compressed-tensors args", "observer", "s"},
    {"compressed-tensors args", "observer_kwargs", "o"},

    {"bitsandbytes", "load_in_4bit"},
    {"bitsandbytes", "load_in_8bit"},
    {"bitsandbytes", "_load_in_4bit"},
    {"bitsandbytes", "_load_in_8bit"},
    {"bitsandbytes", "bnb_4bit_quant_type"},
    {"bitsandbytes", "bnb_4bit_use_double_quant"},
    {"bitsandbytes", "llm_int8_skip_modules"},
    {"bitsandbytes", "llm_int8_threshold"},
    {"bitsandbytes", "llm_int8_has_fp16_weight"},
    {"bitsandbytes", "bnb_4bit_compute_dtype", "s"},
    {"bitsandbytes", "bnb_4bit_quant_storage", "s"},
    {"bitsandbytes", "llm_int8_enable_fp32_cpu_offload", "b"},

    {"gptq", "bits"},
    {"gptq", "group_size"},
    {"gptq", "sym"},
    {"gptq", "desc_act"},
    {"gptq", "checkpoint_format"},
    {"gptq", "format"},
    {"gptq", "dynamic"},
    {"gptq", "pack_dtype", "s", kWords, kWordsOnly},
    {"gptq", "is_marlin_format", "b", "false", kMarlin},
    {"gptq", "awq_gemm_checkpoint", "b", "false", "its weights lie as AWQ's do"},
    {"gptq", "adapter", "o", "null", kAdapter},
    {"gptq", "rotation", "s", "null", "its weights are rotated, and what undoes that is not in the files"},
    {"gptq", "damp_percent", "n"},
    {"gptq", "damp_auto_increment", "nb"},
    {"gptq", "static_groups", "b"},
    {"gptq", "true_sequential", "b"},
    {"gptq", "act_group_aware", "b"},
    {"gptq", "mse", "nb"},
    {"gptq", "lm_head", "b"},
    {"gptq", "meta", "o"},
    {"gptq", "method", "s"},
    {"gptq", "model_name_or_path", "s"},
    {"gptq", "model_file_base_name", "s"},
    {"gptq", "tokenizer", "so"},
    {"gptq", "dataset", "sl"},
    {"gptq", "use_cuda_fp16", "b"},
    {"gptq", "model_seqlen", "i"},
    {"gptq", "block_name_to_quantize", "sl"},
    {"gptq", "module_name_preceding_first_block", "sl"},
    {"gptq", "modules_in_block_to_quantize", "l"},
    {"gptq", "batch_size", "i"},
    {"gptq", "pad_token_id", "i"},
    {"gptq", "use_exllama", "b"},
    {"gptq", "disable_exllama", "b"},
    {"gptq", "exllama_config", "o"},
    {"gptq", "max_input_length", "i"},
    {"gptq", "cache_block_outputs", "b"},
    {"gptq", "backend", "s"},
    {"gptq", "version", "s"},

    {"awq", "bits"},
    {"awq", "w_bit"},
    {"awq", "group_size"},
    {"awq", "q_group_size"},
    {"awq", "zero_point"},
    {"awq", "version"},
    {"awq", "format"},
    {"awq", "checkpoint_format"},
    {"awq", "modules_to_not_convert"},
    {"awq", "pack_dtype", "s", kWords, kWordsOnly},
    {"awq", "adapter", "o", "null", kAdapter},
    {"awq", "dynamic", "o", "{}", "modules of their own width or group are read from gptq files only"},
    {"awq", "desc_act", "b", "false", "AWQ's files have no order of their columns"},
    {"awq", "backend", "s"},
    {"awq", "do_fuse", "b"},
    {"awq", "fuse_max_seq_len", "i"},
    {"awq", "modules_to_fuse", "ol"},
    {"awq", "exllama_config", "o"},
    {"awq", "sym", "b"},
    {"awq", "lm_head", "b"},
    {"awq", "meta", "o"},
    {"awq", "method", "s"},

    {"auto-round", "bits"},
    {"auto-round", "group_size"},
    {"auto-round", "sym"},
    {"auto-round", "data_type"},
    {"auto-round", "act_bits"},
    {"auto-round", "packing_format"},
    {"auto-round", "backend"},
    {"auto-round", "extra_config", "o"},
    {"auto-round", "desc_act", "b", "false", "its files have no order of their columns"},
    {"auto-round", "super_bits", "i", "null", "scales that are quantized in turn are read from GGUF only"},
    {"auto-round", "super_group_size", "i", "null", "scales that are quantized in turn are read from GGUF only"},
    // Where activations are quantized: as they come, and as the weights are.
    {"auto-round", "act_dynamic", "b", "true", "calibrated activations of this container are not read"},
    {"auto-round", "act_data_type", "s"},
    {"auto-round", "act_group_size", "i"},
    {"auto-round", "act_sym", "b"},
    {"auto-round", "autoround_version", "s"},
    {"auto-round", "iters", "i"},
    {"auto-round", "nsamples", "i"},
    {"auto-round", "seqlen", "i"},
    {"auto-round", "seed", "i"},
    {"auto-round", "batch_size", "i"},
    {"auto-round", "gradient_accumulate_steps", "i"},
    {"auto-round", "nblocks", "i"},
    {"auto-round", "dynamic_max_gap", "i"},
    {"auto-round", "lr", "n"},
    {"auto-round", "minmax_lr", "n"},
    {"auto-round", "damp_percent", "n"},
    {"auto-round", "amp", "b"},
    {"auto-round", "low_gpu_mem_usage", "b"},
    {"auto-round", "low_cpu_mem_usage", "b"},
    {"auto-round", "enable_quanted_input", "b"},
    {"auto-round", "enable_minmax_tuning", "b"},
    {"auto-round", "enable_norm_bias_tuning", "b"},
    {"auto-round", "enable_torch_compile", "b"},
    {"auto-round", "enable_alg_ext", "b"},
    {"auto-round", "not_use_best_mse", "b"},
    {"auto-round", "true_sequential", "b"},
    {"auto-round", "quant_lm_head", "b"},
    {"auto-round", "lm_head", "b"},
    {"auto-round", "scale_dtype", "s"},
    {"auto-round", "dataset", "sl"},
    {"auto-round", "block_name_to_quantize", "sl"},
    {"auto-round", "to_quant_block_names", "sl"},
    {"auto-round", "quant_block_list", "l"},
    {"auto-round", "modules_to_not_convert", "l"},

    {"fp8", "activation_scheme"},
    {"fp8", "weight_block_size"},
    {"fp8", "modules_to_not_convert"},
    {"fp8", "ignored_layers"},
    {"fp8", "expert_dtype"},
    {"fp8", "fmt", "s", R"("e4m3" "float8_e4m3fn")", "weights are read as E4M3"},
    // Scales are read as their tensors have them; transformers computes those of activations in float32 all the same.
    {"fp8", "scale_fmt", "s"},
    {"fp8", "activation_scale_ub", "n"},
    {"fp8", "kv_cache_scheme", "so"},
    {"fp8", "dequantize", "b"},

    {"modelopt", "quant_algo"},
    {"modelopt", "quantization"},
    {"modelopt", "group_size"},
    {"modelopt", "exclude_modules"},
    {"modelopt", "ignore"},
    {"modelopt", "quantized_layers"},
    {"modelopt", "kv_cache_quant_algo"},
    {"modelopt", "kv_cache_scheme"},
    {"modelopt", "has_zero_point", "b", "false", "zeros of this container are not read"},
    {"modelopt", "pre_quant_scale", "b"},
    {"modelopt", "config_groups", "o"},  // once more what quant_algo says
    {"modelopt", "producer", "o"},

    {"mxfp4", "modules_to_not_convert"},
    {"mxfp4", "dequantize", "b"},

    {"hqq", "quant_config"},
    {"hqq", "skip_modules"},
    {"hqq", "weight_quant_params", "o"},
    {"hqq", "scale_quant_params", "o"},
    {"hqq", "zero_quant_params", "o"},
    {"hqq", "offload_meta", "b"},
    {"hqq quantizer", "weight_quant_params", "o"},
    {"hqq quantizer", "scale_quant_params", "o", "null", "scales that are quantized in turn are not read"},
    {"hqq quantizer", "zero_quant_params", "o", "null", "zeros that are quantized in turn are not read"},
    {"hqq quantizer", "offload_meta", "b"},
    {"hqq params", "nbits"},
    {"hqq params", "group_size"},
    {"hqq params", "axis"},
    {"hqq params", "channel_wise", "b", "true", "one scale for a whole matrix is not read"},
    {"hqq params", "optimize", "b"},
    {"hqq params", "round_zero", "b"},
    {"hqq params", "view_as_float", "b"},

    {"bitnet", "linear_class"},
    {"bitnet", "quantization_mode"},
    {"bitnet", "use_rms_norm"},
    {"bitnet", "modules_to_not_convert"},
    {"bitnet", "rms_norm_eps", "n"},

    {"exl3", "bits"},
    {"exl3", "head_bits"},
    {"exl3", "codebook", "s"},
    {"exl3", "tensor_storage", "o"},
    {"exl3", "version", "s"},
    {"exl3", "calibration", "o"},
    {"exl3", "out_scales", "sb"},
};

bool Is(const Json& value, char type) {
  switch (type) {
    case 'b':
      return value.is_boolean();
    case 'i':
      return value.is_number_integer();
    case 'n':
      return value.is_number();
    case 's':
      return value.is_string();
    case 'o':
      return value.is_object();
    default:
      return value.is_array();
  }
}

std::string TypesText(std::string_view types) {
  std::string out;
  for (char type : types) {
    const char* name = type == 'b'   ? "true or false"
                       : type == 'i' ? "an integer"
                       : type == 'n' ? "a number"
                       : type == 's' ? "a string"
                       : type == 'o' ? "an object"
                                     : "a list";
    out += fmt::format("{}{}", out.empty() ? "" : " or ", name);
  }
  return out;
}

std::string FoundText(const Json& value) {
  const std::string text = DumpJson(value);
  return text.size() <= 80 ? text : value.type_name();
}

void CheckKey(const QuantizationKey& row, const Json& value, const std::string& where) {
  if (value.is_null()) return;
  if (!row.types.empty() &&
      std::none_of(row.types.begin(), row.types.end(), [&](char type) { return Is(value, type); }))
    Fail(ErrorKind::kInvalid, "{}: {}: expected {}, found {}", where, row.key, TypesText(row.types), FoundText(value));
  if (row.only.empty()) return;
  const std::vector<std::string> only = Split(row.only, ' ');
  if (std::find(only.begin(), only.end(), DumpJson(value)) == only.end())
    Fail(ErrorKind::kUnsupported, "{}: {}: expected {}, found {}: {}", where, row.key, Join(only, " or "),
         FoundText(value), row.reason);
}

}  // namespace

std::span<const QuantizationKey> QuantizationKeys() {
  return kKeys;
}

std::vector<std::string> CheckKeys(std::string_view container, const Json& object, const std::string& where) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.items()) {
    if (key == "quant_method") continue;  // led here
    const auto* row = std::find_if(std::begin(kKeys), std::end(kKeys), [&, k = std::string_view(key)](const auto& r) {
      return r.container == container && r.key == k;
    });
    if (row == std::end(kKeys))
      unknown.push_back(key);
    else
      CheckKey(*row, value, where);
  }
  return unknown;
}

void RequireKeys(std::string_view container, const Json& object, const std::string& where) {
  const std::vector<std::string> unknown = CheckKeys(container, object, where);
  if (unknown.empty()) return;
  std::vector<std::string> known;
  for (const QuantizationKey& row : kKeys)
    if (row.container == container) known.emplace_back(row.key);
  Fail(ErrorKind::kInvalid, "{}: expected some of {}, found {}", where, Join(known, ", "), Join(unknown, ", "));
}

}  // namespace assay
