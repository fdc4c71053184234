#include "report/certificate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/counted.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "record/json_fields.h"
#include "record/quant_record.h"

namespace assay {
namespace {

constexpr std::string_view kSchema = "assay.certificate";
/// Figures are rounded to six decimals, and bounds are found to 0.001 points: another processor may round otherwise.
constexpr double kSame = 2e-6, kSameBound = 2e-3;

Json ArmJson(const Arm& arm) {
  const RunHeader& header = arm.run.header;
  Json json;
  json["model"] = ToJson(header.model);
  json["tokenizer_hash"] = header.tokenizer_hash;
  json["template_hash"] = header.template_hash;
  json["sampling"] = header.sampling;
  json["samples"] = header.samples;
  json["arithmetic"] = header.arithmetic;
  json["build"] = header.build;
  json["machine"] = header.machine;
  json["started"] = header.started;
  return json;
}

Json GroupJson(Json group) {
  group.erase("reason");
  return group;
}

Json VerdictJson(const Comparison& comparison) {
  const Json all = ToJson(comparison);
  Json json;
  for (const char* key : {"margin", "level", "comparable", "excluded"}) json[key] = all.at(key);
  json["all"] = GroupJson(all.at("all"));
  json["slices"] = Json::array();
  for (const Json& slice : all.at("slices")) json["slices"].push_back(GroupJson(slice));
  json["unlabelled"] = all.at("unlabelled");
  if (json["unlabelled"].is_object())
    for (const char* sentence : {"summary", "obstacles"}) json["unlabelled"].erase(sentence);
  return json;
}

bool SameValue(const Json& stated, const Json& found, double tolerance) {
  if (stated.is_null() && (found == "inf" || found == "-inf")) return true;  // as certificates had it before
  if (stated.is_number() && found.is_number() && (stated.is_number_float() || found.is_number_float()))
    return std::abs(stated.get<double>() - found.get<double>()) <= tolerance;
  return stated == found;
}

/// The first member, by path, in which two values differ; empty: none.
std::string Difference(const Json& stated, const Json& found, const std::string& path, double tolerance = kSame) {
  auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (stated.is_object() && found.is_object()) {
    for (const auto& [key, value] : stated.items()) {
      if (!found.contains(key)) return below(key) + ": this build states no such member";
      std::string inside = Difference(value, found.at(key), below(key), key == "drop_bounds" ? kSameBound : tolerance);
      if (!inside.empty()) return inside;
    }
    for (const auto& [key, value] : found.items())
      if (!stated.contains(key)) return below(key) + ": the certificate lacks it";
    return "";
  }
  if (stated.is_array() && found.is_array() && stated.size() == found.size()) {
    for (size_t i = 0; i < stated.size(); ++i) {
      std::string inside = Difference(stated[i], found[i], fmt::format("{}[{}]", path, i), tolerance);
      if (!inside.empty()) return inside;
    }
    return "";
  }
  if (SameValue(stated, found, tolerance)) return "";
  return fmt::format("{}: the certificate says {}, found {}", path, DumpJson(stated), DumpJson(found));
}

Finding Compared(std::string what, const Json& stated, const Json& found, const std::string& ok) {
  std::string difference = Difference(stated, found, "");
  if (!difference.empty()) return {std::move(what), CheckState::kDiffers, std::move(difference)};
  return {std::move(what), CheckState::kOk, ok};
}

Finding Compared(std::string what, const std::string& stated, std::string_view found, const std::string& ok) {
  if (stated == found) return {std::move(what), CheckState::kOk, ok};
  return {std::move(what), CheckState::kDiffers, fmt::format("the certificate says {}, found {}", stated, found)};
}

/// "holds: 1 lost, 0 gained of 50, at most 8.9 points worse".
std::string Summary(const Json& verdict) {
  const Json& all = verdict.at("all");
  if (!verdict.at("comparable").get<bool>()) return "not comparable";
  return fmt::format("{}: {} lost, {} gained of {}", all.at("verdict").get<std::string>(),
                     all.at("regressions").get<int64_t>(), all.at("fixes").get<int64_t>(),
                     all.at("examples").get<int64_t>());
}

std::string FormatOf(const Json& arm) {
  return arm.at("model").at("format").get<std::string>();
}
std::string FingerprintOf(const Json& arm) {
  return arm.at("model").at("fingerprint").get<std::string>();
}

}  // namespace

Json MakeCertificate(const CheckRecord& record, std::span<const Comparison> comparisons,
                     std::string_view record_bytes) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  const RunHeader& header = record.baseline.run.header;
  Json json;
  json["schema"] = kSchema;
  json["version"] = kCertificateVersion;
  json["started"] = record.started;
  json["build"] = record.build;
  json["machine"] = record.machine;
  json["record"]["sha256"] = Sha256Hex(record_bytes);
  json["record"]["bytes"] = record_bytes.size();
  Json& task = json["task"];
  task["name"] = record.task_name;
  task["hash"] = header.task_hash;
  task["examples"] = record.baseline.run.example_count();
  task["margin"] = header.margin > 0 ? NumberJson(header.margin) : Json(nullptr);  // the verdicts state the one used
  task["looks"] = header.looks;
  json["baseline"] = ArmJson(record.baseline);
  json["candidates"] = Json::array();
  for (size_t i = 0; i < comparisons.size(); ++i) {
    Json candidate = ArmJson(record.candidates[i]);
    candidate["verdict"] = VerdictJson(comparisons[i]);
    json["candidates"].push_back(std::move(candidate));
  }
  const std::optional<size_t> recommended = WalkDown(record, comparisons).recommended();
  json["recommended"] = recommended ? Json(comparisons[*recommended].candidate) : Json(nullptr);
  return json;
}

