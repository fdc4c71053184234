#pragma once
// Quantized models in the cache: CACHE/quants/FINGERPRINT/PRESET, a GGUF file or a folder, each with a lock beside it
// that tells when it was used last.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace assay {

struct CachedQuant {
  std::filesystem::path path;
  std::string source;  // fingerprint of the weights that it was made of
  std::string preset;
  uint64_t bytes = 0;
  int64_t used = 0;  // seconds since 1970
};

/// Of CACHE, the longest unused first. Nothing there: empty.
std::vector<CachedQuant> CachedQuants(const std::filesystem::path& cache);

/// Where a quant of the cache is waited for while another process makes it.
std::filesystem::path LockOf(const std::filesystem::path& quant);
/// It is used now.
void MarkUsed(const std::filesystem::path& quant);

struct Pruning {
  std::vector<CachedQuant> removed, busy;  // busy: would have gone, and is being made or was used a short while ago
  uint64_t kept_bytes = 0;
};

/// Removes the longest unused until at most `keep_bytes` are left. What was used within `spare_seconds`, or is being
/// made, stays: somebody may be reading it. `look_only`: says what would go.
Pruning PruneQuants(const std::filesystem::path& cache, uint64_t keep_bytes, int64_t spare_seconds, bool look_only);

/// What the cache may take of quantized models: ASSAY_CACHE_SIZE ("20GB"), else 100 GB. Throws Error{kInvalid} when
/// that is no size.
uint64_t CacheLimit();
constexpr int64_t kSparedSeconds = 24 * 3600;

}  // namespace assay
