// NVIDIA Model-Optimizer: quant_method "modelopt" in config.json, or hf_quant_config.json beside it. Source:
// Model-Optimizer, torch/export/quant_utils.py, unified_export_hf.py.
#include <algorithm>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/fp8.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

enum class Kind { kFp8Tensor, kFp8Channel, kFp8Block, kNvfp4, kMxfp8, kInt4, kInt8, kRefused };

using enum ActivationKind;

struct AlgorithmRow {
  std::string_view name;  // quant_algo
  Kind kind;
  ActivationKind activation = kBF16;
  std::string_view reason = "";  // why it is refused
};

constexpr AlgorithmRow kAlgorithms[] = {
    {"FP8", Kind::kFp8Tensor, kFp8Static},
    {"FP8_PER_CHANNEL_PER_TOKEN", Kind::kFp8Channel, kFp8PerToken},
    {"FP8_PB_WO", Kind::kFp8Block, kBF16},
    {"FP8_PB_REAL", Kind::kFp8Block, kFp8Group128},
    {"NVFP4", Kind::kNvfp4, kNvfp4},
    {"NVFP4_AWQ", Kind::kNvfp4, kNvfp4},
    {"W4A16_NVFP4", Kind::kNvfp4, kBF16},
    {"MXFP8", Kind::kMxfp8, kMxfp8},
    {"W4A16_AWQ", Kind::kInt4, kBF16},
    {"INT4_AWQ", Kind::kInt4, kBF16},
    {"W8A16", Kind::kInt8, kBF16},
    {"W8A8_SQ_PER_CHANNEL", Kind::kInt8, kInt8Static},
    {"W4A8_AWQ", Kind::kRefused, kBF16,
     "int4 weights are multiplied as FP8 by a second scale, which no format here does"},
    {"NVFP4_SVD", Kind::kRefused, kBF16, "a low-rank branch runs beside the weights"},
    {"W4A8_MXFP4_FP8", Kind::kRefused, kBF16, "MXFP4 weights with FP8 activations"},
};

const AlgorithmRow& FindAlgorithm(std::string name, const std::string& where) {
  if (name == "fp8_pb_wo") name = "FP8_PB_WO";  // as the toolkit spells it
  auto row = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                          [&](const AlgorithmRow& r) { return r.name == name; });
  if (row == std::end(kAlgorithms)) Fail(ErrorKind::kUnsupported, "{}: quant_algo {} is not supported", where, name);
  if (row->kind == Kind::kRefused)
    Fail(ErrorKind::kUnsupported, "{}: quant_algo {} is not supported: {}", where, name, row->reason);
  return *row;
}

