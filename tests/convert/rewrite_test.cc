// From one container to another: what has to stay stays, what cannot go is said, before anything is written.
#include "convert/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/gpt_oss_model.h"
#include "checkpoint/safetensors.h"
#include "convert/convert.h"
#include "quantize/presets.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden";

bool Matrix(const Tensor& tensor) {
  return tensor.shape.size() == 2 && tensor.name != "token_embd.weight" && tensor.name != "output.weight";
}

QuantRecord Rewrite(const fs::path& from, const std::string& container, const fs::path& to,
                    const Format* plain = &Bf16Format()) {
  RewriteTarget target;
  target.container = container.empty() ? Container::kGguf : Container::kHuggingFace;
  target.hf_container = container;
  target.plain = plain;
  ThreadPool pool(2);
  return RewriteCheckpoint(*Checkpoint::Open(from), target, to, pool, SilentProgress());
}

/// A model of one layer whose matrices are `format` in that container.
void Make(const fs::path& folder, const std::string& format, const std::string& container) {
  TempFolder source;
  MakeRandomModel(source.path() / "plain", kGolden / "checkpoint" / "tiny_llama", 128, 256);
  auto format_of = [&](const Tensor& tensor) { return Matrix(tensor) ? format : std::string("bf16"); };
  ConvertForTest(*Checkpoint::Open(source.path() / "plain"), Container::kHuggingFace, folder, "", format_of, 64,
                 5'000'000'000, container);
}

void ExpectTheSame(const fs::path& a, const fs::path& b) {
  auto one = Checkpoint::Open(a), other = Checkpoint::Open(b);
  for (const Tensor& tensor : one->tensors()) {
    const Tensor& same = other->Get(tensor.name);
    EXPECT_EQ(tensor.format->name, same.format->name) << tensor.name;
    EXPECT_EQ(Decode(tensor), Decode(same)) << tensor.name;
    EXPECT_EQ(tensor.activation_scale, same.activation_scale) << tensor.name;
  }
}

/// Gemma 3n's folders have no embeddings of layers for the last tokens, which have token 0's.
TEST(Rewrite, RowsThatAFolderLacksAreMadeForGguf) {
  TempFolder folder;
  const fs::path from = GoldenFolder(folder.path(), "gemma3n"), to = folder.path() / "m.gguf";
  const QuantRecord record = Rewrite(from, "", to);
  for (const TensorQuantization& tensor : record.tensors) EXPECT_EQ(tensor.rmse, 0) << tensor.name;
  const std::string table = "per_layer_token_embd.weight";
  const std::vector<float> known = Decode(Checkpoint::Open(from)->Get(table)),
                           all = Decode(Checkpoint::Open(to)->Get(table));
  const int64_t cols = 512;
  ASSERT_EQ(std::ssize(known), 256 * cols);
  ASSERT_EQ(std::ssize(all), 272 * cols);
  EXPECT_TRUE(std::equal(known.begin(), known.end(), all.begin()));
  for (int64_t row = 256; row < 272; ++row)
    EXPECT_TRUE(std::equal(known.begin(), known.begin() + cols, all.begin() + row * cols)) << row;
  Rewrite(to, "", folder.path() / "again.gguf");
  ExpectTheSame(to, folder.path() / "again.gguf");
}

/// Model-Optimizer's scales of the matrix and of the activations are tensors beside the weights in GGUF.
TEST(Rewrite, Nvfp4GoesThroughGgufUnchanged) {
  for (const char* format : {"nvfp4_a4", "nvfp4"}) {
    SCOPED_TRACE(format);
    TempFolder folder;
    Make(folder.path() / "m", format, "modelopt");
    QuantRecord record = Rewrite(folder.path() / "m", "", folder.path() / "m.gguf");
    for (const TensorQuantization& tensor : record.tensors) {
      EXPECT_EQ(tensor.rmse, 0) << tensor.name;
      if (tensor.name == "blk.0.ffn_up.weight") {
        EXPECT_EQ(tensor.to, "nvfp4_gguf");
      }
    }
    auto source = Checkpoint::Open(folder.path() / "m"), gguf = Checkpoint::Open(folder.path() / "m.gguf");
    const Tensor &in = source->Get("blk.0.ffn_up.weight"), &out = gguf->Get("blk.0.ffn_up.weight");
    EXPECT_NE(out.global_scale, 1.0f);
    EXPECT_EQ(out.global_scale, in.global_scale);
    EXPECT_EQ(out.activation_scale, in.activation_scale);
    const std::string bytes = ReadFile(folder.path() / "m.gguf");
    const GgufFile file = GgufFile::Parse(std::as_bytes(std::span(bytes)), "m.gguf");
    int scales = 0, inputs = 0;
    for (const GgufTensor& tensor : file.tensors) {
      scales += tensor.name.ends_with(".scale");
      inputs += tensor.name.ends_with(".input_scale");
    }
    EXPECT_EQ(scales, 7);
    EXPECT_EQ(inputs, std::string(format) == "nvfp4_a4" ? 7 : 0);
    Rewrite(folder.path() / "m.gguf", "modelopt", folder.path() / "back");
    ExpectTheSame(folder.path() / "m", folder.path() / "back");
  }
}

/// `quantize` gives GGUF's NVFP4 a scale of the matrix too: as near to the weights as the same numbers in safetensors,
/// which small weights with block scales alone are not.
TEST(Rewrite, QuantizingToNvfp4InGgufScalesTheMatrix) {
  TempFolder folder;
  MakeRandomModel(folder.path() / "m", kGolden / "checkpoint" / "tiny_llama", 128, 256);
  auto source = Checkpoint::Open(folder.path() / "m");
  ThreadPool pool(2);
  ConvertOptions options;
  const QuantRecord gguf =
      ConvertCheckpoint(*source, Preset::Get("nvfp4_gguf"), folder.path() / "m.gguf", options, pool, SilentProgress());
  const QuantRecord folder_record =
      ConvertCheckpoint(*source, Preset::Get("nvfp4"), folder.path() / "q", options, pool, SilentProgress());
  std::map<std::string, float> scales;
  auto written = Checkpoint::Open(folder.path() / "m.gguf");
  for (const Tensor& tensor : written->tensors()) {
    if (tensor.format->name == "nvfp4_gguf") scales[tensor.name] = tensor.global_scale;
  }
  ASSERT_EQ(scales.size(), 7u);
  EXPECT_EQ(scales["blk.0.attn_q.weight"], scales["blk.0.attn_v.weight"]);
  EXPECT_EQ(scales["blk.0.ffn_gate.weight"], scales["blk.0.ffn_up.weight"]);
  for (size_t i = 0; i < gguf.tensors.size(); ++i) {
    const TensorQuantization &one = gguf.tensors[i], &other = folder_record.tensors[i];
    ASSERT_EQ(one.name, other.name);
    if (scales.contains(one.name)) {
      float largest = 0;
      for (const float w : Decode(source->Get(one.name))) largest = std::max(largest, std::fabs(w));
      EXPECT_GE(scales[one.name], largest / 2688.0f);  // of the largest of those that share it
      EXPECT_LT(scales[one.name], 1.5f * largest / 2688.0f);
      EXPECT_NEAR(one.rmse, other.rmse, 0.01 * other.rmse) << one.name;
    }
  }
}

TEST(Rewrite, ScalesThatAreNoScalesAreRefused) {
  TempFolder folder;
  Make(folder.path() / "m", "nvfp4", "modelopt");
  Rewrite(folder.path() / "m", "", folder.path() / "m.gguf");
  const std::string bytes = ReadFile(folder.path() / "m.gguf");
  size_t at = 0;
  {
    const GgufFile file = GgufFile::Parse(std::as_bytes(std::span(bytes)), "m.gguf");
    for (const GgufTensor& tensor : file.tensors)
      if (tensor.name == "blk.0.ffn_up.scale")
        at = static_cast<size_t>(tensor.data - reinterpret_cast<const std::byte*>(bytes.data()));
  }
  ASSERT_GT(at, 0u);
  for (float scale : {std::nanf(""), INFINITY, 3e38f}) {
    std::string broken = bytes;
    std::memcpy(broken.data() + at, &scale, sizeof scale);
    WriteFileAtomically(folder.path() / "broken.gguf", broken);
    EXPECT_THROW(Checkpoint::Open(folder.path() / "broken.gguf"), Error) << scale;
  }
}

/// A safetensors file with more tensors than before.
void AddScalars(const fs::path& path, const std::map<std::string, float>& scalars, const std::vector<int64_t>& shape) {
  const std::string bytes = ReadFile(path);
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  std::vector<SafetensorsPart> parts;
  std::map<std::string, std::string> data;
  auto add = [&](const std::string& name, const std::string& dtype, const std::vector<int64_t>& dims, const void* from,
                 size_t size) {
    parts.push_back({name, dtype, dims, size, 0});
    data[name].assign(static_cast<const char*>(from), size);
  };
  for (const SafetensorsTensor& tensor : file.tensors)
    add(tensor.name, tensor.dtype, tensor.shape, tensor.data.data(), tensor.data.size());
  for (const auto& [name, value] : scalars) add(name, "F32", shape, &value, sizeof value);
  std::string out = LaySafetensors(parts);
  for (const SafetensorsPart& part : parts) out += data.at(part.name);
  WriteFileAtomically(path, out);
}

void Configure(const fs::path& folder, const char* key, const Json& value) {
  Json config = ParseJson(ReadFile(folder / "config.json"), "config.json");
  config["quantization_config"][key] = value;
  WriteFileAtomically(folder / "config.json", DumpJson(config));
}

TEST(Rewrite, ScalesOfTheCacheGoAlongOrAreMissed) {
  TempFolder folder;
  const fs::path m = folder.path() / "m";
  Make(m, "fp8_channel_a8", "modelopt");
  AddScalars(m / "model.safetensors",
             {{"model.layers.0.self_attn.k_proj.k_scale", 0.25f}, {"model.layers.0.self_attn.v_proj.v_scale", 0.5f}},
             {});
  EXPECT_THROW(Checkpoint::Open(m), Error);  // nothing says what they are for
  Configure(m, "kv_cache_quant_algo", "FP8");
  EXPECT_TRUE(Checkpoint::Open(m)->fp8_cache());
  EXPECT_TRUE(Rewrite(m, "compressed-tensors", folder.path() / "ct").notes.empty());
  auto ct = Checkpoint::Open(folder.path() / "ct");
  EXPECT_EQ(ct->side_scales().at("model.layers.0.self_attn.k_scale"), std::vector<float>{0.25f});
  EXPECT_EQ(ct->side_scales().at("model.layers.0.self_attn.v_scale"), std::vector<float>{0.5f});
  EXPECT_EQ(ct->metadata()["quantization_config"]["kv_cache_scheme"]["num_bits"], 8);
  EXPECT_TRUE(Rewrite(folder.path() / "ct", "modelopt", folder.path() / "back").notes.empty());
  auto back = Checkpoint::Open(folder.path() / "back");
  EXPECT_EQ(back->side_scales().at("model.layers.0.self_attn.k_proj.k_scale"), std::vector<float>{0.25f});
  EXPECT_EQ(back->metadata()["quantization_config"]["kv_cache_quant_algo"], "FP8");
  // No place for them.
  EXPECT_THAT(Rewrite(m, "", folder.path() / "m.gguf").notes,
              ::testing::ElementsAre(HasSubstr("2 calibrated scales of the KV cache are left out")));
  // A cache in another format is not FP8, whatever the scales are called.
  Configure(m, "kv_cache_quant_algo", "NVFP4");
  EXPECT_FALSE(Checkpoint::Open(m)->fp8_cache());
  EXPECT_EQ(Rewrite(m, "compressed-tensors", folder.path() / "ct4").notes.size(), 1u);
}

/// GPTQ's first version stores zeros less one.
TEST(Rewrite, ZerosThatCannotBeStatedAreFoundFirst) {
  TempFolder folder;
  Make(folder.path() / "m", "int4_g128_asym", "compressed-tensors");
  // Positive weights only have a zero of 0.
  const std::string bytes = ReadFile(folder.path() / "m" / "model.safetensors");
  std::string changed = bytes;
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  for (const SafetensorsTensor& tensor : file.tensors)
    if (tensor.name == "model.layers.0.mlp.up_proj.weight_zero_point")
      std::memset(changed.data() + (tensor.data.data() - reinterpret_cast<const std::byte*>(bytes.data())), 0, 4);
  ASSERT_NE(changed, bytes);
  WriteFileAtomically(folder.path() / "m" / "model.safetensors", changed);
  try {
    Rewrite(folder.path() / "m", "gptq", folder.path() / "v1");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("model.layers.0.mlp.up_proj.weight: row 0: a zero of 0"));
    EXPECT_THAT(error.what(), HasSubstr("gptq_v2"));
  }
  EXPECT_FALSE(fs::exists(folder.path() / "v1"));
  EXPECT_FALSE(fs::exists(folder.path() / "v1.part"));
  Rewrite(folder.path() / "m", "gptq_v2", folder.path() / "v2");
  ExpectTheSame(folder.path() / "m", folder.path() / "v2");
}

