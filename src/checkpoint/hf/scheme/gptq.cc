// GPTQ: quant_method "gptq" (AutoGPTQ, GPTQModel, transformers). Both zero conventions, activation order, planar
// 3/5/6/7 bits. Source: GPTQModel nn_modules/qlinear, utils/model.py (convert_gptq_v1_to_v2_format); AutoGPTQ
// qlinear_cuda_old.
#include "checkpoint/hf/scheme/gptq.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "format/bit_packing.h"

namespace assay {
namespace {

/// Planar words of rows to dense ones.
void Replane(std::byte* codes, int64_t bits, int64_t rows, int64_t cols) {
  std::vector<uint8_t> row(static_cast<size_t>(cols));
  const size_t row_bytes = static_cast<size_t>(cols * bits / 8);
  for (int64_t r = 0; r < rows; ++r, codes += row_bytes) {
    std::span<std::byte> bytes(codes, row_bytes);
    UnpackPlanar(bytes, static_cast<int>(bits), row);
    PackDense(row, static_cast<int>(bits), bytes);
  }
}

/// The rows of qweight [cols * bits / 32, rows] as Format lays them.
RowMaker Codes(const GptqLayout& layout, const std::byte* words, int64_t rows, int64_t cols) {
  return
      [bits = layout.kind.bits, planar = layout.planar, words, rows, cols](int64_t begin, int64_t n, std::byte* out) {
        TransposeWords(words, cols * bits / 32, rows, begin, n, out);
        if (planar) Replane(out, bits, n, cols);
        if (bits == 8) TurnSigns(out, n * cols, out);
      };
}

/// Undoes "less one" as GPTQModel does it, which borrows and carries between the fields of a word; widths whose fields
/// straddle words are undone field by field.
void AddOneToWords(std::span<std::byte> words, int bits) {
  const uint32_t ones = 0xffffffffu / ((1u << bits) - 1);
  for (size_t i = 0; i + 4 <= words.size(); i += 4) {
    uint32_t word;
    std::memcpy(&word, words.data() + i, 4);
    word += ones;
    std::memcpy(words.data() + i, &word, 4);
  }
}

/// True zeros of qzeros [groups, rows * bits / 32].
GroupReader Zeros(const GptqLayout& layout, const SafetensorsTensor& packed, int64_t rows) {
  return [bits = static_cast<int>(layout.kind.bits), planar = layout.planar,
          less_one = layout.zeros == GptqZeros::kLessOne, data = packed.data.data(),
          rows](int64_t group, int64_t begin, int64_t n, float* out) {
    const bool by_words = less_one && 32 % bits == 0;
    constexpr int64_t kUnit = 32;  // zeros that fill words, whatever the bits; the last may be fewer
    std::array<std::byte, kUnit> words;
    std::array<uint8_t, kUnit> codes;
    for (int64_t at = begin / kUnit * kUnit; at < begin + n; at += kUnit) {
      const size_t count = static_cast<size_t>(std::min(kUnit, rows - at)),
                   bytes = count * static_cast<size_t>(bits) / 8;
      std::memcpy(words.data(), data + (group * rows + at) * bits / 8, bytes);
      const std::span<std::byte> in(words.data(), bytes);
      const std::span<uint8_t> unit(codes.data(), count);
      if (by_words) AddOneToWords(in, bits);
      planar ? UnpackPlanar(in, bits, unit) : UnpackDense(in, bits, unit);
      for (int64_t row = std::max(begin, at); row < std::min(begin + n, at + static_cast<int64_t>(count)); ++row) {
        int zero = codes[static_cast<size_t>(row - at)];
        if (less_one && !by_words) zero = (zero + 1) & ((1 << bits) - 1);
        out[row - begin] = static_cast<float>(zero);
      }
    }
  };
}

/// A symmetric matrix has its zero in the middle; which convention the file follows can be seen from that.
void CheckSymmetricZeros(const GptqLayout& layout, std::span<const float> zeros, const SafetensorsTensor& packed,
                         const HfSource& source) {
  const float middle = static_cast<float>(1 << (layout.kind.bits - 1));
  auto all = [&](float value) { return std::all_of(zeros.begin(), zeros.end(), [&](float z) { return z == value; }); };
  if (all(middle)) return;
  const bool v1 = layout.zeros == GptqZeros::kLessOne;
  const float mistaken = v1 ? middle + 1 : middle - 1;
  if (all(mistaken))
    Fail(ErrorKind::kCorrupt,
         "{}: tensor {}: every zero is stored as {}, which is what symmetric {} bits are in {}, but config.json says "
         "{}; "
         "state the right checkpoint_format (\"{}\") there",
         source.FileOf(packed), packed.name, v1 ? mistaken - 1 : mistaken, layout.kind.bits,
         v1 ? "gptq_v2 (true zeros)" : "gptq (zeros less one)", layout.declared, v1 ? "gptq_v2" : "gptq");
  Fail(ErrorKind::kCorrupt, "{}: tensor {}: config.json says symmetric ({}), but the zeros are not all {}",
       source.FileOf(packed), packed.name, layout.declared, middle);
}

/// Scales of a symmetric matrix, whose zeros are looked at as they are read: at the first group now.
GroupReader SymmetricScales(const GptqLayout& layout, GroupReader scales, const SafetensorsTensor& packed, int64_t rows,
                            const HfSource& source) {
  auto check = [layout, zeros = Zeros(layout, packed, rows), &packed, &source](int64_t group, int64_t begin,
                                                                               int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    zeros(group, begin, n, values.data());
    CheckSymmetricZeros(layout, values, packed, source);
  };
  check(0, 0, rows);
  return [check, scales = std::move(scales)](int64_t group, int64_t begin, int64_t n, float* out) {
    check(group, begin, n);
    scales(group, begin, n, out);
  };
}

std::vector<int32_t> ReadColumnGroups(const SafetensorsTensor& index, int64_t cols, int64_t groups, int64_t width,
                                      const HfSource& source) {
  source.Expect(index, "I32", {cols});
  std::vector<int64_t> values = source.Integers(index);
  std::vector<int32_t> out;
  bool in_order = true;
  for (size_t i = 0; i < values.size(); ++i) {
    // Negative entries count from the end, as torch indexes.
    if (values[i] < 0) values[i] += groups;
    if (values[i] < 0 || values[i] >= groups)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: column {} has group {} of {}", source.FileOf(index), index.name, i,
           values[i], groups);
    in_order &= values[i] == static_cast<int64_t>(i) / width;
    out.push_back(static_cast<int32_t>(values[i]));
  }
  return in_order ? std::vector<int32_t>() : out;
}

}  // namespace

