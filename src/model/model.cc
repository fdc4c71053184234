#include "model/model.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "model/decoder.h"

namespace assay {

void WorkspacePlan::Bytes(int slot, int64_t count) {
  ASSAY_CHECK(slot >= 0 && slot < kSlots);
  sizes_[slot] = std::max(sizes_[slot], count);
}

int64_t WorkspacePlan::bytes() const {
  return std::accumulate(sizes_, sizes_ + kSlots, int64_t{0});
}

void Workspace::Reserve(const WorkspacePlan& plan) {
  for (int slot = 0; slot < WorkspacePlan::kSlots; ++slot) Bytes(slot, plan.sizes_[slot]);
}

std::byte* Workspace::Bytes(int slot, int64_t count) {
  ASSAY_CHECK(slot >= 0 && slot < WorkspacePlan::kSlots);
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
  return std::make_shared<Decoder>(std::move(checkpoint), options);
}

void Model::Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const {
  size_t begin = 0;
  int64_t run = 0;
  auto step = [&](size_t end) {
    std::span<const BatchToken> part = batch.subspan(begin, end - begin);
    if (part.empty()) return;
    Step(part, workspace, pool, logits);
    for (const BatchToken& token : part)
      if (token.want_logits) logits += config().vocab;
    begin = end;
  };
  for (size_t t = 0; t < batch.size(); ++t) {
    run = t > begin && batch[t].sequence == batch[t - 1].sequence ? run + 1 : 1;
    if (run > kStepTokens) {
      step(t);
      run = 1;
    }
  }
  step(batch.size());
}

}  // namespace assay
