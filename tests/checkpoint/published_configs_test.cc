// Configurations as they are published (tests/golden/configs.json) are understood: nothing in them is refused, and the
// sizes are those of the model cards.

#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "describe/hf_config.h"
#include "describe/hf_wrapper.h"
#include "system/file.h"

namespace assay {
namespace {

TEST(PublishedConfigs, AreUnderstood) {
  const Json golden =
      ParseJson(ReadFile(std::filesystem::path(ASSAY_TEST_DATA) / "golden/configs.json"), "configs.json");
  for (const auto& [name, model] : golden.at("models").items()) {
    SCOPED_TRACE(name);
    Json json = model.at("config");
    if (const HfWrapper* wrapper = FindWrapper(json)) json = TextConfig(*wrapper, json, name);
    const ModelConfig config = HfModelConfig(json, nullptr, name);
    ParseHfQuantization(json, {}, name);
    const Json& expect = model.at("expect");
    EXPECT_EQ(config.n_layers, expect.at("layers"));
    EXPECT_EQ(config.head_dim, expect.at("head_dim"));
    EXPECT_EQ(config.rotary_dim, expect.at("rotary"));
    EXPECT_EQ(config.context, expect.at("context"));
    for (const auto& [key, found] :
         std::initializer_list<std::pair<const char*, int64_t>>{{"kv_heads", config.n_kv_heads},
                                                                {"window", config.Layer(0).window},
                                                                {"experts", config.experts.count},
                                                                {"used", config.experts.used}})
      EXPECT_EQ(found, expect.value(key, found)) << key;
    int64_t nope = 0;
    for (int64_t i = 0; i < config.n_layers; ++i) nope += !config.Layer(i).rope;
    EXPECT_EQ(nope, expect.value("nope", 0));
  }
}

// The tensors of the release (its index and the header of one of its files) are those that its configuration asks for.
TEST(PublishedConfigs, DeepSeekV4HasTheTensorsOfItsRelease) {
  const Json golden =
      ParseJson(ReadFile(std::filesystem::path(ASSAY_TEST_DATA) / "golden/configs.json"), "configs.json");
  const ModelConfig config =
      HfModelConfig(golden.at("models").at("deepseek-ai/DeepSeek-V4-Flash").at("config"), nullptr, "V4");
  EXPECT_EQ(config.rope_theta, 160000.0);
  EXPECT_EQ(config.rope_local_theta, 10000.0);
  EXPECT_EQ(config.rope_scaling.attention_factor, 1.0);
  std::map<std::string, std::vector<int64_t>> shapes;
  std::map<std::string, int> count;  // by name, numbers as N
  for (const TensorSlot& slot : HfSlots(config)) {
    shapes[slot.hugging_face] = slot.shape;
    std::string family;
    for (const std::string& part : Split(slot.hugging_face, '.'))
      family += (family.empty() ? "" : ".") + (part.find_first_not_of("0123456789") == part.npos ? "N" : part);
    ++count[family];
  }
  for (auto [family, number] :
       std::initializer_list<std::pair<const char*, int>>{{"embed.weight", 1},
                                                          {"head.weight", 1},
                                                          {"norm.weight", 1},
                                                          {"hc_head_fn", 1},
                                                          {"layers.N.attn.attn_sink", 43},
                                                          {"layers.N.attn.kv_norm.weight", 43},
                                                          {"layers.N.attn.wo_a.weight", 43},
                                                          {"layers.N.attn.compressor.ape", 41},
                                                          {"layers.N.attn.compressor.wgate.weight", 41},
                                                          {"layers.N.attn.indexer.compressor.norm.weight", 21},
                                                          {"layers.N.attn.indexer.weights_proj.weight", 21},
                                                          {"layers.N.attn.indexer.wq_b.weight", 21},
                                                          {"layers.N.ffn.experts.N.w2.weight", 43 * 256},
                                                          {"layers.N.ffn.gate.weight", 43},
                                                          {"layers.N.ffn.gate.bias", 40},
                                                          {"layers.N.ffn.gate.tid2eid", 3},
                                                          {"layers.N.ffn.shared_experts.w3.weight", 43},
                                                          {"layers.N.ffn_norm.weight", 43},
                                                          {"layers.N.hc_ffn_scale", 43}})
    EXPECT_EQ(count[family], number) << family;
  for (const auto& [name, shape] : std::initializer_list<std::pair<const char*, std::vector<int64_t>>>{
           {"layers.0.attn.wq_a.weight", {1024, 4096}},
           {"layers.0.attn.wq_b.weight", {32768, 1024}},
           {"layers.0.attn.wkv.weight", {512, 4096}},
           {"layers.0.attn.wo_a.weight", {8192, 4096}},
           {"layers.0.attn.wo_b.weight", {4096, 8192}},
           {"layers.0.ffn.gate.tid2eid", {129280, 6}},
           {"layers.0.hc_attn_base", {24}},
           {"layers.0.hc_attn_fn", {24, 16384}},
           {"layers.0.hc_attn_scale", {3}},
           {"layers.0.ffn.experts.0.w1.weight", {2048, 4096}}})
    EXPECT_EQ(shapes[name], shape) << name;
}

}  // namespace
}  // namespace assay
