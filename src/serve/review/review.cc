#include "serve/review/review.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/counted.h"
#include "base/edit/json_edit.h"
#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "record/label_file.h"
#include "report/diff.h"
#include "report/escape.h"
#include "serve/review/shown.h"
#include "system/file.h"
#include "task/runner.h"
#include "task/task_mistakes.h"

namespace assay {
namespace {

constexpr size_t kMostUndo = 1000;
constexpr size_t kMostSteps = 512;  // of a path: as deep as JSON is read

std::string IdOf(const Json& object, size_t line) {
  const Json* id = object.is_object() ? FindMember(object, "id") : nullptr;
  if (!id) return std::to_string(line + 1);
  return id->is_string() ? id->get<std::string>() : DumpJson(*id);
}

/// The line that says something of the task as a whole.
bool IsHead(const Json& object) {
  if (!object.is_object()) return false;
  const bool asks = FindMember(object, "messages") || FindMember(object, "prompt");
  return (object.contains("task") || (object.contains("defaults") && !asks)) && !object.contains("id") &&
         !object.contains("expect");
}

Json Parsed(const std::string& content) {
  try {
    return ParseJson(content, "", /*strict=*/true);
  } catch (const Error&) {
    return nullptr;
  }
}

Json ProblemJson(const TaskProblem& problem) {
  return {{"field", problem.field}, {"message", problem.message}, {"warning", problem.warning}};
}

}  // namespace

std::string TaskLinesOfYaml(std::string_view text, std::string_view name) {
  const Task task = ParseTask(text, name);  // whatever is wrong with it is told here
  const YamlText yaml = ParseYaml(text);
  Json head = Json::object(), examples = Json::array();
  if (const Json* list = yaml.root.is_object() ? FindMember(yaml.root, "examples") : nullptr) {
    head = yaml.root;
    head.erase("examples");
    examples = *list;
  } else if (yaml.root.is_array()) {
    for (const Json& one : yaml.root) (IsHead(one) ? head.update(one) : examples.push_back(one));
  } else {
    examples.push_back(yaml.root);
  }
  std::string lines = head.empty() ? "" : DumpJson(head) + "\n";
  for (size_t i = 0; i < examples.size(); ++i) {
    Json line = {{"id", task.examples.at(i).id}};
    for (const auto& [key, value] : examples[i].items())
      if (key != "id") line[key] = value;
    lines += DumpJson(line) + "\n";
  }
  return lines;
}

Review::Review(const ReviewFiles& files, std::vector<ReviewArm> arms, bool discard)
    : name_(files.task.string()),
      task_(files.task, files.text, files.elsewhere, files.force),
      journal_(files.task.string() + ".review"),
      arms_(std::move(arms)) {
  if (!files.labels.empty()) {
    std::string text = ReadFile(files.labels);
    ParseLabels(text, files.labels.string());
    labels_.emplace(files.labels, std::move(text), /*elsewhere=*/false, /*force=*/false);
  }
  if (const std::optional<OtherFormat> other = FindOtherFormat(files.text))
    Fail(ErrorKind::kInvalid, "{}", TaskProblem{other->line, "", other->message}.Describe(name_));
  const size_t lines = task_.lines().size();
  broken_.resize(lines);
  for (size_t i = 0; i < lines; ++i) {
    const Json object = Parsed(task_.lines().line(i));
    first_ids_.push_back(IdOf(object, i));
    ids_.push_back(first_ids_.back());
    if (IsHead(object)) {
      heads_.push_back(task_.lines().line(i));
      head_lines_.push_back(i);
    }
  }
  for (const TaskProblem& problem : CheckTaskText(files.text, name_)) {
    if (problem.warning) continue;
    if (problem.line <= 0 || problem.line > static_cast<int64_t>(lines) ||
        !IsExampleLine(static_cast<size_t>(problem.line - 1)))
      Fail(ErrorKind::kInvalid, "{}", problem.Describe(name_));
    broken_[static_cast<size_t>(problem.line - 1)] = true;
  }
  for (const ReviewArm& arm : arms_) {
    auto& by_id = answers_.emplace_back();
    for (size_t i = 0; i < arm.run.examples.size(); ++i) by_id[arm.run.examples[i].id].push_back(i);
  }
  TakeUp(discard);
}

void Review::TakeUp(bool discard) {
  if (discard) {
    journal_.Saved();
    return;
  }
  std::vector<std::pair<ReviewedFile*, std::pair<size_t, std::string>>> found;
  for (const LineChange& change : journal_.left()) {
    ReviewedFile* file = change.file == "task" ? &task_ : labels_ ? &*labels_ : nullptr;
    const EditedLines* lines = file ? &file->lines() : nullptr;
    const auto is = [&](size_t i, const std::string& text) { return lines->line(i) == text; };
    std::optional<size_t> at;
    if (lines && change.line < lines->size() && (is(change.line, change.from) || is(change.line, change.to)))
      at = change.line;
    for (size_t i = 0; lines && !change.from.empty() && !at && i < lines->size(); ++i)
      if (is(i, change.from) || is(i, change.to)) at = i;
    if (!at)
      Fail(ErrorKind::kInvalid,
           "{} holds {} of an earlier review that ended without saving, and line {} of {} is another now: put the "
           "older file back, or --discard to drop these changes",
           journal_.path().string(), Counted(std::ssize(journal_.left()), "change"), change.line + 1,
           file ? file->path().string() : "the file of labels (--labels)");
    found.push_back({file, {*at, change.to}});
  }
  for (auto& [file, change] : found) {
    if (file->lines().line(change.first) == change.second) continue;  // it was saved, and nobody could say so any more
    ++taken_up_;
    Set(*file, change.first, std::move(change.second), 0);
  }
}

bool Review::IsExampleLine(size_t line) const {
  const EditedLines& lines = task_.lines();
  return !(lines.line(line).empty() && lines.saved(line).empty()) &&
         std::find(head_lines_.begin(), head_lines_.end(), line) == head_lines_.end();
}

size_t Review::unsaved() const {
  const size_t changes = task_.lines().changes() + (labels_ ? labels_->lines().changes() : 0);
  return changes > 0 ? changes : task_.unsaved() ? 1 : 0;
}

void Review::Save() {
  if (unsaved() == 0) return;
  task_.Save();
  if (labels_) labels_->Save();
  journal_.Saved();
  ++saves_;
}

void Review::Finish() {
  journal_.Remove();
}

void Review::Set(ReviewedFile& file, size_t line, std::string content, int64_t gesture) {
  EditedLines& lines = file.lines();
  if (lines.line(line) == content) return;
  // What is typed into one field is one step back.
  const bool goes_on = gesture > 0 && !undo_.empty() && undo_.back().gesture == gesture && undo_.back().file == &file &&
                       undo_.back().line == line;
  if (!goes_on) undo_.push_back({&file, line, lines.line(line), gesture});
  if (undo_.size() > kMostUndo) undo_.erase(undo_.begin());
  journal_.Append({&file == &task_ ? "task" : "labels", line, lines.saved(line), content});
  lines.Set(line, std::move(content));
  if (&file != &task_) return;
  ids_[line] = IdOf(Parsed(lines.line(line)), line);
  broken_[line] = !lines.line(line).empty() && ReadLine(line, lines.line(line)).broken;
}

Review::LineRead Review::ReadLine(size_t line, const std::string& content) const {
  LineRead read;
  std::string text;
  for (const std::string& head : heads_) text += head + "\n";
  text += content;
  const auto here = static_cast<int64_t>(heads_.size()) + 1;
  read.object = Parsed(content);
  for (TaskProblem& problem : CheckTaskText(text, name_)) {
    // Of a task of one example, which this is not; drafts are marked otherwise.
    if (problem.warning && (problem.line != here || problem.field == "draft")) continue;
    read.broken |= !problem.warning;
    read.problems.push_back(std::move(problem));
  }
  if (Trim(content).empty() || IsHead(read.object)) {
    read.problems = {{here, "", "expected an example {\"id\": …, \"messages\": …, \"expect\": …}", false}};
    read.broken = true;
  }
  const std::string id = IdOf(read.object, line);
  for (size_t i = 0; i < task_.lines().size() && read.object.is_object(); ++i) {
    if (i == line || !IsExampleLine(i) || task_.lines().line(i).empty()) continue;
    if (ids_[i] != id) continue;
    read.problems.insert(
        read.problems.begin(),
        {here, "id", fmt::format("{} is the id of line {}: expected one of its own", id, i + 1), false});
    read.broken = true;
    break;
  }
  if (!read.broken) {
    read.example = ParseTask(text, name_).examples.at(0);
    read.example->id = id;
  }
  return read;
}

Json Review::Summary(size_t line) const {
  const EditedLines& lines = task_.lines();
  const bool deleted = lines.line(line).empty();
  const Json object = Parsed(deleted ? lines.saved(line) : lines.line(line));
  Json out = {{"line", line}, {"id", VisibleText(IdOf(object, line), false)}};
  const Json* slice = object.is_object() ? FindMember(object, "slice") : nullptr;
  std::string name = slice && slice->is_string() ? slice->get<std::string>() : "";
  for (const std::string& head : heads_)
    if (const Json defaults = Parsed(head).value("defaults", Json()); name.empty() && defaults.is_object())
      name = defaults.value("slice", Json()).is_string() ? defaults["slice"].get<std::string>() : "";
  out["slice"] = name.empty() ? "all" : name;
  out["question"] = VisibleText(Shortened(QuestionText(object), 160), false);
  const Json draft = object.is_object() ? object.value("draft", Json()) : Json();
  out["drafted"] = !draft.is_null() && draft != false;
  out["edited"] = lines.line(line) != lines.saved(line);
  out["deleted"] = deleted;
  out["broken"] = !deleted && broken_[line];
  // Where the runs' own scores part from the baseline's.
  bool differs = false;
  std::optional<bool> baseline;
  for (size_t a = 0; a < arms_.size(); ++a) {
    const auto found = answers_[a].find(first_ids_[line]);
    if (found == answers_[a].end()) continue;
    const ExampleResult& result = arms_[a].run.examples[found->second.front()];
    if (!baseline)
      baseline = result.pass;
    else
      differs |= result.pass != *baseline;
  }
  out["differs"] = differs;
  return out;
}

Json Review::State() const {
  Json out = {{"task", name_}, {"unsaved", unsaved()}, {"undo", undo_.size()}, {"arms", Json::array()}};
  for (const ReviewArm& arm : arms_) out["arms"].push_back(VisibleText(arm.name, false));
  out["examples"] = Json::array();
  for (size_t i = 0; i < task_.lines().size(); ++i)
    if (IsExampleLine(i)) out["examples"].push_back(Summary(i));
  out["labels_file"] = labels_ ? labels_->path().string() : "";
  out["differing"] = Json::array();
  for (size_t i = 0; labels_ && i < labels_->lines().size(); ++i)
    if (const Json prompt = Parsed(labels_->lines().line(i)); prompt.is_object()) {
      Json rights = Json::array();
      for (const Json& one : prompt["answers"]) rights.push_back(one.value("right", Json()));
      out["differing"].push_back({{"line", i}, {"id", VisibleText(IdOf(prompt, i), false)}, {"rights", rights}});
    }
  return out;
}

Json Review::Answers(size_t line, const Example& example) const {
  Json out = Json::array();
  std::string baseline;
  bool has_baseline = false;
  for (size_t a = 0; a < arms_.size(); ++a) {
    const auto found = answers_[a].find(first_ids_[line]);
    if (found == answers_[a].end()) continue;
    std::vector<std::pair<const ExampleResult*, int64_t>> different;  // and how often each was given
    for (size_t place : found->second) {
      const ExampleResult& result = arms_[a].run.examples[place];
      const auto known = std::find_if(different.begin(), different.end(), [&](const auto& one) {
        return one.first->answer == result.answer && one.first->finish == result.finish;
      });
      if (known != different.end())
        ++known->second;
      else
        different.push_back({&result, 1});
    }
    for (const auto& [result, times] : different) {
      Json one = {{"arm", VisibleText(arms_[a].name, false)},
                  {"baseline", a == 0},
                  {"times", times},
                  {"finish", result->finish},
                  {"error", VisibleText(result->error, true)}};
      one["answer"] = AnswerText(result->answer);
      if (a == 0 && !has_baseline) {
        baseline = result->answer;
        has_baseline = true;
      } else if (a > 0 && has_baseline && baseline != result->answer) {
        one["diff"] = DiffJson(baseline, result->answer);
      } else if (a > 0 && has_baseline) {
        one["same"] = true;
      }
      if (result->error.empty()) {
        Answer answer;
        answer.text = result->answer;
        answer.finish = result->finish;
        const ExampleResult scored = ScoreAnswer(example, answer, "");
        one["pass"] = scored.pass;
        one["recorded"] = result->pass;
        one["checks"] = Json::array();
        for (const CheckResult& check : scored.checks)
          one["checks"].push_back({{"type", check.type},
                                   {"pass", check.pass},
                                   {"failure", check.failure},
                                   {"detail", VisibleText(check.detail, true)},
                                   {"read", VisibleText(check.read, true)}});
      }
      out.push_back(std::move(one));
    }
  }
  return out;
}

Json Review::View(size_t line, const std::string& content) const {
  const LineRead read = ReadLine(line, content);
  Json out = {{"line", line}, {"text", read.object.is_null() ? content : LayOutJson(content, 2)}};
  out["problems"] = Json::array();
  for (const TaskProblem& problem : read.problems) out["problems"].push_back(ProblemJson(problem));
  out["ok"] = !read.broken;
  out["members"] = Json::object();
  if (read.object.is_object())
    for (const JsonPart& part : JsonParts(content)) out["members"][part.key] = LayOutJson(part.Text(content), 2);
  out["checks"] = read.object.is_object() ? ChecksJson(content) : Json::array();
  if (const Json* draft = read.object.is_object() ? FindMember(read.object, "draft") : nullptr)
    out["draft"] = AnswerText(draft->is_string() ? draft->get<std::string>() : DumpJson(*draft, 1));
  if (read.example) {
    out["conversation"] = ConversationJson(*read.example);
    out["own_checks"] = out["checks"].size();
    for (size_t i = out["checks"].size(); i < read.example->expect.size(); ++i)
      out["default_checks"].push_back(DumpJson(read.example->expect[i].spec));
    out["answers"] = Answers(line, *read.example);
  }
  return out;
}

size_t Review::LineAsked(const Json& asked, const ReviewedFile& file) const {
  const Json* line = asked.is_object() ? FindMember(asked, "line") : nullptr;
  const std::optional<size_t> place = line ? PlaceIn(*line) : std::nullopt;
  if (!place || *place >= file.lines().size() || (&file == &task_ && !IsExampleLine(*place)))
    Fail(ErrorKind::kInvalid, "line: expected one of an example, found {}", line ? DumpJson(*line) : "none");
  return *place;
}

/// The line as it is asked to become: "text" of the whole, or "changes" of values below it.
std::string Review::Changed(size_t line, const Json& asked) const {
  std::string content = task_.lines().line(line);
  if (content.empty()) content = task_.lines().saved(line);
  if (asked.value("delete", Json()) == true) return "";
  if (const Json* text = FindMember(asked, "text")) {
    if (!text->is_string()) Fail(ErrorKind::kInvalid, "text: expected JSON in a text");
    const auto& wanted = text->get_ref<const std::string&>();
    if (Parsed(wanted).is_null()) {
      std::string row = wanted;  // told by the task's reader, which knows the mistakes that people make
      std::replace(row.begin(), row.end(), '\n', ' ');
      return row;
    }
    return Parsed(content).is_null() ? LayOutJson(wanted) : MergeJson(content, wanted);
  }
  const Json changes = asked.value("changes", Json::array());
  for (const Json& change : changes) {
    const Json* path = change.is_object() ? FindMember(change, "path") : nullptr;
    if (!path || !path->is_array() || path->empty() || path->size() > kMostSteps ||
        !std::all_of(path->begin(), path->end(), [](const Json& step) { return step.is_string() || PlaceIn(step); }))
      Fail(ErrorKind::kInvalid, "changes: expected each with a \"path\" of names and places, at most {} of them",
           kMostSteps);
    if (change.value("remove", Json()) == true) {
      content = RemoveFromJson(content, *path);
      continue;
    }
    const Json* json = FindMember(change, "json");
    if (!json || !json->is_string()) Fail(ErrorKind::kInvalid, "changes: expected each with \"json\" or \"remove\"");
    std::string where;
    for (const Json& step : *path)
      where += step.is_string() ? (where.empty() ? "" : ".") + step.get<std::string>()
                                : fmt::format("[{}]", step.get<size_t>());
    const auto& value = json->get_ref<const std::string&>();
    ParseJson(value, where, /*strict=*/true);
    content = SetInJson(content, *path, LayOutJson(value));
  }
  return content;
}

Json Review::Edit(const Json& asked) {
  const size_t line = LineAsked(asked, task_);
  const int64_t gesture = static_cast<int64_t>(PlaceIn(asked.value("gesture", Json())).value_or(0));
  std::string content;
  try {
    content = Changed(line, asked);
  } catch (const Error& error) {
    Json out = {{"taken", false}, {"problems", Json::array()}};
    out["problems"].push_back(ProblemJson({0, "", error.what(), false}));
    return out;
  }
  const bool deleted = content.empty();
  Json view = deleted ? Json{{"line", line}, {"ok", true}, {"problems", Json::array()}} : View(line, content);
  const bool taken = view["ok"].get<bool>() && asked.value("try", Json()) != true;
  if (taken) Set(task_, line, content, gesture);
  Json out = {{"taken", taken},
              {"problems", view["problems"]},
              {"summary", Summary(line)},
              {"unsaved", unsaved()},
              {"undo", undo_.size()}};
  out["example"] = std::move(view);
  return out;
}

Json Review::Undo() {
  if (undo_.empty()) return {{"undone", false}, {"unsaved", unsaved()}, {"undo", 0}};
  const UndoStep step = std::move(undo_.back());
  undo_.pop_back();
  const size_t steps = undo_.size();
  Set(*step.file, step.line, step.before, 0);
  undo_.resize(steps);  // no step of its own
  const bool of_task = step.file == &task_;
  Json out = {{"undone", true},
              {"file", of_task ? "task" : "labels"},
              {"line", step.line},
              {"unsaved", unsaved()},
              {"undo", steps}};
  if (of_task) out["summary"] = Summary(step.line);
  return out;
}

Json Review::SaveAnswer() {
  const size_t changes = unsaved();
  Save();
  Json out = {{"saved", changes}, {"unsaved", unsaved()}, {"file", task_.path().string()}, {"problems", Json::array()}};
  for (const TaskProblem& problem : CheckTaskText(task_.lines().Text(), name_))
    if (!problem.warning) out["problems"].push_back(problem.Describe(name_));
  return out;
}

Json Review::Differing(const Json& asked) const {
  if (!labels_) Fail(ErrorKind::kInvalid, "no file of differing answers was given (--labels)");
  const size_t line = LineAsked(asked, *labels_);
  const Json prompt = ParseJson(labels_->lines().line(line), labels_->path().string());
  Json out = {{"line", line}, {"id", VisibleText(IdOf(prompt, line), false)}, {"conversation", Json::array()}};
  for (const Json& part : prompt.value("prompt", Json::array()))
    out["conversation"].push_back({{"role", part.value("role", "")}, {"text", AnswerText(part.value("text", ""))}});
  const std::string draft = JsonString(prompt["draft"], "answer", "draft");
  out["draft"] = {{"answer", AnswerText(draft)}, {"from", VisibleText(prompt["draft"].value("from", ""), false)}};
  out["answers"] = Json::array();
  for (const Json& other : prompt["answers"]) {
    const std::string answer = JsonString(other, "answer", "answers");
    Json from = Json::array();
    for (const Json& name : other.value("from", Json::array()))
      from.push_back(VisibleText(name.get<std::string>(), false));
    out["answers"].push_back({{"answer", AnswerText(answer)},
                              {"from", from},
                              {"right", other.value("right", Json())},
                              {"diff", DiffJson(draft, answer)}});
  }
  return out;
}

Json Review::Label(const Json& asked) {
  if (!labels_) Fail(ErrorKind::kInvalid, "no file of differing answers was given (--labels)");
  const size_t line = LineAsked(asked, *labels_);
  const std::string before = labels_->lines().line(line);
  const Json* answer = FindMember(asked, "answer");
  const size_t answers = JsonParts(before).empty() ? 0 : Parsed(before)["answers"].size();
  const std::optional<size_t> place = answer ? PlaceIn(*answer) : std::nullopt;
  if (!place || *place >= answers)
    Fail(ErrorKind::kInvalid, "answer: expected the place of one of {}",
         Counted(static_cast<int64_t>(answers), "answer"));
  const Json right = asked.value("right", Json());
  if (!right.is_null() && !(right.is_string() && IsRight(right.get<std::string>())))
    Fail(ErrorKind::kInvalid, "right: expected one of {} or null, found {}", RightNames(), DumpJson(right));
  std::string content = SetInJson(before, Json::array({"answers", *answer, "right"}), DumpJson(right));
  labels_->lines().Set(line, content);
  try {
    ParseLabels(labels_->lines().Text(), labels_->path().string());
  } catch (const Error&) {
    labels_->lines().Set(line, before);
    throw;
  }
  labels_->lines().Set(line, before);
  Set(*labels_, line, std::move(content), 0);
  Json out = Differing(asked);
  out["unsaved"] = unsaved();
  out["undo"] = undo_.size();
  return out;
}

Json Review::Ask(std::string_view what, const Json& asked) {
  if (what == "/state") return State();
  if (what == "/example") {
    const size_t line = LineAsked(asked, task_);
    const std::string& content = task_.lines().line(line);
    return View(line, content.empty() ? task_.lines().saved(line) : content);
  }
  if (what == "/edit") return Edit(asked);
  if (what == "/undo") return Undo();
  if (what == "/save") return SaveAnswer();
  if (what == "/differing") return Differing(asked);
  if (what == "/label") return Label(asked);
  Fail(ErrorKind::kNotFound, "no such page");
}

}  // namespace assay
