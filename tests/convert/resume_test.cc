// Interrupted outputs: whatever the moment, what is continued comes out as if nothing had happened, and what cannot be
// continued is said and begun anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "convert/convert.h"
#include "convert/journal.h"
#include "convert/rewrite.h"
#include "quantize/presets.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const fs::path kLike = fs::path(ASSAY_TEST_DATA) / "golden" / "checkpoint" / "tiny_llama";

/// Stops once so many blocks were made; other legs (comparing formats, measuring) run through.
class StopsAfter : public Progress {
 public:
  explicit StopsAfter(int blocks) : blocks_(blocks) {}
  void Begin(std::string_view what, uint64_t total, std::string_view) override {
    writing_ = what == "write" || what.starts_with("quantize") || what.starts_with("continued");
    if (writing_) whats_.emplace_back(what);
    total_ = total;
  }
  void Advance(uint64_t units) override {
    if (writing_) ++made_, units_ += units;
  }
  void End() override { writing_ = false; }
  bool Cancelled() const override { return writing_ && made_ >= blocks_; }
  int made() const { return made_; }
  const std::vector<std::string>& whats() const { return whats_; }
  bool whole() const { return units_ == total_; }

 private:
  int blocks_, made_ = 0;
  uint64_t units_ = 0, total_ = 0;
  bool writing_ = false;
  std::vector<std::string> whats_;
};
constexpr int kNever = 1 << 30;

/// Hashes of all files of an output, by name.
std::map<std::string, std::string> Hashes(const fs::path& folder, const std::string& begins) {
  std::map<std::string, std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && name.starts_with(begins)) found[name] = HashHex(ReadFile(entry.path()));
  }
  return found;
}

struct Sitting {
  bool done = false;
  std::vector<std::string> told;
  QuantRecord record;
  int made = 0;
};

/// One of the ways to write an output, each of which may be interrupted after some blocks.
using Write = std::function<QuantRecord(const fs::path& out, Progress&, std::function<void(std::string_view)> tell)>;

Write Quantize(const fs::path& model, const std::string& preset, const std::string& container = "",
               uint64_t shard_bytes = 0, bool force = false) {
  return [=](const fs::path& out, Progress& progress, std::function<void(std::string_view)> tell) {
    ThreadPool pool(2);
    ConvertOptions options;
    options.hf_container = container;
    options.shard_bytes = shard_bytes;
    options.rules.force = force;
    options.tell = std::move(tell);
    return ConvertCheckpoint(*Checkpoint::Open(model), Preset::Get(preset), out, options, pool, progress);
  };
}

Write Convert(const fs::path& model, const std::string& container) {
  return [=](const fs::path& out, Progress& progress, std::function<void(std::string_view)> tell) {
    ThreadPool pool(2);
    RewriteTarget target;
    if (container != "gguf") target.container = Container::kHuggingFace;
    if (container != "gguf" && container != "safetensors") target.hf_container = container;
    target.tell = std::move(tell);
    return RewriteCheckpoint(*Checkpoint::Open(model), target, out, pool, progress);
  };
}

Sitting Sit(const Write& write, const fs::path& out, int blocks) {
  Sitting sitting;
  StopsAfter progress(blocks);
  try {
    sitting.record = write(out, progress, [&](std::string_view line) { sitting.told.emplace_back(line); });
    sitting.done = true;
  } catch (const Interrupted&) {
    EXPECT_EQ(progress.made(), blocks);
  }
  sitting.made = progress.made();
  return sitting;
}

