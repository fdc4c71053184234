#include "checkpoint/hf/packing/source.h"

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

std::vector<std::span<const std::byte>> HfSource::TakeOriginals(const Tensor& tensor) {
  std::vector<std::span<const std::byte>> originals;
  for (const SafetensorsTensor* taken : taken_) {
    const std::byte *begin = taken->data.data(), *end = begin + taken->data.size();
    auto maps = [&](const PlaneSource& plane) { return plane.mapped >= begin && plane.mapped < end; };
    if (!maps(tensor.codes) && !maps(tensor.scales)) originals.push_back(taken->data);
  }
  taken_.clear();
  return originals;
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

void HfSource::ExpectFloats(const SafetensorsTensor& tensor) const {
  if (PlainFormatOfDtype(tensor.dtype).empty())
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected F32, F16 or BF16, found {}", FileOf(tensor), tensor.name,
         tensor.dtype);
}

std::vector<float> HfSource::Floats(const SafetensorsTensor& tensor) const {
  ExpectFloats(tensor);
  std::vector<float> out(tensor.data.size() / (tensor.dtype == "F32" ? 4 : 2));
  Floats(tensor, 0, 1, static_cast<int64_t>(out.size()), out.data());
  return out;
}

void HfSource::Floats(const SafetensorsTensor& tensor, int64_t first, int64_t stride, int64_t n, float* out) const {
  const bool wide = tensor.dtype == "F32", half = tensor.dtype == "F16";
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = first + i * stride;
    if (wide) {
      std::memcpy(&out[i], tensor.data.data() + 4 * at, 4);
    } else {
      uint16_t code;
      std::memcpy(&code, tensor.data.data() + 2 * at, 2);
      out[i] = half ? DecodeF16(code) : DecodeBf16(code);
    }
    if (!std::isfinite(out[i]))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: element {} is {}", FileOf(tensor), tensor.name, at, out[i]);
  }
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

PlaneSource HfSource::Aligned(const SafetensorsTensor& tensor, int64_t row_bytes, size_t align) const {
  const std::byte* data = tensor.data.data();
  if (reinterpret_cast<uintptr_t>(data) % align == 0) return {data, nullptr};
  return {nullptr, [data, row_bytes](int64_t begin, int64_t n, std::byte* out) {
            std::memcpy(out, data + begin * row_bytes, static_cast<size_t>(n * row_bytes));
          }};
}

}  // namespace assay
