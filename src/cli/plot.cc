#include "cli/plot.h"

#include <algorithm>
#include <cmath>

namespace assay {

std::string Bar(double share, int width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

std::string PadRight(std::string text, int width) {
  const auto columns = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  if (columns < width) text.append(static_cast<size_t>(width - columns), ' ');
  return text;
}

}  // namespace assay
