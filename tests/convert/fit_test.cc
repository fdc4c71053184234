// A preset that fits none of a model's matrices is refused with the columns and a preset that fits; what it leaves is
// said.
#include <gtest/gtest.h>

#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "convert/convert.h"
#include "quantize/choose.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// One layer of heads of 20, `hidden` and `feed_forward` wide.
std::shared_ptr<const Checkpoint> Odd(const fs::path& folder, int64_t hidden, int64_t feed_forward) {
  MakeRandomModel(folder, fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama", hidden, feed_forward, 20);
  return Checkpoint::Open(folder);
}

TEST(PresetFit, NothingQuantizedIsAnErrorForEveryPreset) {
  TempFolder scratch;
  auto source = Odd(scratch.path() / "m", 80, 100);
  ThreadPool pool(2);
  int refused = 0;
  for (const PresetInfo& info : Preset::All()) {
    SCOPED_TRACE(info.name);
    const fs::path out = scratch.path() / "out.gguf";
    fs::remove_all(out);
    QuantRecord record;
    try {
      record =
          ConvertCheckpoint(*source, Preset::Get(info.name), out, {.measure_error = false}, pool, SilentProgress());
    } catch (const Error& error) {
      ++refused;
      EXPECT_NE(std::string(error.what()).find("would quantize nothing"), std::string::npos) << error.what();
      EXPECT_FALSE(fs::exists(out));
      continue;
    }
    const bool plain = info.base == "f16" || info.base == "bf16" || info.base == "f32";
    const auto packed = std::count_if(record.tensors.begin(), record.tensors.end(),
                                      [](const auto& t) { return t.to != "f16" && t.to != "bf16" && t.to != "f32"; });
    EXPECT_NE(packed == 0, !plain);
  }
  EXPECT_GT(refused, 30);
  ExpectError(
      ErrorKind::kInvalid,
      "int4-g128 would quantize nothing: of its 7 matrices 7 have 80, 100 columns, which are no whole blocks of "
      "32; the nearest preset that fits is nf4",
      [&] { RequireFit(Preset::Get("int4-g128"), *source); });
  ExpectError(ErrorKind::kInvalid, "columns, which are no whole blocks of 32; the nearest preset that fits is ",
              [&] { RequireFit(Preset::Get("q4_k_m"), *source); });
  ExpectError(ErrorKind::kInvalid,
              "mxfp4-experts would quantize nothing: it is for matrices that this model does not have",
              [&] { RequireFit(Preset::Get("mxfp4-experts"), *source); });
}

TEST(PresetFit, WhatIsLeftIsSaid) {
  TempFolder scratch;
  auto source = Odd(scratch.path() / "m", 160, 100);  // down_proj has 100 columns
  ThreadPool pool(2);
  const QuantRecord record = ConvertCheckpoint(*source, Preset::Get("int4-g32"), scratch.path() / "out",
                                               {.measure_error = false}, pool, SilentProgress());
  ASSERT_EQ(record.notes.size(), 1u);
  EXPECT_EQ(record.notes[0], "1 of 7 matrices stay plain: 1 have 100 columns, which are no whole blocks of 32");
  EXPECT_EQ(RequireFit(Preset::Get("int8"), *source), "");
  EXPECT_EQ(RequireFit(Preset::Get("bf16"), *source), "");
}

TEST(PresetFit, TheSizeIsKnownBefore) {
  TempFolder scratch;
  auto source = Checkpoint::Open(fs::path(ASSAY_SOURCE) / "examples/demo");
  ThreadPool pool(2);
  for (const char* name : {"q8_0", "q4_k_m", "q2_k", "f32", "fp8", "int4-g128", "nvfp4", "nf4", "int8"}) {
    SCOPED_TRACE(name);
    const Preset& preset = Preset::Get(name);
    const auto made =
        ConvertCheckpoint(*source, preset, scratch.path() / name, {.measure_error = false}, pool, SilentProgress())
            .result.file_bytes;
    EXPECT_NEAR(static_cast<double>(PredictedBytes(preset, *source)), static_cast<double>(made),
                0.1 * static_cast<double>(made));
  }
}

}  // namespace
}  // namespace assay
