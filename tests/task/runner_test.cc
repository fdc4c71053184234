// The runner against a backend that is a few lines long.
#include "task/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "task_testing.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tokens are bytes. Answers the last message's text in capitals, last request first; "overflow" answers with an error,
// and a message "no template" cannot be rendered.
class FakeBackend : public Backend {
 public:
  Capabilities can() const override { return {}; }

  Prompt Prepare(const Question& question) const override {
    Prompt prompt;
    if (const auto* chat = std::get_if<Chat>(&question)) {
      auto content = chat->messages.back()["content"].get<std::string>();
      if (content == "no template") Fail(ErrorKind::kInvalid, "chat template: line 3: roles must alternate");
      prompt.text = prefix + (chat->tools.is_null() ? "" : chat->tools.dump()) + "<user>" + content;
      prompt.remarks = remarks;
    } else {
      prompt.text = std::get<std::string>(question);
    }
    prompt.ids.assign(prompt.text.begin(), prompt.text.end());
    return prompt;
  }

  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress& progress) override {
    for (size_t i = requests.size(); i-- > 0;) {
      if (progress.Cancelled()) throw Interrupted();
      const std::string prompt = Prepare(requests[i].question).text;
      asked.push_back(prompt);
      sampled.push_back(requests[i].sampling);
      std::string text = prompt.substr(prompt.find('>') == std::string::npos ? 0 : prompt.rfind('>') + 1);
      Answer answer;
      answer.prompt_tokens = static_cast<int64_t>(prompt.size());
      answer.finish = text == "overflow" ? "error" : text == "long" ? "length" : "stop";
      if (answer.finish == "error") answer.error = "the prompt has 9000 tokens, the context 2048";
      for (char c : text) answer.text += static_cast<char>(std::toupper(c));
      answer.ids = {1, 2};
      answer.logprobs = {-0.5f, -0.25f};
      done(i, answer);
      if (after_answer) after_answer();
    }
  }

  std::string prefix;
  std::vector<std::string> remarks;  // of every chat
  std::vector<std::string> asked;
  std::vector<Sampling> sampled;
  std::function<void()> after_answer;
};

class Watch : public Progress {
 public:
  void Begin(std::string_view, uint64_t amount, std::string_view) override {
    total = amount;
    ++legs;
  }
  void Advance(uint64_t units) override { done += units; }
  void End() override { ++ends; }
  bool Cancelled() const override { return cancel; }
  uint64_t total = 0, done = 0;
  int legs = 0, ends = 0;
  bool cancel = false;
};

Task ThreeAndErrors() {
  return ParseTask(
      R"({"id":"one","slice":"s","cluster":"k","messages":[{"role":"user","content":"alpha"}],"expect":[{"type":"equals","value":"ALPHA"}]}
{"id":"two","messages":[{"role":"user","content":"beta"}],"sampling":{"max_tokens":7},"expect":[{"type":"contains","value":"B"},{"type":"number","value":1},{"type":"equals","value":"no"}]}
{"id":"raw","prompt":"gamma","expect":[{"type":"equals","value":"GAMMA"}]}
{"id":"over","messages":[{"role":"user","content":"overflow"}],"expect":[{"type":"equals","value":"x"}]}
{"id":"unrendered","messages":[{"role":"user","content":"no template"}],"expect":[{"type":"equals","value":"x"}]}
{"id":"cut","messages":[{"role":"user","content":"long"}],"expect":[{"type":"equals","value":"x"}]}
)",
      "t.jsonl");
}

RunHeader Header(const Task& task) {
  RunHeader header;
  header.model.fingerprint = "f00";
  header.task_name = task.name;
  header.task_hash = task.hash;
  header.sampling = ToJson(Sampling{});
  header.arithmetic = "reference";
  return header;
}

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("assay_runner_" + std::to_string(::getpid()) + "_" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "run.jsonl";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_, path_;
};

