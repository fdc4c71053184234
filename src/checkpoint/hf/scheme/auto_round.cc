// AutoRound: quant_method "auto-round". Its integer files are GPTQ's or AWQ's tensors under packing_format; its
// floating-point files are compressed-tensors'. Source: auto-round, export/export_to_autoround/export.py,
// inference/convert_model.py.
#include <algorithm>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/gptq.h"
#include "checkpoint/hf/scheme/quantization.h"

namespace assay {
namespace {

enum class Packing { kGptqLessOne, kGptqTrue, kAwq };

struct PackingRow {
  std::string_view name;
  Packing packing;
};
constexpr PackingRow kPackings[] = {
    {"auto_round:auto_gptq", Packing::kGptqLessOne},
    {"auto_round:gptq", Packing::kGptqLessOne},
    {"auto_gptq", Packing::kGptqLessOne},
    {"auto_round:gptqmodel", Packing::kGptqTrue},
    {"auto_round", Packing::kGptqTrue},
    {"auto_round:exllamav2", Packing::kGptqTrue},
    {"auto_round:triton", Packing::kGptqTrue},
    {"auto_round:auto_awq", Packing::kAwq},
    {"auto_round:awq", Packing::kAwq},
    {"auto_awq", Packing::kAwq},
};

struct LayerRule {
  ModuleTarget exact, pattern;
  IntegerKind kind;
};

class AutoRound : public HfQuantization {
 public:
  explicit AutoRound(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    return source.Find(module + ".qweight") || !source.Find(module + ".weight");
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override {
    if (!source.AnyEndsWith(".qweight"))
      Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method auto-round, but no tensor is called *.qweight",
           source.where());
  }
  std::string description() const override {
    return fmt::format("auto-round {} W{}A16{}{}", row_->name, kind_.bits,
                       kind_.group > 0 ? fmt::format(" g{}", kind_.group) : "", kind_.asymmetric ? " asymmetric" : "");
  }

 private:
  const PackingRow* row_ = nullptr;
  IntegerKind kind_;
  std::vector<LayerRule> layers_;
  std::string where_;
};

IntegerKind ReadKind(const Json& json, const std::string& where, const IntegerKind& usual) {
  IntegerKind kind;
  kind.bits = ReadArgument(json, "bits", where, usual.bits);
  kind.group = ReadArgument(json, "group_size", where, usual.group);
  kind.asymmetric = !JsonBool(json, "sym", where, !usual.asymmetric);
  return kind;
}

AutoRound::AutoRound(const HfQuantizationInput& in) : where_(in.where) {
  std::string packing =
      JsonString(in.json, "packing_format", where_, JsonString(in.json, "backend", where_, "auto_round:auto_gptq"));
  auto row =
      std::find_if(std::begin(kPackings), std::end(kPackings), [&](const PackingRow& r) { return r.name == packing; });
  if (row == std::end(kPackings))
    Fail(ErrorKind::kUnsupported, "{}: packing_format {} is not supported; supported: auto_gptq, gptqmodel, auto_awq",
         where_, packing);
  row_ = row;
  std::string type = JsonString(in.json, "data_type", where_, "int");
  if (!type.starts_with("int"))
    Fail(ErrorKind::kUnsupported, "{}: data_type {} in packing_format {}", where_, type, packing);
  if (const int64_t act_bits = ReadArgument(in.json, "act_bits", where_, 16); act_bits < 16)
    Fail(ErrorKind::kUnsupported, "{}: {}-bit activations in packing_format {}", where_, act_bits, packing);
  kind_ = ReadKind(in.json, where_, {});
  if (kind_.bits < 2 || kind_.bits > 8)
    Fail(ErrorKind::kUnsupported, "{}: {} bits; supported: 2 to 8", where_, kind_.bits);
  auto extra = in.json.find("extra_config");
  if (extra == in.json.end() || !extra->is_object()) return;
  for (const auto& [name, overrides] : extra->items()) {
    if (!overrides.is_object()) continue;
    CheckKeys("auto-round", overrides, fmt::format("{}: extra_config: {}", where_, name));
    layers_.push_back({ModuleTarget(name.starts_with("re:") ? "" : name, where_),
                       ModuleTarget::Pattern(name, where_ + ": extra_config"),
                       ReadKind(overrides, fmt::format("{}: extra_config: {}", where_, name), kind_)});
  }
}

void AutoRound::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  IntegerKind kind = kind_;
  const LayerRule* best = nullptr;
  for (const LayerRule& layer : layers_) {
    if (layer.exact.Match(module, "") == 3) best = &layer;
    if (!best && layer.pattern.Match(module, "") > 0) best = &layer;
  }
  if (best) kind = best->kind;
  if (kind.bits < 2 || kind.bits > 8)
    Fail(ErrorKind::kCorrupt, "{}: {} is quantized, but extra_config says {} bits", source.where(), module, kind.bits);
  if (row_->packing == Packing::kAwq) return PlaceAwq(kind, AwqVersion::kGemm, module, source, tensor);
  GptqLayout layout;
  layout.kind = kind;
  layout.zeros = row_->packing == Packing::kGptqTrue ? GptqZeros::kTrue : GptqZeros::kLessOne;
  layout.declared = fmt::format("packing_format {}", row_->name);
  PlaceGptq(layout, module, source, tensor);
}

/// data_type and bits of floating-point schemes as the config group that compressed-tensors would write.
Json AsCompressedTensors(const HfQuantizationInput& in) {
  const std::string& where = in.where;
  const std::string type = JsonString(in.json, "data_type", where, "int");
  const int64_t bits = ReadArgument(in.json, "bits", where, 4);
  const int64_t act_bits = ReadArgument(in.json, "act_bits", where, 16);
  const int64_t group = ReadArgument(in.json, "group_size", where, -1);
  const bool nv = type.starts_with("nv_fp"), mx = type.starts_with("mx_fp");
  const char* format = nv                ? "nvfp4-pack-quantized"
                       : mx && bits == 4 ? "mxfp4-pack-quantized"
                       : mx              ? "mxfp8-quantized"
                                         : "float-quantized";
  auto args = [&](int64_t n, bool dynamic) {
    Json out = {{"num_bits", n}, {"type", "float"}, {"symmetric", true}};
    if (group > 0) out["group_size"] = group;
    out["strategy"] = nv ? "tensor_group" : group > 0 ? "group" : "channel";
    if (dynamic) out["dynamic"] = nv ? Json("local") : Json(true);
    return out;
  };
  Json scheme = {{"targets", {"Linear"}}, {"weights", args(bits, false)}};
  if (act_bits < 16) scheme["input_activations"] = args(act_bits, true);
  Json ignore = Json::array({"lm_head"});
  if (auto extra = in.json.find("extra_config"); extra != in.json.end() && extra->is_object())
    for (const auto& [name, overrides] : extra->items())
      if (overrides.is_object() && ReadArgument(overrides, "bits", where, bits) >= 16) ignore.push_back(name);
  return {{"quant_method", "compressed-tensors"},
          {"format", format},
          {"config_groups", {{"group_0", scheme}}},
          {"ignore", ignore}};
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseAutoRound(const HfQuantizationInput& in) {
  std::string packing = JsonString(in.json, "packing_format", in.where, "");
  if (packing.find("llm_compressor") == std::string::npos) return std::make_unique<AutoRound>(in);
  Json translated = AsCompressedTensors(in);
  return ParseCompressedTensors({translated, in.where, in.sidecars});
}

}  // namespace assay
