// Every answer: for each example the question, what was expected, and each different answer once beside the baseline's.

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

#include "base/counted.h"
#include "base/strings.h"
#include "evidence/unlabelled.h"
#include "report/diff.h"
#include "report/escape.h"
#include "report/html/parts.h"
#include "report/numbers.h"

namespace assay {
namespace {

/// What the outcome buttons choose between.
enum Kind { kLost, kGained, kBothWrong, kBothRight, kLeftOut, kKinds };
constexpr const char* kKindName[] = {"Lost", "Gained", "Both wrong", "Both right", "Left out"};
constexpr const char* kKindClass[] = {"lost", "gained", "same", "same", "same"};

/// Texts of all answers and prompts together; beyond it long ones are cut.
constexpr size_t kPageBytes = size_t{4} << 20;
/// More answers than this: those that are the baseline's own are left out.
constexpr size_t kMostAnswers = 4000;

Kind KindOf(const ExamplePair& pair) {
  switch (pair.outcome) {
    case Outcome::kRegression:
      return kLost;
    case Outcome::kFix:
      return kGained;
    case Outcome::kBothFail:
      return kBothWrong;
    case Outcome::kExcluded:
      return kLeftOut;
    default:
      return kBothRight;
  }
}

/// Right, wrong, or neither, where nothing was judged.
enum class Worth { kRight, kWrong, kUnknown };

Worth WorthOf(const ExampleResult& result) {
  return !result.error.empty() ? Worth::kUnknown : result.pass ? Worth::kRight : Worth::kWrong;
}

std::string_view WorthClass(Worth worth) {
  return worth == Worth::kRight ? " right" : worth == Worth::kWrong ? " wrong" : "";
}

std::string_view WorthMark(Worth worth) {
  return worth == Worth::kRight   ? "<span class=\"w\">\xE2\x9C\x93 right</span>"
         : worth == Worth::kWrong ? "<span class=\"w\">\xE2\x9C\x97 wrong</span>"
                                  : "";
}

/// `name` is markup, `body` too.
std::string Side(const std::string& name, Worth worth, const std::string& body) {
  // A <pre> swallows a line feed right after its tag.
  return fmt::format("<div class=\"side{}\"><h4>{}{}</h4>", WorthClass(worth), name, WorthMark(worth)) +
         (body.empty() ? "<p class=\"empty\">empty answer</p>" : "<pre>\n" + body + "</pre>") + "</div>";
}

/// Two answers side by side, with what one has and the other has not marked.
std::string Sides(const std::string& left_name, Worth left, std::string_view before, const std::string& right_name,
                  Worth right, std::string_view after) {
  std::string bodies[2];
  for (const DiffPart& part : DiffWords(before, after))
    for (int side : {0, 1}) {
      const std::string_view text = side ? part.after : part.before;
      if (text.empty()) continue;
      const std::string escaped = EscapeHtml(text);
      bodies[side] += part.kind == DiffPart::kSame ? escaped : "<mark>" + escaped + "</mark>";
    }
  return "<div class=\"sides\">" + Side(left_name, left, bodies[0]) + Side(right_name, right, bodies[1]) + "</div>";
}

const std::string& Said(const ExampleResult& result) {
  return result.error.empty() ? result.answer : result.error;
}

std::string FailureText(const ExampleResult& result) {
  if (result.pass) return {};
  for (const CheckResult& check : result.checks)
    if (!check.pass) return check.failure + (check.detail.empty() ? "" : ": " + check.detail);
  return result.failure();
}

std::string MovedText(const ExamplePair& pair) {
  if (!pair.displacement || pair.baseline->sample != 0) return {};  // it is of the first sample
  const Displacement& moved = *pair.displacement;
  std::string text = fmt::format("mean KL {}{}, same top token {:.0f}%", moved.known_tokens > 0 ? "at least " : "",
                                 DivergenceText(moved.mean_kl), 100 * moved.same_top);
  if (moved.first_divergence >= 0) text += fmt::format(", parts at token {}", moved.first_divergence + 1);
  if (moved.first_divergence >= 0 && !pair.baseline->answer_ids.empty())
    text += fmt::format(" of {}", pair.baseline->answer_ids.size());
  return text;
}

/// Candidates that gave one answer to an example, with one outcome.
struct Given {
  struct By {
    size_t candidate = 0;
    const ExamplePair* pair = nullptr;
  };
  std::vector<By> by;  // not empty
  std::string why;
  const ExamplePair& pair() const { return *by[0].pair; }
  /// The baseline's own answer, and worth the same.
  bool same() const {
    return pair().samples.size() == 1 && Said(*pair().baseline) == Said(*pair().candidate) &&
           WorthOf(*pair().baseline) == WorthOf(*pair().candidate);
  }
};

/// An example of the baseline's run and what candidates answered.
struct Asked {
  const ExampleResult* baseline = nullptr;
  const ExampleText* text = nullptr;  // null: the record has none
  size_t slice = 0;
  std::vector<Given> answers;
};

class Answers {
 public:
  Answers(const CheckRecord& record, std::span<const Comparison> comparisons)
      : comparisons_(comparisons), failures_(FailureClasses(comparisons)) {
    std::unordered_map<std::string, const ExampleText*> texts;
    for (const ExampleText& text : record.examples) texts.emplace(text.id, &text);
    // Comparisons of incomparable runs may lack some.
    std::vector<std::unordered_map<std::string, const ExamplePair*>> pairs(comparisons.size());
    for (size_t c = 0; c < comparisons.size(); ++c)
      for (const ExamplePair& pair : comparisons[c].pairs) {
        pairs[c].emplace(pair.id, &pair);
        ++counts_[KindOf(pair)];
      }
    // As the table of slices numbers them.
    if (!comparisons.empty())
      for (const Judgement& slice : comparisons[0].slices) slices_.push_back(slice.name);
    for (const ExampleResult& result : record.baseline.run.examples) {
      if (result.sample != 0) continue;
      Asked asked{&result, nullptr, SliceOf(result.slice), {}};
      if (const auto text = texts.find(result.id); text != texts.end()) asked.text = text->second;
      for (size_t c = 0; c < comparisons.size(); ++c)
        if (const auto pair = pairs[c].find(result.id); pair != pairs[c].end()) Add(*pair->second, c, asked);
      if (asked.answers.empty())
        ++unanswered_;
      else
        asked_.push_back(std::move(asked));
    }
    LeaveOut();
    most_ = Most();
  }

