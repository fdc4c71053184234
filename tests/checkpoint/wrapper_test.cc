// Models of text and images: their language model is read, whatever the files call it, and the rest is left alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "describe/hf_config.h"
#include "describe/hf_wrapper.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const fs::path kModels = fs::path(ASSAY_TEST_DATA) / "golden/models";

/// A copy of a golden model with other tensor names and another config.json; "" leaves a tensor out.
void CopyModel(const std::string& name, const fs::path& folder,
               const std::function<std::string(const std::string&)>& rename, const std::function<Json(Json)>& change) {
  fs::create_directories(folder);
  const std::string bytes = ReadFile(kModels / name / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), name);
  std::vector<SafetensorsPart> parts;
  std::map<std::string, std::span<const std::byte>> data;
  for (const SafetensorsTensor& tensor : file.tensors) {
    const std::string stored = rename(tensor.name);
    if (stored.empty()) continue;
    parts.push_back({stored, tensor.dtype, tensor.shape, tensor.data.size(), 0});
    data[stored] = tensor.data;
  }
  AtomicFile out(folder / "model.safetensors");
  out.Write(LaySafetensors(parts));
  for (const SafetensorsPart& part : parts) out.Write(data.at(part.name));
  out.Commit();
  Json config = ParseJson(ReadFile(kModels / name / "config.json"), name);
  WriteFileAtomically(folder / "config.json", DumpJson(change(config), 2));
  for (const char* text : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama" / text, folder / text,
                  fs::copy_options::overwrite_existing);
}

std::string Same(const std::string& name) {
  return name;
}

Json SameConfig(Json config) {
  return config;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  return text.starts_with(from) ? std::string(to) + text.substr(from.size()) : text;
}

void ExpectSameTensors(const Checkpoint& a, const Checkpoint& b) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const Tensor& tensor : a.tensors()) EXPECT_EQ(Decode(tensor), Decode(b.Get(tensor.name))) << tensor.name;
}

TEST(Wrapper, TextIsReadAndImagesAreNot) {
  const std::pair<const char*, const char*> cases[] = {{"gemma3_images", "language_model.model."},
                                                       {"llama4_images", "language_model.model."},
                                                       {"qwen3_5_images", "model.language_model."}};
  for (const auto& [name, prefix] : cases) {
    TempFolder folder;
    CopyModel(name, folder.path() / "m", Same, SameConfig);
    auto model = Checkpoint::Open(folder.path() / "m");
    EXPECT_THAT(model->unread(), HasSubstr("are not read")) << name;
    EXPECT_THAT(model->Get("blk.0.attn_norm.weight").source_name, StartsWith(prefix)) << name;
    EXPECT_FALSE(model->metadata().contains("vision_config")) << name;
  }
}

// Names of files from before and after transformers 4.52.
TEST(Wrapper, BothNamingsAreTheSameModel) {
  for (const char* name : {"gemma3_images", "llama4_images", "qwen3_5_images"}) {
    TempFolder folder;
    CopyModel(
        name, folder.path() / "old",
        [](const std::string& stored) {
          std::string out = Replaced(stored, "model.language_model.", "language_model.model.");
          out = Replaced(out, "lm_head.", "language_model.lm_head.");
          return Replaced(out, "model.visual.", "visual.");
        },
        SameConfig);
    CopyModel(
        name, folder.path() / "new",
        [](const std::string& stored) {
          std::string out = Replaced(stored, "language_model.model.", "model.language_model.");
          out = Replaced(out, "language_model.lm_head.", "lm_head.");
          for (const char* other : {"vision_tower.", "vision_model.", "multi_modal_projector."})
            out = Replaced(out, other, std::string("model.") + other);
          return out;
        },
        SameConfig);
    EXPECT_EQ(Checkpoint::Open(folder.path() / "old")->fingerprint(),
              Checkpoint::Open(folder.path() / "new")->fingerprint())
        << name;
  }
}

/// A language model's files inside of another class.
Json Wrapped(Json text, const char* hf_class, const char* text_type) {
  text.erase("architectures");
  text["model_type"] = text_type;
  return {{"architectures", {hf_class}}, {"text_config", text}, {"vision_config", {{"hidden_size", 8}}}};
}

TEST(Wrapper, LanguageModelsInsideOthers) {
  struct Case {
    const char *model, *hf_class, *text_type, *prefix, *hf_text_class;
  };
  const Case cases[] = {
      {"deepseek_v3", "KimiK25ForConditionalGeneration", "kimi_k2", "language_model.model.", "DeepseekV3ForCausalLM"},
      {"kimi_k2", "KimiK25ForConditionalGeneration", "kimi_k2", "language_model.model.", "DeepseekV3ForCausalLM"},
      {"mistral", "Mistral3ForConditionalGeneration", "mistral", "language_model.model.", "MistralForCausalLM"},
      {"ministral3", "Mistral3ForConditionalGeneration", "ministral3", "language_model.model.",
       "Ministral3ForCausalLM"},
      {"qwen3", "Qwen3VLForConditionalGeneration", "qwen3_vl_text", "model.language_model.", "Qwen3ForCausalLM"},
      {"qwen2", "Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl_text", "model.", "Qwen2ForCausalLM"},
      {"cohere2", "AyaVisionForConditionalGeneration", "cohere2", "language_model.model.", "Cohere2ForCausalLM"},
      {"qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe_text", "model.language_model.",
       "Qwen3_5MoeForCausalLM"},
  };
  for (const Case& c : cases) {
    TempFolder folder;
    CopyModel(c.model, folder.path() / "plain", Same, SameConfig);
    CopyModel(
        c.model, folder.path() / "wrapped",
        [&](const std::string& stored) {
          const bool old = std::string_view(c.prefix).starts_with("language_model");
          return stored.starts_with("lm_head") ? (old ? "language_model." : "") + stored
                                               : Replaced(stored, "model.", c.prefix);
        },
        [&](Json config) { return Wrapped(config, c.hf_class, c.text_type); });
    auto plain = Checkpoint::Open(folder.path() / "plain"), wrapped = Checkpoint::Open(folder.path() / "wrapped");
    EXPECT_EQ(plain->fingerprint(), wrapped->fingerprint()) << c.hf_class;
    EXPECT_EQ(wrapped->metadata()["architectures"][0], c.hf_text_class);
    EXPECT_EQ(wrapped->unread(), "");
  }
}

