// HQQ: quant_method "hqq" as transformers saves it. Codes of the matrix reshaped to [groups, group] (axis 1) or
// [group, groups] (axis 0) are packed down its rows; the first share of rows is in the high bits. Source: hqq
// core/quantize.py, core/bitpack.py.
#include "checkpoint/hf/scheme/hqq.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/integers.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "format/bit_packing.h"
#include "format/integer_cyclic.h"

namespace assay {

const HqqPacking* FindHqqPacking(int64_t bits) {
  static constexpr HqqPacking kPackings[] = {
      {8, "8bit_u8", 1, 1, 8},  {6, "8bit_u8", 1, 1, 8}, {5, "8bit_u8", 1, 1, 8}, {4, "4bit_u8", 2, 1, 4},
      {3, "3bit_32", 10, 4, 3}, {2, "2bit_u8", 4, 1, 2}, {1, "1bit_u8", 8, 1, 1},
  };
  for (const HqqPacking& row : kPackings)
    if (row.bits == bits) return &row;
  return nullptr;
}

namespace {

class Hqq : public HfQuantization {
 public:
  explicit Hqq(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    const bool there = source.Find(module + ".W_q");
    if (there && NamedIn(plain_, module))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}.W_q is there, but skip_modules names {}", source.where(), module,
           module);
    return there || !source.Find(module + ".weight");
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override {
    if (!source.AnyEndsWith(".W_q"))
      Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method hqq, but no tensor is called *.W_q", source.where());
  }
  std::string description() const override { return description_; }

 private:
  struct Params {
    int64_t bits = 4, group = 64, axis = 1;  // group 0: a row
  };
  Params Read(const Json& json) const;
  Params Of(const std::string& module) const;

  Params usual_;
  std::map<std::string, Params> by_tag_;  // "self_attn.q_proj"
  std::vector<std::string> plain_;
  std::string description_, where_;
};

Hqq::Params Hqq::Read(const Json& json) const {
  auto inner = json.find("weight_quant_params");
  const Json& params = inner != json.end() && inner->is_object() ? *inner : json;
  CheckKeys("hqq quantizer", json, where_);
  if (&params != &json) RequireKeys("hqq params", params, where_ + ": weight_quant_params");
  Params out;
  out.bits = ReadArgument(params, "nbits", where_, 4);
  out.group = ReadArgument(params, "group_size", where_, 0);
  out.axis = ReadArgument(params, "axis", where_, 1);
  return out;
}

Hqq::Hqq(const HfQuantizationInput& in) : where_(in.where) {
  auto config = in.json.find("quant_config");
  const Json& json = config != in.json.end() && config->is_object() ? *config : in.json;
  if (json.contains("weight_quant_params") || json.contains("nbits")) {
    usual_ = Read(json);
  } else {
    for (const auto& [tag, params] : json.items())
      if (params.is_object()) by_tag_[tag] = Read(params);
    if (!by_tag_.empty()) usual_ = by_tag_.begin()->second;
  }
  plain_ = ReadNames(in.json, "skip_modules", where_);
  if (in.json.empty()) {  // each module's own tensors say it, or it is refused
    usual_.bits = 0;
    description_ = "hqq";
    return;
  }
  description_ =
      fmt::format("hqq {} bits{}", usual_.bits, usual_.group > 0 ? fmt::format(" group {}", usual_.group) : "");
}

Hqq::Params Hqq::Of(const std::string& module) const {
  for (const auto& [tag, params] : by_tag_)
    if (module.ends_with(tag)) return params;
  return usual_;
}

/// An I32 scalar that the file states beside the config's word of `key`; `fallback` when it has none.
int64_t Stated(const std::string& module, std::string_view key, int64_t fallback, HfSource& source) {
  const std::string name = fmt::format("{}.{}", module, key);
  const SafetensorsTensor* tensor = source.TakeIfThere(name);
  if (!tensor) return fallback;
  std::vector<int64_t> values = source.Integers(*tensor);
  if (values.size() != 1)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected one number, found {}", source.FileOf(*tensor), name,
         ShapeText(tensor->shape));
  return CheckArgument(key, values[0], fmt::format("{}: tensor {}", source.FileOf(*tensor), name));
}

