// bitsandbytes: quant_method "bitsandbytes", 4 bits (NF4, FP4; nested scales) and LLM.int8. Source: bitsandbytes
// functional.py (QuantState), nn/modules.py (Int8Params), transformers integrations/bitsandbytes.py.
#include "checkpoint/hf/scheme/bitsandbytes.h"

#include <cmath>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "format/bitsandbytes/nested_absmax.h"

namespace assay {

namespace {

/// The parsed quant_state of one weight.
struct QuantState {
  std::string type;
  int64_t block = 64;
  bool nested = false;
  int64_t nested_block = 256;
  float offset = 0.0f;
};

class Bitsandbytes : public HfQuantization {
 public:
  explicit Bitsandbytes(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override;
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override {
    eight_ ? PlaceInt8(module, source, tensor) : PlaceFour(module, source, tensor);
  }
  std::string description() const override {
    return eight_ ? "bitsandbytes int8" : fmt::format("bitsandbytes {}{}", type_, nested_ ? " double-quantized" : "");
  }

 private:
  bool Skips(const std::string& module) const;
  void PlaceFour(const std::string& module, HfSource& source, Tensor& tensor) const;
  void PlaceInt8(const std::string& module, HfSource& source, Tensor& tensor) const;
  void CheckMap(const std::string& weight_name, std::string_view why, HfSource& source, Tensor& tensor) const;
  QuantState ReadState(const std::string& weight_name, std::string_view why, HfSource& source, Tensor& tensor) const;

  bool eight_ = false, nested_ = false;
  std::string type_;
  std::vector<std::string> skip_;
};

Bitsandbytes::Bitsandbytes(const HfQuantizationInput& in) {
  const Json& json = in.json;
  auto flag = [&](const char* key) {
    return JsonBool(json, key, in.where, JsonBool(json, (std::string("_") + key).c_str(), in.where, false));
  };
  const bool four = flag("load_in_4bit");
  eight_ = flag("load_in_8bit");
  if (four == eight_)
    Fail(ErrorKind::kInvalid, "{}: bitsandbytes: expected one of load_in_4bit and load_in_8bit, found {}", in.where,
         four ? "both" : "neither");
  type_ = JsonString(json, "bnb_4bit_quant_type", in.where, "fp4");
  if (four && type_ != "nf4" && type_ != "fp4")
    Fail(ErrorKind::kUnsupported, "{}: bitsandbytes type {} is not supported; supported: nf4, fp4", in.where, type_);
  nested_ = JsonBool(json, "bnb_4bit_use_double_quant", in.where, false);
  skip_ = ReadNames(json, "llm_int8_skip_modules", in.where);
  const double threshold = JsonNumber(json, "llm_int8_threshold", in.where, 6.0);
  const bool full = JsonBool(json, "llm_int8_has_fp16_weight", in.where, false);
  if (!eight_) return;
  if (threshold != 6.0)
    Fail(ErrorKind::kUnsupported,
         "{}: llm_int8_threshold: expected 6.0, found {}: activations are taken for outliers from 6.0 up", in.where,
         threshold);
  if (full)
    Fail(ErrorKind::kUnsupported, "{}: llm_int8_has_fp16_weight: expected false, found true: weights are read as INT8",
         in.where);
}

bool Bitsandbytes::Skips(const std::string& module) const {
  if (NamedIn(skip_, module)) return true;
  // A listed name stands for every module that has it as one of its parts or at its end.
  for (const std::string& name : skip_)
    if (!name.empty() && ("." + module + ".").find("." + name + ".") != std::string::npos) return true;
  return false;
}

bool Bitsandbytes::Quantizes(const std::string& module, const HfSource& source) const {
  const std::string state = module + ".weight.quant_state.bitsandbytes__" + type_;
  const bool there = source.Find(eight_ ? module + ".SCB" : state);
  if (there) {
    if (Skips(module))
      Fail(ErrorKind::kCorrupt, "{}: {} is quantized, but llm_int8_skip_modules names it", source.where(), module);
    return true;
  }
  // transformers skips the output head unless told otherwise.
  return module != "lm_head" && !Skips(module);
}

void Bitsandbytes::CheckMap(const std::string& weight_name, std::string_view why, HfSource& source,
                            Tensor& tensor) const {
  const SafetensorsTensor& map = source.Take(weight_name + ".quant_map", why);
  source.Expect(map, "F32", {16});
  std::vector<float> values = source.Floats(map);
  const std::array<float, 16> expected = BitsandbytesMap(type_);
  for (size_t i = 0; i < 16; ++i)
    if (std::abs(values[i] - expected[i]) > 1e-5f)
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: value {} is {}, {}'s is {}", source.FileOf(map), map.name, i,
           values[i], type_ == "nf4" ? "NF4" : "FP4", expected[i]);
  tensor.stored_bytes += map.data.size();
}

QuantState Bitsandbytes::ReadState(const std::string& weight_name, std::string_view why, HfSource& source,
                                   Tensor& tensor) const {
  const SafetensorsTensor& text = source.Take(weight_name + ".quant_state.bitsandbytes__" + type_, why);
  std::string place = fmt::format("{}: tensor {}", source.FileOf(text), text.name);
  Json json = source.Text(text);
  QuantState state;
  state.type = JsonString(json, "quant_type", place);
  state.block = ReadArgument(json, "blocksize", place, 0);
  if (state.type != type_)
    Fail(ErrorKind::kCorrupt, "{}: quant_type is {}, config.json says {}", place, state.type, type_);
  if (state.block == 0) Fail(ErrorKind::kCorrupt, "{}: \"blocksize\" is missing", place);
  auto shape = json.find("shape");
  if (shape == json.end() || *shape != Json(tensor.shape))
    Fail(ErrorKind::kCorrupt, "{}: shape {}, config.json expects {}", place,
         shape == json.end() ? "missing" : DumpJson(*shape), ShapeText(tensor.shape));
  state.nested = json.contains("nested_offset");
  if (state.nested) {
    state.offset = static_cast<float>(JsonNumber(json, "nested_offset", place, 0.0));
    state.nested_block = ReadArgument(json, "nested_blocksize", place, 256);
    if (!std::isfinite(state.offset)) Fail(ErrorKind::kCorrupt, "{}: nested_offset {}", place, state.offset);
  }
  tensor.stored_bytes += text.data.size();
  return state;
}

/// Scales that were quantized in turn: map[code] * nested_absmax + offset.
std::function<std::vector<float>()> TakeNested(const std::string& weight_name, const QuantState& state, int64_t blocks,
                                               std::string_view why, HfSource& source, Tensor& tensor) {
  const SafetensorsTensor& absmax = source.Take(weight_name + ".absmax", why);
  source.Expect(absmax, "U8", {blocks});
  const SafetensorsTensor& nested = source.Take(weight_name + ".nested_absmax", why);
  source.ExpectShape(nested, {(blocks + state.nested_block - 1) / state.nested_block});
  source.ExpectFloats(nested);
  const SafetensorsTensor& map = source.Take(weight_name + ".nested_quant_map", why);
  source.Expect(map, "F32", {256});
  tensor.stored_bytes += absmax.data.size() + nested.data.size() + map.data.size();
  return [&absmax, &nested, &map, &source, offset = state.offset, block = static_cast<int>(state.nested_block)] {
    std::vector<float> out(absmax.data.size());
    UnnestAbsmax({reinterpret_cast<const uint8_t*>(absmax.data.data()), absmax.data.size()}, source.Floats(nested),
                 source.Floats(map), offset, block, out);
    return out;
  };
}

void Bitsandbytes::PlaceFour(const std::string& module, HfSource& source, Tensor& tensor) const {
  const std::string name = module + ".weight", why = fmt::format("config.json says {}, bitsandbytes", type_);
  const int64_t n = tensor.rows * tensor.cols;
  const SafetensorsTensor& weight = source.Take(name, why);
  if (!PlainFormatOfDtype(weight.dtype).empty() && weight.shape == tensor.shape)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: {} although config.json says {} and does not skip {}",
         source.FileOf(weight), weight.name, weight.dtype, type_, module);
  // bnb_4bit_quant_storage: the same bytes under a wider dtype.
  if (weight.dtype == "U8")
    source.ExpectShape(weight, {(n + 1) / 2, 1});
  else if (static_cast<int64_t>(weight.data.size()) != (n + 1) / 2)
    source.Expect(weight, "U8", {(n + 1) / 2, 1});
  tensor.stored_bytes += weight.data.size();
  QuantState state = ReadState(name, why, source, tensor);
  const Format* format = BitsandbytesFormat({state.type, state.block});
  if (!format)
    Fail(ErrorKind::kUnsupported, "{}: tensor {}: {} with a blocksize of {}", source.FileOf(weight), name, state.type,
         state.block);
  CheckMap(name, why, source, tensor);
  const int64_t blocks = (n + state.block - 1) / state.block;
  std::function<std::vector<float>()> scales;
  if (state.nested) {
    scales = TakeNested(name, state, blocks, why, source, tensor);
  } else {
    const SafetensorsTensor& absmax = source.Take(name + ".absmax", why);
    source.ExpectShape(absmax, {blocks});
    source.ExpectFloats(absmax);
    tensor.stored_bytes += absmax.data.size();
    scales = [&absmax, &source] { return source.Floats(absmax); };
  }
  tensor.format = format;
  tensor.codes.mapped = weight.data.data();
  tensor.scales.make = [scales, format, cols = tensor.cols](int64_t begin, int64_t rows, std::byte* out) {
    const std::vector<float> all = scales();
    std::memcpy(out, all.data() + ScalesOffset(*format, begin, cols) / format->scale_bytes,
                static_cast<size_t>(ScalesBytes(*format, rows, cols)));
  };
}

void Bitsandbytes::PlaceInt8(const std::string& module, HfSource& source, Tensor& tensor) const {
  const std::string why = "config.json says load_in_8bit, bitsandbytes";
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  if (!PlainFormatOfDtype(weight.dtype).empty() && weight.shape == tensor.shape)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: {} although config.json says load_in_8bit and does not skip {}",
         source.FileOf(weight), weight.name, weight.dtype, module);
  source.Expect(weight, "I8", tensor.shape);
  const SafetensorsTensor& largest = source.Take(module + ".SCB", why);
  source.ExpectShape(largest, {tensor.rows});
  tensor.stored_bytes += weight.data.size() + largest.data.size();
  if (const SafetensorsTensor* order = source.TakeIfThere(module + ".weight_format");
      order && (order->data.size() != 1 || order->data[0] != std::byte{0}))
    Fail(ErrorKind::kUnsupported, "{}: tensor {}: the weight lies in the order of one kernel; supported: 0, rows",
         source.FileOf(*order), order->name);
  source.ExpectFloats(largest);
  tensor.format = &GetFormat("llm_int8");
  tensor.codes.mapped = weight.data.data();
  tensor.scales.make = [&source, &largest](int64_t begin, int64_t n, std::byte* out) {
    source.Floats(largest, begin, 1, n, reinterpret_cast<float*>(out));
  };
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseBitsandbytes(const HfQuantizationInput& in) {
  return std::make_unique<Bitsandbytes>(in);
}

}  // namespace assay
