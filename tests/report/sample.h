#pragma once
// A made-up check that looks like a real one: 50 examples in 5 slices, 6 candidates that damage answers more and more.

#include <fmt/core.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "record/check_record.h"

namespace assay {

struct SampleExample {
  ExampleText text;
  std::string answer;
  std::vector<std::pair<std::string, std::string>> damage;  // wrong answer, failure class
  std::string harmless;                                     // another right answer, or empty
};

inline std::vector<SampleExample> SampleExamples() {
  const char* cities[] = {"Lisbon", "Oslo", "Kyoto", "Lima", "Accra", "Turin", "Perth", "Quito", "Riga", "Dakar"};
  const char* names[] = {"Maria Silva", "J\xC3\xB8rgen Dahl", "Aiko Tanaka", "Luis Rojas", "Ama Mensah",
                         "Paolo Ricci", "Ella Brown",         "Inti Vega",   "Karl Ozols", "Awa Ndiaye"};
  std::vector<SampleExample> all;
  for (int i = 0; i < 10; ++i) {
    const int day = 3 + 2 * i, people = 2 + i % 5, budget = 400 + 35 * i;
    SampleExample e;
    e.text = {
        fmt::format("call-{:02}", i),
        "tools",
        {{"system", "You book travel. Answer with one function call."},
         {"tools", "book_trip(city: string, date: string, people: integer, budget: number, refundable: boolean)"},
         {"user",
          fmt::format(
              "Please book {} for {} people on the {}th of May 2026, at most {} euros, and it must be refundable.",
              cities[i], people, day, budget)}},
        fmt::format("book_trip with city \"{}\", date \"2026-05-{:02}\", people {}, budget {}, refundable true",
                    cities[i], day, people, budget)};
    auto call = [&](const std::string& city, int d, int p, int b, const char* refundable) {
      return fmt::format(
          "{{\"name\": \"book_trip\", \"arguments\": {{\"city\": \"{}\", \"date\": \"2026-05-{:02}\", \"people\": {}, "
          "\"budget\": {}, \"refundable\": {}}}}}",
          city, d, p, b, refundable);
    };
    e.answer = call(cities[i], day, people, budget, "true");
    e.damage = {{call(cities[i], day + 10, people, budget, "true"), "wrong value"},
                {fmt::format("I can book {} for you. Which hotel do you prefer?", cities[i]), "no call"},
                {call(cities[i], day, people, budget, "true").substr(0, 95), "malformed JSON"},
                {call(cities[(i + 1) % 10], day, people, budget * 10, "false"), "wrong value"}};
    all.push_back(e);
  }
  for (int i = 0; i < 10; ++i) {
    SampleExample e;
    e.text = {fmt::format("json-{:02}", i),
              "json",
              {{"user", fmt::format("Extract the order as JSON with fields customer, item, quantity, "
                                    "express.\n\n\"Hello, this is {}. I would like {} "
                                    "desk lamps sent to our {} office, by express if you can. Thanks!\"",
                                    names[i], 3 + i, cities[i])}},
              fmt::format("customer \"{}\", item \"desk lamp\", quantity {}, express true", names[i], 3 + i)};
    auto order = [&](const std::string& quantity, const char* express) {
      return fmt::format(
          "{{\n  \"customer\": \"{}\",\n  \"item\": \"desk lamp\",\n  \"quantity\": {},\n  \"express\": {}\n}}",
          names[i], quantity, express);
    };
    e.answer = order(std::to_string(3 + i), "true");
    e.harmless = fmt::format("{{\"customer\": \"{}\", \"item\": \"desk lamp\", \"quantity\": {}, \"express\": true}}",
                             names[i], 3 + i);
    e.damage = {{order("\"" + std::to_string(3 + i) + "\"", "true"), "wrong type"},
                {order(std::to_string(3 + i), "false"), "wrong value"},
                {order(std::to_string(3 + i), "true") + "\n\nI hope this helps! <script>alert('x')</script>",
                 "malformed JSON"}};
    all.push_back(e);
  }
  for (int i = 0; i < 10; ++i) {
    std::string context;
    for (int k = 0; k < 14; ++k)
      context += fmt::format("The {} depot holds {} crates of {}. ", cities[(i + k) % 10], 112 + 17 * k + i,
                             k % 2 ? "tea" : "paper");
    SampleExample e;
    e.text = {fmt::format("context-{:02}", i),
              "long context",
              {{"system", "Answer from the context only. If it is not there, say: not in the context."},
               {"user", context + fmt::format("\n\nHow many crates does the {} depot hold?", cities[(i + 4) % 10])}},
              std::to_string(112 + 17 * 4 + i)};
    e.answer = fmt::format("The {} depot holds {} crates.", cities[(i + 4) % 10], 112 + 17 * 4 + i);
    e.harmless = std::to_string(112 + 17 * 4 + i) + " crates.";
    e.damage = {{fmt::format("The {} depot holds {} crates.", cities[(i + 4) % 10], 112 + 17 * 5 + i), "wrong value"},
                {"not in the context.", "missing"}};
    all.push_back(e);
  }
  for (int i = 0; i < 10; ++i) {
    const int a = 17 + 6 * i, b = 8 + i;
    SampleExample e;
    e.text = {
        fmt::format("sum-{:02}", i),
        "arithmetic",
        {{"user",
          fmt::format("A crate holds {} jars. How many jars are in {} crates? Think, then give the number.", a, b)}},
        std::to_string(a * b)};
    e.answer = fmt::format("One crate holds {} jars, so {} crates hold {} \xC3\x97 {} = {} jars. The answer is {}.", a,
                           b, b, a, a * b, a * b);
    e.harmless = fmt::format("{} crates with {} jars each give {} \xC3\x97 {} = {} jars. The answer is {}.", b, a, a, b,
                             a * b, a * b);
    e.damage = {
        {fmt::format("One crate holds {} jars, so {} crates hold {} \xC3\x97 {} = {} jars. The answer is {}.", a, b, b,
                     a, a * b - 10, a * b - 10),
         "wrong value"},
        {fmt::format(
             "One crate holds {} jars, so {} crates hold {} crates hold {} crates hold {} crates hold {} crates hold",
             a, b, b, b, b, b),
         "truncated"}};
    all.push_back(e);
  }
  const char* facts[][2] = {{"capital of Portugal", "Lisbon"},
                            {"chemical symbol of gold", "Au"},
                            {"largest planet", "Jupiter"},
                            {"author of Faust", "Goethe"},
                            {"longest river of Africa", "Nile"},
                            {"year of the first Moon landing", "1969"},
                            {"boiling point of water in Celsius", "100"},
                            {"currency of Japan", "yen"},
                            {"number of bones in an adult human", "206"},
                            {"speed of light in km/s, rounded", "300000"}};
  for (int i = 0; i < 10; ++i) {
    SampleExample e;
    e.text = {
        fmt::format("fact-{:02}", i), "facts", {{"user", fmt::format("What is the {}?", facts[i][0])}}, facts[i][1]};
    e.answer = fmt::format("The {} is {}.", facts[i][0], facts[i][1]);
    e.harmless = fmt::format("It is {}.", facts[i][1]);
    e.damage = {{fmt::format("The {} is {}.", facts[i][0], facts[(i + 3) % 10][1]), "wrong value"}, {"", "empty"}};
    all.push_back(e);
  }
  return all;
}

/// harm[slice] in [0, 1]: chance that an answer breaks; drift: chance that it changes without harm.
struct SampleArm {
  const char* format;
  double bits, megabytes, perplexity, kl, harm[5], drift, prefill, decode, memory;
};

inline Arm MadeArm(const SampleArm& spec, const std::vector<SampleExample>& examples, uint64_t seed, bool baseline) {
  Random random(seed);
  Arm arm;
  RunHeader& header = arm.run.header;
  header.model = {fmt::format("SmolLM2-135M-Instruct.{}.gguf", spec.format),
                  fmt::format("{:032x}", seed * 77777777777u),
                  "llama",
                  spec.format,
                  spec.bits,
                  static_cast<uint64_t>(spec.megabytes * 1024 * 1024)};
  header.task_name = "support-bot.jsonl";
  header.task_hash = "6b1f0c2a9d3e4f58";
  header.tokenizer_hash = "0a1b2c3d4e5f6071";
  header.template_hash = "99aabbccddeeff00";
  header.sampling = {{"temperature", 0}, {"max_tokens", 256}};
  header.arithmetic = "deployed";
  header.build = "assay 0.1.0, g++ 12.2.0";
  header.machine = "AMD EPYC 9654, avx512+vnni+bf16, 2 threads";
  arm.run.complete = true;
  for (size_t i = 0; i < examples.size(); ++i) {
    const SampleExample& example = examples[i];
    ExampleResult result;
    result.id = example.text.id;
    result.slice = example.text.slice;
    result.index = static_cast<int64_t>(i);
    result.prompt_hash = "p" + std::to_string(i);
    result.prompt_tokens = 60 + static_cast<int64_t>(i);
    result.answer = example.answer;
    result.finish = "stop";
    result.pass = true;
    std::string failure;
    // The baseline misses three, and every candidate that is not damaged misses the same three.
    const bool hard = i == 7 || i == 33 || i == 49;
    const double luck = random.Uniform(), drift = random.Uniform();
    const size_t which = random.Below(example.damage.size());
    if (hard && !(luck > 0.85 && !baseline)) {
      std::tie(result.answer, failure) = example.damage[0];
    } else if (!baseline && luck < spec.harm[i / 10]) {
      std::tie(result.answer, failure) = example.damage[which];
    } else if (!baseline && drift < spec.drift && !example.harmless.empty()) {
      result.answer = example.harmless;
    }
    result.pass = failure.empty();
    if (failure == "truncated") result.finish = "length";
    result.checks = {{i < 10   ? "tool_calls"
                      : i < 20 ? "json_value"
                      : i < 40 ? "number"
                               : "contains",
                      result.pass, failure, failure.empty() ? "" : "expected " + example.text.expected.substr(0, 60)}};
    for (size_t t = 0; t < result.answer.size(); t += 4) {
      result.answer_ids.push_back(static_cast<int32_t>(std::hash<std::string>{}(result.answer.substr(t, 4)) % 49152));
      result.logprobs.push_back(-0.05f);
    }
    if (!baseline) {
      const double scale = spec.kl * (0.4 + 1.2 * random.Uniform());
      int64_t parts = -1;
      if (result.answer != example.answer) {
        size_t same = 0;
        while (same < result.answer.size() && same < example.answer.size() &&
               result.answer[same] == example.answer[same])
          ++same;
        parts = static_cast<int64_t>(same / 4);
      }
      arm.displacement.push_back({result.id, static_cast<int64_t>(example.answer.size() / 4), scale, 6 * scale,
                                  1 - std::min(0.6, 0.9 * scale), parts});
    }
    arm.run.examples.push_back(std::move(result));
  }
  arm.cost = {spec.prefill, spec.decode, static_cast<uint64_t>(spec.memory * 1024 * 1024)};
  arm.quality.perplexity = spec.perplexity;
  arm.quality.perplexity_error = spec.perplexity * 0.012;
  if (!baseline) {
    arm.quality.mean_kl = spec.kl;
    arm.quality.p99_kl = 9 * spec.kl;
    arm.quality.same_top = 1 - std::min(0.5, 1.1 * spec.kl);
  }
  return arm;
}

inline CheckRecord SampleCheck() {
  const std::vector<SampleExample> examples = SampleExamples();
  CheckRecord record;
  record.started = "2026-11-22T09:30:00Z";
  record.elapsed_s = 412;
  record.build = "assay 0.1.0, g++ 12.2.0";
  record.machine = "AMD EPYC 9654, avx512+vnni+bf16, 2 threads";
  record.task_name = "support-bot.jsonl";
  record.text_name = "wiki.test.raw";
  record.margin = 10;
  for (const SampleExample& example : examples) record.examples.push_back(example.text);
  record.baseline = MadeArm({"bf16", 16, 256.6, 17.42, 0, {0, 0, 0, 0, 0}, 0, 412, 38.1, 402}, examples, 1, true);
  const SampleArm arms[] = {
      {"q8_0", 8.5, 138.1, 17.43, 0.0011, {0, 0, 0, 0, 0}, 0.03, 655, 62.0, 289},
      {"fp8", 8.03, 135.4, 17.55, 0.0042, {0, 0, 0, 0.05, 0}, 0.06, 380, 57.2, 301},
      {"q6_k", 6.91, 112.2, 17.49, 0.0035, {0, 0, 0, 0.04, 0}, 0.08, 702, 71.4, 262},
      {"q4_k_m", 5.4, 88.2, 18.11, 0.034, {0.15, 0.05, 0, 0.1, 0}, 0.2, 744, 88.9, 241},
      {"int4-g128", 4.63, 79.9, 18.96, 0.071, {0.45, 0.1, 0.05, 0.25, 0.05}, 0.3, 690, 84.3, 236},
      {"q2_k", 3.35, 65.0, 31.7, 0.52, {0.95, 0.5, 0.3, 0.8, 0.2}, 0.7, 610, 97.5, 214},
  };
  uint64_t seed = 20;
  for (const SampleArm& spec : arms) record.candidates.push_back(MadeArm(spec, examples, seed++, false));
  return record;
}

}  // namespace assay