/// Codes of the reshaped matrix [n, width], by their place in it.
struct PackedCodes {
  const HqqPacking* packing = nullptr;
  int64_t bits = 0, n = 0, width = 0;
  const SafetensorsTensor* packed = nullptr;
  const HfSource* source = nullptr;

  int64_t packed_rows() const { return (n + packing->per_item - 1) / packing->per_item; }
  void Check() const {
    if (static_cast<int64_t>(packed->data.size()) != packed_rows() * width * packing->item_bytes ||
        (packing->per_item != 10 && n % packing->per_item != 0))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected {} x {} items of {} bytes, found {} bytes",
           source->FileOf(*packed), packed->name, packed_rows(), width, packing->item_bytes, packed->data.size());
  }
  /// `count` codes from the one on that is number `first`, row by row.
  void Read(int64_t first, int64_t count, uint8_t* out) const {
    const uint32_t mask = (1u << packing->shift) - 1;
    const size_t item_bytes = static_cast<size_t>(packing->item_bytes);
    for (int64_t end = first + count; first < end;) {
      const int64_t row = first / width, column = first % width, run = std::min(width - column, end - first);
      const int shift = packing->shift * (packing->per_item - 1 - static_cast<int>(row / packed_rows()));
      const std::byte* from = packed->data.data() + (row % packed_rows() * width + column) * packing->item_bytes;
      for (int64_t i = 0; i < run; ++i, from += item_bytes) {
        uint32_t item = 0;
        std::memcpy(&item, from, item_bytes);
        const uint8_t code = static_cast<uint8_t>(item >> shift & mask);
        if (code >> bits != 0)
          Fail(ErrorKind::kCorrupt, "{}: tensor {} holds {}, beyond {} bits", source->FileOf(*packed), packed->name,
               code, bits);
        *out++ = code;
      }
      first += run;
    }
  }
};

/// Scales or zeros by group; one for all where `one`.
struct GroupFloats {
  const HfSource* source = nullptr;
  const SafetensorsTensor* tensor = nullptr;
  bool one = false;
  std::vector<float> All(int64_t groups) const {
    std::vector<float> out(static_cast<size_t>(groups));
    source->Floats(*tensor, 0, one ? 0 : 1, groups, out.data());
    return out;
  }
};

/// Axis 0: groups run down the matrix. A group size that no format has is decoded.
void PlaceCyclic(const PackedCodes& codes, int64_t width, int64_t group, const GroupFloats& scales,
                 const GroupFloats& zeros, Tensor& tensor) {
  const int64_t groups = codes.n * codes.width / group, rows = tensor.rows, cols = tensor.cols;
  const Format* format = CyclicFormat(width, group);
  if (!format) {
    tensor.format = &F32Format();
    tensor.codes.make = [codes, scales, zeros, groups, cols](int64_t begin, int64_t n, std::byte* out) {
      const std::vector<float> scale = scales.All(groups), zero = zeros.All(groups);
      std::vector<uint8_t> row(static_cast<size_t>(n * cols));
      codes.Read(begin * cols, n * cols, row.data());
      for (size_t i = 0; i < row.size(); ++i) {
        const size_t at = (static_cast<size_t>(begin * cols) + i) % scale.size();
        const float x = (static_cast<float>(row[i]) - zero[at]) * scale[at];
        std::memcpy(out + i * sizeof x, &x, sizeof x);
      }
    };
    tensor.rows_at_once = rows;
    tensor.stored_as = fmt::format("hqq axis 0 {} bits group {}", width, group);
    return;
  }
  tensor.format = format;
  // Cyclic formats are made as a whole.
  tensor.codes.make = [codes, width, rows, cols, format](int64_t, int64_t, std::byte* out) {
    std::vector<uint8_t> all(static_cast<size_t>(rows * cols));
    codes.Read(0, rows * cols, all.data());
    PackDense(all, static_cast<int>(width), {out, static_cast<size_t>(CodesBytes(*format, rows, cols))});
  };
  tensor.scales.make = [scales, zeros, groups](int64_t, int64_t, std::byte* out) {
    const std::vector<float> scale = scales.All(groups), zero = zeros.All(groups);
    for (size_t i = 0; i < scale.size(); ++i) {
      const ScaleAndZero entry{scale[i], zero[i]};
      std::memcpy(out + i * sizeof entry, &entry, sizeof entry);
    }
  };
}

