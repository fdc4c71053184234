// GGUF is read as llama.cpp runs it, and what it cannot hold is not written. What llama.cpp does is established by
// running it: tools/interop/llama_cpp_models.py.

#include "describe/arch/llama_cpp.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf/gguf_checkpoint.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/small_gguf.h"
#include "describe/model_facts.h"
#include "processor_time.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden";
using Changes = std::vector<std::pair<const char*, Json>>;  // JSON pointer, value

fs::path Changed(const std::string& model, const Changes& changes, const fs::path& scratch) {
  const fs::path source = model == "llama" ? kGolden / "checkpoint/tiny_llama" : kGolden / "models" / model;
  const fs::path folder = scratch / model;
  fs::create_directories(folder);
  fs::copy_file(source / "model.safetensors", folder / "model.safetensors", fs::copy_options::overwrite_existing);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(kGolden / "checkpoint/tiny_llama" / file, folder / file, fs::copy_options::overwrite_existing);
  Json config = ParseJson(ReadFile(source / "config.json"), "config.json");
  for (const auto& [pointer, value] : changes) config[Json::json_pointer(pointer)] = value;
  WriteFileAtomically(folder / "config.json", DumpJson(config));
  return folder;
}

std::shared_ptr<const Checkpoint> ThroughGguf(const Checkpoint& source, const fs::path& scratch) {
  ConvertForTest(source, Container::kGguf, scratch / "m.gguf", "f32", [](const Tensor&) { return "f32"; });
  return Checkpoint::Open(scratch / "m.gguf");
}

const Json kYarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}};
Json Yarn(const char* key, Json value) {
  Json out = kYarn;
  out[key] = std::move(value);
  return out;
}

Json LongRope(const std::string& model, const fs::path& scratch) {
  Json out = {{"rope_type", "longrope"},
              {"original_max_position_embeddings", 32},
              {"attention_factor", 1.1},
              {"short_factor", Json::array()},
              {"long_factor", Json::array()}};
  const int64_t n = Checkpoint::Open(Changed(model, {}, scratch))->config().rotary_dim / 2;
  for (int64_t i = 0; i < n; ++i) {
    out["short_factor"].push_back(1.0 + 0.1 * static_cast<double>(i));
    out["long_factor"].push_back(2.0 + 0.3 * static_cast<double>(i));
  }
  return out;
}

