// Which kernel runs which format: fastest first.

#include <algorithm>
#include <string>

#include "base/error.h"
#include "kernel/cpu/kernels.h"
#include "kernel/linear.h"
#include "kernel/ref/activations.h"
#include "kernel/ref/decode.h"
#include "kernel/ref/linear_ref.h"

namespace assay {
namespace {

using Kind = ActivationKind;

template <Kind kind>
std::string NeedsKind(const Format& format, const CpuFeatures&) {
  if (format.activation != kind) return "the format's activations are of another kind";
  return {};
}

#if defined(__x86_64__)
std::string LacksAvx2(const CpuFeatures& cpu) {
  return cpu.avx2_fma ? "" : "this processor lacks AVX2 with FMA3 and F16C";
}
std::string LacksAvx512(const CpuFeatures& cpu) {
  return cpu.avx512 ? "" : "this processor lacks AVX-512 F, BW, VL and DQ";
}

std::string LacksBf16(const CpuFeatures& cpu) {
  return cpu.avx512_bf16 ? "" : "this processor lacks AVX-512 BF16";
}
std::string LacksVnni(const CpuFeatures& cpu) {
  return cpu.avx512_vnni ? "" : "this processor lacks AVX-512 VNNI";
}

using Lacks = std::string (*)(const CpuFeatures&);

template <Lacks lacks, Kind kind>
std::string IsaAndKind(const Format& format, const CpuFeatures& cpu) {
  std::string reason = lacks(cpu);
  return reason.empty() ? NeedsKind<kind>(format, cpu) : reason;
}

template <Lacks lacks>
std::string Isa(const Format&, const CpuFeatures& cpu) {
  return lacks(cpu);
}

// Text as a template argument.
template <size_t n>
struct Text {
  char text[n];
  constexpr Text(const char (&from)[n]) { std::copy_n(from, n, text); }  // NOLINT: implicit on purpose
  constexpr std::string_view View() const { return {text, n - 1}; }
};

template <Lacks lacks, Text name>
std::string IsaAndFormat(const Format& format, const CpuFeatures& cpu) {
  std::string reason = lacks(cpu);
  if (reason.empty() && format.name != name.View()) reason = "it is made for format " + std::string(name.View());
  return reason;
}
#endif

std::string Always(const Format&, const CpuFeatures&) {
  return {};
}

template <Kind kind>
constexpr LinearKernel ScalarDeployed(std::string_view name) {
  return {name,
          Arithmetic::kDeployed,
          NeedsKind<kind>,
          ref::FloatActivationBytes,
          ref::Prepare<kind>,
          ref::MultiplyDecoded};
}

// Activations with a calibrated scale are rounded where the matrix, which knows the scale, is multiplied.
template <Kind kind>
constexpr LinearKernel ScalarStatic(std::string_view name) {
  return {
      name, Arithmetic::kDeployed, NeedsKind<kind>, ref::FloatActivationBytes, ref::Prepare<kind>, ref::MultiplyStatic};
}

constexpr auto kDeployed = Arithmetic::kDeployed;
constexpr auto kReference = Arithmetic::kReference;
constexpr auto FloatBytes = ref::FloatActivationBytes;

constexpr LinearKernel kKernels[] = {
#if defined(__x86_64__)
    {"avx512-vnni q8_0*q8_0", kDeployed, IsaAndFormat<LacksVnni, "q8_0">, avx512vnni::Q8Bytes, avx512vnni::PrepareQ8,
     avx512vnni::MultiplyQ8_0},
    {"avx512-vnni q4_0*q8_0", kDeployed, IsaAndFormat<LacksVnni, "q4_0">, avx512vnni::Q8Bytes, avx512vnni::PrepareQ8,
     avx512vnni::MultiplyQ4_0},
    {"avx512-vnni q4_1*q8_1", kDeployed, IsaAndFormat<LacksVnni, "q4_1">, avx512vnni::Q8Bytes, avx512vnni::PrepareQ8,
     avx512vnni::MultiplyQ4_1},
    {"avx512-vnni q5_0*q8_0", kDeployed, IsaAndFormat<LacksVnni, "q5_0">, avx512vnni::Q8Bytes, avx512vnni::PrepareQ8,
     avx512vnni::MultiplyQ5_0},
    {"avx512-vnni q5_1*q8_1", kDeployed, IsaAndFormat<LacksVnni, "q5_1">, avx512vnni::Q8Bytes, avx512vnni::PrepareQ8,
     avx512vnni::MultiplyQ5_1},
    {"avx512-vnni iq4_nl*q8_0", kDeployed, IsaAndFormat<LacksVnni, "iq4_nl">, avx512vnni::Q8Bytes,
     avx512vnni::PrepareQ8, avx512vnni::MultiplyIq4Nl},
    {"avx512-vnni q2_k*q8_k", kDeployed, IsaAndFormat<LacksVnni, "q2_k">, avx512vnni::Q8KBytes, avx512vnni::PrepareQ8K,
     avx512vnni::MultiplyQ2K},
    {"avx512-vnni q3_k*q8_k", kDeployed, IsaAndFormat<LacksVnni, "q3_k">, avx512vnni::Q8KBytes, avx512vnni::PrepareQ8K,
     avx512vnni::MultiplyQ3K},
    {"avx512-vnni q4_k*q8_k", kDeployed, IsaAndFormat<LacksVnni, "q4_k">, avx512vnni::Q8KBytes, avx512vnni::PrepareQ8K,
     avx512vnni::MultiplyQ4K},
    {"avx512-vnni q5_k*q8_k", kDeployed, IsaAndFormat<LacksVnni, "q5_k">, avx512vnni::Q8KBytes, avx512vnni::PrepareQ8K,
     avx512vnni::MultiplyQ5K},
    {"avx512-vnni q6_k*q8_k", kDeployed, IsaAndFormat<LacksVnni, "q6_k">, avx512vnni::Q8KBytes, avx512vnni::PrepareQ8K,
     avx512vnni::MultiplyQ6K},
    {"avx512-vnni int8_channel_a8*int8", kDeployed, IsaAndFormat<LacksVnni, "int8_channel_a8">, avx512vnni::Int8Bytes,
     avx512vnni::PrepareInt8, avx512vnni::MultiplyInt8A8},

    {"avx512-bf16 bf16*bf16", kDeployed, IsaAndFormat<LacksBf16, "bf16">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyBf16},
    {"avx512-bf16 int8_channel*bf16", kDeployed, IsaAndFormat<LacksBf16, "int8_channel">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyInt8Channel},
    {"avx512-bf16 fp8_channel*bf16", kDeployed, IsaAndFormat<LacksBf16, "fp8_channel">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyFp8Channel},
    {"avx512-bf16 int4_g128*bf16", kDeployed, IsaAndFormat<LacksBf16, "int4_g128">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyInt4G128},
    {"avx512-bf16 int4_g64*bf16", kDeployed, IsaAndFormat<LacksBf16, "int4_g64">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyInt4G64},
    {"avx512-bf16 int4_g32*bf16", kDeployed, IsaAndFormat<LacksBf16, "int4_g32">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyInt4G32},
    {"avx512-bf16 nf4*bf16", kDeployed, IsaAndFormat<LacksBf16, "nf4">, avx512bf16::Bf16Bytes, avx512bf16::PrepareBf16,
     avx512bf16::MultiplyNf4},
    {"avx512-bf16 nvfp4*bf16", kDeployed, IsaAndFormat<LacksBf16, "nvfp4">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyNvfp4},
    {"avx512-bf16 mxfp4*bf16", kDeployed, IsaAndFormat<LacksBf16, "mxfp4">, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyMxfp4},
    {"avx512-bf16 any*bf16", kDeployed, IsaAndKind<LacksBf16, Kind::kBF16>, avx512bf16::Bf16Bytes,
     avx512bf16::PrepareBf16, avx512bf16::MultiplyAnyAsBf16},
    {"avx512-bf16 fp8_channel*fp8", kDeployed, IsaAndFormat<LacksBf16, "fp8_channel_a8">, avx512bf16::Fp8TokenBytes,
     avx512bf16::PrepareFp8, avx512bf16::MultiplyFp8ChannelA8},

    {"avx512 f32", kDeployed, IsaAndFormat<LacksAvx512, "f32">, FloatBytes, avx512::PrepareFloat, avx512::MultiplyF32},
    {"avx512 f16*f16", kDeployed, IsaAndFormat<LacksAvx512, "f16">, FloatBytes, avx512::PrepareF16,
     avx512::MultiplyF16},
    {"avx512 bf16*bf16", kDeployed, IsaAndFormat<LacksAvx512, "bf16">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyBf16},
    {"avx512 int8_channel*bf16", kDeployed, IsaAndFormat<LacksAvx512, "int8_channel">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyInt8Channel},
    {"avx512 fp8_channel*bf16", kDeployed, IsaAndFormat<LacksAvx512, "fp8_channel">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyFp8Channel},
    {"avx512 int4_g128*bf16", kDeployed, IsaAndFormat<LacksAvx512, "int4_g128">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyInt4G128},
    {"avx512 int4_g64*bf16", kDeployed, IsaAndFormat<LacksAvx512, "int4_g64">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyInt4G64},
    {"avx512 int4_g32*bf16", kDeployed, IsaAndFormat<LacksAvx512, "int4_g32">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyInt4G32},
    {"avx512 nf4*bf16", kDeployed, IsaAndFormat<LacksAvx512, "nf4">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyNf4},
    {"avx512 nvfp4*bf16", kDeployed, IsaAndFormat<LacksAvx512, "nvfp4">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyNvfp4},
    {"avx512 mxfp4*bf16", kDeployed, IsaAndFormat<LacksAvx512, "mxfp4">, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyMxfp4},
    {"avx512 any*bf16", kDeployed, IsaAndKind<LacksAvx512, Kind::kBF16>, FloatBytes, avx512::PrepareBf16,
     avx512::MultiplyAnyAsBf16},
    {"avx512 fp8_channel*fp8", kDeployed, IsaAndFormat<LacksAvx512, "fp8_channel_a8">, avx512::Fp8TokenBytes,
     avx512::PrepareFp8, avx512::MultiplyFp8ChannelA8},

    {"avx2 q8_0*q8_0", kDeployed, IsaAndFormat<LacksAvx2, "q8_0">, avx2::Q8Bytes, avx2::PrepareQ8, avx2::MultiplyQ8_0},
    {"avx2 q4_0*q8_0", kDeployed, IsaAndFormat<LacksAvx2, "q4_0">, avx2::Q8Bytes, avx2::PrepareQ8, avx2::MultiplyQ4_0},
    {"avx2 q4_1*q8_1", kDeployed, IsaAndFormat<LacksAvx2, "q4_1">, avx2::Q8Bytes, avx2::PrepareQ8, avx2::MultiplyQ4_1},
    {"avx2 q5_0*q8_0", kDeployed, IsaAndFormat<LacksAvx2, "q5_0">, avx2::Q8Bytes, avx2::PrepareQ8, avx2::MultiplyQ5_0},
    {"avx2 q5_1*q8_1", kDeployed, IsaAndFormat<LacksAvx2, "q5_1">, avx2::Q8Bytes, avx2::PrepareQ8, avx2::MultiplyQ5_1},
    {"avx2 iq4_nl*q8_0", kDeployed, IsaAndFormat<LacksAvx2, "iq4_nl">, avx2::Q8Bytes, avx2::PrepareQ8,
     avx2::MultiplyIq4Nl},
    {"avx2 q2_k*q8_k", kDeployed, IsaAndFormat<LacksAvx2, "q2_k">, avx2::Q8KBytes, avx2::PrepareQ8K, avx2::MultiplyQ2K},
    {"avx2 q3_k*q8_k", kDeployed, IsaAndFormat<LacksAvx2, "q3_k">, avx2::Q8KBytes, avx2::PrepareQ8K, avx2::MultiplyQ3K},
    {"avx2 q4_k*q8_k", kDeployed, IsaAndFormat<LacksAvx2, "q4_k">, avx2::Q8KBytes, avx2::PrepareQ8K, avx2::MultiplyQ4K},
    {"avx2 q5_k*q8_k", kDeployed, IsaAndFormat<LacksAvx2, "q5_k">, avx2::Q8KBytes, avx2::PrepareQ8K, avx2::MultiplyQ5K},
    {"avx2 q6_k*q8_k", kDeployed, IsaAndFormat<LacksAvx2, "q6_k">, avx2::Q8KBytes, avx2::PrepareQ8K, avx2::MultiplyQ6K},
    {"avx2 int8_channel_a8*int8", kDeployed, IsaAndFormat<LacksAvx2, "int8_channel_a8">, avx2::Int8Bytes,
     avx2::PrepareInt8, avx2::MultiplyInt8A8},

    {"avx2 f32", kDeployed, IsaAndFormat<LacksAvx2, "f32">, FloatBytes, avx2::PrepareFloat, avx2::MultiplyF32},
    {"avx2 f16*f16", kDeployed, IsaAndFormat<LacksAvx2, "f16">, FloatBytes, avx2::PrepareF16, avx2::MultiplyF16},
    {"avx2 bf16*bf16", kDeployed, IsaAndFormat<LacksAvx2, "bf16">, FloatBytes, avx2::PrepareBf16, avx2::MultiplyBf16},
    {"avx2 int8_channel*bf16", kDeployed, IsaAndFormat<LacksAvx2, "int8_channel">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyInt8Channel},
    {"avx2 fp8_channel*bf16", kDeployed, IsaAndFormat<LacksAvx2, "fp8_channel">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyFp8Channel},
    {"avx2 int4_g128*bf16", kDeployed, IsaAndFormat<LacksAvx2, "int4_g128">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyInt4G128},
    {"avx2 int4_g64*bf16", kDeployed, IsaAndFormat<LacksAvx2, "int4_g64">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyInt4G64},
    {"avx2 int4_g32*bf16", kDeployed, IsaAndFormat<LacksAvx2, "int4_g32">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyInt4G32},
    {"avx2 nf4*bf16", kDeployed, IsaAndFormat<LacksAvx2, "nf4">, FloatBytes, avx2::PrepareBf16, avx2::MultiplyNf4},
    {"avx2 nvfp4*bf16", kDeployed, IsaAndFormat<LacksAvx2, "nvfp4">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyNvfp4},
    {"avx2 mxfp4*bf16", kDeployed, IsaAndFormat<LacksAvx2, "mxfp4">, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyMxfp4},
    {"avx2 any*bf16", kDeployed, IsaAndKind<LacksAvx2, Kind::kBF16>, FloatBytes, avx2::PrepareBf16,
     avx2::MultiplyAnyAsBf16},
    {"avx2 fp8_channel*fp8", kDeployed, IsaAndFormat<LacksAvx2, "fp8_channel_a8">, avx2::Fp8TokenBytes,
     avx2::PrepareFp8, avx2::MultiplyFp8ChannelA8},

    // Formats without a kernel of their own, with the right activations.
    {"avx512 any*q8_0", kDeployed, IsaAndKind<LacksAvx512, Kind::kQ8_0>, FloatBytes, ref::Prepare<Kind::kQ8_0>,
     avx512::MultiplyAny},
    {"avx512 any*q8_1", kDeployed, IsaAndKind<LacksAvx512, Kind::kQ8_1>, FloatBytes, ref::Prepare<Kind::kQ8_1>,
     avx512::MultiplyAny},
    {"avx512 any*q8_k", kDeployed, IsaAndKind<LacksAvx512, Kind::kQ8_K>, FloatBytes, ref::Prepare<Kind::kQ8_K>,
     avx512::MultiplyAny},
    {"avx512 any*int8", kDeployed, IsaAndKind<LacksAvx512, Kind::kInt8PerToken>, FloatBytes,
     ref::Prepare<Kind::kInt8PerToken>, avx512::MultiplyAny},
    {"avx512 any*fp8", kDeployed, IsaAndKind<LacksAvx512, Kind::kFp8PerToken>, FloatBytes,
     ref::Prepare<Kind::kFp8PerToken>, avx512::MultiplyAny},
    {"avx512 any*fp8-128", kDeployed, IsaAndKind<LacksAvx512, Kind::kFp8Group128>, FloatBytes,
     ref::Prepare<Kind::kFp8Group128>, avx512::MultiplyAny},
    {"avx512 any*int8-outliers", kDeployed, IsaAndKind<LacksAvx512, Kind::kInt8Outliers>, FloatBytes,
     ref::Prepare<Kind::kInt8Outliers>, avx512::MultiplyAny},
    {"avx512 any*int8-bitnet", kDeployed, IsaAndKind<LacksAvx512, Kind::kInt8BitNet>, FloatBytes,
     ref::Prepare<Kind::kInt8BitNet>, avx512::MultiplyAny},
    {"avx512 any*mxfp8", kDeployed, IsaAndKind<LacksAvx512, Kind::kMxfp8>, FloatBytes, ref::Prepare<Kind::kMxfp8>,
     avx512::MultiplyAny},
    {"avx512 any*mxfp4", kDeployed, IsaAndKind<LacksAvx512, Kind::kMxfp4>, FloatBytes, ref::Prepare<Kind::kMxfp4>,
     avx512::MultiplyAny},
    {"avx2 any*q8_0", kDeployed, IsaAndKind<LacksAvx2, Kind::kQ8_0>, FloatBytes, ref::Prepare<Kind::kQ8_0>,
     avx2::MultiplyAny},
    {"avx2 any*q8_1", kDeployed, IsaAndKind<LacksAvx2, Kind::kQ8_1>, FloatBytes, ref::Prepare<Kind::kQ8_1>,
     avx2::MultiplyAny},
    {"avx2 any*q8_k", kDeployed, IsaAndKind<LacksAvx2, Kind::kQ8_K>, FloatBytes, ref::Prepare<Kind::kQ8_K>,
     avx2::MultiplyAny},
    {"avx2 any*int8", kDeployed, IsaAndKind<LacksAvx2, Kind::kInt8PerToken>, FloatBytes,
     ref::Prepare<Kind::kInt8PerToken>, avx2::MultiplyAny},
    {"avx2 any*fp8", kDeployed, IsaAndKind<LacksAvx2, Kind::kFp8PerToken>, FloatBytes, ref::Prepare<Kind::kFp8PerToken>,
     avx2::MultiplyAny},
    {"avx2 any*fp8-128", kDeployed, IsaAndKind<LacksAvx2, Kind::kFp8Group128>, FloatBytes,
     ref::Prepare<Kind::kFp8Group128>, avx2::MultiplyAny},
    {"avx2 any*int8-outliers", kDeployed, IsaAndKind<LacksAvx2, Kind::kInt8Outliers>, FloatBytes,
     ref::Prepare<Kind::kInt8Outliers>, avx2::MultiplyAny},
    {"avx2 any*int8-bitnet", kDeployed, IsaAndKind<LacksAvx2, Kind::kInt8BitNet>, FloatBytes,
     ref::Prepare<Kind::kInt8BitNet>, avx2::MultiplyAny},
    {"avx2 any*mxfp8", kDeployed, IsaAndKind<LacksAvx2, Kind::kMxfp8>, FloatBytes, ref::Prepare<Kind::kMxfp8>,
     avx2::MultiplyAny},
    {"avx2 any*mxfp4", kDeployed, IsaAndKind<LacksAvx2, Kind::kMxfp4>, FloatBytes, ref::Prepare<Kind::kMxfp4>,
     avx2::MultiplyAny},

    {"avx512 reference f32", kReference, IsaAndFormat<LacksAvx512, "f32">, FloatBytes, avx512::PrepareFloat,
     avx512::MultiplyF32},
    {"avx512 reference f16", kReference, IsaAndFormat<LacksAvx512, "f16">, FloatBytes, avx512::PrepareFloat,
     avx512::MultiplyF16},
    {"avx512 reference bf16", kReference, IsaAndFormat<LacksAvx512, "bf16">, FloatBytes, avx512::PrepareFloat,
     avx512::MultiplyBf16},
    {"avx512 reference", kReference, Isa<LacksAvx512>, FloatBytes, avx512::PrepareFloat, avx512::MultiplyAny},
    {"avx2 reference f32", kReference, IsaAndFormat<LacksAvx2, "f32">, FloatBytes, avx2::PrepareFloat,
     avx2::MultiplyF32},
    {"avx2 reference f16", kReference, IsaAndFormat<LacksAvx2, "f16">, FloatBytes, avx2::PrepareFloat,
     avx2::MultiplyF16},
    {"avx2 reference bf16", kReference, IsaAndFormat<LacksAvx2, "bf16">, FloatBytes, avx2::PrepareFloat,
     avx2::MultiplyBf16},
    {"avx2 reference", kReference, Isa<LacksAvx2>, FloatBytes, avx2::PrepareFloat, avx2::MultiplyAny},
#endif
    ScalarDeployed<Kind::kFloat>("scalar any*f32"),
    ScalarDeployed<Kind::kF16>("scalar any*f16"),
    ScalarDeployed<Kind::kBF16>("scalar any*bf16"),
    ScalarDeployed<Kind::kQ8_0>("scalar any*q8_0"),
    ScalarDeployed<Kind::kQ8_1>("scalar any*q8_1"),
    ScalarDeployed<Kind::kQ8_K>("scalar any*q8_k"),
    ScalarDeployed<Kind::kInt8PerToken>("scalar any*int8"),
    ScalarDeployed<Kind::kFp8PerToken>("scalar any*fp8"),
    ScalarDeployed<Kind::kFp8Group128>("scalar any*fp8-128"),
    ScalarDeployed<Kind::kInt8Outliers>("scalar any*int8-outliers"),
    ScalarDeployed<Kind::kInt8BitNet>("scalar any*int8-bitnet"),
    ScalarDeployed<Kind::kMxfp8>("scalar any*mxfp8"),
    ScalarDeployed<Kind::kMxfp4>("scalar any*mxfp4"),
    ScalarStatic<Kind::kInt8Static>("scalar any*int8-static"),
    ScalarStatic<Kind::kFp8Static>("scalar any*fp8-static"),
    ScalarStatic<Kind::kNvfp4>("scalar any*nvfp4"),
    {"scalar reference", kReference, Always, FloatBytes, ref::Prepare<Kind::kFloat>, ref::MultiplyDecoded},
};

}  // namespace

std::string_view ArithmeticName(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kReference ? "reference" : "deployed";
}

std::span<const LinearKernel> LinearKernels() {
  return kKernels;
}

const LinearKernel& ChooseLinear(const Format& format, Arithmetic arithmetic, const CpuFeatures& cpu,
                                 std::string_view forced) {
  ASSAY_CHECK(DecodesInPieces(format));
  const LinearKernel* named = nullptr;
  for (const LinearKernel& kernel : kKernels) {
    if (!forced.empty()) {
      if (kernel.name == forced) named = &kernel;
      continue;
    }
    if (kernel.arithmetic == arithmetic && kernel.unsupported(format, cpu).empty()) return kernel;
  }
  if (forced.empty()) Fail(ErrorKind::kUnsupported, "format {}: no {} kernel", format.name, ArithmeticName(arithmetic));
  if (!named) {
    std::string names;
    for (const LinearKernel& kernel : kKernels)
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", kernel.name);
    Fail(ErrorKind::kUnsupported, "kernel \"{}\": expected one of {}", forced, names);
  }
  std::string reason = named->arithmetic != arithmetic
                           ? fmt::format("it computes in {} arithmetic", ArithmeticName(named->arithmetic))
                           : named->unsupported(format, cpu);
  if (!reason.empty())
    Fail(ErrorKind::kUnsupported, "kernel \"{}\" cannot run format {}: {}", forced, format.name, reason);
  return *named;
}

}  // namespace assay
