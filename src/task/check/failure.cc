#include "task/check/failure.h"

#include <array>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 18> kNames = {
    "no call",  "unexpected call", "wrong tool",  "malformed call", "malformed JSON", "missing",
    "extra",    "wrong type",      "wrong value", "wrong count",    "truncated",      "empty",
    "no match", "forbidden text",  "too long",    "no number",      "no choice",      "undecided"};
static_assert(static_cast<size_t>(Failure::kUndecided) + 1 == kNames.size());

}  // namespace

std::string_view FailureName(Failure failure) {
  auto index = static_cast<size_t>(failure);
  ASSAY_CHECK(index < kNames.size());
  return kNames[index];
}

std::span<const std::string_view> FailureNames() {
  return kNames;
}

}  // namespace assay
