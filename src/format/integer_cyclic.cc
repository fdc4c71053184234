#include "format/integer_cyclic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "format/bit_packing.h"
#include "format/integer.h"

namespace assay {
namespace {

constexpr int64_t kPiece = 256;    // codes that are unpacked at a time
constexpr int64_t kTogether = 64;  // groups that are gathered at a time, so that lines of memory are read once

int64_t Entries(const PackedView& view) {
  if (view.cycle > 0) return view.cycle;
  const int64_t n = view.rows * view.cols, group = view.format->scale_weights;
  return n / group + (n % group != 0);
}

ScaleAndZero EntryAt(const PackedView& view, int64_t entry) {
  ScaleAndZero out;
  std::memcpy(&out, view.scales + entry * static_cast<int64_t>(sizeof out), sizeof out);
  return out;
}

}  // namespace

void DecodeRowCyclic(const PackedView& view, int64_t row, float* out) {
  const int64_t entries = Entries(view), begin = row * view.cols;
  const int bits = view.format->bits;
  int64_t entry = entries > 0 ? (view.cycle_begin + begin) % entries : 0;
  uint8_t codes[kPiece + 8];
  for (int64_t done = 0; done < view.cols; done += kPiece) {
    const int64_t n = std::min(kPiece, view.cols - done), lead = (begin + done) % 8;
    const std::byte* from = view.codes + (begin + done - lead) / 8 * bits;
    UnpackDense({from, static_cast<size_t>(((lead + n) * bits + 7) / 8)}, bits, {codes, static_cast<size_t>(lead + n)});
    for (int64_t i = 0; i < n; ++i) {
      const ScaleAndZero by = EntryAt(view, entry);
      out[done + i] = (static_cast<float>(codes[lead + i]) - by.zero) * by.scale;
      if (++entry == entries) entry = 0;
    }
  }
}

bool ValidRowCyclic(const PackedView& view, int64_t row) {
  const int64_t entries = Entries(view), begin = row * view.cols;
  for (int64_t i = 0; i < std::min(view.cols, entries); ++i) {
    const ScaleAndZero by = EntryAt(view, (view.cycle_begin + begin + i) % entries);
    if (!std::isfinite(by.scale) || !std::isfinite(by.zero)) return false;
  }
  return true;
}

void EncodeRowsCyclic(int bits, int group, const float* weights, int64_t n_rows, int64_t cols, std::byte* codes,
                      std::byte* scales) {
  const int64_t n = n_rows * cols, entries = n / group + (n % group != 0);
  const int64_t row_bytes = bits == 8 ? group : group / 8 * bits;
  std::vector<uint8_t> all(static_cast<size_t>(n)), row(static_cast<size_t>(group));
  std::vector<float> gathered(static_cast<size_t>(kTogether * group));
  std::vector<std::byte> packed(static_cast<size_t>(kTogether * row_bytes));
  for (int64_t first = 0; first < entries; first += kTogether) {
    const int64_t together = std::min(kTogether, entries - first);
    for (int64_t k = 0; k < group; ++k)
      for (int64_t e = 0; e < together; ++e) {
        const int64_t at = k * entries + first + e;
        // Zeros, which every range includes, where the last group is short.
        gathered[static_cast<size_t>(e * group + k)] = at < n ? weights[at] : 0.0f;
      }
    EncodeRowsInteger({bits, -1, 1, true}, gathered.data(), together, group, 1.0f, packed.data(),
                      scales + first * static_cast<int64_t>(sizeof(ScaleAndZero)));
    for (int64_t e = 0; e < together; ++e) {
      UnpackDense({packed.data() + e * row_bytes, static_cast<size_t>(row_bytes)}, bits, row);
      for (int64_t k = 0; k < group && k * entries + first + e < n; ++k)
        all[static_cast<size_t>(k * entries + first + e)] =
            bits == 8 ? row[static_cast<size_t>(k)] ^ 0x80 : row[static_cast<size_t>(k)];
      if (bits < 8) continue;
      // Codes and zeros of eight bits are signed there.
      ScaleAndZero by;
      std::byte* entry = scales + (first + e) * static_cast<int64_t>(sizeof by);
      std::memcpy(&by, entry, sizeof by);
      by.zero += 128.0f;
      std::memcpy(entry, &by, sizeof by);
    }
  }
  PackDense(all, bits, {codes, static_cast<size_t>(bits == 8 ? n : (n + 7) / 8 * bits)});
}

const Format* CyclicFormat(int64_t bits, int64_t group) {
  for (const Format& format : Formats())
    if (format.cyclic && format.bits == bits && format.scale_weights == group) return &format;
  return nullptr;
}

}  // namespace assay
