#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "convert/finite.h"
#include "convert/row_sums.h"
#include "convert/stream.h"
#include "convert/zeros.h"
#include "describe/tensor_order.h"
#include "quantize/choose.h"
#include "system/machine.h"

namespace assay {
namespace {

/// What is known of a job beside what it makes.
struct Facts {
  std::string stored;            // the tensor of a Hugging Face file that it is a part of; empty: it is a whole one
  bool turned = false;           // it was decoded to be turned: its format says nothing about the file
  std::string group;             // of tensors that share a global scale; empty: it has none
  std::string_view scale_dtype;  // of the container's float scales, see CheckpointWriter
  bool keeps_codes = false;
};

// Rows that are in the output's format already are taken over: any encoder could only lose.
bool KeepsCodes(const StreamJob& job) {
  const Tensor& source = *job.source;
  const Format& format = *source.format;
  return &format == job.output.format && source.stored_as.empty() && !format.flat && !format.choose_global &&
         format.block_rows == 1 && source.global_scale == source.global_divisor && source.column_group == nullptr &&
         job.order.cols.empty();
}

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
  /// Before any weight is read: what is in the way of the output is found here.
  StreamOutput Begin(const std::filesystem::path& out) const;
  void Write(const std::filesystem::path& out, QuantRecord& record);

 private:
  struct Scratch {
    std::vector<float> rows, decoded;
  };

  const Format& UnquantizedFormat(const StreamJob& job, const Facts& facts) const;
  std::string PlaceOf(size_t index, int64_t row) const;
  float ReadRows(size_t index, const PackedView& source, int64_t begin, int64_t n, float* rows) const;
  float* RowsOf(int worker, int64_t n_floats);
  MatrixStatistics Statistics(const StreamJob& job);
  void GroupByGlobal();
  void ChooseGlobal(size_t index);
  void CheckZeros();
  void Keep(const StreamJob& job, const PackedView& source, RowBlock& block, int64_t first, int64_t n) const;
  void Make(size_t index, const PackedView& source, RowBlock& block, int64_t first, int64_t n, int worker);
  TensorQuantization Report(size_t index) const;

  const Checkpoint& source_;
  const Preset& preset_;
  const ConvertOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<StreamJob> jobs_;
  std::vector<Facts> facts_;                           // of each job
  std::map<std::string, std::vector<size_t>> groups_;  // jobs whose global scale is not chosen
  std::vector<Scratch> scratch_;                       // of each worker
};

const Format& Conversion::UnquantizedFormat(const StreamJob& job, const Facts& facts) const {
  const Tensor& tensor = *job.source;
  if (tensor.format->integers) return TableFormat(preset_.info().container);
  // GGUF keeps vectors in float32 (its readers expect that); Hugging Face files have one dtype for all that is not
  // quantized.
  if (preset_.info().container == Container::kGguf) return F32Format();
  if (source_.container() == Container::kHuggingFace && IsPlain(*tensor.format) && !facts.turned) return *tensor.format;
  const Tensor* embedding = source_.Find("token_embd.weight");
  return embedding && IsPlain(*embedding->format) ? *embedding->format : Bf16Format();
}

void Conversion::Plan() {
  const ModelConfig& config = source_.config();
  const TensorOrders orders = OrdersOf(config.architecture, preset_.info().container);
  const std::vector<const Format*> formats = ChooseFormats(preset_, source_);
  for (size_t i = 0; i < formats.size(); ++i) {
    const Tensor& tensor = source_.tensors()[i];
    if (IsRopeTable(tensor.name)) continue;
    const TensorSlot& slot = *source_.layout().Find(tensor.name);
    StreamJob& job = jobs_.emplace_back();
    Facts& facts = facts_.emplace_back();
    job.source = &tensor;
    job.output = {tensor.name, formats[i], tensor.rows, tensor.cols, tensor.shape};
    if (slot.in_hf.rows > 0) facts.stored = slot.hugging_face;
    facts.turned = slot.in_hf.turned;
    if (!job.output.format) job.output.format = &UnquantizedFormat(job, facts);
    const Format& format = *job.output.format;
    if (!format.encode_rows)
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: format {} can be read but not written", source_.path().string(),
           tensor.source_name, format.name);
    job.has_global = format.choose_global != nullptr;
    job.output.second_scale = job.has_global && !format.has_global;
    job.Follow(OrderBetween(config, orders, tensor.name));
    facts.keeps_codes = KeepsCodes(job);
    const size_t index = jobs_.size() - 1;
    if (job.has_global) job.prepare = [this, index] { ChooseGlobal(index); };
    job.make = [this, index](const PackedView& from, RowBlock& block, int64_t first, int64_t n, int worker) {
      Make(index, from, block, first, n, worker);
    };
  }
  GroupByGlobal();
}

