#pragma once
// Models of text and images (…ForConditionalGeneration) keep a language model's configuration in text_config and its
// tensors behind a prefix. Here they become those of the language model alone; the rest of the files is left unread.
// Names: the conversion mappings of transformers and the tensor lists of the published checkpoints.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// One class of models that carry a language model.
struct HfWrapper {
  std::string_view hf_class, model_type;
  std::string_view text_type;                 // model_type of a text_config that states none
  std::vector<std::string_view> unread = {};  // what else its files hold, by the beginning of a name
};

/// Null when `config` (config.json) is that of a language model, or of a class that is not known.
const HfWrapper* FindWrapper(const Json& config);
/// Names of all classes, for refusals.
std::vector<std::string> WrapperClasses();

/// config.json of the language model: text_config with what only the whole states (stop tokens, quantization) and what
/// it leaves to its class, under that class. Throws Error{kUnsupported} when the language model is none of ours.
Json TextConfig(const HfWrapper& wrapper, const Json& config, std::string_view where);
/// Whether the output is the embedding: what the two levels of `config` agree on, else as the files are.
bool TiedInWrapper(const Json& config, bool has_head);

/// The same text with the names of modules that lists of exceptions use: "language_model.model.layers.0" and
/// "model.language_model.layers.0" are "model.layers.0". In all strings and keys, regular expressions among them.
Json TextModuleNames(const Json& quantization);

/// What the language model calls a tensor of the files; nothing where it is not of the language model.
std::optional<std::string> TextTensorName(const HfWrapper& wrapper, const std::string& stored);

}  // namespace assay
