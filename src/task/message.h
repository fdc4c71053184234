#pragma once
// An answer as a server gives it: OpenAI's assistant message, whose tool calls a parser of the server's has read
// already.

#include <string>

#include "base/json.h"
#include "dialect/call/call_syntax.h"

namespace assay {

struct MessageAnswer {
  std::string text;       // `content`, or `refusal` where there is none
  Json calls;             // `tool_calls` (or the older `function_call` as one); null: none
  std::string reasoning;  // `reasoning_content` or `reasoning`, which no check sees
};

/// Throws FieldError (check.h) for a shape that no server gives, `field` below the message.
MessageAnswer ReadMessage(const Json& message);

/// The calls of a message. Arguments that are no JSON object are the model's mistake: `error`.
ParsedCalls ReadMessageCalls(const Json& tool_calls, const Json& tools);

/// The same calls as text, as Hermes models write them, for records and people.
std::string CallsAsText(const Json& tool_calls);

}  // namespace assay
