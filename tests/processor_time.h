#pragma once
// Bounds of time in tests: of the processor, since other programs do not count, and knowing a build that checks itself.

#include <ctime>

namespace assay {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// Seconds of processor time that `work` takes, all threads of the program together.
template <typename Work>
double ProcessorSeconds(Work&& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace assay
