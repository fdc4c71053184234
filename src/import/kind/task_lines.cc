// Lines of a task in a layout that a task has not: a JSON list, an object over several lines, UTF-16 …
#include "base/json_member.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

bool IsPlan(const Json& row) {
  return (FindMember(row, "task") || FindMember(row, "defaults")) && !FindMember(row, "expect");
}

}  // namespace

bool FitsTaskLines(const ImportSource& source) {
  if (source.is_table()) return false;
  bool asks = false;
  for (const ImportRow& row : source.rows) {
    if (IsPlan(row.value)) continue;
    asks = (FindMember(row.value, "messages") || FindMember(row.value, "prompt")) && FindMember(row.value, "expect");
    if (!asks) return false;
  }
  return asks;
}

void ReadTaskLines(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  Json plan = Json::object();  // beside the list of examples, in one object
  for (const char* key : {"task", "defaults"})
    if (source.whole.is_object() && source.rows.size() > 0 && FindMember(source.whole, key) &&
        !FindMember(source.whole, "expect"))
      plan[key] = source.whole[key];
  if (source.whole.is_object() && !FindMember(source.whole, "expect"))
    for (const auto& [key, value] : source.whole.items())
      if (key != "task" && key != "defaults") sink.Drop("\"" + key + "\" beside the examples");
  if (!plan.empty()) sink.AddPlan(plan);
  for (const ImportRow& row : source.rows)
    if (IsPlan(row.value))
      sink.AddPlan(row.value);
    else
      sink.AddLine(row);
}

}  // namespace assay