TEST(LlamaCpp, AnotherModelIsNotWritten) {
  struct Row {
    const char* model;
    Changes changes;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"llama", {{"/hidden_act", "gelu"}}, "activation SiLU, not GELU (error function)"},
      {"qwen3", {{"/hidden_act", "gelu_pytorch_tanh"}}, "activation SiLU, not GELU (tanh)"},
      {"mixtral", {{"/hidden_act", "relu2"}}, "activation SiLU, not squared ReLU"},
      {"phi3", {{"/hidden_act", "gelu"}}, "activation SiLU"},
      {"gemma2", {{"/hidden_activation", "gelu"}}, "activation GELU (tanh), not GELU (error function)"},
      {"gpt2", {{"/activation_function", "gelu"}}, "activation GELU (tanh)"},
      {"gemma2", {{"/query_pre_attn_scalar", 40}}, "scale of the scores"},
      {"gemma3", {{"/query_pre_attn_scalar", 40}}, "scale of the scores"},
      {"gemma2", {{"/attn_logit_softcapping", nullptr}}, "divides by the caps"},
      {"gemma2", {{"/final_logit_softcapping", nullptr}}, "divides by the caps"},
      {"llama", {{"/rope_scaling", Yarn("truncate", false)}}, "YaRN's ramp from and to whole dimensions"},
      {"qwen2",
       {{"/rope_parameters/rope_type", "llama3"},
        {"/rope_parameters/factor", 8.0},
        {"/rope_parameters/low_freq_factor", 1.0},
        {"/rope_parameters/high_freq_factor", 4.0},
        {"/rope_parameters/original_max_position_embeddings", 64}},
       "has no place for tensor rope_freqs.weight"},
      {"deepseek_v3", {{"/rope_parameters/mscale", 0.5}}, "factor on rotated queries and keys"},
      {"gemma3",
       {{"/rope_parameters/full_attention/rope_type", "yarn"},
        {"/rope_parameters/full_attention/attention_factor", 1.3}},
       "attention_factor of YaRN to layers with a window"},
      {"deci_attention", {}, "leaves out layer 0, which has no feed-forward block"},
      {"gemma3n", {{"/hidden_activation", "silu"}}, "activation GELU (tanh), not SiLU"},
      {"gemma3n", {{"/altup_correct_scale", false}}, "a scale of what a layer's own embedding sees yes, not no"},
      {"gemma3n", {{"/altup_active_idx", 1}}, "altup.active_idx 1; supported is 0, as in llama.cpp"},
      {"gemma3n_streams", {}, "altup.num_inputs 3; supported is 4, as in llama.cpp"},
      {"gemma4", {{"/hidden_activation", "gelu"}}, "activation GELU (tanh), not GELU (error function)"},
      {"gemma4",
       {{"/rope_parameters/sliding_attention/rope_type", "linear"}, {"/rope_parameters/sliding_attention/factor", 2.0}},
       "scaling of the rotation in layers with a window"},
      {"gemma4",
       {{"/rope_parameters/full_attention",
         {{"rope_type", "yarn"},
          {"rope_theta", 1e6},
          {"factor", 4.0},
          {"attention_factor", 1.3},
          {"original_max_position_embeddings", 32}}}},
       "attention_factor of YaRN to layers with a window"},
      {"gpt_oss", {{"/swiglu_limit", 3.0}}, "limit of the activation 7, not 3"},
      {"qwen2_moe", {}, "wants an output apart from the embedding"},
      {"qwen3_moe", {{"/norm_topk_prob", false}}, "weights of experts made to add up to 1, not as scored"},
      {"smollm3", {{"/no_rope_layers", {1, 1, 1, 1}}}, "layer 3: rotation no, not yes"},
      {"command_r_plus", {}, "expects norms of queries and keys from 64 layers on"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.model) + " " + row.reason);
    TempFolder scratch;
    auto source = Checkpoint::Open(Changed(row.model, row.changes, scratch.path()));
    ExpectError(ErrorKind::kUnsupported, row.reason, [&] { ThroughGguf(*source, scratch.path()); });
    EXPECT_FALSE(fs::exists(scratch.path() / "m.gguf"));
  }
}

TEST(LlamaCpp, DeployedIsTheEngineAndReferenceTheMaker) {
  TempFolder scratch;
  auto through = [&](const char* model, const Changes& changes) {
    return ThroughGguf(*Checkpoint::Open(Changed(model, changes, scratch.path())), scratch.path());
  };
  auto said = [](const Checkpoint& file, const char* what) {
    EXPECT_THAT(file.differences(), testing::ElementsAre(testing::HasSubstr(what)));
  };
  auto oss = through("gpt_oss", {});
  EXPECT_TRUE(oss->config().rope_scaling.truncate);
  EXPECT_FALSE(oss->as_made().rope_scaling.truncate);
  said(*oss, "whole dimensions");

  auto v2 = through(
      "deepseek_v2",
      {{"/topk_method", "group_limited_greedy"}, {"/n_group", 2}, {"/topk_group", 1}, {"/num_experts_per_tok", 1}});
  EXPECT_TRUE(v2->config().experts.group_top2);
  EXPECT_FALSE(v2->as_made().experts.group_top2);
  said(*v2, "groups of experts");

  auto kimi = through("kimi_k2", {{"/rms_norm_eps", 1e-6}});
  EXPECT_EQ(kimi->config().rope_scaling.beta_fast, 32.0);
  EXPECT_EQ(kimi->as_made().rope_scaling.beta_fast, 1.0);
  said(*kimi, "yarn_beta_fast");
  auto ministral = through("ministral3", {{"/rope_parameters/beta_fast", 8.0}});  // where llama.cpp reads it
  EXPECT_EQ(ministral->config().rope_scaling.beta_fast, 8.0);
  EXPECT_TRUE(ministral->differences().empty());

  auto v3 = through("deepseek_v3", {{"/rms_norm_eps", 0.01}});
  EXPECT_FLOAT_EQ(static_cast<float>(v3->config().latent.epsilon), 0.01f);
  EXPECT_EQ(v3->as_made().latent.epsilon, 1e-6);
  said(*v3, "low ranks");
  auto delta = through("qwen3_next", {{"/rms_norm_eps", 0.01}});
  EXPECT_FLOAT_EQ(static_cast<float>(delta->config().delta.epsilon), 0.01f);
  EXPECT_EQ(delta->as_made().delta.epsilon, 1e-6);
  said(*delta, "linear attention");

  auto neox = through("gpt_neox", {});
  EXPECT_EQ(neox->config().activation, Activation::kGeluTanh);
  EXPECT_EQ(neox->as_made().activation, Activation::kGelu);

  auto mistral = through("mistral", {});
  EXPECT_EQ(mistral->config().Layer(0).window, 0);
  EXPECT_GT(mistral->as_made().Layer(0).window, 0);
  said(*mistral, "without that window");

  auto qwen2 = through("qwen2", {});
  EXPECT_TRUE(qwen2->differences().empty());
  EXPECT_EQ(&qwen2->as_made(), &qwen2->config());
}

