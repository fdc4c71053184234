#pragma once
// A conversation that ends with the right answer: what is trained on is what is asked for.

#include <string>

#include "import/kind.h"

namespace assay {

/// `request`: "messages" in OpenAI's form, the last one the assistant's, and what else a request has; `id` and `slice`
/// may be empty.
void AddConversation(const ImportRow& row, Json request, const std::string& id, const std::string& slice,
                     const KindOptions& options, ImportSink& sink);

}  // namespace assay
