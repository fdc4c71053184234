#include "system/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "base/error.h"

namespace assay {
namespace {

[[noreturn]] void FailErrno(std::string_view doing, const std::filesystem::path& path, int error) {
  Fail(error == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing,
       std::strerror(error));
}

int OpenRegular(const std::filesystem::path& path, uint64_t* size) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) FailErrno("open", path, errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    int error = errno;
    ::close(fd);
    FailErrno("stat", path, error);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    Fail(ErrorKind::kInvalid, "{}: expected a regular file, found {}", path.string(),
         S_ISDIR(info.st_mode) ? "a folder" : "something else");
  }
  *size = static_cast<uint64_t>(info.st_size);
  return fd;
}

// Live mappings, so that ReleasePages never touches other memory (dropping anonymous pages would zero them).
struct Mappings {
  std::mutex mutex;
  std::map<uintptr_t, size_t> sizes;  // by address
};
Mappings& LiveMappings() {
  static Mappings mappings;
  return mappings;
}

std::shared_ptr<void> KeepMapping(void* address, size_t size) {
  Mappings& live = LiveMappings();
  std::lock_guard lock(live.mutex);
  live.sizes[reinterpret_cast<uintptr_t>(address)] = size;
  return std::shared_ptr<void>(address, [size](void* p) {
    Mappings& mappings = LiveMappings();
    std::lock_guard unlock(mappings.mutex);
    mappings.sizes.erase(reinterpret_cast<uintptr_t>(p));
    ::munmap(p, size);
  });
}

}  // namespace

bool IsMapped(std::span<const std::byte> bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data());
  Mappings& live = LiveMappings();
  std::lock_guard lock(live.mutex);
  auto it = live.sizes.upper_bound(begin);
  if (bytes.empty() || it == live.sizes.begin()) return false;
  --it;
  return begin + bytes.size() <= it->first + it->second;
}

uint64_t ResidentBytes(std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bytes.size();
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data()), end = begin + bytes.size();
  uint64_t resident = 0, entries[512];
  bool readable = true;
  for (uintptr_t first = begin / page; readable && first * page < end; first += std::size(entries)) {
    const uintptr_t n = std::min<uintptr_t>(std::size(entries), (end - 1) / page + 1 - first);
    readable = ::pread(fd, entries, n * 8, static_cast<off_t>(first * 8)) == static_cast<ssize_t>(n * 8);
    for (uintptr_t i = 0; readable && i < n; ++i)
      if (entries[i] >> 63)  // present
        resident += std::min(end, (first + i + 1) * page) - std::max(begin, (first + i) * page);
  }
  ::close(fd);
  return readable ? resident : bytes.size();
}

void ReleasePages(std::span<const std::byte> bytes) {
  if (!IsMapped(bytes)) return;
  auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data()), end = begin + bytes.size();
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

MappedFile MappedFile::Open(const std::filesystem::path& path) {
  uint64_t size = 0;
  int fd = OpenRegular(path, &size);
  MappedFile file;
  file.path_ = path;
  if (size > 0) {
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    int error = errno;
    ::close(fd);
    if (address == MAP_FAILED) FailErrno("map", path, error);
    file.mapping_ = KeepMapping(address, size);
    file.bytes_ = {static_cast<const std::byte*>(address), size};
  } else {
    ::close(fd);
  }
  return file;
}

std::string ReadFile(const std::filesystem::path& path, uint64_t limit_bytes) {
  uint64_t size = 0;
  int fd = OpenRegular(path, &size);
  if (size > limit_bytes) {
    ::close(fd);
    Fail(ErrorKind::kInvalid, "{}: {} bytes, more than the {} that are read at once", path.string(), size, limit_bytes);
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    ssize_t got = ::read(fd, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      int error = errno;
      ::close(fd);
      FailErrno("read", path, error);
    }
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  ::close(fd);
  text.resize(done);
  return text;
}

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path), part_(path.string() + ".part") {
  fd_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) FailErrno("create", part_, errno);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(part_.c_str());
}

void AtomicFile::Write(std::span<const std::byte> data) {
  while (!data.empty()) {
    ssize_t done = ::write(fd_, data.data(), data.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) FailErrno("write", part_, errno);
    data = data.subspan(static_cast<size_t>(done));
    position_ += static_cast<uint64_t>(done);
  }
}

void AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> data) {
  ASSAY_CHECK(offset + data.size() <= position_);
  while (!data.empty()) {
    ssize_t done = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) FailErrno("write", part_, errno);
    data = data.subspan(static_cast<size_t>(done));
    offset += static_cast<uint64_t>(done);
  }
}

void AtomicFile::Extend(uint64_t size) {
  ASSAY_CHECK(size >= position_);
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) FailErrno("extend", part_, errno);
  if (::lseek(fd_, 0, SEEK_END) < 0) FailErrno("seek in", part_, errno);
  position_ = size;
}

void AtomicFile::Commit() {
  if (::fsync(fd_) != 0 && errno != EINVAL) FailErrno("flush", part_, errno);
  ::close(fd_);
  fd_ = -1;
  if (::rename(part_.c_str(), path_.c_str()) != 0) {
    int error = errno;
    ::unlink(part_.c_str());
    FailErrno("rename to its name", path_, error);
  }
}

void WriteFileAtomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.Write(text);
  file.Commit();
}

}  // namespace assay
