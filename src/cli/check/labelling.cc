#include "cli/check/labelling.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/strings.h"
#include "evidence/unlabelled.h"
#include "record/label_file.h"
#include "system/file.h"
#include "system/file_state.h"
#include "task/same_answer.h"

namespace assay {
namespace fs = std::filesystem;

Labelling::Labelling(const std::string& prompts, const std::string& labels, const std::string& report, const Task& task)
    : prompts_(LoadPrompts(prompts)), labels_name_(labels) {
  ReadAnswersAs(task, prompts_);
  name_ = fs::path(report).replace_extension(".differing.jsonl");
  if (labels.empty()) return;
  const std::optional<FileState> read = StateOf(labels), written = StateOf(name_);
  if (read && written && read->SameFile(*written))
    Fail(ErrorKind::kInvalid,
         "--labels {}: this run writes its own differing answers there; rename it first (mv {} labels.jsonl), or give "
         "another --report",
         labels, labels);
  labels_ = ParseLabels(ReadFile(labels), labels);
  std::unordered_set<std::string> ids;
  for (const Example& example : prompts_.examples) ids.insert(example.id);
  for (const AnswerLabel& label : labels_)
    if (!ids.count(label.id))
      Fail(ErrorKind::kInvalid,
           "{}: a label is of prompt \"{}\", which {} does not have: are they of the same prompts?", labels, label.id,
           prompts);
}

bool Labelling::WouldReplaceLabels() const {
  if (force_ || !fs::is_regular_file(name_)) return false;
  const std::string text = ReadFile(name_);
  if (HasNoLabels(text)) return false;
  try {  // those that were given are carried over
    const std::vector<AnswerLabel> there = ParseLabels(text, name_.string());
    return !std::all_of(there.begin(), there.end(), [&](const AnswerLabel& label) {
      return std::any_of(labels_.begin(), labels_.end(), [&](const AnswerLabel& given) {
        return given.id == label.id && given.baseline_hash == label.baseline_hash &&
               given.other_hash == label.other_hash && given.right == label.right;
      });
    });
  } catch (const Error&) {
    return true;
  }
}

void Labelling::Open(const OutputRules& rules, const CommonFlags& flags) {
  NoteLeft(name_, flags);
  force_ = rules.force;
  if (WouldReplaceLabels())
    Fail(ErrorKind::kInvalid,
         "{} has labels of yours, or is none of this program's files: rename it and give it as --labels, give another "
         "--report, or --force to replace it",
         name_.string());
  OutputRules of_differing = rules;
  of_differing.ours = [](std::string_view) { return true; };  // as was just found
  file_.emplace(name_, of_differing);
}

void Labelling::Write(const CheckRecord& record, const std::vector<ExampleText>& texts, const CommonFlags& flags) {
  const std::vector<DifferingPrompt> differing = DifferingPrompts(record, texts);
  for (const DifferingPrompt& prompt : differing)
    for (const OtherAnswer& answer : prompt.answers) {
      ++answers_;
      without_label_ += answer.right.empty();
    }
  if (WouldReplaceLabels()) {
    Note(flags, name_.string() + " was labelled meanwhile and is left as it is: give it as --labels to the next run");
  } else {
    file_->Write(LabelFileText(differing));
    file_->Commit();
  }
  const std::vector<std::string> stale = StaleLabels(record);
  if (stale.empty()) return;
  const std::vector<std::string> shown(stale.begin(),
                                       stale.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(stale.size(), 5)));
  Note(flags,
       fmt::format("{}: {} of {} labels are of other answers than this run's and do not count: {}{}", labels_name_,
                   stale.size(), labels_.size(), Join(shown, ", "), stale.size() > shown.size() ? " …" : ""));
}

std::string Labelling::WhatToDo() const {
  if (answers_ == 0) return fmt::format("no answer to the unlabelled prompts differs ({} is empty)", name_.string());
  if (without_label_ == 0) return fmt::format("differing answers: {} (all {} labelled)", name_.string(), answers_);
  return fmt::format(
      "differing answers: {} ({} to label: write \"baseline\", \"candidate\", \"both\" or \"neither\" into \"right\", "
      "rename it, and give it as --labels)",
      name_.string(), without_label_);
}

}  // namespace assay
