
#include "base/error.h"
#include "base/json.h"
#include "checkpoint/model_files.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "engine/divergence.h"
#include "engine/engine.h"
#include "system/file.h"

namespace assay {
namespace {

void RequireNumbers(const std::string& model, int64_t not_numbers, int64_t scored) {
  if (not_numbers > 0)
    Fail(ErrorKind::kCorrupt,
         "{}: {} of {} predictions are not numbers (NaN or infinite): its weights are broken, or its arithmetic "
         "overflows",
         model, not_numbers, scored);
}

}  // namespace

std::function<int()> AddPerplexity(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, text, against;
    ModelFlags model_flags;
    PerplexityOptions perplexity;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Option("--text", o->text, "text file").Required();
  command.Option("--context", o->perplexity.context, "tokens per chunk")
      .ShowDefault()
      .Within(IntegerBetween(2, kMostTokens));
  command.Option("--chunks", o->perplexity.chunks, "at most so many chunks (default: all)")
      .Within(IntegerBetween(1, kMostTokens));
  command.Option("--against", o->against, "also KL divergence from this model's predictions");
  AddModelFlags(command, o->model_flags);
  command.Footer("The protocol is llama.cpp's: chunks that do not overlap, the second half of each is scored.");
  return [o, &flags] {
    std::string text = ReadFile(o->text);
    std::vector<FileState> files = WeightFiles(ResolveModel(o->model));
    if (!o->against.empty())
      for (FileState& file : WeightFiles(ResolveModel(o->against))) files.push_back(std::move(file));
    ThreadPool pool(flags.threads);
    auto model = LoadModel(o->model, o->model_flags, pool, flags);
    std::shared_ptr<const Model> base_model;
    if (!o->against.empty()) base_model = LoadModel(o->against, o->model_flags, pool, flags);
    EngineOptions options;
    options.batch_tokens = 512;
    Engine engine(model, pool, options);
    std::unique_ptr<Engine> base;
    if (base_model) base = std::make_unique<Engine>(base_model, pool, options);
    auto progress = MakeProgress(flags);
    PerplexityResult r = MeasurePerplexity(engine, base.get(), nullptr, text, o->perplexity, *progress);
    RequireUnchanged(files);
    RequireNumbers(o->model, r.not_numbers, r.scored_tokens);
    if (r.against) RequireNumbers(o->against, r.base_not_numbers, r.scored_tokens);
    if (flags.json) {
      Json out = {{"model", o->model},
                  {"text", o->text},
                  {"arithmetic", o->model_flags.arithmetic},
                  {"context", o->perplexity.context},
                  {"chunks", r.chunks},
                  {"scored_tokens", r.scored_tokens},
                  {"text_tokens", r.text_tokens},
                  {"perplexity", r.perplexity},
                  {"mean_nll", r.mean_nll},
                  {"standard_error", r.standard_error},
                  {"chunk_nll", r.chunk_nll}};
      if (r.against) {
        const DivergenceSummary& d = r.divergence;
        out["against"] = o->against;
        out["base_perplexity"] = r.base_perplexity;
        out["mean_kl"] = d.mean;
        out["kl_standard_error"] = d.standard_error;
        out["kl_percentiles"] = {{"50", d.p50}, {"90", d.p90}, {"99", d.p99}, {"99.9", d.p999}, {"100", d.max}};
        out["same_top"] = d.same_top;
      }
      PrintJson(out);
      return static_cast<int>(kHolds);
    }
    Print(fmt::format("perplexity      {:.4f} ± {:.4f}   ({} chunks of {}, {} tokens scored, {} arithmetic)",
                      r.perplexity, r.perplexity * r.standard_error, r.chunks, o->perplexity.context, r.scored_tokens,
                      o->model_flags.arithmetic));
    if (r.against) {
      const DivergenceSummary& d = r.divergence;
      Print(fmt::format("base perplexity {:.4f}   ratio {:.4f}", r.base_perplexity, r.perplexity / r.base_perplexity));
      Print(fmt::format(
          "KL divergence   mean {:.6f} ± {:.6f}   median {:.6f}   90% {:.6f}   99% {:.5f}   99.9% {:.4f}   max {:.3f}",
          d.mean, d.standard_error, d.p50, d.p90, d.p99, d.p999, d.max));
      Print(fmt::format("same top token  {:.2f} %", 100 * d.same_top));
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
