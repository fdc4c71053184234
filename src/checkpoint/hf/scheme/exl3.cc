// EXL3: quant_method "exl3" (ExLlamaV3). Read only: the matrices are decoded to halves, as ExLlamaV3 itself does for
// long prompts. Source: exllamav3 modules/linear.py (load_exl3), modules/quant/exl3.py, conversion/compile.py.
#include "format/exl3.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "format/plain.h"

namespace assay {
namespace {

constexpr uint32_t kMcgFactor = 0xCBAC1FED, kMul1Factor = 0x83DCD12D;

int64_t Padded(int64_t n) {
  return (n + kExl3Block - 1) / kExl3Block * kExl3Block;
}

class Exl3 : public HfQuantization {
 public:
  explicit Exl3(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override;
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override {
    if (!source.AnyEndsWith(".trellis"))
      Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method exl3, but no tensor is called *.trellis",
           source.where());
  }
  std::string description() const override { return description_; }

 private:
  std::string description_;
  std::map<std::string, int64_t> stated_bits_;  // of modules
};

Exl3::Exl3(const HfQuantizationInput& in) {
  description_ = "exl3";
  auto stated = [&](const char* key) {  // averages: not whole
    const double bits = JsonNumber(in.json, key, in.where, 0);
    if (bits < 0 || bits > 32) Fail(ErrorKind::kInvalid, "{}: {}: expected 1 to 32, found {}", in.where, key, bits);
    return bits;
  };
  if (const double bits = stated("bits"); bits > 0) description_ += fmt::format(" {:.2f} bits", bits);
  if (const double head = stated("head_bits"); head > 0) description_ += fmt::format(", head {:.4g}", head);
  if (auto codebook = in.json.find("codebook"); codebook != in.json.end() && codebook->is_string())
    description_ += ", " + codebook->get<std::string>();
  // quantization_config.json repeats the header of every module and says its width.
  auto sidecar = in.sidecars.find("quantization_config.json");
  const Json& whole = sidecar != in.sidecars.end() ? sidecar->second : in.json;
  auto storage = whole.is_object() ? whole.find("tensor_storage") : whole.end();
  if (!whole.is_object() || storage == whole.end() || !storage->is_object()) return;
  for (const auto& [module, facts] : storage->items())
    if (auto bits = facts.is_object() ? facts.find("bits_per_weight") : facts.end();
        facts.is_object() && bits != facts.end() && bits->is_number_integer())
      stated_bits_[module] = ReadArgument(facts, "bits_per_weight", in.where + ": tensor_storage: " + module, 0);
}

bool Exl3::Quantizes(const std::string& module, const HfSource& source) const {
  // The configuration has no list of modules.
  const bool there = source.Find(module + ".trellis");
  if (there && source.Find(module + ".weight"))
    Fail(ErrorKind::kCorrupt, "{}: both {}.trellis and {}.weight are there", source.where(), module, module);
  return there || !source.Find(module + ".weight");
}

using Scales = std::function<std::vector<float>()>;

/// Signs (and magnitudes) of one side: halves, or one bit a sign in files of the first versions.
Scales TakeScales(const std::string& module, char side, int64_t n, HfSource& source, Tensor& tensor) {
  const std::string halves = fmt::format("{}.s{}h", module, side), packed = fmt::format("{}.s{}", module, side);
  if (const SafetensorsTensor* scales = source.TakeIfThere(halves)) {
    source.Expect(*scales, "F16", {n});
    tensor.stored_bytes += scales->data.size();
    return [&source, scales] { return source.Floats(*scales); };
  }
  const SafetensorsTensor& signs = source.Take(packed, "or " + halves + "; config.json says exl3");
  source.Expect(signs, "I16", {n / 16});
  tensor.stored_bytes += signs.data.size();
  return [&signs, n] {
    std::vector<float> out(static_cast<size_t>(n));
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = (std::to_integer<int>(signs.data[i / 8]) >> (i % 8) & 1) != 0 ? -1.0f : 1.0f;
    return out;
  };
}

/// A tensor of one integer that says by its presence which codebook it is.
bool Marked(const std::string& name, uint32_t factor, HfSource& source) {
  const SafetensorsTensor* marker = source.TakeIfThere(name);
  if (!marker) return false;
  std::vector<int64_t> values = source.Integers(*marker);
  if (values.size() != 1 || static_cast<uint32_t>(values[0]) != factor)
    Fail(ErrorKind::kUnsupported, "{}: tensor {}: expected the factor {}, which is the only one in use",
         source.FileOf(*marker), name, factor);
  return true;
}

void Exl3::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  if (tensor.shape.size() != 2)
    Fail(ErrorKind::kUnsupported, "{}: {}: exl3 of shape {}", source.where(), module, ShapeText(tensor.shape));
  const int64_t rows = tensor.rows, cols = tensor.cols;
  const SafetensorsTensor& trellis = source.Take(module + ".trellis", "config.json says exl3");
  Exl3Matrix matrix;
  matrix.rows = Padded(rows);
  matrix.cols = Padded(cols);
  const int64_t last = trellis.shape.size() == 3 ? trellis.shape[2] : 0;
  if (last % 16 != 0 || last < 16 || last > 128)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected [in / 16, out / 16, 16 … 128], found {}", source.FileOf(trellis),
         trellis.name, ShapeText(trellis.shape));
  source.Expect(trellis, "I16", {matrix.cols / 16, matrix.rows / 16, last});
  tensor.stored_bytes = trellis.data.size();
  matrix.bits = static_cast<int>(last / 16);
  matrix.trellis = trellis.data.data();
  if (auto stated = stated_bits_.find(module); stated != stated_bits_.end() && stated->second != matrix.bits)
    Fail(ErrorKind::kCorrupt, "{}: tensor {} has {} bits, but tensor_storage says {}", source.FileOf(trellis),
         trellis.name, matrix.bits, stated->second);
  const Scales in = TakeScales(module, 'u', matrix.cols, source, tensor),
               out = TakeScales(module, 'v', matrix.rows, source, tensor);
  const bool mcg = Marked(module + ".mcg", kMcgFactor, source), mul1 = Marked(module + ".mul1", kMul1Factor, source);
  if (mcg && mul1)
    Fail(ErrorKind::kCorrupt, "{}: both {}.mcg and {}.mul1 are there: one codebook each", source.where(), module,
         module);
  matrix.codebook = mcg ? Exl3Codebook::kMcg : mul1 ? Exl3Codebook::kMul1 : Exl3Codebook::k3Inst;

