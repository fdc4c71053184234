#pragma once
// Everything that the program writes for a user goes through here. Nothing that is there already is removed or replaced
// unless it was asked for by name, and then in one step: whoever looks, or pulls the plug, finds the old or the new.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "system/file_state.h"
#include "system/unfinished.h"

namespace assay {

/// What may happen to a name that is taken.
struct OutputRules {
  bool force = false;                  // a file (or model folder) of that very name is replaced
  std::vector<FileState> sources{};    // what is read: never replaced, whichever name leads to it
  std::vector<FileState> unchanged{};  // what an output was made from: as it was, or the output gets no name
  /// Whether a file that begins so was written by this program and may be written anew without `force`.
  std::function<bool(std::string_view)> ours{};
  /// Names of unfinished files and folders of an earlier process, beside the output, that are written on.
  std::vector<std::string> left{};
};

/// Throws Error naming `path` when the rules do not let it be written. True: a file is there and will be replaced.
/// Links, folders and devices are never replaced.
bool CheckOutput(const std::filesystem::path& path, const OutputRules& rules);

/// Renames `part` to `path`; what came to be there meanwhile is replaced with `replaces` only, else this says so.
std::string GiveName(const std::filesystem::path& part, const std::filesystem::path& path, bool replaces);

/// A file that has its name once it is whole. Without Commit() or Leave() nothing is left.
class AtomicFile {
 public:
  /// Throws as CheckOutput and ClaimBeside do: before anything is written. One of rules.left still holds what was
  /// written to it, and stays unless Leave(false) says otherwise; Write begins at its first byte.
  explicit AtomicFile(const std::filesystem::path& path, const OutputRules& rules = {.force = true});
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void Write(std::span<const std::byte> data);
  void Write(std::string_view text) { Write(std::as_bytes(std::span(text))); }
  /// Overwrites bytes at `offset`, which must have been written already; the write position stays at the end.
  void WriteAt(uint64_t offset, std::span<const std::byte> data);
  /// Grows the file to `size` bytes, zeros, so that WriteAt can fill it in any order.
  void Extend(uint64_t size);
  uint64_t position() const { return position_; }
  const std::filesystem::path& path() const { return path_; }
  /// Its name while it is unfinished.
  const std::filesystem::path& part() const { return part_; }
  /// What was written is on the disk, and so is the name that it has now.
  void Flush();
  /// From now on a process that ends leaves it unfinished (false: removes it), for rules.left of another.
  void Leave(bool leaves);
  /// Flushes to the disk and gives it its name. A file of that name that came meanwhile is replaced with `force` only.
  void Commit();

 private:
  friend class OutputFolder;
  friend void CommitTogether(std::span<AtomicFile* const> files);
  AtomicFile(Claim in_folder, std::shared_ptr<size_t> unfinished)
      : path_(std::move(in_folder.path)), part_(path_), fd_(in_folder.fd), unfinished_(std::move(unfinished)) {}
  void FlushUnchanged();
  void Rename();
  void Close();
  std::filesystem::path path_, part_;  // the same in an OutputFolder
  bool replaces_ = false, leaves_ = false, name_flushed_ = false;
  std::vector<FileState> unchanged_;
  int fd_ = -1;
  UnfinishedMark mark_;
  uint64_t position_ = 0;
  std::shared_ptr<size_t> unfinished_;  // of its OutputFolder
};

/// Files of which the first makes the others readable: an old set never mixes with a new one, for its first file is set
/// aside (TARGET.xxxxxxxx.part) until all others are there, and put back when none of them could be named.
void CommitTogether(std::span<AtomicFile* const> files);

/// Replaces what is there: for folders of our own.
void WriteFileAtomically(const std::filesystem::path& path, std::string_view text);

/// A folder that has its name once it is whole. Without Commit() or Leave() nothing is left.
/// With `force` it takes the place of a folder that has `must_have` in it; other files of that folder stay in it.
class OutputFolder {
 public:
  /// `belongs`: whether a reader would take a file of that name for a part of what is written. Such files of the old
  /// folder that are not written anew are named in a refusal.
  OutputFolder(const std::filesystem::path& out, const OutputRules& rules, std::string must_have,
               std::function<bool(const std::string&)> belongs);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// `name` may lie in a folder. Commit it before the folder.
  std::unique_ptr<AtomicFile> Create(const std::string& name);
  /// The same, but in one of rules.left the file still holds what was written to it, where there is one.
  std::unique_ptr<AtomicFile> Continue(const std::string& name);
  void Write(const std::string& name, std::string_view text);
  /// Call once all names are known and before the long work: throws what Commit would find.
  void CheckKept();
  /// Its name while it is unfinished.
  const std::filesystem::path& part() const { return part_; }
  /// Its names, and the one that it has now, are on the disk.
  void Flush();
  /// As AtomicFile::Leave, for all that is in it.
  void Leave(bool leaves);
  void Commit();

 private:
  std::unique_ptr<AtomicFile> Open(const std::string& name, bool anew);
  void RemoveStrays() const;
  std::vector<std::filesystem::path> Kept() const;
  void Keep(const std::vector<std::filesystem::path>& kept) const;
  void RemoveOld(const std::filesystem::path& old, const std::vector<std::filesystem::path>& kept) const;

  std::filesystem::path out_, part_;
  std::string must_have_;
  std::function<bool(const std::string&)> belongs_;
  std::vector<FileState> unchanged_;
  bool replaces_ = false, left_ = false, leaves_ = false;  // left_: by an earlier process
  int fd_ = -1;
  std::vector<UnfinishedMark> marks_;
  std::set<std::string> names_;                                       // of files, relative
  std::shared_ptr<size_t> unfinished_ = std::make_shared<size_t>(0);  // files that were not committed
};

/// Removes what lies at `path`, and what killed processes left beside it: in folders of our own alone, where nobody
/// else writes to that name now.
void RemoveOwn(const std::filesystem::path& path);

/// Makes a folder, and those above it. Throws Error{kIo} naming it. True: it is new.
bool MakeFolder(const std::filesystem::path& path, int mode = 0777);

/// A folder that is gone when its owner is. What the classes above write into it goes too when a signal ends the
/// process.
class ScratchFolder {
 public:
  /// In `parent`; "": where the system keeps temporary files.
  explicit ScratchFolder(const std::filesystem::path& parent = {});
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace assay
