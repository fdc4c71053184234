#pragma once
// URI references (RFC 3986) and JSON pointers (RFC 6901), as far as `$id` and `$ref` need them.

#include <string>
#include <string_view>
#include <vector>

namespace assay::json_schema {

/// Resolves `reference` against `base` (section 5.2); the fragment stays on.
std::string ResolveUri(std::string_view base, std::string_view reference);

/// The part before '#', and the part behind it (percent-decoded).
std::string WithoutFragment(std::string_view uri);
std::string Fragment(std::string_view uri);

/// The tokens of "/a~1b/0"; false when it is not a pointer.
bool SplitPointer(std::string_view pointer, std::vector<std::string>& tokens);
std::string EscapePointerToken(std::string_view token);

}  // namespace assay::json_schema
