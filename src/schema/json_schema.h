#pragma once
// JSON Schema validation, draft 2020-12 (https://json-schema.org/draft/2020-12) and draft-07 where `$schema` says so.
// All vocabularies of 2020-12; `format` and `content*` are annotations only, as the draft's default demands.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

struct SchemaError {
  std::string instance_path;  // JSON pointer into the value, empty for the value itself
  std::string schema_path;    // JSON pointer of keywords walked through the schema ("/properties/a/$ref/type")
  std::string message;        // "expected integer, found string"
};

class JsonSchema {  // const after Compile: may be shared by threads
 public:
  /// Documents that `$ref` may name by absolute URI. Nothing is ever fetched.
  using Registry = std::map<std::string, Json, std::less<>>;

  /// Throws Error{kInvalid} naming `where` and the place in the schema for a malformed keyword, a bad pattern or a
  /// reference that leads nowhere; Error{kUnsupported} for a draft other than the two.
  static JsonSchema Compile(const Json& schema, std::string_view where, const Registry& registry = {});

  /// Empty when `value` is valid. At most 64 errors are told. Throws Error{kResource} when schema and value together
  /// demand too much work or recursion.
  std::vector<SchemaError> Validate(const Json& value) const;

  /// What the schema says without effect, with its place: `format`, words that are no keywords.
  const std::vector<std::string>& doubts() const;

 private:
  struct Compiled;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace assay
