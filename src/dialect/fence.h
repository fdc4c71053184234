#pragma once
// Markdown's fenced blocks in an answer (CommonMark 0.31, section 4.5), and what models make of them: a block on one
// line, content that begins beside the language or ends beside the closing fence. Linear in the text.

#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct Fence {
  std::string language;      // the first word beside the opening fence, in lower case
  std::string_view content;  // between the fences
  bool closed = false;       // the closing fence is there; else the block runs to the end
};

std::vector<Fence> Fences(std::string_view text);

}  // namespace assay