/// File, tensor and row of the source.
std::string Conversion::PlaceOf(size_t index, int64_t row) const {
  const StreamJob& job = jobs_[index];
  return fmt::format("{}: tensor {}: row {}{}", source_.path().string(), job.source->source_name,
                     job.order.rows.empty() ? row : job.order.rows[static_cast<size_t>(row)],
                     facts_[index].stored == job.source->source_name ? " of its part " + job.source->name : "");
}

/// The largest magnitude of the rows, all of which are finite.
float Conversion::ReadRows(size_t index, const PackedView& source, int64_t begin, int64_t n, float* rows) const {
  const int64_t cols = jobs_[index].output.cols;
  float largest = 0;
  for (int64_t r = begin; r < begin + n; ++r, rows += cols) {
    DecodeInOrder(source, jobs_[index].order, r, rows);
    const float of_row = LargestMagnitude(rows, cols);
    if (!std::isfinite(of_row))
      Fail(ErrorKind::kCorrupt, "{} has a NaN or an infinity, which no quantized format holds", PlaceOf(index, r));
    largest = std::max(largest, of_row);
  }
  return largest;
}

float* Conversion::RowsOf(int worker, int64_t n_floats) {
  std::vector<float>& rows = scratch_[static_cast<size_t>(worker)].rows;
  if (rows.size() < static_cast<size_t>(n_floats)) rows.resize(static_cast<size_t>(n_floats));
  return rows.data();
}

MatrixStatistics Conversion::Statistics(const StreamJob& job) {
  const LoadedTensor source = job.source->Load(pool_);
  const int64_t cols = job.output.cols, n_rows = job.output.rows;
  std::vector<float> largest(static_cast<size_t>(n_rows)), sums(static_cast<size_t>(n_rows));
  pool_.For(n_rows, std::max<int64_t>(1, kGrainWeights / cols), [&](int64_t from, int64_t to, int worker) {
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
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const StreamJob& job = jobs_[i];
    if (!job.has_global) continue;
    std::string group = job.output.name;
    if (!facts_[i].stored.empty() && preset_.info().container == Container::kHuggingFace) {
      group = facts_[i].stored;
    } else if (!job.output.format->own_global) {
      for (const char* part : {"attn_q.", "attn_k.", "attn_v."}) ReplaceAll(group, part, "attn_qkv.");
      for (const char* part : {"ffn_gate.", "ffn_up."}) ReplaceAll(group, part, "ffn_gate_up.");
    }
    groups_[group].push_back(i);
    facts_[i].group = std::move(group);
  }
}

// Just before the first member is encoded: its rows are still in the processor's cache then.
void Conversion::ChooseGlobal(size_t index) {
  const auto found = groups_.find(facts_[index].group);
  if (found == groups_.end()) return;
  std::vector<MatrixStatistics> parts;
  for (size_t i : found->second) parts.push_back(Statistics(jobs_[i]));
  const MatrixStatistics shared = SharedStatistics(parts);
  for (size_t i : found->second) {
    StreamJob& job = jobs_[i];
    job.output.format->choose_global(shared, &job.written.global_scale, &job.written.global_divisor);
  }
  groups_.erase(found);
  if (progress_.Cancelled()) throw Interrupted();
}

// Which zeros rounding gives is known only once it is done: for the containers that cannot state all of them it is done
// twice.
void Conversion::CheckZeros() {
  if (options_.hf_container.empty()) return;
  const std::unique_ptr<HfContainer> container = CreateHfContainer(options_.hf_container, {});
  progress_.Begin("look at zeros", jobs_.size(), "tensors");
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const StreamJob& job = jobs_[i];
    const Format& format = *job.output.format;
    progress_.Advance(1);
    if (format.scale_bytes != sizeof(ScaleAndZero) || format.flat || format.block_rows > 1) continue;
    const LoadedTensor source = job.source->Load(pool_);
    RequireZeros(*container, format, job.output.rows, job.output.cols, job.source->source_name, pool_,
                 [&](int64_t row, std::byte* codes, std::byte* scales) {
                   std::vector<float> values(static_cast<size_t>(job.output.cols));
                   ReadRows(i, source.view, row, 1, values.data());
                   format.encode_rows(values.data(), 1, job.output.cols, nullptr, 1.0f, 1.0f, codes, scales);
                 });
    if (progress_.Cancelled()) throw Interrupted();
  }
  progress_.End();
}

void Conversion::Keep(const StreamJob& job, const PackedView& source, RowBlock& block, int64_t first, int64_t n) const {
  const int64_t codes = CodesBytes(*source.format, 1, source.cols),
                scales = ScalesBytes(*source.format, 1, source.cols);
  for (int64_t r = first; r < first + n; ++r) {
    const int64_t at = block.begin + r;
    const int64_t from = job.order.rows.empty() ? at : job.order.rows[static_cast<size_t>(at)];
    std::memcpy(block.CodesAt(r), source.codes + from * codes, static_cast<size_t>(codes));
    if (scales > 0) std::memcpy(block.ScalesAt(r), source.scales + from * scales, static_cast<size_t>(scales));
  }
}

