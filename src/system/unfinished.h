#pragma once
// What is being written and has no name of its own yet: it lies beside its target as TARGET.xxxxxxxx.part, under a name
// that cannot be guessed, created by us alone and locked as long as we write.

#include <signal.h>

#include <filesystem>
#include <utility>
#include <vector>

namespace assay {

/// Signals that end the process wait as long as one lives: what comes into being is marked before they are seen.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

/// Remembers that a file or an empty folder is to be removed should a signal end the process.
class UnfinishedMark {
 public:
  UnfinishedMark() = default;
  explicit UnfinishedMark(const std::filesystem::path& path);
  ~UnfinishedMark() { Release(); }
  UnfinishedMark(UnfinishedMark&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  UnfinishedMark& operator=(UnfinishedMark&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  void Release();

 private:
  void* slot_ = nullptr;
};

/// Removes all that is marked: files first, then folders that are empty. For the end of the process: from here on
/// nothing new is begun. Async-signal-safe; does nothing in a child that has not called exec.
void RemoveUnfinished() noexcept;

struct Claim {
  std::filesystem::path path;
  int fd = -1;  // open and locked: for writing, of a folder for reading
  UnfinishedMark mark{};
};

/// Creates an unfinished file or folder for `target`. Throws Error{kResource} when another process (or another part of
/// this one) is writing to that target, Error{kIo, kNotFound} when the folder does not take it.
Claim ClaimBeside(const std::filesystem::path& target, bool folder);

/// Whether `name` is of that kind, for that target.
bool IsUnfinishedOf(const std::string& name, const std::filesystem::path& target);

/// Takes over what a process that is gone left beside `target` under a name of that kind: locked, and not marked.
/// Throws Error as it does, Error{kInvalid} for what this user did not make or has a second name.
Claim ClaimLeft(const std::string& name, const std::filesystem::path& target, bool folder);

/// Removes what has a name of that kind, of any target, beside `target`; what others write or made stays.
void RemoveLeft(const std::string& name, const std::filesystem::path& target);

/// A name of that kind that is free.
std::filesystem::path FreeNameBeside(const std::filesystem::path& target);

/// What was left beside `target` by processes that were killed.
std::vector<std::filesystem::path> LeftBeside(const std::filesystem::path& target);

/// A lock that is waited for, on a file of our own; gone with its owner.
class WaitingLock {
 public:
  /// `cancelled` is asked while waiting; when it says yes, Interrupted is thrown.
  template <typename Cancelled>
  WaitingLock(const std::filesystem::path& path, Cancelled cancelled) {
    for (Open(path); !Try(); Pause())
      if (cancelled()) Stop();
  }
  ~WaitingLock();
  WaitingLock(const WaitingLock&) = delete;
  WaitingLock& operator=(const WaitingLock&) = delete;

 private:
  void Open(const std::filesystem::path& path);
  bool Try();
  static void Pause();
  [[noreturn]] void Stop();
  int fd_ = -1;
};

}  // namespace assay
