#pragma once
// The seam of block formats: how a matrix of weights is packed with its scales.
//
// A weight matrix W [rows = out_features, cols = in_features] is stored as up to two planes that are read row by row:
//   codes   the packed weights; GGUF block formats keep their scales inside the block, so this is their only plane
//   scales  one entry per run of weights along a row (or one per row), for formats whose checkpoints keep scales in a
//   tensor apart; an entry is a float, a one-byte scale, or a ScaleAndZero
// plus, for two-level and per-tensor formats, one scale of the whole matrix. Formats whose scale covers a block of rows
// hold the plane expanded, every row with entries of its own. A format is one file in this folder and one row of
// table.cc.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

struct Format;
struct GridRule;

/// An entry of the scales plane of an asymmetric integer format: x = (code - zero) * scale. A float holds the integer
/// zeros of GPTQ, AWQ and compressed-tensors and the real ones of HQQ exactly.
struct ScaleAndZero {
  float scale, zero;
};
static_assert(sizeof(ScaleAndZero) == 8);

/// One matrix in some block format; borrowed memory. Decoded weight = code value * block scale * global_scale /
/// global_divisor.
struct PackedView {
  const Format* format = nullptr;
  int64_t rows = 0;                   // out_features
  int64_t cols = 0;                   // in_features
  const std::byte* codes = nullptr;   // CodesBytes(*format, rows, cols)
  const std::byte* scales = nullptr;  // ScalesBytes(*format, rows, cols); null when the format has none apart
  float global_scale = 1.0f;          // NVFP4 as ModelOpt writes it, per-tensor scales, ternary
  float global_divisor = 1.0f;        // NVFP4 as compressed-tensors writes it, ternary as BitLinear writes it
  /// [cols] entry of the row's scales that each column uses, for the `_gidx` formats (GPTQ with activation order);
  /// null: column / scale_weights. Entries lie in [0, ScalesPerRow).
  const int32_t* column_group = nullptr;
  /// The activations' scale when it was calibrated: real value = code * activation_scale (for NVFP4 the scale of the
  /// block scales). 0: there is none; formats with static activations then choose it per token.
  float activation_scale = 0.0f;
  /// For cyclic formats: entries of the scales plane (0: as many as rows and columns say), and that of the first
  /// weight.
  int64_t cycle = 0, cycle_begin = 0;
};

/// What the activations become when a matrix of this format is multiplied in deployed arithmetic (DESIGN.md section 6).
enum class ActivationKind : uint8_t {
  kFloat,         // float32 as they are (F32 weights, and every format in reference arithmetic)
  kF16,           // rounded to IEEE half (F16 weights)
  kBF16,          // rounded to bfloat16 (BF16 weights and the weight-only schemes W4A16, W8A16, FP8 weight-only, NF4)
  kQ8_0,          // int8 blocks of 32 with an F16 scale (GGUF legacy types)
  kQ8_1,          // the same with the block's sum (GGUF types with a minimum: Q4_1, Q5_1)
  kQ8_K,          // int8 blocks of 256 with a float scale and sums of 16 (GGUF K-quants)
  kInt8PerToken,  // int8 with one float scale per token: W8A8
  kFp8PerToken,   // E4M3 with one float scale per token: FP8 dynamic
  kInt8Static,    // int8 with the scale of PackedView::activation_scale
  kFp8Static,     // E4M3 with the scale of PackedView::activation_scale
  kFp8Group128,   // E4M3 with one float scale per token and 128 columns: FP8 in blocks of 128 x 128
  kInt8Outliers,  // int8 with one float scale per token, values from 6.0 up kept as halves: LLM.int8
  kInt8BitNet,    // int8 by max / 127 per token: BitNet b1.58
  kMxfp8,         // E4M3 with an E8M0 scale per 32 columns
  kMxfp4,         // E2M1 with an E8M0 scale per 32 columns
  kNvfp4,         // E2M1 with an E4M3 scale per 16 columns, in units of PackedView::activation_scale
};

/// What the choice of a matrix's global scale looks at.
struct MatrixStatistics {
  float abs_max = 0;   // max |x|
  float abs_mean = 0;  // mean |x|
};

/// Formats that share a rule and differ in parameters.
enum class FormatFamily : uint8_t {
  kPlain,      // floats as they are: f32, f16, bf16
  kTable,      // numbers of tables, no weights
  kInteger,    // integers with scales along the rows: compressed-tensors, GPTQ, AWQ, HQQ on axis 1
  kCyclic,     // integers whose groups run down the matrix: HQQ on axis 0
  kFp8,        // E4M3 with float scales
  kMx,         // an element with a power of two per 32: OCP MX, in GGUF too
  kNvfp4,      // E2M1 with an E4M3 scale per 16, in GGUF too
  kBnb4,       // 4-bit codes in flat blocks: bitsandbytes
  kLlmInt8,    // INT8 beside outliers of the activations: bitsandbytes
  kTernary,    // -1, 0, 1: BitNet and GGUF's TQ
  kLegacy,     // GGUF blocks of 32 with a scale, or a scale and a minimum
  kFewLevels,  // GGUF blocks of one or two bits with one scale
  kKQuant,     // GGUF super-blocks of 256
  kUneven,     // GGUF's table of 16 uneven levels: IQ4
  kVectors,    // GGUF's codebooks over vectors of weights: IQ1 … IQ3
};