Json ParseCertificate(std::string_view text, std::string_view where) {
  Json json = ParseJson(text, where);
  if (!json.is_object() || JsonString(json, "schema", where, "") != kSchema)
    Fail(ErrorKind::kCorrupt, "{}: expected a certificate (\"schema\": \"{}\"), as assay check --certificate writes it",
         where, kSchema);
  JsonVersion(json, "version", kCertificateVersion, "a certificate", where);
  // What is read here without asking again. Everything else is compared as it is.
  const Json& record = JsonObject(json, "record", where);
  JsonString(record, "sha256", where);
  const Json& task = JsonObject(json, "task", where);
  JsonString(task, "hash", where);
  auto arm = [&](const Json& of) {
    const Json& model = JsonObject(of, "model", where);
    JsonString(model, "format", where);
    JsonString(model, "fingerprint", where);
  };
  arm(JsonObject(json, "baseline", where));
  for (const Json& candidate : JsonArray(json, "candidates", where)) arm(candidate);
  return json;
}

std::string_view CheckStateName(CheckState state) {
  switch (state) {
    case CheckState::kOk:
      return "ok";
    case CheckState::kDiffers:
      return "differs";
    case CheckState::kNotChecked:
      return "not checked";
  }
  return "";
}

std::vector<Finding> VerifyRecord(const Json& certificate, std::string_view record_bytes, std::string_view where) {
  std::vector<Finding> findings;
  Json file;
  file["sha256"] = Sha256Hex(record_bytes);
  file["bytes"] = record_bytes.size();
  findings.push_back(Compared("record", certificate.at("record"), file, "SHA-256 of its bytes"));
  const CheckRecord record = CheckRecordFromJson(ParseJson(record_bytes, where), where);
  const std::vector<Comparison> comparisons = Judge(record);
  const Json found = MakeCertificate(record, comparisons, record_bytes);
  auto member = [](const Json& of, const char* key) { return of.contains(key) ? of.at(key) : Json(nullptr); };
  Json stated_about, found_about;
  for (const char* key : {"started", "build", "machine"}) {
    stated_about[key] = member(certificate, key);
    found_about[key] = found.at(key);
  }
  findings.push_back(Compared("when and where", stated_about, found_about, record.started));
  findings.push_back(
      Compared("task of the record", certificate.at("task"), found.at("task"),
               fmt::format("{}, {}", record.task_name, Counted(record.baseline.run.example_count(), "example"))));
  findings.push_back(Compared("baseline of the record", certificate.at("baseline"), found.at("baseline"),
                              record.baseline.model().format));
  const Json &stated = certificate.at("candidates"), &there = found.at("candidates");
  for (size_t i = 0; i < std::max(stated.size(), there.size()); ++i) {
    const std::string name = FormatOf(i < stated.size() ? stated[i] : there[i]);
    if (i >= stated.size() || i >= there.size()) {
      findings.push_back({name, CheckState::kDiffers,
                          i < there.size() ? "the certificate lacks it" : "the record has no such candidate"});
      continue;
    }
    Json arm = stated[i], arm_found = there[i];
    arm.erase("verdict");
    arm_found.erase("verdict");
    findings.push_back(Compared(name + " of the record", arm, arm_found, there[i].at("model").at("name")));
    findings.push_back(Compared(name + ": verdict", member(stated[i], "verdict"), there[i].at("verdict"),
                                Summary(there[i].at("verdict"))));
  }
  std::vector<std::string> unknown;
  for (const auto& [key, value] : certificate.items())
    if (!found.contains(key)) unknown.push_back(key);
  if (!unknown.empty())
    findings.push_back({"members", CheckState::kDiffers, "no certificate has " + Join(unknown, ", ")});
  const Json& recommended = found.at("recommended");
  findings.push_back(Compared("recommended", Json{{"format", member(certificate, "recommended")}},
                              Json{{"format", recommended}},
                              recommended.is_null() ? "nothing" : recommended.get<std::string>()));
  return findings;
}

Finding VerifyTask(const Json& certificate, std::string_view hash, double margin, std::span<const int64_t> looks) {
  const Json& task = certificate.at("task");
  Json stated, found;
  for (const char* key : {"hash", "margin", "looks"}) stated[key] = task.contains(key) ? task.at(key) : Json(nullptr);
  found["hash"] = hash;
  found["margin"] = margin > 0 ? NumberJson(margin) : Json(nullptr);
  found["looks"] = std::vector<int64_t>(looks.begin(), looks.end());
  return Compared("task", stated, found, "examples, margin and looks");
}

Finding VerifyBaseline(const Json& certificate, std::string_view fingerprint) {
  const Json& baseline = certificate.at("baseline");
  return Compared("baseline", FingerprintOf(baseline), fingerprint, FormatOf(baseline) + ", its weights");
}

std::vector<Finding> VerifyCandidates(const Json& certificate, std::span<const std::string> fingerprints) {
  std::vector<Finding> findings;
  std::vector<bool> used(fingerprints.size());
  for (const Json& candidate : certificate.at("candidates")) {
    const std::string name = FormatOf(candidate), stated = FingerprintOf(candidate);
    const auto match = std::find(fingerprints.begin(), fingerprints.end(), stated);
    if (match == fingerprints.end()) {
      findings.push_back({name, CheckState::kNotChecked, "none of the given models is it"});
    } else {
      used[static_cast<size_t>(match - fingerprints.begin())] = true;
      findings.push_back({name, CheckState::kOk, "its weights"});
    }
  }
  for (size_t i = 0; i < fingerprints.size(); ++i)
    if (!used[i])
      findings.push_back({fmt::format("candidate {}", i + 1), CheckState::kDiffers,
                          fmt::format("fingerprint {} is none of the candidates'", fingerprints[i])});
  return findings;
}

}  // namespace assay
