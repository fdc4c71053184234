#include "base/edit/edited_lines.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace assay {

EditedLines::EditedLines(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  std::string mark;
  if (text.starts_with(kMark)) {
    mark = kMark;
    text.remove_prefix(kMark.size());
  }
  while (!text.empty() || !mark.empty()) {
    const size_t end = text.find('\n');
    const std::string_view whole = text.substr(0, end == std::string_view::npos ? end : end + 1);
    const std::string_view content = Trim(whole);
    const size_t begin = content.empty() ? 0 : static_cast<size_t>(content.data() - whole.data());
    lines_.push_back({std::exchange(mark, "") + std::string(whole.substr(0, begin)), std::string(content),
                      std::string(whole.substr(begin + content.size())), std::string(content)});
    text.remove_prefix(whole.size());
  }
}

void EditedLines::Set(size_t i, std::string content) {
  lines_.at(i).content = std::move(content);
}

size_t EditedLines::changes() const {
  return static_cast<size_t>(
      std::count_if(lines_.begin(), lines_.end(), [](const Line& line) { return line.content != line.saved; }));
}

std::string EditedLines::Text() const {
  std::string text;
  for (const Line& line : lines_) text += line.before + line.content + line.after;
  return text;
}

void EditedLines::Saved() {
  for (Line& line : lines_) line.saved = line.content;
}

}  // namespace assay