TEST(Rewrite, QuantizingFindsThemToo) {
  TempFolder folder;
  MakeRandomModel(folder.path() / "m", kGolden / "checkpoint" / "tiny_llama", 128, 256);
  // The weights of one matrix without their signs.
  std::string bytes = ReadFile(folder.path() / "m" / "model.safetensors");
  {
    const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
    for (const SafetensorsTensor& tensor : file.tensors)
      if (tensor.name == "model.layers.0.mlp.up_proj.weight") {
        const auto at = static_cast<size_t>(tensor.data.data() - reinterpret_cast<const std::byte*>(bytes.data()));
        for (size_t i = 1; i < tensor.data.size(); i += 2) bytes[at + i] = static_cast<char>(bytes[at + i] & 0x7f);
      }
  }
  WriteFileAtomically(folder.path() / "m" / "model.safetensors", bytes);
  auto source = Checkpoint::Open(folder.path() / "m");
  ThreadPool pool(2);
  ConvertOptions options;
  options.hf_container = "gptq";
  try {
    ConvertCheckpoint(*source, Preset::Get("int4-g128-asym"), folder.path() / "v1", options, pool, SilentProgress());
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("gptq_v2"));
  }
  EXPECT_FALSE(fs::exists(folder.path() / "v1.part"));
  options.hf_container = "gptq_v2";
  ConvertCheckpoint(*source, Preset::Get("int4-g128-asym"), folder.path() / "v2", options, pool, SilentProgress());
  EXPECT_TRUE(fs::exists(folder.path() / "v2" / "config.json"));
}

