#pragma once
// A model that can be run. Const after Load and shareable; what changes (key-value caches, scratch) is an argument.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "kernel/linear.h"
#include "system/threads.h"

namespace assay {

/// Keys and values of one sequence: per layer [capacity, n_kv_heads * head_dim] twice. Half precision in deployed
/// arithmetic (what the engines use by default), float32 in reference arithmetic.
class Sequence {
 public:
  Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity);
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  bool half() const { return half_; }
  /// Forgets everything from position `length` on.
  void Truncate(int64_t length);
  /// Takes over the first n positions of another sequence of the same model.
  void CopyPrefix(const Sequence& other, int64_t n);
  std::byte* Keys(int64_t layer) const { return data_.get() + layer * 2 * layer_bytes_; }
  std::byte* Values(int64_t layer) const { return Keys(layer) + layer_bytes_; }
  int64_t row_elements() const { return row_elements_; }
  void set_length(int64_t length) { length_ = length; }
  int64_t bytes() const { return layers_ * 2 * layer_bytes_; }

 private:
  int64_t layers_, row_elements_, capacity_, layer_bytes_, length_ = 0;
  bool half_;
  std::unique_ptr<std::byte[]> data_;
};

/// One token of a batch. Tokens of one sequence stand together and in order, the first at position sequence->length().
struct BatchToken {
  TokenId id = 0;
  Sequence* sequence = nullptr;
  bool want_logits = false;
};

/// Scratch of Forward; grows to the largest batch seen and is then reused.
class Workspace {
 public:
  /// 64-byte aligned; slots are independent buffers.
  float* Floats(int slot, int64_t count);
  std::byte* Bytes(int slot, int64_t count);
  int64_t bytes() const;

 private:
  static constexpr int kSlots = 16;
  struct Buffer {
    std::unique_ptr<std::byte[]> data;
    int64_t size = 0;
  };
  Buffer buffers_[kSlots];
};

struct LoadOptions {
  Arithmetic arithmetic = Arithmetic::kDeployed;
  std::string kernel;  // force a linear kernel by name
};

class Model {
 public:
  /// Throws Error{kUnsupported} naming the architecture and the nearest supported one, kCorrupt for missing or
  /// misshapen tensors.
  static std::shared_ptr<const Model> Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
  virtual ~Model() = default;

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const ModelConfig& config() const { return checkpoint_->config(); }
  Arithmetic arithmetic() const { return options_.arithmetic; }
  const LoadOptions& options() const { return options_; }

  /// Runs the tokens, appends their keys and values, and writes one row of logits [vocab] per token that wants them, in
  /// batch order. The bits of a token's logits depend on its own sequence alone.
  virtual void Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool,
                       float* logits) const = 0;

  /// "q4_k: avx512-vnni …" per format in use, for --verbose.
  virtual std::vector<std::string> KernelReport() const = 0;

 protected:
  Model(std::shared_ptr<const Checkpoint> checkpoint, LoadOptions options);
  std::shared_ptr<const Checkpoint> checkpoint_;
  LoadOptions options_;
};

/// A row of the architecture table (arch/table.cc).
struct Architecture {
  std::string_view name;
  std::shared_ptr<const Model> (*load)(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
};
std::span<const Architecture> Architectures();

}  // namespace assay
