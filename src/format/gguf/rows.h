#pragma once
// Rows of the format table (format/table.cc) for the GGUF formats of this folder.

#include <array>

#include "format/format.h"
#include "format/gguf/blocks.h"
#include "format/gguf/codebook/iq1.h"
#include "format/gguf/codebook/iq2.h"
#include "format/gguf/codebook/iq3.h"
#include "format/gguf/fp4_blocks.h"
#include "format/gguf/iq4_xs.h"
#include "format/gguf/q1_q2.h"
#include "format/gguf/q8_k.h"
#include "format/gguf/ternary.h"

namespace assay {

/// A format whose blocks hold their scales.
constexpr Format GgufRow(const FormatFacts& facts, std::string_view name, std::string_view description, int weights,
                         int bytes, ActivationKind activation, decltype(Format::decode_row) decode,
                         decltype(Format::encode_rows) encode, decltype(Format::valid_row) valid,
                         decltype(Format::choose_global) choose_global = nullptr) {
  return {facts, name,       description, weights, bytes,         0,    0, false,
          false, activation, decode,      encode,  choose_global, valid};
}

inline constexpr auto kGgufFormats = std::to_array<Format>({
    GgufRow({FormatFamily::kKQuant, "int8", 8, kQk, false}, "q8_k", "GGUF 8-bit, blocks of 256 with a float scale", kQk,
            sizeof(BlockQ8K), ActivationKind::kQ8_K, DecodeRowQ8K, EncodeRowsQ8K, ValidRowQ8K),
    GgufRow({FormatFamily::kUneven, "", 4, 32, false}, "iq4_xs",
            "GGUF 4-bit from a table of uneven steps, blocks of 256", kQk, sizeof(BlockIq4Xs), ActivationKind::kQ8_K,
            DecodeRowIq4Xs, EncodeRowsIq4Xs, ValidRowIq4Xs),
    GgufRow({FormatFamily::kVectors, "", 0, 32, false}, "iq3_s", "GGUF 3-bit, codebook of 512 vectors of 4", kQk,
            sizeof(BlockIq3S), ActivationKind::kQ8_K, DecodeRowIq3S, EncodeRowsIq3S, ValidRowIq3S),
    GgufRow({FormatFamily::kVectors, "", 0, 32, false}, "iq3_xxs", "GGUF 3-bit, codebook of 256 vectors of 4", kQk,
            sizeof(BlockIq3Xxs), ActivationKind::kQ8_K, DecodeRowIq3Xxs, EncodeRowsIq3Xxs, ValidRowIq3Xxs),
    GgufRow({FormatFamily::kVectors, "", 0, 16, false}, "iq2_s", "GGUF 2-bit, codebook of 1024 vectors of 8", kQk,
            sizeof(BlockIq2S), ActivationKind::kQ8_K, DecodeRowIq2S, EncodeRowsIq2S, ValidRowIq2S),
    GgufRow({FormatFamily::kVectors, "", 0, 16, false}, "iq2_xs", "GGUF 2-bit, codebook of 512 vectors of 8", kQk,
            sizeof(BlockIq2Xs), ActivationKind::kQ8_K, DecodeRowIq2Xs, EncodeRowsIq2Xs, ValidRowIq2Xs),
    GgufRow({FormatFamily::kVectors, "", 0, 32, false}, "iq2_xxs", "GGUF 2-bit, codebook of 256 vectors of 8", kQk,
            sizeof(BlockIq2Xxs), ActivationKind::kQ8_K, DecodeRowIq2Xxs, EncodeRowsIq2Xxs, ValidRowIq2Xxs),
    GgufRow({FormatFamily::kVectors, "", 0, 16, false}, "iq1_m",
            "GGUF 1-bit, codebook of 2048 ternary vectors of 8, scales per 16", kQk, sizeof(BlockIq1M),
            ActivationKind::kQ8_K, DecodeRowIq1M, EncodeRowsIq1M, ValidRowIq1M),
    GgufRow({FormatFamily::kVectors, "", 0, 32, false}, "iq1_s",
            "GGUF 1-bit, codebook of 2048 ternary vectors of 8, scales per 32", kQk, sizeof(BlockIq1S),
            ActivationKind::kQ8_K, DecodeRowIq1S, EncodeRowsIq1S, ValidRowIq1S),
    GgufRow({FormatFamily::kTernary, "ternary", 2, kQk, false}, "tq2_0", "GGUF ternary, 2 bits stored", kQk,
            sizeof(BlockTq2_0), ActivationKind::kQ8_K, DecodeRowTq2_0, EncodeRowsTq2_0, ValidRowTq2_0),
    GgufRow({FormatFamily::kTernary, "ternary", 2, kQk, false}, "tq1_0", "GGUF ternary, 5 weights in a byte", kQk,
            sizeof(BlockTq1_0), ActivationKind::kQ8_K, DecodeRowTq1_0, EncodeRowsTq1_0, ValidRowTq1_0),
    GgufRow({FormatFamily::kFewLevels, "", 2, 64, false}, "q2_0", "GGUF 2-bit, levels -1 0 1 2, blocks of 64", 64,
            sizeof(BlockQ2_0), ActivationKind::kQ8_0, DecodeRowQ2_0, EncodeRowsQ2_0, ValidRowQ2_0),
    GgufRow({FormatFamily::kFewLevels, "", 1, 128, false}, "q1_0", "GGUF 1-bit, signs, blocks of 128", 128,
            sizeof(BlockQ1_0), ActivationKind::kQ8_0, DecodeRowQ1_0, EncodeRowsQ1_0, ValidRowQ1_0),
    GgufRow({FormatFamily::kMx, "fp4_e2m1", 4, kQ, false}, "mxfp4_gguf",
            "FP4 E2M1, a power-of-two scale per 32 inside the block (GGUF)", kQ, sizeof(BlockMxfp4),
            ActivationKind::kQ8_0, DecodeRowGgufMxfp4, EncodeRowsGgufMxfp4, ValidRowGgufMxfp4),
    GgufRow({FormatFamily::kNvfp4, "fp4_e2m1", 4, 16, false}, "nvfp4_gguf",
            "FP4 E2M1, an E4M3 scale per 16 inside the block (GGUF)", 64, sizeof(BlockNvfp4), ActivationKind::kQ8_0,
            DecodeRowGgufNvfp4, EncodeRowsGgufNvfp4, ValidRowGgufNvfp4, ChooseGlobalGgufNvfp4),
});

}  // namespace assay
