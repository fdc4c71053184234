// FP8 without a toolkit around it: quant_method "fp8" (DeepSeek V3, transformers' fine-grained FP8, AutoFP8) and
// "fbgemm_fp8". Source: DeepSeek-V3 inference/kernel.py, transformers integrations/finegrained_fp8.py, fbgemm_fp8.py.
#include "checkpoint/hf/scheme/fp8.h"

#include "base/error.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "number/e8m0.h"

namespace assay {

FloatReader Fp8Scales(const SafetensorsTensor& scale, const HfSource& source) {
  if (scale.dtype != "F8_E8M0" && scale.dtype != "U8") {
    source.ExpectFloats(scale);
    return [&scale, &source](int64_t first, int64_t n, float* out) { source.Floats(scale, first, 1, n, out); };
  }
  return [&scale, &source](int64_t first, int64_t n, float* out) {
    for (int64_t i = 0; i < n; ++i) {
      const std::byte code = scale.data[static_cast<size_t>(first + i)];
      if (code == std::byte{0xff})
        Fail(ErrorKind::kCorrupt, "{}: tensor {} has a NaN", source.FileOf(scale), scale.name);
      out[i] = DecodeE8m0(static_cast<uint8_t>(code));
    }
  };
}

namespace {
const Format& Fp8Format(std::string_view weights, ActivationKind activation) {
  const Format* format = WithActivations(GetFormat(weights), activation);
  ASSAY_CHECK(format != nullptr);
  return *format;
}

}  // namespace

void PlaceFp8(Fp8Grain grain, ActivationKind activation, const Fp8Names& names, const std::string& why,
              HfSource& source, Tensor& tensor) {
  const SafetensorsTensor& weight = source.Take(names.weight, why);
  if (!PlainFormatOfDtype(weight.dtype).empty())
    Fail(ErrorKind::kCorrupt, "{}: tensor {} is {}, but {}", source.FileOf(weight), weight.name, weight.dtype, why);
  source.Expect(weight, "F8_E4M3", tensor.shape);
  tensor.codes.mapped = weight.data.data();
  const SafetensorsTensor& scale = source.Take(names.scale, why);
  const FloatReader scales = Fp8Scales(scale, source);
  int64_t count = 1;
  for (int64_t dim : scale.shape) count *= dim;
  tensor.stored_bytes = weight.data.size() + scale.data.size();
  if (grain == Fp8Grain::kTensor) {
    if (count != 1) source.ExpectShape(scale, {1});
    tensor.format = &Fp8Format("fp8_tensor", activation);
    scales(0, 1, &tensor.global_scale);
    return;
  }
  if (grain == Fp8Grain::kChannel) {
    if (count != tensor.rows) source.ExpectShape(scale, {tensor.rows, 1});
    tensor.format = &Fp8Format("fp8_channel", activation);
    tensor.scales.make = [scales](int64_t begin, int64_t n, std::byte* out) {
      scales(begin, n, reinterpret_cast<float*>(out));
    };
    return;
  }
  const int64_t across = (tensor.cols + 127) / 128, per_matrix = tensor.shape[tensor.shape.size() - 2];
  const int64_t down = (per_matrix + 127) / 128;
  std::vector<int64_t> shape = tensor.shape;
  shape[shape.size() - 2] = down;
  shape.back() = across;
  // Model-Optimizer keeps the axes over which it took the maximum, and of a single block none at all.
  std::vector<int64_t> kept;
  for (size_t i = 0; i < shape.size(); ++i) {
    kept.push_back(shape[i]);
    if (i + 2 >= shape.size()) kept.push_back(1);
  }
  if (scale.shape != kept && !(scale.shape.empty() && shape == std::vector<int64_t>{1, 1}))
    source.ExpectShape(scale, shape);
  tensor.format = &Fp8Format("fp8_block128", activation);
  tensor.scales.make = [scales, across, per_matrix, down](int64_t begin, int64_t n, std::byte* out) {
    for (int64_t row = begin; row < begin + n; ++row, out += across * static_cast<int64_t>(sizeof(float)))
      scales((row / per_matrix * down + row % per_matrix / 128) * across, across, reinterpret_cast<float*>(out));
  };
}

void TakeActivationScale(const std::string& name, HfSource& source, Tensor& tensor) {
  const SafetensorsTensor* scale = source.TakeIfThere(name);
  if (!scale) return;
  float value = source.Scalar(*scale);
  if (!(value > 0.0f))
    Fail(ErrorKind::kCorrupt, "{}: tensor {} is {}, expected a positive number", source.FileOf(*scale), name, value);
  source.side_scales[name] = {value};
  tensor.activation_scale = value;
}

namespace {

class FineGrainedFp8 : public HfQuantization {
 public:
  explicit FineGrainedFp8(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    // DeepSeek V4: what has no scale is in 16 bits.
    if (source.AnyEndsWith(".scale")) return source.Find(module + ".scale") != nullptr;
    const bool scaled = source.Find(module + ".weight_scale_inv") || source.Find(module + ".weight_scale");
    if (NamedIn(plain_, module) || module == "lm_head" || ends_skipped(module)) {
      if (scaled && NamedIn(plain_, module))
        Fail(ErrorKind::kCorrupt, "{}: {} has scales, but quantization_config leaves it unquantized", source.where(),
             module);
      return scaled;
    }
    return true;
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  /// vLLM takes scales of the cache from these files without any word in the configuration.
  void Finish(HfSource& source) const override { TakeCacheScales(source, true, "quant_method fp8"); }
  bool fp8_cache() const override { return true; }
  std::string description() const override { return description_; }

 private:
  // transformers leaves the router of a mixture in 16 bits without saying so.
  static bool ends_skipped(const std::string& module) { return module.ends_with(".mlp.gate"); }

  Fp8Grain grain_ = Fp8Grain::kBlock;
  bool calibrated_ = false, fbgemm_ = false;
  std::vector<std::string> plain_;
  std::string description_;
};

FineGrainedFp8::FineGrainedFp8(const HfQuantizationInput& in) {
  const Json& json = in.json;
  fbgemm_ = JsonString(json, "quant_method", in.where, "fp8") == "fbgemm_fp8";
  std::string scheme = JsonString(json, "activation_scheme", in.where, "dynamic");
  if (scheme != "dynamic" && scheme != "static")
    Fail(ErrorKind::kUnsupported, "{}: activation_scheme {}", in.where, scheme);
  calibrated_ = scheme == "static";
  const std::string experts = JsonString(json, "expert_dtype", in.where, "fp8");
  if (experts != "fp8" && experts != "fp4")
    Fail(ErrorKind::kUnsupported, "{}: expert_dtype {}; supported: fp8, fp4", in.where, experts);
  auto block = json.find("weight_block_size");
  if (fbgemm_) {
    grain_ = Fp8Grain::kChannel;
  } else if (block == json.end() || block->is_null()) {
    grain_ = Fp8Grain::kTensor;
  } else if (*block != Json::array({128, 128})) {
    Fail(ErrorKind::kUnsupported, "{}: weight_block_size {}; supported: [128, 128]", in.where, DumpJson(*block));
  }
  for (const char* key : {"modules_to_not_convert", "ignored_layers"})
    for (std::string& name : ReadNames(json, key, in.where)) plain_.push_back(std::move(name));
  description_ = fmt::format("{} {}, {} activations", fbgemm_ ? "fbgemm_fp8" : "fp8",
                             grain_ == Fp8Grain::kBlock    ? "blocks of 128 x 128"
                             : grain_ == Fp8Grain::kTensor ? "per tensor"
                                                           : "per channel",
                             scheme);
}

// Experts of DeepSeek V4: E2M1, the first of two in the low bits of a byte, a power of two for every 32 of a row.
void PlaceFp4(const Fp8Names& names, HfSource& source, Tensor& tensor) {
  const std::string why = "experts packed as FP4 beside FP8";
  const SafetensorsTensor& weight = source.Take(names.weight, why);
  const SafetensorsTensor& scale = source.Take(names.scale, why);
  if (tensor.shape.size() != 2 || tensor.cols % 32 != 0)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: config.json expects {}, which has no whole blocks of 32",
         source.FileOf(weight), weight.name, ShapeText(tensor.shape));
  source.Expect(weight, weight.dtype == "U8" ? "U8" : "I8", {tensor.shape[0], tensor.shape[1] / 2});
  source.Expect(scale, scale.dtype == "U8" ? "U8" : "F8_E8M0", {tensor.shape[0], tensor.shape[1] / 32});
  tensor.format = &GetFormat("mxfp4");
  tensor.codes.mapped = weight.data.data();
  tensor.scales.mapped = scale.data.data();
  tensor.stored_bytes = weight.data.size() + scale.data.size();
}

void FineGrainedFp8::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  Fp8Names names{module + ".weight", module + ".weight_scale_inv"};
  if (!source.Find(names.scale)) names.scale = module + ".weight_scale";
  if (source.Find(module + ".scale")) {
    names.scale = module + ".scale";
    const SafetensorsTensor* weight = source.Find(names.weight);
    if (weight && weight->dtype != "F8_E4M3") return PlaceFp4(names, source, tensor);
  }
  const ActivationKind activation = grain_ == Fp8Grain::kBlock                   ? ActivationKind::kFp8Group128
                                    : grain_ == Fp8Grain::kTensor && calibrated_ ? ActivationKind::kFp8Static
                                                                                 : ActivationKind::kFp8PerToken;
  PlaceFp8(grain_, activation, names, "config.json says quant_method fp8 and does not leave out " + module, source,
           tensor);
  if (calibrated_)
    for (const char* name : {".activation_scale", ".input_scale"}) TakeActivationScale(module + name, source, tensor);
  if (fbgemm_) source.TakeIfThere(module + ".input_scale_ub");
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseFineGrainedFp8(const HfQuantizationInput& in) {
  return std::make_unique<FineGrainedFp8>(in);
}

}  // namespace assay
