#include "system/unfinished.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "system/posix.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = ".part";
constexpr size_t kRandomChars = 8, kMaxNameBytes = 255, kMaxStemBytes = kMaxNameBytes - kRandomChars - kEnd.size() - 1;
constexpr int kPauseMs = 10, kMaxPauses = 1000;  // ten seconds

/// A list that a signal handler can walk: slots are added and used again, never freed.
struct Slot {
  std::string path;
  std::atomic<bool> used = false;
  Slot* next = nullptr;
};
std::atomic<Slot*> g_slots = nullptr;
std::mutex g_slots_mutex;
std::atomic<pid_t> g_owner = 0;
std::atomic<int> g_held = 0;         // SignalsHeld of all threads
thread_local int t_held = 0;         // and of this one
std::atomic<bool> g_ending = false;  // RemoveUnfinished has begun

fs::path FolderOf(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

/// What the names of unfinished outputs of `target` begin with.
std::string StemOf(const fs::path& target) {
  std::string name = target.filename().string();
  if (name.size() > kMaxStemBytes) {
    const std::string hash = HashHex(name).substr(0, 16);
    name.resize(kMaxStemBytes - hash.size());
    while (!name.empty() && (name.back() & 0xC0) == 0x80) name.pop_back();  // whole characters
    if (!name.empty() && (name.back() & 0x80)) name.pop_back();
    name += hash;
  }
  return name + ".";
}

bool IsUnfinished(std::string_view name, std::string_view stem) {
  if (name.size() != stem.size() + kRandomChars + kEnd.size() || !name.starts_with(stem) || !name.ends_with(kEnd))
    return false;
  for (char c : name.substr(stem.size(), kRandomChars))
    if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'))) return false;
  return true;
}

std::string RandomName(const std::string& stem) {
  unsigned char bytes[kRandomChars];
  size_t got = 0;
  while (got < sizeof bytes) {
    const ssize_t n = ::getrandom(bytes + got, sizeof bytes - got, 0);
    if (n < 0 && errno != EINTR) Fail(ErrorKind::kIo, "no random numbers from the system: {}", std::strerror(errno));
    if (n > 0) got += static_cast<size_t>(n);
  }
  std::string name = stem;
  for (unsigned char byte : bytes) name += "abcdefghijklmnopqrstuvwxyz234567"[byte % 32];
  return name += kEnd;
}

/// Held while names of a folder are looked through and one is added: of two that come at once, one is first.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& target)
      : fd_(::open(FolderOf(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ < 0 && errno == EACCES) return;  // may be written and not read: nobody can look through it
    if (fd_ < 0) FailErrno("be written, its folder not opened", target, errno);
    for (int i = 0; ::flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return;  // a file system without locks
      if (i == kMaxPauses) {
        ::close(fd_);
        Fail(ErrorKind::kResource, "{}: another program keeps its folder locked", target.string());
      }
      ::usleep(kPauseMs * 1000);
    }
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

enum class Writer { kNone, kActive };

/// Calls visit(path, writer) for each unfinished output of `target`.
template <typename Visit>
void ForEachUnfinished(const fs::path& target, Visit visit) {
  const std::string stem = StemOf(target);
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(FolderOf(target), ignored)) {
    if (!IsUnfinished(entry.path().filename().string(), stem)) continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    const bool active = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(fd);
    visit(entry.path(), active ? Writer::kActive : Writer::kNone);
  }
}

void RequireNoWriter(const fs::path& target) {
  ForEachUnfinished(target, [&](const fs::path& path, Writer writer) {
    if (writer == Writer::kActive)
      Fail(ErrorKind::kResource, "{}: another process is writing it ({})", target.string(), path.filename().string());
  });
}

int OpenLeft(const fs::path& left, bool folder) {
  const int fd = ::open(left.c_str(), (folder ? O_RDONLY | O_DIRECTORY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) FailErrno("be written", left, errno);
  if (IsOwn(fd, folder)) return fd;
  ::close(fd);
  Fail(ErrorKind::kInvalid, "{}: is not what this program left for this user; move it away", left.string());
}

}  // namespace

SignalsHeld::SignalsHeld() {
  sigset_t ends;
  sigemptyset(&ends);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&ends, number);
  pthread_sigmask(SIG_BLOCK, &ends, &before_);
  g_owner = ::getpid();  // before anything comes into being: whoever takes the signal waits for it
  ++g_held;
  if (t_held++ > 0 || !g_ending) return;  // what has begun is marked
  --g_held;
  for (;;) ::pause();  // another thread ends the process
}

SignalsHeld::~SignalsHeld() {
  --t_held;
  --g_held;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

UnfinishedMark::UnfinishedMark(const fs::path& path) {
  const SignalsHeld held;
  std::lock_guard lock(g_slots_mutex);
  Slot* slot = g_slots;
  while (slot && slot->used) slot = slot->next;
  if (slot) {
    slot->path = path.string();
  } else {
    slot = new Slot{path.string(), false, g_slots};
    g_slots = slot;
  }
  slot->used = true;
  slot_ = slot;
}

void UnfinishedMark::Release() {
  const SignalsHeld held;
  std::lock_guard lock(g_slots_mutex);
  if (slot_) static_cast<Slot*>(slot_)->used = false;
  slot_ = nullptr;
}

void RemoveUnfinished() noexcept {
  g_ending = true;
  if (::getpid() != g_owner) return;
  const timespec pause{0, 1'000'000};
  for (int i = 0; g_held > 0 && i < kMaxPauses; ++i) ::nanosleep(&pause, nullptr);  // of other threads, and soon over
  for (Slot* slot = g_slots; slot; slot = slot->next)
    if (slot->used && ::unlink(slot->path.c_str()) == 0) slot->used = false;
  for (bool again = true; again;) {  // folders, once they are empty
    again = false;
    for (Slot* slot = g_slots; slot; slot = slot->next)
      if (slot->used && ::rmdir(slot->path.c_str()) == 0) {
        slot->used = false;
        again = true;
      }
  }
}

Claim ClaimBeside(const fs::path& target, bool folder) {
  const FolderLock lock(target);
  RequireNoWriter(target);
  const std::string stem = StemOf(target);
  for (;;) {
    Claim claim;
    claim.path = target;
    claim.path.replace_filename(RandomName(stem));
    const SignalsHeld held;
    if (folder) {
      if (::mkdir(claim.path.c_str(), 0777) == 0)
        claim.fd = ::open(claim.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
      claim.fd = ::open(claim.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }
    if (claim.fd < 0 && errno == EEXIST) continue;
    if (claim.fd < 0) FailErrno("be written", target, errno);
    claim.mark = UnfinishedMark(claim.path);
    ::flock(claim.fd, LOCK_EX | LOCK_NB);  // new, so it is free; without locks there is nothing to wait for
    return claim;
  }
}

bool IsUnfinishedOf(const std::string& name, const fs::path& target) {
  return IsUnfinished(name, StemOf(target));
}

Claim ClaimLeft(const std::string& name, const fs::path& target, bool folder) {
  ASSAY_CHECK(IsUnfinishedOf(name, target));
  fs::path left = target;
  left.replace_filename(name);
  const FolderLock lock(target);
  RequireNoWriter(target);
  Claim claim{left, OpenLeft(left, folder)};
  ::flock(claim.fd, LOCK_EX | LOCK_NB);
  return claim;
}

void RemoveLeft(const std::string& name, const fs::path& target) {
  constexpr size_t kAfterStem = kRandomChars + kEnd.size();
  if (name.size() <= kAfterStem || !IsUnfinished(name, name.substr(0, name.size() - kAfterStem))) return;
  fs::path left = target;
  left.replace_filename(name);
  std::error_code ignored;
  try {
    const int fd = OpenLeft(left, fs::is_directory(fs::symlink_status(left, ignored)));
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) fs::remove_all(left, ignored);
    ::close(fd);
  } catch (const Error&) {  // gone already, or none of ours
  }
}

fs::path FreeNameBeside(const fs::path& target) {
  fs::path path = target;
  struct stat info {};
  do path.replace_filename(RandomName(StemOf(target)));
  while (::lstat(path.c_str(), &info) == 0);
  return path;
}

std::vector<fs::path> LeftBeside(const fs::path& target) {
  std::vector<fs::path> left;
  ForEachUnfinished(target, [&](const fs::path& path, Writer writer) {
    if (writer == Writer::kNone) left.push_back(path);
  });
  return left;
}

void WaitingLock::Open(const fs::path& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0) FailErrno("be locked", path, errno);
}

bool WaitingLock::Try() {
  return ::flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

void WaitingLock::Pause() {
  ::usleep(kPauseMs * 1000);
}

void WaitingLock::Stop() {
  ::close(fd_);
  throw Interrupted();
}

WaitingLock::~WaitingLock() {
  ::close(fd_);
}

}  // namespace assay
