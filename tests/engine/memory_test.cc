// What a model was said to take, and what it took.

#include "engine/memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/speed.h"

namespace assay {
namespace {

TEST(Memory, WhatWasPlannedIsWhatIsUsed) {
  auto checkpoint = Checkpoint::Open(std::filesystem::path(ASSAY_SOURCE) / "examples/demo");
  ThreadPool pool(2);
  for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
    auto model = Model::Load(checkpoint, {arithmetic, ""});
    MemoryUse used;
    MeasureSpeed(*model, pool, {40, 4, 1}, SilentProgress(), &used);
    const MemoryUse plan = PlanMemory(*model, 40, 40, pool.threads());
    // The output matrix is the embedding: every weight has been read. The system may take mapped pages back at any
    // time, though.
    EXPECT_LE(used.weights_mapped, plan.weights_mapped);
    EXPECT_GE(used.weights_mapped, plan.weights_mapped / 10 * 9);
    EXPECT_EQ(used.weights_converted, plan.weights_converted);
    EXPECT_EQ(used.kv_cache, plan.kv_cache);
    EXPECT_EQ(used.scratch, plan.scratch);
    EXPECT_EQ(plan.weights(), checkpoint->parameter_count() * 2);  // bfloat16
  }
}

TEST(Glimpse, EverySpeedIsMeasured) {
  ThreadPool pool(2);
  auto model = Model::Load(Checkpoint::Open(std::filesystem::path(ASSAY_SOURCE) / "examples/demo"), {});
  for (int together : {1, 8})
    for (int64_t longest : {2, 20, 1024}) {
      SCOPED_TRACE(longest);
      const SpeedGlimpse glimpse = GlimpseSpeed(*model, pool, together, longest, SilentProgress());
      EXPECT_GT(glimpse.read, 0);
      EXPECT_GT(glimpse.score, 0);
      EXPECT_GT(glimpse.written, 0);
      EXPECT_EQ(glimpse.together, together);
    }
}

}  // namespace
}  // namespace assay
