#include "checkpoint/tensor.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr int64_t kPieceBytes = int64_t{256} << 10;  // of a plane that one thread makes at a time

std::unique_ptr<std::byte[]> Room(int64_t bytes) {
  return std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(std::max<int64_t>(1, bytes)));
}

}  // namespace

int64_t CodesOffset(const Format& format, int64_t row, int64_t cols) {
  if (!format.flat) return row * CodesBytes(format, 1, cols);
  return row * cols / format.block_weights * format.block_bytes;
}

int64_t ScalesOffset(const Format& format, int64_t row, int64_t cols) {
  if (!format.flat || format.scale_weights <= 0) return row * ScalesBytes(format, 1, cols);
  return row * cols / format.scale_weights * format.scale_bytes;
}

void Tensor::Borrow(const PackedView& view) {
  ASSAY_CHECK(view.column_group == nullptr);
  format = view.format;
  rows = view.rows;
  cols = view.cols;
  global_scale = view.global_scale;
  global_divisor = view.global_divisor;
  activation_scale = view.activation_scale;
  codes.mapped = view.codes;
  scales.mapped = view.scales;
}

PackedView Tensor::View() const {
  PackedView view = ViewOf(*format, rows, cols, codes.mapped, scales.mapped);
  view.global_scale = global_scale;
  view.global_divisor = global_divisor;
  view.activation_scale = activation_scale;
  if (column_group) view.column_group = column_group->data();
  return view;
}

std::vector<std::span<const std::byte>> Tensor::Sources() const {
  std::vector<std::span<const std::byte>> sources = originals;
  if (codes.mapped) sources.emplace_back(codes.mapped, static_cast<size_t>(codes_bytes()));
  if (scales.mapped) sources.emplace_back(scales.mapped, static_cast<size_t>(scales_bytes()));
  return sources;
}

LoadedTensor Tensor::Load(ThreadPool& pool) const {
  LoadedTensor loaded{View(), nullptr};
  if (!made()) return loaded;
  std::lock_guard lock(held_->mutex);
  loaded.made = held_->planes.lock();
  if (!loaded.made) {
    auto planes = std::make_shared<MadePlanes>();
    auto make = [&](const PlaneSource& source, int64_t bytes, std::unique_ptr<std::byte[]>& out, size_t& out_bytes) {
      if (!source.make) return;
      out = Room(bytes);
      out_bytes = static_cast<size_t>(bytes);
      if (format->flat || rows == 0) return source.make(0, rows, out.get());
      const int64_t row_bytes = bytes / rows;
      int64_t piece = std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, row_bytes));
      piece = (piece + rows_at_once - 1) / rows_at_once * rows_at_once;
      pool.For((rows + piece - 1) / piece, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i)
          source.make(i * piece, std::min(piece, rows - i * piece), out.get() + i * piece * row_bytes);
      });
    };
    make(codes, codes_bytes(), planes->codes, planes->codes_bytes);
    make(scales, scales_bytes(), planes->scales, planes->scales_bytes);
    for (std::span<const std::byte> original : originals) ReleasePages(original);
    held_->planes = planes;
    loaded.made = std::move(planes);
  }
  if (loaded.made->codes) loaded.view.codes = loaded.made->codes.get();
  if (loaded.made->scales) loaded.view.scales = loaded.made->scales.get();
  return loaded;
}

LoadedTensor Tensor::LoadRows(int64_t begin, int64_t n) const {
  ASSAY_CHECK(begin >= 0 && n >= 0 && begin + n <= rows && (!format->cyclic || n == rows));
  LoadedTensor loaded{View(), nullptr};
  loaded.view.rows = n;
  auto planes = std::make_shared<MadePlanes>();
  auto part = [&](const PlaneSource& source, int64_t offset, int64_t bytes, std::unique_ptr<std::byte[]>& out,
                  size_t& out_bytes) -> const std::byte* {
    if (!source.make) return source.mapped ? source.mapped + offset : nullptr;
    out = Room(bytes);
    out_bytes = static_cast<size_t>(bytes);
    source.make(begin, n, out.get());
    return out.get();
  };
  loaded.view.codes =
      part(codes, CodesOffset(*format, begin, cols), CodesBytes(*format, n, cols), planes->codes, planes->codes_bytes);
  if (scales.there())
    loaded.view.scales = part(scales, ScalesOffset(*format, begin, cols), ScalesBytes(*format, n, cols), planes->scales,
                              planes->scales_bytes);
  if (made()) loaded.made = std::move(planes);
  return loaded;
}

Tensor Decoded(const Tensor& base, std::function<void(float* row)> change) {
  Tensor out;
  out.name = base.name;
  out.source_name = base.source_name;
  out.shape = base.shape;
  out.stored_bytes = base.stored_bytes;
  out.stored_as = base.stored_as;
  out.Borrow(ViewOf(F32Format(), base.rows, base.cols, nullptr));
  out.originals = base.Sources();
  out.rows_at_once = base.rows_at_once;
  out.codes.make = [base, change = std::move(change)](int64_t begin, int64_t n, std::byte* to) {
    const LoadedTensor rows = base.LoadRows(begin, n);
    float* values = reinterpret_cast<float*>(to);
    for (int64_t r = 0; r < n; ++r, values += base.cols) {
      rows.view.format->decode_row(rows.view, r, values);
      change(values);
    }
  };
  return out;
}

}  // namespace assay
