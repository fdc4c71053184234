#include <algorithm>
#include <array>
#include <tuple>

#include "base/error.h"
#include "base/strings.h"
#include "format/bitnet.h"
#include "format/bitsandbytes/bnb_4bit.h"
#include "format/bitsandbytes/llm_int8.h"
#include "format/format.h"
#include "format/fp8.h"
#include "format/gguf/blocks.h"
#include "format/gguf/iq4_nl.h"
#include "format/gguf/k_affine.h"
#include "format/gguf/k_linear.h"
#include "format/gguf/legacy.h"
#include "format/gguf/rows.h"
#include "format/integer_cyclic.h"
#include "format/integer_rows.h"
#include "format/mx.h"
#include "format/nvfp4.h"
#include "format/plain.h"

namespace assay {
namespace {

using enum ActivationKind;
using Family = FormatFamily;

constexpr Format Row(const FormatFacts& facts, std::string_view name, std::string_view description, int block_weights,
                     int block_bytes, int scale_weights, int scale_bytes, bool flat, bool has_global,
                     ActivationKind activation, decltype(Format::decode_row) decode,
                     decltype(Format::encode_rows) encode, decltype(Format::choose_global) choose_global,
                     decltype(Format::valid_row) valid, int block_rows = 1, bool short_group = false,
                     bool own_global = false) {
  return {facts,         name,  description, block_weights, block_bytes, scale_weights,
          scale_bytes,   flat,  has_global,  activation,    decode,      encode,
          choose_global, valid, block_rows,  short_group,   own_global};
}

template <int block, bool normal>
constexpr Format Bnb4(std::string_view name, std::string_view description) {
  Format format = Row({Family::kBnb4, normal ? "nf4" : "bnb_fp4", 4, block, false}, name, description, 2, 1, block, 4,
                      true, false, kBF16, normal ? DecodeRowNf4 : DecodeRowBnbFp4, nullptr, nullptr, ValidRowBnb4);
  if constexpr (normal) {
    format.encode_rows = EncodeRowsNf4<block>;
  } else {
    format.encode_rows = EncodeRowsBnbFp4<block>;
  }
  format.variant = block != 64 && block != 4096;
  return format;
}

// facts, name, description, block_weights, block_bytes, scale_weights, scale_bytes, flat, has_global, activation,
// decode, encode, global, valid
constexpr auto kRows = std::to_array<Format>({
    Row({Family::kPlain, "f32", 32, 0, false}, "f32", "IEEE 754 single precision", 1, 4, 0, 0, false, false, kFloat,
        DecodeRowF32, EncodeRowsF32, nullptr, ValidRowF32),
    Row({Family::kPlain, "f16", 16, 0, false}, "f16", "IEEE 754 half precision", 1, 2, 0, 0, false, false, kF16,
        DecodeRowF16, EncodeRowsF16, nullptr, ValidRowF16),
    Row({Family::kPlain, "bf16", 16, 0, false}, "bf16", "bfloat16", 1, 2, 0, 0, false, false, kBF16, DecodeRowBf16,
        EncodeRowsBf16, nullptr, ValidRowBf16),
    Row({Family::kLegacy, "int8", 8, 32, false}, "q8_0", "GGUF 8-bit, blocks of 32", kQ, sizeof(BlockQ8_0), 0, 0, false,
        false, kQ8_0, DecodeRowQ8_0, EncodeRowsQ8_0, nullptr, ValidRowQ8_0),
    Row({Family::kLegacy, "int4", 4, 32, false}, "q4_0", "GGUF 4-bit, blocks of 32", kQ, sizeof(BlockQ4_0), 0, 0, false,
        false, kQ8_0, DecodeRowQ4_0, EncodeRowsQ4_0, nullptr, ValidRowQ4_0),
    Row({Family::kLegacy, "uint4", 4, 32, true}, "q4_1", "GGUF 4-bit with a minimum, blocks of 32", kQ,
        sizeof(BlockQ4_1), 0, 0, false, false, kQ8_1, DecodeRowQ4_1, EncodeRowsQ4_1, nullptr, ValidRowQ4_1),
    Row({Family::kLegacy, "int5", 5, 32, false}, "q5_0", "GGUF 5-bit, blocks of 32", kQ, sizeof(BlockQ5_0), 0, 0, false,
        false, kQ8_0, DecodeRowQ5_0, EncodeRowsQ5_0, nullptr, ValidRowQ5_0),
    Row({Family::kLegacy, "uint5", 5, 32, true}, "q5_1", "GGUF 5-bit with a minimum, blocks of 32", kQ,
        sizeof(BlockQ5_1), 0, 0, false, false, kQ8_1, DecodeRowQ5_1, EncodeRowsQ5_1, nullptr, ValidRowQ5_1),
    Row({Family::kKQuant, "uint2", 2, 16, true}, "q2_k", "GGUF 2-bit K-quant", kQk, sizeof(BlockQ2K), 0, 0, false,
        false, kQ8_K, DecodeRowQ2K, EncodeRowsQ2K, nullptr, ValidRowQ2K),
    Row({Family::kKQuant, "int3", 3, 16, false}, "q3_k", "GGUF 3-bit K-quant", kQk, sizeof(BlockQ3K), 0, 0, false,
        false, kQ8_K, DecodeRowQ3K, EncodeRowsQ3K, nullptr, ValidRowQ3K),
    Row({Family::kKQuant, "uint4", 4, 32, true}, "q4_k", "GGUF 4-bit K-quant", kQk, sizeof(BlockQ4K), 0, 0, false,
        false, kQ8_K, DecodeRowQ4K, EncodeRowsQ4K, nullptr, ValidRowQ4K),
    Row({Family::kKQuant, "uint5", 5, 32, true}, "q5_k", "GGUF 5-bit K-quant", kQk, sizeof(BlockQ5K), 0, 0, false,
        false, kQ8_K, DecodeRowQ5K, EncodeRowsQ5K, nullptr, ValidRowQ5K),
    Row({Family::kKQuant, "int6", 6, 16, false}, "q6_k", "GGUF 6-bit K-quant", kQk, sizeof(BlockQ6K), 0, 0, false,
        false, kQ8_K, DecodeRowQ6K, EncodeRowsQ6K, nullptr, ValidRowQ6K),
    Row({Family::kUneven, "", 4, 32, false}, "iq4_nl", "GGUF 4-bit from a table of uneven steps", kQ,
        sizeof(BlockIq4Nl), 0, 0, false, false, kQ8_0, DecodeRowIq4Nl, EncodeRowsIq4Nl, nullptr, ValidRowIq4Nl),
    Row({Family::kFp8, "fp8_e4m3", 8, -1, false}, "fp8_channel", "FP8 E4M3, a scale per row", 1, 1, -1, 4, false, false,
        kBF16, DecodeRowFp8, EncodeRowsFp8Channel, nullptr, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, -1, false}, "fp8_channel_a8",
        "FP8 E4M3, a scale per row, FP8 activations per token", 1, 1, -1, 4, false, false, kFp8PerToken, DecodeRowFp8,
        EncodeRowsFp8Channel, nullptr, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, -1, false}, "fp8_channel_a8_static",
        "FP8 E4M3, a scale per row, FP8 activations by a calibrated scale", 1, 1, -1, 4, false, false, kFp8Static,
        DecodeRowFp8, EncodeRowsFp8Channel, nullptr, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, 0, false}, "fp8_tensor", "FP8 E4M3, a scale per matrix", 1, 1, 0, 0, false, true,
        kBF16, DecodeRowFp8, EncodeRowsFp8Tensor, ChooseGlobalFp8, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, 0, false}, "fp8_tensor_a8",
        "FP8 E4M3, a scale per matrix, FP8 activations per token", 1, 1, 0, 0, false, true, kFp8PerToken, DecodeRowFp8,
        EncodeRowsFp8Tensor, ChooseGlobalFp8, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, 0, false}, "fp8_tensor_a8_static",
        "FP8 E4M3, a scale per matrix, FP8 activations by a calibrated scale", 1, 1, 0, 0, false, true, kFp8Static,
        DecodeRowFp8, EncodeRowsFp8Tensor, ChooseGlobalFp8, ValidRowFp8),
    Row({Family::kFp8, "fp8_e4m3", 8, kFp8Block, false}, "fp8_block128",
        "FP8 E4M3, a scale per 128 x 128 weights (DeepSeek)", 1, 1, kFp8Block, 4, false, false, kBF16, DecodeRowFp8,
        EncodeRowsFp8Block, nullptr, ValidRowFp8, kFp8Block, true),
    Row({Family::kFp8, "fp8_e4m3", 8, kFp8Block, false}, "fp8_block128_a8",
        "FP8 E4M3, a scale per 128 x 128 weights, FP8 activations per token and 128 columns", 1, 1, kFp8Block, 4, false,
        false, kFp8Group128, DecodeRowFp8, EncodeRowsFp8Block, nullptr, ValidRowFp8, kFp8Block, true),
    Bnb4<64, true>("nf4", "NormalFloat 4-bit, flat blocks of 64 (bitsandbytes)"),
    Bnb4<32, true>("nf4_b32", "NormalFloat 4-bit, flat blocks of 32"),
    Bnb4<128, true>("nf4_b128", "NormalFloat 4-bit, flat blocks of 128"),
    Bnb4<256, true>("nf4_b256", "NormalFloat 4-bit, flat blocks of 256"),
    Bnb4<512, true>("nf4_b512", "NormalFloat 4-bit, flat blocks of 512"),
    Bnb4<1024, true>("nf4_b1024", "NormalFloat 4-bit, flat blocks of 1024"),
    Bnb4<2048, true>("nf4_b2048", "NormalFloat 4-bit, flat blocks of 2048"),
    Bnb4<4096, true>("nf4_b4096", "NormalFloat 4-bit, flat blocks of 4096"),
    Bnb4<64, false>("bnb_fp4", "FP4 of bitsandbytes, flat blocks of 64"),
    Bnb4<32, false>("bnb_fp4_b32", "FP4 of bitsandbytes, flat blocks of 32"),
    Bnb4<128, false>("bnb_fp4_b128", "FP4 of bitsandbytes, flat blocks of 128"),
    Bnb4<256, false>("bnb_fp4_b256", "FP4 of bitsandbytes, flat blocks of 256"),
    Bnb4<512, false>("bnb_fp4_b512", "FP4 of bitsandbytes, flat blocks of 512"),
    Bnb4<1024, false>("bnb_fp4_b1024", "FP4 of bitsandbytes, flat blocks of 1024"),
    Bnb4<2048, false>("bnb_fp4_b2048", "FP4 of bitsandbytes, flat blocks of 2048"),
    Bnb4<4096, false>("bnb_fp4_b4096", "FP4 of bitsandbytes, flat blocks of 4096"),
    Row({Family::kLlmInt8, "int8", 8, -1, false}, "llm_int8",
        "INT8, a scale per row, INT8 activations but for outliers (bitsandbytes)", 1, 1, -1, 4, false, false,
        kInt8Outliers, DecodeRowLlmInt8, EncodeRowsLlmInt8, nullptr, ValidRowLlmInt8),
    Row({Family::kTernary, "ternary", 2, 0, false}, "ternary",
        "-1, 0, 1 with a scale per matrix, INT8 activations per token (BitNet)", 8, 2, 0, 0, false, true, kInt8BitNet,
        DecodeRowTernary, EncodeRowsTernary, ChooseGlobalTernary, ValidRowTernary, 1, false, true),
    Row({Family::kTernary, "ternary", 2, 0, false}, "i2_s", "-1, 0, 1 with a scale per matrix as bitnet.cpp lays them",
        kI2sBlock, 32, 0, 0, false, true, kInt8BitNet, DecodeRowI2s, EncodeRowsI2s, ChooseGlobalTernary,
        ValidRowTernary, 1, false, true),
    Row({Family::kNvfp4, "fp4_e2m1", 4, 16, false}, "nvfp4", "FP4 E2M1, an E4M3 scale per 16 and one of the matrix", 2,
        1, 16, 1, false, true, kBF16, DecodeRowNvfp4, EncodeRowsNvfp4, ChooseGlobalNvfp4, ValidRowNvfp4),
    Row({Family::kNvfp4, "fp4_e2m1", 4, 16, false}, "nvfp4_a4",
        "FP4 E2M1 as nvfp4, FP4 activations by a calibrated scale", 2, 1, 16, 1, false, true, kNvfp4, DecodeRowNvfp4,
        EncodeRowsNvfp4, ChooseGlobalNvfp4, ValidRowNvfp4),
    Row({Family::kMx, "fp4_e2m1", 4, kMxGroup, false}, "mxfp4", "FP4 E2M1, a power-of-two scale per 32 (OCP MX)", 2, 1,
        kMxGroup, 1, false, false, kBF16, DecodeRowMxfp4, EncodeRowsMxfp4, nullptr, ValidRowMx),
    Row({Family::kMx, "fp4_e2m1", 4, kMxGroup, false}, "mxfp4_a4",
        "FP4 E2M1, a power-of-two scale per 32, MXFP4 activations", 2, 1, kMxGroup, 1, false, false, kMxfp4,
        DecodeRowMxfp4, EncodeRowsMxfp4, nullptr, ValidRowMx),
    Row({Family::kMx, "fp6_e2m3", 6, kMxGroup, false}, "mxfp6_e2m3", "FP6 E2M3, a power-of-two scale per 32 (OCP MX)",
        8, 6, kMxGroup, 1, false, false, kBF16, DecodeRowMxfp6E2m3, EncodeRowsMxfp6E2m3, nullptr, ValidRowMx),
    Row({Family::kMx, "fp6_e3m2", 6, kMxGroup, false}, "mxfp6_e3m2", "FP6 E3M2, a power-of-two scale per 32 (OCP MX)",
        8, 6, kMxGroup, 1, false, false, kBF16, DecodeRowMxfp6E3m2, EncodeRowsMxfp6E3m2, nullptr, ValidRowMx),
    Row({Family::kMx, "fp8_e4m3", 8, kMxGroup, false}, "mxfp8_e4m3", "FP8 E4M3, a power-of-two scale per 32 (OCP MX)",
        1, 1, kMxGroup, 1, false, false, kBF16, DecodeRowMxfp8E4m3, EncodeRowsMxfp8E4m3, nullptr, ValidRowMx),
    Row({Family::kMx, "fp8_e4m3", 8, kMxGroup, false}, "mxfp8_e4m3_a8",
        "FP8 E4M3, a power-of-two scale per 32, MXFP8 activations", 1, 1, kMxGroup, 1, false, false, kMxfp8,
        DecodeRowMxfp8E4m3, EncodeRowsMxfp8E4m3, nullptr, ValidRowMx),
    Row({Family::kMx, "fp8_e5m2", 8, kMxGroup, false}, "mxfp8_e5m2", "FP8 E5M2, a power-of-two scale per 32 (OCP MX)",
        1, 1, kMxGroup, 1, false, false, kBF16, DecodeRowMxfp8E5m2, EncodeRowsMxfp8E5m2, nullptr, ValidRowMx),
    Row({Family::kMx, "mxint8", 8, kMxGroup, false}, "mxint8", "INT8 in 64ths, a power-of-two scale per 32 (OCP MX)", 1,
        1, kMxGroup, 1, false, false, kBF16, DecodeRowMxInt8, EncodeRowsMxInt8, nullptr, ValidRowMx),
});

