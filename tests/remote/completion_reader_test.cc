#include "remote/completion_reader.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::HasSubstr;

std::string Chunk(const std::string& delta, const std::string& finish = "null", const std::string& more = "") {
  return fmt::format(R"(data: {{"id":"c","model":"m","choices":[{{"index":0,"delta":{},"finish_reason":{}}}]{}}})",
                     delta, finish, more) +
         "\n\n";
}
const std::string kDone = "data: [DONE]\n\n";

RemoteAnswer Read(const std::string& body, bool cut = false, int64_t max_tokens = 100) {
  CompletionReader reader(max_tokens);
  reader.Take(body);
  return reader.Finish(cut);
}

std::string Stream() {
  return ": still here\r\n\r\n" + Chunk(R"({"role":"assistant","content":""})") +
         Chunk(R"({"reasoning_content":"two "})") + Chunk(R"({"reasoning_content":"and two"})") +
         Chunk(R"({"content":"It is "})") + Chunk("{\"content\":\"4 \xE2\x82\xAC.\"}") + Chunk("{}", "\"stop\"") +
         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":7}}\n\n" + kDone;
}

TEST(CompletionReader, TheMostLikelyTokensOfEachStep) {
  const auto with = [](const std::string& text, const std::string& logprobs) {
    return fmt::format(R"(data: {{"choices":[{{"index":0,"delta":{{"content":"{}"}},"logprobs":{}}}]}})", text,
                       logprobs) +
           "\n\n";
  };
  const std::string body =
      with("It",
           R"({"content":[{"token":"It","bytes":[73,116],"logprob":-0.1,"top_logprobs":[)"
           R"({"token":"He","bytes":[72,101],"logprob":-2.5},{"token":"It","bytes":[73,116],"logprob":-0.1}]}]})") +
      with("s", R"({"content":[{"token":"\u00ef","bytes":[239],"logprob":-0.5,"top_logprobs":[]}]})") +
      Chunk("{}", "\"stop\"") + kDone;
  const RemoteAnswer reading = Read(body);
  ASSERT_EQ(reading.fault, Fault::kNone) << reading.answer.error;
  EXPECT_TRUE(reading.logprobs);
  ASSERT_EQ(reading.answer.top_logprobs.size(), 2u);
  EXPECT_EQ(reading.answer.top_logprobs[0][0].text, "It");  // best first
  EXPECT_EQ(reading.answer.top_logprobs[0][1].text, "He");
  EXPECT_EQ(reading.answer.top_logprobs[1][0].text, "\xEF");  // a piece of a character, by its bytes
  EXPECT_FLOAT_EQ(reading.answer.top_logprobs[1][0].logprob, -0.5f);
  // Completions have another layout; what cannot be read is no fault of the answer.
  const auto completion = [](const std::string& logprobs) {
    return fmt::format(R"(data: {{"choices":[{{"index":0,"text":"ab","logprobs":{},"finish_reason":"stop"}}]}})",
                       logprobs) +
           "\n\n" + kDone;
  };
  const RemoteAnswer plain =
      Read(completion(R"({"tokens":["ab"],"token_logprobs":[-0.3],"top_logprobs":[{"x":-4,"ab":-0.3}]})"));
  ASSERT_EQ(plain.answer.top_logprobs.size(), 1u);
  EXPECT_EQ(plain.answer.top_logprobs[0][0].text, "ab");
  for (const char* odd : {R"({"content":[{"token":1}]})", R"({"content":{}})", R"([])", R"({"top_logprobs":[null]})",
                          R"({"content":[{"token":"a","logprob":-1,"bytes":[256]}]})"}) {
    const RemoteAnswer unread = Read(completion(odd));
    EXPECT_EQ(unread.fault, Fault::kNone) << odd;
    EXPECT_EQ(unread.answer.text, "ab") << odd;
    EXPECT_TRUE(unread.answer.top_logprobs.empty()) << odd;
  }
}

TEST(CompletionReader, AStreamIsWhateverItIsCutInto) {
  const std::string body = Stream();
  for (size_t step = 1; step <= body.size(); ++step) {
    CompletionReader reader(100);
    for (size_t at = 0; at < body.size(); at += step) reader.Take(std::string_view(body).substr(at, step));
    EXPECT_TRUE(reader.ended());
    const RemoteAnswer reading = reader.Finish(false);
    ASSERT_EQ(reading.fault, Fault::kNone) << reading.answer.error;
    EXPECT_EQ(reading.answer.text, "It is 4 \xE2\x82\xAC.");
    EXPECT_EQ(reading.answer.reasoning, "two and two");
    EXPECT_EQ(reading.answer.finish, "stop");
    EXPECT_EQ(reading.answer.prompt_tokens, 21);
    EXPECT_EQ(reading.answer.answer_tokens, 7);
    EXPECT_EQ(reading.model, "m");
  }
}

