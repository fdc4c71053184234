// AWQ: quant_method "awq" (AutoAWQ, llm-awq). GEMM and GEMV; the fast GEMV of TinyChat too. Source: AutoAWQ
// modules/linear/gemm.py, gemv.py, gemv_fast.py, utils/packing_utils.py.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/gptq.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

// Column 8c + j of a GEMM word is its nibble kNibbleOf[j].
constexpr int kNibbleOf[8] = {0, 4, 1, 5, 2, 6, 3, 7};

uint32_t WordAt(const SafetensorsTensor& tensor, int64_t index) {
  uint32_t word;
  std::memcpy(&word, tensor.data.data() + 4 * index, 4);
  return word;
}

uint8_t GemmCode(const SafetensorsTensor& packed, int64_t row, int64_t column, int64_t columns) {
  return WordAt(packed, row * (columns / 8) + column / 8) >> (4 * kNibbleOf[column % 8]) & 15;
}

/// qweight [in, out / 8], qzeros [groups, out / 8], scales [groups, out].
void ReadGemm(IntegerMatrix& matrix, const std::string& module, const std::string& why, HfSource& source,
              Tensor& tensor) {
  const int64_t rows = tensor.rows, cols = tensor.cols, groups = matrix.groups;
  const SafetensorsTensor& weight = source.Take(module + ".qweight", why);
  if (rows % 8 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: AWQ packs 8 outputs a word, found {}", source.where(), module, rows);
  source.Expect(weight, "I32", {cols, rows / 8});
  const SafetensorsTensor& scales = source.Take(module + ".scales", why);
  source.ExpectShape(scales, {groups, rows});
  const SafetensorsTensor& zeros = source.Take(module + ".qzeros", why);
  source.Expect(zeros, "I32", {groups, rows / 8});
  tensor.stored_bytes += weight.data.size() + scales.data.size() + zeros.data.size();
  matrix.scales = ReadGroups(source, scales, 1, rows);
  matrix.zeros = [&zeros, rows](int64_t group, int64_t begin, int64_t n, float* out) {
    for (int64_t r = 0; r < n; ++r) out[r] = GemmCode(zeros, group, begin + r, rows);
  };
  // Eight rows at a time out of one column of words.
  matrix.codes.make = LayCodes(4, cols, [&weight, rows, cols] {
    return [&weight, rows, cols, eight = std::vector<uint8_t>(static_cast<size_t>(8 * cols)), first = int64_t{-1}](
               int64_t row, uint8_t* codes) mutable {
      if (row / 8 != first)
        for (int64_t c = 0; c < cols; ++c) {
          uint32_t word = WordAt(weight, c * (rows / 8) + row / 8);
          for (int j = 0; j < 8; ++j) eight[static_cast<size_t>(j * cols + c)] = word >> (4 * kNibbleOf[j]) & 15;
        }
      first = row / 8;
      std::copy_n(eight.begin() + row % 8 * cols, cols, codes);
    };
  });
  tensor.rows_at_once = 8;
}

/// Groups of a row with the padding that the GEMV kernels want: words of 8 zeros.
int64_t ZeroWords(int64_t groups, int64_t group) {
  const int64_t multiple = group >= 128 ? 1 : group == 64 ? 2 : 4;
  return ((groups + 7) / 8 + multiple - 1) / multiple * multiple;
}

/// qweight [out, in / 8] in natural order, qzeros [out, words], scales [out, 8 * words].
void ReadGemv(IntegerMatrix& matrix, const std::string& module, const std::string& why, HfSource& source,
              Tensor& tensor) {
  const int64_t rows = tensor.rows, cols = tensor.cols, groups = matrix.groups;
  const int64_t words = ZeroWords(groups, matrix.kind.group);
  const SafetensorsTensor& weight = source.Take(module + ".qweight", why);
  source.Expect(weight, "I32", {rows, cols / 8});
  const SafetensorsTensor& scales = source.Take(module + ".scales", why);
  source.ExpectShape(scales, {rows, 8 * words});
  const SafetensorsTensor& zeros = source.Take(module + ".qzeros", why);
  source.Expect(zeros, "I32", {rows, words});
  tensor.stored_bytes += weight.data.size() + scales.data.size() + zeros.data.size();
  matrix.scales = ReadGroups(source, scales, 8 * words, 1);
  matrix.zeros = [&zeros, words](int64_t group, int64_t begin, int64_t n, float* out) {
    for (int64_t r = 0; r < n; ++r)
      out[r] = static_cast<float>(WordAt(zeros, (begin + r) * words + group / 8) >> (4 * (group % 8)) & 15);
  };
  matrix.codes.mapped = weight.data.data();
}

/// qweight int16 [out / 4, in], scales and qzeros (or scaled_zeros) [8 * words, out]; the zeros are -scale * zero.
void ReadGemvFast(IntegerMatrix& matrix, const std::string& module, const std::string& why, HfSource& source,
                  Tensor& tensor) {
  const int64_t rows = tensor.rows, cols = tensor.cols, groups = matrix.groups;
  const int64_t padded = 8 * ZeroWords(groups, matrix.kind.group);
  const SafetensorsTensor& weight = source.Take(module + ".qweight", why);
  source.Expect(weight, "I16", {rows / 4, cols});
  if (cols % 64 != 0 || rows % 4 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: AWQ's fast GEMV stores 4 rows and 64 columns together, found {}", source.where(),
         module, ShapeText(tensor.shape));
  const SafetensorsTensor& scales = source.Take(module + ".scales", why);
  source.ExpectShape(scales, {padded, rows});
  const SafetensorsTensor* scaled = source.TakeIfThere(module + ".scaled_zeros");
  if (!scaled) scaled = &source.Take(module + ".qzeros", why);
  source.ExpectShape(*scaled, {padded, rows});
  tensor.stored_bytes += weight.data.size() + scales.data.size() + scaled->data.size();
  matrix.scales = ReadGroups(source, scales, 1, rows);
  matrix.zeros = [&source, scaled, scales = matrix.scales, products = ReadGroups(source, *scaled, 1, rows)](
                     int64_t group, int64_t begin, int64_t n, float* out) {
    std::vector<float> scale(static_cast<size_t>(n));
    scales(group, begin, n, scale.data());
    products(group, begin, n, out);
    for (int64_t r = 0; r < n; ++r) {
      // The product was rounded to a half; the zero itself is an integer.
      const float by = scale[static_cast<size_t>(r)];
      out[r] = by != 0.0f ? std::nearbyint(-out[r] / by) : 0.0f;
      if (!(out[r] >= 0.0f && out[r] <= 15.0f))
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} group {} has zero {}, beyond 4 bits", source.FileOf(*scaled),
             scaled->name, begin + r, group, out[r]);
    }
  };
  // Per 32 inputs [0, 1, 8, 9, 16, 17, 24, 25, 2, 3, …], of each 8 [0, 2, 4, 6, 1, 3, 5, 7]; four rows share 64
  // columns.
  std::array<int, 32> order;
  constexpr int kEven[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  for (int i = 0; i < 32; ++i) {
    int at = i / 8 * 8 + kEven[i % 8];
    order[static_cast<size_t>(i)] = at % 8 / 2 * 8 + at / 8 * 2 + at % 2;
  }
  const auto row_codes = [data = weight.data.data(), cols, order](int64_t row, uint8_t* codes) {
    const std::byte* base = data + row / 4 * cols * 2;
    for (int64_t c = 0; c < cols; ++c) {
      // Nibble c of this row in the stream of the four: 64 columns of row 0, of row 1, …
      const int64_t nibble = c / 64 * 256 + row % 4 * 64 + c % 64;
      const uint8_t byte = static_cast<uint8_t>(base[nibble / 2]);
      codes[c / 32 * 32 + order[static_cast<size_t>(c % 32)]] = nibble % 2 ? byte >> 4 : byte & 15;
    }
  };
  matrix.codes.make = LayCodes(4, cols, [row_codes] { return row_codes; });
}

