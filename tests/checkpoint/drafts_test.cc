// Layers that draft further tokens (DeepSeek V3, GLM-5, Qwen3.5, ERNIE 4.5) are not run and not written: what is
// written says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/small_gguf.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kModels = fs::path(ASSAY_TEST_DATA) / "golden/models";

std::string Bf16(const Tensor& tensor) {
  return tensor.shape.size() > 1 ? "bf16" : "f32";
}
std::string F32(const Tensor&) {
  return "f32";
}

Json ConfigOf(const fs::path& folder) {
  return ParseJson(ReadFile(folder / "config.json"), "config.json");
}

void CopyGolden(const std::string& name, const fs::path& folder, const std::function<void(Json&)>& change) {
  fs::create_directories(folder);
  fs::copy_file(kModels / name / "model.safetensors", folder / "model.safetensors");
  Json config = ConfigOf(kModels / name);
  change(config);
  WriteFileAtomically(folder / "config.json", DumpJson(config, 2));
  for (const char* text : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama" / text, folder / text);
}

/// A model whose last layer is said to be one that drafts.
void MakeDrafting(const std::string& name, const fs::path& folder) {
  CopyGolden(name, folder, [](Json& config) {
    const int64_t layers = config["num_hidden_layers"].get<int64_t>() - 1;
    config["num_hidden_layers"] = layers;
    config["num_nextn_predict_layers"] = 1;
    for (const char* list : {"layer_types", "mlp_layer_types", "indexer_types"})
      if (config.contains(list)) config[list].erase(static_cast<size_t>(layers));
  });
}

void ExpectTheSameModel(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_EQ(a.config().n_layers, b.config().n_layers);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const Tensor& tensor : a.tensors())
    EXPECT_EQ(DecodeFor(a, tensor, b.container()), DecodeFor(b, b.Get(tensor.name), b.container())) << tensor.name;
}

class Drafts : public testing::TestWithParam<std::string> {};

TEST_P(Drafts, OfAFolderAreLeftOut) {
  TempFolder folder;
  const fs::path& at = folder.path();
  MakeDrafting(GetParam(), at / "m");
  auto model = Checkpoint::Open(at / "m");
  EXPECT_EQ(model->config().extra_layers, 1);
  EXPECT_THAT(model->drafts(), HasSubstr("tensors of layers that draft further tokens"));
  EXPECT_THAT(model->unread(), HasSubstr(model->drafts()));
  ConvertForTest(*model, Container::kHuggingFace, at / "b", "", [](const Tensor&) { return "bf16"; });
  EXPECT_EQ(ConfigOf(at / "b")["num_nextn_predict_layers"], 0);
  auto back = Checkpoint::Open(at / "b");
  EXPECT_EQ(back->config().extra_layers, 0);
  EXPECT_EQ(back->drafts(), "");
  ExpectTheSameModel(*model, *back);
  ConvertForTest(*model, Container::kGguf, at / "c.gguf", "bf16", Bf16);
  auto gguf = Checkpoint::Open(at / "c.gguf");
  EXPECT_EQ(gguf->config().extra_layers, 0);
  EXPECT_EQ(gguf->config().n_layers, model->config().n_layers);
}

/// The whole model as a GGUF in which the last layer is one that drafts.
std::string DraftingGguf(const std::string& name, const fs::path& scratch) {
  CopyGolden(name, scratch / "whole", [](Json& config) { config["num_nextn_predict_layers"] = 0; });
  ConvertForTest(*Checkpoint::Open(scratch / "whole"), Container::kGguf, scratch / "whole.gguf", "f32", F32);
  const std::string bytes = ReadFile(scratch / "whole.gguf");
  const GgufFile file = GgufFile::Parse(std::as_bytes(std::span(bytes)), "whole.gguf");
  SmallGguf small;
  small.metadata = {};
  for (const GgufEntry& entry : file.metadata) small.metadata.AddEncoded(entry.key, entry.value.encoded);
  small.metadata.AddUint32(std::string(file.String("general.architecture")) + ".nextn_predict_layers", 1);
  small.tensors.clear();
  for (const GgufTensor& tensor : file.tensors)
    small.tensors.push_back(
        {std::string(tensor.name), {tensor.shape.rbegin(), tensor.shape.rend()}, 0, tensor.bytes, -1});
  return small.Bytes();
}

