#include "cli/check/quants.h"

#include <fmt/core.h>

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "quantize/choose.h"
#include "system/unfinished.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

std::string FileName(const Preset& preset) {
  return std::string(preset.info().name) + (preset.info().container == Container::kGguf ? ".gguf" : "");
}

/// The folder that is there, at `path` or above it.
fs::path NearestFolder(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = fs::absolute(path, ignored);
  while (!fs::is_directory(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

/// Bytes that a user may still write there.
uint64_t RoomIn(const fs::path& path) {
  std::error_code error;
  const fs::space_info space = fs::space(NearestFolder(path), error);
  return error ? UINT64_MAX : static_cast<uint64_t>(space.available);
}

bool OnOneDisk(const fs::path& a, const fs::path& b) {
  const auto one = StateOf(NearestFolder(a)), other = StateOf(NearestFolder(b));
  return one && other && one->device == other->device;
}

}  // namespace

Quants::Quants(std::string keep, const OutputRules& rules, Cache& cache, ThreadPool& pool, Progress& progress,
               const CommonFlags& flags)
    : keep_(std::move(keep)), rules_(rules), cache_(cache), pool_(pool), progress_(progress), flags_(flags) {}

void Quants::SetSource(const OpenedModel& source) {
  source_ = source;
}

fs::path Quants::KeptName(const Preset& preset) const {
  return fs::path(keep_) / DefaultOutputName(*source_.checkpoint, preset);
}

fs::path Quants::CachedName(const Preset& preset) const {
  return cache_.folder() / "quants" / source_.checkpoint->fingerprint() / FileName(preset);
}

/// What this very model, quantized so, was when this build wrote it to `out`; "" for the cache's own.
std::string Quants::Key(const Preset& preset, const fs::path& out) const {
  return KeyOf({"quant", source_.checkpoint->fingerprint(), preset.info().name, out.string()});
}

std::string Quants::KeptKey(const Preset& preset) const {
  std::error_code ignored;
  return Key(preset, fs::weakly_canonical(KeptName(preset), ignored));
}

/// Whether what lies at `out` is still that.
bool Quants::IsAsMade(const fs::path& out, const std::string& key) {
  const std::optional<Json> known = cache_.Get(key);
  std::error_code ignored;
  if (!known || !fs::exists(out, ignored)) return false;
  try {
    return Checkpoint::Open(out)->fingerprint() == *known;
  } catch (const Error&) {
    return false;  // cut short or damaged
  }
}

ConvertOptions Quants::Conversion() const {
  ConvertOptions options;
  options.measure_error = false;
  options.rules = rules_;
  return options;
}

void Quants::Look(const Preset& preset) {
  if (std::string left = RequireFit(preset, *source_.checkpoint); !left.empty())
    Note(flags_, fmt::format("{}: {}", preset.info().name, left));
  if (keep_.empty()) return;
  const fs::path out = KeptName(preset);
  NoteLeft(out, flags_);
  std::error_code ignored;
  if (!rules_.force && fs::exists(out, ignored) && IsAsMade(out, KeptKey(preset))) return;
  if (fs::exists(keep_, ignored) && !fs::is_directory(keep_, ignored)) return;  // told once, not for every preset
  if (fs::exists(keep_, ignored))
    return CheckConversion(*source_.checkpoint, preset, out, Conversion(), pool_, progress_);
  const ScratchFolder stands_in(NearestFolder(keep_));  // the folder itself is made when there is something to keep
  CheckConversion(*source_.checkpoint, preset, stands_in.path() / out.filename(), Conversion(), pool_, progress_);
}

std::string Quants::Known(const Preset& preset) {
  if (keep_.empty() && cache_.folder().empty()) return "";
  const bool kept = !keep_.empty();
  std::error_code ignored;
  if ((kept && rules_.force) || !fs::exists(kept ? KeptName(preset) : CachedName(preset), ignored)) return "";
  const std::optional<Json> known = cache_.Get(kept ? KeptKey(preset) : Key(preset, ""));
  return known && known->is_string() ? known->get<std::string>() : "";
}

void Quants::RequireRoom(const std::vector<const Preset*>& presets) {
  uint64_t needed = 0;
  for (const Preset* preset : presets) needed += PredictedBytes(*preset, *source_.checkpoint);
  std::error_code ignored;
  const fs::path temporary = fs::temp_directory_path(ignored), cache = cache_.folder();
  const fs::path first = !keep_.empty() ? fs::path(keep_) : !cache.empty() ? cache : temporary;
  const uint64_t room = RoomIn(first);
  if (needed <= room) return;
  for (const Preset* preset : presets)
    if (!Known(*preset).empty()) needed -= PredictedBytes(*preset, *source_.checkpoint);
  if (needed <= room) return;
  const std::string lack = fmt::format("the quantized models take about {}, and {} has room for {}",
                                       FormatBytes(needed), NearestFolder(first).string(), FormatBytes(room));
  const bool elsewhere = keep_.empty() && !cache.empty() && !OnOneDisk(cache, temporary);
  if (!elsewhere || needed - room > RoomIn(temporary))
    Fail(ErrorKind::kResource, "{}: make room, {}, or check fewer formats at once", lack,
         keep_.empty() ? "set ASSAY_CACHE or TMPDIR to another disk, keep them elsewhere (--keep)"
                       : "name another folder with --keep");
  Note(flags_, fmt::format("{}: the rest is made in {}, and not kept", lack, temporary.string()));
}

std::string Quants::Convert(const Preset& preset, const fs::path& out) {
  ConvertOptions options = Conversion();
  options.rules.unchanged = source_.files;
  return ConvertCheckpoint(*source_.checkpoint, preset, out, options, pool_, progress_).output;
}

std::string Quants::MakeOnce(const Preset& preset, const fs::path& out, const std::string& key) {
  std::string made = Convert(preset, out);
  cache_.Watch(source_.files);
  if (!cache_.folder().empty()) cache_.Put(key, Checkpoint::Open(made)->fingerprint());
  return made;
}

std::string Quants::Make(const Preset& preset) {
  if (!keep_.empty()) {
    MakeFolder(keep_);
    const fs::path out = KeptName(preset);
    const std::string key = KeptKey(preset);
    return !rules_.force && IsAsMade(out, key) ? out.string() : MakeOnce(preset, out, key);
  }
  if (!cache_.folder().empty()) {
    try {
      return MakeInCache(preset);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kIo && error.kind() != ErrorKind::kResource) throw;
      Note(flags_, fmt::format("{} is not kept in the cache: {}", preset.info().name, error.what()));
    }
  }
  scratch_.emplace_back(std::make_unique<ScratchFolder>());
  return Convert(preset, scratch_.back()->path() / FileName(preset));
}

/// What is not as it was made is made anew; of two processes one makes it.
std::string Quants::MakeInCache(const Preset& preset) {
  const fs::path out = CachedName(preset);
  MakeFolder(out.parent_path());
  bool told = false;
  const WaitingLock lock(LockOf(out), [&] {
    if (!std::exchange(told, true))
      Note(flags_, fmt::format("waiting for another process that quantizes to {}", preset.info().name));
    return progress_.Cancelled();
  });
  MarkUsed(out);
  const std::string key = Key(preset, "");
  if (IsAsMade(out, key)) return out.string();
  RemoveOwn(out);
  const std::string made = MakeOnce(preset, out, key);
  MakeRoom();
  return made;
}

/// The cache stays below its limit, as far as it holds what was not used today.
void Quants::MakeRoom() {
  std::vector<std::string> names;
  for (const CachedQuant& quant : PruneQuants(cache_.folder(), cache_limit_, kSparedSeconds, false).removed)
    names.push_back(quant.preset);
  if (!names.empty())
    Note(flags_, fmt::format("removed from the cache: {}, not used lately, to stay within {} (ASSAY_CACHE_SIZE)",
                             Join(names, ", "), FormatBytes(cache_limit_)));
}

std::string Quants::PlaceOf(const Preset& preset) const {
  if (!keep_.empty()) return KeptName(preset).string();
  return cache_.folder().empty() ? "a temporary folder" : CachedName(preset).string();
}

}  // namespace assay
