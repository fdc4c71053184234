#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "checkpoint/arch/spec.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_scales.h"
#include "checkpoint/gguf_types.h"
#include "checkpoint/hf/cache_scales.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer_base.h"
#include "format/nvfp4.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr uint64_t kAlignment = 32;

uint64_t Padded(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class GgufWriter : public CheckpointWriter {
 public:
  GgufWriter(const std::filesystem::path& out, const Checkpoint& source, std::string_view preset,
             const std::vector<OutputTensor>& tensors, MergePlan plan)
      : tensors_(tensors), plan_(std::move(plan)), cursor_(tensors_), file_(out) {
    AddRopeTables(source.config());
    AddScales();
    left_out_ = CacheScalesText(source);
    std::string head = Head(source, preset);
    data_begin_ = Padded(head.size());
    head.resize(data_begin_, '\0');
    file_.Write(head);
    file_.Extend(total_bytes());
  }

  void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                 std::span<const std::byte> scales) override {
    cursor_.Accept(tensor, row_begin, n_rows, codes.size(), scales.size());
    const MergePlan::Part& part = plan_.parts[tensor];
    const OutputTensor &out = tensors_[tensor], &stored = plan_.stored[part.stored];
    const Format& format = *stored.format;
    // Vectors are parts of vectors, or rows of a matrix with one row a slice.
    const bool vector = out.shape.size() == 1;
    const int64_t unit = vector ? CodesBytes(format, 1, out.cols) / out.cols : CodesBytes(format, 1, out.cols);
    const int64_t all = vector ? out.cols : out.rows, per_slice = part.place.rows > 0 ? part.place.rows : all;
    const int64_t count = vector ? all : n_rows, begin = vector ? 0 : row_begin;
    for (int64_t done = 0; done < count;) {
      const int64_t first = part.place.Row(begin + done);
      int64_t run = 1;
      while (done + run < count && part.place.Row(begin + done + run) == first + run) ++run;
      const int64_t at = part.place.slice * per_slice + first;
      file_.WriteAt(data_begin_ + offsets_[part.stored] + static_cast<uint64_t>(at * unit),
                    codes.subspan(static_cast<size_t>(done * unit), static_cast<size_t>(run * unit)));
      done += run;
    }
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

  void Commit() override {
    ASSAY_CHECK(cursor_.AllDone());
    for (const SideTensor& side : side_tensors_)
      file_.WriteAt(data_begin_ + side.offset, std::as_bytes(std::span(side.values)));
    file_.Commit();
  }

  std::string left_out() const override { return left_out_; }
  uint64_t total_bytes() const override { return data_begin_ + data_bytes_; }

 private:
  /// A vector that is none of the model's tensors.
  struct SideTensor {
    std::string name;
    std::vector<float> values;
    uint64_t offset = 0;
  };

  /// NVFP4's factor of the matrix and its activations' (one per expert where experts lie together).
  void AddScales() {
    std::map<size_t, std::vector<float>> inputs;
    for (size_t i = 0; i < plan_.parts.size(); ++i) {
      const MergePlan::Part& part = plan_.parts[i];
      const std::string& name = plan_.stored[part.stored].name;
      const auto slices = static_cast<size_t>(std::max<int64_t>(part.place.slices, 1));
      if (tensors_[i].second_scale && scale_of_.emplace(part.stored, side_tensors_.size()).second)
        side_tensors_.push_back({GgufScaleName(name), std::vector<float>(slices, std::nanf("")), 0});
      if (!IsNvfp4(*tensors_[i].format) || !(tensors_[i].activation_scale > 0.0f)) continue;
      inputs.try_emplace(part.stored, slices, 1.0f).first->second[static_cast<size_t>(part.place.slice)] =
          tensors_[i].activation_scale;
    }
    for (auto& [stored, values] : inputs)
      side_tensors_.push_back({GgufInputScaleName(plan_.stored[stored].name), std::move(values), 0});
  }

  /// The llama3 scaling of RoPE and the factors of longrope have no metadata: GGUF keeps them as tensors.
  void AddRopeTables(const ModelConfig& config) {
    for (const OutputTensor& tensor : tensors_)
      if (IsRopeTable(tensor.name)) return;
    auto add = [&](const char* name, std::vector<float> factors) {
      if (!factors.empty()) side_tensors_.push_back({name, std::move(factors), 0});
    };
    if (config.rope_scaling.kind == RopeScaling::Kind::kLong) {
      add("rope_factors_long.weight", config.rope_long_factors);
      add("rope_factors_short.weight", config.rope_factors);
    } else if (config.rope_scaling.kind == RopeScaling::Kind::kLlama3) {
      add("rope_freqs.weight", Llama3RopeFactors(config));
    } else {
      add("rope_freqs.weight", config.rope_factors);
    }
  }

  std::string Head(const Checkpoint& source, std::string_view preset) {
    GgufMetadata metadata = GgufMetadataOf(source, preset, MainFormat());
    std::string head = "GGUF";
    Append<uint32_t>(head, 3);
    Append<uint64_t>(head, plan_.stored.size() + side_tensors_.size());
    Append<uint64_t>(head, metadata.count());
    head += metadata.bytes();
    for (const OutputTensor& tensor : plan_.stored)
      offsets_.push_back(AddInfo(head, tensor.name, tensor.shape, GgufTypeId(*tensor.format),
                                 static_cast<uint64_t>(CodesBytes(*tensor.format, tensor.rows, tensor.cols))));
    for (SideTensor& side : side_tensors_)
      side.offset =
          AddInfo(head, side.name, {static_cast<int64_t>(side.values.size())}, 0, side.values.size() * sizeof(float));
    return head;
  }

  /// Returns the offset of the tensor's data.
  uint64_t AddInfo(std::string& head, const std::string& name, const std::vector<int64_t>& shape, uint32_t type,
                   uint64_t bytes) {
    const uint64_t offset = data_bytes_;
    Append<uint64_t>(head, name.size());
    head += name;
    Append(head, static_cast<uint32_t>(shape.size()));
    for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) Append(head, static_cast<uint64_t>(*dim));
    Append(head, type);
    Append(head, offset);
    data_bytes_ += Padded(bytes);
    return offset;
  }

  const Format& MainFormat() const {
    std::map<const Format*, int64_t> weights;
    for (const OutputTensor& tensor : tensors_)
      if (tensor.shape.size() > 1) weights[tensor.format] += tensor.rows * tensor.cols;
    auto most = std::max_element(weights.begin(), weights.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == weights.end() ? GetFormat("f32") : *most->first;
  }

  std::vector<OutputTensor> tensors_;
  MergePlan plan_;
  WriteCursor cursor_;
  AtomicFile file_;
  std::vector<uint64_t> offsets_;  // of the data of each stored tensor, from data_begin_
  std::vector<SideTensor> side_tensors_;
  std::map<size_t, size_t> scale_of_;  // stored tensor → side tensor
  std::string left_out_;
  uint64_t data_begin_ = 0, data_bytes_ = 0;
};

}  // namespace

