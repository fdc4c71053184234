#pragma once
// Numbers that people type: what a flag can mean is checked when it is read, so nothing further down meets a number
// that is not one, a negative count, or a count that no machine can hold.

#include <cstdint>

namespace CLI {
class Validator;
}

namespace assay {

/// Most tokens of a prompt, an answer or a chunk: no model has a context near it, and a table of it is addressable.
inline constexpr int64_t kMostTokens = int64_t{1} << 24;

/// Accept numbers from `least` to `most` and nothing that is not a number (CLI::Range lets "nan" through).
CLI::Validator IntegerBetween(int64_t least, int64_t most);
CLI::Validator NumberBetween(double least, double most);

}  // namespace assay
