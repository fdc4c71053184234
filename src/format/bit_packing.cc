#include "format/bit_packing.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "format/vector/bit_spread.h"

namespace assay {
namespace {

// Adds `bits` bits at a bit offset of zeroed bytes.
void Put(std::span<std::byte> bytes, size_t at, unsigned value, int bits) {
  const unsigned shifted = value << (at % 8);
  bytes[at / 8] |= static_cast<std::byte>(shifted & 0xff);
  if (static_cast<int>(at % 8) + bits > 8) bytes[at / 8 + 1] |= static_cast<std::byte>(shifted >> 8);
}

unsigned Get(std::span<const std::byte> bytes, size_t at, int bits) {
  unsigned word = static_cast<unsigned>(bytes[at / 8]);
  if (static_cast<int>(at % 8) + bits > 8) word |= static_cast<unsigned>(bytes[at / 8 + 1]) << 8;
  return word >> (at % 8) & ((1u << bits) - 1);
}

// Calls whole<bits>(i) for each eight of n values, then rest(i) for what is left.
template <typename Whole, typename Rest>
void ForEights(size_t n, int bits, Whole whole, Rest rest) {
  size_t i = 0;
  auto run = [&]<int width>() {
    for (; bits == width && i + 8 <= n; i += 8) whole.template operator()<width>(i);
  };
  [&]<int... widths>(std::integer_sequence<int, widths...>) {
    (run.template operator()<widths + 1>(), ...);
  }
  (std::make_integer_sequence<int, 8>());
  for (; i < n; ++i) rest(i);
}

void CheckRoom(int bits, size_t have, size_t need) {
  ASSAY_CHECK(bits >= 1 && bits <= 8 && have >= need);
}

// Where value i of a padded stream begins.
size_t PaddedBit(size_t i, int bits) {
  const size_t per_word = static_cast<size_t>(32 / bits);
  return i / per_word * 32 + i % per_word * static_cast<size_t>(bits);
}

// The widths of the planes of a value, low bits first.
std::span<const int> Planes(int bits) {
  static constexpr int k3[] = {2, 1}, k5[] = {4, 1}, k6[] = {4, 2}, k7[] = {4, 2, 1};
  static constexpr int kWhole[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  switch (bits) {
    case 3:
      return k3;
    case 5:
      return k5;
    case 6:
      return k6;
    case 7:
      return k7;
    default:
      return {&kWhole[bits], 1};
  }
}

}  // namespace

void PackDense(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes) {
  const size_t width = static_cast<size_t>(bits);
  CheckRoom(bits, bytes.size(), (values.size() * width + 7) / 8);
  const size_t whole = values.size() / 8 * width;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(whole), bytes.end(), std::byte{0});
  ForEights(
      values.size(), bits,
      [&]<int b>(size_t i) {
        uint64_t eight;
        std::memcpy(&eight, values.data() + i, 8);
        eight = GatherBits<b>(eight);
        std::memcpy(bytes.data() + i / 8 * b, &eight, b);
      },
      [&](size_t i) { Put(bytes, i * width, values[i], bits); });
}

void UnpackDense(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values) {
  const size_t width = static_cast<size_t>(bits);
  CheckRoom(bits, bytes.size(), (values.size() * width + 7) / 8);
  ForEights(
      values.size(), bits,
      [&]<int b>(size_t i) {
        const uint64_t eight = SpreadBits<b>(LoadWord<b>(bytes.data() + i / 8 * b));
        std::memcpy(values.data() + i, &eight, 8);
      },
      [&](size_t i) { values[i] = static_cast<uint8_t>(Get(bytes, i * width, bits)); });
}

int64_t PaddedBytes(int64_t n, int bits) {
  const int64_t per_word = 32 / bits;
  return (n + per_word - 1) / per_word * 4;
}

int64_t DenseWordBytes(int64_t n, int bits) {
  return (n * bits + 31) / 32 * 4;
}

void PackPadded(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes) {
  CheckRoom(bits, bytes.size(), static_cast<size_t>(PaddedBytes(static_cast<int64_t>(values.size()), bits)));
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  for (size_t i = 0; i < values.size(); ++i) Put(bytes, PaddedBit(i, bits), values[i], bits);
}

void UnpackPadded(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values) {
  CheckRoom(bits, bytes.size(), static_cast<size_t>(PaddedBytes(static_cast<int64_t>(values.size()), bits)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(Get(bytes, PaddedBit(i, bits), bits));
}

void PackPlanar(std::span<const uint8_t> values, int bits, std::span<std::byte> bytes) {
  ASSAY_CHECK(values.size() % 32 == 0);
  CheckRoom(bits, bytes.size(), values.size() / 8 * static_cast<size_t>(bits));
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  for (size_t first = 0; first < values.size(); first += 32) {
    size_t at = first * static_cast<size_t>(bits);
    int low = 0;
    for (const int width : Planes(bits)) {
      for (size_t i = 0; i < 32; ++i, at += static_cast<size_t>(width))
        Put(bytes, at, static_cast<unsigned>(values[first + i]) >> low & ((1u << width) - 1), width);
      low += width;
    }
  }
}

void UnpackPlanar(std::span<const std::byte> bytes, int bits, std::span<uint8_t> values) {
  ASSAY_CHECK(values.size() % 32 == 0);
  CheckRoom(bits, bytes.size(), values.size() / 8 * static_cast<size_t>(bits));
  for (size_t first = 0; first < values.size(); first += 32) {
    size_t at = first * static_cast<size_t>(bits);
    int low = 0;
    for (const int width : Planes(bits)) {
      for (size_t i = 0; i < 32; ++i, at += static_cast<size_t>(width)) {
        const unsigned field = Get(bytes, at, width) << low;
        values[first + i] = static_cast<uint8_t>(low == 0 ? field : values[first + i] | field);
      }
      low += width;
    }
  }
}

}  // namespace assay
