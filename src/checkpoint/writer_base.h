#pragma once
// What the two writers share. Internal to checkpoint/.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/writer.h"

namespace assay {

/// The order of calls: tensors in order, rows in order, planes of the right size. Our own callers' duty, so failing is
/// our bug.
class WriteCursor {
 public:
  explicit WriteCursor(const std::vector<OutputTensor>& tensors) : tensors_(tensors) {}
  void Accept(size_t tensor, int64_t row_begin, int64_t n_rows, size_t codes_bytes, size_t scales_bytes);
  void ContinueAt(size_t tensor, int64_t row);
  bool TensorDone() const { return row_ == tensors_[tensor_].rows; }
  bool AllDone() const;

 private:
  const std::vector<OutputTensor>& tensors_;
  size_t tensor_ = 0;
  int64_t row_ = 0;
};

/// Our tensors laid into those that a container has. `stored` are the container's, in the order in which their first
/// part comes; part i says where outputs[i] goes.
struct MergePlan {
  struct Part {
    size_t stored = 0;
    StoredPlace place;
  };
  std::vector<OutputTensor> stored;
  std::vector<Part> parts;
};
/// Throws Error{kInvalid} where the parts of one tensor have different formats, or one is missing.
MergePlan PlanMerge(const Layout& layout, Container container, const std::vector<OutputTensor>& outputs,
                    std::string_view where);

/// What of `tensors` has no place among `slots`, and which required one is missing; sentences without their subject.
std::vector<std::string> WrongTensors(const std::vector<TensorSlot>& slots, const std::vector<OutputTensor>& tensors);

std::unique_ptr<CheckpointWriter> CreateGgufWriter(const std::filesystem::path& out, const Checkpoint& source,
                                                   std::string_view preset, const std::vector<OutputTensor>& tensors,
                                                   uint64_t shard_bytes, const OutputRules& rules);
std::unique_ptr<CheckpointWriter> CreateHfWriter(const std::filesystem::path& out, const Checkpoint& source,
                                                 const std::vector<OutputTensor>& tensors, uint64_t shard_bytes,
                                                 std::string_view container, const OutputRules& rules);

}  // namespace assay
