// Which algorithm multiplies which format, and on which instruction sets it is there.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/cpu/kernels.h"
#include "kernel/linear.h"
#include "kernel/ref/activations.h"
#include "kernel/ref/decode.h"
#include "kernel/ref/linear_ref.h"

namespace assay {
namespace {

using Kind = ActivationKind;

/// An algorithm as one instruction set has it.
struct Variant {
  InstructionSet needs = InstructionSet::kScalar;
  decltype(LinearKernel::activation_bytes) activation_bytes = nullptr;
  decltype(LinearKernel::prepare) prepare = nullptr;
  decltype(LinearKernel::multiply) multiply = nullptr;  // null: no more variants
};
using Variants = std::array<Variant, 4>;  // fastest first

/// The same results on every instruction set, up to the order of float32 sums.
struct Algorithm {
  std::string_view name;  // weights * activations
  Arithmetic arithmetic = Arithmetic::kDeployed;
  std::string_view made_for;       // the one format that it multiplies; empty: any
  std::optional<Kind> activation;  // that a format must have; none: any
  Variants variants;
};

constexpr auto FloatBytes = ref::FloatActivationBytes;

constexpr Variants Fastest(Variant first, Variant second = {}, Variant third = {}, Variant fourth = {}) {
  return {first, second, third, fourth};
}

using enum InstructionSet;
#if defined(__x86_64__)
/// Products of integers.
#define ASSAY_INTEGERS(bytes, prepare, multiply)                                       \
  Fastest({kAvx512Vnni, avx512vnni::bytes, avx512vnni::prepare, avx512vnni::multiply}, \
          {kAvx2, avx2::bytes, avx2::prepare, avx2::multiply})
/// Products of weights and activations rounded to bfloat16; what follows is a further variant.
#define ASSAY_BF16(multiply, ...)                                                              \
  Fastest({kAvx512Bf16, avx512bf16::Bf16Bytes, avx512bf16::PrepareBf16, avx512bf16::multiply}, \
          {kAvx512, FloatBytes, avx512::PrepareBf16, avx512::multiply},                        \
          {kAvx2, FloatBytes, avx2::PrepareBf16, avx2::multiply} __VA_OPT__(, ) __VA_ARGS__)
#define ASSAY_FP8(multiply)                                                                       \
  Fastest({kAvx512Bf16, avx512bf16::Fp8TokenBytes, avx512bf16::PrepareFp8, avx512bf16::multiply}, \
          {kAvx512, avx512::Fp8TokenBytes, avx512::PrepareFp8, avx512::multiply},                 \
          {kAvx2, avx2::Fp8TokenBytes, avx2::PrepareFp8, avx2::multiply})
/// Products of float32; what follows is a further variant.
#define ASSAY_FLOATS(prepare, multiply, ...)                        \
  Fastest({kAvx512, FloatBytes, avx512::prepare, avx512::multiply}, \
          {kAvx2, FloatBytes, avx2::prepare, avx2::multiply} __VA_OPT__(, ) __VA_ARGS__)
/// Decoded weights of any format, with activations rounded by the scalar code.
#define ASSAY_ANY(prepare)                                                                                      \
  Fastest({kAvx512, FloatBytes, prepare, avx512::MultiplyAny}, {kAvx2, FloatBytes, prepare, avx2::MultiplyAny}, \
          {kScalar, FloatBytes, prepare, ref::MultiplyDecoded})
#else
#define ASSAY_INTEGERS(bytes, prepare, multiply) Fastest({})
#define ASSAY_BF16(multiply, ...) Fastest(__VA_ARGS__ __VA_OPT__(, ){})
#define ASSAY_FP8(multiply) Fastest({})
#define ASSAY_FLOATS(prepare, multiply, ...) Fastest(__VA_ARGS__ __VA_OPT__(, ){})
#define ASSAY_ANY(prepare) Fastest({kScalar, FloatBytes, prepare, ref::MultiplyDecoded})
#endif

template <Kind kind>
constexpr Algorithm Any(std::string_view name) {
  return {name, Arithmetic::kDeployed, "", kind, ASSAY_ANY(ref::Prepare<kind>)};
}

constexpr Algorithm OfFormat(std::string_view name, std::string_view format, const Variants& variants) {
  return {name, Arithmetic::kDeployed, format, {}, variants};
}

constexpr Algorithm Reference(std::string_view name, std::string_view format, const Variants& variants) {
  return {name, Arithmetic::kReference, format, {}, variants};
}

template <Kind kind>
constexpr Algorithm ScalarOnly(std::string_view name, decltype(LinearKernel::multiply) multiply) {
  return {name, Arithmetic::kDeployed, "", kind, Fastest({kScalar, FloatBytes, ref::Prepare<kind>, multiply})};
}

constexpr Algorithm kAlgorithms[] = {
    OfFormat("q8_0*q8_0", "q8_0", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyQ8_0)),
    OfFormat("q4_0*q8_0", "q4_0", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyQ4_0)),
    OfFormat("q4_1*q8_1", "q4_1", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyQ4_1)),
    OfFormat("q5_0*q8_0", "q5_0", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyQ5_0)),
    OfFormat("q5_1*q8_1", "q5_1", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyQ5_1)),
    OfFormat("iq4_nl*q8_0", "iq4_nl", ASSAY_INTEGERS(Q8Bytes, PrepareQ8, MultiplyIq4Nl)),
    OfFormat("q2_k*q8_k", "q2_k", ASSAY_INTEGERS(Q8KBytes, PrepareQ8K, MultiplyQ2K)),
    OfFormat("q3_k*q8_k", "q3_k", ASSAY_INTEGERS(Q8KBytes, PrepareQ8K, MultiplyQ3K)),
    OfFormat("q4_k*q8_k", "q4_k", ASSAY_INTEGERS(Q8KBytes, PrepareQ8K, MultiplyQ4K)),
    OfFormat("q5_k*q8_k", "q5_k", ASSAY_INTEGERS(Q8KBytes, PrepareQ8K, MultiplyQ5K)),
    OfFormat("q6_k*q8_k", "q6_k", ASSAY_INTEGERS(Q8KBytes, PrepareQ8K, MultiplyQ6K)),
    OfFormat("int8_channel_a8*int8", "int8_channel_a8", ASSAY_INTEGERS(Int8Bytes, PrepareInt8, MultiplyInt8A8)),

    OfFormat("f32", "f32", ASSAY_FLOATS(PrepareFloat, MultiplyF32)),
    OfFormat("f16*f16", "f16", ASSAY_FLOATS(PrepareF16, MultiplyF16)),
    OfFormat("bf16*bf16", "bf16", ASSAY_BF16(MultiplyBf16)),
    OfFormat("int8_channel*bf16", "int8_channel", ASSAY_BF16(MultiplyInt8Channel)),
    OfFormat("fp8_channel*bf16", "fp8_channel", ASSAY_BF16(MultiplyFp8Channel)),
    OfFormat("int4_g128*bf16", "int4_g128", ASSAY_BF16(MultiplyInt4G128)),
    OfFormat("int4_g64*bf16", "int4_g64", ASSAY_BF16(MultiplyInt4G64)),
    OfFormat("int4_g32*bf16", "int4_g32", ASSAY_BF16(MultiplyInt4G32)),
    OfFormat("nf4*bf16", "nf4", ASSAY_BF16(MultiplyNf4)),
    OfFormat("nvfp4*bf16", "nvfp4", ASSAY_BF16(MultiplyNvfp4)),
    OfFormat("mxfp4*bf16", "mxfp4", ASSAY_BF16(MultiplyMxfp4)),
    OfFormat("fp8_channel*fp8", "fp8_channel_a8", ASSAY_FP8(MultiplyFp8ChannelA8)),

    // Formats without a kernel of their own, with the right activations.
    {"any*bf16", Arithmetic::kDeployed, "", Kind::kBF16,
     ASSAY_BF16(MultiplyAnyAsBf16, {kScalar, FloatBytes, ref::Prepare<Kind::kBF16>, ref::MultiplyDecodedAsBf16})},
    Any<Kind::kQ8_0>("any*q8_0"),
    Any<Kind::kQ8_1>("any*q8_1"),
    Any<Kind::kQ8_K>("any*q8_k"),
    Any<Kind::kInt8PerToken>("any*int8"),
    Any<Kind::kFp8PerToken>("any*fp8"),
    Any<Kind::kFp8Group128>("any*fp8-128"),
    Any<Kind::kInt8Outliers>("any*int8-outliers"),
    Any<Kind::kInt8BitNet>("any*int8-bitnet"),
    Any<Kind::kMxfp8>("any*mxfp8"),
    Any<Kind::kMxfp4>("any*mxfp4"),
    ScalarOnly<Kind::kFloat>("any*f32", ref::MultiplyDecoded),
    ScalarOnly<Kind::kF16>("any*f16", ref::MultiplyDecoded),
    // A calibrated scale is rounded by where the matrix, which knows it, is multiplied.
    ScalarOnly<Kind::kInt8Static>("any*int8-static", ref::MultiplyStatic),
    ScalarOnly<Kind::kFp8Static>("any*fp8-static", ref::MultiplyStatic),
    ScalarOnly<Kind::kNvfp4>("any*nvfp4", ref::MultiplyStatic),

    Reference("reference f32", "f32", ASSAY_FLOATS(PrepareFloat, MultiplyF32)),
    Reference("reference f16", "f16", ASSAY_FLOATS(PrepareFloat, MultiplyF16)),
    Reference("reference bf16", "bf16", ASSAY_FLOATS(PrepareFloat, MultiplyBf16)),
    Reference("reference", "",
              ASSAY_FLOATS(PrepareFloat, MultiplyAny,
                           {kScalar, FloatBytes, ref::Prepare<Kind::kFloat>, ref::MultiplyDecoded})),
};

