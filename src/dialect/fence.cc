#include "dialect/fence.h"

#include <algorithm>

#include "base/strings.h"
#include "dialect/answer_json.h"

namespace assay {
namespace {

size_t RunLength(std::string_view text, char mark) {
  return std::min(text.find_first_not_of(mark), text.size());
}

// The word beside an opening fence; digits alone are content ("```1```").
std::string_view LanguageOf(std::string_view info) {
  size_t size = std::min(info.find_first_of(" \t{[\"'`"), info.size());
  bool number = info.substr(0, size).find_first_not_of("0123456789.-+") == std::string_view::npos;
  return number ? std::string_view() : info.substr(0, size);
}

bool BeginsJson(std::string_view text) {
  return text.starts_with("{") || text.starts_with("[") || text.starts_with("\"");
}

// Where a closing fence of at least `run` marks begins in a line, npos when there is none. It stands alone, behind the
// content's last line, or before further words (not a language: that would open another).
size_t ClosingFence(std::string_view line, char mark, size_t run) {
  std::string_view trimmed = Trim(line);
  size_t last = trimmed.find_last_not_of(mark);
  size_t tail = last == std::string_view::npos ? trimmed.size() : trimmed.size() - last - 1;
  auto offset = static_cast<size_t>(trimmed.data() - line.data());
  if (tail >= run) return offset + trimmed.size() - tail;
  size_t head = RunLength(trimmed, mark);
  return head >= run && head < trimmed.size() && trimmed[head] == ' ' ? offset : std::string_view::npos;
}

// A whole block on the line whose fence begins at `open`: ```json {"a": 1}```.
bool ReadOneLine(std::string_view line, size_t open, size_t run, Fence& fence) {
  size_t begin = open + run, json = line.find_first_of("{[", begin), close = line.rfind(line.substr(open, run));
  if (json != std::string_view::npos &&
      LanguageOf(Trim(line.substr(begin))) == Trim(line.substr(begin, json - begin))) {
    size_t end = JsonValueEnd(line, json);  // ticks inside a string are none
    close = end == std::string_view::npos ? end : line.find(line.substr(open, run), end);
  }
  if (close == std::string_view::npos || close < begin) return false;
  while (close > begin && line[close - 1] == line[open]) --close;
  std::string_view inside = Trim(line.substr(begin, close - begin)), language = LanguageOf(inside);
  std::string_view content = Trim(inside.substr(language.size()));
  // With words behind it, it may be a span of code in a sentence.
  if (!Trim(line.substr(close + run)).empty() && !BeginsJson(content)) return false;
  fence.language = ToLowerAscii(language);
  fence.content = content;
  fence.closed = true;
  return true;
}

}  // namespace

std::vector<Fence> Fences(std::string_view text) {
  std::vector<Fence> fences;
  bool inside = false;
  char mark = 0;
  size_t run = 0, content = 0;
  for (size_t at = 0, next = 0; at < text.size(); at = next) {
    size_t line_end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, line_end - at);
    next = line_end + 1;
    if (inside) {
      size_t close = ClosingFence(line, mark, run);
      if (close == std::string_view::npos) continue;
      inside = false;
      Fence& fence = fences.back();
      fence.content = text.substr(content, std::max(at + close, content) - content);
      fence.closed = true;
      continue;
    }
    // Words may stand before ticks on their line ("Here: ```json"), not before tildes.
    size_t open = std::min(line.find("```"), Trim(line).starts_with("~~~") ? line.find('~') : line.npos);
    if (open == std::string_view::npos) continue;
    mark = line[open];
    run = RunLength(line.substr(open), mark);
    Fence fence;
    if (ReadOneLine(line, open, run, fence)) {
      fences.push_back(std::move(fence));
      continue;
    }
    std::string_view info = line.substr(open + run);
    std::string_view trimmed = Trim(info), language = LanguageOf(trimmed),
                     beside = Trim(trimmed.substr(language.size()));
    if (mark == '`' && !BeginsJson(beside) && info.find('`') != std::string_view::npos) continue;  // a span of code
    fence.language = ToLowerAscii(language);
    content = BeginsJson(beside) ? static_cast<size_t>(beside.data() - text.data()) : std::min(next, text.size());
    fence.content = text.substr(content);
    fences.push_back(std::move(fence));
    inside = true;
  }
  return fences;
}

}  // namespace assay
