#pragma once
// Changes in a JSON text that leave every other byte as it is: white space, the order of members, how a number is
// written. Texts given must be JSON (ParseJson says so); what they hold is not looked into.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// A member of an object, or an element of a list, in its text.
struct JsonPart {
  std::string key;                       // empty in a list
  size_t begin = 0, value = 0, end = 0;  // of the name (in a list: of the value), of the value, behind it
  std::string_view Text(std::string_view whole) const { return whole.substr(value, end - value); }
};

/// In order; nothing for a text that is neither object nor list.
std::vector<JsonPart> JsonParts(std::string_view text);

/// A place in a list: a whole number from 0; nothing for another value.
std::optional<size_t> PlaceIn(const Json& step);

/// `path`: a list of names and places. What is missing on the way becomes an object; a place one behind the last of a
/// list is added. Throws Error{kInvalid} for a path that leads through another value.
std::string SetInJson(std::string_view text, const Json& path, std::string_view value);
/// The same without the member or element. One that is not there is no error.
std::string RemoveFromJson(std::string_view text, const Json& path);
/// `text` as edited by a person into `wanted`: members whose values are the same but for white space keep their bytes.
std::string MergeJson(std::string_view text, std::string_view wanted);

/// The same values without white space between them (indent < 0), or a member a line.
std::string LayOutJson(std::string_view text, int indent = -1);

}  // namespace assay
