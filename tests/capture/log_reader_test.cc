#include "capture/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capture/python_text.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

std::vector<Captured> Read(LogReader& reader, const std::string& text) {
  reader.Read(text, "a.log");
  return reader.Take();
}

std::string AnswerText(const Captured& captured) {
  const Json& choice = captured.response["choices"][0];
  return choice.contains("text") ? choice["text"].get<std::string>() : choice["message"]["content"].get<std::string>();
}

TEST(LogReader, RecordingsOfTheProxy) {
  LogReader reader;
  const auto read = Read(
      reader,
      R"({"assay_capture":1,"time":"2026-01-01T00:00:00.000Z","path":"/v1/chat/completions","status":200,"seconds":1.0,"first_byte_s":0.1,"request":{"messages":[{"role":"user","content":"Hi"}],"stream":true},"response":{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}}
{"assay_capture":1,"path":"/v1/completions","status":500,"request":{"prompt":"x"},"error":"HTTP 500: no"}
{"assay_capture":1,"path":"/v1/completions","sta)");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(AnswerText(read[0]), "Hello.");
  EXPECT_EQ(read[0].Place(), "a.log:1");
  EXPECT_EQ(read[1].status, 500);
  EXPECT_EQ(read[1].no_answer, "HTTP 500: no");
  ASSERT_EQ(reader.unread().size(), 1u);  // a torn line
  EXPECT_EQ(reader.unread()[0].line, 3);
  EXPECT_EQ(reader.layouts()[0].requests, 2);
}

// vllm/entrypoints/logger.py, RequestLogger: prompts in the line of the request, then in a line of their own.
TEST(LogReader, Vllm) {
  LogReader reader;
  const auto read = Read(
      reader,
      R"(INFO 11-30 10:00:00 [logger.py:43] Received request chatcmpl-a1: prompt: '<|im_start|>user\nIt\'s "2 * 2"?\xa0\u20ac<|im_end|>\n', params: SamplingParams(n=1, temperature=0.7, stop=[], max_tokens=77, min_tokens=0), prompt_token_ids: None, prompt_embeds shape: None, lora_request: None.
INFO 11-30 10:00:00 [async_llm.py:270] Added request chatcmpl-a1.
INFO 11-30 10:00:01 [logger.py:70] Generated response chatcmpl-a1 (streaming delta): output: 'Fo', output_token_ids: [1], finish_reason: None
INFO 11-30 10:00:01 [logger.py:70] Generated response chatcmpl-a1 (streaming complete): output: 'Four.', output_token_ids: [1, 2], finish_reason: stop
DEBUG 11-30 10:00:02 [logger.py:50] Request cmpl-b2-0 details: prompt: "Don't", prompt_token_ids: [3, 4], prompt_embeds shape: None.
INFO 11-30 10:00:02 [logger.py:60] Received request cmpl-b2-0: params: SamplingParams(n=1, max_tokens=5), lora_request: None.
INFO 11-30 10:00:03 [logger.py:70] Generated response cmpl-b2: output: ' stop', output_token_ids: [5], finish_reason: length
INFO 11-30 10:00:04 [logger.py:43] Received request chatcmpl-c3: prompt: None, params: SamplingParams(n=1), prompt_token_ids: [1, 2], lora_request: None.
INFO 11-30 10:00:05 [logger.py:70] Generated response chatcmpl-d4: output: 'lost', output_token_ids: [5], finish_reason: stop
)");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].request["prompt"], "<|im_start|>user\nIt's \"2 * 2\"?\u00a0€<|im_end|>\n");
  EXPECT_EQ(read[0].request["max_tokens"], 77);
  EXPECT_EQ(AnswerText(read[0]), "Four.");
  EXPECT_EQ(read[1].request["prompt"], "Don't");
  EXPECT_EQ(read[1].request["max_tokens"], 5);
  EXPECT_EQ(AnswerText(read[1]), " stop");
  EXPECT_EQ(read[1].response["choices"][0]["finish_reason"], "length");
  ASSERT_EQ(reader.unread().size(), 2u);
  EXPECT_EQ(reader.unread()[0].line, 8);
  EXPECT_THAT(reader.unread()[0].why, HasSubstr("tokens or nothing"));
  EXPECT_EQ(reader.unread()[1].line, 9);
  EXPECT_THAT(reader.unread()[1].why, HasSubstr("an answer without its request"));
}

// The same of version 0.32 (entrypoints/serve/utils/request_logger.py) with --log-level DEBUG: the body, as it was
// sent.
TEST(LogReader, VllmBodies) {
  LogReader reader;
  const auto read = Read(
      reader,
      R"((APIServer pid=7) DEBUG 11-30 10:00:00 [request_logger.py:78] Request 5f0e JSON body: {"model":"m","messages":[{"role":"user","content":"Hi {there}"}],"max_tokens":5}
(APIServer pid=7) DEBUG 11-30 10:00:00 [request_logger.py:60] Request chatcmpl-5f0e details: prompt: '<s>Hi', prompt_token_ids: [1], prompt_embeds shape: None.
(APIServer pid=7) INFO 11-30 10:00:00 [request_logger.py:70] Received request chatcmpl-5f0e: params: SamplingParams(n=1, max_tokens=5), lora_request: None.
(APIServer pid=7) INFO 11-30 10:00:01 [request_logger.py:110] Generated response chatcmpl-5f0e: output: 'Hello', finish_reason: stop
(APIServer pid=7) DEBUG 11-30 10:00:00 [request_logger.py:78] Request 5f0f JSON body: {"model":"m","messages":[{"ro
)");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].request["messages"][0]["content"], "Hi {there}");
  EXPECT_EQ(AnswerText(read[0]), "Hello");
  ASSERT_EQ(reader.unread().size(), 1u);
  EXPECT_EQ(reader.unread()[0].line, 5);
}

// tools/server/server-http.cpp, log_server_request.
TEST(LogReader, LlamaServer) {
  LogReader reader;
  const auto read = Read(reader,
                         R"(srv  log_server_r: done request: POST /v1/chat/completions 127.0.0.1 200
1.02.000.001 D srv  log_server_r: request:  {"messages":[{"role":"user","content":"hi"}],"stream":false}
1.02.000.002 D srv  log_server_r: response: {"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}
srv  log_server_r: request:  {"prompt":"native","n_predict":9}
srv  log_server_r: response: {"content":"answer","stop":true}
srv  log_server_r: request:  {"messages":[{"role":"user","content":"streamed"}],"stream":true}
srv  log_server_r: response: 
srv  log_server_r: request:  {"messages":[{"role":"user","content":"one"}]}
srv  log_server_r: request:  {"messages":[{"role":"user","content":"two"}]}
srv  log_server_r: response: {"choices":[{"index":0,"message":{"role":"assistant","content":"whose?"},"finish_reason":"stop"}]}
srv  log_server_r: request:  {"messages":[{"role"
srv  log_server_r: request:  {"content":"to be tokenized"}
srv  update_slots: all slots are idle
)");
  ASSERT_EQ(read.size(), 5u);
  EXPECT_EQ(AnswerText(read[0]), "Hello");
  EXPECT_EQ(AnswerText(read[1]), "answer");
  EXPECT_THAT(read[2].no_answer, HasSubstr("streams"));
  EXPECT_TRUE(read[3].response.is_null() && read[4].response.is_null());
  EXPECT_THAT(read[4].no_answer, HasSubstr("at once"));
  ASSERT_EQ(reader.unread().size(), 1u);
  EXPECT_EQ(reader.unread()[0].line, 11);
}

// GET /slots, server_slot::to_json.
TEST(LogReader, LlamaServerSlots) {
  LogReader reader;
  const auto read = Read(reader, R"([
  {"id": 0, "n_ctx": 4096, "speculative": false, "is_processing": false, "id_task": 3, "params": {"n_predict": 12, "temperature": 0.5},
   "next_token": [{"has_next_token": false}], "prompt": "<s>Once", "generated": " upon"},
  {"id": 1, "n_ctx": 4096, "is_processing": true, "params": {"n_predict": -1}, "prompt": "<s>Twice", "generated": " or"},
  {"id": 2, "n_ctx": 4096, "speculative": false, "is_processing": false}
])");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].request["prompt"], "<s>Once");
  EXPECT_EQ(AnswerText(read[0]), " upon");
  EXPECT_TRUE(read[1].response.is_null());  // it is still being written
  EXPECT_EQ(reader.other_lines(), 1);
}

// litellm/types/utils.py, StandardLoggingPayload.
TEST(LogReader, LiteLlm) {
  LogReader reader;
  const auto read = Read(
      reader,
      R"({"id":"chatcmpl-1","call_type":"acompletion","stream":true,"response_cost":0.1,"status":"success","model":"m","messages":[{"role":"user","content":"Weather?"}],"model_parameters":{"temperature":0,"tools":[{"type":"function","function":{"name":"f"}}]},"response":{"id":"x","choices":[{"finish_reason":"tool_calls","index":0,"message":{"content":null,"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}}
{"level":"INFO","standard_logging_object":{"call_type":"acompletion","status":"failure","messages":[{"role":"user","content":"b"}],"model_parameters":{},"response":null,"error_str":"boom"}}
{"id":"e","call_type":"aembedding","status":"success","response_cost":0}
{"message":"Wrapper: Completed Call","level":"INFO","timestamp":"t"}
)");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].request["tools"][0]["function"]["name"], "f");
  EXPECT_EQ(read[0].response["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(read[1].no_answer, "boom");
  ASSERT_EQ(reader.unread().size(), 1u);
  EXPECT_THAT(reader.unread()[0].why, HasSubstr("aembedding"));
  EXPECT_EQ(reader.other_lines(), 1);
}

TEST(LogReader, OpenAiBatchesInEitherOrder) {
  LogReader reader;
  reader.Read(
      R"({"id":"batch_req_1","custom_id":"r1","response":{"status_code":200,"request_id":"q","body":{"choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"stop"}]}},"error":null}
{"id":"batch_req_2","custom_id":"r2","response":null,"error":{"code":"x","message":"expired"}}
{"id":"batch_req_9","custom_id":"r9","response":{"status_code":200,"body":{"choices":[]}},"error":null}
)",
      "out.jsonl");
  reader.Read(
      R"({"custom_id":"r1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"2+2"}]}}
{"custom_id":"r2","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"3+3"}]}}
{"custom_id":"r2","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"again"}]}}
{"custom_id":"e1","method":"POST","url":"/v1/embeddings","body":{"input":"x"}}
)",
      "in.jsonl");
  const auto read = reader.Take();
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(AnswerText(read[0]), "4");
  EXPECT_EQ(read[0].Place(), "in.jsonl:1");
  EXPECT_EQ(read[1].no_answer, "expired");
  ASSERT_EQ(reader.unread().size(), 3u);
  EXPECT_THAT(reader.unread()[0].why, HasSubstr("r2 was a request's before, in.jsonl:2"));
  EXPECT_THAT(reader.unread()[1].why, HasSubstr("no completion"));
  EXPECT_EQ(reader.unread()[2].file, "out.jsonl");
}

