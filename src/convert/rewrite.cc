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
#include "convert/tensor_report.h"
#include "convert/transcode.h"
#include "convert/zeros.h"
#include "describe/tensor_order.h"
#include "format/nvfp4.h"
#include "number/bf16.h"
#include "number/f16.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kPieceFloats = int64_t{2} << 20;

struct Job {
  const Tensor* source;
  OutputTensor output;
  TensorOrder order;
  const char* method = "kept";
};

class Rewriting {
 public:
  Rewriting(const Checkpoint& source, const RewriteTarget& target, ThreadPool& pool, Progress& progress)
      : source_(source), target_(target), pool_(pool), progress_(progress) {}
  void Plan();
  void Write(const std::filesystem::path& out, QuantRecord& record);

 private:
  bool TargetHolds(const Format& format) const;
  struct Shared;
  void ChooseFormat(const Shared& shared);
  std::vector<const Format*> Candidates(const Shared& shared) const;
  bool RowsGoOver(const Job& job, const Format& to) const;
  bool CopyRow(const Job& job, const PackedView& view, int64_t row, std::byte* codes, std::byte* scales) const;
  std::string_view ScaleDtype(const Job& job) const;
  void CheckZeros(const Job& job) const;
  void CheckRows(const Job& job, const PackedView& source, int64_t begin, int64_t n, const std::byte* codes,
                 const std::byte* scales) const;
  void WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report);
  int64_t SourceRow(const Job& job, int64_t row) const {
    return job.order.rows.empty() ? row : job.order.rows[static_cast<size_t>(row)];
  }

  const Checkpoint& source_;
  const RewriteTarget& target_;
  ThreadPool& pool_;
  Progress& progress_;
  std::unique_ptr<HfContainer> container_;
  std::vector<Job> jobs_;
  std::set<const Format*> used_;  // formats chosen so far
};

/// What shares a tensor of the target.
struct Rewriting::Shared {
  std::vector<Job*> jobs;
  bool codes_allowed = false;
  bool one_global = false;  // the target keeps one scale of the matrix for all of them
};

bool Rewriting::TargetHolds(const Format& format) const {
  if (target_.container == Container::kGguf) return HasGgufType(format);
  return IsPlain(format) || (container_ && container_->Holds(format));
}

// The same format, then what may hold the same values in fewest bits. How activations are quantized is not for a
// rewriting to change: a format that asks for another treatment than 16 bits must be the source's own.
std::vector<const Format*> Rewriting::Candidates(const Shared& shared) const {
  const Tensor& tensor = *shared.jobs[0]->source;
  const Format& from = *tensor.format;
  // GGUF has one NVFP4; a calibrated scale says that activations are meant to be quantized too.
  const bool calibrated = IsNvfp4(from) && tensor.activation_scale > 0.0f;
  const bool globals_differ = std::any_of(shared.jobs.begin(), shared.jobs.end(), [&](const Job* job) {
    return job->source->global_scale != tensor.global_scale || job->source->global_divisor != tensor.global_divisor;
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

bool Rewriting::CopyRow(const Job& job, const PackedView& view, int64_t row, std::byte* codes,
                        std::byte* scales) const {
  const Format& from = *view.format;
  const int64_t at = SourceRow(job, row);
  if (&from != job.output.format) return TranscodeRow(view, at, *job.output.format, codes, scales);
  const int64_t code_bytes = CodesBytes(from, 1, view.cols), scale_bytes = ScalesBytes(from, 1, view.cols);
  std::memcpy(codes, view.codes + at * code_bytes, static_cast<size_t>(code_bytes));
  if (scale_bytes > 0) std::memcpy(scales, view.scales + at * scale_bytes, static_cast<size_t>(scale_bytes));
  return true;
}

bool Rewriting::RowsGoOver(const Job& job, const Format& to) const {
  Job trial = job;
  trial.output.format = &to;
  if (!job.order.cols.empty() && !IsPlain(to)) return false;  // scales of columns that move
  if (!job.order.factors.empty()) return false;               // other weights, which are rounded
  // Scales of several rows, or blocks that run over row ends, cannot follow rows that move.
  if (&to == job.source->format) return job.order.rows.empty() || (to.block_rows == 1 && !to.flat);
  const LoadedTensor source = job.source->Load(pool_);
  const PackedView& view = source.view;
  std::atomic<bool> exact{true};
  pool_.For(view.rows, std::max<int64_t>(1, 16384 / view.cols), [&](int64_t begin, int64_t end, int) {
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(to, 1, view.cols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(to, 1, view.cols)));
    for (int64_t row = begin; row < end && exact.load(std::memory_order_relaxed); ++row)
      if (!CopyRow(trial, view, row, codes.data(), scales.data())) exact = false;
  });
  return exact;
}

void Rewriting::ChooseFormat(const Shared& shared) {
  const std::vector<Job*>& jobs = shared.jobs;
  const Tensor& tensor = *jobs[0]->source;
  auto all_go = [&](const Format& to) {
    return std::all_of(jobs.begin(), jobs.end(), [&](Job* job) { return RowsGoOver(*job, to); });
  };
  std::vector<const Format*> candidates = Candidates(shared);
  // Many containers have one scheme for all modules: what others were given comes first.
  if (container_)
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](const Format* to) { return to == tensor.format || used_.count(to) > 0; });
  const Format* chosen = nullptr;
  for (const Format* to : candidates) {
    if (!all_go(*to)) continue;
    chosen = to;
    if (!IsPlain(*to)) used_.insert(to);
    break;
  }
  for (Job* job : jobs) {
    if (chosen) {
      job->output.format = chosen;
      job->method = !job->source->stored_as.empty() ? "plain" : chosen == job->source->format ? "kept" : "rewritten";
      continue;
    }
    if (!target_.plain)
      Fail(ErrorKind::kUnsupported, "{}: tensor {} ({}) has no codes in {} that keep its weights",
           source_.path().string(), tensor.source_name, tensor.format->name,
           target_.container == Container::kGguf ? "GGUF" : target_.hf_container);
    job->output.format = target_.plain;
    job->method = "plain";
  }
}

