// generation_config.json and general.sampling.*: every key of the reference has a row, and what a row says happens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/small_gguf.h"
#include "describe/generation_files.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

GenerationConfig Read(const char* text) {
  return ReadGenerationConfig(ParseJson(text, "test"), 100, 512);
}

// What GenerationConfig.__init__ of transformers 5.24.0 and 4.57.3 takes (kwargs.pop of configuration_utils.py).
constexpr const char* kReferenceKeys[] = {"_commit_hash",
                                          "_from_model_config",
                                          "assistant_confidence_threshold",
                                          "assistant_early_exit",
                                          "assistant_ensemble_weight",
                                          "assistant_lookbehind",
                                          "bad_words_ids",
                                          "begin_suppress_tokens",
                                          "bos_token_id",
                                          "cache_config",
                                          "cache_implementation",
                                          "compile_config",
                                          "constraints",
                                          "continuous_batching_config",
                                          "decoder_start_token_id",
                                          "disable_compile",
                                          "diversity_penalty",
                                          "do_sample",
                                          "dola_layers",
                                          "early_stopping",
                                          "encoder_no_repeat_ngram_size",
                                          "encoder_repetition_penalty",
                                          "eos_token_id",
                                          "epsilon_cutoff",
                                          "eta_cutoff",
                                          "exponential_decay_length_penalty",
                                          "force_words_ids",
                                          "forced_bos_token_id",
                                          "forced_eos_token_id",
                                          "guidance_scale",
                                          "is_assistant",
                                          "length_penalty",
                                          "low_memory",
                                          "max_cache_len",
                                          "max_length",
                                          "max_matching_ngram_size",
                                          "max_new_tokens",
                                          "max_time",
                                          "min_length",
                                          "min_new_tokens",
                                          "min_p",
                                          "no_repeat_ngram_size",
                                          "num_assistant_tokens",
                                          "num_assistant_tokens_schedule",
                                          "num_beam_groups",
                                          "num_beams",
                                          "num_return_sequences",
                                          "output_attentions",
                                          "output_hidden_states",
                                          "output_logits",
                                          "output_scores",
                                          "pad_token_id",
                                          "penalty_alpha",
                                          "prefill_chunk_size",
                                          "prompt_lookup_num_tokens",
                                          "remove_invalid_values",
                                          "renormalize_logits",
                                          "repetition_penalty",
                                          "return_dict_in_generate",
                                          "return_legacy_cache",
                                          "sequence_bias",
                                          "speculation_type",
                                          "stop_strings",
                                          "suppress_tokens",
                                          "target_lookbehind",
                                          "temperature",
                                          "token_healing",
                                          "top_h",
                                          "top_k",
                                          "top_p",
                                          "transformers_version",
                                          "typical_p",
                                          "use_cache",
                                          "use_mtp",
                                          "watermarking_config"};

TEST(GenerationConfig, EveryKeyOfTheReferenceHasARow) {
  for (const char* key : kReferenceKeys) EXPECT_NE(GenerationKeyKind(key), GenerationKey::kUnknown) << key;
  EXPECT_EQ(GenerationKeyKind("temprature"), GenerationKey::kUnknown);
}

TEST(GenerationConfig, GreedyUnlessTheFileSamples) {
  EXPECT_EQ(ReadGenerationConfig(nullptr, 100, 512).temperature, 0.0);
  GenerationConfig sampled =
      Read(R"({"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05})");
  EXPECT_EQ(sampled.temperature, 0.7);
  EXPECT_EQ(sampled.top_k, 20);
  EXPECT_EQ(sampled.top_p, 0.8);
  EXPECT_EQ(sampled.min_p, 0.05);
  EXPECT_TRUE(sampled.unapplied.empty());
  EXPECT_EQ(Read(R"({"do_sample": true})").top_k, 50);  // transformers' default
  EXPECT_EQ(Read(R"({"do_sample": true, "top_k": 0})").top_k, 0);
  EXPECT_EQ(Read(R"({"do_sample": true, "top_k": -1})").top_k, 0);
  EXPECT_EQ(Read(R"({"do_sample": true, "top_p": 0.0})").top_k, 1);
  EXPECT_EQ(Read(R"({"do_sample": true, "temperature": 0.0})").temperature, 0.0);
  for (const char* greedy : {R"({"do_sample": false, "temperature": 0.6, "top_p": 0.9})", R"({"temperature": 0.6})"}) {
    GenerationConfig config = Read(greedy);
    EXPECT_EQ(config.temperature, 0.0);
    EXPECT_EQ(config.top_p, 1.0);
    ASSERT_EQ(config.unapplied.size(), 1u);
    EXPECT_NE(config.unapplied[0].find("temperature 0.6"), std::string::npos) << config.unapplied[0];
  }
}

