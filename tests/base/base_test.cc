#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/python_json.h"
#include "base/random.h"
#include "base/strings.h"

namespace assay {
namespace {

// SHA-256 of "abc": FIPS 180-2, appendix B.1. XXH3-128 of nothing: xxHash's own sanity table.
TEST(Hash, KnownValues) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashHex(""), "99aa06d3014798d86001c324468d497f");
  Hasher a, b;
  a.AddText("ab");
  a.AddText("c");
  b.AddText("a");
  b.AddText("bc");
  EXPECT_NE(a.Hex(), b.Hex());
}

TEST(Json, ErrorsNameThePlace) {
  try {
    ParseJson("{\"a\": 1,\n \"b\": }", "file.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("file.json"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("line 2"), std::string::npos) << e.what();
  }
  EXPECT_THROW(ParseJson(std::string(600, '['), "deep"), Error);
  EXPECT_NO_THROW(ParseJson("{\"a\":1,\"a\":2}", "x"));
  EXPECT_THROW(ParseJson("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", "x", true), Error);
  EXPECT_NO_THROW(ParseJson("[{\"a\":1},{\"a\":2}]", "x", true));
  EXPECT_THROW(ParseJson("NaN", "x"), Error);
}

TEST(Json, NothingBehindANulByteIsPassedOver) {
  for (const std::string_view text : {std::string_view("{}\0", 3), std::string_view("{\"a\":\n1}\0, \"b\"", 14),
                                      std::string_view("\0{}", 3), std::string_view("[1,\0 2]", 8)})
    for (const bool strict : {false, true}) EXPECT_THROW(ParseJson(text, "x", strict), Error);
  try {
    ParseJson(std::string_view("{\"a\":\n1}\0, \"b\"", 14), "x");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "x: not JSON: a NUL byte behind the value, at line 2, column 3");
  }
}

TEST(Json, LargeTreesTakeLinearTime) {
  std::string object = "{", array = "[";
  for (int i = 0; i < 200000; ++i) {
    object += fmt::format("\"key {}\":{{}},", i % 150000);
    array += "{},";
  }
  const Json tree = ParseJson(object + "\"key 7\":7}", "x");  // minutes, if each member were looked at for each
  EXPECT_EQ(tree.size(), 150000u);
  EXPECT_EQ(tree.at("key 7"), 7);
  EXPECT_EQ(std::next(tree.begin(), 7).key(), "key 7");
  EXPECT_THROW(ParseJson(object + "\"z\":7}", "x", true), Error);
  EXPECT_EQ(ParseJson(array + "{}]", "x").size(), 200001u);
}

// What Python's json.dumps writes and its json.loads reads (3.13), and transformers 5 tags.
TEST(PythonJson, HasNumbersThatJsonLacks) {
  const Json json = ParsePythonJson(
      R"({"time_step_limit": [0.0, Infinity], "a": {"b": [NaN, null, -Infinity]}, "c": null, "d": 1e999, "e": -1E+400,
          "f": "NaN, Infinity \"-Infinity\" null", "g": {"__float__": "Infinity"}, "h": {"__float__": "x"},
          "i": 100000000000000000000000})",
      "config.json");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(json["time_step_limit"][1], kInfinity);
  EXPECT_TRUE(std::isnan(json["a"]["b"][0].get<double>()));
  EXPECT_TRUE(json["a"]["b"][1].is_null());
  EXPECT_EQ(json["a"]["b"][2], -kInfinity);
  EXPECT_TRUE(json["c"].is_null());
  EXPECT_EQ(json["d"], kInfinity);
  EXPECT_EQ(json["e"], -kInfinity);
  EXPECT_EQ(json["f"], "NaN, Infinity \"-Infinity\" null");
  EXPECT_EQ(json["g"], kInfinity);
  EXPECT_EQ(json["h"]["__float__"], "x");
  EXPECT_EQ(json["i"], 1e23);
  // Written as it was read, and null for readers of JSON proper.
  EXPECT_EQ(DumpPythonJson(ParsePythonJson(R"({"a":[NaN,Infinity,-Infinity,null,"@NaN"]})", "x")),
            R"({"a":[NaN,Infinity,-Infinity,null,"@NaN"]})");
  EXPECT_EQ(DumpJson(json["time_step_limit"]), "[0.0,null]");
  EXPECT_EQ(StrictJsonOfPython(R"(["NaN",NaN,-Infinity])"), R"(["NaN",null,null     ])");
}

TEST(PythonJson, IsStillJsonOtherwise) {
  for (const char* text : {"{NaN: 1}", "[nan]", "[infinity]", "[-NaN]", "[+Infinity]", "[Infinity5]", "[- Infinity]",
                           "[1e999e9]", "[\"Infinity]", "[NaN", "{\"a\" NaN}", "[NaN NaN]", "NaNNaN", "[1e99-9]", ""})
    EXPECT_THROW(ParsePythonJson(text, "x"), Error) << text;
  for (const char* text : {"[NaN]", "[Infinity]", "[-Infinity]", "[1e999]"})
    EXPECT_THROW(ParseJson(text, "x"), Error) << text;
  try {
    ParsePythonJson("{\n\"a\": Infinity, oops}", "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 2, column 16"), std::string::npos) << error.what();
  }
  // No key of ours takes such a number unless it says so.
  try {
    JsonNumber(ParsePythonJson(R"({"rope_theta": -Infinity})", "x"), "rope_theta", "config.json", 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "config.json: \"rope_theta\" should be a finite number, found -Infinity");
  }
}

TEST(Json, TypedMembers) {
  Json object = ParseJson("{\"n\": 3, \"f\": 2.0, \"s\": \"x\", \"null\": null}", "x");
  EXPECT_EQ(JsonInt(object, "n", "x"), 3);
  EXPECT_EQ(JsonInt(object, "f", "x"), 2);
  EXPECT_EQ(JsonInt(object, "null", "x", 7), 7);
  EXPECT_THROW(JsonInt(object, "s", "x"), Error);
  EXPECT_THROW(JsonString(object, "missing", "x"), Error);
  EXPECT_EQ(DumpJson(object), "{\"n\":3,\"f\":2.0,\"s\":\"x\",\"null\":null}");
}

TEST(Random, StreamIsFixedAndMomentsFit) {
  Random a(1), b(1);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; ++i) {
    double x = a.Normal();
    EXPECT_EQ(x, b.Normal());
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 20000, 0, 0.03);
  EXPECT_NEAR(squares / 20000, 1, 0.04);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.Below(7), 7u);
}

TEST(Strings, Helpers) {
  EXPECT_EQ(Trim(" \t a b\n"), "a b");
  EXPECT_EQ(Split("a,,b", ',').size(), 3u);
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(uint64_t{3} << 30), "3.00 GiB");
  EXPECT_EQ(FormatDuration(3725), "1:02:05");
  EXPECT_EQ(Nearest("quantise", {"check", "quantize", "run"}), "quantize");
  EXPECT_EQ(Nearest("xyzzy", {"check", "quantize"}), "");
}

}  // namespace
}  // namespace assay
