#include "number/table.h"

#include "number/bf16.h"
#include "number/e8m0.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/nf4.h"

namespace assay {
namespace {

template <auto decode, typename Code>
float Decode(uint32_t code) {
  return decode(static_cast<Code>(code));
}
template <auto encode>
uint32_t Encode(float value) {
  return encode(value);
}

constexpr NumberFormat kNumberFormats[] = {
    {"f32", "IEEE 754 binary32", 32, 0x1.fffffep127f, false, [](uint32_t code) { return std::bit_cast<float>(code); },
     [](float value) { return std::bit_cast<uint32_t>(value); }},
    {"f16", "IEEE 754 binary16", 16, kF16Max, false, Decode<DecodeF16, uint16_t>, Encode<EncodeF16>},
    {"bf16", "bfloat16, the upper half of a binary32", 16, 0x1.fep127f, false, Decode<DecodeBf16, uint16_t>,
     Encode<EncodeBf16>},
    {"fp8_e4m3", "8-bit float, 4 exponent bits, no infinity (OCP E4M3, FN)", 8, kFp8E4m3Max, true,
     Decode<DecodeFp8E4m3, uint8_t>, Encode<EncodeFp8E4m3>},
    {"fp8_e5m2", "8-bit float, 5 exponent bits (OCP E5M2)", 8, kFp8E5m2Max, true, Decode<DecodeFp8E5m2, uint8_t>,
     Encode<EncodeFp8E5m2>},
    {"e8m0", "power of two, the scale of MX blocks", 8, 0x1p127f, false, Decode<DecodeE8m0, uint8_t>,
     Encode<EncodeE8m0>},
    {"fp4_e2m1", "4-bit float of MXFP4 and NVFP4", 4, kFp4E2m1Max, true, Decode<DecodeFp4E2m1, uint8_t>,
     Encode<EncodeFp4E2m1>},
    {"nf4", "4-bit normal quantiles (QLoRA)", 4, 1.0f, true, Decode<DecodeNf4, uint8_t>, Encode<EncodeNf4>},
};

}  // namespace

std::span<const NumberFormat> NumberFormats() {
  return kNumberFormats;
}

const NumberFormat* FindNumberFormat(std::string_view name) {
  for (const NumberFormat& format : kNumberFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

}  // namespace assay