/// "model.layers.0*" as fnmatch reads it: '*' and '?'.
bool Wildcard(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct LayerAlgorithm {
  const AlgorithmRow* algorithm = nullptr;
  int64_t group = 0;  // 0: config.json leaves it to the scales' shape
};

class ModelOpt : public HfQuantization {
 public:
  explicit ModelOpt(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override;
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override;
  bool fp8_cache() const override { return fp8_cache_; }
  std::string description() const override { return description_; }

 private:
  const LayerAlgorithm* Of(const std::string& module) const;
  bool Excluded(const std::string& module) const;

  LayerAlgorithm usual_;
  std::map<std::string, LayerAlgorithm> layers_;  // MIXED_PRECISION
  std::vector<std::string> exclude_;
  bool kv_cache_ = false, fp8_cache_ = false;
  std::string description_;
};

ModelOpt::ModelOpt(const HfQuantizationInput& in) {
  const Json* json = &in.json;
  std::string where = in.where;
  // hf_quant_config.json keeps it one level down; config.json's own entry may leave the algorithm to it.
  if (auto sidecar = in.sidecars.find("hf_quant_config.json");
      !json->contains("quant_algo") && !json->contains("quantization") && sidecar != in.sidecars.end()) {
    json = &sidecar->second;
    where = "hf_quant_config.json";
  }
  if (auto inner = json->find("quantization"); inner != json->end() && inner->is_object()) json = &*inner;
  std::string algorithm = JsonString(*json, "quant_algo", where, "");
  if (algorithm == "MIXED_PRECISION") {
    auto layers = json->find("quantized_layers");
    if (layers == json->end() || !layers->is_object())
      Fail(ErrorKind::kInvalid, "{}: MIXED_PRECISION without quantized_layers", where);
    for (const auto& [name, layer] : layers->items())
      layers_[name] = {&FindAlgorithm(JsonString(layer, "quant_algo", where + ": " + name), where + ": " + name),
                       ReadArgument(layer, "group_size", where + ": " + name, 0)};
  } else {
    usual_ = {&FindAlgorithm(algorithm, where), ReadArgument(*json, "group_size", where, 0)};
  }
  for (const char* key : {"exclude_modules", "ignore"})
    for (std::string& name : ReadNames(*json, key, where)) exclude_.push_back(std::move(name));
  for (const char* key : {"kv_cache_quant_algo", "kv_cache_scheme"})
    if (auto cache = json->find(key); cache != json->end() && !cache->is_null()) {
      kv_cache_ = true;
      fp8_cache_ = *cache == Json("FP8") || IsFp8CacheScheme(*cache);
    }
  description_ = "modelopt " + algorithm;
}

const LayerAlgorithm* ModelOpt::Of(const std::string& module) const {
  if (usual_.algorithm) return &usual_;
  auto it = layers_.find(module);
  return it == layers_.end() ? nullptr : &it->second;
}

bool ModelOpt::Excluded(const std::string& module) const {
  for (const std::string& pattern : exclude_)
    if (Wildcard(pattern, module) || NamedIn({pattern}, module)) return true;
  return false;
}

bool ModelOpt::Quantizes(const std::string& module, const HfSource& source) const {
  const bool there = source.Find(module + ".weight_scale");
  const bool said = Of(module) && !Excluded(module);
  if (there && !said)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}.weight_scale is there, but the quantization config leaves {} out",
         source.where(), module, module);
  // Routers and the output head stay in 16 bits, listed or not.
  return there || (said && module != "lm_head" && module.find("gate") == std::string::npos) ||
         (said && module.ends_with("gate_proj"));
}

