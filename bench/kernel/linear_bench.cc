// Speed of the linear kernels against what the machine can do.
//
//   linear_bench [--threads N] [--isa scalar|avx2|avx512] [--rows R] [--cols C] [--tokens T] [--arithmetic A]
//   [--cpu-time] [FORMAT …]
//
// For each format and arithmetic: decode (one token; GB/s of packed weights, percent of a read of as many bytes,
// measured just before) and prefill (T tokens; billions of multiply-adds a second, percent of the peak of the widest
// instruction for that arithmetic).
// --cpu-time counts processor time instead of the clock on the wall, for a machine that others use at the same time
// (one thread only). Every figure is the median of five runs. The weights of the decode run are larger than the private
// caches.

#include <fmt/core.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernel/linear.h"
#include "system/machine.h"
#include "system/threads.h"

namespace assay {
namespace {

struct Options {
  int threads = 1;
  int64_t rows = 5632, cols = 2048, tokens = 128;
  std::string arithmetic;
  std::vector<std::string> formats;
};

bool use_cpu_time = false;

double Seconds() {
  return use_cpu_time ? static_cast<double>(std::clock()) / CLOCKS_PER_SEC : Now();
}

template <class Body>
double MedianSeconds(Body body) {
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    double start = Seconds();
    body();
    seconds.push_back(Seconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[2];
}

#if defined(__x86_64__)
// Ten independent chains of one instruction; multiply-adds of one instruction given by the caller.
#define ASSAY_PEAK(name, isa, instruction)                                                                         \
  __attribute__((target(isa))) void name(int64_t n) {                                                              \
    for (int64_t i = 0; i < n; ++i)                                                                                \
      asm volatile(instruction                                                                                     \
                   "0\n" instruction "1\n" instruction "2\n" instruction "3\n" instruction "4\n" instruction       \
                   "5\n" instruction "6\n" instruction "7\n" instruction "8\n" instruction "9\n" ::                \
                       : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm15"); \
  }
ASSAY_PEAK(PeakFma512, "avx512f", "vfmadd231ps %%zmm15, %%zmm15, %%zmm")
ASSAY_PEAK(PeakFma256, "avx2,fma", "vfmadd231ps %%ymm15, %%ymm15, %%ymm")
ASSAY_PEAK(PeakBf16, "avx512f,avx512bf16", "vdpbf16ps %%zmm15, %%zmm15, %%zmm")
ASSAY_PEAK(PeakVnni, "avx512f,avx512vnni", "vpdpbusd %%zmm15, %%zmm15, %%zmm")
ASSAY_PEAK(PeakMaddubs, "avx2", "vpmaddubsw %%ymm15, %%ymm15, %%ymm")
#undef ASSAY_PEAK
#endif

// Multiply-adds a second of the widest instruction, all threads together; 0 when not known.
double Peak(const LinearKernel& kernel, ThreadPool& pool) {
#if defined(__x86_64__)
  auto rate = [&](void (*peak)(int64_t), double lanes) {
    constexpr int64_t kLoops = 10'000'000;
    double s = MedianSeconds([&] { pool.For(pool.threads(), 1, [&](int64_t, int64_t, int) { peak(kLoops); }); });
    return static_cast<double>(kLoops) * 10 * lanes * pool.threads() / s;
  };
  if (kernel.name.starts_with("avx512-bf16")) return rate(PeakBf16, 32);
  if (kernel.name.starts_with("avx512-vnni")) return rate(PeakVnni, 64);
  if (kernel.name.starts_with("avx512")) return rate(PeakFma512, 16);
  if (kernel.name.starts_with("avx2") && kernel.arithmetic == Arithmetic::kDeployed &&
      (kernel.name.find("*q8") != std::string_view::npos || kernel.name.find("*int8") != std::string_view::npos))
    return rate(PeakMaddubs, 32);
  if (kernel.name.starts_with("avx2")) return rate(PeakFma256, 8);
#endif
  return 0;
}

// Reads `bytes` (a multiple of 256) once; the result keeps the compiler from leaving it out.
#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t ReadOnce(const std::byte* p, int64_t bytes) {
  __m256i sums[8] = {};
  // Eight streams side by side, as kernels read rows: one alone keeps fewer lines in flight.
  for (int64_t i = 0; i < bytes / 8; i += 32)
    for (int j = 0; j < 8; ++j)
      sums[j] =
          _mm256_xor_si256(sums[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + j * (bytes / 8) + i)));
  for (int j = 1; j < 8; ++j) sums[0] = _mm256_xor_si256(sums[0], sums[j]);
  return static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0));
}
#else
uint64_t ReadOnce(const std::byte* p, int64_t bytes) {
  uint64_t sum = 0, word;
  for (int64_t i = 0; i < bytes; i += 8) {
    std::memcpy(&word, p + i, 8);
    sum ^= word;
  }
  return sum;
}
#endif

// Bytes a second of plain reading, all threads together.
double ReadRate(const std::vector<std::byte>& memory, ThreadPool& pool) {
  auto n = static_cast<int64_t>(memory.size() / 256);
  std::vector<uint64_t> sums(static_cast<size_t>(pool.threads()) * 8);
  double s = MedianSeconds([&] {
    pool.For(n, (n + pool.threads() - 1) / pool.threads() / 8, [&](int64_t begin, int64_t end, int worker) {
      sums[static_cast<size_t>(worker) * 8] ^= ReadOnce(memory.data() + begin * 256, (end - begin) * 256);
    });
  });
  volatile uint64_t keep = sums[0];
  (void)keep;
  return static_cast<double>(n) * 256 / s;
}

void Report(const Options& options, const Format& format, Arithmetic arithmetic, ThreadPool& pool) {
  const LinearKernel& kernel = ChooseLinear(format, arithmetic, Cpu());
  int64_t code_bytes = CodesBytes(format, options.rows, options.cols),
          scale_bytes = ScalesBytes(format, options.rows, options.cols);
  Random random(1);
  // One random matrix of 64 rows, repeated.
  constexpr int64_t kPattern = 64;
  std::vector<float> weights(static_cast<size_t>(kPattern * options.cols));
  for (float& w : weights) w = static_cast<float>(random.Normal()) * 0.02f;
  std::vector<std::byte> pattern(static_cast<size_t>(CodesBytes(format, kPattern, options.cols)));
  std::vector<std::byte> pattern_scales(static_cast<size_t>(ScalesBytes(format, kPattern, options.cols)));
  float global_scale = 1, global_divisor = 1;
  if (format.choose_global) format.choose_global({0.1f, 0.05f}, &global_scale, &global_divisor);
  format.encode_rows(weights.data(), kPattern, options.cols, nullptr, global_scale, global_divisor, pattern.data(),
                     pattern_scales.data());
  int64_t copies = std::max<int64_t>(1, (int64_t{192} << 20) / (code_bytes + scale_bytes));
  std::vector<std::byte> codes(static_cast<size_t>(code_bytes * copies)),
      scales(static_cast<size_t>(scale_bytes * copies));
  for (size_t at = 0; at < codes.size(); at += pattern.size())
    std::memcpy(codes.data() + at, pattern.data(), std::min(pattern.size(), codes.size() - at));
  for (size_t at = 0; at < scales.size(); at += pattern_scales.size())
    std::memcpy(scales.data() + at, pattern_scales.data(), std::min(pattern_scales.size(), scales.size() - at));

  int64_t token_bytes = kernel.activation_bytes(options.cols);
  std::vector<float> x(static_cast<size_t>(options.tokens * options.cols));
  for (float& v : x) v = static_cast<float>(random.Normal());
  auto* prepared = static_cast<std::byte*>(std::aligned_alloc(64, static_cast<size_t>(token_bytes * options.tokens)));
  double prepare_s = MedianSeconds([&] {
    for (int64_t t = 0; t < options.tokens; ++t)
      kernel.prepare(x.data() + t * options.cols, options.cols, prepared + t * token_bytes);
  });
  std::vector<float> y(static_cast<size_t>(options.tokens * options.rows));
  int64_t grain = std::max<int64_t>(32, (options.rows / (pool.threads() * 4) + 15) / 16 * 16);
  auto run = [&](int64_t copy, int64_t tokens) {
    PackedView view{&format,
                    options.rows,
                    options.cols,
                    codes.data() + copy * code_bytes,
                    scale_bytes ? scales.data() + copy * scale_bytes : nullptr,
                    global_scale,
                    global_divisor};
    pool.For(options.rows, grain, [&](int64_t begin, int64_t end, int) {
      kernel.multiply(view, prepared, tokens, begin, end, y.data(), options.rows);
    });
  };
  double read = ReadRate(codes, pool), peak = Peak(kernel, pool);
  double decode_s = MedianSeconds([&] {
    for (int64_t c = 0; c < copies; ++c) run(c, 1);
  });
  double prefill_s = MedianSeconds([&] { run(0, options.tokens); });
  double bytes = static_cast<double>((code_bytes + scale_bytes) * copies);
  double products = static_cast<double>(options.rows * options.cols * options.tokens);
  fmt::print(
      "{:<16} {:<28} decode {:6.2f} GB/s {:4.0f}% of {:5.1f}   prefill {:7.1f} GMAC/s {:3.0f}% of {:6.1f}   prepare "
      "{:5.2f} ns/value\n",
      format.name, kernel.name, bytes / decode_s * 1e-9, 100 * bytes / decode_s / read, read * 1e-9,
      products / prefill_s * 1e-9, peak > 0 ? 100 * products / prefill_s / peak : 0.0, peak * 1e-9,
      prepare_s * 1e9 / static_cast<double>(options.tokens * options.cols));
  std::free(prepared);
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (arg == "--threads") {
      options.threads = std::stoi(value());
    } else if (arg == "--isa") {
      LimitCpu(value());
    } else if (arg == "--rows") {
      options.rows = std::stoll(value());
    } else if (arg == "--cols") {
      options.cols = std::stoll(value());
    } else if (arg == "--tokens") {
      options.tokens = std::stoll(value());
    } else if (arg == "--arithmetic") {
      options.arithmetic = value();
    } else if (arg == "--cpu-time") {
      use_cpu_time = true;
    } else {
      options.formats.push_back(arg);
    }
  }
  ThreadPool pool(options.threads);
  fmt::print("{}, {}, {} thread(s), W [{}, {}], {} tokens\n", CpuName(), CpuFeatureText(Cpu()), pool.threads(),
             options.rows, options.cols, options.tokens);
  for (const Format& format : Formats()) {
    if (!options.formats.empty() &&
        std::find(options.formats.begin(), options.formats.end(), format.name) == options.formats.end())
      continue;
    for (Arithmetic arithmetic : {Arithmetic::kDeployed, Arithmetic::kReference}) {
      if (options.arithmetic.empty() || options.arithmetic == ArithmeticName(arithmetic))
        Report(options, format, arithmetic, pool);
    }
  }
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  return assay::Main(argc, argv);
}
