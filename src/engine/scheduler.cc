#include "engine/scheduler.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "engine/top_logprobs.h"
#include "kernel/ops.h"
#include "task/finish.h"

namespace assay {
namespace {

constexpr size_t kPrefixWorthSharing = 8;  // tokens: for fewer nobody waits

int64_t Positions(const TokenRequest& request) {
  return static_cast<int64_t>(request.prompt.size()) + request.sampling.max_tokens;
}

SamplerOptions ToSamplerOptions(const Sampling& s) {
  return {s.temperature, s.top_k, s.top_p, s.min_p, s.repetition_penalty, s.repetition_window, s.seed};
}

/// The answer's text with its special tokens.
std::string RawText(const Tokenizer& tokenizer, const Answer& answer) {
  std::string raw;
  size_t plain = 0;  // of answer.text; a stop string may have cut it inside a token
  for (int32_t id : answer.ids) {
    std::string piece = tokenizer.TokenBytes(id);
    if (tokenizer.IsSpecial(id)) {
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

}  // namespace

/// Room for a sequence.
struct Scheduler::Slot {
  std::unique_ptr<Sequence> sequence;  // null: no request
  std::vector<int32_t> tokens;         // that the sequence holds
  Id id = 0;
  TokenRequest request;
  size_t fed = 0;     // tokens of the prompt that are in the sequence
  size_t shared = 0;  // tokens of the prompt that others wait for; 0: none do
  int32_t next = -1;  // the sampled token to feed in the next step
  std::optional<Sampler> sampler;
  Answer answer;
  std::string text;     // of the answer's tokens, for stop strings
  size_t streamed = 0;  // bytes of text that were told
};

Scheduler::Scheduler(const Model& model, const Tokenizer& tokenizer, const LogitRules& rules, ThreadPool& pool,
                     Workspace& workspace, const SchedulerOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      rules_(rules),
      pool_(pool),
      workspace_(workspace),
      options_(options),
      slots_(static_cast<size_t>(std::max(1, options.sequences))),
      page_bytes_(PlanCache(model.config(), model.arithmetic(), 1).page_bytes) {}

Scheduler::~Scheduler() = default;

Scheduler::Id Scheduler::Submit(TokenRequest request) {
  ASSAY_CHECK(!request.prompt.empty());
  const CachePlan plan = PlanCache(model_.config(), model_.arithmetic(), Positions(request));
  if (options_.cache_bytes > 0 && plan.bytes > options_.cache_bytes)
    Fail(ErrorKind::kResource,
         "a prompt of {} tokens and {} to generate need {} bytes of cache memory ({} pages of {}, {} of fixed size), "
         "{} are allowed",
         request.prompt.size(), request.sampling.max_tokens, plan.bytes, plan.pages, plan.page_bytes, plan.fixed_bytes,
         options_.cache_bytes);
  waiting_.push_back({next_id_, std::move(request)});
  return next_id_++;
}

bool Scheduler::Cancel(Id id) {
  for (Slot& slot : slots_)
    if (slot.sequence && slot.id == id) {
      Release(slot);
      return true;
    }
  return std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.id == id; }) > 0;
}

bool Scheduler::idle() const {
  return waiting_.empty() &&
         std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return bool(slot.sequence); });
}

std::vector<Scheduler::Event> Scheduler::Step() {
  events_.clear();
  Admit();
  Collect();
  ASSAY_CHECK(!batch_.empty() || idle());
  if (batch_.empty()) return {};
  const int64_t vocab = model_.config().vocab;
  logits_.resize(owners_.size() * static_cast<size_t>(vocab));
  model_.Forward(batch_, workspace_, pool_, logits_.data());
  for (size_t i = 0; i < owners_.size(); ++i) Accept(*owners_[i], logits_.data() + static_cast<int64_t>(i) * vocab);
  for (Slot& slot : slots_)
    if (slot.sequence && slot.shared > 0 && slot.fed == slot.shared) KeepPrefix(slot);
  return std::move(events_);
}

/// In the order they came, but for those that wait for a beginning that is being read. One that lacks memory holds up
/// those behind it: they would take what is freed for it.
void Scheduler::Admit() {
  for (size_t i = 0; i < waiting_.size();) {
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [](const Slot& each) { return !each.sequence; });
    if (slot == slots_.end()) return;
    if (WaitsForPrefix(waiting_[i].request))
      ++i;
    else if (!Start(*slot, i))
      return;
  }
}

