// gpt-oss: experts in MXFP4, everything else plain. Writing.
#include "base/error.h"
#include "checkpoint/hf/packing/writing.h"

namespace assay {
namespace {

class Mxfp4Writer : public HfContainer {
 public:
  bool Holds(const Format& format) const override { return &format == &GetFormat("mxfp4"); }
  /// transformers replaces the class of gpt-oss' experts and no other module.
  bool HoldsModule(bool linear, const std::vector<int64_t>& shape) const override {
    return !linear && shape.size() == 3;
  }
  std::vector<SafetensorsPart> Parts(const HfModule& module) const override {
    const std::vector<int64_t>& s = module.shape;
    return {MakePart(module.name + "_blocks", "U8", {s[0], s[1], s[2] / 32, 16}),
            MakePart(module.name + "_scales", "U8", {s[0], s[1], s[2] / 32})};
  }
  void Begin(const HfModule&, const HfSink&) override {}
  void Rows(const HfModule& module, int64_t begin, int64_t, std::span<const std::byte> codes,
            std::span<const std::byte> scales, const HfSink& sink) override {
    sink(module.name + "_blocks", static_cast<uint64_t>(CodesBytes(*module.format, begin, module.cols)), codes);
    sink(module.name + "_scales", static_cast<uint64_t>(ScalesBytes(*module.format, begin, module.cols)), scales);
  }
  Json Config(const std::vector<HfModule>&, const std::vector<std::string>&) const override {
    Json out;
    out["modules_to_not_convert"] = {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens",
                                     "lm_head"};
    out["quant_method"] = "mxfp4";
    return out;
  }
};

}  // namespace

std::unique_ptr<HfContainer> MakeMxfp4(const HfContainerOptions&) {
  return std::make_unique<Mxfp4Writer>();
}

}  // namespace assay
