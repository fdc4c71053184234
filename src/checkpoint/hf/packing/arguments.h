#pragma once
// The numbers of quantization configurations and the ranges in which they mean something: one table, whichever parser
// asks. What a container supports of them is its parser's to say. Internal to hf/.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

/// A row of the table.
struct QuantizationArgument {
  std::string_view key;
  int64_t least, most;
  /// One value outside the range and what it stands for; empty: there is none.
  int64_t alone = 0;
  std::string_view meaning = "";
};

std::span<const QuantizationArgument> QuantizationArguments();

/// The integer under `key`, which has a row, or `fallback` when absent or null. Throws Error{kInvalid} naming `where`,
/// the key, what is expected and what was found.
int64_t ReadArgument(const Json& object, std::string_view key, const std::string& where, int64_t fallback);
/// The same for a value that a tensor states.
int64_t CheckArgument(std::string_view key, int64_t value, const std::string& where);

}  // namespace assay
