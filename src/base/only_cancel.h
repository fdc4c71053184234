#pragma once
// Progress of work inside a leg that has units of its own: only the wish to stop passes.

#include "base/progress.h"

namespace assay {

class OnlyCancel : public Progress {
 public:
  explicit OnlyCancel(const Progress& outer) : outer_(outer) {}
  void Begin(std::string_view, uint64_t, std::string_view) override {}
  void Advance(uint64_t) override {}
  void End() override {}
  bool Cancelled() const override { return outer_.Cancelled(); }

 private:
  const Progress& outer_;
};

}  // namespace assay
