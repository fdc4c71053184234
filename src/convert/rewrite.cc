#include "convert/rewrite.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "convert/convert.h"
#include "convert/finite.h"
#include "convert/stream.h"
#include "convert/tensor_report.h"
#include "convert/transcode.h"
#include "convert/zeros.h"
#include "describe/tensor_order.h"
#include "format/nvfp4.h"
#include "number/bf16.h"
#include "number/f16.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kLookWeights = 16384;  // that one worker looks at between two questions

class Rewriting {
 public:
  Rewriting(const Checkpoint& source, const RewriteTarget& target, ThreadPool& pool, Progress& progress)
      : source_(source), target_(target), pool_(pool), progress_(progress) {}
  void Plan();
  void Write(const std::filesystem::path& out, QuantRecord& record);

 private:
  bool TargetHolds(const Format& format) const;
  /// What shares a tensor of the target.
  struct Shared {
    std::vector<size_t> jobs;
    bool codes_allowed = false;
    bool one_global = false;  // the target keeps one scale of the matrix for all of them
  };
  std::vector<const Format*> Candidates(const Shared& shared) const;
  const Format* FirstThatGoes(const Shared& shared, const std::vector<const Format*>& candidates,
                              LoadedTensor& held) const;
  void ChooseFormat(const Shared& shared);
  bool RowsGoOver(const StreamJob& job, const Format& to, LoadedTensor& held) const;
  bool CopyRow(const StreamJob& job, const Format& to, const PackedView& source, int64_t row, std::byte* codes,
               std::byte* scales) const;
  std::string_view ScaleDtype(const StreamJob& job) const;
  void CheckZeros(const StreamJob& job) const;
  void Make(size_t index, const PackedView& source, RowBlock& block, int64_t first, int64_t n) const;
  void CheckRow(const StreamJob& job, const PackedView& source, const RowBlock& block, int64_t row) const;
  TensorQuantization Report(size_t index) const;
  int64_t SourceRow(const StreamJob& job, int64_t row) const {
    return job.order.rows.empty() ? row : job.order.rows[static_cast<size_t>(row)];
  }

  const Checkpoint& source_;
  const RewriteTarget& target_;
  ThreadPool& pool_;
  Progress& progress_;
  std::unique_ptr<HfContainer> container_;
  std::vector<StreamJob> jobs_;
  std::vector<const char*> methods_;  // of each job
  std::set<const Format*> used_;      // formats chosen so far
};

bool Rewriting::TargetHolds(const Format& format) const {
  if (target_.container == Container::kGguf) return HasGgufType(format);
  return IsPlain(format) || (container_ && container_->Holds(format));
}

// The same format, then what may hold the same values in fewest bits. How activations are quantized is not for a
// rewriting to change: a format that asks for another treatment than 16 bits must be the source's own.
std::vector<const Format*> Rewriting::Candidates(const Shared& shared) const {
  const Tensor& tensor = *jobs_[shared.jobs[0]].source;
  const Format& from = *tensor.format;
  // GGUF has one NVFP4; a calibrated scale says that activations are meant to be quantized too.
  const bool calibrated = IsNvfp4(from) && tensor.activation_scale > 0.0f;
  const bool globals_differ = std::any_of(shared.jobs.begin(), shared.jobs.end(), [&](size_t i) {
    const Tensor& other = *jobs_[i].source;
    return other.global_scale != tensor.global_scale || other.global_divisor != tensor.global_divisor;
  });
  std::vector<const Format*> found;
  for (const Format& to : Formats()) {
    if (IsPlain(to) != IsPlain(from)) continue;  // decoding is RewriteTarget::plain's business
    if (!shared.codes_allowed && !IsPlain(to)) continue;
    if (shared.one_global && globals_differ && (to.has_global || IsNvfp4(to))) continue;
    if (!TargetHolds(to) || !FitsColumns(to, tensor.cols)) continue;
    if (&to == &from) {
      found.insert(found.begin(), &to);
      continue;
    }
    const bool float_activations = to.activation == ActivationKind::kBF16;
    if (target_.container == Container::kHuggingFace && !IsPlain(to) && to.activation != from.activation &&
        (calibrated ? to.activation != ActivationKind::kNvfp4 : !float_activations))
      continue;
    if (MayTranscode(from, to)) found.push_back(&to);
  }
  const auto first = found.begin() + (!found.empty() && found.front() == &from);
  std::stable_sort(first, found.end(), [&](const Format* a, const Format* b) {
    return BitsPerWeight(*a, tensor.rows, tensor.cols) < BitsPerWeight(*b, tensor.rows, tensor.cols);
  });
  return found;
}

