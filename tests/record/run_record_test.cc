#include "record/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "system/file.h"

namespace assay {
namespace {

using testing::HasSubstr;

class RunRecordTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("assay_run_" + std::to_string(::getpid()) + "_" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "a.run.jsonl";
    part_ = path_.string() + ".part";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_, path_, part_;
};

// Not AtomicFile, which flushes to the disk each time.
void Write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

RunHeader Header() {
  RunHeader header;
  header.model = {"demo", "f00d", "llama", "q4_0", 4.5, 123456789012345};
  header.task_name = "task.jsonl";
  header.task_hash = "t";
  header.tokenizer_hash = "k";
  header.template_hash = "c";
  header.sampling = {{"temperature", 0}};
  header.arithmetic = "deployed";
  header.build = "0.1.0 g++";
  header.machine = "cpu";
  header.started = "2026-11-22T00:00:00Z";
  return header;
}

ExampleResult Result(int index, const std::string& answer = "yes") {
  ExampleResult result;
  result.id = "e" + std::to_string(index);
  result.slice = index % 2 ? "tools" : "json";
  result.index = index;
  result.prompt_hash = "p" + std::to_string(index);
  result.prompt_tokens = 17;
  result.answer = answer;
  result.answer_ids = {1, 2, 49151};
  result.logprobs = {-0.1f, -1e-7f, -std::numeric_limits<float>::infinity()};
  result.finish = "stop";
  result.pass = index % 3 != 0;
  result.checks = {{"equals", true, "", ""},
                   {"regex", result.pass, result.pass ? "" : "wrong value", result.pass ? "" : "expected \"a\""}};
  return result;
}

void ExpectSame(const ExampleResult& a, const ExampleResult& b) {
  EXPECT_EQ(DumpJson(ToJson(a)), DumpJson(ToJson(b)));
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.answer_ids, b.answer_ids);
}

TEST_F(RunRecordTest, RoundTripInTaskOrder) {
  {
    RunRecordWriter writer(path_, Header());
    EXPECT_TRUE(writer.resumed().empty());
    for (int i : {2, 0, 1}) writer.Add(Result(i, std::string("line\nbreak \"quoted\" \xE2\x82\xAC \x01")));
    EXPECT_FALSE(std::filesystem::exists(path_));
    writer.Finish();
  }
  EXPECT_FALSE(std::filesystem::exists(part_));
  RunRecord record = ReadRunRecord(path_);
  EXPECT_TRUE(record.complete);
  EXPECT_EQ(DumpJson(ToJson(record.header)), DumpJson(ToJson(Header())));
  EXPECT_EQ(record.header.model.file_bytes, 123456789012345u);
  ASSERT_EQ(record.examples.size(), 3u);
  for (int i = 0; i < 3; ++i)
    ExpectSame(record.examples[static_cast<size_t>(i)],
               Result(i, std::string("line\nbreak \"quoted\" \xE2\x82\xAC \x01")));
  EXPECT_EQ(record.examples[0].failure(), "wrong value");
  EXPECT_EQ(record.examples[1].failure(), "");
}

TEST_F(RunRecordTest, SamplesOfAnExample) {
  RunHeader header = Header();
  EXPECT_FALSE(ToJson(header).contains("samples"));
  header.samples = 3;
  auto result = [](int index, int64_t sample) {
    ExampleResult made = Result(index, "answer " + std::to_string(sample));
    made.sample = sample;
    return made;
  };
  {
    RunRecordWriter writer(path_, header);
    for (auto [index, sample] : {std::pair(1, 2), {0, 1}, {1, 0}, {0, 0}}) writer.Add(result(index, sample));
  }
  {
    // A run with another number of samples is another run; the rest of this one goes on sample by sample.
    RunRecordWriter writer(path_, header);
    EXPECT_EQ(writer.resumed().size(), 4u);
    for (auto [index, sample] : {std::pair(0, 2), {1, 1}}) writer.Add(result(index, sample));
    writer.Finish();
  }
  const RunRecord record = ReadRunRecord(path_);
  EXPECT_TRUE(record.complete);
  EXPECT_EQ(record.header.samples, 3);
  EXPECT_EQ(record.example_count(), 2);
  ASSERT_EQ(record.examples.size(), 6u);
  for (size_t i = 0; i < 6; ++i) ExpectSame(record.examples[i], result(static_cast<int>(i / 3), i % 3));
  EXPECT_FALSE(ToJson(record.examples[0]).contains("sample"));

  const std::string good = ReadFile(path_);
  auto message = [&](const std::string& from, const std::string& to) -> std::string {
    std::string text = good;
    const size_t at = text.find(from);
    Write(path_, text.replace(at, from.size(), to));
    try {
      ReadRunRecord(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "read";
  };
  EXPECT_THAT(message("\"sample\":2", "\"sample\":3"), HasSubstr(":2: sample: expected less than the header's 3"));
  EXPECT_THAT(message("\"sample\":2", "\"sample\":-1"), HasSubstr(":2: sample: expected 0 to 63, found -1"));
  EXPECT_THAT(message("\"samples\":3", "\"samples\":65"), HasSubstr(":1: samples: expected 1 to 64, found 65"));
  EXPECT_THAT(message("\"samples\":3", "\"samples\":0"), HasSubstr(":1: samples: expected 1 to 64, found 0"));
  EXPECT_THAT(message("\"sample\":2", "\"sample\":0"), HasSubstr(":4: a second result for example \"e1\""));
}

TEST_F(RunRecordTest, InvalidUtf8IsReplacedNotRefused) {
  {
    RunRecordWriter writer(path_, Header());
    writer.Add(Result(0, "a\xFFz"));
    writer.Finish();
  }
  EXPECT_EQ(ReadRunRecord(path_).examples[0].answer, "a\xEF\xBF\xBDz");
}

TEST_F(RunRecordTest, ResumesAfterACut) {
  {
    RunRecordWriter writer(path_, Header());
    for (int i = 0; i < 3; ++i) writer.Add(Result(i));
    writer.Finish();
  }
  const std::string whole = ReadFile(path_);
  const size_t header_end = whole.find('\n');
  // Finish flushes to the disk, so not every byte: all of the last line and a half, and steps before.
  for (size_t cut = 0; cut <= whole.size(); cut += cut + 150 < whole.size() ? 13 : 1) {
    Write(part_, whole.substr(0, cut));
    std::filesystem::remove(path_);
    RunHeader header = Header();
    header.started = "later";
    {
      RunRecordWriter writer(path_, header);
      if (cut >= header_end && cut > 0) {
        const auto lines = static_cast<size_t>(std::count(whole.begin(), whole.begin() + static_cast<long>(cut), '\n'));
        // The line being cut counts when only its newline is missing.
        EXPECT_GE(writer.resumed().size() + 1, std::min<size_t>(lines, 4));
      } else {
        EXPECT_TRUE(writer.resumed().empty());
      }
      for (auto i = writer.resumed().size(); i < 3; ++i) writer.Add(Result(static_cast<int>(i)));
      writer.Finish();
    }
    RunRecord record = ReadRunRecord(path_);
    EXPECT_TRUE(record.complete) << cut;
    ASSERT_EQ(record.examples.size(), 3u) << cut;
    for (int i = 0; i < 3; ++i) ExpectSame(record.examples[static_cast<size_t>(i)], Result(i));
  }
}

TEST_F(RunRecordTest, ReadingACutFileIsIncompleteAtEveryByte) {
  {
    RunRecordWriter writer(path_, Header());
    for (int i = 0; i < 2; ++i) writer.Add(Result(i));
    writer.Finish();
  }
  const std::string whole = ReadFile(path_);
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    Write(path_, whole.substr(0, cut));
    try {
      RunRecord record = ReadRunRecord(path_);
      EXPECT_EQ(record.complete, cut + 1 == whole.size()) << cut;  // only the last newline is dispensable
      EXPECT_LE(record.examples.size(), 2u);
    } catch (const Error& error) {
      EXPECT_LT(cut, whole.find('\n')) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("a.run.jsonl:1: expected the header of a run"));
    }
  }
}

TEST_F(RunRecordTest, ErrorsAreTriedAgain) {
  {
    RunRecordWriter writer(path_, Header());
    writer.Add(Result(0));
    ExampleResult failed = Result(1);
    failed.error = "server said 500";
    writer.Add(failed);
  }
  {
    RunRecordWriter writer(path_, Header());
    ASSERT_EQ(writer.resumed().size(), 1u);
    EXPECT_EQ(writer.resumed()[0].id, "e0");
    writer.Add(Result(1));
    writer.Finish();
  }
  RunRecord record = ReadRunRecord(path_);
  ASSERT_EQ(record.examples.size(), 2u);
  EXPECT_EQ(record.examples[1].error, "");
}

TEST_F(RunRecordTest, AnotherHeaderStartsAnew) {
  {
    RunRecordWriter writer(path_, Header());
    writer.Add(Result(0));
  }
  const std::string before = ReadFile(part_);
  RunHeader other = Header();
  other.model.fingerprint = "beef";
  {
    RunRecordWriter writer(path_, other);
    EXPECT_TRUE(writer.resumed().empty());
    writer.Finish();
  }
  EXPECT_EQ(ReadFile(part_.string() + ".stale"), before);  // hours of work are not thrown away in silence
  EXPECT_EQ(ReadRunRecord(path_).header.model.fingerprint, "beef");
}

TEST_F(RunRecordTest, ClockOfTheFirstSittingHolds) {
  RunHeader first = Header(), later = Header();
  first.now = "2026-05-01T00:00:00";
  later.now = "2027-05-01T00:00:00";
  {
    RunRecordWriter writer(path_, first, {}, true);
    EXPECT_EQ(writer.now(), first.now);
    writer.Add(Result(0));
  }
  {
    RunRecordWriter writer(path_, later, {}, true);
    EXPECT_EQ(writer.resumed().size(), 1u);
    EXPECT_EQ(writer.now(), first.now);
  }
  {
    RunRecordWriter writer(path_, later);  // asked for
    EXPECT_TRUE(writer.resumed().empty());
    EXPECT_EQ(writer.now(), later.now);
    EXPECT_FALSE(writer.set_aside().empty());
  }
  RunRecordWriter writer(path_, Header(), {}, true);  // its template reads no clock
  EXPECT_EQ(writer.now(), "");
  EXPECT_FALSE(writer.set_aside().empty());
}

TEST_F(RunRecordTest, SecondWriterIsRefused) {
  RunRecordWriter first(path_, Header());
  try {
    RunRecordWriter second(path_, Header());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr("another process is writing"));
  }
}

