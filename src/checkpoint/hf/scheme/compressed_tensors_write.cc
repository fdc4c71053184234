// compressed-tensors. Writing.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/scale_bytes.h"
#include "checkpoint/hf/packing/writing.h"
#include "format/bit_packing.h"

namespace assay {
namespace {

/// What a format is in compressed-tensors' terms.
struct Scheme {
  std::string_view compression;  // "pack-quantized"; "" when it cannot be said
  std::string_view type = "float";
  int64_t bits = 8, group = 0;
  std::string_view strategy;
  bool symmetric = true, column_group = false;
  ActivationKind activation = ActivationKind::kBF16;

  bool weight_only() const { return activation == ActivationKind::kBF16; }
  bool calibrated() const {
    return activation == ActivationKind::kInt8Static || activation == ActivationKind::kFp8Static;
  }
  bool fp4_activations() const { return activation == ActivationKind::kNvfp4 || activation == ActivationKind::kMxfp4; }
};

struct FloatRow {
  FormatFamily family;
  std::string_view number;
  int scale_weights;
  std::string_view weight_only, with_activations;
  int64_t group;
  std::string_view strategy;
};
constexpr FloatRow kFloats[] = {
    {FormatFamily::kFp8, "fp8_e4m3", 0, "naive-quantized", "float-quantized", 0, "tensor"},
    {FormatFamily::kFp8, "fp8_e4m3", -1, "naive-quantized", "float-quantized", 0, "channel"},
    {FormatFamily::kFp8, "fp8_e4m3", 128, "naive-quantized", "float-quantized", 0, "block"},
    {FormatFamily::kMx, "fp6_e2m3", 32, "mxfp6-pack-quantized", "mxfp6-pack-quantized", 32, "group"},
    {FormatFamily::kMx, "fp8_e4m3", 32, "mxfp8-quantized", "mxfp8-quantized", 32, "group"},
    {FormatFamily::kNvfp4, "fp4_e2m1", 16, "nvfp4-pack-quantized", "nvfp4-pack-quantized", 16, "tensor_group"},
    {FormatFamily::kMx, "fp4_e2m1", 32, "mxfp4-pack-quantized", "mxfp4-pack-quantized", 32, "group"},
};

Scheme SchemeOf(const Format& format) {
  Scheme out;
  out.activation = format.activation;
  for (const FloatRow& row : kFloats) {
    // GGUF's blocks of the same elements have no scales apart.
    if (format.family != row.family || format.number != row.number || format.scale_weights != row.scale_weights)
      continue;
    out.compression = out.weight_only() ? row.weight_only : row.with_activations;
    out.bits = format.bits;
    out.group = row.group;
    out.strategy = row.strategy;
    return out;
  }
  std::optional<IntegerKind> kind = IntegerKindOf(format);
  if (!kind) return out;
  out.type = "int";
  out.bits = kind->bits;
  out.symmetric = !kind->asymmetric;
  out.column_group = kind->column_group;
  out.group = kind->group > 0 && kind->block_rows == 1 ? kind->group : 0;
  out.strategy = kind->block_rows > 1 ? "block" : kind->group > 0 ? "group" : kind->group < 0 ? "channel" : "tensor";
  // Weight-only integers are written packed, because that is the form that serving engines load; a matrix with one
  // scale or with scales of blocks has no packed form.
  const bool packed = kind->weight_only() && (out.strategy == "group" || out.strategy == "channel");
  out.compression = packed ? "pack-quantized" : "int-quantized";
  return out;
}

Json ArgsJson(const Scheme& scheme) {
  Json out;
  out["actorder"] = scheme.column_group ? Json("group") : Json(nullptr);
  out["block_structure"] = scheme.strategy == "block" ? Json::array({128, 128}) : Json(nullptr);
  out["dynamic"] = false;
  out["group_size"] = scheme.group > 0 ? Json(scheme.group) : Json(nullptr);
  out["num_bits"] = scheme.bits;
  out["observer"] = "memoryless_minmax";
  out["observer_kwargs"] = Json::object();
  if (scheme.compression == "nvfp4-pack-quantized") out["scale_dtype"] = "torch.float8_e4m3fn";
  if (scheme.compression.starts_with("mxfp")) out["scale_dtype"] = "torch.uint8";
  out["strategy"] = scheme.strategy;
  out["symmetric"] = scheme.symmetric;
  out["type"] = scheme.type;
  return out;
}

Json ActivationsJson(const Scheme& scheme) {
  if (scheme.weight_only()) return nullptr;
  const bool calibrated = scheme.calibrated();
  Json out = ArgsJson(Scheme{});
  out["type"] = scheme.activation == ActivationKind::kFp8PerToken ? "float" : std::string(scheme.type);
  out["num_bits"] = scheme.fp4_activations() ? 4 : 8;
  out["dynamic"] = !calibrated;
  out["observer"] = calibrated ? Json("minmax") : Json(nullptr);
  out["strategy"] = calibrated ? "tensor" : "token";
  if (scheme.strategy == "block") {
    out["strategy"] = "group";
    out["group_size"] = 128;
  } else if (scheme.strategy == "tensor_group") {
    out["strategy"] = "tensor_group";
    out["group_size"] = 16;
    out["dynamic"] = "local";
    out["scale_dtype"] = "torch.float8_e4m3fn";
  } else if (scheme.group == 32 && scheme.type == "float") {
    out["strategy"] = "group";
    out["group_size"] = 32;
    out["scale_dtype"] = "torch.uint8";
  }
  return out;
}

class CompressedTensorsWriter : public HfContainer {
 public:
  explicit CompressedTensorsWriter(const HfContainerOptions& options) : fp8_cache_(options.fp8_cache) {}
  bool Holds(const Format& format) const override { return !SchemeOf(format).compression.empty(); }
  std::string WhyNotZero(const Format& format, float zero) const override { return WhyNotCode(format, zero); }
  std::string_view ScaleDtype(const HfModule& module) const override {
    return module.scale_dtype.empty() ? "BF16" : module.scale_dtype;
  }
  SafetensorsPart CacheScalePart(const std::string& attention, char of) const override {
    return MakePart(fmt::format("{}.{}_scale", attention, of), "F32", {1});
  }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override;
  void Begin(const HfModule& module, const HfSink& sink) override;
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override;
  bool HoldsRows() const override { return !zeros_.empty(); }
  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override;

