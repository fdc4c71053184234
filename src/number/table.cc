#include "number/table.h"

#include "number/bf16.h"
#include "number/bnb_dynamic8.h"
#include "number/bnb_fp4.h"
#include "number/e8m0.h"
#include "number/f16.h"
#include "number/fp4_e2m1.h"
#include "number/fp6.h"
#include "number/fp8_e4m3.h"
#include "number/fp8_e5m2.h"
#include "number/fp8_fnuz.h"
#include "number/integers.h"
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

template <int bits>
constexpr NumberFormat Signed(std::string_view name, std::string_view description) {
  return {name,
          description,
          bits,
          static_cast<float>(1 << (bits - 1)),
          true,
          Decode<DecodeSignedInt<bits>, uint8_t>,
          Encode<EncodeSignedInt<bits>>};
}
template <int bits>
constexpr NumberFormat Unsigned(std::string_view name, std::string_view description) {
  return {name,
          description,
          bits,
          static_cast<float>((1 << bits) - 1),
          true,
          Decode<DecodeUnsignedInt<bits>, uint8_t>,
          Encode<EncodeUnsignedInt<bits>>};
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
    {"fp8_e4m3fnuz", "8-bit float, 4 exponent bits, one zero, no infinity (AMD MI300)", 8, kFp8E4m3FnuzMax, true,
     Decode<DecodeFp8E4m3Fnuz, uint8_t>, Encode<EncodeFp8E4m3Fnuz>},
    {"fp8_e5m2fnuz", "8-bit float, 5 exponent bits, one zero, no infinity (AMD MI300)", 8, kFp8E5m2FnuzMax, true,
     Decode<DecodeFp8E5m2Fnuz, uint8_t>, Encode<EncodeFp8E5m2Fnuz>},
    {"e8m0", "power of two, the scale of MX blocks", 8, 0x1p127f, false, Decode<DecodeE8m0, uint8_t>,
     Encode<EncodeE8m0>},
    {"mxint8", "8-bit integer in 64ths, the element of MXINT8", 8, kMxInt8Max, true, Decode<DecodeMxInt8, uint8_t>,
     Encode<EncodeMxInt8>},
    {"bnb_dynamic8", "8-bit decades, signed: bitsandbytes' map of nested scales", 8, 1.0f, true,
     Decode<DecodeDynamic8, uint8_t>, Encode<EncodeDynamic8>},
    {"bnb_dynamic8_unsigned", "8-bit decades of positive values (bitsandbytes)", 8, 1.0f, true,
     Decode<DecodeUnsignedDynamic8, uint8_t>, Encode<EncodeUnsignedDynamic8>},
    Signed<8>("int8", "8-bit integer, two's complement"),
    Unsigned<8>("uint8", "8-bit integer"),
    Signed<7>("int7", "7-bit integer, two's complement"),
    Unsigned<7>("uint7", "7-bit integer"),
    {"fp6_e3m2", "6-bit float, 3 exponent bits, of MXFP6", 6, kFp6E3m2Max, true, Decode<DecodeFp6E3m2, uint8_t>,
     Encode<EncodeFp6E3m2>},
    {"fp6_e2m3", "6-bit float, 2 exponent bits, of MXFP6", 6, kFp6E2m3Max, true, Decode<DecodeFp6E2m3, uint8_t>,
     Encode<EncodeFp6E2m3>},
    Signed<6>("int6", "6-bit integer, two's complement"),
    Unsigned<6>("uint6", "6-bit integer"),
    Signed<5>("int5", "5-bit integer, two's complement"),
    Unsigned<5>("uint5", "5-bit integer"),
    {"fp4_e2m1", "4-bit float of MXFP4 and NVFP4", 4, kFp4E2m1Max, true, Decode<DecodeFp4E2m1, uint8_t>,
     Encode<EncodeFp4E2m1>},
    {"nf4", "4-bit normal quantiles (QLoRA)", 4, 1.0f, true, Decode<DecodeNf4, uint8_t>, Encode<EncodeNf4>},
    {"bnb_fp4", "4-bit float of bitsandbytes, in 0 … 1", 4, 1.0f, true, Decode<DecodeBnbFp4, uint8_t>,
     Encode<EncodeBnbFp4>},
    Signed<4>("int4", "4-bit integer, two's complement"),
    Unsigned<4>("uint4", "4-bit integer"),
    Signed<3>("int3", "3-bit integer, two's complement"),
    Unsigned<3>("uint3", "3-bit integer"),
    Signed<2>("int2", "2-bit integer, two's complement"),
    Unsigned<2>("uint2", "2-bit integer"),
    {"ternary", "-1, 0, 1 in two bits (BitNet)", 2, 1.0f, true, Decode<DecodeTernary, uint8_t>, Encode<EncodeTernary>},
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
