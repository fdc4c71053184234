#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <unordered_map>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "convert/finite.h"
#include "convert/row_sums.h"
#include "convert/zeros.h"
#include "describe/tensor_order.h"
#include "quantize/choose.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kPieceFloats = int64_t{4} << 20;  // weights that are encoded between two writes
constexpr int64_t kGrainFloats = 8192;              // weights that one worker takes: they stay in its cache

// The smallest number of rows that are whole blocks together.
int64_t RowStep(const Format& format, int64_t rows, int64_t cols) {
  if (format.cyclic) return std::max<int64_t>(1, rows);
  return format.flat ? format.scale_weights / std::gcd<int64_t>(format.scale_weights, cols) : format.block_rows;
}

int64_t RowsPerPiece(const Format& format, int64_t rows, int64_t cols) {
  int64_t step = RowStep(format, rows, cols);
  return std::max<int64_t>(1, kPieceFloats / cols / step) * step;
}

struct Job {
  const Tensor* source;
  OutputTensor output;
  TensorOrder order;
  std::string stored;            // the tensor of a Hugging Face file that it is a part of; empty: it is a whole one
  bool turned = false;           // it was decoded to be turned: its format says nothing about the file
  std::string group;             // of tensors that share a global scale; empty: it has none
  std::string_view scale_dtype;  // of the container's float scales, see CheckpointWriter
  float global_scale = 1.0f, global_divisor = 1.0f;
};

// Rows that are in the output's format already are taken over: any encoder could only lose.
bool KeepsCodes(const Job& job) {
  const Tensor& source = *job.source;
  const Format& format = *source.format;
  return &format == job.output.format && source.stored_as.empty() && !format.flat && !format.choose_global &&
         format.block_rows == 1 && source.global_scale == source.global_divisor && source.column_group == nullptr &&
         job.order.cols.empty();
}

// Rows of one tensor, encoded: what is written while the next are encoded.
struct Piece {
  size_t tensor = 0;
  int64_t begin = 0, rows = 0;
  std::vector<std::byte> codes_room, scales_room;  // they grow only: new bytes would be cleared for nothing
  std::span<std::byte> codes, scales;
};

class Conversion {
 public:
  Conversion(const Checkpoint& source, const Preset& preset, const ConvertOptions& options, ThreadPool& pool,
             Progress& progress)
      : source_(source),
        preset_(preset),
        options_(options),
        pool_(pool),
        progress_(progress),
        scratch_(static_cast<size_t>(pool.threads())) {}
  void Plan();
  void GroupByGlobal();
  void ChooseGlobal(const std::string& group);
  /// Before any weight is read: what is in the way of the output is found here.
  std::unique_ptr<CheckpointWriter> Begin(const std::filesystem::path& out) const;
  void Write(const std::filesystem::path& out, QuantRecord& record);

 private:
  struct Scratch {
    std::vector<float> rows, decoded;
  };

  const Format& UnquantizedFormat(const Job& job) const;
  std::string PlaceOf(const Job& job, int64_t row) const;
  float ReadRows(const Job& job, const PackedView& source, int64_t begin, int64_t n, float* rows) const;
  float* RowsOf(int worker, int64_t n_floats);
  MatrixStatistics Statistics(const Job& job);
  void CheckZeros();
  void KeepRows(const Job& job, const PackedView& view, Piece& piece, int64_t first, int64_t n) const;
  void EncodePiece(const Job& job, const PackedView& source, Piece& piece, std::vector<double>& errors,
                   std::vector<double>& energies, CheckpointWriter& writer);
  void WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report);
  void WritePending(CheckpointWriter& writer);

  const Checkpoint& source_;
  const Preset& preset_;
  const ConvertOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<Job> jobs_;
  std::map<std::string, std::vector<Job*>> groups_;  // those whose global scale is not chosen
  std::vector<Scratch> scratch_;                     // of each worker
  Piece current_, pending_;                          // pending_ without rows: nothing to write
};

