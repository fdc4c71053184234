#include "system/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "base/error.h"
#include "system/appended_file.h"
#include "system/file.h"
#include "system/growing_file.h"
#include "system/unfinished.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

void Put(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

class Outputs : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / ("assay_output_" + std::to_string(::getpid()));
    fs::create_directories(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  /// Names in the folder that nobody expects: what was left over.
  std::string Left(const std::vector<std::string>& expected) const {
    std::string left;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_))
      if (std::find(expected.begin(), expected.end(), entry.path().filename()) == expected.end())
        left += entry.path().filename().string() + " ";
    return left;
  }
  std::string Refusal(const std::function<void()>& body) const {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  fs::path path_;
};

OutputFolder ModelFolder(const fs::path& out, const OutputRules& rules) {
  return OutputFolder(out, rules, "config.json", [](const std::string& name) { return name.ends_with(".weights"); });
}

TEST_F(Outputs, NameIsTakenOnlyByCommit) {
  const fs::path target = path_ / "x";
  {
    AtomicFile file(target, {});
    file.Write("half");
    EXPECT_FALSE(fs::exists(target));
    EXPECT_EQ(LeftBeside(target).size(), 0u) << "it is locked: nobody left it";
  }
  EXPECT_EQ(Left({}), "");
  Put(target.string() + ".part", "precious");
  AtomicFile file(target, {});
  file.Write("hello world");
  file.WriteAt(0, std::as_bytes(std::span("HE", 2)));
  file.Commit();
  EXPECT_EQ(ReadFile(target), "HEllo world");
  EXPECT_EQ(ReadFile(target.string() + ".part"), "precious");
  EXPECT_EQ(Left({"x", "x.part"}), "");
}

TEST_F(Outputs, NothingThatIsThereIsReplacedUnasked) {
  const fs::path target = path_ / "x";
  Put(target, "precious");
  EXPECT_THAT(Refusal([&] { AtomicFile(target, {}); }), HasSubstr("exists"));
  OutputRules ours;
  ours.ours = [](std::string_view head) { return head.starts_with("ours"); };
  EXPECT_THAT(Refusal([&] { AtomicFile(target, ours); }), HasSubstr("exists"));
  EXPECT_EQ(ReadFile(target), "precious");
  Put(target, "ours, and old");
  AtomicFile file(target, ours);
  file.Write("ours, and new");
  file.Commit();
  EXPECT_EQ(ReadFile(target), "ours, and new");

  for (bool force : {false, true}) {
    const OutputRules rules{.force = force};
    fs::create_directory_symlink(path_ / "nowhere", path_ / "dangling");
    fs::create_symlink(target, path_ / "link");
    fs::create_directories(path_ / "folder");
    ASSERT_EQ(::mkfifo((path_ / "fifo").c_str(), 0600), 0);
    for (const char* name : {"dangling", "link"})
      EXPECT_THAT(Refusal([&] { AtomicFile(path_ / name, rules); }), HasSubstr("is a link")) << name;
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "folder", rules); }), HasSubstr("a folder of that name"));
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "fifo", rules); }), HasSubstr("something else than a file"));
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "folder" / "", rules); }), HasSubstr("expected the name"));
    EXPECT_THAT(Refusal([&] { AtomicFile("", rules); }), HasSubstr("expected the name"));
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "no" / "x", rules); }), HasSubstr("its folder not opened"));
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / std::string(300, 'n'), rules); }), HasSubstr("too long"));
    EXPECT_THAT(Refusal([&] { AtomicFile(target / "below", rules); }), HasSubstr("cannot"));
    for (const char* name : {"dangling", "link", "folder", "fifo"}) fs::remove(path_ / name);
  }
  EXPECT_EQ(ReadFile(target), "ours, and new");
}

TEST_F(Outputs, SourcesAreNeverReplaced) {
  Put(path_ / "source", "precious");
  fs::create_hard_link(path_ / "source", path_ / "other-name");
  fs::create_symlink(path_ / "source", path_ / "link");
  const std::vector<fs::path> paths = {path_ / "link", path_ / "not-there"};
  const OutputRules rules{.force = true, .sources = StatesOf(paths)};
  ASSERT_EQ(rules.sources.size(), 1u);
  for (const char* name : {"source", "other-name", "link"})
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / name, rules); }), HasSubstr("would replace the source")) << name;
  Put(path_ / "m/config.json", "{}");
  fs::create_symlink(path_ / "source", path_ / "m/weights");
  EXPECT_THAT(Refusal([&] { ModelFolder(path_ / "m", rules); }), HasSubstr("take the place of the source"));
}

