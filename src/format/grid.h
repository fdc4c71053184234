#pragma once
// The steps of encoding one at a time, for methods that choose codes themselves: fit a grid to the weights under one
// scale, round one weight on it (and carry its error to weights that are still to come), pack what was chosen.
//
// Format::encode_rows takes them all in one go, and fast; tests/format/grid_test.cc holds the two equal. K-quants have
// grids of two levels: the scales of a super-block's runs are themselves rounded, in units of its own, so a super-block
// is fitted as a whole.

#include <cstddef>
#include <cstdint>

#include "format/format.h"

namespace assay {

/// What a scale makes of codes. `scale` and `zero` are what decoding uses, everything above them included; the rest is
/// the format's own.
struct Grid {
  float scale = 0;              // the step between levels
  float zero = 0;               // integers: the code that stands for 0; formats with a minimum: the value of code 0
  float factor = 0, shift = 0;  // how weights become codes
  int32_t scale_code = 0, zero_code = 0;  // as packed, where these are no floats
  bool second_rule = false;               // of the two ways to round that some formats have
};

/// The units of a super-block's scales and minima.
struct SuperGrid {
  float scale = 0, minimum = 0;
};

/// The weights that one fit looks at.
struct GridInput {
  const float* weights = nullptr;     // [rows, columns]: rows > 1 for formats with block_rows
  int64_t rows = 1, columns = 0;      // fewer columns than the unit has only at the end of a row (or a flat matrix)
  int64_t stride = 0;                 // from a row to the next
  const float* importance = nullptr;  // [columns], as Format::encode_rows takes it; null: none
  float mean_square = 0;              // of the whole row (RowMeanSquare), where GridRule::weighs_by_row
  float global_scale = 1.0f, global_divisor = 1.0f;  // of the matrix
};

struct Rounded {
  uint8_t code;  // as it is packed: the low bits of an integer, the bits of a small float, an index
  float value;   // what decode_row gives for it
};

/// Codes and grids of whole rows (with block_rows: whole blocks of rows, but for the last).
struct GridCodes {
  int64_t rows = 0, cols = 0;
  const uint8_t* codes = nullptr;     // [rows, cols]
  const Grid* grids = nullptr;        // [GridLayout::units, runs]
  const SuperGrid* supers = nullptr;  // [units], of two levels
};

/// How a format's grids are made and used. Shared by a family; the format says bits, group and the like.
struct GridRule {
  /// Fills the unit's grids [GridLayout::runs] and, for two levels, its super-grid (else it may be null).
  void (*fit)(const Format& format, const GridInput& in, Grid* grids, SuperGrid* super);
  Rounded (*round)(const Format& format, const Grid& grid, float x);
  /// Writes the planes of Format::encode_rows, all bytes of them.
  void (*pack)(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales);
  bool two_levels = false;
  bool weighs_by_row = false;  // fit reads GridInput::mean_square
};

/// Where the grids of a matrix lie: a unit is what is fitted at once, with one grid, or one for each of its runs. A
/// flat matrix is one row; the units of a cyclic one are spread over it, so their weights have to be gathered.
class GridLayout {
 public:
  /// `column_group` as in PackedView, for formats that honour it.
  GridLayout(const Format& format, int64_t rows, int64_t cols, const int32_t* column_group = nullptr);

  int64_t units() const { return units_; }
  int64_t runs() const { return runs_; }
  /// Columns of a unit; fewer in the last of a row. The whole matrix when it has one grid.
  int64_t unit_columns() const { return columns_; }
  int64_t UnitOf(int64_t row, int64_t col) const;
  /// Index of the weight's grid among all [units, runs].
  int64_t GridOf(int64_t row, int64_t col) const;

 private:
  const Format* format_;
  const int32_t* column_group_;
  int64_t cols_, columns_, per_row_ = 1, units_ = 1, runs_ = 1;
};

/// Mean of the squares of a row; cols a multiple of 8.
float RowMeanSquare(const float* row, int64_t cols);

/// GridRule::pack for planes of codes in bit streams and of scales apart.
void PackPlanes(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales);

}  // namespace assay