bool Rewriting::CopyRow(const StreamJob& job, const Format& to, const PackedView& source, int64_t row, std::byte* codes,
                        std::byte* scales) const {
  const Format& from = *source.format;
  const int64_t at = SourceRow(job, row);
  if (&from != &to) return TranscodeRow(source, at, to, codes, scales);
  const int64_t code_bytes = CodesBytes(from, 1, source.cols), scale_bytes = ScalesBytes(from, 1, source.cols);
  std::memcpy(codes, source.codes + at * code_bytes, static_cast<size_t>(code_bytes));
  if (scale_bytes > 0) std::memcpy(scales, source.scales + at * scale_bytes, static_cast<size_t>(scale_bytes));
  return true;
}

/// `held`: the planes of the source, or nothing yet.
bool Rewriting::RowsGoOver(const StreamJob& job, const Format& to, LoadedTensor& held) const {
  if (!job.order.cols.empty() && !IsPlain(to)) return false;  // scales of columns that move
  if (!job.order.factors.empty()) return false;               // other weights, which are rounded
  // Scales of several rows, or blocks that run over row ends, cannot follow rows that move.
  if (&to == job.source->format) return job.order.rows.empty() || (to.block_rows == 1 && !to.flat);
  if (!held.view.format) held = job.source->Load(pool_);
  const PackedView& view = held.view;
  std::atomic<bool> exact{true};
  pool_.For(view.rows, std::max<int64_t>(1, kLookWeights / view.cols), [&](int64_t begin, int64_t end, int) {
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(to, 1, view.cols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(to, 1, view.cols)));
    for (int64_t row = begin; row < end && exact.load(std::memory_order_relaxed); ++row)
      if (!CopyRow(job, to, view, row, codes.data(), scales.data())) exact = false;
  });
  return exact;
}

/// The first candidate that all of them go over to; null: none. Planes are made when somebody asks for them and are
/// gone when nobody does, so a tensor is held while one format after the other is asked of it: `held` in the end is
/// what was looked at last.
const Format* Rewriting::FirstThatGoes(const Shared& shared, const std::vector<const Format*>& candidates,
                                       LoadedTensor& held) const {
  size_t at = 0;  // in shared.jobs, round and round
  for (const Format* to : candidates)
    for (size_t go = 0;; at = (at + 1) % shared.jobs.size(), held = {}) {
      if (!RowsGoOver(jobs_[shared.jobs[at]], *to, held)) break;
      if (++go == shared.jobs.size()) return to;
    }
  return nullptr;
}

void Rewriting::ChooseFormat(const Shared& shared) {
  const Tensor& tensor = *jobs_[shared.jobs[0]].source;
  std::vector<const Format*> candidates = Candidates(shared);
  // Many containers have one scheme for all modules: what others were given comes first.
  if (container_)
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](const Format* to) { return to == tensor.format || used_.count(to) > 0; });
  LoadedTensor held;  // until all is asked of it
  const Format* chosen = FirstThatGoes(shared, candidates, held);
  if (!chosen && !target_.plain)
    Fail(ErrorKind::kUnsupported, "{}: tensor {} ({}) has no codes in {} that keep its weights",
         source_.path().string(), tensor.source_name, tensor.format->name,
         target_.container == Container::kGguf ? "GGUF" : target_.hf_container);
  if (chosen && !IsPlain(*chosen)) used_.insert(chosen);
  for (size_t i : shared.jobs) {
    StreamJob& job = jobs_[i];
    job.output.format = chosen ? chosen : target_.plain;
    methods_[i] = !chosen || !job.source->stored_as.empty() ? "plain"
                  : chosen == job.source->format            ? "kept"
                                                            : "rewritten";
    if (!container_) continue;
    LoadedTensor made;
    if (!IsPlain(*job.output.format)) made = job.source->Load(pool_);
    job.output.scale_dtype = ScaleDtype(job);
    CheckZeros(job);
  }
}