  std::string Html() const {
    std::string out = "<section aria-labelledby=\"answers\"><h2 id=\"answers\">Answers</h2>";
    int64_t total = 0;
    for (int64_t count : counts_) total += count;
    if (total == 0) return out + "<p class=\"sub\">No candidate answered an example of the baseline.</p></section>\n";
    out +=
        "<p class=\"sub\">The baseline on the left, what a candidate answered on the right; what one has and the "
        "other has not is marked. Right answers are green, wrong ones red. An answer that several candidates gave "
        "stands once.<span class=\"keys\"> Keys: j and k step through, / searches.</span>";
    if (counts_[kLost] + counts_[kGained] == 0) out += " Nothing was lost and nothing gained.";
    if (unanswered_ > 0) out += " Not shown: " + Counted(unanswered_, "example") + " that no candidate answered.";
    if (most_ != SIZE_MAX)
      out += fmt::format(" Texts of more than {} bytes are cut here; the data of the check has them whole.", most_);
    if (left_out_ > 0)
      out += fmt::format(
          " {} that are the baseline\xE2\x80\x99s own, word for word, are left out; the data of the check has them.",
          Counted(left_out_, "answer"));
    out += "</p>" + Filters(total - left_out_);
    for (const Asked& asked : asked_) out += Example(asked);
    return out +
           "<p class=\"sub\" id=\"f-none\" hidden>No answer matches. <button type=\"button\" id=\"f-all\">Show all "
           "answers</button></p></section>\n";
  }

 private:
  size_t SliceOf(const std::string& name) {
    const auto found = std::find(slices_.begin(), slices_.end(), name);
    if (found != slices_.end()) return static_cast<size_t>(found - slices_.begin());
    slices_.push_back(name);
    return slices_.size() - 1;
  }

