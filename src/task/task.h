#pragma once
// A task: the user's own examples, one JSON object a line (or YAML), each with a list of typed checks. docs/tasks.md is
// the reference of the file format.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "task/backend.h"
#include "task/check/check.h"

namespace assay {

inline constexpr int kAdvisedExamples = 50;  // fewer: most comparisons end in "can't tell"
inline constexpr int kAdvisedSliceExamples = 10;
inline constexpr std::string_view kSampleDraft = "a sample: put an example of your own in its place";  // of task init

struct Example {
  int64_t line = 0;
  std::string id, slice, cluster;  // slice "all" when the file names none; cluster empty: the example stands alone
  Json messages;                   // chat messages with the context put in; null when `prompt` is used
  std::string prompt;              // raw prompt with the context put in
  std::string context;             // as written
  Json tools;                      // OpenAI format, null for none
  Json documents;                  // list of objects that the chat template shows, null for none
  Json chat_template_kwargs;       // variables of the chat template (enable_thinking ...), null for none
  Json response_schema;            // null for none: default of json_schema checks, not enforced while decoding
  Json sampling;                   // overrides of the run's sampling, null for none
  std::vector<Check> expect;       // at least one (a prompt has none in its file); an example passes when all pass
  bool drafted = false;            // checks made from a recorded answer, which nobody has looked at yet
  bool sample = false;             // drafted, and written by assay task init to be replaced
  bool is_chat() const { return !messages.is_null(); }
};

struct Task {
  std::string name;  // file name
  std::vector<Example> examples;
  double margin = 0;           // points, largest acceptable drop, stated in the file; 0: none
  int64_t unnamed = 0;         // examples without an id, named by their line
  std::vector<int64_t> looks;  // numbers of examples at which the task is judged as it grows, rising; empty: once
  /// XXH3-128 over the examples in order: every member as written, white space and the order of an example's own
  /// members apart.
  std::string hash;
  /// Whether so many examples are one of the looks, where looks are planned.
  bool IsLook() const;
  /// What IsLook asks for: "50, 100 or 200 examples".
  std::string LooksText() const;
  /// Examples whose checks are drafts.
  int64_t drafted() const;
  /// Examples of assay task init among them.
  int64_t samples() const;
  /// Slice names in order of first appearance.
  std::vector<std::string> slices() const;
};

struct TaskProblem {
  int64_t line = 0;   // 0: the file as a whole
  std::string field;  // "expect[0].calls[1].name"; empty: the line as a whole
  std::string message;
  bool warning = false;
  /// "tasks/tools.jsonl:12: expect[0].value: …".
  std::string Describe(std::string_view file) const;
};

/// Throws Error{kNotFound|kIo} for the file, Error{kInvalid} with file:line and field for the first mistake in it.
Task LoadTask(const std::filesystem::path& path);
/// The same from memory; `name` stands for the file in messages.
Task ParseTask(std::string_view text, std::string_view name);

/// A file of prompts that nobody has labelled: the same lines without `expect` (and without a plan); a line without an
/// id is named by its number. What is to be made of the answers: same_answer.h.
Task LoadPrompts(const std::filesystem::path& path);
Task ParsePrompts(std::string_view text, std::string_view name);

/// All mistakes (first) and doubts of a task file, ordered by line. Throws only when the file cannot be read.
std::vector<TaskProblem> CheckTask(const std::filesystem::path& path);
std::vector<TaskProblem> CheckTaskText(std::string_view text, std::string_view name);

}  // namespace assay
