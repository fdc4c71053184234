#include "import/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>

#include "base/error.h"
#include "base/json_member.h"
#include "base/python_json.h"
#include "base/strings.h"
#include "base/yaml.h"
#include "record/csv.h"
#include "task/task_mistakes.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMostRows = 1'000'000, kMostColumns = 1000;
// Where the rows are, in a file that is one object.
constexpr const char* kLists[] = {"samples", "examples", "data", "tests", "rows", "items", "conversations"};

// Windows-1252's 0x80 to 0x9F; five are not taken.
constexpr std::array<char32_t, 32> kWindows1252 = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                                   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

std::string FromWindows1252(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 8);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    AppendUtf8(out, byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : byte);
  }
  return out;
}

std::string FromUtf16(std::string_view bytes, bool big, const std::string& name) {
  const auto unit = [&](size_t i) {
    const auto a = static_cast<unsigned char>(bytes[i]), b = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(big ? a << 8 | b : b << 8 | a);
  };
  if (bytes.size() % 2 != 0) Fail(ErrorKind::kCorrupt, "{}: UTF-16 text of an odd number of bytes", name);
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    char32_t c = unit(i);
    if (c >= 0xD800 && c < 0xE000) {
      const char32_t low = c < 0xDC00 && i + 4 <= bytes.size() ? unit(i + 2) : 0;
      if (low < 0xDC00 || low >= 0xE000)
        Fail(ErrorKind::kCorrupt, "{}: byte {} is no UTF-16: half of a pair", name, i + 1);
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    AppendUtf8(out, c);
  }
  return out;
}

// The file as UTF-8 without a mark.
std::string AsText(std::string_view bytes, ImportSource& source) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (const auto other = FindOtherBytes(bytes)) Fail(ErrorKind::kInvalid, "{}: {}", source.name, *other);
  const bool little = bytes.starts_with("\xFF\xFE"), big = bytes.starts_with("\xFE\xFF");
  if (little || big) {
    source.notes.emplace_back("UTF-16 text, written as UTF-8");
    return FromUtf16(bytes.substr(2), big, source.name);
  }
  if (const size_t zero = bytes.substr(0, 4096).find('\0'); zero != std::string_view::npos) {
    if (zero > 1) Fail(ErrorKind::kInvalid, "{}: found zero bytes, expected text", source.name);
    source.notes.emplace_back("UTF-16 text without its mark, written as UTF-8");
    return FromUtf16(bytes, zero == 0, source.name);
  }
  if (const size_t valid = ValidUtf8Prefix(bytes); valid < bytes.size()) {
    const auto line = std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(valid), '\n') + 1;
    source.notes.push_back(
        fmt::format("not UTF-8 from line {} on (byte 0x{:02X}): read as Windows-1252; look whether é, ü and the like "
                    "are right",
                    line, static_cast<unsigned char>(bytes[valid])));
    return FromWindows1252(bytes);
  }
  return std::string(bytes);
}

Json ParseValue(std::string_view text) {
  try {
    return ParseJson(text, "", /*strict=*/true);
  } catch (const Error&) {
    // Logs of Python programs.
    if (text.find("NaN") == std::string_view::npos && text.find("Infinity") == std::string_view::npos) throw;
    return ParsePythonJson(text, "");
  }
}

std::string WhyNoJson(std::string_view text, const Error& error) {
  std::string_view message = error.what();
  if (message.starts_with(": ")) message.remove_prefix(2);
  return DescribeLineMistake(text, message);
}

struct Piece {
  std::string_view text;
  int64_t line;
};

// The values one after the other, or the elements of a list: cut by brackets, quotes respected.
std::vector<Piece> Cut(std::string_view text) {
  std::vector<Piece> pieces;
  const bool list = text.starts_with('[');
  size_t begin = std::string_view::npos, depth = 0;
  int64_t line = 1, begun = 1;
  bool in_text = false;
  for (size_t i = list ? 1 : 0; i < text.size(); ++i) {
    const char c = text[i];
    line += c == '\n';
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (in_text) {
      if (c == '\\') {
        ++i;
        line += i < text.size() && text[i] == '\n';
      } else if (c == '"') {
        in_text = false;
      }
      continue;
    }
    const bool ends = depth == 0 && (c == ',' || (list && c == ']'));
    if (begin == std::string_view::npos && !space && !ends) {
      begin = i;
      begun = line;
    }
    if (c == '"') in_text = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
      pieces.push_back({text.substr(begin, i + 1 - begin), begun});
      begin = std::string_view::npos;
    } else if (ends && begin != std::string_view::npos) {
      pieces.push_back({text.substr(begin, i - begin), begun});
      begin = std::string_view::npos;
    }
  }
  if (begin != std::string_view::npos) pieces.push_back({text.substr(begin), begun});
  return pieces;
}

void AddRow(ImportSource& source, std::string place, Json value) {
  if (source.rows.size() >= kMostRows)
    Fail(ErrorKind::kResource, "{}: more than {} rows: split the file", source.name, kMostRows);
  if (value.is_object())
    source.rows.push_back({std::move(place), std::move(value)});
  else
    source.unread.push_back({std::move(place), fmt::format("expected an object, found {}", value.type_name())});
}

// One object: the rows are in one of its lists, or it is a row.
void TakeWhole(ImportSource& source, Json whole, const std::string& place) {
  for (const char* key : kLists) {
    const Json* list = FindMember(whole, key);
    if (!list || !list->is_array() || list->empty() || !(*list)[0].is_object()) continue;
    const bool conversation = std::string_view(key) == "conversations";  // of a ShareGPT row
    if (conversation && FindMember((*list)[0], "from")) continue;
    for (size_t i = 0; i < list->size(); ++i)
      AddRow(source, fmt::format("{}: {}[{}]", source.name, key, i), (*list)[i]);
    source.layout += fmt::format(" (its \"{}\")", key);
    source.whole = std::move(whole);
    source.whole.erase(key);
    return;
  }
  source.whole = whole;
  AddRow(source, place, std::move(whole));
}

