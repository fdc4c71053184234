#pragma once
// What the servers that people run call things. A kind that is not known is asked in OpenAI's words alone.

#include <string_view>

#include "base/json.h"
#include "task/backend.h"

namespace assay {

enum class ServerKind { kUnknown, kLlamaServer, kLlamaCppPython, kVllm, kSglang, kOllama };

/// "llama-server", "vLLM" …; of the unknown: "server".
std::string_view ServerKindName(ServerKind kind);

/// Every sampling parameter in the words of a server, so that none of its own defaults is used; what it applies beside
/// ours is switched off where it can be.
Json SamplingWords(ServerKind kind, const Sampling& sampling);
/// What `sampling` asks for and such a server cannot be told; empty: nothing.
std::string Inexpressible(ServerKind kind, const Sampling& sampling);

/// Whether chats may carry variables for the template ("chat_template_kwargs"), and documents.
bool TakesTemplateVariables(ServerKind kind);
bool TakesDocuments(ServerKind kind);
/// Whether a prompt may be tokens.
bool TakesIds(ServerKind kind);

}  // namespace assay
