#pragma once
// Tokens to a tree.

#include <memory>
#include <string_view>

#include "jinja/ast.h"

namespace assay::jinja {

/// Throws Error{kCorrupt} or Error{kUnsupported} as "where:line: reason". `source` as NormalizeNewlines leaves it.
std::unique_ptr<Ast> ParseTemplate(std::string_view source, std::string_view where);

}  // namespace assay::jinja
