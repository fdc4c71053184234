#pragma once
// A linear layer of a loaded model, and what may look at its products or change them.

#include <functional>
#include <string>
#include <vector>

#include "kernel/linear.h"

namespace assay {

/// One float32 vector of a checkpoint, decoded once.
using Vector = std::vector<float>;

/// y = x · Wᵀ + b with the kernel that was chosen for W's format.
struct Linear {
  std::string name;   // "blk.3.ffn_down"
  int64_t layer = 0;  // 3; -1: of none
  PackedView weight;  // [out, in]
  const LinearKernel* kernel = nullptr;
  Vector bias;  // [out]; empty: none
  /// Some layers come without one.
  bool present() const { return kernel != nullptr; }
};

/// Rows of a matrix that lie `stride` elements apart: all of it, or some of its columns.
template <typename T>
struct RowsOf {
  T* data = nullptr;
  int64_t stride = 0;
  T* operator[](int64_t row) const { return data + row * stride; }
  /// The same rows from a column on.
  RowsOf From(int64_t column) const { return {data + column, stride}; }
  operator RowsOf<const T>() const { return {data, stride}; }
};
using Rows = RowsOf<float>;
using ConstRows = RowsOf<const float>;

/// Called while a model runs, on the thread that runs it, between the loops of its thread pool. An empty one costs
/// nothing.
struct LinearHooks {
  /// The inputs x [n, in] of every product, before it.
  std::function<void(const Linear&, ConstRows x, int64_t n)> observe;
  /// Instead of a product: fills y [n, out]. `product` computes the plain one into y, for hooks that add to it.
  std::function<void(const Linear&, ConstRows x, int64_t n, Rows y, const std::function<void()>& product)> multiply;
};

}  // namespace assay
