// Written by us, read by us: every container and scheme, values and metadata.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/hf/packing/writing.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden" / "checkpoint";

bool Matrix(const Tensor& tensor) {
  return tensor.shape.size() == 2 && tensor.name != "token_embd.weight" && tensor.name != "output.weight";
}

std::vector<float> Reencoded(const Format& format, const std::vector<float>& weights, int64_t rows, int64_t cols) {
  float scale = 1.0f, divisor = 1.0f, largest = 0.0f;
  for (float w : weights) largest = std::max(largest, std::abs(w));
  if (format.choose_global) format.choose_global({largest, 0.5f * largest}, &scale, &divisor);
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, rows, cols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, rows, cols)));
  format.encode_rows(weights.data(), rows, cols, nullptr, scale, divisor, codes.data(), scales.data());
  Tensor tensor;
  tensor.Borrow({&format, rows, cols, codes.data(), scales.empty() ? nullptr : scales.data(), scale, divisor});
  return Decode(tensor);
}

TEST(Tensors, AreListedLayerAfterLayer) {
  const std::vector<std::string> ordered = {
      "blk.0.a",  "blk.2.a",   "blk.2.ffn_up.9.weight", "blk.2.ffn_up.10.weight", "blk.9.attn_norm", "blk.10.a",
      "blk.10.b", "blk.100.a", "output.weight",         "token_embd.weight"};
  std::vector<std::string> names(ordered.rbegin(), ordered.rend());
  std::sort(names.begin(), names.end(), ListedBefore);
  EXPECT_EQ(names, ordered);
  for (const std::string& name : ordered) EXPECT_FALSE(ListedBefore(name, name)) << name;
}

class EveryFormat : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryFormat, SurvivesItsContainer) {
  const Format& format = GetFormat(GetParam());
  TempFolder folder;
  MakeRandomModel(folder.path() / "source", kGolden / "tiny_llama", 256, 512);
  auto source = Checkpoint::Open(folder.path() / "source");
  Container container = DefaultContainer(format);
  bool gguf = container == Container::kGguf;
  fs::path out = folder.path() / (gguf ? "model.gguf" : "model");
  auto format_of = [&](const Tensor& tensor) -> std::string {
    if (Matrix(tensor)) return std::string(format.name);
    return gguf ? (tensor.shape.size() == 1 ? "f32" : "bf16") : "bf16";
  };
  ConvertForTest(*source, container, out, "", format_of, 16);
  auto back = Checkpoint::Open(out);
  ASSERT_EQ(back->tensors().size(), source->tensors().size());
  EXPECT_EQ(back->config().stop_tokens.front(), source->config().stop_tokens.front());
  EXPECT_EQ(back->config().rope_interleaved, gguf);
  EXPECT_EQ(back->chat_template(), source->chat_template());
  int seen = 0;
  for (const Tensor& tensor : source->tensors()) {
    const Tensor& other = back->Get(tensor.name);
    // An activation order that keeps the columns as they are is none.
    const std::string expected_name = format_of(tensor).substr(0, format_of(tensor).find("_gidx"));
    ASSERT_EQ(other.format->name, expected_name) << tensor.name;
    seen += Matrix(tensor);
    std::vector<float> expected =
        Reencoded(*other.format, DecodeFor(*source, tensor, container), tensor.rows, tensor.cols);
    std::vector<float> found = Decode(other);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(found[i], expected[i]) << tensor.name << " weight " << i;
  }
  EXPECT_GE(seen, 7);
}

