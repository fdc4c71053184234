// HQQ on axis 1. Writing.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/hqq.h"
#include "checkpoint/hf/integers.h"
#include "checkpoint/hf/scale_bytes.h"
#include "checkpoint/hf/writing.h"

namespace assay {
namespace {

/// torch.float16 of safetensors' name.
std::string_view TorchName(std::string_view dtype) {
  return dtype == "F16" ? "torch.float16" : dtype == "BF16" ? "torch.bfloat16" : "torch.float32";
}

class HqqWriter : public HfContainer {
 public:
  explicit HqqWriter(const HfContainerOptions& options)
      : dtype_(options.dtype == "float16"   ? "F16"
               : options.dtype == "float32" ? "F32"
                                            : "BF16") {}
  bool Holds(const Format& format) const override {
    std::optional<IntegerKind> kind = IntegerKindOf(format);
    return kind && kind->activations.empty() && kind->group != 0 && kind->block_rows == 1 && !kind->column_group &&
           FindHqqPacking(kind->bits);
  }
  bool HoldsMatrices() const override { return true; }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override;
  void Begin(const HfModule& module, const HfSink& sink) override;
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override;
  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override;

 private:
  /// One of the small tensors that HQQ keeps beside each matrix.
  struct Fact {
    std::string name, dtype;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  std::vector<Fact> Facts(const HfModule& module) const;
  std::string_view ScaleDtype(const HfModule& module) const {
    return module.scale_dtype.empty() ? dtype_ : module.scale_dtype;
  }