TEST(Runner, EveryExampleHasItsOwnStream) {
  // Copies of one prompt at a temperature must not give one answer: one stream for all makes what fails once fail
  // often.
  std::string text;
  for (int i = 0; i < 12; ++i)
    text +=
        R"({"id":"c)" + std::to_string(i) +
        R"(","messages":[{"role":"user","content":"hi"}],"sampling":{"temperature":3},"expect":[{"type":"contains","value":"x"}]})"
        "\n";
  const Task task = ParseTask(text, "t.jsonl");
  auto seeds = [&](uint64_t seed) {
    FakeBackend backend;
    RunHeader header;
    Sampling defaults;
    defaults.seed = seed;
    header.sampling = ToJson(defaults);
    RunTask(task, backend, header, nullptr, SilentProgress());
    std::set<uint64_t> all;
    for (const Sampling& sampling : backend.sampled) all.insert(sampling.seed);
    return all;
  };
  EXPECT_EQ(seeds(1).size(), 12u);
  EXPECT_EQ(seeds(1), seeds(1));  // both arms draw alike
  EXPECT_NE(seeds(1), seeds(2));
  for (uint64_t seed : seeds(1)) EXPECT_LT(seed, uint64_t{1} << 31);  // what every server takes
  EXPECT_EQ(SeedOf(1, "c0"), SeedOf(1, "c0"));
}

TEST_F(RunnerTest, RemarksOnPromptsAreKept) {
  Task task = ThreeAndErrors();
  FakeBackend backend;
  backend.remarks = {"the chat template reads no variable x"};
  std::map<std::string, Answer> kept;
  const AnswerLookup cache{
      [&](const std::string& key) { return kept.contains(key) ? std::optional(kept[key]) : std::nullopt; },
      [&](const std::string& key, const Answer& answer) { kept[key] = answer; }};
  for (int round = 0; round < 2; ++round) {  // the second answers from the cache
    RunRecord record = RunTask(task, backend, Header(task), nullptr, SilentProgress(), cache);
    EXPECT_EQ(record.examples[0].prompt_remarks, backend.remarks);
    EXPECT_THAT(record.examples[2].prompt_remarks, IsEmpty());  // raw
  }
}

TEST_F(RunnerTest, AnswersScoresAndKeepsTheOrder) {
  Task task = ThreeAndErrors();
  FakeBackend backend;
  Watch watch;
  RunRecord record = RunTask(task, backend, Header(task), nullptr, watch);
  ASSERT_EQ(record.examples.size(), 6u);
  EXPECT_TRUE(record.complete);
  const auto& r = record.examples;
  for (size_t i = 0; i < r.size(); ++i) {
    EXPECT_EQ(r[i].id, task.examples[i].id);
    EXPECT_EQ(r[i].index, static_cast<int64_t>(i));
  }
  EXPECT_TRUE(r[0].pass);
  EXPECT_EQ(r[0].answer, "ALPHA");
  EXPECT_EQ(r[0].slice, "s");
  EXPECT_EQ(r[0].cluster, "k");
  EXPECT_EQ(r[0].prompt_tokens, 11);
  EXPECT_THAT(r[0].answer_ids, ElementsAre(1, 2));
  EXPECT_EQ(r[0].prompt_hash, PromptHash(backend.Prepare(QuestionOf(task.examples[0])).ids));
  EXPECT_FALSE(r[1].pass);
  ASSERT_EQ(r[1].checks.size(), 3u);  // all checks run, the first failure names the class
  EXPECT_TRUE(r[1].checks[0].pass);
  EXPECT_EQ(r[1].failure(), "no number");
  EXPECT_TRUE(r[2].pass);
  EXPECT_THAT(r[3].error, HasSubstr("9000 tokens"));
  EXPECT_FALSE(r[3].pass);
  EXPECT_THAT(r[3].checks, IsEmpty());
  EXPECT_THAT(r[4].error, HasSubstr("roles must alternate"));
  EXPECT_EQ(r[4].finish, "error");
  EXPECT_EQ(r[5].failure(), "truncated");
  EXPECT_EQ(backend.asked.size(), 5u);
  EXPECT_EQ(backend.sampled[3].max_tokens, 7);  // requests come last first
  EXPECT_EQ(backend.sampled[4].max_tokens, 256);
  EXPECT_EQ(watch.total, 6u);
  EXPECT_EQ(watch.done, 6u);
  EXPECT_EQ(watch.legs, 1);
  EXPECT_EQ(watch.ends, 1);
}

