#include "model/model.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace assay {

Sequence::Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity)
    : layers_(config.n_layers),
      row_elements_(config.n_kv_heads * config.head_dim),
      capacity_(capacity),
      half_(arithmetic == Arithmetic::kDeployed) {
  layer_bytes_ = capacity_ * row_elements_ * (half_ ? 2 : 4);
  data_.reset(new std::byte[static_cast<size_t>(std::max<int64_t>(1, bytes()))]);
}

void Sequence::Truncate(int64_t length) {
  ASSAY_CHECK(length >= 0 && length <= length_);
  length_ = length;
}

void Sequence::CopyPrefix(const Sequence& other, int64_t n) {
  ASSAY_CHECK(n <= other.length_ && n <= capacity_ && half_ == other.half_ && row_elements_ == other.row_elements_);
  if (&other != this) {
    auto size = static_cast<size_t>(n * row_elements_ * (half_ ? 2 : 4));
    for (int64_t layer = 0; layer < layers_; ++layer) {
      std::memcpy(Keys(layer), other.Keys(layer), size);
      std::memcpy(Values(layer), other.Values(layer), size);
    }
  }
  length_ = n;
}

std::byte* Workspace::Bytes(int slot, int64_t count) {
  ASSAY_CHECK(slot >= 0 && slot < kSlots);
  Buffer& buffer = buffers_[slot];
  if (buffer.size < count) {
    buffer.data.reset(new std::byte[static_cast<size_t>(count + 64)]);
    buffer.size = count;
  }
  auto address = reinterpret_cast<uintptr_t>(buffer.data.get());
  return buffer.data.get() + ((64 - address % 64) % 64);
}

float* Workspace::Floats(int slot, int64_t count) {
  return reinterpret_cast<float*>(Bytes(slot, count * 4));
}

int64_t Workspace::bytes() const {
  int64_t total = 0;
  for (const Buffer& buffer : buffers_) total += buffer.size;
  return total;
}

Model::Model(std::shared_ptr<const Checkpoint> checkpoint, LoadOptions options)
    : checkpoint_(std::move(checkpoint)), options_(std::move(options)) {}

std::shared_ptr<const Model> Model::Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options) {
  const std::string& name = checkpoint->config().architecture;
  std::vector<std::string> known;
  for (const Architecture& architecture : Architectures()) {
    if (architecture.name == name) return architecture.load(checkpoint, options);
    known.emplace_back(architecture.name);
  }
  std::string nearest = Nearest(name, known);
  Fail(ErrorKind::kUnsupported, "{}: architecture \"{}\" is not supported; supported: {}{}",
       checkpoint->path().string(), name, Join(known, ", "),
       nearest.empty() ? "" : fmt::format(" (nearest: {})", nearest));
}

}  // namespace assay
