#pragma once
// Every key that a quantization_config can have, container by container: applied (its parser reads it), harmless
// (nothing that is computed from the files depends on it) or refused where its value would change what is computed.
// Internal to hf/.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// A row of the table. null stands for an absent key everywhere.
struct QuantizationKey {
  std::string_view container;  // quant_method, or an object inside of one: "compressed-tensors args"
  std::string_view key;
  /// Types that it may have: b(ool), i(nteger), n(umber), s(tring), o(bject), l(ist). Empty: the parser that applies it
  /// says so.
  std::string_view types = "";
  /// The only values that are taken, as JSON, one behind the other with a space between; empty: any.
  std::string_view only = "";
  std::string_view reason = "";  // why no other
};

std::span<const QuantizationKey> QuantizationKeys();

/// Checks the members of `object` against the rows of `container`. Throws Error{kInvalid} for a wrong type,
/// Error{kUnsupported} for a value that nothing here applies. Returns the keys that have no row.
std::vector<std::string> CheckKeys(std::string_view container, const Json& object, const std::string& where);
/// The same, of an object whose own library takes no other keys: throws Error{kInvalid} for those.
void RequireKeys(std::string_view container, const Json& object, const std::string& where);

}  // namespace assay
