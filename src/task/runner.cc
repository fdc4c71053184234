#include "task/runner.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/only_cancel.h"
#include "dialect/call/call_syntax.h"
#include "dialect/reasoning.h"
#include "task/finish.h"
#include "task/message.h"

namespace assay {
namespace {

class Leg {
 public:
  Leg(Progress& progress, std::string_view what, uint64_t total, std::string_view unit) : progress_(progress) {
    progress_.Begin(what, total, unit);
  }
  ~Leg() { progress_.End(); }
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

 private:
  Progress& progress_;
};

ExampleResult Failed(const Example& example, const std::string& prompt_hash, const std::string& error) {
  Answer answer;
  answer.finish = "error";
  answer.error = error;
  return ScoreAnswer(example, answer, prompt_hash);
}

bool NoSeedMatters(const Sampling& sampling) {
  return sampling.temperature <= 0 || sampling.top_k == 1;
}

/// Whether the text holds a call that the server's parser should have taken out of it, and what would pass without it.
void ScoreAsDelivered(const Example& example, const AnswerView& view, ExampleResult& result) {
  const bool asked = std::any_of(example.expect.begin(), example.expect.end(),
                                 [](const Check& check) { return check.body->reads_calls(); });
  if (!asked || example.tools.is_null()) return;
  if (ParseCalls(view.text, example.tools, view.call_syntax).calls.empty()) return;
  result.call_left_in_text = result.pass_as_delivered = true;
  AnswerView delivered = view;
  delivered.text = delivered.raw = "-";  // to a check that looks for calls: words, and no call
  for (size_t i = 0; i < example.expect.size(); ++i) {
    const bool pass = example.expect[i].body->reads_calls() ? RunCheck(example.expect[i], delivered, example).pass
                                                            : result.checks[i].pass;
    result.pass_as_delivered = result.pass_as_delivered && pass;
  }
}

class Run {
 public:
  Run(const Task& task, Backend& backend, const RunHeader& header, RunRecordWriter* writer, Progress& progress,
      const AnswerLookup& cache, int64_t first_sample)
      : task_(task),
        backend_(backend),
        header_(header),
        writer_(writer),
        progress_(progress),
        cache_(cache),
        samples_(static_cast<size_t>(header.samples)),
        first_sample_(first_sample),
        can_(backend.can()),
        call_syntax_(backend.CallSyntax()),
        results_(task.examples.size() * samples_),
        defaults_(SamplingFromJson(header.sampling, {}, "sampling of the run")) {}

  RunRecord Go() {
    RequireChance(task_, defaults_, header_.samples, can_);
    std::vector<Question> questions;
    for (const Example& example : task_.examples) questions.push_back(QuestionOf(example));
    backend_.Announce(questions, progress_);
    Leg leg(progress_, "answering " + task_.name, results_.size(), samples_ > 1 ? "answers" : "examples");
    TakeResumed();
    OnlyCancel inner(progress_);
    prompt_ids_.resize(questions.size());
    for (size_t i = 0; i < task_.examples.size(); ++i) Prepare(i);
    if (!requests_.empty())
      backend_.Generate(
          requests_, [&](size_t index, const Answer& answer) { Done(index, answer); }, inner);
    RunRecord record;
    record.header = header_;
    for (size_t i = 0; i < results_.size(); ++i) {
      if (!results_[i])
        throw std::logic_error(fmt::format("the backend left {} unanswered", task_.examples[i / samples_].id));
      record.examples.push_back(std::move(*results_[i]));
    }
    record.complete = true;
    return record;
  }

 private:
  void TakeResumed() {
    if (!writer_) return;
    for (const ExampleResult& result : writer_->resumed())
      resumed_.emplace(std::pair(std::string_view(result.id), result.sample), &result);
  }

