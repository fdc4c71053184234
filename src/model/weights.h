#pragma once
// The weights of a model's parts, read with the shapes that the configuration promises.

#include <map>
#include <string>

#include "checkpoint/checkpoint.h"
#include "model/linear.h"

namespace assay {

struct LoadOptions {
  Arithmetic arithmetic = Arithmetic::kDeployed;
  std::string kernel;  // force a linear kernel by name
};

struct NormWeights {
  Vector weight, bias;  // [n]; weight empty: there is no such norm; bias empty: none
};

/// The matrices of a loaded model, by name.
using LoadedMatrices = std::map<std::string, LoadedTensor>;

/// Reads tensors of a checkpoint, making on `pool` the planes that have to be made; every mismatch names tensor,
/// expected and found. Without a checkpoint it makes the parts in their shapes alone, so that what they take can be
/// planned.
class WeightReader {
 public:
  /// Matrices stay in `matrices`, which outlives the parts.
  WeightReader(const Checkpoint& checkpoint, const LoadOptions& options, ThreadPool& pool, LoadedMatrices& matrices)
      : checkpoint_(&checkpoint), options_(options), pool_(&pool), matrices_(&matrices) {}
  /// Shapes alone, with matrices in one format; null: in the one whose activations are largest.
  WeightReader(Arithmetic arithmetic, const Format* format) : options_{arithmetic, ""}, format_(format) {}
  /// Of one layer: names are those behind "blk.N.".
  WeightReader OfLayer(int64_t layer) const;

  bool Has(const std::string& name) const;
  Vector ReadVector(const std::string& name, int64_t n) const;
  /// Empty when the checkpoint has none.
  Vector ReadOptionalVector(const std::string& name, int64_t n) const;
  /// A small matrix decoded, [rows * cols]. Nothing else of it stays.
  Vector ReadTable(const std::string& name, int64_t rows, int64_t cols) const;
  /// NAME.weight and NAME.bias, both where they are there.
  NormWeights ReadNorm(const std::string& name, int64_t n) const;
  /// NAME.weight and, where there is one, NAME.bias.
  Linear ReadLinear(const std::string& name, int64_t out, int64_t in) const;
  PackedView ReadMatrix(const std::string& name, int64_t rows, int64_t cols) const;

 private:
  const Tensor& Get(const std::string& name, const std::vector<int64_t>& shape) const;
  const LinearKernel& Kernel(const PackedView& weight) const;
  const Checkpoint* checkpoint_ = nullptr;
  LoadOptions options_;
  ThreadPool* pool_ = nullptr;
  LoadedMatrices* matrices_ = nullptr;
  const Format* format_ = nullptr;
  std::string prefix_;
  int64_t layer_ = -1;
};

}  // namespace assay
