#pragma once
// Which file a name led to and in what state it was: tells whether it was changed or replaced since.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace assay {

struct FileState {
  std::filesystem::path path;
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t modified_ns = 0;  // of the contents
  int64_t changed_ns = 0;   // of contents, names, owner or permissions
  bool SameFile(const FileState& other) const { return device == other.device && inode == other.inode; }
};

/// Links are followed. Nothing: no such file, or none that may be looked at.
std::optional<FileState> StateOf(const std::filesystem::path& path);
/// The states of those that are there.
std::vector<FileState> StatesOf(std::span<const std::filesystem::path> paths);

/// Throws Error{kInvalid} naming the first that was written to or replaced since, or that was given another name or
/// other permissions: that cannot be told from contents whose own time was set back.
void RequireUnchanged(std::span<const FileState> states);

}  // namespace assay