struct VersionRow {
  std::string_view name;
  AwqVersion version;
};
constexpr VersionRow kVersions[] = {{"gemm", AwqVersion::kGemm},
                                    {"gemv", AwqVersion::kGemv},
                                    {"gemv_fast", AwqVersion::kGemvFast},
                                    {"llm-awq", AwqVersion::kGemvFast}};

class Awq : public HfQuantization {
 public:
  explicit Awq(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    const bool there = source.Find(module + ".qweight");
    if (there && NamedIn(plain_, module))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}.qweight is there, but modules_to_not_convert names {}", source.where(),
           module, module);
    return there || !source.Find(module + ".weight");
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override {
    PlaceAwq(kind_, version_->version, module, source, tensor);
  }
  void Finish(HfSource& source) const override {
    if (!source.AnyEndsWith(".qweight"))
      Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method awq, but no tensor is called *.qweight",
           source.where());
  }
  std::string description() const override {
    return fmt::format("awq {} W4A16{}{}", version_->name, kind_.group > 0 ? fmt::format(" g{}", kind_.group) : "",
                       kind_.asymmetric ? " asymmetric" : "");
  }

 private:
  IntegerKind kind_;
  const VersionRow* version_ = &kVersions[0];
  std::vector<std::string> plain_;
};

Awq::Awq(const HfQuantizationInput& in) {
  const Json& json = in.json;
  // llm-awq's quant_config.json has other names for the same.
  kind_.bits = ReadArgument(json, "bits", in.where, ReadArgument(json, "w_bit", in.where, 4));
  kind_.group = ReadArgument(json, "group_size", in.where, ReadArgument(json, "q_group_size", in.where, 128));
  kind_.asymmetric = JsonBool(json, "zero_point", in.where, true);
  if (kind_.bits != 4) Fail(ErrorKind::kUnsupported, "{}: AWQ with {} bits; supported: 4", in.where, kind_.bits);
  std::string version = "gemm";
  for (const char* key : {"checkpoint_format", "format", "version"}) version = JsonString(json, key, in.where, version);
  std::transform(version.begin(), version.end(), version.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  auto row =
      std::find_if(std::begin(kVersions), std::end(kVersions), [&](const VersionRow& r) { return r.name == version; });
  if (row == std::end(kVersions))
    Fail(ErrorKind::kUnsupported,
         "{}: AWQ version {} is the memory layout of one kernel, which no file should hold; supported: gemm, gemv, "
         "gemv_fast",
         in.where, version);
  version_ = row;
  plain_ = ReadNames(json, "modules_to_not_convert", in.where);
}

}  // namespace

