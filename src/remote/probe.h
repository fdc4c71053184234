#pragma once
// Asks a server, before a run, what it is and can do.

#include "base/progress.h"
#include "remote/asker.h"
#include "remote/server_facts.h"

namespace assay {

/// Throws Error{kIo} where it cannot be reached, {kNotFound} where it does not offer the model, {kInvalid} where it
/// offers several and none is named, {kUnsupported} where it answers no completions.
ServerFacts ProbeServer(Asker& asker, Progress& progress);

}  // namespace assay
