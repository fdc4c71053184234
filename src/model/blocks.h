#pragma once
// What architectures are built from.

#include <initializer_list>
#include <string>
#include <vector>

#include "model/model.h"

namespace assay {

/// One float32 vector of a checkpoint, decoded once.
using Vector = std::vector<float>;

/// y = x · Wᵀ + b with the kernel that was chosen for W's format.
struct Linear {
  PackedView weight;  // [out, in]
  const LinearKernel* kernel = nullptr;
  Vector bias;  // [out]; empty: none
};

struct NormWeights {
  Vector weight, bias;  // [n]; weight empty: there is no such norm; bias empty: none
};

/// Reads tensors of a checkpoint with the shapes the configuration promises; every mismatch names tensor, expected and
/// found.
class WeightReader {
 public:
  WeightReader(const Checkpoint& checkpoint, const LoadOptions& options) : checkpoint_(checkpoint), options_(options) {}
  Vector ReadVector(const std::string& name, int64_t n) const;
  /// Empty when the checkpoint has none.
  Vector ReadOptionalVector(const std::string& name, int64_t n) const;
  /// A small matrix decoded, [rows * cols].
  Vector ReadTable(const std::string& name, int64_t rows, int64_t cols) const;
  /// NAME.weight and NAME.bias, both where they are there.
  NormWeights ReadNorm(const std::string& name, int64_t n) const;
  /// NAME.weight and, where there is one, NAME.bias.
  Linear ReadLinear(const std::string& name, int64_t out, int64_t in) const;
  PackedView ReadMatrix(const std::string& name, int64_t rows, int64_t cols) const;
  bool Has(const std::string& name) const { return checkpoint_.Find(name) != nullptr; }

 private:
  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
};

/// Runs several linears on the same input x [n_tokens, in]: out[i] is [n_tokens, linears[i]->weight.rows], row stride =
/// its rows. Prepared activations are shared where kernels agree. `slot` names two free workspace slots (slot, slot +
/// 1).
void RunLinears(std::initializer_list<const Linear*> linears, const float* x, int64_t n_tokens,
                std::initializer_list<float*> out, Workspace& workspace, int slot, ThreadPool& pool);

/// The rotation angles of a configuration: inverse frequencies after scaling, and the factor on cosine and sine (YaRN).
class RopeTable {
 public:
  enum class Kind {
    kMain,
    kLong,   // with rope_long_factors
    kLocal,  // of layers with local_rope: rope_local_theta, rope_local_scaling
  };
  RopeTable(const ModelConfig& config, Kind kind);
  /// cosine, sine: [rotary_dim / 2].
  void Angles(int64_t position, float* cosine, float* sine) const;
  int64_t half() const { return static_cast<int64_t>(frequencies_.size()); }

 private:
  void Yarn(const RopeScaling& scaling, double base);
  std::vector<float> frequencies_;
  float magnitude_ = 1.0f;
};

}  // namespace assay
