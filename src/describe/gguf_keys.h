#pragma once
// The metadata of a GGUF file: typed values by key. Which keys a model has is the architectures' matter.
// Source: the GGUF specification (ggml/docs/gguf.md).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"

namespace assay {

/// The numbers are the file's.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};
std::string_view GgufTypeName(GgufType type);
/// Bytes of one value; 0 for strings and arrays.
size_t GgufTypeBytes(GgufType type);

/// A metadata value. Texts and items are borrowed from the file's bytes.
struct GgufValue {
  GgufType type = GgufType::kUint8;
  uint64_t bits = 0;                      // numbers and booleans: sign-extended, floats as a double's bits
  std::string_view text;                  // kString
  GgufType element = GgufType::kUint8;    // kArray
  uint64_t count = 0;                     // kArray
  std::span<const std::byte> items;       // kArray of numbers: as in the file, not aligned
  std::vector<std::string_view> strings;  // kArray of strings
  std::vector<GgufValue> arrays;          // kArray of arrays
  std::span<const std::byte> encoded;     // type id and value as in the file, to carry it over

  bool is_integer() const;  // not a boolean
  bool is_number() const { return is_integer() || type == GgufType::kFloat32 || type == GgufType::kFloat64; }
  double number() const;  // of a number
  int64_t integer() const { return static_cast<int64_t>(bits); }
  /// Item i of an array of numbers.
  double ItemNumber(uint64_t i) const;
  int64_t ItemInteger(uint64_t i) const;
};

struct GgufEntry {
  std::string_view key;
  GgufValue value;
  uint64_t offset = 0;  // of the key in the file
};

struct GgufKeys {
  std::string where;                // the file's name in messages
  std::vector<GgufEntry> metadata;  // in file order
  std::unordered_map<std::string_view, size_t> key_index;

  virtual ~GgufKeys() = default;
  const GgufValue* Find(std::string_view key) const;
  /// Whether the file has a tensor of that name, from which some models are told.
  virtual bool HasTensor(std::string_view name) const = 0;

  // Typed look-up; each throws Error{kCorrupt} naming file, key, expected and found type. With a default: the key may
  // be absent.
  std::string_view String(std::string_view key) const;
  std::string_view String(std::string_view key, std::string_view fallback) const;
  int64_t Int(std::string_view key) const;
  int64_t Int(std::string_view key, int64_t fallback) const;
  double Number(std::string_view key, double fallback) const;
  bool Bool(std::string_view key, bool fallback) const;
  /// Null when absent.
  const GgufValue* Array(std::string_view key, GgufType element) const;
};

/// The bits of a number or a boolean of the file, as GgufValue has them.
uint64_t GgufBits(GgufType type, const std::byte* value);

/// For people: arrays longer than 64 elements become "[49152 strings]".
Json GgufMetadataJson(const GgufKeys& keys);

}  // namespace assay
