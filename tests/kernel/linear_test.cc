// Every kernel of the table against sums in double over decoded weights, and against itself in other shapes.

#include "kernel/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "kernel/ref/activations.h"
#include "kernel/ref/decode.h"
#include "number/bf16.h"
#include "test_matrix.h"

namespace assay {
namespace {

using Kind = ActivationKind;

// The activations that deployed arithmetic sees, by the plain functions.
std::vector<float> RoundedActivations(Kind kind, const float* x, int64_t cols) {
  Aligned out(ref::FloatActivationBytes(cols));
  switch (kind) {
    case Kind::kFloat:
      ref::Prepare<Kind::kFloat>(x, cols, out.data());
      break;
    case Kind::kF16:
      ref::Prepare<Kind::kF16>(x, cols, out.data());
      break;
    case Kind::kBF16:
      ref::Prepare<Kind::kBF16>(x, cols, out.data());
      break;
    case Kind::kQ8_0:
      ref::Prepare<Kind::kQ8_0>(x, cols, out.data());
      break;
    case Kind::kQ8_1:
      ref::Prepare<Kind::kQ8_1>(x, cols, out.data());
      break;
    case Kind::kQ8_K:
      ref::Prepare<Kind::kQ8_K>(x, cols, out.data());
      break;
    case Kind::kInt8PerToken:
      ref::Prepare<Kind::kInt8PerToken>(x, cols, out.data());
      break;
    case Kind::kFp8PerToken:
      ref::Prepare<Kind::kFp8PerToken>(x, cols, out.data());
      break;
    case Kind::kFp8Group128:
      ref::Prepare<Kind::kFp8Group128>(x, cols, out.data());
      break;
    case Kind::kInt8Outliers:
      ref::Prepare<Kind::kInt8Outliers>(x, cols, out.data());
      break;
    case Kind::kInt8BitNet:
      ref::Prepare<Kind::kInt8BitNet>(x, cols, out.data());
      break;
    case Kind::kMxfp8:
      ref::Prepare<Kind::kMxfp8>(x, cols, out.data());
      break;
    case Kind::kMxfp4:
      ref::Prepare<Kind::kMxfp4>(x, cols, out.data());
      break;
    case Kind::kInt8Static:
    case Kind::kFp8Static:
    case Kind::kNvfp4:
      ref::Prepare<Kind::kFloat>(x, cols, out.data());
      ref::RoundStatic(kind, kActivationScale, cols, reinterpret_cast<float*>(out.data()));
      break;
  }
  const auto* values = reinterpret_cast<const float*>(out.data());
  return {values, values + cols};
}

// |y - expected| may be as large as the float32 rounding of terms that cancel: none is larger than about twice the
// row's largest weight (codes with an offset, scale and minimum) times its activation, and each of them and each
// partial sum is rounded at 2^-24.
struct Expected {
  double value, bound;
};
Expected Oracle(const PackedView& weights, int64_t row, const std::vector<float>& x, const LinearKernel& kernel) {
  std::vector<float> w(static_cast<size_t>(weights.cols));
  weights.format->decode_row(weights, row, w.data());
  bool deployed = kernel.arithmetic == Arithmetic::kDeployed;
  Kind kind = weights.format->activation;
  if (deployed && kind == Kind::kBF16)
    for (float& v : w) v = RoundToBf16(v);
  double sum = 0, magnitude = 0, largest = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    sum += static_cast<double>(w[i]) * x[i];
    magnitude += std::fabs(x[i]);
    largest = std::max(largest, std::fabs(static_cast<double>(w[i])));
  }
  double bound = 1e-6 * largest * magnitude + 1e-37;
  if (deployed && kind == Kind::kQ8_1) {
    // The scale and the sum of a Q8_1 block are rounded to half one by one: by 2^-11 of themselves, or 2^-25 where
    // subnormal.
    for (size_t b = 0; b < w.size(); b += 32) {
      double block = 0, top = 0;
      for (size_t i = b; i < b + 32; ++i) {
        block += x[i];
        top = std::max(top, std::fabs(static_cast<double>(x[i])));
      }
      double codes = top > 0 ? std::fabs(block) / (top / 127) : 0;
      bound += (std::fabs(block) * 0x1p-10 + (codes + 1) * 0x1p-25) * largest * 2;
    }
  }
  return {sum, bound};
}

bool FlatShapeFits(const Format& format, int64_t rows, int64_t cols) {
  return !format.flat || rows * cols % format.scale_weights == 0;
}

int64_t SmallestCols(const Format& format) {
  return std::max({format.block_weights, format.scale_weights, 1});
}

void CheckAgainstOracle(const LinearKernel& kernel, const TestMatrix& m, const std::vector<float>& x,
                        int64_t n_tokens) {
  const PackedView& view = m.view;
  std::vector<float> y = Multiply(kernel, view, x, n_tokens);
  ASSERT_EQ(y.size(), static_cast<size_t>(n_tokens * view.rows)) << kernel.name << " wrote behind its activations";
  Kind kind = kernel.arithmetic == Arithmetic::kDeployed ? view.format->activation : Kind::kFloat;
  for (int64_t t = 0; t < n_tokens; ++t) {
    std::vector<float> rounded = RoundedActivations(kind, x.data() + t * view.cols, view.cols);
    for (int64_t r = 0; r < view.rows; ++r) {
      Expected e = Oracle(view, r, rounded, kernel);
      ASSERT_NEAR(y[static_cast<size_t>(t * view.rows + r)], e.value, e.bound)
          << kernel.name << " " << view.format->name << " [" << view.rows << ", " << view.cols << "] token " << t
          << " row " << r;
    }
  }
}

const CpuFeatures& Whole() {
  static const CpuFeatures features = Levels().back().features;
  return features;
}

TEST(LinearKernels, MatchTheOracleInEveryFormat) {
  std::map<std::string_view, int> runs;
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      ++runs[kernel.name];
      int64_t unit = SmallestCols(format);
      // Odd shapes: fewer rows than lanes, one row more than a tile, more than one piece of 1024 columns.
      for (auto [rows, units] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {17, 2}, {37, std::max<int64_t>(1, 1312 / unit)}, {16, 7}}) {
        int64_t cols = units * unit;
        if (unit == 1) cols = units * 13 + 2;
        if (!FlatShapeFits(format, rows, cols)) rows = 64;
        TestMatrix m = EncodedMatrix(format, rows, cols, static_cast<uint64_t>(rows * 1000 + cols));
        CheckAgainstOracle(kernel, m, RandomActivations(cols * 5, 7), 5);
        if (HasFatalFailure()) return;
      }
    }
  }
  // A kernel that was never run although the processor has its instructions has not been tested.
  for (const LinearKernel& kernel : LinearKernels()) {
    bool lacks = (kernel.name.starts_with("avx2") && !Whole().avx2_fma) ||
                 (kernel.name.starts_with("avx512") && !Whole().avx512) ||
                 (kernel.name.starts_with("avx512-vnni") && !Whole().avx512_vnni) ||
                 (kernel.name.starts_with("avx512-bf16") && !Whole().avx512_bf16);
    EXPECT_TRUE(lacks || runs[kernel.name] > 0) << kernel.name << " supports no format";
  }
}