const Format& Conversion::UnquantizedFormat(const Job& job) const {
  const Tensor& tensor = *job.source;
  if (tensor.format->integers) return TableFormat(preset_.info().container);
  // GGUF keeps vectors in float32 (its readers expect that); Hugging Face files have one dtype for all that is not
  // quantized.
  if (preset_.info().container == Container::kGguf) return F32Format();
  if (source_.container() == Container::kHuggingFace && IsPlain(*tensor.format) && !job.turned) return *tensor.format;
  const Tensor* embedding = source_.Find("token_embd.weight");
  return embedding && IsPlain(*embedding->format) ? *embedding->format : Bf16Format();
}

void Conversion::Plan() {
  const ModelConfig& config = source_.config();
  const TensorOrders orders = OrdersOf(config.architecture, preset_.info().container);
  const std::vector<const Format*> formats = ChooseFormats(preset_, source_);
  std::unordered_map<std::string, TensorSlot> slots;
  for (TensorSlot& slot : TensorSlots(config)) slots.emplace(slot.name, std::move(slot));
  for (size_t i = 0; i < formats.size(); ++i) {
    const Tensor& tensor = source_.tensors()[i];
    if (IsRopeTable(tensor.name)) continue;
    Job job;
    job.source = &tensor;
    job.output = {tensor.name, formats[i], tensor.rows, tensor.cols, tensor.shape};
    const TensorSlot& slot = slots.at(tensor.name);
    if (slot.in_hf.rows > 0) job.stored = slot.hugging_face;
    job.turned = slot.in_hf.turned;
    if (!job.output.format) job.output.format = &UnquantizedFormat(job);
    if (!job.output.format->encode_rows)
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: format {} can be read but not written", source_.path().string(),
           tensor.source_name, job.output.format->name);
    job.output.second_scale = job.output.format->choose_global && !job.output.format->has_global;
    job.order = OrderBetween(config, orders, tensor.name);
    jobs_.push_back(std::move(job));
  }
}

/// File, tensor and row of the source.
std::string Conversion::PlaceOf(const Job& job, int64_t row) const {
  return fmt::format("{}: tensor {}: row {}{}", source_.path().string(), job.source->source_name,
                     job.order.rows.empty() ? row : job.order.rows[static_cast<size_t>(row)],
                     job.stored == job.source->source_name ? " of its part " + job.source->name : "");
}

/// The largest magnitude of the rows, all of which are finite.
float Conversion::ReadRows(const Job& job, const PackedView& source, int64_t begin, int64_t n, float* rows) const {
  const int64_t cols = job.output.cols;
  float largest = 0;
  for (int64_t r = begin; r < begin + n; ++r, rows += cols) {
    DecodeInOrder(source, job.order, r, rows);
    const float of_row = LargestMagnitude(rows, cols);
    if (!std::isfinite(of_row))
      Fail(ErrorKind::kCorrupt, "{} has a NaN or an infinity, which no quantized format holds", PlaceOf(job, r));
    largest = std::max(largest, of_row);
  }
  return largest;
}

float* Conversion::RowsOf(int worker, int64_t n_floats) {
  std::vector<float>& rows = scratch_[static_cast<size_t>(worker)].rows;
  if (rows.size() < static_cast<size_t>(n_floats)) rows.resize(static_cast<size_t>(n_floats));
  return rows.data();
}

MatrixStatistics Conversion::Statistics(const Job& job) {
  const LoadedTensor source = job.source->Load(pool_);
  const int64_t cols = job.output.cols, n_rows = job.output.rows;
  std::vector<float> largest(static_cast<size_t>(n_rows)), sums(static_cast<size_t>(n_rows));
  pool_.For(n_rows, std::max<int64_t>(1, kGrainFloats / cols), [&](int64_t from, int64_t to, int worker) {
    float* row = RowsOf(worker, cols);
    for (int64_t r = from; r < to; ++r) {
      DecodeInOrder(source.view, job.order, r, row);  // whether it is finite is seen when it is encoded
      AddMagnitudes(row, cols, &largest[static_cast<size_t>(r)], &sums[static_cast<size_t>(r)]);
    }
  });
  const double count = static_cast<double>(n_rows) * static_cast<double>(cols);
  if (count == 0) return {};
  return {*std::max_element(largest.begin(), largest.end()),
          static_cast<float>(std::accumulate(sums.begin(), sums.end(), 0.0) / count)};
}

