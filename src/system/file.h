#pragma once
// Files: read whole, or mapped. output.h writes them.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "system/output.h"

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

/// From now on, a mapped file that can be read no more (it was cut short, its disk failed) ends the process with a
/// message that names it and exit code 1; what was unfinished is removed.
void TellLostMappings();

/// How many of the bytes are in this process's memory now, mapped or allocated (Linux: /proc/self/pagemap; elsewhere
/// all of them).
uint64_t ResidentBytes(std::span<const std::byte> bytes);

/// Reads a whole file; more than `limit_bytes` is refused.
std::string ReadFile(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 31);

}  // namespace assay
