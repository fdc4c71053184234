#include "checkpoint/hf/packing/arguments.h"

#include "base/error.h"

namespace assay {
namespace {

constexpr int64_t kMostColumns = int64_t{1} << 24;  // of a group: wider than any matrix

constexpr QuantizationArgument kArguments[] = {
    {"num_bits", 1, 16},
    {"bits", 1, 32},
    {"w_bit", 1, 32},
    {"nbits", 1, 8},
    {"act_bits", 1, 32},
    {"group_size", 1, kMostColumns, -1, "a whole row"},
    {"q_group_size", 1, kMostColumns, -1, "a whole row"},
    {"block_structure", 1, kMostColumns},
    {"axis", 0, 1},
    {"blocksize", 2, 65536},
    {"nested_blocksize", 1, 65536},
    {"bits_per_weight", 1, 16},
};

const QuantizationArgument& RowOf(std::string_view key) {
  for (const QuantizationArgument& row : kArguments)
    if (row.key == key) return row;
  ASSAY_CHECK(false);
}

}  // namespace

std::span<const QuantizationArgument> QuantizationArguments() {
  return kArguments;
}

int64_t CheckArgument(std::string_view key, int64_t value, const std::string& where) {
  const QuantizationArgument& row = RowOf(key);
  const bool stands_alone = !row.meaning.empty() && value == row.alone;
  if (!stands_alone && (value < row.least || value > row.most))
    Fail(ErrorKind::kInvalid, "{}: {}: expected {} to {}{}, found {}", where, key, row.least, row.most,
         row.meaning.empty() ? "" : fmt::format(" or {} ({})", row.alone, row.meaning), value);
  return value;
}

int64_t ReadArgument(const Json& object, std::string_view key, const std::string& where, int64_t fallback) {
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return fallback;
  return CheckArgument(key, JsonInt(object, key, where), where);
}

}  // namespace assay
