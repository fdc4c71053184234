#include "serve/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/strings.h"
#include "system/file.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

class Recordings : public ::testing::Test {
 protected:
  std::vector<Json> Lines() const {
    std::vector<Json> lines;
    for (const std::string& line : Split(ReadFile(path_), '\n'))
      if (!line.empty()) lines.push_back(Json::parse(line));
    return lines;
  }
  ScratchFolder folder_;
  std::filesystem::path path_ = folder_.path() / "traffic.jsonl";
};

TEST_F(Recordings, AStreamIsPutTogether) {
  {
    Recorder recorder(path_);
    Recording recording(recorder, "/v1/chat/completions", R"({"messages":[],"stream":true})", {});
    recording.Begin(200, "");
    for (const char* piece :
         {"data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel", "lo\"}}]}\n",
          "\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"})
      recording.Take(piece);
    recording.End();
    EXPECT_EQ(recorder.counts().recorded, 1);
  }
  const Json line = Lines().at(0);
  EXPECT_EQ(
      line["response"],
      Json::parse(
          R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]})"));
  EXPECT_EQ(line["status"], 200);
  EXPECT_THAT(DumpJson(line), ::testing::StartsWith(std::string(kRecordingHead)));
}

TEST_F(Recordings, WhatIsNoAnswerIsNone) {
  Recorder recorder(path_);
  const std::string body = R"({"prompt":"x"})";
  {
    Recording cut(recorder, "/v1/completions", body, {});
    cut.Begin(200, "");
    cut.Take("data: {\"choices\":[{\"index\":0,\"text\":\"Hel\"}]}\n\n");
  }
  {
    Recording refused(recorder, "/v1/completions", body, {"sk-secret-1"});
    refused.Begin(401, "");
    refused.Take("the key sk-secret-1 is wrong");
    refused.End();
  }
  {
    Recording packed(recorder, "/v1/completions", body, {});
    packed.Begin(200, "gzip");
    packed.Take("\x1f\x8b");
    packed.End();
  }
  Recording no_json(recorder, "/v1/completions", "{", {});
  no_json.End();
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0]["error"].get<std::string>(), HasSubstr("ended before it was whole"));
  EXPECT_EQ(lines[1]["error"], "HTTP 401: the key [SECRET] is wrong");
  EXPECT_THAT(lines[2]["error"].get<std::string>(), HasSubstr("gzip"));
  for (const Json& line : lines) EXPECT_FALSE(line.contains("response"));
  EXPECT_EQ(recorder.counts().left_out, 1);
  EXPECT_EQ(recorder.counts().unanswered, 3);
}

// What is cut keeps no half of a key.
TEST_F(Recordings, AKeyIsTakenOutBeforeAnErrorIsCut) {
  Recorder recorder(path_);
  {
    Recording refused(recorder, "/v1/completions", R"({"prompt":"x"})", {"sk-secret-123456"});
    refused.Begin(401, "");
    refused.Take(std::string(1990, 'x') + "sk-secret-123456");
    refused.End();
  }
  EXPECT_EQ(Lines()[0]["error"].get<std::string>().find("sk-"), std::string::npos);
}

