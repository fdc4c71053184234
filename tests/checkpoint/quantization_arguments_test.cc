// What quantization configurations say in numbers and words: each is checked once, when it is read, by one table.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "base/strings.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/hf/packing/arguments.h"
#include "checkpoint/hf/packing/keys.h"
#include "checkpoint/hf/scheme/compressed_tensors.h"
#include "checkpoint/joint_mutations.h"
#include "checkpoint/one_layer_llama.h"

namespace assay {
namespace {

TEST(QuantizationArguments, HaveRanges) {
  for (const QuantizationArgument& row : QuantizationArguments()) {
    const std::string key(row.key);
    for (int64_t good : {row.least, row.most}) EXPECT_EQ(ReadArgument({{key, good}}, key, "w", 0), good) << key;
    if (!row.meaning.empty()) {
      EXPECT_EQ(ReadArgument({{key, row.alone}}, key, "w", 0), row.alone) << key;
    }
    for (const Json& bad : {Json(row.least - 1), Json(row.most + 1), Json(INT64_MIN), Json(INT64_MAX), Json(UINT64_MAX),
                            Json(1.5), Json("4"), Json::array({4}), Json(true)})
      EXPECT_THROW(ReadArgument({{key, bad}}, key, "w", 0), Error) << key << " " << bad;
    EXPECT_EQ(ReadArgument({{key, nullptr}}, key, "w", 77), 77);
    EXPECT_EQ(ReadArgument(Json::object(), key, "w", 77), 77);
  }
  ExpectError(ErrorKind::kInvalid, "w: group_size: expected 1 to 16777216 or -1 (a whole row), found -2", [] {
    ReadArgument({{"group_size", -2}}, "group_size", "w", 0);
  });
}

// Every key of every container is applied, harmless or refused: a harmless one has its type, and a value that nothing
// here applies is no key's.
TEST(QuantizationKeys, AreAppliedHarmlessOrRefused) {
  const std::map<char, Json> values = {{'b', true},    {'i', 5},          {'n', 0.5},
                                       {'s', "words"}, {'o', {{"k", 1}}}, {'l', Json::array({"x"})}};
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const QuantizationKey& row : QuantizationKeys()) {
    const std::string key(row.key), place = std::string(row.container) + " " + key;
    EXPECT_TRUE(seen.emplace(row.container, row.key).second) << place;
    EXPECT_EQ(row.only.empty(), row.reason.empty()) << place;
    EXPECT_TRUE(CheckKeys(row.container, {{key, nullptr}}, "w").empty()) << place;
    for (const auto& [type, of_type] : values) {
      const Json& value = of_type;
      const bool typed = row.types.empty() || row.types.find(type) != std::string_view::npos ||
                         (type == 'i' && row.types.find('n') != std::string_view::npos);
      if (typed && row.only.empty())
        EXPECT_TRUE(CheckKeys(row.container, {{key, value}}, "w").empty()) << place << " " << value;
      else if (!typed)
        ExpectError(ErrorKind::kInvalid, "w: " + key + ": expected ", [&] {
          CheckKeys(row.container, {{key, value}}, "w");
        });
      else if (value.is_string() || value.is_object() || value.is_number())
        ExpectError(ErrorKind::kUnsupported, std::string(row.reason), [&] {
          CheckKeys(row.container, {{key, value}}, "w");
        });
    }
    for (const std::string& good : Split(row.only, ' '))
      if (!good.empty()) {
        EXPECT_TRUE(CheckKeys(row.container, {{key, ParseJson(good, "only")}}, "w").empty()) << place;
      }
  }
  EXPECT_EQ(CheckKeys("gptq", {{"bits", 4}, {"new_one", 1}, {"quant_method", "gptq"}}, "w"),
            std::vector<std::string>{"new_one"});
}

TEST(QuantizationKeys, OfEveryContainerAreChecked) {
  struct Case {
    const char *json, *message;
  };
  const std::string group =
      R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":4,"group_size":32},)";
  for (
      const auto& [json, message] : std::initializer_list<std::pair<std::string, const char*>>{
          {group + R"("output_activations":{"num_bits":8}}}})",
           "g: output_activations: expected null, found {\"num_bits\":8}: what a layer gives would be rounded, which "
           "nothing here does"},
          {group + R"("output_activation":null}}})", "expected some of targets, weights"},
          {group + R"("input_activations":null}},"version":12})",
           "quantization_config: version: expected a string, found 12"},
          {group + R"("input_activations":null}},"kv_cache_scheme":"fp8"})",
           "kv_cache_scheme: expected an object, found \"fp8\""},
          {R"({"quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"num_bits":4,"observer":1}}}})",
           "observer: expected a string, found 1"},
          {R"({"quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"num_bits":4,"bias":true}}}})",
           "found bias"},
          {R"({"quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"num_bits":4,"actorder":"reverse"}}}})",
           "actorder: expected true or false or \"group\""},
          {R"({"quant_method":"gptq","bits":4,"pack_dtype":"int16"})",
           "pack_dtype: expected \"int32\" or \"torch.int32\", found \"int16\": codes are read from words of 32 bits"},
          {R"({"quant_method":"gptq","bits":4,"adapter":{"rank":8}})", "an adapter runs beside the weights"},
          {R"({"quant_method":"gptq","bits":4,"is_marlin_format":true})", "the order of one kernel"},
          {R"({"quant_method":"gptq","bits":4,"damp_percent":"a"})", "damp_percent: expected a number, found \"a\""},
          {R"({"quant_method":"gptq","bits":4,"dynamic":{"+:a":{"bitz":8}}})", "dynamic: +:a: expected some of bits"},
          {R"({"quant_method":"awq","bits":4,"dynamic":{"+:a":{"bits":8}}})", "are read from gptq files only"},
          {R"({"quant_method":"awq","bits":4,"do_fuse":"yes"})", "do_fuse: expected true or false, found \"yes\""},
          {R"({"quant_method":"auto-round","bits":4,"iters":"many"})", "iters: expected an integer, found \"many\""},
          {R"({"quant_method":"intel/auto-round","bits":4,"super_bits":6})", "super_bits: expected null, found 6"},
          {R"({"quant_method":"bitsandbytes","load_in_8bit":true,"llm_int8_threshold":4.5})",
           "llm_int8_threshold: expected 6.0, found 4.5"},
          {R"({"quant_method":"bitsandbytes","load_in_8bit":true,"llm_int8_has_fp16_weight":true})",
           "weights are read as INT8"},
          {R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_compute_dtype":16})",
           "bnb_4bit_compute_dtype: expected a string"},
          {R"({"quant_method":"fp8","fmt":"e5m2"})",
           "fmt: expected \"e4m3\" or \"float8_e4m3fn\", found \"e5m2\": weights are read as E4M3"},
          {R"({"quant_method":"fbgemm_fp8","activation_scale_ub":"a"})", "activation_scale_ub: expected a number"},
          {R"({"quant_method":"modelopt","quantization":{"quant_algo":"FP8","has_zero_point":true}})",
           "zeros of this container are not read"},
          {R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4,"channel_wise":false}}})",
           "one scale for a whole matrix is not read"},
          {R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4},"scale_quant_params":{"nbits":8}}})",
           "scales that are quantized in turn are not read"},
          {R"({"quant_method":"bitnet","rms_norm_eps":"a"})", "rms_norm_eps: expected a number"},
          {R"({"quant_method":"mxfp4","dequantize":1})", "dequantize: expected true or false"},
          {R"({"quant_method":"exl3","bits":4,"calibration":[]})", "calibration: expected an object"},
      }) {
    SCOPED_TRACE(json);
    try {
      ParseHfQuantization({{"quantization_config", ParseJson(json, "case")}}, {}, "config.json");
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
  std::vector<std::string> unknown;
  ParseHfQuantization({{"quantization_config", ParseJson(R"({"quant_method":"gptq","bits":4,"tomorrow":1})", "case")}},
                      {}, "config.json", &unknown);
  EXPECT_EQ(unknown, std::vector<std::string>{"tomorrow"});
}

// As compressed-tensors' QuantizationArgs judges them (quant_args.py, validate_model_after).
TEST(CompressedTensorsArguments, MustAgree) {
  struct Case {
    const char *json, *message;  // "": accepted
    bool weights = true;
  };
  for (const Case& c : {
           Case{R"({"num_bits":8})", ""},
           Case{R"({"num_bits":8,"strategy":"channel","group_size":-1})", ""},
           Case{R"({"num_bits":4,"group_size":128})", ""},
           Case{R"({"num_bits":4,"strategy":"group","group_size":-1})", ""},  // a row
           Case{R"({"num_bits":8,"strategy":"block","block_structure":"128x128"})", ""},
           Case{R"({"num_bits":8,"strategy":"block","block_structure":[16,64]})", ""},
           Case{R"({"num_bits":8,"strategy":"token","dynamic":true})", "", false},
           Case{R"({"num_bits":8,"strategy":"group","group_size":128,"dynamic":true})", "", false},
           Case{R"({"num_bits":4,"strategy":"tensor_group","group_size":16,"dynamic":"local"})", "", false},
           Case{R"({"strategy":"","group_size":-2})",
                "w: group_size: expected 1 to 16777216 or -1 (a whole row), found -2"},
           Case{R"({"group_size":0})", "found 0"},
           Case{R"({"group_size":9223372036854775807})", "found 9223372036854775807"},
           Case{R"({"strategy":""})",
                "w: strategy: expected one of tensor, channel, group, block, tensor_group, found \"\""},
           Case{R"({"strategy":"token","group_size":-1})", "found \"token\""},
           Case{R"({"strategy":"block"})", "strategy block: expected a block_structure, found none"},
           Case{R"({"strategy":"group"})", "strategy group: expected a group_size above 0, found none"},
           Case{R"({"strategy":"tensor_group","group_size":-1})", "expected a group_size above 0, found -1"},
           Case{R"({"strategy":"tensor","group_size":128})", "strategy tensor: expected no group_size, found 128"},
           Case{R"({"strategy":"channel","block_structure":[128,128]})",
                "expected no block_structure, found [128, 128]"},
           Case{R"({"strategy":"block","block_structure":[0,128]})",
                "block_structure: expected 1 to 16777216, found 0"},
           Case{R"({"strategy":"block","block_structure":[128,-1]})", "found -1"},
           Case{R"({"strategy":"block","block_structure":[128,18446744073709551615]})",
                "block_structure: expected 1 to"},
           Case{R"({"strategy":"block","block_structure":[128]})", "expected [rows, columns], found [128]"},
           Case{R"({"strategy":"block","block_structure":[128,128,1]})", "expected [rows, columns]"},
           Case{R"({"strategy":"block","block_structure":"64x64"})", "expected [rows, columns], found \"64x64\""},
           Case{R"({"strategy":"block","block_structure":[128,"128"]})", "expected [rows, columns]"},
           Case{R"({"num_bits":0})", "num_bits: expected 1 to 16, found 0"},
           Case{R"({"num_bits":-9223372036854775808})", "num_bits: expected 1 to 16"},
           Case{R"({"type":"bool"})", "type: expected int or float, found \"bool\""},
           Case{R"({"dynamic":"yes"})", "dynamic: expected true, false or \"local\", found \"yes\""},
           Case{R"({"strategy":"block","block_structure":[128,128]})",
                "strategy: expected one of tensor, channel, token", false},
       }) {
    SCOPED_TRACE(c.json);
    auto read = [&] { ReadQuantizationArgs(ParseJson(c.json, "case"), c.weights, "w"); };
    if (*c.message)
      ExpectError(ErrorKind::kInvalid, c.message, read);
    else
      EXPECT_NO_THROW(read());
  }
}

template <typename T>
LooseTensor Make(const std::string& name, const char* dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {name, dtype, std::move(shape), {bytes.begin(), bytes.end()}};
}

/// The 32 x 32 modules of a one-layer Llama as int8, with the same scales (and zeros) each.
LooseContainer Int8(const std::string& args, const LooseTensor& scale, const LooseTensor* zero = nullptr) {
  LooseContainer out;
  out.name = "int8";
  out.config = ParseJson(R"({"quant_method":"compressed-tensors","format":"int-quantized","ignore":["lm_head"],
                            "config_groups":{"g":{"targets":["Linear"],"weights":)" +
                             args + "}}}",
                         "config");
  out.sidecars = Json::object();
  std::vector<int8_t> codes(32 * 32);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i % 251);
  const std::string layer = "model.layers.0.";
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
    out.tensors.push_back(Make(layer + name + ".weight", "I8", {32, 32}, codes));
    out.tensors.push_back(scale);
    out.tensors.back().name = layer + name + ".weight_scale";
    if (!zero) continue;
    out.tensors.push_back(*zero);
    out.tensors.back().name = layer + name + ".weight_zero_point";
  }
  const std::vector<float> ones(64, 1.0f);
  auto plain = [&](const std::string& name, std::vector<int64_t> shape, size_t n) {
    out.tensors.push_back(Make(name, "F32", std::move(shape), std::vector<float>(ones.begin(), ones.begin() + n)));
  };
  plain("model.embed_tokens.weight", {2, 32}, 64);
  plain("lm_head.weight", {2, 32}, 64);
  plain("model.norm.weight", {32}, 32);
  plain(layer + "input_layernorm.weight", {32}, 32);
  plain(layer + "post_attention_layernorm.weight", {32}, 32);
  return out;
}

