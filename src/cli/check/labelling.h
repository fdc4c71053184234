#pragma once
// The unlabelled prompts of a check: what is read for them and what is written for the person who labels.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "record/check_record.h"
#include "system/output.h"
#include "task/task.h"

namespace assay {

class Labelling {
 public:
  /// Reads both files; `labels` may be empty. Throws Error{kInvalid} for mistakes, and for a label of a prompt that is
  /// not there.
  Labelling(const std::string& prompts, const std::string& labels, const std::string& report, const Task& task);
  const Task& prompts() const { return prompts_; }
  const std::vector<AnswerLabel>& labels() const { return labels_; }
  /// The file for the person who labels, beside the report.
  const std::filesystem::path& name() const { return name_; }
  /// Claims the file beside the report, before any work. What a person labelled in it is not replaced.
  void Open(const OutputRules& rules, const CommonFlags& flags);
  /// Writes what differs, with the labels that there are; tells of labels that fit no answer, and leaves a file that
  /// was labelled meanwhile as it is.
  void Write(const CheckRecord& record, const std::vector<ExampleText>& texts, const CommonFlags& flags);
  /// One line for the user, after Write.
  std::string WhatToDo() const;

 private:
  bool WouldReplaceLabels() const;
  Task prompts_;
  std::vector<AnswerLabel> labels_;
  std::string labels_name_;
  std::filesystem::path name_;
  bool force_ = false;
  std::optional<AtomicFile> file_;
  size_t answers_ = 0, without_label_ = 0;
};

}  // namespace assay
