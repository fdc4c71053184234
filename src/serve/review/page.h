#pragma once
// The page of a review: its markup, style and script, and what it asks answered by the Review.

#include <string_view>

#include "serve/page_server.h"
#include "serve/review/review.h"

namespace assay {

std::string_view ReviewScript();  // script.cc
std::string_view ReviewStyle();

/// "/" is the page; "/done" saves and sets `done`; the rest asks the review.
PageResponse AnswerReviewPage(Review& review, const PageRequest& request, bool& done);

}  // namespace assay
