// A check's record drawn again, in any format.

#include "report/report.h"

#include "base/error.h"
#include "cli/command.h"
#include "cli/report_files.h"
#include "record/check_record.h"
#include "system/file.h"

namespace assay {

std::function<int()> AddReport(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string record;
    std::vector<std::string> out;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  command.Option("RECORD", o->record, "the data of a check (.json beside its report)").Required();
  command.Option("-o,--output", o->out,
                 "report to write: .html, .md (a pull request), .xml (JUnit), .csv or .json (repeatable; default: the "
                 "table, here)");
  AddForce(command, o->force);
  command.Footer(
      "The record holds answers, no verdicts: they are this build's, as the report says. To judge it otherwise, by "
      "another margin or with more candidates: assay compare RECORD.\nExit code 0 whatever the verdicts are.");
  return [o, &flags] {
    OutputRules rules;
    rules.force = o->force;
    AddSources(rules, {StatesOf(std::vector<std::filesystem::path>{o->record})});
    ReportViews views(o->out, "-o", rules, flags);
    const std::string text = ReadFile(o->record);
    if (!IsCheckRecord(text))
      Fail(ErrorKind::kInvalid,
           "{}: expected the data that `assay check` writes beside its report, found another file{}", o->record,
           IsRunRecord(text) ? ": a saved run, which `assay compare` takes" : "");
    const CheckRecord record = CheckRecordFromJson(ParseJson(text, o->record), o->record);
    const std::vector<Comparison> comparisons = Judge(record);
    const std::string build = BuildText();
    views.Write(record, comparisons, build);
    views.Commit();
    Note(flags, fmt::format("answers of {} by {}; judged again by {}", record.started, record.build, build));
    if (flags.json) {
      PrintJson(RenderJson(record, comparisons));
    } else if (o->out.empty()) {
      std::string table = RenderTerminal(record, comparisons, {TerminalWidth(), ColorOutput()});
      if (!table.empty() && table.back() == '\n') table.pop_back();
      PrintTrusted(table);
    } else {
      for (const std::string& name : o->out) Print("report: " + name);
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