  void Add(const ExamplePair& pair, size_t candidate, Asked& asked) {
    const Kind kind = KindOf(pair);
    std::string why =
        kind == kLeftOut ? "a model had an error" : FailureText(kind == kGained ? *pair.baseline : *pair.candidate);
    if (kind == kGained && !why.empty()) why = "was " + why;
    if (pair.samples.size() > 1)
      why = fmt::format("{} and {} of {} samples pass; sample {}{}{}", pair.baseline_passes, pair.candidate_passes,
                        pair.samples.size(), pair.baseline->sample + 1, why.empty() ? "" : ": ", why);
    for (Given& given : asked.answers) {
      const ExamplePair& other = given.pair();
      if (pair.samples.size() == 1 && other.samples.size() == 1 && KindOf(other) == kind && given.why == why &&
          Said(*other.candidate) == Said(*pair.candidate) && other.candidate->pass == pair.candidate->pass) {
        given.by.push_back({candidate, &pair});
        return;
      }
    }
    asked.answers.push_back({{{candidate, &pair}}, why});
  }

  void LeaveOut() {
    size_t answers = 0;
    for (const Asked& asked : asked_) answers += asked.answers.size();
    if (answers <= kMostAnswers) return;
    for (Asked& asked : asked_)
      std::erase_if(asked.answers, [&](const Given& given) {
        if (!given.same()) return false;
        const auto by = static_cast<int64_t>(given.by.size());
        left_out_ += by;
        counts_[KindOf(given.pair())] -= by;
        return true;
      });
    std::erase_if(asked_, [](const Asked& asked) { return asked.answers.empty(); });
  }

  /// Bytes to which a text is cut, so that the page stays one that a browser opens.
  size_t Most() const {
    std::vector<size_t> sizes;
    for (const Asked& asked : asked_) {
      if (asked.text)
        for (const PromptPart& part : asked.text->prompt) sizes.push_back(part.text.size());
      for (const Given& given : asked.answers) {
        for (const SamplePair& sample : given.pair().samples) {
          sizes.push_back(sample.candidate->answer.size());
          sizes.push_back(sample.baseline->answer.size());
        }
      }
    }
    for (size_t most : {SIZE_MAX, size_t{65536}, size_t{16384}, size_t{4096}, size_t{1024}, size_t{256}}) {
      size_t sum = 0;
      for (size_t size : sizes) sum += std::min(size, most);
      if (sum <= kPageBytes) return most;
    }
    return 64;
  }

  std::string Cut(std::string_view text) const { return Shortened(text, most_); }

  std::string Filters(int64_t total) const {
    auto options = [](std::string_view id, std::string_view label, std::string_view all,
                      const std::vector<std::string>& names) {
      std::string out =
          fmt::format("<label class=\"vh\" for=\"{}\">{}</label><select id=\"{}\"><option value=\"\">{}</option>", id,
                      label, id, all);
      for (size_t i = 0; i < names.size(); ++i)
        out += fmt::format("<option value=\"{}\">{}</option>", i,
                           EscapeHtml(names[i].empty() ? std::string("(no slice)") : names[i]));
      return out + "</select>";
    };
    std::vector<std::string> names;
    for (const Comparison& comparison : comparisons_) names.push_back(comparison.candidate);
    std::string out =
        "<div class=\"filters\" role=\"group\" aria-label=\"Choose answers\"><label class=\"vh\" "
        "for=\"f-find\">Search</label><input type=\"search\" id=\"f-find\" placeholder=\"Search prompts and answers\">";
    out += options("f-arm", "Candidate", "All candidates", names);
    if (slices_.size() > 1) out += options("f-slice", "Slice", "All slices", slices_);
    if (!failures_.empty()) out += options("f-fail", "Failure", "Any failure", failures_);
    // Begin with what decides a verdict, unless there is nothing of the kind.
    const bool flips = counts_[kLost] + counts_[kGained] > 0;
    for (size_t kind = 0; kind < kKinds; ++kind) {
      if (counts_[kind] == 0) continue;
      out += fmt::format("<button type=\"button\" data-o=\"{}\" aria-pressed=\"{}\">{} {}</button>", kind,
                         !flips || kind <= kGained, kKindName[kind], counts_[kind]);
    }
    return out +
           fmt::format("<span class=\"count\" id=\"f-count\" aria-live=\"polite\">{} answers</span></div>", total);
  }

