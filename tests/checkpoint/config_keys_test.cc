// Every key of every configuration class of transformers, changed (tests/golden/config_keys.json,
// tools/golden/config_keys.py): what changes the logits changes what is read, or is refused; what does not is read as
// the same model. And every number of a configuration has a range.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/layout.h"
#include "describe/arch/config_class.h"
#include "describe/arch/spec.h"
#include "describe/hf_config.h"
#include "system/file.h"

namespace assay {
namespace {

const Json& Golden() {
  static const Json kGolden =
      ParseJson(ReadFile(std::filesystem::path(ASSAY_TEST_DATA) / "golden/config_keys.json"), "config_keys.json");
  return kGolden;
}

Json Changed(const Json& config, const Json& change) {
  Json out = config;
  for (const auto& [key, value] : change.items()) {
    out[key] = value;
    if (value == "...") out.erase(key);
  }
  return out;
}

constexpr int64_t kTokens = 40;  // that transformers ran

// Changed without an effect on those tokens, though they may have one on others: rounding of YaRN's ramp to whole
// dimensions, experts that the best groups hold anyway, a single pair that turns by one radian whatever its base.
bool ByChance(const std::string& model, const Json& change) {
  static const std::set<std::pair<std::string, std::string>> kRows = {
      {"deepseek_v3", "original_max_position_embeddings"},
      {"deepseek_v32", "original_max_position_embeddings"},
      {"deepseek_v2_groups", "topk_group"},
      {"deepseek_v2_groups", "topk_method"},
      {"deepseek_v2_groups", "n_group"},
      {"gpt_neox_serial", "rope_parameters"},
  };
  return !change.empty() && kRows.contains({model, change.begin().key()});
}

// All that acts on logits.
std::string Arithmetic(const Json& json, const std::string& where) {
  ModelConfig config = HfModelConfig(json, nullptr, where);
  SetAllLayers(config);
  if (config.context < kTokens) Fail(ErrorKind::kInvalid, "the engine runs no model beyond its context");
  config.name.clear();
  config.stop_tokens.clear();
  config.extra_layers = config.sliding_window = 0;  // layers have the window
  if (!config.learned_positions) config.context = 0;
  bool dense = false, rotates = false;
  for (const LayerConfig& layer : config.layers) {
    dense = dense || ((!layer.experts || config.experts.beside_dense) && layer.HasFeedForward());
    rotates = rotates || (layer.rope && !layer.recurrent);
  }
  if (!dense) config.feed_forward = 0;
  if (config.rope_scaling.kind == RopeScaling::Kind::kDynamic) config.rope_scaling = {};  // the same up to the context
  if (config.rope_local_scaling.kind == RopeScaling::Kind::kDynamic) config.rope_local_scaling = {};
  if (!rotates || config.learned_positions) {
    config.rope_theta = 0;
    config.rotary_dim = 0;
    config.rope_scaling = {};
    config.rope_factors.clear();
    config.rope_long_factors.clear();
  }
  Hasher hasher;
  AddFields(hasher, config);
  return hasher.Hex();
}

class ConfigKeys : public testing::TestWithParam<std::string> {};

TEST_P(ConfigKeys, ActOrAreRefusedExactlyWhereTheyActInTransformers) {
  const Json& model = Golden().at("models").at(GetParam());
  const std::string before = Arithmetic(model.at("config"), GetParam());
  int applied = 0, refused = 0;
  for (const Json& row : model.at("changes")) {
    const std::string effect = row[1].get<std::string>(), label = DumpJson(row[0]);
    std::string after;
    try {
      after = Arithmetic(Changed(model.at("config"), row[0]), GetParam());
    } catch (const Error& error) {
      if (std::getenv("ASSAY_SHOW_REFUSED") && effect != "error")
        std::printf("refused %s %s (%s): %s\n", GetParam().c_str(), label.c_str(), effect.c_str(), error.what());
      ++refused;
      continue;
    }
    if (effect == "same" && !ByChance(GetParam(), row[0])) {
      EXPECT_EQ(after, before) << label << " changes nothing in transformers";
    }
    auto is_tanh = [](const Json& in, const char* key) {  // one formula, written in three ways
      return in.contains(key) && in[key].is_string() && in[key].get<std::string>().starts_with("gelu_");
    };
    bool rounding = false;
    for (const char* key : {"activation_function", "hidden_act"})
      rounding = rounding || (is_tanh(row[0], key) && is_tanh(model.at("config"), key));
    if ((effect == "changes" && !rounding) || effect == "shape") {
      EXPECT_NE(after, before) << label << " changes the model in transformers (" << effect << ")";
      ++applied;
    }
  }
  EXPECT_GT(applied, 10);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& [name, model] : Golden().at("models").items()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, ConfigKeys, testing::ValuesIn(Names()), [](const auto& test) { return test.param; });

// A class that a description names is one of those whose keys are known, and has been walked.
TEST(ConfigClasses, AreKnownOfAllArchitectures) {
  std::set<std::string> walked;
  for (const auto& [name, model] : Golden().at("models").items())
    walked.insert(model.at("config").at("model_type").get<std::string>());
  for (const ArchitectureSpec& spec : ArchitectureSpecs())
    for (std::string_view type : spec.model_types) {
      EXPECT_NE(FindConfigClass(type), nullptr) << type;
      EXPECT_TRUE(type == "kimi_k2" || walked.contains(std::string(type))) << type;
    }
}

// The table of the program is that of the golden file: every key of a class stands in it.
TEST(ConfigClasses, HoldEveryKeyOfTheirClass) {
  for (const auto& [name, model] : Golden().at("models").items()) {
    const ConfigClass* type = FindConfigClass(model.at("config").at("model_type").get<std::string>());
    ASSERT_NE(type, nullptr) << name;
    Json probe = Json::object();
    for (const Json& key : model.at("keys")) probe[key.get<std::string>()] = true;
    EXPECT_TRUE(UnknownKeys(probe, *type).empty()) << name << ": " << UnknownKeys(probe, *type)[0];
  }
}

TEST(ConfigClasses, NameWhatNobodyKnows) {
  const Json config = {{"hidden_size", 8}, {"swiglu_limit", 7.0}, {"torch_dtype", "bfloat16"}, {"my_key", nullptr}};
  EXPECT_EQ(UnknownKeys(config, *FindConfigClass("llama")), std::vector<std::string>{"swiglu_limit"});
}

// Gemma3TextConfig lays rope_scaling over {"rope_type": "default"}: "type" is nothing to it, though it is to its older
// versions and to llama.cpp's converter.
TEST(ConfigClasses, TakeTheTypeOfRopeOnlyWhereTheClassDoes) {
  Json config = Golden().at("models").at("gemma3").at("config");
  config.erase("rope_parameters");
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 3.0}};
  ExpectError(ErrorKind::kUnsupported, "config.json: rope_scaling: Gemma3ForCausalLM takes no \"type\"",
              [&] { HfModelConfig(config, nullptr, "config.json"); });
  config["rope_scaling"]["rope_type"] = "linear";
  const RopeScaling stated = HfModelConfig(config, nullptr, "config.json").rope_scaling;
  EXPECT_EQ(stated.kind, RopeScaling::Kind::kLinear);
  EXPECT_EQ(stated.factor, 3.0);
  config["rope_scaling"] = {{"type", "default"}};
  EXPECT_EQ(HfModelConfig(config, nullptr, "config.json").rope_scaling.kind, RopeScaling::Kind::kNone);
}

