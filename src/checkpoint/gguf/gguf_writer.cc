#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/gguf/gguf_metadata.h"
#include "checkpoint/gguf/gguf_scales.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer_base.h"
#include "describe/arch/llama_cpp.h"
#include "describe/arch/spec.h"
#include "describe/generation_files.h"
#include "describe/model_facts.h"
#include "format/nvfp4.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr uint64_t kAlignment = 32;
constexpr size_t kMaxShards = 9999;

uint64_t Padded(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string Joined(std::string_view a, std::string_view b) {
  return fmt::format("{}{}{}", a, a.empty() || b.empty() ? "" : "; ", b);
}

/// Reads the metadata as llama.cpp will. Throws Error{kUnsupported} where it would not load the model, or run another
/// one without that being known of the file (Checkpoint::differences).
void RequireSameModel(const ModelConfig& source, const GgufMetadata& metadata, const RopeTables& tables,
                      const std::vector<OutputTensor>& tensors, const std::string& where) {
  std::string head = "GGUF";
  Append<uint32_t>(head, 3);
  Append<uint64_t>(head, 0);
  Append<uint64_t>(head, metadata.count());
  head += metadata.bytes();
  GgufFile file = GgufFile::Parse(std::as_bytes(std::span(head)), where);
  for (const OutputTensor& tensor : tensors) {
    file.tensor_index.emplace(tensor.name, file.tensors.size());
    file.tensors.emplace_back().name = tensor.name;
  }
  const std::string_view engine = file.String("general.architecture");
  const GgufModel read = ReadGgufModel(file, tables, !file.FindTensor("output.weight"));
  auto refuse = [&](std::string_view why) {
    Fail(ErrorKind::kUnsupported,
         "{}: GGUF cannot hold this model: llama.cpp's {} {}; write a Hugging Face folder instead", where, engine, why);
  };
  for (const std::string& why : WhyLlamaCppRefuses(read.config, tables)) refuse(why);
  for (const std::string& why : WrongTensors(SlotsOf(EngineOf(engine), read.config), tensors)) refuse(why);
  const std::vector<std::string> apart = ModelDifferences(read.config, source);
  if (apart.empty()) return;
  if (!read.as_made || !ModelDifferences(*read.as_made, source).empty())
    refuse(fmt::format("runs another: {}",
                       fmt::join(apart.begin(), apart.begin() + std::min<ptrdiff_t>(3, std::ssize(apart)), "; ")));
}

class GgufWriter : public CheckpointWriter {
 public:
  GgufWriter(const std::filesystem::path& out, const Checkpoint& source, std::string_view preset,
             const std::vector<OutputTensor>& tensors, MergePlan plan, uint64_t shard_bytes, const OutputRules& rules)
      : tensors_(tensors), plan_(std::move(plan)), cursor_(tensors_) {
    const RopeTables tables = AddRopeTables(source.config());
    AddScales();
    const GgufMetadata metadata = GgufMetadataOf(source, preset, MainFormat());
    left_out_ = Joined(CacheScalesText(source), GgufLosses(source.config().generation));
    // What comes out of a GGUF says of itself how it differs.
    if (source.container() != Container::kGguf)
      RequireSameModel(Folded(source.config()), metadata, tables, tensors_, out.string());
    if (!source.tokenizer().after_bos.empty())
      left_out_ =
          Joined(left_out_, fmt::format("GGUF states one token at most before a text: the {} that this tokenizer "
                                        "puts before every text are left to the chat template",
                                        source.tokenizer().after_bos.size() + 1));
    if (source.container() == Container::kHuggingFace) {
      const ModelConfig& config = source.config();
      const GgufExtras extras{config.name, GgufName(*FindArchitecture(config.architecture))};
      left_out_ = Joined(left_out_, GgufLosses(TokenizerForGguf(source), extras, config.stop_tokens));
    }
    Distribute(shard_bytes, out);
    for (size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_[i];
      std::string head = Head(i, metadata);
      shard.data_begin = Padded(head.size());
      head.resize(shard.data_begin, '\0');
      shard.file = std::make_unique<AtomicFile>(ShardPath(out, i), rules);
      shard.file->Write(head);
      shard.file->Extend(shard.data_begin + shard.data_bytes);
    }
    first_file_ = ShardPath(out, 0);
  }

  void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                 std::span<const std::byte> scales) override {
    cursor_.Accept(tensor, row_begin, n_rows, codes.size(), scales.size());
    const MergePlan::Part& part = plan_.parts[tensor];
    if (!part.place.metadata.empty()) return;
    const OutputTensor &out = tensors_[tensor], &stored = plan_.stored[part.stored];
    const Format& format = *stored.format;
    // Vectors are parts of vectors, or rows of a matrix with one row a slice.
    const bool vector = out.shape.size() == 1;
    const int64_t unit = vector ? CodesBytes(format, 1, out.cols) / out.cols : CodesBytes(format, 1, out.cols);
    const int64_t all = vector ? out.cols : out.rows, begin = vector ? 0 : row_begin;
    part.place.ForRuns(begin, vector ? all : n_rows, all, [&](int64_t row, int64_t at, int64_t n) {
      WriteAt(places_[part.stored], static_cast<uint64_t>(at * unit),
              codes.subspan(static_cast<size_t>((row - begin) * unit), static_cast<size_t>(n * unit)));
    });
  }

  void SetGlobal(size_t tensor, float global_scale, float global_divisor) override {
    const MergePlan::Part& part = plan_.parts[tensor];
    auto found = scale_of_.find(part.stored);
    if (found == scale_of_.end()) return;
    SideTensor& side = side_tensors_[found->second];
    const float scale = global_scale / global_divisor;
    float& place = side.values[static_cast<size_t>(part.place.slice)];
    if (std::isfinite(place) && place != scale)
      Fail(ErrorKind::kUnsupported, "tensor {}: its parts have scales of their own, but GGUF keeps one",
           plan_.stored[part.stored].name);
    place = scale;
  }

  void ContinueAt(size_t tensor, int64_t row) override { cursor_.ContinueAt(tensor, row); }

  void Flush() override {
    for (const Shard& shard : shards_) shard.file->Flush();
  }

  void Leave(bool leaves) override {
    for (const Shard& shard : shards_) shard.file->Leave(leaves);
  }

  std::vector<UnfinishedFile> unfinished() const override {
    std::vector<UnfinishedFile> files;
    for (const Shard& shard : shards_) files.push_back({shard.file->part(), shard.data_begin + shard.data_bytes});
    return files;
  }

  void Commit() override {
    ASSAY_CHECK(cursor_.AllDone());
    for (const SideTensor& side : side_tensors_) WriteAt(side.place, 0, std::as_bytes(std::span(side.values)));
    std::vector<AtomicFile*> files;
    for (const Shard& shard : shards_) files.push_back(shard.file.get());
    CommitTogether(files);
  }

  std::string left_out() const override { return left_out_; }
  std::filesystem::path first_file() const override { return first_file_; }
  uint64_t total_bytes() const override {
    uint64_t total = 0;
    for (const Shard& shard : shards_) total += shard.data_begin + shard.data_bytes;
    return total;
  }
  double bits_per_weight() const override {
    double bits = 0, weights = 0;
    for (const OutputTensor& stored : plan_.stored) {
      if (stored.shape.size() < 2 || stored.format->integers) continue;
      bits += 8.0 * static_cast<double>(CodesBytes(*stored.format, stored.rows, stored.cols));
      weights += static_cast<double>(stored.rows) * static_cast<double>(stored.cols);
    }
    return weights > 0 ? bits / weights : 0.0;
  }

 private:
  /// Where a tensor's data begin.
  struct Place {
    size_t shard = 0;
    uint64_t offset = 0;
  };
  /// A vector that is none of the model's tensors.
  struct SideTensor {
    std::string name;
    std::vector<float> values;
    Place place = {};
  };
  /// One file of the output.
  struct Shard {
    std::vector<size_t> stored;
    std::unique_ptr<AtomicFile> file;
    uint64_t data_begin = 0, data_bytes = 0;
  };

  void WriteAt(const Place& place, uint64_t at, std::span<const std::byte> bytes) {
    Shard& shard = shards_[place.shard];
    shard.file->WriteAt(shard.data_begin + place.offset + at, bytes);
  }

  /// Tensors in order, each file as full as `shard_bytes` (0: no limit) allows; a larger tensor has one of its own.
  void Distribute(uint64_t shard_bytes, const std::filesystem::path& out) {
    shards_.emplace_back();
    std::vector<bool> in_metadata(plan_.stored.size());
    for (const MergePlan::Part& part : plan_.parts) in_metadata[part.stored] = !part.place.metadata.empty();
    uint64_t used = 0;
    for (size_t i = 0; i < plan_.stored.size(); ++i) {
      if (in_metadata[i]) continue;
      ++n_tensors_;
      const OutputTensor& tensor = plan_.stored[i];
      const auto bytes = Padded(static_cast<uint64_t>(CodesBytes(*tensor.format, tensor.rows, tensor.cols)));
      if (shard_bytes > 0 && used > 0 && used + bytes > shard_bytes) {
        shards_.emplace_back();
        used = 0;
      }
      used += bytes;
      shards_.back().stored.push_back(i);
    }
    if (shards_.size() > kMaxShards)
      Fail(ErrorKind::kInvalid, "{}: {} files of {} bytes; at most {} expected", out.string(), shards_.size(),
           shard_bytes, kMaxShards);
    places_.resize(plan_.stored.size());
  }

  std::filesystem::path ShardPath(const std::filesystem::path& out, size_t shard) const {
    if (shards_.size() == 1) return out;
    std::filesystem::path stem = out;
    if (stem.extension() == ".gguf") stem.replace_extension();
    return fmt::format("{}-{:05}-of-{:05}.gguf", stem.string(), shard + 1, shards_.size());
  }

  /// NVFP4's factor of the matrix and its activations' (one per expert where experts lie together).
  void AddScales() {
    std::map<size_t, std::vector<float>> inputs;
    for (size_t i = 0; i < plan_.parts.size(); ++i) {
      const MergePlan::Part& part = plan_.parts[i];
      const std::string& name = plan_.stored[part.stored].name;
      const auto slices = static_cast<size_t>(std::max<int64_t>(part.place.slices, 1));
      if (tensors_[i].second_scale && scale_of_.emplace(part.stored, side_tensors_.size()).second)
        side_tensors_.push_back({GgufScaleName(name), std::vector<float>(slices, std::nanf(""))});
      if (!IsNvfp4(*tensors_[i].format) || !(tensors_[i].activation_scale > 0.0f)) continue;
      inputs.try_emplace(part.stored, slices, 1.0f).first->second[static_cast<size_t>(part.place.slice)] =
          tensors_[i].activation_scale;
    }
    for (auto& [stored, values] : inputs)
      side_tensors_.push_back({GgufInputScaleName(plan_.stored[stored].name), std::move(values)});
    for (const SideTensor& side : side_tensors_)
      for (const OutputTensor& stored : plan_.stored)
        if (stored.name == side.name)  // Gemma 4's experts
          Fail(ErrorKind::kUnsupported, "tensor {}: GGUF has one place for the model's own scales and for NVFP4's",
               side.name);
  }

  /// The llama3 and the proportional scaling of RoPE and the factors of longrope have no metadata: GGUF keeps them as
  /// tensors.
  RopeTables AddRopeTables(const ModelConfig& config) {
    RopeTables tables;
    if (config.rope_scaling.kind == RopeScaling::Kind::kLong) {
      tables.long_factors = config.rope_long_factors;
      tables.short_factors = config.rope_factors;
    } else {
      tables.freqs = RopeFactorsOf(config);
      const std::string_view engine = GgufName(*FindArchitecture(config.architecture));
      if (tables.freqs.empty() && EngineOf(engine).tables == EngineRow::Tables::kFreqsAlways)
        tables.freqs.assign(static_cast<size_t>(config.rotary_dim / 2), 1.0f);
    }
    for (const OutputTensor& tensor : tensors_)
      if (IsRopeTable(tensor.name)) return tables;
    for (auto [name, factors] : {std::pair{"rope_factors_long.weight", &tables.long_factors},
                                 {"rope_factors_short.weight", &tables.short_factors},
                                 {"rope_freqs.weight", &tables.freqs}})
      if (!factors->empty()) side_tensors_.push_back({name, *factors});
    return tables;
  }

  /// The first file has the metadata, and the side tensors.
  std::string Head(size_t index, const GgufMetadata& all) {
    Shard& shard = shards_[index];
    const size_t n_sides = index == 0 ? side_tensors_.size() : 0;
    GgufMetadata metadata = index == 0 ? all : GgufMetadata();
    if (shards_.size() > 1) {
      metadata.AddUint16("split.no", static_cast<uint16_t>(index));
      metadata.AddUint16("split.count", static_cast<uint16_t>(shards_.size()));
      metadata.AddInt32("split.tensors.count", static_cast<int32_t>(n_tensors_ + side_tensors_.size()));
    }
    std::string head = "GGUF";
    Append<uint32_t>(head, 3);
    Append<uint64_t>(head, shard.stored.size() + n_sides);
    Append<uint64_t>(head, metadata.count());
    head += metadata.bytes();
    for (size_t i : shard.stored) {
      const OutputTensor& tensor = plan_.stored[i];
      places_[i] = AddInfo(head, index, tensor.name, tensor.shape, GgufTypeId(*tensor.format),
                           static_cast<uint64_t>(CodesBytes(*tensor.format, tensor.rows, tensor.cols)));
    }
    for (size_t i = 0; i < n_sides; ++i) {
      SideTensor& side = side_tensors_[i];
      side.place = AddInfo(head, index, side.name, {static_cast<int64_t>(side.values.size())}, 0,
                           side.values.size() * sizeof(float));
    }
    return head;
  }

  Place AddInfo(std::string& head, size_t shard, const std::string& name, const std::vector<int64_t>& shape,
                uint32_t type, uint64_t bytes) {
    const Place place{shard, shards_[shard].data_bytes};
    Append<uint64_t>(head, name.size());
    head += name;
    Append(head, static_cast<uint32_t>(shape.size()));
    for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) Append(head, static_cast<uint64_t>(*dim));
    Append(head, type);
    Append(head, place.offset);
    shards_[shard].data_bytes += Padded(bytes);
    return place;
  }

  const Format& MainFormat() const {
    std::map<const Format*, int64_t> weights;
    for (const OutputTensor& tensor : tensors_)
      if (tensor.shape.size() > 1) weights[tensor.format] += tensor.rows * tensor.cols;
    auto most = std::max_element(weights.begin(), weights.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == weights.end() ? F32Format() : *most->first;
  }

  std::vector<OutputTensor> tensors_;
  MergePlan plan_;
  WriteCursor cursor_;
  std::vector<Shard> shards_;
  size_t n_tensors_ = 0;       // in all shards, but for side tensors
  std::vector<Place> places_;  // of the stored tensors
  std::vector<SideTensor> side_tensors_;
  std::map<size_t, size_t> scale_of_;  // stored tensor → side tensor
  std::string left_out_;
  std::filesystem::path first_file_;
};

}  // namespace

std::unique_ptr<CheckpointWriter> CreateGgufWriter(const std::filesystem::path& out, const Checkpoint& source,
                                                   std::string_view preset, const std::vector<OutputTensor>& tensors,
                                                   uint64_t shard_bytes, const OutputRules& rules) {
  for (const OutputTensor& tensor : tensors) {
    if (!HasGgufType(*tensor.format))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: GGUF has no type for {}; write a Hugging Face folder instead",
           out.string(), tensor.name, tensor.format->name);
    if (tensor.shape.size() == 1 && tensor.format != &F32Format())
      Fail(ErrorKind::kInvalid, "{}: tensor {}: vectors are f32 in GGUF, not {}", out.string(), tensor.name,
           tensor.format->name);
  }
  const ModelConfig& config = source.config();
  if (!FindArchitecture(config.architecture)->in_llama_cpp)
    Fail(ErrorKind::kUnsupported, "{}: GGUF has no architecture {}; write a Hugging Face folder instead", out.string(),
         config.architecture);
  MergePlan plan = PlanMerge(source.layout(), Container::kGguf, tensors, out.string());
  return std::make_unique<GgufWriter>(out, source, preset, tensors, std::move(plan), shard_bytes, rules);
}

}  // namespace assay
