#pragma once
// One GGUF file taken apart: header, metadata, tensor directory. Nothing here knows what a model is.
// Source: the GGUF specification (ggml/docs/gguf.md). docs/formats/gguf_container.md has the layout.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "describe/gguf_keys.h"
#include "format/format.h"

namespace assay {

struct GgufTensor {
  std::string_view name;
  std::vector<int64_t> shape;  // mathematical order: the file's dimensions reversed
  const Format* format = nullptr;
  int64_t rows = 0, cols = 0;  // vectors: 1 row
  const std::byte* data = nullptr;
  uint64_t bytes = 0;
};

struct GgufFile : GgufKeys {
  uint32_t version = 0;
  uint64_t alignment = 32;
  std::vector<GgufTensor> tensors;  // in file order
  uint64_t file_bytes = 0;
  std::unordered_map<std::string_view, size_t> tensor_index;  // by name
  std::unordered_set<std::string_view> elsewhere;  // tensors of the other files of its set, where it is the first

  const GgufTensor* FindTensor(std::string_view name) const;
  bool HasTensor(std::string_view name) const override { return FindTensor(name) || elsewhere.contains(name); }

  /// Parses and checks everything; `bytes` must outlive the result. Throws Error{kCorrupt|kUnsupported}.
  static GgufFile Parse(std::span<const std::byte> bytes, std::string where);
};

}  // namespace assay
