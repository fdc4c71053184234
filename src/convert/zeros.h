#pragma once
// Zeros that a container cannot state are found before anything is written.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "checkpoint/hf/packing/writing.h"
#include "format/format.h"
#include "system/threads.h"

namespace assay {

/// `make` fills the codes and scales of one row of a matrix in `format`, whose scales are ScaleAndZero; called from any
/// thread. Throws Error{kUnsupported} naming `tensor`, the row and the reason for the first zero that cannot be stated.
void RequireZeros(const HfContainer& container, const Format& format, int64_t rows, int64_t cols,
                  const std::string& tensor, ThreadPool& pool,
                  const std::function<void(int64_t row, std::byte* codes, std::byte* scales)>& make);

}  // namespace assay
