// gpt-oss: all experts of a layer in one tensor of MXFP4 blocks, the rows of gate and up in turns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/gpt_oss_model.h"

namespace assay {
namespace {

float Weight(const std::map<std::string, PackedPart>& model, const std::string& name, int64_t expert, int64_t row,
             int64_t col) {
  constexpr float kE2m1[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const PackedPart& blocks = model.at(name + "_blocks");
  const int64_t rows = blocks.shape[1];
  const int byte = static_cast<int>(blocks.bytes[static_cast<size_t>((expert * rows + row) * 16 + col / 2)]);
  const int code = col % 2 ? byte >> 4 : byte & 15;
  const int scale = static_cast<int>(model.at(name + "_scales").bytes[static_cast<size_t>(expert * rows + row)]);
  return std::ldexp(code & 8 ? -kE2m1[code & 7] : kE2m1[code & 7], scale - 127);
}

TEST(GptOss, ExpertsComeOutOfTheirBlocks) {
  TempFolder folder;
  std::map<std::string, PackedPart> model = PackedModel();
  SavePacked(folder.path() / "m", model);
  auto checkpoint = Checkpoint::Open(folder.path() / "m");
  EXPECT_EQ(checkpoint->scheme(), "mxfp4 experts (gpt-oss)");
  const std::string gate_up = "model.layers.1.mlp.experts.gate_up_proj", down = "model.layers.1.mlp.experts.down_proj";
  for (int64_t e = 0; e < kExperts; ++e) {
    std::vector<float> gate = Decode(checkpoint->Get(fmt::format("blk.1.ffn_gate.{}.weight", e)));
    std::vector<float> up = Decode(checkpoint->Get(fmt::format("blk.1.ffn_up.{}.weight", e)));
    std::vector<float> out = Decode(checkpoint->Get(fmt::format("blk.1.ffn_down.{}.weight", e)));
    for (int64_t r = 0; r < kWidth; ++r)
      for (int64_t c = 0; c < kHidden; ++c) {
        const size_t at = static_cast<size_t>(r * kHidden + c);
        ASSERT_EQ(gate[at], Weight(model, gate_up, e, 2 * r, c)) << e << " " << r << " " << c;
        ASSERT_EQ(up[at], Weight(model, gate_up, e, 2 * r + 1, c)) << e << " " << r << " " << c;
        ASSERT_EQ(out[at], Weight(model, down, e, r, c)) << e << " " << r << " " << c;
      }
  }
}

TEST(GptOss, BrokenBlocksAreRefused) {
  TempFolder folder;
  const std::string name = "model.layers.0.mlp.experts.down_proj";
  auto expect = [&](const std::string& message, const std::map<std::string, PackedPart>& model) {
    SavePacked(folder.path() / "m", model);
    try {
      Checkpoint::Open(folder.path() / "m");
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(message));
    }
  };
  std::map<std::string, PackedPart> model = PackedModel();
  model.erase(name + "_scales");
  expect("tensor " + name + "_scales is missing", model);
  model = PackedModel();
  model[name + "_blocks"].shape = {kExperts, kHidden, 2, 8};
  expect("expected shape [4, 32, 1, 16], found [4, 32, 2, 8]", model);
  model = PackedModel();
  model[name + "_scales"].dtype = "I8";
  expect("expected dtype U8, found I8", model);
}

TEST(GptOss, CutAndFlippedBytesNeverCrash) {
  TempFolder folder;
  SavePacked(folder.path() / "m", PackedModel());
  const std::string bytes = ReadFile(folder.path() / "m" / "model.safetensors");
  for (size_t n = 0; n < bytes.size(); n += 1999) {
    WriteFileAtomically(folder.path() / "m" / "model.safetensors", bytes.substr(0, n));
    EXPECT_THROW(Checkpoint::Open(folder.path() / "m"), Error) << "accepted when cut to " << n;
  }
  for (size_t i = 8; i < bytes.size(); i += 1013) {
    std::string broken = bytes;
    broken[i] = static_cast<char>(broken[i] ^ 0x81);
    WriteFileAtomically(folder.path() / "m" / "model.safetensors", broken);
    try {
      Checkpoint::Open(folder.path() / "m");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace assay
