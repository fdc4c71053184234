#include "remote/remote_backend.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "remote/cut_context.h"
#include "remote/native/forced_calls.h"
#include "remote/native/prompt_tokens.h"
#include "statistics/summary.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int64_t kMostTopLogprobs = 20;  // OpenAI's limit, and vLLM's by default
constexpr size_t kShortQuestion = 512;    // bytes that fit into any context

/// Members of two objects; `over` wins.
Json Merged(const Json& under, const Json& over) {
  if (under.is_null()) return over;
  Json all = under;
  if (!over.is_null()) all.update(over);
  return all;
}

/// What two URLs of one arm must have in common: otherwise it would be two models that are judged as one.
Json Deployment(const ServerFacts& facts) {
  return {{"kind", ServerKindName(facts.kind)},
          {"version", facts.version},
          {"answers as", facts.answers_as},
          {"weights", facts.weights},
          {"bytes of weights", facts.weight_bytes},
          {"parameters", facts.parameters},
          {"context", facts.context},
          {"chat template", facts.template_hash},
          {"tokens of a text", facts.tokenizer_probe},
          {"settings", facts.settings},
          {"tools in the prompt", facts.sees_tools ? Json(*facts.sees_tools) : Json(nullptr)},
          {"system message in the prompt", facts.sees_system ? Json(*facts.sees_system) : Json(nullptr)}};
}

void RequireSame(const ServerFacts& first, const ServerFacts& other) {
  const Json expected = Deployment(first), found = Deployment(other);
  for (const auto& [name, value] : expected.items())
    if (found[name] != value)
      Fail(ErrorKind::kInvalid, "{}: {}: expected {} as at {}, found {}: the URLs of one arm are one deployment",
           other.url, name, DumpJson(value), first.url, DumpJson(found[name]));
}

}  // namespace

RemoteBackend::Probed RemoteBackend::Probe(const ServerAddress& address, const ServerAccess& access,
                                           Progress& progress) {
  Probed probed;
  std::vector<std::string> reached;
  for (const ServerAddress& each : EachServer(address)) {
    try {
      Asker asker(each, access);
      ServerFacts facts = ProbeServer(asker, progress);
      if (!reached.empty()) RequireSame(probed.facts, facts);
      if (reached.empty()) probed.facts = std::move(facts);
      reached.push_back(each.url);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kIo || address.more.empty()) throw;
      probed.left_out.push_back(error.what());
    }
  }
  if (reached.empty()) Fail(ErrorKind::kIo, "{}", Join(probed.left_out, "; "));
  probed.address = {reached[0], address.model, {reached.begin() + 1, reached.end()}};
  for (const std::string& why : probed.left_out)
    probed.facts.remarks.push_back("the arm goes on without " + why.substr(0, why.find(" (answers so far")));
  return probed;
}

RemoteBackend::RemoteBackend(const ServerAddress& address, const ServerAccess& access, const RemoteOptions& options,
                             Progress& progress)
    : RemoteBackend(Probe(address, access, progress), access, options) {}

RemoteBackend::RemoteBackend(Probed probed, const ServerAccess& access, const RemoteOptions& options)
    : options_(options), asker_(probed.address, access), facts_(std::move(probed.facts)) {
  if (!options_.template_variables.is_null() && !TakesTemplateVariables(facts_.kind))
    Fail(ErrorKind::kUnsupported, "--chat-template-kwargs: {} is not known to take them", facts_.title());
  if (options_.hold_schema && facts_.holds_schema == false)
    Fail(ErrorKind::kUnsupported, "--hold-schema: {} does not hold an answer to the schema in response_format",
         facts_.title());
  facts_.led_token_by_token = options_.slow_displacement && IsLedTokenByToken(facts_.kind) && facts_.tells_text_tokens;
  if (facts_.led_token_by_token)
    facts_.prompt_logprobs = kMostTopLogprobs;
  else if (options_.slow_displacement)
    facts_.remarks.push_back(facts_.prompt_logprobs > 0
                                 ? "--slow-displacement: it is led along whole texts at once anyway"
                                 : "--slow-displacement: it cannot be led token by token, which is for llama-server");
}

Capabilities RemoteBackend::can() const {
  Capabilities can = facts_.can();
  can.holds_schema = options_.hold_schema;
  return can;
}

int64_t RemoteBackend::most_top_logprobs() const {
  return facts_.logprobs ? kMostTopLogprobs : 0;
}

