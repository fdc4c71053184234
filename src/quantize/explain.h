#pragma once
// Why a format suits some data and not other: its levels, and its error on weights that look normal and on values with
// one outlier, computed with the real encoder and decoder.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "format/format.h"
#include "number/table.h"

namespace assay {

/// Error of values that went through a format and came back.
struct RoundTripError {
  double rms = 0;             // root of the mean squared error
  double relative = 0;        // rms / root mean square of the values
  double max = 0;             // largest error of a value
  double small_rms = 0;       // the same over the values that are not outliers …
  double small_relative = 0;  // … by their own root mean square
  double small_zeros = 0;     // share of those that became zero
};

struct FormatExplanation {
  std::string name;  // of the block format, or of the number format when there is no block format of the name
  std::string description;
  std::string number;         // the number format of the codes: "fp8_e4m3"; empty where codes are not one number
  std::vector<float> levels;  // all finite values of the codes, ascending, each once
  /// The level values scaled as the format scales a unit normal variable (largest level at 3 deviations): where they
  /// lie against it. Empty when `levels` is, and where codes count from a minimum.
  std::vector<float> levels_in_deviations;
  double bits_per_weight = 0;
  RoundTripError gaussian;  // kExplainValues values of a unit normal variable
  RoundTripError outlier;   // as many values within ±0.3, one of them replaced by 60 in every row
};

inline constexpr int64_t kExplainRows = 64, kExplainCols = 1024;

/// Explains a block format of the table or, if there is none of that name, a number format with one scale per row that
/// brings the largest magnitude to its largest value. "fp8", "int8", "int4", "nf4", "fp4" mean the weights of the usual
/// scheme (fp8_channel, int8_channel, int4_g128, nf4, nvfp4). Throws Error{kUnsupported} naming the nearest.
FormatExplanation ExplainFormat(std::string_view name);

/// The samples that errors are measured on: [kExplainRows, kExplainCols], the same on every machine.
std::vector<float> GaussianSample();
std::vector<float> OutlierSample();

}  // namespace assay
