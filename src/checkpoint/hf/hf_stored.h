#pragma once
// Tensors that are not quantized on their way into Hugging Face files, where they may be a part of a stored tensor,
// transposed, or less one (StoredPlace in layout.h). Internal to checkpoint/.

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/layout.h"

namespace assay {

class StoredPlainWriter {
 public:
  /// Rows [begin, begin + n) of the tensor of `slot`, in a plain format; `stored` is the shape of the file's tensor.
  void Rows(const TensorSlot& slot, const Format& format, const std::vector<int64_t>& stored, int64_t begin, int64_t n,
            std::span<const std::byte> codes, const HfSink& sink);

  /// Whether rows came that the sink has not got yet.
  bool HoldsRows() const { return !slices_.empty(); }

 private:
  void Transposed(const TensorSlot& slot, size_t width, const std::vector<int64_t>& stored, int64_t begin, int64_t n,
                  std::span<const std::byte> codes, const HfSink& sink);
  void Turned(const TensorSlot& slot, size_t width, const std::vector<int64_t>& stored, int64_t begin, int64_t n,
              std::span<const std::byte> codes, const HfSink& sink);

  /// One slice [in, out] of a transposed tensor until all its elements are there.
  struct Slice {
    std::vector<std::byte> bytes;
    int64_t elements = 0;
  };
  std::map<std::pair<std::string, int64_t>, Slice> slices_;
};

}  // namespace assay
