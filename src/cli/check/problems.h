#pragma once
// What is in the way of a command: found one after the other, told together.

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"

namespace assay {

class Problems {
 public:
  void Add(std::string text) {
    if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.push_back(std::move(text));
  }
  /// False: an Error was thrown, and is kept.
  template <typename Look>
  bool Try(Look look) {
    try {
      look();
      return true;
    } catch (const Error& error) {
      Add(error.what());
      return false;
    }
  }
  bool none() const { return texts_.empty(); }
  const std::vector<std::string>& texts() const { return texts_; }
  /// Throws Error{kInvalid} where there are some.
  void Require() const {
    if (texts_.empty()) return;
    if (texts_.size() == 1) Fail(ErrorKind::kInvalid, "{}", texts_[0]);
    std::string all;
    for (const std::string& text : texts_) all += "\n  - " + text;
    Fail(ErrorKind::kInvalid, "{} things are in the way, and nothing was run:{}", texts_.size(), all);
  }

 private:
  std::vector<std::string> texts_;
};

}  // namespace assay
