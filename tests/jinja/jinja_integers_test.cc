// Integers beyond 64 bits, which Python has and 64 bits have not: shown and compared as Python does (expected values
// are those of transformers 5.24 with jinja2 3.1.6), refused where they would have to be computed with.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/json_number.h"
#include "jinja/template.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

const Json& Variables() {
  static const Json variables = AsPythonReads(ParseExactJson(
      R"({"u":18446744073709551615,"b":123456789012345678901234567890,"n":-123456789012345678901234567890,)"
      R"("f":1.2345678901234568e+20,"e":1e20,"i":7,"t":{"max":100000000000000000000,"q":[18446744073709551616]}})",
      "variables"));
  return variables;
}

std::string Rendered(const std::string& source) {
  return jinja::Template::Parse(source, "case")->Render(Variables(), 0);
}

TEST(JinjaIntegers, AreShownAndComparedAsInPython) {
  const struct {
    const char *source, *expected;
  } rows[] = {
      {R"({{ u }}|{{ b }}|{{ n }})",
       R"(18446744073709551615|123456789012345678901234567890|-123456789012345678901234567890)"},
      {R"({{ t }})", R"({'max': 100000000000000000000, 'q': [18446744073709551616]})"},
      {R"({{ t|tojson }})", R"({"max": 100000000000000000000, "q": [18446744073709551616]})"},
      {R"({{ 123456789012345678901234567890 }}|{{ -9223372036854775809 }}|{{ 9223372036854775808 }}|{{ 9223372036854775807 }})",
       R"(123456789012345678901234567890|-9223372036854775809|9223372036854775808|9223372036854775807)"},
      {R"({{ 0xFFFFFFFFFFFFFFFFFFFFFFFF }}|{{ 0b1111111111111111111111111111111111111111111111111111111111111111111 }}|{{ 0o7777777777777777777777777777 }})",
       R"(79228162514264337593543950335|147573952589676412927|19342813113834066795298815)"},
      {R"({{ 1_000_000_000_000_000_000_000 }})", R"(1000000000000000000000)"},
      {R"({{ -(-9223372036854775807 - 1) }}|{{ -u }}|{{ -(9223372036854775808) }}|{{ +b }})",
       R"(9223372036854775808|-18446744073709551615|-9223372036854775808|123456789012345678901234567890)"},
      {R"({{ b is number }} {{ b is integer }} {{ b is float }} {{ b is string }} {{ b is sequence }} {{ b is iterable }} {{ b is defined }} {{ b is mapping }})",
       R"(True True False False False False True False)"},
      {R"({{ 'yes' if b else 'no' }})", R"(yes)"},
      {R"({{ b == 123456789012345678901234567890 }} {{ b == n }} {{ b == i }} {{ t.max == e }} {{ t.max == f }} {{ t.max != 1 }} {{ b == '1' }})",
       R"(True False False True False True False)"},
      {R"({{ b > i }} {{ n < i }} {{ b > n }} {{ b > f }} {{ t.max < f }} {{ u < b }} {{ u > 1.5 }} {{ n < -0.5 }})",
       R"(True True True True True True True True)"},
      {R"({{ [b, i, n, u]|sort }} {{ [b, i, n]|max }} {{ [b, i, n]|min }})",
       R"([-123456789012345678901234567890, 7, 18446744073709551615, 123456789012345678901234567890] 123456789012345678901234567890 -123456789012345678901234567890)"},
      {R"({{ [b, 123456789012345678901234567890, i]|unique|list }})", R"([123456789012345678901234567890, 7])"},
      {R"({{ {b: 1}[123456789012345678901234567890] }} {{ {e: 1}[t.max] }} {{ b in [b] }} {{ b in [n] }})",
       R"(1 1 True False)"},
      {R"({{ b|string|length }} {{ b ~ '' }} {{ b|int }} {{ '123456789012345678901234567890'|int }} {{ 'ffffffffffffffffffff'|int(0, 16) }} {{ '-123456789012345678901234567890'|int }})",
       R"(30 123456789012345678901234567890 123456789012345678901234567890 123456789012345678901234567890 1208925819614629174706175 -123456789012345678901234567890)"},
      {R"({{ b|float }} {{ n|abs }} {{ b|abs }} {{ b|round }} {{ 1e20|int }} {{ -1.5e25|int }} {{ 2.7|int }} {{ -0.5|int }})",
       R"(1.2345678901234568e+29 123456789012345678901234567890 123456789012345678901234567890 123456789012345678901234567890 100000000000000000000 -15000000000000000285212672 2 0)"},
      {R"({{ '%s' % b }} {{ '{}'.format(b) }} {{ '%.1f' % b }} {{ '%r' % n }} {{ '{:.3e}'.format(b) }})",
       R"(123456789012345678901234567890 123456789012345678901234567890 123456789012345677877719597056.0 -123456789012345678901234567890 1.235e+29)"},
      {R"({{ b|tojson }} {{ {b: b}|tojson }} {{ [b]|join(',') }})",
       R"(123456789012345678901234567890 {"123456789012345678901234567890": 123456789012345678901234567890} 123456789012345678901234567890)"},
      {R"({{ [1,2][18446744073709551616] is defined }})", R"(False)"},
      {R"({{ [1,2].18446744073709551616 is defined }})", R"(False)"},
      {R"({{ (-9223372036854775807 - 1)|abs }})", R"(9223372036854775808)"},
  };
  for (const auto& row : rows) EXPECT_EQ(Rendered(row.source), row.expected) << row.source;
}

TEST(JinjaIntegers, WhatWouldComputeIsRefused) {
  for (const char* source :
       {"{{ b + 1 }}", "{{ 1 - b }}", "{{ b * 2.0 }}", "{{ b % 10 }}", "{{ b // 3 }}", "{{ b is odd }}",
        "{{ b is divisibleby 3 }}", "{{ [b, 1]|sum }}", "{{ 9223372036854775807 + 1 }}", "{{ 2 ** 64 }}",
        "{{ b|round(-2) }}", "{{ '%d' % b }}", "{{ '%x' % b }}", "{{ '{:d}'.format(b) }}", "{{ '%d' % 1e20 }}"}) {
    try {
      ADD_FAILURE() << source << " renders " << Rendered(source);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << source;
      EXPECT_THAT(error.what(), HasSubstr("beyond 64 bits")) << source;
    }
  }
  for (const char* source : {"{{ 'a' * b }}", "{{ range(b) }}", "{{ b.x.y }}", "{% for x in b %}{% endfor %}"})
    EXPECT_THROW(Rendered(source), Error) << source;
}

// Python's limit on the digits of a number.
TEST(JinjaIntegers, DigitsAreBounded) {
  const std::string many(4300, '9'), more(4301, '9');
  EXPECT_EQ(Rendered("{{ " + many + " }}"), many);
  EXPECT_THROW(Rendered("{{ " + more + " }}"), Error);
  EXPECT_EQ(Rendered("{{ '" + more + "'|int(5) }}"), "5");
}

}  // namespace
}  // namespace assay
