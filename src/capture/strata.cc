#include "capture/strata.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>

#include "base/random.h"
#include "text/unicode.h"

namespace assay {
namespace {

std::string AllText(const Json& example) {
  if (example.contains("prompt")) return example["prompt"].get<std::string>();
  std::string text;
  for (const Json& message : example["messages"]) {
    const auto content = message.find("content");
    if (content == message.end()) continue;
    if (content->is_string()) text += content->get_ref<const std::string&>() + "\n";
    if (content->is_array())
      for (const Json& part : *content) text += part.value("text", std::string()) + "\n";
  }
  return text;
}

/// What the user wrote last: instructions are mostly in one language whatever he writes in.
std::string UserText(const Json& example) {
  if (example.contains("messages"))
    for (size_t i = example["messages"].size(); i-- > 0;)
      if (example["messages"][i].value("role", Json()) == "user")
        return AllText({{"messages", Json::array({example["messages"][i]})}});
  return AllText(example);
}

struct Script {
  std::string_view name;
  char32_t first, last;
};
constexpr Script kScripts[] = {{"Latin", 'A', 0x24F},        {"Greek", 0x370, 0x3FF},    {"Cyrillic", 0x400, 0x52F},
                               {"Armenian", 0x530, 0x58F},   {"Hebrew", 0x590, 0x5FF},   {"Arabic", 0x600, 0x77F},
                               {"Indic", 0x900, 0xDFF},      {"Thai", 0xE00, 0xE7F},     {"Georgian", 0x10A0, 0x10FF},
                               {"Korean", 0x1100, 0x11FF},   {"Latin", 0x1E00, 0x1EFF},  {"Japanese", 0x3040, 0x30FF},
                               {"Chinese", 0x3400, 0x9FFF},  {"Korean", 0xAC00, 0xD7AF}, {"Arabic", 0xFB50, 0xFDFF},
                               {"Chinese", 0x20000, 0x3FFFF}};

/// Words that hardly a sentence of the language lacks, and others have not.
struct Language {
  std::string_view name;
  std::array<std::string_view, 10> words;
};
constexpr Language kLanguages[] = {
    {"English", {"the", "and", "is", "of", "to", "what", "you", "for", "with", "this"}},
    {"German", {"der", "die", "und", "ist", "nicht", "das", "ein", "eine", "für", "mit"}},
    {"French", {"le", "les", "des", "est", "une", "pour", "dans", "que", "je", "vous"}},
    {"Spanish", {"el", "los", "que", "es", "una", "por", "para", "con", "las", "cómo"}},
    {"Italian", {"il", "che", "di", "è", "per", "una", "sono", "gli", "del", "della"}},
    {"Portuguese", {"os", "que", "é", "uma", "para", "não", "com", "em", "você", "são"}},
    {"Dutch", {"het", "een", "van", "en", "niet", "dat", "ik", "voor", "zijn", "op"}},
    {"Polish", {"jest", "nie", "się", "na", "jak", "dla", "czy", "oraz", "który", "przez"}},
    {"Turkish", {"bir", "ve", "bu", "için", "ne", "mi", "ile", "çok", "nasıl", "var"}}};

std::string LatinLanguage(std::string_view text) {
  std::array<int, std::size(kLanguages)> votes{};
  std::string word;
  const auto end_word = [&] {
    for (size_t i = 0; i < std::size(kLanguages); ++i)
      votes[i] += std::find(kLanguages[i].words.begin(), kLanguages[i].words.end(), word) != kLanguages[i].words.end();
    word.clear();
  };
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalpha(byte) || byte >= 0x80)
      word += c;
    else
      end_word();
  }
  end_word();
  const auto most = std::max_element(votes.begin(), votes.end());
  if (*most == 0 || std::count(votes.begin(), votes.end(), *most) > 1) return "Latin";
  return std::string(kLanguages[most - votes.begin()].name);
}

std::string LanguageOf(const std::string& text) {
  if (!IsValidUtf8(text)) return "broken";
  const std::string lower = LowercaseUnicode(Normalize(text, NormalForm::kNfc));
  std::map<std::string_view, int64_t> letters;
  int64_t all = 0;
  for (std::string_view rest = lower; !rest.empty();) {
    const size_t n = Utf8SequenceLength(rest);
    const char32_t c = Utf8Decode(rest.substr(0, n));
    rest.remove_prefix(n);
    if (!IsWordChar(c) || IsNumeric(c)) continue;
    for (const Script& script : kScripts)
      if (c >= script.first && c <= script.last) {
        ++letters[script.name];
        ++all;
        break;
      }
  }
  if (all == 0) return "none";
  std::string_view main;
  for (const auto& [name, count] : letters)
    if (main.empty() || count > letters[main]) main = name;
  // Kana among ideographs is Japanese.
  if (letters.count("Japanese") && letters["Japanese"] * 10 >= all) main = "Japanese";
  int64_t others = all - letters[main] - (main == "Japanese" && letters.count("Chinese") ? letters["Chinese"] : 0);
  if (others * 5 > all) return "mixed";
  return main == "Latin" ? LatinLanguage(lower) : std::string(main);
}

