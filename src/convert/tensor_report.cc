#include "convert/tensor_report.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "describe/tensor_order.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr int64_t kPieceWeights = int64_t{1} << 18, kMaxPieces = 256;

int64_t RowsPerPiece(const PackedView& view) {
  return std::max({int64_t{1}, kPieceWeights / std::max<int64_t>(1, view.cols), view.rows / kMaxPieces});
}

int64_t Pieces(const PackedView& view) {
  return (view.rows + RowsPerPiece(view) - 1) / RowsPerPiece(view);
}

/// Calls body for every decoded row; the rows of a piece come in order on one thread, pieces number from 0.
void ForPieces(const PackedView& view, ThreadPool& pool,
               const std::function<void(int64_t row, int64_t piece, const std::vector<float>& values)>& body) {
  const int64_t rows = RowsPerPiece(view);
  pool.For(Pieces(view), 1, [&](int64_t from, int64_t to, int) {
    std::vector<float> values(static_cast<size_t>(view.cols));
    for (int64_t piece = from; piece < to; ++piece)
      for (int64_t row = piece * rows; row < std::min(view.rows, (piece + 1) * rows); ++row) {
        view.format->decode_row(view, row, values.data());
        body(row, piece, values);
      }
  });
}

MomentSums MeasureMoments(const PackedView& view, ThreadPool& pool) {
  std::vector<MomentSums> parts(static_cast<size_t>(Pieces(view)));
  ForPieces(view, pool, [&](int64_t, int64_t piece, const std::vector<float>& values) {
    parts[static_cast<size_t>(piece)].Add(values);
  });
  MomentSums all;
  for (const MomentSums& part : parts) all.Add(part);
  return all;
}

void Release(const PackedView& view) {
  ReleasePages({view.codes, static_cast<size_t>(CodesBytes(*view.format, view.rows, view.cols))});
}

TensorErrorSums CompareTensors(const PackedView& view, const PackedView& base, const TensorOrder& order,
                               ThreadPool& pool) {
  std::vector<TensorErrorSums> parts(static_cast<size_t>(Pieces(view)));
  ForPieces(view, pool, [&](int64_t row, int64_t piece, const std::vector<float>& values) {
    std::vector<float> expected(values.size());
    DecodeInOrder(base, order, row, expected.data());
    parts[static_cast<size_t>(piece)].Add(expected, values);
  });
  TensorErrorSums all;
  for (const TensorErrorSums& part : parts) all.Add(part);
  return all;
}

void Begin(Progress& progress, const char* what, const Checkpoint& checkpoint) {
  progress.Begin(what, checkpoint.parameter_count(), "weights");
}

void Advance(Progress& progress, const Tensor& tensor) {
  progress.Advance(static_cast<uint64_t>(tensor.rows) * static_cast<uint64_t>(tensor.cols));
  if (progress.Cancelled()) throw Interrupted();
}

}  // namespace

std::vector<TensorError> MeasureErrors(const Checkpoint& candidate, const Checkpoint& base, ThreadPool& pool,
                                       Progress& progress) {
  const std::string where = candidate.path().string(), base_where = base.path().string();
  for (const Tensor& tensor : base.tensors())
    if (!IsRopeTable(tensor.name) && !candidate.Find(tensor.name) && tensor.name != "output.weight")
      Fail(ErrorKind::kInvalid, "{}: tensor {} of {} is not there: these are not the same model", where, tensor.name,
           base_where);
  Begin(progress, "compare", candidate);
  std::vector<TensorError> errors;
  for (const Tensor& tensor : candidate.tensors()) {
    if (IsRopeTable(tensor.name)) continue;
    const Tensor* other = base.Find(tensor.name);
    // A head tied in one file may be written out in the other.
    if (!other && tensor.name == "output.weight") other = base.Find("token_embd.weight");
    if (!other)
      Fail(ErrorKind::kInvalid, "{}: tensor {} is not in {}: these are not the same model", where, tensor.name,
           base_where);
    const TensorOrder order = OrderBetween(base.config(), OrdersOf(candidate.config()), tensor.name);
    if (order.Shape(other->shape) != tensor.shape)
      Fail(ErrorKind::kInvalid, "{}: tensor {} is {}, in {} it is {}", where, tensor.name, ShapeText(tensor.shape),
           base_where, ShapeText(other->shape));
    const LoadedTensor loaded = tensor.Load(pool), original = other->Load(pool);
    errors.push_back({&tensor, other->format->name, CompareTensors(loaded.view, original.view, order, pool)});
    Release(loaded.view);
    Release(original.view);
    Advance(progress, tensor);
  }
  progress.End();
  return errors;
}

