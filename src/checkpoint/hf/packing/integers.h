#pragma once
// What the integer containers share: one matrix of codes, scales and zeros in any order becomes planes of a Format, and
// the reverse.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/packing/source.h"

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

/// Scales or zeros of one of the file's groups, for rows [begin, begin + n): out [n]. On any thread.
using GroupReader = std::function<void(int64_t group, int64_t begin, int64_t n, float* out)>;

/// A matrix on its way in. Codes are unsigned (u = q + 2^(bits - 1)), zeros too.
struct IntegerMatrix {
  IntegerKind kind;
  PlaneSource codes;   // rows as Format lays them
  int64_t groups = 1;  // of a row, in the file
  GroupReader scales;
  GroupReader zeros;                  // null: symmetric
  std::vector<int32_t> column_group;  // [cols] or none
};

/// Chooses the format and completes the tensor. `where` names the module for messages. Zeros that are all the middle
/// make the matrix symmetric: they are read up to the first that is not. Throws Error.
void PlaceIntegers(IntegerMatrix matrix, const HfSource& source, const std::string& where, Tensor& tensor);
/// A reader of floats of which group g of row r is element r * row_stride + g * group_stride.
GroupReader ReadGroups(const HfSource& source, const SafetensorsTensor& tensor, int64_t row_stride,
                       int64_t group_stride);

/// Codes of one row, u in 0 … 2^bits - 1.
using RowReader = std::function<void(int64_t row, uint8_t* codes)>;
/// Rows of that many bits as Format lays them (8: u - 128), out of a function that makes a reader for rows that come in
/// order on one thread.
RowMaker LayCodes(int64_t bits, int64_t cols, std::function<RowReader()> reader);
/// Signed bytes from unsigned ones with 128 as zero, and back.
void TurnSigns(const std::byte* in, int64_t n, std::byte* out);
/// One row of a format's codes plane as u.
void RowCodes(int64_t bits, const std::byte* row, int64_t cols, uint8_t* codes);

/// Columns [begin, begin + n) of [rows, cols] 32-bit words as rows of `rows` words; `from` at any address.
void TransposeWords(const std::byte* from, int64_t rows, int64_t cols, int64_t begin, int64_t n, std::byte* out);
/// All of them.
std::vector<std::byte> TransposedWords(std::span<const std::byte> from, int64_t rows, int64_t cols);
/// The same of floats.
std::vector<float> Transposed(const std::vector<float>& from, int64_t rows, int64_t cols);

/// Why a zero as a scales plane has it (8 bits: less 128) is none of the format's unsigned codes; empty: it is one.
std::string WhyNotCode(const Format& format, float zero);

}  // namespace assay
