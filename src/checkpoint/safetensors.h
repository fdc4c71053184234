#pragma once
// One safetensors file taken apart, and the header of one to be written. docs/formats/safetensors.md has the layout.
// Source: the format section of the safetensors README and the checks of its reference implementation.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;  // "BF16", "F8_E4M3", …
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  // borrowed; at any address
};

struct SafetensorsFile {
  std::string where;  // the file's name in messages
  std::map<std::string, std::string> metadata;
  std::vector<SafetensorsTensor> tensors;  // by offset
  uint64_t file_bytes = 0;

  /// Parses and checks everything; `bytes` must outlive the result. Throws Error{kCorrupt|kUnsupported}.
  static SafetensorsFile Parse(std::span<const std::byte> bytes, std::string where);
};

/// Bits of one element; 0 for a dtype that the format does not define.
int SafetensorsDtypeBits(std::string_view dtype);

/// A tensor of a file to be written. Offsets are from the beginning of the file.
struct SafetensorsPart {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  uint64_t offset = 0;  // set by LaySafetensors
};

/// Orders the parts as the reference implementation does (wide elements first, so that all are aligned; then by name),
/// sets their offsets and returns the bytes in front of them: length and JSON header, padded to 8.
std::string LaySafetensors(std::vector<SafetensorsPart>& parts);

}  // namespace assay
