#include "format/grid.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/error.h"
#include "format/bit_packing.h"
#include "format/vector/search.h"

namespace assay {
namespace {

void PackScale(const Format& format, const Grid& grid, std::byte* out) {
  const auto code = static_cast<std::byte>(grid.scale_code);
  const ScaleAndZero entry{grid.scale, grid.zero};
  if (format.scale_bytes == 1) {
    *out = code;
  } else {
    std::memcpy(out, &entry, static_cast<size_t>(format.scale_bytes));
  }
}

}  // namespace

GridLayout::GridLayout(const Format& format, int64_t rows, int64_t cols, const int32_t* column_group)
    : format_(&format), column_group_(column_group), cols_(cols) {
  ASSAY_CHECK(format.grid != nullptr);
  const int64_t n = rows * cols;
  if (format.group == 0) {
    columns_ = n;
    return;
  }
  columns_ = format.group < 0 ? cols : format.grid->two_levels ? format.block_weights : format.group;
  if (format.grid->two_levels) runs_ = format.block_weights / format.group;
  if (format.flat) {
    per_row_ = units_ = n / columns_ + (n % columns_ != 0);
    return;
  }
  per_row_ = columns_ > 0 ? (cols + columns_ - 1) / columns_ : 1;
  units_ = per_row_ * ((rows + format.block_rows - 1) / format.block_rows);
}

int64_t GridLayout::UnitOf(int64_t row, int64_t col) const {
  if (format_->group == 0) return 0;
  const int64_t at = row * cols_ + col;
  if (format_->family == FormatFamily::kCyclic) return at % units_;
  if (format_->flat) return at / columns_;
  return row / format_->block_rows * per_row_ + (column_group_ != nullptr ? column_group_[col] : col / columns_);
}

int64_t GridLayout::GridOf(int64_t row, int64_t col) const {
  return runs_ == 1 ? UnitOf(row, col) : UnitOf(row, col) * runs_ + col % columns_ / format_->group;
}

float RowMeanSquare(const float* row, int64_t cols) {
  return MeanSquare(row, cols);
}

void PackPlanes(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales) {
  // A flat matrix is one stream.
  const int64_t rows = format.flat ? 1 : in.rows, cols = format.flat ? in.rows * in.cols : in.cols;
  const int64_t row_bytes = CodesBytes(format, 1, cols);
  for (int64_t row = 0; row < rows; ++row) {
    const std::span row_codes(in.codes + row * cols, static_cast<size_t>(cols));
    PackDense(row_codes, format.bits, {codes + row * row_bytes, static_cast<size_t>(row_bytes)});
  }
  if (format.scale_weights == 0) return;
  const int64_t per_row = ScalesBytes(format, 1, cols) / format.scale_bytes;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t g = 0; g < per_row; ++g, scales += format.scale_bytes)
      PackScale(format, in.grids[row / format.block_rows * per_row + g], scales);
  }
}

}  // namespace assay
