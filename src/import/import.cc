#include "import/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_member.h"
#include "base/random.h"
#include "base/strings.h"

namespace assay {
namespace {

const ImportKind& KindOf(const ImportSource& source, const ImportOptions& options) {
  const std::string& asked = options.from;
  const bool mapped = !options.kind.columns.empty();  // of the kinds that take it, the last takes any rows
  std::vector<std::string> names;
  for (const ImportKind& kind : ImportKinds()) {
    names.emplace_back(kind.name);
    const bool takes = !mapped || kind.takes.find("--map") != std::string_view::npos;
    if (asked.empty() ? takes && (kind.fits(source) || (mapped && kind.name == "table")) : kind.name == asked)
      return kind;
  }
  if (!asked.empty()) {
    const std::string near = Nearest(asked, names);
    Fail(ErrorKind::kInvalid, "--from {}: expected one of {}{}", asked, Join(names, ", "),
         near.empty() ? "" : "; did you mean " + near + "?");
  }
  std::vector<std::string> members;
  if (!source.rows.empty())
    for (const auto& [key, value] : source.rows[0].value.items()) members.push_back(key);
  Fail(ErrorKind::kInvalid,
       "{}: {} whose rows have {}: of no kind that is known (--list-kinds); say which members are which with --map "
       "prompt=NAME --map expected=NAME",
       source.name, source.layout, members.empty() ? "nothing" : Join(members, ", ").substr(0, 200));
}

// The places of `count` of `n`, in order.
std::vector<size_t> Chosen(size_t n, int64_t count, uint64_t seed) {
  std::vector<size_t> all(n);
  for (size_t i = 0; i < n; ++i) all[i] = i;
  if (count <= 0 || static_cast<size_t>(count) >= n) return all;
  Random random(seed);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) std::swap(all[i], all[i + random.Below(n - i)]);
  all.resize(static_cast<size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

ImportResult ImportTask(std::string_view bytes, const std::string& name, const ImportOptions& options) {
  const ImportSource source = ReadSource(bytes, name);
  const ImportKind& kind = KindOf(source, options);
  if (source.rows.empty() && !source.unread.empty())
    Fail(ErrorKind::kCorrupt, "{}: {}", source.unread[0].place, source.unread[0].why);
  for (const auto& [flag, given] :
       {std::pair{"--answers", !options.kind.answers.empty()}, std::pair{"--map", !options.kind.columns.empty()},
        std::pair{"--check", !options.kind.check.empty()}})
    if (given && kind.takes.find(flag) == std::string_view::npos)
      Fail(ErrorKind::kInvalid, "{}: rows of {} ({}) need none: leave it out", flag, kind.what, kind.name);
  ImportSink sink;
  for (const ImportSource::Unread& one : source.unread) sink.Skip(one.place, one.why);
  kind.read(source, options.kind, sink);
  ImportResult result;
  result.kind = kind.name;
  result.what = kind.what;
  result.layout = source.layout;
  result.rows = std::ssize(source.rows) + std::ssize(source.unread);
  result.found = std::ssize(sink.examples());
  for (const Json& line : sink.plan()) result.task_text += DumpJson(line) + "\n";
  for (const size_t i : Chosen(sink.examples().size(), options.count, options.seed)) {
    const Json& line = sink.examples()[i].value;
    result.task_text += DumpJson(line) + "\n";
    const Json* expect = FindMember(line, "expect");
    ++result.examples;
    if (expect && expect->is_array())
      for (const Json& check : *expect)
        if (check.is_object()) ++result.checks[check.value("type", std::string())];
    const Json* slice = FindMember(line, "slice");
    ++result.slices[slice && slice->is_string() ? slice->get<std::string>() : "all"];
  }
  for (const ImportSink::Line& line : sink.prompts()) result.rest_text += DumpJson(line.value) + "\n";
  result.rest = std::ssize(sink.prompts());
  result.skipped = sink.skipped();
  result.dropped = sink.dropped();
  result.notes = source.notes;
  result.notes.insert(result.notes.end(), sink.notes().begin(), sink.notes().end());
  return result;
}

}  // namespace assay
