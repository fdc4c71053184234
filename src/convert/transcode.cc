#include "convert/transcode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "format/gguf/blocks.h"
#include "format/nvfp4.h"
#include "number/f16.h"

namespace assay {
namespace {

/// A row as integers: x = (u - zero) * scale, 0 <= u < 2^bits, one scale and zero per `group` columns.
struct GroupedCodes {
  int bits = 0;
  int64_t group = 0;
  std::vector<int> u;
  std::vector<float> scale, zero;
};

/// GGUF blocks of 32 with one scale, whose zero is the middle of the range.
bool IsGgufInteger(const Format& format) {
  return format.family == FormatFamily::kLegacy && !format.asymmetric;
}

bool IsInteger(const Format& format) {
  return format.family == FormatFamily::kInteger;
}

/// Field i of a little-endian stream of `bits` bits each.
int GetBits(const uint8_t* stream, int64_t i, int bits) {
  const int64_t at = i * bits;
  int value = stream[at / 8] >> (at % 8);
  if (at % 8 + bits > 8) value |= stream[at / 8 + 1] << (8 - at % 8);
  return value & ((1 << bits) - 1);
}

void PutBits(uint8_t* stream, int64_t i, int bits, int value) {
  const int64_t at = i * bits;
  stream[at / 8] = static_cast<uint8_t>(stream[at / 8] | (value << (at % 8)));
  if (at % 8 + bits > 8) stream[at / 8 + 1] = static_cast<uint8_t>(stream[at / 8 + 1] | (value >> (8 - at % 8)));
}

GroupedCodes ReadInteger(const PackedView& view, int64_t row) {
  const Format& format = *view.format;
  GroupedCodes out;
  out.bits = format.bits;
  out.group = format.scale_weights > 0 ? format.scale_weights : view.cols;
  out.u.resize(static_cast<size_t>(view.cols));
  const auto* codes =
      reinterpret_cast<const uint8_t*>(view.codes) + row * (view.cols / format.block_weights) * format.block_bytes;
  for (int64_t i = 0; i < view.cols; ++i)
    out.u[static_cast<size_t>(i)] = out.bits == 8 ? codes[i] ^ 0x80 : GetBits(codes, i, out.bits);
  const float middle = static_cast<float>(1 << (out.bits - 1));
  const int64_t n = std::max<int64_t>(1, ScalesPerRow(format, view.cols));
  for (int64_t i = 0; i < n; ++i) {
    ScaleAndZero entry = {view.global_scale / view.global_divisor, out.bits == 8 ? 0.0f : middle};
    if (format.scale_bytes > 0)
      std::memcpy(&entry, view.scales + (row * n + i) * format.scale_bytes, static_cast<size_t>(format.scale_bytes));
    out.scale.push_back(entry.scale);
    out.zero.push_back(out.bits == 8 ? entry.zero + 128 : entry.zero);
  }
  return out;
}

GroupedCodes ReadGguf(const PackedView& view, int64_t row) {
  const int bits = view.format->bits;
  GroupedCodes out;
  out.bits = bits;
  out.group = kQ;
  out.u.resize(static_cast<size_t>(view.cols));
  const size_t block_bytes = static_cast<size_t>(view.format->block_bytes);
  const auto* block =
      reinterpret_cast<const uint8_t*>(view.codes) + static_cast<size_t>(row * (view.cols / kQ)) * block_bytes;
  for (int64_t first = 0; first < view.cols; first += kQ, block += block_bytes) {
    uint16_t d;
    std::memcpy(&d, block, sizeof d);
    out.scale.push_back(DecodeF16(d));
    out.zero.push_back(static_cast<float>(1 << (bits - 1)));
    const uint8_t* qs = block + (bits == 5 ? 6 : 2);
    for (int j = 0; j < kQ; ++j) {
      int u = bits == 8 ? qs[j] ^ 0x80 : j < kQ / 2 ? qs[j] & 15 : qs[j - kQ / 2] >> 4;
      if (bits == 5) u |= (block[2 + j / 8] >> (j % 8) & 1) << 4;
      out.u[static_cast<size_t>(first + j)] = u;
    }
  }
  return out;
}

/// The row with codes of `bits` and zeros in the middle, or as they are for an asymmetric target; false when the range
/// does not hold it.
bool Rebase(GroupedCodes& row, int bits, bool asymmetric) {
  const float middle = static_cast<float>(1 << (bits - 1));
  const int most = (1 << bits) - 1;
  for (size_t i = 0; i < row.u.size(); ++i) {
    const float zero = row.zero[i / static_cast<size_t>(row.group)];
    if (asymmetric && bits >= row.bits) continue;  // codes and zeros stay
    if (zero != std::nearbyint(zero) || std::fabs(zero) > 1024) return false;
    row.u[i] += static_cast<int>(middle) - static_cast<int>(zero);
    if (row.u[i] < 0 || row.u[i] > most) return false;
  }
  if (!asymmetric || bits < row.bits) std::fill(row.zero.begin(), row.zero.end(), middle);
  row.bits = bits;
  return true;
}

bool WriteInteger(const GroupedCodes& row, const Format& to, std::byte* codes, std::byte* scales) {
  const auto cols = static_cast<int64_t>(row.u.size());
  auto* out = reinterpret_cast<uint8_t*>(codes);
  std::memset(out, 0, static_cast<size_t>(CodesBytes(to, 1, cols)));
  for (int64_t i = 0; i < cols; ++i) {
    const int u = row.u[static_cast<size_t>(i)];
    if (row.bits == 8)
      out[i] = static_cast<uint8_t>(u ^ 0x80);
    else
      PutBits(out, i, row.bits, u);
  }
  const int64_t group = to.scale_weights > 0 ? to.scale_weights : cols, n = ScalesPerRow(to, cols);
  for (int64_t i = 0; i < n; ++i) {
    const auto from = static_cast<size_t>(i * group / row.group);
    const ScaleAndZero entry = {row.scale[from], row.bits == 8 ? row.zero[from] - 128 : row.zero[from]};
    std::memcpy(scales + i * to.scale_bytes, &entry, static_cast<size_t>(to.scale_bytes));
  }
  return true;
}

bool WriteGguf(const GroupedCodes& row, const Format& to, std::byte* codes) {
  auto* block = reinterpret_cast<uint8_t*>(codes);
  const int bits = row.bits;
  for (size_t first = 0; first < row.u.size(); first += kQ, block += to.block_bytes) {
    const float scale = row.scale[first / static_cast<size_t>(row.group)];
    const uint16_t d = EncodeF16(scale);
    if (DecodeF16(d) != scale) return false;
    std::memset(block, 0, static_cast<size_t>(to.block_bytes));
    std::memcpy(block, &d, sizeof d);
    uint8_t* qs = block + (bits == 5 ? 6 : 2);
    for (int j = 0; j < kQ; ++j) {
      const int u = row.u[first + static_cast<size_t>(j)];
      if (bits == 8)
        qs[j] = static_cast<uint8_t>(u ^ 0x80);
      else
        qs[j % 16] = static_cast<uint8_t>(qs[j % 16] | (u & 15) << (j < kQ / 2 ? 0 : 4));
      if (bits == 5) block[2 + j / 8] = static_cast<uint8_t>(block[2 + j / 8] | (u >> 4) << (j % 8));
    }
  }
  return true;
}

bool Rewrite(const PackedView& from, int64_t row, const Format& to, std::byte* codes, std::byte* scales) {
  const bool target = IsGgufInteger(to);
  GroupedCodes integers = IsGgufInteger(*from.format) ? ReadGguf(from, row) : ReadInteger(from, row);
  const int64_t group = target ? kQ : to.scale_weights > 0 ? to.scale_weights : from.cols;
  if (integers.group % group != 0) {
    // A coarser scale: only when the finer ones agree.
    if (group % integers.group != 0) return false;
    for (size_t i = 0; i < integers.scale.size(); ++i) {
      const size_t first = i - i % static_cast<size_t>(group / integers.group);
      if (integers.scale[i] != integers.scale[first] || integers.zero[i] != integers.zero[first]) return false;
    }
  }
  if (!Rebase(integers, to.bits, to.asymmetric)) return false;
  return target ? WriteGguf(integers, to, codes) : WriteInteger(integers, to, codes, scales);
}

bool Same(const PackedView& from, int64_t row, const PackedView& to) {
  std::vector<float> expected(static_cast<size_t>(from.cols)), found(expected.size());
  from.format->decode_row(from, row, expected.data());
  to.format->decode_row(to, 0, found.data());
  return expected == found;
}

bool IntegerLike(const Format& format) {
  return IsInteger(format) || IsGgufInteger(format);
}

}  // namespace

bool MayTranscode(const Format& from, const Format& to) {
  if (IsNvfp4(from) && IsNvfp4(to)) return true;
  if (to.flat || to.has_global || to.block_rows > 1 || to.by_column_group || from.flat || !to.encode_rows) return false;
  if (to.exact) return true;
  // Activation schemes are not a matter of the weights, so formats that differ in them are different answers.
  return IntegerLike(from) && IntegerLike(to) && !from.by_column_group;
}

bool TranscodeRow(const PackedView& from, int64_t row, const Format& to, std::byte* codes, std::byte* scales) {
  if (IsNvfp4(*from.format) && IsNvfp4(to)) return RepackNvfp4Row(from, row, to, codes, scales);
  const PackedView written{&to, 1, from.cols, codes, scales};
  if (IntegerLike(*from.format) && IntegerLike(to)) {
    return !from.column_group && Rewrite(from, row, to, codes, scales) && Same(from, row, written);
  }
  std::vector<float> values(static_cast<size_t>(from.cols));
  from.format->decode_row(from, row, values.data());
  to.encode_rows(values.data(), 1, from.cols, nullptr, 1.0f, 1.0f, codes, scales);
  return Same(from, row, written);
}

}  // namespace assay
