#pragma once
// The one way from a checkpoint to another: tensors in order, blocks of rows one after another. All workers make the
// rows of a block; one of them writes the block before it. What is on the disk goes into a journal, so that an
// interrupted output is continued: it comes out as if nothing had happened.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"
#include "convert/journal.h"
#include "describe/tensor_order.h"
#include "system/threads.h"

namespace assay {

/// Rows of one tensor that are being made.
struct RowBlock {
  int64_t begin = 0;  // of the tensor
  PackedView packed;  // of these rows alone, with the job's global scale; the planes are what is being made
  std::byte* codes = nullptr;
  std::byte* scales = nullptr;  // null: the format has none apart
  std::vector<double> errors,
      energies;  // [rows] zeros: Σ (written - source)² and Σ source² of a row, if it is measured

  /// Where row `row` of the block begins in a plane.
  std::byte* CodesAt(int64_t row) const;
  std::byte* ScalesAt(int64_t row) const;
};

/// One tensor of the output and how its rows come into being.
struct StreamJob {
  const Tensor* source = nullptr;
  OutputTensor output;  // as many columns as the source, and as many rows but where the order takes some twice
  TensorOrder order;
  void Follow(TensorOrder target);
  /// Once, before the first rows, while the planes of the source are loaded: what needs a look at whole tensors. On the
  /// calling thread, so that it may use the pool. None: nothing does.
  std::function<void()> prepare;
  /// Makes rows [first, first + n) of the block. On any worker of the pool, those of other rows at the same time;
  /// `first` and n are whole blocks of the format but at its end.
  std::function<void(const PackedView& source, RowBlock& block, int64_t first, int64_t n, int worker)> make;
  bool has_global = false;  // it goes to CheckpointWriter::SetGlobal
  /// Known once it is prepared; in the end also what was measured of all rows.
  WrittenTensor written;
};

/// Weights that one worker takes at a time: they stay in its cache.
inline constexpr int64_t kGrainWeights = 8192;
/// The rows of about so many weights that are whole blocks of the format together; at least the fewest.
int64_t RowsTogether(const OutputTensor& tensor, int64_t weights);

/// The writer of an output and the journal of what it wrote.
class StreamOutput {
 public:
  /// What becomes of an unfinished output is told to `tell`: that it is continued, or why it is begun anew. Without it
  /// there is no journal: an interruption leaves nothing, and nothing is continued. `settings` and `jobs` are what
  /// determines the output beside the model's files. Throws what `make_writer` does, before anything is written.
  StreamOutput(const std::filesystem::path& out, const Checkpoint& source, Json settings,
               const std::vector<StreamJob>& jobs, OutputRules rules,
               const std::function<std::unique_ptr<CheckpointWriter>(const OutputRules&)>& make_writer,
               const std::function<void(std::string_view)>& tell);

  CheckpointWriter& writer() { return *writer_; }
  bool continued() const { return journal_ && journal_->written().any(); }

  struct Words {
    std::string what;       // for Progress; of a continued output it says where
    std::string_view unit;  // of Progress
    uint64_t units_per_weight = 1;
  };
  /// Makes all rows that are missing and writes them. Throws Interrupted, of an output with a journal once that and the
  /// files are saved, and what prepare, make and the writer throw, after which nothing is left.
  void Stream(std::vector<StreamJob>& jobs, const Words& words, ThreadPool& pool, Progress& progress);
  /// The output has its name, and the journal is gone.
  void Commit();

 private:
  void LeaveNothing();

  std::optional<OutputJournal> journal_;
  std::unique_ptr<CheckpointWriter> writer_;
};

}  // namespace assay
