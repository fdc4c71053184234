#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/identity.h"
#include "engine/speed.h"
#include "system/machine.h"

namespace assay {

std::function<int()> AddBench(CLI::App& command, CommonFlags& flags) {
  struct Options {
    std::string model;
    ModelFlags model_flags;
    SpeedOptions speed{512, 128, 3};
  };
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, "model file or folder")->required();
  command.add_option("-p,--prompt", o->speed.prompt_tokens, "tokens of the prompt to read")->capture_default_str();
  command.add_option("-n,--generate", o->speed.generated_tokens, "tokens to generate")->capture_default_str();
  command.add_option("-r,--repetitions", o->speed.repetitions, "measured runs of each")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    double start = Now();
    auto model = LoadModel(o->model, o->model_flags, flags);
    BenchRecord record;
    record.load_s = Now() - start;
    ThreadPool pool(flags.threads);
    auto progress = MakeProgress(flags);
    record.rows = MeasureSpeed(*model, pool, o->speed, *progress);
    record.model = IdentityOf(model->checkpoint(), "");
    record.threads = pool.threads();
    record.arithmetic = o->model_flags.arithmetic;
    record.build = BuildText();
    record.machine = MachineText();
    record.started = UtcTimestamp();
    record.peak_memory_bytes = PeakMemoryBytes();
    PlannedMemory plan = PlanMemory(*model, model->config().context);
    if (flags.json) {
      Json out = ToJson(record);
      out["planned_bytes"] = {{"weights", plan.weights_bytes}, {"kv_cache_at_full_context", plan.kv_bytes}};
      Print(DumpJson(out));
      return static_cast<int>(kHolds);
    }
    Print(fmt::format("| {:<28} | {:>10} | {:>7} | {:>8} | {:>20} |", "model", "size", "threads", "test", "t/s"));
    Print(fmt::format("|{:-<30}|{:->12}|{:->9}|{:->10}|{:->22}|", "", ":", ":", ":", ":"));
    for (const BenchRow& row : record.rows)
      Print(fmt::format("| {:<28.28} | {:>10} | {:>7} | {:>8} | {:>20} |", record.model.format,
                        FormatBytes(record.model.file_bytes), record.threads, row.test,
                        fmt::format("{:.2f} ± {:.2f}", row.median(), row.standard_deviation())));
    Print(fmt::format(
        "\nloaded in {:.2f} s; weights {}, KV cache {} at the full context of {}; peak memory of this process {}",
        record.load_s, FormatBytes(plan.weights_bytes), FormatBytes(plan.kv_bytes), model->config().context,
        FormatBytes(record.peak_memory_bytes)));
    // Decode reads every weight once per token: the rate times the bytes is the bandwidth it reached.
    for (const BenchRow& row : record.rows)
      if (row.test.rfind("tg", 0) == 0)
        Print(fmt::format("decode reads {}/s of weights",
                          FormatBytes(static_cast<uint64_t>(row.median() * static_cast<double>(plan.weights_bytes)))));
    Print(fmt::format("{} on {}", record.build, record.machine));
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
