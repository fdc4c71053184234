#include "system/growing_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "system/file.h"
#include "system/posix.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

int OpenPart(const fs::path& part) {
  const int fd = ::open(part.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (fd < 0) FailErrno("be written", part, errno);
  return fd;
}

/// Opens and locks `part`. Checks that the name still leads to the locked file: a writer that finished meanwhile has
/// renamed it.
int OpenLocked(const fs::path& part) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int fd = OpenPart(part);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fd;  // a file system without locks
      ::close(fd);
      Fail(ErrorKind::kResource, "{}: another process is writing this file", part.string());
    }
    struct stat by_fd {
    }, by_name{};
    if (::fstat(fd, &by_fd) == 0 && ::stat(part.c_str(), &by_name) == 0 && by_fd.st_ino == by_name.st_ino) return fd;
    ::close(fd);
  }
  Fail(ErrorKind::kResource, "{}: another process keeps replacing this file", part.string());
}

}  // namespace

GrowingFile::GrowingFile(const fs::path& target, const OutputRules& rules, std::string_view ours)
    : target_(target), part_(target.string() + ".part"), unchanged_(rules.unchanged) {
  replaces_ = CheckOutput(target_, rules);
  OutputRules of_part;
  of_part.sources = rules.sources;
  of_part.ours = [ours](std::string_view head) { return head.substr(0, ours.size()) == ours.substr(0, head.size()); };
  try {
    CheckOutput(part_, of_part);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInvalid) throw;
    Fail(ErrorKind::kInvalid, "{}, needed to write {}, is something else; move it away, or give another name",
         part_.string(), target_.string());
  }
  fd_ = OpenLocked(part_);
}

GrowingFile::GrowingFile(const fs::path& part, std::string_view ours) : part_(part), fd_(OpenLocked(part)) {
  const std::string text = IsOwn(fd_, false) ? Text() : "?";
  if (text.substr(0, ours.size()) == ours.substr(0, text.size())) return;
  ::close(fd_);
  fd_ = -1;
  Fail(ErrorKind::kInvalid, "{}, needed here, is something else; move it away, or give the output another name",
       part.string());
}

GrowingFile::~GrowingFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string GrowingFile::Text() const {
  return ReadFile(part_);
}

void GrowingFile::Keep(uint64_t bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) FailErrno("truncate", part_, errno);
  if (::lseek(fd_, 0, SEEK_END) < 0) FailErrno("seek in", part_, errno);
}

fs::path GrowingFile::SetAside() {
  const std::string text = Text();
  fs::path name = part_.string() + ".stale";
  std::error_code ignored;
  for (int i = 2; fs::exists(fs::symlink_status(name, ignored)); ++i)
    name = fmt::format("{}.stale{}", part_.string(), i);
  AtomicFile aside(name, OutputRules{});
  aside.Write(text);
  aside.Commit();
  Keep(0);
  return name;
}

void GrowingFile::Append(std::string_view text) {
  ASSAY_CHECK(fd_ >= 0);
  WriteAll(fd_, std::as_bytes(std::span(text)), part_);
}

void GrowingFile::Flush() {
  ASSAY_CHECK(fd_ >= 0);
  FlushFile(fd_, part_);
}

void GrowingFile::Discard() {
  ASSAY_CHECK(fd_ >= 0);
  ::unlink(part_.c_str());
  ::close(fd_);
  fd_ = -1;
}

void GrowingFile::Finish() {
  ASSAY_CHECK(fd_ >= 0 && !target_.empty());
  Flush();
  RequireUnchanged(unchanged_);
  // Renamed while locked, so that no other writer takes the finished file for a part of its own.
  const std::string taken = GiveName(part_, target_, replaces_);
  ::close(fd_);
  fd_ = -1;
  if (!taken.empty()) Fail(ErrorKind::kInvalid, "{}", taken);
}

}  // namespace assay
