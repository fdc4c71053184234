#include "system/file.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>

#include "base/error.h"
#include "system/posix.h"
#include "system/unfinished.h"

namespace assay {
namespace {

std::string_view KindOfFile(mode_t mode) {
  return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/// Without waiting: the other end of a pipe may never come.
int OpenRegular(const std::filesystem::path& path, uint64_t* size) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) FailErrno("open", path, errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    int error = errno;
    ::close(fd);
    FailErrno("stat", path, error);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    Fail(ErrorKind::kInvalid, "{}: expected a regular file, found {}", path.string(), KindOfFile(info.st_mode));
  }
  *size = static_cast<uint64_t>(info.st_size);
  return fd;
}

// Live mappings, so that ReleasePages never touches other memory (dropping anonymous pages would zero them).
struct Mapping {
  size_t bytes = 0;
  std::string path;
};
struct Mappings {
  std::mutex mutex;
  std::map<uintptr_t, Mapping> by_address;
};
Mappings& LiveMappings() {
  static Mappings mappings;
  return mappings;
}

/// The mapping that holds the address; null: none. Call it with the mutex.
const Mapping* FindMapping(const Mappings& live, uintptr_t address, size_t bytes) {
  auto it = live.by_address.upper_bound(address);
  if (it == live.by_address.begin()) return nullptr;
  --it;
  return address + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
}

std::shared_ptr<void> KeepMapping(void* address, size_t size, const std::filesystem::path& path) {
  Mappings& live = LiveMappings();
  std::lock_guard lock(live.mutex);
  live.by_address[reinterpret_cast<uintptr_t>(address)] = {size, path.string()};
  return std::shared_ptr<void>(address, [size](void* p) {
    Mappings& mappings = LiveMappings();
    std::lock_guard unlock(mappings.mutex);
    mappings.by_address.erase(reinterpret_cast<uintptr_t>(p));
    ::munmap(p, size);
  });
}

// The fault is our own read of a mapping, never inside the mutex or the allocator, so that both may be used here.
void OnLostMapping(int signal, siginfo_t* info, void*) {
  static std::atomic_flag told;
  if (told.test_and_set())
    for (;;) ::pause();  // another thread is telling it
  char text[PATH_MAX + 200];
  {
    Mappings& live = LiveMappings();
    std::lock_guard lock(live.mutex);
    const Mapping* mapping = FindMapping(live, reinterpret_cast<uintptr_t>(info->si_addr), 1);
    if (!mapping) {
      ::signal(signal, SIG_DFL);
      ::raise(signal);
      return;
    }
    const int n = std::snprintf(text, sizeof text,
                                "assay: %s: cannot be read any more: the file was cut short, or its disk fails (it had "
                                "%zu bytes when it was opened)\n",
                                mapping->path.c_str(), mapping->bytes);
    const size_t length = std::min(sizeof text - 1, static_cast<size_t>(std::max(0, n)));
    for (char* c = text; c + 1 < text + length; ++c)  // the name is a stranger's
      if (static_cast<unsigned char>(*c) < ' ' || *c == 127) *c = '?';
    if (::write(STDERR_FILENO, text, length) < 0) _exit(1);
  }
  RemoveUnfinished();
  _exit(1);
}

}  // namespace

void TellLostMappings() {
  struct sigaction action {};
  action.sa_sigaction = OnLostMapping;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

bool IsMapped(std::span<const std::byte> bytes) {
  Mappings& live = LiveMappings();
  std::lock_guard lock(live.mutex);
  return !bytes.empty() && FindMapping(live, reinterpret_cast<uintptr_t>(bytes.data()), bytes.size());
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
    file.mapping_ = KeepMapping(address, size, path);
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

}  // namespace assay