TEST_F(Outputs, WhatComesMeanwhileIsLeftAndTheWorkIsKept) {
  const fs::path target = path_ / "x";
  AtomicFile file(target, {});
  file.Write("hours of work");
  Put(target, "precious");
  const std::string why = Refusal([&] { file.Commit(); });
  EXPECT_THAT(why, HasSubstr("came into being meanwhile"));
  EXPECT_EQ(ReadFile(target), "precious");
  const std::vector<fs::path> left = LeftBeside(target);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(ReadFile(left[0]), "hours of work");
  EXPECT_THAT(why, HasSubstr(left[0].string()));
}

TEST_F(Outputs, SecondWriterIsToldBeforeItWrites) {
  const OutputRules force{.force = true};
  const fs::path target = path_ / "x", folder = path_ / "f";
  AtomicFile file(target, force);
  EXPECT_THAT(Refusal([&] { AtomicFile(target, force); }), HasSubstr("another process is writing it"));
  OutputFolder model = ModelFolder(folder, force);
  EXPECT_THAT(Refusal([&] { ModelFolder(folder, force); }), HasSubstr("another process is writing it"));
  EXPECT_THAT(Refusal([&] { AtomicFile(folder, force); }), HasSubstr("another process is writing it"));
  GrowingFile growing(path_ / "g", {}, "begin");
  EXPECT_THAT(Refusal([&] { GrowingFile(path_ / "g", {}, "begin"); }), HasSubstr("another process is writing"));
  AtomicFile neighbour(path_ / "xx", force);  // names that begin alike are different names
}

TEST_F(Outputs, LongNamesStayDistinct) {
  const std::string stem(240, 'n');
  AtomicFile first(path_ / (stem + "-00001-of-00002"), {}), second(path_ / (stem + "-00002-of-00002"), {});
  first.Commit();
  second.Commit();
  EXPECT_EQ(ReadFile(path_ / (stem + "-00002-of-00002")), "");
}

TEST_F(Outputs, SetsDoNotMix) {
  const auto commit = [&](const char* in_the_way) {
    for (const char* name : {"1", "2", "3"}) {
      fs::remove_all(path_ / name);
      Put(path_ / name, "old");
    }
    AtomicFile first(path_ / "1", {.force = true}), second(path_ / "2", {.force = true}),
        third(path_ / "3", {.force = true});
    AtomicFile* const files[] = {&first, &second, &third};
    for (AtomicFile* file : files) file->Write("new");
    fs::remove(path_ / in_the_way);
    fs::create_directory(path_ / in_the_way);  // cannot be replaced
    return Refusal([&] { CommitTogether(files); });
  };
  const std::string why = commit("3");
  EXPECT_EQ(ReadFile(path_ / "2"), "new");
  EXPECT_FALSE(fs::exists(path_ / "1")) << "an old first file beside new others would be read";
  const std::vector<fs::path> left = LeftBeside(path_ / "1");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(ReadFile(left[0]), "old");
  EXPECT_THAT(why, HasSubstr("is in " + left[0].string()));
  fs::remove(left[0]);
  EXPECT_THAT(commit("2"), HasSubstr("cannot be given its name"));
  EXPECT_EQ(ReadFile(path_ / "1"), "old") << "nothing of the new set is there";
  EXPECT_EQ(ReadFile(path_ / "3"), "old");
  EXPECT_EQ(Left({"1", "2", "3"}), "");
}

