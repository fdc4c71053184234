// BitNet b1.58: quant_method "bitnet". Packed ("offline"): weight uint8 [out / 4, in], with row i * out / 4 + r in bits
// 2i of row r, and one weight_scale that BitLinear divides by and AutoBitLinear multiplies with. Source: transformers
// integrations/bitnet.py, quantizers/quantizer_bitnet.py.

#include "format/bitnet.h"

#include "base/error.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"

namespace assay {

namespace {

class BitNet : public HfQuantization {
 public:
  explicit BitNet(const HfQuantizationInput& in);
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    const bool packed = source.Find(module + ".weight_scale");
    if (packed && (online_ || NamedIn(plain_, module)))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}.weight_scale is there, but config.json says that {} is not packed",
           source.where(), module, module);
    // "online" keeps full-precision weights that the layer quantizes as it runs.
    return packed || (!online_ && module != "lm_head" && !NamedIn(plain_, module));
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  std::string description() const override {
    return online_ ? "bitnet weights for ternary use, in full precision" : "bitnet ternary";
  }

 private:
  bool online_ = false, divides_ = true;
  std::vector<std::string> plain_;
};

BitNet::BitNet(const HfQuantizationInput& in) {
  std::string mode = JsonString(in.json, "quantization_mode", in.where, "offline");
  std::string layer = JsonString(in.json, "linear_class", in.where, "bitlinear");
  if ((mode != "offline" && mode != "online") || (layer != "bitlinear" && layer != "autobitlinear"))
    Fail(ErrorKind::kUnsupported, "{}: linear_class {}, quantization_mode {}", in.where, layer, mode);
  if (JsonBool(in.json, "use_rms_norm", in.where, false))
    Fail(ErrorKind::kUnsupported, "{}: use_rms_norm: a norm inside of each linear layer is not supported", in.where);
  online_ = mode == "online";
  divides_ = layer == "bitlinear";
  plain_ = ReadNames(in.json, "modules_to_not_convert", in.where);
}

void BitNet::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  const int64_t rows = tensor.rows, cols = tensor.cols;
  const std::string why = "config.json says bitnet and does not leave out " + module;
  const SafetensorsTensor& weight = source.Take(module + ".weight", why);
  const SafetensorsTensor& scale = source.Take(module + ".weight_scale", why);
  source.Expect(weight, "U8", {(rows + 3) / 4, cols});
  const float stated = source.Scalar(scale);
  if (!(stated > 0.0f))
    Fail(ErrorKind::kCorrupt, "{}: tensor {} is {}, expected a positive number", source.FileOf(scale), scale.name,
         stated);
  const Format& format = GetFormat("ternary");
  if (!FitsColumns(format, cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), module, cols, format.name);
  tensor.format = &format;
  tensor.codes.make = [&weight, &source, &format, rows, cols](int64_t begin, int64_t n, std::byte* out) {
    UnpackBitnet(weight.data.data(), rows, cols, begin, n, out);
    const PackedView view = ViewOf(format, n, cols, out);
    for (int64_t row = 0; row < n; ++row)
      if (!format.valid_row(view, row))
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} has a code that is not -1, 0 or 1", source.FileOf(weight),
             weight.name, begin + row);
  };
  (divides_ ? tensor.global_divisor : tensor.global_scale) = stated;
  tensor.stored_bytes = weight.data.size() + scale.data.size();
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseBitNet(const HfQuantizationInput& in) {
  return std::make_unique<BitNet>(in);
}

}  // namespace assay