  tensor.format = &F16Format();
  tensor.codes.make = [matrix, in, out, cols, place = fmt::format("{}: {}", source.where(), module)](
                          int64_t begin, int64_t n, std::byte* halves) {
    const std::vector<float> in_scales = in(), out_scales = out();
    Exl3Matrix with_scales = matrix;
    with_scales.in_scales = in_scales.data();
    with_scales.out_scales = out_scales.data();
    std::vector<float> block(static_cast<size_t>(kExl3Block * matrix.cols));
    for (int64_t b = begin / kExl3Block; b * kExl3Block < begin + n; ++b) {
      DecodeExl3Rows(with_scales, b, block.data());
      for (int64_t r = std::max(begin, b * kExl3Block); r < std::min(begin + n, (b + 1) * kExl3Block); ++r) {
        std::byte* row = halves + (r - begin) * cols * 2;
        EncodeRowsF16(block.data() + (r - b * kExl3Block) * matrix.cols, 1, cols, nullptr, 1.0f, 1.0f, row, nullptr);
        if (!F16Format().valid_row(ViewOf(F16Format(), 1, cols, row), 0))
          Fail(ErrorKind::kCorrupt, "{}: row {} decodes to an infinity or a NaN", place, r);
      }
    }
  };
  tensor.rows_at_once = kExl3Block;
  tensor.stored_as = fmt::format("exl3 {} {}-bit", mcg ? "mcg" : mul1 ? "mul1" : "3inst", matrix.bits);
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseExl3(const HfQuantizationInput& in) {
  return std::make_unique<Exl3>(in);
}

}  // namespace assay
