// GPTQ: quant_method "gptq" (AutoGPTQ, GPTQModel, transformers). Both zero conventions, activation order, planar
// 3/5/6/7 bits. Source: GPTQModel nn_modules/qlinear, utils/model.py (convert_gptq_v1_to_v2_format); AutoGPTQ
// qlinear_cuda_old.
#include "checkpoint/hf/gptq.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/arguments.h"
#include "checkpoint/hf/keys.h"
#include "checkpoint/hf/quantization.h"
#include "checkpoint/hf/targets.h"
#include "checkpoint/layout.h"
#include "format/bit_packing.h"

namespace assay {
namespace {

/// Planar words of every column to dense ones.
void Replane(std::vector<std::byte>& codes, int64_t bits, int64_t rows, int64_t cols) {
  std::vector<uint8_t> row(static_cast<size_t>(cols));
  const size_t row_bytes = static_cast<size_t>(cols * bits / 8);
  for (int64_t r = 0; r < rows; ++r) {
    std::span<std::byte> bytes(codes.data() + static_cast<size_t>(r) * row_bytes, row_bytes);
    UnpackPlanar(bytes, static_cast<int>(bits), row);
    PackDense(row, static_cast<int>(bits), bytes);
  }
}

/// Undoes "less one" as GPTQModel does it, which borrows and carries between the fields of a word; widths whose fields
/// straddle words are undone field by field.
void AddOneToWords(std::vector<std::byte>& words, int bits) {
  const uint32_t ones = 0xffffffffu / ((1u << bits) - 1);
  for (size_t i = 0; i + 4 <= words.size(); i += 4) {
    uint32_t word;
    std::memcpy(&word, words.data() + i, 4);
    word += ones;
    std::memcpy(words.data() + i, &word, 4);
  }
}

/// [out, groups] true zeros.
std::vector<float> ReadZeros(const GptqLayout& layout, const SafetensorsTensor& packed, int64_t groups, int64_t rows) {
  const int bits = static_cast<int>(layout.kind.bits);
  const size_t row_bytes = static_cast<size_t>(rows * bits / 8);
  std::vector<uint8_t> codes(static_cast<size_t>(rows));
  std::vector<float> out(static_cast<size_t>(rows * groups));
  const bool by_words = layout.zeros == GptqZeros::kLessOne && 32 % bits == 0;
  for (int64_t g = 0; g < groups; ++g) {
    auto begin = packed.data.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(g) * row_bytes);
    std::vector<std::byte> from(begin, begin + static_cast<ptrdiff_t>(row_bytes));
    if (by_words) AddOneToWords(from, bits);
    layout.planar ? UnpackPlanar(from, bits, codes) : UnpackDense(from, bits, codes);
    for (int64_t row = 0; row < rows; ++row) {
      int zero = codes[static_cast<size_t>(row)];
      if (layout.zeros == GptqZeros::kLessOne && !by_words) zero = (zero + 1) & ((1 << bits) - 1);
      out[static_cast<size_t>(row * groups + g)] = static_cast<float>(zero);
    }
  }
  return out;
}

/// A symmetric matrix has its zero in the middle; which convention the file follows can be seen from that.
void CheckSymmetricZeros(const GptqLayout& layout, const std::vector<float>& zeros, const SafetensorsTensor& packed,
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
  const int64_t rows = tensor.view.rows, cols = tensor.view.cols, bits = layout.kind.bits;
  const std::string why = fmt::format("config.json says {}, {}", IntegerText(layout.kind), layout.declared);
  if (cols % 32 != 0 || rows * bits % 32 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: GPTQ stores words of 32 bits, which {} do not fill", source.where(), module,
         ShapeText(tensor.shape));
  IntegerMatrix matrix;
  matrix.kind = layout.kind;
  matrix.kind.group = layout.kind.group < 0 || layout.kind.group > cols ? -1 : layout.kind.group;
  const int64_t width = matrix.kind.group < 0 ? cols : matrix.kind.group;
  matrix.groups = (cols + width - 1) / width;
  const SafetensorsTensor& weight = source.Take(module + ".qweight", why);
  source.Expect(weight, "I32", {cols * bits / 32, rows});
  std::vector<std::byte> codes = TransposedWords(weight.data, cols * bits / 32, rows);
  if (layout.planar) Replane(codes, bits, rows, cols);
  if (bits == 8)
    for (std::byte& code : codes) code ^= std::byte{0x80};
  tensor.stored_bytes += weight.data.size();

  const SafetensorsTensor& scales = source.Take(module + ".scales", why);
  source.ExpectShape(scales, {matrix.groups, rows});
  matrix.scales = Transposed(source.Floats(scales), matrix.groups, rows);
  const SafetensorsTensor& zeros = source.Take(module + ".qzeros", why);
  source.Expect(zeros, "I32", {matrix.groups, rows * bits / 32});
  matrix.zeros = ReadZeros(layout, zeros, matrix.groups, rows);
  if (!layout.kind.asymmetric) CheckSymmetricZeros(layout, matrix.zeros, zeros, source);
  tensor.stored_bytes += scales.data.size() + zeros.data.size();
  if (const SafetensorsTensor* index = source.TakeIfThere(module + ".g_idx")) {
    matrix.column_group = ReadColumnGroups(*index, cols, matrix.groups, width, source);
    tensor.stored_bytes += index->data.size();
  } else if (layout.kind.column_group) {
    Fail(ErrorKind::kCorrupt, "{}: tensor {}.g_idx is missing (config.json says desc_act)", source.where(), module);
  }
  matrix.codes = source.Keep(std::move(codes));
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
