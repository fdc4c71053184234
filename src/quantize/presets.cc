#include "quantize/presets.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/hf/packing/writing.h"
#include "quantize/gguf_mix.h"

namespace assay {
namespace {

// Below about three bits a weight says little without knowing which inputs are large.
constexpr bool kNeedsImportance = true;
constexpr std::string_view kTernaryWarning =
    "ternary weights are for models that were trained with them: rounding any other model to three levels breaks it";
constexpr std::string_view kFewLevelsWarning =
    "one or two bits are for models that were trained with them: rounding any other model to so few levels breaks it";
constexpr std::string_view kMoeWarning =
    "only the experts of a mixture are stored in 4 bits; a dense model becomes q8_0";

constexpr std::string_view kExpertsWarning =
    "only experts that the file keeps in one tensor a layer are stored in 4 bits, as in gpt-oss; other models stay as "
    "they are";

// general.file_type as llama.cpp numbers it.
constexpr PresetInfo kPresets[] = {
    {"q8_0", Container::kGguf, "q8_0", 7, "8-bit blocks of 32: nearly lossless"},
    {"q6_k", Container::kGguf, "q6_k", 18, "6-bit k-quant"},
    {"q5_k_m", Container::kGguf, "q5_k", 17, "5-bit k-quant, half of attn_v and ffn_down in 6 bits"},
    {"q5_k_s", Container::kGguf, "q5_k", 16, "5-bit k-quant throughout"},
    {"q5_1", Container::kGguf, "q5_1", 9, "5-bit blocks of 32 with minimum"},
    {"q5_0", Container::kGguf, "q5_0", 8, "5-bit blocks of 32"},
    {"q4_k_m", Container::kGguf, "q4_k", 15, "4-bit k-quant, half of attn_v and ffn_down in 6 bits: the usual choice"},
    {"q4_k_s", Container::kGguf, "q4_k", 14, "4-bit k-quant"},
    {"q4_1", Container::kGguf, "q4_1", 3, "4-bit blocks of 32 with minimum"},
    {"q4_0", Container::kGguf, "q4_0", 2, "4-bit blocks of 32"},
    {"iq4_nl", Container::kGguf, "iq4_nl", 25, "4-bit blocks of 32 with uneven levels"},
    {"iq4_xs", Container::kGguf, "iq4_xs", 30, "4.25-bit, uneven levels: as good as 4-bit k-quants, smaller"},
    {"q3_k_l", Container::kGguf, "q3_k", 13, "3-bit k-quant, attn_v, attn_output and ffn_down in 5 bits"},
    {"q3_k_m", Container::kGguf, "q3_k", 12, "3-bit k-quant, attn_v, attn_output and ffn_down in 4 or 5 bits"},
    {"q3_k_s", Container::kGguf, "q3_k", 11, "3-bit k-quant throughout"},
    {"iq3_m", Container::kGguf, "iq3_s", 27, "3.4-bit codebook, attn_v and attn_output in 4 bits"},
    {"iq3_s", Container::kGguf, "iq3_s", 26, "3.4-bit codebook"},
    {"iq3_xs", Container::kGguf, "iq3_s", 22, "3.3-bit codebook mix"},
    {"iq3_xxs", Container::kGguf, "iq3_xxs", 23, "3.1-bit codebook", kNeedsImportance},
    {"q2_k", Container::kGguf, "q2_k", 10, "2-bit k-quant, attn_v, attn_output and ffn_down in 3 or 4 bits"},
    {"q2_k_s", Container::kGguf, "q2_k", 21, "2-bit k-quant", kNeedsImportance},
    {"iq2_m", Container::kGguf, "iq2_s", 29, "2.7-bit codebook mix", kNeedsImportance},
    {"iq2_s", Container::kGguf, "iq2_xs", 28, "2.5-bit codebook mix", kNeedsImportance},
    {"iq2_xs", Container::kGguf, "iq2_xs", 20, "2.3-bit codebook", kNeedsImportance},
    {"iq2_xxs", Container::kGguf, "iq2_xxs", 19, "2.1-bit codebook", kNeedsImportance},
    {"iq1_m", Container::kGguf, "iq1_m", 31, "1.75-bit ternary codebook", kNeedsImportance},
    {"iq1_s", Container::kGguf, "iq1_s", 24, "1.6-bit ternary codebook", kNeedsImportance},
    {"tq2_0", Container::kGguf, "tq2_0", 37, "ternary, 2 bits stored", false, kTernaryWarning},
    {"tq1_0", Container::kGguf, "tq1_0", 36, "ternary, 1.7 bits stored", false, kTernaryWarning},
    {"q2_0", Container::kGguf, "q2_0", 41, "levels -1, 0, 1, 2, blocks of 64", false, kFewLevelsWarning},
    {"q1_0", Container::kGguf, "q1_0", 40, "signs, blocks of 128", false, kFewLevelsWarning},
    {"mxfp4_moe", Container::kGguf, "mxfp4_gguf", 38, "experts in MXFP4, everything else in 8 bits", false,
     kMoeWarning},
    {"nvfp4_gguf", Container::kGguf, "nvfp4_gguf", 39,
     "FP4 E2M1 with FP8 scales per 16 and one of the matrix, embeddings and output in 8 bits"},
    {"f16", Container::kGguf, "f16", 1, "IEEE half, unquantized"},
    {"bf16", Container::kGguf, "bf16", 32, "bfloat16, unquantized"},
    {"f32", Container::kGguf, "f32", 0, "float32, unquantized"},
    {"fp8", Container::kHuggingFace, "fp8_channel_a8", -1,
     "FP8 E4M3 per channel, activations FP8 per token (compressed-tensors FP8_DYNAMIC)"},
    {"int8-w8a8", Container::kHuggingFace, "int8_channel_a8", -1,
     "INT8 per channel, activations INT8 per token (compressed-tensors W8A8)"},
    {"int8", Container::kHuggingFace, "int8_channel", -1, "INT8 per channel, weight only (compressed-tensors)"},
    {"int4-g128", Container::kHuggingFace, "int4_g128", -1,
     "INT4 symmetric, groups of 128, round to nearest (compressed-tensors W4A16)"},
    {"int4-g128-asym", Container::kHuggingFace, "int4_g128_asym", -1,
     "INT4 with zeros, groups of 128, round to nearest (compressed-tensors W4A16_ASYM; GPTQ, AWQ)"},
    {"int4-g32", Container::kHuggingFace, "int4_g32", -1, "INT4 symmetric, groups of 32 (compressed-tensors W4A16)"},
    {"int3-g128", Container::kHuggingFace, "int3_g128", -1, "INT3 symmetric, groups of 128 (compressed-tensors W3A16)"},
    {"int2-g32-asym", Container::kHuggingFace, "int2_g32_asym", -1,
     "INT2 with zeros, groups of 32 (compressed-tensors W2A16): expect damage"},
    {"fp8-block", Container::kHuggingFace, "fp8_block128_a8", -1,
     "FP8 E4M3 per 128 x 128, activations FP8 per 128 (compressed-tensors FP8_BLOCK, DeepSeek)"},
    {"fp8-weight-only", Container::kHuggingFace, "fp8_channel", -1,
     "FP8 E4M3 per channel, 16-bit activations (compressed-tensors)"},
    {"llm-int8", Container::kHuggingFace, "llm_int8", -1,
     "INT8 per row, outliers in 16 bits as it runs (bitsandbytes)"},
    {"bnb-fp4", Container::kHuggingFace, "bnb_fp4", -1, "4-bit float, blocks of 64 (bitsandbytes)"},
    {"nf4", Container::kHuggingFace, "nf4", -1, "4-bit normal float, blocks of 64 (bitsandbytes)"},
    {"nvfp4", Container::kHuggingFace, "nvfp4", -1,
     "FP4 E2M1, FP8 scales per 16, one global scale (compressed-tensors NVFP4A16)"},
    {"mxfp4-experts", Container::kHuggingFace, "mxfp4", -1, "experts in MXFP4, everything else as it is (gpt-oss)",
     false, kExpertsWarning, true},
    {"mxfp4", Container::kHuggingFace, "mxfp4", -1,
     "FP4 E2M1, power-of-two scales per 32 (compressed-tensors MXFP4A16)"},
    {"mxfp6", Container::kHuggingFace, "mxfp6_e2m3", -1,
     "FP6 E2M3, power-of-two scales per 32 (compressed-tensors MXFP6)"},
    {"mxfp8", Container::kHuggingFace, "mxfp8_e4m3_a8", -1,
     "FP8 E4M3, power-of-two scales per 32, activations alike (compressed-tensors MXFP8)"},
    {"ternary", Container::kHuggingFace, "ternary", -1,
     "-1, 0, 1 with one scale (BitNet): for models trained so; any other breaks"},
};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"q3_k", "q3_k_m"}, {"q4_k", "q4_k_m"}, {"q5_k", "q5_k_m"}};

}  // namespace

