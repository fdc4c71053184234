// What a server says: no body may crash or hang, and where the network cuts it into pieces changes nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "remote/completion_reader.h"
#include "remote/exchanges.h"
#include "remote/server_address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  RetryAfterSeconds(body.substr(0, 64), 0);
  try {
    ParseServerAddress(body.substr(0, 200));
  } catch (const Error&) {
  }
  for (const bool cut : {false, true}) {
    CompletionReader whole(32), pieces(32);
    whole.Take(body);
    for (size_t at = 0, n = 1; at < size; at += n, n = 1 + (n * 7 + size) % 11) pieces.Take(body.substr(at, n));
    const RemoteAnswer a = whole.Finish(cut), b = pieces.Finish(cut);
    if (a.fault != b.fault || a.answer.text != b.answer.text || a.answer.reasoning != b.answer.reasoning ||
        a.answer.tool_calls != b.answer.tool_calls || a.answer.error != b.answer.error || a.model != b.model)
      abort();
    if (a.fault != Fault::kNone && a.answer.finish != "error") abort();
  }
  return 0;
}
