#pragma once
// How long work tells its caller where it stands, and learns that it should stop. Only cli/ draws.

#include <cstdint>
#include <string_view>

namespace assay {

class Progress {
 public:
  virtual ~Progress() = default;
  /// Starts a leg of `total` units (0: unknown). `unit` is a plural such as "tokens" or "bytes".
  virtual void Begin(std::string_view what, uint64_t total, std::string_view unit) = 0;
  /// Any thread may call it.
  virtual void Advance(uint64_t units) = 0;
  virtual void End() = 0;
  /// True after Ctrl-C: save what is done and throw Interrupted.
  virtual bool Cancelled() const = 0;
};

/// Draws nothing and never cancels.
Progress& SilentProgress();

}  // namespace assay
