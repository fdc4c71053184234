// HQQ on both axes. Writing.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/scale_bytes.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/hf/scheme/hqq.h"
#include "format/bit_packing.h"

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
    if (format.cyclic) return true;
    std::optional<IntegerKind> kind = IntegerKindOf(format);
    return kind && kind->weight_only() && kind->group != 0 && kind->block_rows == 1 && !kind->column_group &&
           FindHqqPacking(kind->bits);
  }
  bool HoldsRows() const override { return !collector_.empty(); }
  std::string_view ScaleDtype(const HfModule& module) const override {
    return module.scale_dtype.empty() ? dtype_ : module.scale_dtype;
  }
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
  std::string_view dtype_;
  MatrixCollector collector_;
};

/// What HQQ calls a format: weights of a group (0: a row), and along what they lie.
struct HqqShape {
  int64_t bits, group, axis;
};

HqqShape ShapeOf(const Format& format) {
  if (format.cyclic) return {format.bits, format.scale_weights, 0};
  const IntegerKind kind = *IntegerKindOf(format);
  return {kind.bits, std::max<int64_t>(kind.group, 0), 1};
}

/// A module's matrix as HQQ reshapes it: its rows are packed together.
struct HqqMatrix {
  int64_t bits, group, axis;
  int64_t rows, cols;
  const HqqPacking& packing;
  int64_t items() const { return (rows + packing.per_item - 1) / packing.per_item; }  // of a column
};

HqqMatrix MatrixOf(const HfModule& module) {
  const HqqShape shape = ShapeOf(*module.format);
  const int64_t n = module.rows * module.cols, group = shape.group > 0 ? shape.group : module.cols;
  if (n % group != 0)
    Fail(ErrorKind::kUnsupported, "{}: HQQ wants whole groups of {} weights, found {}", module.name, group, n);
  const HqqPacking& packing = *FindHqqPacking(shape.bits);
  const int64_t groups = n / group;
  return shape.axis == 1 ? HqqMatrix{shape.bits, group, 1, groups, group, packing}
                         : HqqMatrix{shape.bits, group, 0, group, groups, packing};
}

std::vector<HqqWriter::Fact> HqqWriter::Facts(const HfModule& module) const {
  const HqqMatrix matrix = MatrixOf(module);
  std::vector<Fact> out;
  auto text = [&](const char* name, std::string_view value) {
    out.push_back({name, "U8", {static_cast<int64_t>(value.size())}, std::string(value)});
  };
  auto flag = [&](const char* name, bool value) { out.push_back({name, "U8", {}, std::string(1, value ? 1 : 0)}); };
  auto number = [&](const char* name, int32_t value) {
    out.push_back({name, "I32", {}, std::string(reinterpret_cast<const char*>(&value), 4)});
  };
  number("axis", static_cast<int32_t>(matrix.axis));
  flag("channel_wise", true);
  text("compute_dtype", TorchName(ScaleDtype(module)));
  flag("encoded_state_dict", true);
  number("group_size", static_cast<int32_t>(matrix.group));
  number("nbits", static_cast<int32_t>(matrix.bits));
  flag("offload_meta", false);
  flag("optimize", true);
  text("packing", matrix.packing.name);
  flag("quant_scale", false);
  flag("quant_zero", false);
  flag("round_zero", matrix.bits == 4);
  const int64_t shape[2] = {module.rows, module.cols};
  out.push_back({"shape", "I64", {2}, std::string(reinterpret_cast<const char*>(shape), 16)});
  flag("stores_quant_config", true);
  text("unpack_view_dtype", matrix.packing.item_bytes == 4 ? "torch.int32" : "torch.uint8");
  flag("view_as_float", false);
  return out;
}

std::vector<SafetensorsPart> HqqWriter::Parts(const HfModule& module) const {
  const HqqMatrix matrix = MatrixOf(module);
  const HqqPacking& packing = matrix.packing;
  if (packing.per_item != 10 && matrix.rows % packing.per_item != 0)
    Fail(ErrorKind::kUnsupported, "{}: HQQ packs {} {} together, found {}", module.name, packing.per_item,
         matrix.axis == 1 ? "groups" : "weights of a group", matrix.rows);
  const std::vector<int64_t> groups =
      matrix.axis == 1 ? std::vector<int64_t>{matrix.rows, 1} : std::vector<int64_t>{1, matrix.cols};
  std::vector<SafetensorsPart> parts = {
      MakePart(module.name + ".W_q", packing.item_bytes == 4 ? "I32" : "U8", {matrix.items(), matrix.cols}),
      MakePart(module.name + ".scale", ScaleDtype(module), groups),
      MakePart(module.name + ".zero", ScaleDtype(module), groups)};
  for (Fact& fact : Facts(module)) parts.push_back(MakePart(module.name + "." + fact.name, fact.dtype, fact.shape));
  return parts;
}

/// All codes of a collected matrix, row after row.
std::vector<uint8_t> AllCodes(const HfModule& module, int64_t bits, const std::vector<std::byte>& codes) {
  std::vector<uint8_t> out(static_cast<size_t>(module.rows * module.cols));
  if (module.format->cyclic) {
    UnpackDense(codes, static_cast<int>(bits), out);
    return out;
  }
  const int64_t row_bytes = CodesBytes(*module.format, 1, module.cols);
  for (int64_t r = 0; r < module.rows; ++r)
    RowCodes(bits, codes.data() + r * row_bytes, module.cols, out.data() + r * module.cols);
  return out;
}

void HqqWriter::Begin(const HfModule& module, const HfSink& sink) {
  for (const Fact& fact : Facts(module)) sink(module.name + "." + fact.name, 0, std::as_bytes(std::span(fact.bytes)));
}

void HqqWriter::Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                     std::span<const std::byte> scales, const HfSink& sink) {
  const MatrixCollector::Matrix* matrix = collector_.Add(module, begin, n, codes, scales);
  if (!matrix) return;
  const HqqMatrix hqq = MatrixOf(module);
  const int64_t items = hqq.items(), width = hqq.cols, item_bytes = hqq.packing.item_bytes;
  const std::vector<uint8_t> all = AllCodes(module, hqq.bits, matrix->codes);
  std::vector<std::byte> out(static_cast<size_t>(items * width * item_bytes));
  for (int64_t r = 0; r < hqq.rows; ++r) {
    const int shift = hqq.packing.shift * (hqq.packing.per_item - 1 - static_cast<int>(r / items));
    std::byte* to = out.data() + r % items * width * item_bytes;
    for (int64_t c = 0; c < width; ++c, to += item_bytes) {
      uint32_t item = 0;
      std::memcpy(&item, to, static_cast<size_t>(item_bytes));
      item |= static_cast<uint32_t>(all[static_cast<size_t>(r * width + c)]) << shift;
      std::memcpy(to, &item, static_cast<size_t>(item_bytes));
    }
  }
  sink(module.name + ".W_q", 0, out);
  std::vector<float> zeros;
  std::vector<float> plane = FloatsOfPlane(*module.format, matrix->scales, &zeros);
  if (module.format->scale_bytes == 4)
    zeros.assign(plane.size(), static_cast<float>(1 << (hqq.bits - 1)));
  else if (hqq.bits == 8 && !module.format->cyclic)
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
  const HqqShape shape = ShapeOf(format);
  Json params;
  params["axis"] = shape.axis;
  params["channel_wise"] = true;
  params["group_size"] = shape.group > 0 ? Json(shape.group) : Json(nullptr);
  params["nbits"] = shape.bits;
  params["optimize"] = true;
  params["round_zero"] = shape.bits == 4;
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
