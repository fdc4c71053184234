#include "checkpoint/gguf/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/gguf/gguf_types.h"

namespace assay {
namespace {

constexpr uint64_t kMaxString = uint64_t{1} << 30;
constexpr uint64_t kMaxNested = uint64_t{1} << 20;  // arrays inside arrays, all together
constexpr int kMaxArrayDepth = 4;
constexpr uint32_t kMaxDims = 4;
constexpr size_t kMinTensorInfo = 8 + 4 + 8 + 4 + 8;  // name length, n_dims, one dimension, type, offset
constexpr size_t kMinEntry = 8 + 4 + 1;               // key length, type, one byte

template <typename T>
T Load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// Names come from the file: shown without control characters and not at full length.
std::string Shown(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 100)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  if (name.size() > 100) out += "…";
  return out;
}

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }
  const std::byte* here() const { return bytes_.data() + position_; }

  const std::byte* Take(uint64_t n, std::string_view what) {
    if (n > remaining())
      Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: expected {} more bytes, found {} before the end of the file",
           where_, what, position_, n, remaining());
    const std::byte* p = here();
    position_ += n;
    return p;
  }

  template <typename T>
  T Number(std::string_view what) {
    return Load<T>(Take(sizeof(T), what));
  }

  std::string_view String(std::string_view what) {
    uint64_t at = position_;
    uint64_t size = Number<uint64_t>(what);
    if (size > kMaxString || size > remaining())
      Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: a string of {} bytes where {} remain", where_, what, at, size,
           remaining());
    return {reinterpret_cast<const char*>(Take(size, what)), size};
  }

  GgufType Type(std::string_view what) {
    uint64_t at = position_;
    uint32_t id = Number<uint32_t>(what);
    if (id > static_cast<uint32_t>(GgufType::kFloat64))
      Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: expected a value type of 0 to 12, found {}", where_, what, at, id);
    return static_cast<GgufType>(id);
  }

  GgufValue Value(std::string_view what) {
    uint64_t begin = position_;
    GgufValue value = ValueOf(Type(what), what, 0);
    value.encoded = bytes_.subspan(begin, position_ - begin);
    return value;
  }

 private:
  GgufValue ValueOf(GgufType type, std::string_view what, int depth) {
    GgufValue value;
    value.type = type;
    if (type == GgufType::kString) {
      value.text = String(what);
    } else if (type == GgufType::kArray) {
      ReadArray(value, what, depth + 1);
    } else {
      value.bits = GgufBits(type, Take(GgufTypeBytes(type), what));
    }
    return value;
  }

  void ReadArray(GgufValue& value, std::string_view what, int depth) {
    uint64_t at = position_;
    if (depth > kMaxArrayDepth)
      Fail(ErrorKind::kUnsupported, "{}: {} at byte {}: arrays nested deeper than {}", where_, what, at,
           kMaxArrayDepth);
    value.element = Type(what);
    value.count = Number<uint64_t>(what);
    // The least that an element can take: a string its length, an array its type and count.
    size_t least = value.element == GgufType::kString  ? 8
                   : value.element == GgufType::kArray ? 12
                                                       : GgufTypeBytes(value.element);
    if (value.count > remaining() / least)
      Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: an array of {} {} elements where {} bytes remain", where_, what, at,
           value.count, GgufTypeName(value.element), remaining());
    if (value.element == GgufType::kString) {
      value.strings.reserve(value.count);
      for (uint64_t i = 0; i < value.count; ++i) value.strings.push_back(String(what));
    } else if (value.element == GgufType::kArray) {
      nested_ += value.count;
      if (nested_ > kMaxNested)
        Fail(ErrorKind::kUnsupported, "{}: {} at byte {}: more than {} arrays inside arrays", where_, what, at,
             kMaxNested);
      for (uint64_t i = 0; i < value.count; ++i) value.arrays.push_back(ValueOf(GgufType::kArray, what, depth));
    } else {
      uint64_t size = value.count * least;
      value.items = {Take(size, what), size};
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  uint64_t position_ = 0;
  uint64_t nested_ = 0;
};

