// Containers as the libraries that own them pack them (tests/golden/containers, made by tools/golden/containers.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/layout.h"
#include "checkpoint/one_layer_llama.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(ASSAY_TEST_DATA) / "golden" / "containers";

const char* const kModules[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};

/// A golden file and what is put together from it.
struct Golden {
  std::string bytes;
  Json facts;
  SafetensorsFile file;

  explicit Golden(const std::string& name)
      : bytes(ReadFile(kFolder / (name + ".safetensors"))),
        facts(ParseJson(ReadFile(kFolder / (name + ".json")), name)) {
    Parse();
  }
  void Parse() { file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "golden"); }

  HfTensors Assemble() const {
    const ModelConfig config = OneLayerLlama();
    Json json = {{"quantization_config", facts["quantization_config"]}};
    std::map<std::string, Json> sidecars;
    for (const auto& [name, sidecar] : facts["sidecars"].items()) sidecars[name] = sidecar;
    auto quantization = ParseHfQuantization(json, sidecars, "config");
    if (!quantization) quantization = RecognizeHfQuantization(std::span(&file, 1), "config");
    return AssembleHfTensors(config, HfSlots(config), quantization.get(), std::span(&file, 1), "golden");
  }
};

const Tensor& Find(const HfTensors& tensors, const std::string& name) {
  for (const Tensor& tensor : tensors.tensors)
    if (tensor.name == name) return tensor;
  throw std::runtime_error(name);
}

std::vector<float> Decoded(const Tensor& tensor) {
  std::vector<float> out(static_cast<size_t>(tensor.rows * tensor.cols));
  const LoadedTensor loaded = tensor.LoadRows(0, tensor.rows);
  for (int64_t row = 0; row < tensor.rows; ++row)
    tensor.format->decode_row(loaded.view, row, out.data() + row * tensor.cols);
  return out;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

class GoldenContainer : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenContainer, DecodesToTheLibrarysWeights) {
  Golden golden(GetParam());
  HfTensors tensors = golden.Assemble();
  std::vector<float> all;
  for (const char* module : kModules) {
    std::vector<float> part = Decoded(Find(tensors, fmt::format("blk.0.{}.weight", module)));
    all.insert(all.end(), part.begin(), part.end());
  }
  ASSERT_EQ(all.size(), 7168u);
  for (float& weight : all) weight += 0.0f;  // a zero has no sign
  EXPECT_EQ(Sha256Hex(std::as_bytes(std::span(all))), golden.facts["sha256"].get<std::string>());
}

TEST_P(GoldenContainer, RowsAloneAreThoseOfTheWhole) {
  Golden golden(GetParam());
  HfTensors tensors = golden.Assemble();
  ThreadPool pool(3);
  for (const Tensor& tensor : tensors.tensors) {
    const LoadedTensor whole = tensor.Load(pool);
    EXPECT_EQ(whole.made != nullptr, tensor.made());
    const LoadedTensor again = tensor.Load(pool);
    EXPECT_EQ(again.made, whole.made) << "made twice at a time";
    if (tensor.format->flat) continue;
    std::vector<float> expected(static_cast<size_t>(tensor.cols)), found(expected.size());
    for (const auto& [begin, n] : {std::pair<int64_t, int64_t>{0, 1}, {3, 7}, {tensor.rows - 5, 5}}) {
      if (begin < 0 || begin + n > tensor.rows) continue;
      const LoadedTensor part = tensor.LoadRows(begin, n);
      for (int64_t r = 0; r < n; ++r) {
        tensor.format->decode_row(whole.view, begin + r, expected.data());
        tensor.format->decode_row(part.view, r, found.data());
        EXPECT_EQ(found, expected) << tensor.name << " row " << begin + r;
      }
    }
  }
}

