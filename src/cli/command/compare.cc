#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "cli/report_files.h"
#include "cli/verdict.h"
#include "record/scored_runs.h"
#include "report/report.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string baseline;
  std::vector<std::string> candidates, reports;
  ScoreChoice choice;
  ExitRule exit;
  double margin = 0, threshold = 0;
  bool in_order = false, allow_difference = false;
  bool force = false;
};

/// FILE, or FILE#PROVIDER where no file has the whole name.
std::pair<fs::path, std::string> SplitArm(const std::string& given) {
  std::error_code ignored;
  if (fs::exists(given, ignored)) return {given, ""};
  for (size_t at = given.find('#'); at != std::string::npos; at = given.find('#', at + 1))
    if (fs::exists(given.substr(0, at), ignored)) return {given.substr(0, at), given.substr(at + 1)};
  return {given, ""};
}

/// One argument, read.
struct Input {
  std::optional<CheckRecord> check;
  ScoredRun scored;  // or a run of our own, without notes
  fs::path path;
  bool foreign = false;  // another tool's
};

Input Read(const std::string& given, ScoreChoice choice) {
  auto [path, arm] = SplitArm(given);
  const std::string text = ReadFile(path);
  Input input;
  input.path = path;
  if (IsCheckRecord(text)) {
    input.check = CheckRecordFromJson(ParseJson(text, path.string()), path.string());
  } else if (IsRunRecord(text)) {
    input.scored.run = ReadRunRecord(path);
  } else {
    choice.arm = arm;
    input.scored = ParseScoredRun(text, path.string(), choice);
    input.foreign = true;
    return input;
  }
  if (!arm.empty()) Fail(ErrorKind::kInvalid, "{}: only promptfoo's files have several providers", given);
  return input;
}

/// The comparisons of a record, with what is to be said of runs from elsewhere.
class Comparing {
 public:
  explicit Comparing(const Options& o) : o_(o) {
    Input baseline = Read(o.baseline, o.choice);
    if (baseline.check) {
      record_ = std::move(*baseline.check);
    } else {
      record_.started = UtcTimestamp();
      record_.build = BuildText();
      record_.machine = MachineText();
      record_.baseline.run = std::move(baseline.scored.run);
      record_.task_name = record_.baseline.run.header.task_name;
      for (const ExampleResult& e : record_.baseline.run.examples)
        if (e.sample == 0) record_.examples.push_back({e.id, e.slice, {}, ""});
      of_baseline_ = Labelled("baseline", baseline.scored.notes);
    }
    if (o.margin > 0) record_.margin = o.margin;
    if (o.in_order) record_.as_given = true;
    if (o.allow_difference) record_.allow_difference = true;
    notes_.resize(record_.candidates.size());
    foreign_ = {{baseline.path, baseline.foreign}};
    for (size_t i = 0; i < record_.candidates.size(); ++i) foreign_.emplace_back("", false);
    for (const std::string& candidate : o.candidates) Add(candidate);
    Label();
    if (record_.candidates.empty()) Fail(ErrorKind::kInvalid, "{}: the check has no candidate to judge", o.baseline);
    comparisons_ = Judge(record_);
    for (size_t i = 0; i < comparisons_.size(); ++i)
      for (std::string& note : notes_[i]) comparisons_[i].notes.push_back(std::move(note));
  }

  const CheckRecord& record() const { return record_; }
  const std::vector<Comparison>& comparisons() const { return comparisons_; }
  /// What each candidate may be called.
  std::vector<CandidateNames> names() const {
    std::vector<CandidateNames> names;
    for (size_t i = 0; i < comparisons_.size(); ++i) {
      const fs::path& file = foreign_[i + 1].first;
      names.push_back(
          {comparisons_[i].candidate, record_.candidates[i].model().name, file.string(), file.filename().string()});
    }
    return names;
  }

 private:
  static std::vector<std::string> Labelled(std::string_view arm, const std::vector<std::string>& notes) {
    std::vector<std::string> labelled;
    for (const std::string& note : notes) labelled.push_back(fmt::format("{}: {}", arm, note));
    return labelled;
  }

  void Add(const std::string& given) {
    Input input = Read(given, o_.choice);
    if (input.check)
      Fail(ErrorKind::kInvalid, "{}: the data of a check has a baseline of its own: give it first, as BASELINE", given);
    Arm arm;
    arm.run = std::move(input.scored.run);
    std::vector<std::string> notes = of_baseline_;
    for (std::string& note : Labelled("candidate", input.scored.notes)) notes.push_back(std::move(note));
    if (std::string note = AssumeAlike(record_.baseline.run, arm.run); !note.empty()) notes.push_back(std::move(note));
    record_.candidates.push_back(std::move(arm));
    notes_.push_back(std::move(notes));
    foreign_.emplace_back(input.path, input.foreign);
  }

