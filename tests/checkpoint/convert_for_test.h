#pragma once
// The least that turns one checkpoint into another, for tests of readers and writers.

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/writer.h"
#include "describe/hf_config.h"
#include "describe/tensor_order.h"
#include "number/bf16.h"
#include "system/file.h"

namespace assay {

/// Decoded rows in the source's order, [rows * cols].
inline std::vector<float> Decode(const Tensor& tensor) {
  const LoadedTensor loaded = tensor.LoadRows(0, tensor.rows);
  const PackedView& view = loaded.view;
  std::vector<float> out(static_cast<size_t>(view.rows * view.cols));
  for (int64_t row = 0; row < view.rows; ++row) view.format->decode_row(view, row, out.data() + row * view.cols);
  return out;
}

/// Decoded in the order of a container.
inline std::vector<float> DecodeFor(const Checkpoint& source, const Tensor& tensor, Container container) {
  const ModelConfig& config = source.config();
  const TensorOrder order = OrderBetween(config, OrdersOf(config.architecture, container), tensor.name);
  const int64_t rows = order.rows.empty() ? tensor.rows : std::ssize(order.rows);
  std::vector<float> out(static_cast<size_t>(rows * tensor.cols));
  const LoadedTensor loaded = tensor.LoadRows(0, tensor.rows);
  for (int64_t row = 0; row < rows; ++row) DecodeInOrder(loaded.view, order, row, out.data() + row * tensor.cols);
  return out;
}

/// `format_of` names the format of each tensor of the output.
inline void ConvertForTest(const Checkpoint& source, Container container, const std::filesystem::path& out,
                           std::string_view preset, const std::function<std::string(const Tensor&)>& format_of,
                           int64_t rows_at_once = 64, uint64_t shard_bytes = 5'000'000'000,
                           std::string_view hf_container = "") {
  std::vector<OutputTensor> tensors;
  std::vector<const Tensor*> sources;
  const ModelConfig& config = source.config();
  const TensorOrders orders = OrdersOf(config.architecture, container);
  for (const Tensor& tensor : source.tensors()) {
    if (IsRopeTable(tensor.name)) continue;
    const Format& format = tensor.format->integers ? TableFormat(container) : GetFormat(format_of(tensor));
    std::vector<int64_t> shape = OrderBetween(config, orders, tensor.name).Shape(tensor.shape);
    tensors.push_back({tensor.name, &format, tensor.shape.size() == 1 ? tensor.rows : shape[0], tensor.cols, shape});
    tensors.back().activation_scale = 0.5f;
    tensors.back().second_scale = format.choose_global && !format.has_global;
    sources.push_back(&tensor);
  }
  OutputRules rules;
  rules.force = true;  // tests write one name again and again
  auto writer = CheckpointWriter::Create(container, out, source, preset, tensors, shard_bytes, hf_container, rules);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Format& format = *tensors[i].format;
    const int64_t rows = tensors[i].rows, cols = tensors[i].cols;
    std::vector<float> weights = DecodeFor(source, *sources[i], container);
    float scale = 1.0f, divisor = 1.0f;
    if (format.choose_global) {
      float largest = 0.0f;
      for (float w : weights) largest = std::max(largest, std::abs(w));
      format.choose_global({largest, 0.5f * largest}, &scale, &divisor);
      writer->SetGlobal(i, scale, divisor);
    }
    const int64_t at_once = format.cyclic ? rows : std::max<int64_t>(rows_at_once, format.block_rows);
    for (int64_t row = 0; row < rows; row += at_once) {
      int64_t n = std::min(at_once, rows - row);
      std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, n, cols)));
      std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, n, cols)));
      format.encode_rows(weights.data() + row * cols, n, cols, nullptr, scale, divisor, codes.data(), scales.data());
      writer->WriteRows(i, row, n, codes, scales);
    }
  }
  writer->Commit();
}

/// tests/golden/models/NAME with a tokenizer beside it, in a folder of its own under `scratch`.
inline std::filesystem::path GoldenFolder(const std::filesystem::path& scratch, const std::string& name) {
  // A GGUF whose name has phi3 in it wants that model's own vocabulary.
  const std::filesystem::path golden = std::filesystem::path(ASSAY_TEST_DATA) / "golden",
                              folder = scratch / (name.starts_with("phi3") ? "a_phi" : name);
  std::filesystem::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden / "models" / name / file, folder / file);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(golden / "checkpoint/tiny_llama" / file, folder / file);
  return folder;
}

/// A Hugging Face folder of one layer with random BF16 weights and the tokenizer of `like`; two heads a key-value head.
inline void MakeRandomModel(const std::filesystem::path& folder, const std::filesystem::path& like, int64_t hidden,
                            int64_t feed_forward, int64_t head_dim = 64) {
  std::filesystem::create_directories(folder);
  ModelConfig config = Checkpoint::Open(like)->config();
  config.n_layers = 1;
  config.hidden = hidden;
  config.feed_forward = feed_forward;
  config.n_heads = hidden / head_dim;
  config.n_kv_heads = config.n_heads / 2;
  config.head_dim = config.rotary_dim = head_dim;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"})
    std::filesystem::copy_file(like / name, folder / name);
  WriteFileAtomically(folder / "config.json", DumpJson(HfConfigJson(config, "bfloat16", false, false, 0, -1), 2));
  std::vector<SafetensorsPart> parts;
  for (const TensorSlot& slot : TensorSlots(config)) {
    uint64_t bytes = 2;
    for (int64_t dim : slot.shape) bytes *= static_cast<uint64_t>(dim);
    if (slot.required) parts.push_back({slot.hugging_face, "BF16", slot.shape, bytes, 0});
  }
  AtomicFile file(folder / "model.safetensors");
  file.Write(LaySafetensors(parts));
  Random random(42);
  for (const SafetensorsPart& part : parts) {
    std::vector<uint16_t> codes(part.bytes / 2);
    for (uint16_t& code : codes) code = EncodeBf16(static_cast<float>(random.Normal()) * 0.1f);
    file.Write(std::as_bytes(std::span(codes)));
  }
  file.Commit();
}

/// A folder of its own for each test, removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "assay_test_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace assay
