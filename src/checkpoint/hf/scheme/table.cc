// Which quant_method is read by what, and why some are refused.
#include <algorithm>

#include "base/error.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/scheme/quantization.h"

namespace assay {
namespace {

struct MethodRow {
  std::string_view name;  // quant_method
  std::unique_ptr<const HfQuantization> (*parse)(const HfQuantizationInput&);
  std::string_view keys = name;  // whose rows of keys.cc
};

constexpr MethodRow kMethods[] = {
    {"compressed-tensors", ParseCompressedTensors},
    {"bitsandbytes", ParseBitsandbytes},
    {"gptq", ParseGptq},
    {"awq", ParseAwq},
    {"auto-round", ParseAutoRound},
    {"intel/auto-round", ParseAutoRound, "auto-round"},
    {"fp8", ParseFineGrainedFp8},
    {"fbgemm_fp8", ParseFineGrainedFp8, "fp8"},
    {"modelopt", ParseModelOpt},
    {"modelopt_fp4", ParseModelOpt, "modelopt"},
    {"mxfp4", ParseMxfp4},
    {"hqq", ParseHqq},
    {"bitnet", ParseBitNet},
    {"exl3", ParseExl3},
};

struct RefusalRow {
  std::string_view name, reason;
};

constexpr RefusalRow kRefused[] = {
    {"exl2", "its columns have mixed widths behind a permutation that only ExLlama's kernels undo"},
    {"aqlm", "its weights are sums of codebook vectors, not scaled numbers"},
    {"vptq", "its weights are codebook vectors, not scaled numbers"},
    {"quip", "its weights are lattice codes under rotations, not scaled numbers"},
    {"spqr", "it keeps outliers in a sparse matrix beside the codes"},
    {"higgs", "its weights are codebook vectors under rotations"},
    {"fp_quant", "its weights are rotated, and activations have to be too"},
    {"torchao", "it stores Python tensor subclasses, which differ from version to version"},
    {"quanto", "it stores Python tensor subclasses"},
    {"quark", "its export is not read; Quark can write compressed-tensors-like FP8 as quant_method fp8"},
    {"eetq", "its weights lie in the order of one kernel"},
    {"marlin", "its weights lie in the order of one kernel; convert it to gptq with the tool that made it"},
    {"sinq", "it has two scales, one per row and one per column"},
};

/// A quantization_config without quant_method, as older tools wrote it.
std::string GuessMethod(const Json& json, const std::string& where) {
  if (json.contains("load_in_4bit") || json.contains("load_in_8bit")) return "bitsandbytes";
  if (json.contains("producer") || json.contains("quant_algo")) return "modelopt";
  if (json.contains("w_bit") || json.contains("zero_point")) return "awq";
  if (json.contains("bits") && json.contains("group_size")) return "gptq";
  return JsonString(json, "quant_method", where);
}

/// Model-Optimizer's keys may lie one level down, and in a file of their own.
void CheckModelOptParts(const HfQuantizationInput& in, std::vector<std::string>& unknown) {
  const auto sidecar = in.sidecars.find("hf_quant_config.json");
  const Json* beside = sidecar != in.sidecars.end() && &sidecar->second != &in.json ? &sidecar->second : nullptr;
  for (const Json* part : {&in.json, beside}) {
    if (!part || !part->is_object()) continue;
    const std::string where = part == beside ? sidecar->first : in.where;
    auto add = [&](const Json& object) {
      for (std::string& key : CheckKeys("modelopt", object, where))
        if (std::find(unknown.begin(), unknown.end(), key) == unknown.end()) unknown.push_back(std::move(key));
    };
    if (part == beside) add(*part);
    if (auto inner = part->find("quantization"); inner != part->end() && inner->is_object()) add(*inner);
  }
}

std::unique_ptr<const HfQuantization> ParseMethod(const std::string& method, const HfQuantizationInput& in,
                                                  std::vector<std::string>* unknown) {
  for (const MethodRow& row : kMethods) {
    if (row.name != method) continue;
    std::vector<std::string> keys = CheckKeys(row.keys, in.json, in.where);
    if (row.keys == "modelopt") CheckModelOptParts(in, keys);
    if (unknown) *unknown = std::move(keys);
    return row.parse(in);
  }
  for (const RefusalRow& row : kRefused)
    if (row.name == method)
      Fail(ErrorKind::kUnsupported, "{}: quant_method {} is not read: {}", in.where, method, row.reason);
  std::string known;
  for (const MethodRow& row : kMethods) known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  Fail(ErrorKind::kUnsupported, "{}: quant_method {} is not supported; supported: {}", in.where, method, known);
}

}  // namespace

const char* const kHfQuantizationSidecars[4] = {"hf_quant_config.json", "quantize_config.json", "quant_config.json",
                                                "quantization_config.json"};

std::unique_ptr<const HfQuantization> ParseHfQuantization(const Json& config,
                                                          const std::map<std::string, Json>& sidecars,
                                                          std::string_view where, std::vector<std::string>* unknown) {
  // Models that see and speak keep the configuration of their language half apart.
  for (const Json* at :
       {&config, config.is_object() && config.contains("text_config") ? &config["text_config"] : nullptr}) {
    if (!at || !at->is_object()) continue;
    for (const char* key : {"quantization_config", "compression_config"}) {
      auto found = at->find(key);
      if (found == at->end() || found->is_null()) continue;
      HfQuantizationInput in{*found, fmt::format("{}: {}", where, key), sidecars};
      if (!found->is_object())
        Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", in.where, found->type_name());
      std::string method = JsonString(*found, "quant_method", in.where, "");
      return ParseMethod(method.empty() ? GuessMethod(*found, in.where) : method, in, unknown);
    }
  }
  for (const char* name : kHfQuantizationSidecars) {
    auto found = sidecars.find(name);
    if (found == sidecars.end() || !found->second.is_object()) continue;
    HfQuantizationInput in{found->second, name, sidecars};
    std::string method = JsonString(found->second, "quant_method", name, "");
    return ParseMethod(method.empty() ? GuessMethod(found->second, name) : method, in, unknown);
  }
  return nullptr;
}

std::unique_ptr<const HfQuantization> RecognizeHfQuantization(std::span<const SafetensorsFile> files,
                                                              std::string_view where) {
  const Json nothing = Json::object();
  const std::map<std::string, Json> no_sidecars;
  for (const SafetensorsFile& file : files)
    for (const SafetensorsTensor& tensor : file.tensors)
      if (tensor.name.ends_with(".W_q")) return ParseHqq({nothing, std::string(where), no_sidecars});
  return nullptr;
}

std::string QuantizedLeftover(const std::string& module, const HfSource& source) {
  for (const char* name : {".weight_packed", ".weight_scale", ".weight_scale_inv", ".weight_scale_2", ".qweight",
                           ".qzeros", ".W_q", ".SCB", ".weight.absmax", ".trellis", ".codebooks", "_blocks"})
    if (source.Find(module + name)) return module + name;
  return "";
}

}  // namespace assay
