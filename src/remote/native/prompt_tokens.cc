#include "remote/native/prompt_tokens.h"

#include <string>
#include <utility>

#include "base/json_member.h"

namespace assay {
namespace {

using Ids = std::vector<int32_t>;

std::optional<Ids> IdsOf(const Json& list) {
  if (!list.is_array()) return std::nullopt;
  Ids ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) return std::nullopt;
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::optional<Ids> Told(const std::optional<Json>& said) {
  const Json* tokens = said && said->is_object() ? FindMember(*said, "tokens") : nullptr;
  return tokens ? IdsOf(*tokens) : std::nullopt;
}

/// Members of `body` that the template sees, or that choose it.
Json ChatOf(const Json& body) {
  Json chat = Json::object();
  for (const char* name : {"model", "messages", "tools", "tool_choice", "documents", "chat_template_kwargs",
                           "response_format", "reasoning_effort"})
    if (const Json* value = FindMember(body, name)) chat[name] = *value;
  return chat;
}

/// What a call gives as a text under one name.
std::optional<std::string> ToldText(Asker& asker, const std::string& path, const char* name, const Json& body,
                                    Progress& progress) {
  const std::optional<Json> said = asker.Fetch(path, progress, body);
  const Json* text = said && said->is_object() ? FindMember(*said, name) : nullptr;
  return text && text->is_string() ? std::optional(text->get<std::string>()) : std::nullopt;
}

/// What tells the tokens that such a server makes of a text when it completes it.
std::optional<FetchRequest> OfText(ServerKind kind, const Json& model, const Json& text) {
  switch (kind) {
    case ServerKind::kLlamaServer:
      return FetchRequest{"/tokenize",
                          {{"model", model}, {"content", text}, {"add_special", true}, {"parse_special", true}}};
    case ServerKind::kVllm:
      return FetchRequest{"/tokenize", {{"model", model}, {"prompt", text}}};
    case ServerKind::kLlamaCppPython:
      return FetchRequest{"/extras/tokenize", {{"model", model}, {"input", text}}};
    case ServerKind::kSglang:
      return FetchRequest{"/v1/tokenize", {{"model", model}, {"prompt", text}}};
    case ServerKind::kOllama:
    case ServerKind::kTgi:
    case ServerKind::kUnknown:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::optional<Ids>> PromptTokens(Asker& asker, ServerKind kind, std::span<const Json> bodies,
                                             Progress& progress) {
  std::vector<std::optional<Ids>> all(bodies.size());
  std::vector<std::pair<size_t, FetchRequest>> calls;
  std::vector<size_t> unrendered;  // llama-server makes the text of a chat in one call and its tokens in another
  for (size_t i = 0; i < bodies.size(); ++i) {
    const Json& body = bodies[i];
    if (const Json* prompt = FindMember(body, "prompt")) {
      if (prompt->is_array())
        all[i] = IdsOf(*prompt);
      else if (auto call = OfText(kind, body["model"], *prompt))
        calls.emplace_back(i, std::move(*call));
    } else if (kind == ServerKind::kLlamaServer) {
      unrendered.push_back(i);
    } else if (kind == ServerKind::kVllm) {
      calls.emplace_back(i, FetchRequest{"/tokenize", ChatOf(body)});
    }
  }
  asker.FetchAll(
      unrendered.size(),
      [&](size_t at) {
        return FetchRequest{"/apply-template", ChatOf(bodies[unrendered[at]])};
      },
      [&](size_t at, std::optional<Json>&& said) {
        const Json* made = said && said->is_object() ? FindMember(*said, "prompt") : nullptr;
        if (made && made->is_string())
          calls.emplace_back(unrendered[at], *OfText(kind, bodies[unrendered[at]]["model"], *made));
        else
          progress.Advance(1);
      },
      progress);
  asker.FetchAll(
      calls.size(), [&](size_t at) { return calls[at].second; },
      [&](size_t at, std::optional<Json>&& said) {
        all[calls[at].first] = Told(said);
        progress.Advance(1);
      },
      progress);
  return all;
}

std::optional<std::string> PromptText(Asker& asker, ServerKind kind, const Json& body, const Ids& tokens,
                                      Progress& progress) {
  if (kind == ServerKind::kLlamaServer && FindMember(body, "messages"))
    return ToldText(asker, "/apply-template", "prompt", ChatOf(body), progress);
  if (kind == ServerKind::kVllm && !tokens.empty())
    return ToldText(asker, "/detokenize", "prompt", {{"model", body["model"]}, {"tokens", tokens}}, progress);
  return std::nullopt;
}

std::optional<Ids> TextTokens(Asker& asker, ServerKind kind, const std::string& model, const std::string& text,
                              Progress& progress) {
  std::optional<FetchRequest> call;
  const bool transformers = kind == ServerKind::kVllm || kind == ServerKind::kSglang;
  if (kind == ServerKind::kLlamaServer || transformers) call = OfText(kind, model, text);
  if (!call) return std::nullopt;
  call->body[transformers ? "add_special_tokens" : "add_special"] = false;
  return Told(asker.Fetch(call->path, progress, call->body));
}

}  // namespace assay
