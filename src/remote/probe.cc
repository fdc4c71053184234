#include "remote/probe.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "dialect/answer_text.h"
#include "record/run_record.h"
#include "remote/native/forced_calls.h"
#include "remote/native/prompt_logprobs.h"
#include "remote/native/prompt_tokens.h"
#include "remote/native/told_facts.h"

namespace assay {
namespace {

constexpr size_t kMostOffered = 1000;  // kept of a list of models
constexpr std::string_view kStory = "Tell me a very short story about a fox and a lighthouse.";

class Probing {
 public:
  Probing(Asker& asker, Progress& progress) : asker_(asker), progress_(progress) {}

  ServerFacts Go() {
    facts_.url = asker_.address().url;
    progress_.Begin(fmt::format("asking {} what it is and can do", facts_.url), 0, "answers");
    ChooseModel();
    TakeToldFacts(asker_, entry_, facts_, progress_);
    FindCompletions();
    FindSameness();
    if (facts_.chats) FindTools();
    if (facts_.chats) FindSchema();
    FindTokenizer();
    FindPromptLogprobs();
    progress_.End();
    Remark();
    if (asker_.HoldsKey(ToJson(facts_)))
      Fail(ErrorKind::kUnsupported,
           "what is known of the server (its URL, the model's name, its version …) holds the API key: nothing of it is "
           "shown or kept");
    return std::move(facts_);
  }

 private:
  void ChooseModel() {
    listing_ = asker_.Fetch("/v1/models", progress_).value_or(Json());
    if (const Json* list = FindMember(listing_, "data"); list && list->is_array())
      for (const Json& model : *list)
        if (const std::string id = TextAt(model, "id"); !id.empty() && facts_.offered.size() < kMostOffered)
          facts_.offered.push_back(id);
    facts_.model = asker_.address().model;
    const std::vector<std::string>& offered = facts_.offered;
    if (facts_.model.empty()) {
      if (offered.empty())
        Fail(ErrorKind::kInvalid, "{}: the server lists no models: name one, {}#model-name", facts_.url, facts_.url);
      if (offered.size() > 1)
        Fail(ErrorKind::kInvalid, "{}: the server offers {} models ({}): name one, {}#model-name", facts_.url,
             offered.size(), Some(), facts_.url);
      facts_.model = offered[0];
    } else if (!offered.empty() && std::find(offered.begin(), offered.end(), facts_.model) == offered.end()) {
      const std::string near = Nearest(facts_.model, offered);
      Fail(ErrorKind::kNotFound, "{}: the server does not offer {}{}; it offers {}", facts_.url, Quote(facts_.model),
           near.empty() ? "" : fmt::format(", did you mean {}?", asker_.WithoutKey(near)), Some());
    }
    if (const Json* list = FindMember(listing_, "data"); list && list->is_array())
      for (const Json& model : *list)
        if (TextAt(model, "id") == facts_.model) entry_ = model;
  }

  std::string Some() const {
    std::string text;
    for (size_t i = 0; i < facts_.offered.size() && i < 8; ++i) text += (i ? ", " : "") + facts_.offered[i];
    if (facts_.offered.size() > 8) text += fmt::format(" and {} more", facts_.offered.size() - 8);
    return asker_.WithoutKey(std::move(text));
  }

  /// A short question in both forms.
  CompletionRequest ChatAsk(std::string_view text, const Sampling& sampling, const Json& more = Json::object()) const {
    CompletionRequest ask{"/v1/chat/completions", Words(sampling), sampling.max_tokens};
    ask.body["messages"] = Json::array({{{"role", "user"}, {"content", text}}});
    for (const auto& [key, value] : more.items()) ask.body[key] = value;
    return ask;
  }
  CompletionRequest TextAsk(std::string_view text, const Sampling& sampling, const Json& more = Json::object()) const {
    CompletionRequest ask{"/v1/completions", Words(sampling), sampling.max_tokens};
    ask.body["prompt"] = text;
    for (const auto& [key, value] : more.items()) ask.body[key] = value;
    return ask;
  }
  Json Words(const Sampling& sampling) const {
    Json body = {{"model", facts_.model}};
    body.update(StreamWords(facts_.kind));
    body.update(SamplingWords(facts_.kind, sampling, facts_.context));
    return body;
  }
  RemoteAnswer Ask(const CompletionRequest& ask) {
    RemoteAnswer reading = asker_.AskOne(ask, progress_);
    progress_.Advance(1);
    return reading;
  }
  CompletionRequest AskIn(std::string_view text, const Sampling& sampling) const {
    return facts_.chats ? ChatAsk(text, sampling) : TextAsk(text, sampling);
  }
  static bool Answered(const RemoteAnswer& reading) {
    // A model may end at once, or be cut by the probe's few tokens: the server answered all the same.
    return reading.fault == Fault::kNone || reading.fault == Fault::kEmpty || reading.fault == Fault::kTruncated;
  }

