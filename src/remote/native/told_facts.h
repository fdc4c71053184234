#pragma once
// What a server tells of itself in calls of its own, beside OpenAI's protocol: its kind, the weights, the context, the
// chat template, and the settings that no request can change.

#include "base/progress.h"
#include "remote/asker.h"
#include "remote/server_facts.h"

namespace assay {

/// Asks after each kind in turn. `entry`: the model's in /v1/models; null: it has none.
void TakeToldFacts(Asker& asker, const Json& entry, ServerFacts& facts, Progress& progress);

}  // namespace assay
