#pragma once
// Why a server gave no answer to a request. A fault is an error of its example, never an answer.

#include <string_view>

namespace assay {

enum class Fault {
  kNone,
  kUnreachable,    // nobody listens
  kCut,            // the connection or the stream ended inside the answer
  kStalled,        // the server fell silent
  kBusy,           // HTTP 429
  kServerError,    // HTTP 5xx, or an error inside the stream
  kRefused,        // any other status: the request is not one that this server takes
  kWrongJson,      // what came is not what the protocol says
  kNotUtf8,        // text that is no UTF-8
  kEmpty,          // it ended in order, and nothing was said
  kContentFilter,  // the server's filter took the answer away
  kTruncated,      // the server cut the answer short of the tokens that were asked for
  kTooLong,        // more than was asked for
  kOtherModel,     // another model answered
  kOtherPrompt,    // the server counts other tokens of the prompt than it told: it cut it, or put something into it
  kKeyInAnswer,    // the answer holds the API key: it is not kept
};

/// "cut stream", "server error" …: how an example's error begins.
std::string_view FaultName(Fault fault);
/// Whether the same request may fare better a second time.
bool IsWorthAnother(Fault fault);

}  // namespace assay
