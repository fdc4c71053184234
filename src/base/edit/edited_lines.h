#pragma once
// A text of lines of which some are edited: bytes of the others stay, line ends, byte order mark and blanks with them.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class EditedLines {
 public:
  explicit EditedLines(std::string_view text);
  size_t size() const { return lines_.size(); }
  /// Without blanks around it.
  const std::string& line(size_t i) const { return lines_[i].content; }
  const std::string& saved(size_t i) const { return lines_[i].saved; }
  /// An emptied line stays as an empty one, so that the numbers of those behind it stay.
  void Set(size_t i, std::string content);
  size_t changes() const;  // lines that are other than saved ones
  std::string Text() const;
  /// What stands now is what was saved.
  void Saved();

 private:
  struct Line {
    std::string before, content, after, saved;
  };
  std::vector<Line> lines_;
};

}  // namespace assay