bool Scheduler::WaitsForPrefix(const TokenRequest& request) const {
  const bool long_rope = LongRope(Positions(request));
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.sequence && slot.shared > slot.fed && slot.sequence->long_rope() == long_rope &&
           CommonPrefix(slot.request.prompt, request.prompt) >= slot.shared;
  });
}

/// The second set of rotation factors (longrope) is a request's own matter, not that of what ran before it in the slot.
bool Scheduler::LongRope(int64_t positions) const {
  const ModelConfig& config = model_.config();
  return !config.rope_long_factors.empty() && positions > config.rope_scaling.original_context;
}

/// Of what ended requests remember and running ones.
Prefixes::Match Scheduler::Longest(const std::vector<int32_t>& prompt, bool long_rope) {
  Prefixes::Match best = prefixes_.Longest(prompt, long_rope);
  for (const Slot& slot : slots_) {
    if (!slot.sequence || slot.sequence->long_rope() != long_rope) continue;
    const auto common = static_cast<int64_t>(std::min(CommonPrefix(slot.tokens, prompt), prompt.size() - 1));
    if (const int64_t usable = slot.sequence->Restorable(common); usable > best.length)
      best = {slot.sequence.get(), usable};
  }
  return best;
}

int64_t Scheduler::CacheBytes() const {
  int64_t bytes = pages_.pages() * page_bytes_ + prefixes_.fixed_bytes();
  for (const Slot& slot : slots_)
    if (slot.sequence) bytes += slot.sequence->plan().fixed_bytes;
  return bytes;
}

/// What running requests may still take.
int64_t Scheduler::PromisedPages() const {
  int64_t pages = 0;
  for (const Slot& slot : slots_)
    if (slot.sequence) pages += slot.sequence->PagesToTake(Positions(slot.request));
  return pages;
}

bool Scheduler::Exceeds(int64_t more_bytes) const {
  return options_.cache_bytes > 0 && CacheBytes() + PromisedPages() * page_bytes_ + more_bytes > options_.cache_bytes;
}

/// Whether there is room for so many bytes beside what runs and the pages taken over, were all else let go.
bool Scheduler::CanFit(const Prefixes::Match& match, int64_t bytes) const {
  if (options_.cache_bytes <= 0) return true;
  std::unordered_set<const std::byte*> pages;
  auto add = [&](const Sequence& sequence, int64_t count) {
    for (const Page& page : std::span(sequence.pages()).first(static_cast<size_t>(count))) pages.insert(page.get());
  };
  for (const Slot& slot : slots_) {
    if (!slot.sequence) continue;
    add(*slot.sequence, std::ssize(slot.sequence->pages()));
    bytes += slot.sequence->plan().fixed_bytes;
  }
  if (match.sequence && page_bytes_ > 0) add(*match.sequence, match.length / kPagePositions);
  return bytes + (std::ssize(pages) + PromisedPages()) * page_bytes_ <= options_.cache_bytes;
}

/// How many tokens all waiting requests that begin like this one have in common with it; 0: none does.
size_t Scheduler::SharedWithWaiting(const TokenRequest& request) const {
  size_t shared = 0;
  for (const Waiting& waiting : waiting_) {
    if (LongRope(Positions(waiting.request)) != LongRope(Positions(request))) continue;
    const size_t common = std::min(CommonPrefix(waiting.request.prompt, request.prompt),
                                   std::min(waiting.request.prompt.size(), request.prompt.size()) - 1);
    if (common >= kPrefixWorthSharing) shared = shared == 0 ? common : std::min(shared, common);
  }
  return shared;
}