class Resume : public testing::Test {
 protected:
  fs::path Model() {
    const fs::path model = folder_.path() / "model";
    if (!fs::exists(model)) MakeRandomModel(model, kLike, 256, 512);
    return model;
  }
  /// Three of its matrices are longer than a block. Not to be changed.
  static fs::path LongModel() {
    static const TempFolder folder;
    const fs::path model = folder.path() / "long";
    if (!fs::exists(model)) MakeRandomModel(model, kLike, 256, 18432);
    return model;
  }
  fs::path At(const std::string& name) { return folder_.path() / name; }
  fs::path Journal(const std::string& name) { return OutputJournal::NameOf(At(name)); }
  /// The unfinished file or folder of an output.
  fs::path Part(const std::string& name) {
    std::vector<fs::path> left = LeftBeside(At(name));
    return left.size() == 1 ? left[0] : fs::path();
  }
  void ExpectNothingLeft() {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path()))
      EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
  /// Sittings of `blocks` each until it is done: the same files and the same record as in one.
  void ExpectTheSame(const Write& write, int blocks, const std::string& end = "") {
    const Sitting whole = Sit(write, At("a" + end), kNever);
    ASSERT_TRUE(whole.done);
    EXPECT_THAT(whole.told, IsEmpty());
    Sitting last;
    int sittings = 0, made = 0;
    while (!last.done) {
      last = Sit(write, At("b" + end), blocks);
      ASSERT_LE(++sittings, whole.made + 1) << "does not come further";
      made += last.made;
      EXPECT_EQ(last.told.size(), sittings > 1 ? 1u : 0u) << testing::PrintToString(last.told);
    }
    EXPECT_GT(sittings, 1);
    if (end == ".gguf") {
      EXPECT_EQ(made, whole.made) << "something was made twice";
    }
    std::map<std::string, std::string> a = Hashes(folder_.path(), "a"), b;
    for (auto& [name, hash] : Hashes(folder_.path(), "b")) b["a" + name.substr(1)] = hash;
    EXPECT_GT(a.size(), 0u);
    EXPECT_EQ(a, b);
    ASSERT_EQ(last.record.tensors.size(), whole.record.tensors.size());
    for (size_t i = 0; i < whole.record.tensors.size(); ++i) {
      const TensorQuantization &one = whole.record.tensors[i], &other = last.record.tensors[i];
      EXPECT_EQ(other.name, one.name);
      EXPECT_EQ(other.rmse, one.rmse) << one.name;
      EXPECT_EQ(other.relative_error, one.relative_error) << one.name;
      EXPECT_EQ(other.method, one.method) << one.name;
    }
    ExpectNothingLeft();
  }

  TempFolder folder_;
};

TEST_F(Resume, BlockByBlockIntoGguf) {
  ExpectTheSame(Quantize(LongModel(), "q4_0"), 1, ".gguf");
}

TEST_F(Resume, FormatsOfAMixture) {
  ExpectTheSame(Quantize(Model(), "q4_k_m"), 2, ".gguf");
}

TEST_F(Resume, SetsOfFiles) {
  ExpectTheSame(Quantize(LongModel(), "q8_0", "", 3'000'000), 4, ".gguf");
}

/// The scale of the matrix is chosen once and kept for what GGUF writes last.
TEST_F(Resume, ScalesOfTheMatrix) {
  ExpectTheSame(Quantize(LongModel(), "nvfp4_gguf"), 1, ".gguf");
}

TEST_F(Resume, FoldersOfSafetensors) {
  ExpectTheSame(Quantize(LongModel(), "fp8"), 1);
}

TEST_F(Resume, FoldersOfSeveralFiles) {
  ExpectTheSame(Quantize(LongModel(), "nvfp4", "", 4'000'000), 3);
}

/// What turns matrices holds their rows: it is continued where nothing was held.
TEST_F(Resume, MatricesThatWaitForTheirLastRow) {
  ExpectTheSame(Quantize(LongModel(), "int4-g128", "gptq"), 3);
}

TEST_F(Resume, NestedScales) {
  ExpectTheSame(Quantize(LongModel(), "nf4", "bitsandbytes-nested"), 4);
}

TEST_F(Resume, PartsOfOneMatrix) {
  ExpectTheSame(Quantize(GoldenFolder(At("models"), "phi3"), "int4-g32", "gptq"), 9);
}

TEST_F(Resume, TransposedExperts) {
  ExpectTheSame(Convert(GoldenFolder(At("models"), "gpt_oss_mxfp4"), "safetensors"), 20);
}

TEST_F(Resume, RewritingIntoGguf) {
  Sit(Quantize(LongModel(), "int4-g32", "gptq"), At("gptq"), kNever);
  ExpectTheSame(Convert(At("gptq"), "gguf"), 6, ".gguf");
}

