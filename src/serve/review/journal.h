#pragma once
// What a review changed and has not saved yet, one line each beside the file that is saved, so that neither a closed
// page nor a killed process loses it. Who writes it holds it alone.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "system/appended_file.h"

namespace assay {

/// A line of one of the files of a review: what it was when it was last saved, and what it became.
struct LineChange {
  std::string file;  // "task" | "labels"
  size_t line = 0;   // from 0
  std::string from, to;
};

class ReviewJournal {
 public:
  /// Throws as AppendedFile does: another review of the file, or another file of that name.
  explicit ReviewJournal(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  /// What an earlier review left unsaved, a change each line.
  const std::vector<LineChange>& left() const { return left_; }
  void Append(const LineChange& change);
  /// Everything so far is in the files.
  void Saved();
  void Remove();

 private:
  std::filesystem::path path_;
  AppendedFile file_;
  std::vector<LineChange> left_;
};

}  // namespace assay
