#include "report/served.h"

#include <fmt/core.h>

#include <iterator>

#include "report/escape.h"
#include "report/numbers.h"

namespace assay {

std::string ServedText(const ServedSpeed& speed) {
  return fmt::format(
      "first token after {:.3g} s (p90 {:.3g}, p99 {:.3g}); {} tokens/s in an answer (p10 {}, p1 {}), {} in all; {} "
      "answer{}, {} at once",
      speed.first_token_p50_s, speed.first_token_p90_s, speed.first_token_p99_s, SpeedText(speed.tokens_per_s_p50),
      SpeedText(speed.tokens_per_s_p10), SpeedText(speed.tokens_per_s_p1), SpeedText(speed.total_tokens_per_s),
      speed.answers, speed.answers == 1 ? "" : "s", speed.concurrency);
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

std::string ServedHtml(const CheckRecord& record) {
  constexpr const char* kNames[] = {"First token, s",  "p90",     "p99",    "Tokens/s of an answer", "p10", "p1",
                                    "Tokens/s of all", "Answers", "At once"};
  std::string rows;
  const auto seconds = [](double value) { return value > 0 ? fmt::format("{:.3g}", value) : std::string(kDash); };
  const auto add = [&](const Arm& arm) {
    if (!arm.cost.served) return;
    const ServedSpeed& speed = *arm.cost.served;
    rows += "<tr><th scope=\"row\">" + EscapeHtml(arm.model().format) + "</th>";
    const std::string values[] = {
        seconds(speed.first_token_p50_s),    seconds(speed.first_token_p90_s),  seconds(speed.first_token_p99_s),
        SpeedText(speed.tokens_per_s_p50),   SpeedText(speed.tokens_per_s_p10), SpeedText(speed.tokens_per_s_p1),
        SpeedText(speed.total_tokens_per_s), std::to_string(speed.answers),     std::to_string(speed.concurrency)};
    static_assert(std::size(values) == std::size(kNames));
    for (size_t i = 0; i < std::size(kNames); ++i)
      rows += fmt::format("<td data-l=\"{}\"><span class=\"cell plain\">{}</span></td>", kNames[i], values[i]);
    rows += "</tr>\n";
  };
  add(record.baseline);
  for (const Arm& arm : record.candidates) add(arm);
  if (rows.empty()) return "";
  std::string out =
      "<section aria-labelledby=\"served\"><h2 id=\"served\">Speed as served</h2><p class=\"sub\">As the clients saw "
      "it, other work of the server and the network included; not to be compared with the speed of files run "
      "here.</p><table class=\"grid many\"><thead><tr><th scope=\"col\">Server</th>";
  for (const char* name : kNames) out += std::string("<th scope=\"col\">") + name + "</th>";
  return out + "</tr></thead><tbody>\n" + rows + "</tbody></table></section>\n";
}

}  // namespace assay