void Rewriting::Plan() {
  const ModelConfig& config = source_.config();
  const bool gguf = target_.container == Container::kGguf;
  if (!gguf && !target_.hf_container.empty()) container_ = CreateHfContainer(target_.hf_container, {});
  const TensorOrders orders = OrdersOf(config.architecture, target_.container);
  std::map<std::string, Shared> shared;  // by the target's tensor
  for (const Tensor& tensor : source_.tensors()) {
    if (IsRopeTable(tensor.name)) continue;
    const size_t index = jobs_.size();
    StreamJob& job = jobs_.emplace_back();
    job.source = &tensor;
    job.output = {tensor.name, nullptr, tensor.rows, tensor.cols, tensor.shape};
    if (tensor.column_group) job.output.column_group = *tensor.column_group;
    job.output.activation_scale = tensor.activation_scale;
    job.Follow(OrderBetween(config, orders, tensor.name));
    job.written.global_scale = tensor.global_scale;
    job.written.global_divisor = tensor.global_divisor;
    job.make = [this, index](const PackedView& from, RowBlock& block, int64_t first, int64_t n, int) {
      Make(index, from, block, first, n);
    };
    methods_.push_back("kept");
    if (!tensor.format->integers && tensor.shape.size() >= 2) {
      const TensorSlot& slot = *source_.layout().Find(tensor.name);
      Shared& group = shared[gguf ? slot.in_gguf.name : slot.hugging_face];
      group.jobs.push_back(index);
      const StoredPlace& place = gguf ? slot.in_gguf : slot.in_hf;
      const bool stacked = place.slices > 1 && !gguf;
      group.codes_allowed = gguf || (container_ && container_->HoldsModule(slot.linear && !stacked,
                                                                           std::vector<int64_t>(stacked ? 3 : 2)));
      group.one_global = place.slices <= 1;
      continue;
    }
    // GGUF's readers want vectors in float32; Hugging Face files have the type of the other plain tensors.
    const Format& bf16 = Bf16Format();
    LoadedTensor held;
    if (tensor.format->integers)
      job.output.format = &TableFormat(target_.container);
    else if (gguf || !IsPlain(*tensor.format))
      job.output.format = &F32Format();
    else
      job.output.format =
          source_.container() == Container::kGguf && RowsGoOver(job, bf16, held) ? &bf16 : tensor.format;
    if (job.output.format != tensor.format) methods_.back() = "rewritten";
  }
  progress_.Begin("compare formats", shared.size(), "tensors");
  for (const auto& [name, group] : shared) {
    ChooseFormat(group);
    progress_.Advance(1);
    if (progress_.Cancelled()) throw Interrupted();
  }
  progress_.End();
  if (container_ && used_.empty())
    Fail(ErrorKind::kUnsupported,
         "{}: none of its matrices ({}) has codes that {} can hold; `convert --to safetensors` writes plain floats, "
         "`quantize` chooses new codes",
         source_.path().string(), source_.main_format(), target_.hf_container);
  for (StreamJob& job : jobs_) {
    job.output.second_scale =
        gguf && IsNvfp4(*job.output.format) && job.source->global_scale / job.source->global_divisor != 1.0f;
    job.has_global = job.output.format->has_global || job.output.second_scale;
  }
}

void Rewriting::CheckZeros(const StreamJob& job) const {
  const Format& format = *job.output.format;
  if (format.scale_bytes != sizeof(ScaleAndZero) || format.flat) return;
  const LoadedTensor source = job.source->Load(pool_);
  RequireZeros(
      *container_, format, job.source->rows, job.source->cols, job.source->source_name, pool_,
      [&](int64_t row, std::byte* codes, std::byte* scales) { CopyRow(job, format, source.view, row, codes, scales); });
}

