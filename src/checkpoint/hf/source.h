#pragma once
// The tensors of a folder's safetensors files while they are put together: found by name, checked, marked as used; and
// the planes that had to be made anew because the file keeps them in another order or width.

#include <deque>
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

/// What the views of assembled tensors borrow.
struct HfPlanes {
  std::deque<std::vector<float>> floats;
  std::deque<std::vector<std::byte>> bytes;
  std::deque<std::vector<int32_t>> integers;
};

class HfSource {
 public:
  /// Throws Error{kCorrupt} when two files have a tensor of the same name. `where` names the folder.
  HfSource(std::span<const SafetensorsFile> files, std::string_view where);

  const std::string& where() const { return where_; }
  /// Null when there is none; does not mark it as used.
  const SafetensorsTensor* Find(const std::string& name) const;
  /// Marks as used. Throws Error{kCorrupt} with `why` when it is missing.
  const SafetensorsTensor& Take(const std::string& name, std::string_view why);
  /// Marks as used; null when there is none.
  const SafetensorsTensor* TakeIfThere(const std::string& name);
  /// Lets go of the mapped pages of what was taken since the last call and of which `view` borrows nothing: they were
  /// read once, to convert them.
  void ReleaseConverted(const PackedView& view);
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
  /// F32, F16 or BF16 as float32; refuses NaN and infinity.
  std::vector<float> Floats(const SafetensorsTensor& tensor) const;
  /// One float.
  float Scalar(const SafetensorsTensor& tensor) const;
  /// I32 or I64.
  std::vector<int64_t> Integers(const SafetensorsTensor& tensor) const;
  /// JSON in a U8 tensor.
  Json Text(const SafetensorsTensor& tensor) const;

  /// The bytes at an address that suits elements of `align` bytes: as mapped, else copied.
  const std::byte* Aligned(const SafetensorsTensor& tensor, size_t align);
  const std::byte* Keep(std::vector<float> plane);
  const std::byte* Keep(std::vector<std::byte> plane);
  const int32_t* Keep(std::vector<int32_t> plane);

  /// Small tensors that belong to a scheme but not to a weight (activation and KV-cache scales), by their name.
  std::map<std::string, std::vector<float>> side_scales;
  HfPlanes planes;

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
