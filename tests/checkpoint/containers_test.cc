// Every container with every format that it holds: written by us, read by us, the same weights; sharded too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstring>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/hf/packing/writing.h"
#include "format/bitsandbytes/nested_absmax.h"
#include "number/bnb_dynamic8.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden" / "checkpoint";

bool Matrix(const Tensor& tensor) {
  return tensor.shape.size() == 2 && tensor.name != "token_embd.weight" && tensor.name != "output.weight";
}

/// Decoded as the encoder of `format` leaves it.
std::vector<float> Encoded(const Format& format, const Tensor& source, bool nested) {
  std::vector<float> weights = Decode(source);
  const int64_t rows = source.rows, cols = source.cols;
  float scale = 1.0f, divisor = 1.0f, largest = 0.0f;
  for (float w : weights) largest = std::max(largest, std::abs(w));
  if (format.choose_global) format.choose_global({largest, 0.5f * largest}, &scale, &divisor);
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, rows, cols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, rows, cols)));
  format.encode_rows(weights.data(), rows, cols, nullptr, scale, divisor, codes.data(), scales.data());
  if (nested) {
    std::vector<float> absmax(scales.size() / 4);
    std::memcpy(absmax.data(), scales.data(), scales.size());
    const NestedAbsmax packed = NestAbsmax(absmax);
    UnnestAbsmax(packed.codes, packed.absmax, kDynamic8Map, packed.offset, kNestedBlock, absmax);
    std::memcpy(scales.data(), absmax.data(), scales.size());
  }
  Tensor tensor;
  tensor.Borrow({&format, rows, cols, codes.data(), scales.empty() ? nullptr : scales.data(), scale, divisor});
  return Decode(tensor);
}

struct Pair {
  std::string container;
  std::string format;
};
void PrintTo(const Pair& pair, std::ostream* out) {
  *out << pair.container << " " << pair.format;
}

/// The widths and shapes that differ in how they are packed; for the rest of the table one case more proves nothing.
std::vector<Pair> Pairs() {
  std::vector<Pair> out;
  for (const Format& format : Formats()) {
    if (!format.encode_rows) continue;
    if (format.variant && !format.name.ends_with("_g32_asym") && !format.name.ends_with("_g128_gidx") &&
        !format.name.ends_with("_axis0_g32"))
      continue;
    for (std::string_view container : HfContainersOf(format))
      if (CreateHfContainer(container, {})->HoldsModule(true, {256, 256}))  // gpt-oss' holds experts only
        out.push_back({std::string(container), std::string(format.name)});
  }
  return out;
}

class Containers : public ::testing::TestWithParam<Pair> {};

TEST_P(Containers, HoldWhatTheFormatSays) {
  const Format& format = GetFormat(GetParam().format);
  // One source for all: 256 columns hold groups of every size tested.
  static TempFolder source_folder;
  static const std::shared_ptr<const Checkpoint> source = [] {
    MakeRandomModel(source_folder.path() / "source", kGolden / "tiny_llama", 128, 256);
    return Checkpoint::Open(source_folder.path() / "source");
  }();
  TempFolder folder;
  auto format_of = [&](const Tensor& tensor) { return Matrix(tensor) ? GetParam().format : std::string("bf16"); };
  bool written = true;
  try {
    ConvertForTest(*source, Container::kHuggingFace, folder.path() / "m", "", format_of, 128, 60'000,
                   GetParam().container);
  } catch (const Error& error) {
    // The one thing that a container may lack for a format that it holds: GPTQ's first version has no zero of 0.
    written = false;
    EXPECT_THAT(error.what(), ::testing::HasSubstr("write gptq_v2"));
    EXPECT_EQ(GetParam().container, "gptq");
  }
  if (!written) return;
  EXPECT_TRUE(fs::exists(folder.path() / "m" / "model.safetensors.index.json"));
  auto back = Checkpoint::Open(folder.path() / "m");
  int seen = 0;
  for (const Tensor& tensor : source->tensors()) {
    if (!Matrix(tensor)) continue;
    const Tensor& other = back->Get(tensor.name);
    std::vector<float> expected = Encoded(format, tensor, GetParam().container == "bitsandbytes-nested");
    std::vector<float> found = Decode(other);
    // ModelOpt states the reciprocal of the global scale that our encoder chose, rounded to a float.
    const float tolerance = GetParam().container == "modelopt" && format.has_global ? 3e-7f : 0.0f;
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], std::abs(expected[i]) * tolerance)
          << tensor.name << " weight " << i << " as " << other.format->name;
    ++seen;
  }
  EXPECT_EQ(seen, 7);
  EXPECT_NE(back->scheme(), "bf16");
}

INSTANTIATE_TEST_SUITE_P(All, Containers, ::testing::ValuesIn(Pairs()), [](const auto& row) {
  std::string name = row.param.container + "_" + row.param.format;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

/// Fused projections, experts in one tensor, transposed matrices, norms stored less one: every architecture's tensors
/// come back as they were.
TEST(HuggingFace, EveryArchitectureIsWrittenAsItWasRead) {
  int models = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kGolden.parent_path() / "models")) {
    if (!fs::exists(entry.path() / "model.safetensors")) continue;
    SCOPED_TRACE(entry.path().filename().string());
    TempFolder folder;
    fs::create_directories(folder.path() / "source");
    for (const char* file : {"config.json", "model.safetensors"})
      fs::copy_file(entry.path() / file, folder.path() / "source" / file);
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
      fs::copy_file(kGolden / "tiny_llama" / file, folder.path() / "source" / file);
    auto source = Checkpoint::Open(folder.path() / "source");
    ConvertForTest(
        *source, Container::kHuggingFace, folder.path() / "m", "", [](const Tensor&) { return "f32"; }, 3);
    auto back = Checkpoint::Open(folder.path() / "m");
    ASSERT_EQ(back->tensors().size(), source->tensors().size());
    for (const Tensor& tensor : source->tensors())
      ASSERT_EQ(Decode(back->Get(tensor.name)), Decode(tensor)) << tensor.name;
    ++models;
  }
  EXPECT_GE(models, 20);
}

}  // namespace
}  // namespace assay
