#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <regex>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "report/escape.h"
#include "report/headline.h"
#include "report/html/parts.h"
#include "report/html_check.h"
#include "report/notes.h"
#include "report/numbers.h"
#include "report/report_format.h"
#include "report/sample.h"
#include "system/file.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kHostile =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> \" onmouseover=\"x ' & &lt; ]]> <!-- "
    "\xFF\xC0\xAF\xED\xA0\x80 \x01\x1b[31m\x7f\r \xE2\x80\xAE"
    "evil\xE2\x81\xA6 http://example.org {{x}}";

/// Every foreign text of the record becomes hostile.
CheckRecord HostileCheck() {
  CheckRecord record = SampleCheck();
  record.task_name = record.text_name = record.build = record.machine = record.started = kHostile;
  int number = 0;
  auto spoil = [&](std::string& text) { text = kHostile + std::to_string(number++ % 7); };
  for (ExampleText& example : record.examples) {
    spoil(example.expected);
    for (PromptPart& part : example.prompt) {
      spoil(part.role);
      spoil(part.text);
    }
  }
  // Slices and ids must still match between arms.
  auto arm = [&](Arm& a) {
    a.run.header.model.name = a.run.header.model.format = a.run.header.model.fingerprint = kHostile;
    a.run.header.task_hash = a.run.header.arithmetic = kHostile;
    a.run.header.sampling = {{kHostile, kHostile}};
    for (ExampleResult& result : a.run.examples) {
      result.id += kHostile;
      result.slice += kHostile;
      spoil(result.answer);
      for (CheckResult& check : result.checks) {
        if (!check.pass) spoil(check.failure);
        spoil(check.detail);
      }
    }
    for (Displacement& moved : a.displacement) moved.id += kHostile;
  };
  arm(record.baseline);
  for (Arm& candidate : record.candidates) arm(candidate);
  for (ExampleText& example : record.examples) example.id += kHostile;
  return record;
}

void ExpectSafe(const std::string& html) {
  const HtmlFindings found = CheckHtml(html);
  EXPECT_THAT(found.problems, IsEmpty());
  EXPECT_EQ(found.scripts, 1);
  for (const auto& [attribute, value] : found.attributes) {
    const std::string name = attribute.substr(attribute.find('.') + 1);
    // Nothing loads and nothing runs: no attribute that names a resource or a handler, links stay inside the page.
    EXPECT_NE(name, "src") << value;
    EXPECT_NE(name, "style") << value;
    EXPECT_FALSE(name.starts_with("on")) << attribute;
    if (name == "href") {
      EXPECT_TRUE(value.starts_with("#")) << value;
    }
  }
  for (std::string_view tag : {"<link", "<img", "<iframe", "<object", "<embed", "<base"})
    EXPECT_EQ(html.find(tag), std::string::npos) << tag;
  for (std::string_view load : {"@import", "url("}) EXPECT_EQ(ReportStyle().find(load), std::string::npos);
  for (std::string_view load : {"fetch(", "XMLHttp", "import", "innerHTML", "eval"})
    EXPECT_EQ(ReportScript().find(load), std::string::npos);
  EXPECT_EQ(VisibleText(html, true), html);  // valid UTF-8, no control and no invisible character
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
}

TEST(Html, SampleIsWellFormedAndOffline) {
  const CheckRecord record = SampleCheck();
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string html = RenderHtml(record, comparisons);
  ExpectSafe(html);
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(RenderHtml(record, comparisons), html);
  // Verdicts come first, then slices, plots, pairs.
  std::vector<size_t> places;
  for (const char* id : {"<h1>", "id=\"verdicts\"", "id=\"slices\"", "id=\"plots\"", "id=\"failures\"",
                         "id=\"answers\"", "id=\"method\""}) {
    places.push_back(html.find(id));
    EXPECT_NE(places.back(), std::string::npos) << id;
  }
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
  // Every answer of every candidate is there: where several gave the same, once.
  size_t answers = 0, articles = 0, given = 0;
  for (const Comparison& comparison : comparisons) answers += comparison.pairs.size();
  const std::regex article("<article class=\"pair\" data-c=\"([0-9 ]+)\"");
  for (auto it = std::sregex_iterator(html.begin(), html.end(), article); it != std::sregex_iterator();
       ++it, ++articles)
    given += Split(it->str(1), ' ').size();
  EXPECT_EQ(given, answers);
  EXPECT_EQ(answers, 300u);
  EXPECT_LT(articles, 200u);
  // ASSAY_WRITE_REPORT=FILE keeps it for looking at.
  if (const char* path = std::getenv("ASSAY_WRITE_REPORT")) WriteFileAtomically(path, html);
}