TEST_P(GoldenContainer, WithoutAnyOneTensorIsRefused) {
  Golden golden(GetParam());
  // What a reader may do without: HQQ's copies of the configuration, orders that are none, scales beside the weights.
  const std::set<std::string> optional = {
      "axis",         "channel_wise",    "compute_dtype", "encoded_state_dict", "group_size", "nbits",
      "offload_meta", "optimize",        "packing",       "round_zero",         "shape",      "stores_quant_config",
      "quant_scale",  "quant_zero",      "view_as_float", "unpack_view_dtype",  "g_idx",      "weight_format",
      "input_scale",  "pre_quant_scale", "weight_scale"};
  for (size_t i = 0; i < golden.file.tensors.size(); ++i) {
    if (golden.file.tensors[i].name.find("down_proj") == std::string::npos) continue;  // the others are alike
    Golden broken(GetParam());
    const std::string name = broken.file.tensors[i].name, end = name.substr(name.rfind('.') + 1);
    const bool needed =
        !optional.contains(end) || (end == "g_idx" && GetParam().find("act_order") != std::string::npos);
    broken.file.tensors.erase(broken.file.tensors.begin() + static_cast<ptrdiff_t>(i));
    if (needed) {
      EXPECT_THROW(broken.Assemble(), Error) << "accepted without " << name;
    } else {
      try {
        broken.Assemble();
      } catch (const Error&) {
      }
    }
  }
}

