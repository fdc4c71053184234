#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/error.h"
#include "engine/divergence.h"
#include "engine/memory.h"
#include "model/tiny_checkpoint.h"
#include "system/machine.h"
#include "task/finish.h"

namespace assay {
namespace {

std::shared_ptr<const Model> TinyModel(std::string_view format, Arithmetic arithmetic) {
  return Model::Load(std::make_shared<TinyCheckpoint>(format), {arithmetic, ""});
}

std::vector<Request> SomeRequests() {
  std::vector<Request> requests;
  const char* prompts[] = {"The same beginning of all, then one",
                           "The same beginning of all, then two and more words",
                           "The same beginning of all",
                           "Something else entirely, rather long so that it needs several steps of prefill",
                           "x",
                           "The same beginning of all, then one"};
  for (const char* prompt : prompts) {
    Request request;
    request.question = std::string(prompt);
    request.sampling.max_tokens = 12;
    requests.push_back(request);
  }
  requests[1].sampling.temperature = 0.8;
  requests[1].sampling.seed = 7;
  requests[5].sampling.temperature = 1.2;
  requests[5].sampling.top_k = 20;
  return requests;
}

std::vector<Answer> AnswerAll(Engine& engine, const std::vector<Request>& requests) {
  std::vector<Answer> answers(requests.size());
  engine.Generate(
      requests, [&](size_t i, const Answer& answer) { answers[i] = answer; }, SilentProgress());
  return answers;
}

class BatchIndependence : public testing::TestWithParam<std::tuple<std::string, Arithmetic>> {};

TEST_P(BatchIndependence, AnswersAreTheSameBits) {
  auto model = TinyModel(std::get<0>(GetParam()), std::get<1>(GetParam()));
  std::vector<Request> requests = SomeRequests();
  ThreadPool one(1);
  EngineOptions alone;
  alone.batch_size = 1;
  alone.batch_tokens = 1;
  Engine reference(model, one, alone);
  std::vector<Answer> expected;
  for (const Request& request : requests) expected.push_back(AnswerAll(reference, {request})[0]);
  struct Setting {
    int threads, batch_size;
    int64_t batch_tokens;
  };
  for (Setting setting : {Setting{1, 8, 256}, {2, 8, 16}, {2, 2, 3}, {3, 3, 64}}) {
    ThreadPool pool(setting.threads);
    EngineOptions options;
    options.batch_size = setting.batch_size;
    options.batch_tokens = setting.batch_tokens;
    Engine engine(model, pool, options);
    std::vector<Answer> answers = AnswerAll(engine, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(answers[i].ids, expected[i].ids) << i;
      EXPECT_EQ(answers[i].logprobs, expected[i].logprobs) << i;  // the very bits
      EXPECT_FALSE(answers[i].ids.empty() && answers[i].finish != "stop");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, BatchIndependence,
                         testing::Combine(testing::Values("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1",
                                                          "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "int8_channel_a8",
                                                          "fp8_channel_a8", "int8_channel", "fp8_channel", "int4_g128",
                                                          "nf4", "nvfp4", "mxfp4"),
                                          testing::Values(Arithmetic::kReference, Arithmetic::kDeployed)),
                         [](const auto& test) {
                           return std::get<0>(test.param) +
                                  std::string(std::get<1>(test.param) == Arithmetic::kReference ? "_reference"
                                                                                                : "_deployed");
                         });

TEST(Engine, DeployedArithmeticStaysNearReference) {
  for (const char* format : {"f16", "bf16", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0", "int8_channel_a8"}) {
    ThreadPool pool(1);
    Engine reference(TinyModel(format, Arithmetic::kReference), pool, {}),
        deployed(TinyModel(format, Arithmetic::kDeployed), pool, {});
    std::string text;
    for (int i = 0; i < 30; ++i) text += "Some text to predict, line " + std::to_string(i) + ". ";
    PerplexityResult result = MeasurePerplexity(deployed, &reference, nullptr, text, {64, 4}, SilentProgress());
    EXPECT_EQ(result.chunks, 4);
    EXPECT_EQ(result.scored_tokens, 4 * 31);
    EXPECT_LT(result.divergence.mean, 0.01) << format;
    EXPECT_GT(result.divergence.mean, 0) << format;  // they really differ
    EXPECT_NEAR(result.perplexity / result.base_perplexity, 1.0, 0.02) << format;
  }
}

TEST(Engine, ScoreAgreesWithGeneration) {
  ThreadPool pool(2);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  Request request;
  request.question = "Hello there";
  request.sampling.max_tokens = 8;
  Answer answer = AnswerAll(engine, {request})[0];
  std::vector<int32_t> ids = engine.Prepare(request.question).ids;
  auto first = static_cast<int64_t>(ids.size()) - 1;
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  std::vector<int32_t> greedy;
  int64_t vocab = engine.model().config().vocab;
  engine.Score(ids, first, [&](int64_t, int64_t count, const float* logits) {
    for (int64_t i = 0; i < count; ++i)
      greedy.push_back(
          static_cast<int32_t>(std::max_element(logits + i * vocab, logits + (i + 1) * vocab) - (logits + i * vocab)));
  });
  ASSERT_GE(greedy.size(), answer.ids.size());
  greedy.resize(answer.ids.size());
  EXPECT_EQ(greedy, answer.ids);
}

TEST(Engine, LedAlongATextItTellsWhatItWouldHaveSaid) {
  ThreadPool pool(2);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  Request request;
  request.question = "Hello there";
  request.sampling.max_tokens = 8;
  request.top_logprobs = 3;
  const Answer answer = AnswerAll(engine, {request})[0];
  std::vector<ForcedText> texts(3);
  texts[0].ids = engine.Prepare(request.question).ids;
  texts[0].first = texts[0].ids.size();
  texts[0].ids.insert(texts[0].ids.end(), answer.ids.begin(), answer.ids.end());
  texts[1] = {texts[0].ids, texts[0].ids.size()};  // what follows alone
  texts[2] = {{1, 100000}, 1};
  std::vector<ForcedPredictions> told(3);
  engine.Force(
      texts, 3, [&](size_t i, ForcedPredictions&& predictions) { told[i] = std::move(predictions); }, SilentProgress());
  ASSERT_EQ(told[0].error, "");
  ASSERT_EQ(told[0].steps.size(), answer.ids.size() + 1);
  for (size_t i = 0; i < answer.ids.size(); ++i) {
    ASSERT_EQ(told[0].steps[i].size(), 3u);
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(told[0].steps[i][k].id, answer.top_logprobs[i][k].id) << i << " " << k;
      EXPECT_NEAR(told[0].steps[i][k].logprob, answer.top_logprobs[i][k].logprob, 1e-4);
    }
  }
  ASSERT_EQ(told[1].steps.size(), 1u);
  EXPECT_EQ(told[1].steps[0][0].id, told[0].steps.back()[0].id);
  EXPECT_NE(told[2].error.find("token 100000"), std::string::npos) << told[2].error;
  EXPECT_TRUE(told[2].steps.empty());
}

TEST(Engine, WhatTakesTooMuchMemoryIsAnErrorOfThatRequestAlone) {
  auto model = TinyModel("f32", Arithmetic::kReference);
  ThreadPool pool(1);
  std::vector<Request> requests(2);
  for (Request& request : requests) request.sampling.max_tokens = 4;
  requests[0].question = std::string(200, 'a');  // a page, as the other
  requests[1].question = "b";
  const CachePlan page = PlanCache(model->config(), model->arithmetic(), 256);
  EngineOptions options;
  options.cache_bytes = page.bytes;
  Engine enough(model, pool, options);
  for (const Answer& answer : AnswerAll(enough, requests)) EXPECT_EQ(answer.error, "");
  options.cache_bytes = page.bytes - 1;
  Engine less(model, pool, options);
  for (const Answer& answer : AnswerAll(less, requests)) {
    EXPECT_EQ(answer.finish, "error");
    EXPECT_GE(answer.prompt_tokens, 1);
    EXPECT_NE(answer.error.find(fmt::format("need {0} bytes of cache memory (1 pages of {0}, 0 of fixed size), {1} are "
                                            "allowed",
                                            page.bytes, page.bytes - 1)),
              std::string::npos)
        << answer.error;
  }
  // Without a limit of the user's there is room for any.
  EXPECT_GE(DefaultCacheBytes(*model), int64_t{1} << 26);
  EXPECT_LT(DefaultCacheBytes(*model), static_cast<int64_t>(MemoryLimitBytes()));
}

TEST(Engine, WhatDoesNotFitIsAnErrorOfThatRequestAlone) {
  ThreadPool pool(1);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  std::vector<Request> requests(3);
  requests[0].question = std::string(300, 'a');
  requests[1].question = "short";
  requests[1].sampling.max_tokens = 4;
  const std::vector<int32_t> unknown = {1, 100000};
  requests[2].question = unknown;
  requests[2].sampling.max_tokens = 4;
  std::vector<Answer> answers = AnswerAll(engine, requests);
  EXPECT_EQ(answers[0].finish, "error");
  EXPECT_NE(answers[0].error.find("do not fit the context of 256"), std::string::npos) << answers[0].error;
  EXPECT_TRUE(answers[1].error.empty());
  EXPECT_NE(answers[2].error.find("token 100000 \"\" is not among"), std::string::npos) << answers[2].error;
  EXPECT_THROW(engine.Score(unknown, 0, [](int64_t, int64_t, const float*) {}), Error);
  EXPECT_THROW(engine.Score(std::vector<int32_t>(257, 1), 0, [](int64_t, int64_t, const float*) {}), Error);
}

TEST(Engine, StopStringsEndTheAnswerBeforeThem) {
  ThreadPool pool(1);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  Request request;
  request.question = "abc";
  request.sampling.max_tokens = 30;
  Answer whole = AnswerAll(engine, {request})[0];
  ASSERT_GE(whole.text.size(), 6u);
  std::string stop = whole.text.substr(3, 2);
  std::string streamed;
  request.sampling.stop = {stop};
  request.stream = [&](std::string_view piece) { streamed += piece; };
  Answer cut = AnswerAll(engine, {request})[0];
  EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stop)));
  EXPECT_EQ(cut.finish, "stop");
  EXPECT_EQ(streamed, cut.text);
}

TEST(Engine, TopLogprobsAreSortedAndContainTheChoice) {
  ThreadPool pool(1);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  Request request;
  request.question = "abc";
  request.sampling.max_tokens = 3;
  request.top_logprobs = 5;
  Answer answer = AnswerAll(engine, {request})[0];
  ASSERT_EQ(answer.top_logprobs.size(), answer.ids.size());
  for (size_t i = 0; i < answer.ids.size(); ++i) {
    ASSERT_EQ(answer.top_logprobs[i].size(), 5u);
    EXPECT_EQ(answer.top_logprobs[i][0].id, answer.ids[i]);
    EXPECT_FLOAT_EQ(answer.top_logprobs[i][0].logprob, answer.logprobs[i]);
    EXPECT_GE(answer.top_logprobs[i][0].logprob, answer.top_logprobs[i][4].logprob);
  }
}

/// NaN or infinity where every prediction passes: the weights of the last norm.
class BrokenCheckpoint : public TinyCheckpoint {
 public:
  explicit BrokenCheckpoint(float value) : TinyCheckpoint("f32") {
    std::memcpy(const_cast<std::byte*>(Get("output_norm.weight").codes.mapped) + 4 * 17, &value, 4);
  }
};

TEST(Engine, PredictionsThatAreNoNumbersAreSaid) {
  ThreadPool pool(1);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto model = Model::Load(std::make_shared<BrokenCheckpoint>(value), {Arithmetic::kReference, ""});
    Engine engine(model, pool, {});
    std::vector<Request> requests = SomeRequests();
    requests[0].top_logprobs = 5;
    for (const Answer& answer : AnswerAll(engine, requests)) {
      EXPECT_EQ(answer.finish, kFinishNotNumbers);
      EXPECT_TRUE(answer.ids.empty());
      EXPECT_TRUE(answer.logprobs.empty());
    }
    auto good = TinyModel("f32", Arithmetic::kReference);
    Engine base(good, pool, {});
    const std::string text(200, 'a');
    const PerplexityOptions options{32, 0};
    const PerplexityResult alone = MeasurePerplexity(engine, nullptr, nullptr, text, options, SilentProgress());
    EXPECT_EQ(alone.not_numbers, alone.scored_tokens);
    const PerplexityResult against = MeasurePerplexity(base, &engine, nullptr, text, options, SilentProgress());
    EXPECT_EQ(against.not_numbers, 0);
    EXPECT_EQ(against.base_not_numbers, against.scored_tokens);
    EXPECT_EQ(MeasurePerplexity(base, nullptr, nullptr, text, options, SilentProgress()).not_numbers, 0);
  }
}

