#include "system/appended_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include "system/posix.h"

namespace assay {

AppendedFile::AppendedFile(const std::filesystem::path& path, std::string_view ours) : path_(path) {
  RefuseDash(path);
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600);
  if (fd_ < 0) FailErrno("be written", path, errno);
  const auto refuse = [&](ErrorKind kind, std::string_view why) {
    ::close(fd_);
    fd_ = -1;
    Fail(kind, "{}: {}", path.string(), why);
  };
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode))
    refuse(ErrorKind::kInvalid, "expected a file to add lines to");
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    refuse(ErrorKind::kResource, "another process is writing this file");
  if (info.st_size == 0) return;
  continued_ = true;
  std::string head(ours.size(), '\0');
  const ssize_t read = ::pread(fd_, head.data(), head.size(), 0);
  if (read < 0) FailErrno("read", path, errno);
  head.resize(static_cast<size_t>(read));
  if (head != ours.substr(0, head.size()))
    refuse(ErrorKind::kInvalid, "is there already and is something else; give another name, or move it away");
  char last = '\n';
  if (::pread(fd_, &last, 1, info.st_size - 1) == 1 && last != '\n') Append("\n");
}

AppendedFile::~AppendedFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AppendedFile::Append(std::string_view line) {
  WriteAll(fd_, std::as_bytes(std::span(line)), path_);
}

}  // namespace assay