std::vector<float> Numbers(size_t n) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = 0.25f * static_cast<float>(1 + i);
  return out;
}

std::vector<float> DecodedUp(const LooseContainer& container) {
  SafetensorsFile file;
  for (const LooseTensor& t : container.tensors) file.tensors.push_back({t.name, t.dtype, t.shape, t.data});
  const ModelConfig config = OneLayerLlama();
  auto quantization = ParseHfQuantization({{"quantization_config", container.config}}, {}, "config.json");
  const HfTensors tensors = AssembleHfTensors(config, HfSlots(config), quantization.get(), std::span(&file, 1), "int8");
  for (const Tensor& tensor : tensors.tensors) {
    if (tensor.source_name != "model.layers.0.mlp.up_proj.weight") continue;
    std::vector<float> out(32 * 32);
    const LoadedTensor loaded = tensor.LoadRows(0, 32);
    for (int64_t r = 0; r < 32; ++r) tensor.format->decode_row(loaded.view, r, out.data() + 32 * r);
    return out;
  }
  return {};
}

// Worked by hand: weight = (code - zero of its block) * scale of its block, blocks of `height` x `width`.
TEST(CompressedTensorsBlocks, AreThoseThatTheConfigurationSays) {
  for (const auto& [height, width] :
       {std::pair<int64_t, int64_t>{1, 16}, {3, 16}, {16, 16}, {32, 32}, {5, 32}, {64, 16}}) {
    for (const bool asymmetric : {false, true}) {
      SCOPED_TRACE(fmt::format("{} x {} {}", height, width, asymmetric));
      const int64_t down = (32 + height - 1) / height, across = 32 / width;
      const std::vector<float> scales = Numbers(static_cast<size_t>(down * across));
      std::vector<int8_t> zeros(scales.size());
      for (size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<int8_t>(i % 17 - 8);
      const LooseTensor zero = Make("", "I8", {down, across}, zeros);
      const std::string args =
          fmt::format(R"({{"num_bits":8,"strategy":"block","block_structure":[{},{}],"symmetric":{}}})", height, width,
                      !asymmetric);
      const std::vector<float> found =
          DecodedUp(Int8(args, Make("", "F32", {down, across}, scales), asymmetric ? &zero : nullptr));
      ASSERT_EQ(found.size(), 1024u);
      for (int64_t r = 0; r < 32; ++r)
        for (int64_t c = 0; c < 32; ++c) {
          const auto block = static_cast<size_t>(r / height * across + c / width);
          const int code = static_cast<int8_t>((r * 32 + c) % 251), z = asymmetric ? zeros[block] : 0;
          ASSERT_EQ(found[static_cast<size_t>(r * 32 + c)], static_cast<float>(code - z) * scales[block])
              << r << " " << c;
        }
    }
  }
}

TEST(CompressedTensorsBlocks, OfOtherShapesAreRefused) {
  ExpectError(ErrorKind::kCorrupt, "weight_scale: expected shape [2, 2], found [2, 1]", [] {
    DecodedUp(Int8(R"({"strategy":"block","block_structure":[16,16]})", Make("", "F32", {2, 1}, Numbers(2))));
  });
  ExpectError(ErrorKind::kUnsupported, "int8 group 8 is not supported", [] {
    DecodedUp(Int8(R"({"strategy":"block","block_structure":[16,8]})", Make("", "F32", {2, 4}, Numbers(8))));
  });
  ExpectError(ErrorKind::kCorrupt, "32 columns are not whole groups of 24", [] {
    DecodedUp(Int8(R"({"strategy":"block","block_structure":[16,24]})", Make("", "F32", {2, 2}, Numbers(4))));
  });
  // One number is the shape of a matrix, and nothing is read past the end.
  for (const auto& [dtype, shape, n, message] : {std::tuple<const char*, std::vector<int64_t>, size_t, const char*>{
                                                     "I8", {32, 0}, 0, "expected shape [1], found [32, 0]"},
                                                 {"I32", {32, 0}, 0, "expected dtype I8, found I32 [32, 0]"},
                                                 {"I8", {32, 1}, 32, "expected shape [1], found [32, 1]"},
                                                 {"U8", {1}, 1, "expected dtype I8, found U8 [1]"}}) {
    const LooseTensor zero = Make("", dtype, shape, std::vector<int8_t>(n));
    ExpectError(ErrorKind::kCorrupt, std::string("weight_zero_point: ") + message, [&] {
      DecodedUp(Int8(R"({"strategy":"tensor","symmetric":false})", Make("", "F32", {1}, Numbers(1)), &zero));
    });
  }
}

// Formats that hold other weights than the configuration has: an E4M3 weight is no FP6, an NVFP4 one no plain matrix.
TEST(CompressedTensorsFormats, HoldWhatTheyAreFor) {
  for (
      const char* group : {
          R"({"format":"mxfp6-pack-quantized","weights":{"num_bits":8,"type":"float","strategy":"tensor"}})",
          R"({"format":"mxfp4-pack-quantized","weights":{"num_bits":8,"type":"float","strategy":"channel"}})",
          R"({"format":"nvfp4-pack-quantized","weights":{"num_bits":4,"type":"float","strategy":"group","group_size":32}})",
          R"({"format":"naive-quantized","weights":{"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16}})",
          R"({"format":"float-quantized","weights":{"num_bits":6,"type":"float","strategy":"group","group_size":32}})",
          R"({"format":"float-quantized","weights":{"num_bits":8,"type":"float","strategy":"block","block_structure":[64,64]}})",
          R"({"format":"mxfp8-quantized","weights":{"num_bits":8,"type":"float","strategy":"tensor"}})",
          R"({"format":"int-quantized","weights":{"num_bits":9,"type":"int"}})",
          R"({"format":"pack-quantized","weights":{"num_bits":8,"type":"float"}})",
      }) {
    Json config = {{"quant_method", "compressed-tensors"}, {"config_groups", {{"g", ParseJson(group, "case")}}}};
    ExpectError(ErrorKind::kUnsupported, "are not supported", [&] {
      ParseHfQuantization({{"quantization_config", config}}, {}, "config.json");
    });
  }
}