  // Poses and hashes, and answers from the resumed run or the cache where they know; else requests are left to
  // generate.
  void Prepare(size_t i) {
    if (progress_.Cancelled()) throw Interrupted();
    const Example& example = task_.examples[i];
    Request request;
    request.question = QuestionOf(example);
    std::string prompt_hash;
    std::vector<size_t> open;  // samples
    for (size_t k = 0; k < samples_; ++k) open.push_back(k);
    try {
      request.prompt = backend_.Prepare(request.question);
      const std::vector<int32_t>& ids = request.prompt->ids;
      prompt_hash = ids.empty() ? QuestionHash(request.question) : PromptHash(ids);
      prompt_ids_[i] = ids;
    } catch (const Error& error) {
      Finish(i, open, Failed(example, "", error.what()));
      return;
    }
    std::erase_if(open, [&](size_t k) { return Resumed(i, k, prompt_hash); });
    request.sampling = SamplingOf(example, defaults_);
    const uint64_t seed = request.sampling.seed;
    const size_t together = can_.same_bits && NoSeedMatters(request.sampling) ? samples_ : 1;
    for (size_t begin = 0; begin < open.size(); begin += together) {
      std::vector<size_t> samples(open.begin() + static_cast<ptrdiff_t>(begin),
                                  open.begin() + static_cast<ptrdiff_t>(std::min(begin + together, open.size())));
      // One answer for all is the first sample's, whichever are still open.
      request.sampling.seed =
          SeedOf(seed, example.id, first_sample_ + (together > 1 ? 0 : static_cast<int64_t>(samples[0])));
      Pose(i, std::move(samples), request, prompt_hash);
    }
  }

  // One answer for `samples` of an example.
  void Pose(size_t i, std::vector<size_t> samples, const Request& request, const std::string& prompt_hash) {
    const std::vector<std::string>& remarks = request.prompt->remarks;
    const AnswerContext context{call_syntax_, EndsInReasoning(request.prompt->text), can_.reads_calls};
    std::string key = AnswerKey(header_, prompt_hash, request.sampling);
    if (cache_.get) {
      if (std::optional<Answer> answer = cache_.get(key); answer && answer->finish != "error") {
        Finish(i, samples, ScoreAnswer(task_.examples[i], *answer, prompt_hash, context), remarks);
        return;
      }
    }
    requests_.push_back(request);
    pending_.push_back({i, std::move(samples), prompt_hash, std::move(key), remarks, context, false});
  }

  bool Resumed(size_t i, size_t k, const std::string& prompt_hash) {
    auto found = resumed_.find(std::pair(std::string_view(task_.examples[i].id), static_cast<int64_t>(k)));
    if (found == resumed_.end()) return false;
    if (found->second->prompt_hash != prompt_hash)
      Fail(ErrorKind::kInvalid,
           "{}: the interrupted run asked another prompt: give the same --now and task, or another -o",
           task_.examples[i].id);
    ExampleResult result = *found->second;
    result.index = static_cast<int64_t>(i);
    results_[i * samples_ + k] = std::move(result);
    progress_.Advance(1);
    return true;
  }

  void Done(size_t index, const Answer& answer) {
    ASSAY_CHECK(index < pending_.size() && !pending_[index].done);
    Pending& pending = pending_[index];
    pending.done = true;
    if (cache_.put && answer.finish != "error") cache_.put(pending.key, answer);
    Finish(pending.example, pending.samples,
           ScoreAnswer(task_.examples[pending.example], answer, pending.prompt_hash, pending.context), pending.remarks);
  }

  void Finish(size_t i, const std::vector<size_t>& samples, ExampleResult result,
              const std::vector<std::string>& remarks = {}) {
    result.index = static_cast<int64_t>(i);
    result.prompt_remarks = remarks;
    for (size_t k : samples) {
      result.sample = static_cast<int64_t>(k);
      result.prompt_ids = k == 0 ? prompt_ids_[i] : std::vector<int32_t>();
      if (writer_) writer_->Add(result);
      results_[i * samples_ + k] = result;
      progress_.Advance(1);
    }
  }

  struct Pending {
    size_t example;
    std::vector<size_t> samples;
    std::string prompt_hash, key;
    std::vector<std::string> remarks;
    AnswerContext context;
    bool done;
  };

