#pragma once
// What the servers that people run call things. A kind that is not known is asked in OpenAI's words alone.

#include <string_view>

#include "base/json.h"
#include "task/backend.h"

namespace assay {

enum class ServerKind { kUnknown, kLlamaServer, kLlamaCppPython, kVllm, kSglang, kOllama, kTgi };

/// "llama-server", "vLLM" …; of the unknown: "server".
std::string_view ServerKindName(ServerKind kind);

/// Whose rules make prompts of messages (RunHeader::prompts_by); empty: not known.
std::string_view PromptsBy(ServerKind kind);

/// Every sampling parameter in the words of a server, so that none of its own defaults is used; what it applies beside
/// ours is switched off where it can be. `context`: most tokens of prompt and answer, 0 where it is not known.
Json SamplingWords(ServerKind kind, const Sampling& sampling, int64_t context);
/// How the answer is to come. llama-cpp-python ends a stream when another request arrives, and counts no tokens in one:
/// it is asked for whole answers.
Json StreamWords(ServerKind kind);
/// `response_format` that holds an answer to a JSON Schema.
Json ResponseFormat(const Json& schema);
/// What `sampling` asks for and such a server cannot be told; empty: nothing.
std::string Inexpressible(ServerKind kind, const Sampling& sampling);

/// Whether chats may carry variables for the template ("chat_template_kwargs"), and documents.
bool TakesTemplateVariables(ServerKind kind);
bool TakesDocuments(ServerKind kind);
/// Whether "tool_choice" is more than "auto" to it.
bool TakesToolChoice(ServerKind kind);
/// Whether a prompt may be tokens.
bool TakesIds(ServerKind kind);

}  // namespace assay
