#include "engine/engine.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "dialect/call/call_syntax.h"
#include "kernel/ops.h"
#include "model/sampling.h"
#include "task/finish.h"

namespace assay {
namespace {

size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  size_t n = std::min(a.size(), b.size()), i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

SamplerOptions ToSamplerOptions(const Sampling& s) {
  return {s.temperature, s.top_k, s.top_p, s.min_p, s.repetition_penalty, s.repetition_window, s.seed};
}

constexpr size_t kPrefixWorthSharing = 8;  // tokens: below, copying costs about what computing does

std::vector<TokenLogprob> TopLogprobs(const Tokenizer& tokenizer, const float* logits, int64_t vocab, int64_t k,
                                      double normalizer) {
  std::vector<int32_t> ids(static_cast<size_t>(vocab));
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + k, ids.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  std::vector<TokenLogprob> top;
  for (int64_t i = 0; i < k; ++i) {
    int32_t id = ids[static_cast<size_t>(i)];
    top.push_back({id, tokenizer.TokenBytes(id), static_cast<float>(logits[id] - normalizer)});
  }
  return top;
}

}  // namespace

/// One call of Generate: slots that hold a sequence each, a queue of requests, steps that mix prefill and decode.
class Engine::Batch {
 public:
  Batch(Engine& engine, std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
        Progress& progress)
      : engine_(engine), requests_(requests), done_(done), progress_(progress) {}
  void Run();

 private:
  struct Slot {
    std::unique_ptr<Sequence> sequence;
    std::vector<int32_t> cached;  // tokens whose keys and values the sequence holds
    bool active = false;
    size_t request = 0;
    std::vector<int32_t> prompt;
    size_t fed = 0;     // prompt tokens already in the sequence
    int32_t next = -1;  // the sampled token to feed in the next step
    std::unique_ptr<Sampler> sampler;
    Answer answer;
    std::string text;     // of the answer's tokens, for stop strings
    size_t streamed = 0;  // bytes of text handed to Request::stream
  };

  void Prepare();
  void PrefillSharedPrefix();
  void Start(Slot& slot, size_t order);
  bool Step();
  void Accept(Slot& slot, const float* logits);
  void Stream(Slot& slot, bool last);
  void Finish(Slot& slot, const char* reason);
  void Report(size_t request, const Answer& answer);

  Engine& engine_;
  std::span<const Request> requests_;
  const std::function<void(size_t, const Answer&)>& done_;
  Progress& progress_;
  std::vector<std::vector<int32_t>> prompts_;
  std::vector<size_t> order_;  // requests that run, prompts sorted so that neighbours share prefixes
  size_t next_in_order_ = 0;
  Slot prefix_;  // the prefix that all prompts share
  std::vector<Slot> slots_;
  std::vector<BatchToken> batch_;
  std::vector<Slot*> owners_;  // of the tokens that want logits
  std::vector<float> logits_;
};

void Engine::Batch::Report(size_t request, const Answer& answer) {
  done_(request, answer);
  progress_.Advance(1);
}

void Engine::Batch::Prepare() {
  prompts_.resize(requests_.size());
  for (size_t i = 0; i < requests_.size(); ++i) {
    const Request& request = requests_[i];
    prompts_[i] = request.prompt ? request.prompt->ids : engine_.Prepare(request.question).ids;
    auto length = static_cast<int64_t>(prompts_[i].size());
    Answer refused;
    refused.finish = "error";
    refused.prompt_tokens = length;
    if (length == 0) refused.error = "the prompt has no tokens";
    if (length + requests_[i].sampling.max_tokens > engine_.context_)
      refused.error = fmt::format("prompt of {} tokens and {} to generate do not fit the context of {}", length,
                                  requests_[i].sampling.max_tokens, engine_.context_);
    if (refused.error.empty()) refused.error = engine_.UnknownToken(prompts_[i]);
    if (refused.error.empty())
      order_.push_back(i);
    else
      Report(i, refused);
  }
  std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return prompts_[a] < prompts_[b]; });
}

