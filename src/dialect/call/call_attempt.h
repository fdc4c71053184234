#pragma once
// A call that is meant but written in no syntax that a parser accepts: other formats' marks, other shapes of objects,
// ReAct's lines, a call inside prose or a block of code. Ordinary prose, documentation and examples of a call are none.

#include <string>
#include <string_view>

#include "dialect/call/call_body.h"

namespace assay {

/// What looks like a call in `text`, for a message; empty when nothing does. `text` is in no syntax of call_syntax.h.
/// Time is linear in the text.
std::string FindCallAttempt(std::string_view text, const OfferedTools& tools);

/// The mark at [at, at + size) stands in quotes or backticks: it is spoken of.
bool IsQuotedMark(std::string_view text, size_t at, size_t size);

}  // namespace assay
