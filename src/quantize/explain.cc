#include "quantize/explain.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr float kOutlier = 60.0f, kSpread = 0.3f;

struct Alias {
  std::string_view name, format;
};
constexpr Alias kAliases[] = {{"fp8", "fp8_channel"},  {"int8", "int8_channel"}, {"int4", "int4_g128"},
                              {"int3", "int3_g128"},   {"int2", "int2_g64"},     {"fp4", "nvfp4"},
                              {"mxfp8", "mxfp8_e4m3"}, {"mxfp6", "mxfp6_e2m3"}};

MatrixStatistics StatisticsOf(const std::vector<float>& values) {
  double sum = 0;
  MatrixStatistics statistics;
  for (const float x : values) {
    statistics.abs_max = std::max(statistics.abs_max, std::fabs(x));
    sum += std::fabs(x);
  }
  statistics.abs_mean = static_cast<float>(sum / static_cast<double>(values.size()));
  return statistics;
}

std::vector<float> ThroughBlocks(const Format& format, const std::vector<float>& values) {
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, kExplainRows, kExplainCols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, kExplainRows, kExplainCols)));
  PackedView view = ViewOf(format, kExplainRows, kExplainCols, codes.data(), scales.empty() ? nullptr : scales.data());
  if (format.choose_global != nullptr)
    format.choose_global(StatisticsOf(values), &view.global_scale, &view.global_divisor);
  format.encode_rows(values.data(), kExplainRows, kExplainCols, nullptr, view.global_scale, view.global_divisor,
                     codes.data(), scales.data());
  std::vector<float> back(values.size());
  for (int64_t row = 0; row < kExplainRows; ++row) format.decode_row(view, row, back.data() + row * kExplainCols);
  return back;
}

std::vector<float> ThroughNumber(const NumberFormat& number, const std::vector<float>& values) {
  std::vector<float> back(values.size());
  for (size_t begin = 0; begin < values.size(); begin += kExplainCols) {
    float largest = 0;
    for (size_t i = begin; i < begin + kExplainCols; ++i) largest = std::max(largest, std::fabs(values[i]));
    // Formats of wide range need no scale.
    const float scale = number.bits >= 16 || largest == 0 ? 1.0f : largest / number.largest;
    for (size_t i = begin; i < begin + kExplainCols; ++i)
      back[i] = number.decode(number.encode(values[i] / scale)) * scale;
  }
  return back;
}

RoundTripError Compare(const std::vector<float>& values, const std::vector<float>& back) {
  RoundTripError out;
  double energy = 0, squared = 0, small_energy = 0, small_squared = 0, n_small = 0, zeros = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = values[i], error = back[i] - x;
    out.max = std::max(out.max, std::fabs(error));
    energy += x * x;
    squared += error * error;
    if (values[i] == kOutlier) continue;
    ++n_small;
    small_energy += x * x;
    small_squared += error * error;
    zeros += back[i] == 0.0f;
  }
  out.rms = std::sqrt(squared / static_cast<double>(values.size()));
  out.relative = std::sqrt(squared / energy);
  out.small_rms = std::sqrt(small_squared / n_small);
  out.small_relative = std::sqrt(small_squared / small_energy);
  out.small_zeros = zeros / n_small;
  return out;
}

std::vector<float> LevelsOf(const NumberFormat& number) {
  std::vector<float> levels;
  for (uint32_t code = 0; code < 1u << number.bits; ++code) {
    const float value = number.decode(code) + 0.0f;  // one zero
    if (std::isfinite(value)) levels.push_back(value);
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

void AddLevels(const NumberFormat& number, FormatExplanation& out) {
  out.number = number.name;
  if (number.bits > 8) return;
  out.levels = LevelsOf(number);
  for (const float level : out.levels) out.levels_in_deviations.push_back(level / number.largest * 3.0f);
}

}  // namespace

std::vector<float> GaussianSample() {
  Random random(1);
  std::vector<float> values(static_cast<size_t>(kExplainRows * kExplainCols));
  for (float& x : values) x = static_cast<float>(random.Normal());
  return values;
}

std::vector<float> OutlierSample() {
  Random random(2);
  std::vector<float> values(static_cast<size_t>(kExplainRows * kExplainCols));
  for (float& x : values) x = static_cast<float>(random.Uniform() * 2 - 1) * kSpread;
  for (int64_t row = 0; row < kExplainRows; ++row)
    values[static_cast<size_t>(row * kExplainCols + (row * 37) % kExplainCols)] = kOutlier;
  return values;
}

FormatExplanation ExplainFormat(std::string_view name) {
  for (const Alias& alias : kAliases) {
    if (alias.name == name) return ExplainFormat(alias.format);
  }
  FormatExplanation out;
  const Format* format = FindFormat(name);
  const NumberFormat* number = FindNumberFormat(format != nullptr ? format->number : name);
  if (format == nullptr && number == nullptr) {
    std::vector<std::string> names;
    for (const Format& f : Formats()) names.emplace_back(f.name);
    for (const NumberFormat& f : NumberFormats()) names.emplace_back(f.name);
    Fail(ErrorKind::kUnsupported, "unknown format '{}': did you mean '{}'?", name, Nearest(name, names));
  }
  if (format != nullptr && format->encode_rows == nullptr)
    Fail(ErrorKind::kUnsupported, "format {} can be read but not written, so its error cannot be shown", name);
  out.name = name;
  out.description = format != nullptr ? format->description : number->description;
  out.bits_per_weight =
      format != nullptr ? BitsPerWeight(*format, kExplainRows, kExplainCols) : static_cast<double>(number->bits);
  if (number != nullptr) AddLevels(*number, out);
  // Codes that count from a minimum lie nowhere by themselves.
  if (format != nullptr && format->asymmetric && out.levels.front() >= 0) out.levels_in_deviations.clear();
  for (const auto& [values, error] : {std::pair{GaussianSample(), &out.gaussian}, {OutlierSample(), &out.outlier}})
    *error = Compare(values, format != nullptr ? ThroughBlocks(*format, values) : ThroughNumber(*number, values));
  return out;
}

}  // namespace assay
