#include "convert/convert.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "convert/row_sums.h"
#include "quantize/choose.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kPieceFloats = int64_t{4} << 20;  // 16 MiB of float32 at a time

// The smallest number of rows that are whole blocks together.
int64_t RowStep(const Format& format, int64_t cols) {
  return format.flat ? format.scale_weights / std::gcd<int64_t>(format.scale_weights, cols) : format.block_rows;
}

int64_t RowsPerPiece(const Format& format, int64_t cols) {
  int64_t step = RowStep(format, cols);
  return std::max<int64_t>(1, kPieceFloats / cols / step) * step;
}

struct Job {
  const Tensor* source;
  OutputTensor output;
  std::vector<int64_t> row_order;  // source row of each output row; empty: the same
  float global_scale = 1.0f, global_divisor = 1.0f;
};

class Conversion {
 public:
  Conversion(const Checkpoint& source, const Preset& preset, const ConvertOptions& options, ThreadPool& pool,
             Progress& progress)
      : source_(source), preset_(preset), options_(options), pool_(pool), progress_(progress) {}
  void Plan();
  void ChooseGlobals();
  void Write(const std::filesystem::path& out, QuantRecord& record);

 private:
  const Format& UnquantizedFormat(const Tensor& tensor) const;
  void ReadRows(const Job& job, int64_t begin, int64_t n, float* rows) const;
  MatrixStatistics Statistics(const Job& job) const;
  void WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report);

  const Checkpoint& source_;
  const Preset& preset_;
  const ConvertOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<Job> jobs_;
  std::vector<float> floats_, decoded_;
  std::vector<std::byte> codes_, scales_;
};

const Format& Conversion::UnquantizedFormat(const Tensor& tensor) const {
  std::string_view name = tensor.view.format->name;
  bool plain = name == "f32" || name == "f16" || name == "bf16";
  // GGUF keeps vectors in float32 (its readers expect that); Hugging Face files have one dtype for all that is not
  // quantized.
  if (preset_.info().container == Container::kGguf) return GetFormat("f32");
  if (source_.container() == Container::kHuggingFace && plain) return *tensor.view.format;
  const Tensor* embedding = source_.Find("token_embd.weight");
  std::string_view embedding_name = embedding ? embedding->view.format->name : "";
  return GetFormat(embedding_name == "f16" || embedding_name == "f32" ? embedding_name : "bf16");
}

void Conversion::Plan() {
  const ModelConfig& config = source_.config();
  const bool target_interleaved = RopeInterleaved(config.architecture, preset_.info().container);
  const std::vector<const Format*> formats = ChooseFormats(preset_, source_);
  for (size_t i = 0; i < formats.size(); ++i) {
    const Tensor& tensor = source_.tensors()[i];
    if (IsRopeTable(tensor.name)) continue;
    Job job;
    job.source = &tensor;
    job.output = {tensor.name, formats[i], tensor.view.rows, tensor.view.cols, tensor.shape};
    if (!job.output.format) job.output.format = &UnquantizedFormat(tensor);
    if (!job.output.format->encode_rows)
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: format {} can be read but not written", source_.path().string(),
           tensor.source_name, job.output.format->name);
    bool for_q = false;
    if (config.rope_interleaved != target_interleaved && NeedsRopeOrder(tensor.name, &for_q))
      job.row_order = RopeRowOrder(config, for_q, target_interleaved);
    jobs_.push_back(std::move(job));
  }
}

void Conversion::ReadRows(const Job& job, int64_t begin, int64_t n, float* rows) const {
  int64_t cols = job.output.cols;
  bool vector = job.output.shape.size() < 2;
  std::atomic<int64_t> bad_row{-1};
  pool_.For(n, std::max<int64_t>(1, 16384 / cols), [&](int64_t from, int64_t to, int) {
    for (int64_t r = from; r < to; ++r) {
      float* row = rows + r * cols;
      if (vector && !job.row_order.empty()) {
        std::vector<float> all(static_cast<size_t>(cols));
        job.source->view.format->decode_row(job.source->view, 0, all.data());
        for (int64_t c = 0; c < cols; ++c) row[c] = all[static_cast<size_t>(job.row_order[static_cast<size_t>(c)])];
      } else {
        int64_t source_row = job.row_order.empty() ? begin + r : job.row_order[static_cast<size_t>(begin + r)];
        job.source->view.format->decode_row(job.source->view, source_row, row);
      }
      if (!AllFinite(row, cols)) bad_row.store(begin + r);
    }
  });
  if (bad_row.load() >= 0)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} has a NaN or an infinity, which no quantized format holds",
         source_.path().string(), job.source->source_name, bad_row.load());
}

MatrixStatistics Conversion::Statistics(const Job& job) const {
  int64_t cols = job.output.cols, piece = RowsPerPiece(*job.output.format, cols);
  std::vector<float> rows(static_cast<size_t>(std::min(piece, job.output.rows) * cols));
  float largest = 0;
  double sum = 0;
  for (int64_t begin = 0; begin < job.output.rows; begin += piece) {
    int64_t n = std::min(piece, job.output.rows - begin);
    ReadRows(job, begin, n, rows.data());
    for (int64_t r = 0; r < n; ++r) {
      const float* row = rows.data() + r * cols;
      float row_sum = 0;
      for (int64_t c = 0; c < cols; ++c) {
        largest = std::max(largest, std::fabs(row[c]));
        row_sum += std::fabs(row[c]);
      }
      sum += row_sum;
    }
  }
  double count = static_cast<double>(job.output.rows) * static_cast<double>(cols);
  return {largest, static_cast<float>(count > 0 ? sum / count : 0)};
}

