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

/// VisibleText on one line for GitHub's Markdown, in a sentence or a table's cell, not at the beginning of a line: no
/// character of it is markup, no name is mentioned, no number or address becomes a link.
std::string MarkdownText(std::string_view text);

/// VisibleText on one line, cut to `columns` code points with an ellipsis; 0: not cut.
std::string TerminalText(std::string_view text, size_t columns = 0);

/// A name in so many columns: the middle of a longer one goes, since a server's port, or a file's last word, tells it
/// from others.
std::string NameText(std::string_view text, size_t columns);

/// An answer for reading: VisibleText with lines, but joiners and single direction marks stay, which languages and
/// emoji need, and so do line ends of two characters. What overrides direction or acts on a terminal is shown.
std::string AnswerText(std::string_view text);

/// JSON text of the same value in which such characters are escapes (\u009b), so that it can be printed.
std::string PrintableJson(std::string_view json);

/// At most `most` bytes, cut between code points, with a remark of how many more there are.
std::string Shortened(std::string_view text, size_t most);

/// Code points, taken as columns.
size_t ColumnCount(std::string_view text);

}  // namespace assay
