#pragma once
// An answer as a server gives it: OpenAI's assistant message, whose tool calls a parser of the server's has read
// already.

#include <string>

#include "base/json.h"
#include "dialect/call/call_syntax.h"
#include "task/backend.h"

namespace assay {

/// Text (`content`, or `refusal` where there is none), reasoning (`reasoning_content` or `reasoning`) and calls
/// (`tool_calls`, or the older `function_call` as one). Throws FieldError (check.h) for a shape that no server gives,
/// `field` below the message.
Answer ReadMessage(const Json& message);

/// The response of a chat (or text) completion with one choice: its message, finish, usage; or its error. Throws as
/// ReadMessage does, `field` below the response.
Answer ReadCompletion(const Json& response);

/// "stop" or "length", or the error that another `finish_reason` stands for; "stop" where it is null. Throws
/// FieldError.
void SetFinish(const Json& reason, const std::string& field, Answer& answer);
/// What a server's `error` says, a string or an object with a message.
void SetError(const Json& error, Answer& answer);

/// The calls of a message. Arguments that are no JSON object are the model's mistake: `error`.
ParsedCalls ReadMessageCalls(const Json& tool_calls, const Json& tools);

/// The same calls as text, as Hermes models write them, for records and people.
std::string CallsAsText(const Json& tool_calls);

}  // namespace assay