/// Whether a text is prose, or code, markup, tables, numbers, the like.
std::string StateOf(std::string_view text) {
  int64_t prose = 0, all = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::max<size_t>(1, Utf8SequenceLength(text.substr(at)));
    const char32_t c = Utf8SequenceLength(text.substr(at)) ? Utf8Decode(text.substr(at, n)) : U'\xFFFD';
    at += n;
    ++all;
    prose += (IsWordChar(c) && !IsNumeric(c) && c != '_') || c == ' ' || c == '.' || c == ',' || c == '?';
  }
  if (all == 0) return "empty";
  if (text.find("```") != std::string_view::npos || prose * 100 < all * 85) return "code or data";
  return "prose";
}

std::string LengthOf(size_t bytes) {
  return bytes < 400 ? "under 400" : bytes < 2000 ? "to 2,000" : bytes < 8000 ? "to 8,000" : "8,000 or more";
}

std::string ToolsOf(const CapturedExample& example) {
  if (!example.line.contains("tools")) return "none";
  if (!example.answer) return "offered";
  const Json& calls = example.answer->tool_calls;
  if (calls.is_null() || calls.empty()) return "offered, not called";
  std::string names;
  for (const Json& call : calls) {
    const std::string name = call["function"]["name"].get<std::string>();
    names += (names.empty() ? "" : "+") + name;
  }
  return names.size() > 60 ? "many calls" : names;
}

}  // namespace

std::vector<std::string> StratumDimensions() {
  return {"shape", "length", "tools", "schema", "language", "text"};
}

StratumKey StratumOf(const CapturedExample& example) {
  const Json& line = example.line;
  std::string shape = "prompt";
  if (line.contains("messages")) {
    const auto turns = std::count_if(line["messages"].begin(), line["messages"].end(),
                                     [](const Json& message) { return message.value("role", Json()) == "user"; });
    shape = turns <= 1 ? "1 turn" : turns <= 3 ? "2-3 turns" : "4+ turns";
  }
  if (example.streamed) shape += ", streamed";
  const std::string user = UserText(line);
  return {shape,
          LengthOf(AllText(line).size()),
          ToolsOf(example),
          line.contains("response_schema") ? "yes" : "no",
          LanguageOf(user),
          StateOf(user)};
}

Choice ChooseStratified(const std::vector<StratumKey>& keys, int64_t count, uint64_t seed) {
  Choice out;
  std::map<StratumKey, std::vector<size_t>> members;
  for (size_t i = 0; i < keys.size(); ++i) members[keys[i]].push_back(i);
  for (const auto& [key, list] : members) out.strata.push_back({key, static_cast<int64_t>(list.size()), 0});
  std::stable_sort(out.strata.begin(), out.strata.end(),
                   [](const Stratum& a, const Stratum& b) { return a.requests > b.requests; });
  const auto n_strata = static_cast<int64_t>(out.strata.size());
  count = std::min(count, static_cast<int64_t>(keys.size()));
  if (n_strata <= count) {
    for (Stratum& stratum : out.strata) stratum.chosen = 1;
    // The one whose share is most behind the square root of its size, again and again.
    for (int64_t left = count - n_strata; left > 0; --left) {
      Stratum* next = nullptr;
      double behind = 0;
      for (Stratum& stratum : out.strata) {
        if (stratum.chosen == stratum.requests) continue;
        const double need = std::sqrt(static_cast<double>(stratum.requests)) / static_cast<double>(stratum.chosen + 1);
        if (!next || need > behind) {
          next = &stratum;
          behind = need;
        }
      }
      ++next->chosen;
    }
  } else {
    std::vector<std::map<std::string, int64_t>> taken(out.strata.empty() ? 0 : out.strata[0].key.size());
    for (int64_t left = count; left > 0; --left) {
      Stratum* next = nullptr;
      double best = 0;
      for (Stratum& stratum : out.strata) {
        if (stratum.chosen > 0) continue;
        double worth = 0;
        for (size_t d = 0; d < stratum.key.size(); ++d)
          worth += 1.0 / static_cast<double>(1 + taken[d][stratum.key[d]]);
        if (!next || worth > best) {
          next = &stratum;
          best = worth;
        }
      }
      next->chosen = 1;
      for (size_t d = 0; d < next->key.size(); ++d) ++taken[d][next->key[d]];
    }
  }
  Random random(seed);
  for (const Stratum& stratum : out.strata) {
    std::vector<size_t> list = members[stratum.key];
    for (int64_t i = 0; i < stratum.chosen; ++i) {
      const auto at = static_cast<size_t>(i);
      std::swap(list[at], list[at + random.Below(list.size() - at)]);
      out.chosen.push_back(list[at]);
    }
  }
  std::sort(out.chosen.begin(), out.chosen.end());
  return out;
}

}  // namespace assay