  void Label() {
    std::vector<RunRecord*> runs;
    std::vector<fs::path> paths;
    std::set<std::string> taken;
    for (size_t i = 0; i < foreign_.size(); ++i) {
      RunRecord& run = i == 0 ? record_.baseline.run : record_.candidates[i - 1].run;
      if (foreign_[i].second) {
        runs.push_back(&run);
        paths.push_back(foreign_[i].first);
      } else {
        taken.insert(run.header.model.format);
      }
    }
    LabelScoredRuns(runs, paths, taken);
    for (RunRecord* run : runs)
      if (run->header.model.name.empty()) run->header.model.name = run->header.model.format;
  }

  const Options& o_;
  CheckRecord record_;
  std::vector<std::pair<fs::path, bool>> foreign_;  // of the baseline and each candidate: whether another tool's
  std::vector<std::string> of_baseline_;
  std::vector<std::vector<std::string>> notes_;  // of each candidate
  std::vector<Comparison> comparisons_;
};

/// Whether the file is a check's data, which needs no candidate beside it.
bool HoldsCandidates(const std::string& path) {
  return IsCheckRecord(ReadFile(SplitArm(path).first));
}

}  // namespace

std::function<int()> AddCompare(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  command
      .Option("BASELINE", o->baseline,
              "saved run of the full-precision model; or the data of a check (.json beside its report), judged "
              "again; or a file that another tool scored")
      .Required();
  command.Option("CANDIDATE", o->candidates, "saved or scored runs of quantized models");
  command
      .Option("--margin", o->margin,
              "largest acceptable drop in points, fixed before you look (default: the task's, else 10)")
      .Within(NumberBetween(0.1, 99.9));
  command.Option("--metric", o->choice.metric, "which score of another tool's file decides, where there are several");
  Flag threshold =
      command.Option("--threshold", o->threshold, "scores of at least this pass, where they are not 0 and 1")
          .Within(NumberBetween(0.0, 1e9));
  AddInOrder(command, o->in_order);
  AddAllowDifference(command, o->allow_difference);
  command.Option("--report", o->reports, "also write a report: .html, .md, .xml (JUnit), .csv or .json (repeatable)");
  AddForce(command, o->force);
  AddExitRule(command, o->exit);
  const std::vector<std::string_view> formats = ScoredRunFormats();
  command.Footer("Scored files: " + Join({formats.begin(), formats.end()}, ", ") +
                 " (docs/files.md). Of several providers in one promptfoo file: FILE#PROVIDER.");
  return [o, threshold, &flags] {
    if (threshold.given()) o->choice.threshold = o->threshold;
    if (o->candidates.empty() && !HoldsCandidates(o->baseline)) {
      PrintError("compare: expected at least one CANDIDATE beside the baseline");
      return static_cast<int>(kUsage);
    }
    OutputRules rules;
    rules.force = o->force;
    std::vector<fs::path> runs = {SplitArm(o->baseline).first};
    for (const std::string& candidate : o->candidates) runs.push_back(SplitArm(candidate).first);
    AddSources(rules, {StatesOf(runs)});
    ReportViews views(o->reports, "--report", rules, flags);
    for (const std::string& candidate : o->candidates)
      if (std::error_code none;
          candidate == o->baseline || (SplitArm(candidate).second == SplitArm(o->baseline).second &&
                                       fs::equivalent(SplitArm(candidate).first, SplitArm(o->baseline).first, none)))
        Note(flags, fmt::format("{} is compared with itself: nothing can differ", candidate));
    const Comparing comparing(*o);
    const CheckRecord& record = comparing.record();
    const std::vector<Comparison>& comparisons = comparing.comparisons();
    const std::vector<size_t> required = RequiredCandidates(o->exit, comparing.names());
    views.Write(record, comparisons);
    views.Commit();
    for (const std::string& name : o->reports) Note(flags, "report: " + name);
    if (flags.json) {
      PrintJson(RenderJson(record, comparisons));
    } else {
      TerminalOptions terminal{TerminalWidth(), ColorOutput()};
      std::string text = RenderTerminal(record, comparisons, terminal);
      if (!text.empty() && text.back() == '\n') text.pop_back();
      PrintTrusted(text);
    }
    NoteAllowable(comparisons, flags);
    RequireAnswers(record.baseline.run, flags);
    for (const Arm& arm : record.candidates) RequireAnswers(arm.run, flags);
    return VerdictExitCode(comparisons, o->exit, required);
  };
}

}  // namespace assay