void ReadLines(std::string_view text, ImportSource& source) {
  source.layout = "JSON lines";
  int64_t line = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view row = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++line;
    if (row.empty()) continue;
    const std::string place = fmt::format("{}:{}", source.name, line);
    try {
      AddRow(source, place, ParseValue(row));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kResource) throw;
      source.unread.push_back({place, WhyNoJson(row, error)});
    }
  }
}

void ReadJson(std::string_view text, int64_t skipped, ImportSource& source) {
  const std::string_view first = Trim(text.substr(0, text.find('\n')));
  if (text.starts_with('{') && Json::accept(first) && Trim(text).size() > first.size()) return ReadLines(text, source);
  const bool list = text.starts_with('[');
  const std::vector<Piece> pieces = Cut(text);
  source.layout = list ? "a JSON list" : "JSON over several lines";
  for (const Piece& piece : pieces) {
    const int64_t line = piece.line + skipped;
    const std::string place = fmt::format("{}:{}", source.name, line);
    Json value;
    try {
      value = ParseValue(piece.text);
    } catch (const Error& error) {
      Fail(ErrorKind::kCorrupt, "{}: {}", place, WhyNoJson(piece.text, error));
    }
    if (!list && pieces.size() == 1 && value.is_object()) {
      source.layout = "one JSON object";
      return TakeWhole(source, std::move(value), place);
    }
    AddRow(source, place, std::move(value));
  }
}

void ReadYaml(std::string_view text, ImportSource& source) {
  YamlText yaml = ParseYaml(text);
  if (yaml.error.line > 0) Fail(ErrorKind::kCorrupt, "{}:{}: {}", source.name, yaml.error.line, yaml.error.message);
  for (const YamlRemark& remark : yaml.remarks)
    source.notes.push_back(fmt::format("line {}: {}", remark.line, remark.message));
  if (yaml.more_remarks > 0)
    source.notes.push_back(fmt::format("{} more values of the file read like these", yaml.more_remarks));
  source.layout = "YAML";
  if (yaml.root.is_object()) return TakeWhole(source, std::move(yaml.root), source.name + ":1");
  if (!yaml.root.is_array()) Fail(ErrorKind::kInvalid, "{}: expected a list or an object, found one text", source.name);
  for (size_t i = 0; i < yaml.root.size(); ++i) {
    const auto line = yaml.lines.find(fmt::format("/{}", i));
    AddRow(source, fmt::format("{}:{}", source.name, line == yaml.lines.end() ? 1 : line->second), yaml.root[i]);
  }
}

void ReadTable(std::string_view text, ImportSource& source) {
  const std::vector<CsvRecord> records = ParseCsv(text, source.name);
  if (records.empty()) Fail(ErrorKind::kInvalid, "{}: the file is empty", source.name);
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < records[0].fields.size(); ++i) {
    std::string name(Trim(records[0].fields[i]));
    if (name.empty()) name = fmt::format("column {}", i + 1);
    if (!seen.insert(name).second)
      Fail(ErrorKind::kInvalid, "{}:{}: the column \"{}\" is there twice: rename one", source.name, records[0].line,
           name);
    source.columns.push_back(std::move(name));
  }
  if (source.columns.size() > kMostColumns)
    Fail(ErrorKind::kInvalid, "{}: expected at most {} columns, found {}", source.name, kMostColumns,
         source.columns.size());
  if (source.columns.size() < 2)
    Fail(ErrorKind::kInvalid,
         "{}:{}: found text of one column, expected a table with a line of column names, JSON or YAML", source.name,
         records[0].line);
  source.layout =
      text.substr(0, text.find('\n')).find('\t') != std::string_view::npos ? "a table with tabs (TSV)" : "CSV";
  for (size_t r = 1; r < records.size(); ++r) {
    const std::string place = fmt::format("{}:{}", source.name, records[r].line);
    if (records[r].fields.size() != source.columns.size()) {
      source.unread.push_back({place, fmt::format("the line has {} fields, its head {}: is a separator or a quote "
                                                  "missing?",
                                                  records[r].fields.size(), source.columns.size())});
      continue;
    }
    Json row = Json::object();
    for (size_t c = 0; c < source.columns.size(); ++c) row[source.columns[c]] = records[r].fields[c];
    AddRow(source, place, std::move(row));
  }
}

}  // namespace

ImportSource ReadSource(std::string_view bytes, const std::string& name) {
  ImportSource source;
  source.name = name;
  const std::string text = AsText(bytes, source);
  std::string_view rest = text;
  int64_t skipped = 0;
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n' || rest[0] == '\r' || rest[0] == '\t')) {
    skipped += rest[0] == '\n';
    rest.remove_prefix(1);
  }
  if (rest.empty()) Fail(ErrorKind::kInvalid, "{}: the file is empty", name);
  if (rest.starts_with("```"))
    Fail(ErrorKind::kInvalid, "{}:{}: found a Markdown fence: remove the lines of ```", name, skipped + 1);
  if (rest[0] == '<')
    Fail(ErrorKind::kInvalid, "{}:{}: found XML or HTML, expected JSON, YAML or a table", name, skipped + 1);
  if (rest[0] == '{' || rest[0] == '[')
    ReadJson(rest, skipped, source);
  else if (LooksLikeYaml(rest))
    ReadYaml(text, source);
  else
    ReadTable(text, source);
  return source;
}

}  // namespace assay
