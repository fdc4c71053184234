#include "system/output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"
#include "system/posix.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeadBytes = 256;  // by which a file of ours is recognized

std::string HeadOf(const fs::path& path) {
  std::string head(kHeadBytes, '\0');
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  const ssize_t got = fd < 0 ? -1 : ::read(fd, head.data(), head.size());
  if (fd >= 0) ::close(fd);
  head.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return head;
}

void RefuseSource(const fs::path& path, const OutputRules& rules, std::string_view how) {
  const std::optional<FileState> state = StateOf(path);
  if (!state) return;
  for (const FileState& source : rules.sources)
    if (state->SameFile(source))
      Fail(ErrorKind::kInvalid, "{}: {} the source ({}); choose another name", path.string(), how,
           source.path.string());
}

bool RenameToFree(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno != EINVAL && errno != ENOSYS) FailErrno("be given its name", to, errno);
  // A file system that cannot do it in one step: a second name, which is never a taken one.
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return true;
  }
  if (errno == EEXIST) return false;
  struct stat info {};
  if (::lstat(to.c_str(), &info) == 0) return false;
  if (::rename(from.c_str(), to.c_str()) != 0) FailErrno("be given its name", to, errno);
  return true;
}

bool PutBack(const fs::path& aside, const fs::path& path) {
  try {
    return RenameToFree(aside, path);
  } catch (const Error&) {
    return false;  // whoever asks has a reason of their own to tell
  }
}

bool IsMountPoint(const fs::path& folder) {
  struct stat inside {
  }, above{};
  return ::stat(folder.c_str(), &inside) == 0 && ::stat((folder / "..").c_str(), &above) == 0 &&
         inside.st_dev != above.st_dev;
}

bool Contains(const fs::path& folder, const fs::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

bool IsFolder(const fs::path& path) {  // links are not followed
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// Marks of what lies in scratch folders, which are held until these go.
struct Scratches {
  std::mutex mutex;
  std::map<fs::path, std::vector<UnfinishedMark>> marks;
};
Scratches& LiveScratches() {
  static auto* scratches = new Scratches;
  return *scratches;
}

/// Call before `path` comes into being.
void MarkInScratch(const fs::path& path) {
  std::lock_guard lock(LiveScratches().mutex);
  for (auto& [folder, marks] : LiveScratches().marks)
    if (Contains(folder, path)) marks.emplace_back(path);
}

Claim ClaimFor(const fs::path& target, const OutputRules& rules, bool folder) {
  for (const std::string& name : rules.left) {
    if (!IsUnfinishedOf(name, target)) continue;
    RefuseSource(target.parent_path() / name, rules, "the output would be written on");
    return ClaimLeft(name, target, folder);
  }
  return ClaimBeside(target, folder);
}

bool IsLeft(const Claim& claim, const OutputRules& rules) {
  return std::find(rules.left.begin(), rules.left.end(), claim.path.filename()) != rules.left.end();
}

/// The names in the folder of `path` are on the disk. Folders that cannot be opened or flushed are the system's affair.
void FlushFolder(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

bool CheckOutput(const fs::path& path, const OutputRules& rules) {
  RefuseDash(path);
  if (!path.has_filename()) Fail(ErrorKind::kInvalid, "\"{}\": expected the name of a file to write", path.string());
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) FailErrno("be written", path, errno);
    return false;
  }
  RefuseSource(path, rules, "the output would replace");
  if (S_ISLNK(info.st_mode))
    Fail(ErrorKind::kInvalid, "{}: is a link; name the file that should be written", path.string());
  if (!S_ISREG(info.st_mode))
    Fail(ErrorKind::kInvalid, "{}: {} of that name is there; choose another name", path.string(),
         S_ISDIR(info.st_mode) ? "a folder" : "something else than a file");
  if (!rules.force && !(rules.ours && rules.ours(HeadOf(path))))
    Fail(ErrorKind::kInvalid, "{} exists; give another name, or --force to replace it", path.string());
  return true;
}

std::string GiveName(const fs::path& part, const fs::path& path, bool replaces) {
  if (replaces) {
    if (::rename(part.c_str(), path.c_str()) != 0) FailErrno("be given its name", path, errno);
    return "";
  }
  if (RenameToFree(part, path)) return "";
  return fmt::format("{}: came into being meanwhile and was left as it is; what was written is in {}", path.string(),
                     part.string());
}

AtomicFile::AtomicFile(const fs::path& path, const OutputRules& rules) : path_(path), unchanged_(rules.unchanged) {
  replaces_ = CheckOutput(path, rules);
  Claim claim = ClaimFor(path, rules, false);
  leaves_ = IsLeft(claim, rules);
  part_ = std::move(claim.path);
  fd_ = claim.fd;
  mark_ = std::move(claim.mark);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  if (!leaves_) ::unlink(part_.c_str());
  Close();
}

void AtomicFile::Leave(bool leaves) {
  if (fd_ < 0) return;
  leaves_ = leaves;
  if (!unfinished_) mark_ = leaves ? UnfinishedMark() : UnfinishedMark(part_);
}

void AtomicFile::Close() {
  ::close(fd_);
  fd_ = -1;
  mark_.Release();
}

void AtomicFile::Write(std::span<const std::byte> data) {
  WriteAll(fd_, data, path_);
  position_ += data.size();
}

void AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> data) {
  ASSAY_CHECK(offset + data.size() <= position_);
  WriteAll(fd_, data, path_, static_cast<int64_t>(offset));
}

