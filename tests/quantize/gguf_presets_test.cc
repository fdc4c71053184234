// Every GGUF preset, tensor by tensor, against llama-quantize (golden/quantize/gguf_presets.json, made by
// tools/golden/gguf_presets.py).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/json.h"
#include "checkpoint/gguf/gguf_types.h"
#include "quantize/gguf_mix.h"
#include "quantize/presets.h"

namespace assay {
namespace {

const Json& Golden() {
  static const Json golden = [] {
    std::ifstream in(ASSAY_TEST_DATA "/golden/quantize/gguf_presets.json");
    std::stringstream text;
    text << in.rdbuf();
    return ParseJson(text.str(), "gguf_presets.json");
  }();
  return golden;
}

// "blk.3.attn_v.weight": what the file calls a kind in a layer; kinds outside the layers have whole names.
std::string NameOf(const std::string& kind, int64_t layer) {
  return layer < 0 ? kind : fmt::format("blk.{}.{}.weight", layer, kind);
}

struct Model {
  ModelConfig config;
  std::vector<Tensor> tensors;
};

Model Make(const Json& golden) {
  Model model;
  model.config.architecture = golden["architecture"].get<std::string>();
  model.config.n_layers = golden["n_layers"];
  model.config.n_heads = golden["n_heads"];
  model.config.n_kv_heads = golden["n_kv_heads"];
  model.config.experts.count = golden["n_experts"];
  for (const auto& [kind, where] : golden["tensors"].items()) {
    for (int64_t i = 0; i < where["count"].get<int64_t>(); ++i) {
      Tensor tensor;
      tensor.name = NameOf(kind, where["first"].get<int64_t>() < 0 ? -1 : where["first"].get<int64_t>() + i);
      tensor.shape = where["shape"].get<std::vector<int64_t>>();
      model.tensors.push_back(std::move(tensor));
    }
  }
  return model;
}

// The type that the reference gives a tensor; empty: it is left as it is.
std::string Expected(const Json& types, const std::string& kind, int64_t index) {
  const std::string value = types[kind];
  if (value[0] != '=') return value;
  return types["legend"][value.substr(1 + static_cast<size_t>(index), 1)];
}

TEST(GgufPresets, GiveEveryTensorTheTypeThatLlamaQuantizeGives) {
  int compared = 0;
  for (const auto& [name, golden] : Golden()["models"].items()) {
    const Model model = Make(golden);
    for (const bool with_importance : {false, true}) {
      std::map<std::string, TensorRole> roles;
      for (TensorRole& role : RolesOf(model.tensors, model.config)) {
        role.has_importance = with_importance;
        roles[role.name] = role;
      }
      for (const auto& [key, value] : golden["presets"].items()) {
        if (key.ends_with("+imatrix") != with_importance) continue;
        const std::string preset = key.substr(0, key.find('+'));
        const Json& types = value == "same" ? golden["presets"][preset] : value;
        if (types.is_null()) continue;  // the reference gives up
        for (const auto& [kind, where] : golden["tensors"].items()) {
          for (int64_t i = 0; i < where["count"].get<int64_t>(); ++i) {
            const TensorRole& role =
                roles.at(NameOf(kind, where["first"].get<int64_t>() < 0 ? -1 : where["first"].get<int64_t>() + i));
            const Format* format = Preset::Get(preset).Choose(role);
            std::string found = format == nullptr ? "f16" : std::string(format->name);  // the source is F16
            if (found == "mxfp4_gguf") found = "mxfp4";
            ASSERT_EQ(found, Expected(types, kind, i)) << name << " " << key << " " << role.name;
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 200000);
}

// The file's number, its name and the preset belong together, and llama.cpp knows it.
TEST(GgufPresets, FileTypesAndWarnings) {
  for (const PresetInfo& info : Preset::All()) {
    if (info.container != Container::kGguf) continue;
    EXPECT_EQ(GgufFileType(info.name), info.gguf_file_type) << info.name;
    EXPECT_EQ(GgufFileTypeName(static_cast<uint64_t>(info.gguf_file_type)), info.name);
    EXPECT_TRUE(HasGgufType(GetFormat(info.base))) << info.name;
  }
  EXPECT_TRUE(Preset::Get("iq2_xxs").info().needs_importance);
  EXPECT_FALSE(Preset::Get("iq3_s").info().needs_importance);
  EXPECT_NE(Preset::Get("tq1_0").info().warning, "");
  EXPECT_EQ(Preset::Get("q4_k_m").info().warning, "");
}

TEST(GgufPresets, ShortNamesMeanTheMiddleOne) {
  EXPECT_EQ(Preset::Get("Q4_K").info().name, "q4_k_m");
  EXPECT_EQ(Preset::Get("q3-k").info().name, "q3_k_m");
}

// Layers without attention do not count: the third attention layer of five is in the middle although it is layer 8.
TEST(GgufPresets, PositionsCountTheTensorsOfAKind) {
  ModelConfig config;
  config.architecture = "jamba";
  config.n_layers = 16;
  config.n_heads = 32;
  config.n_kv_heads = 8;
  std::vector<Tensor> tensors;
  for (int64_t layer = 0; layer < 16; ++layer) {
    Tensor tensor;
    tensor.shape = {256, 256};
    tensor.name = NameOf(layer % 4 == 0 ? "attn_v" : "ssm_in", layer);
    tensors.push_back(tensor);
  }
  const std::vector<TensorRole> roles = RolesOf(tensors, config);
  EXPECT_EQ(roles[8].position, 2);
  EXPECT_EQ(roles[8].n_positions, 4);
  EXPECT_EQ(roles[9].position, 6);
  EXPECT_EQ(KindOfTensor("blk.1.attn_kv_b.weight"), TensorKind::kAttnV);
}

}  // namespace
}  // namespace assay