void Engine::Batch::PrefillSharedPrefix() {
  if (order_.size() < 2) return;
  // Sorted, so the first and the last prompt differ earliest. The last token is always computed anew: its logits are
  // needed.
  const std::vector<int32_t>&first = prompts_[order_.front()], &last = prompts_[order_.back()];
  size_t shared = std::min({CommonPrefix(first, last), first.size() - 1, last.size() - 1});
  if (shared < kPrefixWorthSharing) return;
  prefix_.sequence =
      std::make_unique<Sequence>(engine_.model_->config(), engine_.model_->arithmetic(), static_cast<int64_t>(shared));
  for (size_t begin = 0; begin < shared;) {
    size_t end = std::min(shared, begin + static_cast<size_t>(engine_.options_.batch_tokens));
    batch_.clear();
    for (size_t t = begin; t < end; ++t) batch_.push_back({first[t], prefix_.sequence.get(), false});
    engine_.model_->Forward(batch_, engine_.workspace_, engine_.pool_, nullptr);
    begin = end;
    if (progress_.Cancelled()) throw Interrupted();
  }
  prefix_.cached.assign(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared));
}

void Engine::Batch::Start(Slot& slot, size_t request) {
  const Sampling& sampling = requests_[request].sampling;
  slot.request = request;
  slot.prompt = prompts_[request];
  slot.answer = Answer{};
  slot.answer.prompt_tokens = static_cast<int64_t>(slot.prompt.size());
  slot.text.clear();
  slot.streamed = 0;
  slot.next = -1;
  slot.sampler = std::make_unique<Sampler>(ToSamplerOptions(sampling), &engine_.rules_);
  auto needed = static_cast<int64_t>(slot.prompt.size()) + sampling.max_tokens;

  const ModelConfig& config = engine_.model_->config();
  // Which rotation a request gets is its own matter, not that of what ran before it in the slot.
  const bool long_rope = !config.rope_long_factors.empty() && needed > config.rope_scaling.original_context;
  // The longest cached prefix, wherever it lies.
  const Slot* best = nullptr;
  size_t best_length = 0;
  auto consider = [&](const Slot& other) {
    if (!other.sequence) return;
    size_t common = std::min(CommonPrefix(other.cached, slot.prompt), slot.prompt.size() - 1);
    auto length = static_cast<size_t>(other.sequence->Restorable(static_cast<int64_t>(common)));
    if (length > best_length && other.sequence->long_rope() == long_rope) {
      best = &other;
      best_length = length;
    }
  };
  consider(prefix_);
  for (const Slot& other : slots_) consider(other);
  if (!slot.sequence || slot.sequence->capacity() < needed || slot.sequence->long_rope() != long_rope) {
    auto fresh = std::make_unique<Sequence>(config, engine_.model_->arithmetic(), needed);
    if (best) fresh->CopyPrefix(*best->sequence, static_cast<int64_t>(best_length));
    slot.sequence = std::move(fresh);
  } else if (best) {
    slot.sequence->CopyPrefix(*best->sequence, static_cast<int64_t>(best_length));
  } else {
    slot.sequence->Truncate(0);
  }
  slot.cached.assign(slot.prompt.begin(), slot.prompt.begin() + static_cast<std::ptrdiff_t>(best_length));
  slot.fed = best_length;
  slot.active = true;
}

// Hands over what is complete: no half character, nothing that may still turn out to begin a stop string.
void Engine::Batch::Stream(Slot& slot, bool last) {
  const Request& request = requests_[slot.request];
  if (!request.stream) return;
  size_t hold = 0;
  if (!last) {
    for (const std::string& stop : request.sampling.stop) hold = std::max(hold, stop.size());
    size_t tail = slot.text.size();
    while (tail > 0 && slot.text.size() - tail < 4 && (static_cast<unsigned char>(slot.text[tail - 1]) & 0xC0) == 0x80)
      --tail;
    if (tail > 0 && static_cast<unsigned char>(slot.text[tail - 1]) >= 0xC0)
      hold = std::max(hold, slot.text.size() - tail + 1);
  }
  size_t end = slot.text.size() - std::min(hold, slot.text.size());
  if (end <= slot.streamed) return;
  request.stream(std::string_view(slot.text).substr(slot.streamed, end - slot.streamed));
  slot.streamed = end;
}

