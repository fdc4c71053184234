#include "system/file_state.h"

#include <sys/stat.h>

#include "base/error.h"

namespace assay {
namespace {

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileState FromStat(const struct stat& info, const std::filesystem::path& path) {
  return {path,
          static_cast<uint64_t>(info.st_dev),
          static_cast<uint64_t>(info.st_ino),
          static_cast<uint64_t>(info.st_size),
          Nanoseconds(info.st_mtim),
          Nanoseconds(info.st_ctim)};
}

}  // namespace

std::optional<FileState> StateOf(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FromStat(info, path);
}

std::vector<FileState> StatesOf(std::span<const std::filesystem::path> paths) {
  std::vector<FileState> states;
  for (const std::filesystem::path& path : paths)
    if (std::optional<FileState> state = StateOf(path)) states.push_back(std::move(*state));
  return states;
}

void RequireUnchanged(std::span<const FileState> states) {
  for (const FileState& state : states) {
    const std::optional<FileState> now = StateOf(state.path);
    if (!now || !now->SameFile(state) || now->bytes != state.bytes || now->modified_ns != state.modified_ns)
      Fail(ErrorKind::kInvalid, "{}: was changed or replaced while it was read; nothing of this was kept",
           state.path.string());
    if (now->changed_ns != state.changed_ns)
      Fail(ErrorKind::kInvalid,
           "{}: was given another name, other permissions or its old time back while it was read, so its contents may "
           "have been changed; nothing of this was kept",
           state.path.string());
  }
}

}  // namespace assay
