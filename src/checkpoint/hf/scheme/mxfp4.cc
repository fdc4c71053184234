// gpt-oss: quant_method "mxfp4". Experts of a layer lie in one tensor of blocks [experts, out, in / 32, 16] and one of
// power-of-two scales [experts, out, in / 32]; the first weight of a byte is in the low nibble. Source: openai/gpt-oss,
// gpt_oss/torch/weights.py; transformers integrations/mxfp4.py.
#include "base/error.h"
#include "checkpoint/hf/packing/targets.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

class Mxfp4 : public HfQuantization {
 public:
  explicit Mxfp4(const HfQuantizationInput& in) : plain_(ReadNames(in.json, "modules_to_not_convert", in.where)) {}
  bool Quantizes(const std::string& module, const HfSource& source) const override {
    // Only experts are quantized; they have no plain weight then.
    const bool there = source.Find(module + "_blocks");
    if (there && NamedIn(plain_, module))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}_blocks is there, but modules_to_not_convert names {}", source.where(),
           module, module);
    return there;
  }
  void Place(const std::string& module, HfSource& source, Tensor& tensor) const override;
  void Finish(HfSource& source) const override {
    if (!source.AnyEndsWith("_blocks"))
      Fail(ErrorKind::kCorrupt, "{}: config.json says quant_method mxfp4, but no tensor is called *_blocks",
           source.where());
  }
  std::string description() const override { return "mxfp4 experts (gpt-oss)"; }

 private:
  std::vector<std::string> plain_;
};

void Mxfp4::Place(const std::string& module, HfSource& source, Tensor& tensor) const {
  const SafetensorsTensor& blocks = source.Take(module + "_blocks", "config.json says mxfp4");
  const SafetensorsTensor& scales = source.Take(module + "_scales", "config.json says mxfp4");
  // A plain file holds [experts, in, out]; this one [experts, out, in / 32, 16].
  std::vector<int64_t> shape = tensor.shape;
  if (shape.size() == 3 && blocks.shape.size() == 4 && blocks.shape[1] == shape[2] && blocks.shape[1] != shape[1])
    std::swap(shape[1], shape[2]);
  if (shape.size() != 3 || shape[2] % 32 != 0)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: config.json expects {}, which has no whole blocks of 32", source.where(),
         module, ShapeText(tensor.shape));
  source.Expect(blocks, "U8", {shape[0], shape[1], shape[2] / 32, 16});
  source.Expect(scales, scales.dtype == "F8_E8M0" ? "F8_E8M0" : "U8", {shape[0], shape[1], shape[2] / 32});
  tensor.shape = shape;
  tensor.Borrow(ViewOf(GetFormat("mxfp4"), shape[0] * shape[1], shape[2], blocks.data.data(), scales.data.data()));
  tensor.stored_bytes = blocks.data.size() + scales.data.size();
}

}  // namespace

std::unique_ptr<const HfQuantization> ParseMxfp4(const HfQuantizationInput& in) {
  return std::make_unique<Mxfp4>(in);
}

}  // namespace assay
