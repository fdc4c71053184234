#include "checkpoint/hf/integers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "format/bit_packing.h"

namespace assay {
namespace {

constexpr int64_t kGroups[] = {1024, 512, 256, 128, 64, 32, 16};  // of the format table

const Format* FindInteger(const IntegerKind& kind, int64_t group) {
  for (const Format& format : Formats())
    if (format.family == FormatFamily::kInteger && format.bits == kind.bits && format.group == group &&
        format.block_rows == kind.block_rows && format.asymmetric == kind.asymmetric &&
        format.by_column_group == kind.column_group && format.activation == kind.activation)
      return &format;
  return nullptr;
}

}  // namespace

const Format* IntegerFormat(const IntegerKind& kind, int64_t cols) {
  if (const Format* exact = FindInteger(kind, kind.group)) return exact;
  if (kind.group <= 0 || kind.block_rows > 1) return nullptr;
  for (int64_t group : kGroups)
    if (kind.group % group == 0)
      if (const Format* finer = FindInteger(kind, group); finer && FitsColumns(*finer, cols)) return finer;
  return nullptr;
}

std::string IntegerText(const IntegerKind& kind) {
  std::string shape = kind.group > 0   ? fmt::format("{} {}", kind.block_rows > 1 ? "block" : "group", kind.group)
                      : kind.group < 0 ? "channel"
                                       : "tensor";
  return fmt::format("int{} {}{}{}", kind.bits, shape, kind.asymmetric ? " asymmetric" : "",
                     kind.column_group ? " with activation order" : "");
}

std::optional<IntegerKind> IntegerKindOf(const Format& format) {
  if (format.family != FormatFamily::kInteger) return std::nullopt;
  return IntegerKind{format.bits,       format.group,           format.block_rows,
                     format.asymmetric, format.by_column_group, format.activation};
}

void TurnSigns(const std::byte* in, int64_t n, std::byte* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, in + i, sizeof eight);
    eight ^= 0x8080808080808080;
    std::memcpy(out + i, &eight, sizeof eight);
  }
  for (; i < n; ++i) out[i] = in[i] ^ std::byte{0x80};
}

std::vector<std::byte> LayCodes(int64_t bits, int64_t rows, int64_t cols,
                                const std::function<void(int64_t row, uint8_t* codes)>& row_codes) {
  const int64_t row_bytes = bits == 8 ? cols : (cols * bits + 7) / 8;
  std::vector<std::byte> out(static_cast<size_t>(rows * row_bytes));
  std::vector<uint8_t> codes(static_cast<size_t>(cols));
  for (int64_t row = 0; row < rows; ++row) {
    row_codes(row, codes.data());
    std::span<std::byte> to(out.data() + row * row_bytes, static_cast<size_t>(row_bytes));
    if (bits == 8) {
      TurnSigns(reinterpret_cast<const std::byte*>(codes.data()), cols, to.data());
    } else {
      PackDense(codes, static_cast<int>(bits), to);
    }
  }
  return out;
}

void RowCodes(int64_t bits, const std::byte* row, int64_t cols, uint8_t* codes) {
  if (bits == 8) {
    TurnSigns(row, cols, reinterpret_cast<std::byte*>(codes));
  } else {
    UnpackDense({row, static_cast<size_t>((cols * bits + 7) / 8)}, static_cast<int>(bits),
                {codes, static_cast<size_t>(cols)});
  }
}

std::vector<std::byte> TransposedWords(std::span<const std::byte> from, int64_t rows, int64_t cols) {
  std::vector<std::byte> out(static_cast<size_t>(rows * cols * 4));
  constexpr int64_t kTile = 32;
  for (int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < cols; c0 += kTile)
      for (int64_t c = c0; c < std::min(cols, c0 + kTile); ++c)
        for (int64_t r = r0; r < std::min(rows, r0 + kTile); ++r)
          std::memcpy(out.data() + (c * rows + r) * 4, from.data() + (r * cols + c) * 4, 4);
  return out;
}

std::vector<float> Transposed(const std::vector<float>& from, int64_t rows, int64_t cols) {
  std::vector<float> out(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) out[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * cols + c)];
  return out;
}

void PlaceIntegers(IntegerMatrix matrix, HfSource& source, const std::string& where, Tensor& tensor) {
  PackedView& view = tensor.view;
  IntegerKind& kind = matrix.kind;
  const float middle = kind.bits == 8 ? 0.0f : static_cast<float>(1 << (kind.bits - 1));
  if (kind.bits == 8)
    for (float& zero : matrix.zeros) zero -= 128.0f;
  kind.asymmetric = std::any_of(matrix.zeros.begin(), matrix.zeros.end(), [&](float z) { return z != middle; });
  kind.column_group = !matrix.column_group.empty();
  if (kind.column_group && kind.group > view.cols) kind.group = -1;
  const Format* format = IntegerFormat(kind, view.cols);
  if (!format) Fail(ErrorKind::kUnsupported, "{}: {}: {} is not supported", source.where(), where, IntegerText(kind));
  if (!FitsColumns(*format, view.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), where, view.cols,
         format->name);
  view.format = format;
  view.codes = matrix.codes;
  if (format->scale_weights == 0) {
    view.global_scale = matrix.scales.at(0);
    return;
  }
  const int64_t entries = ScalesPerRow(*format, view.cols), fine = format->scale_weights;
  // Which of the file's groups each entry repeats; with an order of its own the file's groups come first, as they are.
  std::vector<size_t> from(static_cast<size_t>(entries));
  for (int64_t e = 0; e < entries; ++e) {
    int64_t group = kind.column_group ? e : matrix.groups == 1 ? 0 : e * fine / kind.group;
    from[static_cast<size_t>(e)] = static_cast<size_t>(std::min(group, matrix.groups - 1));
  }
  const size_t width = static_cast<size_t>(kind.asymmetric ? 2 : 1);
  const bool one = matrix.scales.size() == 1;
  std::vector<float> plane(static_cast<size_t>(view.rows * entries) * width);
  for (size_t row = 0; row < static_cast<size_t>(view.rows); ++row)
    for (size_t e = 0; e < from.size(); ++e) {
      size_t at = one ? 0 : row * static_cast<size_t>(matrix.groups) + from[e];
      float* to = plane.data() + (row * from.size() + e) * width;
      to[0] = matrix.scales[at];
      if (width == 2) to[1] = matrix.zeros[at];
    }
  view.scales = source.Keep(std::move(plane));
  if (kind.column_group) view.column_group = source.Keep(std::move(matrix.column_group));
}

std::string WhyNotCode(const Format& format, float zero) {
  const int bits = format.bits;
  const float code = zero + (bits == 8 ? 128.0f : 0.0f);
  if (code == std::nearbyint(code) && code >= 0 && code < static_cast<float>(1 << bits)) return "";
  return fmt::format("a zero of {} is not one of the {}-bit codes, which this container stores", zero, bits);
}

}  // namespace assay
