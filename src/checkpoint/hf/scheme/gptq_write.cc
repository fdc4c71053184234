// GPTQ (both zero conventions, planar), AWQ GEMM and AutoRound. Writing. Their matrices lie the other way round, so a
// module is held until its last row.
#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "checkpoint/hf/packing/scale_bytes.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/hf/scheme/gptq.h"
#include "checkpoint/layout.h"
#include "format/bit_packing.h"

namespace assay {
namespace {

int64_t Groups(const HfModule& module) {
  return ScalesPerRow(*module.format, module.cols);
}

/// Zeros of a collected matrix as unsigned codes, [rows, groups].
std::vector<uint8_t> ZeroCodes(const HfModule& module, const IntegerKind& kind, const std::vector<float>& zeros) {
  const int half = 1 << (kind.bits - 1);
  std::vector<uint8_t> out(static_cast<size_t>(module.rows * Groups(module)), static_cast<uint8_t>(half));
  if (!kind.asymmetric) return out;
  for (size_t i = 0; i < out.size(); ++i) {
    const int code = static_cast<int>(zeros[i]) + (kind.bits == 8 ? half : 0);
    if (static_cast<float>(code - (kind.bits == 8 ? half : 0)) != zeros[i] || code < 0 || code >= 1 << kind.bits)
      Fail(ErrorKind::kUnsupported, "{}: a zero of {} is not one of the {}-bit codes, which this container stores",
           module.name, zeros[i], kind.bits);
    out[i] = static_cast<uint8_t>(code);
  }
  return out;
}

/// The usual scheme of the modules: the format that most of them have.
const Format& Usual(const std::vector<HfModule>& modules) {
  std::map<const Format*, size_t> count;
  for (const HfModule& module : modules) ++count[module.format];
  const Format* best = modules.at(0).format;
  for (const HfModule& module : modules)
    if (count[module.format] > count[best]) best = module.format;
  return *best;
}

void SchemeJson(const Format& format, Json& out) {
  IntegerKind kind = *IntegerKindOf(format);
  out["bits"] = kind.bits;
  out["group_size"] = kind.group;
  out["sym"] = !kind.asymmetric;
}

class Collecting : public HfContainer {
 public:
  bool HoldsRows() const override { return !collector_.empty(); }
  std::string_view ScaleDtype(const HfModule& module) const override {
    return module.scale_dtype.empty() ? "F16" : module.scale_dtype;
  }
  std::string WhyNotZero(const Format& format, float zero) const override { return WhyNotCode(format, zero); }
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override {
    const MatrixCollector::Matrix* matrix = collector_.Add(module, begin, n, codes, scales);
    if (!matrix) return;
    Write(module, *matrix, sink);
    collector_.Drop(module);
  }

 protected:
  virtual void Write(const HfModule& module, const MatrixCollector::Matrix& matrix, const HfSink& sink) = 0;

 private:
  MatrixCollector collector_;
};

class GptqWriter : public Collecting {
 public:
  explicit GptqWriter(GptqZeros zeros, bool planar = false) : zeros_(zeros), planar_(planar) {}
  std::string WhyNotZero(const Format& format, float zero) const override {
    const float least = IntegerKindOf(format)->bits == 8 ? -128.0f : 0.0f;
    if (zeros_ == GptqZeros::kLessOne && zero == least)
      return "a zero of 0, which GPTQ's first version stores less one, cannot be stated; gptq_v2 can";
    return WhyNotCode(format, zero);
  }

  bool Holds(const Format& format) const override {
    std::optional<IntegerKind> kind = IntegerKindOf(format);
    return kind && kind->weight_only() && kind->group != 0 && kind->block_rows == 1 &&
           (planar_ || !IsPlanarOnly(kind->bits));
  }

  std::vector<SafetensorsPart> Parts(const HfModule& module) const override {
    const int64_t bits = module.format->bits, rows = module.rows, cols = module.cols, groups = Groups(module);
    if (cols % 32 != 0 || rows % 32 != 0)
      Fail(ErrorKind::kUnsupported, "{}: GPTQ checkpoints need multiples of 32 rows and columns, found {}", module.name,
           ShapeText({rows, cols}));
    return {MakePart(module.name + ".qweight", "I32", {cols * bits / 32, rows}),
            MakePart(module.name + ".qzeros", "I32", {groups, rows * bits / 32}),
            MakePart(module.name + ".scales", ScaleDtype(module), {groups, rows}),
            MakePart(module.name + ".g_idx", "I32", {cols})};
  }

