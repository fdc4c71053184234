#include "task/check/choice_text.h"

#include <algorithm>
#include <optional>

#include "dialect/answer_text.h"
#include "text/unicode.h"

namespace assay {
namespace {

// What an answer is announced with; the choice stands behind it. Folded, in NFKC.
constexpr std::string_view kAnnouncements[] = {
    "answer is",
    "answer:",
    "answer -",
    "answer –",
    "answer —",
    "answer =",
    "answer→",
    "answer would be",
    "answer should be",
    "answer must be",
    "answer will be",
    "answer to this question is",
    "answer to the question is",
    "answer has to be",
    "answer seems to be",
    "answer appears to be",
    "answer\n",
    "answer choice is",
    "answer choice:",
    "choice is",
    "choice:",
    "choice would be",
    "option is",
    "option:",
    "option would be",
    "solution is",
    "solution:",
    "one is",
    "i choose",
    "i pick",
    "i select",
    "i'd choose",
    "i'd pick",
    "i'll choose",
    "i'll go with",
    "i'd go with",
    "go with",
    "i would choose",
    "opt for",
    "i chose",
    "we choose",
    "choose",
    "select",
    "\\boxed{",
    // German, French, Spanish, Portuguese, Italian, Dutch
    "antwort ist",
    "antwort:",
    "antwort lautet",
    "lösung ist",
    "lösung:",
    "réponse est",
    "réponse:",
    "réponse :",
    "respuesta es",
    "respuesta:",
    "respuesta correcta es",
    "opción correcta es",
    "opción es",
    "resposta é",
    "resposta:",
    "resposta correta é",
    "alternativa correta é",
    "risposta è",
    "risposta:",
    "risposta corretta è",
    "antwoord is",
    "antwoord:",
    // Russian, Ukrainian, Polish, Turkish, Indonesian, Vietnamese
    "ответ:",
    "ответ -",
    "ответ –",
    "ответ —",
    "ответ",
    "вариант",
    "відповідь:",
    "відповідь",
    "odpowiedź:",
    "odpowiedź to",
    "odpowiedź",
    "cevap:",
    "cevap",
    "yanıt:",
    "jawaban:",
    "jawabannya adalah",
    "jawaban adalah",
    "đáp án là",
    "đáp án đúng là",
    "đáp án:",
    "đáp án",
    // Chinese, Japanese, Korean
    "答案是",
    "答案为",
    "答案為",
    "答案:",
    "答案应为",
    "答案應為",
    "答案应该是",
    "答案應該是",
    "答案选",
    "答案選",
    "答案",
    "答:",
    "故选",
    "故選",
    "应选",
    "應選",
    "所以选",
    "所以選",
    "因此选",
    "因此選",
    "选择",
    "選擇",
    "选项是",
    "選項是",
    "选",
    "選",
    "正解は",
    "正解:",
    "正答は",
    "答えは",
    "答え:",
    "解答は",
    "解答:",
    "回答は",
    "回答:",
    "정답은",
    "정답:",
    "정답",
    "답은",
    "답:",
    // Arabic, Persian, Hebrew, Hindi, Thai
    "الإجابة هي",
    "الإجابة الصحيحة هي",
    "الاجابة هي",
    "الإجابة:",
    "الجواب هو",
    "الجواب:",
    "الخيار الصحيح هو",
    "پاسخ:",
    "پاسخ",
    "جواب:",
    "התשובה היא",
    "תשובה:",
    "उत्तर है",
    "उत्तर:",
    "उत्तर",
    "คำตอบคือ",
    "คำตอบ:",
    "ตอบ",
};

// What may stand between an announcement and the choice.
constexpr std::string_view kFillers[] = {
    "option",      "choice",        "letter",     "answer",      "the",       "therefore",
    "thus",        "clearly",       "definitely", "indeed",      "simply",    "obviously",
    "hence",       "probably",      "likely",     "most likely", "most",      "actually",
    "still",       "then",          "is",         "correct",     "right",     "best",
    "now",         "surely",        "certainly",  "opción",      "opcion",    "la",
    "el",          "letra",         "option",     "l'option",    "buchstabe", "вариант",
    "под буквой",  "буква",         "选项",       "選項",        "选择",      "为",
    "是",          "विकल्प",         "الخيار",     "الحرف",       "lettre",    "lettera",
    "alternativa", "a alternativa", "là",         "adalah",      "opsi",      "şıkkı",
    "to",          "text",          "\\text",     "\\textbf",    "\\mathbf",  "\\mathrm",
    "\\boxed",     "\\(",           "\\[",
};

// Behind a letter or an option: it is chosen.
constexpr std::string_view kConfirmed[] = {
    "is correct",
    "is the correct",
    "is right",
    "is the right",
    "is the answer",
    "is the best",
    "is better",
    "is true",
    "is my answer",
    "is my choice",
    "would be correct",
    "must be correct",
    "is therefore correct",
    "is indeed correct",
    "is the only correct",
    "is the one",
    "es correcta",
    "es la correcta",
    "es la respuesta",
    "ist richtig",
    "ist korrekt",
    "est correct",
    "est la bonne",
    "верен",
    "правильный",
    "является правильным",
    "是正确",
    "是正確",
    "正确",
    "正確",
    "是对的",
    "是答案",
    "为正确",
    "が正解",
    "が正しい",
    "が答え",
    "が適切",
    "が正答",
    "가 정답",
    "이 정답",
    "가 맞",
    "이 맞",
};
// Behind it: it is not.
constexpr std::string_view kRejectedBehind[] = {
    "is wrong",
    "is incorrect",
    "is not",
    "isn't",
    "is false",
    "is out",
    "are wrong",
    "are incorrect",
    "are not",
    "aren't",
    "are false",
    "can't be",
    "cannot be",
    "can be ruled out",
    "can be eliminated",
    "is eliminated",
    "is ruled out",
    "looks tempting",
    "is tempting",
    "does not",
    "doesn't",
    "would be wrong",
    "was wrong",
    "ist falsch",
    "est faux",
    "es incorrecta",
    "неверен",
    "неправильный",
    "неверно",
    "不正确",
    "不正確",
    "错误",
    "錯誤",
    "不对",
    "不是",
    "是错",
    "ではな",
    "は誤",
    "は間違",
    "は不正解",
    "는 틀",
    "은 틀",
    "가 아니",
    "이 아니",
};
// Before it: it is not.
constexpr std::string_view kRejectedBefore[] = {
    "not",         "isn't",    "n't",         "cannot be",  "can't be", "neither", "nor",    "never",     "except",
    "excluding",   "without",  "rather than", "instead of", "than",     "over",    "unlike", "eliminate", "eliminates",
    "eliminating", "rule out", "rules out",   "ruling out", "reject",   "exclude", "не",     "nicht",     "no es",
    "n'est pas",   "pas",      "不是",        "不选",       "不選",     "而不是",  "排除",   "并非"};
// Behind a letter that begins the answer: it is what was chosen.
constexpr std::string_view kReasons[] = {"because", "since", "as", "due", "for", "given"};
// A capital I before these is the pronoun.
constexpr std::string_view kPronounVerbs[] = {
    "think", "believe", "am",      "would",  "will",   "guess",  "say",   "choose", "pick", "select",
    "know",  "don't",   "do",      "can",    "cannot", "can't",  "could", "have",   "was",  "must",
    "need",  "feel",    "suspect", "assume", "chose",  "picked", "see",   "get",    "got",  "agree",
    "go",    "went",    "answer",  "should", "may",    "might",  "found", "find",   "used", "use"};
constexpr std::string_view kAdverbs[] = {"really", "still", "also", "strongly", "just", "now"};
// A capital A before these is a letter.
constexpr std::string_view kBehindLetters[] = {"or", "and", "because", "since", "are", "is", "but", "over", "not"};
// Between two choices: both, or either.
constexpr std::string_view kConnectors[] = {"or", "and", "/",    "&",  "|",   "und",   "oder", "et",
                                            "ou", "y",   "o",    "и",  "или", "和",    "或",   "或者",
                                            "と", "か",  "또는", "과", "와",  "and/or"};

bool IsCapital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsSmall(char c) {
  return c >= 'a' && c <= 'z';
}
char Upper(char c) {
  return IsSmall(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

// White space and marks that may stand around a letter or an option.
constexpr std::string_view kAround = " \t\r\n*_`\"'([{<:$-=>~#";
constexpr std::string_view kQuotes[] = {"“",  "”",  "‘",  "’",  "«",  "»", "「", "」", "『", "』", "【",
                                        "】", "〔", "〕", "《", "》", "–", "—",  "→",  "⇒",  "：", "、"};

std::string_view SkipAround(std::string_view text) {
  while (true) {
    size_t at = text.find_first_not_of(kAround);
    text.remove_prefix(std::min(at, text.size()));
    auto quote = std::find_if(std::begin(kQuotes), std::end(kQuotes),
                              [&](std::string_view each) { return text.starts_with(each); });
    if (quote == std::end(kQuotes)) return text;
    text.remove_prefix(quote->size());
  }
}

// The answer in two spellings of the same length: as it is and in small letters (ASCII and the letters whose small form
// has as many bytes).
std::string Small(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t length = std::max<size_t>(Utf8SequenceLength(text.substr(at)), 1);
    std::string small = LowercaseUnicode(text.substr(at, length));
    out += small.size() == length ? small : std::string(text.substr(at, length));
    at += length;
  }
  return out;
}

// `word` begins `text`, and does not go on.
bool BeginsWithWord(std::string_view text, std::string_view word) {
  return text.starts_with(word) && !WordGoesOn(text, word.size());
}
template <size_t N>
size_t LongestWord(std::string_view text, const std::string_view (&words)[N]) {
  size_t longest = 0;
  for (std::string_view word : words)
    if (word.size() > longest && BeginsWithWord(text, word)) longest = word.size();
  return longest;
}
template <size_t N>
bool EndsWithAWord(std::string_view text, const std::string_view (&words)[N]) {
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) {
    return text.ends_with(word) && (word == "n't" || !WordGoesOn(text, text.size() - word.size()));
  });
}

class Chooser {
 public:
  Chooser(std::string_view answer, std::string_view letters, const std::vector<std::string>& options)
      : text_(Normalize(AsSeen(answer), NormalForm::kNfkc)),
        small_(Small(text_)),
        letters_(letters),
        options_(options) {
    FindOptions();
  }