TEST_P(Drafts, OfAGgufAreLeftOut) {
  TempFolder folder;
  const fs::path& at = folder.path();
  WriteFileAtomically(at / "a.gguf", DraftingGguf(GetParam(), at));
  auto whole = Checkpoint::Open(at / "whole.gguf"), model = Checkpoint::Open(at / "a.gguf");
  const int64_t layers = whole->config().n_layers - 1;
  EXPECT_EQ(model->config().extra_layers, 1);
  EXPECT_EQ(model->config().n_layers, layers);
  EXPECT_THAT(model->drafts(), HasSubstr("tensors of layers that draft further tokens"));

  ConvertForTest(*model, Container::kGguf, at / "b.gguf", "f32", F32);
  auto back = Checkpoint::Open(at / "b.gguf");
  ExpectTheSameModel(*model, *back);
  const std::string bytes = ReadFile(at / "b.gguf");
  const GgufFile file = GgufFile::Parse(std::as_bytes(std::span(bytes)), "b.gguf");
  const std::string prefix = std::string(file.String("general.architecture")) + ".";
  EXPECT_EQ(file.Int(prefix + "block_count"), layers);
  EXPECT_EQ(file.Find(prefix + "nextn_predict_layers"), nullptr);
  for (const GgufEntry& entry : file.metadata)
    if (entry.key.starts_with(prefix) && entry.value.type == GgufType::kArray) {
      EXPECT_NE(entry.value.count, static_cast<uint64_t>(layers + 1)) << entry.key;
    }
  for (const GgufTensor& tensor : file.tensors)
    EXPECT_FALSE(tensor.name.starts_with("blk." + std::to_string(layers) + ".")) << tensor.name;

  ConvertForTest(*model, Container::kHuggingFace, at / "c", "", [](const Tensor&) { return "bf16"; });
  EXPECT_EQ(ConfigOf(at / "c")["num_nextn_predict_layers"], 0);
  EXPECT_EQ(Checkpoint::Open(at / "c")->config().extra_layers, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, Drafts,
                         testing::Values("deepseek_v3", "deepseek_v32", "glm_moe_dsa", "glm4_moe", "glm4_moe_lite"),
                         [](const auto& test) { return test.param; });

/// A golden model with a tensor beside its own.
void CopyWithTensor(const std::string& name, const fs::path& folder, const std::string& tensor_name,
                    const std::function<void(Json&)>& change) {
  CopyGolden(name, folder, change);
  const std::string bytes = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  std::vector<SafetensorsPart> parts = {{tensor_name, "BF16", {2, 4}, 16, 0}};
  for (const SafetensorsTensor& tensor : file.tensors)
    parts.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data.size(), 0});
  AtomicFile out(folder / "model.safetensors");
  out.Write(LaySafetensors(parts));
  out.Write(std::string(16, '\0'));
  for (const SafetensorsTensor& tensor : file.tensors) out.Write(tensor.data);
  out.Commit();
}

// Qwen's lie apart, and only Qwen3.5's config.json counts them.
TEST(QwenDrafts, AreLeftOut) {
  TempFolder folder;
  const fs::path& at = folder.path();
  CopyWithTensor("qwen3_5", at / "m", "mtp.fc.weight", [](Json& config) { config["mtp_num_hidden_layers"] = 1; });
  auto model = Checkpoint::Open(at / "m");
  EXPECT_EQ(model->drafts(), "1 tensors of layers that draft further tokens (16 B)");
  ConvertForTest(*model, Container::kHuggingFace, at / "b", "", [](const Tensor&) { return "bf16"; });
  EXPECT_EQ(ConfigOf(at / "b")["mtp_num_hidden_layers"], 0);
  auto back = Checkpoint::Open(at / "b");
  EXPECT_EQ(back->drafts(), "");
  EXPECT_EQ(back->tensors().size(), model->tensors().size());
}

// ERNIE 4.5's stand among the model's tensors; a model without such layers has no place for them.
TEST(ErnieDrafts, AreLeftOut) {
  TempFolder folder;
  const fs::path& at = folder.path();
  const std::string name = "model.mtp_linear_proj.0.weight";
  CopyWithTensor("ernie4_5_moe", at / "m", name, [](Json&) {});
  EXPECT_EQ(Checkpoint::Open(at / "m")->drafts(), "1 tensors of layers that draft further tokens (16 B)");
  CopyWithTensor("ernie4_5", at / "dense", name, [](Json&) {});
  ExpectError(ErrorKind::kUnsupported, "model.mtp_linear_proj.0.weight BF16 [2, 4] has no place",
              [&] { Checkpoint::Open(at / "dense"); });
}

}  // namespace
}  // namespace assay
