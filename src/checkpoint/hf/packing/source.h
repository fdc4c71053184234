#pragma once
// The tensors of a folder's safetensors files: found by name, checked and marked as used while they are put together,
// read when their planes are made.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

namespace assay {

/// "f32", "f16", "bf16" for the safetensors dtypes of plain weights; "" for any other.
std::string_view PlainFormatOfDtype(std::string_view dtype);
/// "i32" and "i64" for those of tables; "" for any other.
std::string_view TableFormatOfDtype(std::string_view dtype);
/// The dtype of a plain or table format in files that are written; "" for any other.
std::string_view DtypeOfFormat(const Format& format);

class HfSource {
 public:
  /// Throws Error{kCorrupt} when two files have a tensor of the same name. `where` names the folder. The files outlive
  /// it.
  HfSource(std::span<const SafetensorsFile> files, std::string_view where);

  const std::string& where() const { return where_; }
  /// Null when there is none; does not mark it as used.
  const SafetensorsTensor* Find(const std::string& name) const;
  /// Marks as used. Throws Error{kCorrupt} with `why` when it is missing.
  const SafetensorsTensor& Take(const std::string& name, std::string_view why);
  /// Marks as used; null when there is none.
  const SafetensorsTensor* TakeIfThere(const std::string& name);
  /// What was taken since the last call and of which `tensor` maps nothing: the originals of planes that are made.
  std::vector<std::span<const std::byte>> TakeOriginals(const Tensor& tensor);
  /// The file that holds a tensor of this source, for messages.
  const std::string& FileOf(const SafetensorsTensor& tensor) const;
  /// Calls back for each tensor that nobody has taken.
  template <typename Body>
  void ForUnused(Body body) const {
    for (const auto& [name, found] : by_name_)
      if (!found.used) body(*found.tensor);
  }
  /// Any tensor name that ends so. Asked of every module, so each suffix is looked for once.
  bool AnyEndsWith(std::string_view suffix) const;

  /// Throw Error{kCorrupt} naming file, tensor, expected and found.
  void Expect(const SafetensorsTensor& tensor, std::string_view dtype, const std::vector<int64_t>& shape) const;
  void ExpectShape(const SafetensorsTensor& tensor, const std::vector<int64_t>& shape) const;
  /// Another dtype than F32, F16 and BF16 is an error too.
  void ExpectFloats(const SafetensorsTensor& tensor) const;
  /// F32, F16 or BF16 as float32; refuses NaN and infinity.
  std::vector<float> Floats(const SafetensorsTensor& tensor) const;
  /// n of them, from `first` on, `stride` elements apart.
  void Floats(const SafetensorsTensor& tensor, int64_t first, int64_t stride, int64_t n, float* out) const;
  /// One float.
  float Scalar(const SafetensorsTensor& tensor) const;
  /// I32 or I64.
  std::vector<int64_t> Integers(const SafetensorsTensor& tensor) const;
  /// JSON in a U8 tensor.
  Json Text(const SafetensorsTensor& tensor) const;

  /// The bytes of a plane whose elements want addresses that are multiples of `align`: as mapped, else copied.
  PlaneSource Aligned(const SafetensorsTensor& tensor, int64_t row_bytes, size_t align) const;

  /// Small tensors that belong to a scheme but not to a weight (activation and KV-cache scales), by their name.
  std::map<std::string, std::vector<float>> side_scales;

 private:
  struct Found {
    const SafetensorsFile* file = nullptr;
    const SafetensorsTensor* tensor = nullptr;
    bool used = false;
  };
  std::string where_;
  std::unordered_map<std::string, Found> by_name_;
  std::vector<const SafetensorsTensor*> taken_;
  mutable std::map<std::string, bool, std::less<>> endings_;
};

}  // namespace assay
