// Alpaca: {"instruction", "input", "output"}, with LLaMA-Factory's "system" and "history".
#include "base/json_member.h"
#include "dialect/answer_text.h"
#include "import/conversation.h"
#include "import/kind/kinds.h"

namespace assay {

bool FitsAlpaca(const ImportSource& source) {
  return RowsHave(source, {"instruction", "output"});
}

void ReadAlpaca(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  for (const ImportRow& row : source.rows) {
    const auto text = [&](const char* key) {
      const Json* value = FindMember(row.value, key);
      return value && value->is_string() ? value->get<std::string>() : std::string();
    };
    const std::string instruction = text("instruction"), input = text("input"), output = text("output");
    if (IsBlank(instruction)) {
      sink.Skip(row.place, "no text \"instruction\"");
      continue;
    }
    Json messages = Json::array();
    if (const std::string system = text("system"); !system.empty())
      messages.push_back({{"role", "system"}, {"content", system}});
    if (const Json* history = FindMember(row.value, "history"); history && history->is_array())
      for (const Json& turn : *history)
        if (turn.is_array() && turn.size() == 2) {
          messages.push_back({{"role", "user"}, {"content", turn[0]}});
          messages.push_back({{"role", "assistant"}, {"content", turn[1]}});
        }
    messages.push_back({{"role", "user"}, {"content", IsBlank(input) ? instruction : instruction + "\n\n" + input}});
    messages.push_back({{"role", "assistant"}, {"content", output}});
    sink.Note("\"input\" stands behind \"instruction\", a line between them; Alpaca's own template is not put around");
    for (const auto& [key, value] : row.value.items())
      if (key != "instruction" && key != "input" && key != "output" && key != "system" && key != "history" &&
          key != "id" && !value.is_null())
        sink.Drop("\"" + key + "\"");
    AddConversation(row, {{"messages", std::move(messages)}}, text("id"), "", options, sink);
  }
}

}  // namespace assay
