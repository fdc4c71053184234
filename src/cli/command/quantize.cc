#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/model_files.h"
#include "cli/command.h"
#include "cli/identity.h"
#include "convert/convert.h"
#include "system/machine.h"

namespace assay {
namespace {

void PrintSummary(const QuantRecord& record, const std::string& out) {
  std::map<std::string, std::pair<int, uint64_t>> formats;
  double error = 0, weights = 0;
  for (const TensorQuantization& t : record.tensors) {
    auto& [count, bytes] = formats[t.to];
    ++count;
    bytes += t.bytes;
    if (t.shape.size() < 2) continue;
    double n = static_cast<double>(t.shape[0]) * static_cast<double>(t.shape[1]);
    error += t.rmse * t.rmse * n;
    weights += n;
  }
  std::string parts;
  for (const auto& [format, use] : formats)
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", use.first, format);
  const double rmse = weights > 0 ? std::sqrt(error / weights) : 0;
  Print(fmt::format("{}: {}, {:.2f} bits per weight (from {}, {:.2f}), {}{:.1f} s", out,
                    FormatBytes(record.result.file_bytes), record.result.bits_per_weight,
                    FormatBytes(record.source.file_bytes), record.source.bits_per_weight,
                    std::isnan(rmse) ? "" : fmt::format("RMSE {:.6f}, ", rmse), record.elapsed_s));
  Print("tensors: " + parts);
}

void PrintWorst(const QuantRecord& record) {
  std::vector<const TensorQuantization*> worst;
  for (const TensorQuantization& t : record.tensors)
    if (t.shape.size() >= 2) worst.push_back(&t);
  auto error = [](const TensorQuantization* t) { return std::isnan(t->relative_error) ? -1 : t->relative_error; };
  std::sort(worst.begin(), worst.end(), [&](auto* a, auto* b) { return error(a) > error(b); });
  worst.resize(std::min<size_t>(worst.size(), 10));
  Print("\nlargest relative error        format    rmse       relative");
  for (const TensorQuantization* t : worst)
    Print(fmt::format("{:<29} {:<9} {:.6f}   {:.3f} %", t->name, t->to, t->rmse, 100 * t->relative_error));
}

}  // namespace

std::function<int()> AddQuantize(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, preset, out, container;
    bool no_error = false;
    OutputFlags output;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Option("--to", o->preset, "preset: see `assay formats`").Required().Completes(PresetNames());
  command.Option("-o,--output", o->out, "file or folder to write (default: MODEL-PRESET in this folder)");
  command.Switch("--no-error", o->no_error,
                 "do not decode what is written to measure its error (about a quarter of the time)");
  command.Option("--container", o->container,
                 "how safetensors hold it: compressed-tensors, gptq, awq, … (default: the usual one of the format)");
  AddOutputFlags(command, o->output);
  return [o, &flags] {
    const Preset& preset = Preset::Get(o->preset);
    WarnOf(preset, flags);
    const std::string path = ResolveModel(o->model);
    const std::vector<FileState> files = WeightFiles(path);
    auto source = Checkpoint::Open(path);
    if (!source->unread().empty()) Note(flags, source->unread());
    std::string out = o->out.empty() ? DefaultOutputName(*source, preset) : o->out;
    OutputRules rules = RulesFor(out, o->output.force, flags);
    rules.unchanged = files;
    ThreadPool pool(flags.threads);
    auto progress = MakeProgress(flags);
    ConvertOptions options;
    options.hf_container = o->container;
    options.measure_error = !o->no_error;
    options.shard_bytes = o->output.shard_bytes;
    options.rules = rules;
    options.tell = [&flags](std::string_view line) { Note(flags, line); };
    QuantRecord record = ConvertCheckpoint(*source, preset, out, options, pool, *progress);
    // Some folders have to be unpacked whole to be opened, and none differs.
    if (flags.json || preset.info().container == Container::kGguf) {
      auto result = Checkpoint::Open(record.output);
      NoteDifferences(*result, record, flags);
      if (flags.json) record.result.fingerprint = result->fingerprint();
    }
    record.source = IdentityOf(*source, "", flags.json);
    record.build = BuildText();
    record.machine = MachineText();
    if (flags.json) {
      PrintJson(ToJson(record));
    } else {
      PrintSummary(record, record.output);
      for (const std::string& note : record.notes) Print(note + ".");
      if (flags.verbose && !o->no_error) PrintWorst(record);
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
