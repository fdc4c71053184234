#pragma once
// Two hashes: SHA-256 where a stranger must be able to repeat it (provenance), XXH3-128 for cache keys and
// fingerprints.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace assay {

/// Lower-case hexadecimal, 64 characters.
std::string Sha256Hex(std::span<const std::byte> data);
std::string Sha256Hex(std::string_view text);

/// Streaming XXH3-128.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void Add(std::span<const std::byte> data);
  /// Adds the length first, so that ("ab","c") and ("a","bc") differ.
  void AddText(std::string_view text);
  /// Lower-case hexadecimal, 32 characters.
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string HashHex(std::span<const std::byte> data);
std::string HashHex(std::string_view text);

}  // namespace assay
