#pragma once
// What becomes of the rows of a file: examples of a task, prompts without a check, and what was left out, counted.

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "import/source.h"

namespace assay {

class ImportSink {
 public:
  struct Line {
    std::string id, place;
    Json value;
  };
  struct Skipped {
    std::string why, first;  // place of the first
    int64_t rows = 0;
  };

  /// `example` has all but an id that is sure to be one of its own. What no task can hold is skipped, and why is kept.
  void Add(const ImportRow& row, Json example);
  /// A row that nothing checks: a prompt at most.
  void AddPrompt(const ImportRow& row, Json example, const std::string& why);
  /// A line of a task file as it is: an example, or what holds for all of them.
  void AddLine(const ImportRow& row);
  void AddPlan(const Json& line) { plan_.push_back(line); }
  void Skip(const std::string& place, const std::string& why);
  /// Something of a row that a task has no place for; counted once a row.
  void Drop(const std::string& what, int64_t rows = 1) { dropped_[what] += rows; }
  /// How something was read, said once.
  void Note(const std::string& text);

  const std::vector<Line>& examples() const { return examples_; }
  const std::vector<Json>& plan() const { return plan_; }
  const std::vector<Line>& prompts() const { return prompts_; }
  const std::vector<Skipped>& skipped() const { return skipped_; }
  const std::map<std::string, int64_t>& dropped() const { return dropped_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::string NameFor(const Json& example, const ImportRow& row);
  std::vector<Line> examples_, prompts_;
  std::vector<Json> plan_;
  std::vector<Skipped> skipped_;
  std::map<std::string, int64_t> dropped_;
  std::vector<std::string> notes_;
  std::unordered_set<std::string> ids_;
  std::unordered_map<std::string, int64_t> used_;   // how often an id was met again
  std::unordered_map<std::string, size_t> by_why_;  // place in skipped_
};

}  // namespace assay