TEST(Wrapper, WrittenAsItsLanguageModel) {
  for (const char* name : {"gemma3_images", "llama4_images", "qwen3_5_images"}) {
    TempFolder folder;
    CopyModel(name, folder.path() / "m", Same, SameConfig);
    auto source = Checkpoint::Open(folder.path() / "m");
    ConvertForTest(*source, Container::kHuggingFace, folder.path() / "out", "", [](const Tensor&) { return "f32"; });
    auto written = Checkpoint::Open(folder.path() / "out");
    ExpectSameTensors(*source, *written);
    EXPECT_EQ(written->unread(), "");
    EXPECT_THAT(written->metadata()["architectures"][0].get<std::string>(), HasSubstr("ForCausalLM"));
    EXPECT_FALSE(written->metadata().contains("text_config"));
    EXPECT_EQ(written->config().tied_output, source->config().tied_output);
  }
}

// A nested configuration leaves out what its class has by default; these are the sizes that google/gemma-3-4b-it states
// in text_config, and what it is (model card: 34 layers, 8 heads over 4 of 256, 128k).
TEST(Wrapper, NestedConfigurationsLeaveOutDefaults) {
  const Json published = ParseJson(R"({"architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
      "model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240,
      "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
      "sliding_window": 1024}, "vision_config": {"hidden_size": 1152}})",
                                   "config.json");
  const HfWrapper* wrapper = FindWrapper(published);
  ASSERT_NE(wrapper, nullptr);
  const ModelConfig config = HfModelConfig(TextConfig(*wrapper, published, "config.json"), nullptr, "config.json");
  EXPECT_EQ(config.architecture, "gemma3");
  EXPECT_EQ(config.n_layers, 34);
  EXPECT_EQ(config.n_heads, 8);
  EXPECT_EQ(config.n_kv_heads, 4);
  EXPECT_EQ(config.head_dim, 256);
  EXPECT_EQ(config.vocab, 262208);
  EXPECT_EQ(config.context, 131072);
  EXPECT_EQ(config.rms_epsilon, 1e-6);
  EXPECT_EQ(config.Layer(4).window, 1024);
  EXPECT_EQ(config.Layer(5).window, 0);
  EXPECT_EQ(config.rope_theta, 1e6);
  EXPECT_EQ(config.rope_scaling.factor, 8.0);
  EXPECT_EQ(config.stop_tokens, (std::vector<int32_t>{1, 106}));
  EXPECT_TRUE(TiedInWrapper(published, false));
  EXPECT_FALSE(TiedInWrapper(published, true));
}

TEST(Wrapper, ListsOfModulesAreRenamed) {
  const Json names = ParseJson(
      R"({"ignore": ["language_model.lm_head", "re:^language_model\\.model\\.layers\\.0\\..*", "re:.*self_attn",
          "model.language_model.layers.1.mlp.gate", "vision_tower.x", "lm_head"],
          "dynamic": {"-:model.language_model.layers.3": {"bits": 8}}})",
      "test");
  const Json out = TextModuleNames(names);
  EXPECT_EQ(out["ignore"],
            ParseJson(R"(["lm_head", "re:^model\\.layers\\.0\\..*", "re:.*self_attn", "model.layers.1.mlp.gate",
                          "vision_tower.x", "lm_head"])",
                      "test"));
  EXPECT_TRUE(out["dynamic"].contains("-:model.layers.3"));
}

void ExpectRefused(ErrorKind kind, const std::string& part, const fs::path& folder) {
  try {
    Checkpoint::Open(folder);
    ADD_FAILURE() << "no error; expected " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Wrapper, Refusals) {
  TempFolder folder;
  CopyModel("gemma3_images", folder.path() / "type", Same, [](Json config) {
    config["text_config"]["model_type"] = "mamba";
    return config;
  });
  ExpectRefused(ErrorKind::kUnsupported, "text_config: architecture mamba is not supported", folder.path() / "type");
  CopyModel(
      "gemma3_images", folder.path() / "tensor",
      [](const std::string& name) { return Replaced(name, "vision_tower.", "audio_tower."); }, SameConfig);
  ExpectRefused(ErrorKind::kUnsupported, "audio_tower.", folder.path() / "tensor");
  CopyModel(
      "llama4_images", folder.path() / "head",
      [](const std::string& name) { return name.ends_with("lm_head.weight") ? "" : name; }, SameConfig);
  ExpectRefused(ErrorKind::kCorrupt, "lm_head.weight", folder.path() / "head");
}

}  // namespace
}  // namespace assay
