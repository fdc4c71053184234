#pragma once
// What `assay inspect` measures on weights: error against another checkpoint, distribution, outliers. Tensors are
// decoded a few rows at a time from the mapped files; sums are added in row order, so results do not depend on threads.

#include <string>
#include <vector>

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "statistics/tensor_error.h"
#include "system/threads.h"

namespace assay {

struct TensorError {
  const Tensor* tensor = nullptr;  // of the candidate
  std::string_view base_format;
  TensorErrorSums sums;
};

/// Every matrix and vector of `candidate` against the tensor of the same name in `base`, whichever containers the two
/// are in. Throws Error{kInvalid} when the two are not the same model: names, shapes or the position encoding differ.
std::vector<TensorError> MeasureErrors(const Checkpoint& candidate, const Checkpoint& base, ThreadPool& pool,
                                       Progress& progress);

/// Decoded weights between least and greatest in bins of equal width.
struct TensorHistogram {
  MomentSums moments;
  std::vector<uint64_t> bins;
};
TensorHistogram MeasureHistogram(const Tensor& tensor, int n_bins, ThreadPool& pool);

struct TensorOutliers {
  const Tensor* tensor = nullptr;
  MomentSums moments;
  uint64_t beyond_6_sigma = 0;  // weights farther than six standard deviations from the mean
  /// The input channel (column) with the largest root mean square, and how many times the median channel's it is.
  int64_t channel = 0;
  double channel_ratio = 0;
};
/// Matrices only.
std::vector<TensorOutliers> MeasureOutliers(const Checkpoint& checkpoint, ThreadPool& pool, Progress& progress);

}  // namespace assay