void PlaceAwq(const IntegerKind& kind, AwqVersion version, const std::string& module, HfSource& source,
              Tensor& tensor) {
  const int64_t cols = tensor.cols;
  if (kind.bits != 4)
    Fail(ErrorKind::kUnsupported, "{}: {}: AWQ with {} bits; supported: 4", source.where(), module, kind.bits);
  IntegerMatrix matrix;
  matrix.kind = kind;
  if (kind.group < 0 || kind.group >= cols) matrix.kind.group = -1;
  const int64_t width = matrix.kind.group < 0 ? cols : matrix.kind.group;
  const std::string why = fmt::format("config.json says awq {}", IntegerText(kind));
  if (cols % width != 0 || cols % 8 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns are not whole groups of {}", source.where(), module, cols, width);
  matrix.groups = cols / width;
  switch (version) {
    case AwqVersion::kGemm:
      ReadGemm(matrix, module, why, source, tensor);
      break;
    case AwqVersion::kGemv:
      ReadGemv(matrix, module, why, source, tensor);
      break;
    case AwqVersion::kGemvFast:
      ReadGemvFast(matrix, module, why, source, tensor);
      break;
  }
  PlaceIntegers(std::move(matrix), source, module, tensor);
}

std::unique_ptr<const HfQuantization> ParseAwq(const HfQuantizationInput& in) {
  return std::make_unique<Awq>(in);
}

}  // namespace assay
