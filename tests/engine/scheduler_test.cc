// Requests that come and go at any time, through every kind of memory that a model has of a sequence.

#include "engine/scheduler.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "checkpoint/convert_for_test.h"
#include "model/tiny_checkpoint.h"
#include "system/file.h"
#include "system/output.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

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
  Answer Alone(const TokenRequest& request, int64_t step_tokens = 1) {
    Scheduler scheduler = Make({1, step_tokens, 0});
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

class Memories : public SchedulerTest, public testing::WithParamInterface<const char*> {
 protected:
  int64_t LargestNeed(const std::vector<TokenRequest>& requests) const {
    int64_t most = 0;
    for (const TokenRequest& request : requests)
      most = std::max(most, PlanCache(model_->config(), model_->arithmetic(),
                                      std::ssize(request.prompt) + request.sampling.max_tokens)
                                .bytes);
    return most;
  }
  /// A golden model that reads further than its maker said.
  static fs::path LongFolder(const fs::path& scratch, const std::string& name, int64_t context) {
    fs::path folder = GoldenFolder(scratch, name);
    Json config = ParseJson(ReadFile(folder / "config.json"), "config.json");
    config["max_position_embeddings"] = context;
    WriteFileAtomically(folder / "config.json", DumpJson(config));
    return folder;
  }
  /// Requests come and are cancelled at random; every answer has the very bits of `expected`, no step takes more than
  /// the budget, and at the end all pages are given back.
  void ExpectTheSame(const std::vector<TokenRequest>& requests, const std::vector<Answer>& expected, Random& random,
                     const SchedulerOptions& options) {
    std::optional<Scheduler> scheduler(std::in_place, *model_, *tokenizer_, *rules_, pool_, workspace_, options);
    const PagePool pages = scheduler->pages();
    std::map<Scheduler::Id, size_t> open;
    size_t submitted = 0, answered = 0, cancelled = 0;
    while (submitted < requests.size() || !scheduler->idle()) {
      for (uint64_t n = random.Below(4); n > 0 && submitted < requests.size(); --n, ++submitted)
        open.emplace(scheduler->Submit(requests[submitted]), submitted);
      if (!open.empty() && random.Below(12) == 0) {
        const auto gone = std::next(open.begin(), static_cast<std::ptrdiff_t>(random.Below(open.size())));
        EXPECT_TRUE(scheduler->Cancel(gone->first));
        EXPECT_FALSE(scheduler->Cancel(gone->first));
        open.erase(gone);
        ++cancelled;
      }
      for (const Scheduler::Event& event : scheduler->Step()) {
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
      if (options.cache_bytes > 0) {
        const int64_t logits = model_->config().vocab * options.sequences * 4;
        ASSERT_LE(scheduler->bytes(), options.cache_bytes + logits);
      }
    }
    EXPECT_TRUE(open.empty());
    EXPECT_EQ(answered + cancelled, requests.size());
    scheduler.reset();
    EXPECT_EQ(pages.pages(), 0);
  }
};

TEST_P(Memories, WhateverRunsBesideTheBitsAreTheSame) {
  TempFolder scratch;
  Load(Checkpoint::Open(GoldenFolder(scratch.path(), GetParam())));
  Random random(7);
  const std::vector<TokenRequest> requests = Requests(14, random);
  std::vector<Answer> expected;
  for (const TokenRequest& request : requests) expected.push_back(Alone(request));
  for (int round = 0; round < 6; ++round) {
    const int64_t budget = LargestNeed(requests) + static_cast<int64_t>(random.Below(300'000));
    ExpectTheSame(
        requests, expected, random,
        {1 + static_cast<int>(random.Below(5)), 1 + static_cast<int64_t>(random.Below(40)), round % 2 ? budget : 0});
  }
}

// Pages end at multiples of 256: prompts that part there and beside it, that are others' beginnings, and that begin as
// answers go on.
TEST_P(Memories, BeginningsMayPartAnywhere) {
  TempFolder scratch;
  Load(Checkpoint::Open(LongFolder(scratch.path(), GetParam(), 1024)));
  ASSERT_EQ(model_->config().context, 1024);
  Random random(11);
  auto some = [&](size_t n) {
    std::vector<int32_t> ids;
    while (ids.size() < n)
      ids.push_back(static_cast<int32_t>(4 + random.Below(static_cast<uint64_t>(model_->config().vocab - 4))));
    return ids;
  };
  const std::vector<int32_t> beginning = some(600);
  std::vector<TokenRequest> requests;
  auto add = [&](size_t common, size_t own) {
    TokenRequest& request = requests.emplace_back();
    request.prompt.assign(beginning.begin(), beginning.begin() + static_cast<std::ptrdiff_t>(common));
    const std::vector<int32_t> rest = some(own);
    request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
    request.sampling.max_tokens = 1 + static_cast<int64_t>(random.Below(6));
    request.sampling.seed = requests.size();
    request.sampling.temperature = requests.size() % 2 ? 1.0 : 0.0;
  };
  for (size_t common : {255, 256, 257, 511, 512, 513, 600}) add(common, 1 + random.Below(5));
  for (size_t whole : {255, 256, 257, 258}) add(whole, 0);
  for (size_t common : {100, 250, 256}) add(common, 300);
  add(0, 20);
  std::vector<Answer> expected;
  for (const TokenRequest& request : requests) expected.push_back(Alone(request, 50));
  // One that goes on from an answer.
  requests.push_back(requests[6]);
  requests.back().prompt.insert(requests.back().prompt.end(), expected[6].ids.begin(), expected[6].ids.end());
  requests.back().prompt.push_back(5);
  expected.push_back(Alone(requests.back(), 50));
  for (int round = 0; round < 3; ++round) {
    std::vector<size_t> order(requests.size());
    for (size_t i = 0; i < order.size(); ++i) std::swap(order[i] = i, order[random.Below(i + 1)]);
    std::vector<TokenRequest> shuffled;
    std::vector<Answer> answers;
    for (size_t i : order) {
      shuffled.push_back(requests[i]);
      answers.push_back(expected[i]);
    }
    const int64_t need = LargestNeed(requests);
    ExpectTheSame(shuffled, answers, random,
                  {1 + static_cast<int>(random.Below(5)), 1 + static_cast<int64_t>(random.Below(300)),
                   std::vector<int64_t>{0, need, 2 * need}[static_cast<size_t>(round)]});
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
}

// Prompts of 600 tokens in common and 10 of their own: two pages are there once, the third belongs to each.
class LongScheduling : public Scheduling {
 protected:
  class LongCheckpoint : public TinyCheckpoint {
   public:
    LongCheckpoint() : TinyCheckpoint("f32") { config_.context = 2048; }
  };
  void SetUp() override { Load(std::make_shared<LongCheckpoint>()); }
  static TokenRequest WithOwnEnd(int32_t own, int64_t answer = 20) {
    TokenRequest request = Request(600, answer);
    for (int32_t i = 0; i < 10; ++i) request.prompt.push_back((own + 3 * i) % 250);
    return request;
  }
  int64_t PageBytes() const { return PlanCache(model_->config(), model_->arithmetic(), 1).page_bytes; }
};

TEST_F(LongScheduling, PagesOfABeginningAreThereOnce) {
  std::vector<Answer> expected;
  for (int32_t i = 0; i < 4; ++i) expected.push_back(Alone(WithOwnEnd(i), 100));
  // The first reads the beginning, then all four run: 2 + 4 pages.
  Scheduler scheduler = Make({4, 100, 6 * PageBytes()});
  for (int32_t i = 0; i < 4; ++i) scheduler.Submit(WithOwnEnd(i));
  int64_t most = 0, together = 0;
  std::map<Scheduler::Id, Answer> answers;
  while (!scheduler.idle()) {
    size_t ended = 0;
    for (const Scheduler::Event& event : scheduler.Step())
      if (event.answer) answers[event.id] = *event.answer, ++ended;
    together = std::max(together, static_cast<int64_t>(ended));
    most = std::max(most, scheduler.pages().pages());
  }
  EXPECT_EQ(most, 6);
  EXPECT_GE(together, 3);  // they ran beside each other
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(answers[i + 1].ids, expected[i].ids);
    EXPECT_EQ(answers[i + 1].logprobs, expected[i].logprobs);
  }
  // What ended is kept; a fifth takes the place of the one that was used longest ago.
  EXPECT_EQ(scheduler.pages().pages(), 6);
  const Scheduler::Id fifth = scheduler.Submit(WithOwnEnd(100));
  int steps = 0;
  while (!scheduler.idle()) {
    for (const Scheduler::Event& event : scheduler.Step())
      if (event.answer) {
        EXPECT_EQ(event.id, fifth);
        EXPECT_EQ(event.answer->logprobs, Alone(WithOwnEnd(100), 100).logprobs);
      }
    ++steps;
    EXPECT_LE(scheduler.pages().pages(), 6);
  }
  EXPECT_LE(steps, 20) << "600 tokens were there";
}

TEST_F(LongScheduling, OneThatCanNeverFitIsRefused) {
  // 630 positions: three pages.
  const int64_t page = PageBytes();
  Scheduler enough = Make({4, 100, 3 * page}), less = Make({4, 100, 3 * page - 1});
  enough.Submit(WithOwnEnd(1));
  EXPECT_EQ(Ends(enough).size(), 1u);
  try {
    less.Submit(WithOwnEnd(1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_EQ(
        error.what(),
        fmt::format("a prompt of 610 tokens and 20 to generate need {} bytes of cache memory (3 pages of {}, 0 of "
                    "fixed size), {} are allowed",
                    3 * page, page, 3 * page - 1));
  }
  EXPECT_TRUE(less.idle());
  less.Submit(Request(500, 12));  // two pages
  EXPECT_EQ(Ends(less).size(), 1u);
}

TEST_F(LongScheduling, CancelledInTheMiddleItLeavesWhatItHasRead) {
  Scheduler scheduler = Make({2, 100, 0});
  const Scheduler::Id first = scheduler.Submit(WithOwnEnd(1));
  for (int step = 0; step < 4; ++step) scheduler.Step();
  EXPECT_TRUE(scheduler.Cancel(first));
  EXPECT_EQ(scheduler.pages().pages(), 2);  // 400 positions
  scheduler.Submit(WithOwnEnd(2, 1));
  int steps = 0;
  while (!scheduler.idle()) {
    for (const Scheduler::Event& event : scheduler.Step())
      if (event.answer) {
        EXPECT_EQ(event.answer->logprobs, Alone(WithOwnEnd(2, 1)).logprobs);
      }
    ++steps;
  }
  EXPECT_EQ(steps, 3);  // 210 tokens
}

TEST_F(LongScheduling, ALongPromptIsReadHoweverManyShortOnesCome) {
  // A step has room for one token of a prompt; short prompts never end.
  Scheduler scheduler = Make({3, 1, 0});
  const Scheduler::Id slow = scheduler.Submit(Request(100, 1));
  bool done = false;
  int32_t next = 0;
  for (int step = 0; step < 200 && !done; ++step) {
    scheduler.Submit(Request(5, 1, 1000 + 17 * ++next));
    for (const Scheduler::Event& event : scheduler.Step()) done = done || event.id == slow;
  }
  EXPECT_TRUE(done);
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
