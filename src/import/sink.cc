#include "import/sink.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "task/task.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMostIdBytes = 160;  // of the 200 that a task allows, for a number behind it

// What a reader of the line says, without its place.
std::string WhyNot(const Json& line, bool prompt) {
  try {
    if (prompt)
      ParsePrompts(DumpJson(line), "");
    else
      ParseTask(DumpJson(line), "");
    return "";
  } catch (const Error& error) {
    std::string_view why = error.what();
    if (why.starts_with(":1: ")) why.remove_prefix(4);
    return std::string(why);
  }
}

// A name that a table can show, of at most `most` bytes.
std::string AsLabel(std::string_view text, size_t most) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = std::max<size_t>(Utf8SequenceLength(text.substr(i)), 1);
    const auto c = static_cast<unsigned char>(text[i]);
    if (out.size() + length > most) break;
    if (c < 0x20 || c == 0x7F)
      out += ' ';
    else
      out += text.substr(i, length);
    i += length;
  }
  return std::string(Trim(out));
}

}  // namespace

std::string ImportSink::NameFor(const Json& example, const ImportRow& row) {
  std::string base;
  if (const Json* id = FindMember(example, "id"))
    base = AsLabel(id->is_string() ? id->get_ref<const std::string&>() : DumpJson(*id), kMostIdBytes);
  if (base.empty()) {
    const size_t colon = row.place.rfind(':');
    base = "row-" + row.place.substr(colon == std::string::npos ? 0 : colon + 1);
    ReplaceAll(base, " ", "");
  }
  std::string name = base;
  while (!ids_.insert(name).second) name = fmt::format("{}-{}", base, ++used_[base] + 1);
  if (name != base) Note("ids that occur more than once have a number behind them");
  return name;
}

void ImportSink::Add(const ImportRow& row, Json example) {
  Json line = {{"id", "x"}};
  for (const char* key : {"slice", "cluster"})
    if (const Json* value = FindMember(example, key))
      if (std::string label = AsLabel(value->is_string() ? value->get<std::string>() : DumpJson(*value), kMostIdBytes);
          !label.empty())
        line[key] = std::move(label);
  for (const auto& [key, value] : example.items())
    if (key != "id" && key != "slice" && key != "cluster" && !value.is_null()) line[key] = value;
  if (std::string why = WhyNot(line, false); !why.empty()) return Skip(row.place, why);
  line["id"] = NameFor(example, row);
  examples_.push_back({line["id"], row.place, std::move(line)});
}

void ImportSink::AddPrompt(const ImportRow& row, Json example, const std::string& why) {
  Skip(row.place, why);
  Json line = {{"id", "x"}};
  for (const auto& [key, value] : example.items())
    if (key != "id" && key != "expect" && key != "slice" && key != "cluster" && !value.is_null()) line[key] = value;
  if (!WhyNot(line, true).empty()) return;
  line["id"] = NameFor(example, row);
  prompts_.push_back({line["id"], row.place, std::move(line)});
}

void ImportSink::AddLine(const ImportRow& row) {
  const Json* id = FindMember(row.value, "id");
  examples_.push_back({id && id->is_string() ? id->get<std::string>() : "", row.place, row.value});
}

void ImportSink::Skip(const std::string& place, const std::string& why) {
  const auto [at, is_new] = by_why_.emplace(why, skipped_.size());
  if (is_new) skipped_.push_back({why, place, 0});
  ++skipped_[at->second].rows;
}

void ImportSink::Note(const std::string& text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

}  // namespace assay
