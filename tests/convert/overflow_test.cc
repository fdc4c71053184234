// Finite weights that a target has no room for: an error that names tensor and row, never an infinity with exit 0.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/hf/packing/writing.h"
#include "convert/convert.h"
#include "convert/rewrite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUp = "model.layers.0.mlp.up_proj.weight";

/// A model of one layer, 256 wide, whose tensor `name` has `value` at an element; BF16 as all others.
fs::path ModelWith(const fs::path& folder, const std::string& name, int64_t element, float value) {
  fs::remove_all(folder);
  MakeRandomModel(folder, fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", 256, 256);
  std::string bytes = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  for (const SafetensorsTensor& tensor : file.tensors) {
    if (tensor.name != name) continue;
    const auto at = tensor.data.data() - reinterpret_cast<const std::byte*>(bytes.data());
    const uint16_t code = EncodeBf16(value);
    std::memcpy(bytes.data() + at + 2 * element, &code, 2);
  }
  WriteFileAtomically(folder / "model.safetensors", bytes);
  return folder;
}

QuantRecord Convert(const Checkpoint& source, std::string_view preset, const fs::path& out, bool measure,
                    const std::string& container = "") {
  ThreadPool pool(2);
  ConvertOptions options;
  options.measure_error = measure;
  options.hf_container = container;
  return ConvertCheckpoint(source, Preset::Get(preset), out, options, pool, SilentProgress());
}

bool AllFinite(const Checkpoint& checkpoint) {
  for (const Tensor& tensor : checkpoint.tensors())
    for (float x : Decode(tensor))
      if (!std::isfinite(x)) return false;
  return true;
}

struct Case {
  const char* preset;
  float value;
  const char* container = "";
};

// Values just above what the half-precision number of each format may become.
TEST(Overflow, IsAnErrorThatNamesTensorAndRow) {
  TempFolder scratch;
  for (const Case& c : {Case{"f16", 1e5f},
                        Case{"q8_0", 1e7f},
                        Case{"q4_0", 1e7f},
                        Case{"q4_1", 2e6f},
                        Case{"q5_0", 2e7f},
                        Case{"q5_1", 1e7f},
                        Case{"iq4_nl", 1e8f},
                        Case{"q2_k_s", 1e9f},
                        Case{"q3_k_s", 1e9f},
                        Case{"q4_k_s", 1e9f},
                        Case{"q5_k_s", 1e9f},
                        Case{"q6_k", 1e9f},
                        Case{"iq4_xs", 1e9f},
                        Case{"iq3_s", 1e9f},
                        Case{"iq3_xxs", 1e9f},
                        Case{"iq2_s", 1e9f},
                        Case{"iq2_xs", 1e9f},
                        Case{"iq2_xxs", 1e9f},
                        Case{"iq1_s", 1e9f},
                        Case{"iq1_m", 1e9f},
                        Case{"tq1_0", 1e6f},
                        Case{"tq2_0", 1e6f},
                        Case{"q1_0", 1e8f},
                        Case{"q2_0", 1e7f},
                        Case{"int4-g128", 1e6f, "gptq"},
                        Case{"int4-g128-asym", 2e6f, "awq"},
                        Case{"int4-g128", 1e6f, "auto-round"},
                        Case{"int4-g32", 1e6f, "gptq_v2"}}) {
    SCOPED_TRACE(std::string(c.preset) + c.container);
    auto source = Checkpoint::Open(ModelWith(scratch.path() / "m", kUp, 3 * 256 + 5, c.value));
    for (const bool measure : {true, false}) {
      const fs::path out = scratch.path() / fmt::format("{}{}{}.gguf", c.preset, c.container, measure);
      ExpectError(ErrorKind::kUnsupported, fmt::format("tensor {}: row 3 has weights up to ", kUp),
                  [&] { Convert(*source, c.preset, out, measure, c.container); });
      EXPECT_FALSE(fs::exists(out));
    }
  }
}

// Every preset, from values that everything holds to the largest there are: what is written is finite, or nothing is.
TEST(Overflow, WhatIsWrittenIsFinite) {
  TempFolder scratch;
  int refused = 0, written = 0;
  for (const float value : {1e-38f, 6e4f, 7e4f, 1e9f, 3.38e38f}) {
    auto source = Checkpoint::Open(ModelWith(scratch.path() / "m", kUp, 3 * 256 + 5, value));
    for (const PresetInfo& info : Preset::All()) {
      if (info.experts_only) continue;
      SCOPED_TRACE(fmt::format("{} {}", info.name, value));
      const fs::path out = scratch.path() / "out.gguf";
      fs::remove_all(out);
      try {
        Convert(*source, info.name, out, false);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(kUp), std::string::npos) << error.what();
        EXPECT_GT(value, 65504.0f);
        ++refused;
        continue;
      }
      ++written;
      EXPECT_TRUE(AllFinite(*Checkpoint::Open(out)));
    }
  }
  EXPECT_GT(refused, 40);
  EXPECT_GT(written, 150);
}