void Conversion::GroupByGlobal() {
  // Engines fuse q, k, v and gate, up into one matrix each, and some files have fused others: the parts must share one
  // global scale (the largest magnitude decides).
  for (Job& job : jobs_) {
    if (!job.output.format->choose_global) continue;
    std::string group = job.output.name;
    if (!job.stored.empty() && preset_.info().container == Container::kHuggingFace) {
      group = job.stored;
    } else if (!job.output.format->own_global) {
      for (const char* part : {"attn_q.", "attn_k.", "attn_v."}) ReplaceAll(group, part, "attn_qkv.");
      for (const char* part : {"ffn_gate.", "ffn_up."}) ReplaceAll(group, part, "ffn_gate_up.");
    }
    groups_[group].push_back(&job);
    job.group = std::move(group);
  }
}

// Just before the first member is encoded: its rows are still in the processor's cache then.
void Conversion::ChooseGlobal(const std::string& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  std::vector<MatrixStatistics> parts;
  for (Job* job : found->second) parts.push_back(Statistics(*job));
  const MatrixStatistics shared = SharedStatistics(parts);
  for (Job* job : found->second) job->output.format->choose_global(shared, &job->global_scale, &job->global_divisor);
  groups_.erase(found);
  if (progress_.Cancelled()) throw Interrupted();
}

// Which zeros rounding gives is known only once it is done: for the containers that cannot state all of them it is done
// twice.
void Conversion::CheckZeros() {
  if (options_.hf_container.empty()) return;
  const std::unique_ptr<HfContainer> container = CreateHfContainer(options_.hf_container, {});
  for (const Job& job : jobs_) {
    const Format& format = *job.output.format;
    if (format.scale_bytes != sizeof(ScaleAndZero) || format.flat || format.block_rows > 1) continue;
    const LoadedTensor source = job.source->Load(pool_);
    RequireZeros(*container, format, job.output.rows, job.output.cols, job.source->source_name, pool_,
                 [&](int64_t row, std::byte* codes, std::byte* scales) {
                   std::vector<float> values(static_cast<size_t>(job.output.cols));
                   ReadRows(job, source.view, row, 1, values.data());
                   format.encode_rows(values.data(), 1, job.output.cols, nullptr, 1.0f, 1.0f, codes, scales);
                 });
    if (progress_.Cancelled()) throw Interrupted();
  }
}

void Conversion::KeepRows(const Job& job, const PackedView& view, Piece& piece, int64_t first, int64_t n) const {
  const int64_t codes = CodesBytes(*view.format, 1, view.cols), scales = ScalesBytes(*view.format, 1, view.cols);
  for (int64_t r = first; r < first + n; ++r) {
    const int64_t at = piece.begin + r;
    const int64_t from = job.order.rows.empty() ? at : job.order.rows[static_cast<size_t>(at)];
    std::memcpy(piece.codes.data() + r * codes, view.codes + from * codes, static_cast<size_t>(codes));
    if (scales > 0)
      std::memcpy(piece.scales.data() + r * scales, view.scales + from * scales, static_cast<size_t>(scales));
  }
}

