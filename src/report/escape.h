#pragma once
// Text from models and tasks is hostile: it must not become markup, break a terminal, or hide what it contains.

#include <string>
#include <string_view>

namespace assay {

/// Valid UTF-8 in which nothing is invisible or acts on the display: bytes that are no UTF-8 become U+FFFD, control
/// characters their pictures (U+2400 …), and direction marks, zero-width and other format characters "‹U+202E›". Line
/// feeds and tabs stay when `keep_lines`, else they become pictures too.
std::string VisibleText(std::string_view text, bool keep_lines);

/// VisibleText for HTML: also & < > " ' as entities, so it is safe in text and in quoted attributes.
std::string EscapeHtml(std::string_view text);

/// VisibleText on one line, cut to `columns` code points with an ellipsis; 0: not cut.
std::string TerminalText(std::string_view text, size_t columns = 0);

/// Code points, taken as columns.
size_t ColumnCount(std::string_view text);

}  // namespace assay
