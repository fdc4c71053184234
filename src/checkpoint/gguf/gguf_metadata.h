#pragma once
// What a GGUF that is written says of its model.

#include <string_view>

#include "checkpoint/checkpoint.h"
#include "describe/gguf_metadata.h"

namespace assay {

/// The tokenizer as a GGUF states it: engines are told three ids that end an answer, eos, eot and eom; a model may have
/// any of its own there.
TokenizerSpec TokenizerForGguf(const Checkpoint& source);

/// Everything llama.cpp wants to know of the source, under its names. From a GGUF source: what it has,
/// `general.file_type` and `general.quantization_version` renewed, `split.*` and `general.alignment` left out. `preset`
/// as in CheckpointWriter::Create.
GgufMetadata GgufMetadataOf(const Checkpoint& source, std::string_view preset, const Format& main_format);

}  // namespace assay