// Everything that happens to a few rows happens at once, while they are in the processor's cache.
void Conversion::Make(size_t index, const PackedView& source, RowBlock& block, int64_t first, int64_t n, int worker) {
  const StreamJob& job = jobs_[index];
  const Facts& facts = facts_[index];
  const Format& format = *job.output.format;
  const int64_t cols = job.output.cols;
  float* rows = RowsOf(worker, n * cols);
  const float largest = ReadRows(index, source, block.begin + first, n, rows);
  if (facts.keeps_codes) return Keep(job, source, block, first, n);
  format.encode_rows(rows, n, cols, nullptr, job.written.global_scale, job.written.global_divisor, block.CodesAt(first),
                     block.ScalesAt(first));
  if (!facts.scale_dtype.empty())
    RoundScales(facts.scale_dtype, format.scale_bytes, block.ScalesAt(first), ScalesBytes(format, n, cols));
  for (int64_t r = 0; r < n; ++r)
    if (!HoldsRow(block.packed, first + r, rows + r * cols, largest))
      FailOverflow(format, rows + r * cols, cols, PlaceOf(index, block.begin + first + r));
  if (!options_.measure_error) return;
  std::vector<float>& decoded = scratch_[static_cast<size_t>(worker)].decoded;
  decoded.resize(static_cast<size_t>(cols));
  for (int64_t r = 0; r < n; ++r) {
    format.decode_row(block.packed, first + r, decoded.data());
    const auto at = static_cast<size_t>(first + r);
    AddSquares(decoded.data(), rows + r * cols, cols, &block.errors[at], &block.energies[at]);
  }
}

TensorQuantization Conversion::Report(size_t index) const {
  const StreamJob& job = jobs_[index];
  const Format& format = *job.output.format;
  const int64_t rows = job.output.rows, cols = job.output.cols;
  const double squared_error = job.written.squared_error, squared_source = job.written.squared_source;
  TensorQuantization report;
  report.name = job.output.name;
  report.shape = job.output.shape;
  report.from = job.source->format_name();
  report.to = format.name;
  report.method = facts_[index].keeps_codes ? "kept" : "rtn";
  report.bytes = static_cast<uint64_t>(CodesBytes(format, rows, cols) + ScalesBytes(format, rows, cols));
  if (options_.measure_error || facts_[index].keeps_codes) {
    report.rmse = std::sqrt(squared_error / (static_cast<double>(rows) * static_cast<double>(cols)));
    report.relative_error = squared_source > 0 ? std::sqrt(squared_error / squared_source) : 0;
  } else {
    report.rmse = report.relative_error = std::numeric_limits<double>::quiet_NaN();
  }
  return report;
}

StreamOutput Conversion::Begin(const std::filesystem::path& out) const {
  std::vector<OutputTensor> outputs;
  for (const StreamJob& job : jobs_) outputs.push_back(job.output);
  const Json settings = {{"command", "quantize"},
                         {"to", preset_.info().name},
                         {"container", options_.hf_container},
                         {"shard_bytes", options_.shard_bytes},
                         {"error", options_.measure_error}};
  return {out,
          source_,
          settings,
          jobs_,
          options_.rules,
          [&](const OutputRules& rules) {
            return CheckpointWriter::Create(preset_.info().container, out, source_, preset_.info().name, outputs,
                                            options_.shard_bytes, options_.hf_container, rules);
          },
          options_.tell};
}

void Conversion::Write(const std::filesystem::path& out, QuantRecord& record) {
  StreamOutput output = Begin(out);
  CheckpointWriter& writer = output.writer();
  for (size_t i = 0; i < jobs_.size(); ++i)
    facts_[i].scale_dtype = jobs_[i].output.format->scale_bytes >= 4 ? writer.scale_dtype(i) : "";
  const std::string what = fmt::format("quantize to {}", preset_.info().name);
  if (!output.continued()) CheckZeros();
  output.Stream(jobs_, {what, "bytes", sizeof(float)}, pool_, progress_);
  for (size_t i = 0; i < jobs_.size(); ++i) record.tensors.push_back(Report(i));
  if (std::string text = writer.left_out(); !text.empty()) record.notes.push_back(std::move(text));
  if (!source_.drafts().empty()) record.notes.push_back(source_.drafts() + " are left out");
  const std::filesystem::path file = writer.first_file();
  record.output = file.string();
  record.result.name = (file.has_filename() ? file : file.parent_path()).filename().string();
  record.result.architecture = source_.config().architecture;
  record.result.format = preset_.info().name;
  record.result.bits_per_weight = writer.bits_per_weight();
  record.result.file_bytes = writer.total_bytes();
  output.Commit();
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
