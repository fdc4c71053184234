// Lost-in-the-middle: key-value retrieval {"ordered_kv_records", "key", "value"}, and questions about documents
// {"question", "answers", "ctxs"}.
#include <fmt/core.h>

#include "base/json_member.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

// A third of the way that what is looked for stands at.
std::string SliceOf(size_t at, size_t of) {
  return at * 3 < of ? "beginning" : at * 3 < of * 2 ? "middle" : "end";
}

void ReadKeys(const ImportRow& row, ImportSink& sink) {
  const Json &records = row.value["ordered_kv_records"], &key = row.value["key"], &value = row.value["value"];
  if (!records.is_array() || records.empty() || !key.is_string() || !value.is_string())
    return sink.Skip(row.place, "expected a list \"ordered_kv_records\" and texts \"key\" and \"value\"");
  std::string context = "{";
  size_t at = records.size();
  for (size_t i = 0; i < records.size(); ++i) {
    if (!records[i].is_array() || records[i].size() != 2) return sink.Skip(row.place, "a record that is no pair");
    if (records[i][0] == key) at = i;
    context += fmt::format("{}{}: {}", i == 0 ? "" : ",\n ", DumpJson(records[i][0]), DumpJson(records[i][1]));
  }
  if (at == records.size()) return sink.Skip(row.place, "its key is in none of its records");
  Json line = {{"slice", SliceOf(at, records.size())}, {"context", context + "}"}};
  line["messages"] = UserMessages(fmt::format(
      "JSON data:\n{{context}}\n\nWhich value has the key {} in this JSON object? Answer with the value alone.",
      DumpJson(key)));
  line["expect"] = Json::array({{{"type", "contains"}, {"value", value}, {"max_chars", 400}}});
  sink.Add(row, std::move(line));
}

void ReadDocuments(const ImportRow& row, ImportSink& sink) {
  const Json &question = row.value["question"], &answers = row.value["answers"], &documents = row.value["ctxs"];
  if (!question.is_string() || !answers.is_array() || answers.empty() || !documents.is_array())
    return sink.Skip(row.place, "expected a text \"question\", a list \"answers\" and a list \"ctxs\"");
  std::string context;
  size_t gold = documents.size();
  for (size_t i = 0; i < documents.size(); ++i) {
    const Json& one = documents[i];
    const Json* text = one.is_object() ? FindMember(one, "text") : nullptr;
    if (!text || !text->is_string()) return sink.Skip(row.place, "a document without a text");
    const Json* title = FindMember(one, "title");
    const Json* right = FindMember(one, "isgold");
    if (!right) right = FindMember(one, "hasanswer");
    if (right && *right == true && gold == documents.size()) gold = i;
    context += fmt::format("{}Document {}{}: {}", i == 0 ? "" : "\n\n", i + 1,
                           title && title->is_string() ? " (" + title->get<std::string>() + ")" : "",
                           text->get<std::string>());
  }
  Json line = {{"slice", gold < documents.size() ? SliceOf(gold, documents.size()) : "unknown place"},
               {"context", std::move(context)}};
  line["messages"] = UserMessages("Documents:\n{context}\n\nAnswer from these documents alone, in a few words: " +
                                  question.get<std::string>());
  Json check = {{"type", "contains"}, {"value", answers.size() == 1 ? answers[0] : answers}};
  if (answers.size() > 1) check["any"] = true;
  check["ignore_case"] = true;
  check["max_chars"] = 400;
  line["expect"] = Json::array({std::move(check)});
  sink.Add(row, std::move(line));
}

}  // namespace

bool FitsLostInTheMiddle(const ImportSource& source) {
  return RowsHave(source, {"ordered_kv_records", "key", "value"}) || RowsHave(source, {"question", "answers", "ctxs"});
}

void ReadLostInTheMiddle(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  sink.Note("the data are the context, the question is worded here; slices say in which third of it the answer stands");
  for (const ImportRow& row : source.rows) {
    if (FindMember(row.value, "ordered_kv_records") && FindMember(row.value, "key") && FindMember(row.value, "value"))
      ReadKeys(row, sink);
    else if (FindMember(row.value, "question") && FindMember(row.value, "answers") && FindMember(row.value, "ctxs"))
      ReadDocuments(row, sink);
    else
      sink.Skip(row.place, "neither records with a key nor documents with a question");
    for (const auto& [key, value] : row.value.items())
      if (key != "ordered_kv_records" && key != "key" && key != "value" && key != "question" && key != "answers" &&
          key != "ctxs" && !value.is_null())
        sink.Drop("\"" + key + "\"");
  }
}

}  // namespace assay