TEST_F(Resume, RewritingIntoFolders) {
  Sit(Quantize(LongModel(), "q4_0"), At("m.gguf"), kNever);
  ExpectTheSame(Convert(At("m.gguf"), "compressed-tensors"), 6);
}

TEST_F(Resume, SaysWhere) {
  const Write write = Quantize(LongModel(), "q8_0");
  // blk.0: attn_k, attn_norm, attn_output, attn_q, attn_v, then ffn_down in two blocks
  EXPECT_FALSE(Sit(write, At("o.gguf"), 6).done);
  EXPECT_TRUE(fs::exists(Journal("o.gguf")));
  StopsAfter progress(kNever);
  std::vector<std::string> told;
  write(At("o.gguf"), progress, [&](std::string_view line) { told.emplace_back(line); });
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("o.gguf: continued at tensor blk.0.ffn_down.weight, row 227 of 256"));
  EXPECT_EQ(progress.whats(), std::vector<std::string>{"continued at blk.0.ffn_down"});
  EXPECT_TRUE(progress.whole());
}

/// Without somebody to tell, an interruption leaves nothing.
TEST_F(Resume, OnlyWhereItIsAsked) {
  StopsAfter progress(5);
  EXPECT_THROW(Quantize(Model(), "q8_0")(At("o.gguf"), progress, nullptr), Interrupted);
  ExpectNothingLeft();
}

struct Anew {
  const char* name;
  std::function<void(const fs::path& model, const fs::path& journal, const fs::path& part)> change;
  const char* why;
  const char* preset = "q8_0";
};

class BegunAnew : public Resume, public testing::WithParamInterface<Anew> {};

std::vector<std::string> Lines(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void Put(const fs::path& file, const std::vector<std::string>& lines) {
  std::ofstream out(file, std::ios::trunc);
  for (const std::string& line : lines) out << line << "\n";
}

TEST_P(BegunAnew, IsToldAndWhole) {
  const Anew& c = GetParam();
  for (int i : {2, 4}) EXPECT_FALSE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), i).done);
  ASSERT_EQ(Lines(Journal("o.gguf")).size(), 5u);  // a sitting saves its first block and its last
  const fs::path old = Part("o.gguf");
  ASSERT_FALSE(old.empty());
  c.change(Model(), Journal("o.gguf"), old);
  const Sitting again = Sit(Quantize(Model(), c.preset), At("o.gguf"), kNever);
  ASSERT_TRUE(again.done);
  ASSERT_EQ(again.told.size(), 1u);
  EXPECT_THAT(again.told[0], HasSubstr("o.gguf: an interrupted command left a part of it that cannot be continued"));
  EXPECT_THAT(again.told[0], HasSubstr(c.why));
  const Sitting fresh = Sit(Quantize(Model(), c.preset), At("p.gguf"), kNever);
  EXPECT_EQ(again.made, fresh.made);
  EXPECT_EQ(HashHex(ReadFile(At("o.gguf"))), HashHex(ReadFile(At("p.gguf"))));
  // Whose part it is, nobody knows.
  if (c.name == std::string("header")) {
    EXPECT_TRUE(fs::remove(old));
  }
  ExpectNothingLeft();
}

/// A journal whose first line says something else, as one of this program would.
void EditHeader(const fs::path& journal, const std::string& from, const std::string& to) {
  std::vector<std::string> lines = Lines(journal);
  std::string text = lines[0].substr(0, lines[0].rfind(' '));
  const size_t at = text.find(from);
  ASSERT_NE(at, text.npos);
  text.replace(at, from.size(), to);
  lines[0] = text + " " + HashHex(text).substr(0, 16);
  Put(journal, lines);
}