struct InstructionSetRow {
  InstructionSet set;
  std::string_view name;
  std::string_view missing;  // what a processor without it lacks
  bool CpuFeatures::*there;  // null: always
};
constexpr InstructionSetRow kInstructionSets[] = {
    {kScalar, "scalar", "", nullptr},
    {kAvx2, "avx2", "AVX2 with FMA3 and F16C", &CpuFeatures::avx2_fma},
    {kAvx512, "avx512", "AVX-512 F, BW, VL and DQ", &CpuFeatures::avx512},
    {kAvx512Bf16, "avx512-bf16", "AVX-512 BF16", &CpuFeatures::avx512_bf16},
    {kAvx512Vnni, "avx512-vnni", "AVX-512 VNNI", &CpuFeatures::avx512_vnni},
};

const InstructionSetRow& RowOf(InstructionSet set) {
  return kInstructionSets[static_cast<size_t>(set)];
}

std::vector<LinearKernel> AllKernels() {
  std::vector<LinearKernel> all;
  for (const Algorithm& algorithm : kAlgorithms)
    for (const Variant& variant : algorithm.variants)
      if (variant.multiply)
        all.push_back({fmt::format("{} {}", RowOf(variant.needs).name, algorithm.name), algorithm.arithmetic,
                       variant.needs, algorithm.made_for, algorithm.activation, variant.activation_bytes,
                       variant.prepare, variant.multiply});
  return all;
}

}  // namespace