  void FindCompletions() {
    Sampling few;
    few.max_tokens = 8;
    const CompletionRequest ask_chat = ChatAsk("Say hello.", few), ask_text = TextAsk("Once upon a time", few);
    const RemoteAnswer chat = Ask(ask_chat), text = Ask(ask_text);
    facts_.chats = Answered(chat);
    facts_.completes = Answered(text);
    if (!facts_.chats && !facts_.completes)
      Fail(ErrorKind::kUnsupported,
           "{}: the server answers no completions: /v1/chat/completions: {}; /v1/completions: {}", facts_.url,
           chat.answer.error, text.answer.error);
    const RemoteAnswer& seen = facts_.chats ? chat : text;
    facts_.answers_as = seen.model;
    facts_.counts = seen.answer.prompt_tokens > 0;
    facts_.reasons = !chat.answer.reasoning.empty();
    facts_.tells_chat_tokens = facts_.chats && TellsTokens(ask_chat, chat, "a chat");
    facts_.tells_text_tokens = facts_.completes && TellsTokens(ask_text, text, "a plain prompt");
    if (!facts_.chats) facts_.remarks.push_back("it takes no chats: " + chat.answer.error);
    const Json want = facts_.chats ? Json{{"logprobs", true}, {"top_logprobs", 1}} : Json{{"logprobs", 1}};
    const RemoteAnswer with =
        Ask(facts_.chats ? ChatAsk("Say hello.", few, want) : TextAsk("Once upon a time", few, want));
    facts_.logprobs = with.fault == Fault::kNone && with.logprobs;
  }

  /// Whether its own calls tell as many tokens of a prompt as it counts when it answers.
  bool TellsTokens(const CompletionRequest& ask, const RemoteAnswer& reading, std::string_view what) {
    const auto ids = PromptTokens(asker_, facts_.kind, std::span(&ask.body, 1), progress_)[0];
    if (!ids || ids->empty()) return false;
    const int64_t counted = reading.answer.prompt_tokens;
    if (counted <= 0 || std::ssize(*ids) == counted) return true;
    facts_.remarks.push_back(fmt::format("its own calls tell {} tokens of {} where it counts {}: they are not believed",
                                         ids->size(), what, counted));
    return false;
  }

  std::string Said(const Sampling& sampling) {
    const RemoteAnswer reading = Ask(AskIn(kStory, sampling));
    facts_.reasons = facts_.reasons || !reading.answer.reasoning.empty();
    return reading.fault == Fault::kNone ? reading.answer.reasoning + reading.answer.text : "";
  }

  void FindSameness() {
    Sampling greedy;
    greedy.max_tokens = 24;
    const std::string first = Said(greedy);
    facts_.same_twice = !first.empty() && Said(greedy) == first;
    Sampling drawn = greedy;
    drawn.temperature = 1;
    drawn.seed = 7;
    const std::string seven = Said(drawn), again = Said(drawn);
    drawn.seed = 8;
    const std::string eight = Said(drawn);
    if (seven.empty() || again.empty() || eight.empty()) return;
    facts_.drew = seven != first || again != first || eight != first;
    // Always the same says nothing of seeds.
    if (seven != again || seven != eight) facts_.seeds = seven == again && seven != eight;
  }

  void FindTools() {
    Sampling few;
    few.max_tokens = 1;
    Sampling call;
    call.max_tokens = 48;
    const Json tools = Json::array({{{"type", "function"},
                                     {"function",
                                      {{"name", "get_weather"},
                                       {"description", "The weather in a city"},
                                       {"parameters",
                                        {{"type", "object"},
                                         {"properties", {{"city", {{"type", "string"}}}}},
                                         {"required", Json::array({"city"})}}}}}}});
    constexpr std::string_view kQuestion = "What is the weather in Oslo?";
    const RemoteAnswer plain = Ask(ChatAsk(kQuestion, few));
    const CompletionRequest ask_with = ChatAsk(kQuestion, call, {{"tools", tools}});
    const RemoteAnswer with = Ask(ask_with);
    facts_.takes_tools = Answered(with);
    facts_.calls = with.fault == Fault::kNone && !with.answer.tool_calls.is_null();
    if (!*facts_.takes_tools) facts_.remarks.push_back("it refuses chats with tools: " + with.answer.error);
    CompletionRequest system = ChatAsk(kQuestion, few);
    system.body["messages"].insert(
        system.body["messages"].begin(),
        Json{{"role", "system"}, {"content", "You are the keeper of the northern lighthouse."}});
    const RemoteAnswer kept = Ask(system);
    facts_.tells_chat_tokens = facts_.tells_chat_tokens && TellsTokens(system, kept, "a chat with a system message") &&
                               (!*facts_.takes_tools || TellsTokens(ask_with, with, "a chat with tools"));
    const int64_t base = plain.answer.prompt_tokens;
    if (base <= 0) return;
    if (with.answer.prompt_tokens > 0) facts_.sees_tools = with.answer.prompt_tokens > base;
    // A system message replaces a default one, which may be longer: only no change at all tells.
    if (kept.answer.prompt_tokens > 0) facts_.sees_system = kept.answer.prompt_tokens != base;
  }