struct Directory {
  GgufTensor tensor;
  uint64_t offset = 0;  // from the start of the data
  uint64_t info_at = 0;
};

Directory ReadTensorInfo(Reader& reader, const GgufFile& file, uint64_t index) {
  const std::string& where = file.where;
  Directory entry;
  entry.info_at = reader.position();
  std::string number = fmt::format("tensor {}", index);
  entry.tensor.name = reader.String(number);
  std::string what = fmt::format("tensor {}", Shown(entry.tensor.name));
  uint32_t n_dims = reader.Number<uint32_t>(what);
  if (n_dims < 1 || n_dims > kMaxDims)
    Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: expected 1 to {} dimensions, found {}", where, what, entry.info_at,
         kMaxDims, n_dims);
  uint64_t elements = 1;
  for (uint32_t i = 0; i < n_dims; ++i) {
    uint64_t dim = reader.Number<uint64_t>(what);
    if (dim == 0 || dim > (uint64_t{1} << 48) || __builtin_mul_overflow(elements, dim, &elements) ||
        elements > (uint64_t{1} << 50))
      Fail(ErrorKind::kCorrupt, "{}: {} at byte {}: dimension {} is {}: empty, or too many elements", where, what,
           entry.info_at, i, dim);
    entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<int64_t>(dim));
  }
  uint32_t type = reader.Number<uint32_t>(what);
  entry.offset = reader.Number<uint64_t>(what);
  entry.tensor.format = GgufTensorFormat(type);
  if (!entry.tensor.format) {
    std::string_view name = GgufTensorTypeName(type);
    if (name.empty()) Fail(ErrorKind::kUnsupported, "{}: {}: unknown tensor type {}", where, what, type);
    Fail(ErrorKind::kUnsupported, "{}: {}: tensor type {} ({}) is not supported", where, what, type, name);
  }
  if (type == kGgufI2s && file.Int("general.file_type", -1) != kGgufI2sFileType)
    Fail(ErrorKind::kUnsupported,
         "{}: {}: tensor type {} is I2_S in files of bitnet.cpp, whose general.file_type is {}, and was IQ4_NL_4_4 in "
         "others, which is not read",
         where, what, type, kGgufI2sFileType);
  entry.tensor.cols = entry.tensor.shape.back();
  entry.tensor.rows = static_cast<int64_t>(elements) / entry.tensor.cols;
  if (!FitsColumns(*entry.tensor.format, entry.tensor.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: rows of {} elements do not fit type {}, whose blocks have {}", where, what,
         entry.tensor.cols, GgufTensorTypeName(type), entry.tensor.format->block_weights);
  entry.tensor.bytes = static_cast<uint64_t>(CodesBytes(*entry.tensor.format, entry.tensor.rows, entry.tensor.cols)) +
                       (type == kGgufI2s ? kGgufI2sTailBytes : 0);
  return entry;
}

void PlaceTensors(std::span<const std::byte> bytes, uint64_t data_begin, std::vector<Directory>& entries,
                  const GgufFile& file) {
  uint64_t data_bytes = bytes.size() > data_begin ? bytes.size() - data_begin : 0;
  for (Directory& entry : entries) {
    std::string name = Shown(entry.tensor.name);
    if (entry.offset % file.alignment != 0)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: offset {} is not a multiple of the alignment {}", file.where, name,
           entry.offset, file.alignment);
    if (entry.offset > data_bytes || entry.tensor.bytes > data_bytes - entry.offset)
      Fail(ErrorKind::kCorrupt,
           "{}: tensor {}: expected {} bytes at offset {} of the data, found {} bytes of data (truncated file?)",
           file.where, name, entry.tensor.bytes, entry.offset, data_bytes);
    entry.tensor.data = bytes.data() + data_begin + entry.offset;
  }
  std::vector<const Directory*> order;
  for (const Directory& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Directory* a, const Directory* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->offset + order[i - 1]->tensor.bytes > order[i]->offset)
      Fail(ErrorKind::kCorrupt, "{}: tensors {} and {} overlap at offset {} of the data", file.where,
           Shown(order[i - 1]->tensor.name), Shown(order[i]->tensor.name), order[i]->offset);
}