  char Choose() const {
    if (char letter = Whole()) return letter;
    if (Found found = Announced()) return found->Letter();
    if (char letter = Leading()) return letter;
    return Last();
  }

 private:
  // A choice that was found; more than one letter where the answer leaves it open.
  struct Choice {
    std::string letters;
    size_t begin, end;
    char Letter() const { return letters.size() == 1 ? letters[0] : '\0'; }
  };
  using Found = std::optional<Choice>;

  bool Known(char c) const { return letters_.find(c) != std::string::npos; }
  std::string_view Rest(size_t at) const { return std::string_view(text_).substr(at); }
  std::string_view SmallRest(size_t at) const { return std::string_view(small_).substr(at); }

  // Where options' texts stand: at every place the longest.
  void FindOptions() {
    for (size_t i = 0; i < options_.size(); ++i) {
      if (options_[i].empty()) continue;
      for (size_t at = small_.find(options_[i]); at != std::string::npos; at = small_.find(options_[i], at + 1)) {
        size_t end = at + options_[i].size();
        if (WordGoesOn(small_, at) || WordGoesOn(small_, end) || NumberGoesOn(end)) continue;
        if (options_[i].size() == 1 && IsSmall(options_[i][0])) continue;  // a word, not an option
        places_.push_back({std::string(1, letters_[i]), at, end});
      }
    }
    std::sort(places_.begin(), places_.end(),
              [](const Choice& a, const Choice& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
    std::vector<Choice> longest;
    for (Choice& place : places_)
      if (longest.empty() || place.begin >= longest.back().end) longest.push_back(std::move(place));
    places_ = std::move(longest);
  }

  // "1" is not said by 1.5.
  bool NumberGoesOn(size_t end) const {
    auto digit = [&](size_t i) { return i < text_.size() && text_[i] >= '0' && text_[i] <= '9'; };
    return digit(end - 1) && end < text_.size() &&
           std::string_view(".,:/").find(text_[end]) != std::string_view::npos && digit(end + 1);
  }

  const Choice* OptionAt(size_t at) const {
    auto place = std::upper_bound(places_.begin(), places_.end(), at,
                                  [](size_t byte, const Choice& each) { return byte < each.begin; });
    if (place == places_.begin()) return nullptr;
    --place;
    return at < place->end ? &*place : nullptr;
  }

  // "B", "(b)", "**B.**", or an option's own text.
  char Whole() const {
    std::string_view bare = StripMarks(text_);
    bare.remove_prefix(std::min(bare.find_first_not_of(kAround), bare.size()));
    bare = bare.substr(0, bare.find_last_not_of(kAround) + 1);
    if (bare.size() == 1 && Known(Upper(bare[0]))) return Upper(bare[0]);
    std::string folded = OptionText(text_);
    for (size_t i = 0; i < options_.size(); ++i)
      if (!options_[i].empty() && folded == options_[i]) return letters_[i];
    return '\0';
  }

  // A letter or an option that stands at `at`, behind an announcement.
  Found At(size_t at) const {
    std::string_view rest = SkipAround(Rest(at));
    size_t begin = text_.size() - rest.size();
    for (int fillers = 0; fillers < 5; ++fillers) {
      if (OptionAt(begin) && OptionAt(begin)->begin == begin) break;
      size_t filler = LongestWord(SmallRest(begin), kFillers);
      if (!filler) break;
      std::string_view behind = SkipAround(Rest(begin + filler));
      begin = text_.size() - behind.size();
    }
    if (const Choice* option = Optional(begin)) return WithOthers(*option);
    if (begin >= text_.size()) return {};
    char c = text_[begin];
    if (!Known(Upper(c)) || WordGoesOn(text_, begin + 1)) return {};
    char before = begin > 0 ? text_[begin - 1] : ' ', next = begin + 1 < text_.size() ? text_[begin + 1] : '\0';
    bool bracketed = (before == '(' || before == '[' || before == '{') && (next == ')' || next == ']' || next == '}');
    if (c == 'I' && IsPronoun(begin)) return {};
    if (IsSmall(c) && !bracketed) {
      if (next == '\'') return {};                                                          // i'd
      if (next == '.' && begin + 2 < text_.size() && IsSmall(text_[begin + 2])) return {};  // e.g.
      std::string_view after = Rest(begin + 1);
      bool prose = after.size() >= 2 && after[0] == ' ' && !LongestWord(SmallRest(begin + 2), kReasons);
      if ((c == 'a' || c == 'i' || c == 'o' || c == 'y' || c == 'e') ? after.starts_with(' ') : prose) return {};
    }
    return WithOthers({std::string(1, Upper(c)), begin, begin + 1});
  }

  // The option whose text stands at `begin`, an article before it apart.
  const Choice* Optional(size_t begin) const {
    for (std::string_view article : {"", "a ", "an ", "the "}) {
      if (!SmallRest(begin).starts_with(article)) continue;
      const Choice* option = OptionAt(begin + article.size());
      if (option && option->begin == begin + article.size()) return option;
    }
    return nullptr;
  }

  bool IsPronoun(size_t at) const {
    std::string_view rest = SmallRest(at + 1);
    if (rest.starts_with("'")) return true;
    if (!rest.starts_with(' ')) return false;
    rest.remove_prefix(1);
    while (size_t adverb = LongestWord(rest, kAdverbs)) {
      rest.remove_prefix(adverb);
      if (rest.starts_with(' ')) rest.remove_prefix(1);
    }
    return LongestWord(rest, kPronounVerbs) > 0;
  }

  // "A or B", "A and B", "A/B": no single choice.
  Choice WithOthers(Choice choice) const {
    std::string_view behind = Rest(choice.end);
    behind.remove_prefix(std::min(behind.find_first_not_of(")]}*_`\"'"), behind.size()));
    if (behind.starts_with('.') || behind.starts_with('\n')) return choice;  // the sentence ends
    behind = SkipAround(behind);
    size_t at = text_.size() - behind.size(), connector = LongestConnector(at);
    if (!connector) return choice;
    at = text_.size() - SkipAround(Rest(at + connector)).size();
    for (std::string_view filler : {"option ", "choice "})
      if (SmallRest(at).starts_with(filler)) at += filler.size();
    at = text_.size() - SkipAround(Rest(at)).size();
    char other = '\0';
    size_t end = at + 1;
    if (const Choice* option = Optional(at)) {
      other = option->letters[0];
      end = option->end;
    } else if (at < text_.size() && Known(text_[at]) && !WordGoesOn(text_, at + 1) && !IsArticle(at)) {
      other = text_[at];
    }
    bool clause =
        other && (BeginsWithAny(Behind(end), kRejectedBehind) || Behind(end).starts_with("is "));  // and C is …
    if (other && !clause && other != choice.Letter()) choice.letters += other;
    return choice;
  }

  size_t LongestConnector(size_t at) const {
    size_t longest = 0;
    for (std::string_view each : kConnectors) {
      bool word = static_cast<unsigned char>(each.back()) >= 0x80 || IsSmall(each.back());
      if (each.size() > longest && SmallRest(at).starts_with(each) && !(word && WordGoesOn(small_, at + each.size())))
        longest = each.size();
    }
    return longest;
  }

  // Whether nothing but a connector or a comma stands between two choices.
  bool Joined(const Choice& first, const Choice& second) const {
    std::string_view between = SmallRest(first.end).substr(0, second.begin - first.end);
    if (between.size() > 24) return false;
    constexpr std::string_view kMarks = " ()[]*_`,\"'";
    bool comma = between.find(',') != std::string_view::npos;
    between.remove_prefix(std::min(between.find_first_not_of(kMarks), between.size()));
    between = between.substr(0, between.find_last_not_of(kMarks) + 1);
    for (std::string_view filler : {" option", " choice"})
      if (between.ends_with(filler)) between.remove_suffix(filler.size());
    if (between.empty()) return comma;
    return between == "nor" ||
           std::find(std::begin(kConnectors), std::end(kConnectors), between) != std::end(kConnectors);
  }

  // Behind the last announcement that something follows; or the last that is called correct.
  Found Announced() const {
    Found last;
    auto take = [&](const Choice& choice) {
      if (!last || choice.begin >= last->begin) last = choice;
    };
    for (std::string_view phrase : kAnnouncements)
      for (size_t at = small_.find(phrase); at != std::string::npos; at = small_.find(phrase, at + 1)) {
        bool joined = IsSmall(phrase[0]) && WordGoesOn(small_, at);
        if (joined || WordGoesOn(small_, at + phrase.size())) continue;
        if (Found found = At(at + phrase.size()); found && !Rejected(*found)) take(*found);
      }
    for (const Choice& place : Standing())
      if (Confirmed(place.end)) take(place);
    return last;
  }

  std::string_view Behind(size_t end) const {
    std::string_view rest = SmallRest(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(" )*_`\"'].:}"), rest.size()));
    for (std::string_view mark : {"”", "’", "」", "』"})
      if (rest.starts_with(mark)) rest.remove_prefix(mark.size());
    for (std::string_view filler : {"option ", "选项", "選項", "项", "項", "选"})
      if (rest.starts_with(filler)) rest.remove_prefix(filler.size());
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    return rest;
  }
  template <size_t N>
  static bool BeginsWithAny(std::string_view text, const std::string_view (&phrases)[N]) {
    return std::any_of(std::begin(phrases), std::end(phrases), [&](std::string_view phrase) {
      return text.starts_with(phrase) && (!IsSmall(phrase.back()) || !WordGoesOn(text, phrase.size()));
    });
  }
  bool Confirmed(size_t end) const {
    std::string_view behind = Behind(end);
    return BeginsWithAny(behind, kConfirmed) && !BeginsWithAny(behind, kRejectedBehind);
  }

  bool Rejected(const Choice& choice) const {
    if (BeginsWithAny(Behind(choice.end), kRejectedBehind)) return true;
    size_t mark = text_.find_first_not_of(")*_`\"']", choice.end);
    if (mark != std::string::npos && text_[mark] == '?') return true;  // asked, not said
    std::string_view before = std::string_view(small_).substr(0, choice.begin);
    before = before.substr(0, before.find_last_not_of(" (*_`\"'[{$\t") + 1);
    for (std::string_view filler : {"option", "choice", "answer", "letter", "the", "选项", "選項"})
      if (before.ends_with(filler)) {
        before.remove_suffix(filler.size());
        before = before.substr(0, before.find_last_not_of(' ') + 1);
      }
    return EndsWithAWord(before, kRejectedBefore);
  }

  // "B) Paris", "B. Paris", "B, since …", "Paris. It is …" at the start of the answer.
  char Leading() const {
    std::string_view rest = SkipAround(text_);
    size_t at = text_.size() - rest.size();
    Choice choice;
    if (const Choice* option = Optional(at)) {
      choice = *option;
      std::string_view behind = Rest(choice.end);
      bool ends = behind.find_first_of(".;:!\n)(*") == 0 || LongestWord(SkipAround(SmallRest(choice.end)), kReasons);
      return ends ? choice.Letter() : '\0';
    }
    if (rest.size() < 2 || !Known(rest[0])) return '\0';
    if (std::string_view(").:]*\n;").find(rest[1]) != std::string_view::npos)
      return Rejected({std::string(1, rest[0]), at, at + 1}) ? '\0' : rest[0];
    // A quote or full stop of another script ends it as well.
    std::string_view behind = rest.substr(1);
    for (std::string_view mark : {"。", "」", "”", "、", "’"})
      if (behind.starts_with(mark)) return rest[0];
    for (std::string_view dash : {" - ", " – ", " — "})
      if (behind.starts_with(dash)) return rest[0];
    if (behind.starts_with(',')) behind.remove_prefix(1);
    behind = SkipAround(behind);
    bool reason = LongestWord(SmallRest(text_.size() - behind.size()), kReasons);
    return reason ? rest[0] : '\0';
  }

  // "A dog": a letter that begins running prose, behind nothing that announces it.
  bool IsArticle(size_t at) const {
    if (text_[at] == 'I') return IsPronoun(at);
    return text_[at] == 'A' && at + 2 < text_.size() && text_[at + 1] == ' ' && IsSmall(text_[at + 2]) &&
           !Confirmed(at + 1) && !BeginsWithAny(Behind(at + 1), kRejectedBehind) &&
           !LongestWord(SmallRest(at + 2), kBehindLetters);
  }

  // Capital letters that stand alone, in their order, outside the options' texts.
  std::vector<Choice> Standing() const {
    std::vector<Choice> out;
    for (size_t at = 0; at < text_.size(); ++at) {
      if (!IsCapital(text_[at]) || !Known(text_[at])) continue;
      if (WordGoesOn(text_, at) || WordGoesOn(text_, at + 1) || OptionAt(at)) continue;
      bool apostrophe = (at > 0 && text_[at - 1] == '\'' && at > 1 && WordGoesOn(text_, at - 1)) ||
                        (Rest(at + 1).starts_with('\'') && at + 2 < text_.size() && IsSmall(text_[at + 2]));
      if (apostrophe || IsArticle(at)) continue;
      out.push_back({std::string(1, text_[at]), at, at + 1});
    }
    return out;
  }

  // The last letter that stands alone and is not rejected; without any, the only option whose text the answer names.
  char Last() const {
    std::vector<Choice> standing = Standing();
    // "not A or B", "A and B are wrong": what is joined is rejected together.
    std::vector<bool> rejected;
    for (size_t i = 0; i < standing.size(); ++i)
      rejected.push_back(Rejected(standing[i]) || (i > 0 && rejected[i - 1] && Joined(standing[i - 1], standing[i])));
    for (size_t i = standing.size(); i-- > 1;)
      if (rejected[i] && Joined(standing[i - 1], standing[i])) rejected[i - 1] = true;
    for (size_t i = standing.size(); i-- > 0;) {
      if (rejected[i]) continue;
      bool open = i > 0 && !rejected[i - 1] && standing[i - 1].letters != standing[i].letters &&
                  Joined(standing[i - 1], standing[i]);
      return open ? '\0' : standing[i].Letter();
    }
    char only = '\0';
    for (const Choice& place : places_) {
      if (Rejected(place)) continue;
      if (only && only != place.Letter()) return '\0';
      only = place.Letter();
    }
    return only;
  }

  std::string text_, small_;
  std::string letters_;
  const std::vector<std::string>& options_;
  std::vector<Choice> places_;  // of options' texts, in their order
};

}  // namespace

std::string OptionText(std::string_view text) {
  std::string seen = Normalize(AsSeen(text), NormalForm::kNfkc);
  std::string folded = Small(StripMarks(seen));
  for (std::string_view article : {"a ", "an ", "the "})
    if (folded.size() > article.size() && folded.starts_with(article)) return folded.substr(article.size());
  return folded;
}

char ChosenLetter(std::string_view answer, std::string_view letters, const std::vector<std::string>& options) {
  return Chooser(answer, letters, options).Choose();
}

}  // namespace assay