// Rows whose encoder gives back what they can represent; formats of activation schemes are no targets of a rewrite.
constexpr bool IsExact(const Format& format) {
  if (format.family == Family::kPlain) return true;
  const bool ternary = format.family == Family::kTernary && format.group > 0;
  const bool mx = format.family == Family::kMx && (format.bits == 4 || format.number.starts_with("fp8"));
  return ternary || (mx && (format.activation == kBF16 || format.scale_weights == 0));
}

constexpr const GridRule* GgufGrid(const Format& format) {
  switch (format.family) {
    case Family::kLegacy:
      if (format.bits == 8) return &kQ8_0Grid;
      if (format.bits == 4) return format.asymmetric ? &kQ4_1Grid : &kQ4_0Grid;
      return format.asymmetric ? &kQ5_1Grid : &kQ5_0Grid;
    case Family::kKQuant:
      if (format.bits == 8) return &kQ8KGrid;
      if (format.bits == 2) return &kQ2KGrid;
      if (format.bits == 3) return &kQ3KGrid;
      if (format.bits == 4) return &kQ4KGrid;
      return format.bits == 5 ? &kQ5KGrid : &kQ6KGrid;
    case Family::kUneven:
      return format.block_weights == kQ ? &kIq4NlGrid : &kIq4XsGrid;
    case Family::kFewLevels:
      return format.bits == 1 ? &kQ1_0Grid : &kQ2_0Grid;
    default:
      return nullptr;
  }
}