TEST_F(Outputs, FolderIsReplacedWholeAndOtherFilesStay) {
  const fs::path out = path_ / "m";
  Put(out / "config.json", "old");
  Put(out / "notes", "precious");
  Put(out / ".git/objects/aa", "precious");
  fs::create_symlink("notes", out / "link");
  fs::create_directory(out / "empty");
  fs::permissions(out, fs::perms::owner_all);
  EXPECT_THAT(Refusal([&] { ModelFolder(out, {}); }), HasSubstr("exists"));
  const auto write = [&] {
    OutputFolder folder = ModelFolder(out, {.force = true});
    folder.Write("config.json", "new");
    folder.Write("sub/x", "new");
    folder.CheckKept();
    EXPECT_EQ(ReadFile(out / "config.json"), "old");
    Put(out / "later", "precious");
    folder.Commit();
  };
  write();
  EXPECT_EQ(ReadFile(out / "config.json"), "new");
  EXPECT_EQ(ReadFile(out / "sub/x"), "new");
  for (const char* name : {"notes", ".git/objects/aa", "link", "later"})
    EXPECT_EQ(ReadFile(out / name), "precious") << name;
  EXPECT_TRUE(fs::is_symlink(out / "link"));
  EXPECT_TRUE(fs::is_directory(out / "empty"));
  EXPECT_EQ(fs::status(out).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::hard_link_count(out / "notes"), 1u);
  EXPECT_EQ(Left({"m"}), "");

  Put(out / "model-00002.weights", "of the old model");
  OutputFolder folder = ModelFolder(out, {.force = true});
  folder.Write("config.json", "newer");
  EXPECT_THAT(Refusal([&] { folder.CheckKept(); }), HasSubstr("holds model-00002.weights"));
  EXPECT_EQ(ReadFile(out / "config.json"), "new");
}

TEST_F(Outputs, FoldersLackNoFile) {
  OutputFolder folder = ModelFolder(path_ / "m", {});
  folder.Write("config.json", "{}");
  folder.Create("model.weights")->Write("half");  // and let go
  EXPECT_DEATH(folder.Commit(), "unfinished_ == 0");
}

TEST_F(Outputs, StandardOutputIsNoFile) {
  EXPECT_THAT(Refusal([&] { AtomicFile file("-", {}); }), HasSubstr("./-"));
  EXPECT_THAT(Refusal([&] { ModelFolder("-", {}); }), HasSubstr("./-"));
  EXPECT_THAT(Refusal([&] { GrowingFile("-", OutputRules{}, "{"); }), HasSubstr("./-"));
  EXPECT_THAT(Refusal([&] { AppendedFile("-", "{"); }), HasSubstr("./-"));
}

TEST_F(Outputs, FoldersThatAreNoModelsAreLeft) {
  const OutputRules force{.force = true};
  Put(path_ / "home/notes", "precious");
  EXPECT_THAT(Refusal([&] { ModelFolder(path_ / "home", force); }), HasSubstr("something else than a model"));
  Put(path_ / "m/config.json", "{}");
  fs::create_directory_symlink(path_ / "m", path_ / "link");
  EXPECT_THAT(Refusal([&] { ModelFolder(path_ / "link", force); }), HasSubstr("a link of that name"));
  EXPECT_THAT(Refusal([&] { ModelFolder(path_ / "m/config.json", force); }), HasSubstr("a file of that name"));
  EXPECT_THAT(Refusal([&] { ModelFolder("", force); }), HasSubstr("expected the name"));
  EXPECT_THAT(Refusal([&] { ModelFolder(path_ / "no/m", force); }), HasSubstr("its folder not opened"));
  const fs::path here = fs::current_path();
  fs::current_path(path_ / "m");
  for (const char* name : {".", "./", "../m", ".."}) {
    if (std::string_view(name) == "..") Put(path_ / "config.json", "{}");
    EXPECT_THAT(Refusal([&] { ModelFolder(name, force); }), HasSubstr("folder that you are in")) << name;
  }
  fs::current_path(here);
  fs::create_directory(path_ / "empty");
  OutputFolder empty = ModelFolder(path_ / "empty/", {});
  empty.Write("config.json", "new");
  Put(path_ / "empty/came", "precious");
  EXPECT_THAT(Refusal([&] { empty.Commit(); }), HasSubstr("what was written is in"));
  EXPECT_EQ(ReadFile(path_ / "empty/came"), "precious");
}

TEST_F(Outputs, SignalsLeaveNothing) {
  const fs::path marks = path_ / "ready";
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGTERM, [](int) {
      RemoveUnfinished();
      ::_exit(7);
    });
    AtomicFile file(path_ / "x", {});
    OutputFolder folder = ModelFolder(path_ / "m", {});
    folder.Write("config.json", "{}");
    folder.Write("sub/x", "{}");
    std::unique_ptr<AtomicFile> open = folder.Create("model.weights");
    const ScratchFolder scratch(path_);
    WriteFileAtomically(scratch.path() / "x", "whole");
    OutputFolder whole = ModelFolder(scratch.path() / "m", {});
    whole.Write("config.json", "{}");
    whole.Write("sub/x", "{}");
    whole.Commit();
    const AtomicFile half(scratch.path() / "y", {});
    std::ofstream(marks) << "1";
    for (;;) ::pause();
  }
  while (!fs::exists(marks)) ::usleep(1000);
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(Left({"ready"}), "");
}

