#pragma once
// The speed of a server in words, for terminal and HTML.

#include <string>

#include "record/check_record.h"

namespace assay {

/// "first token after 0.12 s (p90 0.30, p99 0.41); 45.1 tokens/s in an answer (p10 40.2, p1 33.0), 310 in all; 50
/// answers, 8 at once".
std::string ServedText(const ServedSpeed& speed);
/// Of all arms that are servers, side by side, a line for each; empty: none is.
std::string ServedLines(const CheckRecord& record);
/// The same as a section of the page.
std::string ServedHtml(const CheckRecord& record);

}  // namespace assay