  std::string Prompt(const ExampleText& text) const {
    const std::vector<PromptPart>& parts = text.prompt;
    if (parts.empty()) return {};
    // The question: what the user said last, or all of a prompt that is no chat.
    size_t question = parts.size();
    for (size_t i = 0; i < parts.size(); ++i)
      if (parts[i].role == "user" || parts[i].role.empty()) question = i;
    std::string out;
    if (question < parts.size())
      out += fmt::format("<div class=\"ask\"><p class=\"role\">{}</p><pre>\n",
                         parts[question].role.empty() ? "prompt" : "question") +
             EscapeHtml(Cut(parts[question].text)) + "</pre></div>";
    if (parts.size() == (question < parts.size() ? 1u : 0u)) return out;
    out += "<details><summary>The whole prompt</summary><div class=\"prompt\">";
    for (bool tools : {false, true})  // which are long, last
      for (size_t i = 0; i < parts.size(); ++i) {
        if ((parts[i].role == "tools") != tools) continue;
        out += "<p class=\"role\">" + EscapeHtml(parts[i].role) + (i == question ? ": as above" : "") + "</p>";
        if (i != question) out += "<pre>\n" + EscapeHtml(Cut(parts[i].text)) + "</pre>";
      }
    return out + "</div></details>";
  }

  std::string Example(const Asked& asked) const {
    std::string out =
        fmt::format("<section class=\"ex\" data-s=\"{}\"><header><h3>{}</h3><span class=\"tag\">{}</span></header>",
                    asked.slice, EscapeHtml(asked.baseline->id), EscapeHtml(asked.baseline->slice));
    if (asked.text) out += Prompt(*asked.text);
    if (asked.text && !asked.text->expected.empty())
      out += "<p class=\"expected\">Expected: <code>" + EscapeHtml(Cut(asked.text->expected)) + "</code></p>";
    for (const Given& given : asked.answers) out += Article(given);
    return out + "</section>\n";
  }

  std::string Article(const Given& given) const {
    const ExamplePair& pair = given.pair();
    const Kind kind = KindOf(pair);
    std::string by, names, moved, failures;
    for (const Given::By& one : given.by) {
      by += fmt::format("{}{}", by.empty() ? "" : " ", one.candidate);
      names += (names.empty() ? "" : ", ") + EscapeHtml(comparisons_[one.candidate].candidate);
    }
    for (size_t f = 0; f < failures_.size(); ++f)
      if (HasFailure(pair, failures_[f])) failures += fmt::format("{}{}", failures.empty() ? "" : " ", f);
    std::string out = fmt::format(
        "<article class=\"pair\" data-c=\"{}\" data-o=\"{}\" data-f=\"{}\" tabindex=\"-1\"><header><b>{}</b><span "
        "class=\"o {}\">{}{}</span>",
        by, static_cast<int>(kind), failures, names, kKindClass[kind], OutcomeName(pair.outcome),
        pair.changed || kind <= kGained || kind == kLeftOut ? "" : ", the same answer");
    if (!given.why.empty()) out += "<span class=\"why\">" + EscapeHtml(given.why) + "</span>";
    out += "</header>";
    const ExampleResult &left = *pair.baseline, &right = *pair.candidate;
    const std::string baseline = EscapeHtml(comparisons_[given.by[0].candidate].baseline);
    if (given.same()) {
      out += "<div class=\"sides one\">" + Side(baseline + ", " + names, WorthOf(left), EscapeHtml(Cut(Said(left)))) +
             "</div>";
    } else {
      out += Sides(baseline, WorthOf(left), Cut(Said(left)), names, WorthOf(right), Cut(Said(right)));
      for (const Given::By& one : given.by) {
        const std::string text = MovedText(*one.pair);
        if (text.empty()) continue;
        moved += moved.empty() ? "" : "; ";
        if (given.by.size() > 1) moved += EscapeHtml(comparisons_[one.candidate].candidate) + ": ";
        moved += text;
      }
      if (!moved.empty()) out += "<p class=\"moved\">Outputs moved: " + moved + "</p>";
    }
    return out + OtherSamples(pair, baseline, names) + "</article>\n";
  }

