// Configurations as they are published (tests/golden/configs.json) are understood: nothing in them is refused, and the
// sizes are those of the model cards.

#include <gtest/gtest.h>

#include "base/json.h"
#include "checkpoint/hf/quantization.h"
#include "checkpoint/hf_config.h"
#include "checkpoint/hf_wrapper.h"
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

}  // namespace
}  // namespace assay
