#include "model/model.h"

#include <map>

#include "model/decoder.h"

namespace assay {

WorkspacePlan PlanWorkspace(const ModelConfig& config, Arithmetic arithmetic, std::string_view format, int64_t n,
                            int64_t wanted, int64_t context, int threads) {
  const WeightReader shapes(arithmetic, format.empty() ? nullptr : &GetFormat(format));
  return Decoder(config, shapes, BlockKinds()).Plan({n, wanted, context, threads});
}

Model::Model(std::shared_ptr<const Checkpoint> checkpoint, LoadOptions options, BlockTable kinds, ThreadPool& pool)
    : checkpoint_(std::move(checkpoint)),
      options_(std::move(options)),
      decoder_(
          std::make_unique<const Decoder>(config(), WeightReader(*checkpoint_, options_, pool, matrices_), kinds)) {}

Model::~Model() = default;

std::shared_ptr<const Model> Model::Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options,
                                         ThreadPool& pool) {
  return std::make_shared<const Model>(std::move(checkpoint), options, BlockKinds(), pool);
}

std::shared_ptr<const Model> Model::Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options) {
  ThreadPool pool;
  return Load(std::move(checkpoint), options, pool);
}

WorkspacePlan Model::PlanWorkspace(int64_t n, int64_t wanted, int64_t context, int threads) const {
  return decoder_->Plan({n, wanted, context, threads});
}

std::vector<std::string> Model::KernelReport() const {
  std::map<std::string, std::string> by_format;
  decoder_->VisitLinears([&](const Linear& linear) {
    by_format[std::string(linear.weight.format->name)] = std::string(linear.kernel->name);
  });
  std::vector<std::string> lines;
  for (const auto& [format, kernel] : by_format) lines.push_back(format + ": " + kernel);
  return lines;
}

void Model::Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits,
                    const LinearHooks* hooks) const {
  size_t begin = 0;
  int64_t run = 0;
  auto step = [&](size_t end) {
    std::span<const BatchToken> part = batch.subspan(begin, end - begin);
    if (part.empty()) return;
    decoder_->Run(part, workspace, pool, hooks, logits);
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