// Everything that happens to a few rows happens at once, while they are in the processor's cache; writing the last
// piece is one of the tasks.
void Conversion::EncodePiece(const Job& job, const PackedView& source, Piece& piece, std::vector<double>& errors,
                             std::vector<double>& energies, CheckpointWriter& writer) {
  const Format& format = *job.output.format;
  const int64_t cols = job.output.cols, step = RowStep(format, piece.rows, cols);
  const int64_t grain = std::max<int64_t>(1, kGrainFloats / cols / step) * step;
  const auto part = [](std::vector<std::byte>& room, int64_t bytes) {
    if (room.size() < static_cast<size_t>(bytes)) room.resize(static_cast<size_t>(bytes));
    return std::span(room).first(static_cast<size_t>(bytes));
  };
  piece.codes = part(piece.codes_room, CodesBytes(format, piece.rows, cols));
  piece.scales = part(piece.scales_room, ScalesBytes(format, piece.rows, cols));
  PackedView packed;
  packed.format = &format;
  packed.rows = piece.rows;
  packed.cols = cols;
  packed.codes = piece.codes.data();
  packed.scales = piece.scales.empty() ? nullptr : piece.scales.data();
  packed.global_scale = job.global_scale;
  packed.global_divisor = job.global_divisor;
  const bool keeps = KeepsCodes(job);
  auto encode = [&](int64_t first, int worker) {
    const int64_t n = std::min(grain, piece.rows - first);
    float* rows = RowsOf(worker, n * cols);
    const float largest = ReadRows(job, source, piece.begin + first, n, rows);
    if (keeps) return KeepRows(job, source, piece, first, n);
    std::byte* scales = piece.scales.empty() ? nullptr : piece.scales.data() + ScalesBytes(format, first, cols);
    format.encode_rows(rows, n, cols, nullptr, job.global_scale, job.global_divisor,
                       piece.codes.data() + CodesBytes(format, first, cols), scales);
    if (!job.scale_dtype.empty())
      RoundScales(job.scale_dtype, format.scale_bytes, scales, ScalesBytes(format, n, cols));
    for (int64_t r = 0; r < n; ++r)
      if (!HoldsRow(packed, first + r, rows + r * cols, largest))
        FailOverflow(format, rows + r * cols, cols, PlaceOf(job, piece.begin + first + r));
    if (!options_.measure_error) return;
    std::vector<float>& decoded = scratch_[static_cast<size_t>(worker)].decoded;
    decoded.resize(static_cast<size_t>(cols));
    for (int64_t r = 0; r < n; ++r) {
      format.decode_row(packed, first + r, decoded.data());
      const auto at = static_cast<size_t>(piece.begin + first + r);
      AddSquares(decoded.data(), rows + r * cols, cols, &errors[at], &energies[at]);
    }
  };
  pool_.For((piece.rows + grain - 1) / grain + 1, 1, [&](int64_t from, int64_t to, int worker) {
    for (int64_t task = from; task < to; ++task) {
      if (task == 0)
        WritePending(writer);
      else
        encode((task - 1) * grain, worker);
    }
  });
}

void Conversion::WritePending(CheckpointWriter& writer) {
  if (pending_.rows == 0) return;
  const Job& job = jobs_[pending_.tensor];
  if (pending_.begin == 0 && job.output.format->choose_global)
    writer.SetGlobal(pending_.tensor, job.global_scale, job.global_divisor);
  writer.WriteRows(pending_.tensor, pending_.begin, pending_.rows, pending_.codes, pending_.scales);
  pending_.rows = 0;
}

void Conversion::WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report) {
  const Job& job = jobs_[index];
  const LoadedTensor source = job.source->Load(pool_);
  ChooseGlobal(job.group);
  const Format& format = *job.output.format;
  const int64_t cols = job.output.cols, n_rows = job.output.rows, rows_per_piece = RowsPerPiece(format, n_rows, cols);
  std::vector<double> errors(static_cast<size_t>(n_rows)), energies(static_cast<size_t>(n_rows));
  for (int64_t begin = 0; begin < n_rows; begin += rows_per_piece) {
    current_.tensor = index;
    current_.begin = begin;
    current_.rows = std::min(rows_per_piece, n_rows - begin);
    EncodePiece(job, source.view, current_, errors, energies, writer);
    std::swap(current_, pending_);
    progress_.Advance(static_cast<uint64_t>(pending_.rows * cols) * 4);
    if (progress_.Cancelled()) throw Interrupted();
  }
  ReleasePages({source.view.codes, static_cast<size_t>(job.source->codes_bytes())});
  const double squared_error = std::accumulate(errors.begin(), errors.end(), 0.0);
  const double squared_source = std::accumulate(energies.begin(), energies.end(), 0.0);
  double count = static_cast<double>(n_rows) * static_cast<double>(cols);
  report.name = job.output.name;
  report.shape = job.output.shape;
  report.from = job.source->format_name();
  report.to = format.name;
  report.method = KeepsCodes(job) ? "kept" : "rtn";
  report.bytes = static_cast<uint64_t>(CodesBytes(format, n_rows, cols) + ScalesBytes(format, n_rows, cols));
  if (options_.measure_error || KeepsCodes(job)) {
    report.rmse = std::sqrt(squared_error / count);
    report.relative_error = squared_source > 0 ? std::sqrt(squared_error / squared_source) : 0;
  } else {
    report.rmse = report.relative_error = std::numeric_limits<double>::quiet_NaN();
  }
}

