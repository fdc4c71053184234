#pragma once
// A person's walk through the examples of a task: what is shown of each, what is changed in it, and when it is saved.
// It knows no HTTP; the page (page.h) asks it in JSON. Every change is read by the task's own reader and scored by its
// own checks before it counts.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "record/run_record.h"
#include "serve/review/journal.h"
#include "serve/review/reviewed_file.h"
#include "task/task.h"

namespace assay {

/// A model that answered the task, the baseline first.
struct ReviewArm {
  std::string name;
  RunRecord run;
};

struct ReviewFiles {
  std::filesystem::path task;    // that is saved
  std::string text;              // of the task, JSON lines
  bool elsewhere = false;        // it was read from another file
  std::filesystem::path labels;  // NAME.differing.jsonl; empty: none
  bool force = false;
};

/// YAML as JSON lines: the same task, an example without an id named as before. Throws Error{kInvalid} where it is
/// none.
std::string TaskLinesOfYaml(std::string_view text, std::string_view name);

class Review {
 public:
  /// Takes up what the journal beside the task holds. Throws Error{kInvalid} for a file that is no task, a line of an
  /// example apart: its mistakes are shown; and for changes whose line is another now, unless `discard`.
  Review(const ReviewFiles& files, std::vector<ReviewArm> arms, bool discard);

  /// What the page asks: "/state", "/example", "/edit", "/undo", "/save", "/differing", "/label". Throws
  /// Error{kNotFound} for another name, Error{kInvalid} for what makes no sense.
  Json Ask(std::string_view what, const Json& asked);

  /// Throws as ReviewedFile::Save does.
  void Save();
  size_t unsaved() const;
  /// Changes of an earlier review that were taken up.
  size_t taken_up() const { return taken_up_; }
  size_t saves() const { return saves_; }
  /// Removes the journal: everything is saved.
  void Finish();
  const std::filesystem::path& journal() const { return journal_.path(); }
  const std::filesystem::path& task() const { return task_.path(); }

 private:
  struct LineRead {
    Json object;  // null: no JSON object
    std::optional<Example> example;
    std::vector<TaskProblem> problems;
    bool broken = false;
  };
  struct UndoStep {
    ReviewedFile* file = nullptr;
    size_t line = 0;
    std::string before;
    int64_t gesture = 0;
  };
  LineRead ReadLine(size_t line, const std::string& content) const;
  Json Summary(size_t line) const;
  Json View(size_t line, const std::string& content) const;
  Json Answers(size_t line, const Example& example) const;
  std::string Changed(size_t line, const Json& asked) const;
  Json State() const;
  Json Edit(const Json& asked);
  Json Undo();
  Json SaveAnswer();
  Json Differing(const Json& asked) const;
  Json Label(const Json& asked);
  void Set(ReviewedFile& file, size_t line, std::string content, int64_t gesture);
  void TakeUp(bool discard);
  size_t LineAsked(const Json& asked, const ReviewedFile& file) const;
  bool IsExampleLine(size_t line) const;

  std::string name_;
  ReviewedFile task_;
  std::optional<ReviewedFile> labels_;
  ReviewJournal journal_;
  std::vector<ReviewArm> arms_;
  std::vector<std::string> heads_;  // lines of the plan and the defaults
  std::vector<size_t> head_lines_;
  std::vector<std::string> first_ids_;  // of each line, when it was read: by it answers are found
  std::vector<std::string> ids_;        // of each line, now
  std::vector<bool> broken_;            // of each line
  std::vector<std::unordered_map<std::string, std::vector<size_t>>> answers_;  // of each arm: places in its run
  std::vector<UndoStep> undo_;
  size_t taken_up_ = 0, saves_ = 0;
};

}  // namespace assay