TensorHistogram MeasureHistogram(const Tensor& tensor, int n_bins, ThreadPool& pool) {
  ASSAY_CHECK(n_bins > 0);
  TensorHistogram histogram;
  const LoadedTensor loaded = tensor.Load(pool);
  const PackedView& view = loaded.view;
  histogram.moments = MeasureMoments(view, pool);
  const size_t bins = static_cast<size_t>(n_bins);
  const double least = histogram.moments.least, width = (histogram.moments.greatest - least) / n_bins;
  std::vector<std::vector<uint64_t>> parts(static_cast<size_t>(Pieces(view)), std::vector<uint64_t>(bins));
  ForPieces(view, pool, [&](int64_t, int64_t piece, const std::vector<float>& values) {
    for (float value : values) {
      const size_t bin = width > 0 ? static_cast<size_t>(std::max(0.0, (value - least) / width)) : 0;
      ++parts[static_cast<size_t>(piece)][std::min(bin, bins - 1)];
    }
  });
  histogram.bins.assign(bins, 0);
  for (const auto& part : parts)
    for (size_t i = 0; i < bins; ++i) histogram.bins[i] += part[i];
  return histogram;
}

std::vector<TensorOutliers> MeasureOutliers(const Checkpoint& checkpoint, ThreadPool& pool, Progress& progress) {
  Begin(progress, "look for outliers", checkpoint);
  std::vector<TensorOutliers> all;
  for (const Tensor& tensor : checkpoint.tensors()) {
    if (tensor.shape.size() == 2 && tensor.cols > 0 && !tensor.format->integers) {
      TensorOutliers found;
      found.tensor = &tensor;
      const LoadedTensor loaded = tensor.Load(pool);
      const PackedView& view = loaded.view;
      found.moments = MeasureMoments(view, pool);
      const double mean = found.moments.mean(), limit = 6 * found.moments.deviation();
      const size_t cols = static_cast<size_t>(tensor.cols), pieces = static_cast<size_t>(Pieces(view));
      std::vector<uint64_t> beyond(pieces);
      std::vector<double> energy(cols), part(cols * pieces);
      ForPieces(view, pool, [&](int64_t, int64_t piece, const std::vector<float>& values) {
        double* sums = part.data() + static_cast<size_t>(piece) * cols;
        for (size_t c = 0; c < cols; ++c) {
          sums[c] += static_cast<double>(values[c]) * values[c];
          beyond[static_cast<size_t>(piece)] += std::fabs(values[c] - mean) > limit;
        }
      });
      for (size_t p = 0; p < pieces; ++p) {
        found.beyond_6_sigma += beyond[p];
        for (size_t c = 0; c < cols; ++c) energy[c] += part[p * cols + c];
      }
      found.channel = std::max_element(energy.begin(), energy.end()) - energy.begin();
      const double largest = energy[static_cast<size_t>(found.channel)];
      std::nth_element(energy.begin(), energy.begin() + static_cast<std::ptrdiff_t>(cols / 2), energy.end());
      found.channel_ratio = energy[cols / 2] > 0 ? std::sqrt(largest / energy[cols / 2]) : 0;
      all.push_back(found);
      Release(view);
    }
    Advance(progress, tensor);
  }
  progress.End();
  return all;
}

}  // namespace assay
