#include "convert/stream.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/model_files.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockWeights = int64_t{4} << 20;  // that are made between two writes
// Flushing takes as long as the disk wants: saved as often as costs a few percent, and not more than is worth it.
constexpr double kSaveEvery_s = 2.0, kSaveShare = 0.04;

/// Which files the weights and what they mean come from. Others may lie in their folder, this output among them.
std::vector<FileState> SourceFiles(const Checkpoint& source) {
  std::vector<FileState> files = ModelFiles(source.path());
  if (source.container() == Container::kHuggingFace)
    std::erase_if(files, [](const FileState& file) {
      return file.path.extension() != ".safetensors" && file.path.extension() != ".json";
    });
  std::sort(files.begin(), files.end(), [](const FileState& a, const FileState& b) { return a.path < b.path; });
  return files;
}

/// Hash over what is made: names, formats, shapes, orders.
std::string PlanHash(const std::vector<StreamJob>& jobs) {
  Hasher hasher;
  const auto add = [&](const auto& values) { hasher.Add(std::as_bytes(std::span(values))); };
  for (const StreamJob& job : jobs) {
    const OutputTensor& out = job.output;
    hasher.AddText(out.name);
    hasher.AddText(job.source->format->name);
    hasher.AddText(out.format->name);
    hasher.AddText(out.scale_dtype);
    hasher.AddText(fmt::format("{} {} {} {} {} {} {} {} {}", ShapeText(out.shape), out.activation_scale,
                               out.second_scale, job.has_global, out.column_group.size(), job.order.rows.size(),
                               job.order.cols.size(), job.order.factors.size(), job.source->stored_as));
    add(out.column_group);
    add(job.order.rows);
    add(job.order.cols);
    add(job.order.factors);
  }
  return hasher.Hex();
}

/// A block whose memory is used again and again: new bytes would be cleared for nothing.
struct Made {
  size_t tensor = 0;
  RowBlock block;
  WrittenTensor so_far;  // of its tensor, with this block
  std::vector<std::byte> codes_room, scales_room;

  void Lay(size_t index, const StreamJob& job, int64_t begin, int64_t rows) {
    const Format& format = *job.output.format;
    const int64_t cols = job.output.cols;
    const auto room = [](std::vector<std::byte>& plane, int64_t bytes) -> std::byte* {
      if (plane.size() < static_cast<size_t>(bytes)) plane.resize(static_cast<size_t>(bytes));
      return bytes > 0 ? plane.data() : nullptr;
    };
    tensor = index;
    block.begin = begin;
    block.codes = room(codes_room, CodesBytes(format, rows, cols));
    block.scales = room(scales_room, ScalesBytes(format, rows, cols));
    block.packed = ViewOf(format, rows, cols, block.codes, block.scales);
    block.packed.global_scale = job.written.global_scale;
    block.packed.global_divisor = job.written.global_divisor;
    if (!job.output.column_group.empty()) block.packed.column_group = job.output.column_group.data();
    block.errors.assign(static_cast<size_t>(rows), 0.0);
    block.energies.assign(static_cast<size_t>(rows), 0.0);
  }
};

/// The last stage: what was made goes into the files, and from time to time what is in the files onto the disk.
class WritingStage {
 public:
  /// `from`: what the files of a continued output have.
  WritingStage(std::vector<StreamJob>& jobs, CheckpointWriter& writer, OutputJournal* journal, const WrittenRows& from)
      : jobs_(jobs), writer_(writer), journal_(journal), so_far_(from.tensors), whole_{from.tensor, from.row} {
    saved_ = whole_;
    for (size_t i = 0; i < so_far_.size(); ++i) {
      jobs_[i].written = so_far_[i];
      SetGlobal(i);
    }
    if (from.any()) writer_.ContinueAt(from.tensor, from.row);
  }

  Made& next() { return next_; }
  /// The next Write writes what was made.
  void Put() {
    next_.so_far = jobs_[next_.tensor].written;
    std::swap(next_, waiting_);
    full_ = true;
  }