  /// A schema that a story does not obey by itself.
  void FindSchema() {
    Sampling some;
    some.max_tokens = 48;
    const Json schema = {{"type", "object"},
                         {"properties", {{"lamp", {{"enum", Json::array({"red", "green"})}}}}},
                         {"required", Json::array({"lamp"})},
                         {"additionalProperties", false}};
    const RemoteAnswer reading = Ask(ChatAsk(kStory, some, {{"response_format", ResponseFormat(schema)}}));
    const std::string said(Trim(reading.answer.text));
    if (!Answered(reading)) {
      facts_.holds_schema = false;
    } else if (!said.empty()) {
      try {
        const Json json = ParseJson(said, "the answer");
        const Json* lamp = json.size() == 1 ? FindMember(json, "lamp") : nullptr;
        facts_.holds_schema = lamp && (*lamp == "red" || *lamp == "green");
      } catch (const Error&) {
        // What was cut may still be the beginning of an object.
        if (reading.answer.finish != "length" || said[0] != '{') facts_.holds_schema = false;
      }
    }
  }

  void FindTokenizer() {
    const auto ids = TextTokens(asker_, facts_.kind, facts_.model, std::string(kTokenizerProbe), progress_);
    if (ids && !ids->empty()) facts_.tokenizer_probe = HashHex(std::as_bytes(std::span(*ids)));
  }

  /// As many as it usually tells, or what a server may have been held to.
  void FindPromptLogprobs() {
    if (!TellsPromptLogprobs(facts_.kind) || !facts_.completes || !facts_.tells_text_tokens) return;
    const Json body = {{"model", facts_.model}, {"prompt", kStory}};
    const auto ids = PromptTokens(asker_, facts_.kind, std::span(&body, 1), progress_)[0];
    if (!ids || ids->size() < 2) return;
    const ForcedText text{*ids, 1};
    for (const int64_t most : {20, 5}) {
      bool told = false;
      LeadAlong(
          asker_, facts_, std::span(&text, 1), most, [&](size_t, ForcedPredictions&& led) { told = led.error.empty(); },
          progress_);
      if (!told) continue;
      facts_.prompt_logprobs = most;
      return;
    }
  }

  void Remark() {
    auto remark = [&](bool amiss, std::string words) {
      if (amiss) facts_.remarks.push_back(std::move(words));
    };
    remark(!facts_.same_twice, "it gave two answers to the same greedy request");
    remark(facts_.reasons,
           "it gives reasoning apart from its answers, which are scored without it: whether it reasons, and for how "
           "long, is its own setting where --chat-template-kwargs says nothing");
    remark(facts_.seeds == false, "its draws do not follow the seed");
    remark(!facts_.drew,
           "at temperature 1 it answered three times as it does greedily: perhaps it does not sample, whatever it is "
           "told");
    remark(facts_.sees_tools == false, "its prompt does not grow with tools: its chat template leaves them out");
    remark(facts_.sees_system == false,
           "its prompt does not change with a system message: its chat template leaves it out");
    remark(!facts_.counts, "it does not count tokens: an answer that it cuts short or lets run on is not noticed");
    remark(facts_.context == 0, "it does not tell its context: a prompt that it cuts is not noticed");
    if (const Json* grammar = FindMember(facts_.settings, "grammar"); grammar && *grammar != "")
      remark(true, "it holds every answer to a grammar of its own");
    remark(facts_.kind == ServerKind::kUnknown,
           "it is of no kind that is known here: top_k, min_p and the repetition penalty are its own");
    remark(facts_.kind == ServerKind::kOllama, "top_k, min_p and the repetition penalty are those of its Modelfile");
    remark(facts_.kind == ServerKind::kTgi && facts_.takes_tools == true,
           "it writes calls under a grammar made of the tools, which hides damage");
  }

  Asker& asker_;
  Progress& progress_;
  ServerFacts facts_;
  Json listing_, entry_;
};

}  // namespace

ServerFacts ProbeServer(Asker& asker, Progress& progress) {
  return Probing(asker, progress).Go();
}

}  // namespace assay
