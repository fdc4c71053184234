#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "report/diff.h"
#include "report/escape.h"
#include "report/numbers.h"

namespace assay {
namespace {

std::string Marked(std::string_view before, std::string_view after) {
  std::string out;
  for (const DiffPart& part : DiffWords(before, after)) {
    if (part.kind == DiffPart::kSame) out += part.before;
    if (part.kind == DiffPart::kRemoved) out += "[-" + std::string(part.before) + "-]";
    if (part.kind == DiffPart::kAdded) out += "{+" + std::string(part.after) + "+}";
  }
  return out;
}

TEST(Diff, ByWords) {
  EXPECT_EQ(Marked("", ""), "");
  EXPECT_EQ(Marked("same", "same"), "same");
  EXPECT_EQ(Marked("", "new"), "{+new+}");
  EXPECT_EQ(Marked("old", ""), "[-old-]");
  EXPECT_EQ(Marked("the answer is 42.", "the answer is 43."), "the answer is [-42-]{+43+}.");
  EXPECT_EQ(Marked("\"date\": \"2026-05-01\"", "\"date\": \"2026-05-10\""), "\"date\": \"2026-05-[-01-]{+10+}\"");
  EXPECT_EQ(Marked("a b c d", "a c d"), "a [-b -]c d");
  EXPECT_EQ(Marked("one two, three", "uno dos, tres"),
            "[-one two, three-]{+uno dos, tres+}");  // no confetti of spaces and commas
  EXPECT_EQ(Marked("gr\xC3\xBC\xC3\x9F"
                   "e sie",
                   "gr\xC3\xBC\xC3\x9F"
                   "t sie"),
            "[-gr\xC3\xBC\xC3\x9F"
            "e-]{+gr\xC3\xBC\xC3\x9F"
            "t+} sie");
  // One character is one unit in scripts without spaces.
  EXPECT_EQ(Marked("\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1\xE6\xB5\xB7"),
            "\xE6\x9D\xB1[-\xE4\xBA\xAC-]{+\xE6\xB5\xB7+}");
}

TEST(Diff, PartsRebuildBothTexts) {
  Random random(3);
  const std::string letters = "ab ,\n\"\xC3\xA9\xE6\x9D\xFF";
  for (int round = 0; round < 3000; ++round) {
    std::string before, after;
    for (uint64_t i = random.Below(30); i > 0; --i) before += letters[random.Below(letters.size())];
    for (uint64_t i = random.Below(30); i > 0; --i) after += letters[random.Below(letters.size())];
    std::string left, right;
    DiffPart::Kind last = DiffPart::kSame;
    bool first = true;
    for (const DiffPart& part : DiffWords(before, after)) {
      left += part.before;
      right += part.after;
      if (part.kind == DiffPart::kSame) {
        EXPECT_EQ(part.before, part.after);
      }
      EXPECT_TRUE(first || part.kind != last || part.kind == DiffPart::kSame);
      last = part.kind;
      first = false;
    }
    ASSERT_EQ(left, before);
    ASSERT_EQ(right, after);
  }
}

TEST(Diff, VeryLongTexts) {
  std::string before = "start ", after = "start ";
  for (int i = 0; i < 20000; ++i) {
    before += std::to_string(i) + " ";
    after += std::to_string(i * 7 + 1) + " ";
  }
  const std::vector<DiffPart> parts = DiffWords(before, after);
  EXPECT_LE(parts.size(), 4u);
  EXPECT_EQ(parts[0].before, "start ");
}

TEST(Escape, Html) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(EscapeHtml("a\nb\tc"), "a\nb\tc");
  EXPECT_EQ(EscapeHtml("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82"), "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82");
}

TEST(Escape, Markdown) {
  EXPECT_EQ(MarkdownText("Ship q4_k_m: 3 of 50."), "Ship q4\\_k\\_m: 3 of 50.");
  EXPECT_EQ(MarkdownText("a|b `c` *d* <e> [f](g) ~h~ $i$ &lt; !\\"),
            "a\\|b \\`c\\` \\*d\\* \\<e\\> \\[f\\](g) \\~h\\~ \\$i\\$ \\&lt; \\!\\\\");
  EXPECT_EQ(MarkdownText("@a #1 GH-1"), "@&#8203;a #&#8203;1 GH&#8203;-1");
  EXPECT_EQ(MarkdownText("http://a WWW.b mailto:c"), "http:&#8203;//a WWW&#8203;.b mailto:&#8203;c");
  EXPECT_EQ(MarkdownText("a\nb\x1b"),
            "a\xE2\x90\x8A"
            "b\xE2\x90\x9B");
}

TEST(Escape, AnswersKeepWhatLanguagesNeed) {
  const std::string family = "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                    hindi = "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D";
  for (const std::string& text : {family, hindi, std::string("a\r\nb\tc"), std::string("\xE2\x80\x8F")})
    EXPECT_EQ(AnswerText(text), text);
  EXPECT_EQ(AnswerText("\x1b[2J"), "\xE2\x90\x9B[2J");
  EXPECT_EQ(AnswerText("right\rwrong"), "right\xE2\x90\x8Dwrong");  // would overwrite the line
  EXPECT_EQ(AnswerText("\xE2\x80\xAE"), "\xE2\x80\xB9U+202E\xE2\x80\xBA");
}

TEST(Escape, JsonIsTheSameValue) {
  EXPECT_EQ(PrintableJson("{\"a\": \"\xC2\x9B\x7F\xE2\x80\xAE\xF3\xA0\x80\x81 \xE6\x9D\xB1\"}"),
            "{\"a\": \"\\u009b\\u007f\\u202e\\udb40\\udc01 \xE6\x9D\xB1\"}");
}

TEST(Escape, EndlessTextIsCutBetweenCharacters) {
  EXPECT_EQ(Shortened("abc", 3), "abc");
  EXPECT_EQ(Shortened("abcd", 3), "abc\xE2\x80\xA6 (1 more bytes)");
  EXPECT_EQ(Shortened("a\xE6\x9D\xB1"
                      "b",
                      3),
            "a\xE2\x80\xA6 (4 more bytes)");
}

TEST(Escape, NothingInvisible) {
  EXPECT_EQ(VisibleText(std::string_view("\0\x1b\r\x7f", 4), true), "\xE2\x90\x80\xE2\x90\x9B\xE2\x90\x8D\xE2\x90\xA1");
  EXPECT_EQ(VisibleText("a\nb", false),
            "a\xE2\x90\x8A"
            "b");
  EXPECT_EQ(VisibleText("\xE2\x80\x8B\xEF\xBB\xBF\xC2\x85", true),
            "\xE2\x80\xB9U+200B\xE2\x80\xBA\xE2\x80\xB9U+FEFF\xE2\x80\xBA\xE2\x80\xB9U+0085\xE2\x80\xBA");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(VisibleText("\xFF", true), bad);
  EXPECT_EQ(VisibleText("\xC0\xAF", true), bad + bad);                      // overlong
  EXPECT_EQ(VisibleText("\xED\xA0\x80", true), bad + bad + bad);            // surrogate
  EXPECT_EQ(VisibleText("\xF4\x90\x80\x80", true), bad + bad + bad + bad);  // beyond Unicode
  EXPECT_EQ(VisibleText("\xE2\x82", true), bad + bad);                      // cut
  EXPECT_EQ(VisibleText("a\xE2", true), "a" + bad);
}

TEST(Escape, EveryByteStringBecomesValid) {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint64_t i = random.Below(12); i > 0; --i) text += static_cast<char>(random.Below(256));
    const std::string visible = VisibleText(text, true);
    ASSERT_EQ(VisibleText(visible, true), visible);
    ASSERT_EQ(visible.find('\x1b'), std::string::npos);
  }
}