void AtomicFile::Extend(uint64_t size) {
  ASSAY_CHECK(size >= position_);
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) FailErrno("extend", path_, errno);
  if (::lseek(fd_, 0, SEEK_END) < 0) FailErrno("seek in", path_, errno);
  position_ = size;
}

void AtomicFile::Flush() {
  FlushFile(fd_, path_);
  if (!name_flushed_ && !unfinished_) FlushFolder(part_);
  name_flushed_ = true;
}

void AtomicFile::FlushUnchanged() {
  FlushFile(fd_, path_);
  RequireUnchanged(unchanged_);
}

void AtomicFile::Rename() {
  if (unfinished_) {
    --*unfinished_;
    return Close();  // the folder is renamed
  }
  MarkInScratch(path_);
  const std::string taken = GiveName(part_, path_, replaces_);
  Close();  // what may have taken hours is kept
  if (!taken.empty()) Fail(ErrorKind::kInvalid, "{}", taken);
}

void AtomicFile::Commit() {
  FlushUnchanged();
  Rename();
}

void CommitTogether(std::span<AtomicFile* const> files) {
  for (AtomicFile* file : files) file->FlushUnchanged();
  if (files.empty()) return;
  AtomicFile& first = *files.front();
  fs::path aside;
  if (files.size() > 1 && first.replaces_) {
    aside = FreeNameBeside(first.path_);
    if (::rename(first.path_.c_str(), aside.c_str()) != 0) FailErrno("be set aside", first.path_, errno);
    first.replaces_ = false;
  }
  size_t named = 0;
  try {
    for (AtomicFile* file : files.subspan(1)) {
      file->Rename();
      ++named;
    }
    first.Rename();
  } catch (const Error& error) {
    if (aside.empty() || (named == 0 && PutBack(aside, first.path_))) throw;
    Fail(error.kind(), "{}; the old {} is in {}", error.what(), first.path_.string(), aside.string());
  }
  if (!aside.empty()) ::unlink(aside.c_str());
}

void WriteFileAtomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.Write(text);
  file.Commit();
}

OutputFolder::OutputFolder(const fs::path& out, const OutputRules& rules, std::string must_have,
                           std::function<bool(const std::string&)> belongs)
    : out_(out), must_have_(std::move(must_have)), belongs_(std::move(belongs)), unchanged_(rules.unchanged) {
  RefuseDash(out_);
  if (!out_.has_filename()) out_ = out_.parent_path();  // "folder/"
  if (out_.empty()) Fail(ErrorKind::kInvalid, "\"{}\": expected the name of a folder to write", out.string());
  struct stat info {};
  const bool there = ::lstat(out_.c_str(), &info) == 0;
  if (!there && errno != ENOENT) FailErrno("be written", out_, errno);
  if (there && !S_ISDIR(info.st_mode))
    Fail(ErrorKind::kInvalid, "{}: {} of that name is there; choose another name", out_.string(),
         S_ISLNK(info.st_mode) ? "a link" : "a file");
  if (there) {
    out_ = fs::canonical(out_);  // "." and ".." have no place beside them
    replaces_ = !fs::is_empty(out_);
    if (replaces_ && !rules.force)
      Fail(ErrorKind::kInvalid, "{} exists; give another name, or --force to replace the files that are written",
           out.string());
    if (replaces_ && !fs::exists(out_ / must_have_))
      Fail(ErrorKind::kInvalid, "{}: the folder holds something else than a model (no {}); choose another name",
           out.string(), must_have_);
    if (Contains(out_, fs::current_path()))
      Fail(ErrorKind::kInvalid, "{}: is the folder that you are in, or above it; choose another name", out.string());
    if (IsMountPoint(out_))
      Fail(ErrorKind::kInvalid, "{}: is a mount point and cannot be replaced in one step; choose another name",
           out.string());
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(out_))
      if (!IsFolder(entry.path())) RefuseSource(entry.path(), rules, "the output would take the place of");
  }
  Claim claim = ClaimFor(out_, rules, true);
  left_ = leaves_ = IsLeft(claim, rules);
  part_ = std::move(claim.path);
  fd_ = claim.fd;
  marks_.push_back(std::move(claim.mark));
}