void Engine::Batch::Finish(Slot& slot, const char* reason) {
  Stream(slot, true);
  slot.answer.finish = reason;
  slot.answer.text = slot.text;
  slot.answer.raw = engine_.RawText(slot.answer);
  slot.answer.answer_tokens = static_cast<int64_t>(slot.answer.ids.size());
  slot.active = false;
  Report(slot.request, slot.answer);
}

void Engine::Batch::Accept(Slot& slot, const float* logits) {
  const Sampling& sampling = requests_[slot.request].sampling;
  int64_t vocab = engine_.model_->config().vocab;
  if (sampling.max_tokens <= 0) return Finish(slot, "length");
  const double normalizer = LogSumExp(logits, vocab);
  if (!std::isfinite(normalizer)) return Finish(slot, kFinishNotNumbers);
  int32_t id = slot.sampler->Choose(logits, vocab, slot.prompt, slot.answer.ids);
  const std::vector<int32_t>& stops = engine_.model_->config().stop_tokens;
  if (std::find(stops.begin(), stops.end(), id) != stops.end()) return Finish(slot, "stop");
  slot.answer.ids.push_back(id);
  slot.answer.logprobs.push_back(static_cast<float>(logits[id] - normalizer));
  if (int64_t k = std::min(requests_[slot.request].top_logprobs, vocab); k > 0)
    slot.answer.top_logprobs.push_back(TopLogprobs(*engine_.tokenizer_, logits, vocab, k, normalizer));
  slot.text = engine_.tokenizer_->Decode(slot.answer.ids, true);
  for (const std::string& stop : sampling.stop) {
    size_t at = stop.empty() ? std::string::npos : slot.text.find(stop);
    if (at == std::string::npos) continue;
    slot.text.resize(at);
    return Finish(slot, "stop");
  }
  if (static_cast<int64_t>(slot.answer.ids.size()) >= sampling.max_tokens) return Finish(slot, "length");
  Stream(slot, false);
  slot.next = id;
}

bool Engine::Batch::Step() {
  for (Slot& slot : slots_)
    if (!slot.active && next_in_order_ < order_.size()) Start(slot, order_[next_in_order_++]);
  batch_.clear();
  owners_.clear();
  for (Slot& slot : slots_) {  // decoding sequences first: they need one token each
    if (!slot.active || slot.next < 0) continue;
    batch_.push_back({slot.next, slot.sequence.get(), true});
    slot.cached.push_back(slot.next);
    owners_.push_back(&slot);
  }
  for (Slot& slot : slots_) {
    if (!slot.active || slot.fed == slot.prompt.size()) continue;
    auto room = engine_.options_.batch_tokens - static_cast<int64_t>(batch_.size());
    if (room <= 0) break;
    size_t end = std::min(slot.prompt.size(), slot.fed + static_cast<size_t>(room));
    for (; slot.fed < end; ++slot.fed) {
      bool last = slot.fed + 1 == slot.prompt.size();
      batch_.push_back({slot.prompt[slot.fed], slot.sequence.get(), last});
      slot.cached.push_back(slot.prompt[slot.fed]);
      if (last) owners_.push_back(&slot);
    }
  }
  if (batch_.empty()) return false;
  int64_t vocab = engine_.model_->config().vocab;
  logits_.resize(owners_.size() * static_cast<size_t>(vocab));
  engine_.model_->Forward(batch_, engine_.workspace_, engine_.pool_, logits_.data());
  for (size_t i = 0; i < owners_.size(); ++i) Accept(*owners_[i], logits_.data() + static_cast<int64_t>(i) * vocab);
  return true;
}

void Engine::Batch::Run() {
  Prepare();
  PrefillSharedPrefix();
  slots_.resize(std::min(order_.size(), static_cast<size_t>(std::max(1, engine_.options_.batch_size))));
  while (Step()) {
    int64_t bytes = engine_.workspace_.bytes() + static_cast<int64_t>(logits_.size() * 4);
    for (const Slot& slot : slots_) bytes += slot.sequence ? slot.sequence->bytes() : 0;
    if (prefix_.sequence) bytes += prefix_.sequence->bytes();
    engine_.peak_scratch_bytes_ = std::max(engine_.peak_scratch_bytes_, bytes);
    if (progress_.Cancelled()) throw Interrupted();
  }
}