std::string_view ShapeFallback(std::string_view format) {
  // Integers with scales in groups get smaller groups.
  constexpr std::pair<std::string_view, std::string_view> kSmaller[] = {
      {"int4_g128", "int4_g64"},          {"int4_g64", "int4_g32"},  {"int4_g128_asym", "int4_g64_asym"},
      {"int4_g64_asym", "int4_g32_asym"}, {"int3_g128", "int3_g64"}, {"int3_g64", "int3_g32"}};
  for (const auto& [from, to] : kSmaller)
    if (format == from) return to;
  return GgufShapeFallback(format);
}

std::span<const PresetInfo> Preset::All() {
  return kPresets;
}

namespace {

/// A block format that safetensors hold, in every linear module: "mxfp8_e4m3", "int4_g64_asym".
const Preset* PresetOfFormat(const std::string& name) {
  const Format* format = FindFormat(name);
  const bool calibrated =
      format && (format->by_column_group || format->activation == ActivationKind::kInt8Static ||
                 format->activation == ActivationKind::kFp8Static || format->activation == ActivationKind::kNvfp4);
  if (!format || !format->encode_rows || calibrated || HfContainersOf(*format).empty()) return nullptr;
  static std::mutex mutex;
  static std::map<std::string_view, Preset> made;
  std::lock_guard lock(mutex);
  const PresetInfo info = {format->name, Container::kHuggingFace, format->name, -1, format->description};
  return &made.try_emplace(format->name, info).first->second;
}

}  // namespace