void Hqq::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  const Params said = Of(module);
  const std::string why = description_.find(' ') == std::string::npos ? module + " is stored as hqq does"
                                                                      : "config.json says " + description_;
  const SafetensorsTensor& packed = source.Take(module + ".W_q", why);
  const int64_t rows = tensor.rows, cols = tensor.cols, n = rows * cols;
  const int64_t bits = Stated(module, "nbits", said.bits, source);
  const int64_t axis = Stated(module, "axis", said.axis, source);
  int64_t group = Stated(module, "group_size", said.group, source);
  if (group <= 0) group = axis == 1 ? cols : rows;
  const HqqPacking* packing = FindHqqPacking(bits);
  if (!packing || (axis != 0 && axis != 1))
    Fail(ErrorKind::kUnsupported, "{}: {}: hqq with {} bits on axis {}", source.where(), module, bits, axis);
  if (n % group != 0 || (axis == 1 && cols % group != 0))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} is not whole groups of {}", source.where(), module, ShapeText(tensor.shape),
         group);
  if (const SafetensorsTensor* shape = source.TakeIfThere(module + ".shape"))
    if (source.Integers(*shape) != tensor.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} says {}, config.json expects {}", source.FileOf(*shape), shape->name,
           ShapeText(source.Integers(*shape)), ShapeText(tensor.shape));
  for (const char* quantized : {".quant_scale", ".quant_zero"})
    if (const SafetensorsTensor* flag = source.TakeIfThere(module + quantized);
        flag && std::any_of(flag->data.begin(), flag->data.end(), [](std::byte b) { return b != std::byte{0}; }))
      Fail(ErrorKind::kUnsupported, "{}: {}: hqq with quantized scales or zeros", source.where(), module);
  for (const char* ignored :
       {".packing", ".unpack_view_dtype", ".view_as_float", ".compute_dtype", ".offload_meta", ".encoded_state_dict",
        ".stores_quant_config", ".channel_wise", ".optimize", ".round_zero"})
    source.TakeIfThere(module + ignored);
  const SafetensorsTensor& scale = source.Take(module + ".scale", why);
  const SafetensorsTensor& zero = source.Take(module + ".zero", why);
  const int64_t groups = n / group;
  const std::vector<int64_t> expected = axis == 1 ? std::vector<int64_t>{groups, 1} : std::vector<int64_t>{1, groups};
  source.ExpectShape(scale, expected);
  source.ExpectFloats(scale);
  source.ExpectFloats(zero);
  const bool one_zero = std::all_of(zero.shape.begin(), zero.shape.end(), [](int64_t dim) { return dim == 1; });
  if (!one_zero) source.ExpectShape(zero, expected);
  const PackedCodes codes{packing, bits, axis == 1 ? groups : group, axis == 1 ? group : groups, &packed, &source};
  codes.Check();
  tensor.stored_bytes = packed.data.size() + scale.data.size() + zero.data.size();
  const int64_t width = std::max<int64_t>(bits, 2);  // of the formats
  if (axis == 0) return PlaceCyclic(codes, width, group, {&source, &scale, false}, {&source, &zero, one_zero}, tensor);
  IntegerMatrix matrix;
  matrix.kind.bits = width;
  matrix.kind.group = group == cols ? -1 : group;
  matrix.groups = cols / group;
  matrix.scales = ReadGroups(source, scale, matrix.groups, 1);
  matrix.zeros = one_zero ? ReadGroups(source, zero, 0, 0) : ReadGroups(source, zero, matrix.groups, 1);
  const RowReader row_codes = [codes, cols](int64_t row, uint8_t* out) { codes.Read(row * cols, cols, out); };
  matrix.codes.make = LayCodes(width, cols, [row_codes] { return row_codes; });
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseHqq(const HfQuantizationInput& in) {
  return std::make_unique<Hqq>(in);
}

}  // namespace assay
