// How commands find and load what the user names.

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "convert/journal.h"
#include "remote/server_address.h"
#include "system/build_id.h"
#include "system/file.h"

namespace assay {
namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path HuggingFaceHome() {
  if (std::string home = Environment("HF_HOME"); !home.empty()) return home;
  const std::string user = Environment("HOME");
  return user.empty() ? fs::path() : fs::path(user) / ".cache" / "huggingface";
}

namespace {

fs::path HubCache() {
  if (std::string cache = Environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  const fs::path home = HuggingFaceHome();
  return home.empty() ? fs::path() : home / "hub";
}

fs::path Snapshot(const fs::path& repository) {
  fs::path head = repository / "refs" / "main";
  if (fs::exists(head)) {
    fs::path snapshot = repository / "snapshots" / std::string(Trim(ReadFile(head, 4096)));
    if (fs::is_directory(snapshot)) return snapshot;
  }
  return {};
}

}  // namespace

LoadOptions ModelFlags::options() const {
  LoadOptions options;
  options.arithmetic = arithmetic == "reference" ? Arithmetic::kReference : Arithmetic::kDeployed;
  options.kernel = kernel;
  return options;
}

void AddModelFlags(CommandLine& command, ModelFlags& flags) {
  command
      .Option("--arithmetic", flags.arithmetic,
              "deployed: as the engine the file is meant for; reference: float32 throughout")
      .OneOf({"deployed", "reference"})
      .ShowDefault();
  command.Option("--kernel", flags.kernel, "force a kernel by name").Hidden();
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const PresetInfo& preset : Preset::All()) names.emplace_back(preset.name);
  return names;
}

void WarnOf(const Preset& preset, const CommonFlags& flags) {
  const PresetInfo& info = preset.info();
  if (!info.warning.empty()) Note(flags, fmt::format("{}: {}", info.name, info.warning));
  if (info.needs_importance)
    Note(flags, fmt::format("{}: made for an importance matrix; without one it loses more than it need", info.name));
}

void NoteDifferences(const Checkpoint& result, QuantRecord& record, const CommonFlags& flags) {
  for (const std::string& line : result.differences()) {
    Note(flags, line);
    if (flags.json) record.notes.push_back(line);
  }
}

void AddSources(OutputRules& rules, std::initializer_list<std::vector<FileState>> sources) {
  for (const std::vector<FileState>& files : sources)
    rules.sources.insert(rules.sources.end(), files.begin(), files.end());
}

void AddForce(CommandLine& command, bool& force) {
  command.Switch("--force", force, "replace the files that are written, where they exist");
}

void AddOutputFlags(CommandLine& command, OutputFlags& flags) {
  AddForce(command, flags.force);
  command
      .Option("--shard", flags.shard_bytes,
              "largest file, such as 500MB or 4GB (default: GGUF is one file, safetensors are 5GB each)")
      .Within(SizeBetween(1, int64_t{1} << 50));
}

void NoteLeft(const fs::path& out, const CommonFlags& flags) {
  for (const fs::path& left : LeftBeside(out.has_filename() ? out : out.parent_path()))
    Note(flags, fmt::format("{}: seems to be left by a process that was killed", left.string()));
}

OutputRules RulesFor(const std::string& out, bool force, const CommonFlags& flags) {
  std::error_code ignored;
  if (!fs::exists(OutputJournal::NameOf(out), ignored)) NoteLeft(out, flags);  // else it is told what becomes of it
  OutputRules rules;
  rules.force = force;
  if (force) return rules;
  const fs::file_status status = fs::symlink_status(out, ignored);
  const bool taken = fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(out, ignored));
  fs::path found = taken ? fs::path(out) : fs::path();
  const std::string stem = out.ends_with(".gguf") ? out.substr(0, out.size() - 5) : out;
  const fs::path folder = fs::path(out).has_parent_path() ? fs::path(out).parent_path() : fs::path(".");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string(),
                      begin = fs::path(stem).filename().string() + "-00001-of-";
    if (name.starts_with(begin) && name.ends_with(".gguf")) found = entry.path();
  }
  if (!found.empty())
    Fail(ErrorKind::kInvalid, "{} exists; give another name with -o, or --force to replace it", found.string());
  return rules;
}

std::string ResolveModel(const std::string& model) {
  if (fs::exists(model)) return model;
  if (IsServer(model))
    Fail(ErrorKind::kInvalid, "{}: expected a file, a folder or org/name; a server is asked by `run` and `check` alone",
         model);
  auto parts = Split(model, '/');
  if (parts.size() == 2 && !parts[0].empty() && !parts[1].empty() && parts[0] != "." && parts[0] != "..") {
    const fs::path cache = HubCache(), repository = cache / ("models--" + parts[0] + "--" + parts[1]);
    if (fs::path snapshot = cache.empty() ? fs::path() : Snapshot(repository); !snapshot.empty())
      return snapshot.string();
    Fail(ErrorKind::kNotFound, "{}: no such file or folder, and no snapshot of it in the Hugging Face cache ({})",
         model, HubCache().string());
  }
  Fail(ErrorKind::kNotFound,
       "{}: no such file or folder (expected a .gguf file, a Hugging Face folder, or org/name in the cache)", model);
}

std::shared_ptr<const Model> LoadModel(const std::string& model, const ModelFlags& model_flags, ThreadPool& pool,
                                       const CommonFlags& flags) {
  return LoadModel(Checkpoint::Open(ResolveModel(model)), model_flags, pool, flags);
}

std::shared_ptr<const Model> LoadModel(std::shared_ptr<const Checkpoint> checkpoint, const ModelFlags& model_flags,
                                       ThreadPool& pool, const CommonFlags& flags) {
  auto loaded = Model::Load(checkpoint, model_flags.options(), pool);
  if (flags.verbose) {
    const ModelConfig& c = loaded->config();
    Note(flags, fmt::format("{}: {} {}, {} layers, width {}, {} weights, {:.2f} bits per weight, {}",
                            checkpoint->path().string(), c.architecture, checkpoint->scheme(), c.n_layers, c.hidden,
                            checkpoint->parameter_count(), checkpoint->bits_per_weight(), model_flags.arithmetic));
    if (!checkpoint->unread().empty()) Note(flags, "  " + checkpoint->unread());
    for (const std::string& line : checkpoint->differences()) Note(flags, "  " + line);
    for (const std::string& line : loaded->KernelReport()) Note(flags, "  kernel " + line);
  }
  return loaded;
}

std::string BuildText() {
  return fmt::format("assay {} (g++ {}, build {:.12})", ASSAY_VERSION, __VERSION__, BuildId());
}

std::string MachineText() {
  return CpuName() + ", " + CpuFeatureText(Cpu());
}

fs::path CacheFolder() {
  fs::path folder = Environment("ASSAY_CACHE");
  if (folder.empty()) {
    fs::path base = Environment("XDG_CACHE_HOME");
    const std::string home = Environment("HOME");
    if (!base.is_absolute() && home.empty())
      Fail(ErrorKind::kNotFound, "neither ASSAY_CACHE nor XDG_CACHE_HOME nor HOME is set");
    folder = (base.is_absolute() ? base : fs::path(home) / ".cache") / "assay";
  }
  MakeFolder(folder, 0700);  // prompts and answers are this user's
  return folder;
}

}  // namespace assay
