#include "dialect/call/call_context.h"

#include <algorithm>
#include <string>

#include "base/strings.h"

namespace assay {
namespace {

constexpr size_t kWindow = 240;  // bytes before a call that are looked at

enum class Cue : uint8_t { kMeant, kTalk };
struct Phrase {
  std::string_view words;
  Cue cue;
};
// The phrase nearest to the call decides.
constexpr Phrase kPhrases[] = {
    {"i will", Cue::kMeant},       {"i'll", Cue::kMeant},       {"i am going to", Cue::kMeant},
    {"i'm going to", Cue::kMeant}, {"i need to", Cue::kMeant},  {"i must", Cue::kMeant},
    {"i should", Cue::kMeant},     {"let me", Cue::kMeant},     {"let's", Cue::kMeant},
    {"let us", Cue::kMeant},       {"calling", Cue::kMeant},    {"invoking", Cue::kMeant},
    {"executing", Cue::kMeant},    {"running", Cue::kMeant},    {"we will", Cue::kMeant},
    {"we'll", Cue::kMeant},        {"for example", Cue::kTalk}, {"e.g.", Cue::kTalk},
    {"for instance", Cue::kTalk},  {"such as", Cue::kTalk},     {"example", Cue::kTalk},
    {"examples", Cue::kTalk},      {"you can", Cue::kTalk},     {"you could", Cue::kTalk},
    {"you would", Cue::kTalk},     {"you may", Cue::kTalk},     {"you might", Cue::kTalk},
    {"you'd", Cue::kTalk},         {"you should", Cue::kTalk},  {"you need to", Cue::kTalk},
    {"you must", Cue::kTalk},      {"one can", Cue::kTalk},     {"one could", Cue::kTalk},
    {"one would", Cue::kTalk},     {"we can", Cue::kTalk},      {"we could", Cue::kTalk},
    {"i can", Cue::kTalk},         {"i could", Cue::kTalk},     {"i would", Cue::kTalk},
    {"i'd", Cue::kTalk},           {"if i", Cue::kTalk},        {"if you", Cue::kTalk},
    {"when you", Cue::kTalk},      {"how to", Cue::kTalk},      {"to call", Cue::kTalk},
    {"syntax", Cue::kTalk},        {"signature", Cue::kTalk},   {"usage", Cue::kTalk},
    {"documentation", Cue::kTalk}, {"documented", Cue::kTalk},  {"tutorial", Cue::kTalk},
    {"equivalent", Cue::kTalk},    {"similar to", Cue::kTalk},  {"same as", Cue::kTalk},
    {"not", Cue::kTalk},           {"don't", Cue::kTalk},       {"won't", Cue::kTalk},
    {"can't", Cue::kTalk},         {"didn't", Cue::kTalk},      {"doesn't", Cue::kTalk},
    {"isn't", Cue::kTalk},         {"wouldn't", Cue::kTalk},    {"couldn't", Cue::kTalk},
    {"shouldn't", Cue::kTalk},     {"needn't", Cue::kTalk},     {"cannot", Cue::kTalk},
    {"never", Cue::kTalk},         {"without", Cue::kTalk},     {"no need", Cue::kTalk},
    {"unnecessary", Cue::kTalk},   {"instead of", Cue::kTalk},  {"rather than", Cue::kTalk},
    {"should i", Cue::kTalk},      {"shall i", Cue::kTalk},     {"would you like", Cue::kTalk},
    {"do you want", Cue::kTalk},   {"i called", Cue::kTalk},    {"was called", Cue::kTalk},
    {"were called", Cue::kTalk},   {"earlier", Cue::kTalk},     {"previously", Cue::kTalk},
    {"according to", Cue::kTalk},  {"based on", Cue::kTalk},    {"result of", Cue::kTalk},
    {"results of", Cue::kTalk},    {"output of", Cue::kTalk},   {"returned by", Cue::kTalk},
    {"zum beispiel", Cue::kTalk},  {"beispiel", Cue::kTalk},    {"par exemple", Cue::kTalk},
    {"por ejemplo", Cue::kTalk},   {"ejemplo", Cue::kTalk},     {"例如", Cue::kTalk},
    {"比如", Cue::kTalk},          {"例えば", Cue::kTalk},      {"например", Cue::kTalk},
};
// "I need to call": the words of an announcement, not of an instruction.
constexpr std::string_view kToCall = "to call";
// Right before a call that is named, not made.
constexpr std::string_view kPrepositions[] = {"from", "of", "after",   "since",  "because", "before",
                                              "like", "as", "returns", "return", "equals"};
// Right behind it: the call is the subject of the sentence.
constexpr std::string_view kVerbs[] = {
    "returns", "returned", "return", "gives",    "gave",   "would",  "will",  "can",   "could",    "is",    "was",
    "has",     "had",      "should", "may",      "might",  "does",   "did",   "fails", "needs",    "takes", "means",
    "shows",   "says",     "said",   "requires", "failed", "showed", "tells", "told",  "produces", "looks", "gets"};
constexpr std::string_view kClauses[] = {" but ", " so ", "; ", "therefore", "hence"};

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// In lower case, with straight quotes.
std::string Plain(std::string_view text) {
  std::string out = ToLowerAscii(text);
  ReplaceAll(out, "’", "'");
  return out;
}

// The clause that ends at `at`: back to the end of a sentence, or of a line unless `lines`.
std::string ClauseBefore(std::string_view text, size_t at, bool lines) {
  std::string_view window = text.substr(at - std::min(at, kWindow), std::min(at, kWindow));
  if (lines)  // the paragraph in front of a block
    while (!window.empty() &&
           (Trim(window.substr(window.size() - 1)).empty() || window.back() == '`' || window.back() == '~'))
      window.remove_suffix(1);
  size_t begin = 0;
  for (size_t i = 0; i + 1 < window.size(); ++i) {
    bool stop =
        (window[i] == '.' || window[i] == '!' || window[i] == '?') && (window[i + 1] == ' ' || window[i + 1] == '\n');
    if (stop && i >= 2 && window[i - 2] == '.') stop = false;  // e.g.
    if (stop || window[i] == '\n') begin = i + 1;
  }
  if (lines &&
      window.size() - begin < 40) {  // a language beside the fence, or a heading: what stands before it counts too
    size_t before = window.substr(0, begin).find_last_not_of(" \t\r\n`~");
    size_t line = before == window.npos ? 0 : window.rfind('\n', before);
    begin = line == window.npos ? 0 : line;
  }
  std::string clause = " " + Plain(window.substr(begin));
  for (std::string_view start : kClauses)
    if (size_t last = clause.rfind(start); last != std::string::npos) clause.erase(0, last + start.size() - 1);
  return clause;
}

// Where the last of the phrase's occurrences as whole words begins.
size_t LastWords(const std::string& clause, std::string_view words) {
  for (size_t at = clause.rfind(words); at != std::string::npos;
       at = at ? clause.rfind(words, at - 1) : std::string::npos) {
    size_t end = at + words.size();
    bool begins = at == 0 || !IsWordByte(clause[at - 1]) || !IsWordByte(words.front());
    if (begins && (end >= clause.size() || !IsWordByte(clause[end]) || !IsWordByte(words.back()))) return at;
  }
  return std::string::npos;
}

// The cue nearest to the end of the clause; false when there is none.
bool NearestCue(const std::string& clause, Cue& cue) {
  size_t nearest = 0;
  bool any = false;
  for (const Phrase& phrase : kPhrases) {
    size_t at = LastWords(clause, phrase.words);
    if (at == std::string::npos) continue;
    if (phrase.words == kToCall && clause.substr(0, at).find_first_not_of(' ') != std::string::npos) continue;
    if (any && at + phrase.words.size() <= nearest) continue;
    nearest = at + phrase.words.size();
    cue = phrase.cue;
    any = true;
  }
  return any;
}

std::string LastWord(const std::string& clause) {
  size_t end = clause.find_last_not_of(" `*\"'(");
  if (end == std::string::npos) return {};
  size_t begin = end + 1;
  while (begin > 0 && IsWordByte(clause[begin - 1])) --begin;
  return clause.substr(begin, end + 1 - begin);
}

}  // namespace

bool IsTalkedAbout(std::string_view text, size_t begin, size_t end, bool alone) {
  std::string clause = ClauseBefore(text, begin, alone);
  Cue cue = Cue::kMeant;
  bool told = NearestCue(clause, cue);
  if (told && cue == Cue::kTalk) return true;
  if (alone) return false;
  std::string last = LastWord(clause);
  if (std::find(std::begin(kPrepositions), std::end(kPrepositions), last) != std::end(kPrepositions)) return true;
  std::string behind = Plain(text.substr(std::min(end, text.size()), kWindow));
  size_t word = behind.find_first_not_of(" `*\n");
  if (word == std::string::npos) return false;
  size_t word_end = word;
  while (word_end < behind.size() && IsWordByte(behind[word_end])) ++word_end;
  std::string_view verb = std::string_view(behind).substr(word, word_end - word);
  if (!told && word > 0 && std::find(std::begin(kVerbs), std::end(kVerbs), verb) != std::end(kVerbs)) return true;
  // A question about it.
  size_t stop = behind.find_first_of(".!?\n");
  return !told && stop != std::string::npos && behind[stop] == '?';
}

bool IsAnnounced(std::string_view text, size_t at) {
  Cue cue = Cue::kTalk;
  return NearestCue(ClauseBefore(text, at, false), cue) && cue == Cue::kMeant;
}

}  // namespace assay