TEST(LogReader, ARequestMayCarryAnId) {
  LogReader reader;
  const auto all =
      Read(reader, R"({"messages":[{"role":"user","content":"one?"}],"response":"one two","custom_id":"x"})"
                   "\n");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].request["messages"][0]["content"], "one?");
  EXPECT_TRUE(reader.unread().empty());
}

TEST(LogReader, PlainLines) {
  LogReader reader;
  const auto read = Read(reader,
                         "\xEF\xBB\xBF"
                         R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}
{"messages":[{"role":"user","content":"a"}],"response":"text"}
{"prompt":"p","completion":"c"}
{"request":{"messages":[{"role":"user","content":"a"}]},"response":{"choices":[{"message":{"role":"assistant","content":"d"},"finish_reason":"stop"}]}}
{"messages":[{"role":"user","content":"a"}],"response":{"error":{"message":"overloaded"}}}

{"choices":[]}
{"messages": 5}
)");
  ASSERT_EQ(read.size(), 5u);
  EXPECT_EQ(AnswerText(read[0]), "b");
  EXPECT_EQ(read[0].request["messages"].size(), 1u);
  EXPECT_EQ(AnswerText(read[1]), "text");
  EXPECT_EQ(AnswerText(read[2]), "c");
  EXPECT_EQ(AnswerText(read[3]), "d");
  EXPECT_EQ(read[4].no_answer, "overloaded");
  EXPECT_EQ(reader.unread().size(), 2u);
}