// A length that the client asked for is no fault of a recording's.
TEST_F(Recordings, ACutAtMaxTokensIsAnAnswer) {
  Recorder recorder(path_);
  {
    Recording recording(recorder, "/v1/completions", R"({"prompt":"x","max_tokens":3})", {});
    recording.Begin(200, "identity");
    recording.Take(
        R"({"choices":[{"index":0,"text":"one two","finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":3}})");
    recording.End();
  }
  const Json line = Lines().at(0);
  EXPECT_EQ(line["response"]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(line["response"]["usage"]["completion_tokens"], 3);
}

TEST(Secrets, OfHeadersAndQueries) {
  EXPECT_EQ(SecretsOf({{"Authorization", "Bearer sk-123456"},
                       {"X-API-KEY", "abcdefgh"},
                       {"Accept", "application/json"},
                       {"Cookie", "a=12345678; b=x"}},
                      "/v1/x?api_key=zyxwvut&page=1234567&key=short"),
            (std::vector<std::string>{"sk-123456", "abcdefgh", "12345678", "zyxwvut"}));
}

TEST(Secrets, OfGatewaysThatNameThemOtherwise) {
  EXPECT_EQ(SecretsOf({{"Helicone-Auth", "Bearer hel-123456"},
                       {"X-LiteLLM-Key", "lite-123456"},
                       {"Ocp-Apim-Subscription-Key", "apim-123456"},
                       {"CF-Access-Client-Secret", "cf-\"123456"},
                       {"X-Request-Id", "request-123456"}},
                      "/v1/x?code=azure-123456&sig=sig-123456&encode=plain-123456"),
            (std::vector<std::string>{"hel-123456", "lite-123456", "apim-123456", "cf-\"123456", "cf-\\\"123456",
                                      "azure-123456", "sig-123456"}));
}

TEST(Secrets, AreTakenOutWhereverTheyStand) {
  const Json json =
      Json::parse(R"({"a":"my sk-123456!","sk-123456":[{"arguments":"{\"key\": \"\\u0073k-123456\"}"}],"n":5})");
  EXPECT_EQ(WithoutSecrets(json, {"sk-123456"}),
            Json::parse(R"({"a":"my [SECRET]!","[SECRET]":[{"arguments":"{\"key\":\"[SECRET]\"}"}],"n":5})"));
  EXPECT_EQ(WithoutSecrets(json, {}), json);
}

TEST(Paths, OfCompletions) {
  for (const char* path :
       {"/v1/chat/completions", "/v1/completions", "/openai/deployments/x/chat/completions", "/v1/completions/"})
    EXPECT_TRUE(IsCompletionPath(path)) << path;
  for (const char* path : {"/v1/models", "/completion", "/v1/embeddings", "/"})
    EXPECT_FALSE(IsCompletionPath(path)) << path;
}

TEST(Headers, OneConnectionsOwnStayWithIt) {
  const HeaderLines headers = {{"Connection", "close, X-Mine"}, {"x-mine", "1"}, {"Accept", "a"},
                               {"Content-Length", "5"},         {"X-Two", "1"},  {"X-Two", "2"}};
  EXPECT_EQ(EndToEnd(headers), (HeaderLines{{"Accept", "a"}, {"X-Two", "1"}, {"X-Two", "2"}}));
  EXPECT_EQ(HeaderValue(headers, "x-TWO"), "1");
}

TEST_F(Recordings, GoOnInTheirFileAlone) {
  {
    Recorder first(path_);
    Recording one(first, "/v1/completions", R"({"prompt":"x"})", {});
  }
  {
    Recorder again(path_);
    EXPECT_TRUE(again.continued());
    EXPECT_THROW(Recorder other(path_), Error);  // it is being written
    Recording two(again, "/v1/completions", R"({"prompt":"y"})", {});
  }
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::others_all,
            std::filesystem::perms::none);
  WriteFileAtomically(folder_.path() / "mine.jsonl", "{\"mine\": 1}\n");
  EXPECT_THROW(Recorder other(folder_.path() / "mine.jsonl"), Error);
  WriteFileAtomically(folder_.path() / "torn.jsonl", std::string(kRecordingHead) + "\"ti");
  {
    Recorder torn(folder_.path() / "torn.jsonl");
    Recording three(torn, "/v1/completions", R"({"prompt":"z"})", {});
  }
  const auto rows = Split(ReadFile(folder_.path() / "torn.jsonl"), '\n');
  ASSERT_GE(rows.size(), 2u);
  EXPECT_EQ(Json::parse(rows[1])["request"]["prompt"], "z");
}

}  // namespace
}  // namespace assay
