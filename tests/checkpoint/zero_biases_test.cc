// Biases that the class does not have: all zeros are left out and said, others are errors that name the tensor.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// The tiny Llama with one tensor more.
fs::path WithTensor(const fs::path& scratch, const std::string& name, const char* dtype, std::vector<int64_t> shape,
                    const std::string& bytes) {
  const fs::path golden = fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", folder = scratch / "m";
  fs::remove_all(folder);
  fs::copy(golden, folder);
  const std::string old = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(old)), "m");
  std::vector<SafetensorsPart> parts;
  std::map<std::string, std::string> data = {{name, bytes}};
  for (const SafetensorsTensor& t : file.tensors) {
    parts.push_back({t.name, t.dtype, t.shape, t.data.size(), 0});
    data[t.name] = std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size());
  }
  parts.push_back({name, dtype, std::move(shape), bytes.size(), 0});
  std::string out = LaySafetensors(parts);
  for (const SafetensorsPart& part : parts) out += data[part.name];
  WriteFileAtomically(folder / "model.safetensors", out);
  return folder;
}

TEST(ZeroBiases, AreLeftOutWhateverTheirModule) {
  TempFolder scratch;
  auto plain = Checkpoint::Open(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama");
  const ModelConfig& c = plain->config();
  const int64_t q = c.n_heads * c.head_dim;
  struct Case {
    const char *module, *dtype;
    int64_t n;
    std::string bytes;
  };
  std::string minus_zeros(static_cast<size_t>(c.hidden) * 2, '\0');
  for (size_t i = 1; i < minus_zeros.size(); i += 2) minus_zeros[i] = '\x80';
  for (const Case& one :
       {Case{"layers.0.self_attn.q_proj", "F16", q, std::string(static_cast<size_t>(q) * 2, '\0')},
        Case{"layers.1.self_attn.o_proj", "BF16", c.hidden, minus_zeros},
        Case{"layers.0.mlp.up_proj", "F32", c.feed_forward, std::string(static_cast<size_t>(c.feed_forward) * 4, '\0')},
        Case{"layers.0.mlp.down_proj", "F16", c.hidden, std::string(static_cast<size_t>(c.hidden) * 2, '\0')},
        Case{"layers.0.input_layernorm", "F16", c.hidden, std::string(static_cast<size_t>(c.hidden) * 2, '\0')}}) {
    SCOPED_TRACE(one.module);
    auto model = Checkpoint::Open(
        WithTensor(scratch.path(), "model." + std::string(one.module) + ".bias", one.dtype, {one.n}, one.bytes));
    EXPECT_EQ(model->tensors().size(), plain->tensors().size());
    EXPECT_EQ(model->unread(), "all-zero biases that llama does not have, left out: 1");
  }
}

TEST(ZeroBiases, OthersStayErrors) {
  TempFolder scratch;
  const ModelConfig c = Checkpoint::Open(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama")->config();
  const auto hidden = static_cast<size_t>(c.hidden);
  std::string one_off(hidden * 2, '\0');
  one_off[hidden] = 1;
  auto refuse = [&](ErrorKind kind, const char* message, const std::string& name, const char* dtype,
                    std::vector<int64_t> shape, const std::string& bytes) {
    SCOPED_TRACE(name);
    ExpectError(kind, message, [&] { Checkpoint::Open(WithTensor(scratch.path(), name, dtype, shape, bytes)); });
  };
  const std::string zeros(hidden * 2, '\0');
  refuse(ErrorKind::kCorrupt, "\"attention_bias\" is false, but there is a tensor model.layers.0.self_attn.o_proj.bias",
         "model.layers.0.self_attn.o_proj.bias", "F16", {c.hidden}, one_off);
  refuse(ErrorKind::kUnsupported, "tensor model.layers.0.input_layernorm.bias F16",
         "model.layers.0.input_layernorm.bias", "F16", {c.hidden}, one_off);
  refuse(ErrorKind::kUnsupported, "tensor model.layers.0.mlp.other_proj.bias", "model.layers.0.mlp.other_proj.bias",
         "F16", {c.hidden}, zeros);
  refuse(ErrorKind::kUnsupported, "tensor model.layers.9.mlp.up_proj.bias", "model.layers.9.mlp.up_proj.bias", "F16",
         {c.hidden}, zeros);
  refuse(ErrorKind::kUnsupported, "tensor model.layers.0.input_layernorm.bias", "model.layers.0.input_layernorm.bias",
         "I16", {c.hidden}, zeros);
  // Another shape than the module's.
  refuse(ErrorKind::kUnsupported, "tensor model.layers.0.input_layernorm.bias", "model.layers.0.input_layernorm.bias",
         "F16", {c.hidden / 2}, zeros.substr(hidden));
}

// Python's numbers in every file that it writes.
TEST(PythonNumbers, AreReadInConfigurations) {
  TempFolder scratch;
  const fs::path folder = scratch.path() / "m";
  fs::copy(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", folder);
  auto insert = [&](const char* file, const std::string& member) {
    std::string text = fs::exists(folder / file) ? ReadFile(folder / file) : "{\"x\": 1}";
    text.insert(text.find('{') + 1, member + ", ");
    WriteFileAtomically(folder / file, text);
  };
  insert("config.json", R"("time_step_limit": [0.0, Infinity], "nested": {"a": [[NaN, -Infinity]], "b": 1e999})");
  insert("generation_config.json", R"("temperature_schedule": [NaN])");
  insert("tokenizer_config.json", R"("model_max_length": Infinity)");
  auto model = Checkpoint::Open(folder);
  EXPECT_EQ(model->metadata()["time_step_limit"][1], std::numeric_limits<double>::infinity());
  // What is written from it says the same.
  ConvertForTest(*model, Container::kHuggingFace, scratch.path() / "out", "", [](const Tensor&) { return "bf16"; });
  EXPECT_NE(ReadFile(scratch.path() / "out/config.json").find("Infinity"), std::string::npos);
  auto again = Checkpoint::Open(scratch.path() / "out");
  EXPECT_EQ(again->metadata()["nested"]["a"][0][1], -std::numeric_limits<double>::infinity());
  // A key that takes part stays strict, and so do headers.
  std::string text = ReadFile(folder / "config.json");
  ReplaceAll(text, "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": Infinity");
  WriteFileAtomically(folder / "config.json", text);
  ExpectError(ErrorKind::kInvalid, "\"rms_norm_eps\" should be a finite number, found Infinity",
              [&] { Checkpoint::Open(folder); });
  const std::string header = R"({"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}})";
  uint64_t size = header.size();
  const std::string bytes = std::string(reinterpret_cast<const char*>(&size), 8) + header + "1234";
  ExpectError(ErrorKind::kCorrupt, "not JSON", [&] { SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m"); });
}

}  // namespace
}  // namespace assay