TEST(Engine, InterruptionThrows) {
  class Stop : public Progress {
   public:
    void Begin(std::string_view, uint64_t, std::string_view) override {}
    void Advance(uint64_t) override {}
    void End() override {}
    bool Cancelled() const override { return true; }
  } stop;
  ThreadPool pool(1);
  Engine engine(TinyModel("f32", Arithmetic::kReference), pool, {});
  std::vector<Request> requests = SomeRequests();
  EXPECT_THROW(engine.Generate(
                   requests, [](size_t, const Answer&) {}, stop),
               Interrupted);
}

TEST(Displacement, EqualModelsDoNotMove) {
  ThreadPool pool(1);
  Engine a(TinyModel("q8_0", Arithmetic::kDeployed), pool, {}), b(TinyModel("q8_0", Arithmetic::kDeployed), pool, {});
  std::vector<int32_t> prompt = a.Prepare("A prompt").ids, answer = {72, 101, 108};
  Displacement d = MeasureDisplacement(a, b, nullptr, "x", prompt, answer, answer, SilentProgress());
  EXPECT_EQ(d.mean_kl, 0);
  EXPECT_EQ(d.same_top, 1);
  EXPECT_EQ(d.first_divergence, -1);
  EXPECT_EQ(d.tokens, 4);
  Engine c(TinyModel("q2_k", Arithmetic::kDeployed), pool, {});
  std::vector<int32_t> other = {72, 100};
  Displacement moved = MeasureDisplacement(c, b, nullptr, "x", prompt, answer, other, SilentProgress());
  EXPECT_GT(moved.mean_kl, 0);
  EXPECT_EQ(moved.first_divergence, 1);
}

}  // namespace
}  // namespace assay
