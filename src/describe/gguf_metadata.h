#pragma once
// Metadata of a GGUF file to be written.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "describe/gguf_keys.h"

namespace assay {

class GgufMetadata {
 public:
  void AddUint32(std::string_view key, uint64_t value);
  void AddInt32(std::string_view key, int32_t value);
  void AddUint16(std::string_view key, uint16_t value);
  void AddFloat32(std::string_view key, double value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStrings(std::string_view key, const std::vector<std::string>& values);
  void AddFloats(std::string_view key, const std::vector<float>& values);
  void AddInts(std::string_view key, const std::vector<int32_t>& values);
  void AddBools(std::string_view key, const std::vector<bool>& values);
  void AddBytes(std::string_view key, std::string_view values);  // array of uint8
  /// An array of numbers, encoded.
  void AddNumbers(std::string_view key, GgufType element, std::span<const std::byte> items);
  /// Type id and value as they stand in another file.
  void AddEncoded(std::string_view key, std::span<const std::byte> encoded);

  uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void Key(std::string_view key, GgufType type);
  void Text(std::string_view text);
  template <typename T>
  void Raw(T value);
  void Array(std::string_view key, GgufType element, uint64_t n);

  std::string bytes_;
  uint64_t count_ = 0;
};

}  // namespace assay
