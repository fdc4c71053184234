#pragma once
// A Checkpoint out of a Hugging Face folder.

#include <filesystem>
#include <memory>
#include <string_view>

#include "checkpoint/checkpoint.h"

namespace assay {

/// `folder` holds config.json, safetensors and a tokenizer. Throws Error.
std::shared_ptr<const Checkpoint> OpenHuggingFace(const std::filesystem::path& folder);

/// Whether a file of this name is one of those that a folder's tokenizer is read from.
bool IsTokenizerFile(std::string_view name);
/// Whether `folder` holds a tokenizer, and that tokenizer with what the files beside it say.
bool HasTokenizerFiles(const std::filesystem::path& folder);
TokenizerSpec ReadHuggingFaceTokenizer(const std::filesystem::path& folder);

}  // namespace assay