void Conversion::ChooseGlobals() {
  // Engines fuse q, k, v and gate, up into one matrix each: the parts must share one global scale (the largest
  // magnitude decides).
  std::map<std::string, std::vector<Job*>> groups;
  for (Job& job : jobs_) {
    if (!job.output.format->has_global) continue;
    std::string group = job.output.name;
    if (!job.output.format->own_global) {
      for (const char* part : {"attn_q.", "attn_k.", "attn_v."}) ReplaceAll(group, part, "attn_qkv.");
      for (const char* part : {"ffn_gate.", "ffn_up."}) ReplaceAll(group, part, "ffn_gate_up.");
    }
    groups[group].push_back(&job);
  }
  for (auto& [name, members] : groups) {
    std::vector<MatrixStatistics> parts;
    for (Job* job : members) parts.push_back(Statistics(*job));
    const MatrixStatistics shared = SharedStatistics(parts);
    for (Job* job : members) job->output.format->choose_global(shared, &job->global_scale, &job->global_divisor);
    if (progress_.Cancelled()) throw Interrupted();
  }
}

void Conversion::WriteTensor(size_t index, CheckpointWriter& writer, TensorQuantization& report) {
  const Job& job = jobs_[index];
  const Format& format = *job.output.format;
  int64_t cols = job.output.cols, piece = RowsPerPiece(format, cols);
  if (format.has_global) writer.SetGlobal(index, job.global_scale, job.global_divisor);
  double squared_error = 0, squared_source = 0;
  for (int64_t begin = 0; begin < job.output.rows; begin += piece) {
    int64_t n = std::min(piece, job.output.rows - begin);
    floats_.resize(static_cast<size_t>(n * cols));
    ReadRows(job, begin, n, floats_.data());
    codes_.resize(static_cast<size_t>(CodesBytes(format, n, cols)));
    scales_.resize(static_cast<size_t>(ScalesBytes(format, n, cols)));
    PackedView packed;
    packed.format = &format;
    packed.rows = n;
    packed.cols = cols;
    packed.codes = codes_.data();
    packed.scales = scales_.empty() ? nullptr : scales_.data();
    packed.global_scale = job.global_scale;
    packed.global_divisor = job.global_divisor;
    int64_t step = RowStep(format, cols);
    int64_t grain = std::max<int64_t>(1, 8192 / cols / step) * step;
    pool_.For((n + grain - 1) / grain, 1, [&](int64_t from, int64_t to, int) {
      for (int64_t g = from; g < to; ++g) {
        int64_t row = g * grain, count = std::min(grain, n - row);
        format.encode_rows(floats_.data() + row * cols, count, cols, nullptr, job.global_scale, job.global_divisor,
                           codes_.data() + CodesBytes(format, row, cols),
                           scales_.empty() ? nullptr : scales_.data() + ScalesBytes(format, row, cols));
      }
    });
    if (options_.measure_error) {
      decoded_.resize(floats_.size());
      std::vector<double> errors(static_cast<size_t>(n)), sources(static_cast<size_t>(n));
      pool_.For(n, std::max<int64_t>(1, 16384 / cols), [&](int64_t from, int64_t to, int) {
        for (int64_t r = from; r < to; ++r) {
          float* out = decoded_.data() + r * cols;
          format.decode_row(packed, r, out);
          AddSquares(out, floats_.data() + r * cols, cols, &errors[static_cast<size_t>(r)],
                     &sources[static_cast<size_t>(r)]);
        }
      });
      squared_error = std::accumulate(errors.begin(), errors.end(), squared_error);
      squared_source = std::accumulate(sources.begin(), sources.end(), squared_source);
    }
    writer.WriteRows(index, begin, n, codes_, scales_);
    progress_.Advance(static_cast<uint64_t>(n * cols) * 4);
    if (progress_.Cancelled()) throw Interrupted();
  }
  const PackedView& view = job.source->view;
  ReleasePages({view.codes, static_cast<size_t>(CodesBytes(*view.format, view.rows, view.cols))});
  double count = static_cast<double>(job.output.rows) * static_cast<double>(cols);
  report.name = job.output.name;
  report.shape = job.output.shape;
  report.from = job.source->view.format->name;
  report.to = format.name;
  report.method = "rtn";
  report.bytes =
      static_cast<uint64_t>(CodesBytes(format, job.output.rows, cols) + ScalesBytes(format, job.output.rows, cols));
  report.rmse = std::sqrt(squared_error / count);
  report.relative_error = squared_source > 0 ? std::sqrt(squared_error / squared_source) : 0;
}

void Conversion::Write(const std::filesystem::path& out, QuantRecord& record) {
  std::vector<OutputTensor> outputs;
  uint64_t total = 0;
  for (const Job& job : jobs_) {
    outputs.push_back(job.output);
    total += static_cast<uint64_t>(job.output.rows * job.output.cols) * 4;
  }
  progress_.Begin(fmt::format("quantize to {}", preset_.info().name), total, "bytes");
  ChooseGlobals();
  auto writer = CheckpointWriter::Create(preset_.info().container, out, source_, preset_.info().name, outputs,
                                         options_.shard_bytes, options_.hf_container);
  record.tensors.resize(jobs_.size());
  for (size_t i = 0; i < jobs_.size(); ++i) WriteTensor(i, *writer, record.tensors[i]);
  writer->Commit();
  progress_.End();
}

}  // namespace

QuantRecord ConvertCheckpoint(const Checkpoint& source, const Preset& preset, const std::filesystem::path& out,
                              const ConvertOptions& options, ThreadPool& pool, Progress& progress) {
  std::error_code ignored;
  if (std::filesystem::equivalent(source.path(), out, ignored))
    Fail(ErrorKind::kInvalid, "{}: the output would replace the source", out.string());
  double start = Now();
  QuantRecord record;
  record.preset = preset.info().name;
  record.started = UtcTimestamp();
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