TEST_F(RunRecordTest, DamageIsNamedByLine) {
  {
    RunRecordWriter writer(path_, Header());
    for (int i = 0; i < 2; ++i) writer.Add(Result(i));
    writer.Finish();
  }
  const std::string good = ReadFile(path_);
  auto message = [&](const std::string& text) -> std::string {
    Write(path_, text);
    try {
      ReadRunRecord(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "read";
  };
  auto replace = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_EQ(message(good), "read");
  EXPECT_THAT(message("not json\n" + good), HasSubstr("a.run.jsonl:1: not JSON"));
  EXPECT_THAT(message("{}\n"), HasSubstr(":1: expected the header of a run"));
  EXPECT_THAT(message(replace("{\"assay_run\":1", "{\"assay_run\":99")),
              HasSubstr("version 99 of a run, this program reads up to 1"));
  EXPECT_THAT(message(replace("\"id\":\"e1\"", "\"id\":\"e0\"")), HasSubstr(":3: a second result for example \"e0\""));
  EXPECT_THAT(message(replace("\"id\":\"e1\"", "\"id\":7")), HasSubstr(":3: \"id\" should be a string"));
  EXPECT_THAT(message(replace("[1,2,49151]", "[1,2,-4]")),
              HasSubstr(":2: \"answer_ids[2]\" should be an integer from 0 to 2147483647, found -4"));
  EXPECT_THAT(message(replace("[1,2,49151]", "[1,2,4294967296]")), HasSubstr("found 4294967296"));
  EXPECT_THAT(message(replace("[1,2,49151]", "{}")), HasSubstr(":2: \"answer_ids\" should be an array"));
  EXPECT_THAT(message(replace("{\"examples\":2}", "{\"examples\":3}")),
              HasSubstr(":4: the end line counts 3 examples, the file has 2"));
  EXPECT_THAT(message(good + "{}\n"), HasSubstr(":5: expected nothing after the end line"));
  EXPECT_THAT(message(replace("\"file_bytes\":123456789012345", "\"file_bytes\":-1")),
              HasSubstr(":1: \"model.file_bytes\" should be an integer from 0, found -1"));
  EXPECT_THAT(message(replace("\"checks\":[", "\"checks\":[3,")),
              HasSubstr(":2: \"checks[0]\" should be an object, found 3"));
  EXPECT_THAT(message(""), HasSubstr(":1: expected the header"));
}

}  // namespace
}  // namespace assay