// Numbers of Gemma 3n that llama.cpp has of its own; its deviation is over one element less.
TEST(LlamaCpp, HasNumbersOfItsOwnForGemma3n) {
  TempFolder scratch;
  auto through = [&](const Changes& changes) {
    return ThroughGguf(*Checkpoint::Open(Changed("gemma3n", changes, scratch.path())), scratch.path());
  };
  auto plain = through({});
  EXPECT_TRUE(plain->config().sample_deviation);
  EXPECT_FALSE(plain->as_made().sample_deviation);
  EXPECT_THAT(plain->differences(), testing::ElementsAre(testing::HasSubstr("over one element less")));
  auto other = through({{"/final_logit_softcapping", 8.0}, {"/activation_sparsity_pattern", {0.0, 0.5}}});
  EXPECT_EQ(other->config().logit_softcap, 30.0);
  EXPECT_EQ(other->as_made().logit_softcap, 8.0);
  EXPECT_TRUE(other->config().Layer(0).sparse_gate);
  EXPECT_FALSE(other->as_made().Layer(0).sparse_gate);
  EXPECT_EQ(other->as_made().Layer(1).gate_bound, 0.0);
  EXPECT_THAT(other->differences(),
              testing::ElementsAre(testing::HasSubstr("over one element less"), testing::HasSubstr("caps logits at 8"),
                                   testing::HasSubstr("activation_sparsity_scale")));
}

// Of a folder of which some tokens have no embeddings of layers: they have token 0's, in a GGUF rows of their own.
TEST(LlamaCpp, EveryTokenHasARowInAGguf) {
  TempFolder scratch;
  auto source = Checkpoint::Open(Changed("gemma3n", {}, scratch.path()));
  auto written = ThroughGguf(*source, scratch.path());
  const Tensor &from = source->Get("per_layer_token_embd.weight"), &to = written->Get("per_layer_token_embd.weight");
  ASSERT_EQ(from.shape, (std::vector<int64_t>{256, 512}));
  ASSERT_EQ(to.shape, (std::vector<int64_t>{272, 512}));
  const std::vector<float> known = Decode(from), all = Decode(to);
  EXPECT_TRUE(std::equal(known.begin(), known.end(), all.begin()));
  for (int64_t row = 256; row < 272; ++row)
    EXPECT_TRUE(std::equal(known.begin(), known.begin() + 512, all.begin() + row * 512)) << row;
}