Prompt RemoteBackend::Prepare(const Question& question) const {
  RequireAskable(question);
  const std::string key = DumpJson(ToJson(question));
  Prompt prompt;
  if (const auto told = prompt_ids_.find(key); told != prompt_ids_.end()) prompt.ids = told->second;
  if (const auto said = prompt_remarks_.find(key); said != prompt_remarks_.end())
    prompt.remarks.push_back(said->second);
  return prompt;
}

void RemoteBackend::Announce(std::span<const Question> questions, Progress& progress) {
  const Question* longest = nullptr;
  size_t most = 0;
  std::set<std::string> seen;
  std::vector<std::string> keys;  // of what is asked for
  std::vector<Json> bodies;
  for (const Question& question : questions) {
    try {
      RequireAskable(question);
    } catch (const Error&) {
      continue;  // told where it is prepared
    }
    const std::string key = DumpJson(ToJson(question));
    if (std::exchange(most, std::max(most, key.size())) < key.size()) longest = &question;
    const bool chat = std::holds_alternative<Chat>(question);
    if (!(chat ? facts_.tells_chat_tokens : facts_.tells_text_tokens) || prompt_ids_.count(key) ||
        !seen.insert(key).second)
      continue;
    Request request{.question = question};
    bodies.push_back(AskFor(request).body);
    keys.push_back(key);
  }
  if (!bodies.empty()) {
    progress.Begin("asking for the tokens of prompts", bodies.size(), "prompts");
    std::vector<std::optional<std::vector<int32_t>>> told = PromptTokens(asker_, facts_.kind, bodies, progress);
    for (size_t i = 0; i < keys.size(); ++i)
      if (told[i] && !told[i]->empty()) prompt_ids_.emplace(keys[i], std::move(*told[i]));
    progress.End();
  }
  // Where the tokens are known every answer shows whether all were read.
  if (!longest || most < kShortQuestion) return;
  const std::string key = DumpJson(ToJson(*longest));
  if (prompt_ids_.count(key) || key == whole_) return;
  Request request{.question = *longest};
  request.sampling.max_tokens = 1;
  if (std::string remark = RequireWhole(asker_, facts_, AskFor(request), progress); !remark.empty())
    prompt_remarks_[key] = std::move(remark);
  whole_ = key;
}

std::optional<std::string> RemoteBackend::PromptText(const Question& question, Progress& progress) {
  if (const auto* text = std::get_if<std::string>(&question)) return *text;
  return assay::PromptText(asker_, facts_.kind, AskFor({.question = question}).body, Prepare(question).ids, progress);
}

void RemoteBackend::RequireAskable(const Question& question) const {
  const auto refuse = [&](std::string_view what) { Fail(ErrorKind::kUnsupported, "{} {}", facts_.title(), what); };
  if (const auto* chat = std::get_if<Chat>(&question)) {
    if (!facts_.chats) refuse("takes no chats");
    if (!chat->documents.is_null() && !TakesDocuments(facts_.kind)) refuse("is not known to take documents");
    if (!chat->template_variables.is_null() && !TakesTemplateVariables(facts_.kind))
      refuse("is not known to take variables of the chat template");
    if (!chat->tools.is_null()) {
      if (facts_.takes_tools == false) refuse("refuses chats with tools");
      if (!chat->tool_choice.is_null() && chat->tool_choice != "auto" && !TakesToolChoice(facts_.kind))
        refuse("passes over tool_choice in silence");
      if (facts_.sees_tools == false) refuse("has a chat template that leaves tools out of the prompt");
    }
    if (facts_.sees_system == false)
      for (const Json& message : chat->messages)
        if (message.value("role", "") == "system")
          refuse("has a chat template that leaves the system message out of the prompt");
  } else {
    if (!facts_.completes) refuse("takes no plain prompts (/v1/completions)");
    if (std::holds_alternative<std::vector<int32_t>>(question) && !TakesIds(facts_.kind))
      refuse("is not known to take tokens");
  }
}

