#pragma once
// A small gpt-oss whose experts are MXFP4 blocks of random codes, so that every weight is known.

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/convert_for_test.h"

namespace assay {

inline constexpr int64_t kExperts = 4, kHidden = 32, kWidth = 32;

struct PackedPart {
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// The golden model with experts of random codes, so that every weight is known.
inline std::map<std::string, PackedPart> PackedModel() {
  const std::filesystem::path golden = std::filesystem::path(ASSAY_TEST_DATA) / "golden";
  std::string file = ReadFile(golden / "models" / "gpt_oss" / "model.safetensors");
  SafetensorsFile parsed = SafetensorsFile::Parse(std::as_bytes(std::span(file)), "gpt_oss");
  Random random(3);
  std::map<std::string, PackedPart> out;
  for (const SafetensorsTensor& tensor : parsed.tensors) {
    const bool gate = tensor.name.ends_with(".gate_up_proj"), down = tensor.name.ends_with(".down_proj");
    if (tensor.name.ends_with("gate_up_proj_bias")) {
      out[tensor.name] = {"BF16", {kExperts, 2 * kWidth}, std::vector<std::byte>(kExperts * 2 * kWidth * 2)};
    } else if (gate || down) {
      const int64_t rows = gate ? 2 * kWidth : kHidden;
      PackedPart blocks{"U8", {kExperts, rows, 1, 16}, {}}, scales{"U8", {kExperts, rows, 1}, {}};
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

inline void SavePacked(const std::filesystem::path& folder, const std::map<std::string, PackedPart>& tensors) {
  const std::filesystem::path golden = std::filesystem::path(ASSAY_TEST_DATA) / "golden";
  std::filesystem::create_directories(folder);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(golden / "checkpoint" / "tiny_llama" / file, folder / file,
                               std::filesystem::copy_options::overwrite_existing);
  Json config = ParseJson(ReadFile(golden / "models" / "gpt_oss" / "config.json"), "config.json");
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

}  // namespace assay
