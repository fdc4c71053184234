#include "checkpoint/hf/source.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "number/bf16.h"
#include "number/f16.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr uint64_t kMaxTextBytes = 65536;  // of JSON kept in a tensor

}  // namespace

std::string_view PlainFormatOfDtype(std::string_view dtype) {
  return dtype == "F32" ? "f32" : dtype == "F16" ? "f16" : dtype == "BF16" ? "bf16" : "";
}

std::string_view TableFormatOfDtype(std::string_view dtype) {
  return dtype == "I64" ? "i64" : dtype == "I32" ? "i32" : "";
}

std::string_view DtypeOfFormat(const Format& format) {
  if (format.integers) return format.bits == 64 ? "I64" : "";
  if (!IsPlain(format)) return "";
  return &format == &F32Format() ? "F32" : &format == &F16Format() ? "F16" : "BF16";
}

HfSource::HfSource(std::span<const SafetensorsFile> files, std::string_view where) : where_(where) {
  for (const SafetensorsFile& file : files)
    for (const SafetensorsTensor& tensor : file.tensors) {
      auto [before, fresh] = by_name_.emplace(tensor.name, Found{&file, &tensor, false});
      if (!fresh)
        Fail(ErrorKind::kCorrupt, "{}: tensor {} is in {} too", file.where, tensor.name, before->second.file->where);
    }
}

const SafetensorsTensor* HfSource::Find(const std::string& name) const {
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second.tensor;
}

const SafetensorsTensor* HfSource::TakeIfThere(const std::string& name) {
  auto it = by_name_.find(name);
  if (it == by_name_.end()) return nullptr;
  it->second.used = true;
  taken_.push_back(it->second.tensor);
  return it->second.tensor;
}

void HfSource::ReleaseConverted(const PackedView& view) {
  for (const SafetensorsTensor* tensor : taken_) {
    const std::byte *begin = tensor->data.data(), *end = begin + tensor->data.size();
    auto borrowed = [&](const void* plane) { return plane >= begin && plane < end; };
    if (!borrowed(view.codes) && !borrowed(view.scales) && !borrowed(view.column_group)) ReleasePages(tensor->data);
  }
  taken_.clear();
}

const SafetensorsTensor& HfSource::Take(const std::string& name, std::string_view why) {
  const SafetensorsTensor* tensor = TakeIfThere(name);
  if (!tensor) Fail(ErrorKind::kCorrupt, "{}: tensor {} is missing ({})", where_, name, why);
  return *tensor;
}

const std::string& HfSource::FileOf(const SafetensorsTensor& tensor) const {
  return by_name_.at(tensor.name).file->where;
}

bool HfSource::AnyEndsWith(std::string_view suffix) const {
  auto known = endings_.find(suffix);
  if (known == endings_.end())
    known = endings_
                .emplace(suffix, std::any_of(by_name_.begin(), by_name_.end(),
                                             [&](const auto& item) { return item.first.ends_with(suffix); }))
                .first;
  return known->second;
}

void HfSource::Expect(const SafetensorsTensor& tensor, std::string_view dtype,
                      const std::vector<int64_t>& shape) const {
  if (tensor.dtype != dtype)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected dtype {}, found {}", FileOf(tensor), tensor.name, dtype,
         tensor.dtype);
  ExpectShape(tensor, shape);
}

void HfSource::ExpectShape(const SafetensorsTensor& tensor, const std::vector<int64_t>& shape) const {
  if (tensor.shape != shape)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected shape {}, found {}", FileOf(tensor), tensor.name,
         ShapeText(shape), ShapeText(tensor.shape));
}

std::vector<float> HfSource::Floats(const SafetensorsTensor& tensor) const {
  if (PlainFormatOfDtype(tensor.dtype).empty())
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected F32, F16 or BF16, found {}", FileOf(tensor), tensor.name,
         tensor.dtype);
  const bool wide = tensor.dtype == "F32";
  size_t n = tensor.data.size() / (wide ? 4 : 2);
  std::vector<float> out(n);
  if (wide && n > 0) std::memcpy(out.data(), tensor.data.data(), n * 4);
  for (size_t i = 0; !wide && i < n; ++i) {
    uint16_t code;
    std::memcpy(&code, tensor.data.data() + 2 * i, 2);
    out[i] = tensor.dtype == "F16" ? DecodeF16(code) : DecodeBf16(code);
  }
  for (size_t i = 0; i < n; ++i)
    if (!std::isfinite(out[i]))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: element {} is {}", FileOf(tensor), tensor.name, i, out[i]);
  return out;
}

float HfSource::Scalar(const SafetensorsTensor& tensor) const {
  std::vector<float> values = Floats(tensor);
  if (values.size() != 1)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected one number, found {}", FileOf(tensor), tensor.name,
         ShapeText(tensor.shape));
  return values[0];
}

std::vector<int64_t> HfSource::Integers(const SafetensorsTensor& tensor) const {
  if (tensor.dtype != "I64" && tensor.dtype != "I32")
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected I32 or I64, found {}", FileOf(tensor), tensor.name,
         tensor.dtype);
  const bool wide = tensor.dtype == "I64";
  std::vector<int64_t> out(tensor.data.size() / (wide ? 8 : 4));
  for (size_t i = 0; i < out.size(); ++i) {
    if (wide) {
      std::memcpy(&out[i], tensor.data.data() + 8 * i, 8);
    } else {
      int32_t narrow;
      std::memcpy(&narrow, tensor.data.data() + 4 * i, 4);
      out[i] = narrow;
    }
  }
  return out;
}

Json HfSource::Text(const SafetensorsTensor& tensor) const {
  if (tensor.dtype != "U8" || tensor.data.size() > kMaxTextBytes)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected JSON in U8, found {} of {} bytes", FileOf(tensor), tensor.name,
         tensor.dtype, tensor.data.size());
  return ParseJson({reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()},
                   fmt::format("{}: tensor {}", FileOf(tensor), tensor.name));
}

const std::byte* HfSource::Aligned(const SafetensorsTensor& tensor, size_t align) {
  if (reinterpret_cast<uintptr_t>(tensor.data.data()) % align == 0) return tensor.data.data();
  planes.bytes.emplace_back(tensor.data.begin(), tensor.data.end());
  return planes.bytes.back().data();
}

const std::byte* HfSource::Keep(std::vector<float> plane) {
  planes.floats.push_back(std::move(plane));
  return reinterpret_cast<const std::byte*>(planes.floats.back().data());
}

const std::byte* HfSource::Keep(std::vector<std::byte> plane) {
  planes.bytes.push_back(std::move(plane));
  return planes.bytes.back().data();
}

const int32_t* HfSource::Keep(std::vector<int32_t> plane) {
  planes.integers.push_back(std::move(plane));
  return planes.integers.back().data();
}

}  // namespace assay
