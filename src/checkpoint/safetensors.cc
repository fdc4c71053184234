#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr size_t kMaxRank = 16;

struct DtypeRow {
  std::string_view name;
  int bits;
};

constexpr DtypeRow kDtypes[] = {
    {"F64", 64},        {"I64", 64},    {"U64", 64},    {"C64", 64}, {"F32", 32}, {"I32", 32},
    {"U32", 32},        {"F16", 16},    {"BF16", 16},   {"I16", 16}, {"U16", 16}, {"F8_E4M3", 8},
    {"F8_E5M2", 8},     {"F8_E8M0", 8}, {"I8", 8},      {"U8", 8},   {"BOOL", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
};

uint64_t HeaderInteger(const Json& value, const std::string& where, const std::string& what) {
  if (!value.is_number_unsigned())
    Fail(ErrorKind::kCorrupt, "{}: {}: expected a non-negative integer, found {}", where, what, DumpJson(value));
  return value.get<uint64_t>();
}

struct Placed {
  SafetensorsTensor tensor;
  uint64_t begin = 0, end = 0;
};

Placed ReadEntry(const std::string& name, const Json& entry, const std::string& where) {
  const std::string what = fmt::format("tensor {}", name);
  Placed placed;
  placed.tensor.name = name;
  if (!entry.is_object())
    Fail(ErrorKind::kCorrupt, "{}: {}: expected an object, found {}", where, what, entry.type_name());
  auto member = [&](const char* key) -> const Json& {
    auto it = entry.find(key);
    if (it == entry.end()) Fail(ErrorKind::kCorrupt, "{}: {}: \"{}\" is missing", where, what, key);
    return *it;
  };
  const Json &dtype = member("dtype"), &shape = member("shape"), &offsets = member("data_offsets");
  if (!dtype.is_string()) Fail(ErrorKind::kCorrupt, "{}: {}: dtype should be a string", where, what);
  placed.tensor.dtype = dtype.get<std::string>();
  int bits = SafetensorsDtypeBits(placed.tensor.dtype);
  if (bits == 0) Fail(ErrorKind::kUnsupported, "{}: {}: unknown dtype {}", where, what, placed.tensor.dtype);
  if (!shape.is_array() || shape.size() > kMaxRank)
    Fail(ErrorKind::kCorrupt, "{}: {}: shape should be a list of at most {} numbers", where, what, kMaxRank);
  uint64_t elements = 1;
  for (const Json& item : shape) {
    uint64_t dim = HeaderInteger(item, where, what + ": shape");
    if (dim > (uint64_t{1} << 48) || __builtin_mul_overflow(elements, dim, &elements) || elements > (uint64_t{1} << 50))
      Fail(ErrorKind::kCorrupt, "{}: {}: shape {} has too many elements", where, what, DumpJson(shape));
    placed.tensor.shape.push_back(static_cast<int64_t>(dim));
  }
  if (!offsets.is_array() || offsets.size() != 2)
    Fail(ErrorKind::kCorrupt, "{}: {}: data_offsets should be two numbers, found {}", where, what, DumpJson(offsets));
  placed.begin = HeaderInteger(offsets[0], where, what + ": data_offsets");
  placed.end = HeaderInteger(offsets[1], where, what + ": data_offsets");
  uint64_t total_bits = elements * static_cast<uint64_t>(bits);
  if (total_bits % 8 != 0)
    Fail(ErrorKind::kCorrupt, "{}: {}: shape {} of {} is not whole bytes", where, what, DumpJson(shape),
         placed.tensor.dtype);
  if (placed.end < placed.begin || placed.end - placed.begin != total_bits / 8)
    Fail(ErrorKind::kCorrupt, "{}: {}: {} {} takes {} bytes, but data_offsets are [{}, {}]", where, what,
         placed.tensor.dtype, ShapeText(placed.tensor.shape), total_bits / 8, placed.begin, placed.end);
  return placed;
}

/// Every byte of the data belongs to exactly one tensor.
void CheckCover(const std::vector<Placed>& all, uint64_t data_bytes, const std::string& where) {
  uint64_t at = 0;
  std::string before = "the header";
  for (const Placed& placed : all) {
    if (placed.begin < at)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} begins at offset {} inside {}, which ends at {}", where,
           placed.tensor.name, placed.begin, before, at);
    if (placed.begin > at)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected offset {} after {}, found {}: a hole of {} bytes", where,
           placed.tensor.name, at, before, placed.begin, placed.begin - at);
    at = placed.end;
    before = placed.tensor.name;
    if (at > data_bytes)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} ends at offset {} of the data, found {} bytes of data (truncated file?)",
           where, placed.tensor.name, at, data_bytes);
  }
  if (at != data_bytes)
    Fail(ErrorKind::kCorrupt, "{}: the tensors end at offset {} of the data, found {} bytes of data", where, at,
         data_bytes);
}

}  // namespace

