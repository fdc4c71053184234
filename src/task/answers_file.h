#pragma once
// Answers that somebody already has, one JSON object a line, and what a task's checks say of them. docs/tasks.md
// describes the file.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.h"
#include "task/runner.h"
#include "task/task.h"

namespace assay {

struct GivenAnswer {
  int64_t line = 0;
  std::string id;
  Answer answer;
  bool only_reasoning = false;  // the message has reasoning and nothing else
};

struct AnswersFile {
  std::vector<GivenAnswer> answers;   // in the file's order
  std::vector<std::string> unread;    // members that say nothing about an answer, each once
  std::vector<TaskProblem> problems;  // lines that cannot be read
  std::set<std::string> bad_ids;      // of those that name one: they have an answer, if none that can be read
};

/// `name` stands for the file in messages of lines that are no JSON.
AnswersFile ReadAnswers(std::string_view text, std::string_view name);

struct ScoredAnswers {
  std::vector<ExampleResult> examples;  // in task order
  std::vector<TaskProblem> problems;    // of the answers: an id that the task lacks, a second answer
  std::vector<const Example*> missing;  // examples without an answer: their results are errors
};

/// Runs the task's checks on the answers. `task` outlives the result.
ScoredAnswers ScoreAnswers(const Task& task, const AnswersFile& file);

}  // namespace assay
