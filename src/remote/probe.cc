#include "remote/probe.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "dialect/answer_text.h"

namespace assay {
namespace {

constexpr size_t kMostOffered = 1000;  // kept of a list of models

std::string TextAt(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_string() ? CutAt(ValidUtf8(value->get<std::string>()), 500) : "";
}
int64_t CountAt(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_number_integer() ? std::max<int64_t>(0, value->get<int64_t>()) : 0;
}
void TakeTemplate(const Json& object, std::string_view key, ServerFacts& facts) {
  const Json* value = FindMember(object, key);
  if (value && value->is_string()) facts.template_hash = HashHex(value->get<std::string>());
}

class Probing {
 public:
  Probing(Asker& asker, Progress& progress) : asker_(asker), progress_(progress) {}

  ServerFacts Go() {
    facts_.url = asker_.address().url;
    ChooseModel();
    FindKind();
    FindCompletions();
    FindSameness();
    if (facts_.chats) FindTools();
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

  void FindKind() {
    const std::string owner = TextAt(entry_, "owned_by");
    if (const auto props = asker_.Fetch("/props", progress_);
        props && FindMember(*props, "default_generation_settings")) {
      facts_.kind = ServerKind::kLlamaServer;
      facts_.version = TextAt(*props, "build_info");
      facts_.weights = TextAt(*props, "model_path");
      facts_.context = CountAt(*FindMember(*props, "default_generation_settings"), "n_ctx");
      TakeTemplate(*props, "chat_template", facts_);
      if (const Json* meta = FindMember(entry_, "meta")) {
        facts_.weight_bytes = static_cast<uint64_t>(CountAt(*meta, "size"));
        facts_.parameters = static_cast<uint64_t>(CountAt(*meta, "n_params"));
      }
    } else if (const auto tags = asker_.Fetch("/api/version", progress_); tags && FindMember(*tags, "version")) {
      facts_.kind = ServerKind::kOllama;
      facts_.version = TextAt(*tags, "version");
      FindOllama();
    } else if (const auto info = asker_.Fetch("/get_model_info", progress_); info && FindMember(*info, "model_path")) {
      facts_.kind = ServerKind::kSglang;
      facts_.weights = TextAt(*info, "model_path");
      if (const auto server = asker_.Fetch("/get_server_info", progress_)) {
        facts_.version = TextAt(*server, "version");
        facts_.context = CountAt(*server, "context_length");
      }
    } else if (const auto version = asker_.Fetch("/version", progress_);
               version && FindMember(*version, "version") && (owner == "vllm" || FindMember(entry_, "max_model_len"))) {
      facts_.kind = ServerKind::kVllm;
      facts_.version = TextAt(*version, "version");
      facts_.weights = TextAt(entry_, "root");
    } else if (owner == "me") {
      if (const auto page = asker_.Fetch("/openapi.json", progress_))
        if (const Json* about = FindMember(*page, "info");
            about && TextAt(*about, "title").find("llama.cpp") != std::string::npos) {
          facts_.kind = ServerKind::kLlamaCppPython;
          facts_.version = TextAt(*about, "version");
        }
    }
    if (facts_.context == 0) facts_.context = CountAt(entry_, "max_model_len");
  }

  void FindOllama() {
    if (const auto tags = asker_.Fetch("/api/tags", progress_))
      if (const Json* models = FindMember(*tags, "models"); models && models->is_array())
        for (const Json& model : *models)
          if (TextAt(model, "name") == facts_.model || TextAt(model, "model") == facts_.model) {
            facts_.weights = TextAt(model, "digest");
            facts_.weight_bytes = static_cast<uint64_t>(CountAt(model, "size"));
          }
    if (const auto shown = asker_.Fetch("/api/show", progress_, {{"model", facts_.model}})) {
      TakeTemplate(*shown, "template", facts_);
      // The context of an Ollama model is what its parameters say, not what the model could take.
      const std::string parameters = TextAt(*shown, "parameters");
      for (const std::string& line : Split(parameters, '\n')) {
        const std::string_view words = Trim(line);
        if (words.starts_with("num_ctx")) facts_.context = std::atoll(std::string(Trim(words.substr(7))).c_str());
      }
    }
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
    Json body = {{"model", facts_.model}, {"stream", true}, {"stream_options", {{"include_usage", true}}}};
    body.update(SamplingWords(facts_.kind, sampling));
    return body;
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
    const RemoteAnswer chat = asker_.AskOne(ChatAsk("Say hello.", few), progress_);
    const RemoteAnswer text = asker_.AskOne(TextAsk("Once upon a time", few), progress_);
    facts_.chats = Answered(chat);
    facts_.completes = Answered(text);
    if (!facts_.chats && !facts_.completes)
      Fail(ErrorKind::kUnsupported,
           "{}: the server answers no completions: /v1/chat/completions: {}; /v1/completions: {}", facts_.url,
           chat.answer.error, text.answer.error);
    const RemoteAnswer& seen = facts_.chats ? chat : text;
    facts_.answers_as = seen.model;
    facts_.counts = seen.answer.prompt_tokens > 0;
    if (!facts_.chats) facts_.remarks.push_back("it takes no chats: " + chat.answer.error);
    const Json want = facts_.chats ? Json{{"logprobs", true}, {"top_logprobs", 1}} : Json{{"logprobs", 1}};
    const RemoteAnswer with = asker_.AskOne(
        facts_.chats ? ChatAsk("Say hello.", few, want) : TextAsk("Once upon a time", few, want), progress_);
    facts_.logprobs = with.fault == Fault::kNone && with.logprobs;
  }

  std::string Said(const Sampling& sampling) {
    const RemoteAnswer reading =
        asker_.AskOne(AskIn("Tell me a very short story about a fox and a lighthouse.", sampling), progress_);
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
    const RemoteAnswer plain = asker_.AskOne(ChatAsk(kQuestion, few), progress_);
    const RemoteAnswer with = asker_.AskOne(ChatAsk(kQuestion, call, {{"tools", tools}}), progress_);
    facts_.takes_tools = Answered(with);
    facts_.calls = with.fault == Fault::kNone && !with.answer.tool_calls.is_null();
    if (!*facts_.takes_tools) facts_.remarks.push_back("it refuses chats with tools: " + with.answer.error);
    CompletionRequest system = ChatAsk(kQuestion, few);
    system.body["messages"].insert(
        system.body["messages"].begin(),
        Json{{"role", "system"}, {"content", "You are the keeper of the northern lighthouse."}});
    const RemoteAnswer kept = asker_.AskOne(system, progress_);
    const int64_t base = plain.answer.prompt_tokens;
    if (base <= 0) return;
    if (with.answer.prompt_tokens > 0) facts_.sees_tools = with.answer.prompt_tokens > base;
    // A system message replaces a default one, which may be longer: only no change at all tells.
    if (kept.answer.prompt_tokens > 0) facts_.sees_system = kept.answer.prompt_tokens != base;
  }

  void Remark() {
    auto remark = [&](bool amiss, std::string words) {
      if (amiss) facts_.remarks.push_back(std::move(words));
    };
    remark(!facts_.same_twice, "it gave two answers to the same greedy request");
    remark(facts_.seeds == false, "its draws do not follow the seed");
    remark(!facts_.drew,
           "at temperature 1 it answered three times as it does greedily: perhaps it does not sample, whatever it is "
           "told");
    remark(facts_.sees_tools == false, "its prompt does not grow with tools: its chat template leaves them out");
    remark(facts_.sees_system == false,
           "its prompt does not change with a system message: its chat template leaves it out");
    remark(!facts_.counts, "it does not count tokens: an answer that it cuts short or lets run on is not noticed");
    remark(facts_.context == 0, "it does not tell its context: a prompt that it cuts is not noticed");
    remark(facts_.kind == ServerKind::kUnknown,
           "it is of no kind that is known here: top_k, min_p and the repetition penalty are its own");
    remark(facts_.kind == ServerKind::kOllama, "top_k, min_p and the repetition penalty are those of its Modelfile");
  }

  Asker& asker_;
  Progress& progress_;
  ServerFacts facts_;
  Json listing_, entry_;
};

}  // namespace

std::string ServerFacts::title() const {
  return fmt::format("{}{} at {}", ServerKindName(kind), version.empty() ? "" : " " + version, url);
}

Capabilities ServerFacts::can() const {
  // One request after another gave the same: beside others, in a batch, it may not.
  return {.tokenize = false,
          .render = false,
          .score = false,
          .seeds = seeds == true,
          .same_bits = false,
          .reads_calls = true};
}

Json ToJson(const ServerFacts& facts) {
  Json json = {{"url", facts.url}, {"model", facts.model}, {"kind", ServerKindName(facts.kind)}};
  auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  auto maybe = [&](const char* name, std::optional<bool> value) {
    if (value) json[name] = *value;
  };
  text("version", facts.version);
  json["offered"] = facts.offered;
  text("answers_as", facts.answers_as);
  text("weights", facts.weights);
  if (facts.weight_bytes) json["weight_bytes"] = facts.weight_bytes;
  if (facts.parameters) json["parameters"] = facts.parameters;
  if (facts.context) json["context"] = facts.context;
  text("template_hash", facts.template_hash);
  json["chats"] = facts.chats;
  json["completes"] = facts.completes;
  json["counts_tokens"] = facts.counts;
  maybe("takes_tools", facts.takes_tools);
  maybe("sees_tools", facts.sees_tools);
  maybe("sees_system", facts.sees_system);
  json["calls"] = facts.calls;
  json["logprobs"] = facts.logprobs;
  maybe("seeds", facts.seeds);
  json["same_twice"] = facts.same_twice;
  json["drew"] = facts.drew;
  if (!facts.remarks.empty()) json["remarks"] = facts.remarks;
  return json;
}

ServerFacts ProbeServer(Asker& asker, Progress& progress) {
  return Probing(asker, progress).Go();
}

}  // namespace assay
