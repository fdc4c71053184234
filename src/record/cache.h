#pragma once
// A persistent key-value store for results that need not be computed twice: one SQLite file in WAL mode.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

/// Any number of threads and processes may use the same file at once; once a Put returns, all see
/// the value, and it survives the end of the process (not always a loss of power).
/// The caller's key must name everything that the value depends on (XXH3-128 hex: base/hash.h).
/// Errors: kCorrupt when the file is damaged or no cache (it is never deleted: the message says what to do),
/// kUnsupported when a newer program wrote it, kIo when the system refuses.
class ResultCache {
 public:
  /// Opens or creates; missing folders are made.
  explicit ResultCache(const std::filesystem::path& path);
  ~ResultCache();
  ResultCache(const ResultCache&) = delete;
  ResultCache& operator=(const ResultCache&) = delete;

  std::optional<std::string> Get(std::string_view key);
  /// Replaces an earlier value.
  void Put(std::string_view key, std::string_view value);
  int64_t Size();
  /// Forgets every value, and gives the room back to the disk.
  void Clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay
