// The steps of encoding one by one against Format::encode_rows, over the whole table.

#include "format/grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "format/format.h"

namespace assay {
namespace {

// Where the bits may differ, with importance alone: the search of encode_rows compares errors in units that are not the
// fit's, so a choice between two scales of (nearly) the same error may fall the other way.
struct OtherBits {
  std::string_view name, why;
};
constexpr std::string_view kEight = "eight blocks at a time have their weights brought to one largest value";
constexpr OtherBits kOtherBits[] = {
    {"q4_0", kEight},
    {"q4_1", kEight},
    {"q5_0", kEight},
    {"q5_1", kEight},
    {"iq4_nl", kEight},
    {"q2_0", kEight},
    {"nvfp4_gguf", "the row's mean square is taken in units of the matrix's scale"},
};

bool MayDiffer(const Format& format, bool importance) {
  return importance && std::any_of(std::begin(kOtherBits), std::end(kOtherBits),
                                   [&](const OtherBits& row) { return row.name == format.name; });
}

struct Shape {
  int64_t rows, cols;
};

// Whole groups; and what else a format takes: short groups, odd ends, groups over row ends.
std::vector<Shape> ShapesFor(const Format& format) {
  std::vector<Shape> shapes = {{4, 1024}};
  if (format.block_rows > 1) shapes = {{130, 256}, {3, 200}};
  if (format.flat) shapes.push_back({3, 341});
  if (format.family == FormatFamily::kFp8 && format.block_rows == 1) shapes.push_back({2, 37});
  if (format.block_weights == 256 || format.group == 32) shapes.push_back({1, 256});
  return shapes;
}

std::vector<float> WeightsFor(const Shape& shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(static_cast<size_t>(shape.rows * shape.cols));
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t run = i / 32 % 11;
    const auto x = static_cast<float>(random.Normal() * 0.02);
    weights[i] = run == 3   ? 0.0f                               // nothing to fit
                 : run == 5 ? (i % 2 == 0 ? -0.0f : 0.0f)        // zeros of both signs
                 : run == 7 ? std::fabs(x)                       // one sign
                 : run == 8 ? x * 1e-4f                          // small beside the others
                 : run == 9 ? 0.0625f                            // all the same
                            : x * (i % 77 == 0 ? 20.0f : 1.0f);  // outliers
  }
  // A super-block of zeros.
  for (size_t i = 256; shape.cols >= 1024 && i < 512; ++i) weights[i] = 0.0f;
  return weights;
}

struct Planes {
  std::vector<std::byte> codes, scales;
  PackedView view;

  Planes(const Format& format, const Shape& shape, const std::vector<float>& weights)
      : codes(static_cast<size_t>(CodesBytes(format, shape.rows, shape.cols)), std::byte{0xaa}),
        scales(static_cast<size_t>(ScalesBytes(format, shape.rows, shape.cols)), std::byte{0xaa}) {
    MatrixStatistics statistics;
    for (const float x : weights) {
      statistics.abs_max = std::max(statistics.abs_max, std::fabs(x));
      statistics.abs_mean += std::fabs(x) / static_cast<float>(weights.size());
    }
    view = ViewOf(format, shape.rows, shape.cols, codes.data(), scales.data());
    if (format.choose_global != nullptr) format.choose_global(statistics, &view.global_scale, &view.global_divisor);
  }
};

struct Fitted {
  GridLayout layout;
  std::vector<Grid> grids;
  std::vector<SuperGrid> supers;

