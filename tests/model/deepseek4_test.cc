// A quantized folder of DeepSeek V4 runs as the weights that its codes stand for.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "checkpoint/convert_for_test.h"
#include "kernel/ops.h"
#include "model/model.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

std::vector<float> Logits(const fs::path& path, Arithmetic arithmetic) {
  auto model = Model::Load(Checkpoint::Open(path), {arithmetic, ""});
  Sequence sequence(model->config(), arithmetic, 150);
  Workspace workspace;
  ThreadPool pool(2);
  std::vector<BatchToken> batch;  // beyond an entry of 128 positions
  for (int32_t t = 0; t < 150; ++t) batch.push_back({4 + t * t % 251, &sequence, true});
  std::vector<float> logits(batch.size() * static_cast<size_t>(model->config().vocab));
  model->Forward(batch, workspace, pool, logits.data());
  return logits;
}

TEST(DeepSeek4, QuantizedFoldersRunAsTheirWeights) {
  TempFolder scratch;
  auto checkpoint = Checkpoint::Open(GoldenFolder(scratch.path(), "deepseek_v4_fp4"));
  std::map<std::string, bool> linear;
  for (const TensorSlot& slot : TensorSlots(checkpoint->config())) linear[slot.name] = slot.linear;
  for (const char* format : {"int4_g32", "fp8_channel_a8", "nf4", "llm_int8"}) {
    SCOPED_TRACE(format);
    const fs::path packed = scratch.path() / format, plain = scratch.path() / (std::string(format) + "_plain");
    auto format_of = [&](const Tensor& tensor) -> std::string {
      const bool fits = linear[tensor.name] && tensor.name != "output.weight" && tensor.cols % 32 == 0;
      return fits ? format : "f32";
    };
    ConvertForTest(*checkpoint, Container::kHuggingFace, packed, "", format_of);
    ConvertForTest(*Checkpoint::Open(packed), Container::kHuggingFace, plain, "", [](const Tensor&) { return "f32"; });
    const std::vector<float> expected = Logits(plain, Arithmetic::kReference);
    EXPECT_EQ(Logits(packed, Arithmetic::kReference), expected);
    const std::vector<float> deployed = Logits(packed, Arithmetic::kDeployed);
    double total = 0;
    for (size_t i = 0; i < expected.size(); ++i) total += std::abs(deployed[i] - expected[i]);
    // Of a spread of 1.6; FP8 activations have 4 bits of mantissa.
    const bool eight_bits = std::string(format) == "fp8_channel_a8";
    EXPECT_LT(total / static_cast<double>(expected.size()), eight_bits ? 0.3 : 0.15);
  }
}

}  // namespace
}  // namespace assay