TEST(Escape, Terminal) {
  EXPECT_EQ(TerminalText("abcdef", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(TerminalText("abcd", 4), "abcd");
  EXPECT_EQ(NameText("model @ 127.0.0.1:8123", 12), "model \xE2\x80\xA6:8123");
  EXPECT_EQ(NameText("abcdef", 6), "abcdef");
  EXPECT_EQ(NameText("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 3), "\xC3\xA9\xE2\x80\xA6\xC3\xA9");
  EXPECT_EQ(NameText("abcdef", 2), "a\xE2\x80\xA6");
  EXPECT_EQ(TerminalText("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xE2\x80\xA6");
  EXPECT_EQ(ColumnCount("\xC3\xA9x"), 2u);
}

TEST(Numbers, AsWritten) {
  EXPECT_EQ(PerplexityText(17.424), "17.42");
  EXPECT_EQ(PerplexityText(174.24), "174.2");
  EXPECT_EQ(PerplexityText(17424), "17424");
  EXPECT_EQ(PerplexityText(INFINITY), "inf");
  EXPECT_EQ(PerplexityText(std::nullopt), kDash);
  EXPECT_EQ(PerplexityText(NAN), "NaN");
  EXPECT_EQ(DivergenceText(INFINITY), "inf");
  EXPECT_EQ(DivergenceText(NAN), "NaN");
  EXPECT_EQ(DivergenceText(std::nullopt), kDash);
  EXPECT_EQ(DivergenceText(0.00123), "0.0012");
  EXPECT_EQ(DivergenceText(0.4449), "0.445");
  EXPECT_EQ(SpeedText(0), kDash);
  EXPECT_EQ(SpeedText(NAN), kDash);
  EXPECT_EQ(SpeedText(INFINITY), "inf");
  EXPECT_EQ(BitsText(NAN), kDash);
  EXPECT_EQ(PointsText(0.0204), "2.0");
  EXPECT_EQ(PointsText(-0.0134),
            "\xE2\x88\x92"
            "1.3");
  EXPECT_EQ(PointsText(-0.0001), "0.0");
}

}  // namespace
}  // namespace assay
