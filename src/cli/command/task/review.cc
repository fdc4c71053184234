// assay task review: a page on this machine to walk the examples, correct what is expected, and label what differs.

#include "cli/command/task/review.h"

#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "cli/ranges.h"
#include "record/check_record.h"
#include "serve/page_server.h"
#include "serve/review/page.h"
#include "serve/review/review.h"
#include "system/file.h"
#include "system/subprocess.h"
#include "task/task.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string task, labels, out;
  std::vector<std::string> records;
  int port = 0;
  bool open = false, discard = false, force = false;
};

void AddArm(std::vector<ReviewArm>& arms, RunRecord run, const std::string& path) {
  const ModelIdentity& model = run.header.model;
  std::string name = !model.format.empty() ? model.format : !model.name.empty() ? model.name : path;
  for (const ReviewArm& arm : arms)
    if (arm.name == name) name = fmt::format("{} ({})", name, path);
  arms.push_back({std::move(name), std::move(run)});
}

/// The runs of saved runs and checks, the first one's baseline first; a file of differing answers beside a check.
std::vector<ReviewArm> ReadArms(Options& o, const CommonFlags& flags) {
  std::vector<ReviewArm> arms;
  for (const std::string& path : o.records) {
    const std::string text = ReadFile(path);
    if (IsRunRecord(text)) {
      AddArm(arms, ReadRunRecord(path), path);
      continue;
    }
    if (!IsCheckRecord(text))
      Fail(ErrorKind::kInvalid,
           "{}: expected a saved run (`assay run -o`) or the data of a check (.json beside its report), found another "
           "file",
           path);
    CheckRecord record = CheckRecordFromJson(ParseJson(text, path), path);
    AddArm(arms, std::move(record.baseline.run), path);
    for (Arm& arm : record.candidates) AddArm(arms, std::move(arm.run), path);
    const std::string beside = fs::path(path).replace_extension(".differing.jsonl").string();
    if (!o.labels.empty() || !fs::is_regular_file(beside) || Trim(ReadFile(beside)).empty()) continue;
    o.labels = beside;
    Note(flags, fmt::format("{}: differing answers of the check, to be labelled too", beside));
  }
  return arms;
}

void NoteStrangers(const ReviewFiles& files, const std::vector<ReviewArm>& arms, const CommonFlags& flags) {
  std::string hash;
  try {
    hash = ParseTask(files.text, files.task.string()).hash;
  } catch (const Error&) {
    return;  // its mistakes are shown on the page
  }
  for (const ReviewArm& arm : arms)
    if (arm.run.header.task_hash != hash)
      Note(flags,
           fmt::format("the answers of {} are of another version of the task: they are shown with the example of "
                       "their id, whatever it asked then",
                       arm.name));
}

ReviewFiles FilesOf(const Options& o) {
  ReviewFiles files;
  files.text = ReadFile(o.task);
  files.labels = o.labels.empty() ? fs::path() : fs::canonical(o.labels);
  files.force = o.force;
  files.elsewhere = !o.out.empty();
  files.task = files.elsewhere ? fs::path(o.out) : fs::canonical(o.task);  // a link stays one
  if (files.elsewhere && fs::exists(o.out) && fs::equivalent(o.out, o.task))
    Fail(ErrorKind::kInvalid, "-o {} is the task itself, which is written without -o", o.out);
  std::string_view text = files.text;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!LooksLikeYaml(text)) return files;
  if (!files.elsewhere)
    Fail(ErrorKind::kInvalid,
         "{}: a review saves JSON lines, and this is YAML: assay task review {} -o {} makes JSON lines of it (the same "
         "task, with the same hash) and leaves the YAML as it is",
         o.task, o.task, fs::path(o.task).replace_extension(".jsonl").string());
  files.text = TaskLinesOfYaml(files.text, o.task);
  return files;
}

void Open(const std::string& url, const CommonFlags& flags) {
  try {
    const SubprocessResult result = RunSubprocess({"xdg-open", url});
    if (result.exit_code == 0) return;
  } catch (const Error&) {
  }
  Note(flags, "--open: xdg-open found no browser: open the address yourself");
}

int Run(Options& o, const CommonFlags& flags) {
  if (o.task == "-") Fail(ErrorKind::kInvalid, "-: expected a file, which the review is saved in");
  std::vector<ReviewArm> arms = ReadArms(o, flags);
  const ReviewFiles files = FilesOf(o);
  NoteStrangers(files, arms, flags);
  Review review(files, std::move(arms), o.discard);
  if (review.taken_up() > 0)
    Note(flags, fmt::format("{} of an earlier review that ended without saving taken up from {}",
                            Counted(static_cast<int64_t>(review.taken_up()), "change"), review.journal().string()));
  bool done = false;
  std::mutex mutex;  // between the page and the end
  PageServer server([&](const PageRequest& request) {
    const std::lock_guard lock(mutex);
    return AnswerReviewPage(review, request, done);
  });
  server.Listen(o.port);
  const auto progress = MakeProgress(flags);
  if (flags.json)
    PrintJson({{"url", server.url()}});
  else
    Print(server.url());
  Note(flags,
       fmt::format("open this address on this machine; Ctrl-C, or \"Save and end\" on the page, saves {} and ends",
                   review.task().string()));
  std::jthread opener;  // waited for at the very end: a browser may stay as long as it is used
  if (o.open) opener = std::jthread([&] { Open(server.url(), flags); });
  server.Serve([&] {
    const std::lock_guard lock(mutex);
    return done || progress->Cancelled();
  });
  try {
    review.Save();
  } catch (const Error& error) {
    Fail(error.kind(), "{} (the changes: {})", error.what(), review.journal().string());
  }
  review.Finish();
  if (flags.json)
    PrintJson({{"file", review.task().string()}, {"saved", review.saves() > 0}});
  else
    Print(review.saves() > 0 ? fmt::format("{}: saved", review.task().string())
                             : fmt::format("{}: nothing was changed", review.task().string()));
  if (review.saves() > 0) Note(flags, fmt::format("next: assay task check {}", review.task().string()));
  return kHolds;
}

}  // namespace

std::function<int()> AddReview(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  Flag task = command.Option("TASK", o->task, "the task, which is saved there");
  command.Option("RECORD", o->records,
                 "saved runs, or the data of a check: their answers are shown beside what is expected, the first one's "
                 "baseline first");
  command.Option("--labels", o->labels,
                 "NAME.differing.jsonl of a check with --unlabelled: label which answer is right (default: the one "
                 "beside RECORD)");
  command.Option("-o,--output", o->out, "save here instead, as JSON lines; a YAML task needs it");
  command.Option("--port", o->port, "of 127.0.0.1 (default: one that is free)").Within(IntegerBetween(1, 65'535));
  command.Switch("--open", o->open, "open the page in the browser of this desktop (xdg-open)");
  command.Switch("--discard", o->discard, "drop the changes of an earlier review that ended without saving");
  AddForce(command, o->force);
  command.Footer(
      "The page can be reached from this machine alone, and by nobody who does not know its address. What is changed "
      "is kept at once in TASK.review, from which the next review goes on after a crash.");
  return [o, task, &flags] {
    if (!task.given()) {
      PrintError("task review: expected TASK");
      return static_cast<int>(kUsage);
    }
    return Run(*o, flags);
  };
}

}  // namespace assay