TEST(GenerationConfig, GreedyAnswersHaveRules) {
  GenerationConfig config =
      Read(R"({"repetition_penalty": 1.05, "no_repeat_ngram_size": 3, "suppress_tokens": [4, 200, -1],
    "begin_suppress_tokens": [5], "bad_words_ids": [[7], [8, 9], [300], []], "max_new_tokens": 32, "min_new_tokens": 2,
    "stop_strings": ["END", ""], "pad_token_id": 0, "transformers_version": "4.40.0"})");
  EXPECT_EQ(config.repetition_penalty, 1.05);
  EXPECT_EQ(config.penalty_window, 0);
  EXPECT_EQ(config.no_repeat_ngram, 3);
  EXPECT_EQ(config.suppressed, std::vector<int32_t>{4});
  EXPECT_EQ(config.suppressed_first, std::vector<int32_t>{5});
  EXPECT_EQ(config.banned, (std::vector<std::vector<int32_t>>{{7}, {8, 9}}));
  EXPECT_EQ(config.max_new_tokens, 32);
  EXPECT_EQ(config.min_new_tokens, 2);
  EXPECT_EQ(config.stop, std::vector<std::string>{"END"});
  EXPECT_TRUE(config.unapplied.empty()) << config.unapplied[0];
  EXPECT_EQ(Read(R"({"stop_strings": "END"})").stop, std::vector<std::string>{"END"});
}

TEST(GenerationConfig, WhatIsNotAppliedIsTold) {
  for (const char* told : {R"({"num_beams": 4})", R"({"max_length": 20})", R"({"forced_eos_token_id": 2})",
                           R"({"sequence_bias": [[[1], 2.0]]})", R"({"guidance_scale": 1.5})",
                           R"({"penalty_alpha": 0.6})", R"({"do_sample": true, "typical_p": 0.9})",
                           R"({"encoder_repetition_penalty": 1.1})", R"({"chat_format": "chatml"})"}) {
    GenerationConfig config = Read(told);
    ASSERT_EQ(config.unapplied.size(), 1u) << told;
    EXPECT_TRUE(config.unapplied[0].starts_with("generation_config.json: \"")) << config.unapplied[0];
  }
  // At rest they change nothing.
  for (const char* off :
       {R"({"num_beams": 1})", R"({"max_length": 512})", R"({"max_length": 20, "max_new_tokens": 5})",
        R"({"typical_p": 1.0, "do_sample": true})", R"({"epsilon_cutoff": 0.0, "do_sample": true})",
        R"({"guidance_scale": null, "forced_eos_token_id": null})", R"({"encoder_no_repeat_ngram_size": 0})",
        R"({"sequence_bias": []})", R"({"token_healing": false})"})
    EXPECT_TRUE(Read(off).unapplied.empty()) << off;
}

TEST(GenerationConfig, NonsenseIsRefusedByName) {
  for (const char* bad :
       {R"({"repetition_penalty": 0})", R"({"repetition_penalty": -1.5})", R"({"repetition_penalty": "1.1"})",
        R"({"do_sample": true, "temperature": -1})", R"({"do_sample": true, "top_p": 1.5})",
        R"({"do_sample": true, "min_p": -0.1})", R"({"suppress_tokens": 3})", R"({"suppress_tokens": ["a"]})",
        R"({"bad_words_ids": [1, 2]})", R"({"max_new_tokens": -4})", R"({"stop_strings": [1]})", R"([])",
        R"({"no_repeat_ngram_size": 1.5})"}) {
    try {
      Read(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("generation_config.json: ")) << error.what();
    }
  }
}

GenerationConfig ReadGguf(const std::function<void(GgufMetadata&)>& add) {
  SmallGguf file;
  add(file.metadata);
  const std::string bytes = file.Bytes();
  return ReadGenerationConfig(GgufFile::Parse(std::as_bytes(std::span(bytes)), "small"), 16);
}

