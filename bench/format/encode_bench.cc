// Nanoseconds per weight of encoding and of decoding rows that lie in the processor's cache: one thread, processor
// time, the best of several rounds.
//
// With --source, also what quantizing a whole model in memory takes: its matrices, mapped, are decoded and encoded by
// two threads into buffers that are used again. The last column is that time over the time of only reading the same
// bytes by the same threads, interleaved, medians of five. A factor of the matrix is not looked for.
//
// ASSAY_ISA=avx2 measures the code for processors without AVX-512.
//
// usage: encode_bench [--source MODEL] [FORMAT…]   (default: every format that can be written)

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "convert/row_sums.h"
#include "format/format.h"
#include "system/machine.h"
#include "system/threads.h"

namespace assay {
namespace {

constexpr int64_t kCols = 2048, kRows = 4;

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Nanoseconds per weight; work() handles n weights.
double Best(int64_t n, const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < 7; ++round) {
    int64_t turns = 0;
    const double start = ThreadSeconds();
    double end = start;
    for (; end < start + 0.02; end = ThreadSeconds()) {
      for (int k = 0; k < 20; ++k) work();  // the clock takes as long as a fast one
      turns += 20;
    }
    best = std::min(best, (end - start) / static_cast<double>(turns * n));
  }
  return best * 1e9;
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Calls body(matrix, first row, row after the last, thread) in pieces of some thousand weights.
void ForPieces(const Checkpoint& source, ThreadPool& pool,
               const std::function<void(const PackedView&, int64_t, int64_t, int)>& body) {
  for (const Tensor& tensor : source.tensors()) {
    if (tensor.shape.size() < 2) continue;
    const int64_t grain = std::max<int64_t>(1, 8192 / tensor.view.cols);
    pool.For(tensor.view.rows, grain,
             [&](int64_t from, int64_t to, int thread) { body(tensor.view, from, to, thread); });
  }
}

struct Global {
  float scale = 1, divisor = 1;
};
// For weights as they usually are.
Global GlobalOf(const Format& format) {
  Global global;
  if (format.choose_global) format.choose_global({0.1f, 0.016f}, &global.scale, &global.divisor);
  return global;
}

// Quantizing over reading; 0: the format does not fit.
double OverReading(const Checkpoint& source, const Format& format, ThreadPool& pool) {
  struct Scratch {
    std::vector<float> rows;
    std::vector<std::byte> codes, scales;
    uint64_t sum = 0;
  };
  const Global global = GlobalOf(format);
  std::vector<Scratch> scratch(static_cast<size_t>(pool.threads()));
  int64_t most = 0;
  for (const Tensor& tensor : source.tensors()) {
    if (tensor.shape.size() < 2) continue;
    if (!FitsColumns(format, tensor.view.cols) || format.block_rows > 1) return 0;
    most = std::max(most, std::max<int64_t>(8192, tensor.view.cols));
  }
  for (Scratch& s : scratch) {
    s.rows.resize(static_cast<size_t>(most));
    s.codes.resize(static_cast<size_t>(8 * most));
    s.scales.resize(static_cast<size_t>(8 * most));
  }
  const auto read = [&](const PackedView& view, int64_t from, int64_t to, int thread) {
    const int64_t bytes = CodesBytes(*view.format, 1, view.cols);
    uint64_t sum[8] = {};
    for (int64_t at = from * bytes; at + 64 <= to * bytes; at += 64) {
      uint64_t line[8];
      std::memcpy(line, view.codes + at, sizeof line);
      for (int i = 0; i < 8; ++i) sum[i] ^= line[i];
    }
    for (const uint64_t part : sum) scratch[static_cast<size_t>(thread)].sum ^= part;
  };
  const auto quantize = [&](const PackedView& view, int64_t from, int64_t to, int thread) {
    Scratch& s = scratch[static_cast<size_t>(thread)];
    for (int64_t row = from; row < to; ++row)
      view.format->decode_row(view, row, s.rows.data() + (row - from) * view.cols);
    s.sum += AllFinite(s.rows.data(), (to - from) * view.cols);
    format.encode_rows(s.rows.data(), to - from, view.cols, nullptr, global.scale, global.divisor, s.codes.data(),
                       s.scales.data());
  };
  std::vector<double> reading, quantizing;
  for (int round = 0; round < 5; ++round) {
    const double start = Now();
    ForPieces(source, pool, read);
    const double middle = Now();
    ForPieces(source, pool, quantize);
    reading.push_back(middle - start);
    quantizing.push_back(Now() - middle);
  }
  return Median(quantizing) / Median(reading);
}

void Measure(const Format& format, const std::vector<float>& weights, const Checkpoint* source, ThreadPool& pool) {
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, kRows, kCols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, kRows, kCols)));
  std::vector<float> decoded(kCols);
  PackedView view;
  view.format = &format;
  view.rows = kRows;
  view.cols = kCols;
  view.codes = codes.data();
  view.scales = scales.data();
  const Global global = GlobalOf(format);
  view.global_scale = global.scale;
  view.global_divisor = global.divisor;
  const double encode = Best(kRows * kCols, [&] {
    format.encode_rows(weights.data(), kRows, kCols, nullptr, global.scale, global.divisor, codes.data(),
                       scales.data());
  });
  const double decode = Best(kRows * kCols, [&] {
    for (int64_t row = 0; row < kRows; ++row) format.decode_row(view, row, decoded.data());
  });
  const double ratio = source ? OverReading(*source, format, pool) : 0;
  fmt::print("| {} | {:.3f} | {:.3f} | {} |\n", format.name, encode, decode,
             ratio > 0 ? fmt::format("{:.2f}", ratio) : "–");
}

void Main(std::vector<std::string> names) {
  std::shared_ptr<const Checkpoint> source;
  if (names.size() > 1 && names[0] == "--source") {
    source = Checkpoint::Open(names[1]);
    names.erase(names.begin(), names.begin() + 2);
  }
  ThreadPool pool(2);
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> weights(kRows * kCols), other;
  for (float& weight : weights) weight = normal(random);
  for (const float weight : weights) other.push_back(weight * 1.01f);
  double error = 0, energy = 0;
  fmt::print(
      "error sums {:.3f} ns, finite check {:.3f} ns per weight\n\n| format | encode ns | decode ns | in memory / "
      "reading "
      "|\n|---|---|---|---|\n",
      Best(kRows * kCols, [&] { AddSquares(weights.data(), other.data(), kRows * kCols, &error, &energy); }),
      Best(kRows * kCols, [&] { energy += AllFinite(weights.data(), kRows * kCols); }));
  for (const Format& format : Formats()) {
    const bool wanted =
        names.empty() ? !format.variant : std::find(names.begin(), names.end(), format.name) != names.end();
    if (wanted && format.encode_rows && FitsColumns(format, kCols) && !format.by_column_group)
      Measure(format, weights, source.get(), pool);
  }
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (const char* level = std::getenv("ASSAY_ISA")) assay::LimitCpu(level);
  assay::Main({argv + 1, argv + argc});
}
