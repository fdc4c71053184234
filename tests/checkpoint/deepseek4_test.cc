// DeepSeek V4: tables of ids beside the weights, in both containers, and what its GGUF metadata may say. The GGUF is
// llama.cpp's own (tools/golden/llama_cpp_models.py), the folder has the layout of the release.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden";
constexpr const char* kTable = "blk.0.ffn_gate_tid2eid.weight";

std::string OfLlamaCpp() {
  return ReadFile(kGolden / "checkpoint/deepseek_v4_fp4_llama_cpp.gguf");
}

/// Opens llama.cpp's file with a number replaced that lies `after` bytes behind the end of a text.
template <typename T>
void OpenChanged(const std::string& text, size_t after, T value) {
  std::string bytes = OfLlamaCpp();
  const size_t at = bytes.find(text);
  ASSERT_NE(at, std::string::npos) << text;
  std::memcpy(bytes.data() + at + text.size() + after, &value, sizeof value);
  TempFolder scratch;
  WriteFileAtomically(scratch.path() / "changed.gguf", bytes);
  Checkpoint::Open(scratch.path() / "changed.gguf");
}

TEST(DeepSeek4, TheTwoContainersHaveTheSameModel) {
  TempFolder scratch;
  auto folder = Checkpoint::Open(GoldenFolder(scratch.path(), "deepseek_v4_fp4"));
  auto gguf = Checkpoint::Open(kGolden / "checkpoint/deepseek_v4_fp4_llama_cpp.gguf");
  ASSERT_EQ(folder->tensors().size(), gguf->tensors().size());
  for (const Tensor& tensor : folder->tensors()) EXPECT_EQ(Decode(tensor), Decode(gguf->Get(tensor.name)));
  const ModelConfig &a = folder->config(), &b = gguf->config();
  for (int64_t i = 0; i < a.n_layers; ++i) EXPECT_EQ(a.Layer(i), b.Layer(i)) << i;
  EXPECT_EQ(a.experts, b.experts);
  EXPECT_EQ(a.compressed, b.compressed);
  EXPECT_EQ(a.indexer, b.indexer);
  EXPECT_EQ(a.rope_scaling, b.rope_scaling);
  EXPECT_EQ(a.rope_theta, b.rope_theta);
  EXPECT_EQ(a.rope_local_theta, b.rope_local_theta);
  EXPECT_EQ(a.swiglu_limit, b.swiglu_limit);
  EXPECT_EQ(a.sliding_window, b.sliding_window);
  EXPECT_EQ(a.hyper.streams, b.hyper.streams);
  EXPECT_EQ(a.hyper.iterations, b.hyper.iterations);
  EXPECT_FLOAT_EQ(static_cast<float>(a.hyper.epsilon), static_cast<float>(b.hyper.epsilon));
  EXPECT_EQ(folder->Get(kTable).format->name, "i64");
  EXPECT_EQ(gguf->Get(kTable).format->name, "i32");
  EXPECT_EQ(folder->parameter_count(), gguf->parameter_count());
}

TEST(DeepSeek4, TablesAreWrittenAsEachContainerHasThem) {
  TempFolder scratch;
  auto source = Checkpoint::Open(GoldenFolder(scratch.path(), "deepseek_v4_fp4"));
  auto as_f32 = [](const Tensor&) { return "f32"; };
  ConvertForTest(*source, Container::kGguf, scratch.path() / "m.gguf", "f32", as_f32, 5);
  auto gguf = Checkpoint::Open(scratch.path() / "m.gguf");
  ConvertForTest(*gguf, Container::kHuggingFace, scratch.path() / "m", "", as_f32, 7);
  auto folder = Checkpoint::Open(scratch.path() / "m");
  EXPECT_EQ(gguf->Get(kTable).format->name, "i32");
  EXPECT_EQ(folder->Get(kTable).format->name, "i64");
  ThreadPool pool(1);
  const LoadedTensor before = source->Get(kTable).Load(pool), after = folder->Get(kTable).Load(pool);
  EXPECT_EQ(
      std::memcmp(before.view.codes, after.view.codes, static_cast<size_t>(before.view.rows * before.view.cols) * 8),
      0);
  EXPECT_EQ(folder->main_format(), "f32");
  EXPECT_EQ(folder->bits_per_weight(), 32.0);
}