constexpr const GridRule* GridOf(const Format& format) {
  switch (format.family) {
    case Family::kInteger:
    case Family::kCyclic:
      return &kIntegerGrid;
    case Family::kFp8:
      return &kFp8Grid;
    case Family::kMx:
      return format.scale_weights > 0 ? &kMxGrid : &kGgufMxfp4Grid;
    case Family::kNvfp4:
      return format.scale_weights > 0 ? &kNvfp4Grid : &kGgufNvfp4Grid;
    case Family::kBnb4:
      return &kBnb4Grid;
    case Family::kLlmInt8:
      return &kLlmInt8Grid;
    case Family::kTernary:
      if (format.group == 0) return format.block_weights == kI2sBlock ? &kI2sGrid : &kTernaryGrid;
      return format.block_bytes == sizeof(BlockTq1_0) ? &kTq1_0Grid : &kTq2_0Grid;
    default:
      return GgufGrid(format);
  }
}

constexpr std::string_view WhyNoGrid(const Format& format) {
  if (format.family == Family::kPlain) return "every weight is rounded by itself";
  if (format.family == Family::kVectors) return "a code stands for several weights, so none can be rounded alone";
  return "";
}

constexpr auto kFormats = [] {
  auto rows = JoinRows(kRows, kGgufFormats, kIntegerFormats, kCyclicFormats);
  for (Format& format : rows) {
    format.exact = IsExact(format);
    if (!format.grid) format.grid = GridOf(format);  // a row may state its own
    format.no_grid = WhyNoGrid(format);
  }
  return rows;
}();