TEST(LinearKernels, ReadAnyBytesOfTheBlockFormats) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (HalfFieldsOf(format.name).first < 0 || !kernel.unsupported(format, Whole()).empty()) continue;
      int64_t cols = format.block_weights * (format.block_weights == 32 ? 21 : 3);
      TestMatrix m = RandomBytesMatrix(format, 33, cols, 99);
      CheckAgainstOracle(kernel, m, RandomActivations(cols * 9, 11), 9);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LinearKernels, LargeAndSmallMagnitudes) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      int64_t cols = std::max<int64_t>(256, SmallestCols(format));
      TestMatrix m = EncodedMatrix(format, 16, cols, 3);
      for (float sigma : {1e-4f, 300.0f}) {
        std::vector<float> x = RandomActivations(cols * 2, 21, sigma);
        x[5] *= 100;
        CheckAgainstOracle(kernel, m, x, 2);
        if (HasFatalFailure()) return;
      }
      // Zeros and subnormal activations: results are zero or as good as zero.
      std::vector<float> tiny(static_cast<size_t>(cols), 1e-41f);
      for (float v : Multiply(kernel, m.view, std::vector<float>(static_cast<size_t>(cols), 0.0f), 1))
        ASSERT_EQ(v, 0.0f) << kernel.name;
      for (float v : Multiply(kernel, m.view, tiny, 1))
        ASSERT_LT(std::fabs(v), 1e-36f) << kernel.name << " " << format.name;
    }
  }
}

