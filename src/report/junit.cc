#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "report/escape.h"
#include "report/headline.h"
#include "report/numbers.h"
#include "report/report.h"

namespace assay {
namespace {

/// Text of an element. XML forbids control characters; EscapeHtml has made pictures of them.
std::string Xml(std::string_view text) {
  return EscapeHtml(text);
}

/// Text of an attribute, where a line end would become a space.
std::string Quoted(std::string_view text) {
  return "\"" + EscapeHtml(VisibleText(text, false)) + "\"";
}

struct Suite {
  int64_t tests = 0, failures = 0, errors = 0, skipped = 0;
  std::string cases;

  /// `kind`: "failure", "error", "skipped" or "" for a case that passes; `message`, `body`: of that element.
  void Add(std::string_view class_name, std::string_view name, std::string_view kind, std::string_view type = {},
           std::string_view message = {}, std::string_view body = {}) {
    ++tests;
    failures += kind == "failure";
    errors += kind == "error";
    skipped += kind == "skipped";
    cases += "    <testcase classname=" + Quoted(class_name) + " name=" + Quoted(name) + " time=\"0\"";
    if (kind.empty()) {
      cases += "/>\n";
      return;
    }
    cases += fmt::format("><{} message={}", kind, Quoted(message));
    if (kind != "skipped") cases += " type=" + Quoted(type);
    cases += body.empty() ? "/>" : ">" + Xml(body) + fmt::format("</{}>", kind);
    cases += "</testcase>\n";
  }
};

bool Cracks(const Judgement& group) {
  return group.judged && group.verdict == Verdict::kCracks;
}

std::string FailureText(const ExampleResult& result) {
  for (const CheckResult& check : result.checks)
    if (!check.pass) return check.failure + (check.detail.empty() ? "" : ": " + check.detail);
  return result.failure();
}

void AddExample(const Comparison& comparison, const ExamplePair& pair, const std::string& class_name, Suite& suite) {
  const auto slice = std::find_if(comparison.slices.begin(), comparison.slices.end(),
                                  [&](const Judgement& group) { return group.name == pair.slice; });
  const bool cracks = Cracks(comparison.all) || (slice != comparison.slices.end() && Cracks(*slice));
  switch (pair.outcome) {
    case Outcome::kBothPass:
    case Outcome::kFix:
      suite.Add(class_name, pair.id, "");
      return;
    case Outcome::kRegression: {
      const std::string why = FailureText(*pair.candidate);
      if (cracks)
        suite.Add(class_name, pair.id, "failure", pair.candidate->failure(), "lost: " + why,
                  Shortened(comparison.baseline + ": " + pair.baseline->answer, 4000) + "\n\n" +
                      Shortened(comparison.candidate + ": " + pair.candidate->answer, 4000));
      else
        suite.Add(class_name, pair.id, "skipped", "",
                  "lost, but so few are no reason to fail (" + VerdictText(comparison) + "): " + why);
      return;
    }
    case Outcome::kBothFail:
      suite.Add(class_name, pair.id, "skipped", "", "the baseline fails it, too: " + FailureText(*pair.candidate));
      return;
    case Outcome::kExcluded:
      suite.Add(class_name, pair.id, "skipped", "",
                "left out of both models because one had an error: " +
                    (pair.candidate->error.empty() ? pair.baseline->error : pair.candidate->error));
      return;
  }
}

Suite SuiteOf(const Comparison& comparison) {
  Suite suite;
  const Judgement& all = comparison.all;
  std::string why = comparison.comparable ? all.reason : "";
  for (const std::string& obstacle : comparison.obstacles) why += (why.empty() ? "" : "; ") + obstacle;
  const std::string verdict = VerdictText(comparison);
  const bool holds = comparison.comparable && all.judged && all.verdict == Verdict::kHolds;
  suite.Add(comparison.candidate, "verdict",
            holds                                  ? ""
            : comparison.comparable && Cracks(all) ? "failure"
                                                   : "error",
            verdict, verdict + ": " + why);
  for (const Judgement& slice : comparison.slices) {
    if (comparison.slices.size() < 2) break;  // the slice is the whole
    const std::string name = "slice " + (slice.name.empty() ? "(none)" : slice.name);
    const std::string message = VerdictText(slice, comparison.comparable) + ": " + slice.reason;
    if (Cracks(slice))
      suite.Add(comparison.candidate, name, "failure", "cracks", message);
    else
      suite.Add(comparison.candidate, name, slice.judged && slice.verdict == Verdict::kHolds ? "" : "skipped", "",
                message);
  }
  for (const ExamplePair& pair : comparison.pairs)
    AddExample(comparison, pair, comparison.candidate + (pair.slice.empty() ? "" : "." + pair.slice), suite);
  return suite;
}

}  // namespace

std::string RenderJunit(const CheckRecord& record, std::span<const Comparison> comparisons,
                        std::string_view judged_by) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  Suite sum;
  std::string suites;
  for (const Comparison& comparison : comparisons) {
    const Suite suite = SuiteOf(comparison);
    sum.tests += suite.tests;
    sum.failures += suite.failures;
    sum.errors += suite.errors;
    sum.skipped += suite.skipped;
    std::string notes;
    for (const std::string& note : comparison.notes) notes += note + "\n";
    suites += fmt::format(
        "  <testsuite name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\">\n    "
        "<properties>\n",
        Quoted(comparison.candidate), suite.tests, suite.failures, suite.errors, suite.skipped);
    auto property = [&](const char* name, std::string_view value) {
      if (!value.empty()) suites += fmt::format("      <property name=\"{}\" value={}/>\n", name, Quoted(value));
    };
    property("baseline", comparison.baseline);
    property("model", record.baseline.model().name);
    property("task", record.task_name);
    property("margin", fmt::format("{:g} points", comparison.margin));
    property("started", record.started);
    property("machine", record.machine);
    property("build", record.build);
    property("judged again by", judged_by);
    suites += "    </properties>\n" + suite.cases;
    if (!notes.empty()) suites += "    <system-out>" + Xml(notes) + "</system-out>\n";
    suites += "  </testsuite>\n";
  }
  return std::string(kJunitHead) +
         fmt::format("<testsuites name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n",
                     Quoted(record.task_name + ": " + Headline(record, comparisons)), sum.tests, sum.failures,
                     sum.errors, sum.skipped, record.elapsed_s) +
         suites + "</testsuites>\n";
}

}  // namespace assay