/// The request at `index` of those that wait. False: there is no room for it now; a request alone always has room.
bool Scheduler::Start(Slot& slot, size_t index) {
  const int64_t positions = Positions(waiting_[index].request);
  const Prefixes::Match match = Longest(waiting_[index].request.prompt, LongRope(positions));
  const CachePlan plan = PlanCache(model_.config(), model_.arithmetic(), positions);
  const int64_t shared_pages = page_bytes_ > 0 ? match.length / kPagePositions : 0;
  const int64_t needed = plan.fixed_bytes + (plan.pages - shared_pages) * page_bytes_;
  if (!CanFit(match, needed)) return false;
  while (Exceeds(needed) && prefixes_.LetGo(match.sequence)) continue;
  slot.sequence = std::make_unique<Sequence>(model_.config(), model_.arithmetic(), positions, pages_);
  if (match.sequence) slot.sequence->CopyPrefix(*match.sequence, match.length);
  slot.id = waiting_[index].id;
  slot.request = std::move(waiting_[index].request);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  const std::vector<int32_t>& prompt = slot.request.prompt;
  slot.tokens.assign(prompt.begin(), prompt.begin() + match.length);
  slot.fed = static_cast<size_t>(match.length);
  const size_t shared = SharedWithWaiting(slot.request);
  slot.shared = shared > slot.fed ? shared : 0;
  slot.next = -1;
  slot.sampler.emplace(ToSamplerOptions(slot.request.sampling), &rules_);
  slot.answer = Answer{};
  slot.answer.prompt_tokens = static_cast<int64_t>(prompt.size());
  slot.text.clear();
  slot.streamed = 0;
  while (Exceeds(0) && prefixes_.LetGo()) continue;  // of what was taken over, too
  return true;
}

/// What it remembers stays, for those that begin alike.
void Scheduler::Release(Slot& slot) {
  prefixes_.Keep(std::move(slot.tokens), std::move(slot.sequence));
}

/// A copy of what has a fixed size, because the sequence goes on: a state cannot be taken back, nor what a window
/// leaves behind. Pages can be shared at any time.
void Scheduler::KeepPrefix(Slot& slot) {
  const auto length = static_cast<int64_t>(std::exchange(slot.shared, 0));
  const Sequence& sequence = *slot.sequence;
  if (sequence.plan().fixed_bytes == 0) return;
  // The capacity is what tells which rotation a sequence has.
  const int64_t capacity = sequence.long_rope() ? sequence.capacity() : length;
  const int64_t needed = PlanCache(model_.config(), model_.arithmetic(), capacity).fixed_bytes;
  while (Exceeds(needed) && prefixes_.LetGo()) continue;
  if (Exceeds(needed)) return;  // each reads it for itself
  auto prefix = std::make_unique<Sequence>(model_.config(), model_.arithmetic(), capacity, pages_);
  prefix->CopyPrefix(sequence, length);
  prefixes_.Keep({slot.tokens.begin(), slot.tokens.begin() + length}, std::move(prefix));
}

