#include "checkpoint/gguf/gguf_types.h"

#include "base/error.h"

namespace assay {
namespace {

struct TypeRow {
  uint32_t id;
  std::string_view name;    // GGUF's
  std::string_view format;  // ours; empty: known by name only
};

// MXFP4 and NVFP4 of GGUF keep their scales inside the block and order the nibbles differently: they are not the
// formats of that name in safetensors.
constexpr TypeRow kTypes[] = {
    {0, "F32", "f32"},
    {1, "F16", "f16"},
    {2, "Q4_0", "q4_0"},
    {3, "Q4_1", "q4_1"},
    {6, "Q5_0", "q5_0"},
    {7, "Q5_1", "q5_1"},
    {8, "Q8_0", "q8_0"},
    {9, "Q8_1", ""},
    {10, "Q2_K", "q2_k"},
    {11, "Q3_K", "q3_k"},
    {12, "Q4_K", "q4_k"},
    {13, "Q5_K", "q5_k"},
    {14, "Q6_K", "q6_k"},
    {15, "Q8_K", "q8_k"},
    {16, "IQ2_XXS", "iq2_xxs"},
    {17, "IQ2_XS", "iq2_xs"},
    {18, "IQ3_XXS", "iq3_xxs"},
    {19, "IQ1_S", "iq1_s"},
    {20, "IQ4_NL", "iq4_nl"},
    {21, "IQ3_S", "iq3_s"},
    {22, "IQ2_S", "iq2_s"},
    {23, "IQ4_XS", "iq4_xs"},
    {24, "I8", ""},
    {25, "I16", ""},
    {26, "I32", "i32"},
    {27, "I64", "i64"},
    {28, "F64", ""},
    {29, "IQ1_M", "iq1_m"},
    {30, "BF16", "bf16"},
    {34, "TQ1_0", "tq1_0"},
    {35, "TQ2_0", "tq2_0"},
    {kGgufI2s, "I2_S", "i2_s"},  // bitnet.cpp's; read only
    {39, "MXFP4", "mxfp4_gguf"},
    {40, "NVFP4", "nvfp4_gguf"},
    {41, "Q1_0", "q1_0"},
    {42, "Q2_0", "q2_0"},
};

struct FileTypeRow {
  int number;
  std::string_view preset;
};

// llama_ftype as llama.cpp numbers it; numbers missing here belong to types that were removed.
constexpr FileTypeRow kFileTypes[] = {
    {0, "f32"},     {1, "f16"},     {2, "q4_0"},       {3, "q4_1"},        {7, "q8_0"},     {8, "q5_0"},
    {9, "q5_1"},    {10, "q2_k"},   {11, "q3_k_s"},    {12, "q3_k_m"},     {13, "q3_k_l"},  {14, "q4_k_s"},
    {15, "q4_k_m"}, {16, "q5_k_s"}, {17, "q5_k_m"},    {18, "q6_k"},       {19, "iq2_xxs"}, {20, "iq2_xs"},
    {21, "q2_k_s"}, {22, "iq3_xs"}, {23, "iq3_xxs"},   {24, "iq1_s"},      {25, "iq4_nl"},  {26, "iq3_s"},
    {27, "iq3_m"},  {28, "iq2_s"},  {29, "iq2_m"},     {30, "iq4_xs"},     {31, "iq1_m"},   {32, "bf16"},
    {36, "tq1_0"},  {37, "tq2_0"},  {38, "mxfp4_moe"}, {39, "nvfp4_gguf"}, {40, "q1_0"},    {41, "q2_0"},
};

const TypeRow* FindType(uint32_t id) {
  for (const TypeRow& row : kTypes)
    if (row.id == id) return &row;
  return nullptr;
}

const TypeRow* FindType(const Format& format) {
  for (const TypeRow& row : kTypes)
    if (!row.format.empty() && row.format == format.name && row.id != kGgufI2s) return &row;
  return nullptr;
}

}  // namespace

const Format* GgufTensorFormat(uint32_t type_id) {
  const TypeRow* row = FindType(type_id);
  return row && !row->format.empty() ? FindFormat(row->format) : nullptr;
}

std::string_view GgufTensorTypeName(uint32_t type_id) {
  const TypeRow* row = FindType(type_id);
  return row ? row->name : std::string_view();
}

bool HasGgufType(const Format& format) {
  return FindType(format) != nullptr;
}

uint32_t GgufTypeId(const Format& format) {
  const TypeRow* row = FindType(format);
  if (!row) Fail(ErrorKind::kUnsupported, "GGUF has no tensor type for the format {}", format.name);
  return row->id;
}

int GgufFileType(std::string_view preset) {
  for (const FileTypeRow& row : kFileTypes)
    if (row.preset == preset) return row.number;
  return -1;
}

int GgufFileType(const Format& format) {
  const int number = GgufFileType(format.name);
  // K-quants are numbered by mix: the plain name stands for the usual one.
  return number >= 0 ? number : GgufFileType(std::string(format.name) + "_m");
}

std::string_view GgufFileTypeName(uint64_t file_type) {
  for (const FileTypeRow& row : kFileTypes)
    if (static_cast<uint64_t>(row.number) == file_type) return row.preset;
  return {};
}

}  // namespace assay
