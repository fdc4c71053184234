#pragma once
// Numbers that people type: what a flag can mean is checked when it is read, so nothing further down meets a number
// that is not one, a negative count, or a count that no machine can hold.

#include <cstdint>

#include "cli/flags.h"

namespace assay {

/// Most tokens of a prompt, an answer or a chunk: no model has a context near it, and a table of it is addressable.
inline constexpr int64_t kMostTokens = int64_t{1} << 24;

/// For Flag::Within: numbers in base ten from `least` to `most`, and nothing that is not a number (CLI11's own range
/// lets "nan" through). All refuse in the same words: what is expected, what was found.
Reading IntegerBetween(int64_t least, int64_t most);
Reading NumberBetween(double least, double most);
/// Any of 64 bits.
Reading UnsignedInteger();
/// Bytes, with a unit or without: 500MB, 1.5 GiB.
Reading SizeBetween(int64_t least, int64_t most);

}  // namespace assay