/// Fills batch_ and owners_.
void Scheduler::Collect() {
  batch_.clear();
  owners_.clear();
  std::vector<Slot*> reading;
  for (Slot& slot : slots_) {
    if (!slot.sequence) continue;
    if (slot.next < 0) {
      reading.push_back(&slot);
      continue;
    }
    batch_.push_back({slot.next, slot.sequence.get(), true});
    slot.tokens.push_back(slot.next);
    owners_.push_back(&slot);
  }
  auto left = [](const Slot& slot) { return (slot.shared > 0 ? slot.shared : slot.request.prompt.size()) - slot.fed; };
  auto room = static_cast<size_t>(std::max<int64_t>(1, options_.step_tokens - static_cast<int64_t>(batch_.size())));
  // The shortest first: what they leave of their share goes to the others. Where there is not a token for each, the
  // oldest first, so that none waits for all that come after it.
  std::sort(reading.begin(), reading.end(), [&, scarce = room < reading.size()](const Slot* a, const Slot* b) {
    return !scarce && left(*a) != left(*b) ? left(*a) < left(*b) : a->id < b->id;
  });
  for (size_t i = 0; i < reading.size() && room > 0; ++i) {
    Slot& slot = *reading[i];
    const size_t count = std::min(left(slot), std::max<size_t>(1, room / (reading.size() - i)));
    room -= count;
    for (const size_t end = slot.fed + count; slot.fed < end; ++slot.fed) {
      const bool last = slot.fed + 1 == slot.request.prompt.size();
      batch_.push_back({slot.request.prompt[slot.fed], slot.sequence.get(), last});
      slot.tokens.push_back(slot.request.prompt[slot.fed]);
      if (last) owners_.push_back(&slot);
    }
  }
}

void Scheduler::Accept(Slot& slot, const float* logits) {
  const Sampling& sampling = slot.request.sampling;
  const int64_t vocab = model_.config().vocab;
  if (sampling.max_tokens <= 0) return Finish(slot, "length");
  const double normalizer = LogSumExp(logits, vocab);
  if (!std::isfinite(normalizer)) return Finish(slot, kFinishNotNumbers);
  const int32_t id = slot.sampler->Choose(logits, vocab, slot.request.prompt, slot.answer.ids);
  const std::vector<int32_t>& stops = model_.config().stop_tokens;
  if (std::find(stops.begin(), stops.end(), id) != stops.end()) return Finish(slot, "stop");
  slot.answer.ids.push_back(id);
  slot.answer.logprobs.push_back(static_cast<float>(logits[id] - normalizer));
  if (const int64_t k = std::min(slot.request.top_logprobs, vocab); k > 0)
    slot.answer.top_logprobs.push_back(TopLogprobs(tokenizer_, logits, vocab, k, normalizer));
  slot.text = tokenizer_.Decode(slot.answer.ids, true);
  for (const std::string& stop : sampling.stop) {
    const size_t at = stop.empty() ? std::string::npos : slot.text.find(stop);
    if (at == std::string::npos) continue;
    slot.text.resize(at);
    return Finish(slot, "stop");
  }
  if (static_cast<int64_t>(slot.answer.ids.size()) >= sampling.max_tokens) return Finish(slot, "length");
  Stream(slot, false);
  slot.next = id;
}

// Tells what is complete: no half character, nothing that may still turn out to begin a stop string.
void Scheduler::Stream(Slot& slot, bool last) {
  if (!slot.request.stream) return;
  size_t hold = 0;
  if (!last) {
    for (const std::string& stop : slot.request.sampling.stop) hold = std::max(hold, stop.size());
    size_t tail = slot.text.size();
    while (tail > 0 && slot.text.size() - tail < 4 && (static_cast<unsigned char>(slot.text[tail - 1]) & 0xC0) == 0x80)
      --tail;
    if (tail > 0 && static_cast<unsigned char>(slot.text[tail - 1]) >= 0xC0)
      hold = std::max(hold, slot.text.size() - tail + 1);
  }
  const size_t end = slot.text.size() - std::min(hold, slot.text.size());
  if (end <= slot.streamed) return;
  events_.push_back({slot.id, slot.text.substr(slot.streamed, end - slot.streamed), {}});
  slot.streamed = end;
}

void Scheduler::Finish(Slot& slot, const char* reason) {
  Stream(slot, true);
  Answer& answer = slot.answer;
  answer.finish = reason;
  answer.text = slot.text;
  answer.raw = RawText(tokenizer_, answer);
  answer.answer_tokens = static_cast<int64_t>(answer.ids.size());
  Release(slot);
  events_.push_back({slot.id, "", std::move(answer)});
}

}  // namespace assay