// Norms are not quantized, but may change their type too.
TEST(Overflow, OfVectorsIsAnError) {
  TempFolder scratch;
  const char* norm = "model.layers.0.input_layernorm.weight";
  auto bf16 = Checkpoint::Open(ModelWith(scratch.path() / "m", norm, 7, 1e5f));
  // Through GGUF, where vectors are float32, into a folder of halves.
  Convert(*bf16, "f16", scratch.path() / "m.gguf", false);
  auto gguf = Checkpoint::Open(scratch.path() / "m.gguf");
  EXPECT_EQ(Decode(gguf->Get("blk.0.attn_norm.weight"))[7], DecodeBf16(EncodeBf16(1e5f)));
  ExpectError(ErrorKind::kUnsupported,
              "tensor blk.0.attn_norm.weight: row 0 has weights up to 99840, too large for f16",
              [&] { Convert(*gguf, "int4-g128", scratch.path() / "folder", false); });
}

// What a container rounds its scales to is part of the error that is told: scales below halves make the group zero.
TEST(Underflow, IsInTheReportedError) {
  TempFolder scratch;
  const fs::path folder = scratch.path() / "m";
  MakeRandomModel(folder, fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", 256, 256);
  std::string bytes = ReadFile(folder / "model.safetensors");
  const SafetensorsFile file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "m");
  for (const SafetensorsTensor& tensor : file.tensors) {
    if (tensor.name != kUp) continue;
    for (size_t i = 0; i < tensor.data.size(); i += 2) {
      auto* at = bytes.data() + (reinterpret_cast<const char*>(tensor.data.data()) - bytes.data()) + i;
      uint16_t code;
      std::memcpy(&code, at, 2);
      code = EncodeBf16(DecodeBf16(code) * 1e-8f);
      std::memcpy(at, &code, 2);
    }
  }
  WriteFileAtomically(folder / "model.safetensors", bytes);
  auto source = Checkpoint::Open(folder);
  for (const auto& [container, expected] : {std::pair<const char*, double>{"gptq", 1.0}, {"", 0.12}}) {
    const QuantRecord record =
        Convert(*source, "int4-g128", scratch.path() / fmt::format("out-{}", container), true, container);
    auto back = Checkpoint::Open(record.output);
    for (const TensorQuantization& tensor : record.tensors) {
      if (tensor.name != "blk.0.ffn_up.weight") continue;
      EXPECT_NEAR(tensor.relative_error, expected, 0.1) << container;
      const std::vector<float> a = Decode(back->Get(tensor.name)), b = Decode(source->Get(tensor.name));
      double error = 0, energy = 0;
      for (size_t i = 0; i < a.size(); ++i) {
        error += std::pow(static_cast<double>(a[i]) - b[i], 2);
        energy += std::pow(static_cast<double>(b[i]), 2);
      }
      EXPECT_NEAR(tensor.relative_error, std::sqrt(error / energy), 1e-6) << container;
    }
  }
}

TEST(Rewriting, ChecksWhatItWrites) {
  TempFolder scratch;
  ThreadPool pool(2);
  RewriteTarget target;
  target.plain = &F16Format();
  // An NVFP4 matrix of large weights has no codes in other containers' integers: it becomes halves, which overflow.
  auto source = Checkpoint::Open(ModelWith(scratch.path() / "m", kUp, 3 * 256 + 5, 1e6f));
  Convert(*source, "nf4", scratch.path() / "nf4", false);
  auto nf4 = Checkpoint::Open(scratch.path() / "nf4");
  ExpectError(ErrorKind::kUnsupported, fmt::format("tensor {}: row 3 has weights up to ", kUp),
              [&] { RewriteCheckpoint(*nf4, target, scratch.path() / "out.gguf", pool, SilentProgress()); });
  EXPECT_FALSE(fs::exists(scratch.path() / "out.gguf"));
  // A NaN of the source is named as such.
  auto broken = Checkpoint::Open(ModelWith(scratch.path() / "m2", kUp, 3 * 256 + 5, NAN));
  for (const Container container : {Container::kGguf, Container::kHuggingFace}) {
    target.container = container;
    ExpectError(ErrorKind::kCorrupt, std::string("tensor ") + kUp + ": row 3 has a NaN or an infinity",
                [&] { RewriteCheckpoint(*broken, target, scratch.path() / "out", pool, SilentProgress()); });
  }
}

}  // namespace
}  // namespace assay