void Rewriting::Plan() {
  const ModelConfig& config = source_.config();
  if (target_.container == Container::kHuggingFace && !target_.hf_container.empty())
    container_ = CreateHfContainer(target_.hf_container, {});
  const TensorOrders orders = OrdersOf(config.architecture, target_.container);
  std::unordered_map<std::string, TensorSlot> slots;
  for (TensorSlot& slot : TensorSlots(config)) slots.emplace(slot.name, std::move(slot));
  jobs_.reserve(source_.tensors().size());
  std::map<std::string, Shared> shared;  // by the target's tensor
  for (const Tensor& tensor : source_.tensors()) {
    if (IsRopeTable(tensor.name)) continue;
    Job& job = jobs_.emplace_back();
    job.source = &tensor;
    job.output = {tensor.name, nullptr, tensor.rows, tensor.cols, tensor.shape};
    if (tensor.column_group) job.output.column_group = *tensor.column_group;
    job.output.activation_scale = tensor.activation_scale;
    job.order = OrderBetween(config, orders, tensor.name);
    const TensorSlot& slot = slots.at(tensor.name);
    if (tensor.format->integers) {
      job.output.format = &TableFormat(target_.container);
      job.method = job.output.format == tensor.format ? "kept" : "rewritten";
      continue;
    }
    if (tensor.shape.size() < 2) {
      // GGUF's readers want vectors in float32; Hugging Face files have the type of the other plain tensors.
      const Format& bf16 = Bf16Format();
      const bool gguf_target = target_.container == Container::kGguf;
      if (gguf_target || !IsPlain(*tensor.format))
        job.output.format = &F32Format();
      else
        job.output.format = source_.container() == Container::kGguf && RowsGoOver(job, bf16) ? &bf16 : tensor.format;
      job.method = job.output.format == tensor.format ? "kept" : "rewritten";
      continue;
    }
    const bool gguf = target_.container == Container::kGguf;
    Shared& group = shared[gguf ? slot.in_gguf.name : slot.hugging_face];
    group.jobs.push_back(&job);
    const StoredPlace& place = gguf ? slot.in_gguf : slot.in_hf;
    const bool stacked = place.slices > 1 && !gguf;
    group.codes_allowed =
        gguf || (container_ && container_->HoldsModule(slot.linear && !stacked, std::vector<int64_t>(stacked ? 3 : 2)));
    group.one_global = place.slices <= 1;
  }
  progress_.Begin("compare formats", shared.size(), "tensors");
  for (auto& [name, group] : shared) {
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
  for (Job& job : jobs_) {
    job.output.scale_dtype = ScaleDtype(job);
    job.output.second_scale = target_.container == Container::kGguf && IsNvfp4(*job.output.format) &&
                              job.source->global_scale / job.source->global_divisor != 1.0f;
    if (container_) CheckZeros(job);
  }
}

void Rewriting::CheckZeros(const Job& job) const {
  const Format& format = *job.output.format;
  if (format.scale_bytes != sizeof(ScaleAndZero) || format.flat) return;
  const LoadedTensor source = job.source->Load(pool_);
  RequireZeros(
      *container_, format, job.source->rows, job.source->cols, job.source->source_name, pool_,
      [&](int64_t row, std::byte* codes, std::byte* scales) { CopyRow(job, source.view, row, codes, scales); });
}

// The narrowest type that keeps every scale; containers whose files usually have halves get these first.
std::string_view Rewriting::ScaleDtype(const Job& job) const {
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
  pool_.For(format.flat ? 0 : view.rows, std::max<int64_t>(1, 16384 / view.cols), [&](int64_t begin, int64_t end, int) {
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, view.cols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, view.cols)));
    for (int64_t row = begin; row < end; ++row) {
      CopyRow(job, view, row, codes.data(), scales.data());
      look(scales.data(), scales.size());
    }
  });
  const bool halves = target_.hf_container != "compressed-tensors";
  if (halves && f16) return "F16";
  if (bf16) return "BF16";
  return f16 ? "F16" : "F32";
}

