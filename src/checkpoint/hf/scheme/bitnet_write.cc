// BitNet's packed ternary weights. Writing.
#include "checkpoint/hf/packing/writing.h"
#include "format/bitnet.h"

namespace assay {
namespace {

class BitNetWriter : public HfContainer {
 public:
  bool Holds(const Format& format) const override { return &format == &GetFormat("ternary"); }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override {
    return {MakePart(module.name + ".weight", "U8", {(module.rows + 3) / 4, module.cols}),
            MakePart(module.name + ".weight_scale", "F32", {1})};
  }
  // BitLinear divides by it.
  void Begin(const HfModule& module, const HfSink& sink) override {
    const float scale = module.global_divisor / module.global_scale;
    sink(module.name + ".weight_scale", 0, std::as_bytes(std::span(&scale, 1)));
  }
  void Rows(const HfModule& module, int64_t begin, int64_t n, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override {
    const MatrixCollector::Matrix* matrix = collector_.Add(module, begin, n, codes, scales);
    if (!matrix) return;
    std::vector<std::byte> out(static_cast<size_t>((module.rows + 3) / 4 * module.cols));
    PackBitnet(matrix->codes.data(), module.rows, module.cols, out.data());
    sink(module.name + ".weight", 0, out);
    collector_.Drop(module);
  }
  bool HoldsRows() const override { return !collector_.empty(); }
  Json Config(const std::vector<HfModule>&, const std::vector<std::string>& plain) const override {
    Json out;
    out["linear_class"] = "bitlinear";
    out["modules_to_not_convert"] = plain;
    out["quant_method"] = "bitnet";
    out["quantization_mode"] = "offline";
    return out;
  }

 private:
  MatrixCollector collector_;
};

}  // namespace

std::unique_ptr<HfContainer> MakeBitNet(const HfContainerOptions&) {
  return std::make_unique<BitNetWriter>();
}

}  // namespace assay
