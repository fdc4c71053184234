// Sequences that share pages: what one adds never reaches another.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "model/model.h"
#include "model/tiny_checkpoint.h"
#include "system/file.h"
#include "system/output.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class LongCheckpoint : public TinyCheckpoint {
 public:
  LongCheckpoint() : TinyCheckpoint("f32") { config_.context = 1024; }
};

std::shared_ptr<const Checkpoint> OpenLong(const fs::path& scratch, const std::string& name) {
  if (name == "plain") return std::make_shared<LongCheckpoint>();
  const fs::path folder = GoldenFolder(scratch, name);
  Json config = ParseJson(ReadFile(folder / "config.json"), "config.json");
  config["max_position_embeddings"] = 1024;
  WriteFileAtomically(folder / "config.json", DumpJson(config));
  return Checkpoint::Open(folder);
}

class Pages : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { model_ = Model::Load(OpenLong(scratch_.path(), GetParam()), {Arithmetic::kDeployed, ""}); }
  std::unique_ptr<Sequence> Make() const {
    return std::make_unique<Sequence>(model_->config(), model_->arithmetic(), 1000, pool_);
  }
  /// Logits of the last token.
  std::vector<float> Feed(Sequence& sequence, const std::vector<int32_t>& ids) {
    std::vector<BatchToken> batch;
    for (int32_t id : ids) batch.push_back({id, &sequence, batch.size() + 1 == ids.size()});
    std::vector<float> logits(static_cast<size_t>(model_->config().vocab));
    model_->Forward(batch, workspace_, threads_, logits.data());
    return logits;
  }
  std::vector<int32_t> Ids(int64_t n, int64_t kind) const {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < n; ++i)
      ids.push_back(static_cast<int32_t>(4 + (i * i * 31 + kind * 17 + i * kind) % (model_->config().vocab - 4)));
    return ids;
  }
  TempFolder scratch_;
  std::shared_ptr<const Model> model_;
  PagePool pool_;
  ThreadPool threads_{2};
  Workspace workspace_;
};

// Three sequences begin alike up to where a page ends or beside it; each goes on by itself, in turns.
TEST_P(Pages, SequencesThatBeginAlikeGoOnApart) {
  for (int64_t common : {1, 255, 256, 257, 511, 512, 513}) {
    SCOPED_TRACE(common);
    std::vector<std::vector<float>> once, again;
    for (int64_t kind : {1, 2, 3}) {
      auto alone = Make();
      Feed(*alone, Ids(common, 0));
      once.push_back(Feed(*alone, Ids(3, kind)));
      again.push_back(Feed(*alone, Ids(300, kind + 3)));
    }
    ASSERT_EQ(pool_.pages(), 0);
    auto a = Make(), b = Make(), c = Make();
    Feed(*a, Ids(common, 0));
    b->CopyPrefix(*a, common);
    const int64_t whole = common / kPagePositions;
    EXPECT_EQ(pool_.pages(), (common + 255) / kPagePositions);  // nothing was copied
    EXPECT_EQ(b->PagesToTake(common + 1), 1);
    EXPECT_EQ(a->PagesToTake(common + 1), common % kPagePositions == 0 ? 1 : 0);
    EXPECT_EQ(Feed(*a, Ids(3, 1)), once[0]);  // in the page that b has, too
    c->CopyPrefix(*b, common);
    EXPECT_EQ(Feed(*b, Ids(3, 2)), once[1]);
    EXPECT_EQ(Feed(*c, Ids(3, 3)), once[2]);
    EXPECT_EQ(Feed(*b, Ids(300, 5)), again[1]);
    EXPECT_EQ(Feed(*a, Ids(300, 4)), again[0]);
    EXPECT_EQ(Feed(*c, Ids(300, 6)), again[2]);
    EXPECT_EQ(pool_.pages(), whole + 3 * ((common + 303 + 255) / kPagePositions - whole));
    EXPECT_EQ(a->bytes(), a->plan().fixed_bytes + (common + 303 + 255) / kPagePositions * a->plan().page_bytes);
    for (auto* each : {&a, &b, &c}) each->reset();
    ASSERT_EQ(pool_.pages(), 0);
  }
}

TEST_P(Pages, GoingBackLeavesOthersWhatTheyHave) {
  auto alone = Make(), a = Make(), b = Make();
  Feed(*alone, Ids(300, 0));
  const std::vector<float> expected = Feed(*alone, Ids(5, 1));
  Feed(*a, Ids(300, 0));
  b->CopyPrefix(*a, 300);
  a->Truncate(a->Restorable(280));  // 0 where the model remembers a state
  Feed(*a, Ids(20, 7));
  EXPECT_EQ(Feed(*b, Ids(5, 1)), expected);
}

// Rows of each position; of every fourth position, beside windows and states; windows in some layers; an indexer.
INSTANTIATE_TEST_SUITE_P(Models, Pages, testing::Values("plain", "deepseek_v4", "gemma3", "deepseek_v32"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace assay