/// The n rows that were made from row `begin` on.
void Rewriting::CheckRows(const Job& job, const PackedView& source, int64_t begin, int64_t n, const std::byte* codes,
                          const std::byte* scales) const {
  PackedView packed = source;
  packed.format = job.output.format;
  if (packed.format->cyclic) return;  // as they were read
  packed.rows = n;
  packed.codes = codes;
  packed.scales = scales;
  pool_.For(n, std::max<int64_t>(1, 16384 / packed.cols), [&](int64_t from, int64_t to, int) {
    for (int64_t r = from; r < to; ++r) {
      if (FiniteRow(packed, r)) continue;
      std::vector<float> values(static_cast<size_t>(packed.cols));
      DecodeInOrder(source, job.order, begin + r, values.data());
      const std::string place = fmt::format("{}: tensor {}: row {}", source_.path().string(), job.source->source_name,
                                            SourceRow(job, begin + r));
      if (std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
        FailOverflow(*packed.format, values.data(), packed.cols, place);
      Fail(ErrorKind::kCorrupt, "{} has a NaN or an infinity", place);
    }
  });
}

void Rewriting::WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report) {
  const Job& job = jobs_[index];
  const Format& format = *job.output.format;
  const LoadedTensor source = job.source->Load(pool_);
  const PackedView& view = source.view;
  const int64_t cols = view.cols;
  if (format.has_global || job.output.second_scale) writer.SetGlobal(index, view.global_scale, view.global_divisor);
  const bool copied =
      job.method != std::string_view("plain") && (&format == view.format || !(IsPlain(format) || format.integers));
  // Blocks that run over row ends go over in one piece.
  int64_t piece = std::max<int64_t>(1, kPieceFloats / cols);
  if (format.flat) piece = view.rows;
  if (format.block_rows > 1) piece = (piece + format.block_rows - 1) / format.block_rows * format.block_rows;
  for (int64_t begin = 0; begin < view.rows; begin += piece) {
    const int64_t n = std::min(piece, view.rows - begin);
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, n, cols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, n, cols)));
    if (format.flat) {
      std::memcpy(codes.data(), view.codes, codes.size());
      if (!scales.empty()) std::memcpy(scales.data(), view.scales, scales.size());
    } else {
      const int64_t code_bytes = CodesBytes(format, 1, cols), scale_bytes = ScalesBytes(format, 1, cols);
      pool_.For(n, std::max<int64_t>(1, 16384 / cols), [&](int64_t from, int64_t to, int) {
        std::vector<float> values(static_cast<size_t>(cols));
        for (int64_t r = from; r < to; ++r) {
          std::byte* row_codes = codes.data() + r * code_bytes;
          std::byte* row_scales = scale_bytes > 0 ? scales.data() + r * scale_bytes : nullptr;
          if (copied && job.order.cols.empty()) {
            ASSAY_CHECK(CopyRow(job, view, begin + r, row_codes, row_scales));
            continue;
          }
          DecodeInOrder(view, job.order, begin + r, values.data());
          format.encode_rows(values.data(), 1, cols, nullptr, 1.0f, 1.0f, row_codes, row_scales);
        }
      });
    }
    CheckRows(job, view, begin, n, codes.data(), scales.data());
    writer.WriteRows(index, begin, n, codes, scales);
    progress_.Advance(static_cast<uint64_t>(n * cols));
    if (progress_.Cancelled()) throw Interrupted();
  }
  ReleasePages({view.codes, static_cast<size_t>(CodesBytes(*view.format, view.rows, cols))});
  report.name = job.output.name;
  report.shape = job.output.shape;
  report.from = job.source->format_name();
  report.to = format.name;
  report.method = job.method;
  report.bytes = static_cast<uint64_t>(CodesBytes(format, view.rows, cols) +
                                       ScalesBytes(format, view.rows, cols) / format.block_rows);
}

void Rewriting::Write(const std::filesystem::path& out, QuantRecord& record) {
  std::vector<OutputTensor> outputs;
  uint64_t total = 0;
  for (const Job& job : jobs_) {
    outputs.push_back(job.output);
    total += static_cast<uint64_t>(job.output.rows * job.output.cols);
  }
  progress_.Begin("write", total, "weights");
  auto writer = CheckpointWriter::Create(target_.container, out, source_, "", outputs, target_.shard_bytes,
                                         target_.hf_container, target_.rules);
  record.tensors.resize(jobs_.size());
  for (size_t i = 0; i < jobs_.size(); ++i) WriteTensor(i, *writer, record.tensors[i]);
  size_t decoded = 0;
  for (const Job& job : jobs_) decoded += !job.source->stored_as.empty();
  if (decoded > 0)
    record.notes.push_back(
        fmt::format("{} tensors are codes that only their own container holds ({}): their decoded weights were written",
                    decoded, source_.scheme()));
  if (std::string text = writer->left_out(); !text.empty()) record.notes.push_back(std::move(text));
  if (!source_.drafts().empty()) record.notes.push_back(source_.drafts() + " are left out");
  writer->Commit();
  record.output = writer->first_file().string();
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
