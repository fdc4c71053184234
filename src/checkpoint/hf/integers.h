#pragma once
// What the integer containers share: one matrix of codes, scales and zeros in any order becomes planes of a Format, and
// the reverse.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/source.h"

namespace assay {

/// What a configuration says of a matrix of integers.
struct IntegerKind {
  int64_t bits = 4;
  int64_t group = 128;     // columns; -1: a row; 0: the matrix
  int64_t block_rows = 1;  // rows that share a scale
  bool asymmetric = false;
  bool column_group = false;  // activation order
  ActivationKind activation = ActivationKind::kBF16;

  bool weight_only() const { return activation == ActivationKind::kBF16; }
};

/// The format for it; a group that is a multiple of one that we have gets that one, its scales repeated. Null when
/// there is none.
const Format* IntegerFormat(const IntegerKind& kind, int64_t cols);
/// "int4 group 128 asymmetric".
std::string IntegerText(const IntegerKind& kind);

/// The reverse: what a format of ours is; nothing when it is not one of the integers.
std::optional<IntegerKind> IntegerKindOf(const Format& format);

/// A matrix on its way in. Codes are unsigned (u = q + 2^(bits - 1)), zeros too.
struct IntegerMatrix {
  IntegerKind kind;
  const std::byte* codes = nullptr;   // rows as Format lays them
  int64_t groups = 1;                 // of a row, in the file
  std::vector<float> scales;          // [rows, groups], or one
  std::vector<float> zeros;           // [rows, groups], or one, or none: symmetric
  std::vector<int32_t> column_group;  // [cols] or none
};

/// Chooses the format and completes tensor.view. `where` names the module for messages. Zeros that are all the middle
/// make the matrix symmetric. Throws Error.
void PlaceIntegers(IntegerMatrix matrix, HfSource& source, const std::string& where, Tensor& tensor);

/// Codes that a callback gives row by row, u in 0 … 2^bits - 1, as Format lays rows of that many bits (8: u - 128).
std::vector<std::byte> LayCodes(int64_t bits, int64_t rows, int64_t cols,
                                const std::function<void(int64_t row, uint8_t* codes)>& row_codes);
/// Signed bytes from unsigned ones with 128 as zero, and back.
void TurnSigns(const std::byte* in, int64_t n, std::byte* out);
/// One row of a format's codes plane as u.
void RowCodes(int64_t bits, const std::byte* row, int64_t cols, uint8_t* codes);

/// [rows, cols] of 32-bit words to [cols, rows]; `from` at any address.
std::vector<std::byte> TransposedWords(std::span<const std::byte> from, int64_t rows, int64_t cols);
/// The same of floats.
std::vector<float> Transposed(const std::vector<float>& from, int64_t rows, int64_t cols);

/// Why a zero as a scales plane has it (8 bits: less 128) is none of the format's unsigned codes; empty: it is one.
std::string WhyNotCode(const Format& format, float zero);

}  // namespace assay
