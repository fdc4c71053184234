#include "base/hash.h"

#include <fmt/core.h>
#include <openssl/sha.h>
#include <xxhash.h>

#include "base/error.h"

namespace assay {

std::string Sha256Hex(std::span<const std::byte> data) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest);
  std::string out;
  for (unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}
std::string Sha256Hex(std::string_view text) {
  return Sha256Hex(std::as_bytes(std::span(text)));
}

struct Hasher::State {
  XXH3_state_t* xxh;
};

Hasher::Hasher() : state_(new State{XXH3_createState()}) {
  ASSAY_CHECK(state_->xxh != nullptr);
  XXH3_128bits_reset(state_->xxh);
}
Hasher::~Hasher() {
  XXH3_freeState(state_->xxh);
}
void Hasher::Add(std::span<const std::byte> data) {
  XXH3_128bits_update(state_->xxh, data.data(), data.size());
}
void Hasher::AddText(std::string_view text) {
  uint64_t size = text.size();
  Add(std::as_bytes(std::span(&size, 1)));
  Add(std::as_bytes(std::span(text)));
}
std::string Hasher::Hex() const {
  XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string HashHex(std::span<const std::byte> data) {
  Hasher hasher;
  hasher.Add(data);
  return hasher.Hex();
}
std::string HashHex(std::string_view text) {
  return HashHex(std::as_bytes(std::span(text)));
}

}  // namespace assay