TEST(LinearKernels, ActivationsThatAreNotFiniteMakeNotANumber) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      int64_t cols = std::max<int64_t>(256, SmallestCols(format));
      TestMatrix m = EncodedMatrix(format, 16, cols, 3);
      for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> x = RandomActivations(cols, 5);
        x[37] = bad;
        for (float v : Multiply(kernel, m.view, x, 1))
          ASSERT_FALSE(std::isfinite(v)) << kernel.name << " " << format.name << " " << bad;
      }
    }
  }
}

// The promise of linear.h: the number of tokens, the piece of rows and the neighbours do not change a bit.
TEST(LinearKernels, SameBitsInEveryShape) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      constexpr int64_t kRows = 43, kTokens = 33;
      int64_t cols = SmallestCols(format) > 64 ? SmallestCols(format) * 5 : 1088;
      if (SmallestCols(format) == 1) cols = 1031;
      int64_t rows = FlatShapeFits(format, kRows, cols) ? kRows : 64;
      TestMatrix m = EncodedMatrix(format, rows, cols, 17);
      std::vector<float> x = RandomActivations(cols * kTokens, 23);
      std::vector<float> one_by_one;
      for (int64_t t = 0; t < kTokens; ++t) {
        std::vector<float> y = Multiply(kernel, m.view, {x.begin() + t * cols, x.begin() + (t + 1) * cols}, 1);
        one_by_one.insert(one_by_one.end(), y.begin(), y.end());
      }
      int64_t token_bytes = kernel.activation_bytes(cols);
      Aligned prepared(token_bytes * kTokens);
      for (int64_t t = 0; t < kTokens; ++t)
        kernel.prepare(x.data() + t * cols, cols, prepared.data() + t * token_bytes);
      // The kernels for any format share one path: a few shapes of each do.
      bool shared = kernel.name.find("any") != std::string_view::npos || kernel.name.ends_with("reference");
      for (int64_t n = 1; n <= kTokens; n += shared && n > 2 ? 6 : 1) {
        // Pieces of rows that change with n, and a stride with room between tokens.
        std::vector<float> y(static_cast<size_t>(n * (rows + 3)), -7.0f);
        for (int64_t begin = 0; begin < rows;) {
          int64_t end = std::min(rows, begin + 1 + (begin * 7 + n * 5) % 19);
          kernel.multiply(m.view, prepared.data(), n, begin, end, y.data(), rows + 3);
          begin = end;
        }
        for (int64_t t = 0; t < n; ++t) {
          for (int64_t r = 0; r < rows; ++r)
            ASSERT_EQ(std::bit_cast<uint32_t>(y[static_cast<size_t>(t * (rows + 3) + r)]),
                      std::bit_cast<uint32_t>(one_by_one[static_cast<size_t>(t * rows + r)]))
                << kernel.name << " " << format.name << " tokens " << n << " token " << t << " row " << r;
          for (int64_t r = rows; r < rows + 3; ++r)
            ASSERT_EQ(y[static_cast<size_t>(t * (rows + 3) + r)], -7.0f) << kernel.name;
        }
      }
    }
  }
}

// Tensors of a mapped file may begin at any byte.
TEST(LinearKernels, WeightsAtAnyAddress) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      int64_t cols = std::max<int64_t>(64, SmallestCols(format));
      TestMatrix m = EncodedMatrix(format, 19, FlatShapeFits(format, 19, cols) ? cols : 64, 37);
      std::vector<float> x = RandomActivations(m.view.cols * 7, 41), expected = Multiply(kernel, m.view, x, 7);
      m.codes.insert(m.codes.begin(), std::byte{0});
      m.scales.insert(m.scales.begin(), std::byte{0});
      m.view.codes = m.codes.data() + 1;
      if (m.view.scales) m.view.scales = m.scales.data() + 1;
      ASSERT_EQ(Multiply(kernel, m.view, x, 7), expected) << kernel.name << " " << format.name;
    }
  }
}