constexpr Format IntegerTable(std::string_view name, int bytes, decltype(Format::decode_row) decode,
                              decltype(Format::encode_rows) encode) {
  Format format = Row({Family::kTable, "", 8 * bytes, 0, false}, name, "integers of a table, as they are", 1, bytes, 0,
                      0, false, false, kFloat, decode, encode, nullptr, nullptr);
  format.integers = true;
  format.no_grid = "numbers of tables are kept as they are";
  return format;
}

constexpr Format kIntegerTables[] = {IntegerTable("i32", 4, DecodeRowI32, EncodeRowsI32),
                                     IntegerTable("i64", 8, DecodeRowI64, EncodeRowsI64)};

constexpr auto kRepresentatives = [] {
  constexpr size_t n = static_cast<size_t>(
      std::count_if(kFormats.begin(), kFormats.end(), [](const Format& format) { return !format.variant; }));
  std::array<const Format*, n> rows{};
  size_t at = 0;
  for (const Format& format : kFormats) {
    if (!format.variant) rows[at++] = &format;
  }
  return rows;
}();

// n * unit_bytes, where n = ceil(count / unit); refuses what does not fit 63 bits.
int64_t UnitBytes(const Format& format, int64_t rows, int64_t per_row, int64_t unit_bytes) {
  int64_t units, bytes;
  if (__builtin_mul_overflow(rows, per_row, &units) || __builtin_mul_overflow(units, unit_bytes, &bytes)) {
    Fail(ErrorKind::kInvalid, "{}: a matrix of {} rows is too large", format.name, rows);
  }
  return bytes;
}

