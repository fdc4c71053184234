#include "quantize/presets.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

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
    {"q3_k_l", Container::kGguf, "q3_k", 13, "3-bit k-quant, attn_v, attn_output and ffn_down in 5 bits"},
    {"q3_k_m", Container::kGguf, "q3_k", 12, "3-bit k-quant, attn_v, attn_output and ffn_down in 4 or 5 bits"},
    {"q3_k_s", Container::kGguf, "q3_k", 11, "3-bit k-quant throughout"},
    {"q2_k", Container::kGguf, "q2_k", 10, "2-bit k-quant, attn_v, attn_output and ffn_down in 3 or 4 bits"},
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
    {"nf4", Container::kHuggingFace, "nf4", -1, "4-bit normal float, blocks of 64 (bitsandbytes)"},
    {"nvfp4", Container::kHuggingFace, "nvfp4", -1,
     "FP4 E2M1, FP8 scales per 16, one global scale (compressed-tensors NVFP4A16)"},
    {"mxfp4", Container::kHuggingFace, "mxfp4", -1,
     "FP4 E2M1, power-of-two scales per 32 (compressed-tensors MXFP4A16)"},
};

bool EndsWith(std::string_view text, std::string_view tail) {
  return text.size() >= tail.size() && text.substr(text.size() - tail.size()) == tail;
}

// The layers of a mix that get more bits: the first and last eighth, and every third between.
bool MoreBits(int64_t layer, int64_t n) {
  return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
}

// The mix rules of llama-quantize without an importance matrix (llama-quant.cpp, 2026), before the shape fallback.
std::string_view MixFormat(std::string_view preset, std::string_view base, const TensorRole& role) {
  bool k_quant = EndsWith(base, "_k"),
       is_output = role.name == "output.weight" || (role.name == "token_embd.weight" && role.tied_output);
  if (base == "f32" || base == "f16" || base == "bf16") return base;
  if (is_output) return base == "q8_0" ? "q8_0" : "q6_k";
  if (!k_quant) return base;
  bool attn_v = EndsWith(role.name, "attn_v.weight"), attn_output = EndsWith(role.name, "attn_output.weight");
  bool ffn_down = EndsWith(role.name, "ffn_down.weight");
  int64_t i = role.layer, n = role.n_layers;
  std::string_view format = base;
  if (attn_v) {
    if (preset == "q2_k")
      format = role.grouped4() ? "q4_k" : "q3_k";
    else if (preset == "q3_k_m")
      format = i < 2 ? "q5_k" : "q4_k";
    else if (preset == "q3_k_l")
      format = "q5_k";
    else if ((preset == "q4_k_m" || preset == "q5_k_m") && MoreBits(i, n))
      format = "q6_k";
    else if (preset == "q4_k_s" && i < 4)
      format = "q5_k";
    // 70B models share each attn_v among eight heads: more bits cost next to nothing.
    if (n == 80 && (format == "q3_k" || format == "q4_k")) format = "q5_k";
  } else if (ffn_down) {
    if (preset == "q2_k")
      format = "q3_k";
    else if (preset == "q3_k_m")
      format = i < n / 16 ? "q5_k" : "q4_k";
    else if (preset == "q3_k_l")
      format = "q5_k";
    else if ((preset == "q4_k_m" || preset == "q5_k_m") && MoreBits(i, n))
      format = "q6_k";
    else if (preset == "q4_k_s" && i < n / 8)
      format = "q5_k";
  } else if (attn_output) {
    if (preset == "q2_k")
      format = "q3_k";
    else if (preset == "q3_k_m")
      format = "q4_k";
    else if (preset == "q3_k_l")
      format = "q5_k";
  }
  return format;
}

// Rows that are not whole blocks of 256.
std::string_view ShapeFallback(std::string_view format) {
  if (format == "q2_k" || format == "q3_k") return "q4_0";
  if (format == "q4_k") return "q5_0";
  if (format == "q5_k") return "q5_1";
  if (format == "q6_k") return "q8_0";
  if (format == "int4_g128") return "int4_g64";
  if (format == "int4_g64") return "int4_g32";
  return "";
}

}  // namespace

std::span<const PresetInfo> Preset::All() {
  return kPresets;
}

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
  std::vector<std::string> names;
  for (const Preset& preset : presets) {
    if (normal(preset.info_.name) == normal(name)) return preset;
    names.emplace_back(preset.info_.name);
  }
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
    name = MixFormat(info_.name, info_.base, role);
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
  if (tensor.shape.size() == 2) {
    role.rows = tensor.shape[0];
    role.cols = tensor.shape[1];
  }
  if (tensor.name.rfind("blk.", 0) == 0)
    std::from_chars(tensor.name.data() + 4, tensor.name.data() + tensor.name.size(), role.layer);
  role.n_layers = config.n_layers;
  role.n_heads = config.n_heads;
  role.n_kv_heads = config.n_kv_heads;
  role.tied_output = tied_output;
  return role;
}

}  // namespace assay