  void Begin(const HfModule& module, const HfSink& sink) override {
    std::vector<int32_t> index = module.column_group;
    const int64_t width = IntegerKindOf(*module.format)->group;
    for (int64_t c = 0; index.size() < static_cast<size_t>(module.cols); ++c)
      index.push_back(width > 0 ? static_cast<int32_t>(c / width) : 0);
    sink(module.name + ".g_idx", 0, std::as_bytes(std::span(index)));
  }

  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override {
    const Format& usual = Usual(modules);
    Json out, dynamic = Json::object();
    SchemeJson(usual, out);
    bool order = false;
    for (const HfModule& module : modules) {
      order |= module.format->by_column_group;
      if (module.format != &usual) SchemeJson(*module.format, dynamic["+:^" + Escaped(module.name) + "$"]);
    }
    for (const std::string& name : plain)
      if (name != "lm_head") dynamic["-:^" + Escaped(name) + "$"] = Json::object();
    out["checkpoint_format"] = planar_ ? "gptq_p" : zeros_ == GptqZeros::kTrue ? "gptq_v2" : "gptq";
    out["desc_act"] = order;
    if (!dynamic.empty()) out["dynamic"] = dynamic;
    out["lm_head"] = std::any_of(modules.begin(), modules.end(), [](const HfModule& m) { return m.name == "lm_head"; });
    out["meta"] = {{"quantizer", {"assay"}}};
    out["pack_dtype"] = "int32";
    out["quant_method"] = "gptq";
    return out;
  }

 protected:
  static std::string Escaped(const std::string& name) {
    std::string out;
    for (char c : name) out += c == '.' ? std::string("\\.") : std::string(1, c);
    return out;
  }

  void Write(const HfModule& module, const MatrixCollector::Matrix& matrix, const HfSink& sink) override {
    const IntegerKind kind = *IntegerKindOf(*module.format);
    const int64_t bits = kind.bits, rows = module.rows, cols = module.cols, groups = Groups(module);
    std::vector<std::byte> words =
        TransposedWords(planar_ ? PlanarRows(matrix.codes, bits, rows, cols) : matrix.codes, rows, cols * bits / 32);
    if (bits == 8)
      for (std::byte& code : words) code ^= std::byte{0x80};
    sink(module.name + ".qweight", 0, words);
    std::vector<float> zeros;
    std::vector<float> scales = FloatsOfPlane(*module.format, matrix.scales, &zeros);
    sink(module.name + ".scales", 0, ScaleBytes(Transposed(scales, rows, groups), ScaleDtype(module)));
    std::vector<uint8_t> codes = ZeroCodes(module, kind, zeros), row(static_cast<size_t>(rows));
    const size_t row_bytes = static_cast<size_t>(rows * bits / 8);
    std::vector<std::byte> packed(static_cast<size_t>(groups) * row_bytes);
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t r = 0; r < rows; ++r) {
        int zero = codes[static_cast<size_t>(r * groups + g)] - (zeros_ == GptqZeros::kLessOne ? 1 : 0);
        if (zero < 0)
          Fail(ErrorKind::kUnsupported,
               "{}: row {} has a zero of 0, which GPTQ's first version cannot say; write gptq_v2", module.name, r);
        row[static_cast<size_t>(r)] = static_cast<uint8_t>(zero);
      }
      const auto to = std::span(packed).subspan(static_cast<size_t>(g) * row_bytes, row_bytes);
      planar_ ? PackPlanar(row, static_cast<int>(bits), to) : PackDense(row, static_cast<int>(bits), to);
    }
    sink(module.name + ".qzeros", 0, packed);
  }

 private:
  /// Dense rows as planes.
  static std::vector<std::byte> PlanarRows(std::vector<std::byte> codes, int64_t bits, int64_t rows, int64_t cols) {
    std::vector<uint8_t> row(static_cast<size_t>(cols));
    const size_t row_bytes = static_cast<size_t>(cols * bits / 8);
    for (int64_t r = 0; r < rows; ++r) {
      const auto bytes = std::span(codes).subspan(static_cast<size_t>(r) * row_bytes, row_bytes);
      UnpackDense(bytes, static_cast<int>(bits), row);
      PackPlanar(row, static_cast<int>(bits), bytes);
    }
    return codes;
  }

  GptqZeros zeros_;
  bool planar_;
};

class AutoRoundWriter : public GptqWriter {
 public:
  // True zeros: AutoRound's other packing cannot say zero 0 either.
  AutoRoundWriter() : GptqWriter(GptqZeros::kTrue) {}

  bool Holds(const Format& format) const override {
    std::optional<IntegerKind> kind = IntegerKindOf(format);
    return kind && kind->weight_only() && kind->group != 0 && kind->block_rows == 1 && !kind->column_group;
  }

  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override {
    const Format& usual = Usual(modules);
    Json out, extra = Json::object();
    out["act_bits"] = 16;
    out["autoround_version"] = "0.15.1";
    SchemeJson(usual, out);
    out["data_type"] = "int";
    for (const HfModule& module : modules)
      if (module.format != &usual) SchemeJson(*module.format, extra[module.name]);
    for (const std::string& name : plain)
      if (name != "lm_head") extra[name] = {{"bits", 16}, {"data_type", "float"}};
    if (!extra.empty()) out["extra_config"] = extra;
    out["iters"] = 0;
    out["packing_format"] = "auto_round:gptqmodel";
    out["quant_method"] = "auto-round";
    return out;
  }
};

