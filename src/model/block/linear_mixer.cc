// A matrix that stands where others have attention (DeciLM): a position sees itself alone.

#include "model/block/table.h"
#include "model/operations.h"

namespace assay {
namespace {

class LinearMixer : public Block {
 public:
  LinearMixer(int64_t hidden, const WeightReader& reader)
      : hidden_(hidden), linear_(reader.ReadLinear("attn_linear", hidden, hidden)) {}
  void Plan(const BatchShape&, Arena&) const override {}
  void Run(const Pass& pass, const float* x, float* out) const override {
    Multiply(pass, {x, hidden_}, pass.n(), {{linear_, {out, hidden_}}});
  }
  void VisitLinears(const LinearVisitor& visit) const override { visit(linear_); }

 private:
  int64_t hidden_;
  Linear linear_;  // [hidden, hidden]
};

}  // namespace

BlockPointer LoadLinearMixer(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<LinearMixer>(context.config.hidden, reader);
}

}  // namespace assay