 private:
  void IntegerRows(const Scheme& scheme, const HfModule& module, int64_t begin, int64_t n,
                   std::span<const std::byte> codes, std::span<const std::byte> scales, const HfSink& sink);

  bool fp8_cache_;
  std::map<std::string, std::vector<uint8_t>> zeros_;  // [groups, rows] until all rows are there
};

bool Mx(const Scheme& scheme) {
  return scheme.compression.starts_with("mxfp");
}

std::vector<SafetensorsPart> CompressedTensorsWriter::Parts(const HfModule& module) const {
  const Scheme scheme = SchemeOf(*module.format);
  const int64_t rows = module.rows, cols = module.cols;
  const int bits = static_cast<int>(scheme.bits);
  const int64_t groups = ScalesPerRow(*module.format, cols);
  std::vector<SafetensorsPart> parts;
  auto add = [&](const char* end, std::string_view dtype, std::vector<int64_t> shape) {
    parts.push_back(MakePart(module.name + end, dtype, std::move(shape)));
  };
  if (scheme.bits < 8 && scheme.type == "float") {
    add(".weight_packed", "U8", {rows, CodesBytes(*module.format, 1, cols)});
    add(".weight_scale", Mx(scheme) ? "U8" : "F8_E4M3", {rows, groups});
    if (!Mx(scheme)) add(".weight_global_scale", "F32", {1});
    if (scheme.fp4_activations() && !Mx(scheme)) add(".input_global_scale", "F32", {1});
    return parts;
  }
  if (scheme.compression == "pack-quantized") {
    add(".weight_packed", "I32", {rows, DenseWordBytes(cols, bits) / 4});
    add(".weight_shape", "I64", {2});
  } else {
    add(".weight", scheme.type == "float" ? "F8_E4M3" : "I8", {rows, cols});
  }
  if (Mx(scheme))
    add(".weight_scale", "U8", {rows, groups});
  else if (scheme.strategy == "tensor")
    add(".weight_scale", ScaleDtype(module), {1});
  else if (scheme.strategy == "block")
    add(".weight_scale", ScaleDtype(module), {(rows + 127) / 128, groups});
  else
    add(".weight_scale", ScaleDtype(module), {rows, groups});
  if (!scheme.symmetric) add(".weight_zero_point", "I32", {DenseWordBytes(rows, bits) / 4, groups});
  if (scheme.column_group) add(".weight_g_idx", "I32", {cols});
  if (scheme.calibrated()) add(".input_scale", ScaleDtype(module), {1});
  return parts;
}

void WriteFloat(const HfSink& sink, const std::string& name, float value, std::string_view dtype) {
  std::vector<std::byte> bytes = ScaleBytes(std::span(&value, 1), dtype);
  sink(name, 0, bytes);
}

void CompressedTensorsWriter::Begin(const HfModule& module, const HfSink& sink) {
  const Scheme scheme = SchemeOf(*module.format);
  if (scheme.compression == "pack-quantized") {
    int64_t shape[2] = {module.rows, module.cols};
    sink(module.name + ".weight_shape", 0, std::as_bytes(std::span(shape)));
  }
  // compressed-tensors divides by what the file states.
  if (scheme.compression == "nvfp4-pack-quantized") {
    WriteFloat(sink, module.name + ".weight_global_scale", module.global_divisor / module.global_scale, "F32");
    if (scheme.fp4_activations())
      WriteFloat(sink, module.name + ".input_global_scale",
                 module.activation_scale > 0 ? 1.0f / module.activation_scale : 1.0f, "F32");
  } else if (scheme.strategy == "tensor") {
    WriteFloat(sink, module.name + ".weight_scale", module.global_scale / module.global_divisor, ScaleDtype(module));
  }
  if (scheme.calibrated()) WriteFloat(sink, module.name + ".input_scale", module.activation_scale, ScaleDtype(module));
  if (scheme.column_group) {
    std::vector<int32_t> index = module.column_group;
    for (int64_t c = 0; index.size() < static_cast<size_t>(module.cols); ++c)
      index.push_back(static_cast<int32_t>(c / scheme.group));
    sink(module.name + ".weight_g_idx", 0, std::as_bytes(std::span(index)));
  }
}

void CompressedTensorsWriter::IntegerRows(const Scheme& scheme, const HfModule& module, int64_t begin, int64_t n,
                                          std::span<const std::byte> codes, std::span<const std::byte> scales,
                                          const HfSink& sink) {
  const int64_t bits = scheme.bits, cols = module.cols, row_bytes = CodesBytes(*module.format, 1, cols);
  const bool packed = scheme.compression == "pack-quantized";
  const int64_t file_row = packed ? DenseWordBytes(cols, static_cast<int>(bits)) : cols;
  std::span<const std::byte> rows_bytes = codes;
  std::vector<std::byte> out;
  if (packed && bits == 8 && file_row == row_bytes) {  // unsigned in the file
    out.resize(codes.size());
    TurnSigns(codes.data(), static_cast<int64_t>(codes.size()), out.data());
    rows_bytes = out;
  } else if (file_row != row_bytes) {
    out.resize(static_cast<size_t>(n * file_row));
    std::vector<uint8_t> row(static_cast<size_t>(cols));
    for (int64_t r = 0; r < n; ++r) {
      RowCodes(bits, codes.data() + r * row_bytes, cols, row.data());
      std::span<std::byte> to(out.data() + r * file_row, static_cast<size_t>(file_row));
      if (packed)
        PackDense(row, static_cast<int>(bits), to.first(static_cast<size_t>((cols * bits + 7) / 8)));
      else
        for (size_t c = 0; c < row.size(); ++c)
          to[c] = static_cast<std::byte>(static_cast<int>(row[c]) - (1 << (bits - 1)));
    }
    rows_bytes = out;
  }
  sink(module.name + (packed ? ".weight_packed" : ".weight"), static_cast<uint64_t>(begin * file_row), rows_bytes);
  if (scheme.symmetric) return;
  // Zeros are packed down the rows: they wait for the last.
  const int64_t groups = ScalesPerRow(*module.format, cols), rows = module.rows;
  std::vector<uint8_t>& zeros = zeros_[module.name];
  zeros.resize(static_cast<size_t>(groups * rows));
  for (int64_t i = 0; i < n * groups; ++i) {
    float zero;
    std::memcpy(&zero, scales.data() + i * 8 + 4, 4);
    int code = static_cast<int>(zero) + (bits == 8 ? 128 : 0);
    if (static_cast<float>(code - (bits == 8 ? 128 : 0)) != zero || code < 0 || code >= 1 << bits)
      Fail(ErrorKind::kUnsupported, "{}: a zero of {} is not one of the {}-bit codes, which compressed-tensors stores",
           module.name, zero, bits);
    zeros[static_cast<size_t>(i % groups * rows + begin + i / groups)] = static_cast<uint8_t>(code);
  }
  if (begin + n < rows) return;
  const int64_t words = DenseWordBytes(rows, static_cast<int>(bits)) / 4;
  std::vector<std::byte> columns(static_cast<size_t>(groups * words * 4));
  for (int64_t g = 0; g < groups; ++g)
    PackDense(
        std::span(zeros).subspan(static_cast<size_t>(g * rows), static_cast<size_t>(rows)), static_cast<int>(bits),
        std::span(columns).subspan(static_cast<size_t>(g * words * 4), static_cast<size_t>((rows * bits + 7) / 8)));
  sink(module.name + ".weight_zero_point", 0, TransposedWords(columns, groups, words));
  zeros_.erase(module.name);
}

void CompressedTensorsWriter::Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
                                   std::span<const std::byte> scales, const HfSink& sink) {
  const Scheme scheme = SchemeOf(*module.format);
  const int64_t groups = ScalesPerRow(*module.format, module.cols);
  if (scheme.type == "int") {
    IntegerRows(scheme, module, begin, n, codes, scales, sink);
  } else {
    sink(module.name + (scheme.bits < 8 ? ".weight_packed" : ".weight"),
         static_cast<uint64_t>(CodesBytes(*module.format, begin, module.cols)), codes);
  }
  if (scheme.strategy == "tensor") return;
  const std::string name = module.name + ".weight_scale";
  if (module.format->scale_bytes == 1) {
    sink(name, static_cast<uint64_t>(begin * groups), scales);
    return;
  }
  std::vector<float> plane = FloatsOfPlane(*module.format, scales);
  const uint64_t width = static_cast<uint64_t>(SafetensorsDtypeBits(ScaleDtype(module))) / 8;
  if (scheme.strategy != "block") {
    sink(name, static_cast<uint64_t>(begin * groups) * width, ScaleBytes(plane, ScaleDtype(module)));
    return;
  }
  for (int64_t row = (begin + 127) / 128 * 128; row < begin + n; row += 128)
    sink(name, static_cast<uint64_t>(row / 128 * groups) * width,
         ScaleBytes(std::span(plane).subspan(static_cast<size_t>((row - begin) * groups), static_cast<size_t>(groups)),
                    ScaleDtype(module)));
}

Json CompressedTensorsWriter::Config(const std::vector<HfModule>& modules,
                                     const std::vector<std::string>& plain) const {
  std::map<std::string_view, std::vector<std::string>> by_format;
  for (const HfModule& module : modules) by_format[module.format->name].push_back(module.name);
  Json out, groups = Json::object();
  std::string top;
  for (const auto& [name, members] : by_format) {
    const Scheme scheme = SchemeOf(GetFormat(name));
    Json group;
    group["format"] = scheme.compression;
    group["input_activations"] = ActivationsJson(scheme);
    group["output_activations"] = nullptr;
    group["targets"] = by_format.size() == 1 ? Json::array({"Linear"}) : Json(members);
    group["weights"] = ArgsJson(scheme);
    groups[fmt::format("group_{}", groups.size())] = group;
    top = top.empty() || top == scheme.compression ? std::string(scheme.compression) : "mixed-precision";
  }
  out["config_groups"] = groups;
  out["format"] = top;
  out["global_compression_ratio"] = nullptr;
  out["ignore"] = plain;
  out["kv_cache_scheme"] = nullptr;
  if (fp8_cache_)
    out["kv_cache_scheme"] = {
        {"dynamic", false}, {"num_bits", 8}, {"strategy", "tensor"}, {"symmetric", true}, {"type", "float"}};
  out["quant_method"] = "compressed-tensors";
  out["quantization_status"] = "compressed";
  out["sparsity_config"] = Json::object();
  out["transform_config"] = Json::object();
  out["version"] = "0.12.2";
  return out;
}

}  // namespace

std::unique_ptr<HfContainer> MakeCompressedTensors(const HfContainerOptions& options) {
  return std::make_unique<CompressedTensorsWriter>(options);
}

}  // namespace assay
