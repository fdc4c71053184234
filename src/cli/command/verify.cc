// A certificate held against what it speaks of.

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "cli/command.h"
#include "remote/server_address.h"
#include "report/certificate.h"
#include "system/file.h"
#include "task/task.h"

namespace assay {

std::function<int()> AddVerify(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string certificate, record, task, model;
    std::vector<std::string> candidates;
  };
  auto o = std::make_shared<Options>();
  command.Option("FILE", o->certificate, "certificate that `assay check --certificate` wrote").Required();
  command.Option("--record", o->record, "the data of the check (assay-report.json): judged once more");
  command.Option("--task", o->task, "the task file");
  command.Option("--model", o->model, "the baseline: file, folder or org/name");
  command.Option("--candidate", o->candidates, "a quantized model (repeatable)");
  command.Footer("Exit code 1 when anything differs. A certificate is no signature (docs/report.md).");
  return [o, &flags] {
    if (o->record.empty() && o->task.empty() && o->model.empty() && o->candidates.empty())
      Fail(ErrorKind::kInvalid, "{}: nothing to hold it against; name --record, --task, --model or --candidate",
           o->certificate);
    const Json certificate = ParseCertificate(ReadFile(o->certificate), o->certificate);
    std::vector<Finding> findings;
    auto add = [&](std::vector<Finding> more) { findings.insert(findings.end(), more.begin(), more.end()); };
    auto skip = [&](const char* what, const char* flag) {
      findings.push_back({what, CheckState::kNotChecked, fmt::format("no {} given", flag)});
    };
    auto fingerprint = [](const std::string& model) {
      if (IsServer(model))
        Fail(ErrorKind::kUnsupported,
             "{}: expected a file, a folder or org/name, found a server, which shows no weights to hash: hold the "
             "certificate against --record and --task, and ask the server anew with `assay check`",
             model);
      return Checkpoint::Open(ResolveModel(model))->fingerprint();
    };
    if (o->record.empty())
      skip("record and verdicts", "--record");
    else
      add(VerifyRecord(certificate, ReadFile(o->record), o->record));
    if (o->task.empty()) {
      skip("task", "--task");
    } else {
      const Task task = LoadTask(o->task);
      findings.push_back(VerifyTask(certificate, task.hash, task.margin, task.looks));
    }
    if (o->model.empty())
      skip("baseline", "--model");
    else
      findings.push_back(VerifyBaseline(certificate, fingerprint(o->model)));
    std::vector<std::string> candidates;
    for (const std::string& candidate : o->candidates) candidates.push_back(fingerprint(candidate));
    add(VerifyCandidates(certificate, candidates));

    int64_t differ = 0;
    Json lines = Json::array();
    for (const Finding& finding : findings) {
      differ += finding.state == CheckState::kDiffers;
      lines.push_back({{"what", finding.what}, {"state", CheckStateName(finding.state)}, {"detail", finding.detail}});
      if (!flags.json) Print(fmt::format("{:<12} {}: {}", CheckStateName(finding.state), finding.what, finding.detail));
    }
    if (flags.json) PrintJson({{"file", o->certificate}, {"differ", differ}, {"findings", std::move(lines)}});
    return differ ? kError : kHolds;
  };
}

}  // namespace assay
