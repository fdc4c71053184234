#include "remote/native/prompt_tokens.h"

#include <string>

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

std::optional<Ids> Told(Asker& asker, const std::string& path, const Json& body, Progress& progress) {
  const std::optional<Json> said = asker.Fetch(path, progress, body);
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

}  // namespace

std::optional<Ids> PromptTokens(Asker& asker, ServerKind kind, const Json& body, Progress& progress) {
  const Json* prompt = FindMember(body, "prompt");
  if (prompt && prompt->is_array()) return IdsOf(*prompt);
  switch (kind) {
    case ServerKind::kLlamaServer: {
      const std::optional<std::string> text =
          prompt ? prompt->get<std::string>() : ToldText(asker, "/apply-template", "prompt", ChatOf(body), progress);
      if (!text) return std::nullopt;
      return Told(asker, "/tokenize",
                  {{"model", body["model"]}, {"content", *text}, {"add_special", true}, {"parse_special", true}},
                  progress);
    }
    case ServerKind::kVllm:
      if (prompt) return Told(asker, "/tokenize", {{"model", body["model"]}, {"prompt", *prompt}}, progress);
      return Told(asker, "/tokenize", ChatOf(body), progress);
    case ServerKind::kLlamaCppPython:
      if (!prompt) return std::nullopt;
      return Told(asker, "/extras/tokenize", {{"model", body["model"]}, {"input", *prompt}}, progress);
    case ServerKind::kSglang:
    case ServerKind::kOllama:
    case ServerKind::kUnknown:
      break;
  }
  return std::nullopt;
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
  if (kind == ServerKind::kLlamaServer)
    return Told(asker, "/tokenize",
                {{"model", model}, {"content", text}, {"add_special", false}, {"parse_special", true}}, progress);
  if (kind == ServerKind::kVllm)
    return Told(asker, "/tokenize", {{"model", model}, {"prompt", text}, {"add_special_tokens", false}}, progress);
  return std::nullopt;
}

}  // namespace assay