// A stream that ends anywhere before its finish_reason is no answer, however whole its text looks.
TEST(CompletionReader, EveryCutBeforeTheEndIsACut) {
  const std::string body = Stream();
  const size_t finish = body.find("\"stop\"");
  for (size_t n = 0; n < body.size(); ++n) {
    CompletionReader reader(100);
    reader.Take(std::string_view(body).substr(0, n));
    const bool ended = reader.ended();
    EXPECT_EQ(ended, n > body.find("\n\n", finish) + 1) << n;
    const RemoteAnswer reading = reader.Finish(true);
    if (ended)
      EXPECT_EQ(reading.answer.text, "It is 4 \xE2\x82\xAC.");
    else
      EXPECT_EQ(reading.fault, Fault::kCut) << n << reading.answer.error;
  }
}

TEST(CompletionReader, CallsComeInPieces) {
  const std::string body =
      Chunk(R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"weather","arguments":""}}]})") +
      Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"city\": "}}]})") +
      Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"\"Oslo\"}"}}]})") +
      Chunk(R"({"tool_calls":[{"index":1,"id":"b","function":{"name":"time","arguments":"{}"}}]})") +
      Chunk("{}", "\"tool_calls\"") + kDone;
  const RemoteAnswer reading = Read(body);
  ASSERT_EQ(reading.fault, Fault::kNone) << reading.answer.error;
  ASSERT_EQ(reading.answer.tool_calls.size(), 2u);
  EXPECT_EQ(reading.answer.tool_calls[0]["function"]["name"], "weather");
  EXPECT_EQ(reading.answer.tool_calls[0]["function"]["arguments"], R"({"city": "Oslo"})");
  EXPECT_EQ(reading.answer.tool_calls[1]["function"]["name"], "time");
  EXPECT_EQ(reading.answer.finish, "stop");
}

TEST(CompletionReader, FaultsAreTold) {
  struct Case {
    Fault fault;
    std::string body, says;
  };
  const std::string some = Chunk(R"({"content":"4"})"), stop = Chunk("{}", "\"stop\"");
  const Case cases[] = {
      {Fault::kWrongJson, some + "data: {\"choices\": [}\n\n" + stop + kDone, "a chunk"},
      {Fault::kWrongJson, some + "<html>Bad gateway</html>\n", "data: "},
      {Fault::kWrongJson, Chunk(R"({"content":4})") + stop, "delta.content: expected a string"},
      {Fault::kWrongJson, some + stop + Chunk(R"({"content":"5"})"), "after its finish_reason"},
      {Fault::kWrongJson, R"(data: {"choices":[{"index":1,"delta":{"content":"x"}}]})" + std::string("\n\n") + stop,
       "index"},
      {Fault::kWrongJson, "[]", "expected an object"},
      {Fault::kWrongJson, R"({"choices":[{"message":{"content":"4"}}]})", "finish_reason"},
      {Fault::kWrongJson, R"({"choices":[{"message":{"content":[1]},"finish_reason":"stop"}]})", "content[0]"},
      {Fault::kNotUtf8, Chunk("{\"content\":\"\xE2\x82\"}") + stop, "0xE2"},
      {Fault::kNotUtf8, "{\"choices\":[{\"message\":{\"content\":\"\xFF\"},\"finish_reason\":\"stop\"}]}", "byte"},
      {Fault::kCut, some + kDone, "without a finish_reason"},
      {Fault::kEmpty, stop + kDone, "counts no token"},
      {Fault::kEmpty, Chunk("{}", "\"stop\"", R"(,"usage":{"completion_tokens":40})"), "40 tokens"},
      {Fault::kEmpty, "", "no body"},
      {Fault::kContentFilter, some + Chunk("{}", "\"content_filter\""), "content_filter"},
      {Fault::kTruncated, some + Chunk("{}", "\"length\"", R"(,"usage":{"completion_tokens":50})"), "50 tokens"},
      {Fault::kTooLong, some + Chunk("{}", "\"length\"", R"(,"usage":{"completion_tokens":1000})"), "1000 tokens"},
      {Fault::kServerError, some + "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n",
       "out of memory"},
      {Fault::kRefused, "data: {\"error\":{\"message\":\"too long a prompt\",\"code\":400}}\n\n", "too long a prompt"},
      {Fault::kServerError, "error: {\"code\":500}\n\n", "500"},
  };
  for (const Case& c : cases) {
    const RemoteAnswer reading = Read(c.body);
    EXPECT_EQ(reading.fault, c.fault) << c.body << "\n" << reading.answer.error;
    EXPECT_EQ(reading.answer.finish, "error");
    EXPECT_THAT(reading.answer.error, ::testing::StartsWith(std::string(FaultName(c.fault)) + ": "));
    EXPECT_THAT(reading.answer.error, HasSubstr(c.says));
    EXPECT_EQ(reading.answer.text, "");  // nothing of it can be scored
  }
}

