#include "checkpoint/hf/packing/integers.h"

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

RowMaker LayCodes(int64_t bits, int64_t cols, std::function<RowReader()> reader) {
  return [bits, cols, reader = std::move(reader)](int64_t begin, int64_t n, std::byte* out) {
    const int64_t row_bytes = bits == 8 ? cols : (cols * bits + 7) / 8;
    std::vector<uint8_t> codes(static_cast<size_t>(cols));
    const RowReader read = reader();
    for (int64_t row = begin; row < begin + n; ++row, out += row_bytes) {
      read(row, codes.data());
      if (bits == 8)
        TurnSigns(reinterpret_cast<const std::byte*>(codes.data()), cols, out);
      else
        PackDense(codes, static_cast<int>(bits), {out, static_cast<size_t>(row_bytes)});
    }
  };
}

void RowCodes(int64_t bits, const std::byte* row, int64_t cols, uint8_t* codes) {
  if (bits == 8) {
    TurnSigns(row, cols, reinterpret_cast<std::byte*>(codes));
  } else {
    UnpackDense({row, static_cast<size_t>((cols * bits + 7) / 8)}, static_cast<int>(bits),
                {codes, static_cast<size_t>(cols)});
  }
}

void TransposeWords(const std::byte* from, int64_t rows, int64_t cols, int64_t begin, int64_t n, std::byte* out) {
  constexpr int64_t kTile = 32;
  for (int64_t c0 = 0; c0 < n; c0 += kTile)
    for (int64_t r0 = 0; r0 < rows; r0 += kTile)
      for (int64_t c = c0; c < std::min(n, c0 + kTile); ++c)
        for (int64_t r = r0; r < std::min(rows, r0 + kTile); ++r)
          std::memcpy(out + (c * rows + r) * 4, from + (r * cols + begin + c) * 4, 4);
}

std::vector<std::byte> TransposedWords(std::span<const std::byte> from, int64_t rows, int64_t cols) {
  std::vector<std::byte> out(static_cast<size_t>(rows * cols * 4));
  TransposeWords(from.data(), rows, cols, 0, cols, out.data());
  return out;
}

std::vector<float> Transposed(const std::vector<float>& from, int64_t rows, int64_t cols) {
  std::vector<float> out(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) out[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * cols + c)];
  return out;
}

GroupReader ReadGroups(const HfSource& source, const SafetensorsTensor& tensor, int64_t row_stride,
                       int64_t group_stride) {
  source.ExpectFloats(tensor);
  return [&source, &tensor, row_stride, group_stride](int64_t group, int64_t begin, int64_t n, float* out) {
    source.Floats(tensor, begin * row_stride + group * group_stride, row_stride, n, out);
  };
}

namespace {

/// Stops at the first: of a matrix that has others the first few tell.
bool AllZerosAre(float middle, const IntegerMatrix& matrix, int64_t rows) {
  constexpr int64_t kAtOnce = 1024;
  std::vector<float> zeros(kAtOnce);
  for (int64_t group = 0; group < matrix.groups; ++group)
    for (int64_t begin = 0; begin < rows; begin += kAtOnce) {
      const int64_t n = std::min(kAtOnce, rows - begin);
      matrix.zeros(group, begin, n, zeros.data());
      if (std::any_of(zeros.begin(), zeros.begin() + n, [&](float zero) { return zero != middle; })) return false;
    }
  return true;
}

/// Rows of the scales plane; entry e repeats group from[e] of the file.
RowMaker ScalesPlane(const IntegerMatrix& matrix, std::vector<int64_t> from) {
  return [kind = matrix.kind, scales = matrix.scales, zeros = matrix.zeros, from = std::move(from)](
             int64_t begin, int64_t n, std::byte* out) {
    const size_t width = kind.asymmetric ? 2 : 1;
    const float less = kind.bits == 8 ? 128.0f : 0.0f;  // planes have signed zeros then
    std::vector<float> of_group(static_cast<size_t>(n) * width);
    for (size_t e = 0; e < from.size(); ++e) {
      if (e == 0 || from[e] != from[e - 1]) {
        scales(from[e], begin, n, of_group.data());
        if (kind.asymmetric) zeros(from[e], begin, n, of_group.data() + n);
      }
      for (int64_t r = 0; r < n; ++r) {
        const size_t at = static_cast<size_t>(r);
        std::byte* to = out + (at * from.size() + e) * width * sizeof(float);
        std::memcpy(to, &of_group[at], sizeof(float));
        if (!kind.asymmetric) continue;
        const float zero = of_group[static_cast<size_t>(n) + at] - less;
        std::memcpy(to + sizeof(float), &zero, sizeof zero);
      }
    }
  };
}

}  // namespace

void PlaceIntegers(IntegerMatrix matrix, const HfSource& source, const std::string& where, Tensor& tensor) {
  IntegerKind& kind = matrix.kind;
  kind.asymmetric = matrix.zeros && !AllZerosAre(static_cast<float>(1 << (kind.bits - 1)), matrix, tensor.rows);
  kind.column_group = !matrix.column_group.empty();
  if (kind.column_group && kind.group > tensor.cols) kind.group = -1;
  const Format* format = IntegerFormat(kind, tensor.cols);
  if (!format) Fail(ErrorKind::kUnsupported, "{}: {}: {} is not supported", source.where(), where, IntegerText(kind));
  if (!FitsColumns(*format, tensor.cols))
    Fail(ErrorKind::kCorrupt, "{}: {}: {} columns do not fit format {}", source.where(), where, tensor.cols,
         format->name);
  tensor.format = format;
  tensor.codes = std::move(matrix.codes);
  if (format->scale_weights == 0) {
    matrix.scales(0, 0, 1, &tensor.global_scale);
    return;
  }
  // Which of the file's groups each entry repeats; with an order of its own the file's groups come first, as they are.
  const int64_t entries = ScalesPerRow(*format, tensor.cols), fine = format->scale_weights;
  std::vector<int64_t> from(static_cast<size_t>(entries));
  for (int64_t e = 0; e < entries; ++e) {
    int64_t group = kind.column_group ? e : matrix.groups == 1 ? 0 : e * fine / kind.group;
    from[static_cast<size_t>(e)] = std::min(group, matrix.groups - 1);
  }
  tensor.scales.make = ScalesPlane(matrix, std::move(from));
  if (kind.column_group)
    tensor.column_group = std::make_shared<const std::vector<int32_t>>(std::move(matrix.column_group));
}

std::string WhyNotCode(const Format& format, float zero) {
  const int bits = format.bits;
  const float code = zero + (bits == 8 ? 128.0f : 0.0f);
  if (code == std::nearbyint(code) && code >= 0 && code < static_cast<float>(1 << bits)) return "";
  return fmt::format("a zero of {} is not one of the {}-bit codes, which this container stores", zero, bits);
}

}  // namespace assay
