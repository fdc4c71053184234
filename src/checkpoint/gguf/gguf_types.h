#pragma once
// GGUF's tensor type ids and the block formats they name: the one place where the two meet.

#include <cstdint>
#include <string>
#include <string_view>

#include "format/format.h"

namespace assay {

/// bitnet.cpp's ternary type: behind its codes lie 32 bytes, of which the first four are the scale of the matrix. The
/// number was IQ4_NL_4_4 in llama.cpp for a while; general.file_type tells them apart. Source: microsoft/BitNet,
/// src/ggml-bitnet-mad.cpp; its llama.cpp, include/llama.h, ggml.c.
inline constexpr uint32_t kGgufI2s = 36;
inline constexpr uint64_t kGgufI2sTailBytes = 32;
inline constexpr int64_t kGgufI2sFileType = 40;

/// Null when we have no format for the id.
const Format* GgufTensorFormat(uint32_t type_id);
/// "Q4_K" for the ids that GGUF defines, also those we lack; empty for an id that it does not.
std::string_view GgufTensorTypeName(uint32_t type_id);
/// The id a format is written as. Throws Error{kUnsupported} for formats that GGUF does not have.
uint32_t GgufTypeId(const Format& format);
/// False when the format has no GGUF type.
bool HasGgufType(const Format& format);

/// `general.file_type` of a preset's name ("q4_k_m"); -1 when GGUF has no number for it.
int GgufFileType(std::string_view preset);
/// That of a file whose matrices have mostly this format.
int GgufFileType(const Format& format);
/// The preset's name of a `general.file_type`; empty for a number unknown to us.
std::string_view GgufFileTypeName(uint64_t file_type);

}  // namespace assay