// vLLM's "token_ids": without the token that ended the answer, and none where some are missing.
TEST(CompletionReader, TheTokensOfTheAnswer) {
  const auto piece = [](const std::string& text, const std::string& more) {
    return R"(data: {"choices":[{"index":0,"delta":{"content":")" + text + R"("})" + more + "}]}\n\n";
  };
  const auto read = [&](const std::string& last, int counted) {
    return Read(piece("4", R"(,"token_ids":[11,12])") + piece("", last) +
                    R"(data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":)" + std::to_string(counted) +
                    "}}\n\n" + kDone,
                false, 3);
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(read(R"(,"token_ids":[2],"finish_reason":"stop","stop_reason":null)", 3).answer.ids, (Ids{11, 12}));
  EXPECT_EQ(read(R"(,"token_ids":[2],"finish_reason":"tool_calls","stop_reason":2)", 3).answer.ids, (Ids{11, 12}));
  EXPECT_EQ(read(R"(,"token_ids":[13],"finish_reason":"stop","stop_reason":"###")", 3).answer.ids, (Ids{11, 12, 13}));
  EXPECT_EQ(read(R"(,"token_ids":[13],"finish_reason":"length")", 3).answer.ids, (Ids{11, 12, 13}));
  for (const char* odd : {R"(,"finish_reason":"stop")", R"(,"token_ids":[-1],"finish_reason":"stop")",
                          R"(,"token_ids":"x","finish_reason":"stop")"}) {
    const RemoteAnswer reading = read(odd, 3);
    EXPECT_EQ(reading.fault, Fault::kNone) << reading.answer.error;
    EXPECT_EQ(reading.answer.text, "4");
    EXPECT_EQ(reading.answer.ids, Ids()) << odd;
  }
  EXPECT_EQ(Read(R"({"choices":[{"message":{"content":"4"},"finish_reason":"stop","token_ids":[11,2]}],)"
                 R"("usage":{"completion_tokens":2}})")
                .answer.ids,
            Ids{11});
}

TEST(CompletionReader, WhatAModelReallySaid) {
  // It ended at once: scored as an empty answer, no fault.
  EXPECT_EQ(Read(Chunk("{}", "\"stop\"", R"(,"usage":{"completion_tokens":1})")).fault, Fault::kNone);
  // All the tokens that were asked for.
  const RemoteAnswer whole =
      Read(Chunk(R"({"content":"4"})") + Chunk("{}", "\"length\"", R"(,"usage":{"completion_tokens":100})"));
  EXPECT_EQ(whole.fault, Fault::kNone);
  EXPECT_EQ(whole.answer.finish, "length");
  // No stream though one was asked for, members in another order, and a plain completion.
  const RemoteAnswer object = Read(
      R"( {"usage":{"completion_tokens":3,"prompt_tokens":2},"choices":[{"finish_reason":"eos","message":{"content":"4"}}],"model":"m"})");
  EXPECT_EQ(object.answer.text, "4");
  EXPECT_EQ(object.answer.answer_tokens, 3);
  const RemoteAnswer text = Read(
      "data:{\"choices\":[{\"text\":\" "
      "4\",\"finish_reason\":null}]}\n\ndata:{\"choices\":[{\"text\":\"!\",\"finish_reason\":\"stop\"}]}");
  EXPECT_EQ(text.fault, Fault::kNone) << text.answer.error;
  EXPECT_EQ(text.answer.text, " 4!");
}

}  // namespace
}  // namespace assay
