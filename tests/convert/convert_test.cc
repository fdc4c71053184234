// Presets on models whose files keep several matrices in one tensor: what fits is packed, what does not stays plain.
#include "convert/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/safetensors.h"
#include "quantize/presets.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Checkpoint> Open(const TempFolder& scratch, const std::string& name) {
  return Checkpoint::Open(GoldenFolder(scratch.path(), name));
}

std::shared_ptr<const Checkpoint> Quantized(const Checkpoint& source, const std::string& preset, const fs::path& out,
                                            const std::string& container = "") {
  ThreadPool pool(2);
  ConvertOptions options;
  options.hf_container = container;
  return Checkpoint::Open(ConvertCheckpoint(source, Preset::Get(preset), out, options, pool, SilentProgress()).output);
}

double RelativeError(const Tensor& found, const Tensor& expected) {
  const std::vector<float> a = Decode(found), b = Decode(expected);
  double error = 0, energy = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - b[i], 2);
    energy += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(error / energy);
}

TEST(Convert, RowsThatAFolderLacksAreQuantizedToo) {
  TempFolder scratch;
  auto source = Open(scratch, "gemma3n");
  auto back = Quantized(*source, "q8_0", scratch.path() / "m.gguf");
  const Tensor& table = back->Get("per_layer_token_embd.weight");
  ASSERT_EQ(table.shape, (std::vector<int64_t>{272, 512}));
  EXPECT_EQ(table.format->name, std::string_view("q8_0"));
  const std::vector<float> found = Decode(table), known = Decode(source->Get(table.name));
  double error = 0, energy = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double expected = known[i < known.size() ? i : i % 512];  // those of token 0
    error += std::pow(static_cast<double>(found[i]) - expected, 2);
    energy += expected * expected;
  }
  EXPECT_LT(std::sqrt(error / energy), 0.01);
  for (const Tensor& tensor : source->tensors())
    if (tensor.name != table.name && tensor.shape.size() == 2) {
      EXPECT_LT(RelativeError(back->Get(tensor.name), tensor), 0.01) << tensor.name;
    }
}

struct Case {
  const char *model, *preset, *container;
  double limit;         // relative error of a matrix
  const char* shared;   // a part of a tensor of the file, by its canonical name
  const char* becomes;  // its format; "" plain
};

class FusedTensors : public testing::TestWithParam<Case> {};

TEST_P(FusedTensors, KeepTheirValues) {
  const Case& c = GetParam();
  TempFolder scratch;
  auto source = Open(scratch, c.model);
  auto back = Quantized(*source, c.preset, scratch.path() / "out", c.container);
  ASSERT_EQ(back->tensors().size(), source->tensors().size());
  int packed = 0;
  for (const Tensor& tensor : source->tensors()) {
    const Tensor& found = back->Get(tensor.name);
    const std::string_view format = found.format->name;
    if (format == "bf16" || format == "f32" || format == "i64") {
      EXPECT_EQ(Decode(found), Decode(tensor)) << tensor.name;
      continue;
    }
    EXPECT_LT(RelativeError(found, tensor), c.limit) << tensor.name << " " << format;
    ++packed;
  }
  EXPECT_GT(packed, 3);
  const std::string_view format = back->Get(c.shared).format->name;
  EXPECT_EQ(format, *c.becomes ? c.becomes : "bf16");
}