/// gpt-oss: experts in MXFP4, in its own container byte for byte, through GGUF weight for weight.
TEST(Rewrite, ExpertsOfGptOssAreWrittenAsTheyAreRead) {
  TempFolder folder;
  const std::map<std::string, PackedPart> packed = PackedModel();
  SavePacked(folder.path() / "m", packed);
  Rewrite(folder.path() / "m", "mxfp4", folder.path() / "same");
  Rewrite(folder.path() / "m", "", folder.path() / "m.gguf", nullptr);
  EXPECT_EQ(Checkpoint::Open(folder.path() / "m.gguf")->Get("blk.0.ffn_up.1.weight").format->name, "mxfp4_gguf");
  Rewrite(folder.path() / "m.gguf", "mxfp4", folder.path() / "back");
  ExpectTheSame(folder.path() / "m", folder.path() / "back");
  const std::string bytes = ReadFile(folder.path() / "same" / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "same");
  int compared = 0;
  for (const SafetensorsTensor& tensor : file.tensors) {
    ASSERT_TRUE(packed.contains(tensor.name)) << tensor.name;
    if (!tensor.name.ends_with("_blocks") && !tensor.name.ends_with("_scales")) continue;
    const PackedPart& part = packed.at(tensor.name);
    EXPECT_EQ(tensor.shape, part.shape);
    EXPECT_EQ(tensor.dtype, part.dtype);
    EXPECT_TRUE(std::equal(tensor.data.begin(), tensor.data.end(), part.bytes.begin(), part.bytes.end()))
        << tensor.name;
    ++compared;
  }
  EXPECT_EQ(compared, 8);
  const Json config = ParseJson(ReadFile(folder.path() / "same" / "config.json"), "config.json");
  EXPECT_EQ(config["quantization_config"]["quant_method"], "mxfp4");
  // From full precision.
  ThreadPool pool(2);
  RewriteTarget floats;
  floats.container = Container::kHuggingFace;
  floats.plain = &F32Format();
  RewriteCheckpoint(*Checkpoint::Open(folder.path() / "m"), floats, folder.path() / "plain", pool, SilentProgress());
  ConvertCheckpoint(*Checkpoint::Open(folder.path() / "plain"), Preset::Get("mxfp4-experts"), folder.path() / "made",
                    {}, pool, SilentProgress());
  auto made = Checkpoint::Open(folder.path() / "made");
  EXPECT_EQ(made->scheme(), "mxfp4 experts (gpt-oss)");
  EXPECT_EQ(made->Get("blk.0.attn_q.weight").format->name, "bf16");
  EXPECT_EQ(made->Get("blk.0.ffn_up.1.weight").format->name, "mxfp4");
  // A dense model has no such experts: mxfp4 as such goes to compressed-tensors.
  Make(folder.path() / "dense", "mxfp4", "");
  EXPECT_THROW(Rewrite(folder.path() / "dense", "mxfp4", folder.path() / "none"), Error);
}

}  // namespace
}  // namespace assay