Engine::Engine(std::shared_ptr<const Model> model, ThreadPool& pool, const EngineOptions& options)
    : model_(std::move(model)),
      pool_(pool),
      options_(options),
      rules_(model_->config().generation, model_->config().stop_tokens) {
  const Checkpoint& checkpoint = model_->checkpoint();
  std::string where = checkpoint.path().string();
  tokenizer_ = Tokenizer::Create(checkpoint.tokenizer(), where);
  prompts_ = std::make_unique<ChatPrompts>(checkpoint, *tokenizer_, options.prompt);
  context_ = options_.context > 0 ? options_.context : model_->config().context;
  if (context_ > model_->config().context)
    Fail(ErrorKind::kInvalid, "{}: a context of {} tokens was asked for, the model has {}", where, context_,
         model_->config().context);
}

Engine::~Engine() = default;

Prompt Engine::Prepare(const Question& question) const {
  if (const auto* text = std::get_if<std::string>(&question)) return prompts_->Raw(*text);
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&question)) return {"", *ids, {}};
  const Chat& chat = std::get<Chat>(question);
  if (!chat.tool_choice.is_null() && chat.tool_choice != "auto")
    Fail(ErrorKind::kUnsupported, "{}: tool_choice {}: this engine lets a model choose as it likes", name(),
         DumpJson(chat.tool_choice).substr(0, 60));
  return prompts_->Render(chat);
}

std::string Engine::RawText(const Answer& answer) const {
  std::string raw;
  size_t plain = 0;  // of answer.text; a stop string may have cut it inside a token
  for (int32_t id : answer.ids) {
    std::string piece = tokenizer_->TokenBytes(id);
    if (tokenizer_->IsSpecial(id)) {
      raw += piece;
      continue;
    }
    if (plain >= answer.text.size()) break;
    if (plain == 0 && piece.starts_with(' ') && !answer.text.starts_with(' ')) piece.erase(0, 1);
    raw += std::string_view(piece).substr(0, answer.text.size() - plain);
    plain += piece.size();
  }
  return raw;
}

std::string Engine::CallSyntax() const {
  return std::string(CallSyntaxOf(prompts_->tool_source()));
}

void Engine::Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                      Progress& progress) {
  Batch(*this, requests, done, progress).Run();
}

std::string Engine::UnknownToken(std::span<const int32_t> ids) const {
  const int64_t vocab = model_->config().vocab;
  for (int32_t id : ids)
    if (id < 0 || id >= vocab)
      return fmt::format("token {}{} is not among the {} of the model's vocabulary", id,
                         id < 0 ? "" : fmt::format(" \"{}\"", tokenizer_->TokenBytes(id)), vocab);
  return "";
}

void Engine::Score(std::span<const int32_t> ids, int64_t first,
                   const std::function<void(int64_t, int64_t, const float*)>& visit, Progress& progress) {
  auto n = static_cast<int64_t>(ids.size());
  if (n > context_) Fail(ErrorKind::kInvalid, "{}: {} tokens do not fit the context of {}", name(), n, context_);
  if (std::string unknown = UnknownToken(ids); !unknown.empty()) Fail(ErrorKind::kInvalid, "{}: {}", name(), unknown);
  Sequence sequence(model_->config(), model_->arithmetic(), n);
  int64_t vocab = model_->config().vocab;
  std::vector<BatchToken> batch;
  std::vector<float> logits;
  for (int64_t begin = 0; begin < n;) {
    int64_t end = std::min(n, begin + options_.batch_tokens);
    batch.clear();
    for (int64_t t = begin; t < end; ++t) batch.push_back({ids[static_cast<size_t>(t)], &sequence, t >= first});
    int64_t wanted = std::max<int64_t>(0, end - std::max(begin, first));
    logits.resize(static_cast<size_t>(wanted * vocab));
    model_->Forward(batch, workspace_, pool_, logits.data());
    if (wanted > 0) visit(std::max(begin, first), wanted, logits.data());
    peak_scratch_bytes_ =
        std::max(peak_scratch_bytes_, workspace_.bytes() + sequence.bytes() + static_cast<int64_t>(logits.size() * 4));
    progress.Advance(static_cast<uint64_t>(end - begin));
    if (progress.Cancelled()) throw Interrupted();
    begin = end;
  }
}

}  // namespace assay
