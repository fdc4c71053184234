#pragma once
// A file that grows line by line and outlives its process: as TARGET.part it is found and taken up again.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "system/output.h"

namespace assay {

class GrowingFile {
 public:
  /// Opens or creates TARGET.part and locks it; a second writer gets Error{kResource}. Throws Error{kInvalid} when the
  /// rules do not let `target` be written, or TARGET.part is something else than a file that begins as `ours` do.
  GrowingFile(const std::filesystem::path& target, const OutputRules& rules, std::string_view ours);
  /// Opens or creates `part` itself, which never gets another name: Discard is its end, not Finish. Of an older one
  /// Error{kInvalid} unless this user made it and it begins as `ours`.
  GrowingFile(const std::filesystem::path& part, std::string_view ours);
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  const std::filesystem::path& part() const { return part_; }
  /// What an earlier process wrote.
  std::string Text() const;
  /// Keeps the first `bytes` of it; Append goes on there.
  void Keep(uint64_t bytes);
  /// Copies it to TARGET.part.stale (or the next free name of that kind), which is returned, and begins anew.
  std::filesystem::path SetAside();
  void Append(std::string_view text);
  /// What was appended is on the disk.
  void Flush();
  /// Flushes to the disk and gives it its name.
  void Finish();
  /// Removes it.
  void Discard();

 private:
  std::filesystem::path target_, part_;
  std::vector<FileState> unchanged_;
  bool replaces_ = false;
  int fd_ = -1;
};

}  // namespace assay