INSTANTIATE_TEST_SUITE_P(
    Changes, BegunAnew,
    testing::Values(
        Anew{"preset", [](auto&, auto&, auto&) {}, "other settings: to \"q8_0\", now \"q5_1\"", "q5_1"},
        Anew{"model",
             [](const fs::path& model, auto&, auto&) {
               const std::string text = ReadFile(model / "model.safetensors");
               fs::remove(model / "model.safetensors");
               WriteFileAtomically(model / "model.safetensors", text);
             },
             "the model has been changed or replaced since"},
        Anew{"config",
             [](const fs::path& model, auto&, auto&) {
               WriteFileAtomically(model / "config.json", ReadFile(model / "config.json") + "\n");
             },
             "the model has been changed or replaced since"},
        Anew{"build",
             [](auto&, const fs::path& journal, auto&) { EditHeader(journal, "\"build\":\"", "\"build\":\"0"); },
             "another build of this program began it"},
        Anew{"plan", [](auto&, const fs::path& journal, auto&) { EditHeader(journal, "\"plan\":\"", "\"plan\":\"0"); },
             "it was begun with other tensors"},
        Anew{"header",
             [](auto&, const fs::path& journal, auto&) {
               std::vector<std::string> lines = Lines(journal);
               lines[0][40] ^= 1;
               Put(journal, lines);
             },
             "its journal is damaged"},
        Anew{"line",
             [](auto&, const fs::path& journal, auto&) {
               std::vector<std::string> lines = Lines(journal);
               lines[2][12] ^= 1;
               Put(journal, lines);
             },
             "its journal is damaged"},
        Anew{"order",
             [](auto&, const fs::path& journal, auto&) {
               std::vector<std::string> lines = Lines(journal);
               std::swap(lines[1], lines[3]);
               Put(journal, lines);
             },
             "its journal is damaged"},
        Anew{"shorter", [](auto&, auto&, const fs::path& part) { fs::resize_file(part, fs::file_size(part) / 2); },
             "is not what its journal says"},
        Anew{"gone", [](auto&, auto&, const fs::path& part) { fs::remove(part); }, "is not what its journal says"}),
    [](const auto& c) { return c.param.name; });

/// The plug was pulled while the last line was written.
TEST_F(Resume, CutLinesAreAsGoodAsNone) {
  const Write write = Quantize(Model(), "q8_0");
  Sit(write, At("w.gguf"), kNever);
  const std::string whole = HashHex(ReadFile(At("w.gguf")));
  for (const bool bit : {false, true}) {
    for (int i : {2, 4}) EXPECT_FALSE(Sit(write, At("o.gguf"), i).done);
    std::string text = ReadFile(Journal("o.gguf"));
    bit ? void(text[text.size() - 3] ^= 1) : text.resize(text.size() - 10);
    fs::remove(Journal("o.gguf"));
    WriteFileAtomically(Journal("o.gguf"), text);
    const Sitting last = Sit(write, At("o.gguf"), kNever);
    ASSERT_EQ(last.told.size(), 1u);
    EXPECT_THAT(last.told[0], HasSubstr("continued at"));
    EXPECT_EQ(HashHex(ReadFile(At("o.gguf"))), whole);
    ExpectNothingLeft();
    fs::remove(At("o.gguf"));
  }
}

/// Killed between two lines: the file is ahead of the journal.
TEST_F(Resume, FilesAheadOfTheJournal) {
  for (const char* preset : {"q8_0", "nf4"}) {
    const Write write = Quantize(LongModel(), preset);
    Sit(write, At("w"), kNever);
    EXPECT_FALSE(Sit(write, At("o"), 6).done);
    const std::string before = ReadFile(Journal("o"));
    EXPECT_FALSE(Sit(write, At("o"), 5).done);
    ASSERT_GT(ReadFile(Journal("o")).size(), before.size());
    fs::remove(Journal("o"));
    WriteFileAtomically(Journal("o"), before);
    EXPECT_TRUE(Sit(write, At("o"), kNever).done);
    std::map<std::string, std::string> a = Hashes(folder_.path(), "o"), b;
    for (auto& [name, hash] : Hashes(folder_.path(), "w")) b["o" + name.substr(1)] = hash;
    EXPECT_EQ(a, b);
    for (const char* name : {"w", "o"}) fs::remove_all(At(name));
  }
}

