// Decimal arithmetic and JSON numbers that no double holds.
#include "base/decimal.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json_number.h"

namespace assay {
namespace {

Decimal Of(std::string_view text) {
  std::optional<Decimal> number = Decimal::Parse(text);
  EXPECT_TRUE(number) << text;
  return number.value_or(Decimal());
}

TEST(Decimal, ReadsAndWrites) {
  for (auto [text, written] : std::initializer_list<std::pair<const char*, const char*>>{
           {"0", "0"},
           {"-0.0", "0"},
           {"007", "7"},
           {"12.50", "12.5"},
           {"-.5", "-0.5"},
           {"5.", "5"},
           {"1e3", "1000"},
           {"1.5E-3", "0.0015"},
           {"+2e+2", "200"},
           {"1e-9", "1e-9"},
           {"123456789012345678901234567890", "123456789012345678901234567890"},
           {"1.25e500", "1.25e500"}})
    EXPECT_EQ(Of(text).Text(), written);
  for (const char* text : {"",
                           "-",
                           ".",
                           "e3",
                           "1e",
                           "1e+",
                           "1.2.3",
                           "1 ",
                           "0x1",
                           "1e99999",
                           "nan",
                           "--1",
                           "1e+-5",
                           "1e-+5",
                           "1e++5",
                           "1e--5",
                           "1e5001",
                           "1e-5001",
                           "1e9223372036854775807",
                           "1e-9223372036854775808",
                           "1e-9223372036854775809"})
    EXPECT_FALSE(Decimal::Parse(text)) << text;
  EXPECT_FALSE(Decimal::Parse(std::string(2001, '9')));
  EXPECT_EQ(Decimal::Shortest(0.1).Text(), "0.1");
  EXPECT_EQ(Decimal::Shortest(-1e22).Text(), "-10000000000000000000000");
  EXPECT_EQ(Of("29.76").Rounded(), 29.76);
}

// Values of Python's decimal module (prec 100).
TEST(Decimal, Calculates) {
  EXPECT_EQ(Of("29.76").Minus(Of("29.75")), Of("0.01"));
  EXPECT_EQ(Of("-5").Plus(Of("5")), Decimal());
  EXPECT_EQ(Of("1e20").Plus(Of("-0.001")).Text(), "99999999999999999999.999");
  EXPECT_EQ(Of("123456789.123").Times(Of("-987654321.987")).Text(), "-121932631355968601.347401");
  EXPECT_EQ(Of("2").Over(Of("3")).Text().substr(0, 22), "0.66666666666666666666");
  EXPECT_EQ(Of("3").Over(Of("-4")), Of("-0.75"));
  EXPECT_EQ(Of("0").Over(Of("7")), Decimal());
  EXPECT_EQ(Of("-1.5").Magnitude(), Of("1.5"));
}

TEST(Decimal, Compares) {
  const char* ascending[] = {
      "-1e30",           "-2", "-1.5", "0", "1e-30", "0.099", "0.1", "0.11", "1", "9", "10", "9007199254740992",
      "9007199254740993"};
  for (size_t i = 0; i < std::size(ascending); ++i)
    for (size_t j = 0; j < std::size(ascending); ++j) {
      int order = Decimal::Compare(Of(ascending[i]), Of(ascending[j]));
      EXPECT_EQ(order < 0, i < j);
      EXPECT_EQ(order == 0, i == j);
    }
}

TEST(Decimal, Multiples) {
  EXPECT_TRUE(Of("0.0075").IsMultipleOf(Of("0.0001")));
  EXPECT_FALSE(Of("0.00751").IsMultipleOf(Of("0.0001")));
  EXPECT_TRUE(Of("1e308").IsMultipleOf(Of("123456789e2")) == false);
  EXPECT_TRUE(Of("123456789012345678901234567890").IsMultipleOf(Of("10")));
  EXPECT_FALSE(Of("123456789012345678901234567891").IsMultipleOf(Of("10")));
  EXPECT_TRUE(Of("4.5").IsMultipleOf(Of("1.5")));
  EXPECT_TRUE(Of("0").IsMultipleOf(Of("3")));
}

TEST(JsonNumber, StrictParsingKeepsWhatNoDoubleHolds) {
  const char* text =
      R"({"a":[123456789012345678901234567891,0.1],"b":1.00000000000000000001,"c":-7,"d":18446744073709551615})";
  Json value = ParseJson(text, "", true);
  EXPECT_EQ(DumpJson(value), text);
  Json rounded = ParseJson(R"({"a":[0.5,{},[]],"b":{"c":[1,"x"]}})", ""), kept = rounded;
  kept["b"]["c"][0] = value["a"][0];
  for (int indent : {-1, 0, 2}) {  // the same layout, whatever the numbers
    std::string expected = DumpJson(rounded, indent);
    size_t at = expected.find("1,");
    EXPECT_EQ(DumpJson(kept, indent), expected.replace(at, 1, "123456789012345678901234567891"));
  }
  EXPECT_TRUE(IsWholeNumber(value["a"][0]));
  EXPECT_TRUE(IsWholeNumber(Json(5.0)));
  EXPECT_FALSE(IsWholeNumber(value["b"]));
  EXPECT_FALSE(IsWholeNumber(Json("5")));
  EXPECT_TRUE(SameValue(ParseJson(R"({"a":1,"b":[2.0,null]})", ""), ParseJson(R"({"b":[2,null],"a":1.0})", "")));
  EXPECT_FALSE(SameValue(Json(1), Json(true)));
  EXPECT_FALSE(SameValue(Json::array({1}), Json::array({1, 2})));
  EXPECT_FALSE(SameValue(value["a"][0], ParseJson("123456789012345678901234567890", "", true)));
  EXPECT_THROW(JsonInt(value, "b", "x"), Error);
  EXPECT_TRUE(value["a"][1].is_number_float());
  EXPECT_TRUE(IsNumber(value["a"][0]));
  EXPECT_EQ(NumberOf(value["a"][0]).Text(), "123456789012345678901234567891");
  EXPECT_EQ(CompareNumbers(value["a"][0], ParseJson("123456789012345678901234567890", "", true)), 1);
  EXPECT_EQ(CompareNumbers(value["b"], Json(1)), 1);
  // Integers of either sign at the ends of their types, against each other and against decimals.
  const Json rising[] = {Json(INT64_MIN), Json(int64_t{-1}),       Json(uint64_t{0}),
                         Json(INT64_MAX), Json(uint64_t{1} << 63), Json(UINT64_MAX)};
  for (size_t i = 0; i < std::size(rising); ++i)
    for (size_t j = 0; j < std::size(rising); ++j) {
      EXPECT_EQ(CompareNumbers(rising[i], rising[j]), i < j ? -1 : i > j ? 1 : 0) << rising[i] << " " << rising[j];
      EXPECT_EQ(CompareNumbers(rising[i], rising[j]), Decimal::Compare(NumberOf(rising[i]), NumberOf(rising[j])));
    }
  EXPECT_EQ(CompareNumbers(Json(int64_t{5}), Json(uint64_t{5})), 0);
  EXPECT_EQ(CompareNumbers(Json(100), Json(1e2)), 0);
  EXPECT_EQ(CompareNumbers(ParseJson("9007199254740993.0", "", true), Json(9007199254740993)), 0);
  EXPECT_TRUE(ParseJson(text, "")["a"][0].is_number_float());  // lax parsing rounds, as the engines do
  EXPECT_TRUE(ParseJson("1.000", "", true).is_number_float());
  // An integer that a double says as well stays one; a float does not become one.
  const char* mixed = R"([100000000000000000000,1e+20,-18446744073709551616,0.69999999999999996])";
  EXPECT_EQ(DumpJson(AsPythonReads(ParseExactJson(mixed, ""))),
            "[100000000000000000000,1e+20,-18446744073709551616,0.7]");
  EXPECT_TRUE(SameValue(ParseJson("100000000000000000000", "", true), Json(1e20)));
  EXPECT_EQ(DumpJson(ParseExactJson(R"({"a":1,"a":18446744073709551616})", "")), R"({"a":18446744073709551616})");
  EXPECT_EQ(ParseJson("1e-9223372036854775808", "", true), Json(0.0));  // beyond what a Decimal holds
}

}  // namespace
}  // namespace assay