/// Every tensor with another dtype or another shape of as many bytes: refused, or read without a crash.
TEST_P(GoldenContainer, OtherShapesAndDtypesNeverCrash) {
  Golden golden(GetParam());
  int refused = 0;
  for (size_t i = 0; i < golden.file.tensors.size(); ++i) {
    if (golden.file.tensors[i].name.find("q_proj") == std::string::npos) continue;  // the others are alike
    for (const char* dtype : {"F32", "F16", "I32", "I8", "U8", "F8_E4M3", "I64"}) {
      Golden broken(GetParam());
      SafetensorsTensor& tensor = broken.file.tensors[i];
      tensor.dtype = dtype;
      const size_t width = static_cast<size_t>(SafetensorsDtypeBits(dtype)) / 8;
      tensor.shape = {static_cast<int64_t>(tensor.data.size() / width)};
      tensor.data = tensor.data.first(tensor.data.size() / width * width);
      try {
        HfTensors tensors = broken.Assemble();
        for (const char* module : kModules) Decoded(Find(tensors, fmt::format("blk.0.{}.weight", module)));
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GE(refused, 8);
}

TEST_P(GoldenContainer, CutAndFlippedBytesNeverCrash) {
  Golden golden(GetParam());
  for (size_t n = 0; n < golden.bytes.size(); n += 997) {
    std::string part = golden.bytes.substr(0, n);
    EXPECT_THROW(SafetensorsFile::Parse(std::as_bytes(std::span(part)), "cut"), Error);
  }
  for (size_t i = 8; i < golden.bytes.size(); i += 509) {
    Golden broken(GetParam());
    broken.bytes[i] = static_cast<char>(broken.bytes[i] ^ 0x81);
    try {
      broken.Parse();
      HfTensors tensors = broken.Assemble();
      for (const char* module : kModules) Decoded(Find(tensors, fmt::format("blk.0.{}.weight", module)));
    } catch (const Error&) {
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenContainer, ::testing::ValuesIn(Names()), [](const auto& row) { return row.param; });

struct Written {
  const char* golden;
  const char* container;
};

/// What we write from what we read is what the library packed, byte for byte.
TEST(GoldenContainers, AreWrittenByteForByte) {
  const Written kWritten[] = {
      {"gptq_int4_v1", "gptq"},
      {"gptq_int3_v1", "gptq"},
      {"gptq_int4_act_order_v2", "gptq_v2"},
      {"gptq_int2_v2", "gptq_v2"},
      {"gptq_int5_p", "gptq_p"},
      {"gptq_int7_act_order_p", "gptq_p"},
      {"awq_gemm", "awq"},
      {"ct_int4_g32", "compressed-tensors"},
      {"ct_int4_g32_asym", "compressed-tensors"},
      {"ct_int3_channel", "compressed-tensors"},
      {"ct_int5_g32_asym", "compressed-tensors"},
      {"ct_fp8_channel", "compressed-tensors"},
      {"ct_fp8_tensor_static", "compressed-tensors"},
      {"ct_fp8_block", "compressed-tensors"},
      {"ct_nvfp4", "compressed-tensors"},
      {"ct_mxfp4", "compressed-tensors"},
      {"ct_mxfp6", "compressed-tensors"},
      {"ct_mxfp8", "compressed-tensors"},
      {"bnb_nf4", "bitsandbytes"},
      {"bnb_fp4_b128", "bitsandbytes"},
      {"bnb_int8", "bitsandbytes"},
      {"bitnet_bitlinear", "bitnet"},
      {"fp8_block", "fp8"},
      {"hqq_4", "hqq"},
      {"hqq_3", "hqq"},
      {"hqq_4_axis0", "hqq"},
      {"modelopt_nvfp4", "modelopt"},
  };
  for (const Written& row : kWritten) {
    SCOPED_TRACE(row.golden);
    Golden golden(row.golden);
    HfTensors tensors = golden.Assemble();
    std::map<std::string, const SafetensorsTensor*> expected;
    for (const SafetensorsTensor& tensor : golden.file.tensors) expected[tensor.name] = &tensor;
    auto container = CreateHfContainer(row.container, {});
    int compared = 0;
    for (const char* part : kModules) {
      const Tensor& tensor = Find(tensors, fmt::format("blk.0.{}.weight", part));
      const LoadedTensor loaded = tensor.LoadRows(0, tensor.rows);
      const PackedView& view = loaded.view;
      HfModule module;
      module.name = tensor.source_name.substr(0, tensor.source_name.rfind('.'));
      module.format = view.format;
      module.rows = view.rows;
      module.cols = view.cols;
      module.shape = tensor.shape;
      module.global_scale = view.global_scale;
      module.global_divisor = view.global_divisor;
      module.activation_scale = view.activation_scale;
      if (view.column_group) module.column_group.assign(view.column_group, view.column_group + view.cols);
      for (const char* scale : {".weight_scale", ".scales", ".scale"})
        if (auto it = expected.find(module.name + scale); it != expected.end()) module.scale_dtype = it->second->dtype;
      ASSERT_TRUE(container->Holds(*view.format)) << view.format->name;
      std::map<std::string, std::vector<std::byte>> made;
      for (const SafetensorsPart& p : container->Parts(module)) made[p.name].resize(p.bytes);
      HfSink sink = [&](const std::string& name, uint64_t offset, std::span<const std::byte> bytes) {
        ASSERT_LE(offset + bytes.size(), made.at(name).size());
        std::copy(bytes.begin(), bytes.end(), made[name].begin() + static_cast<ptrdiff_t>(offset));
      };
      container->Begin(module, sink);
      auto plane = [](const std::byte* data, int64_t bytes) {
        return data ? std::span(data, static_cast<size_t>(bytes)) : std::span<const std::byte>();
      };
      container->Rows(module, 0, view.rows, plane(view.codes, CodesBytes(*view.format, view.rows, view.cols)),
                      plane(view.scales, ScalesBytes(*view.format, view.rows, view.cols)), sink);
      for (const auto& [name, bytes] : made) {
        if (name.find("quant_state") != std::string::npos) continue;  // the same JSON with other spaces
        ASSERT_TRUE(expected.contains(name)) << name;
        const SafetensorsTensor& theirs = *expected[name];
        if (theirs.dtype == "BF16" && bytes.size() != theirs.data.size()) continue;  // weight_scale of BitNet in F32
        ASSERT_EQ(bytes.size(), theirs.data.size()) << name;
        EXPECT_EQ(std::memcmp(bytes.data(), theirs.data.data(), bytes.size()), 0) << name;
        ++compared;
      }
    }
    EXPECT_GE(compared, 7);
  }
}

TEST(GoldenContainers, ZerosOfTheOtherVersionAreReported) {
  Golden golden("gptq_int4_v1");
  golden.facts["quantization_config"]["checkpoint_format"] = "gptq_v2";
  try {
    golden.Assemble();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                ::testing::HasSubstr("every zero is stored as 7, which is what symmetric 4 bits are in gptq"));
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  }
  Golden asymmetric("gptq_int4_asym_v1");
  asymmetric.facts["quantization_config"]["sym"] = true;
  EXPECT_THROW(asymmetric.Assemble(), Error);
}

/// What opening does not look at.
TEST(GoldenContainers, WhatOnlyPlanesSayIsFoundWhenTheyAreLoaded) {
  struct Mistake {
    const char *golden, *tensor, *message;
    uint8_t last;  // byte of the tensor
  };
  const std::string up = "model.layers.0.mlp.up_proj";
  for (const Mistake& mistake :
       {Mistake{"gptq_int4_v1", ".scales", "up_proj.scales: element 31 is", 0x7c},
        Mistake{"awq_gemm", ".scales", "up_proj.scales: element 31 is", 0x7c},
        Mistake{"bitnet_bitlinear", ".weight", "up_proj.weight: row 7 has a code that is not -1, 0 or 1", 0xff}}) {
    SCOPED_TRACE(mistake.tensor);
    Golden broken(mistake.golden);
    std::vector<std::byte> bytes;
    for (SafetensorsTensor& tensor : broken.file.tensors) {
      if (tensor.name != up + mistake.tensor) continue;
      bytes.assign(tensor.data.begin(), tensor.data.end());
      bytes.back() = std::byte{mistake.last};
      tensor.data = bytes;
    }
    ASSERT_FALSE(bytes.empty());
    const HfTensors tensors = broken.Assemble();
    ThreadPool pool(2);
    Find(tensors, "blk.0.ffn_down.weight").Load(pool);  // the others are as they were
    ExpectError(ErrorKind::kCorrupt, mistake.message, [&] { Find(tensors, "blk.0.ffn_up.weight").Load(pool); });
  }
}

/// hqq's own save_to_safetensors leaves config.json as it was: each module's small tensors say how it is stored.
TEST(GoldenContainers, HqqWithoutAConfigurationIsRead) {
  Golden silent("hqq_3");
  silent.facts["quantization_config"] = nullptr;
  HfTensors tensors = silent.Assemble();
  std::vector<float> all;
  for (const char* module : kModules) {
    std::vector<float> part = Decoded(Find(tensors, fmt::format("blk.0.{}.weight", module)));
    all.insert(all.end(), part.begin(), part.end());
  }
  for (float& weight : all) weight += 0.0f;
  EXPECT_EQ(Sha256Hex(std::as_bytes(std::span(all))), silent.facts["sha256"].get<std::string>());
  // Without one of them nothing is guessed.
  Golden poorer("hqq_3");
  poorer.facts["quantization_config"] = nullptr;
  std::erase_if(poorer.file.tensors, [](const SafetensorsTensor& tensor) { return tensor.name.ends_with(".nbits"); });
  EXPECT_THROW(poorer.Assemble(), Error);
}

TEST(GoldenContainers, ConfigAndTensorsMustAgree) {
  // A quantized file whose configuration says nothing, and one of another group size.
  Golden silent("ct_int4_g32");
  silent.facts["quantization_config"] = nullptr;
  EXPECT_THROW(silent.Assemble(), Error);
  Golden wider("gptq_int4_v1");
  wider.facts["quantization_config"]["group_size"] = 16;
  EXPECT_THROW(wider.Assemble(), Error);
  Golden ignored("ct_int4_g32");
  ignored.facts["quantization_config"]["ignore"].push_back("model.layers.0.mlp.up_proj");
  EXPECT_THROW(ignored.Assemble(), Error);
}

}  // namespace
}  // namespace assay
