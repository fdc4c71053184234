// The language, behaviour by behaviour: golden/jinja/cases.json holds what transformers' environment renders.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "jinja/template.h"
#include "system/file.h"

namespace assay {
namespace {

Json Golden(const std::string& name) {
  std::string path = std::string(ASSAY_TEST_DATA) + "/golden/jinja/" + name;
  return ParseJson(ReadFile(path), path);
}

struct Outcome {
  std::string text, error;
  ErrorKind kind = ErrorKind::kInvalid;
  bool failed = false, at_parse = false;
};

Outcome Try(const std::string& source, const Json& variables, int64_t now_unix_s, const jinja::Limits& limits = {}) {
  Outcome outcome;
  bool parsed = false;
  try {
    auto ready = jinja::Template::Parse(source, "case");
    parsed = true;
    outcome.text = ready->Render(variables, now_unix_s, limits);
  } catch (const Error& e) {
    outcome.failed = true;
    outcome.at_parse = !parsed;
    outcome.error = e.what();
    outcome.kind = e.kind();
  }
  return outcome;
}

// What we refuse with Error{kUnsupported} though Python goes on.
const std::set<std::string> kUnsupportedCases = {
    "{{ s|pprint|length }}",
    "{{ self }}",
};

// jinja2 folds constants with another look-up than it runs, so that a slice of a literal None is undefined, of a
// variable None an error.
const std::set<std::string> kDifferentCases = {"{{ none[1:] }}"};

TEST(JinjaCases, AsPython) {
  Json golden = Golden("cases.json");
  int64_t now = golden["now_unix_s"].get<int64_t>();
  size_t same = 0, unsupported = 0;
  for (const Json& one : golden["cases"]) {
    std::string source = one[0].get<std::string>();
    const Json& expected = one[1];
    Outcome outcome = Try(source, golden["variables"], now);
    if (outcome.failed && outcome.kind == ErrorKind::kUnsupported) {
      EXPECT_TRUE(kUnsupportedCases.count(source))
          << source << "\n  " << outcome.error << "\n  expected " << expected.dump();
      ++unsupported;
      continue;
    }
    if (kDifferentCases.count(source)) {
      EXPECT_TRUE(outcome.failed) << source;
      continue;
    }
    bool good = false;
    if (expected.is_string()) {
      good = !outcome.failed && outcome.text == expected.get<std::string>();
    } else {
      // The place must agree too: a syntax error when parsing, others when rendering.
      good = outcome.failed && outcome.at_parse == (expected["kind"] == "parse");
      if (expected["own"].get<bool>())
        good = good && outcome.error == "case:1: " + expected["error"].get<std::string>();
    }
    EXPECT_TRUE(good) << source << "\n  expected " << expected.dump() << "\n  got      "
                      << (outcome.failed ? (outcome.at_parse ? "parse error " : "error ") + outcome.error
                                         : Json(outcome.text).dump());
    same += good;
  }
  EXPECT_EQ(unsupported, kUnsupportedCases.size());
  EXPECT_EQ(same + unsupported + kDifferentCases.size(), golden["cases"].size());
  RecordProperty("same", static_cast<int>(same));
}

TEST(JinjaErrors, NameLineAndReason) {
  auto error = [](const std::string& source) { return Try(source, Json::object(), 0).error; };
  EXPECT_EQ(error("a\nb {{ 1 +* }}"), "case:2: unexpected '*'");
  EXPECT_EQ(error("\n\n{% if x %}"), "case:3: the if of line 3 does not end: expected endif");
  EXPECT_EQ(error("{% set a = 1 %}\n{{ nothing.at_all }}"), "case:2: 'nothing' is undefined");
  EXPECT_EQ(error("{{\n'a'\n+ 1 }}"), "case:3: can only concatenate str (not \"int\") to str");
  EXPECT_EQ(error("{% macro m(x) %}\n{{ x.y.z }}{% endmacro %}\n{{ m({}) }}"),
            "case:2: 'dict object' has no attribute 'y'");
  EXPECT_EQ(error("{% for x in 5 %}{% endfor %}"), "case:1: 'int' object is not iterable");
  EXPECT_EQ(error("{{ [].append(1) }}"), "case:1: access to attribute 'append' of 'list' object is unsafe.");
  EXPECT_EQ(error("{% include 'x' %}"), "case:1: statement 'include'");
}

// A template that would run for ever or fill memory ends with Error{kResource}.
TEST(JinjaLimits, HostileTemplatesEnd) {
  const std::string hostile[] = {
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
      "{{ 'x' * 1000000000000 }}",
      "{{ [0] * 1000000000000 }}",
      "{{ 'x'.center(1000000000000) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '{:1000000000}'.format(1) }}",
      "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
      "{{ ('a' * 30000000).find('a' * 10000000 + 'b') }}",
      "{{ 'a'|indent(10000000000) }}",
      "{{ [1]|tojson(indent=10000000000) }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(100000) %}{% set ns.l = ns.l|map('string') %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == "
      "[ns.l, 1][0] ~ '' or ns.l|string }}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
      "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
  };
  for (const auto& source : hostile) {
    Outcome outcome = Try(source, Json::object(), 0, {.steps = 2'000'000});
    EXPECT_TRUE(outcome.failed) << source;
    EXPECT_EQ(outcome.kind, ErrorKind::kResource) << source << "\n" << outcome.error;
  }
  std::string deep = std::string(100000, '(') + "1" + std::string(100000, ')');
  EXPECT_EQ(Try("{{ " + deep + " }}", Json::object(), 0).kind, ErrorKind::kUnsupported);
  std::string chain = "1", nested;
  for (int i = 0; i < 100000; ++i) chain += "+1";
  for (int i = 0; i < 5000; ++i) nested += "{% if 1 %}";
  EXPECT_EQ(Try("{{ " + chain + " }}", Json::object(), 0).kind, ErrorKind::kUnsupported);
  EXPECT_EQ(Try(nested, Json::object(), 0).kind, ErrorKind::kUnsupported);
}

// Names are looked up by hash: tens of thousands of them take no longer than as many steps.
TEST(JinjaLimits, ManyNames) {
  const int n = 40'000;
  std::string pairs, keywords, parameters, sets, loads, names, ones;
  for (int i = 0; i < n; ++i) {
    const std::string name = "v" + std::to_string(i), comma = i ? "," : "";
    keywords += comma + name + "=" + std::to_string(i);
    pairs += comma + "'" + name + "':" + std::to_string(i);
    parameters += comma + name;
    sets += "{% set " + name + "=" + std::to_string(i) + " %}";
    loads += "{% if " + name + " %}{% endif %}";
    names += comma + name;
    ones += comma + "1";
  }
  const std::string last = "v" + std::to_string(n - 1), expected = std::to_string(n - 1);
  const std::pair<std::string, std::string> cases[] = {
      {"{{ dict(" + keywords + ")." + last + " }}", expected},
      {"{{ {" + pairs + "}." + last + " }}", expected},
      {"{% set ns = namespace(" + keywords + ") %}{{ ns." + last + " }}", expected},
      {"{% set ns = namespace(" + keywords + ") %}{% for k in range(20000) %}{% set ns." + last +
           " = k %}{% endfor %}{{ ns." + last + " }}",
       "19999"},
      {"{% macro m(" + parameters + ") %}{{ " + last + " }}{% endmacro %}{{ m(" + keywords + ") }}", expected},
      {"{% macro m() %}{{ kwargs | length }}{% endmacro %}{{ m(" + keywords + ") }}", std::to_string(n)},
      {"{% macro m() %}{{ kwargs | length }}{% endmacro %}{{ m(**dict(" + keywords + ")) }}", std::to_string(n)},
      {sets + loads + "{{ " + last + " }}", expected},
      {"{% set " + names + " = [" + ones + "] %}" + loads + "{{ " + last + " }}", "1"},
      {"{% for i in [1] %}" + sets + loads + "{{ " + last + " }}{% endfor %}", expected},
      {"{{ '" + std::string(1000, '{') + std::string(1000, '}') + "{" + last + "}'.format(" + keywords + ") }}",
       std::string(500, '{') + std::string(500, '}') + expected},
  };
  for (const auto& [source, text] : cases) {
    const Outcome outcome = Try(source, Json::object(), 0, {.steps = 5'000'000, .seconds = 2.0});
    EXPECT_EQ(outcome.text, text) << source.substr(0, 60) << "\n" << outcome.error.substr(0, 300);
  }
}

// Whatever reads a long text is charged for it, and so is what only makes small values.
TEST(JinjaLimits, LongTextsAreCharged) {
  const std::string text = "{% set s = 'ab ' * 200000 %}{% for i in range(1000) %}{% set _ = ";
  for (const char* each : {"s|float",
                           "s|int",
                           "s|wordcount",
                           "s.split('a')",
                           "s.split()",
                           "s.rsplit(' ')",
                           "s.splitlines()",
                           "s.isalnum()",
                           "s.istitle()",
                           "s.isascii()",
                           "s.isidentifier()",
                           "s.startswith(s)",
                           "s.endswith(s)",
                           "s.count('a')",
                           "s.find('c')",
                           "s.strip('c')",
                           "s.removeprefix('x')",
                           "s.partition('c')",
                           "s is lower",
                           "s is upper",
                           "s in [s]",
                           "s|upper",
                           "s|title",
                           "s|capitalize",
                           "s|trim",
                           "s|length",
                           "s|reverse",
                           "s|replace('c','d')",
                           "s|urlencode",
                           "s|escape",
                           "s|indent",
                           "s|truncate(5)",

                           "s|string",
                           "s|tojson",
                           "s.center(700000)",
                           "s.zfill(700000)",
                           "s.expandtabs()",
                           "s[::2]",
                           "s[1:]",
                           "s|list",
                           "s|first",
                           "s|unique",
                           "s|batch(3)",
                           "'%s' % s",
                           "'{}'.format(s)",
                           "s ~ s",
                           "s + s",
                           "s * 2",
                           "s == 'ab ' * 200000",
                           "s|format",
                           "s|default('x')|float",
                           "{s: 1}"}) {
    const std::string source = text + each + " %}{% endfor %}x";
    const Outcome outcome = Try(source, Json::object(), 0, {.steps = 300'000, .seconds = 5.0});
    const bool cheap = std::string(each) == "s|first" || std::string(each) == "s|string";
    EXPECT_TRUE(cheap || outcome.kind == ErrorKind::kResource) << each << ": " << outcome.error;
  }
}

// Each of the budgets ends a template by itself, in about its time.
TEST(JinjaLimits, Budgets) {
  const std::string endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
  EXPECT_NE(Try(endless, Json::object(), 0, {.steps = 1000}).error.find("more than 1000 steps"), std::string::npos);
  EXPECT_NE(
      Try(endless, Json::object(), 0, {.steps = UINT64_MAX, .seconds = 0.05}).error.find("more than 0.05 seconds"),
      std::string::npos);
  const std::string making = "{% for a in range(100000) %}{% set x = [a] * 1000 %}{% endfor %}";
  EXPECT_NE(Try(making, Json::object(), 0, {.made_bytes = 1 << 20}).error.find("bytes of values"), std::string::npos);
  EXPECT_NE(Try("{{ 'x' * 2000 }}", Json::object(), 0, {.output_bytes = 1000}).error.find("more than 1000 bytes"),
            std::string::npos);
  EXPECT_NE(Try("{{ ((1)) }}", Json::object(), 0, {.depth = 1}).error.find("nested too deeply"), std::string::npos);
}

// json.dumps(ensure_ascii=True) escapes all but printable ASCII; without it U+007F stays.
TEST(JinjaCases, JsonEscapesDelete) {
  EXPECT_EQ(Try("{{ '\x7f~é' | tojson(ensure_ascii=true) }}", Json::object(), 0).text, "\"\\u007f~\\u00e9\"");
  EXPECT_EQ(Try("{{ {'\x7f': 1} | tojson(ensure_ascii=true) }}", Json::object(), 0).text, "{\"\\u007f\": 1}");
  EXPECT_EQ(Try("{{ '\x7fé' | tojson }}", Json::object(), 0).text, "\"\x7fé\"");
}

// What ties itself into knots is freed all the same (the sanitizer run looks).
TEST(JinjaLimits, Cycles) {
  const std::string knots[] = {
      "{% set ns = namespace() %}{% set ns.a = [ns] %}{% set other = namespace(b=ns) %}{% set ns.c = other %}ok",
      "{% macro m() %}{% set x = m %}{% endmacro %}{% set ns = namespace(f=m) %}{{ m() }}ok",
      "{% set ns = namespace() %}{% for x in [1, 2] %}{% macro f() %}{{ loop.index }}{% endmacro %}{% set ns.f = f "
      "%}{% set ns.l = loop %}"
      "{% set c = loop.changed(loop) %}{% endfor %}ok",
      "{% set ns = namespace() %}{% set ns.g = [ns]|map(attribute='g') %}ok",
      "{% macro m() %}{% set ns.c = caller %}{{ caller() }}{% endmacro %}{% set ns = namespace() %}{% call m() %}ok{% "
      "endcall %}",
  };
  for (const auto& source : knots) EXPECT_EQ(Try(source, Json::object(), 0).text, "ok") << source;
}

TEST(JinjaCases, TruncatedTemplatesNeverCrash) {
  Json golden = Golden("templates.json");
  Json variables = {{"messages", Json::array({{{"role", "user"}, {"content", "Hi"}}})}, {"tools", nullptr}};
  for (const Json& one : golden["templates"]) {
    std::string source = one["source"].get<std::string>();
    for (size_t size = 0; size < source.size(); size += 1 + source.size() / 150)
      Try(source.substr(0, size), variables, 0);
  }
}

}  // namespace
}  // namespace assay