int SafetensorsDtypeBits(std::string_view dtype) {
  for (const DtypeRow& row : kDtypes)
    if (row.name == dtype) return row.bits;
  return 0;
}

SafetensorsFile SafetensorsFile::Parse(std::span<const std::byte> bytes, std::string where) {
  SafetensorsFile file;
  file.where = std::move(where);
  file.file_bytes = bytes.size();
  if (bytes.size() < 8)
    Fail(ErrorKind::kCorrupt, "{}: expected a header of at least 8 bytes, found {} bytes", file.where, bytes.size());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > kMaxHeader)
    Fail(ErrorKind::kCorrupt, "{}: header of {} bytes, more than the {} allowed: not a safetensors file?", file.where,
         header_bytes, kMaxHeader);
  if (header_bytes > bytes.size() - 8)
    Fail(ErrorKind::kCorrupt, "{}: header of {} bytes, found {} bytes after its length", file.where, header_bytes,
         bytes.size() - 8);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes);
  if (text.empty() || text.front() != '{')
    Fail(ErrorKind::kCorrupt, "{}: the header at byte 8 should begin with {{", file.where);
  Json header = ParseJson(text, file.where + ": header", true);

  std::vector<Placed> all;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      all.push_back(ReadEntry(name, entry, file.where));
      continue;
    }
    if (!entry.is_object()) Fail(ErrorKind::kCorrupt, "{}: __metadata__ should be an object", file.where);
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) Fail(ErrorKind::kCorrupt, "{}: __metadata__: \"{}\" should be a string", file.where, key);
      file.metadata[key] = value.get<std::string>();
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Placed& a, const Placed& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  std::span<const std::byte> data = bytes.subspan(8 + header_bytes);
  CheckCover(all, data.size(), file.where);
  for (Placed& placed : all) {
    placed.tensor.data = data.subspan(placed.begin, placed.end - placed.begin);
    file.tensors.push_back(std::move(placed.tensor));
  }
  return file;
}

std::string LaySafetensors(std::vector<SafetensorsPart>& parts) {
  std::sort(parts.begin(), parts.end(), [](const SafetensorsPart& a, const SafetensorsPart& b) {
    int x = SafetensorsDtypeBits(a.dtype), y = SafetensorsDtypeBits(b.dtype);
    return x != y ? x > y : a.name < b.name;
  });
  Json header = Json::object();
  header["__metadata__"] = {{"format", "pt"}};
  auto& members = header.get_ref<Json::object_t&>();  // without looking each name up among those before it
  uint64_t at = 0;
  for (SafetensorsPart& part : parts) {
    part.offset = at;
    at += part.bytes;
    members.emplace_back(part.name,
                         Json{{"dtype", part.dtype}, {"shape", part.shape}, {"data_offsets", {part.offset, at}}});
  }
  std::string text = DumpJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t size = text.size();
  std::string out(reinterpret_cast<const char*>(&size), 8);
  out += text;
  for (SafetensorsPart& part : parts) part.offset += out.size();
  return out;
}

}  // namespace assay