  std::string_view dtype_;
  MatrixCollector collector_;
};

int64_t GroupOf(const HfModule& module) {
  const int64_t group = IntegerKindOf(*module.format)->group;
  return group > 0 ? group : module.cols;
}

std::vector<HqqWriter::Fact> HqqWriter::Facts(const HfModule& module) const {
  const int64_t bits = CodeBits(*module.format);
  const HqqPacking& packing = *FindHqqPacking(bits);
  std::vector<Fact> out;
  auto text = [&](const char* name, std::string_view value) {
    out.push_back({name, "U8", {static_cast<int64_t>(value.size())}, std::string(value)});
  };
  auto flag = [&](const char* name, bool value) { out.push_back({name, "U8", {}, std::string(1, value ? 1 : 0)}); };
  auto number = [&](const char* name, int32_t value) {
    out.push_back({name, "I32", {}, std::string(reinterpret_cast<const char*>(&value), 4)});
  };
  number("axis", 1);
  flag("channel_wise", true);
  text("compute_dtype", TorchName(ScaleDtype(module)));
  flag("encoded_state_dict", true);
  number("group_size", static_cast<int32_t>(GroupOf(module)));
  number("nbits", static_cast<int32_t>(bits));
  flag("offload_meta", false);
  flag("optimize", true);
  text("packing", packing.name);
  flag("quant_scale", false);
  flag("quant_zero", false);
  flag("round_zero", bits == 4);
  const int64_t shape[2] = {module.rows, module.cols};
  out.push_back({"shape", "I64", {2}, std::string(reinterpret_cast<const char*>(shape), 16)});
  flag("stores_quant_config", true);
  text("unpack_view_dtype", packing.item_bytes == 4 ? "torch.int32" : "torch.uint8");
  flag("view_as_float", false);
  return out;
}

std::vector<SafetensorsPart> HqqWriter::Parts(const HfModule& module) const {
  const HqqPacking& packing = *FindHqqPacking(CodeBits(*module.format));
  const int64_t group = GroupOf(module), groups = module.rows * module.cols / group;
  if (packing.per_item != 10 && groups % packing.per_item != 0)
    Fail(ErrorKind::kUnsupported, "{}: HQQ packs {} groups together, found {}", module.name, packing.per_item, groups);
  std::vector<SafetensorsPart> parts = {MakePart(module.name + ".W_q", packing.item_bytes == 4 ? "I32" : "U8",
                                                 {(groups + packing.per_item - 1) / packing.per_item, group}),
                                        MakePart(module.name + ".scale", ScaleDtype(module), {groups, 1}),
                                        MakePart(module.name + ".zero", ScaleDtype(module), {groups, 1})};
  for (Fact& fact : Facts(module)) parts.push_back(MakePart(module.name + "." + fact.name, fact.dtype, fact.shape));
  return parts;
}

void HqqWriter::Begin(const HfModule& module, const HfSink& sink) {
  for (const Fact& fact : Facts(module)) sink(module.name + "." + fact.name, 0, std::as_bytes(std::span(fact.bytes)));
}

void HqqWriter::Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                     std::span<const std::byte> scales, const HfSink& sink) {
  const MatrixCollector::Matrix* matrix = collector_.Add(module, begin, n, codes, scales);
  if (!matrix) return;
  const int64_t bits = CodeBits(*module.format), group = GroupOf(module), cols = module.cols;
  const HqqPacking& packing = *FindHqqPacking(bits);
  const int64_t groups = module.rows * cols / group, items = (groups + packing.per_item - 1) / packing.per_item;
  std::vector<std::byte> out(static_cast<size_t>(items * group * packing.item_bytes));
  std::vector<uint8_t> row(static_cast<size_t>(cols));
  const int64_t row_bytes = CodesBytes(*module.format, 1, cols);
  for (int64_t r = 0; r < module.rows; ++r) {
    RowCodes(bits, matrix->codes.data() + r * row_bytes, cols, row.data());
    for (int64_t c = 0; c < cols; ++c) {
      const int64_t at = r * cols + c, share = at / group / items;
      std::byte* to = out.data() + (at / group % items * group + at % group) * packing.item_bytes;
      uint32_t item = 0;
      std::memcpy(&item, to, static_cast<size_t>(packing.item_bytes));
      item |= static_cast<uint32_t>(row[static_cast<size_t>(c)])
              << (packing.shift * (packing.per_item - 1 - static_cast<int>(share)));
      std::memcpy(to, &item, static_cast<size_t>(packing.item_bytes));
    }
  }
  sink(module.name + ".W_q", 0, out);
  std::vector<float> zeros;
  std::vector<float> plane = FloatsOfPlane(*module.format, matrix->scales, &zeros);
  if (module.format->scale_bytes == 4)
    zeros.assign(plane.size(), static_cast<float>(1 << (bits - 1)));
  else if (bits == 8)
    for (float& zero : zeros) zero += 128.0f;
  sink(module.name + ".scale", 0, ScaleBytes(plane, ScaleDtype(module)));
  sink(module.name + ".zero", 0, ScaleBytes(zeros, ScaleDtype(module)));
  collector_.Drop(module);
}

Json HqqWriter::Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const {
  const Format& format = *modules.at(0).format;
  for (const HfModule& module : modules)
    if (module.format != &format)
      Fail(ErrorKind::kUnsupported, "{}: HQQ checkpoints written here have one scheme; {} and {} differ", module.name,
           module.format->name, format.name);
  const IntegerKind kind = *IntegerKindOf(format);
  Json params;
  params["axis"] = 1;
  params["channel_wise"] = true;
  params["group_size"] = kind.group > 0 ? Json(kind.group) : Json(nullptr);
  params["nbits"] = kind.bits;
  params["optimize"] = true;
  params["round_zero"] = kind.bits == 4;
  params["view_as_float"] = false;
  Json out;
  out["quant_config"] = {{"offload_meta", false},
                         {"scale_quant_params", nullptr},
                         {"weight_quant_params", params},
                         {"zero_quant_params", nullptr}};
  out["quant_method"] = "hqq";
  out["skip_modules"] = plain;
  return out;
}

}  // namespace

std::unique_ptr<HfContainer> MakeHqq(const HfContainerOptions& options) {
  return std::make_unique<HqqWriter>(options);
}

}  // namespace assay