  // Every unit's weights are gathered, wherever they lie.
  Fitted(const PackedView& view, const std::vector<float>& weights, const float* importance,
         const int32_t* column_group = nullptr)
      : layout(*view.format, view.rows, view.cols, column_group),
        grids(static_cast<size_t>(layout.units() * layout.runs())),
        supers(static_cast<size_t>(layout.units())) {
    struct Unit {
      std::vector<float> weights, importance;
      int64_t first_row = -1, rows = 0, row = 0;
    };
    std::vector<Unit> units(supers.size());
    for (int64_t row = 0; row < view.rows; ++row)
      for (int64_t col = 0; col < view.cols; ++col) {
        Unit& unit = units[static_cast<size_t>(layout.UnitOf(row, col))];
        if (unit.first_row < 0) unit.first_row = row;
        if (unit.rows == 0 || row != unit.row) ++unit.rows;
        unit.row = row;
        unit.weights.push_back(weights[static_cast<size_t>(row * view.cols + col)]);
        if (importance != nullptr) unit.importance.push_back(importance[col]);
      }
    for (size_t u = 0; u < units.size(); ++u) {
      Unit& unit = units[u];
      GridInput in;
      in.weights = unit.weights.data();
      in.rows = view.format->block_rows > 1 ? unit.rows : 1;  // else one run, wherever its weights come from
      in.columns = in.stride = static_cast<int64_t>(unit.weights.size()) / in.rows;
      in.importance = importance == nullptr ? nullptr : unit.importance.data();
      if (view.format->grid->weighs_by_row)
        in.mean_square = RowMeanSquare(weights.data() + unit.first_row * view.cols, view.cols);
      in.global_scale = view.global_scale;
      in.global_divisor = view.global_divisor;
      view.format->grid->fit(*view.format, in, &grids[u * static_cast<size_t>(layout.runs())], &supers[u]);
    }
  }

