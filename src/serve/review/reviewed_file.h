#pragma once
// A file of lines that a person edits: written anew in one step, and never over what somebody else wrote meanwhile.

#include <filesystem>
#include <optional>
#include <string>

#include "base/edit/edited_lines.h"

namespace assay {

class ReviewedFile {
 public:
  /// `text` was read from `path`; with `elsewhere`, from another file, and `path` is written when it is saved: one that
  /// is there already is refused unless `force`.
  ReviewedFile(std::filesystem::path path, std::string text, bool elsewhere, bool force);
  const std::filesystem::path& path() const { return path_; }
  EditedLines& lines() { return lines_; }
  const EditedLines& lines() const { return lines_; }
  /// Lines that are not in the file as they stand here, or the file that is not there yet.
  bool unsaved() const { return !on_disk_ || lines_.changes() > 0; }
  /// Throws Error{kInvalid} when the file is another than the one that was read or saved last: nothing is written.
  void Save();

 private:
  std::filesystem::path path_;
  EditedLines lines_;
  std::optional<std::string> on_disk_;  // what this process read there or wrote
  bool force_ = false;
};

}  // namespace assay
