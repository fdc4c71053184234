#include "quantize/presets.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"

namespace assay {
namespace {

// SmolLM2-135M: 30 layers of width 576 (not a multiple of 256), feed-forward 1536, 9 heads over 3, tied output.
std::map<std::string, int> TypesOfSmolLm2(const std::string& preset) {
  ModelConfig config;
  config.n_layers = 30;
  config.n_heads = 9;
  config.n_kv_heads = 3;
  std::map<std::string, int> types;
  auto add = [&](const std::string& name, int64_t rows, int64_t cols) {
    Tensor tensor;
    tensor.name = name;
    tensor.shape = {rows, cols};
    ++types[std::string(Preset::Get(preset).Choose(RoleOf(tensor, config, true))->name)];
  };
  add("token_embd.weight", 49152, 576);
  for (int i = 0; i < 30; ++i) {
    std::string blk = "blk." + std::to_string(i) + ".";
    add(blk + "attn_q.weight", 576, 576);
    add(blk + "attn_k.weight", 192, 576);
    add(blk + "attn_v.weight", 192, 576);
    add(blk + "attn_output.weight", 576, 576);
    add(blk + "ffn_gate.weight", 1536, 576);
    add(blk + "ffn_up.weight", 1536, 576);
    add(blk + "ffn_down.weight", 576, 1536);
  }
  return types;
}

// Counts of the files that llama-quantize (llama.cpp inside the source package llama-cpp-python 0.3.36, no importance
// matrix) wrote from SmolLM2-135M-Instruct, F32 tensors apart.
TEST(Presets, MixesOfSmolLm2EqualLlamaQuantize) {
  using Types = std::map<std::string, int>;
  EXPECT_EQ(TypesOfSmolLm2("q8_0"), (Types{{"q8_0", 211}}));
  EXPECT_EQ(TypesOfSmolLm2("q6_k"), (Types{{"q8_0", 181}, {"q6_k", 30}}));
  EXPECT_EQ(TypesOfSmolLm2("q5_k_m"), (Types{{"q8_0", 15}, {"q5_1", 166}, {"q6_k", 14}, {"q5_k", 16}}));
  EXPECT_EQ(TypesOfSmolLm2("q5_k_s"), (Types{{"q8_0", 1}, {"q5_1", 180}, {"q5_k", 30}}));
  EXPECT_EQ(TypesOfSmolLm2("q4_k_m"), (Types{{"q8_0", 15}, {"q5_0", 166}, {"q6_k", 14}, {"q4_k", 16}}));
  EXPECT_EQ(TypesOfSmolLm2("q4_k_s"), (Types{{"q8_0", 1}, {"q5_0", 176}, {"q5_1", 4}, {"q5_k", 3}, {"q4_k", 27}}));
  EXPECT_EQ(TypesOfSmolLm2("q4_0"), (Types{{"q8_0", 1}, {"q4_0", 210}}));
  EXPECT_EQ(TypesOfSmolLm2("q4_1"), (Types{{"q8_0", 1}, {"q4_1", 210}}));
  EXPECT_EQ(TypesOfSmolLm2("q5_0"), (Types{{"q8_0", 1}, {"q5_0", 210}}));
  EXPECT_EQ(TypesOfSmolLm2("q3_k_m"),
            (Types{{"q8_0", 1}, {"q4_0", 120}, {"q5_0", 58}, {"q5_1", 2}, {"q5_k", 1}, {"q4_k", 29}}));
  EXPECT_EQ(TypesOfSmolLm2("q2_k"), (Types{{"q8_0", 1}, {"q4_0", 180}, {"q3_k", 30}}));
}

TEST(Presets, WholeBlocksKeepTheMix) {
  TensorRole role{"blk.0.attn_v.weight", 256, 2048, 0, 22, 32, 4, false};
  EXPECT_EQ(Preset::Get("q2_k").Choose(role)->name, "q4_k");    // eight heads share each value head
  EXPECT_EQ(Preset::Get("Q4_K_M").Choose(role)->name, "q6_k");  // layer 0 is in the first eighth
  role.layer = 3;
  EXPECT_EQ(Preset::Get("q4_k_m").Choose(role)->name, "q4_k");
  role.name = "token_embd.weight";
  EXPECT_EQ(Preset::Get("q4_k_m").Choose(role)->name, "q4_k");
  role.tied_output = true;
  EXPECT_EQ(Preset::Get("q4_k_m").Choose(role)->name, "q6_k");
}

TEST(Presets, HuggingFaceSchemesLeaveEmbeddingAndHeadAlone) {
  TensorRole role{"output.weight", 32000, 2048, -1, 22, 32, 4, false};
  for (const char* preset : {"fp8", "int8", "int8-w8a8", "int4-g128", "nf4", "nvfp4", "mxfp4"})
    EXPECT_EQ(Preset::Get(preset).Choose(role), nullptr) << preset;
  role.name = "blk.0.ffn_up.weight";
  EXPECT_EQ(Preset::Get("int4_g128").Choose(role)->name, "int4_g128");
  role.cols = 576;
  EXPECT_EQ(Preset::Get("int4-g128").Choose(role)->name, "int4_g64");
}

TEST(Presets, UnknownNameSuggestsTheNearest) {
  try {
    Preset::Get("q4_km");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean q4_k_m?"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace assay
