#pragma once
// Rotary position embedding: the angles of a configuration.

#include <optional>
#include <vector>

#include "describe/model_config.h"

namespace assay {

/// Inverse frequencies after scaling, and the factor on cosine and sine (YaRN).
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

struct Pass;

/// All tables of a model.
class RopeAngles {
 public:
  explicit RopeAngles(const ModelConfig& config);
  const RopeTable& main() const { return main_; }
  /// Fills the angles that a pass shares.
  void Angles(const Pass& pass) const;

 private:
  RopeTable main_;
  std::optional<RopeTable> long_, local_;
};

}  // namespace assay
