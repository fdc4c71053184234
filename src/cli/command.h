#pragma once
// What the commands share: the table, the flags every command has, and the console.

#include <fmt/core.h>

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/progress.h"
#include "cli/flags.h"
#include "kernel/linear.h"
#include "model/model.h"
#include "quantize/presets.h"
#include "record/quant_record.h"
#include "system/output.h"

namespace assay {

/// Exit codes, fixed for ever.
enum ExitCode { kHolds = 0, kError = 1, kUsage = 2, kCracks = 3, kCantTell = 4, kInterrupted = 130 };

struct CommonFlags {
  int threads = 0;
  bool json = false, quiet = false, verbose = false;
};

/// A row of the command table (main.cc). `add` declares flags on `command` and returns what runs it; the result is the
/// exit code.
struct Command {
  std::string_view name, summary;
  std::function<int()> (*add)(CommandLine& command, CommonFlags& flags);
};

std::function<int()> AddCheck(CommandLine& command, CommonFlags& flags);
std::function<int()> AddQuantize(CommandLine& command, CommonFlags& flags);
std::function<int()> AddConvert(CommandLine& command, CommonFlags& flags);
std::function<int()> AddRun(CommandLine& command, CommonFlags& flags);
std::function<int()> AddScore(CommandLine& command, CommonFlags& flags);
std::function<int()> AddCompare(CommandLine& command, CommonFlags& flags);
std::function<int()> AddReport(CommandLine& command, CommonFlags& flags);
std::function<int()> AddVerify(CommandLine& command, CommonFlags& flags);
std::function<int()> AddPerplexity(CommandLine& command, CommonFlags& flags);
std::function<int()> AddBench(CommandLine& command, CommonFlags& flags);
std::function<int()> AddInspect(CommandLine& command, CommonFlags& flags);
std::function<int()> AddTask(CommandLine& command, CommonFlags& flags);
std::function<int()> AddCapture(CommandLine& command, CommonFlags& flags);  // these three below task
std::function<int()> AddImport(CommandLine& command, CommonFlags& flags);
std::function<int()> AddInit(CommandLine& command, CommonFlags& flags);
std::function<int()> AddGenerate(CommandLine& command, CommonFlags& flags);
std::function<int()> AddChat(CommandLine& command, CommonFlags& flags);
std::function<int()> AddTokenize(CommandLine& command, CommonFlags& flags);
std::function<int()> AddFormats(CommandLine& command, CommonFlags& flags);
std::function<int()> AddCache(CommandLine& command, CommonFlags& flags);
std::function<int()> AddCompletion(CommandLine& command, CommonFlags& flags);
std::function<int()> AddManual(CommandLine& command, CommonFlags& flags);

/// Results: lines to stdout (a newline is added). Names and messages come from files and hubs: what would act on a
/// terminal or hide is made visible here, once, for whoever prints.
void Print(std::string_view line);
/// Text of our own making (reports with colours, scripts), whose parts from elsewhere are clean already.
void PrintTrusted(std::string_view text);
/// JSON on stdout; characters that act on a terminal are escaped, the value is the same.
void PrintJson(const Json& json);
/// A piece of an answer on stdout, readable as AnswerText says; --json has every character as it was.
void PrintAnswer(std::string_view piece);
/// Remarks: to stderr unless --quiet. Cleaned as Print does.
void Note(const CommonFlags& flags, std::string_view line);
/// What a person answers in the same line; to stderr.
void Ask(std::string_view prompt);
/// Whether a person at the terminal answers yes; nothing where there is nobody to ask.
std::optional<bool> Agrees(std::string_view question);
/// "assay: MESSAGE" on stderr, cleaned, and cut when a file's text made it endless.
void PrintError(std::string_view message);
/// True when stdout (stderr) is a terminal and NO_COLOR is not set.
bool ColorOutput();
/// Columns of the terminal behind stdout, 100 when it is none.
int TerminalWidth();

/// A bar with rate and ETA on a terminal, a line every ten seconds elsewhere, nothing with --quiet.
std::unique_ptr<Progress> MakeProgress(const CommonFlags& flags);
/// From now on Ctrl-C, SIGTERM and SIGHUP make Cancelled() of a Progress true; where there is none, and the second
/// time, they end the process at once, as a pipe that nobody reads does. Nothing unfinished is left either way.
void CatchSignals();
/// Opens what is closed of the three standard streams, so that no file takes its number: what goes to a closed stdout
/// is an error, what goes to a closed stderr is lost.
void OpenStandardStreams();
/// Throws Error{kIo} when something that was printed did not arrive.
void FinishOutput();

/// Adds --arithmetic and --kernel.
struct ModelFlags {
  std::string arithmetic = "deployed", kernel;
  LoadOptions options() const;
};
void AddModelFlags(CommandLine& command, ModelFlags& flags);

/// Of all presets, for a shell.
std::vector<std::string> PresetNames();
/// Tells what there is to tell of a preset before it is used.
void WarnOf(const Preset& preset, const CommonFlags& flags);

/// Tells what the engine of a model that was written does otherwise than its maker (Checkpoint::differences).
void NoteDifferences(const Checkpoint& result, QuantRecord& record, const CommonFlags& flags);

/// How commands that write a model write it.
struct OutputFlags {
  bool force = false;
  uint64_t shard_bytes = 0;  // of one file; 0: the container's default
};
void AddOutputFlags(CommandLine& command, OutputFlags& flags);
/// Files that are read: no output may replace them.
void AddSources(OutputRules& rules, std::initializer_list<std::vector<FileState>> sources);
/// --force alone, of commands that write no model.
void AddForce(CommandLine& command, bool& force);
/// Says what killed processes seem to have left beside an output.
void NoteLeft(const std::filesystem::path& out, const CommonFlags& flags);
/// What may be replaced, told before any work: throws Error{kInvalid} when `out` or a split set of that name is there
/// and `force` is not.
OutputRules RulesFor(const std::string& out, bool force, const CommonFlags& flags);

/// MODEL as people write it: a file, a folder, or org/name in the Hugging Face cache (HF_HUB_CACHE, HF_HOME). The error
/// says where it looked.
std::string ResolveModel(const std::string& model);
std::shared_ptr<const Model> LoadModel(std::shared_ptr<const Checkpoint> checkpoint, const ModelFlags& model_flags,
                                       ThreadPool& pool, const CommonFlags& flags);
std::shared_ptr<const Model> LoadModel(const std::string& model, const ModelFlags& model_flags, ThreadPool& pool,
                                       const CommonFlags& flags);

/// "assay 0.1.0 (g++ 12.2.0, build 0123456789ab)": another program has another.
std::string BuildText();
/// "Intel(R) Xeon(R) Processor, avx512+vnni+bf16".
std::string MachineText();
/// An environment variable, empty when it is not set.
std::string Environment(const char* name);
/// HF_HOME, else ~/.cache/huggingface; empty when there is no home.
std::filesystem::path HuggingFaceHome();
/// A folder of this user's for caches: ASSAY_CACHE, else XDG_CACHE_HOME/assay, else ~/.cache/assay. Created when
/// missing, for this user alone. Throws Error{kIo, kNotFound} when there can be none.
std::filesystem::path CacheFolder();
/// In it: answers and measurements.
constexpr const char* kResultsName = "results.sqlite";

}  // namespace assay
