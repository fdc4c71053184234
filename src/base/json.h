#pragma once
// JSON behind one name: key order is kept, parsing states where it failed.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace assay {

using Json = nlohmann::ordered_json;

/// Parses a whole JSON text. Throws Error{kCorrupt} naming `where`, line and column. Nesting deeper than 512 is
/// refused, and so are duplicate keys when `strict`.
Json ParseJson(std::string_view text, std::string_view where, bool strict = false);

/// One line without spaces; invalid UTF-8 is replaced by U+FFFD. `indent` >= 0 pretty-prints.
std::string DumpJson(const Json& value, int indent = -1);

/// Typed look-up of an object's member with a message that names `where`. The forms with a default accept an absent or
/// null member.
std::string JsonString(const Json& object, std::string_view key, std::string_view where);
std::string JsonString(const Json& object, std::string_view key, std::string_view where, std::string_view fallback);
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where);
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where, int64_t fallback);
double JsonNumber(const Json& object, std::string_view key, std::string_view where, double fallback);
bool JsonBool(const Json& object, std::string_view key, std::string_view where, bool fallback);

}  // namespace assay
