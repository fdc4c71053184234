#include "cli/command/inspect_weights.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/plot.h"
#include "convert/tensor_report.h"

namespace assay {
namespace {

/// Finite, or null: JSON has no infinity.
Json Number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

size_t Shown(size_t n, int limit) {
  return limit > 0 ? std::min(n, static_cast<size_t>(limit)) : n;
}

void NoteHidden(size_t n, size_t shown, const char* what) {
  if (shown < n) Print(fmt::format("  … {} more {} (--limit 0 shows all)", n - shown, what));
}

Json MomentsJson(const MomentSums& m) {
  return {{"n", m.n},        {"mean", m.mean()},  {"deviation", m.deviation()},
          {"min", m.least},  {"max", m.greatest}, {"kurtosis", m.kurtosis()},
          {"zeros", m.zeros}};
}

}  // namespace

int InspectErrors(const Checkpoint& checkpoint, const Checkpoint& base, int limit, const CommonFlags& flags) {
  ThreadPool pool(flags.threads);
  auto progress = MakeProgress(flags);
  std::vector<TensorError> errors = MeasureErrors(checkpoint, base, pool, *progress);
  std::stable_sort(errors.begin(), errors.end(),
                   [](const TensorError& a, const TensorError& b) { return a.sums.relative() > b.sums.relative(); });
  TensorErrorSums all;
  for (const TensorError& error : errors) all.Add(error.sums);
  if (flags.json) {
    Json tensors = Json::array();
    for (const TensorError& e : errors)
      tensors.push_back({{"name", e.tensor->name},
                         {"format", e.tensor->format->name},
                         {"base_format", e.base_format},
                         {"rmse", e.sums.rmse()},
                         {"relative", Number(e.sums.relative())},
                         {"cosine", e.sums.cosine()},
                         {"snr_db", Number(e.sums.signal_to_noise())},
                         {"max", e.sums.largest_error}});
    PrintJson({{"path", checkpoint.path().string()},
               {"base", base.path().string()},
               {"rmse", all.rmse()},
               {"relative", Number(all.relative())},
               {"tensors", tensors}});
    return kHolds;
  }
  Print(fmt::format("{} against {}: RMSE {:.6f}, relative error {:.3f} %\n", checkpoint.path().string(),
                    base.path().string(), all.rmse(), 100 * all.relative()));
  Print(fmt::format("  {:<28} {:<12} {:>10} {:>9} {:>10} {:>7} {:>9}", "tensor, worst first", "format", "rmse",
                    "relative", "cosine", "SNR dB", "max"));
  const double worst = errors.empty() ? 0 : errors.front().sums.relative();
  const size_t shown = Shown(errors.size(), limit);
  for (size_t i = 0; i < shown; ++i) {
    const TensorError& e = errors[i];
    Print(fmt::format("  {:<28} {:<12} {:>10.6f} {:>7.3f} % {:>10.7f} {:>7.1f} {:>9.5f} {}", e.tensor->name,
                      e.tensor->format->name, e.sums.rmse(), 100 * e.sums.relative(), e.sums.cosine(),
                      e.sums.signal_to_noise(), e.sums.largest_error,
                      Bar(worst > 0 ? e.sums.relative() / worst : 0, 20)));
  }
  NoteHidden(errors.size(), shown, "tensors");
  return kHolds;
}

int InspectHistogram(const Checkpoint& checkpoint, const std::string& name, int bins, const CommonFlags& flags) {
  const Tensor* tensor = checkpoint.Find(name);
  std::vector<std::string> names;
  for (const Tensor& t : checkpoint.tensors()) {
    if (!tensor && t.source_name == name) tensor = &t;
    names.push_back(t.name);
  }
  if (!tensor) {
    std::string nearest = Nearest(name, names);
    Fail(ErrorKind::kNotFound, "{}: there is no tensor {}{}", checkpoint.path().string(), name,
         nearest.empty() ? " (--tensors lists them)" : fmt::format(" (did you mean {}?)", nearest));
  }
  ThreadPool pool(flags.threads);
  const TensorHistogram histogram = MeasureHistogram(*tensor, bins, pool);
  const MomentSums& m = histogram.moments;
  const double width = (m.greatest - m.least) / bins;
  if (flags.json) {
    PrintJson({{"tensor", tensor->name},
               {"format", tensor->format->name},
               {"shape", tensor->shape},
               {"moments", MomentsJson(m)},
               {"bin_width", width},
               {"bins", histogram.bins}});
    return kHolds;
  }
  Print(fmt::format("{}: {}, {} weights", tensor->name, tensor->format->name, m.n));
  Print(fmt::format(
      "  min {:.6g}, max {:.6g}, mean {:.3g}, deviation {:.6g}, kurtosis {:.2f} (Gaussian 3), zeros {:.2f} %", m.least,
      m.greatest, m.mean(), m.deviation(), m.kurtosis(),
      m.n ? 100.0 * static_cast<double>(m.zeros) / static_cast<double>(m.n) : 0));
  const double most = static_cast<double>(*std::max_element(histogram.bins.begin(), histogram.bins.end()));
  const int columns = std::clamp(TerminalWidth() - 32, 20, 100);
  for (int i = 0; i < bins; ++i) {
    const uint64_t count = histogram.bins[static_cast<size_t>(i)];
    // A bin that is not empty shows at least a sliver: outliers are what people look for.
    const double share = count ? std::max(static_cast<double>(count) / most, 0.13 / columns) : 0;
    Print(fmt::format("  {:>12.5g} {:>12}  {}", m.least + width * (i + 0.5), count, Bar(share, columns)));
  }
  return kHolds;
}

int InspectOutliers(const Checkpoint& checkpoint, int limit, const CommonFlags& flags) {
  ThreadPool pool(flags.threads);
  auto progress = MakeProgress(flags);
  std::vector<TensorOutliers> all = MeasureOutliers(checkpoint, pool, *progress);
  std::stable_sort(all.begin(), all.end(), [](const TensorOutliers& a, const TensorOutliers& b) {
    return a.moments.kurtosis() > b.moments.kurtosis();
  });
  if (flags.json) {
    Json tensors = Json::array();
    for (const TensorOutliers& t : all)
      tensors.push_back({{"name", t.tensor->name},
                         {"format", t.tensor->format->name},
                         {"moments", MomentsJson(t.moments)},
                         {"beyond_6_sigma", t.beyond_6_sigma},
                         {"channel", t.channel},
                         {"channel_ratio", t.channel_ratio}});
    PrintJson({{"path", checkpoint.path().string()}, {"tensors", tensors}});
    return kHolds;
  }
  Print(
      fmt::format("{}: outliers among the weights (activations need calibration text)\n", checkpoint.path().string()));
  Print(fmt::format("  {:<28} {:>9} {:>9} {:>10} {:>22}", "tensor, heaviest tails first", "kurtosis", "max/σ",
                    "beyond 6σ", "loudest input channel"));
  const size_t shown = Shown(all.size(), limit);
  for (size_t i = 0; i < shown; ++i) {
    const TensorOutliers& t = all[i];
    const double sigma = t.moments.deviation();
    Print(fmt::format("  {:<28} {:>9.2f} {:>9.1f} {:>10} {:>9} ({:>5.1f} × median)", t.tensor->name,
                      t.moments.kurtosis(), sigma > 0 ? t.moments.largest() / sigma : 0, t.beyond_6_sigma, t.channel,
                      t.channel_ratio));
  }
  NoteHidden(all.size(), shown, "matrices");
  return kHolds;
}

}  // namespace assay