  static bool HasFailure(const ExamplePair& pair, const std::string& failure) {
    return std::any_of(pair.samples.begin(), pair.samples.end(), [&](const SamplePair& sample) {
      return sample.baseline->failure() == failure || sample.candidate->failure() == failure;
    });
  }

  /// The samples that are not shown, those with the same two answers together.
  std::string OtherSamples(const ExamplePair& pair, const std::string& baseline, const std::string& candidate) const {
    struct Alike {
      SamplePair first;
      std::string numbers;
    };
    std::vector<Alike> alike;
    for (const SamplePair& sample : pair.samples) {
      if (sample.baseline == pair.baseline) continue;
      auto found = std::find_if(alike.begin(), alike.end(), [&](const Alike& other) {
        return Said(*other.first.baseline) == Said(*sample.baseline) &&
               Said(*other.first.candidate) == Said(*sample.candidate) &&
               WorthOf(*other.first.baseline) == WorthOf(*sample.baseline) &&
               WorthOf(*other.first.candidate) == WorthOf(*sample.candidate);
      });
      if (found == alike.end()) found = alike.insert(alike.end(), {sample, ""});
      found->numbers += fmt::format("{}{}", found->numbers.empty() ? "" : ", ", sample.baseline->sample + 1);
    }
    if (alike.empty()) return {};
    std::string out =
        fmt::format("<details><summary>{} more</summary>", Counted(std::ssize(pair.samples) - 1, "sample"));
    for (const Alike& some : alike) {
      const ExampleResult &left = *some.first.baseline, &right = *some.first.candidate;
      out += "<p class=\"role\">sample " + some.numbers + "</p>" +
             Sides(baseline, WorthOf(left), Cut(Said(left)), candidate, WorthOf(right), Cut(Said(right)));
    }
    return out + "</details>";
  }

  std::span<const Comparison> comparisons_;
  std::vector<std::string> failures_, slices_;
  std::array<int64_t, kKinds> counts_{};
  std::vector<Asked> asked_;
  int64_t unanswered_ = 0, left_out_ = 0;
  size_t most_ = SIZE_MAX;
};

}  // namespace

std::string AnswersHtml(const CheckRecord& record, std::span<const Comparison> comparisons) {
  return Answers(record, comparisons).Html();
}

std::string UnlabelledHtml(const CheckRecord& record) {
  const std::vector<DifferingPrompt> prompts = DifferingPrompts(record, {});
  if (prompts.empty()) return {};
  std::string out =
      "<section aria-labelledby=\"unlabelled\"><h2 id=\"unlabelled\">Unlabelled prompts whose answers differ</h2>";
  out += fmt::format(
      "<p class=\"sub\">{} of {}: nobody has said beforehand what is right. Equal answers cannot be worse; these can. "
      "<code>docs/tasks.md</code> tells how to label them.</p>",
      prompts.size(), Counted(std::ssize(record.baseline.unlabelled.examples), "prompt"));
  for (const DifferingPrompt& prompt : prompts) {
    out += "<section class=\"unlabelled\"><header><h3>" + EscapeHtml(prompt.id) + "</h3></header>";
    for (const OtherAnswer& other : prompt.answers) {
      const std::string from = EscapeHtml(Join(other.from, ", "));
      const auto worth = [&](std::string_view side) {
        return other.right.empty()                            ? Worth::kUnknown
               : other.right == side || other.right == "both" ? Worth::kRight
                                                              : Worth::kWrong;
      };
      out += "<article class=\"other\"><header><b>" + from + "</b><span class=\"why\">" +
             EscapeHtml(other.right.empty() ? "without a label" : "right: " + other.right) + "</span></header>" +
             Sides(EscapeHtml(prompt.draft.from), worth("baseline"), prompt.draft.answer, from, worth("candidate"),
                   other.answer) +
             "</article>\n";
    }
    out += "</section>\n";
  }
  return out + "</section>\n";
}

}  // namespace assay
