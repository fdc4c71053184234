// bitsandbytes: NF4 and FP4, plain or with nested scales, and LLM.int8. Writing.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/scale_bytes.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/hf/scheme/bitsandbytes.h"
#include "format/bitsandbytes/nested_absmax.h"
#include "number/bnb_dynamic8.h"

namespace assay {
namespace {

bool IsLlmInt8(const Format& format) {
  return format.family == FormatFamily::kLlmInt8;
}

class BitsandbytesWriter : public HfContainer {
 public:
  BitsandbytesWriter(const HfContainerOptions& options, bool nested) : dtype_(options.dtype), nested_(nested) {}

  bool Holds(const Format& format) const override {
    return BitsandbytesTypeOf(format).has_value() || (!nested_ && IsLlmInt8(format));
  }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override;
  void Begin(const HfModule& module, const HfSink& sink) override;
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override;
  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override;
  bool HoldsRows() const override { return !scales_.empty(); }

 private:
  std::string StateText(const HfModule& module, float offset) const;
  void WriteNested(const HfModule& module, const HfSink& sink);

  std::string dtype_;
  bool nested_;
  /// Of a module whose rows are not all there.
  struct Scales {
    std::vector<float> values;
    int64_t rows = 0;
  };
  std::map<std::string, Scales> scales_;
};

int64_t Blocks(const HfModule& module) {
  const int64_t n = module.rows * module.cols, block = module.format->scale_weights;
  return (n + block - 1) / block;
}

/// JSON as bitsandbytes writes it. The offset keeps its length whatever its value, since the header names it.
std::string BitsandbytesWriter::StateText(const HfModule& module, float offset) const {
  const BitsandbytesType type = *BitsandbytesTypeOf(*module.format);
  Json state = {{"quant_type", type.name}, {"blocksize", type.block}, {"dtype", dtype_}, {"shape", module.shape}};
  std::string text = DumpJson(state);
  if (!nested_) return text;
  text.pop_back();
  return text + fmt::format(",\"nested_blocksize\":{},\"nested_dtype\":\"float32\",\"nested_offset\":{:.16e}}}",
                            kNestedBlock, static_cast<double>(std::abs(offset)));
}

std::vector<SafetensorsPart> BitsandbytesWriter::Parts(const HfModule& module) const {
  const std::string weight = module.name + ".weight";
  if (IsLlmInt8(*module.format))
    return {MakePart(weight, "I8", {module.rows, module.cols}), MakePart(module.name + ".SCB", "F32", {module.rows}),
            MakePart(module.name + ".weight_format", "U8", {})};
  const int64_t blocks = Blocks(module);
  const BitsandbytesType type = *BitsandbytesTypeOf(*module.format);
  std::vector<SafetensorsPart> parts = {MakePart(weight, "U8", {(module.rows * module.cols + 1) / 2, 1}),
                                        MakePart(weight + ".absmax", nested_ ? "U8" : "F32", {blocks}),
                                        MakePart(weight + ".quant_map", "F32", {16}),
                                        MakePart(fmt::format("{}.quant_state.bitsandbytes__{}", weight, type.name),
                                                 "U8", {static_cast<int64_t>(StateText(module, 0.0f).size())})};
  if (nested_) {
    parts.push_back(MakePart(weight + ".nested_absmax", "F32", {(blocks + kNestedBlock - 1) / kNestedBlock}));
    parts.push_back(MakePart(weight + ".nested_quant_map", "F32", {256}));
  }
  return parts;
}

void BitsandbytesWriter::Begin(const HfModule& module, const HfSink& sink) {
  const std::string weight = module.name + ".weight";
  if (IsLlmInt8(*module.format)) {
    const std::byte row_order{0};
    sink(module.name + ".weight_format", 0, std::span(&row_order, 1));
    return;
  }
  const BitsandbytesType type = *BitsandbytesTypeOf(*module.format);
  const std::array<float, 16> map = BitsandbytesMap(type.name);
  sink(weight + ".quant_map", 0, std::as_bytes(std::span(map)));
  if (nested_) {
    sink(weight + ".nested_quant_map", 0, std::as_bytes(std::span(kDynamic8Map)));
    return;
  }
  std::string state = StateText(module, 0.0f);
  sink(fmt::format("{}.quant_state.bitsandbytes__{}", weight, type.name), 0, std::as_bytes(std::span(state)));
}

void BitsandbytesWriter::Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                              std::span<const std::byte> scales, const HfSink& sink) {
  const std::string weight = module.name + ".weight";
  std::vector<float> plane = FloatsOfPlane(*module.format, scales);
  if (IsLlmInt8(*module.format)) {
    sink(weight, static_cast<uint64_t>(begin * module.cols), codes);
    sink(module.name + ".SCB", static_cast<uint64_t>(begin) * 4, std::as_bytes(std::span(plane)));
    return;
  }
  const int64_t first = begin * module.cols, block = module.format->scale_weights;
  sink(weight, static_cast<uint64_t>(first / 2), codes);
  if (!nested_) {
    sink(weight + ".absmax", static_cast<uint64_t>(first / block) * 4, std::as_bytes(std::span(plane)));
    return;
  }
  Scales& all = scales_[module.name];
  all.values.resize(static_cast<size_t>(Blocks(module)));
  std::copy(plane.begin(), plane.end(), all.values.begin() + first / block);
  all.rows += n;
  if (all.rows == module.rows) WriteNested(module, sink);
}

void BitsandbytesWriter::WriteNested(const HfModule& module, const HfSink& sink) {
  const std::string weight = module.name + ".weight";
  std::vector<float> all = std::move(scales_[module.name].values);
  scales_.erase(module.name);
  const NestedAbsmax nested = NestAbsmax(all);
  sink(weight + ".absmax", 0, std::as_bytes(std::span(nested.codes)));
  sink(weight + ".nested_absmax", 0, std::as_bytes(std::span(nested.absmax)));
  std::string state = StateText(module, nested.offset);
  sink(fmt::format("{}.quant_state.bitsandbytes__{}", weight, BitsandbytesTypeOf(*module.format)->name), 0,
       std::as_bytes(std::span(state)));
}

Json BitsandbytesWriter::Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const {
  const Format& format = *modules.at(0).format;
  for (const HfModule& module : modules) {
    if (module.format != &format)
      Fail(ErrorKind::kUnsupported, "{} cannot be mixed with other quantized formats in one bitsandbytes checkpoint",
           format.name);
    if (module.name == "lm_head") Fail(ErrorKind::kUnsupported, "bitsandbytes checkpoints keep lm_head unquantized");
  }
  const bool eight = IsLlmInt8(format);
  Json out;
  out["_load_in_4bit"] = !eight;
  out["_load_in_8bit"] = eight;
  out["bnb_4bit_compute_dtype"] = eight ? "float32" : dtype_;
  out["bnb_4bit_quant_storage"] = "uint8";
  out["bnb_4bit_quant_type"] = eight ? "fp4" : std::string(BitsandbytesTypeOf(format)->name);
  out["bnb_4bit_use_double_quant"] = nested_;
  out["llm_int8_enable_fp32_cpu_offload"] = false;
  out["llm_int8_has_fp16_weight"] = false;
  out["llm_int8_skip_modules"] = plain;
  out["llm_int8_threshold"] = 6.0;
  out["load_in_4bit"] = !eight;
  out["load_in_8bit"] = eight;
  out["quant_method"] = "bitsandbytes";
  return out;
}

}  // namespace

std::unique_ptr<HfContainer> MakeBitsandbytes(const HfContainerOptions& options) {
  return std::make_unique<BitsandbytesWriter>(options, false);
}
std::unique_ptr<HfContainer> MakeBitsandbytesNested(const HfContainerOptions& options) {
  return std::make_unique<BitsandbytesWriter>(options, true);
}

}  // namespace assay
