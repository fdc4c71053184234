#include "describe/gguf_keys.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

static_assert(std::endian::native == std::endian::little, "GGUF numbers are copied as they are");

namespace assay {
namespace {

template <typename T>
T Load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

double BitsNumber(GgufType type, uint64_t bits) {
  if (type == GgufType::kFloat32 || type == GgufType::kFloat64) return std::bit_cast<double>(bits);
  if (type == GgufType::kUint64) return static_cast<double>(bits);
  return static_cast<double>(static_cast<int64_t>(bits));
}

}  // namespace

uint64_t GgufBits(GgufType type, const std::byte* p) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kBool:
      return Load<uint8_t>(p);
    case GgufType::kInt8:
      return static_cast<uint64_t>(int64_t{Load<int8_t>(p)});
    case GgufType::kUint16:
      return Load<uint16_t>(p);
    case GgufType::kInt16:
      return static_cast<uint64_t>(int64_t{Load<int16_t>(p)});
    case GgufType::kUint32:
      return Load<uint32_t>(p);
    case GgufType::kInt32:
      return static_cast<uint64_t>(int64_t{Load<int32_t>(p)});
    case GgufType::kUint64:
    case GgufType::kInt64:
      return Load<uint64_t>(p);
    case GgufType::kFloat32:
      return std::bit_cast<uint64_t>(static_cast<double>(Load<float>(p)));
    case GgufType::kFloat64:
      return Load<uint64_t>(p);
    default:
      return 0;
  }
}

std::string_view GgufTypeName(GgufType type) {
  constexpr std::string_view kNames[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                         "bool",  "string", "array",  "uint64", "int64",  "float64"};
  return kNames[static_cast<size_t>(type)];
}

size_t GgufTypeBytes(GgufType type) {
  constexpr size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kBytes[static_cast<size_t>(type)];
}

bool GgufValue::is_integer() const {
  return type != GgufType::kFloat32 && type != GgufType::kFloat64 && type != GgufType::kBool &&
         type != GgufType::kString && type != GgufType::kArray;
}
double GgufValue::number() const {
  return BitsNumber(type, bits);
}
double GgufValue::ItemNumber(uint64_t i) const {
  return BitsNumber(element, GgufBits(element, items.data() + i * GgufTypeBytes(element)));
}
int64_t GgufValue::ItemInteger(uint64_t i) const {
  return static_cast<int64_t>(GgufBits(element, items.data() + i * GgufTypeBytes(element)));
}

const GgufValue* GgufKeys::Find(std::string_view key) const {
  auto found = key_index.find(key);
  return found == key_index.end() ? nullptr : &metadata[found->second].value;
}

namespace {

const GgufValue& Require(const GgufKeys& file, std::string_view key) {
  const GgufValue* value = file.Find(key);
  if (!value) Fail(ErrorKind::kCorrupt, "{}: metadata {} is missing", file.where, key);
  return *value;
}

[[noreturn]] void WrongType(const GgufKeys& file, std::string_view key, std::string_view expected,
                            const GgufValue& value) {
  Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected {}, found {}{}", file.where, key, expected,
       GgufTypeName(value.type),
       value.type == GgufType::kArray ? fmt::format(" of {}", GgufTypeName(value.element)) : std::string());
}

}  // namespace

std::string_view GgufKeys::String(std::string_view key) const {
  const GgufValue& value = Require(*this, key);
  if (value.type != GgufType::kString) WrongType(*this, key, "a string", value);
  return value.text;
}
std::string_view GgufKeys::String(std::string_view key, std::string_view fallback) const {
  return Find(key) ? String(key) : fallback;
}

int64_t GgufKeys::Int(std::string_view key) const {
  const GgufValue& value = Require(*this, key);
  if (!value.is_integer()) WrongType(*this, key, "an integer", value);
  if (value.type == GgufType::kUint64 && value.bits > static_cast<uint64_t>(INT64_MAX))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}: {} is too large", where, key, value.bits);
  return value.integer();
}
int64_t GgufKeys::Int(std::string_view key, int64_t fallback) const {
  return Find(key) ? Int(key) : fallback;
}

double GgufKeys::Number(std::string_view key, double fallback) const {
  const GgufValue* value = Find(key);
  if (!value) return fallback;
  if (!value->is_number()) WrongType(*this, key, "a number", *value);
  double number = value->number();
  if (!(number >= -1e30 && number <= 1e30))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}: {} is not a usable number", where, key, number);
  return number;
}

bool GgufKeys::Bool(std::string_view key, bool fallback) const {
  const GgufValue* value = Find(key);
  if (!value) return fallback;
  if (value->type != GgufType::kBool) WrongType(*this, key, "a bool", *value);
  return value->bits != 0;
}

const GgufValue* GgufKeys::Array(std::string_view key, GgufType element) const {
  const GgufValue* value = Find(key);
  if (!value) return nullptr;
  if (value->type != GgufType::kArray || value->element != element)
    WrongType(*this, key, fmt::format("an array of {}", GgufTypeName(element)), *value);
  return value;
}

namespace {

Json ValueJson(const GgufValue& value) {
  if (value.type == GgufType::kString) return std::string(value.text);
  if (value.type == GgufType::kBool) return value.bits != 0;
  if (value.type == GgufType::kUint64) return value.bits;
  if (value.is_integer()) return value.integer();
  if (value.type != GgufType::kArray) return value.number();
  constexpr uint64_t kShown = 64;
  if (value.count > kShown) return fmt::format("[{} {}]", value.count, GgufTypeName(value.element));
  Json out = Json::array();
  for (std::string_view text : value.strings) out.push_back(std::string(text));
  for (const GgufValue& array : value.arrays) out.push_back(ValueJson(array));
  for (uint64_t i = 0; !value.items.empty() && i < value.count; ++i) {
    if (value.element == GgufType::kBool)
      out.push_back(value.ItemInteger(i) != 0);
    else if (value.element == GgufType::kFloat32 || value.element == GgufType::kFloat64)
      out.push_back(value.ItemNumber(i));
    else
      out.push_back(value.ItemInteger(i));
  }
  return out;
}

}  // namespace

Json GgufMetadataJson(const GgufKeys& file) {
  Json out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();  // keys differ: no need to look each up
  for (const GgufEntry& entry : file.metadata) members.emplace_back(std::string(entry.key), ValueJson(entry.value));
  return out;
}

}  // namespace assay
