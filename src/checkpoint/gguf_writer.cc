#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_types.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer_base.h"
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
             const std::vector<OutputTensor>& tensors)
      : tensors_(tensors), cursor_(tensors_), file_(out) {
    AddRopeFactors(source.config());
    std::string head = Head(source, preset);
    data_begin_ = Padded(head.size());
    head.resize(data_begin_, '\0');
    file_.Write(head);
  }

  void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                 std::span<const std::byte> scales) override {
    cursor_.Accept(tensor, row_begin, n_rows, codes.size(), scales.size());
    file_.Write(codes);
    if (cursor_.TensorDone()) Pad();
  }

  void SetGlobal(size_t, float, float) override {}

  void Commit() override {
    ASSAY_CHECK(cursor_.AllDone());
    if (!rope_factors_.empty()) {
      file_.Write(std::as_bytes(std::span(rope_factors_)));
      Pad();
    }
    ASSAY_CHECK(file_.position() == data_begin_ + data_bytes_);
    file_.Commit();
  }

  uint64_t total_bytes() const override { return data_begin_ + data_bytes_; }

 private:
  /// The llama3 scaling of RoPE has no metadata: GGUF keeps its factors as a tensor.
  void AddRopeFactors(const ModelConfig& config) {
    for (const OutputTensor& tensor : tensors_)
      if (tensor.name == "rope_freqs.weight") return;
    if (config.rope_scaling.kind == RopeScaling::Kind::kLlama3)
      rope_factors_ = Llama3RopeFactors(config);
    else
      rope_factors_ = config.rope_factors;
  }

  std::string Head(const Checkpoint& source, std::string_view preset) {
    GgufMetadata metadata = GgufMetadataOf(source, preset, MainFormat());
    std::string head = "GGUF";
    Append<uint32_t>(head, 3);
    Append<uint64_t>(head, tensors_.size() + (rope_factors_.empty() ? 0 : 1));
    Append<uint64_t>(head, metadata.count());
    head += metadata.bytes();
    for (const OutputTensor& tensor : tensors_)
      AddInfo(head, tensor.name, tensor.shape, GgufTypeId(*tensor.format),
              static_cast<uint64_t>(CodesBytes(*tensor.format, tensor.rows, tensor.cols)));
    if (!rope_factors_.empty())
      AddInfo(head, "rope_freqs.weight", {static_cast<int64_t>(rope_factors_.size())}, 0,
              rope_factors_.size() * sizeof(float));
    return head;
  }

  void AddInfo(std::string& head, const std::string& name, const std::vector<int64_t>& shape, uint32_t type,
               uint64_t bytes) {
    Append<uint64_t>(head, name.size());
    head += name;
    Append(head, static_cast<uint32_t>(shape.size()));
    for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) Append(head, static_cast<uint64_t>(*dim));
    Append(head, type);
    Append(head, data_bytes_);
    data_bytes_ += Padded(bytes);
  }

  const Format& MainFormat() const {
    std::map<const Format*, int64_t> weights;
    for (const OutputTensor& tensor : tensors_)
      if (tensor.shape.size() > 1) weights[tensor.format] += tensor.rows * tensor.cols;
    auto most = std::max_element(weights.begin(), weights.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == weights.end() ? GetFormat("f32") : *most->first;
  }

  void Pad() {
    static constexpr std::byte kZeros[kAlignment] = {};
    file_.Write(std::span(kZeros).first(Padded(file_.position()) - file_.position()));
  }

  std::vector<OutputTensor> tensors_;
  WriteCursor cursor_;
  AtomicFile file_;
  std::vector<float> rope_factors_;
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
  if (source.config().rotary_dim != source.config().head_dim)
    Fail(ErrorKind::kUnsupported, "{}: GGUF's llama turns whole heads; this model turns {} of {} dimensions",
         out.string(), source.config().rotary_dim, source.config().head_dim);
  return std::make_unique<GgufWriter>(out, source, preset, tensors);
}

}  // namespace assay
