// Requests that come and go at any time, through every kind of memory that a model has of a sequence.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "checkpoint/convert_for_test.h"
#include "model/tiny_checkpoint.h"

namespace assay {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  void Load(std::shared_ptr<const Checkpoint> checkpoint) {
    checkpoint_ = std::move(checkpoint);
    model_ = Model::Load(checkpoint_, {Arithmetic::kDeployed, ""});
    tokenizer_ = Tokenizer::Create(checkpoint_->tokenizer(), "test");
    rules_ = std::make_unique<LogitRules>(model_->config().generation, model_->config().stop_tokens);
  }
  Scheduler Make(const SchedulerOptions& options) {
    return {*model_, *tokenizer_, *rules_, pool_, workspace_, options};
  }
  Answer Alone(const TokenRequest& request) {
    Scheduler scheduler = Make({1, 1, 0});
    scheduler.Submit(request);
    while (true)
      for (Scheduler::Event& event : scheduler.Step())
        if (event.answer) return std::move(*event.answer);
  }
  /// Prompts that begin alike, some of them with others' whole prompt; a few have nothing in common with any.
  std::vector<TokenRequest> Requests(int count, Random& random) const {
    std::vector<TokenRequest> requests;
    auto some = [&](uint64_t most) {
      std::vector<int32_t> ids;
      for (uint64_t n = 1 + random.Below(most); n > 0; --n)
        ids.push_back(static_cast<int32_t>(4 + random.Below(static_cast<uint64_t>(model_->config().vocab - 4))));
      return ids;
    };
    const std::vector<int32_t> beginnings[] = {some(30), some(40), {}};
    for (int i = 0; i < count; ++i) {
      TokenRequest& request = requests.emplace_back();
      request.prompt = beginnings[random.Below(3)];
      if (i > 0 && random.Below(3) == 0) request.prompt = requests[random.Below(static_cast<uint64_t>(i))].prompt;
      const std::vector<int32_t> rest = some(20);
      request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
      request.prompt.resize(std::min(request.prompt.size(), static_cast<size_t>(model_->config().context) - 12));
      request.sampling.max_tokens = 1 + static_cast<int64_t>(random.Below(12));
      request.sampling.temperature = i % 2 ? 1.0 : 0.0;
      request.sampling.seed = static_cast<uint64_t>(i);
    }
    return requests;
  }

  std::shared_ptr<const Checkpoint> checkpoint_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<LogitRules> rules_;
  ThreadPool pool_{2};
  Workspace workspace_;
};

class Memories : public SchedulerTest, public testing::WithParamInterface<const char*> {};

TEST_P(Memories, WhateverRunsBesideTheBitsAreTheSame) {
  TempFolder scratch;
  Load(Checkpoint::Open(GoldenFolder(scratch.path(), GetParam())));
  Random random(7);
  const std::vector<TokenRequest> requests = Requests(14, random);
  std::vector<Answer> expected;
  for (const TokenRequest& request : requests) expected.push_back(Alone(request));
  for (int round = 0; round < 6; ++round) {
    Scheduler scheduler = Make({1 + static_cast<int>(random.Below(5)), 1 + static_cast<int64_t>(random.Below(40)),
                                round % 2 ? int64_t{1} << (17 + random.Below(4)) : 0});
    std::map<Scheduler::Id, size_t> open;
    size_t submitted = 0, answered = 0, cancelled = 0;
    while (submitted < requests.size() || !scheduler.idle()) {
      for (uint64_t n = random.Below(4); n > 0 && submitted < requests.size(); --n, ++submitted)
        open.emplace(scheduler.Submit(requests[submitted]), submitted);
      if (!open.empty() && random.Below(12) == 0) {
        const auto gone = std::next(open.begin(), static_cast<std::ptrdiff_t>(random.Below(open.size())));
        EXPECT_TRUE(scheduler.Cancel(gone->first));
        EXPECT_FALSE(scheduler.Cancel(gone->first));
        open.erase(gone);
        ++cancelled;
      }
      for (const Scheduler::Event& event : scheduler.Step()) {
        const auto found = open.find(event.id);
        ASSERT_NE(found, open.end()) << "an event of a request that was cancelled or answered";
        ASSERT_TRUE(event.answer);
        const Answer& answer = *event.answer;
        EXPECT_EQ(answer.ids, expected[found->second].ids) << found->second;
        EXPECT_EQ(answer.logprobs, expected[found->second].logprobs) << found->second;  // the very bits
        EXPECT_EQ(answer.finish, expected[found->second].finish);
        open.erase(found);
        ++answered;
      }
    }
    EXPECT_TRUE(open.empty());
    EXPECT_EQ(answered + cancelled, requests.size());
  }
}