class AwqWriter : public Collecting {
 public:
  bool Holds(const Format& format) const override {
    std::optional<IntegerKind> kind = IntegerKindOf(format);
    return kind && kind->bits == 4 && kind->weight_only() && kind->group != 0 && kind->block_rows == 1 &&
           !kind->column_group;
  }

  std::vector<SafetensorsPart> Parts(const HfModule& module) const override {
    const int64_t rows = module.rows, cols = module.cols, groups = Groups(module);
    if (rows % 8 != 0 || cols % 8 != 0)
      Fail(ErrorKind::kUnsupported, "{}: AWQ checkpoints need multiples of 8 rows and columns, found {}", module.name,
           ShapeText({rows, cols}));
    return {MakePart(module.name + ".qweight", "I32", {cols, rows / 8}),
            MakePart(module.name + ".qzeros", "I32", {groups, rows / 8}),
            MakePart(module.name + ".scales", ScaleDtype(module), {groups, rows})};
  }

  void Begin(const HfModule&, const HfSink&) override {}

  Json Config(const std::vector<HfModule>& modules, const std::vector<std::string>& plain) const override {
    const Format& usual = Usual(modules);
    for (const HfModule& module : modules)
      if (IntegerKindOf(*module.format)->group != IntegerKindOf(usual)->group)
        Fail(ErrorKind::kUnsupported, "{}: AWQ checkpoints have one group size; {} and {} differ", module.name,
             module.format->name, usual.name);
    Json out;
    out["bits"] = 4;
    out["group_size"] = IntegerKindOf(usual)->group;
    out["modules_to_not_convert"] = plain;
    out["quant_method"] = "awq";
    out["version"] = "gemm";
    out["zero_point"] = true;
    return out;
  }

 protected:
  /// Eight codes of a row of the transposed matrix in AWQ's order of nibbles.
  static void PackRow(const std::vector<uint8_t>& codes, std::byte* words) {
    constexpr int kNibbleOf[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    for (size_t i = 0; i < codes.size(); i += 8) {
      uint32_t word = 0;
      for (size_t j = 0; j < 8; ++j) word |= static_cast<uint32_t>(codes[i + j]) << (4 * kNibbleOf[j]);
      std::memcpy(words + i / 2, &word, 4);
    }
  }

  void Write(const HfModule& module, const MatrixCollector::Matrix& matrix, const HfSink& sink) override {
    const int64_t rows = module.rows, cols = module.cols, groups = Groups(module);
    std::vector<uint8_t> column(static_cast<size_t>(rows));
    std::vector<std::byte> words(static_cast<size_t>(cols * rows / 2));
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = 0; r < rows; ++r) {
        const uint8_t byte = static_cast<uint8_t>(matrix.codes[static_cast<size_t>((r * cols + c) / 2)]);
        column[static_cast<size_t>(r)] = c % 2 ? byte >> 4 : byte & 15;
      }
      PackRow(column, words.data() + c * rows / 2);
    }
    sink(module.name + ".qweight", 0, words);
    std::vector<float> zeros;
    std::vector<float> scales = FloatsOfPlane(*module.format, matrix.scales, &zeros);
    sink(module.name + ".scales", 0, ScaleBytes(Transposed(scales, rows, groups), ScaleDtype(module)));
    std::vector<uint8_t> codes = ZeroCodes(module, *IntegerKindOf(*module.format), zeros);
    words.resize(static_cast<size_t>(groups * rows / 2));
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t r = 0; r < rows; ++r) column[static_cast<size_t>(r)] = codes[static_cast<size_t>(r * groups + g)];
      PackRow(column, words.data() + g * rows / 2);
    }
    sink(module.name + ".qzeros", 0, words);
  }
};

}  // namespace

std::unique_ptr<HfContainer> MakeGptq(const HfContainerOptions&) {
  return std::make_unique<GptqWriter>(GptqZeros::kLessOne);
}
std::unique_ptr<HfContainer> MakeGptqV2(const HfContainerOptions&) {
  return std::make_unique<GptqWriter>(GptqZeros::kTrue);
}
std::unique_ptr<HfContainer> MakeGptqPlanar(const HfContainerOptions&) {
  return std::make_unique<GptqWriter>(GptqZeros::kTrue, true);
}
std::unique_ptr<HfContainer> MakeAutoRound(const HfContainerOptions&) {
  return std::make_unique<AutoRoundWriter>();
}
std::unique_ptr<HfContainer> MakeAwq(const HfContainerOptions&) {
  return std::make_unique<AwqWriter>();
}

}  // namespace assay
