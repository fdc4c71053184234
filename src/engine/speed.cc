#include "engine/speed.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "system/machine.h"

namespace assay {
namespace {

// Arbitrary ids, the same every time.
int32_t TokenAt(int64_t index, int64_t vocab) {
  return static_cast<int32_t>((index * 7919 + 13) % vocab);
}

}  // namespace

std::vector<BenchRow> MeasureSpeed(const Model& model, ThreadPool& pool, const SpeedOptions& options,
                                   Progress& progress, MemoryUse* used) {
  const int64_t vocab = model.config().vocab, capacity = std::max(options.prompt_tokens, options.generated_tokens);
  Sequence sequence(model.config(), model.arithmetic(), capacity);
  Workspace workspace;
  std::vector<float> logits(static_cast<size_t>(vocab));
  auto prefill = [&] {
    sequence.Truncate(0);
    std::vector<BatchToken> batch;
    for (int64_t t = 0; t < options.prompt_tokens; ++t) {
      batch.push_back({TokenAt(t, vocab), &sequence, t + 1 == options.prompt_tokens});
      if (static_cast<int64_t>(batch.size()) == kStepTokens || t + 1 == options.prompt_tokens) {
        model.Forward(batch, workspace, pool, logits.data());
        batch.clear();
      }
    }
  };
  auto decode = [&] {
    sequence.Truncate(0);
    for (int64_t t = 0; t < options.generated_tokens; ++t) {
      BatchToken token{TokenAt(t, vocab), &sequence, true};
      model.Forward(std::span(&token, 1), workspace, pool, logits.data());
    }
  };
  std::vector<BenchRow> rows;
  int64_t cache_bytes = 0;
  progress.Begin("speed", static_cast<uint64_t>(2 * (options.repetitions + 1)), "runs");
  auto measure = [&](const char* prefix, int64_t tokens, auto&& run) {
    if (tokens <= 0) return;
    BenchRow row;
    row.test = prefix + std::to_string(tokens);
    row.tokens = tokens;
    for (int i = 0; i <= options.repetitions; ++i) {
      double start = Now();
      run();
      if (i > 0) row.tokens_per_s.push_back(static_cast<double>(tokens) / (Now() - start));
      cache_bytes = std::max(cache_bytes, sequence.bytes());
      progress.Advance(1);
      if (progress.Cancelled()) throw Interrupted();
    }
    rows.push_back(std::move(row));
  };
  measure("pp", options.prompt_tokens, prefill);
  measure("tg", options.generated_tokens, decode);
  progress.End();
  if (used) {
    *used = ResidentWeights(model);
    used->kv_cache = static_cast<uint64_t>(cache_bytes);
    used->scratch = static_cast<uint64_t>(workspace.bytes());
  }
  return rows;
}

SpeedGlimpse GlimpseSpeed(const Model& model, ThreadPool& pool, int together, int64_t longest, Progress& progress) {
  constexpr double kEnough = 0.2;  // seconds, of which noise is a small part
  constexpr int64_t kFirst = 16, kMost = 256, kSteps = 32;
  const int64_t vocab = model.config().vocab, most = std::max<int64_t>(1, std::min(kMost, longest - 1));
  Workspace workspace;
  std::vector<float> logits(static_cast<size_t>(std::max<int64_t>(most, together) * vocab));
  // Twice as many tokens until they took long enough to be believed; the first of them fill the caches.
  const auto rate = [&](bool scored) {
    double per_s = 0;
    for (int64_t n = std::min(kFirst, most);; n = std::min(2 * n, most)) {
      Sequence sequence(model.config(), model.arithmetic(), n);
      std::vector<BatchToken> batch;
      for (int64_t t = 0; t < n; ++t) batch.push_back({TokenAt(t, vocab), &sequence, scored || t + 1 == n});
      const double start = Now();
      model.Forward(batch, workspace, pool, logits.data());
      const double took = Now() - start;
      per_s = static_cast<double>(n) / took;
      progress.Advance(1);
      if (progress.Cancelled()) throw Interrupted();
      if (took >= kEnough || n == most) return per_s;
    }
  };
  SpeedGlimpse glimpse;
  glimpse.together = together;
  progress.Begin("a look at the speed", 0, "steps");
  glimpse.read = rate(false);
  glimpse.score = rate(true);
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<BatchToken> batch;
  const int64_t steps = std::min(kSteps, most);
  for (int i = 0; i < together; ++i)
    sequences.push_back(std::make_unique<Sequence>(model.config(), model.arithmetic(), steps));
  double took = 0;
  int64_t written = 0;
  for (int64_t step = 0; step < steps && (step < 2 || took < kEnough); ++step) {
    batch.clear();
    for (int i = 0; i < together; ++i)
      batch.push_back({TokenAt(step * together + i, vocab), sequences[static_cast<size_t>(i)].get(), true});
    const double start = Now();
    model.Forward(batch, workspace, pool, logits.data());
    if (step == 0) continue;
    took += Now() - start;
    written += together;
    progress.Advance(1);
    if (progress.Cancelled()) throw Interrupted();
  }
  progress.End();
  glimpse.written = took > 0 ? static_cast<double>(written) / took : glimpse.read;
  return glimpse;
}

}  // namespace assay
