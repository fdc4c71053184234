#pragma once
// What the files of this room share that call the system.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/error.h"

namespace assay {

[[noreturn]] inline void FailErrno(std::string_view doing, const std::filesystem::path& path, int error) {
  Fail(error == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing,
       std::strerror(error));
}

/// Elsewhere it is standard output, and whoever writes it does not mean a file of that name.
inline void RefuseDash(const std::filesystem::path& path) {
  if (path == "-")
    Fail(ErrorKind::kInvalid,
         "-: expected the name of a file: what is finished gets its name at once, and standard output has none (./- is "
         "a file)");
}

/// Whether this user made it and nothing else leads to it: in a folder that others may write to, names prove nothing.
inline bool IsOwn(int fd, bool folder) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_uid == ::geteuid() &&
         (folder ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode) && info.st_nlink == 1);
}

/// What was written is on the disk. Errors name `path`.
inline void FlushFile(int fd, const std::filesystem::path& path) {
  if (::fsync(fd) != 0 && errno != EINVAL) FailErrno("flush", path, errno);
}

/// At `offset`; -1: where the file is. Errors name `path`.
inline void WriteAll(int fd, std::span<const std::byte> data, const std::filesystem::path& path, int64_t offset = -1) {
  while (!data.empty()) {
    const ssize_t done =
        offset < 0 ? ::write(fd, data.data(), data.size()) : ::pwrite(fd, data.data(), data.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) FailErrno("write", path, errno);
    data = data.subspan(static_cast<size_t>(done));
    if (offset >= 0) offset += done;
  }
}

}  // namespace assay