void CheckShape(const Format& format, int64_t rows, int64_t cols) {
  if (rows < 0 || cols < 0) Fail(ErrorKind::kInvalid, "{}: shape [{}, {}] is negative", format.name, rows, cols);
  if (!FitsColumns(format, cols)) {
    Fail(ErrorKind::kInvalid, "{}: expected a multiple of {} columns, found {}", format.name,
         format.scale_weights > format.block_weights ? format.scale_weights : format.block_weights, cols);
  }
}

// Weights of a flat matrix.
int64_t FlatWeights(const Format& format, int64_t rows, int64_t cols) {
  return UnitBytes(format, rows, cols, 1);
}

}  // namespace

bool FitsColumns(const Format& format, int64_t cols) {
  if (format.flat) return true;
  return cols % format.block_weights == 0 &&
         (format.scale_weights <= 0 || format.short_group || cols % format.scale_weights == 0);
}

int64_t CodesBytes(const Format& format, int64_t rows, int64_t cols) {
  CheckShape(format, rows, cols);
  if (format.flat) {
    const int64_t n = FlatWeights(format, rows, cols);
    return UnitBytes(format, 1, n / format.block_weights + (n % format.block_weights != 0), format.block_bytes);
  }
  return UnitBytes(format, rows, cols / format.block_weights, format.block_bytes);
}