// The narrowest type that keeps every scale; containers whose files usually have halves get these first.
std::string_view Rewriting::ScaleDtype(const StreamJob& job) const {
  const Format& format = *job.output.format;
  if (target_.container != Container::kHuggingFace || IsPlain(format)) return "";
  if (format.has_global && format.scale_bytes == 0) {
    const float scale = job.source->global_scale / job.source->global_divisor;
    return DecodeBf16(EncodeBf16(scale)) == scale ? "BF16" : "F32";
  }
  if (format.scale_bytes < 4) return "";
  const LoadedTensor source = job.source->Load(pool_);
  const PackedView& view = source.view;
  std::atomic<bool> f16{true}, bf16{true};
  auto look = [&](const std::byte* scales, size_t bytes) {
    for (size_t at = 0; at < bytes; at += sizeof(float)) {
      float scale;
      std::memcpy(&scale, scales + at, sizeof scale);
      if (DecodeF16(EncodeF16(scale)) != scale) f16 = false;
      if (DecodeBf16(EncodeBf16(scale)) != scale) bf16 = false;
    }
  };
  // Where entries do not belong to rows they are kept as they are.
  if (format.flat) look(view.scales, static_cast<size_t>(ScalesBytes(format, view.rows, view.cols)));
  pool_.For(format.flat ? 0 : view.rows, std::max<int64_t>(1, kLookWeights / view.cols),
            [&](int64_t begin, int64_t end, int) {
              std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, view.cols)));
              std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, view.cols)));
              for (int64_t row = begin; row < end; ++row) {
                CopyRow(job, format, view, row, codes.data(), scales.data());
                look(scales.data(), scales.size());
              }
            });
  const bool halves = target_.hf_container != "compressed-tensors";
  if (halves && f16) return "F16";
  if (bf16) return "BF16";
  return f16 ? "F16" : "F32";
}