// Between a file's coming into being and its mark, too: at whatever moment the signal comes.
TEST_F(Outputs, SignalsAtAnyMomentLeaveNothing) {
  for (int round = 0; round < 200; ++round) {
    const fs::path ready = path_ / "ready";
    fs::remove(ready);
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGTERM, [](int) {
        RemoveUnfinished();
        ::_exit(7);
      });
      std::thread([] {
        for (;;) ::pause();  // a thread that takes signals that the other holds back
      }).detach();
      std::ofstream(ready) << "1";
      for (;;) {
        const ScratchFolder scratch(path_);
        const AtomicFile file(path_ / "x", {});
        OutputFolder folder = ModelFolder(path_ / "m", {});
        folder.Create("sub/x");
      }
    }
    while (!fs::exists(ready)) ::usleep(100);
    ::usleep(static_cast<useconds_t>(round * 10));
    ::kill(child, SIGTERM);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
    ASSERT_EQ(Left({"ready"}), "") << round;
  }
}

TEST_F(Outputs, GrowingFilesGoOnAndSpareOthers) {
  const fs::path target = path_ / "run";
  {
    GrowingFile file(target, {}, "{\"begin");
    EXPECT_EQ(file.Text(), "");
    file.Append("{\"begin\"}\nhalf");
  }
  {
    GrowingFile file(target, {}, "{\"begin");
    EXPECT_EQ(file.Text(), "{\"begin\"}\nhalf");
    file.Keep(10);
    file.Append("whole\n");
    file.Finish();
  }
  EXPECT_EQ(ReadFile(target), "{\"begin\"}\nwhole\n");
  EXPECT_THAT(Refusal([&] { GrowingFile(target, {}, "{"); }), HasSubstr("exists"));
  Put(path_ / "other.part", "precious");
  EXPECT_THAT(Refusal([&] { GrowingFile(path_ / "other", {.force = true}, "{"); }),
              testing::AllOf(HasSubstr("other.part"), HasSubstr("move it away"), testing::Not(HasSubstr("--force"))));
  fs::create_symlink(path_ / "other.part", path_ / "third.part");
  EXPECT_THAT(Refusal([&] { GrowingFile(path_ / "third", {.force = true}, "{"); }), HasSubstr("third.part"));
  EXPECT_EQ(ReadFile(path_ / "other.part"), "precious");
  for (int i = 0; i < 2; ++i) {
    GrowingFile file(path_ / "aside", {}, "{");
    file.Append("{ " + std::to_string(i));
    file.SetAside();
    EXPECT_EQ(file.Text(), "");
  }
  EXPECT_EQ(ReadFile(path_ / "aside.part.stale"), "{ 0");
  EXPECT_EQ(ReadFile(path_ / "aside.part.stale2"), "{ 1");
}

/// What is left on purpose outlives its writer, and is written on by another, for the same name alone.
TEST_F(Outputs, UnfinishedFilesAreWrittenOn) {
  std::string name;
  {
    AtomicFile file(path_ / "x", {});
    file.Write("hello world");
    file.Flush();
    file.Leave(true);
    name = file.part().filename();
  }
  EXPECT_EQ(Left({name}), "");
  OutputRules rules;
  rules.left = {name};
  { AtomicFile other(path_ / "y", rules); }
  {
    AtomicFile file(path_ / "x", rules);
    EXPECT_EQ(file.part().filename(), name);
    EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "x", rules); }), HasSubstr("another process is writing it"));
  }
  EXPECT_EQ(Left({name}), "") << "it stays until it is said otherwise";
  AtomicFile file(path_ / "x", rules);
  file.Write("HE");
  file.Commit();
  EXPECT_EQ(ReadFile(path_ / "x"), "HEllo world");
  EXPECT_EQ(Left({"x"}), "");
  EXPECT_THAT(Refusal([&] { AtomicFile(path_ / "y", {.left = {"y.abcdefgh.part"}}); }), HasSubstr("y.abcdefgh.part"));
}