void ReadHeader(Reader& reader, GgufFile& file, uint64_t& n_tensors, uint64_t& n_entries) {
  const std::byte* magic = reader.Take(4, "magic");
  if (std::memcmp(magic, "GGUF", 4) != 0)
    Fail(ErrorKind::kCorrupt,
         "{}: expected a GGUF file, which begins with \"GGUF\", found bytes {:02x} {:02x} {:02x} {:02x}", file.where,
         static_cast<int>(magic[0]), static_cast<int>(magic[1]), static_cast<int>(magic[2]),
         static_cast<int>(magic[3]));
  file.version = reader.Number<uint32_t>("version");
  if ((file.version & 0xffff) == 0 && file.version != 0)
    Fail(ErrorKind::kUnsupported, "{}: big-endian GGUF (version field {:#010x}); only little-endian files are read",
         file.where, file.version);
  if (file.version != 2 && file.version != 3)
    Fail(ErrorKind::kUnsupported, "{}: GGUF version {}; versions 2 and 3 are read", file.where, file.version);
  n_tensors = reader.Number<uint64_t>("tensor count");
  n_entries = reader.Number<uint64_t>("metadata count");
  if (n_entries > reader.remaining() / kMinEntry)
    Fail(ErrorKind::kCorrupt, "{}: metadata count at byte 16: {} entries cannot be in the {} bytes that remain",
         file.where, n_entries, reader.remaining());
  if (n_tensors > reader.remaining() / kMinTensorInfo)
    Fail(ErrorKind::kCorrupt, "{}: tensor count at byte 8: {} tensors cannot be in the {} bytes that remain",
         file.where, n_tensors, reader.remaining());
}

}  // namespace

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  auto found = tensor_index.find(name);
  return found == tensor_index.end() ? nullptr : &tensors[found->second];
}

GgufFile GgufFile::Parse(std::span<const std::byte> bytes, std::string where) {
  GgufFile file;
  file.where = std::move(where);
  file.file_bytes = bytes.size();
  Reader reader(bytes, file.where);
  uint64_t n_tensors = 0, n_entries = 0;
  ReadHeader(reader, file, n_tensors, n_entries);

  for (uint64_t i = 0; i < n_entries; ++i) {
    GgufEntry entry;
    entry.offset = reader.position();
    entry.key = reader.String(fmt::format("metadata key {}", i));
    if (entry.key.empty() || entry.key.size() > 65535)
      Fail(ErrorKind::kCorrupt, "{}: metadata key {} at byte {}: {} characters", file.where, i, entry.offset,
           entry.key.size());
    entry.value = reader.Value(fmt::format("metadata {}", Shown(entry.key)));
    if (!file.key_index.emplace(entry.key, file.metadata.size()).second)
      Fail(ErrorKind::kCorrupt, "{}: metadata {} at byte {} is there twice", file.where, Shown(entry.key),
           entry.offset);
    file.metadata.push_back(std::move(entry));
  }

  int64_t alignment = file.Int("general.alignment", 32);
  if (alignment <= 0 || alignment > (1 << 24) || (alignment & (alignment - 1)) != 0)
    Fail(ErrorKind::kCorrupt, "{}: metadata general.alignment: expected a power of two, found {}", file.where,
         alignment);
  file.alignment = static_cast<uint64_t>(alignment);

  std::vector<Directory> entries;
  for (uint64_t i = 0; i < n_tensors; ++i) {
    entries.push_back(ReadTensorInfo(reader, file, i));
    if (!file.tensor_index.emplace(entries.back().tensor.name, i).second)
      Fail(ErrorKind::kCorrupt, "{}: tensor {} at byte {} is there twice", file.where,
           Shown(entries.back().tensor.name), entries.back().info_at);
  }
  uint64_t data_begin = (reader.position() + file.alignment - 1) / file.alignment * file.alignment;
  PlaceTensors(bytes, data_begin, entries, file);
  for (Directory& entry : entries) file.tensors.push_back(std::move(entry.tensor));
  return file;
}

}  // namespace assay
