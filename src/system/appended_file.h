#pragma once
// A log: lines are added to the end of a file under its own name, one write each, so that others may read it meanwhile
// and a crash costs at most the line that was being written.

#include <filesystem>
#include <string>
#include <string_view>

namespace assay {

class AppendedFile {
 public:
  /// Opens or creates `path` (for this user alone: logs hold what was said in private) and locks it; a second writer
  /// gets Error{kResource}. Of a file that is there already Error{kInvalid} unless it is empty or begins as `ours`. A
  /// last line that was torn is ended, so that what follows stands on lines of its own.
  AppendedFile(const std::filesystem::path& path, std::string_view ours);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  /// It held something before.
  bool continued() const { return continued_; }
  /// `line` ends in a line feed. Throws Error{kIo}.
  void Append(std::string_view line);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool continued_ = false;
};

}  // namespace assay
