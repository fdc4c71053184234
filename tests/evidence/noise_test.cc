#include "evidence/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evidence/runs.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Noise, FlipsOfTheBaselineAgainstItself) {
  NoiseFloor noise;
  EXPECT_FALSE(noise.measured());
  EXPECT_EQ(NoiseText(noise), "");
  AddNoise(SampledRun({"..", ".x", "xx", "x.", ".."}), SampledRun({"..", "x.", "x.", "xx", ".E"}), true, noise);
  EXPECT_TRUE(noise.measured());
  EXPECT_EQ(noise.drawn, 4);  // an error says nothing
  EXPECT_THAT(noise.lost, ElementsAre("e3"));
  EXPECT_THAT(noise.gained, ElementsAre("e2"));
  EXPECT_EQ(NoiseText(noise),
            "Noise: asked again with other seeds, the baseline flips 2 of 4 examples against itself (1 lost, 1 "
            "gained).");
}

TEST(Noise, GreedyAnswersAreCheckedNotBelieved) {
  const RunRecord first = MadeRun("..x..x");
  RunRecord again = MadeRun("..x");
  NoiseFloor noise;
  AddNoise(first, again, false, noise);
  EXPECT_EQ(NoiseText(noise), "Noise: greedy answers have none: 3 examples asked again gave the same answers.");
  again.examples[1].answer_ids = {1, 5};
  noise = {};
  AddNoise(first, again, false, noise);
  EXPECT_THAT(noise.unsteady, ElementsAre("e1"));
  EXPECT_THAT(NoiseText(noise), HasSubstr("1 of 3 examples asked again gave another one (0 lost, 0 gained): e1"));
  // Those that then pass otherwise are flips of the baseline alone, as drawn ones are.
  again.examples[1].pass = false;
  again.examples[2].answer_ids = {1, 6};
  again.examples[2].pass = true;
  noise = {};
  AddNoise(first, again, false, noise);
  EXPECT_THAT(noise.lost, ElementsAre("e1"));
  EXPECT_THAT(noise.gained, ElementsAre("e2"));
  EXPECT_THAT(NoiseText(noise), HasSubstr("2 of 3 examples asked again gave another one (1 lost, 1 gained): e1, e2"));
  CheckRecord record;
  record.baseline.run = first;
  record.noise = noise;
  Arm arm;
  arm.run = MadeRun(".xx..x");  // e1 lost
  record.candidates = {arm};
  EXPECT_THAT(Judge(record)[0].notes, Contains("1 of its 1 flips is of examples that flip in the baseline alone, too"));
}

TEST(Noise, FlipsWithinItAreTold) {
  CheckRecord record;
  record.baseline.run = MadeRun("......xx..");
  Arm arm;
  arm.run = MadeRun("xx....x...", 0, "q4_0");  // e0 and e1 lost, e7 gained
  record.candidates = {arm};
  EXPECT_THAT(Judge(record)[0].notes, testing::Not(Contains(HasSubstr("in the baseline alone"))));
  AddNoise(record.baseline.run, MadeRun("x.x...xx.."), true, record.noise);
  EXPECT_THAT(record.noise.lost, ElementsAre("e0", "e2"));
  EXPECT_THAT(Judge(record)[0].notes, Contains("1 of its 3 flips is of examples that flip in the baseline alone, too"));
}

}  // namespace
}  // namespace assay
