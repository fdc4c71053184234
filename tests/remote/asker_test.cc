#include "remote/asker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "remote/server_kind.h"
#include "system/machine.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerAddress, AsPeopleWriteIt) {
  for (const char* text : {"http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"})
    EXPECT_EQ(ParseServerAddress(text).url, "http://h:8000") << text;
  const ServerAddress named = ParseServerAddress("https://h/base/v1#org/model%20a");
  EXPECT_EQ(named.url, "https://h/base");
  EXPECT_EQ(named.model, "org/model a");
  EXPECT_EQ(named.host(), "h");
  EXPECT_TRUE(named.encrypted());
  EXPECT_FALSE(named.local());
  EXPECT_TRUE(ParseServerAddress("http://127.0.0.1:8000").local());
  EXPECT_TRUE(IsServer("HTTP://h"));
  EXPECT_FALSE(IsServer("models/http://h"));
  for (const char* text : {"http://", "http:///v1", "http://h#", "http://h?x=1"})
    EXPECT_THROW(ParseServerAddress(text), Error) << text;
  try {
    ParseServerAddress("http://user:secret@h");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
    EXPECT_THAT(error.what(), HasSubstr("ASSAY_API_KEY"));
  }
}

TEST(RetryAfter, SecondsOrADate) {
  EXPECT_EQ(RetryAfterSeconds(" 7 ", 0), 7);
  EXPECT_EQ(RetryAfterSeconds("0.5", 0), 0.5);
  EXPECT_EQ(RetryAfterSeconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 30), 30);  // RFC 9110, 5.6.7
  EXPECT_EQ(RetryAfterSeconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 30), 0);   // it is past
  EXPECT_EQ(RetryAfterSeconds("99999999", 0), 86400);
  for (const char* none : {"", "soon", "-1", "nan", "7 s"}) EXPECT_FALSE(RetryAfterSeconds(none, 0)) << none;
}

TEST(RetryPolicy, WaitsDoubleAndNeverUndercutTheServer) {
  Random random(1);
  const RetryPolicy policy;
  for (int tried = 1; tried < 12; ++tried) {
    const double longest = std::min(60.0, 0.5 * static_cast<double>(1 << (tried - 1)));
    double most = 0, least = 1e9;
    for (int i = 0; i < 2000; ++i) {
      const double wait = WaitBeforeTry(policy, tried, {}, random), asked = WaitBeforeTry(policy, tried, 20.0, random);
      most = std::max(most, wait);
      least = std::min(least, wait);
      EXPECT_GE(asked, 20);
      EXPECT_LE(asked, 22.1);
    }
    EXPECT_LE(most, longest);
    EXPECT_GT(most, 0.95 * longest);  // full jitter: all of the range
    EXPECT_LT(least, 0.05 * longest);
  }
}

TEST(SamplingWords, NothingIsLeftToTheServer) {
  Sampling sampling;
  sampling.seed = 5;
  for (ServerKind kind : {ServerKind::kUnknown, ServerKind::kOllama, ServerKind::kLlamaServer,
                          ServerKind::kLlamaCppPython, ServerKind::kVllm, ServerKind::kSglang}) {
    const Json words = SamplingWords(kind, sampling, 4096);
    for (const char* name : {"temperature", "top_p", "seed", "max_tokens", "presence_penalty", "frequency_penalty"})
      EXPECT_TRUE(words.contains(name)) << ServerKindName(kind) << " " << name;
    EXPECT_EQ(Inexpressible(kind, sampling), "");
  }
  EXPECT_EQ(SamplingWords(ServerKind::kVllm, sampling, 4096)["top_k"], -1);
  EXPECT_EQ(SamplingWords(ServerKind::kLlamaServer, sampling, 4096)["top_k"], 0);
  EXPECT_EQ(SamplingWords(ServerKind::kLlamaServer, sampling, 4096)["cache_prompt"], false);
  // TGI refuses a top_p of 1, and makes a repetition penalty of presence_penalty + 2.
  const Json tgi = SamplingWords(ServerKind::kTgi, sampling, 4096);
  EXPECT_FALSE(tgi.contains("top_p") || tgi.contains("presence_penalty"));
  sampling.top_p = 0.5;
  EXPECT_EQ(SamplingWords(ServerKind::kTgi, sampling, 4096)["top_p"], 0.5);
  EXPECT_FALSE(TakesToolChoice(ServerKind::kOllama));
  EXPECT_TRUE(TakesToolChoice(ServerKind::kVllm));
  // What cannot be said is not dropped in silence.
  sampling.repetition_penalty = 1.1;
  EXPECT_EQ(Inexpressible(ServerKind::kUnknown, sampling), "repetition_penalty");
  EXPECT_EQ(Inexpressible(ServerKind::kTgi, sampling), "repetition_penalty");
  EXPECT_EQ(Inexpressible(ServerKind::kVllm, sampling), "");
  EXPECT_THAT(Inexpressible(ServerKind::kLlamaCppPython, sampling), HasSubstr("repetition_penalty"));  // 64 tokens back
  // llama-server refuses -1 for "all".
  EXPECT_EQ(SamplingWords(ServerKind::kLlamaServer, sampling, 4096)["repeat_last_n"], 4096);
  sampling.repetition_window = 64;
  EXPECT_EQ(SamplingWords(ServerKind::kLlamaServer, sampling, 4096)["repeat_last_n"], 64);
  EXPECT_EQ(Inexpressible(ServerKind::kVllm, sampling), "repetition_window");
  EXPECT_EQ(Inexpressible(ServerKind::kLlamaServer, sampling), "");
}

TEST(Asker, NobodyListens) {
  ServerAccess access;
  access.key = "sk-very-secret";
  access.retry.tries = 2;
  access.retry.first_s = 0.01;
  Asker asker(ParseServerAddress("http://127.0.0.1:1"), access);  // a reserved port
  try {
    asker.AskAll(
        3,
        [](size_t) {
          return CompletionRequest{"/v1/completions", {{"prompt", "x"}}, 4, ""};
        },
        [](size_t, RemoteAnswer&&) {}, SilentProgress());
    ADD_FAILURE() << "no server gave three answers";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr("cannot be reached"));
    EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace assay