void PlaceGptq(const GptqLayout& layout, const std::string& module, HfSource& source, Tensor& tensor) {
  const int64_t rows = tensor.rows, cols = tensor.cols, bits = layout.kind.bits;
  const std::string why = fmt::format("config.json says {}, {}", IntegerText(layout.kind), layout.declared);
  if (cols % 32 != 0 || rows * bits % 32 != 0 || (layout.planar && rows % 32 != 0))
    Fail(ErrorKind::kCorrupt, "{}: {}: GPTQ stores words of 32 bits, which {} do not fill", source.where(), module,
         ShapeText(tensor.shape));
  IntegerMatrix matrix;
  matrix.kind = layout.kind;
  matrix.kind.group = layout.kind.group < 0 || layout.kind.group > cols ? -1 : layout.kind.group;
  const int64_t width = matrix.kind.group < 0 ? cols : matrix.kind.group;
  matrix.groups = (cols + width - 1) / width;
  const SafetensorsTensor& weight = source.Take(module + ".qweight", why);
  source.Expect(weight, "I32", {cols * bits / 32, rows});
  matrix.codes.make = Codes(layout, weight.data.data(), rows, cols);
  const SafetensorsTensor& scales = source.Take(module + ".scales", why);
  source.ExpectShape(scales, {matrix.groups, rows});
  matrix.scales = ReadGroups(source, scales, 1, rows);
  const SafetensorsTensor& zeros = source.Take(module + ".qzeros", why);
  source.Expect(zeros, "I32", {matrix.groups, rows * bits / 32});
  if (layout.kind.asymmetric)
    matrix.zeros = Zeros(layout, zeros, rows);
  else
    matrix.scales = SymmetricScales(layout, std::move(matrix.scales), zeros, rows, source);
  tensor.stored_bytes += weight.data.size() + scales.data.size() + zeros.data.size();
  if (const SafetensorsTensor* index = source.TakeIfThere(module + ".g_idx")) {
    matrix.column_group = ReadColumnGroups(*index, cols, matrix.groups, width, source);
    tensor.stored_bytes += index->data.size();
  } else if (layout.kind.column_group) {
    Fail(ErrorKind::kCorrupt, "{}: tensor {}.g_idx is missing (config.json says desc_act)", source.where(), module);
  }
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

namespace {

/// `dynamic`: "+:pattern" overrides, "-:pattern" leaves a module plain.
struct DynamicRule {
  bool skip = false;
  ModuleTarget pattern;
  IntegerKind kind;
};

class Gptq : public HfQuantization {
 public:
  explicit Gptq(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override;
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override;
  std::string description() const override;

 private:
  const DynamicRule* RuleOf(const std::string& module) const;

  GptqLayout layout_;
  std::vector<DynamicRule> dynamic_;
  std::string where_;
};

IntegerKind ReadKind(const Json& json, const std::string& where, const IntegerKind& usual) {
  IntegerKind kind;
  kind.bits = ReadArgument(json, "bits", where, usual.bits);
  kind.group = ReadArgument(json, "group_size", where, usual.group);
  kind.asymmetric = !JsonBool(json, "sym", where, !usual.asymmetric);
  kind.column_group = JsonBool(json, "desc_act", where, usual.column_group);
  if (kind.bits < 2 || kind.bits > 8) Fail(ErrorKind::kUnsupported, "{}: {} bits; supported: 2 to 8", where, kind.bits);
  return kind;
}

Gptq::Gptq(const HfQuantizationInput& in) : where_(in.where) {
  const Json* json = &in.json;
  layout_.kind = ReadKind(*json, where_, {});
  std::string format = JsonString(*json, "checkpoint_format", where_, JsonString(*json, "format", where_, ""));
  layout_.declared = format.empty() ? "no checkpoint_format, which means gptq" : "checkpoint_format " + format;
  if (format == "gptq_v2") {
    layout_.zeros = GptqZeros::kTrue;
  } else if (format == "gptq_p") {
    layout_.zeros = GptqZeros::kTrue;
    layout_.planar = true;
  } else if (!format.empty() && format != "gptq") {
    Fail(ErrorKind::kUnsupported,
         "{}: checkpoint_format {} is the memory layout of one kernel; supported: gptq, gptq_v2, gptq_p", where_,
         format);
  }
  auto dynamic = json->find("dynamic");
  if (dynamic == json->end() || dynamic->is_null()) return;
  if (!dynamic->is_object())
    Fail(ErrorKind::kInvalid, "{}: dynamic: expected an object, found {}", where_, dynamic->type_name());
  for (const auto& [key, value] : dynamic->items()) {
    bool skip = key.starts_with("-:");
    std::string pattern = skip || key.starts_with("+:") ? key.substr(2) : key;
    const std::string place = fmt::format("{}: dynamic: {}", where_, key);
    if (!value.is_object() && !(skip && value.is_null()))
      Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", place, value.type_name());
    if (value.is_object()) RequireKeys("gptq", value, place);
    dynamic_.push_back({skip, ModuleTarget::Pattern(pattern, where_ + ": dynamic"),
                        skip ? layout_.kind : ReadKind(value, place, layout_.kind)});
  }
}

const DynamicRule* Gptq::RuleOf(const std::string& module) const {
  for (const DynamicRule& rule : dynamic_)
    if (rule.pattern.Match(module, "") > 0) return &rule;
  return nullptr;
}

std::string Gptq::description() const {
  return fmt::format("gptq {} W{}A16{}{}",
                     layout_.planar || IsPlanarOnly(layout_.kind.bits) ? "planar"
                     : layout_.zeros == GptqZeros::kTrue               ? "v2"
                                                                       : "v1",
                     layout_.kind.bits, layout_.kind.group > 0 ? fmt::format(" g{}", layout_.kind.group) : "",
                     layout_.kind.asymmetric ? " asymmetric" : "");
}

bool Gptq::Quantizes(const std::string& module, const HfSource& source) const {
  // The configuration has no list of modules: the output head is left out as a rule, and more by request.
  const bool there = source.Find(module + ".qweight");
  const DynamicRule* rule = RuleOf(module);
  if (there && rule && rule->skip)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}.qweight is there, but quantization_config's dynamic leaves {} plain",
         source.where(), module, module);
  return there || !source.Find(module + ".weight");
}

void Gptq::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  GptqLayout layout = layout_;
  if (const DynamicRule* rule = RuleOf(module)) layout.kind = rule->kind;
  if (IsPlanarOnly(layout.kind.bits)) {
    layout.zeros = GptqZeros::kTrue;
    layout.planar = true;
  }
  PlaceGptq(layout, module, source, tensor);
}

void Gptq::Finish(HfSource& source) const {
  if (!source.AnyEndsWith(".qweight"))
    Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method gptq, but no tensor is called *.qweight",
         source.where());
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseGptq(const HfQuantizationInput& in) {
  return std::make_unique<Gptq>(in);
}

}  // namespace assay