TEST(LogReader, OnePrettyObject) {
  LogReader reader;
  const auto read = Read(reader, "{\n  \"messages\": [\n    {\"role\": \"user\", \"content\": \"a\"}\n  ]\n}\n");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_TRUE(reader.unread().empty());
}

TEST(LogReader, SaysWhatIsNoText) {
  LogReader reader;
  EXPECT_TRUE(Read(reader, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xFF\"}]}\nplain words\n").empty());
  ASSERT_EQ(reader.unread().size(), 1u);
  EXPECT_THAT(reader.unread()[0].why, HasSubstr("no UTF-8"));
  EXPECT_EQ(reader.other_lines(), 1);
}

TEST(PythonText, AsReprWritesIt) {
  const auto take = [](std::string_view text) { return TakePythonText(text); };
  EXPECT_EQ(take(R"('a\\b\t\'c"\U0001f600', x)"), "a\\b\t'c\"😀");
  EXPECT_EQ(take(R"("it's")"), "it's");
  EXPECT_EQ(take(R"('\ud800')"), std::nullopt);
  EXPECT_EQ(take(R"('\q')"), std::nullopt);
  EXPECT_EQ(take(R"('no end)"), std::nullopt);
  EXPECT_EQ(take("None"), std::nullopt);
}

}  // namespace
}  // namespace assay
