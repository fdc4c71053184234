#include "base/progress.h"

namespace assay {
namespace {
class Silent : public Progress {
 public:
  void Begin(std::string_view, uint64_t, std::string_view) override {}
  void Advance(uint64_t) override {}
  void End() override {}
  bool Cancelled() const override { return false; }
};
}  // namespace

Progress& SilentProgress() {
  static Silent silent;
  return silent;
}

}  // namespace assay
