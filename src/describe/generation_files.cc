#include "describe/generation_files.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_member.h"
#include "describe/arch/spec.h"
#include "describe/gguf_keys.h"

namespace assay {
namespace {

constexpr std::string_view kPlace = "generation_config.json";
constexpr size_t kMaxTokens = 1 << 20, kMaxTexts = 1024;
constexpr int64_t kMaxCount = int64_t{1} << 32;

struct KeyRow {
  std::string_view name;
  GenerationKey kind;
  std::string_view off = "null";  // kTold: the JSON value, beside null, that changes nothing
};

// transformers 5.24, GenerationConfig, and keys that published files carry.
constexpr GenerationKey kApplied = GenerationKey::kApplied, kHarmless = GenerationKey::kHarmless,
                        kTold = GenerationKey::kTold;
constexpr KeyRow kKeys[] = {
    {"eos_token_id", kApplied},
    {"do_sample", kApplied},
    {"temperature", kApplied},
    {"top_k", kApplied},
    {"top_p", kApplied},
    {"min_p", kApplied},
    {"repetition_penalty", kApplied},
    {"no_repeat_ngram_size", kApplied},
    {"bad_words_ids", kApplied},
    {"suppress_tokens", kApplied},
    {"begin_suppress_tokens", kApplied},
    {"max_new_tokens", kApplied},
    {"min_new_tokens", kApplied},
    {"stop_strings", kApplied},
    // How it is computed, or what is returned with it.
    {"use_cache", kHarmless},
    {"cache_implementation", kHarmless},
    {"cache_config", kHarmless},
    {"max_cache_len", kHarmless},
    {"low_memory", kHarmless},
    {"compile_config", kHarmless},
    {"disable_compile", kHarmless},
    {"continuous_batching_config", kHarmless},
    {"prefill_chunk_size", kHarmless},
    {"output_attentions", kHarmless},
    {"output_hidden_states", kHarmless},
    {"output_scores", kHarmless},
    {"output_logits", kHarmless},
    {"return_dict_in_generate", kHarmless},
    {"num_return_sequences", kHarmless},
    {"renormalize_logits", kHarmless},
    {"remove_invalid_values", kHarmless},
    // Of beams, encoders, padding and drafts (which leave greedy answers as they are).
    {"early_stopping", kHarmless},
    {"length_penalty", kHarmless},
    {"pad_token_id", kHarmless},
    {"bos_token_id", kHarmless},
    {"decoder_start_token_id", kHarmless},
    {"is_assistant", kHarmless},
    {"num_assistant_tokens", kHarmless},
    {"num_assistant_tokens_schedule", kHarmless},
    {"assistant_confidence_threshold", kHarmless},
    {"prompt_lookup_num_tokens", kHarmless},
    {"max_matching_ngram_size", kHarmless},
    {"assistant_early_exit", kHarmless},
    {"assistant_lookbehind", kHarmless},
    {"target_lookbehind", kHarmless},
    {"assistant_ensemble_weight", kHarmless},
    {"speculation_type", kHarmless},
    {"use_mtp", kHarmless},
    {"transformers_version", kHarmless},
    {"_from_model_config", kHarmless},
    {"_commit_hash", kHarmless},
    {"_original_object_hash", kHarmless},
    {"return_legacy_cache", kHarmless},
    {"_name_or_path", kHarmless},
    {"trust_remote_code", kHarmless},
    // They change answers and are not applied.
    {"max_length", kTold},
    {"min_length", kTold, "0"},
    {"max_time", kTold},
    {"num_beams", kTold, "1"},
    {"num_beam_groups", kTold, "1"},
    {"diversity_penalty", kTold, "0"},
    {"typical_p", kTold, "1"},
    {"top_h", kTold},
    {"epsilon_cutoff", kTold, "0"},
    {"eta_cutoff", kTold, "0"},
    {"encoder_repetition_penalty", kTold, "1"},
    {"encoder_no_repeat_ngram_size", kTold, "0"},
    {"forced_bos_token_id", kTold},
    {"forced_eos_token_id", kTold},
    {"exponential_decay_length_penalty", kTold},
    {"sequence_bias", kTold},
    {"token_healing", kTold, "false"},
    {"guidance_scale", kTold, "1"},
    {"watermarking_config", kTold},
    {"penalty_alpha", kTold, "0"},
    {"dola_layers", kTold},
    {"constraints", kTold},
    {"force_words_ids", kTold},
};

// They count only when the file samples.
constexpr std::string_view kOfSampling[] = {"temperature", "top_k",          "top_p",      "min_p",
                                            "typical_p",   "epsilon_cutoff", "eta_cutoff", "top_h"};

// llama.cpp, after general.sampling.
constexpr KeyRow kGgufKeys[] = {
    {"temp", kApplied},           {"top_k", kApplied},
    {"top_p", kApplied},          {"min_p", kApplied},
    {"penalty_repeat", kApplied}, {"penalty_last_n", kApplied},
    {"xtc_threshold", kHarmless}, {"mirostat_tau", kHarmless},
    {"mirostat_eta", kHarmless},  {"xtc_probability", kTold, "0"},
    {"mirostat", kTold, "0"},     {"sequence", kTold},
};
constexpr int64_t kGgufPenaltyWindow = 64;  // where the file states none

template <size_t size>
const KeyRow* FindKey(const KeyRow (&rows)[size], std::string_view name) {
  auto it = std::find_if(std::begin(rows), std::end(rows), [&](const KeyRow& row) { return row.name == name; });
  return it == std::end(rows) ? nullptr : &*it;
}

bool IsOff(const KeyRow& row, const Json& value) {
  if (value.is_null() || (value.is_array() && value.empty())) return true;
  const Json off = ParseJson(row.off, kPlace);
  return value == off || (off.is_number() && value.is_number() && value.get<double>() == off.get<double>());
}

void Check(bool good, std::string_view key, std::string_view expected, const Json& json) {
  if (!good)
    Fail(ErrorKind::kCorrupt, "{}: \"{}\" should be {}, found {}", kPlace, key, expected,
         DumpJson(json[std::string(key)]).substr(0, 200));
}

int64_t Count(const Json& json, std::string_view key) {
  int64_t count = JsonInt(json, key, kPlace, 0);
  Check(count >= 0 && count <= kMaxCount, key, "a number of tokens", json);
  return count;
}

std::vector<int32_t> Tokens(const Json& list, std::string_view key, int64_t vocab, const Json& json) {
  Check(list.is_array() && list.size() <= kMaxTokens, key, "a list of tokens", json);
  std::vector<int32_t> out;
  for (const Json& id : list) {
    // Lists written for a larger vocabulary name tokens that this one lacks; -1 is Whisper's word for none.
    Check(id.is_number_integer() && id.get<int64_t>() >= -1, key, "a list of tokens", json);
    if (id.get<int64_t>() >= 0 && id.get<int64_t>() < vocab) out.push_back(static_cast<int32_t>(id.get<int64_t>()));
  }
  return out;
}

/// A top_p of 0 leaves the best token.
void BestAlone(GenerationConfig& out) {
  if (out.top_p > 0) return;
  out.top_p = 1.0;
  out.top_k = 1;
}

void ReadSampling(const Json& json, GenerationConfig& out) {
  if (!JsonBool(json, "do_sample", kPlace, false)) {
    std::string without;
    for (std::string_view key : kOfSampling)
      if (const Json* value = FindMember(json, key))
        if (const KeyRow* row = FindKey(kKeys, key); row->kind == kApplied || !IsOff(*row, *value))
          without += fmt::format("{}{} {}", without.empty() ? "" : ", ", key, DumpJson(*value).substr(0, 100));
    if (!without.empty())
      out.unapplied.push_back(fmt::format("{}: \"do_sample\" is not true, so these do nothing: {}", kPlace, without));
    return;
  }
  out.temperature = JsonNumber(json, "temperature", kPlace, 1.0);
  Check(out.temperature >= 0 && out.temperature <= 100, "temperature", "from 0 to 100", json);
  out.top_p = JsonNumber(json, "top_p", kPlace, 1.0);
  Check(out.top_p >= 0 && out.top_p <= 1, "top_p", "from 0 to 1", json);
  out.top_k = std::max<int64_t>(0, JsonInt(json, "top_k", kPlace, 50));  // -1: off, as vLLM has it
  out.min_p = JsonNumber(json, "min_p", kPlace, 0.0);
  Check(out.min_p >= 0 && out.min_p <= 1, "min_p", "from 0 to 1", json);
  BestAlone(out);
}

void ReadTexts(const Json& json, GenerationConfig& out) {
  const Json* stops = FindMember(json, "stop_strings");
  if (!stops) return;
  const Json list = stops->is_string() ? Json::array({*stops}) : *stops;
  Check(list.is_array() && list.size() <= kMaxTexts, "stop_strings", "a text or a list of texts", json);
  for (const Json& text : list) {
    Check(text.is_string(), "stop_strings", "a text or a list of texts", json);
    if (!text.get_ref<const std::string&>().empty()) out.stop.push_back(text.get<std::string>());
  }
}

void ReadTokens(const Json& json, int64_t vocab, GenerationConfig& out) {
  if (const Json* list = FindMember(json, "suppress_tokens"))
    out.suppressed = Tokens(*list, "suppress_tokens", vocab, json);
  if (const Json* list = FindMember(json, "begin_suppress_tokens"))
    out.suppressed_first = Tokens(*list, "begin_suppress_tokens", vocab, json);
  const Json* words = FindMember(json, "bad_words_ids");
  if (!words) return;
  Check(words->is_array() && words->size() <= kMaxTokens, "bad_words_ids", "a list of lists of tokens", json);
  for (const Json& word : *words) {
    std::vector<int32_t> ids = Tokens(word, "bad_words_ids", vocab, json);
    // One with a token that the model lacks never appears.
    if (!ids.empty() && ids.size() == word.size()) out.banned.push_back(std::move(ids));
  }
}

void ReadUnapplied(const Json& json, int64_t context, GenerationConfig& out) {
  const bool samples = out.temperature > 0;
  for (const auto& [key, value] : json.items()) {
    const KeyRow* row = FindKey(kKeys, key);
    if (!row) {
      out.unapplied.push_back(fmt::format("{}: \"{}\" is not known here", kPlace, key.substr(0, 100)));
      continue;
    }
    if (row->kind != kTold || IsOff(*row, value)) continue;
    const bool of_sampling = std::find(std::begin(kOfSampling), std::end(kOfSampling), key) != std::end(kOfSampling);
    if (of_sampling && !samples) continue;
    // A whole sequence as long as the context is no limit of its own; a number of new tokens comes before it.
    if (key == "max_length" && (FindMember(json, "max_new_tokens") ||
                                (value.is_number() && value.get<double>() >= static_cast<double>(context))))
      continue;
    out.unapplied.push_back(fmt::format("{}: \"{}\" {} is not applied", kPlace, key, DumpJson(value).substr(0, 100)));
  }
}

}  // namespace

GenerationConfig ReadGenerationConfig(const Json& json, int64_t vocab, int64_t context) {
  GenerationConfig out;
  if (json.is_null()) return out;
  if (!json.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", kPlace, json.type_name());
  ReadSampling(json, out);
  out.repetition_penalty = JsonNumber(json, "repetition_penalty", kPlace, 1.0);
  Check(out.repetition_penalty > 0 && out.repetition_penalty <= 100, "repetition_penalty", "above 0 and at most 100",
        json);
  out.max_new_tokens = Count(json, "max_new_tokens");
  out.min_new_tokens = Count(json, "min_new_tokens");
  out.no_repeat_ngram = Count(json, "no_repeat_ngram_size");
  ReadTexts(json, out);
  ReadTokens(json, vocab, out);
  ReadUnapplied(json, context, out);
  return out;
}

GenerationConfig ReadGenerationConfig(const GgufKeys& file, int64_t context) {
  const std::string prefix = "general.sampling.";
  auto number = [&](const char* name, double fallback, double low, double high) {
    double value = file.Number(prefix + name, fallback);
    if (!(value >= low && value <= high))
      Fail(ErrorKind::kCorrupt, "{}: metadata {}{}: expected {} to {}, found {}", file.where, prefix, name, low, high,
           value);
    return value;
  };
  GenerationConfig out;
  out.temperature = number("temp", 0.0, 0.0, 100.0);
  out.top_p = number("top_p", 1.0, 0.0, 1.0);
  out.min_p = number("min_p", 0.0, 0.0, 1.0);
  out.top_k = static_cast<int64_t>(number("top_k", 0.0, -1.0, 1e9));
  out.top_k = std::max<int64_t>(0, out.top_k);
  BestAlone(out);
  out.repetition_penalty = number("penalty_repeat", 1.0, 1e-3, 100.0);
  if (out.repetition_penalty != 1.0) {
    auto window = static_cast<int64_t>(number("penalty_last_n", kGgufPenaltyWindow, -1.0, 1e9));
    if (window <= 0) out.repetition_penalty = 1.0;  // llama.cpp reads -1 as 0
    out.penalty_window = window < context ? std::max<int64_t>(0, window) : 0;
  }
  for (const GgufEntry& entry : file.metadata) {
    if (!entry.key.starts_with(prefix)) continue;
    const KeyRow* row = FindKey(kGgufKeys, entry.key.substr(prefix.size()));
    if (row && row->kind != kTold) continue;
    const bool is_text = entry.value.type == GgufType::kString;
    if (row && row->off != "null" && !is_text && file.Number(entry.key, 0.0) == 0.0) continue;
    out.unapplied.push_back(fmt::format("metadata {} is not {}", entry.key, row ? "applied" : "known here"));
  }
  return out;
}

void AddToJson(const GenerationConfig& generation, Json& out) {
  if (generation.temperature > 0.0) {
    out["do_sample"] = true;
    out["temperature"] = ShortFloat(generation.temperature);
    out["top_p"] = ShortFloat(generation.top_p);
    out["top_k"] = generation.top_k;
    if (generation.min_p > 0.0) out["min_p"] = ShortFloat(generation.min_p);
  }
  if (generation.repetition_penalty != 1.0) out["repetition_penalty"] = ShortFloat(generation.repetition_penalty);
}

std::string GgufLosses(const GenerationConfig& generation) {
  // Taken apart, so that a new member does not compile before it is dealt with here.
  const auto& [temperature, top_p, min_p, top_k, repetition_penalty, penalty_window, max_new_tokens, min_new_tokens,
               no_repeat_ngram, suppressed, suppressed_first, banned, stop, unapplied] = generation;
  std::string keys;
  for (const auto& [key, set] : {std::pair{"max_new_tokens", max_new_tokens > 0},
                                 {"min_new_tokens", min_new_tokens > 0},
                                 {"no_repeat_ngram_size", no_repeat_ngram > 0},
                                 {"suppress_tokens", !suppressed.empty()},
                                 {"begin_suppress_tokens", !suppressed_first.empty()},
                                 {"bad_words_ids", !banned.empty()},
                                 {"stop_strings", !stop.empty()}})
    if (set) keys += fmt::format("{}{}", keys.empty() ? "" : ", ", key);
  return keys.empty() ? "" : fmt::format("GGUF has no keys for rules of {}: {}", kPlace, keys);
}

std::string FolderLosses(const GenerationConfig& generation) {
  if (generation.repetition_penalty == 1.0 || generation.penalty_window == 0) return "";
  return fmt::format("{} cannot say that the repetition penalty looks at the last {} tokens: it will look at all",
                     kPlace, generation.penalty_window);
}

GenerationKey GenerationKeyKind(std::string_view name) {
  const KeyRow* row = FindKey(kKeys, name);
  return row ? row->kind : GenerationKey::kUnknown;
}

}  // namespace assay