OutputFolder::~OutputFolder() {
  if (fd_ < 0) return;
  std::error_code ignored;
  if (!leaves_) fs::remove_all(part_, ignored);
  ::close(fd_);
}

std::unique_ptr<AtomicFile> OutputFolder::Create(const std::string& name) {
  return Open(name, true);
}

std::unique_ptr<AtomicFile> OutputFolder::Continue(const std::string& name) {
  return Open(name, false);
}

std::unique_ptr<AtomicFile> OutputFolder::Open(const std::string& name, bool anew) {
  const fs::path path = part_ / name;
  const SignalsHeld held;
  for (fs::path folder = path.parent_path(); folder != part_ && !IsFolder(folder);) {
    ASSAY_CHECK(folder.parent_path() == part_);  // deeper ones are not needed
    MakeFolder(folder);
    if (!leaves_) marks_.emplace_back(folder);
  }
  if (left_ && anew) ::unlink(path.c_str());
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST && left_) {
    fd = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && !IsOwn(fd, false)) {
      ::close(fd);
      Fail(ErrorKind::kInvalid, "{}: is not what this program left for this user; move it away", path.string());
    }
  }
  if (fd < 0) FailErrno("be written", out_ / name, errno);
  if (!leaves_) marks_.emplace_back(path);
  names_.insert(name);
  ++*unfinished_;
  return std::unique_ptr<AtomicFile>(new AtomicFile(Claim{path, fd}, unfinished_));
}

void OutputFolder::Write(const std::string& name, std::string_view text) {
  const std::unique_ptr<AtomicFile> file = Create(name);
  file->Write(text);
  file->Commit();
}

void OutputFolder::Flush() {
  FlushFile(fd_, part_);
  FlushFolder(part_);
}

void OutputFolder::Leave(bool leaves) {
  if (fd_ < 0) return;
  leaves_ = leaves;
  marks_.clear();
  if (leaves) return;
  marks_.emplace_back(part_);
  for (const std::string& name : names_)
    for (fs::path path = part_ / name; path != part_; path = path.parent_path()) marks_.emplace_back(path);
}

/// What an earlier process wrote and this one did not.
void OutputFolder::RemoveStrays() const {
  std::vector<fs::path> strays;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(part_))
    if (!IsFolder(entry.path()) && !names_.contains(entry.path().lexically_relative(part_).generic_string()))
      strays.push_back(entry.path());
  for (const fs::path& path : strays) ::unlink(path.c_str());
}

/// What is in the old folder beside the files that are written: folders before what they hold.
std::vector<fs::path> OutputFolder::Kept() const {
  std::vector<fs::path> kept;
  std::vector<std::string> parts;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(out_)) {
    const fs::path name = entry.path().lexically_relative(out_);
    if (!IsFolder(entry.path()) && names_.contains(name.generic_string())) continue;
    if (!IsFolder(entry.path()) && belongs_(name.generic_string())) parts.push_back(name.generic_string());
    kept.push_back(name);
  }
  if (!parts.empty()) {
    std::sort(parts.begin(), parts.end());
    Fail(ErrorKind::kInvalid,
         "{}: holds {}, which the new model has not and which would be read as a part of it: move it away, or choose "
         "another name",
         out_.string(), Join(parts, ", "));
  }
  return kept;
}

/// Second names in the new folder for what is kept: the old folder stays whole.
void OutputFolder::Keep(const std::vector<fs::path>& kept) const {
  for (const fs::path& name : kept) {
    const fs::path from = out_ / name, to = part_ / name;
    if (IsFolder(from)) {
      struct stat info {};
      if (::lstat(from.c_str(), &info) != 0 || (::mkdir(to.c_str(), info.st_mode & 07777) != 0 && errno != EEXIST))
        FailErrno("be kept beside what is written (choose another name)", from, errno);
    } else if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0) != 0) {
      FailErrno("be kept beside what is written (choose another name)", from, errno);
    }
  }
}

