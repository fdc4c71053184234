#pragma once
// Module names as quantization configurations list them.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// "Linear", an exact module name, or "re:…" matched from the start of the name (compressed-tensors); other configs use
/// the members they need.
class ModuleTarget {
 public:
  /// Throws Error{kInvalid} for a broken pattern.
  ModuleTarget(std::string text, const std::string& where);
  /// A pattern without the "re:".
  static ModuleTarget Pattern(const std::string& pattern, const std::string& where);

  /// How specific the match is: 3 name, 2 pattern, 1 class, 0 none.
  int Match(std::string_view module, std::string_view class_name) const;
  const std::string& text() const { return text_; }

 private:
  struct Free {
    void operator()(void* code) const;
  };
  std::string text_;
  std::unique_ptr<void, Free> code_;  // pcre2_code
};

/// The best match among them.
int MatchAny(const std::vector<ModuleTarget>& targets, std::string_view module, std::string_view class_name);

/// The list of names under `key`; empty when absent or null. Throws Error{kInvalid}.
std::vector<ModuleTarget> ReadTargets(const Json& object, const char* key, const std::string& where);
/// The same as plain strings.
std::vector<std::string> ReadNames(const Json& object, const char* key, const std::string& where);

/// transformers' rule of modules_to_not_convert: the name is listed, lies below a listed one, or a listed one is its
/// end ("lm_head", "model.layers.0.mlp", "gate_proj").
bool NamedIn(const std::vector<std::string>& names, std::string_view module);

}  // namespace assay