std::unique_ptr<CheckpointWriter> CreateGgufWriter(const std::filesystem::path& out, const Checkpoint& source,
                                                   std::string_view preset, const std::vector<OutputTensor>& tensors) {
  for (const OutputTensor& tensor : tensors) {
    if (!HasGgufType(*tensor.format))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: GGUF has no type for {}; write a Hugging Face folder instead",
           out.string(), tensor.name, tensor.format->name);
    if (tensor.shape.size() == 1 && tensor.format->name != "f32")
      Fail(ErrorKind::kInvalid, "{}: tensor {}: vectors are f32 in GGUF, not {}", out.string(), tensor.name,
           tensor.format->name);
  }
  const ModelConfig& config = source.config();
  if (!FindArchitecture(config.architecture)->in_llama_cpp)
    Fail(ErrorKind::kUnsupported, "{}: GGUF has no architecture {}; write a Hugging Face folder instead", out.string(),
         config.architecture);
  if (config.architecture == "llama" && config.rotary_dim != config.head_dim)
    Fail(ErrorKind::kUnsupported, "{}: GGUF's llama turns whole heads; this model turns {} of {} dimensions",
         out.string(), config.rotary_dim, config.head_dim);
  MergePlan plan = PlanMerge(config, Container::kGguf, tensors, out.string());
  return std::make_unique<GgufWriter>(out, source, preset, tensors, std::move(plan));
}

}  // namespace assay
