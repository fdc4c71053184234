#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/error.h"
#include "system/file.h"
#include "system/machine.h"
#include "system/subprocess.h"
#include "system/threads.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / ("assay_system_" + std::to_string(::getpid()));
    fs::create_directories(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_;
};

// A pipe whose other end never comes, and devices that never end.
TEST_F(Folder, OnlyRegularFilesAreRead) {
  const fs::path pipe = path_ / "config.json";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& [path, kind] :
       {std::pair<fs::path, const char*>{pipe, "a pipe"}, {"/dev/zero", "a device"}, {path_, "a folder"}}) {
    for (const bool mapped : {true, false}) {
      try {
        mapped ? (void)MappedFile::Open(path) : (void)ReadFile(path);
        ADD_FAILURE() << path << " was read";
      } catch (const Error& error) {
        EXPECT_EQ(error.what(), path.string() + ": expected a regular file, found " + kind);
      }
    }
  }
}

TEST_F(Folder, AtomicFileIsInvisibleUntilCommit) {
  fs::path target = path_ / "x";
  {
    AtomicFile file(target);
    file.Write("half");
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_TRUE(fs::is_empty(path_));
  AtomicFile file(target);
  file.Write("hello world");
  file.WriteAt(0, std::as_bytes(std::span("HE", 2)));
  file.Commit();
  EXPECT_EQ(ReadFile(target), "HEllo world");
  EXPECT_THROW(ReadFile(target, 3), Error);
}

TEST_F(Folder, MappingReadsAndReleases) {
  fs::path target = path_ / "m";
  std::string text(3 << 20, 'a');
  std::iota(text.begin(), text.end(), 0);
  WriteFileAtomically(target, text);
  MappedFile file = MappedFile::Open(target);
  ASSERT_EQ(file.bytes().size(), text.size());
  EXPECT_EQ(std::memcmp(file.bytes().data(), text.data(), text.size()), 0);
  EXPECT_GT(ResidentBytes(file.bytes()), text.size() / 10 * 9);  // the system may take pages back
  ReleasePages(file.bytes().subspan(100, 2 << 20));
  EXPECT_LE(ResidentBytes(file.bytes()), text.size() - (2 << 20) + (2 << 12));
  EXPECT_TRUE(IsMapped(file.bytes()));
  EXPECT_EQ(std::memcmp(file.bytes().data(), text.data(), text.size()), 0);  // read again from the file
  std::vector<std::byte> heap(1 << 20, std::byte{7});
  EXPECT_EQ(ResidentBytes(heap), heap.size());
  EXPECT_FALSE(IsMapped(heap));
  ReleasePages(heap);
  EXPECT_EQ(heap[4096 * 10], std::byte{7});  // not ours: untouched
}

TEST_F(Folder, MissingFilesAndFoldersAreNamed) {
  try {
    MappedFile::Open(path_ / "none");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kNotFound);
    EXPECT_NE(std::string(e.what()).find("none"), std::string::npos);
  }
  EXPECT_THROW(MappedFile::Open(path_), Error);
  std::ofstream(path_ / "empty").close();
  EXPECT_TRUE(MappedFile::Open(path_ / "empty").bytes().empty());
}

TEST(ThreadPool, EveryPieceOnceWhateverTheThreads) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int64_t n : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      pool.For(n, 3, [&](int64_t begin, int64_t end, int worker) {
        EXPECT_LT(worker, threads);
        EXPECT_LE(end - begin, 3);
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      });
      for (auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPool, ExceptionsAndNestingWork) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.For(100, 1,
                        [](int64_t begin, int64_t, int) {
                          if (begin == 42) Fail(ErrorKind::kInvalid, "stop");
                        }),
               Error);
  std::atomic<int> sum{0};
  pool.For(4, 1, [&](int64_t, int64_t, int) { pool.For(10, 1, [&](int64_t, int64_t, int) { ++sum; }); });
  EXPECT_EQ(sum, 40);
}

TEST(ThreadPool, AnyThreadMayCallOneAtATime) {
  ThreadPool pool(2);
  std::atomic<int> pieces{0};
  auto count = [&](int64_t, int64_t, int) { ++pieces; };
  for (int i = 0; i < 3; ++i) std::thread([&] { pool.For(2, 1, count); }).join();
  EXPECT_EQ(pieces, 6);
}

TEST(ThreadPoolDeathTest, TwoCallersAtATimeAreOurBug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto two = [] {
    ThreadPool pool(2);
    auto nothing = [](int64_t, int64_t, int) {};
    pool.For(2, 1, [&](int64_t, int64_t, int) { std::thread([&] { pool.For(2, 1, nothing); }).join(); });
  };
  EXPECT_DEATH(two(), "internal error: .*running");
}

TEST(Subprocess, OutputErrorsAndCodes) {
  SubprocessResult result = RunSubprocess({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.error_output, "err\n");
  EXPECT_THROW(RunSubprocess({"/no/such/program"}), Error);
  EXPECT_EQ(RunSubprocess({"sh", "-c", "kill -9 $$"}).exit_code, 128 + 9);
}

TEST(Machine, LimitsTakeFeaturesAway) {
  CpuFeatures all = Cpu();
  LimitCpu("scalar");
  EXPECT_FALSE(Cpu().avx2_fma);
  LimitCpu("avx2");
  EXPECT_EQ(Cpu().avx2_fma, all.avx2_fma);
  EXPECT_FALSE(Cpu().avx512);
  LimitCpu("avx512");
  EXPECT_EQ(CpuFeatureText(Cpu()), CpuFeatureText(all));
  EXPECT_THROW(LimitCpu("mmx"), Error);
  EXPECT_GT(PeakMemoryBytes(), 0u);
}

}  // namespace
}  // namespace assay
