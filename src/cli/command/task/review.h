#pragma once
// assay task review.

#include <functional>

#include "cli/command.h"

namespace assay {

std::function<int()> AddReview(CommandLine& command, CommonFlags& flags);

}  // namespace assay