// llama.cpp's Gemma 3n keeps keys and values of 20 layers, and wants them, unread, of those behind too.
TEST(LlamaCpp, SharesKeysBehindTwentyLayersOfGemma3n) {
  auto read = [](int64_t shared, int32_t layer_18) {
    GgufMetadata metadata;
    metadata.AddString("general.architecture", "gemma3n");
    for (auto [key, value] : {std::pair{"block_count", 25},
                              {"context_length", 64},
                              {"embedding_length", 32},
                              {"feed_forward_length", 48},
                              {"attention.head_count", 4},
                              {"attention.head_count_kv", 2},
                              {"attention.key_length", 16},
                              {"attention.value_length", 16},
                              {"attention.sliding_window", 8},
                              {"vocab_size", 272}})
      metadata.AddUint32(fmt::format("gemma3n.{}", key), static_cast<uint64_t>(value));
    metadata.AddUint32("gemma3n.attention.shared_kv_layers", static_cast<uint64_t>(shared));
    metadata.AddFloat32("gemma3n.attention.layer_norm_rms_epsilon", 1e-6);
    std::vector<bool> windows;
    for (int i = 0; i < 25; ++i) windows.push_back(i == 18 ? layer_18 > 0 : i % 5 != 4);
    metadata.AddBools("gemma3n.attention.sliding_window_pattern", windows);
    std::string head("GGUF\x03\0\0\0\0\0\0\0\0\0\0\0", 16);
    const uint64_t count = metadata.count();
    head.append(reinterpret_cast<const char*>(&count), sizeof count);
    head += metadata.bytes();
    return ReadGgufModel(GgufFile::Parse(std::as_bytes(std::span(head)), "a.gguf"), {}, true);
  };
  const GgufModel same = read(5, 1);
  EXPECT_EQ(same.config.Layer(19).kv_back, 0);
  EXPECT_EQ(same.config.Layer(20).kv_back, 2);  // 18, the last with a window
  EXPECT_EQ(same.config.Layer(23).kv_back, 5);
  EXPECT_EQ(same.config.Layer(24).kv_back, 5);  // 19
  ASSERT_TRUE(same.as_made.has_value());
  for (int64_t i = 0; i < 25; ++i) EXPECT_EQ(same.as_made->Layer(i), same.config.Layer(i)) << i;
  const GgufModel fewer = read(3, 1);
  EXPECT_EQ(fewer.as_made->Layer(20).kv_back, 0);
  EXPECT_EQ(fewer.as_made->Layer(22).kv_back, 1);
  EXPECT_THAT(fewer.differences, testing::Contains(testing::HasSubstr("3 layers attend to the keys and values")));
  ExpectError(ErrorKind::kUnsupported, "llama.cpp takes the keys and values of layer 18 for layer 20, of another kind",
              [&] { read(5, 0); });
  int unread = 0;
  for (const TensorSlot& slot : SlotsOf(EngineOf("gemma3n"), same.config))
    unread += slot.required && (slot.name == "blk.20.attn_k.weight" || slot.name == "blk.24.attn_v.weight" ||
                                slot.name == "blk.24.attn_k_norm.weight");
  EXPECT_EQ(unread, 3);
}

// DeciLM's layers without one: with their attention, and at the end with the choice of the tokens that want logits.
TEST(LlamaCpp, PassesLayersWithoutFeedForwardBlocksBy) {
  TempFolder scratch;
  ModelConfig config = Checkpoint::Open(Changed("deci", {}, scratch.path()))->config();
  ASSERT_EQ(config.layers[2].parts, Parts::kNone);
  const EngineRow& engine = EngineOf("deci");
  EXPECT_EQ(WhyNotLoaded(engine, config, {"rope_freqs.weight"}), std::vector<std::string>());
  config.layers[4].parts = Parts::kNone;
  EXPECT_EQ(WhyNotLoaded(engine, config, {}), std::vector<std::string>{"wants a feed-forward block in the last layer"});
  config.layers[1].parts = Parts::kMixer;
  EXPECT_EQ(WhyNotLoaded(engine, config, {}),
            std::vector<std::string>{"leaves out layer 1, which has no feed-forward block"});
}

// Gemma 4's last layers; which layer they belong to is not in the file.
TEST(LlamaCpp, SharesTheKeysOfTheLastTwoLayersThatHaveSome) {
  TempFolder scratch;
  ModelConfig config = Checkpoint::Open(Changed("gemma4", {}, scratch.path()))->config();
  const EngineRow& engine = EngineOf("gemma4");
  EXPECT_EQ(WhyNotLoaded(engine, config, {"rope_freqs.weight"}), std::vector<std::string>());
  EXPECT_EQ(WhyNotLoaded(engine, config, {}), std::vector<std::string>{"wants rope_freqs.weight"});
  ASSERT_EQ(config.layers[5].kv_back, 2);
  config.layers[5].kv_back = 4;
  EXPECT_EQ(WhyNotLoaded(engine, config, {"rope_freqs.weight"}),
            std::vector<std::string>{"takes the keys and values of layer 3 for layer 5, which has those of layer 1"});
}