// Qwen2MoeConfig makes it a window of 0, in which a position sees nothing.
TEST(ConfigClasses, SlidingLayersHaveAWindow) {
  for (const auto& [name, change] : {std::pair<const char*, Json>{"qwen2_moe", {{"use_sliding_window", false}}},
                                     {"qwen2_moe", {{"sliding_window", 0}}},
                                     {"gpt_oss", {{"sliding_window", nullptr}}}}) {
    const Json config = Changed(Golden().at("models").at(name).at("config"), change);
    ExpectError(ErrorKind::kUnsupported, "is \"sliding_attention\", but there is no window",
                [&] { HfModelConfig(config, nullptr, "config.json"); });
  }
}

// transformers writes the heads of Gemma 4's layers one by one, Google's files name the two kinds.
TEST(ConfigClasses, HeadsOfLayersComeInTwoSpellings) {
  Json config = Golden().at("models").at("gemma4_moe").at("config");
  const std::string by_layer = Arithmetic(config, "config.json");
  const ModelConfig read = HfModelConfig(config, nullptr, "config.json");
  EXPECT_EQ(read.HeadDim(read.Layer(0)), 16);
  EXPECT_EQ(read.KvHeads(read.Layer(0)), 2);
  EXPECT_EQ(read.HeadDim(read.Layer(2)), 32);
  EXPECT_EQ(read.KvHeads(read.Layer(2)), 1);
  config.erase("per_layer_config");
  EXPECT_NE(Arithmetic(config, "config.json"), by_layer);  // the class's own head size
  config["global_head_dim"] = 32;
  config["num_global_key_value_heads"] = 1;
  EXPECT_EQ(Arithmetic(config, "config.json"), by_layer);
  config["per_layer_config"] = {{"2", {{"sliding_window", 4}}}};
  ExpectError(ErrorKind::kUnsupported, "config.json: per_layer_config: 2: sliding_window of a single layer",
              [&] { HfModelConfig(config, nullptr, "config.json"); });
}