TEST(LinearKernels, ManyTokensSameBits) {
  for (const LinearKernel& kernel : LinearKernels()) {
    for (const Format* row : RepresentativeFormats()) {
      const Format& format = *row;
      if (!kernel.unsupported(format, Whole()).empty()) continue;
      int64_t cols = std::max<int64_t>(256, SmallestCols(format)), n = 150;
      TestMatrix m = EncodedMatrix(format, 16, cols, 19);
      std::vector<float> x = RandomActivations(cols * n, 29);
      std::vector<float> y = Multiply(kernel, m.view, x, n);
      std::vector<float> last = Multiply(kernel, m.view, {x.end() - cols, x.end()}, 1);
      for (size_t r = 0; r < 16; ++r)
        ASSERT_EQ(y[static_cast<size_t>(n - 1) * 16 + r], last[r]) << kernel.name << " " << format.name;
    }
  }
}

TEST(ChooseLinear, EveryFormatAndLevelHasAKernel) {
  for (const Level& level : Levels()) {
    for (const Format& format : Formats()) {
      for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
        const LinearKernel& kernel = ChooseLinear(format, arithmetic, level.features);
        EXPECT_EQ(kernel.arithmetic, arithmetic);
        EXPECT_EQ(kernel.unsupported(format, level.features), "");
        if (level.name == "scalar") {
          EXPECT_TRUE(kernel.name.starts_with("scalar")) << kernel.name;
        } else if (level.name == "avx2" && level.features.avx2_fma && !ref::IsStatic(format.activation)) {
          EXPECT_TRUE(kernel.name.starts_with("avx2")) << kernel.name;
        }
      }
    }
  }
}

TEST(ChooseLinear, ForcedKernelsAndTheirReasons) {
  const Format& format = GetFormat("q8_0");
  CpuFeatures none;
  EXPECT_EQ(ChooseLinear(format, Arithmetic::kReference, Whole(), "scalar reference").name, "scalar reference");
  auto message = [&](std::string_view forced, Arithmetic arithmetic) -> std::string {
    try {
      ChooseLinear(format, arithmetic, none, forced);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("scalar any*q8_k", Arithmetic::kDeployed), testing::HasSubstr("cannot run format q8_0"));
  EXPECT_THAT(message("scalar reference", Arithmetic::kDeployed), testing::HasSubstr("reference arithmetic"));
  EXPECT_THAT(message("nonsense", Arithmetic::kDeployed), testing::HasSubstr("expected one of"));
#if defined(__x86_64__)
  EXPECT_THAT(message("avx2 q8_0*q8_0", Arithmetic::kDeployed), testing::HasSubstr("lacks AVX2"));
#endif
}

TEST(LinearKernels, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const LinearKernel& kernel : LinearKernels()) EXPECT_TRUE(names.insert(kernel.name).second) << kernel.name;
}

TEST(DecodeColumns, PiecesOfEveryFormatEqualTheRow) {
  for (const Format& format : Formats()) {
    ASSERT_TRUE(DecodesInPieces(format)) << format.name;
    int64_t cols = std::max<int64_t>(SmallestCols(format), 1) * (2304 / SmallestCols(format) + 1),
            rows = format.flat ? 64 : 3;
    if (format.flat) cols = 2305;
    TestMatrix m = EncodedMatrix(format, rows, cols, 31);
    std::vector<float> row(static_cast<size_t>(cols)), pieces(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r) {
      format.decode_row(m.view, r, row.data());
      for (int64_t begin = 0; begin < cols; begin += kDecodeColumns)
        DecodeColumns(m.view, r, begin, std::min(kDecodeColumns, cols - begin), pieces.data() + begin);
      ASSERT_EQ(row, pieces) << format.name << " row " << r;
    }
  }
}

}  // namespace
}  // namespace assay