TEST_F(RunnerTest, InterruptedThenResumedEqualsUninterrupted) {
  Task task = ThreeAndErrors();
  RunHeader header = Header(task);
  {
    FakeBackend backend;
    Watch watch;
    int answers = 0;
    backend.after_answer = [&] { watch.cancel = ++answers == 3; };  // cut, over, raw (last first)
    RunRecordWriter writer(path_, header);
    EXPECT_THROW(RunTask(task, backend, header, &writer, watch), Interrupted);
    EXPECT_EQ(watch.ends, 1);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  FakeBackend backend;
  RunRecordWriter writer(path_, header);
  std::set<std::string> resumed;
  for (const ExampleResult& result : writer.resumed()) resumed.insert(result.id);
  EXPECT_THAT(resumed, ElementsAre("cut", "raw"));  // errors are tried again
  Watch watch;
  RunRecord record = RunTask(task, backend, header, &writer, watch);
  writer.Finish();
  EXPECT_EQ(watch.done, 6u);
  EXPECT_THAT(backend.asked, ElementsAre("<user>overflow", "<user>beta", "<user>alpha"));

  FakeBackend again;
  RunRecord whole = RunTask(task, again, header, nullptr, SilentProgress());
  RunRecord saved = ReadRunRecord(path_);
  EXPECT_TRUE(saved.complete);
  ASSERT_EQ(saved.examples.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(ToJson(record.examples[i]), ToJson(whole.examples[i]));
    EXPECT_EQ(ToJson(saved.examples[i]), ToJson(whole.examples[i]));
  }
}

TEST_F(RunnerTest, AResumedAnswerToAnotherPromptIsRefused) {
  Task task = ThreeAndErrors();
  RunHeader header = Header(task);
  {
    FakeBackend backend;
    Watch watch;
    backend.after_answer = [&] { watch.cancel = true; };
    RunRecordWriter writer(path_, header);
    EXPECT_THROW(RunTask(task, backend, header, &writer, watch), Interrupted);
  }
  FakeBackend backend;
  backend.prefix = "<system>";
  RunRecordWriter writer(path_, header);
  try {
    RunTask(task, backend, header, &writer, SilentProgress());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cut: the interrupted run asked another prompt"));
  }
}

TEST_F(RunnerTest, TheCacheAnswersWhatItKnows) {
  Task task = ThreeAndErrors();
  RunHeader header = Header(task);
  std::map<std::string, Answer> store;
  AnswerLookup cache;
  cache.get = [&](const std::string& key) -> std::optional<Answer> {
    auto found = store.find(key);
    return found == store.end() ? std::nullopt : std::optional<Answer>(found->second);
  };
  cache.put = [&](const std::string& key, const Answer& answer) { EXPECT_TRUE(store.emplace(key, answer).second); };
  FakeBackend first, second;
  RunRecord a = RunTask(task, first, header, nullptr, SilentProgress(), cache);
  EXPECT_EQ(store.size(), 4u);  // neither the overflow nor the template error
  RunRecord b = RunTask(task, second, header, nullptr, SilentProgress(), cache);
  EXPECT_THAT(second.asked, ElementsAre("<user>overflow"));
  for (size_t i = 0; i < a.examples.size(); ++i) EXPECT_EQ(ToJson(a.examples[i]), ToJson(b.examples[i]));

  // Anything that may change the answer changes the key.
  std::set<std::string> keys;
  Sampling sampling;
  auto key = [&](const RunHeader& h, const char* prompt, const Sampling& s) {
    EXPECT_TRUE(keys.insert(AnswerKey(h, prompt, s)).second);
  };
  key(header, "p", sampling);
  key(header, "q", sampling);
  Sampling warm = sampling;
  warm.temperature = 1;
  key(header, "p", warm);
  Sampling stop = sampling;
  stop.stop = {"x"};
  key(header, "p", stop);
  RunHeader other = header;
  other.arithmetic = "deployed";
  key(other, "p", sampling);
  other = header;
  other.model.fingerprint = "f01";
  key(other, "p", sampling);
  other = header;
  other.started = "later";
  other.model.name = "renamed";
  EXPECT_EQ(AnswerKey(other, "p", sampling), AnswerKey(header, "p", sampling));
}

TEST_F(RunnerTest, SamplesHaveSeedsOfTheirOwn) {
  EXPECT_EQ(SeedOf(7, "a", 0), SeedOf(7, "a"));
  std::set<uint64_t> seeds;
  for (uint64_t seed : {7u, 8u})
    for (const char* id : {"a", "b", "a1"})
      for (int64_t sample = 0; sample < kMostSamples; ++sample) seeds.insert(SeedOf(seed, id, sample));
  EXPECT_EQ(seeds.size(), 6 * static_cast<size_t>(kMostSamples));

  Task task = ThreeAndErrors();
  task.examples[1].sampling["temperature"] = 0.0;
  RunHeader header = Header(task);
  header.samples = 4;
  header.sampling["temperature"] = 1.0;
  FakeBackend backend;
  Watch watch;
  RunRecord record = RunTask(task, backend, header, nullptr, watch);
  ASSERT_EQ(record.examples.size(), 24u);
  EXPECT_EQ(record.example_count(), 6);
  EXPECT_EQ(watch.total, 24u);
  EXPECT_EQ(watch.done, 24u);
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(record.examples[i].id, task.examples[i / 4].id);
    EXPECT_EQ(record.examples[i].index, static_cast<int64_t>(i / 4));
    EXPECT_EQ(record.examples[i].sample, static_cast<int64_t>(i % 4));
  }
  // Four draws of each but "two", which is asked once for all, and "unrendered", which cannot be asked.
  std::map<std::string, std::vector<uint64_t>> drawn;
  for (size_t i = backend.asked.size(); i-- > 0;) drawn[backend.asked[i]].push_back(backend.sampled[i].seed);
  EXPECT_EQ(drawn.size(), 5u);
  EXPECT_THAT(drawn["<user>alpha"],
              ElementsAre(SeedOf(0, "one"), SeedOf(0, "one", 1), SeedOf(0, "one", 2), SeedOf(0, "one", 3)));
  EXPECT_THAT(drawn["<user>beta"], ElementsAre(SeedOf(0, "two")));
  EXPECT_TRUE(IsGreedy(task.examples[1], SamplingFromJson(header.sampling, {}, "")));

  // Another run may draw what this one did not.
  FakeBackend again;
  RunTask(task, again, header, nullptr, SilentProgress(), {}, 4);
  EXPECT_EQ(again.sampled.back().seed, SeedOf(0, "one", 4));
}

