#include "describe/gguf_metadata.h"

#include <cstring>

#include "base/error.h"

namespace assay {

template <typename T>
void GgufMetadata::Raw(T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes_.append(raw, sizeof value);
}

void GgufMetadata::Text(std::string_view text) {
  Raw<uint64_t>(text.size());
  bytes_.append(text);
}

void GgufMetadata::Key(std::string_view key, GgufType type) {
  Text(key);
  Raw(static_cast<uint32_t>(type));
  ++count_;
}

void GgufMetadata::Array(std::string_view key, GgufType element, uint64_t n) {
  Key(key, GgufType::kArray);
  Raw(static_cast<uint32_t>(element));
  Raw(n);
}

void GgufMetadata::AddUint32(std::string_view key, uint64_t value) {
  ASSAY_CHECK(value <= UINT32_MAX);
  Key(key, GgufType::kUint32);
  Raw(static_cast<uint32_t>(value));
}
void GgufMetadata::AddInt32(std::string_view key, int32_t value) {
  Key(key, GgufType::kInt32);
  Raw(value);
}
void GgufMetadata::AddUint16(std::string_view key, uint16_t value) {
  Key(key, GgufType::kUint16);
  Raw(value);
}
void GgufMetadata::AddFloat32(std::string_view key, double value) {
  Key(key, GgufType::kFloat32);
  Raw(static_cast<float>(value));
}
void GgufMetadata::AddBool(std::string_view key, bool value) {
  Key(key, GgufType::kBool);
  Raw(static_cast<uint8_t>(value));
}
void GgufMetadata::AddString(std::string_view key, std::string_view value) {
  Key(key, GgufType::kString);
  Text(value);
}
void GgufMetadata::AddStrings(std::string_view key, const std::vector<std::string>& values) {
  Array(key, GgufType::kString, values.size());
  for (const std::string& value : values) Text(value);
}
void GgufMetadata::AddFloats(std::string_view key, const std::vector<float>& values) {
  Array(key, GgufType::kFloat32, values.size());
  for (float value : values) Raw(value);
}
void GgufMetadata::AddInts(std::string_view key, const std::vector<int32_t>& values) {
  Array(key, GgufType::kInt32, values.size());
  for (int32_t value : values) Raw(value);
}
void GgufMetadata::AddBools(std::string_view key, const std::vector<bool>& values) {
  Array(key, GgufType::kBool, values.size());
  for (bool value : values) Raw(static_cast<uint8_t>(value));
}
void GgufMetadata::AddBytes(std::string_view key, std::string_view values) {
  Array(key, GgufType::kUint8, values.size());
  bytes_.append(values);
}
void GgufMetadata::AddNumbers(std::string_view key, GgufType element, std::span<const std::byte> items) {
  Array(key, element, items.size() / GgufTypeBytes(element));
  bytes_.append(reinterpret_cast<const char*>(items.data()), items.size());
}

void GgufMetadata::AddEncoded(std::string_view key, std::span<const std::byte> encoded) {
  Text(key);
  bytes_.append(reinterpret_cast<const char*>(encoded.data()), encoded.size());
  ++count_;
}

}  // namespace assay