// Rows for each position; windows; states of two kinds; compressed entries; an indexer's keys; two rotations.
INSTANTIATE_TEST_SUITE_P(Models, Memories,
                         testing::Values("qwen3", "gemma3", "granite4_h", "qwen3_next", "deepseek_v4", "deepseek_v32",
                                         "phi3_long"),
                         [](const auto& test) { return std::string(test.param); });

class Scheduling : public SchedulerTest {
 protected:
  void SetUp() override { Load(std::make_shared<TinyCheckpoint>("f32")); }
  static TokenRequest Request(size_t prompt, int64_t answer, int32_t first = 1) {
    TokenRequest request;
    for (size_t i = 0; i < prompt; ++i) request.prompt.push_back(static_cast<int32_t>((first + 7 * i) % 250));
    request.sampling.max_tokens = answer;
    return request;
  }
  /// Steps until all have ended: the order.
  static std::vector<Scheduler::Id> Ends(Scheduler& scheduler) {
    std::vector<Scheduler::Id> ends;
    while (!scheduler.idle())
      for (const Scheduler::Event& event : scheduler.Step())
        if (event.answer) ends.push_back(event.id);
    return ends;
  }
};

TEST_F(Scheduling, AShortRequestDoesNotWaitForALongOne) {
  Scheduler scheduler = Make({2, 10, 0});
  const Scheduler::Id slow = scheduler.Submit(Request(200, 2)), quick = scheduler.Submit(Request(5, 2, 99));
  const std::vector<Scheduler::Event> first = scheduler.Step();
  ASSERT_TRUE(first.empty());  // the short prompt is read: 5 of the step's 10 tokens
  const std::vector<Scheduler::Event> second = scheduler.Step();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].id, quick);
  EXPECT_EQ(Ends(scheduler), std::vector<Scheduler::Id>{slow});
}

TEST_F(Scheduling, RequestsAreAdmittedInTheirOrder) {
  Scheduler scheduler = Make({1, 64, 0});
  std::vector<Scheduler::Id> ids;
  for (int32_t i = 0; i < 4; ++i) ids.push_back(scheduler.Submit(Request(5, 2, 10 * i)));
  EXPECT_TRUE(scheduler.Cancel(ids[1]));
  EXPECT_FALSE(scheduler.Cancel(99));
  EXPECT_EQ(Ends(scheduler), (std::vector<Scheduler::Id>{ids[0], ids[2], ids[3]}));
  EXPECT_TRUE(scheduler.Step().empty());
}

TEST_F(Scheduling, ABeginningIsReadOnce) {
  // 100 tokens in common: read by the first, ten at a time, while the others wait; then two a prompt are left.
  Scheduler scheduler = Make({4, 10, 0});
  for (int32_t i = 0; i < 4; ++i) {
    TokenRequest request = Request(100, 1);
    request.prompt.push_back(200 + i);
    request.prompt.push_back(7);
    scheduler.Submit(request);
  }
  int steps = 0;
  while (!scheduler.idle()) {
    scheduler.Step();
    ++steps;
  }
  EXPECT_EQ(steps, 11);  // apart it would be 41
}

TEST_F(Scheduling, CachesStayWithinTheBudget) {
  const int64_t one = PlanCache(model_->config(), model_->arithmetic(), 60).bytes;
  Scheduler scheduler = Make({4, 64, 2 * one});
  for (int32_t i = 0; i < 5; ++i) scheduler.Submit(Request(50, 10, 20 * i));
  size_t answers = 0;
  while (!scheduler.idle()) {
    for (const Scheduler::Event& event : scheduler.Step()) answers += event.answer.has_value();
    EXPECT_LE(scheduler.bytes(), 2 * one + 4 * 260 * 4);  // and logits
  }
  EXPECT_EQ(answers, 5u);
  // One that is larger than the budget runs alone.
  Scheduler small = Make({4, 64, one / 2});
  small.Submit(Request(50, 10));
  small.Submit(Request(50, 10, 3));
  EXPECT_EQ(Ends(small).size(), 2u);
}

TEST_F(Scheduling, TextIsToldAsItAppears) {
  TokenRequest request = Request(5, 20);
  const Answer whole = Alone(request);
  ASSERT_GE(whole.text.size(), 8u);
  request.stream = true;
  request.sampling.stop = {whole.text.substr(6, 2)};
  Scheduler scheduler = Make({2, 64, 0});
  scheduler.Submit(request);
  std::string told;
  while (!scheduler.idle())
    for (const Scheduler::Event& event : scheduler.Step()) {
      told += event.text;
      if (event.answer) {
        EXPECT_EQ(told, event.answer->text);
      }
    }
  EXPECT_EQ(told, whole.text.substr(0, whole.text.find(request.sampling.stop[0])));
}

}  // namespace
}  // namespace assay
