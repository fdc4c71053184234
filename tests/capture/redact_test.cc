#include "capture/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "capture/redaction_rules.h"

namespace assay {
namespace {

std::string Redacted(const std::string& text, const std::vector<std::string>& without = {}) {
  Json json = {{"content", text}};
  RedactionCounts counts;
  Redaction(without).Apply({&json}, counts);
  return json["content"].get<std::string>();
}

TEST(Redaction, EachRuleTakesWhatItIsFor) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"my key sk-proj-abcdEFGH1234abcdEFGH works", "my key [API_KEY_1] works"},
      {"ghp_0123456789abcdefghijABCDEFGHIJ012345", "[API_KEY_1]"},
      {"AKIAIOSFODNN7EXAMPLE", "[API_KEY_1]"},
      {"Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [TOKEN_1]"},
      {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1", "[TOKEN_1]"},
      {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[PRIVATE_KEY_1]"},
      {"postgres://bob:hunter22@db/x", "postgres://bob:[PASSWORD_1]@db/x"},
      {"the password is tr0ub4dor.", "the password is [PASSWORD_1]"},
      {"api_key=0123456789abcdef", "api_key=[PASSWORD_1]"},
      {"write to Ann.Lee+x@mail.example.co.uk today", "write to [EMAIL_1] today"},
      {"jörg@müller.de", "[EMAIL_1]"},
      {"x = 'bob@example.com'", "x = '[EMAIL_1]'"},
      {"DE89 3704 0044 0532 0130 00", "[IBAN_1]"},
      {"IBAN GB82WEST12345698765432.", "IBAN [IBAN_1]."},
      {"card 4111 1111 1111 1111, 12/29", "card [CARD_1], 12/29"},
      {"5500-0055-5555-5559", "[CARD_1]"},
      {"from 203.0.113.7:8080", "from [IP_1]:8080"},
      {"2001:db8::ff00:42:8329 is up", "[IP_1] is up"},
      {"00:1B:44:11:3A:B7", "[MAC_1]"},
      {"SSN 123-45-6789", "SSN [SSN_1]"},
      {"call +49 170 1234567 now", "call [PHONE_1] now"},
      {"(415) 555-2671", "[PHONE_1]"},
      {"415-555-2671", "[PHONE_1]"},
      {"030 12345678", "[PHONE_1]"},
      {"born on 12.03.1984 in Bonn", "born on [BIRTH_DATE_1] in Bonn"},
      {"Date of birth: 1984-03-12", "Date of birth: [BIRTH_DATE_1]"},
      {"Dear Mrs. Ada Lovelace, hello", "Dear Mrs. [NAME_1], hello"},
      {"Hi, my name is Zoë Smith and", "Hi, my name is [NAME_1] and"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(Redacted(text), expected);
}

TEST(Redaction, LeavesWhatOnlyLooksAlike) {
  for (const std::string text : {"4111 1111 1111 1112",
                                 "DE89370400440532013002",
                                 "1.2.3",
                                 "version 1.2.3.4.5",
                                 "300.1.2.3",
                                 "127.0.0.1",
                                 "::1",
                                 "std::vector::push",
                                 "12:30:45",
                                 "2024-03-12",
                                 "the password field",
                                 "the password is required",
                                 "password: string",
                                 "The secret is patience.",
                                 "api_key: str",
                                 "order 123456",
                                 "9.81 m/s",
                                 "1234567",
                                 "task-skeleton-something-long-name",
                                 "a@b",
                                 "000-12-3456",
                                 "10000000",
                                 "1,234,567.89",
                                 "Mr. and Mrs. are titles",
                                 "2+2=4",
                                 "ISO 8601",
                                 "token ring network"})
    EXPECT_EQ(Redacted(text), text);
}

TEST(Redaction, TheSameValueIsTheSameEverywhere) {
  Json line = {{"messages",
                {{{"role", "user"},
                  {"content",
                   "I am ann@example.com, phone +49 170 1234567; copy bob@example.com and ANN@example.com. "
                   "Greet Dr. Meyer."}}}}};
  Json answer = {
      {"text", "Meyer was told; +491701234567."},
      {"calls",
       {{{"function",
          {{"name", "send"},
           {"arguments",
            R"({"to": "ann@example.com", "text": "see\nbob@example.com", "card": 4111111111111111, "n": 5})"}}}}}}};
  RedactionCounts counts;
  Redaction({}).Apply({&line, &answer}, counts);
  EXPECT_EQ(line["messages"][0]["content"],
            "I am [EMAIL_1], phone [PHONE_1]; copy [EMAIL_2] and [EMAIL_1]. Greet Dr. [NAME_1].");
  EXPECT_EQ(answer["text"], "[NAME_1] was told; [PHONE_1].");
  EXPECT_EQ(Json::parse(answer["calls"][0]["function"]["arguments"].get<std::string>()),
            (Json{{"to", "[EMAIL_1]"}, {"text", "see\n[EMAIL_2]"}, {"card", "[CARD_1]"}, {"n", 5}}));
  EXPECT_EQ(counts, (RedactionCounts{{"email", 2}, {"phone", 1}, {"titled-name", 1}, {"card", 1}}));
}

TEST(Redaction, NamesOfMembersAreWordsInFront) {
  Json line = {
      {"arguments",
       R"({"password": "hunter2x", "date_of_birth": "1984-03-12", "user": {"api_key": "abc123"}, "secret": "string"})"},
      {"parameters", {{"password", {{"type", "string"}}}}}};
  RedactionCounts counts;
  Redaction({}).Apply({&line}, counts);
  EXPECT_EQ(
      Json::parse(line["arguments"].get<std::string>()),
      Json::parse(
          R"({"password": "[PASSWORD_1]", "date_of_birth": "[BIRTH_DATE_1]", "user": {"api_key": "[PASSWORD_2]"}, "secret": "string"})"));
  EXPECT_EQ(line["parameters"]["password"]["type"], "string");
}

TEST(Redaction, RulesCanBeSwitchedOff) {
  EXPECT_EQ(Redacted("a@example.com 203.0.113.7", {"email"}), "a@example.com [IP_1]");
  EXPECT_THROW(Redaction({"e-mail"}), Error);
}

TEST(Redaction, EveryRuleHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const RedactionRule& rule : RedactionRules()) {
    EXPECT_TRUE(names.insert(rule.name).second);
    EXPECT_FALSE(rule.what.empty());
  }
}

TEST(Redaction, HoldsOutAgainstLongText) {
  EXPECT_EQ(Redacted(std::string(200'000, '1')).size(), 200'000u);
  EXPECT_EQ(Redacted(std::string(200'000, 'a') + "@").size(), 200'001u);
  EXPECT_EQ(Redacted("password: " + std::string(300, ' ')).size(), 310u);
}

}  // namespace
}  // namespace assay
