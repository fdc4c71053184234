#include "describe/hf_rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "base/error.h"

namespace assay {
namespace {

double MscaleYarn(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

std::string TypeOf(const Json& rope, const std::string& where) {
  return JsonString(rope, "rope_type", where, JsonString(rope, "type", where, "default"));
}

bool Has(const Json& rope, const char* key) {
  auto it = rope.find(key);
  return it != rope.end() && !it->is_null();
}

std::vector<float> ReadFactors(const Json& rope, const char* key, int64_t n, const std::string& where) {
  auto it = rope.find(key);
  if (it == rope.end() || !it->is_array() || static_cast<int64_t>(it->size()) != n)
    Fail(ErrorKind::kCorrupt, "{}: {}: expected a list of {} numbers", where, key, n);
  std::vector<float> out;
  for (const Json& factor : *it) {
    if (!factor.is_number() || !(factor.get<double>() > 1e-6 && factor.get<double>() < 1e6))
      Fail(ErrorKind::kCorrupt, "{}: {}: {} is not a usable factor", where, key, DumpJson(factor));
    out.push_back(factor.get<float>());
  }
  return out;
}

/// The first `partial_rotary_factor` of the `dim` elements' pairs turn.
RopeScaling ReadProportional(const Json& rope, int64_t dim, const std::string& where) {
  RopeScaling out;
  out.factor = JsonNumber(rope, "factor", where, 1.0);
  const double part = JsonNumber(rope, "partial_rotary_factor", where, 1.0);
  if (!(part >= 0.0 && part <= 1.0))
    Fail(ErrorKind::kCorrupt, "{}: partial_rotary_factor: expected 0 to 1, found {}", where, part);
  out.turned = static_cast<int64_t>(std::floor(part * static_cast<double>(dim) / 2));
  out.kind = RopeScaling::Kind::kProportional;
  if (out.turned < dim / 2) return out;
  // All of them: a rotation that others have too.
  out.kind = out.factor == 1.0 ? RopeScaling::Kind::kNone : RopeScaling::Kind::kLinear;
  out.turned = 0;
  return out;
}

/// `context` is that before scaling, too, where `rope` states none. `proportional`: the elements of a head of a class
/// that knows that type; 0: of one that does not.
RopeScaling ReadScaling(const Json& rope, int64_t context, int64_t proportional, const std::string& where) {
  RopeScaling out;
  const std::string type = TypeOf(rope, where);
  if (type == "default") return out;
  if (type == "proportional" && proportional > 0) return ReadProportional(rope, proportional, where);
  constexpr std::string_view kTypes[] = {"linear", "dynamic", "llama3", "yarn", "longrope"};
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
    Fail(ErrorKind::kUnsupported, "{}: RoPE type {} is not supported; supported: default, {}", where, type,
         fmt::join(kTypes, ", "));
  const bool stated = Has(rope, "factor");
  if (!stated && type != "longrope" && !(type == "yarn" && rope.contains("factor")))
    Fail(ErrorKind::kInvalid, "{}: \"factor\" is missing for type {}", where, type);
  out.original_context = JsonInt(rope, "original_max_position_embeddings", where, context);
  if (out.original_context < 2 && type != "linear" && type != "dynamic")
    Fail(ErrorKind::kCorrupt, "{}: original_max_position_embeddings: found {}", where, out.original_context);
  // YaRN and longrope may leave it to the two contexts.
  out.factor =
      JsonNumber(rope, "factor", where, static_cast<double>(context) / static_cast<double>(out.original_context));
  out.mscale_all_dim = JsonNumber(rope, "mscale_all_dim", where, 0.0);
  if (Has(rope, "attention_factor") && (type == "yarn" || type == "longrope")) {
    out.attention_factor = JsonNumber(rope, "attention_factor", where, 1.0);
    if (!(out.attention_factor > 0.0))
      Fail(ErrorKind::kCorrupt, "{}: attention_factor: expected more than 0, found {}", where, out.attention_factor);
  }
  if (type == "linear") {
    out.kind = RopeScaling::Kind::kLinear;
    out.original_context = 0;
  } else if (type == "dynamic") {
    out.kind = RopeScaling::Kind::kDynamic;
    out.original_context = context;
  } else if (type == "llama3") {
    out.kind = RopeScaling::Kind::kLlama3;
    for (const char* key : {"low_freq_factor", "high_freq_factor"})
      if (!Has(rope, key)) Fail(ErrorKind::kInvalid, "{}: \"{}\" is missing for type llama3", where, key);
    out.low_freq_factor = JsonNumber(rope, "low_freq_factor", where, 1.0);
    out.high_freq_factor = JsonNumber(rope, "high_freq_factor", where, 4.0);
  } else if (type == "yarn") {
    out.kind = RopeScaling::Kind::kYarn;
    auto or_default = [&](const char* key, double fallback) {  // 0 counts as not stated
      const double value = JsonNumber(rope, key, where, fallback);
      return value == 0.0 ? fallback : value;
    };
    out.beta_fast = or_default("beta_fast", 32.0);
    out.beta_slow = or_default("beta_slow", 1.0);
    const double mscale = JsonNumber(rope, "mscale", where, 0.0), all_dim = out.mscale_all_dim;
    if (out.attention_factor == 0.0 && mscale != 0.0 && all_dim != 0.0)
      out.attention_factor = MscaleYarn(out.factor, mscale) / MscaleYarn(out.factor, all_dim);
    if (rope.contains("truncate")) out.truncate = JsonBool(rope, "truncate", where, false);
  } else {
    out.kind = RopeScaling::Kind::kLong;
    if (out.attention_factor == 0.0)
      out.attention_factor =
          out.factor <= 1.0
              ? 1.0
              : std::sqrt(1.0 + std::log(out.factor) / std::log(static_cast<double>(out.original_context)));
  }
  return out;
}

/// Phi-3's first files say "su", and call longrope "yarn".
Json ModernRope(Json rope, const ArchitectureSpec& spec, const std::string& where) {
  if (spec.name != "phi3") return rope;
  if (const std::string type = TypeOf(rope, where); type == "su" || type == "yarn") rope["rope_type"] = "longrope";
  return rope;
}

void ReadOne(const HfFields& in, const ArchitectureSpec& spec, const Json& rope, ModelConfig& out) {
  const std::string place = in.where + ": " + (in.Has("rope_scaling") ? "rope_scaling" : "rope_parameters");
  out.rope_theta = JsonNumber(rope, "rope_theta", place, in.Number("rope_theta", out.rope_theta));
  // A context of the model's own goes before that of the object.
  Json object = rope;
  if (in.Has("original_max_position_embeddings"))
    object["original_max_position_embeddings"] = in.Int("original_max_position_embeddings");
  out.rope_scaling = ReadScaling(object, out.context, 0, place);
  double partial = JsonNumber(rope, "partial_rotary_factor", place,
                              in.Number("partial_rotary_factor", spec.partial_rotary > 0 ? spec.partial_rotary : 1.0));
  if (!(partial > 0.0 && partial <= 1.0))
    Fail(ErrorKind::kCorrupt, "{}: partial_rotary_factor: expected 0 to 1, found {}", place, partial);
  if (spec.partial_rotary == 0.0) {
    if (partial != 1.0 && out.rope_scaling.kind != RopeScaling::Kind::kNone)
      Fail(ErrorKind::kUnsupported, "{}: partial_rotary_factor {}: {} turns whole heads", place, partial, in.hf_class);
    partial = 1.0;
  }
  if (out.rotary_dim == 0) out.rotary_dim = static_cast<int64_t>(static_cast<double>(out.head_dim) * partial);
  if (out.rope_scaling.kind != RopeScaling::Kind::kLong) return;
  out.rope_factors = ReadFactors(rope, "short_factor", out.rotary_dim / 2, place);
  out.rope_long_factors = ReadFactors(rope, "long_factor", out.rotary_dim / 2, place);
}

/// The objects of the two kinds.
std::pair<Json, Json> Kinds(const HfFields& in, const ArchitectureSpec& spec) {
  Json main = Json::object(), local = Json::object();
  const bool flat = spec.rope_flat;
  const Json both = flat ? RopeObject(in) : in.Has("rope_parameters") ? in.json["rope_parameters"] : Json::object();
  if (!both.is_object())
    Fail(ErrorKind::kInvalid, "{}: \"rope_parameters\" should be an object, found {}", in.where, both.type_name());
  auto part = [&](std::string_view name) -> const Json* {
    auto it = both.find(name);
    if (it == both.end() || it->is_null()) return nullptr;
    if (!it->is_object())
      Fail(ErrorKind::kInvalid, "{}: rope_parameters: {} should be an object, found {}", in.where, name,
           it->type_name());
    return &*it;
  };
  const Json *of_main = part(spec.rope_main.name), *of_local = part(spec.rope_local.name);
  if (flat && (!of_main || !of_local)) {
    main = both;
    for (const char* key : {"rope_theta", "partial_rotary_factor"})
      main.erase(key);  // the class has keys of its own for them
    // DeepSeek V4's YaRN leaves cosine and sine as they are.
    if (!Has(main, "attention_factor")) main["attention_factor"] = 1.0;
    return {main, local};
  }
  if (of_main) main = *of_main;
  if (of_local) local = *of_local;
  if (flat || !in.Has("rope_scaling")) return {main, local};
  const Json& stated = in.json["rope_scaling"];
  // The class lays it over "rope_type": "default" and so takes no "type"; others do.
  if (!in.Has("rope_parameters") && !Has(stated, "rope_type") && TypeOf(stated, in.where) != "default")
    Fail(ErrorKind::kUnsupported,
         "{}: rope_scaling: {} takes no \"type\" without \"rope_type\", though other programs take {} from it; state "
         "\"rope_type\"",
         in.where, in.hf_class, TypeOf(stated, in.where));
  for (const auto& [key, value] : stated.items()) main[key] = value;
  return {main, local};
}

void ReadKinds(const HfFields& in, const ArchitectureSpec& spec, ModelConfig& out) {
  const auto [main, local] = Kinds(in, spec);
  if (out.rotary_dim == 0) out.rotary_dim = out.head_dim;
  auto read = [&](const Json& rope, const ArchitectureSpec::RopeKind& kind, int64_t dim, double& theta,
                  RopeScaling& scaling) {
    const std::string place = fmt::format("{}: rope_parameters: {}", in.where, kind.name);
    theta = JsonNumber(rope, "rope_theta", place, in.Number(kind.theta, theta));
    scaling = ReadScaling(rope, out.context, spec.proportional_rope ? dim : 0, place);
    scaling.truncate = true;  // the reference looks for it beside the kinds
    if (scaling.kind == RopeScaling::Kind::kLong)
      Fail(ErrorKind::kUnsupported, "{}: longrope for one kind of layers is not supported", place);
    if (scaling.kind == RopeScaling::Kind::kProportional) return;
    const auto whole = static_cast<double>(out.rope_local_dim > 0 ? dim : out.head_dim);
    const double turned = whole * JsonNumber(rope, "partial_rotary_factor", place, 1.0);
    const bool counts = spec.partial_rotary > 0 || scaling.kind != RopeScaling::Kind::kNone;
    if (counts && Has(rope, "partial_rotary_factor") && std::floor(turned) != static_cast<double>(dim))
      Fail(ErrorKind::kUnsupported, "{}: partial_rotary_factor turns {} dimensions; expected {}", place, turned, dim);
  };
  read(main, spec.rope_main, out.rotary_dim, out.rope_theta, out.rope_scaling);
  read(local, spec.rope_local, out.LocalRotaryDim(), out.rope_local_theta, out.rope_local_scaling);
}

}  // namespace

Json RopeObject(const HfFields& in) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!in.Has(key)) continue;
    if (!in.json[key].is_object())
      Fail(ErrorKind::kInvalid, "{}: \"{}\" should be an object, found {}", in.where, key, in.json[key].type_name());
    if (!in.json[key].empty()) return in.json[key];
  }
  return Json::object();
}

void ReadRope(const HfFields& in, const ArchitectureSpec& spec, ModelConfig& out) {
  const Json rope = RopeObject(in);  // refuses what is no object, for kinds too
  if (!spec.rope_main.name.empty()) return ReadKinds(in, spec, out);
  ReadOne(in, spec, ModernRope(rope, spec, in.where), out);
}

}  // namespace assay