  /// On any one thread, while the next block is made.
  void Write() {
    if (!full_) return;
    full_ = false;
    const RowBlock& block = waiting_.block;
    const PackedView& view = block.packed;
    const size_t tensor = waiting_.tensor;
    if (block.begin == 0) SetGlobal(tensor);
    const auto plane = [](const std::byte* bytes, int64_t n) { return std::span(bytes, static_cast<size_t>(n)); };
    writer_.WriteRows(tensor, block.begin, view.rows, plane(view.codes, CodesBytes(*view.format, view.rows, view.cols)),
                      plane(view.scales, ScalesBytes(*view.format, view.rows, view.cols)));
    so_far_.resize(tensor);
    so_far_.push_back(waiting_.so_far);
    if (!writer_.HoldsRows()) {
      const int64_t end = block.begin + view.rows;
      whole_ = end == jobs_[tensor].output.rows ? Position(tensor + 1, 0) : Position(tensor, end);
      part_ = waiting_.so_far;
    }
    if (Now() >= next_save_) Save();
  }

  /// What is whole is on the disk, and outlives this process.
  void Save() {
    if (!journal_ || whole_ == saved_) return;
    const double begin = Now();
    WrittenRows rows{whole_.first, whole_.second, so_far_};
    rows.tensors.resize(rows.tensor);
    if (rows.row > 0) rows.tensors.push_back(part_);
    writer_.Flush();
    journal_->Save(rows);
    saved_ = whole_;
    {
      const SignalsHeld held;  // one without the other is of no use
      writer_.Leave(true);
      journal_->Leave(true);
    }
    next_save_ = Now() + std::max(kSaveEvery_s, (Now() - begin) / kSaveShare);
  }

 private:
  using Position = std::pair<size_t, int64_t>;

  void SetGlobal(size_t tensor) {
    const WrittenTensor& written = jobs_[tensor].written;
    if (jobs_[tensor].has_global) writer_.SetGlobal(tensor, written.global_scale, written.global_divisor);
  }

  std::vector<StreamJob>& jobs_;
  CheckpointWriter& writer_;
  OutputJournal* journal_;
  Made next_, waiting_;
  bool full_ = false;                  // waiting_ is to be written
  std::vector<WrittenTensor> so_far_;  // of all tensors up to the one that was written to last
  Position whole_, saved_;             // tensor and row: of what is before, the writer holds nothing
  WrittenTensor part_;                 // of the tensor that whole_ lies in
  double next_save_ = 0;
};

}  // namespace

void StreamJob::Follow(TensorOrder target) {
  order = std::move(target);
  output.shape = order.Shape(std::move(output.shape));
  if (!order.rows.empty()) output.rows = output.shape[0];
}

int64_t RowsTogether(const OutputTensor& tensor, int64_t weights) {
  const Format& format = *tensor.format;
  if (format.cyclic) return std::max<int64_t>(1, tensor.rows);
  const int64_t step = format.flat ? format.scale_weights / std::gcd<int64_t>(format.scale_weights, tensor.cols)
                                   : static_cast<int64_t>(format.block_rows);
  return std::max<int64_t>(1, weights / tensor.cols / step) * step;
}

std::byte* RowBlock::CodesAt(int64_t row) const {
  return codes + CodesOffset(*packed.format, row, packed.cols);
}

std::byte* RowBlock::ScalesAt(int64_t row) const {
  return scales ? scales + ScalesOffset(*packed.format, row, packed.cols) : nullptr;
}

