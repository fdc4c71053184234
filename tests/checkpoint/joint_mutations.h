#pragma once
// Golden containers (tests/golden/containers) whose configuration and tensors are damaged together, put together and
// decoded: what a test does at random and a fuzz target by coverage. Only assay::Error may come out.

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/one_layer_llama.h"
#include "system/file.h"

namespace assay {

/// A tensor of a file that can be changed.
struct LooseTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  /// As many bytes as dtype and shape say, which the parser of safetensors sees to.
  void Resize() {
    uint64_t bits = static_cast<uint64_t>(SafetensorsDtypeBits(dtype));
    for (int64_t dim : shape) bits *= static_cast<uint64_t>(dim);
    if (data.empty()) data.push_back(std::byte{0x5a});
    const size_t old = data.size();
    data.resize((bits + 7) / 8);
    for (size_t i = old; i < data.size(); ++i) data[i] = data[i % old];
  }
};

struct LooseContainer {
  std::string name;
  Json config, sidecars;
  std::vector<LooseTensor> tensors;
};

inline std::vector<LooseContainer> GoldenContainers(const std::filesystem::path& folder) {
  std::vector<LooseContainer> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    std::filesystem::path json = entry.path();
    const Json facts = ParseJson(ReadFile(json.replace_extension(".json")), "facts");
    const std::string bytes = ReadFile(entry.path());
    LooseContainer container{entry.path().stem().string(), facts["quantization_config"], facts["sidecars"], {}};
    for (const SafetensorsTensor& t : SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "golden").tensors)
      container.tensors.push_back({t.name, t.dtype, t.shape, {t.data.begin(), t.data.end()}});
    all.push_back(std::move(container));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

/// A number below n, n > 0.
using Choose = std::function<size_t(size_t n)>;

inline void MutateConfig(Json& config, const Choose& choose) {
  static const Json values = ParseJson(
      R"([-9223372036854775808, 9223372036854775807, 18446744073709551615, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32,
          33, 64, 128, 4294967296, 0.5, 1e308, "", "tensor", "channel", "token", "group", "block", "tensor_group", "float",
          "int", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mxfp6-pack-quantized",
          "nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp8-quantized", "64x64", "local", "gemv", "gemv_fast",
          "gptq_v2", "gptq_p", true, false, null, [], {}, [0, 128], [128, 0], [128], [16, 16], [128, 128], [1, 32],
          [-1, 4], ["x", 3]])",
      "values");
  constexpr const char* kKeys[] = {"group_size", "block_structure", "strategy", "num_bits", "bits",      "symmetric",
                                   "sym",        "desc_act",        "type",     "format",   "axis",      "nbits",
                                   "dynamic",    "zero_point",      "version",  "actorder", "quant_algo"};
  std::vector<Json*> all;
  const std::function<void(Json&)> collect = [&](Json& value) {
    all.push_back(&value);
    if (value.is_structured())
      for (Json& item : value) collect(item);
  };
  collect(config);
  Json& value = *all[choose(all.size())];
  const Json& chosen = values[choose(values.size())];
  if (value.is_object())
    value[kKeys[choose(std::size(kKeys))]] = chosen;
  else
    value = chosen;
}

inline void MutateTensors(std::vector<LooseTensor>& tensors, const Choose& choose) {
  constexpr const char* kDtypes[] = {"I8", "U8", "I16", "I32", "I64", "F16", "BF16", "F32", "F8_E4M3", "F8_E8M0"};
  constexpr int64_t kDims[] = {0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 33, 64};
  LooseTensor& tensor = tensors[choose(tensors.size())];
  switch (choose(6)) {
    case 0:
      tensor.dtype = kDtypes[choose(std::size(kDtypes))];
      break;
    case 1:
      if (!tensor.shape.empty()) tensor.shape[choose(tensor.shape.size())] = kDims[choose(std::size(kDims))];
      break;
    case 2:
      if (tensor.shape.size() < 4) tensor.shape.push_back(kDims[choose(std::size(kDims))]);
      break;
    case 3:
      if (!tensor.shape.empty()) tensor.shape.pop_back();
      break;
    case 4:
      tensor.name += "_";
      break;
    case 5:
      if (!tensor.data.empty()) tensor.data[choose(tensor.data.size())] ^= static_cast<std::byte>(1 + choose(255));
      break;
  }
  tensor.Resize();
}

/// Opens the one-layer model of the container and decodes every row.
inline void OpenAndDecode(const LooseContainer& container) {
  SafetensorsFile file;
  file.where = container.name;
  for (const LooseTensor& t : container.tensors) file.tensors.push_back({t.name, t.dtype, t.shape, t.data});
  const ModelConfig config = OneLayerLlama();
  std::map<std::string, Json> sidecars;
  for (const auto& [name, sidecar] : container.sidecars.items()) sidecars[name] = sidecar;
  auto quantization = ParseHfQuantization({{"quantization_config", container.config}}, sidecars, "config.json");
  if (!quantization) quantization = RecognizeHfQuantization(std::span(&file, 1), "config.json");
  if (quantization) quantization->description();
  const HfTensors tensors =
      AssembleHfTensors(config, HfSlots(config), quantization.get(), std::span(&file, 1), container.name);
  for (const Tensor& tensor : tensors.tensors) {
    std::vector<float> row(static_cast<size_t>(tensor.cols));
    const LoadedTensor loaded = tensor.LoadRows(0, tensor.rows);
    for (int64_t r = 0; r < tensor.rows; ++r) tensor.format->decode_row(loaded.view, r, row.data());
  }
}

/// Up to four changes, then OpenAndDecode. True when it was accepted.
inline bool OpenMutated(LooseContainer container, const Choose& choose) {
  const size_t config = choose(3), tensors = choose(3);
  for (size_t i = 0; i < config; ++i) MutateConfig(container.config, choose);
  for (size_t i = 0; i < tensors; ++i) MutateTensors(container.tensors, choose);
  try {
    OpenAndDecode(container);
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace assay
