#include "report/served.h"

#include <fmt/core.h>

namespace assay {

std::string ServedText(const ServedSpeed& speed) {
  return fmt::format(
      "first token after {:.3g} s (p90 {:.3g}, p99 {:.3g}); {:.3g} tokens/s in an answer (p10 {:.3g}, p1 {:.3g}), "
      "{:.4g} "
      "in all; {} answer{}, {} at once",
      speed.first_token_p50_s, speed.first_token_p90_s, speed.first_token_p99_s, speed.tokens_per_s_p50,
      speed.tokens_per_s_p10, speed.tokens_per_s_p1, speed.total_tokens_per_s, speed.answers,
      speed.answers == 1 ? "" : "s", speed.concurrency);
}

std::string ServedLines(const CheckRecord& record) {
  std::string lines;
  auto add = [&](const Arm& arm) {
    if (arm.cost.served) lines += fmt::format("as served: {}: {}\n", arm.model().format, ServedText(*arm.cost.served));
  };
  add(record.baseline);
  for (const Arm& arm : record.candidates) add(arm);
  return lines;
}

}  // namespace assay
