// The page: what to do on top, the evidence below, and how it was judged at the end.

#include <fmt/core.h>

#include "base/counted.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "report/escape.h"
#include "report/headline.h"
#include "report/html/parts.h"
#include "report/numbers.h"
#include "report/report.h"
#include "report/served.h"

namespace assay {
namespace {

constexpr std::string_view kDoctype = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
constexpr std::string_view kGenerator = "<meta name=\"generator\" content=\"assay\">\n";

/// SHA-256 in base64, as a content security policy wants it.
std::string Sha256Base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = Sha256Hex(text);
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (char c : hex) {
    bits = bits << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    have += 4;
    if (have >= 6) {
      have -= 6;
      out += kDigits[bits >> have & 63];
    }
  }
  if (have) out += kDigits[bits << (6 - have) & 63];
  while (out.size() % 4) out += '=';
  return out;
}

/// Model, task, date and machine.
std::string Facts(const CheckRecord& record, std::span<const Comparison> comparisons) {
  std::string out = "<dl class=\"facts\">";
  auto fact = [&](std::string_view term, const std::string& value, const std::string& more) {
    if (value.empty()) return;
    out += fmt::format("<div><dt>{}</dt><dd>{}", term, EscapeHtml(value));
    if (!more.empty()) out += "<small>" + EscapeHtml(more) + "</small>";
    out += "</dd></div>";
  };
  const ModelIdentity& model = record.baseline.model();
  fact("Model", model.name.empty() ? model.format : model.name,
       model.format + (model.file_bytes ? ", " + SizeText(model.file_bytes) : ""));
  const size_t slices = comparisons.empty() ? 0 : comparisons[0].slices.size();
  fact("Task", record.task_name,
       fmt::format("{} in {}, margin {:g} points", ExamplesText(record.baseline.run),
                   Counted(static_cast<int64_t>(slices), "slice"),
                   comparisons.empty() ? record.margin : comparisons[0].margin));
  fact("Date", WhenText(record.started), record.elapsed_s > 0 ? "took " + FormatDuration(record.elapsed_s) : "");
  fact("Machine", record.machine, record.build);
  return out + "</dl>";
}

std::string Next(const CheckRecord& record, std::span<const Comparison> comparisons) {
  const std::vector<std::string> steps = NextSteps(record, comparisons);
  if (steps.empty()) return {};
  std::string out = "<section class=\"next\" aria-labelledby=\"next\"><h2 id=\"next\">What to do next</h2><ol>";
  for (const std::string& step : steps) out += "<li>" + EscapeHtml(step) + "</li>";
  return out + "</ol></section>\n";
}

}  // namespace

bool IsHtmlReport(std::string_view head) {
  return head.starts_with(kDoctype) && head.substr(kDoctype.size()).starts_with(kGenerator);
}

std::string RenderHtml(const CheckRecord& record, std::span<const Comparison> comparisons, std::string_view judged_by) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  const std::string headline = Headline(record, comparisons), advice = Advice(record, comparisons);
  std::string out = std::string(kDoctype) + std::string(kGenerator);
  // Whatever slips through the escaping may neither run nor load.
  out += fmt::format(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; "
      "style-src 'unsafe-inline'; script-src 'sha256-{}'\">\n",
      Sha256Base64(ReportScript()));
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Assay: " +
         EscapeHtml(record.task_name) + "</title>\n<style>" + std::string(ReportStyle()) +
         "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#verdicts\">Skip to the verdicts</a>\n";
  out +=
      "<header class=\"top\"><div class=\"bar\"><span>Assay report</span><button type=\"button\" id=\"theme\">Light or "
      "dark</button></div><h1>" +
      EscapeHtml(headline) + "</h1>";
  if (advice != headline) out += "<p class=\"lead\">" + EscapeHtml(advice) + "</p>";
  out += Facts(record, comparisons) + "</header>\n<main>\n" + Next(record, comparisons);
  if (!comparisons.empty()) {
    out += VerdictsHtml(record, comparisons);
    out += SlicesHtml(comparisons);
    out += PlotsHtml(record, comparisons);
    out += FailuresHtml(comparisons);
    out += ServedHtml(record);
    out += AnswersHtml(record, comparisons);
    out += UnlabelledHtml(record);
  }
  out += MethodHtml(record, comparisons, judged_by);
  out += "<footer>One file, nothing is loaded from elsewhere.</footer>\n</main>\n<script>" +
         std::string(ReportScript()) + "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace assay