void Rewriting::CheckRow(const StreamJob& job, const PackedView& source, const RowBlock& block, int64_t row) const {
  if (FiniteRow(block.packed, row)) return;
  std::vector<float> values(static_cast<size_t>(source.cols));
  DecodeInOrder(source, job.order, block.begin + row, values.data());
  const std::string place = fmt::format("{}: tensor {}: row {}", source_.path().string(), job.source->source_name,
                                        SourceRow(job, block.begin + row));
  if (std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
    FailOverflow(*block.packed.format, values.data(), source.cols, place);
  Fail(ErrorKind::kCorrupt, "{} has a NaN or an infinity", place);
}

void Rewriting::Make(size_t index, const PackedView& source, RowBlock& block, int64_t first, int64_t n) const {
  const StreamJob& job = jobs_[index];
  const Format& format = *job.output.format;
  const int64_t cols = source.cols;
  // Blocks that run over row ends go over together.
  if (format.flat) {
    const int64_t from = block.begin + first;
    std::memcpy(block.CodesAt(first), source.codes + CodesOffset(format, from, cols),
                static_cast<size_t>(CodesBytes(format, n, cols)));
    if (block.scales)
      std::memcpy(block.ScalesAt(first), source.scales + ScalesOffset(format, from, cols),
                  static_cast<size_t>(ScalesBytes(format, n, cols)));
  } else {
    const bool copied = methods_[index] != std::string_view("plain") && job.order.cols.empty() &&
                        (&format == source.format || !(IsPlain(format) || format.integers));
    std::vector<float> values(copied ? 0 : static_cast<size_t>(cols));
    for (int64_t r = first; r < first + n; ++r) {
      if (copied) {
        ASSAY_CHECK(CopyRow(job, format, source, block.begin + r, block.CodesAt(r), block.ScalesAt(r)));
        continue;
      }
      DecodeInOrder(source, job.order, block.begin + r, values.data());
      format.encode_rows(values.data(), 1, cols, nullptr, 1.0f, 1.0f, block.CodesAt(r), block.ScalesAt(r));
    }
  }
  if (format.cyclic) return;  // as they were read
  for (int64_t r = first; r < first + n; ++r) CheckRow(job, source, block, r);
}

TensorQuantization Rewriting::Report(size_t index) const {
  const StreamJob& job = jobs_[index];
  const Format& format = *job.output.format;
  const int64_t rows = job.output.rows, cols = job.output.cols;
  TensorQuantization report;
  report.name = job.output.name;
  report.shape = job.output.shape;
  report.from = job.source->format_name();
  report.to = format.name;
  report.method = methods_[index];
  report.bytes =
      static_cast<uint64_t>(CodesBytes(format, rows, cols) + ScalesBytes(format, rows, cols) / format.block_rows);
  return report;
}

void Rewriting::Write(const std::filesystem::path& out, QuantRecord& record) {
  std::vector<OutputTensor> outputs;
  for (const StreamJob& job : jobs_) outputs.push_back(job.output);
  const Json settings = {{"command", "convert"},
                         {"to", target_.container == Container::kGguf ? "gguf" : "safetensors"},
                         {"container", target_.hf_container},
                         {"plain", target_.plain ? target_.plain->name : "none"},
                         {"shard_bytes", target_.shard_bytes}};
  StreamOutput output(
      out, source_, settings, jobs_, target_.rules,
      [&](const OutputRules& rules) {
        return CheckpointWriter::Create(target_.container, out, source_, "", outputs, target_.shard_bytes,
                                        target_.hf_container, rules);
      },
      target_.tell);
  output.Stream(jobs_, {"write", "weights"}, pool_, progress_);
  for (size_t i = 0; i < jobs_.size(); ++i) record.tensors.push_back(Report(i));
  size_t decoded = 0;
  for (const StreamJob& job : jobs_) decoded += !job.source->stored_as.empty();
  if (decoded > 0)
    record.notes.push_back(
        fmt::format("{} tensors are codes that only their own container holds ({}): their decoded weights were written",
                    decoded, source_.scheme()));
  if (std::string text = output.writer().left_out(); !text.empty()) record.notes.push_back(std::move(text));
  if (!source_.drafts().empty()) record.notes.push_back(source_.drafts() + " are left out");
  record.output = output.writer().first_file().string();
  output.Commit();
  progress_.End();
}

}  // namespace

QuantRecord RewriteCheckpoint(const Checkpoint& source, const RewriteTarget& target, const std::filesystem::path& out,
                              ThreadPool& pool, Progress& progress) {
  std::error_code ignored;
  if (std::filesystem::equivalent(source.path(), out, ignored))
    Fail(ErrorKind::kInvalid, "{}: the output would replace the source", out.string());
  const double start = Now();
  QuantRecord record;
  record.preset = "convert";
  record.started = UtcTimestamp();
  Rewriting rewriting(source, target, pool, progress);
  rewriting.Plan();
  rewriting.Write(out, record);
  // What was lost is measured on the finished file: containers round a scale here and there on the way.
  const std::shared_ptr<const Checkpoint> result = Checkpoint::Open(record.output);
  std::unordered_map<std::string_view, TensorErrorSums> errors;
  for (const TensorError& error : MeasureErrors(*result, source, pool, progress))
    errors.emplace(error.tensor->name, error.sums);
  for (TensorQuantization& tensor : record.tensors) {
    auto found = errors.find(tensor.name);
    if (found == errors.end()) continue;
    tensor.rmse = found->second.rmse();
    tensor.relative_error = found->second.relative();
  }
  record.elapsed_s = Now() - start;
  record.peak_memory_bytes = PeakMemoryBytes();
  return record;
}

std::string RewriteOutputName(const Checkpoint& source, const RewriteTarget& target) {
  const std::string stem = ModelStem(source);
  if (target.container == Container::kGguf) return stem + ".gguf";
  return stem + "-" + (target.hf_container.empty() ? "hf" : target.hf_container);
}

}  // namespace assay
