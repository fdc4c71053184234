// A kind of block that no model has, reached through a row of its own: its cache, its scratch and its linear layer are
// treated as those of every other kind.

#include <gtest/gtest.h>

#include "model/decoder.h"
#include "model/model.h"
#include "model/operations.h"
#include "model/tiny_checkpoint.h"

namespace assay {
namespace {

// Mean of all inputs so far, through attn_output. Inputs are kept in a plane, their sum in the state; every third
// position leaves the sum so far in a plane of its own.
class RunningMean : public Block {
 public:
  RunningMean(const BlockContext& context, const WeightReader& reader)
      : hidden_(context.config.hidden), index_(context.index) {
    out_ = reader.ReadLinear("attn_output", hidden_, hidden_);
  }
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override {
    Arena::Scope scope(pass.arena);
    const Scratch scratch(pass.arena, *this, pass.shape);
    for (int64_t t = 0; t < pass.n(); ++t) {
      Sequence& sequence = pass.sequence(t);
      const int64_t position = pass.position(t);
      float* sum = sequence.State(index_);
      AddTo(sum, x + t * hidden_, hidden_);
      sequence.Write(index_, 0, position - sequence.base(index_), x + t * hidden_);
      if (position % 3 == 2) sequence.Write(index_, 1, position / 3, sum);
      for (int64_t i = 0; i < hidden_; ++i) scratch.mean[t * hidden_ + i] = sum[i] / static_cast<float>(position + 1);
    }
    Multiply(pass, {scratch.mean, hidden_}, pass.n(), {{out_, {out, hidden_}}});
  }
  void VisitLinears(const LinearVisitor& visit) const override { visit(out_); }

