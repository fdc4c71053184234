#include "cli/check/cached_quants.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/error.h"
#include "base/progress.h"
#include "cli/ranges.h"
#include "system/output.h"
#include "system/unfinished.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kDefaultLimit = 100'000'000'000;
constexpr std::string_view kLock = ".lock";

uint64_t BytesOf(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const uintmax_t bytes = fs::file_size(path, ignored);
    return ignored ? 0 : bytes;
  }
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path, ignored))
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  return bytes;
}

int64_t ChangedAt(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? int64_t{info.st_mtim.tv_sec} : 0;
}

/// False: another process holds the lock.
bool RemoveUnlessLocked(const fs::path& quant) {
  try {
    const WaitingLock lock(LockOf(quant), [] { return true; });
    RemoveOwn(quant);  // the lock stays: somebody may be waiting for it
    return true;
  } catch (const Interrupted&) {
    return false;
  }
}

}  // namespace

fs::path LockOf(const fs::path& quant) {
  return quant.string() + std::string(kLock);
}

void MarkUsed(const fs::path& quant) {
  ::utimensat(AT_FDCWD, LockOf(quant).c_str(), nullptr, 0);
}

std::vector<CachedQuant> CachedQuants(const fs::path& cache) {
  std::vector<CachedQuant> quants;
  std::error_code ignored;
  for (const fs::directory_entry& source : fs::directory_iterator(cache / "quants", ignored))
    for (const fs::directory_entry& entry : fs::directory_iterator(source.path(), ignored)) {
      const fs::path& path = entry.path();
      const std::string name = path.filename().string();
      if (name.ends_with(kLock) || name.ends_with(".part")) continue;
      quants.push_back({path, source.path().filename().string(), path.stem().string(), BytesOf(path),
                        std::max(ChangedAt(path), ChangedAt(LockOf(path)))});
    }
  std::sort(quants.begin(), quants.end(), [](const CachedQuant& a, const CachedQuant& b) {
    return a.used != b.used ? a.used < b.used : a.path < b.path;
  });
  return quants;
}

Pruning PruneQuants(const fs::path& cache, uint64_t keep_bytes, int64_t spare_seconds, bool look_only) {
  Pruning pruning;
  const std::vector<CachedQuant> quants = CachedQuants(cache);
  for (const CachedQuant& quant : quants) pruning.kept_bytes += quant.bytes;
  const int64_t now = std::time(nullptr);
  for (const CachedQuant& quant : quants) {
    if (pruning.kept_bytes <= keep_bytes) break;
    if (now - quant.used < spare_seconds || (!look_only && !RemoveUnlessLocked(quant.path))) {
      pruning.busy.push_back(quant);
      continue;
    }
    pruning.kept_bytes -= quant.bytes;
    pruning.removed.push_back(quant);
  }
  return pruning;
}

uint64_t CacheLimit() {
  const char* asked = std::getenv("ASSAY_CACHE_SIZE");
  if (!asked || !*asked) return kDefaultLimit;
  std::string text = asked;
  const std::string error = SizeBetween(0, int64_t{1} << 60).read(text);
  if (!error.empty()) Fail(ErrorKind::kInvalid, "ASSAY_CACHE_SIZE: {}", error);
  return std::stoull(text);
}

}  // namespace assay