void OutputFolder::CheckKept() {
  if (!replaces_) return;
  const std::vector<fs::path> kept = Kept();
  const auto file = std::find_if(kept.begin(), kept.end(), [&](const fs::path& p) { return !IsFolder(out_ / p); });
  if (file == kept.end()) return;
  const fs::path probe = FreeNameBeside(part_ / "probe");
  if (::linkat(AT_FDCWD, (out_ / *file).c_str(), AT_FDCWD, probe.c_str(), 0) != 0)
    FailErrno("be kept beside what is written (choose another name)", out_ / *file, errno);
  ::unlink(probe.c_str());
}

/// Removes the files that were replaced, and the first names of those that were kept; nothing else.
void OutputFolder::RemoveOld(const fs::path& old, const std::vector<fs::path>& kept) const {
  for (const std::string& name : names_) ::unlink((old / name).c_str());
  for (const fs::path& name : kept) {
    struct stat before {
    }, after{};
    if (::lstat((old / name).c_str(), &before) != 0 || S_ISDIR(before.st_mode)) continue;
    if (::lstat((out_ / name).c_str(), &after) == 0 && before.st_ino == after.st_ino) ::unlink((old / name).c_str());
  }
  std::vector<fs::path> folders = {old};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(old, ignored))
    if (IsFolder(entry.path())) folders.push_back(entry.path());
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) ::rmdir(folder->c_str());
}

void OutputFolder::Commit() {
  ASSAY_CHECK(*unfinished_ == 0);
  const auto finish = [this] {
    ::fsync(fd_);
    ::close(fd_);
    fd_ = -1;
    marks_.clear();
  };
  RequireUnchanged(unchanged_);
  if (left_) RemoveStrays();
  MarkInScratch(out_);
  for (const std::string& name : names_)
    for (fs::path path = out_ / name; path != out_; path = path.parent_path()) MarkInScratch(path);
  if (!replaces_) {
    // Takes the place of an empty folder at most.
    if (::rename(part_.c_str(), out_.c_str()) == 0) return finish();
    const int error = errno;
    finish();
    Fail(ErrorKind::kIo, "{}: cannot be given its name: {}; what was written is in {}", out_.string(),
         std::strerror(error), part_.string());
  }
  const std::vector<fs::path> kept = Kept();
  Keep(kept);
  struct stat info {};
  if (::stat(out_.c_str(), &info) == 0) ::chmod(part_.c_str(), info.st_mode & 07777);
  fs::path old = part_;
  if (::renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) != 0) {
    if (errno != EINVAL && errno != ENOSYS) FailErrno("be replaced", out_, errno);
    // A file system that cannot exchange: in two steps, between which both are whole under other names.
    old = FreeNameBeside(out_);
    if (::rename(out_.c_str(), old.c_str()) != 0) FailErrno("be set aside", out_, errno);
    if (::rename(part_.c_str(), out_.c_str()) != 0) {
      const int error = errno;
      ::rename(old.c_str(), out_.c_str());
      FailErrno("be replaced", out_, error);
    }
  }
  finish();
  RemoveOld(old, kept);
}

void RemoveOwn(const fs::path& path) {
  std::vector<fs::path> all = LeftBeside(path);
  all.push_back(path);
  std::error_code ignored;  // what is in the way of a new one says so
  for (const fs::path& one : all) fs::remove_all(one, ignored);
}

bool MakeFolder(const fs::path& path, int mode) {
  const fs::path folder = path.has_filename() ? path : path.parent_path();
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (error) Fail(ErrorKind::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  if (::mkdir(folder.c_str(), static_cast<mode_t>(mode)) == 0) return true;
  const int reason = errno;
  if (reason == EEXIST && fs::is_directory(folder, error)) return false;
  Fail(ErrorKind::kIo, "{}: cannot create the folder: {}", folder.string(),
       reason == EEXIST ? "a file of that name is there" : std::strerror(reason));
}

ScratchFolder::ScratchFolder(const fs::path& parent) {
  std::string pattern = ((parent.empty() ? fs::temp_directory_path() : parent) / "assay-XXXXXX").string();
  const SignalsHeld held;
  if (!::mkdtemp(pattern.data())) FailErrno("be created as a temporary folder", pattern, errno);
  path_ = pattern;
  std::lock_guard lock(LiveScratches().mutex);
  LiveScratches().marks[path_].emplace_back(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  std::lock_guard lock(LiveScratches().mutex);
  LiveScratches().marks.erase(path_);
}

}  // namespace assay
