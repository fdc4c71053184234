#include "task/runner.h"

#include <fmt/core.h>

#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"
#include "task/finish.h"
#include "task/message.h"
#include "task/reasoning.h"

namespace assay {
namespace {

// Backends may report tokens of their own; the run's progress counts examples, so only the wish to stop passes.
class OnlyCancel : public Progress {
 public:
  explicit OnlyCancel(const Progress& outer) : outer_(outer) {}
  void Begin(std::string_view, uint64_t, std::string_view) override {}
  void Advance(uint64_t) override {}
  void End() override {}
  bool Cancelled() const override { return outer_.Cancelled(); }

 private:
  const Progress& outer_;
};

class Leg {
 public:
  Leg(Progress& progress, std::string_view what, uint64_t total) : progress_(progress) {
    progress_.Begin(what, total, "examples");
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

class Run {
 public:
  Run(const Task& task, Backend& backend, const RunHeader& header, RunRecordWriter* writer, Progress& progress,
      const AnswerLookup& cache)
      : task_(task),
        backend_(backend),
        header_(header),
        writer_(writer),
        progress_(progress),
        cache_(cache),
        results_(task.examples.size()),
        defaults_(SamplingFromJson(header.sampling, {}, "sampling of the run")) {}

  RunRecord Go() {
    Leg leg(progress_, "answering " + task_.name, task_.examples.size());
    TakeResumed();
    for (size_t i = 0; i < task_.examples.size(); ++i) Prepare(i);
    if (!requests_.empty()) {
      OnlyCancel inner(progress_);
      backend_.Generate(
          requests_, [&](size_t index, const Answer& answer) { Done(index, answer); }, inner);
    }
    RunRecord record;
    record.header = header_;
    for (size_t i = 0; i < results_.size(); ++i) {
      if (!results_[i]) throw std::logic_error(fmt::format("the backend left {} unanswered", task_.examples[i].id));
      record.examples.push_back(std::move(*results_[i]));
    }
    record.complete = true;
    return record;
  }

 private:
  void TakeResumed() {
    if (!writer_) return;
    for (const ExampleResult& result : writer_->resumed()) resumed_.emplace(result.id, &result);
  }

  // Renders, hashes, and answers from the resumed run or the cache where they know; else a request is left to generate.
  void Prepare(size_t i) {
    if (progress_.Cancelled()) throw Interrupted();
    const Example& example = task_.examples[i];
    Request request;
    std::string prompt_hash;
    Prompt prompt;
    try {
      prompt = RenderPrompt(example, backend_);
      request.prompt = prompt.text;
      request.ids = backend_.Tokenize(prompt);
      // A backend that cannot tokenize leaves ids empty and sees the text.
      prompt_hash = request.ids.empty() ? HashHex(request.prompt) : PromptHash(request.ids);
    } catch (const Error& error) {
      Finish(i, Failed(example, "", error.what()));
      return;
    }
    if (Resumed(i, prompt_hash)) return;
    request.sampling = SamplingFromJson(example.sampling, defaults_, "sampling of " + example.id);
    request.sampling.seed = SeedOf(request.sampling.seed, example.id);
    const bool in_reasoning = EndsInReasoning(request.prompt);
    std::string key = AnswerKey(header_, prompt_hash, request.sampling);
    if (cache_.get) {
      if (std::optional<Answer> answer = cache_.get(key); answer && answer->finish != "error") {
        Finish(i, ScoreAnswer(example, *answer, prompt_hash, Context(*answer, in_reasoning)), prompt.remarks);
        return;
      }
    }
    requests_.push_back(std::move(request));
    pending_.push_back({i, std::move(prompt_hash), std::move(key), std::move(prompt.remarks), in_reasoning, false});
  }

  bool Resumed(size_t i, const std::string& prompt_hash) {
    auto found = resumed_.find(task_.examples[i].id);
    if (found == resumed_.end()) return false;
    if (found->second->prompt_hash != prompt_hash)
      Fail(ErrorKind::kInvalid,
           "{}: the interrupted run asked another prompt: give the same --now and task, or another -o",
           task_.examples[i].id);
    results_[i] = *found->second;
    results_[i]->index = static_cast<int64_t>(i);
    progress_.Advance(1);
    return true;
  }

  AnswerContext Context(const Answer& answer, bool in_reasoning) const {
    return {backend_.RawText(answer), backend_.CallSyntax(), in_reasoning};
  }

  void Done(size_t index, const Answer& answer) {
    ASSAY_CHECK(index < pending_.size() && !pending_[index].done);
    Pending& pending = pending_[index];
    pending.done = true;
    if (cache_.put && answer.finish != "error") cache_.put(pending.key, answer);
    Finish(pending.example,
           ScoreAnswer(task_.examples[pending.example], answer, pending.prompt_hash,
                       Context(answer, pending.in_reasoning)),
           pending.remarks);
  }

  void Finish(size_t i, ExampleResult result, const std::vector<std::string>& remarks = {}) {
    result.index = static_cast<int64_t>(i);
    result.prompt_remarks = remarks;
    if (writer_) writer_->Add(result);
    results_[i] = std::move(result);
    progress_.Advance(1);
  }

  struct Pending {
    size_t example;
    std::string prompt_hash, key;
    std::vector<std::string> remarks;
    bool in_reasoning, done;
  };

  const Task& task_;
  Backend& backend_;
  const RunHeader& header_;
  RunRecordWriter* writer_;
  Progress& progress_;
  const AnswerLookup& cache_;
  std::vector<std::optional<ExampleResult>> results_;  // in task order
  Sampling defaults_;
  std::unordered_map<std::string, const ExampleResult*> resumed_;
  std::vector<Request> requests_;
  std::vector<Pending> pending_;  // one per request
};

}  // namespace

std::string PromptHash(std::span<const int32_t> ids) {
  return HashHex(std::as_bytes(ids));
}

uint64_t SeedOf(uint64_t seed, std::string_view id) {
  Hasher hasher;
  hasher.AddText("seed of an example");
  hasher.AddText(std::to_string(seed));
  hasher.AddText(id);
  return std::stoull(hasher.Hex().substr(0, 8), nullptr, 16) >> 1;  // what every server takes
}

std::string AnswerKey(const RunHeader& header, const std::string& prompt_hash, const Sampling& sampling) {
  Hasher hasher;
  for (const std::string* part :
       {&header.model.fingerprint, &prompt_hash, &header.arithmetic, &header.build, &header.machine})
    hasher.AddText(*part);
  hasher.AddText(DumpJson(ToJson(sampling)));
  return hasher.Hex();
}

Prompt RenderPrompt(const Example& example, const Backend& backend) {
  if (!example.is_chat()) return backend.RawPrompt(example.prompt);
  return backend.RenderChat({example.messages, example.tools, example.documents, example.chat_template_kwargs});
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
  if (!context.calls.is_null()) result.answer += CallsAsText(context.calls);
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
  AnswerView view{answer.text,          answer.finish,       context.raw,
                  context.in_reasoning, context.call_syntax, context.calls.is_null() ? nullptr : &context.calls};
  for (const Check& check : example.expect) {
    result.checks.push_back(RunCheck(check, view, example));
    result.pass = result.pass && result.checks.back().pass;
  }
  return result;
}

RunRecord RunTask(const Task& task, Backend& backend, const RunHeader& header, RunRecordWriter* writer,
                  Progress& progress, const AnswerLookup& cache) {
  return Run(task, backend, header, writer, progress, cache).Go();
}

}  // namespace assay