/// weight uint8 [out / 2, in]: two's complement nibbles, row 2r low and 2r + 1 high.
void PlaceInt4(const LayerAlgorithm& layer, const std::string& module, const std::string& why, HfSource& source,
               Tensor& tensor) {
  const int64_t rows = tensor.rows, cols = tensor.cols;
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  int64_t group = layer.group;
  if (group == 0 && scale.shape.size() == 2 && scale.shape[1] > 0) group = cols / scale.shape[1];
  if (group <= 0 || cols % group != 0 || cols % 8 != 0 || rows % 2 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: {} is not whole groups of {}", source.where(), module, ShapeText(tensor.shape),
         group);
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  source.Expect(weight, "U8", {rows / 2, cols});
  source.ExpectShape(scale, {rows, cols / group});
  IntegerMatrix matrix;
  matrix.kind.bits = 4;
  matrix.kind.group = group;
  matrix.groups = cols / group;
  matrix.scales = ReadGroups(source, scale, matrix.groups, 1);
  const RowReader row_codes = [data = weight.data.data(), cols](int64_t row, uint8_t* codes) {
    const std::byte* from = data + row / 2 * cols;
    for (int64_t c = 0; c < cols; ++c) {
      const uint8_t byte = static_cast<uint8_t>(from[c]);
      codes[c] = (row % 2 ? byte >> 4 : byte & 15) ^ 8;
    }
  };
  matrix.codes.make = LayCodes(4, cols, [row_codes] { return row_codes; });
  tensor.stored_bytes = weight.data.size() + scale.data.size();
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

void PlaceInt8(const LayerAlgorithm& layer, const std::string& module, const std::string& why, HfSource& source,
               Tensor& tensor) {
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  source.Expect(weight, "I8", tensor.shape);
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  IntegerMatrix matrix;
  matrix.kind.bits = 8;
  matrix.kind.group = -1;
  matrix.kind.activation = layer.algorithm->activation;
  int64_t count = 1;
  for (int64_t dim : scale.shape) count *= dim;
  if (count != tensor.rows) source.ExpectShape(scale, {tensor.rows});
  matrix.scales = ReadGroups(source, scale, 1, 0);
  matrix.codes.mapped = weight.data.data();
  tensor.stored_bytes = weight.data.size() + scale.data.size();
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

void PlaceNvfp4(const LayerAlgorithm& layer, const std::string& module, const std::string& why, HfSource& source,
                Tensor& tensor) {
  const Format* format = WithActivations(GetFormat("nvfp4"), layer.algorithm->activation);
  if (!FitsColumns(*format, tensor.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), module, tensor.cols,
         format->name);
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  std::vector<int64_t> shape = tensor.shape, scale_shape = tensor.shape;
  shape.back() /= 2;
  scale_shape.back() /= 16;
  source.Expect(weight, "U8", shape);
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  source.Expect(scale, "F8_E4M3", scale_shape);
  const SafetensorsTensor& second = source.Take(module + ".weight_scale_2", why);
  tensor.format = format;
  tensor.codes.mapped = weight.data.data();
  tensor.scales.mapped = scale.data.data();
  tensor.global_scale = source.Scalar(second);
  tensor.stored_bytes = weight.data.size() + scale.data.size() + second.data.size();
}

void PlaceMxfp8(const std::string& module, const std::string& why, HfSource& source, Tensor& tensor) {
  const Format* format = &GetFormat("mxfp8_e4m3_a8");
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  source.Expect(weight, "F8_E4M3", tensor.shape);
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  std::vector<int64_t> scale_shape = tensor.shape;
  scale_shape.back() /= 32;
  source.Expect(scale, scale.dtype == "F8_E8M0" ? "F8_E8M0" : "U8", scale_shape);
  if (!FitsColumns(*format, tensor.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), module, tensor.cols,
         format->name);
  tensor.format = format;
  tensor.codes.mapped = weight.data.data();
  tensor.scales.mapped = scale.data.data();
  tensor.stored_bytes = weight.data.size() + scale.data.size();
}

/// pre_quant_scale multiplies the activations: the weights with it are decoded, since no packed format scales columns.
void ApplyColumnScales(const std::string& module, HfSource& source, Tensor& tensor) {
  const SafetensorsTensor* found = source.TakeIfThere(module + ".pre_quant_scale");
  if (!found) return;
  source.ExpectShape(*found, {tensor.cols});
  std::vector<float> factors = source.Floats(*found);
  if (std::all_of(factors.begin(), factors.end(), [](float f) { return f == 1.0f; })) return;
  tensor.stored_bytes += found->data.size();
  tensor = Decoded(tensor, [factors = std::move(factors)](float* row) {
    for (size_t c = 0; c < factors.size(); ++c) row[c] *= factors[c];
  });
}

void ModelOpt::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  const LayerAlgorithm& layer = *Of(module);
  const std::string why = fmt::format("{} for {}", description_, module);
  const Fp8Names names{module + ".weight", module + ".weight_scale"};
  switch (layer.algorithm->kind) {
    case Kind::kFp8Tensor:
      PlaceFp8(Fp8Grain::kTensor, layer.algorithm->activation, names, why, source, tensor);
      break;
    case Kind::kFp8Channel:
      PlaceFp8(Fp8Grain::kChannel, layer.algorithm->activation, names, why, source, tensor);
      break;
    case Kind::kFp8Block:
      PlaceFp8(Fp8Grain::kBlock, layer.algorithm->activation, names, why, source, tensor);
      break;
    case Kind::kNvfp4:
      PlaceNvfp4(layer, module, why, source, tensor);
      break;
    case Kind::kMxfp8:
      PlaceMxfp8(module, why, source, tensor);
      break;
    case Kind::kInt4:
      PlaceInt4(layer, module, why, source, tensor);
      break;
    case Kind::kInt8:
      PlaceInt8(layer, module, why, source, tensor);
      break;
    case Kind::kRefused:
      break;  // FindAlgorithm refused it
  }
  TakeActivationScale(module + ".input_scale", source, tensor);
  ApplyColumnScales(module, source, tensor);
}

void ModelOpt::Finish(HfSource& source) const {
  TakeCacheScales(source, kv_cache_, "kv_cache_quant_algo");
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseModelOpt(const HfQuantizationInput& in) {
  return std::make_unique<ModelOpt>(in);
}

}  // namespace assay