std::string LinearKernel::unsupported(const Format& format, const CpuFeatures& cpu) const {
  const InstructionSetRow& set = RowOf(needs);
  if (set.there && !(cpu.*set.there)) return fmt::format("this processor lacks {}", set.missing);
  if (!made_for.empty() && format.name != made_for) return fmt::format("it is made for format {}", made_for);
  if (activation && format.activation != *activation) return "the format's activations are of another kind";
  return {};
}

std::string_view ArithmeticName(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kReference ? "reference" : "deployed";
}

std::span<const LinearKernel> LinearKernels() {
  static const std::vector<LinearKernel> kernels = AllKernels();
  return kernels;
}

const LinearKernel& ChooseLinear(const Format& format, Arithmetic arithmetic, const CpuFeatures& cpu,
                                 std::string_view forced) {
  ASSAY_CHECK(DecodesInPieces(format));
  const LinearKernel* named = nullptr;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!forced.empty()) {
      if (kernel.name == forced) named = &kernel;
      continue;
    }
    if (kernel.arithmetic == arithmetic && kernel.unsupported(format, cpu).empty()) return kernel;
  }
  if (forced.empty()) Fail(ErrorKind::kUnsupported, "format {}: no {} kernel", format.name, ArithmeticName(arithmetic));
  if (!named) {
    std::string names;
    for (const LinearKernel& kernel : LinearKernels())
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
