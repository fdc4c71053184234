#pragma once
// What stands between the marks of a tool call: JSON, XML-like tags, Python, or a name and JSON. call_syntax.cc says
// which model uses what.

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "dialect/call/call_syntax.h"
#include "dialect/call/tag_value.h"

namespace assay {

/// The tools on offer, for what a call's text alone leaves open. `tools` outlives it.
class OfferedTools {
 public:
  /// `tools` in OpenAI's format, or null.
  explicit OfferedTools(const Json& tools);
  bool Contains(std::string_view name) const { return parameters_.contains(std::string(name)); }
  const std::unordered_map<std::string, const Json*>& all() const { return parameters_; }
  /// What the tool declares of a parameter.
  DeclaredParameter Parameter(const std::string& tool, const std::string& name) const;
  /// The tool that a call names: itself, or without or with OpenAI's namespace `functions.`.
  std::string Resolve(std::string name) const;

 private:
  std::unordered_map<std::string, const Json*> parameters_;  // by name of the tool; the JSON Schema, null without
};

/// Tags around calls and their parameters: `<function=NAME> <parameter=KEY> value </parameter> </function>` and kin.
struct TagStyle {
  std::string_view call_open, name_end, call_close;  // NAME ends at name_end; the head at the next head_end
  std::string_view head_end;
  std::string_view parameter_open, key_end, parameter_close;
};

// Each appends to out.calls, or sets out.error.

/// JSON values one after the other, each a call or a list of calls.
void ReadJsonCalls(std::string_view text, ParsedCalls& out);
void ReadPythonCalls(std::string_view text, ParsedCalls& out);
void ReadTagCalls(std::string_view text, const TagStyle& style, const OfferedTools& tools, ParsedCalls& out);
/// GLM: NAME <arg_key>KEY</arg_key> <arg_value>value</arg_value> …
void ReadKeyValueCall(std::string_view text, const OfferedTools& tools, ParsedCalls& out);
/// Apertus: [{"NAME": {arguments}}, …]
void ReadNameKeyedCalls(std::string_view text, ParsedCalls& out);
/// Gemma 4: call:NAME{key:<|"|>text<|"|>,other:2}
void ReadGemmaCall(std::string_view text, ParsedCalls& out);
/// A call whose name and JSON arguments (maybe in a ```json fence) have been told apart.
void AddNamedCall(std::string_view name, std::string_view arguments, ParsedCalls& out);

}  // namespace assay