TEST(OtherContainers, CheckTheirNumbersWhenRead) {
  struct Case {
    const char *json, *message;
  };
  for (const Case& c : {
           Case{R"({"quant_method":"gptq","bits":4,"group_size":0})", "group_size: expected 1 to 16777216 or -1"},
           Case{R"({"quant_method":"gptq","bits":4,"group_size":9223372036854775807})", "group_size: expected"},
           Case{R"({"quant_method":"gptq","bits":-4,"group_size":128})", "bits: expected 1 to 32, found -4"},
           Case{R"({"quant_method":"gptq","bits":4,"dynamic":{"+:a":{"group_size":-5}}})",
                "dynamic: +:a: group_size: expected"},
           Case{R"({"quant_method":"gptq","bits":4,"dynamic":{"+:a":4}})",
                "dynamic: +:a: expected an object, found number"},
           Case{R"({"quant_method":"gptq","bits":4,"dynamic":[1]})", "dynamic: expected an object, found array"},
           Case{R"({"quant_method":"awq","bits":4,"group_size":-3})", "group_size: expected"},
           Case{R"({"quant_method":"awq","w_bit":-4,"q_group_size":128})", "w_bit: expected 1 to 32"},
           Case{R"({"quant_method":"auto-round","bits":4,"group_size":0})", "group_size: expected"},
           Case{R"({"quant_method":"auto-round","bits":4,"extra_config":{"a":{"bits":77}}})",
                "extra_config: a: bits: expected"},
           Case{R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":9,"group_size":64}}})",
                "nbits: expected 1 to 8"},
           Case{R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4,"group_size":0}}})",
                "group_size: expected"},
           Case{R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4,"axis":2}}})",
                "axis: expected 0 to 1"},
           Case{R"({"quant_method":"modelopt","quant_algo":"W4A16_AWQ","group_size":0})", "group_size: expected"},
           Case{R"({"quant_method":"exl3","bits":1e300})", "bits: expected 1 to 32"},
           Case{R"({"quant_method":"exl3","tensor_storage":{"a":{"bits_per_weight":-1}}})",
                "tensor_storage: a: bits_per_weight: expected"},
       })
    ExpectError(ErrorKind::kInvalid, c.message, [&] {
      ParseHfQuantization({{"quantization_config", ParseJson(c.json, "case")}}, {}, "config.json");
    });
  // A scheme of the KV cache of any shape is no crash.
  for (const char* cache : {R"({"num_bits":"8"})", R"({"num_bits":8,"type":3})", "[]", R"("FP8")", "{}"}) {
    const Json config = {
        {"quant_method", "modelopt"}, {"quant_algo", "FP8"}, {"kv_cache_scheme", ParseJson(cache, "c")}};
    EXPECT_NO_THROW(ParseHfQuantization({{"quantization_config", config}}, {}, "config.json")) << cache;
  }
}

// Configuration and tensors damaged together; the fuzz target of the same walks further.
TEST(GoldenContainersTest, DamagedTogetherNeverCrash) {
  const std::vector<LooseContainer> containers = GoldenContainers(std::string(ASSAY_TEST_DATA) + "/golden/containers");
  ASSERT_GT(containers.size(), 30u);
  Random random(20261129);
  int accepted = 0, refused = 0;
  for (const LooseContainer& container : containers) {
    SCOPED_TRACE(container.name);
    EXPECT_NO_THROW(OpenAndDecode(container));
    for (int i = 0; i < 400; ++i)
      ++(OpenMutated(container, [&](size_t n) { return static_cast<size_t>(random.Below(n)); }) ? accepted : refused);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace assay