StreamOutput::StreamOutput(const fs::path& out, const Checkpoint& source, Json settings,
                           const std::vector<StreamJob>& jobs, OutputRules rules,
                           const std::function<std::unique_ptr<CheckpointWriter>(const OutputRules&)>& make_writer,
                           const std::function<void(std::string_view)>& tell) {
  if (!tell) {
    writer_ = make_writer(rules);
    return;
  }
  journal_.emplace(out, OutputIdentity{SourceFiles(source), std::move(settings), PlanHash(jobs)});
  const WrittenRows& written = journal_->written();
  const StreamJob* part = written.tensor < jobs.size() ? &jobs[written.tensor] : nullptr;
  if (written.tensor > jobs.size() || (!part && written.row > 0) ||
      (part && (written.row >= part->output.rows || written.row % RowsTogether(part->output, 1) != 0)))
    journal_->Drop("its journal is damaged");
  rules.left = journal_->left();
  writer_ = make_writer(rules);
  journal_->Begin(*writer_);
  if (!journal_->why_anew().empty())
    tell(fmt::format("{}: an interrupted command left a part of it that cannot be continued: {}; it is begun anew",
                     out.string(), journal_->why_anew()));
  if (!continued()) return;
  tell(part ? fmt::format("{}: continued at tensor {}, row {} of {}", out.string(), part->output.name, written.row,
                          part->output.rows)
            : fmt::format("{}: continued: all rows are there", out.string()));
}

void StreamOutput::Stream(std::vector<StreamJob>& jobs, const Words& words, ThreadPool& pool, Progress& progress) {
  const WrittenRows from = journal_ ? journal_->written() : WrittenRows();
  WritingStage stage(jobs, *writer_, journal_ ? &*journal_ : nullptr, from);
  uint64_t total = 0;
  for (size_t i = from.tensor; i < jobs.size(); ++i)
    total += static_cast<uint64_t>((jobs[i].output.rows - (i == from.tensor ? from.row : 0)) * jobs[i].output.cols);
  std::string what = words.what;
  if (continued() && from.tensor < jobs.size()) {
    std::string_view at = jobs[from.tensor].output.name;
    if (at.ends_with(".weight")) at.remove_suffix(std::string_view(".weight").size());
    what = fmt::format("continued at {}", at);
  }
  progress.Begin(what, total * words.units_per_weight, words.unit);
  const auto make_tensor = [&](size_t index, int64_t first_row) {
    StreamJob& job = jobs[index];
    const int64_t rows = job.output.rows, cols = job.output.cols;
    const LoadedTensor source = job.source->Load(pool);
    if (job.prepare) job.prepare();
    const int64_t per_block = RowsTogether(job.output, kBlockWeights);
    for (int64_t begin = first_row; begin < rows; begin += per_block) {
      Made& made = stage.next();
      made.Lay(index, job, begin, std::min(per_block, rows - begin));
      RowBlock& block = made.block;
      const int64_t n = block.packed.rows, grain = std::min(n, RowsTogether(job.output, kGrainWeights));
      // Writing the block before this is one of the tasks.
      pool.For((n + grain - 1) / grain + 1, 1, [&](int64_t task, int64_t end, int worker) {
        for (; task < end; ++task) {
          const int64_t first = (task - 1) * grain;
          if (task == 0)
            stage.Write();
          else
            job.make(source.view, block, first, std::min(grain, n - first), worker);
        }
      });
      for (double error : block.errors) job.written.squared_error += error;
      for (double energy : block.energies) job.written.squared_source += energy;
      stage.Put();
      progress.Advance(static_cast<uint64_t>(n * cols) * words.units_per_weight);
      if (progress.Cancelled()) throw Interrupted();
    }
    ReleasePages({source.view.codes, static_cast<size_t>(job.source->codes_bytes())});
  };
  try {
    for (size_t i = from.tensor; i < jobs.size(); ++i) make_tensor(i, i == from.tensor ? from.row : 0);
    stage.Write();
  } catch (const Interrupted&) {
    stage.Write();
    stage.Save();
    throw;
  } catch (...) {
    LeaveNothing();
    throw;
  }
}

void StreamOutput::Commit() {
  try {
    writer_->Commit();
  } catch (...) {
    LeaveNothing();
    throw;
  }
  if (journal_) journal_->Finish();
}

void StreamOutput::LeaveNothing() {
  writer_->Leave(false);
  if (journal_) journal_->Leave(false);
}

}  // namespace assay
