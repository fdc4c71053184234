// DeepSeek's and transformers' FP8, and Model-Optimizer's formats. Writing.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/scale_bytes.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

void WriteFloat(const HfSink& sink, const std::string& name, float value) {
  sink(name, 0, std::as_bytes(std::span(&value, 1)));
}

/// The rows of a plane that are the first of their block of 128, as the file has them.
void WriteBlockScales(const HfModule& module, const std::string& name, int64_t begin, int64_t n,
                      std::span<const std::byte> scales, const HfSink& sink) {
  const int64_t groups = ScalesPerRow(*module.format, module.cols);
  const size_t row_bytes = static_cast<size_t>(groups) * 4;
  for (int64_t row = (begin + 127) / 128 * 128; row < begin + n; row += 128)
    sink(name, static_cast<uint64_t>(row / 128) * row_bytes,
         scales.subspan(static_cast<size_t>(row - begin) * row_bytes, row_bytes));
}

class FineGrainedFp8Writer : public HfContainer {
 public:
  bool Holds(const Format& format) const override {
    return format.family == FormatFamily::kFp8 && format.group >= 0 && format.activation != ActivationKind::kBF16;
  }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override {
    const std::string weight = module.name + ".weight";
    std::vector<SafetensorsPart> parts = {MakePart(weight, "F8_E4M3", {module.rows, module.cols})};
    if (module.format->block_rows > 1)
      parts.push_back(MakePart(weight + "_scale_inv", "F32", {(module.rows + 127) / 128, (module.cols + 127) / 128}));
    else
      parts.push_back(MakePart(weight + "_scale_inv", "F32", {}));
    if (Calibrated(module)) parts.push_back(MakePart(module.name + ".activation_scale", "F32", {}));
    return parts;
  }
  void Begin(const HfModule& module, const HfSink& sink) override {
    if (module.format->block_rows == 1)
      WriteFloat(sink, module.name + ".weight_scale_inv", module.global_scale / module.global_divisor);
    if (Calibrated(module)) WriteFloat(sink, module.name + ".activation_scale", module.activation_scale);
  }
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override {
    sink(module.name + ".weight", static_cast<uint64_t>(begin * module.cols), codes);
    if (module.format->block_rows > 1)
      WriteBlockScales(module, module.name + ".weight_scale_inv", begin, n, scales, sink);
  }
  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override {
    const Format& format = *modules.at(0).format;
    for (const HfModule& module : modules)
      if (module.format != &format)
        Fail(ErrorKind::kUnsupported, "{}: fp8 checkpoints have one scheme; {} and {} differ", module.name,
             module.format->name, format.name);
    Json out;
    out["activation_scheme"] = Calibrated(modules.at(0)) ? "static" : "dynamic";
    out["modules_to_not_convert"] = plain;
    out["quant_method"] = "fp8";
    out["weight_block_size"] = format.block_rows > 1 ? Json::array({128, 128}) : Json(nullptr);
    return out;
  }

 private:
  static bool Calibrated(const HfModule& module) { return module.format->activation == ActivationKind::kFp8Static; }
};

struct AlgorithmRow {
  std::string_view format, algorithm;
};
constexpr AlgorithmRow kAlgorithms[] = {
    {"fp8_tensor_a8_static", "FP8"}, {"fp8_channel_a8", "FP8_PER_CHANNEL_PER_TOKEN"},
    {"fp8_block128", "FP8_PB_WO"},   {"nvfp4", "W4A16_NVFP4"},
    {"nvfp4_a4", "NVFP4"},           {"mxfp8_e4m3_a8", "MXFP8"},
    {"int4_g128", "W4A16_AWQ"},
};

std::string_view AlgorithmOf(const Format& format) {
  for (const AlgorithmRow& row : kAlgorithms)
    if (row.format == format.name) return row.algorithm;
  return "";
}

class ModelOptWriter : public HfContainer {
 public:
  explicit ModelOptWriter(const HfContainerOptions& options) : fp8_cache_(options.fp8_cache) {}
  SafetensorsPart CacheScalePart(const std::string& attention, char of) const override {
    return MakePart(fmt::format("{}.{}_proj.{}_scale", attention, of, of), "F32", {});
  }
  bool Holds(const Format& format) const override { return !AlgorithmOf(format).empty(); }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override;
  void Begin(const HfModule& module, const HfSink& sink) override;
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override;
  bool HoldsRows() const override { return !half_.empty(); }
  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override;

 private:
  void Int4Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes, const HfSink& sink);
  static bool Calibrated(const HfModule& module) {
    return AlgorithmOf(*module.format) == "FP8" || AlgorithmOf(*module.format) == "NVFP4";
  }
  bool fp8_cache_;
  std::map<std::string, std::vector<uint8_t>> half_;  // an even row of int4 that waits for the odd one
};