  const Task& task_;
  Backend& backend_;
  const RunHeader& header_;
  RunRecordWriter* writer_;
  Progress& progress_;
  const AnswerLookup& cache_;
  size_t samples_;
  int64_t first_sample_;
  const Capabilities can_;
  const std::string call_syntax_;
  std::vector<std::vector<int32_t>> prompt_ids_;       // in task order; empty: not known
  std::vector<std::optional<ExampleResult>> results_;  // in task order, the samples of an example side by side
  Sampling defaults_;
  std::map<std::pair<std::string_view, int64_t>, const ExampleResult*> resumed_;  // by id and sample
  std::vector<Request> requests_;
  std::vector<Pending> pending_;  // one per request
};

}  // namespace

std::string PromptHash(std::span<const int32_t> ids) {
  return HashHex(std::as_bytes(ids));
}

std::string QuestionHash(const Question& question) {
  return HashHex(DumpJson(ToJson(question)));
}

Question QuestionOf(const Example& example) {
  if (!example.is_chat()) return example.prompt;
  return Chat{.messages = example.messages,
              .tools = example.tools,
              .documents = example.documents,
              .template_variables = example.chat_template_kwargs,
              .tool_choice = {},
              .response_schema = example.response_schema};
}

uint64_t SeedOf(uint64_t seed, std::string_view id, int64_t sample) {
  Hasher hasher;
  hasher.AddText("seed of an example");
  hasher.AddText(std::to_string(seed));
  hasher.AddText(id);
  if (sample > 0) hasher.AddText(std::to_string(sample));
  return std::stoull(hasher.Hex().substr(0, 8), nullptr, 16) >> 1;  // what every server takes
}

Sampling SamplingOf(const Example& example, const Sampling& defaults) {
  return SamplingFromJson(example.sampling, defaults, "sampling of " + example.id);
}

bool IsGreedy(const Example& example, const Sampling& defaults) {
  return NoSeedMatters(SamplingOf(example, defaults));
}

void RequireChance(const Task& task, const Sampling& defaults, int64_t samples, const Capabilities& can) {
  if (samples > 1 && can.same_bits &&
      std::all_of(task.examples.begin(), task.examples.end(),
                  [&](const Example& example) { return IsGreedy(example, defaults); }))
    Fail(ErrorKind::kInvalid,
         "{} samples: every example is answered greedily (temperature 0), so all samples would be the same answer; "
         "give the temperature that the model is used with (--temperature, or \"sampling\" in the task)",
         samples);
}

std::string AnswerKey(const RunHeader& header, const std::string& prompt_hash, const Sampling& sampling) {
  Hasher hasher;
  for (const std::string* part :
       {&header.model.fingerprint, &prompt_hash, &header.arithmetic, &header.build, &header.machine})
    hasher.AddText(*part);
  hasher.AddText(DumpJson(ToJson(sampling)));
  return hasher.Hex();
}

ExampleResult ScoreAnswer(const Example& example, const Answer& answer, const std::string& prompt_hash,
                          const AnswerContext& context) {
  ExampleResult result;
  result.id = example.id;
  result.slice = example.slice;
  result.cluster = example.cluster;
  result.prompt_hash = prompt_hash;
  result.prompt_tokens = answer.prompt_tokens;
  result.answer = answer.text;
  if (!answer.tool_calls.is_null()) result.answer += CallsAsText(answer.tool_calls);
  result.answer_ids = answer.ids;
  result.logprobs = answer.logprobs;
  result.finish = answer.finish;
  if (answer.finish == "error" || !answer.error.empty()) {
    result.finish = "error";
    result.error = answer.error.empty() ? "the backend failed without saying why" : answer.error;
    return result;
  }
  if (answer.finish == kFinishNotNumbers) {
    result.checks.push_back(
        {"predictions", false, kFinishNotNumbers,
         fmt::format("the model's predictions are NaN or infinite after {} tokens of the answer: its "
                     "weights are broken, or its arithmetic overflows",
                     answer.ids.size())});
    return result;
  }
  result.pass = true;
  const AnswerView view{answer.text,         answer.finish,
                        answer.raw,          context.in_reasoning,
                        context.call_syntax, answer.tool_calls.is_null() ? nullptr : &answer.tool_calls};
  for (const Check& check : example.expect) {
    result.checks.push_back(RunCheck(check, view, example));
    result.pass = result.pass && result.checks.back().pass;
  }
  if (context.reads_calls && answer.tool_calls.is_null()) ScoreAsDelivered(example, view, result);
  return result;
}

RunRecord RunTask(const Task& task, Backend& backend, const RunHeader& header, RunRecordWriter* writer,
                  Progress& progress, const AnswerLookup& cache, int64_t first_sample) {
  return Run(task, backend, header, writer, progress, cache, first_sample).Go();
}

}  // namespace assay
