// gpt-oss: all experts of a layer in one tensor of MXFP4 blocks, the rows of gate and up in turns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden";
constexpr int64_t kExperts = 4, kHidden = 32, kWidth = 32;

struct Part {
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// The golden model with experts of random codes, so that every weight is known.
std::map<std::string, Part> PackedModel() {
  std::string file = ReadFile(kGolden / "models" / "gpt_oss" / "model.safetensors");
  SafetensorsFile parsed = SafetensorsFile::Parse(std::as_bytes(std::span(file)), "gpt_oss");
  Random random(3);
  std::map<std::string, Part> out;
  for (const SafetensorsTensor& tensor : parsed.tensors) {
    const bool gate = tensor.name.ends_with(".gate_up_proj"), down = tensor.name.ends_with(".down_proj");
    if (tensor.name.ends_with("gate_up_proj_bias")) {
      out[tensor.name] = {"BF16", {kExperts, 2 * kWidth}, std::vector<std::byte>(kExperts * 2 * kWidth * 2)};
    } else if (gate || down) {
      const int64_t rows = gate ? 2 * kWidth : kHidden;
      Part blocks{"U8", {kExperts, rows, 1, 16}, {}}, scales{"U8", {kExperts, rows, 1}, {}};
      for (int64_t i = 0; i < kExperts * rows * 16; ++i)
        blocks.bytes.push_back(static_cast<std::byte>(random.Below(256)));
      for (int64_t i = 0; i < kExperts * rows; ++i)
        scales.bytes.push_back(static_cast<std::byte>(120 + random.Below(8)));
      out[tensor.name + "_blocks"] = std::move(blocks);
      out[tensor.name + "_scales"] = std::move(scales);
    } else {
      out[tensor.name] = {tensor.dtype, tensor.shape, {tensor.data.begin(), tensor.data.end()}};
    }
  }
  return out;
}

void Save(const fs::path& folder, const std::map<std::string, Part>& tensors) {
  fs::create_directories(folder);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(kGolden / "checkpoint" / "tiny_llama" / file, folder / file, fs::copy_options::overwrite_existing);
  Json config = ParseJson(ReadFile(kGolden / "models" / "gpt_oss" / "config.json"), "config.json");
  config["intermediate_size"] = kWidth;
  config["quantization_config"] = {{"quant_method", "mxfp4"}, {"modules_to_not_convert", {"lm_head"}}};
  WriteFileAtomically(folder / "config.json", DumpJson(config));
  std::vector<SafetensorsPart> parts;
  for (const auto& [name, part] : tensors) parts.push_back({name, part.dtype, part.shape, part.bytes.size(), 0});
  std::string head = LaySafetensors(parts);
  std::string bytes = head;
  for (const SafetensorsPart& part : parts) {
    const std::vector<std::byte>& data = tensors.at(part.name).bytes;
    bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  WriteFileAtomically(folder / "model.safetensors", bytes);
}

float Weight(const std::map<std::string, Part>& model, const std::string& name, int64_t expert, int64_t row,
             int64_t col) {
  constexpr float kE2m1[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const Part& blocks = model.at(name + "_blocks");
  const int64_t rows = blocks.shape[1];
  const int byte = static_cast<int>(blocks.bytes[static_cast<size_t>((expert * rows + row) * 16 + col / 2)]);
  const int code = col % 2 ? byte >> 4 : byte & 15;
  const int scale = static_cast<int>(model.at(name + "_scales").bytes[static_cast<size_t>(expert * rows + row)]);
  return std::ldexp(code & 8 ? -kE2m1[code & 7] : kE2m1[code & 7], scale - 127);
}

TEST(GptOss, ExpertsComeOutOfTheirBlocks) {
  TempFolder folder;
  std::map<std::string, Part> model = PackedModel();
  Save(folder.path() / "m", model);
  auto checkpoint = Checkpoint::Open(folder.path() / "m");
  EXPECT_EQ(checkpoint->scheme(), "mxfp4 experts (gpt-oss)");
  const std::string gate_up = "model.layers.1.mlp.experts.gate_up_proj", down = "model.layers.1.mlp.experts.down_proj";
  for (int64_t e = 0; e < kExperts; ++e) {
    std::vector<float> gate = Decode(checkpoint->Get(fmt::format("blk.1.ffn_gate.{}.weight", e)));
    std::vector<float> up = Decode(checkpoint->Get(fmt::format("blk.1.ffn_up.{}.weight", e)));
    std::vector<float> out = Decode(checkpoint->Get(fmt::format("blk.1.ffn_down.{}.weight", e)));
    for (int64_t r = 0; r < kWidth; ++r)
      for (int64_t c = 0; c < kHidden; ++c) {
        const size_t at = static_cast<size_t>(r * kHidden + c);
        ASSERT_EQ(gate[at], Weight(model, gate_up, e, 2 * r, c)) << e << " " << r << " " << c;
        ASSERT_EQ(up[at], Weight(model, gate_up, e, 2 * r + 1, c)) << e << " " << r << " " << c;
        ASSERT_EQ(out[at], Weight(model, down, e, r, c)) << e << " " << r << " " << c;
      }
  }
}

TEST(GptOss, BrokenBlocksAreRefused) {
  TempFolder folder;
  const std::string name = "model.layers.0.mlp.experts.down_proj";
  auto expect = [&](const std::string& message, const std::map<std::string, Part>& model) {
    Save(folder.path() / "m", model);
    try {
      Checkpoint::Open(folder.path() / "m");
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(message));
    }
  };
  std::map<std::string, Part> model = PackedModel();
  model.erase(name + "_scales");
  expect("tensor " + name + "_scales is missing", model);
  model = PackedModel();
  model[name + "_blocks"].shape = {kExperts, kHidden, 2, 8};
  expect("expected shape [4, 32, 1, 16], found [4, 32, 2, 8]", model);
  model = PackedModel();
  model[name + "_scales"].dtype = "I8";
  expect("expected dtype U8, found I8", model);
}

}  // namespace
}  // namespace assay
