#pragma once
// Files: mapped for reading, written beside and renamed.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace assay {

/// A read-only mapping of a whole file. Copies share the mapping; it lives as long as one of them does.
class MappedFile {
 public:
  MappedFile() = default;
  /// Throws Error{kNotFound|kIo}; a folder is refused. An empty file maps to an empty span.
  static MappedFile Open(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::shared_ptr<void> mapping_;
  std::span<const std::byte> bytes_;
  std::filesystem::path path_;
};

/// Gives the memory of mapped pages back to the system (they are read again when touched), so that streaming through a
/// mapping larger than memory stays small. Bytes that belong to no MappedFile are left alone.
void ReleasePages(std::span<const std::byte> bytes);

/// True when the bytes lie in a MappedFile.
bool IsMapped(std::span<const std::byte> bytes);

/// How many of the bytes are in this process's memory now, mapped or allocated (Linux: /proc/self/pagemap; elsewhere
/// all of them).
uint64_t ResidentBytes(std::span<const std::byte> bytes);

/// Reads a whole file; more than `limit_bytes` is refused.
std::string ReadFile(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 31);

/// Writes `path`.part and renames it to `path` in Commit(); without Commit() the partial file is removed.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
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
  /// Flushes to the disk and renames.
  void Commit();

 private:
  std::filesystem::path path_, part_;
  int fd_ = -1;
  uint64_t position_ = 0;
};

void WriteFileAtomically(const std::filesystem::path& path, std::string_view text);

}  // namespace assay
