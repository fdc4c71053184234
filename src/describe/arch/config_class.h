#pragma once
// What the configuration classes of transformers know: their keys and the values of those that a config.json leaves
// out, other names of keys, and the keys that act on nothing. Generated, and tested, with transformers
// (tools/golden/config_keys.py).

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

struct ConfigClass {
  std::string_view model_type;
  Json defaults;                  // by key, sizes too
  std::vector<std::string> idle;  // of these, what acts on no logit
  std::vector<std::string> also;  // keys beyond these that it takes
  struct Alias {
    std::string other, own;
    bool wins = false;  // where a file states both
  };
  std::vector<Alias> aliases;
};

/// Null for a type that has no class.
const ConfigClass* FindConfigClass(std::string_view model_type);

/// `config` under the class's own names, with its values for what is not stated and without the keys that it does not
/// know: the library that the class is of computes without them. The sizes of the model are taken for granted only with
/// `sizes`. (A configuration inside of another leaves those out too.)
Json CompleteConfig(const Json& config, const ConfigClass& type, bool sizes);

/// Keys that would change what the model computes in a way that no architecture here has: Error{kUnsupported} naming
/// key and value.
/// `layer_overrides`: the architecture reads per_layer_config.
void RefuseForeignKeys(const Json& config, const ConfigClass& type, bool layer_overrides, std::string_view where);

/// Keys that neither the class nor this program knows, in the file's order; none of those that only describe.
std::vector<std::string> UnknownKeys(const Json& config, const ConfigClass& type);

}  // namespace assay
