// IFEval: {"key", "prompt", "instruction_id_list", "kwargs"}. An example is kept when all of its instructions can be
// said in checks, so that passing means what it means there; the others are named with what is missing.
#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "base/json_member.h"
#include "base/strings.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

std::string TextOf(const Json& arguments, const char* key) {
  const Json* value = FindMember(arguments, key);
  return value && value->is_string() ? value->get<std::string>() : "";
}

int64_t NumberOfArgument(const Json& arguments, const char* key) {
  const Json* value = FindMember(arguments, key);
  return value && value->is_number_integer() ? std::clamp<int64_t>(value->get<int64_t>(), 0, 60'000) : -1;
}

Json Regex(const std::string& pattern, bool forbidden = false, bool ignore_case = false) {
  Json check = {{"type", "regex"}, {"pattern", pattern}};
  if (ignore_case) check["ignore_case"] = true;
  if (forbidden) check["not"] = true;
  return check;
}

// What occurs at least so often; atomic, so that a search ends in one pass.
std::string AtLeast(const std::string& what, int64_t times) {
  return fmt::format("(?s)\\A(?>.*?(?:{})){{{}}}", what, times);
}

// "at least" and "less than" so often.
Json Counted(const std::string& what, int64_t times, const std::string& relation, bool ignore_case) {
  return Regex(AtLeast(what, times), relation == "less than", ignore_case);
}

std::optional<Json> One(Json check) {
  return Json::array({std::move(check)});
}

using Read = std::optional<Json> (*)(const Json& arguments);  // nothing: its arguments are not as expected

struct Instruction {
  std::string_view id;
  Read read;                 // null: no check says it, because
  std::string_view missing;  // what is missing
};

bool IsRelation(const std::string& relation) {
  return relation == "at least" || relation == "less than";
}

std::optional<Json> Keywords(const Json& a) {
  const Json* words = FindMember(a, "keywords");
  if (!words || !words->is_array() || words->empty()) return {};
  return One({{"type", "contains"}, {"value", *words}, {"ignore_case", true}});
}

std::optional<Json> ForbiddenWords(const Json& a) {
  const Json* words = FindMember(a, "forbidden_words");
  if (!words || !words->is_array() || words->empty()) return {};
  return One({{"type", "contains"}, {"value", *words}, {"not", true}, {"ignore_case", true}, {"whole_word", true}});
}

std::optional<Json> Frequency(const Json& a) {
  const std::string word = TextOf(a, "keyword"), relation = TextOf(a, "relation");
  const int64_t times = NumberOfArgument(a, "frequency");
  if (word.empty() || times < 1 || !IsRelation(relation)) return {};
  return One(Counted(PatternOf(word), times, relation, true));
}

std::optional<Json> LetterFrequency(const Json& a) {
  const std::string letter = TextOf(a, "letter"), relation = TextOf(a, "let_relation");
  const int64_t times = NumberOfArgument(a, "let_frequency");
  if (letter.empty() || times < 1 || !IsRelation(relation)) return {};
  return One(Counted(PatternOf(letter), times, relation, true));
}

std::optional<Json> Words(const Json& a) {
  const std::string relation = TextOf(a, "relation");
  const int64_t words = NumberOfArgument(a, "num_words");
  if (words < 1 || !IsRelation(relation)) return {};
  return One(Regex(fmt::format("\\A(?>\\W*\\w+){{{}}}", words), relation == "less than"));
}

std::optional<Json> Placeholders(const Json& a) {
  const int64_t n = NumberOfArgument(a, "num_placeholders");
  if (n < 1) return {};
  return One(Regex(AtLeast("\\[[^\\n]*?\\]", n)));
}

std::optional<Json> Postscript(const Json& a) {
  const std::string marker = TextOf(a, "postscript_marker");
  if (marker.empty()) return {};
  const std::string pattern = marker == "P.P.S"  ? "p\\.\\s?p\\.\\s?s"
                              : marker == "P.S." ? "p\\.\\s?s\\."
                                                 : PatternOf(marker);
  return One(Regex(pattern, false, true));
}

std::optional<Json> Bullets(const Json& a) {
  const int64_t n = NumberOfArgument(a, "num_bullets");
  if (n < 1) return {};
  const std::string bullet = "^[^\\S\\n]*(?:\\*[^*\\n]|-)";
  const auto at_least = [&](int64_t times) { return fmt::format("(?ms)\\A(?>.*?{}){{{}}}", bullet, times); };
  return Json::array({Regex(at_least(n)), Regex(at_least(n + 1), true)});
}

std::optional<Json> Highlights(const Json& a) {
  const int64_t n = NumberOfArgument(a, "num_highlights");
  if (n < 1) return {};
  const std::string inside = "[^\\n*]*[^\\s*][^\\n*]*";
  return One(Regex(AtLeast(fmt::format("\\*\\*{}\\*\\*|\\*{}\\*", inside, inside), n)));
}

std::optional<Json> Sections(const Json& a) {
  const std::string splitter = TextOf(a, "section_spliter");
  const int64_t n = NumberOfArgument(a, "num_sections");
  if (splitter.empty() || n < 1) return {};
  return One(Regex(AtLeast(PatternOf(std::string(Trim(splitter))) + "\\s?\\d+", n)));
}

std::optional<Json> Constrained(const Json&) {
  return One({{"type", "contains"},
              {"value", {"My answer is yes.", "My answer is no.", "My answer is maybe."}},
              {"any", true}});
}

std::optional<Json> AnyJson(const Json&) {
  return One({{"type", "json_schema"}, {"schema", Json::object()}, {"allow_empty", true}});
}

std::optional<Json> Title(const Json&) {
  return One(Regex("<<[^\\n]*[^\\n<>\\s][^\\n]*>>"));
}

std::optional<Json> RepeatPrompt(const Json& a) {
  const std::string prompt(Trim(TextOf(a, "prompt_to_repeat")));
  if (prompt.empty()) return {};
  return One(Regex("\\A" + PatternOf(prompt), false, true));
}

std::optional<Json> EndsWith(const Json& a) {
  const std::string phrase(Trim(TextOf(a, "end_phrase")));
  if (phrase.empty()) return {};
  return One(Regex(PatternOf(phrase) + "\"*\\z", false, true));
}

std::optional<Json> NoComma(const Json&) {
  return One({{"type", "contains"}, {"value", ","}, {"not", true}});
}

std::optional<Json> Quoted(const Json&) {
  return One(Regex("(?s)\\A\".*\"\\z"));
}

constexpr std::string_view kLanguage = "what language a text is in", kSentences = "a count of sentences",
                           kPartition = "a comparison of parts of the answer";
constexpr Instruction kInstructions[] = {
    {"keywords:existence", Keywords, ""},
    {"keywords:forbidden_words", ForbiddenWords, ""},
    {"keywords:frequency", Frequency, ""},
    {"keywords:letter_frequency", LetterFrequency, ""},
    {"length_constraints:number_words", Words, ""},
    {"length_constraints:number_sentences", nullptr, kSentences},
    {"length_constraints:number_paragraphs", nullptr, kPartition},
    {"length_constraints:nth_paragraph_first_word", nullptr, kPartition},
    {"detectable_content:number_placeholders", Placeholders, ""},
    {"detectable_content:postscript", Postscript, ""},
    {"detectable_format:number_bullet_lists", Bullets, ""},
    {"detectable_format:number_highlighted_sections", Highlights, ""},
    {"detectable_format:multiple_sections", Sections, ""},
    {"detectable_format:constrained_response", Constrained, ""},
    {"detectable_format:json_format", AnyJson, ""},
    {"detectable_format:title", Title, ""},
    {"combination:repeat_prompt", RepeatPrompt, ""},
    {"combination:two_responses", nullptr, kPartition},
    {"startend:end_checker", EndsWith, ""},
    {"startend:quotation", Quoted, ""},
    {"change_case:capital_word_frequency", nullptr, "a count of words in capitals"},
    {"change_case:english_capital", nullptr, kLanguage},
    {"change_case:english_lowercase", nullptr, kLanguage},
    {"language:response_language", nullptr, kLanguage},
    {"punctuation:no_comma", NoComma, ""},
};

}  // namespace