TEST_F(Outputs, UnfinishedFoldersAreWrittenOn) {
  std::string name;
  {
    OutputFolder folder = ModelFolder(path_ / "m", {});
    folder.Write("old.txt", "of the first writer only");
    folder.Write("config.json", "a longer text");
    const std::unique_ptr<AtomicFile> file = folder.Continue("0.weights");
    file->Write("hello");
    file->Leave(true);
    folder.Flush();
    folder.Leave(true);
    name = folder.part().filename();
  }
  EXPECT_EQ(Left({name}), "");
  OutputRules rules;
  rules.left = {name};
  OutputFolder folder = ModelFolder(path_ / "m", rules);
  folder.Write("config.json", "a text");
  const std::unique_ptr<AtomicFile> file = folder.Continue("0.weights");
  file->Write("HE");
  file->Commit();
  folder.Commit();
  EXPECT_EQ(ReadFile(path_ / "m/0.weights"), "HEllo");
  EXPECT_EQ(ReadFile(path_ / "m/config.json"), "a text");
  EXPECT_FALSE(fs::exists(path_ / "m/old.txt"));
  EXPECT_EQ(Left({"m"}), "");
}

TEST_F(Outputs, OnlyWhatNobodyWritesIsRemoved) {
  Put(path_ / "x.abcdefgh.part", "left");
  Put(path_ / "x.part", "precious");
  Put(path_ / "x.second22.part", "two names");
  fs::create_hard_link(path_ / "x.second22.part", path_ / "mine");
  AtomicFile active(path_ / "z", {});
  for (const std::string& name : {std::string("x.abcdefgh.part"), std::string("x.part"), std::string("x.second22.part"),
                                  std::string("mine"), active.part().filename().string()})
    RemoveLeft(name, path_ / "x");
  EXPECT_EQ(Left({"x.part", "x.second22.part", "mine", active.part().filename()}), "");
  EXPECT_TRUE(fs::exists(active.part()));
  EXPECT_TRUE(fs::exists(path_ / "x.part") && fs::exists(path_ / "x.second22.part") && fs::exists(path_ / "mine"));
}

TEST_F(Outputs, ChangesOfFilesAreSeen) {
  const fs::path file = path_ / "x";
  const auto put = [&] {
    Put(file, "contents");
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1));
  };
  const std::vector<std::pair<const char*, std::function<void()>>> changes = {
      {"written to", [&] { std::fstream(file, std::ios::in | std::ios::out) << "C"; }},
      {"cut", [&] { fs::resize_file(file, 3); }},
      {"replaced",
       [&] {
         Put(path_ / "y", "contents");
         fs::last_write_time(path_ / "y", fs::last_write_time(file));
         fs::rename(path_ / "y", file);
       }},
      {"written to, its time set back",
       [&] {
         const auto time = fs::last_write_time(file);
         std::fstream(file, std::ios::in | std::ios::out) << "C";
         fs::last_write_time(file, time);
       }},
      {"removed", [&] { fs::remove(file); }},
  };
  for (const auto& [what, change] : changes) {
    SCOPED_TRACE(what);
    put();
    const std::vector<FileState> before = {*StateOf(file)};
    RequireUnchanged(before);
    ::usleep(20'000);
    AtomicFile made(path_ / "made", {.force = true, .unchanged = before});
    OutputFolder folder = ModelFolder(path_ / "m", {.unchanged = before});
    change();
    EXPECT_THAT(Refusal([&] { RequireUnchanged(before); }), HasSubstr("while it was read"));
    EXPECT_THAT(Refusal([&] { made.Commit(); }), HasSubstr("x: was "));
    EXPECT_THAT(Refusal([&] { folder.Commit(); }), HasSubstr("x: was "));
    EXPECT_FALSE(fs::exists(path_ / "made") || fs::exists(path_ / "m"));
  }
}

TEST_F(Outputs, CutMappingsAreNamed) {
  const fs::path file = path_ / "weights";
  Put(file, std::string(1 << 20, 'x'));
  EXPECT_EXIT(
      {
        TellLostMappings();
        const MappedFile mapped = MappedFile::Open(file);
        const AtomicFile unfinished(path_ / "out", {});
        fs::resize_file(file, 10);
        volatile char sum = 0;
        for (std::byte byte : mapped.bytes()) sum = static_cast<char>(sum + static_cast<char>(byte));
      },
      testing::ExitedWithCode(1), "weights: cannot be read any more");
  EXPECT_EQ(Left({"weights"}), "");
}

}  // namespace
}  // namespace assay