std::unique_ptr<CheckpointWriter> Conversion::Begin(const std::filesystem::path& out) const {
  std::vector<OutputTensor> outputs;
  for (const Job& job : jobs_) outputs.push_back(job.output);
  return CheckpointWriter::Create(preset_.info().container, out, source_, preset_.info().name, outputs,
                                  options_.shard_bytes, options_.hf_container, options_.rules);
}

void Conversion::Write(const std::filesystem::path& out, QuantRecord& record) {
  const std::unique_ptr<CheckpointWriter> writer = Begin(out);
  uint64_t total = 0;
  for (const Job& job : jobs_) total += static_cast<uint64_t>(job.output.rows * job.output.cols) * 4;
  progress_.Begin(fmt::format("quantize to {}", preset_.info().name), total, "bytes");
  GroupByGlobal();
  CheckZeros();
  record.tensors.resize(jobs_.size());
  for (size_t i = 0; i < jobs_.size(); ++i) {
    jobs_[i].scale_dtype = jobs_[i].output.format->scale_bytes >= 4 ? writer->scale_dtype(i) : "";
    WriteTensor(i, *writer, record.tensors[i]);
  }
  WritePending(*writer);
  if (std::string text = writer->left_out(); !text.empty()) record.notes.push_back(std::move(text));
  if (!source_.drafts().empty()) record.notes.push_back(source_.drafts() + " are left out");
  writer->Commit();
  record.output = writer->first_file().string();
  const std::filesystem::path file = writer->first_file();
  record.result.name = (file.has_filename() ? file : file.parent_path()).filename().string();
  record.result.architecture = source_.config().architecture;
  record.result.format = preset_.info().name;
  record.result.bits_per_weight = writer->bits_per_weight();
  record.result.file_bytes = writer->total_bytes();
  progress_.End();
}

void RequireOther(const Checkpoint& source, const std::filesystem::path& out) {
  std::error_code ignored;
  if (std::filesystem::equivalent(source.path(), out, ignored))
    Fail(ErrorKind::kInvalid, "{}: the output would replace the source", out.string());
}

}  // namespace

void CheckConversion(const Checkpoint& source, const Preset& preset, const std::filesystem::path& out,
                     const ConvertOptions& options, ThreadPool& pool, Progress& progress) {
  RequireOther(source, out);
  RequireFit(preset, source);
  Conversion conversion(source, preset, options, pool, progress);
  conversion.Plan();
  conversion.Begin(out);
}

QuantRecord ConvertCheckpoint(const Checkpoint& source, const Preset& preset, const std::filesystem::path& out,
                              const ConvertOptions& options, ThreadPool& pool, Progress& progress) {
  RequireOther(source, out);
  double start = Now();
  QuantRecord record;
  record.preset = preset.info().name;
  record.started = UtcTimestamp();
  if (std::string left = RequireFit(preset, source); !left.empty()) record.notes.push_back(std::move(left));
  Conversion conversion(source, preset, options, pool, progress);
  conversion.Plan();
  conversion.Write(out, record);
  record.elapsed_s = Now() - start;
  record.peak_memory_bytes = PeakMemoryBytes();
  return record;
}

std::string ModelStem(const Checkpoint& source) {
  std::filesystem::path path = std::filesystem::absolute(source.path()).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

std::string DefaultOutputName(const Checkpoint& source, const Preset& preset) {
  const std::string stem = ModelStem(source);
  if (preset.info().container == Container::kHuggingFace) return fmt::format("{}-{}", stem, preset.info().name);
  std::string upper(preset.info().name);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return fmt::format("{}-{}.gguf", stem, upper);
}

}  // namespace assay
