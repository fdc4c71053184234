// Memory: scratch that is planned by the code that takes it, with weights or without, and the formats of caches.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <regex>

#include "base/random.h"
#include "checkpoint/convert_for_test.h"
#include "model/model.h"
#include "model/tiny_checkpoint.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

TEST(Arena, CountsAsItHandsOut) {
  Workspace workspace;
  auto take = [](Arena& arena) {
    std::vector<std::byte*> pieces;
    pieces.push_back(arena.Take<std::byte>(100));  // 128
    {
      Arena::Scope scope(arena);
      pieces.push_back(arena.Take<std::byte>(1000));  // 1024
    }
    pieces.push_back(reinterpret_cast<std::byte*>(arena.Floats(16)));  // 64, where the thousand were
    return pieces;
  };
  Arena counting;
  for (std::byte* piece : take(counting)) EXPECT_EQ(piece, nullptr);
  EXPECT_EQ(counting.peak(), 128 + 1024);
  Arena arena = workspace.Reserve(WorkspacePlan(counting.peak()));
  EXPECT_EQ(workspace.bytes(), 128 + 1024);
  const std::vector<std::byte*> pieces = take(arena);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pieces[0]) % 64, 0u);
  EXPECT_EQ(pieces[1] - pieces[0], 128);
  EXPECT_EQ(pieces[2], pieces[1]);
  workspace.Reserve(WorkspacePlan(10));
  EXPECT_EQ(workspace.bytes(), 128 + 1024) << "it does not shrink";
}

TEST(Plan, IsWhatATinyModelNeeds) {
  const TinyCheckpoint checkpoint("f32");
  // Angles; activations of the widest layer; residual and the three of a layer; then the larger of attention (queries,
  // keys, values, answers, scores of two query heads for each of two threads) and feed-forward.
  const int64_t n = 3, shared = n * (64 + 512 + 256 + 3 * 256) * 4;
  const int64_t attention = n * (256 + 128 + 128 + 256) * 4, feed_forward = n * 2 * 512 * 4;
  auto scores = [](int64_t context) { return 2 * 2 * context * 4; };
  auto plan = [&](int64_t context) {
    return PlanWorkspace(checkpoint.config(), Arithmetic::kReference, "", n, 1, context, 2).bytes();
  };
  EXPECT_EQ(plan(n), shared + std::max(attention + scores(256), feed_forward));
  EXPECT_EQ(plan(257), shared + std::max(attention + scores(512), feed_forward));
  EXPECT_EQ(plan(256), plan(n)) << "no growth with every token";
}

class Plans : public testing::TestWithParam<std::string> {};

// A model that is not loaded takes what the loaded one takes.
TEST_P(Plans, NeedNoWeights) {
  TempFolder scratch;
  auto checkpoint = Checkpoint::Open(GoldenFolder(scratch.path(), GetParam()));
  for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
    auto model = Model::Load(checkpoint, {arithmetic, ""});
    for (auto [n, wanted, context] : {std::array<int64_t, 3>{1, 1, 2000}, {100, 1, 100}, {64, 64, 64}}) {
      const int64_t loaded = model->PlanWorkspace(n, wanted, context, 4).bytes();
      const int64_t planned = PlanWorkspace(model->config(), arithmetic, "", n, wanted, context, 4).bytes();
      // In reference arithmetic activations are float32 whatever the format.
      if (arithmetic == Arithmetic::kReference) {
        EXPECT_EQ(planned, loaded) << n;
      }
      EXPECT_GE(planned, loaded) << n;
      EXPECT_LE(planned, 2 * loaded) << n;
    }
  }
}

std::vector<std::string> GoldenModels() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(ASSAY_TEST_DATA) / "golden/models"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Models, Plans, testing::ValuesIn(GoldenModels()), [](const auto& test) { return test.param; });

TEST(Plan, KnowsTheActivationsOfAFormat) {
  for (const char* format : {"f32", "q8_0", "q4_k", "nf4", "int8_channel_a8"}) {
    auto checkpoint = std::make_shared<TinyCheckpoint>(format);
    auto model = Model::Load(checkpoint, {Arithmetic::kDeployed, ""});
    EXPECT_EQ(PlanWorkspace(model->config(), Arithmetic::kDeployed, format, 100, 1, 100, 2).bytes(),
              model->PlanWorkspace(100, 1, 100, 2).bytes())
        << format;
  }
}