/// All is there but the name.
TEST_F(Resume, NothingIsLeftToMake) {
  const Write write = Quantize(Model(), "q8_0");
  const int blocks = Sit(write, At("w.gguf"), kNever).made;
  EXPECT_FALSE(Sit(write, At("o.gguf"), blocks).done);
  const Sitting last = Sit(write, At("o.gguf"), kNever);
  EXPECT_TRUE(last.done);
  EXPECT_EQ(last.made, 0);
  EXPECT_THAT(last.told, ElementsAre(HasSubstr("o.gguf: continued: all rows are there")));
  EXPECT_EQ(HashHex(ReadFile(At("o.gguf"))), HashHex(ReadFile(At("w.gguf"))));
  ExpectNothingLeft();
}

/// A name that is taken is refused as ever, and what was written waits for --force.
TEST_F(Resume, RefusalsKeepIt) {
  EXPECT_FALSE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), 5).done);
  WriteFileAtomically(At("o.gguf"), "precious");
  ExpectError(ErrorKind::kInvalid, "o.gguf exists", [&] { Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever); });
  EXPECT_EQ(ReadFile(At("o.gguf")), "precious");
  EXPECT_FALSE(Part("o.gguf").empty());
  const Sitting forced = Sit(Quantize(Model(), "q8_0", "", 0, true), At("o.gguf"), kNever);
  EXPECT_TRUE(forced.done);
  ASSERT_EQ(forced.told.size(), 1u);
  EXPECT_THAT(forced.told[0], HasSubstr("continued at"));
}

/// What can never be finished is not kept.
TEST_F(Resume, ErrorsLeaveNothing) {
  const fs::path model = Model();
  std::string text = ReadFile(model / "model.safetensors");
  text[text.size() - 1] = '\x7f';  // the last weight of all: the output norm's
  text[text.size() - 2] = '\xc0';
  WriteFileAtomically(model / "model.safetensors", text);
  const Write write = Quantize(model, "fp8");
  EXPECT_FALSE(Sit(write, At("o"), 3).done);
  ExpectError(ErrorKind::kCorrupt, "has a NaN", [&] { Sit(write, At("o"), kNever); });
  ExpectNothingLeft();
}

/// A copy of a journal is of no use to another output, and does the first no harm.
TEST_F(Resume, EachOutputHasItsOwn) {
  EXPECT_FALSE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), 3).done);
  fs::copy_file(Journal("o.gguf"), Journal("p.gguf"));
  const Sitting other = Sit(Quantize(Model(), "q8_0"), At("p.gguf"), kNever);
  EXPECT_TRUE(other.done);
  ASSERT_EQ(other.told.size(), 1u);
  EXPECT_THAT(other.told[0], HasSubstr("its journal is of another output"));
  const Sitting first = Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever);
  EXPECT_EQ(first.made + 3, other.made);
  EXPECT_EQ(HashHex(ReadFile(At("o.gguf"))), HashHex(ReadFile(At("p.gguf"))));
  ExpectNothingLeft();
}

TEST_F(Resume, OneAtATime) {
  EXPECT_FALSE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), 3).done);
  {
    const GrowingFile other(Journal("o.gguf"), "");
    ExpectError(ErrorKind::kResource, "another process is writing this file",
                [&] { Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever); });
  }
  EXPECT_TRUE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever).done);
}

/// Names prove nothing: files that this user did not make, or that have a second name, are not written on.
TEST_F(Resume, WhatHasASecondNameIsLeft) {
  EXPECT_FALSE(Sit(Quantize(Model(), "q8_0"), At("o.gguf"), 3).done);
  fs::create_hard_link(Part("o.gguf"), At("mine"));
  const std::string before = HashHex(ReadFile(At("mine")));
  ExpectError(ErrorKind::kInvalid, "is not what this program left",
              [&] { Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever); });
  EXPECT_EQ(HashHex(ReadFile(At("mine"))), before);
  fs::remove(Journal("o.gguf"));
  WriteFileAtomically(Journal("o.gguf"), "precious");
  ExpectError(ErrorKind::kInvalid, "is something else", [&] { Sit(Quantize(Model(), "q8_0"), At("o.gguf"), kNever); });
  EXPECT_EQ(ReadFile(Journal("o.gguf")), "precious");
}

}  // namespace
}  // namespace assay