bool FitsIfEval(const ImportSource& source) {
  return RowsHave(source, {"prompt", "instruction_id_list", "kwargs"});
}

void ReadIfEval(const ImportSource& source, const KindOptions&, ImportSink& sink) {
  sink.Note(
      "an example is kept when all of its instructions are said in checks; answers are judged strictly, as they "
      "are");
  for (const ImportRow& row : source.rows) {
    const Json *prompt = FindMember(row.value, "prompt"), *ids = FindMember(row.value, "instruction_id_list"),
               *kwargs = FindMember(row.value, "kwargs");
    if (!prompt || !prompt->is_string() || !ids || !ids->is_array() || ids->empty() || !kwargs || !kwargs->is_array() ||
        kwargs->size() != ids->size()) {
      sink.Skip(row.place, "expected a text \"prompt\", and \"instruction_id_list\" and \"kwargs\" of one length");
      continue;
    }
    Json line = Json::object();
    if (const Json* key = FindMember(row.value, "key")) line["id"] = *key;
    line["messages"] = UserMessages(prompt->get<std::string>());
    line["expect"] = Json::array();
    std::string why, group;
    for (size_t i = 0; i < ids->size() && why.empty(); ++i) {
      const std::string id = (*ids)[i].is_string() ? (*ids)[i].get<std::string>() : DumpJson((*ids)[i]);
      const auto* known = std::find_if(std::begin(kInstructions), std::end(kInstructions),
                                       [&](const Instruction& one) { return one.id == id; });
      if (known == std::end(kInstructions)) {
        why = fmt::format("an instruction that is not known: {}", id.substr(0, 80));
      } else if (!known->read) {
        why = fmt::format("{}: no check says {}", id, known->missing);
      } else if (const std::optional<Json> checks = known->read((*kwargs)[i])) {
        for (const Json& check : *checks) line["expect"].push_back(check);
        const std::string kind = id.substr(0, id.find(':'));
        group = group.empty() || group == kind ? kind : "several";
      } else {
        why = fmt::format("{}: its arguments are not as expected", id);
      }
    }
    line["slice"] = group;
    if (why.empty())
      sink.Add(row, std::move(line));
    else
      sink.AddPrompt(row, std::move(line), why);
  }
}

}  // namespace assay