// Visits every number of a configuration up to the defaults for generation; false: no more.
struct Walk {
  int64_t at, seen = 0;
  bool done = false;
  std::string kind;
  double real = 0;
  int64_t whole = 0;

  template <typename T>
  void Visit(const T& value) {
    if constexpr (std::is_same_v<T, bool> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
                  std::is_same_v<T, std::vector<float>> || std::is_same_v<T, GenerationConfig>) {
    } else if constexpr (std::is_same_v<T, std::vector<int32_t>>) {
      done = true;
    } else if constexpr (std::is_same_v<T, std::vector<LayerConfig>>) {
      if (!value.empty()) Visit(value.front());
    } else if constexpr (std::is_arithmetic_v<T>) {
      if (done || seen++ != at) return;
      kind = std::is_floating_point_v<T> ? "real" : "whole";
      if constexpr (std::is_floating_point_v<T>)
        const_cast<T&>(value) = static_cast<T>(real);
      else
        const_cast<T&>(value) = static_cast<T>(whole);
    } else {
      std::apply([&](const auto&... members) { (Visit(members), ...); }, Fields(value));
    }
  }
};

TEST(ConfigRanges, EveryNumberOfAConfigurationHasOne) {
  for (const char* name :
       {"gemma3", "gemma4", "deepseek_v4", "qwen3_next", "granite4_h", "glm_moe_dsa", "mistral", "falcon_h1"}) {
    ModelConfig base = HfModelConfig(Golden().at("models").at(name).at("config"), nullptr, name);
    if (base.layers.empty()) SetAllLayers(base);
    int64_t numbers = 0;
    for (bool more = true; more; ++numbers)
      for (auto [real, whole] : std::initializer_list<std::pair<double, int64_t>>{
               {std::nan(""), std::numeric_limits<int64_t>::max()},
               {std::numeric_limits<double>::infinity(), std::numeric_limits<int64_t>::min()},
               {-1.0, int64_t{1} << 40}}) {
        ModelConfig config = base;
        Walk walk{numbers, 0, false, "", real, whole};
        walk.Visit(config);
        more = !walk.kind.empty();
        if (!more) break;
        EXPECT_THROW(CheckConfig(config, name), Error)
            << name << ": number " << numbers << " " << walk.kind << " " << real << " " << whole;
      }
    EXPECT_GT(numbers, 60);
  }
}

}  // namespace
}  // namespace assay
