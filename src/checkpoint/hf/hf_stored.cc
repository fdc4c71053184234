#include "checkpoint/hf/hf_stored.h"

#include <cmath>
#include <cstring>

#include "base/error.h"

namespace assay {
namespace {

/// Values that Hugging Face stores otherwise; computed in float32, as the readers take them back.
std::vector<std::byte> AsStored(StoredValue stored, const Format& format, std::span<const std::byte> codes) {
  const PackedView view = ViewOf(format, 1, static_cast<int64_t>(codes.size()) / format.block_bytes, codes.data());
  std::vector<float> values(static_cast<size_t>(view.cols));
  format.decode_row(view, 0, values.data());
  for (float& value : values) value = stored == StoredValue::kLessOne ? value - 1.0f : std::log(-value);
  std::vector<std::byte> out(codes.size());
  format.encode_rows(values.data(), 1, view.cols, nullptr, 1.0f, 1.0f, out.data(), nullptr);
  return out;
}

}  // namespace

void StoredPlainWriter::Rows(const TensorSlot& slot, const Format& format, const std::vector<int64_t>& stored,
                             int64_t begin, int64_t n, std::span<const std::byte> codes, const HfSink& sink) {
  const size_t width = static_cast<size_t>(format.block_bytes);
  const StoredPlace& place = slot.in_hf;
  std::vector<std::byte> changed;
  if (slot.hf_value != StoredValue::kSame) {
    changed = AsStored(slot.hf_value, format, codes);
    codes = changed;
  }
  if (place.transposed) return Transposed(slot, width, stored, begin, n, codes, sink);
  if (place.turned) return Turned(slot, width, stored, begin, n, codes, sink);
  // A vector's units are its elements, a matrix's are its rows.
  const bool vector = slot.shape.size() == 1;
  const int64_t units = vector ? slot.shape[0] : n, from = vector ? 0 : begin;
  const size_t unit_bytes = vector ? width : width * static_cast<size_t>(slot.shape.back());
  place.ForRuns(from, units, slot.shape[0], [&](int64_t unit, int64_t at, int64_t count) {
    sink(slot.hugging_face, static_cast<uint64_t>(at) * unit_bytes,
         codes.subspan(static_cast<size_t>(unit - from) * unit_bytes, static_cast<size_t>(count) * unit_bytes));
  });
}

void StoredPlainWriter::Turned(const TensorSlot& slot, size_t width, const std::vector<int64_t>& stored, int64_t begin,
                               int64_t n, std::span<const std::byte> codes, const HfSink& sink) {
  const int64_t cols = slot.shape.back();
  std::vector<std::byte> column(static_cast<size_t>(n) * width);
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < n; ++r)
      std::memcpy(column.data() + static_cast<size_t>(r) * width,
                  codes.data() + static_cast<size_t>(r * cols + c) * width, width);
    sink(slot.hugging_face, static_cast<uint64_t>((slot.in_hf.first + c) * stored.back() + begin) * width, column);
  }
}

void StoredPlainWriter::Transposed(const TensorSlot& slot, size_t width, const std::vector<int64_t>& stored,
                                   int64_t begin, int64_t n, std::span<const std::byte> codes, const HfSink& sink) {
  const StoredPlace& place = slot.in_hf;
  const int64_t in = slot.shape.back(), out = stored.back();
  const auto key = std::make_pair(slot.hugging_face, place.slice);
  Slice& slice = slices_[key];
  slice.bytes.resize(static_cast<size_t>(in * out) * width);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < in; ++c)
      std::memcpy(slice.bytes.data() + static_cast<size_t>(c * out + place.Row(begin + r)) * width,
                  codes.data() + static_cast<size_t>(r * in + c) * width, width);
  slice.elements += n * in;
  if (slice.elements < in * out) return;
  sink(slot.hugging_face, static_cast<uint64_t>(place.slice) * slice.bytes.size(), slice.bytes);
  slices_.erase(key);
}

}  // namespace assay
