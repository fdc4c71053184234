// The language, behaviour by behaviour: golden/jinja/cases.json holds what transformers' environment renders.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "system/file.h"
#include "text/jinja/template.h"

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

// jinja2 folds constants with another look-up than it runs, so that a slice of a literal None is undefined, of a variable None an error.
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
      EXPECT_TRUE(kUnsupportedCases.count(source)) << source << "\n  " << outcome.error << "\n  expected " << expected.dump();
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
      if (expected["own"].get<bool>()) good = good && outcome.error == "case:1: " + expected["error"].get<std::string>();
    }
    EXPECT_TRUE(good) << source << "\n  expected " << expected.dump() << "\n  got      "
                      << (outcome.failed ? (outcome.at_parse ? "parse error " : "error ") + outcome.error : Json(outcome.text).dump());
    same += good;
  }
  EXPECT_EQ(unsupported, kUnsupportedCases.size());
  EXPECT_EQ(same + unsupported + kDifferentCases.size(), golden["cases"].size());
  RecordProperty("same", static_cast<int>(same));
}

}  // namespace
}  // namespace assay