// Groups of heads of V4 are 32 rows of 32 (a scale of 128 x 128 would cover both), those of V2 are stored turned, the
// projections of Phi-3 are 32, 16 and 16 rows.
INSTANTIATE_TEST_SUITE_P(
    Models, FusedTensors,
    testing::Values(Case{"deepseek_v4_fp4", "int4-g32", "", 0.15, "blk.0.attn_output_a.1.weight", "int4_g32"},
                    Case{"deepseek_v4_fp4", "nf4", "", 0.15, "blk.0.attn_output_a.1.weight", "nf4"},
                    Case{"deepseek_v4_fp4", "nf4", "bitsandbytes-nested", 0.15, "blk.0.attn_output_a.1.weight", "nf4"},
                    Case{"deepseek_v4_fp4", "fp8_block128", "", 0.05, "blk.0.attn_output_a.1.weight", ""},
                    Case{"deepseek_v4_fp4", "fp8_tensor", "", 0.05, "blk.0.attn_output_a.1.weight", "fp8_tensor"},
                    Case{"deepseek_v4_fp4", "nvfp4", "", 0.15, "blk.0.attn_output_a.1.weight", "nvfp4"},
                    Case{"deepseek_v4_fp4", "llm-int8", "", 0.02, "blk.0.attn_output_a.1.weight", "llm_int8"},
                    Case{"deepseek_v2", "int8_channel", "", 0.02, "blk.0.attn_v_b.1.weight", ""},
                    Case{"deepseek_v2", "nvfp4", "", 0.15, "blk.0.attn_v_b.1.weight", ""},
                    Case{"phi3", "fp8_block128", "", 0.05, "blk.0.attn_v.weight", ""},
                    Case{"phi3", "nf4", "", 0.15, "blk.0.attn_v.weight", "nf4"},
                    Case{"phi3", "fp8_tensor_a8", "", 0.05, "blk.0.attn_v.weight", "fp8_tensor_a8"}),
    [](const auto& test) {
      std::string name = std::string(test.param.model) + "_" + test.param.preset + test.param.container;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

// Global scales are chosen before it is seen, so it must not matter what they came out as.
TEST(NotFinite, IsNamedByTensorPartAndRow) {
  TempFolder scratch;
  const fs::path folder = GoldenFolder(scratch.path(), "phi3");
  std::string bytes = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  const std::byte* fused = nullptr;
  for (const SafetensorsTensor& tensor : file.tensors)
    if (tensor.name == "model.layers.0.self_attn.qkv_proj.weight") fused = tensor.data.data();
  ASSERT_NE(fused, nullptr);
  const auto at = static_cast<size_t>(fused - reinterpret_cast<const std::byte*>(bytes.data()));
  for (const uint16_t code : {uint16_t{0x7f80}, uint16_t{0xffc1}}) {
    std::memcpy(bytes.data() + at + 2 * (40 * 32 + 3), &code, 2);  // the keys begin at row 32
    WriteFileAtomically(folder / "model.safetensors", bytes);
    auto source = Checkpoint::Open(folder);
    for (const char* preset : {"nvfp4", "fp8_tensor", "int8_tensor", "int4-g32", "nvfp4_gguf", "q8_0"}) {
      ExpectError(ErrorKind::kCorrupt,
                  "qkv_proj.weight: row 8 of its part blk.0.attn_k.weight has a NaN or an infinity",
                  [&] { Quantized(*source, preset, scratch.path() / "out"); });
      EXPECT_FALSE(fs::exists(scratch.path() / "out"));
      EXPECT_FALSE(fs::exists(scratch.path() / "out.part"));
    }
  }
}

// Sizes are told without opening what was written; whether the error was measured is told too.
TEST(QuantRecord, TellsWhatTheFinishedCheckpointHas) {
  TempFolder scratch;
  MakeRandomModel(scratch.path() / "m", fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", 256, 512);
  auto source = Checkpoint::Open(scratch.path() / "m");
  ThreadPool pool(2);
  for (const auto& [preset, container] : std::vector<std::pair<const char*, const char*>>{
           {"q4_0", ""},
           {"nvfp4_gguf", ""},
           {"fp8", ""},
           {"int8", ""},
           {"int4-g128", ""},
           {"int4-g128-asym", ""},
           {"int4-g128-asym", "gptq_v2"},
           {"int4-g128-asym", "awq"},
           {"int4-g128", "auto-round"},
           {"int4-g64-asym", "hqq"},
           {"nf4", ""},
           {"nf4", "bitsandbytes-nested"},
           {"llm-int8", ""},
           {"nvfp4", ""},
           {"nvfp4", "modelopt"},
           {"mxfp4", ""},
           {"mxfp8", ""},
       }) {
    ConvertOptions options;
    options.hf_container = container;
    options.measure_error = std::string_view(preset) != "fp8";
    const fs::path out = scratch.path() / (std::string(preset) + container + ".gguf");
    const QuantRecord record = ConvertCheckpoint(*source, Preset::Get(preset), out, options, pool, SilentProgress());
    auto opened = Checkpoint::Open(record.output);
    EXPECT_EQ(record.result.file_bytes, opened->file_bytes()) << preset << " " << container;
    EXPECT_NEAR(record.result.bits_per_weight, opened->bits_per_weight(), 0.02) << preset << " " << container;
    EXPECT_EQ(record.result.architecture, opened->config().architecture);
    EXPECT_EQ(record.result.name, out.filename().string());
    for (const TensorQuantization& tensor : record.tensors) {
      const bool measured = options.measure_error || tensor.method == "kept";
      EXPECT_EQ(std::isnan(tensor.rmse), !measured) << preset << " " << tensor.name;
      EXPECT_EQ(std::isnan(tensor.relative_error), !measured) << preset << " " << tensor.name;
    }
  }
}

// Types as llama-quantize (of the tree inside the source package llama-cpp-python 0.3.36) gives them to the same model
// in F32: it goes by names, so that small matrices of DeepSeek V4 that are no linear modules are quantized too.
TEST(GgufPresets, OfAWholeModelAreThoseOfLlamaQuantize) {
  TempFolder scratch;
  auto source = Open(scratch, "deepseek_v4_fp4");
  const std::map<std::string, std::map<std::string, std::string>> expected = {
      {"q4_k_m",
       {{"token_embd.weight", "q5_0"},
        {"output.weight", "q8_0"},
        {"output_hc_fn.weight", "q5_0"},
        {"blk.0.hc_attn_fn.weight", "q5_0"},
        {"blk.0.hc_attn_base.weight", "f32"},
        {"blk.0.ffn_gate_inp.weight", "f32"},
        {"blk.0.ffn_gate_tid2eid.weight", "i32"},
        {"blk.0.ffn_down.1.weight", "q5_0"},
        {"blk.1.attn_compressor_ape.weight", "q5_0"},
        {"blk.1.indexer.proj.weight", "q5_0"},
        {"blk.2.attn_compressor_ape.weight", "f16"},
        {"blk.2.attn_output_a.1.weight", "q5_0"}}},
      {"mxfp4_moe",
       {{"blk.1.attn_output_a.0.weight", "q8_0"},
        {"blk.1.ffn_up.3.weight", "mxfp4_gguf"},
        {"blk.1.ffn_up_shexp.weight", "q8_0"}}},
  };
  for (const auto& [preset, formats] : expected) {
    auto back = Quantized(*source, preset, scratch.path() / (preset + ".gguf"));
    for (const auto& [name, format] : formats) EXPECT_EQ(back->Get(name).format->name, format) << preset << " " << name;
    EXPECT_EQ(Decode(back->Get("blk.0.ffn_gate_tid2eid.weight")), Decode(source->Get("blk.0.ffn_gate_tid2eid.weight")));
  }
}

}  // namespace
}  // namespace assay