TEST(DeepSeek4, TablesThatNameNoExpertAreRefused) {
  TempFolder scratch;
  const fs::path folder = GoldenFolder(scratch.path(), "deepseek_v4_fp4");
  std::string bytes = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  const std::byte* table = nullptr;
  for (const SafetensorsTensor& tensor : file.tensors)
    if (tensor.name == "layers.0.ffn.gate.tid2eid") table = tensor.data.data();
  ASSERT_NE(table, nullptr);
  for (int64_t id : {int64_t{4}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    std::string changed = bytes;
    const auto at = static_cast<size_t>(table - reinterpret_cast<const std::byte*>(bytes.data()));
    std::memcpy(changed.data() + at + 5 * sizeof id, &id, sizeof id);
    WriteFileAtomically(folder / "model.safetensors", changed);
    ExpectError(ErrorKind::kCorrupt, "layers.0.ffn.gate.tid2eid: row 2 names expert",
                [&] { Checkpoint::Open(folder); });
  }
}

// The directory has behind a tensor's name: how many dimensions, these, the type, the offset.
TEST(DeepSeek4, GgufTablesHoldIntegersAndOthersWeights) {
  ExpectError(ErrorKind::kCorrupt, "ffn_gate_tid2eid.weight: expected integers, found f32",
              [] { OpenChanged<uint32_t>("blk.0.ffn_gate_tid2eid.weight", 4 + 2 * 8, 0); });
  ExpectError(ErrorKind::kCorrupt, "blk.0.ffn_norm.weight: expected weights, found i32",
              [] { OpenChanged<uint32_t>("blk.0.ffn_norm.weight", 4 + 8, 26); });
}

// A key is followed by the type of its value and the value; an array by that of its elements and their number first.
TEST(DeepSeek4, MetadataThatContradictsOrGoesBeyondIsRefused) {
  ExpectError(ErrorKind::kUnsupported, "compress_ratios: layer 0 is 7; supported: 0, 4, 128",
              [] { OpenChanged<int32_t>("deepseek4.attention.compress_ratios", 16, 7); });
  ExpectError(ErrorKind::kCorrupt, "swiglu_clamp_exp: expected 4 numbers, one a layer",
              [] { OpenChanged<uint32_t>("deepseek4.block_count", 4, 4); });
  ExpectError(ErrorKind::kUnsupported, "expert_gating_func 2: supported is 4, sqrtsoftplus",
              [] { OpenChanged<uint32_t>("deepseek4.expert_gating_func", 4, 2); });
  ExpectError(ErrorKind::kUnsupported, "swiglu_clamp_exp: layers that differ",
              [] { OpenChanged<float>("deepseek4.swiglu_clamp_exp", 16, 2.5f); });
  ExpectError(ErrorKind::kUnsupported, "expert_shared_count 2: supported is 1",
              [] { OpenChanged<uint32_t>("deepseek4.expert_shared_count", 4, 2); });
  ExpectError(ErrorKind::kCorrupt, "residual streams: expected 0 to 16, found 17",
              [] { OpenChanged<uint32_t>("deepseek4.hyper_connection.count", 4, 17); });
  ExpectError(ErrorKind::kCorrupt, "blk.1.ffn_gate_tid2eid.weight",
              [] { OpenChanged<uint32_t>("deepseek4.hash_layer_count", 4, 2); });
}

// Entries of 10 positions and 3 residual streams run here, but not in GGUF's readers.
TEST(DeepSeek4, WhatGgufCannotStateIsNotWritten) {
  TempFolder scratch;
  auto source = Checkpoint::Open(GoldenFolder(scratch.path(), "deepseek_v4"));
  ExpectError(ErrorKind::kUnsupported, "know 4 residual streams; this model has 3", [&] {
    ConvertForTest(*source, Container::kGguf, scratch.path() / "m.gguf", "f32", [](const Tensor&) { return "f32"; });
  });
  EXPECT_FALSE(fs::exists(scratch.path() / "m.gguf"));
}

}  // namespace
}  // namespace assay