CompletionRequest RemoteBackend::AskFor(const Request& request) const {
  CompletionRequest ask;
  ask.max_tokens = request.sampling.max_tokens;
  ask.answers_as = facts_.answers_as;
  ask.body = {{"model", facts_.model}};
  if (const auto* chat = std::get_if<Chat>(&request.question)) {
    ask.path = "/v1/chat/completions";
    ask.body["messages"] = chat->messages;
    if (!chat->tools.is_null()) {
      ask.body["tools"] = chat->tools;
      ask.body["tool_choice"] = chat->tool_choice.is_null() ? Json("auto") : chat->tool_choice;
    }
    if (!chat->documents.is_null()) ask.body["documents"] = chat->documents;
    if (const Json variables = Merged(options_.template_variables, chat->template_variables); !variables.is_null())
      ask.body["chat_template_kwargs"] = variables;
    if (options_.hold_schema && !chat->response_schema.is_null())
      ask.body["response_format"] = ResponseFormat(chat->response_schema);
  } else {
    ask.path = "/v1/completions";
    if (const auto* text = std::get_if<std::string>(&request.question))
      ask.body["prompt"] = *text;
    else
      ask.body["prompt"] = std::get<std::vector<int32_t>>(request.question);
  }
  ask.body.update(StreamWords(facts_.kind));
  if (facts_.kind == ServerKind::kVllm) ask.body["return_token_ids"] = true;  // older ones pass over it
  ask.body.update(SamplingWords(facts_.kind, request.sampling, facts_.context));
  if (request.top_logprobs > 0) {
    const auto* chat = std::get_if<Chat>(&request.question);
    ask.body["logprobs"] = chat ? Json(true) : Json(request.top_logprobs);
    if (chat) ask.body["top_logprobs"] = request.top_logprobs;
    // llama-server tells them beside calls in whole answers alone.
    if (chat && !chat->tools.is_null() && facts_.kind == ServerKind::kLlamaServer) {
      ask.body["stream"] = false;
      ask.body.erase("stream_options");
    }
  }
  return ask;
}

void RemoteBackend::Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                             Progress& progress) {
  std::vector<size_t> posed;
  for (size_t i = 0; i < requests.size(); ++i) {
    std::string untold = Inexpressible(facts_.kind, requests[i].sampling);
    if (requests[i].top_logprobs > most_top_logprobs()) untold += untold.empty() ? "top_logprobs" : ", top_logprobs";
    if (untold.empty()) {
      posed.push_back(i);
      continue;
    }
    Answer answer;
    answer.finish = "error";
    answer.error = fmt::format("{} cannot be told: {}", facts_.title(), untold);
    done(i, answer);
  }
  progress.Begin("asking " + Join(asker_.address().urls(), ", "), posed.size(), "answers");
  const double began = Now();
  const auto stop = [&] {
    busy_s_ += Now() - began;
    progress.End();
  };
  try {
    asker_.AskAll(
        posed.size(), [&](size_t at) { return AskFor(requests[posed[at]]); },
        [&](size_t at, RemoteAnswer&& reading) {
          const std::optional<Prompt>& prompt = requests[posed[at]].prompt;
          const int64_t told = prompt ? std::ssize(prompt->ids) : 0, counted = reading.answer.prompt_tokens;
          if (reading.fault == Fault::kNone && told > 0 && counted > 0 && told != counted)
            reading =
                Faulty(Fault::kOtherPrompt, fmt::format("the server counts {} tokens of a prompt that has {}{}",
                                                        counted, told, counted < told ? ": is its context full?" : ""));
          if (reading.fault == Fault::kNone) {
            const auto tokens = static_cast<double>(reading.answer.answer_tokens);
            tokens_ += tokens;
            if (reading.first_token_s > 0) first_token_s_.push_back(reading.first_token_s);
            if (const double wrote = reading.seconds - reading.first_token_s;
                tokens > 1 && wrote > 0 && reading.first_token_s > 0)
              tokens_per_s_.push_back((tokens - 1) / wrote);
          }
          const Request& request = requests[posed[at]];
          if (request.stream && !reading.answer.text.empty()) request.stream(reading.answer.text);
          progress.Advance(1);
          done(posed[at], reading.answer);
        },
        progress);
  } catch (...) {
    stop();
    throw;
  }
  stop();
}

void RemoteBackend::Force(std::span<const ForcedText> texts, int64_t top,
                          const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) {
  LeadAlong(asker_, facts_, texts, top, done, progress);
}

std::optional<ServedSpeed> RemoteBackend::speed() const {
  if (first_token_s_.empty()) return std::nullopt;
  ServedSpeed speed;
  speed.answers = static_cast<int64_t>(first_token_s_.size());
  speed.concurrency = asker_.concurrency();
  speed.first_token_p50_s = Quantile(first_token_s_, 0.5);
  speed.first_token_p90_s = Quantile(first_token_s_, 0.9);
  speed.first_token_p99_s = Quantile(first_token_s_, 0.99);
  if (!tokens_per_s_.empty()) {
    speed.tokens_per_s_p50 = Quantile(tokens_per_s_, 0.5);
    speed.tokens_per_s_p10 = Quantile(tokens_per_s_, 0.1);
    speed.tokens_per_s_p1 = Quantile(tokens_per_s_, 0.01);
  }
  if (busy_s_ > 0) speed.total_tokens_per_s = tokens_ / busy_s_;
  return speed;
}

}  // namespace assay
