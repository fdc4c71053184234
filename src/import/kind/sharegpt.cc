// ShareGPT: {"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}, with LLaMA-Factory's
// "system", "tools" and calls.
#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "import/conversation.h"
#include "import/kind/kinds.h"
#include "task/task_mistakes.h"

namespace assay {
namespace {

Json ParsedOr(const Json& value) {
  if (!value.is_string()) return value;
  try {
    return ParseJson(value.get_ref<const std::string&>(), "");
  } catch (const Error&) {
    return {};
  }
}

// {"name", "arguments"} or a list of them, as OpenAI's calls; null: none.
Json CallsOf(const Json& value) {
  Json parsed = ParsedOr(value), calls = Json::array();
  if (parsed.is_object()) parsed = Json::array({parsed});
  if (!parsed.is_array()) return {};
  for (const Json& one : parsed) {
    if (!one.is_object() || !FindMember(one, "name")) return {};
    Json function = {{"name", one["name"]}};
    const Json* arguments = FindMember(one, "arguments");
    function["arguments"] = arguments ? *arguments : Json::object();
    calls.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return calls;
}

// Why the turn is none, empty: it was put into `messages`.
std::string AddTurn(const Json& turn, Json& messages) {
  const Json* from = turn.is_object() ? FindMember(turn, "from") : nullptr;
  const Json* value = turn.is_object() ? FindMember(turn, "value") : nullptr;
  if (!from || !from->is_string() || !value) return "a turn without \"from\" and \"value\"";
  const auto& name = from->get_ref<const std::string&>();
  if (ToLowerAscii(name) == "function_call") {
    Json calls = CallsOf(*value);
    if (calls.is_null() || calls.empty()) return "a function_call that is no JSON of \"name\" and \"arguments\"";
    messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", std::move(calls)}});
    return "";
  }
  std::string role(RoleMeant(name));
  if (role.empty()) role = ToLowerAscii(name);
  if (role == "bing" || role == "bard" || role == "claude") role = "assistant";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool")
    return "a turn of " + name + ", which is no role that is known";
  messages.push_back({{"role", role}, {"content", value->is_string() ? *value : Json(DumpJson(*value))}});
  return "";
}

}  // namespace

bool FitsShareGpt(const ImportSource& source) {
  if (!RowsHave(source, {"conversations"})) return false;
  const Json& turns = source.rows[0].value["conversations"];
  return turns.is_array() && !turns.empty() && turns[0].is_object() && FindMember(turns[0], "from");
}

void ReadShareGpt(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  for (const ImportRow& row : source.rows) {
    const Json* turns = FindMember(row.value, "conversations");
    if (!turns || !turns->is_array()) {
      sink.Skip(row.place, "no list \"conversations\"");
      continue;
    }
    Json messages = Json::array();
    std::string why, id;
    if (const Json* system = FindMember(row.value, "system"); system && system->is_string() && *system != "")
      messages.push_back({{"role", "system"}, {"content", *system}});
    for (const Json& turn : *turns)
      if (why.empty()) why = AddTurn(turn, messages);
    Json request = {{"messages", std::move(messages)}};
    if (const Json* tools = FindMember(row.value, "tools"); tools && *tools != "") {
      Json list = ParsedOr(*tools), wrapped = Json::array();
      if (list.is_array())
        for (const Json& tool : list)
          wrapped.push_back(
              tool.is_object() && FindMember(tool, "function") ? tool : Json{{"type", "function"}, {"function", tool}});
      if (wrapped.empty() && (!list.is_array() || !list.empty()) && why.empty())
        why = "\"tools\" that are no JSON list";
      request["tools"] = std::move(wrapped);
    }
    for (const auto& [key, value] : row.value.items())
      if (key != "conversations" && key != "system" && key != "tools" && key != "id" && !value.is_null())
        sink.Drop("\"" + key + "\"");
    if (const Json* given = FindMember(row.value, "id"); given && given->is_string()) id = given->get<std::string>();
    if (why.empty())
      AddConversation(row, std::move(request), id, "", options, sink);
    else
      sink.Skip(row.place, why);
  }
}

}  // namespace assay
