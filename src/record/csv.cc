#include "record/csv.h"

#include <algorithm>

#include "base/error.h"

namespace assay {
namespace {

char SeparatorOf(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  char best = ',';
  for (char separator : {',', ';', '\t'})
    if (std::count(first.begin(), first.end(), separator) > std::count(first.begin(), first.end(), best))
      best = separator;
  return best;
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view name) : text_(text), name_(name), separator_(SeparatorOf(text)) {}

  std::vector<CsvRecord> Read() {
    std::vector<CsvRecord> records;
    while (at_ < text_.size()) {
      CsvRecord record{line_, {}};
      do record.fields.push_back(Field());
      while (Take(separator_));
      Take('\r');
      if (at_ < text_.size() && !Take('\n'))
        Fail(ErrorKind::kCorrupt, "{}:{}: expected the end of a field behind its closing quote", name_, line_);
      ++line_;
      if (record.fields.size() > 1 || !record.fields[0].empty()) records.push_back(std::move(record));
    }
    return records;
  }

 private:
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string Field() {
    if (Take('"')) return Quoted();
    const char ends[] = {separator_, '\r', '\n', '"', 0};
    const size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    if (end < text_.size() && text_[end] == '"')
      Fail(ErrorKind::kCorrupt, "{}:{}: a quote inside a field without quotes: write the field as \"…\" and it twice",
           name_, line_);
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    return field;
  }

  std::string Quoted() {
    const int64_t begun = line_;
    std::string field;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"' && !Take('"')) return field;
      line_ += c == '\n';
      field += c;
    }
    Fail(ErrorKind::kCorrupt, "{}:{}: a quote is not closed", name_, begun);
  }

  std::string_view text_, name_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> ParseCsv(std::string_view text, std::string_view name) {
  return Reader(text, name).Read();
}

}  // namespace assay
