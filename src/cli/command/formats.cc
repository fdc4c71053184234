#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/plot.h"
#include "number/table.h"
#include "quantize/explain.h"
#include "quantize/presets.h"

namespace assay {
namespace {

// What an explained format is shown beside.
constexpr std::string_view kBeside[] = {"bf16", "fp8", "int8", "nvfp4", "mxfp4", "nf4", "int4", "q4_k"};

Json ErrorJson(const RoundTripError& e) {
  return {{"rms", e.rms},
          {"relative", e.relative},
          {"max", e.max},
          {"small_rms", e.small_rms},
          {"small_relative", e.small_relative},
          {"small_zeros", e.small_zeros}};
}

void PrintLevels(const FormatExplanation& e) {
  if (e.levels.empty()) return;
  std::string values;
  const size_t shown = std::min<size_t>(e.levels.size(), 40), first = e.levels.size() > shown ? e.levels.size() / 2 : 0;
  for (size_t i = first; i < std::min(e.levels.size(), first + shown); ++i)
    values += fmt::format("{}{:g}", values.empty() ? "" : " ", e.levels[i]);
  Print(fmt::format(
      "\n{} levels{}", e.levels.size(),
      first > 0 ? fmt::format(" from {:g} to {:g}; upwards of the middle:", e.levels.front(), e.levels.back()) : ":"));
  Print("  " + values + (first + shown < e.levels.size() ? " …" : ""));
}

// Where levels lie against the weights that they have to stand for.
void PrintAgainstGaussian(const FormatExplanation& e) {
  if (e.levels_in_deviations.empty()) return;
  constexpr int kBins = 25;
  constexpr double kReach = 3.125;
  std::vector<double> levels(kBins), mass(kBins);
  for (double x : e.levels_in_deviations) {
    const int bin = static_cast<int>(std::floor((x + kReach) / (2 * kReach) * kBins));
    if (bin >= 0 && bin < kBins) ++levels[static_cast<size_t>(bin)];
  }
  auto below = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  for (int i = 0; i < kBins; ++i) {
    const double left = -kReach + 2 * kReach * i / kBins;
    mass[static_cast<size_t>(i)] = below(left + 2 * kReach / kBins) - below(left);
  }
  const double most = *std::max_element(levels.begin(), levels.end()),
               heaviest = *std::max_element(mass.begin(), mass.end());
  Print("\nlevels against normal weights (largest level at 3σ)");
  Print(fmt::format("  {:>6}  {:<32}  {}", "", "share of weights", "levels"));
  for (int i = 0; i < kBins; ++i) {
    const auto at = static_cast<size_t>(i);
    Print(fmt::format("  {:>5.2f}σ  {}  {} {}", -kReach + 2 * kReach * (i + 0.5) / kBins,
                      PadRight(Bar(mass[at] / heaviest, 32), 32), Bar(levels[at] / most, 32),
                      static_cast<int>(levels[at])));
  }
}

int Explain(const std::string& name, const CommonFlags& flags) {
  const FormatExplanation asked = ExplainFormat(name);
  if (flags.json) {
    PrintJson({{"name", asked.name},
               {"description", asked.description},
               {"number", asked.number},
               {"bits_per_weight", asked.bits_per_weight},
               {"levels", asked.levels},
               {"gaussian", ErrorJson(asked.gaussian)},
               {"outlier", ErrorJson(asked.outlier)}});
    return kHolds;
  }
  Print(fmt::format("{}: {}{}, {:.3f} bits per weight", asked.name, asked.description,
                    asked.number.empty() ? "" : fmt::format(" (codes: {})", asked.number), asked.bits_per_weight));
  PrintLevels(asked);
  PrintAgainstGaussian(asked);
  std::vector<FormatExplanation> rows = {asked};
  for (std::string_view other : kBeside) {
    FormatExplanation e = ExplainFormat(other);
    if (e.name != asked.name) rows.push_back(std::move(e));
  }
  Print(fmt::format("\nerror, computed by encoding and decoding {} values ({} rows of {})", kExplainRows * kExplainCols,
                    kExplainRows, kExplainCols));
  Print(fmt::format("  {:<18} {:>6}   {:<12}   within ±0.3 beside one 60 in each row", "", "", "normal values"));
  Print(
      fmt::format("  {:<18} {:>6}   {:>12}   {:>12} {:>18}", "format", "bits", "relative", "relative", "become zero"));
  for (const FormatExplanation& e : rows)
    Print(fmt::format("  {:<18} {:>6.3f}   {:>10.3f} %   {:>10.3f} % {:>16.1f} %", e.name, e.bits_per_weight,
                      100 * e.gaussian.relative, 100 * e.outlier.small_relative, 100 * e.outlier.small_zeros));
  return kHolds;
}

}  // namespace

std::function<int()> AddFormats(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string explain;
    bool all = false;
  };
  auto o = std::make_shared<Options>();
  command.Option("--explain", o->explain,
                 "levels of a format, and its error on normal values and beside an outlier: fp8, int8, nf4, q4_k …");
  command.Switch("--all", o->all, "every parameter of the block formats, and the number formats");
  return [o, &flags] {
    if (!o->explain.empty()) return Explain(o->explain, flags);
    if (flags.json) {
      Json out = {{"presets", Json::array()}, {"formats", Json::array()}};
      for (const PresetInfo& p : Preset::All())
        out["presets"].push_back({{"name", p.name},
                                  {"container", p.container == Container::kGguf ? "gguf" : "safetensors"},
                                  {"base", p.base},
                                  {"description", p.description}});
      for (const Format& f : Formats())
        out["formats"].push_back(
            {{"name", f.name}, {"bits_per_weight", BitsPerWeight(f, 4096, 4096)}, {"description", f.description}});
      PrintJson(out);
      return static_cast<int>(kHolds);
    }
    Print("Presets (assay quantize --to, assay check --to)");
    for (const PresetInfo& p : Preset::All())
      Print(fmt::format("  {:<10} {:<12} {}", p.name, p.container == Container::kGguf ? "GGUF" : "safetensors",
                        p.description));
    Print("\nBlock formats (bits per weight of a 4096 × 4096 matrix, scales included)");
    size_t hidden = 0;
    for (const Format& f : Formats()) {
      if (f.variant && !o->all) {
        ++hidden;
        continue;
      }
      Print(fmt::format("  {:<22} {:>7.4f}  {}", f.name, BitsPerWeight(f, 4096, 4096), f.description));
    }
    if (hidden > 0) Print(fmt::format("  … and {} with other widths, groups or activations (--all)", hidden));
    if (o->all) {
      Print("\nNumber formats");
      for (const NumberFormat& n : NumberFormats())
        Print(fmt::format("  {:<22} {:>3} bits, up to {:<12g} {}", n.name, n.bits, n.largest, n.description));
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