int64_t ScalesBytes(const Format& format, int64_t rows, int64_t cols) {
  CheckShape(format, rows, cols);
  if (format.scale_weights == 0) return 0;
  if (format.flat) {
    const int64_t n = FlatWeights(format, rows, cols);
    return UnitBytes(format, 1, n / format.scale_weights + (n % format.scale_weights != 0), format.scale_bytes);
  }
  return UnitBytes(format, rows, ScalesPerRow(format, cols), format.scale_bytes);
}

int64_t ScalesPerRow(const Format& format, int64_t cols) {
  if (format.scale_weights <= 0) return format.scale_weights < 0 ? 1 : 0;
  return cols / format.scale_weights + (cols % format.scale_weights != 0);
}

double BitsPerWeight(const Format& format, int64_t rows, int64_t cols) {
  const double n = static_cast<double>(rows) * static_cast<double>(cols);
  if (n == 0) return 0;
  const double bytes = static_cast<double>(CodesBytes(format, rows, cols)) +
                       static_cast<double>(ScalesBytes(format, rows, cols)) / format.block_rows +
                       (format.has_global ? 4 : 0);
  return 8 * bytes / n;
}

std::span<const Format> Formats() {
  return kFormats;
}

std::span<const Format* const> RepresentativeFormats() {
  return kRepresentatives;
}

std::span<const Format> IntegerTables() {
  return kIntegerTables;
}

const Format* FindFormat(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return &format;
  }
  for (const Format& format : kIntegerTables) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

const Format& GetFormat(std::string_view name) {
  if (const Format* format = FindFormat(name)) return *format;
  std::vector<std::string> names, representatives;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  for (const Format* format : kRepresentatives) representatives.emplace_back(format->name);
  const std::string nearest = Nearest(name, names);
  if (nearest.empty())
    Fail(ErrorKind::kUnsupported, "unknown format '{}' (known: {} …)", name, Join(representatives, ", "));
  Fail(ErrorKind::kUnsupported, "unknown format '{}': did you mean '{}'?", name, nearest);
}

MatrixStatistics SharedStatistics(std::span<const MatrixStatistics> parts) {
  MatrixStatistics shared;
  for (const MatrixStatistics& part : parts) {
    shared.abs_max = std::max(shared.abs_max, part.abs_max);
    shared.abs_mean += part.abs_mean / static_cast<float>(parts.size());
  }
  return shared;
}

bool IsPlain(const Format& format) {
  return format.family == Family::kPlain;
}

bool SameWeights(const Format& a, const Format& b) {
  auto key = [](const Format& f) {
    return std::tuple(f.family, f.number, f.bits, f.group, f.asymmetric, f.block_weights, f.block_bytes,
                      f.scale_weights, f.scale_bytes, f.flat, f.has_global, f.block_rows, f.by_column_group);
  };
  return key(a) == key(b);
}

const Format* WithActivations(const Format& format, ActivationKind activation) {
  const auto* row = std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& other) {
    return other.activation == activation && SameWeights(format, other);
  });
  return row == kFormats.end() ? nullptr : row;
}

const Format& F32Format() {
  return kFormats[0];
}
const Format& F16Format() {
  return kFormats[1];
}
const Format& Bf16Format() {
  return kFormats[2];
}

PackedView ViewOf(const Format& format, int64_t rows, int64_t cols, const std::byte* codes, const std::byte* scales) {
  PackedView view;
  view.format = &format;
  view.rows = rows;
  view.cols = cols;
  view.codes = codes;
  view.scales = scales;
  return view;
}

PackedView SliceRows(const PackedView& view, int64_t begin, int64_t n) {
  ASSAY_CHECK(view.format != nullptr && !view.format->flat);
  ASSAY_CHECK(begin >= 0 && n >= 0 && begin + n <= view.rows);
  PackedView slice = view;
  slice.rows = n;
  slice.codes = view.codes + CodesBytes(*view.format, begin, view.cols);
  if (view.scales != nullptr) slice.scales = view.scales + ScalesBytes(*view.format, begin, view.cols);
  return slice;
}

}  // namespace assay
