#include "record/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/error.h"
#include "system/file.h"

namespace assay {
namespace {

using testing::HasSubstr;

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("assay_cache_" + std::to_string(::getpid()) + "_" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    path_ = folder_ / "sub" / "answers.sqlite";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string OpenMessage(ErrorKind kind) {
    try {
      ResultCache cache(path_);
      cache.Get("k1");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "opened";
  }
  std::filesystem::path folder_, path_;
};

TEST_F(CacheTest, ClearedItIsEmptyAndGoesOn) {
  ResultCache cache(path_), other(path_);
  for (int i = 0; i < 100; ++i) cache.Put(std::to_string(i), std::string(10000, 'x'));
  const auto taken = [&] {  // with the log of what was written last
    return std::filesystem::file_size(path_) + std::filesystem::file_size(path_.string() + "-wal");
  };
  EXPECT_GT(taken(), 1'000'000u);
  cache.Clear();
  EXPECT_EQ(other.Size(), 0);
  EXPECT_EQ(other.Get("1"), std::nullopt);
  EXPECT_LT(taken(), 100'000u);
  other.Put("1", "again");
  EXPECT_EQ(cache.Get("1"), "again");
}

TEST_F(CacheTest, KeepsWhatItIsGiven) {
  const std::string binary("a\0b\xFF", 4);
  {
    ResultCache cache(path_);
    EXPECT_EQ(cache.Get("k1"), std::nullopt);
    cache.Put("k1", "{\"answer\": 1}");
    cache.Put("k2", binary);
    cache.Put("k3", "");
    cache.Put("k1", "{\"answer\": 2}");
    EXPECT_EQ(cache.Size(), 3);
  }
  ResultCache cache(path_);
  EXPECT_EQ(cache.Get("k1"), "{\"answer\": 2}");
  EXPECT_EQ(cache.Get("k2"), binary);
  EXPECT_EQ(cache.Get("k3"), "");
  EXPECT_EQ(cache.Get("K1"), std::nullopt);
}

TEST_F(CacheTest, TwoProcessesAtOnce) {
  std::filesystem::create_directories(path_.parent_path());
  constexpr int kProcesses = 3, kEach = 200;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int status = 1;
      try {
        ResultCache cache(path_);  // all create the file at the same time
        for (int i = 0; i < kEach; ++i) {
          cache.Put("own" + std::to_string(process) + "/" + std::to_string(i), std::to_string(i));
          cache.Put("shared" + std::to_string(i), "same");
          if (cache.Get("shared" + std::to_string(i)) != "same") ::_exit(2);
        }
        status = 0;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
      }
      ::_exit(status);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  ResultCache cache(path_);
  EXPECT_EQ(cache.Size(), (kProcesses + 1) * kEach);
  EXPECT_EQ(cache.Get("own2/199"), "199");
}

TEST_F(CacheTest, ThreadsShareOne) {
  ResultCache cache(path_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        cache.Put(key, key);
        EXPECT_EQ(cache.Get(key), key);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.Size(), 200);
}

TEST_F(CacheTest, DamageIsToldAndNothingIsDeleted) {
  std::filesystem::create_directories(path_.parent_path());
  WriteFileAtomically(path_, std::string(5000, 'x'));
  EXPECT_THAT(OpenMessage(ErrorKind::kCorrupt),
              HasSubstr("answers.sqlite: expected a result cache, found a damaged file"));
  EXPECT_EQ(ReadFile(path_), std::string(5000, 'x'));
}

TEST_F(CacheTest, CutFileIsTold) {
  {
    ResultCache cache(path_);
    for (int i = 0; i < 300; ++i) cache.Put("k" + std::to_string(i), std::string(500, 'v'));
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2 + 100);
  const auto size = std::filesystem::file_size(path_);
  EXPECT_THAT(OpenMessage(ErrorKind::kCorrupt), HasSubstr("damaged file"));
  EXPECT_EQ(std::filesystem::file_size(path_), size);
}

TEST_F(CacheTest, ChangedAnswerIsTold) {
  {
    ResultCache cache(path_);
    cache.Put("k1", "the answer is forty-two");
  }
  std::string bytes = ReadFile(path_);
  const size_t at = bytes.find("forty-two");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'F';
  WriteFileAtomically(path_, bytes);
  EXPECT_THAT(OpenMessage(ErrorKind::kCorrupt), HasSubstr("does not match its hash"));
}

TEST_F(CacheTest, OtherDatabasesAndNewerVersions) {
  { ResultCache cache(path_); }
  std::string bytes = ReadFile(path_);
  std::string other = bytes;
  other[68] = 'X';  // the application id in the SQLite header
  WriteFileAtomically(path_, other);
  EXPECT_THAT(OpenMessage(ErrorKind::kCorrupt), HasSubstr("another program"));
}

TEST_F(CacheTest, FolderInItsPlace) {
  std::filesystem::create_directories(path_);
  EXPECT_THAT(OpenMessage(ErrorKind::kIo), HasSubstr("cannot open the result cache"));
}

}  // namespace
}  // namespace assay
