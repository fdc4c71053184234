#pragma once
// Integers whose groups run down the matrix: HQQ on axis 0. The matrix is one run of n weights whatever the rows, of
// which weight i shares its scale and zero with i + n / group, i + 2 n / group …: the scales plane has n / group
// entries (the last group of an n that does not divide is shorter), through which the weights go over and over.
//
// Codes: u = 0 … 2^bits - 1 in one little-endian bit stream over the whole matrix, 8 bits too. x = (u - zero) * scale.
// Encoding is the rule of the asymmetric integers (integer.h); hqq's own search is a method, not a format.
// Source: hqq, core/quantize.py (Quantizer.quantize, axis 0).

#include <array>

#include "format/format.h"
#include "format/integer_rows.h"

namespace assay {

void DecodeRowCyclic(const PackedView& view, int64_t row, float* out);
bool ValidRowCyclic(const PackedView& view, int64_t row);
/// Format::encode_rows; the rows are the whole matrix.
void EncodeRowsCyclic(int bits, int group, const float* weights, int64_t n_rows, int64_t cols, std::byte* codes,
                      std::byte* scales);

/// "int4_axis0_g64". Null: none.
const Format* CyclicFormat(int64_t bits, int64_t group);

template <int bits, int group>
constexpr RowText CyclicText(bool name) {
  RowText text;
  text.Add(name ? "int" : "INT");
  text.Add(bits);
  text.Add(name ? "_axis0_g" : ", a scale and a zero per ");
  if (group >= 100) text.Add(group / 100);
  if (group >= 100 && group % 100 < 10) text.Add(0);
  text.Add(group % 100);
  if (!name) text.Add(" weights down the matrix (HQQ on axis 0)");
  return text;
}

template <int bits, int group>
struct CyclicRow {
  static constexpr RowText name = CyclicText<bits, group>(true), description = CyclicText<bits, group>(false);
};

template <int bits, int group>
constexpr Format MakeCyclicFormat() {
  constexpr const RowText &name = CyclicRow<bits, group>::name, &description = CyclicRow<bits, group>::description;
  Format format{{FormatFamily::kCyclic, IntegerNumber(bits), bits, group, true}};
  format.name = {name.text.data(), name.size};
  format.description = {description.text.data(), description.size};
  format.block_weights = bits == 8 ? 1 : 8;
  format.block_bytes = bits == 8 ? 1 : bits;
  format.scale_weights = group;
  format.scale_bytes = sizeof(ScaleAndZero);
  format.flat = true;
  format.cyclic = true;
  format.activation = ActivationKind::kBF16;
  format.decode_row = DecodeRowCyclic;
  format.encode_rows = [](const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                          std::byte* codes,
                          std::byte* scales) { EncodeRowsCyclic(bits, group, weights, n_rows, cols, codes, scales); };
  format.valid_row = ValidRowCyclic;
  format.variant = bits != 4 || group != 64;
  return format;
}

template <int bits>
constexpr auto CyclicFormatsOf() {
  return std::array{MakeCyclicFormat<bits, 64>(), MakeCyclicFormat<bits, 8>(),   MakeCyclicFormat<bits, 16>(),
                    MakeCyclicFormat<bits, 32>(), MakeCyclicFormat<bits, 128>(), MakeCyclicFormat<bits, 256>()};
}

inline constexpr auto kCyclicFormats = JoinRows(CyclicFormatsOf<4>(), CyclicFormatsOf<8>(), CyclicFormatsOf<3>(),
                                                CyclicFormatsOf<2>(), CyclicFormatsOf<5>(), CyclicFormatsOf<6>());

}  // namespace assay
