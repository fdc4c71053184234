#pragma once
// What the words around a call say about it: that it is meant, or that it is an example, a plan that is denied, a
// question, or a report of what was called.

#include <string_view>

namespace assay {

/// Whether the words before `begin` (and for a call inside a sentence those behind `end`) talk about the call that
/// stands at [begin, end) in `text`. `alone`: it stands on a line or in a block of its own; then the last sentence
/// before it counts.
bool IsTalkedAbout(std::string_view text, size_t begin, size_t end, bool alone);

/// The sentence in front of `at` announces an action ("I will call ", "Let me use ").
bool IsAnnounced(std::string_view text, size_t at);

}  // namespace assay