TEST(LlamaCpp, WhatLoadsIsWritten) {
  TempFolder scratch;
  auto file = ThroughGguf(
      *Checkpoint::Open(Changed("llama", {{"/rope_scaling", LongRope("llama", scratch.path())}}, scratch.path())),
      scratch.path());
  EXPECT_EQ(file->metadata()["llama.rope.scaling.type"], "longrope");  // else llama.cpp does not look for its tensors
  EXPECT_EQ(file->config().rope_scaling.kind, RopeScaling::Kind::kLong);
  EXPECT_TRUE(file->differences().empty());
  for (const char* model : {"llama", "granite"}) {
    SCOPED_TRACE(model);
    file = ThroughGguf(
        *Checkpoint::Open(Changed(model, {{"/rope_scaling", LongRope(model, scratch.path())}}, scratch.path())),
        scratch.path());
    fs::remove_all(scratch.path() / "back");
    ConvertForTest(*file, Container::kHuggingFace, scratch.path() / "back", "", [](const Tensor&) { return "f32"; });
    auto back = Checkpoint::Open(scratch.path() / "back");
    EXPECT_EQ(back->config().rope_scaling.kind, RopeScaling::Kind::kLong);
    EXPECT_EQ(back->config().rope_factors, file->config().rope_factors);
    EXPECT_EQ(back->config().rope_long_factors, file->config().rope_long_factors);
    EXPECT_EQ(ModelDifferences(back->config(), file->config()), std::vector<std::string>());
  }
  // Without positions Granite is known by a flag.
  file = ThroughGguf(*Checkpoint::Open(Changed("granite4", {{"/position_embedding_type", "nope"}}, scratch.path())),
                     scratch.path());
  EXPECT_FALSE(file->config().Layer(0).rope);
  // All groups of experts are no groups.
  file = ThroughGguf(*Checkpoint::Open(Changed("deepseek_v3", {{"/topk_group", 4}}, scratch.path())), scratch.path());
  EXPECT_FALSE(file->metadata().contains("deepseek2.expert_group_count"));
  // Readers ask for the rank of queries even where there is none.
  file = ThroughGguf(*Checkpoint::Open(Changed("deepseek_v2", {}, scratch.path())), scratch.path());
  EXPECT_EQ(file->metadata()["deepseek2.attention.q_lora_rank"], 0);
}

// llama.cpp takes 10000 where a file states no base of the rotation, whatever the maker's class takes.
TEST(LlamaCpp, AFileWithoutABaseRotatesByLlamaCpps) {
  for (const char* model : {"mixtral", "gpt_oss", "command_r", "gemma3", "qwen3"}) {
    SCOPED_TRACE(model);
    TempFolder scratch;
    ThroughGguf(*Checkpoint::Open(Changed(model, {}, scratch.path())), scratch.path());
    std::string bytes = ReadFile(scratch.path() / "m.gguf");
    const std::string key = ".rope.freq_base";
    const size_t at = bytes.find(key + std::string("\x06\0\0\0", 4));  // of type float32; not freq_base_swa
    ASSERT_NE(at, std::string::npos);
    bytes[at + key.size() - 1] = '_';
    WriteFileAtomically(scratch.path() / "m.gguf", bytes);
    EXPECT_EQ(Checkpoint::Open(scratch.path() / "m.gguf")->config().rope_theta, 10000.0);
  }
}

// A folder that states none rotates by its class's base.
TEST(LlamaCpp, AFolderWithoutABaseRotatesByItsClasss) {
  for (const auto& [model, base] : {std::pair{"mixtral", 1e6},
                                    {"gpt_oss", 150000.0},
                                    {"command_r", 500000.0},
                                    {"llama4", 500000.0},
                                    {"bitnet", 500000.0},
                                    {"qwen3", 10000.0}}) {
    SCOPED_TRACE(model);
    TempFolder scratch;
    const fs::path folder = Changed(model, {}, scratch.path());
    Json config = ParseJson(ReadFile(folder / "config.json"), "config.json");
    config.erase("rope_theta");
    for (const char* key : {"rope_parameters", "rope_scaling"})
      if (config.contains(key) && config[key].is_object()) config[key].erase("rope_theta");
    WriteFileAtomically(folder / "config.json", DumpJson(config));
    EXPECT_EQ(Checkpoint::Open(folder)->config().rope_theta, base);
  }
}

TEST(LlamaCpp, FilesThatItDoesNotLoadAreReadAndSaid) {
  SmallGguf file;
  file.tensors.push_back({"blk.0.attn_q.bias", {4}, 0, 16, -1});
  TempFolder folder;
  WriteFileAtomically(folder.path() / "a.gguf", file.Bytes());
  EXPECT_TRUE(Checkpoint::Open(folder.path() / "a.gguf")->differences().empty());
  file.tensors.push_back({"rope_factors_long.weight", {1}, 0, 4, -1});
  file.tensors.push_back({"rope_factors_short.weight", {1}, 0, 4, -1});
  WriteFileAtomically(folder.path() / "b.gguf", file.Bytes());
  EXPECT_TRUE(Checkpoint::Open(folder.path() / "b.gguf")->differences().empty());  // longrope that is not called so
}

