#include <CLI/CLI.hpp>
#include <optional>

#include "base/json.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "cli/verdict.h"
#include "report/report.h"
#include "system/machine.h"
#include "system/output.h"

namespace assay {

std::function<int()> AddCompare(CLI::App& command, CommonFlags& flags) {
  struct Options {
    std::string baseline, html, fail_on = "cant-tell";
    std::vector<std::string> candidates;
    double margin = 0;
    bool in_order = false;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  command.add_option("BASELINE", o->baseline, "saved run of the full-precision model")->required();
  command.add_option("CANDIDATE", o->candidates, "saved runs of quantized models")->required();
  command
      .add_option("--margin", o->margin,
                  "largest acceptable drop in points, fixed before you look (default: the task's, else 10)")
      ->transform(NumberBetween(0.1, 99.9));
  AddInOrder(command, o->in_order);
  command.add_option("--html", o->html, "also write the report to this file");
  AddForce(command, o->force);
  AddFailOn(command, o->fail_on);
  return [o, &flags] {
    OutputRules rules;
    rules.force = o->force;
    rules.ours = IsReport;
    std::vector<std::filesystem::path> runs(o->candidates.begin(), o->candidates.end());
    runs.emplace_back(o->baseline);
    AddSources(rules, {StatesOf(runs)});
    std::optional<AtomicFile> html;
    if (!o->html.empty()) {
      NoteLeft(o->html, flags);
      html.emplace(o->html, rules);
    }
    CheckRecord record;
    record.started = UtcTimestamp();
    record.build = BuildText();
    record.machine = MachineText();
    record.margin = o->margin;
    record.as_given = o->in_order;
    record.baseline.run = ReadRunRecord(o->baseline);
    record.task_name = record.baseline.run.header.task_name;
    for (const std::string& path : o->candidates) {
      Arm arm;
      arm.run = ReadRunRecord(path);
      record.candidates.push_back(std::move(arm));
    }
    for (const ExampleResult& e : record.baseline.run.examples) record.examples.push_back({e.id, e.slice, {}, ""});
    std::vector<Comparison> comparisons = Judge(record);
    if (html) {
      html->Write(RenderHtml(record, comparisons));
      html->Commit();
      Note(flags, "report: " + o->html);
    }
    if (flags.json) {
      PrintJson(RenderJson(record, comparisons));
    } else {
      TerminalOptions terminal{TerminalWidth(), ColorOutput()};
      std::string text = RenderTerminal(record, comparisons, terminal);
      if (!text.empty() && text.back() == '\n') text.pop_back();
      PrintTrusted(text);
    }
    RequireAnswers(record.baseline.run, flags);
    for (const Arm& arm : record.candidates) RequireAnswers(arm.run, flags);
    return VerdictExitCode(comparisons, o->fail_on);
  };
}

}  // namespace assay
