#pragma once
// What records say about a model.

#include <string_view>

#include "checkpoint/checkpoint.h"
#include "record/run_record.h"

namespace assay {

/// `preset`: what it was quantized to, empty when unknown (then the checkpoint's own scheme is named).
ModelIdentity IdentityOf(const Checkpoint& checkpoint, std::string_view preset);

}  // namespace assay
