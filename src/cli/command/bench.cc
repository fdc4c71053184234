
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/model_files.h"
#include "cli/command.h"
#include "cli/identity.h"
#include "cli/ranges.h"
#include "engine/speed.h"
#include "system/machine.h"

namespace assay {
namespace {

Json BytesJson(const MemoryUse& use) {
  return {{"weights_mapped", use.weights_mapped},
          {"weights_converted", use.weights_converted},
          {"kv_cache", use.kv_cache},
          {"scratch", use.scratch}};
}

void PrintMemory(const MemoryUse& plan, const MemoryUse& used, const MemoryUse& at_full, int64_t tokens, int64_t full) {
  Print(fmt::format("\n| {:<28} | {:>12} | {:>12} | {:>20} |", fmt::format("memory, {} tokens", tokens), "planned",
                    "used", fmt::format("planned for {}", full)));
  Print(fmt::format("|{:-<30}|{:->14}|{:->14}|{:->22}|", "", ":", ":", ":"));
  auto row = [](const char* name, uint64_t planned, uint64_t was, uint64_t most) {
    if (planned + was + most == 0) return;
    Print(fmt::format("| {:<28} | {:>12} | {:>12} | {:>20} |", name, FormatBytes(planned), FormatBytes(was),
                      FormatBytes(most)));
  };
  row("weights, mapped", plan.weights_mapped, used.weights_mapped, at_full.weights_mapped);
  row("weights, converted", plan.weights_converted, used.weights_converted, at_full.weights_converted);
  row("KV cache", plan.kv_cache, used.kv_cache, at_full.kv_cache);
  row("scratch", plan.scratch, used.scratch, at_full.scratch);
  row("total", plan.total(), used.total(), at_full.total());
}

}  // namespace

std::function<int()> AddBench(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model;
    ModelFlags model_flags;
    SpeedOptions speed{512, 128, 3};
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Option("-p,--prompt", o->speed.prompt_tokens, "tokens of the prompt to read")
      .ShowDefault()
      .Within(IntegerBetween(0, kMostTokens));
  command.Option("-n,--generate", o->speed.generated_tokens, "tokens to generate")
      .ShowDefault()
      .Within(IntegerBetween(0, kMostTokens));
  command.Option("-r,--repetitions", o->speed.repetitions, "measured runs of each")
      .ShowDefault()
      .Within(IntegerBetween(1, 100));
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    if (o->speed.prompt_tokens == 0 && o->speed.generated_tokens == 0)
      Fail(ErrorKind::kInvalid, "nothing to measure: --prompt and --generate are both 0");
    double start = Now();
    const std::vector<FileState> files = WeightFiles(ResolveModel(o->model));
    ThreadPool pool(flags.threads);
    auto model = LoadModel(o->model, o->model_flags, pool, flags);
    BenchRecord record;
    record.load_s = Now() - start;
    const int64_t tokens = std::max(o->speed.prompt_tokens, o->speed.generated_tokens), full = model->config().context;
    if (tokens > full) Fail(ErrorKind::kInvalid, "{}: {} tokens do not fit the context of {}", o->model, tokens, full);
    auto progress = MakeProgress(flags);
    const MemoryUse plan = PlanMemory(*model, tokens, o->speed.prompt_tokens, pool.threads());
    MemoryUse used;
    record.rows = MeasureSpeed(*model, pool, o->speed, *progress, &used);
    record.model = IdentityOf(model->checkpoint(), "");
    RequireUnchanged(files);
    record.threads = pool.threads();
    record.arithmetic = o->model_flags.arithmetic;
    record.build = BuildText();
    record.machine = MachineText();
    record.started = UtcTimestamp();
    record.peak_memory_bytes = PeakMemoryBytes();
    const MemoryUse at_full = PlanMemory(*model, full, kStepTokens, pool.threads());
    if (flags.json) {
      Json out = ToJson(record);
      out["memory"] = {{"tokens", tokens},
                       {"planned_bytes", BytesJson(plan)},
                       {"used_bytes", BytesJson(used)},
                       {"context", full},
                       {"planned_bytes_at_full_context", BytesJson(at_full)}};
      PrintJson(out);
      return static_cast<int>(kHolds);
    }
    Print(fmt::format("| {:<28} | {:>10} | {:>7} | {:>8} | {:>20} |", "model", "size", "threads", "test", "t/s"));
    Print(fmt::format("|{:-<30}|{:->12}|{:->9}|{:->10}|{:->22}|", "", ":", ":", ":", ":"));
    for (const BenchRow& row : record.rows)
      Print(fmt::format("| {:<28.28} | {:>10} | {:>7} | {:>8} | {:>20} |", record.model.format,
                        FormatBytes(record.model.file_bytes), record.threads, row.test,
                        fmt::format("{:.2f} ± {:.2f}", row.median(), row.standard_deviation())));
    PrintMemory(plan, used, at_full, tokens, full);
    Print(fmt::format("\nloaded in {:.2f} s; peak memory of this process {}", record.load_s,
                      FormatBytes(record.peak_memory_bytes)));
    // Decode reads every weight once per token: the rate times the bytes is the bandwidth it reached.
    for (const BenchRow& row : record.rows)
      if (row.test.rfind("tg", 0) == 0)
        Print(fmt::format("decode reads {}/s of weights",
                          FormatBytes(static_cast<uint64_t>(row.median() * static_cast<double>(plan.weights())))));
    Print(fmt::format("{} on {}", record.build, record.machine));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