std::vector<SafetensorsPart> ModelOptWriter::Parts(const HfModule& module) const {
  const std::string weight = module.name + ".weight";
  const int64_t rows = module.rows, cols = module.cols, groups = ScalesPerRow(*module.format, cols);
  const std::string_view algorithm = AlgorithmOf(*module.format);
  std::vector<SafetensorsPart> parts;
  if (algorithm == "W4A16_AWQ") {
    if (rows % 2 != 0) Fail(ErrorKind::kUnsupported, "{}: ModelOpt packs rows in pairs, found {}", module.name, rows);
    parts = {MakePart(weight, "U8", {rows / 2, cols}),
             MakePart(weight + "_scale", module.scale_dtype.empty() ? "BF16" : module.scale_dtype, {rows, groups})};
  } else if (algorithm.ends_with("NVFP4")) {
    parts = {MakePart(weight, "U8", {rows, cols / 2}), MakePart(weight + "_scale", "F8_E4M3", {rows, groups}),
             MakePart(weight + "_scale_2", "F32", {})};
  } else {
    parts = {MakePart(weight, "F8_E4M3", {rows, cols})};
    if (algorithm == "FP8")
      parts.push_back(MakePart(weight + "_scale", "F32", {}));
    else if (algorithm == "FP8_PB_WO")
      parts.push_back(MakePart(weight + "_scale", "F32", {(rows + 127) / 128, groups}));
    else if (algorithm == "MXFP8")
      parts.push_back(MakePart(weight + "_scale", "U8", {rows, groups}));
    else
      parts.push_back(MakePart(weight + "_scale", "F32", {rows}));
  }
  if (Calibrated(module)) parts.push_back(MakePart(module.name + ".input_scale", "F32", {}));
  return parts;
}

void ModelOptWriter::Begin(const HfModule& module, const HfSink& sink) {
  const std::string_view algorithm = AlgorithmOf(*module.format);
  const float scale = module.global_scale / module.global_divisor;
  // ModelOpt multiplies by what the file states.
  if (algorithm.ends_with("NVFP4")) WriteFloat(sink, module.name + ".weight_scale_2", scale);
  if (algorithm == "FP8") WriteFloat(sink, module.name + ".weight_scale", scale);
  if (Calibrated(module)) WriteFloat(sink, module.name + ".input_scale", module.activation_scale);
}

void ModelOptWriter::Int4Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                              const HfSink& sink) {
  const int64_t cols = module.cols;
  std::vector<uint8_t> row(static_cast<size_t>(cols));
  for (int64_t r = 0; r < n; ++r) {
    RowCodes(4, codes.data() + r * cols / 2, cols, row.data());
    if ((begin + r) % 2 == 0) {
      half_[module.name] = row;
      continue;
    }
    std::vector<uint8_t>& low = half_.at(module.name);
    for (size_t c = 0; c < row.size(); ++c) low[c] = static_cast<uint8_t>((low[c] ^ 8) | (row[c] ^ 8) << 4);
    sink(module.name + ".weight", static_cast<uint64_t>((begin + r) / 2 * cols), std::as_bytes(std::span(low)));
  }
  if (begin + n == module.rows) half_.erase(module.name);
}

void ModelOptWriter::Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                          std::span<const std::byte> scales, const HfSink& sink) {
  const std::string_view algorithm = AlgorithmOf(*module.format);
  const std::string scale_name = module.name + ".weight_scale";
  const int64_t groups = ScalesPerRow(*module.format, module.cols);
  if (algorithm == "W4A16_AWQ") {
    Int4Rows(module, begin, n, codes, sink);
    std::string_view dtype = module.scale_dtype.empty() ? "BF16" : module.scale_dtype;
    sink(scale_name, static_cast<uint64_t>(begin * groups * SafetensorsDtypeBits(dtype) / 8),
         ScaleBytes(FloatsOfPlane(*module.format, scales), dtype));
    return;
  }
  sink(module.name + ".weight", static_cast<uint64_t>(CodesBytes(*module.format, begin, module.cols)), codes);
  if (algorithm == "FP8") return;
  if (algorithm == "FP8_PB_WO")
    WriteBlockScales(module, scale_name, begin, n, scales, sink);
  else
    sink(scale_name, static_cast<uint64_t>(begin * groups * module.format->scale_bytes), scales);
}

Json ModelOptWriter::Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const {
  const Format& format = *modules.at(0).format;
  Json out, layers = Json::object();
  bool mixed = false;
  for (const HfModule& module : modules) {
    mixed |= module.format != &format;
    layers[module.name] = {{"quant_algo", AlgorithmOf(*module.format)}};
    if (module.format->scale_weights > 0) layers[module.name]["group_size"] = module.format->scale_weights;
  }
  out["exclude_modules"] = plain;
  if (!mixed && format.scale_weights > 0) out["group_size"] = format.scale_weights;
  out["ignore"] = plain;
  out["kv_cache_quant_algo"] = fp8_cache_ ? Json("FP8") : Json(nullptr);
  if (fp8_cache_) out["kv_cache_scheme"] = {{"dynamic", false}, {"num_bits", 8}, {"type", "float"}};
  out["producer"] = {{"name", "modelopt"}, {"version", "0.39.0"}};
  out["quant_algo"] = mixed ? "MIXED_PRECISION" : AlgorithmOf(format);
  out["quant_method"] = "modelopt";
  if (mixed) out["quantized_layers"] = layers;
  return out;
}

}  // namespace

std::unique_ptr<HfContainer> MakeFineGrainedFp8(const HfContainerOptions&) {
  return std::make_unique<FineGrainedFp8Writer>();
}
std::unique_ptr<HfContainer> MakeModelOpt(const HfContainerOptions& options) {
  return std::make_unique<ModelOptWriter>(options);
}

}  // namespace assay