TEST(GenerationConfig, SamplingKeysOfGguf) {
  GenerationConfig config = ReadGguf([](GgufMetadata& m) {
    m.AddFloat32("general.sampling.temp", 0.5);
    m.AddInt32("general.sampling.top_k", 40);
    m.AddFloat32("general.sampling.min_p", 0.25);
    m.AddFloat32("general.sampling.penalty_repeat", 1.5);
    m.AddInt32("general.sampling.penalty_last_n", 8);
    m.AddFloat32("general.sampling.xtc_probability", 0.0);
    m.AddInt32("general.sampling.mirostat", 2);
    m.AddString("general.sampling.sequence", "top_k;temperature");
  });
  EXPECT_EQ(config.temperature, 0.5);
  EXPECT_EQ(config.top_k, 40);
  EXPECT_EQ(config.min_p, 0.25);
  EXPECT_EQ(config.repetition_penalty, 1.5);
  EXPECT_EQ(config.penalty_window, 8);
  EXPECT_EQ(config.unapplied.size(), 2u);
  auto penalty = [](int32_t window) {
    return ReadGguf([&](GgufMetadata& m) {
      m.AddFloat32("general.sampling.penalty_repeat", 1.5);
      m.AddInt32("general.sampling.penalty_last_n", window);
    });
  };
  EXPECT_EQ(penalty(16).penalty_window, 0);  // the whole context
  EXPECT_EQ(penalty(0).repetition_penalty, 1.0);
  EXPECT_EQ(penalty(-1).repetition_penalty, 1.0);  // as llama.cpp reads it
  GenerationConfig alone = ReadGguf([](GgufMetadata& m) { m.AddFloat32("general.sampling.penalty_repeat", 1.5); });
  EXPECT_EQ(alone.repetition_penalty, 1.5);
  EXPECT_EQ(alone.penalty_window, 0);  // 64 covers the context of 16
}

TEST(GenerationConfig, WhatTheOtherContainerLosesIsSaid) {
  EXPECT_EQ(GgufLosses(Read(R"({"do_sample": true, "temperature": 0.5, "repetition_penalty": 1.1})")), "");
  EXPECT_EQ(GgufLosses(Read(R"({"no_repeat_ngram_size": 3, "suppress_tokens": [4], "begin_suppress_tokens": [5],
    "bad_words_ids": [[7]], "max_new_tokens": 32, "min_new_tokens": 2, "stop_strings": "END"})")),
            "GGUF has no keys for rules of generation_config.json: max_new_tokens, min_new_tokens, "
            "no_repeat_ngram_size, suppress_tokens, begin_suppress_tokens, bad_words_ids, stop_strings");
  EXPECT_EQ(GgufLosses(Read(R"({"stop_strings": "END"})")),
            "GGUF has no keys for rules of generation_config.json: stop_strings");
  GenerationConfig generation;
  generation.penalty_window = 8;
  EXPECT_EQ(FolderLosses(generation), "");  // no penalty
  generation.repetition_penalty = 1.5;
  EXPECT_EQ(FolderLosses(generation),
            "generation_config.json cannot say that the repetition penalty looks at the last 8 tokens: it will look "
            "at all");
}

TEST(GenerationConfig, WritersSayWhatIsLost) {
  TempFolder scratch;
  const fs::path folder = scratch.path() / "m", gguf = scratch.path() / "m.gguf";
  fs::copy(fs::path(ASSAY_TEST_DATA) / "golden" / "checkpoint" / "tiny_llama", folder);
  fs::permissions(folder / "generation_config.json", fs::perms::owner_write, fs::perm_options::add);
  WriteFileAtomically(folder / "generation_config.json", R"({"stop_strings": ["END"], "repetition_penalty": 1.5})");
  auto left_out = [&](const Checkpoint& source, Container container, const fs::path& out) {
    std::vector<OutputTensor> tensors;
    for (const Tensor& tensor : source.tensors())
      tensors.push_back({tensor.name, &GetFormat("f32"), tensor.rows, tensor.cols, tensor.shape});
    return CheckpointWriter::Create(container, out, source, "f32", tensors)->left_out();
  };
  EXPECT_THAT(left_out(*Checkpoint::Open(folder), Container::kGguf, gguf),
              testing::HasSubstr("rules of generation_config.json: stop_strings"));
  SmallGguf small("llama.context_length");
  small.metadata.AddUint32("llama.context_length", 128);
  small.metadata.AddFloat32("general.sampling.penalty_repeat", 1.5);
  WriteFileAtomically(gguf, small.Bytes());
  EXPECT_THAT(left_out(*Checkpoint::Open(gguf), Container::kHuggingFace, scratch.path() / "out"),
              testing::HasSubstr("looks at the last 64 tokens"));
}

}  // namespace
}  // namespace assay