TEST(CacheFormats, KeepRows) {
  struct Expected {
    const char* name;
    int64_t row_bytes;  // of 48 elements
    float error;        // relative
  };
  const Expected expected[] = {{"f32", 192, 0.0f}, {"f16", 96, 1.0f / 2048}};
  ASSERT_EQ(CacheFormats().size(), std::size(expected));
  Random random(1);
  constexpr int64_t kWidth = 48, kRows = 5;
  std::vector<float> x(kRows * kWidth), q(kWidth);
  for (float& v : x) v = static_cast<float>(random.Normal());
  for (float& v : q) v = static_cast<float>(random.Normal());
  for (size_t f = 0; f < std::size(expected); ++f) {
    const CacheFormat& format = CacheFormats()[f];
    SCOPED_TRACE(format.name);
    EXPECT_EQ(format.name, expected[f].name);
    ASSERT_EQ(format.row_bytes(kWidth), expected[f].row_bytes);
    EXPECT_LE(format.row_bytes(kWidth), LargestRowBytes(kWidth));
    std::vector<std::byte> plane(static_cast<size_t>(kRows * format.row_bytes(kWidth)));
    for (int64_t r = 0; r < kRows; ++r)
      format.write(x.data() + r * kWidth, kWidth, plane.data() + r * format.row_bytes(kWidth));
    // Attention to one position gives its row back.
    for (int64_t r = 0; r < kRows; ++r) {
      std::vector<float> scores(1), out(kWidth);
      const CacheView view = format.view(plane.data(), kWidth);
      AttendHead(q.data(), view, view, 0, kWidth, r, r, 1.0f, scores.data(), out.data());
      for (int64_t i = 0; i < kWidth; ++i) {
        const float stored = x[static_cast<size_t>(r * kWidth + i)];
        EXPECT_NEAR(out[static_cast<size_t>(i)], stored, std::abs(stored) * expected[f].error + 1e-7f);
      }
    }
  }
  EXPECT_EQ(DefaultCacheFormat(Arithmetic::kReference).name, "f32");
  EXPECT_EQ(DefaultCacheFormat(Arithmetic::kDeployed).name, "f16");
}

// Reference arithmetic over a cache of the other format: a little off, and half the memory.
TEST(CacheFormats, AreChosenBySequence) {
  auto model = Model::Load(std::make_shared<TinyCheckpoint>("f32"), {Arithmetic::kReference, ""});
  std::vector<std::vector<float>> logits;
  std::vector<int64_t> bytes;
  for (const CacheFormat& format : CacheFormats()) {
    Sequence sequence(model->config(), format, 64);
    std::vector<BatchToken> batch;
    for (int32_t id = 0; id < 20; ++id) batch.push_back({id, &sequence, id == 19});
    logits.emplace_back(260);
    Workspace workspace;
    ThreadPool pool(1);
    model->Forward(batch, workspace, pool, logits.back().data());
    bytes.push_back(sequence.bytes());
  }
  EXPECT_EQ(bytes[0], 2 * bytes[1]);
  double largest = 0;
  for (size_t i = 0; i < 260; ++i)
    largest = std::max(largest, static_cast<double>(std::abs(logits[0][i] - logits[1][i])));
  EXPECT_GT(largest, 0);
  EXPECT_LT(largest, 0.01);
}

// Only blocks, and what describes models, know the kinds of mixers.
TEST(House, MixersAreNamedInTheirRoomAlone) {
  const std::regex named(R"(\.(latent|compressed|delta|mamba|indexer)\b(?!\.h)|recurrent|Latent|Mamba|DeltaNet)");
  const fs::path source = fs::path(ASSAY_SOURCE) / "src";
  int files = 0, found_in_blocks = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source)) {
    const std::string path = entry.path().lexically_relative(source).generic_string();
    if (!entry.is_regular_file() || path.starts_with("checkpoint/") || path.starts_with("describe/")) continue;
    // Grids have steps called delta, and so has OpenAI's protocol; kernels say what they are of.
    if (path.starts_with("format/") || path.starts_with("kernel/") || path.starts_with("remote/")) continue;
    const bool names = std::regex_search(ReadFile(entry.path()), named);
    if (path.starts_with("model/block/")) {
      found_in_blocks += names;
      continue;
    }
    ++files;
    EXPECT_FALSE(names) << path;
  }
  EXPECT_GT(files, 100);
  EXPECT_GE(found_in_blocks, 5);
}

}  // namespace
}  // namespace assay