TEST(Html, HostileTextStaysText) {
  const CheckRecord record = HostileCheck();
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string html = RenderHtml(record, comparisons);
  ExpectSafe(html);
  EXPECT_THAT(html, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(1)"));
  EXPECT_THAT(html, HasSubstr("\xE2\x80\xB9U+202E\xE2\x80\xBA"));  // the override is shown, not obeyed
  EXPECT_THAT(html, HasSubstr("\xE2\x90\x9B[31m"));                // picture of ESC
}

TEST(Html, WithoutMeasurements) {
  // What `assay compare` has: two runs, no prompts, no cost, no text; and runs that cannot be compared.
  CheckRecord record = SampleCheck();
  record.examples.clear();
  record.text_name.clear();
  for (Arm* arm : {&record.baseline, &record.candidates[0], &record.candidates[5]}) {
    arm->cost = {};
    arm->quality = {};
    arm->displacement.clear();
    arm->run.header.model.file_bytes = 0;
  }
  record.candidates = {record.candidates[0], record.candidates[5]};
  record.candidates[0].run.header.task_hash = "other";
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string html = RenderHtml(record, comparisons);
  ExpectSafe(html);
  EXPECT_THAT(html, HasSubstr("not comparable"));
  EXPECT_THAT(html, HasSubstr("different task: 6b1f0c2a9d3e and other"));
  EXPECT_EQ(html.find("id=\"plots\""), std::string::npos);
  EXPECT_EQ(html.find(">Perplexity<"), std::string::npos);
  record.candidates.clear();
  ExpectSafe(RenderHtml(record, {}));
}

TEST(Html, UnlabelledAnswersThatDifferStandSideBySide) {
  CheckRecord record = SampleCheck();
  EXPECT_EQ(RenderHtml(record, Judge(record)).find("id=\"unlabelled\""), std::string::npos);
  auto answers = [](std::vector<std::string> texts) {
    RunRecord run;
    for (size_t i = 0; i < texts.size(); ++i) {
      ExampleResult& result = run.examples.emplace_back();
      result.id = fmt::format("traffic-{}", i);
      result.answer = texts[i];
      result.pass = true;
      result.checks = {{"text", true, "", texts[i]}};
    }
    return run;
  };
  record.baseline.unlabelled = answers({"Oslo <b>", "the same"});
  record.candidates[0].unlabelled = answers({"Bergen <b>", "the same"});
  std::string html = RenderHtml(record, Judge(record));
  ExpectSafe(html);
  EXPECT_THAT(html, HasSubstr("1 of 2 prompts"));
  EXPECT_THAT(html, HasSubstr("<h3>traffic-0</h3>"));
  EXPECT_EQ(html.find("<h3>traffic-1</h3>"), std::string::npos);
  EXPECT_THAT(html, HasSubstr("<mark>Oslo</mark> &lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("<mark>Bergen</mark> &lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("without a label"));
  EXPECT_THAT(html.substr(html.find("<h3>traffic-0</h3>")), Not(HasSubstr("side right")));
  record.labels = {{"traffic-0", HashHex("Oslo <b>"), HashHex("Bergen <b>"), "baseline"}};
  html = RenderHtml(record, Judge(record));
  EXPECT_THAT(html, HasSubstr("right: baseline"));
  const std::string labelled = html.substr(html.find("<h3>traffic-0</h3>"));
  EXPECT_LT(labelled.find("side right\"><h4>bf16"), labelled.find("side wrong\"><h4>q8_0"));
  EXPECT_NE(labelled.find("side wrong\"><h4>q8_0"), std::string::npos);
}

TEST(Html, NothingDiffers) {
  CheckRecord record = SampleCheck();
  record.candidates.resize(1);
  record.candidates[0].run.examples = record.baseline.run.examples;
  const std::string html = RenderHtml(record, Judge(record));
  ExpectSafe(html);
  EXPECT_THAT(html, HasSubstr("Nothing was lost and nothing gained."));
  EXPECT_THAT(html, HasSubstr("both right, the same answer"));
  EXPECT_EQ(html.find("<mark>"), std::string::npos);
}

TEST(Html, RightIsGreenAndWrongIsRed) {
  // Whichever of the two it is: a lost answer was right.
  CheckRecord record = SampleCheck();
  record.candidates.resize(1);
  ExampleResult& lost = record.candidates[0].run.examples[0];
  lost.pass = false;
  lost.answer = "something else";
  lost.checks[0].pass = false;
  lost.checks[0].failure = "no call";
  record.examples[0].prompt[0].text += " Tools come first here.";
  const std::string html = RenderHtml(record, Judge(record));
  ExpectSafe(html);
  const size_t at = html.find("data-o=\"0\" data-f");
  ASSERT_NE(at, std::string::npos);
  const std::string article = html.substr(at, html.find("</article>", at) - at);
  EXPECT_THAT(article, HasSubstr("<span class=\"o lost\">lost</span>"));
  EXPECT_THAT(article, HasSubstr("<div class=\"side right\"><h4>bf16<span class=\"w\">\xE2\x9C\x93 right</span>"));
  EXPECT_THAT(article, HasSubstr("<div class=\"side wrong\"><h4>q8_0<span class=\"w\">\xE2\x9C\x97 wrong</span>"));
  // Green stands for right alone: marks take the colour of their side.
  const std::string style(ReportStyle());
  EXPECT_THAT(style, HasSubstr(".right mark{background:var(--add)"));
  EXPECT_THAT(style, HasSubstr(".wrong mark{background:var(--del)"));
  // What was asked comes before what it was asked with.
  EXPECT_LT(html.find("Please book Lisbon"), html.find("You book travel"));
  EXPECT_LT(html.find("You book travel"), html.find("book_trip(city: string"));
}

TEST(Html, TextsWithoutEndAreCutAndThatIsSaid) {
  CheckRecord record = SampleCheck();
  for (Arm& arm : record.candidates)
    for (ExampleResult& result : arm.run.examples) result.answer += std::string(100000, 'x') + arm.model().format;
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string html = RenderHtml(record, comparisons);
  ExpectSafe(html);
  EXPECT_LT(html.size(), size_t{8} << 20);
  EXPECT_THAT(html, HasSubstr("bytes are cut here; the data of the check has them whole."));
  EXPECT_THAT(RenderHtml(SampleCheck(), Judge(SampleCheck())), Not(HasSubstr("are cut here")));
  // So many that not even the baseline's own answers are repeated.
  record = SampleCheck();
  record.candidates.resize(1);
  auto many = [](RunRecord& run) {
    const std::vector<ExampleResult> once = run.examples;
    for (int round = 1; round < 100; ++round)
      for (const ExampleResult& result : once) {
        run.examples.push_back(result);
        run.examples.back().id += fmt::format("-{}", round);
      }
  };
  record.candidates[0].run = record.baseline.run;
  many(record.baseline.run);
  many(record.candidates[0].run);
  ExampleResult& lost = record.candidates[0].run.examples[4711];
  ASSERT_TRUE(lost.pass);
  lost.pass = false;
  lost.answer = "lost it";
  const std::string short_page = RenderHtml(record, Judge(record));
  EXPECT_THAT(short_page,
              HasSubstr("4999 answers that are the baseline\xE2\x80\x99s own, word for word, are left out"));
  EXPECT_THAT(short_page, HasSubstr("lost it"));
  EXPECT_LT(short_page.size(), size_t{1} << 20);
}

TEST(Headline, OneSentenceForWhoDecides) {
  CheckRecord record = SampleCheck();
  EXPECT_EQ(Headline(record, Judge(record)),
            "Ship q6_k: 44% of the size of bf16, and none of the 47 answers that were right is lost.");
  EXPECT_THAT(NextSteps(record, Judge(record)), IsEmpty());
  record.candidates.resize(1);
  record.candidates[0].run.examples = record.baseline.run.examples;
  EXPECT_EQ(Headline(record, Judge(record)),
            "Ship q8_0: 54% of the size of bf16, and none of the 47 answers that were right is lost.");
  record.candidates[0].run.examples[0].pass = false;
  EXPECT_EQ(Headline(record, Judge(record)),
            "Ship q8_0: 54% of the size of bf16, and it loses 1 of 50 examples and gains none, within the margin of 10 "
            "points.");
  record.candidates[0].run.header.model.file_bytes = record.baseline.run.header.model.file_bytes + 1;
  EXPECT_EQ(Headline(record, Judge(record)), "Keep bf16: nothing smaller is shown to do the same.");
  record = SampleCheck();
  record.candidates = {record.candidates[5]};
  EXPECT_EQ(Headline(record, Judge(record)), "Do not ship q2_k: it loses answers that bf16 gets right.");
  EXPECT_THAT(NextSteps(record, Judge(record)),
              testing::ElementsAre(HasSubstr("Try a larger format: more than 3.35 bits"), HasSubstr("Read the lost")));
  record.candidates[0].run.header.task_hash = "other";
  EXPECT_EQ(Headline(record, Judge(record)), "Nothing can be said: no candidate can be compared with bf16.");
  EXPECT_THAT(NextSteps(record, Judge(record)), testing::Contains(HasSubstr("Make q2_k comparable: different task")));
  // A baseline that fails.
  record = SampleCheck();
  record.candidates.resize(1);
  for (size_t i = 0; i < 40; ++i) {
    ExampleResult& result = record.baseline.run.examples[i];
    result.pass = false;
    result.checks[0].pass = false;
    result.checks[0].failure = "no call";
  }
  record.candidates[0].run.examples = record.baseline.run.examples;
  EXPECT_EQ(Headline(record, Judge(record)), "Nothing can be said yet: bf16 itself fails most of this task.");
  EXPECT_THAT(NextSteps(record, Judge(record)), testing::ElementsAre(HasSubstr("most often as \"no call\" (40)")));
  // Too few examples.
  record = SampleCheck();
  record.candidates.resize(1);
  record.baseline.run.examples.resize(10);
  record.candidates[0].run.examples = record.baseline.run.examples;
  EXPECT_EQ(Headline(record, Judge(record)),
            "Not known yet: 10 examples cannot show whether q8_0 does the same as bf16.");
  EXPECT_THAT(NextSteps(record, Judge(record)), testing::Contains(HasSubstr("Add examples of the same kind: about ")));
}

TEST(Slices, CellsSaySomething) {
  Judgement slice;
  slice.judged = true;
  slice.answers = 10;
  slice.candidate_passed = 10;
  EXPECT_EQ(SliceText(slice, true), "10/10");
  slice.counts = {10, 2, 1};
  slice.candidate_passed = 9;
  EXPECT_EQ(SliceText(slice, true),
            "9/10 \xE2\x88\x92"
            "2 +1");
  slice.verdict = Verdict::kCracks;
  EXPECT_EQ(SliceText(slice, true),
            "\xE2\x9C\x97 9/10 \xE2\x88\x92"
            "2 +1");
  EXPECT_EQ(SliceText(slice, false),
            "9/10 \xE2\x88\x92"
            "2 +1");
  const CheckRecord record = SampleCheck();
  const std::string terminal = RenderTerminal(record, Judge(record), {120, false});
  EXPECT_EQ(terminal.find(" ?"), std::string::npos) << terminal;
  EXPECT_THAT(terminal, HasSubstr("no mark: too few examples to tell"));
}

TEST(Formats, ByTheEndingOfTheName) {
  EXPECT_EQ(ReportFormatOf("a/b.MD", "-o"), ReportFormat::kMarkdown);
  EXPECT_EQ(ReportFormatOf("x.tar.json", "-o"), ReportFormat::kJson);
  for (const char* name : {"x", "x.txt", ".html", "x.html.gz", ""})
    EXPECT_THROW(ReportFormatOf(name, "-o"), Error) << name;
  const CheckRecord record = SampleCheck(), hostile = HostileCheck();
  for (ReportFormat format :
       {ReportFormat::kHtml, ReportFormat::kMarkdown, ReportFormat::kJunit, ReportFormat::kCsv, ReportFormat::kJson})
    for (const CheckRecord* each : {&record, &hostile}) {
      const std::string text = RenderReport(format, *each, Judge(*each), "another build");
      EXPECT_TRUE(IsReport(std::string_view(text).substr(0, 256)));
      EXPECT_FALSE(IsReport(std::string_view(text).substr(1, 256)));
      if (format == ReportFormat::kHtml || format == ReportFormat::kMarkdown || format == ReportFormat::kJunit) {
        EXPECT_THAT(text, HasSubstr("another build"));
      }
      if (format != ReportFormat::kCsv && format != ReportFormat::kJson) {
        EXPECT_EQ(VisibleText(text, true), text);  // valid UTF-8, no control and no invisible character
      }
    }
}

double Luminance(unsigned color) {
  auto channel = [](unsigned value) {
    const double c = value / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * channel(color >> 16 & 255) + 0.7152 * channel(color >> 8 & 255) + 0.0722 * channel(color & 255);
}

TEST(Html, ContrastOfBothThemes) {
  // WCAG 2: at least 4.5 to 1 for text.
  const std::string style(ReportStyle());
  const size_t dark = style.find("data-theme=dark]{");
  ASSERT_NE(dark, std::string::npos);
  for (size_t begin : {size_t{0}, dark}) {
    std::map<std::string, unsigned> colors;
    const std::string rule = style.substr(begin, style.find('}', begin) - begin);
    const std::regex variable("--([a-z-]+):#([0-9a-f]{3,6})");
    for (auto it = std::sregex_iterator(rule.begin(), rule.end(), variable); it != std::sregex_iterator(); ++it) {
      std::string hex = (*it)[2];
      if (hex.size() == 3) hex = {hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]};
      colors[(*it)[1]] = static_cast<unsigned>(std::stoul(hex, nullptr, 16));
    }
    const std::pair<const char*, const char*> pairs[] = {{"fg", "bg"},
                                                         {"fg", "panel"},
                                                         {"fg", "soft"},
                                                         {"fg", "add"},
                                                         {"fg", "del"},
                                                         {"muted", "bg"},
                                                         {"muted", "panel"},
                                                         {"muted", "soft"},
                                                         {"holds", "holds-soft"},
                                                         {"cracks", "cracks-soft"},
                                                         {"unsure", "unsure-soft"},
                                                         {"accent", "bg"},
                                                         {"holds", "bg"},
                                                         {"cracks", "bg"}};
    for (const auto& [text, ground] : pairs) {
      ASSERT_TRUE(colors.count(text) && colors.count(ground)) << text << " " << ground;
      const double a = Luminance(colors[text]), b = Luminance(colors[ground]);
      EXPECT_GE((std::max(a, b) + 0.05) / (std::min(a, b) + 0.05), 4.5)
          << text << " on " << ground << (begin ? ", dark" : ", light");
    }
  }
}

size_t Widest(const std::string& text) {
  size_t widest = 0;
  for (const std::string& line : Split(text, '\n')) widest = std::max(widest, ColumnCount(line));
  return widest;
}

TEST(Terminal, FitsTheWidth) {
  const CheckRecord record = SampleCheck();
  const std::vector<Comparison> comparisons = Judge(record);
  for (int width : {120, 100, 80})
    EXPECT_LE(Widest(RenderTerminal(record, comparisons, {width, false})), static_cast<size_t>(width));
  const std::string wide = RenderTerminal(record, comparisons, {120, false}),
                    narrow = RenderTerminal(record, comparisons, {80, false});
  for (const char* word : {"format", "bits", "size", "perplexity", "KL", "passed", "lost", "gained", "verdict",
                           "prefill t/s", "decode t/s", "memory"})
    EXPECT_THAT(wide, HasSubstr(word));
  EXPECT_THAT(narrow, Not(HasSubstr("memory")));
  for (const char* word : {"format", "passed", "lost", "verdict"}) EXPECT_THAT(narrow, HasSubstr(word));
  EXPECT_THAT(wide, HasSubstr("q2_k        3.35   65.0 MiB       31.70   0.520   27/50    21       1  cracks"));
  std::string flowing = wide;
  std::replace(flowing.begin(), flowing.end(), '\n', ' ');
  EXPECT_THAT(flowing, HasSubstr(Advice(record, comparisons)));
}

TEST(Notes, WhatIsTrueOfAllIsSaidOnce) {
  std::vector<Comparison> comparisons(3);
  comparisons[0].notes = {"of all", "its own"};
  comparisons[1].notes = {"another", "of all"};
  comparisons[2].notes = {"of all"};
  const Notes notes = NotesOf(comparisons);
  EXPECT_EQ(notes.common, std::vector<std::string>{"of all"});
  EXPECT_EQ(notes.own, (std::vector<std::vector<std::string>>{{"its own"}, {"another"}, {}}));
  // One candidate's notes stay with it.
  EXPECT_TRUE(NotesOf(std::span(comparisons).first(1)).common.empty());
  EXPECT_EQ(NotesOf(std::span(comparisons).first(1)).own[0].size(), 2u);

  const CheckRecord record = SampleCheck();
  std::vector<Comparison> judged = Judge(record);
  for (Comparison& comparison : judged) comparison.notes = {"told to everyone"};
  auto count = [](const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count(RenderTerminal(record, judged, {}), "told to everyone"), 1u);
  const std::string html = RenderHtml(record, judged);
  EXPECT_EQ(count(html, "Told to everyone."), 1u);
  EXPECT_EQ(count(html, "told to everyone"), 0u);
  ExpectSafe(html);
}

TEST(Terminal, ColoursOnlyWhenAsked) {
  const CheckRecord record = HostileCheck();
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string plain = RenderTerminal(record, comparisons, {120, false});
  for (unsigned char c : plain) EXPECT_TRUE(c >= 0x20 || c == '\n') << static_cast<int>(c);
  EXPECT_EQ(VisibleText(plain, true), plain);
  const std::string colored = RenderTerminal(SampleCheck(), Judge(SampleCheck()), {120, true});
  EXPECT_THAT(colored, HasSubstr("\x1b[31mcracks\x1b[0m"));
  EXPECT_THAT(colored, HasSubstr("\x1b[32mholds\x1b[0m"));
}

TEST(Terminal, OddCases) {
  CheckRecord record = SampleCheck();
  record.candidates.resize(1);
  record.candidates[0].run.complete = false;
  EXPECT_THAT(RenderTerminal(record, Judge(record), {120, false}),
              HasSubstr("q8_0: not comparable: the run of the candidate was interrupted"));
  record.candidates.clear();
  EXPECT_EQ(RenderTerminal(record, {}, {120, false}), "There is no candidate to judge.\n");
  for (int width : {0, 1, 10})
    EXPECT_FALSE(RenderTerminal(SampleCheck(), Judge(SampleCheck()), {width, false}).empty());
}

TEST(Samples, EveryViewCountsAnswersAndShowsTheOneThatFlips) {
  CheckRecord record = SampleCheck();
  record.candidates.resize(1);
  // Each answer four times, the last sample of the candidate's first example another one.
  auto fourfold = [](RunRecord& run) {
    run.header.samples = 4;
    std::vector<ExampleResult> all;
    for (const ExampleResult& result : run.examples)
      for (int64_t sample = 0; sample < 4; ++sample) {
        all.push_back(result);
        all.back().sample = sample;
      }
    run.examples = std::move(all);
  };
  record.candidates[0].run = record.baseline.run;
  fourfold(record.baseline.run);
  fourfold(record.candidates[0].run);
  ASSERT_TRUE(record.candidates[0].run.examples[3].pass);
  record.candidates[0].run.examples[3].pass = false;
  record.candidates[0].run.examples[3].answer = "another one";
  record.candidates[0].run.examples[3].answer_ids = {1};
  record.noise.repeated = 5;
  const std::vector<Comparison> comparisons = Judge(record);
  ASSERT_TRUE(comparisons[0].comparable) << comparisons[0].obstacles[0];
  const std::string terminal = RenderTerminal(record, comparisons, {200, false}),
                    html = RenderHtml(record, comparisons);
  const Json json = RenderJson(record, comparisons);
  for (const std::string& view : {terminal, html}) {
    EXPECT_THAT(view, HasSubstr("200 answers (50 examples \xC3\x97 4) in 5 slices"));
    EXPECT_THAT(view, HasSubstr("187/200"));
    EXPECT_THAT(view, HasSubstr("188/200"));
    EXPECT_THAT(view, HasSubstr("1 lost, 0 gained on balance of 50"));
    EXPECT_THAT(view, HasSubstr("Noise: greedy answers have none: 5 examples asked again gave the same answers."));
  }
  ExpectSafe(html);
  EXPECT_THAT(html, HasSubstr("4 and 3 of 4 samples pass; sample 4"));
  EXPECT_THAT(html, HasSubstr("another one"));
  EXPECT_THAT(Advice(record, comparisons), HasSubstr("1 lost, 0 gained on balance of 50 \xC3\x97 4"));
  EXPECT_EQ(json["baseline"]["examples"], 50);
  EXPECT_EQ(json["baseline"]["answers"], 200);
  EXPECT_EQ(json["baseline"]["passed"], 188);
  EXPECT_EQ(json["verdicts"][0]["all"]["drop"], 0.5);
  EXPECT_EQ(json["noise"]["repeated"], 5);
}

TEST(Views, TellInfiniteFromNotMeasured) {
  CheckRecord record = SampleCheck();
  record.candidates.resize(2);
  record.candidates[0].quality = {INFINITY, NAN, INFINITY, INFINITY, 0.5};
  record.candidates[1].quality = {};
  const std::vector<Comparison> comparisons = Judge(record);
  const std::string terminal = RenderTerminal(record, comparisons, {200, false}),
                    html = RenderHtml(record, comparisons);
  ExpectSafe(html);
  auto line = [](const std::string& text, const std::string& name) {
    const size_t at = text.find("\n" + name);
    EXPECT_NE(at, std::string::npos) << text;
    return text.substr(at, text.find('\n', at + 1) - at);
  };
  EXPECT_THAT(line(terminal, "q8_0"), testing::ContainsRegex("inf +inf"));
  EXPECT_THAT(line(terminal, "fp8"), testing::ContainsRegex(std::string(kDash) + " +" + kDash));
  EXPECT_THAT(html, HasSubstr(">inf<"));
  EXPECT_THAT(html, HasSubstr(std::string(">") + kDash + "<"));
  const Json json = RenderJson(record, comparisons);
  EXPECT_EQ(json["verdicts"][0]["quality"]["perplexity"], "inf");
  EXPECT_EQ(json["verdicts"][0]["quality"]["perplexity_error"], Json(nullptr));
  EXPECT_EQ(json["verdicts"][0]["quality"]["mean_kl"], "inf");
  EXPECT_EQ(json["verdicts"][1]["quality"], Json::object());
}

TEST(ReportJson, VerdictsDoNotDependOnTimes) {
  CheckRecord record = SampleCheck();
  const Json first = RenderJson(record, Judge(record));
  EXPECT_EQ(first["schema"], "assay.check");
  EXPECT_EQ(first["version"], kReportVersion);
  EXPECT_EQ(first["recommended"], "q6_k");
  EXPECT_EQ(first["baseline"]["passed"], 47);
  ASSERT_EQ(first["verdicts"].size(), 6u);
  EXPECT_EQ(first["verdicts"][5]["all"]["verdict"], "cracks");
  EXPECT_EQ(first["verdicts"][5]["model"]["format"], "q2_k");
  EXPECT_EQ(first["cost"]["arms"].size(), 7u);
  record.started = "another day";
  record.elapsed_s = 1;
  record.baseline.cost = {1, 2, 3};
  Json second = RenderJson(record, Judge(record));
  EXPECT_NE(DumpJson(first), DumpJson(second));
  second["cost"] = first["cost"];
  EXPECT_EQ(DumpJson(first), DumpJson(second));
}

}  // namespace
}  // namespace assay
