#pragma once
// The rows of the format table that integer.h makes up: every width with every shape, named by rule. For table.cc.
//
//   int4_g128 int4_channel int4_tensor int8_block128   then _asym (a zero beside the scale), then _gidx (GPTQ's
//   activation order) or what activations become: _a8 (int8 per token), _a8_static (int8, calibrated scale), _af8 (E4M3
//   per token)

#include <algorithm>
#include <array>
#include <string_view>

#include "format/integer.h"

namespace assay {

/// Text put together at compile time.
struct RowText {
  std::array<char, 96> text{};
  size_t size = 0;

  constexpr void Add(std::string_view more) {
    std::copy(more.begin(), more.end(), text.begin() + size);
    size += more.size();
  }
  constexpr void Add(int number) {
    if (number >= 10) Add(number / 10);
    text[size++] = static_cast<char>('0' + number % 10);
  }
};

/// A row of this family: what is stored, and how it is multiplied.
struct IntegerVariant {
  IntegerShape shape;
  bool by_column_group = false;
  ActivationKind activation = ActivationKind::kBF16;
};

constexpr RowText IntegerName(const IntegerVariant& variant) {
  const IntegerShape& shape = variant.shape;
  RowText name;
  name.Add("int");
  name.Add(shape.bits);
  if (shape.rows > 1) {
    name.Add("_block");
  } else {
    name.Add(shape.columns > 0 ? "_g" : shape.columns < 0 ? "_channel" : "_tensor");
  }
  if (shape.columns > 0) name.Add(shape.columns);
  if (shape.asymmetric) name.Add("_asym");
  if (variant.by_column_group) name.Add("_gidx");
  if (variant.activation == ActivationKind::kInt8PerToken) name.Add("_a8");
  if (variant.activation == ActivationKind::kInt8Static) name.Add("_a8_static");
  if (variant.activation == ActivationKind::kFp8PerToken) name.Add("_af8");
  return name;
}

constexpr RowText IntegerDescription(const IntegerVariant& variant) {
  const IntegerShape& shape = variant.shape;
  RowText text;
  text.Add("INT");
  text.Add(shape.bits);
  text.Add(shape.asymmetric ? ", a scale and a zero per " : ", a scale per ");
  if (shape.columns > 0) text.Add(shape.columns);
  if (shape.rows > 1) {
    text.Add(" x ");
    text.Add(shape.rows);
  }
  text.Add(shape.columns > 0 ? " weights" : shape.columns < 0 ? "row" : "matrix");
  if (variant.by_column_group) text.Add(" in activation order");
  if (variant.activation == ActivationKind::kInt8PerToken) text.Add(", INT8 activations per token");
  if (variant.activation == ActivationKind::kInt8Static) text.Add(", INT8 activations by a calibrated scale");
  if (variant.activation == ActivationKind::kFp8PerToken) text.Add(", FP8 activations per token");
  return text;
}

/// "int4" of the number table.
constexpr std::string_view IntegerNumber(int bits) {
  constexpr std::string_view kNumbers[] = {"int2", "int3", "int4", "int5", "int6", "int7", "int8"};
  return kNumbers[bits - 2];
}

template <IntegerVariant variant>
struct IntegerRow {
  static constexpr RowText name = IntegerName(variant), description = IntegerDescription(variant);
};

template <IntegerShape shape>
void EncodeRowsOfShape(const float* weights, int64_t n_rows, int64_t cols, const float*, float global_scale,
                       float global_divisor, std::byte* codes, std::byte* scales) {
  EncodeRowsInteger(shape, weights, n_rows, cols, global_scale / global_divisor, codes, scales);
}

template <int bits>
void ChooseGlobalOfBits(const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  ChooseGlobalInteger(bits, statistics, global_scale, global_divisor);
}

/// Those that stand for the family where a sweep is expensive.
constexpr bool Represents(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "int4_g128",     "int4_g64",       "int4_g32",       "int8_channel", "int8_channel_a8", "int8_channel_a8_static",
      "int8_block128", "int8_tensor",    "int4_g128_asym", "int3_g128",    "int4_g128_gidx",  "int5_channel_asym",
      "int4_g128_af8", "int8_g128_asym", "int6_tensor",
  };
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

template <IntegerVariant variant>
constexpr Format MakeIntegerFormat() {
  constexpr IntegerShape shape = variant.shape;
  constexpr const RowText &name = IntegerRow<variant>::name, &description = IntegerRow<variant>::description;
  Format format{{FormatFamily::kInteger, IntegerNumber(shape.bits), shape.bits, shape.columns, shape.asymmetric}};
  format.name = {name.text.data(), name.size};
  format.description = {description.text.data(), description.size};
  format.block_weights = shape.bits == 8 ? 1 : 8;
  format.block_bytes = shape.bits == 8 ? 1 : shape.bits;
  format.scale_weights = shape.columns;
  format.scale_bytes = shape.columns == 0 ? 0 : shape.asymmetric ? sizeof(ScaleAndZero) : sizeof(float);
  format.has_global = shape.columns == 0;
  format.activation = variant.activation;
  format.decode_row = DecodeRowInteger;
  format.encode_rows = EncodeRowsOfShape<shape>;
  format.choose_global = shape.columns == 0 ? ChooseGlobalOfBits<shape.bits> : nullptr;
  format.valid_row = ValidRowInteger;
  format.block_rows = shape.rows;
  format.short_group = shape.rows > 1;
  format.by_column_group = variant.by_column_group;
  format.variant = !Represents(format.name);
  return format;
}

template <int bits, int columns>
constexpr std::array<Format, 2> BothSymmetries() {
  return {MakeIntegerFormat<IntegerVariant{{bits, columns}}>(),
          MakeIntegerFormat<IntegerVariant{{bits, columns, 1, true}}>()};
}

template <size_t... n>
constexpr auto JoinRows(const std::array<Format, n>&... parts) {
  std::array<Format, (n + ...)> all{};
  size_t at = 0;
  const auto append = [&](const auto& part) {
    for (const Format& format : part) all[at++] = format;
  };
  (append(parts), ...);
  return all;
}

/// What every width comes in.
template <int bits>
constexpr auto IntegerFormatsOf() {
  return JoinRows(BothSymmetries<bits, 128>(), BothSymmetries<bits, 64>(), BothSymmetries<bits, 32>(),
                  BothSymmetries<bits, 16>(), BothSymmetries<bits, 256>(), BothSymmetries<bits, 512>(),
                  BothSymmetries<bits, 1024>(), BothSymmetries<bits, -1>(),
                  std::array{MakeIntegerFormat<IntegerVariant{{bits, 0}}>()});
}

/// GPTQ's activation order.
template <int bits, int columns>
constexpr std::array<Format, 2> GroupIndexed() {
  return {MakeIntegerFormat<IntegerVariant{{bits, columns}, true}>(),
          MakeIntegerFormat<IntegerVariant{{bits, columns, 1, true}, true}>()};
}
template <int bits>
constexpr auto GroupIndexedFormatsOf() {
  return JoinRows(GroupIndexed<bits, 128>(), GroupIndexed<bits, 64>(), GroupIndexed<bits, 32>(),
                  GroupIndexed<bits, 16>(), GroupIndexed<bits, 256>(), GroupIndexed<bits, 1024>());
}

inline constexpr auto kIntegerFormats = JoinRows(
    IntegerFormatsOf<8>(), IntegerFormatsOf<4>(), IntegerFormatsOf<3>(), IntegerFormatsOf<2>(), IntegerFormatsOf<5>(),
    IntegerFormatsOf<6>(), IntegerFormatsOf<7>(),
    std::array{
        MakeIntegerFormat<IntegerVariant{{8, 128, 128}}>(),
        MakeIntegerFormat<IntegerVariant{{4, 128, 128}}>(),
        MakeIntegerFormat<IntegerVariant{{8, -1}, false, ActivationKind::kInt8PerToken}>(),
        MakeIntegerFormat<IntegerVariant{{8, -1}, false, ActivationKind::kInt8Static}>(),
        MakeIntegerFormat<IntegerVariant{{8, 0}, false, ActivationKind::kInt8PerToken}>(),
        MakeIntegerFormat<IntegerVariant{{8, 0}, false, ActivationKind::kInt8Static}>(),
        MakeIntegerFormat<IntegerVariant{{4, -1}, false, ActivationKind::kInt8PerToken}>(),
        MakeIntegerFormat<IntegerVariant{{4, 128}, false, ActivationKind::kInt8PerToken}>(),
        MakeIntegerFormat<IntegerVariant{{4, 128}, false, ActivationKind::kFp8PerToken}>(),
    },
    GroupIndexedFormatsOf<4>(), GroupIndexedFormatsOf<8>(), GroupIndexedFormatsOf<3>(), GroupIndexedFormatsOf<2>(),
    GroupIndexedFormatsOf<5>(), GroupIndexedFormatsOf<6>(), GroupIndexedFormatsOf<7>());

}  // namespace assay
