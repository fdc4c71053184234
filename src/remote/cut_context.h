#pragma once
// Whether a server reads a long prompt whole. Some cut its beginning away, or its middle, and say nothing.

#include <string>

#include "base/progress.h"
#include "remote/asker.h"
#include "remote/server_facts.h"

namespace assay {

/// Asks the longest prompt, for one token, as it is and with a sentence more at its beginning. Where the server counts
/// tokens the second must have more: throws Error{kUnsupported} where it has not. Where it does not, the model must
/// find a word in what stands before, if it finds it in a short prompt: that it does not is no proof, and a remark.
std::string RequireWhole(Asker& asker, const ServerFacts& facts, const CompletionRequest& longest, Progress& progress);

}  // namespace assay
