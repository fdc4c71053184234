#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/model_files.h"
#include "cli/command.h"
#include "cli/identity.h"
#include "convert/rewrite.h"

namespace assay {
namespace {

std::string ContainerNames() {
  std::vector<std::string> names = {"gguf", "safetensors"};
  for (std::string_view name : HfContainerNames()) names.emplace_back(name);
  return Join(names, ", ");
}

RewriteTarget TargetOf(const std::string& name, const std::string& plain) {
  RewriteTarget target;
  target.plain = plain == "none" ? nullptr : &GetFormat(plain);
  if (name == "gguf") return target;
  target.container = Container::kHuggingFace;
  if (name == "safetensors") return target;
  for (std::string_view known : HfContainerNames())
    if (known == name) target.hf_container = name;
  if (std::string_view reason = WhyNotWritten(name); !reason.empty())
    Fail(ErrorKind::kUnsupported, "{} is read but not written: {}", name, reason);
  if (target.hf_container.empty())
    Fail(ErrorKind::kInvalid, "\"{}\" is not a container; containers: {}", name, ContainerNames());
  return target;
}

void PrintSummary(const QuantRecord& record, const std::string& out) {
  struct Use {
    int tensors = 0;
    double worst = 0;
  };
  std::map<std::string, Use> uses;  // "q4_0 → int4_g32, rewritten"
  bool plain_lost = false, scales_lost = false;
  for (const TensorQuantization& t : record.tensors) {
    const std::string way = t.from == t.to ? t.from : t.from + " → " + t.to;
    Use& use = uses[fmt::format("{:<28} {}", way, t.method)];
    ++use.tensors;
    use.worst = std::max(use.worst, t.relative_error);
    (t.method == "plain" ? plain_lost : scales_lost) |= t.rmse > 0;
  }
  Print(fmt::format("{}: {} (from {}), {:.2f} bits per weight (from {:.2f}), {:.1f} s", out,
                    FormatBytes(record.result.file_bytes), FormatBytes(record.source.file_bytes),
                    record.result.bits_per_weight, record.source.bits_per_weight, record.elapsed_s));
  for (const auto& [way, use] : uses)
    Print(fmt::format("  {:>5} tensors  {}{}", use.tensors, way,
                      use.worst > 0 ? fmt::format(", relative error up to {:.2g}", use.worst) : ""));
  if (plain_lost) Print("Weights were rounded; --plain f32 keeps them exactly, --plain none refuses.");
  if (scales_lost)
    Print("The codes are the same; the container rounds a scale, so weights moved by as much as is said.");
  if (!plain_lost && !scales_lost) Print("Every weight is what it was, bit for bit.");
  for (const std::string& note : record.notes) Print(note + ".");
}

}  // namespace

std::function<int()> AddConvert(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, container, out, plain = "bf16";
    OutputFlags output;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Option("--to", o->container, "container: " + ContainerNames()).Required();
  command.Option("-o,--output", o->out, "file or folder to write (default: MODEL.gguf or MODEL-CONTAINER here)");
  command.Option("--plain", o->plain, "what matrices become that the container has no codes for; none: an error")
      .OneOf({"bf16", "f16", "f32", "none"})
      .ShowDefault();
  AddOutputFlags(command, o->output);
  return [o, &flags] {
    RewriteTarget target = TargetOf(o->container, o->plain);
    target.shard_bytes = o->output.shard_bytes;
    const std::string path = ResolveModel(o->model);
    const std::vector<FileState> files = WeightFiles(path);
    auto source = Checkpoint::Open(path);
    if (!source->unread().empty()) Note(flags, source->unread());
    const std::string out = o->out.empty() ? RewriteOutputName(*source, target) : o->out;
    OutputRules rules = RulesFor(out, o->output.force, flags);
    rules.unchanged = files;
    ThreadPool pool(flags.threads);
    auto progress = MakeProgress(flags);
    target.rules = rules;
    target.tell = [&flags](std::string_view line) { Note(flags, line); };
    QuantRecord record = RewriteCheckpoint(*source, target, out, pool, *progress);
    auto result = Checkpoint::Open(record.output);
    NoteDifferences(*result, record, flags);
    record.source = IdentityOf(*source, "", flags.json);
    record.result = IdentityOf(*result, "", flags.json);
    record.build = BuildText();
    record.machine = MachineText();
    if (flags.json)
      PrintJson(ToJson(record));
    else
      PrintSummary(record, record.output);
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