  // Rounds the weights, packs their codes and returns what they are to decode to.
  std::vector<float> Encode(const PackedView& view, const std::vector<float>& weights, std::byte* codes,
                            std::byte* scales) const {
    std::vector<uint8_t> chosen(weights.size());
    std::vector<float> values(weights.size());
    for (int64_t row = 0; row < view.rows; ++row)
      for (int64_t col = 0; col < view.cols; ++col) {
        const auto at = static_cast<size_t>(row * view.cols + col);
        const Grid& grid = grids[static_cast<size_t>(layout.GridOf(row, col))];
        const Rounded rounded = view.format->grid->round(*view.format, grid, weights[at]);
        chosen[at] = rounded.code;
        values[at] = rounded.value;
      }
    view.format->grid->pack(*view.format, {view.rows, view.cols, chosen.data(), grids.data(), supers.data()}, codes,
                            scales);
    return values;
  }
};

std::vector<float> Decode(const PackedView& view) {
  std::vector<float> out(static_cast<size_t>(view.rows * view.cols));
  for (int64_t row = 0; row < view.rows; ++row) view.format->decode_row(view, row, out.data() + row * view.cols);
  return out;
}

double WeightedError(const std::vector<float>& weights, const std::vector<float>& back, const float* importance,
                     int64_t cols) {
  double error = 0;
  for (size_t i = 0; i < weights.size(); ++i)
    error += importance[static_cast<int64_t>(i) % cols] * std::pow(static_cast<double>(back[i]) - weights[i], 2);
  return error;
}

std::vector<float> ImportanceFor(int64_t cols) {
  Random random(9);
  std::vector<float> importance;
  for (int64_t i = 0; i < cols; ++i) importance.push_back(static_cast<float>(std::exp(random.Normal())));
  return importance;
}

class EveryGrid : public testing::TestWithParam<const Format*> {};

std::vector<const Format*> All() {
  std::vector<const Format*> all;
  for (const Format& format : Formats()) all.push_back(&format);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Table, EveryGrid, testing::ValuesIn(All()),
                         [](const auto& row) { return std::string(row.param->name); });

TEST_P(EveryGrid, StepsGiveTheBytesOfEncodeRows) {
  const Format& format = *GetParam();
  EXPECT_EQ(format.grid == nullptr, !format.no_grid.empty());
  if (format.grid == nullptr) return;
  for (const Shape& shape : ShapesFor(format))
    for (const bool with_importance : {false, true}) {
      const std::vector<float> weights = WeightsFor(shape, 3), importance = ImportanceFor(shape.cols);
      const float* column_weights = with_importance ? importance.data() : nullptr;
      Planes expected(format, shape, weights), found(format, shape, weights);
      format.encode_rows(weights.data(), shape.rows, shape.cols, column_weights, expected.view.global_scale,
                         expected.view.global_divisor, expected.codes.data(), expected.scales.data());
      const Fitted fitted(found.view, weights, column_weights);
      const std::vector<float> values = fitted.Encode(found.view, weights, found.codes.data(), found.scales.data());
      const std::string place = std::string(format.name) + " [" + std::to_string(shape.rows) + ", " +
                                std::to_string(shape.cols) + "]" + (with_importance ? " with importance" : "");
      EXPECT_EQ(values, Decode(found.view)) << place;
      if (MayDiffer(format, with_importance)) {
        const double whole = WeightedError(weights, Decode(expected.view), importance.data(), shape.cols);
        EXPECT_NEAR(WeightedError(weights, values, importance.data(), shape.cols), whole, 0.01 * whole) << place;
        continue;
      }
      EXPECT_TRUE(expected.codes == found.codes) << place;
      EXPECT_TRUE(expected.scales == found.scales) << place;
    }
}

// A method moves weights after their grid was fitted: what it is told a weight became is what the file gives.
TEST_P(EveryGrid, MovedWeightsDecodeToWhatRoundingSaid) {
  const Format& format = *GetParam();
  if (format.grid == nullptr) return;
  const Shape shape = ShapesFor(format).front();
  std::vector<float> weights = WeightsFor(shape, 5);
  Planes planes(format, shape, weights);
  const Fitted fitted(planes.view, weights, nullptr);
  Random random(6);
  for (float& x : weights) x += static_cast<float>(random.Normal() * 0.02);
  const std::vector<float> values = fitted.Encode(planes.view, weights, planes.codes.data(), planes.scales.data());
  EXPECT_EQ(values, Decode(planes.view)) << format.name;
}

// Groups of columns in an order of their own.
TEST(Grid, ColumnGroups) {
  const Format& format = GetFormat("int4_g128_gidx");
  const Shape shape{3, 512};
  const std::vector<float> weights = WeightsFor(shape, 4);
  std::vector<int32_t> column_group;
  for (int32_t col = 0; col < shape.cols; ++col) column_group.push_back(col % 4);
  Planes planes(format, shape, weights);
  planes.view.column_group = column_group.data();
  const Fitted fitted(planes.view, weights, nullptr, column_group.data());
  const std::vector<float> values = fitted.Encode(planes.view, weights, planes.codes.data(), planes.scales.data());
  EXPECT_EQ(values, Decode(planes.view));
  double largest = 0;
  for (int64_t col = 1; col < shape.cols; col += 4)
    largest = std::max<double>(largest, std::fabs(weights[static_cast<size_t>(col)]));
  // max / 7.5, rounded to bfloat16.
  EXPECT_NEAR(fitted.grids[1].scale, largest / 7.5, largest / 7.5 / 256);
}

// By hand: Q4_K's levels are scale * code - minimum, in steps of the super-block's units.
TEST(Grid, TwoLevels) {
  const Format& format = GetFormat("q4_k");
  std::vector<float> weights(256);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(static_cast<int>(i % 16) - 8) * static_cast<float>(1 + i / 32);
  GridInput in;
  in.weights = weights.data();
  in.columns = in.stride = 256;
  Grid grids[8];
  SuperGrid super;
  format.grid->fit(format, in, grids, &super);
  EXPECT_NEAR(super.scale, 8.0 / 63, 0.01);    // the last run's step is 8
  EXPECT_NEAR(super.minimum, 64.0 / 63, 0.1);  // and its lowest weight -64
  for (int run = 0; run < 8; ++run) {
    EXPECT_EQ(grids[run].scale, super.scale * static_cast<float>(grids[run].scale_code));
    EXPECT_EQ(grids[run].zero, -(super.minimum * static_cast<float>(grids[run].zero_code)));
    EXPECT_NEAR(grids[run].scale, 1 + run, 0.15);
    for (int i = 0; i < 32; ++i) {
      const float x = weights[static_cast<size_t>(32 * run + i)];
      const Rounded rounded = format.grid->round(format, grids[run], x);
      EXPECT_EQ(rounded.code, i % 16) << run;
      EXPECT_NEAR(rounded.value, x, 0.5 * (1 + run)) << run;
    }
  }
}

}  // namespace
}  // namespace assay