const Preset& Preset::Get(std::string_view name) {
  static const std::vector<Preset> presets = [] {
    std::vector<Preset> all;
    for (const PresetInfo& info : kPresets) all.emplace_back(info);
    return all;
  }();
  auto normal = [](std::string_view text) {
    std::string out = ToLowerAscii(text);
    std::replace(out.begin(), out.end(), '-', '_');
    return out;
  };
  std::string wanted = normal(name);
  for (const auto& [alias, preset] : kAliases) {
    if (wanted == alias) wanted = preset;
  }
  std::vector<std::string> names;
  for (const Preset& preset : presets) {
    if (normal(preset.info_.name) == wanted) return preset;
    names.emplace_back(preset.info_.name);
  }
  if (const Preset* preset = PresetOfFormat(wanted)) return *preset;
  if (std::string_view reason = WhyNotWritten(ToLowerAscii(name)); !reason.empty())
    Fail(ErrorKind::kUnsupported, "{} is read but not written: {}", name, reason);
  std::string nearest = Nearest(ToLowerAscii(name), names);
  Fail(ErrorKind::kInvalid, "\"{}\" is not a preset{}; presets: {}", name,
       nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest), Join(names, ", "));
}

const Format* Preset::Choose(const TensorRole& role) const {
  if (role.rows <= 0 || role.cols <= 0) return nullptr;
  std::string_view name = info_.base;
  if (info_.container == Container::kHuggingFace) {
    if (role.name == "output.weight" || role.name == "token_embd.weight") return nullptr;
  } else {
    if (!MixesQuantize(role)) return nullptr;
    name = GgufMixFormat(info_.name, info_.base, role);
  }
  while (true) {
    const Format& format = GetFormat(name);
    if (FitsColumns(format, role.cols)) return &format;
    name = ShapeFallback(name);
    if (!name.empty()) continue;
    return info_.container == Container::kGguf ? &GetFormat("f16") : nullptr;
  }
}

TensorRole RoleOf(const Tensor& tensor, const ModelConfig& config, bool tied_output) {
  TensorRole role;
  role.name = tensor.name;
  if (tensor.shape.size() >= 2) {
    role.rows = tensor.shape[tensor.shape.size() - 2];
    role.cols = tensor.shape.back();
    role.n_matrices = tensor.shape.size() > 2 ? tensor.shape[0] : 1;
  }
  if (tensor.name.starts_with("blk."))
    std::from_chars(tensor.name.data() + 4, tensor.name.data() + tensor.name.size(), role.layer);
  role.n_layers = config.n_layers;
  role.n_heads = config.n_heads;
  role.n_kv_heads = config.n_kv_heads;
  role.n_experts = config.experts.count;
  role.architecture = config.architecture;
  role.tied_output = tied_output;
  role.position = role.layer;
  role.n_positions = role.n_layers;
  return role;
}

std::vector<TensorRole> RolesOf(std::span<const Tensor> tensors, const ModelConfig& config) {
  const bool tied =
      std::none_of(tensors.begin(), tensors.end(), [](const Tensor& tensor) { return tensor.name == "output.weight"; });
  std::vector<TensorRole> roles;
  for (const Tensor& tensor : tensors) roles.push_back(RoleOf(tensor, config, tied));
  std::vector<TensorRole*> order;
  for (TensorRole& role : roles) {
    if (role.rows > 0 && MixesQuantize(role)) order.push_back(&role);
  }
  std::sort(order.begin(), order.end(), [](const TensorRole* a, const TensorRole* b) {
    return std::pair(a->layer, std::string_view(a->name)) < std::pair(b->layer, std::string_view(b->name));
  });
  std::map<TensorKind, int64_t> count;
  for (TensorRole* role : order) role->position = count[KindOfTensor(role->name)]++;
  for (TensorRole* role : order) role->n_positions = count[KindOfTensor(role->name)];
  return roles;
}

}  // namespace assay