std::vector<std::string> Written() {
  std::vector<std::string> names;
  for (const Format* format : RepresentativeFormats())
    if (format->encode_rows && (HasGgufType(*format) || !HfContainersOf(*format).empty()))
      names.emplace_back(format->name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, EveryFormat, ::testing::ValuesIn(Written()), [](const auto& row) { return row.param; });

TEST(RoundTrip, HuggingFaceToGgufAndBackIsTheSame) {
  for (const char* name : {"tiny_llama", "tiny_bias"}) {
    auto source = Checkpoint::Open(kGolden / name);
    TempFolder folder;
    auto gguf_format = [](const Tensor& tensor) -> std::string { return tensor.shape.size() == 1 ? "f32" : "bf16"; };
    ConvertForTest(*source, Container::kGguf, folder.path() / "a.gguf", "bf16", gguf_format);
    auto gguf = Checkpoint::Open(folder.path() / "a.gguf");
    EXPECT_TRUE(gguf->config().rope_interleaved);
    EXPECT_EQ(gguf->scheme(), "bf16");
    ConvertForTest(*gguf, Container::kHuggingFace, folder.path() / "b", "", [](const Tensor&) { return "bf16"; });
    auto back = Checkpoint::Open(folder.path() / "b");
    EXPECT_FALSE(back->config().rope_interleaved);
    const ModelConfig &a = source->config(), &b = back->config();
    EXPECT_EQ(a.n_layers, b.n_layers);
    EXPECT_EQ(a.head_dim, b.head_dim);
    EXPECT_EQ(a.rms_epsilon, b.rms_epsilon);
    EXPECT_EQ(a.rope_theta, b.rope_theta);
    EXPECT_EQ(a.context, b.context);
    EXPECT_EQ(a.tied_output, b.tied_output);
    for (int32_t id : a.stop_tokens)  // a GGUF ends at more tokens, by their names
      EXPECT_NE(std::find(b.stop_tokens.begin(), b.stop_tokens.end(), id), b.stop_tokens.end()) << id;
    EXPECT_FLOAT_EQ(static_cast<float>(a.generation.temperature), static_cast<float>(b.generation.temperature));
    EXPECT_EQ(a.generation.top_k, b.generation.top_k);
    ASSERT_EQ(source->tensors().size(), back->tensors().size());
    for (const Tensor& tensor : source->tensors())
      EXPECT_EQ(Decode(tensor), Decode(back->Get(tensor.name))) << tensor.name;
    EXPECT_EQ(source->tokenizer().tokens, back->tokenizer().tokens);
    EXPECT_EQ(source->tokenizer().merges, back->tokenizer().merges);
    auto ours = Tokenizer::Create(source->tokenizer(), "a"), theirs = Tokenizer::Create(back->tokenizer(), "b");
    std::string text = "<|user|>the cat sat on 12 mats, don't you think?<|end|>  ünïcode";
    EXPECT_EQ(ours->Encode(text, true), theirs->Encode(text, true));
  }
}

TEST(RoundTrip, RanksAndCodeOfATokenizerGoAlong) {
  auto source = Checkpoint::Open(fs::path(ASSAY_TEST_DATA) / "golden/kimi");
  TempFolder folder;
  ConvertForTest(*source, Container::kHuggingFace, folder.path() / "b", "", [](const Tensor&) { return "bf16"; });
  EXPECT_TRUE(fs::exists(folder.path() / "b/tokenization_kimi.py"));
  auto back = Checkpoint::Open(folder.path() / "b");
  EXPECT_EQ(source->tokenizer().tokens, back->tokenizer().tokens);
  EXPECT_EQ(source->tokenizer().merges, back->tokenizer().merges);
  EXPECT_EQ(source->config().stop_tokens, back->config().stop_tokens);
  EXPECT_EQ(source->chat_template(), back->chat_template());
}

TEST(RoundTrip, ShardsAndOneFileHaveTheSameFingerprint) {
  auto source = Checkpoint::Open(kGolden / "tiny_llama");
  TempFolder folder;
  auto format_of = [](const Tensor& tensor) -> std::string { return Matrix(tensor) ? "int4_g32" : "bf16"; };
  ConvertForTest(*source, Container::kHuggingFace, folder.path() / "one", "int4-g128", format_of);
  ConvertForTest(*source, Container::kHuggingFace, folder.path() / "many", "int4-g128", format_of, 64, 20'000);
  EXPECT_TRUE(fs::exists(folder.path() / "one" / "model.safetensors"));
  EXPECT_TRUE(fs::exists(folder.path() / "many" / "model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(folder.path() / "many" / "model.safetensors"));
  auto one = Checkpoint::Open(folder.path() / "one"), many = Checkpoint::Open(folder.path() / "many");
  EXPECT_EQ(one->fingerprint(), many->fingerprint());
  EXPECT_NE(one->fingerprint(), source->fingerprint());
  EXPECT_EQ(one->scheme(), "compressed-tensors pack-quantized W4A16");
}

TEST(RoundTrip, FingerprintSeesOneBit) {
  TempFolder folder;
  fs::copy(kGolden / "tiny_llama", folder.path() / "m");
  std::string before = Checkpoint::Open(folder.path() / "m")->fingerprint();
  EXPECT_EQ(before, Checkpoint::Open(kGolden / "tiny_llama")->fingerprint());
  std::string bytes = ReadFile(folder.path() / "m" / "model.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  fs::permissions(folder.path() / "m" / "model.safetensors", fs::perms::owner_write, fs::perm_options::add);
  WriteFileAtomically(folder.path() / "m" / "model.safetensors", bytes);
  EXPECT_NE(before, Checkpoint::Open(folder.path() / "m")->fingerprint());
}

TEST(RoundTrip, RopeScalingsPassThroughGguf) {
  for (const char* name : {"rope_linear", "rope_llama3", "rope_yarn"}) {
    TempFolder folder;
    fs::copy(kGolden / "tiny_llama", folder.path() / "m");
    fs::copy_file(kGolden / name / "config.json", folder.path() / "m" / "config.json",
                  fs::copy_options::overwrite_existing);
    auto source = Checkpoint::Open(folder.path() / "m");
    ASSERT_NE(source->config().rope_scaling.kind, RopeScaling::Kind::kNone) << name;
    ConvertForTest(*source, Container::kGguf, folder.path() / "a.gguf", "f16",
                   [](const Tensor& tensor) -> std::string { return tensor.shape.size() == 1 ? "f32" : "f16"; });
    auto gguf = Checkpoint::Open(folder.path() / "a.gguf");
    const RopeScaling &a = source->config().rope_scaling, &b = gguf->config().rope_scaling;
    EXPECT_EQ(a.kind, b.kind) << name;
    EXPECT_EQ(a.factor, b.factor) << name;
    EXPECT_EQ(a.original_context, b.original_context) << name;
    EXPECT_EQ(a.attention_factor, b.attention_factor) << name;
    EXPECT_EQ(gguf->Find("rope_freqs.weight") != nullptr, a.kind == RopeScaling::Kind::kLlama3) << name;
    EXPECT_TRUE(gguf->config().rope_factors.empty());
  }
}

TEST(TensorOrder, RotatedPairs) {
  ModelConfig config;
  config.n_heads = 3;
  config.n_kv_heads = 1;
  config.head_dim = 8;
  std::vector<int64_t> to = OrderBetween(config, {true, false}, "blk.3.attn_q.weight").rows;
  // Row 0 and 1 of the interleaved order are the first of either half.
  EXPECT_EQ((std::vector<int64_t>(to.begin(), to.begin() + 8)), (std::vector<int64_t>{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(to[8], 8);
  EXPECT_EQ(OrderBetween(config, {true, false}, "blk.3.attn_k.weight").rows.size(), 8u);
  EXPECT_EQ(OrderBetween(config, {true, false}, "blk.3.attn_k.bias").cols.size(), 8u);
  EXPECT_TRUE(OrderBetween(config, {true, false}, "blk.3.attn_v.weight").rows.empty());
  EXPECT_TRUE(OrderBetween(config, {false, false}, "blk.3.attn_q.weight").rows.empty());
  config.rope_interleaved = true;
  std::vector<int64_t> from = OrderBetween(config, {false, false}, "blk.3.attn_q.weight").rows;
  for (size_t i = 0; i < to.size(); ++i) EXPECT_EQ(to[static_cast<size_t>(from[i])], static_cast<int64_t>(i));
}

TEST(TensorOrder, ValueHeadsOfADeltaNet) {
  ModelConfig config;
  config.delta = {2, 6, 4, 2, 4, false};
  const TensorOrders tiled{false, true};
  // Heads 0 to 2 belong to the first key head; tiled, the key heads take turns.
  EXPECT_EQ(OrderBetween(config, tiled, "blk.0.ssm_dt.bias").cols, (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(OrderBetween(config, tiled, "blk.0.ssm_alpha.weight").rows, (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(OrderBetween(config, tiled, "blk.0.ssm_out.weight").cols,
            (std::vector<int64_t>{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
  const std::vector<int64_t> channels = OrderBetween(config, tiled, "blk.0.ssm_conv1d.weight").rows;
  ASSERT_EQ(channels.size(), 28u);
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(channels[static_cast<size_t>(i)], i);
  EXPECT_EQ(channels[18], 22);
  EXPECT_TRUE(OrderBetween(config, tiled, "blk.0.ssm_q.weight").rows.empty());
  const std::vector<int64_t> to = OrderBetween(config, tiled, "blk.0.ssm_v.weight").rows;
  config.delta.tiled = true;
  const std::vector<int64_t> back = OrderBetween(config, {}, "blk.0.ssm_v.weight").rows;
  for (size_t i = 0; i < to.size(); ++i) EXPECT_EQ(to[static_cast<size_t>(back[i])], static_cast<int64_t>(i));
}

TEST(Writer, NothingIsThereBeforeCommit) {
  auto source = Checkpoint::Open(kGolden / "tiny_llama");
  TempFolder folder;
  std::vector<OutputTensor> tensors;
  for (const Tensor& tensor : source->tensors())
    tensors.push_back({tensor.name, &GetFormat("f32"), tensor.rows, tensor.cols, tensor.shape});
  for (Container container : {Container::kGguf, Container::kHuggingFace}) {
    fs::path out = folder.path() / "out";
    auto writer = CheckpointWriter::Create(container, out, *source, "f32", tensors);
    EXPECT_FALSE(fs::exists(out));
    EXPECT_GT(writer->total_bytes(), 250'000u);
    writer.reset();
    EXPECT_TRUE(fs::is_empty(folder.path()));
  }
}

TEST(Writer, RefusesWhatTheContainerCannotHold) {
  auto source = Checkpoint::Open(kGolden / "tiny_llama");
  TempFolder folder;
  auto all = [](std::string name) {
    return [name](const Tensor& tensor) { return Matrix(tensor) ? name : std::string("f32"); };
  };
  ExpectError(ErrorKind::kUnsupported, "GGUF has no type for nf4",
              [&] { ConvertForTest(*source, Container::kGguf, folder.path() / "a.gguf", "nf4", all("nf4")); });
  ExpectError(ErrorKind::kUnsupported, "no scheme for q4_0",
              [&] { ConvertForTest(*source, Container::kHuggingFace, folder.path() / "b", "q4_0", all("q4_0")); });
  ExpectError(ErrorKind::kUnsupported, "only linear layers are quantized", [&] {
    ConvertForTest(*source, Container::kHuggingFace, folder.path() / "b", "", [](const Tensor& t) -> std::string {
      return t.name == "token_embd.weight" ? "int8_channel" : "f32";
    });
  });
  ExpectError(ErrorKind::kUnsupported, "nf4 cannot be mixed", [&] {
    ConvertForTest(*source, Container::kHuggingFace, folder.path() / "b", "", [](const Tensor& t) -> std::string {
      return !Matrix(t) ? "bf16" : t.name.find("attn") != std::string::npos ? "nf4" : "int8_channel";
    });
  });
  ExpectError(ErrorKind::kInvalid, "vectors are f32 in GGUF", [&] {
    ConvertForTest(*source, Container::kGguf, folder.path() / "a.gguf", "", [](const Tensor&) { return "f16"; });
  });
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Writer, MixedPrecisionIsReadBack) {
  auto source = Checkpoint::Open(kGolden / "tiny_llama");
  TempFolder folder;
  auto format_of = [](const Tensor& tensor) -> std::string {
    if (!Matrix(tensor)) return "bf16";
    return tensor.name.find("attn_v") != std::string::npos ? "bf16"
           : tensor.name.find("attn") != std::string::npos ? "int4_g32"
                                                           : "fp8_channel_a8";
  };
  ConvertForTest(*source, Container::kHuggingFace, folder.path() / "m", "", format_of);
  auto back = Checkpoint::Open(folder.path() / "m");
  for (const Tensor& tensor : back->tensors()) EXPECT_EQ(tensor.format->name, format_of(tensor)) << tensor.name;
  EXPECT_EQ(back->scheme(), "compressed-tensors mixed-precision");
  EXPECT_EQ(back->metadata()["quantization_config"]["format"], "mixed-precision");
}

TEST(Layout, Llama3FactorsAreRecognized) {
  ModelConfig config;
  config.rotary_dim = 64;
  config.rope_theta = 500000;
  config.rope_scaling = {RopeScaling::Kind::kLlama3, 32.0, 8192, 1.0, 4.0};
  std::vector<float> factors = Llama3RopeFactors(config);
  // From transformers' _compute_llama3_parameters: 1 below a wavelength of 2048, 32 above 8192.
  EXPECT_EQ(factors.front(), 1.0f);
  EXPECT_EQ(factors.back(), 32.0f);
  auto scaling = Llama3ScalingFromFactors(config, factors);
  ASSERT_TRUE(scaling);
  EXPECT_EQ(scaling->original_context, 8192);
  factors[15] *= 1.01f;
  EXPECT_FALSE(Llama3ScalingFromFactors(config, factors));
}

/// bitnet.cpp's ternary type, with the scale of the matrix behind its codes.
TEST(GgufI2s, IsReadAsItsOwnPackerMeansIt) {
  const std::string bytes = ReadFile(kGolden / "i2_s.gguf");
  auto model = Checkpoint::Open(kGolden / "i2_s.gguf");
  EXPECT_EQ(model->scheme(), "i2_s (bitnet.cpp)");
  std::vector<float> all;
  for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
    const Tensor& tensor = model->Get(fmt::format("blk.0.{}.weight", name));
    EXPECT_EQ(tensor.format->name, "i2_s");
    for (float weight : Decode(tensor)) all.push_back(weight + 0.0f);
  }
  const Json facts = ParseJson(ReadFile(kGolden / "i2_s.json"), "i2_s.json");
  EXPECT_EQ(Sha256Hex(std::as_bytes(std::span(all))), facts["sha256"].get<std::string>());
  TempFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  // The number means another type in files that are not bitnet.cpp's; a file without the tail is cut.
  std::string other = bytes;
  const size_t key = other.find("general.file_type") + sizeof("general.file_type") - 1 + 4;
  other[key] = 2;
  WriteFileAtomically(path, other);
  try {
    Checkpoint::Open(path);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("was IQ4_NL_4_4"));
  }
  for (size_t n = 0; n < bytes.size(); n += 997) {
    WriteFileAtomically(path, bytes.substr(0, n));
    EXPECT_THROW(Checkpoint::Open(path), Error) << n;
  }
  WriteFileAtomically(path, bytes.substr(0, bytes.size() - 1));
  EXPECT_THROW(Checkpoint::Open(path), Error);
}

}  // namespace
}  // namespace assay