/// What a format's weights are, for whoever asks: its name is for people and files, never parsed.
struct FormatFacts {
  FormatFamily family;
  std::string_view number;  // the number format of a code (number/table.h); "": its levels are no number format
  int bits;                 // of a weight's code; 0: a code stands for several weights
  int group;  // weights along a row under one scale, the innermost of two levels; -1: a row; 0: the matrix, or none
  bool asymmetric;  // a zero or a minimum beside the scale
};

/// A row of the format table.
struct Format : FormatFacts {
  std::string_view name;         // "q4_k": lower case, as files and presets name it
  std::string_view description;  // one line for people
  int block_weights;             // weights per packed unit of the codes plane
  int block_bytes;               // bytes of that unit
  int scale_weights;  // weights along a row that share one entry of the scales plane; 0: no plane; -1: one entry per
                      // row
  int scale_bytes;    // bytes of one entry (4: float, 1: E4M3 or E8M0, 8: ScaleAndZero)
  bool flat;          // blocks and scales run over row ends (bitsandbytes); else cols must be a multiple of both
  bool has_global;    // uses a scale of the whole matrix
  ActivationKind activation;  // in deployed arithmetic

  /// Decodes one row: out [cols]. Exact: float32 products in the order the format defines.
  void (*decode_row)(const PackedView& view, int64_t row, float* out);

  /// Encodes n_rows rows [n_rows, cols] by the format's own reference rule. `importance` [cols] weighs the squared
  /// error of each column where the rule searches (null: the rule without an importance matrix). For a flat format rows
  /// must be whole blocks together; with block_rows they must begin at a multiple of it and be whole groups of that
  /// many rows, but for the last group of the matrix. Null when the format is only read. NaN and infinity must have
  /// been refused before.
  void (*encode_rows)(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                      float global_divisor, std::byte* codes, std::byte* scales);

  /// Scale of the whole matrix, in whichever of the two fields the format's checkpoints use. Set without has_global
  /// where such a scale is not part of the format but a container can hold one (GGUF's NVFP4); null: there is none.
  void (*choose_global)(const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

  /// False when the bytes of a row cannot be what an encoder wrote (NaN or infinite scales); null: any bytes are valid.
  bool (*valid_row)(const PackedView& view, int64_t row);

  int block_rows = 1;            // rows that share scales (the plane repeats them), see encode_rows
  bool short_group = false;      // the last group of a row may have fewer than scale_weights columns
  bool own_global = false;       // projections that engines fuse need not share the global scale
  bool by_column_group = false;  // PackedView::column_group is honoured (GPTQ's g_idx)
  bool cyclic = false;           // flat; weight i uses entry i modulo the number of entries: encoded as a whole only
  bool variant = false;          // differs from an earlier row in a parameter only, see RepresentativeFormats
  bool integers = false;         // entries of a table, no weights: never multiplied, never a target
  /// encode_rows gives back whatever the format can represent, whatever the scales of the values were before.
  bool exact = false;
  const GridRule* grid = nullptr;  // the steps of encode_rows one by one (format/grid.h); null: there are none …
  std::string_view no_grid = "";   // … because
};

/// The statistics by which matrices that engines fuse (q, k, v; gate, up) choose one global scale together: the largest
/// magnitude, and the mean of the means.
MatrixStatistics SharedStatistics(std::span<const MatrixStatistics> parts);

/// Bytes of the planes. Throws Error{kInvalid} when cols does not fit the format.
int64_t CodesBytes(const Format& format, int64_t rows, int64_t cols);
int64_t ScalesBytes(const Format& format, int64_t rows, int64_t cols);
/// Entries of the scales plane of one row (formats that are not flat).
int64_t ScalesPerRow(const Format& format, int64_t cols);
/// True when a matrix with this many columns can be stored in the format.
bool FitsColumns(const Format& format, int64_t cols);
/// All bits stored, scales included, per weight.
double BitsPerWeight(const Format& format, int64_t rows, int64_t cols);

/// All formats of weights, in table order.
std::span<const Format> Formats();
/// Without the rows that differ from another only in a parameter (bits, group size): for sweeps that cost time.
std::span<const Format* const> RepresentativeFormats();
/// Numbers of tables, such as ids: "i32", "i64", kept as they are. Decoded to floats, exact up to 2^24.
std::span<const Format> IntegerTables();
/// Of weights or tables. Null when there is no such format.
const Format* FindFormat(std::string_view name);
/// Throws Error{kUnsupported} with the nearest name.
const Format& GetFormat(std::string_view name);

/// Whether the format is a plain float type: f32, f16 or bf16.
bool IsPlain(const Format& format);
/// Whether both lay the same weights in the same bytes, so that they differ in what activations become, or not at all.
bool SameWeights(const Format& a, const Format& b);
/// The format that lays weights as `format` does and has these activations; null: there is none.
const Format* WithActivations(const Format& format, ActivationKind activation);

/// The plain types.
const Format& F32Format();
const Format& F16Format();
const Format& Bf16Format();

/// A matrix of the format without a scale of its own.
PackedView ViewOf(const Format& format, int64_t rows, int64_t cols, const std::byte* codes,
                  const std::byte* scales = nullptr);
/// The rows [begin, begin + n) of a matrix as a matrix of their own (formats that are not flat).
PackedView SliceRows(const PackedView& view, int64_t begin, int64_t n);

}  // namespace assay