// A folder made of a GGUF is read back before it is written: the class of a model with a window has no biases.
TEST(LlamaCpp, WhatConfigJsonCannotHoldIsNotWritten) {
  SmallGguf file;
  file.metadata.AddUint32("llama.attention.sliding_window", 8);
  for (const char* part : {"q", "k", "v", "output"})
    file.tensors.push_back({fmt::format("blk.0.attn_{}.bias", part), {4}, 0, 16, -1});
  TempFolder folder;
  WriteFileAtomically(folder.path() / "a.gguf", file.Bytes());
  auto model = Checkpoint::Open(folder.path() / "a.gguf");
  ASSERT_EQ(model->as_made().Layer(0).window, 8);
  auto write = [&](const Checkpoint& source) {
    ConvertForTest(source, Container::kHuggingFace, folder.path() / "m", "", [](const Tensor&) { return "f32"; });
  };
  ExpectError(ErrorKind::kUnsupported,
              "config.json cannot hold this model: mistral has no place for tensor blk.0.attn_k.bias",
              [&] { write(*model); });
  EXPECT_FALSE(fs::exists(folder.path() / "m"));
  // Not all biases that attention_bias stands for.
  SmallGguf some;
  some.tensors.push_back({"blk.0.attn_q.bias", {4}, 0, 16, -1});
  WriteFileAtomically(folder.path() / "b.gguf", some.Bytes());
  ExpectError(ErrorKind::kUnsupported, "config.json cannot hold this model: llama wants a tensor blk.0.attn_k.bias",
              [&] { write(*Checkpoint::Open(folder.path() / "b.gguf")); });
  EXPECT_FALSE(fs::exists(folder.path() / "m"));
}

// A row for each architecture, and every configuration is the same model as itself.
TEST(LlamaCpp, TheTableIsWhole) {
  for (const ArchitectureSpec& spec : ArchitectureSpecs()) {
    if (spec.in_llama_cpp) {
      EXPECT_EQ(EngineOf(GgufName(spec)).name, GgufName(spec));
    }
  }
  for (const auto& entry : fs::directory_iterator(kGolden / "models")) {
    TempFolder scratch;
    auto model = Checkpoint::Open(Changed(entry.path().filename().string(), {}, scratch.path()));
    EXPECT_TRUE(ModelDifferences(model->config(), model->config()).empty());
  }
}

TEST(ModelFacts, DescriptionsThatMeanTheSameAreEqual) {
  ModelConfig a;
  a.n_layers = 2;
  a.hidden = 8;
  a.n_heads = a.n_kv_heads = 2;
  a.head_dim = a.rotary_dim = 4;
  a.context = 16;
  ModelConfig b = a;
  b.attention_scale = 0.5;  // 1 / sqrt(4)
  b.sliding_window = 16;    // all of the context
  b.rope_scaling = {.kind = RopeScaling::Kind::kLinear, .factor = 1.0};
  b.experts.groups = 4;  // of no experts
  EXPECT_EQ(ModelDifferences(a, b), std::vector<std::string>());
  b.sliding_window = 8;
  b.rms_epsilon = 1e-3;
  EXPECT_EQ(ModelDifferences(a, b),
            (std::vector<std::string>{"epsilon of the norms 1e-05, not 0.001", "layer 0: window 0, not 8",
                                      "layer 1: window 0, not 8", "no layer 0: kind of window, which is sliding",
                                      "no layer 1: kind of window, which is sliding"}));
}

// Look-ups go by hash: what grew with the square of the number of keys took minutes here.
TEST(GgufFile, HundredsOfThousandsOfKeysAreReadAtOnce) {
  SmallGguf file;
  for (int i = 0; i < 300000; ++i) file.metadata.AddUint32("some.key." + std::to_string(i), 1);
  TempFolder folder;
  WriteFileAtomically(folder.path() / "a.gguf", file.Bytes());
  EXPECT_LT(ProcessorSeconds([&] {
              auto model = Checkpoint::Open(folder.path() / "a.gguf");
              EXPECT_GT(model->metadata().size(), 300000u);
            }),
            20);
}

}  // namespace
}  // namespace assay