TEST_F(RunnerTest, SamplesResumeOneByOne) {
  Task task = ThreeAndErrors();
  RunHeader header = Header(task);
  header.samples = 3;
  header.sampling["temperature"] = 1.0;
  {
    FakeBackend backend;
    Watch watch;
    int answers = 0;
    backend.after_answer = [&] { watch.cancel = ++answers == 2; };  // two samples of the last example
    RunRecordWriter writer(path_, header);
    EXPECT_THROW(RunTask(task, backend, header, &writer, watch), Interrupted);
  }
  FakeBackend backend, whole;
  RunRecordWriter writer(path_, header);
  RunTask(task, backend, header, &writer, SilentProgress());
  writer.Finish();
  EXPECT_EQ(std::count(backend.asked.begin(), backend.asked.end(), "<user>long"), 1);
  EXPECT_EQ(backend.sampled.front().seed, SeedOf(0, "cut"));
  const RunRecord expected = RunTask(task, whole, header, nullptr, SilentProgress()), saved = ReadRunRecord(path_);
  ASSERT_EQ(saved.examples.size(), 18u);
  for (size_t i = 0; i < 18; ++i) EXPECT_EQ(ToJson(saved.examples[i]), ToJson(expected.examples[i]));
}

TEST_F(RunnerTest, SamplesThatWouldAllBeOneAnswerAreRefused) {
  Task task = ThreeAndErrors();
  RunHeader header = Header(task);
  header.samples = 2;
  FakeBackend backend;
  auto refusal = [&]() -> std::string {
    try {
      RunTask(task, backend, header, nullptr, SilentProgress());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(), HasSubstr("2 samples: every example is answered greedily (temperature 0), so all samples "
                                   "would be the same answer"));
  header.sampling["temperature"] = 1.0;
  header.sampling["top_k"] = 1;  // leaves one token to choose from
  EXPECT_THAT(refusal(), HasSubstr("2 samples"));
  EXPECT_THAT(backend.asked, IsEmpty());
  header.sampling = ToJson(Sampling{});
  task.examples[0].sampling = {{"temperature", 0.5}};
  EXPECT_EQ(refusal(), "");
  header.samples = 1;
  task.examples[0].sampling = nullptr;
  EXPECT_EQ(refusal(), "");
}

TEST_F(RunnerTest, CancelledBeforeItStarts) {
  Task task = ThreeAndErrors();
  FakeBackend backend;
  Watch watch;
  watch.cancel = true;
  EXPECT_THROW(RunTask(task, backend, Header(task), nullptr, watch), Interrupted);
  EXPECT_THAT(backend.asked, IsEmpty());
}

}  // namespace
}  // namespace assay