 private:
  struct Scratch {
    Scratch(Arena& arena, const RunningMean& block, const BatchShape& shape)
        : mean(arena.Floats(shape.n * block.hidden_)), unused(arena.Floats(shape.context * 1000)) {}
    float *mean, *unused;
  };
  int64_t hidden_, index_;
  Linear out_;
};

constexpr int64_t kWindow = 5, kCapacity = 600;

std::vector<BlockKind> KindsWithOneMore() {
  std::vector<BlockKind> kinds = {{"running_mean", Place::kMixer,
                                   [](const ModelConfig&, const LayerConfig& layer) { return layer.recurrent; },
                                   [](const ModelConfig& config, const LayerConfig& layer) {
                                     LayerCache cache{layer.window, {{config.hidden}, {config.hidden, 3}}};
                                     cache.state_floats = config.hidden;
                                     return cache;
                                   },
                                   [](const BlockContext& context, const WeightReader& reader) -> BlockPointer {
                                     return std::make_unique<RunningMean>(context, reader);
                                   }}};
  kinds.insert(kinds.end(), BlockKinds().begin(), BlockKinds().end());
  return kinds;
}

// The second layer is of the new kind.
class MadeUpCheckpoint : public TinyCheckpoint {
 public:
  MadeUpCheckpoint() : TinyCheckpoint("f32") {
    config_.layers.resize(2);
    config_.layers[1].recurrent = true;
    config_.layers[1].window = kWindow;
  }
};

class MadeUpBlock : public testing::Test {
 protected:
  // The inputs and the outputs of attn_output of the second layer are noted.
  std::vector<float> Run(Sequence& sequence, int32_t begin, int32_t end) {
    LinearHooks hooks;
    hooks.observe = [&](const Linear& linear, ConstRows x, int64_t n) {
      if (linear.name != "blk.1.attn_output") return;
      EXPECT_EQ(linear.layer, 1);
      for (int64_t t = 0; t < n; ++t) means_.insert(means_.end(), x[t], x[t] + linear.weight.cols);
    };
    std::vector<BatchToken> batch;
    for (int32_t id = begin; id < end; ++id) batch.push_back({id % 250, &sequence, true});
    std::vector<float> logits(batch.size() * 260);
    model_.Forward(batch, workspace_, pool_, logits.data(), &hooks);
    return logits;
  }
  const std::vector<BlockKind> kinds_ = KindsWithOneMore();
  const CacheFormat& format_ = DefaultCacheFormat(Arithmetic::kReference);
  ThreadPool pool_{2};
  const Model model_{std::make_shared<MadeUpCheckpoint>(), {Arithmetic::kReference, ""}, kinds_, pool_};
  Workspace workspace_;
  std::vector<float> means_;
};

TEST_F(MadeUpBlock, RunsAmongTheOthers) {
  Sequence sequence(model_.config(), format_, kCapacity, kinds_);
  const std::vector<float> logits = Run(sequence, 0, 20);
  // What the plane kept, summed anew: rows of the last positions, and from them the means.
  ASSERT_EQ(means_.size(), 20u * 256);
  const auto* kept = reinterpret_cast<const float*>(sequence.Row(1, 0, 0));
  const auto* sums = reinterpret_cast<const float*>(sequence.Row(1, 1, 0));
  for (size_t i = 0; i < 256; ++i) {
    float sum = 0;
    for (size_t t = 0; t < 20; ++t) {
      sum += kept[t * 256 + i];
      EXPECT_EQ(means_[t * 256 + i], sum / static_cast<float>(t + 1)) << t;
      if (t % 3 == 2) {
        EXPECT_EQ(sums[t / 3 * 256 + i], sum) << t;
      }
    }
  }
  // Token by token, and behind a prefix that another computed, the same bits.
  Sequence single(model_.config(), format_, kCapacity, kinds_), heir(model_.config(), format_, kCapacity, kinds_);
  std::vector<float> joined;
  for (int32_t id = 0; id < 20; ++id) {
    if (id == 13) heir.CopyPrefix(single, 13);
    const std::vector<float> one = Run(single, id, id + 1);
    joined.insert(joined.end(), one.begin(), one.end());
  }
  EXPECT_EQ(joined, logits);
  EXPECT_EQ(Run(heir, 13, 20), std::vector<float>(logits.begin() + 13 * 260, logits.end()));
}

TEST_F(MadeUpBlock, KeepsWhatItsRowSays) {
  Sequence sequence(model_.config(), format_, kCapacity, kinds_);
  const LayerCache& cache = sequence.layer(1);
  EXPECT_EQ(cache.rows, kWindow - 1 + kStepTokens);
  EXPECT_EQ(cache.planes[1].rows, kCapacity / 3);
  // Keys and values of the first layer in pages, of which 600 positions take three; then a window, the sums (no page
  // has a whole number of them) and the state.
  const int64_t page = 2 * kPagePositions * 128 * 4, second = (kWindow - 1 + kStepTokens + kCapacity / 3 + 1) * 256 * 4;
  EXPECT_EQ(sequence.bytes(), second);
  EXPECT_EQ(sequence.PagesToTake(kCapacity), 3);
  EXPECT_EQ(PlanCache(model_.config(), format_, kCapacity, kinds_).bytes, 3 * page + second);
  // The window moves, the other plane does not.
  Run(sequence, 0, 400);
  Run(sequence, 400, 600);
  EXPECT_EQ(sequence.base(1), 400 - kWindow + 1);
  EXPECT_EQ(sequence.bytes(), 3 * page + second);
  EXPECT_EQ(sequence.Restorable(500), 0) << "a state cannot be taken back";
}

TEST_F(MadeUpBlock, ItsScratchAndItsLayerCount) {
  // A thousand floats for each position of the context, rounded up to 256: more than all else.
  const int64_t scratch = model_.PlanWorkspace(3, 3, 300, 2).bytes();
  EXPECT_GT(scratch, 512 * 1000 * 4);
  EXPECT_LT(scratch, 512 * 1000 * 4 + 100'000);
  Sequence sequence(model_.config(), format_, kCapacity, kinds_);
  Run(sequence, 0, 3);
  EXPECT_EQ(workspace_.bytes(), model_.PlanWorkspace(3, 3, 3, 2).bytes());
  std::vector<std::string> names;
  model_.decoder().VisitLinears([&](const Linear& linear) {
    if (linear.layer == 1) names.push_back(linear.name);
  });
  EXPECT_EQ(names, (std::vector<std::string>{"blk.1.attn_output", "blk.1.ffn_gate", "blk.1.ffn_up", "blk.1.ffn_down"}));
}

}  // namespace
}  // namespace assay
