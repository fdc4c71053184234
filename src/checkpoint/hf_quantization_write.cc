#include <algorithm>
#include <map>

#include "base/error.h"
#include "checkpoint/hf_quantization.h"

namespace assay {
namespace {

struct WriteRow {
  std::string_view format;
  HfPacking packing;
  std::string_view compression;  // compressed-tensors' name; empty: bitsandbytes
  std::string_view type;
  int bits, group;
  bool activations;
};

// Weight-only int8 is written packed, because that is the form of W8A16 that serving engines load.
constexpr WriteRow kRows[] = {
    {"fp8_channel_a8", HfPacking::kWhole, "float-quantized", "float", 8, 0, true},
    {"fp8_channel", HfPacking::kWhole, "naive-quantized", "float", 8, 0, false},
    {"int8_channel_a8", HfPacking::kWhole, "int-quantized", "int", 8, 0, true},
    {"int8_channel", HfPacking::kPacked, "pack-quantized", "int", 8, 0, false},
    {"int4_g128", HfPacking::kPacked, "pack-quantized", "int", 4, 128, false},
    {"int4_g64", HfPacking::kPacked, "pack-quantized", "int", 4, 64, false},
    {"int4_g32", HfPacking::kPacked, "pack-quantized", "int", 4, 32, false},
    {"nvfp4", HfPacking::kFp4, "nvfp4-pack-quantized", "float", 4, 16, false},
    {"mxfp4", HfPacking::kFp4, "mxfp4-pack-quantized", "float", 4, 32, false},
    {"nf4", HfPacking::kBitsandbytes, "", "", 4, 64, false},
};

bool Plain(const Format& format) {
  return format.name == "f32" || format.name == "f16" || format.name == "bf16";
}

const WriteRow* FindRow(const Format& format) {
  for (const WriteRow& row : kRows)
    if (row.format == format.name) return &row;
  return nullptr;
}

Json ArgsJson(const WriteRow& row, bool activations) {
  Json out;
  out["actorder"] = nullptr;
  out["block_structure"] = nullptr;
  out["dynamic"] = activations;
  out["group_size"] = !activations && row.group > 0 ? Json(row.group) : Json(nullptr);
  out["num_bits"] = row.bits;
  out["observer"] = activations ? Json(nullptr) : Json("memoryless_minmax");
  out["observer_kwargs"] = Json::object();
  if (!activations && row.format == "nvfp4") out["scale_dtype"] = "torch.float8_e4m3fn";
  if (!activations && row.format == "mxfp4") out["scale_dtype"] = "torch.uint8";
  out["strategy"] = activations             ? "token"
                    : row.group == 0        ? "channel"
                    : row.format == "nvfp4" ? "tensor_group"
                                            : "group";
  out["symmetric"] = true;
  out["type"] = row.type;
  return out;
}

Json BitsandbytesJson(const std::vector<std::string>& skipped, std::string_view compute_dtype) {
  Json out;
  out["_load_in_4bit"] = true;
  out["_load_in_8bit"] = false;
  out["bnb_4bit_compute_dtype"] = compute_dtype;
  out["bnb_4bit_quant_storage"] = "uint8";
  out["bnb_4bit_quant_type"] = "nf4";
  out["bnb_4bit_use_double_quant"] = false;
  out["llm_int8_enable_fp32_cpu_offload"] = false;
  out["llm_int8_has_fp16_weight"] = false;
  out["llm_int8_skip_modules"] = skipped;
  out["llm_int8_threshold"] = 6.0;
  out["load_in_4bit"] = true;
  out["load_in_8bit"] = false;
  out["quant_method"] = "bitsandbytes";
  return out;
}

}  // namespace

bool HasHfScheme(const Format& format) {
  return Plain(format) || FindRow(format) != nullptr;
}

const HfScheme* HfSchemeOf(const Format& format) {
  if (Plain(format)) return nullptr;
  const WriteRow* row = FindRow(format);
  if (!row) Fail(ErrorKind::kUnsupported, "safetensors checkpoints have no scheme for the format {}", format.name);
  static const std::map<std::string_view, HfScheme> kAll = [] {
    std::map<std::string_view, HfScheme> all;
    for (const WriteRow& r : kRows)
      if (const Format* f = FindFormat(r.format)) all[r.format] = {f, r.packing, false, ""};
    return all;
  }();
  return &kAll.at(row->format);
}

Json HfQuantizationJson(const std::vector<HfModule>& modules, bool tied_output, std::string_view compute_dtype) {
  std::map<std::string_view, std::vector<std::string>> by_format;
  std::vector<std::string> ignore;
  for (const HfModule& module : modules) {
    if (!module.format || Plain(*module.format))
      ignore.push_back(module.name);
    else
      by_format[HfSchemeOf(*module.format)->format->name].push_back(module.name);
  }
  if (by_format.empty()) return nullptr;
  // A tied head is a Linear all the same when the loader walks the modules.
  if (tied_output) ignore.push_back("lm_head");
  if (by_format.contains("nf4")) {
    if (by_format.size() > 1)
      Fail(ErrorKind::kUnsupported, "nf4 cannot be mixed with other quantized formats in one Hugging Face checkpoint");
    if (std::find(ignore.begin(), ignore.end(), "lm_head") == ignore.end() && !tied_output)
      Fail(ErrorKind::kUnsupported, "bitsandbytes checkpoints keep lm_head unquantized");
    return BitsandbytesJson(ignore, compute_dtype);
  }
  Json out, groups = Json::object();
  std::string top;
  for (const auto& [name, members] : by_format) {
    const WriteRow& row = *FindRow(GetFormat(name));
    Json group;
    group["format"] = row.compression;
    group["input_activations"] = row.activations ? ArgsJson(row, true) : Json(nullptr);
    group["output_activations"] = nullptr;
    group["targets"] = by_format.size() == 1 ? Json::array({"Linear"}) : Json(members);
    group["weights"] = ArgsJson(row, false);
    groups[fmt::format("group_{}", groups.size())] = group;
    top = top.empty() || top == row.compression ? std::string(row.compression) : "mixed-precision";
  }
  out["config_groups"] = groups;
  out["format"] = top;
  out["global_compression_ratio"] = nullptr;
  out["ignore"] = ignore;
  out["kv_cache_scheme"] = nullptr;
  out["quant_method"] = "compressed-tensors";
  out["quantization_status"] = "compressed";
  out["sparsity_config"] = Json::object();
  out["transform_config"] = Json::object();
  out["version"] = "0.12.2";
  return out;
}

}  // namespace assay
