// What files say of Mamba-2, in the words of Granite 4 and Falcon-H1, and in GGUF's.

#include <limits>

#include "base/error.h"
#include "base/python_json.h"
#include "describe/arch/spec.h"

namespace assay {

void RefuseStepLimit(const HfFields& in, const char* key) {
  if (!in.Has(key)) return;
  // The upper limit is infinite, which files write as null, as text or as an object.
  const Json& limit = in.json[key];
  if (!limit.is_array() || limit.size() != 2 || limit[0] != 0.0 ||
      (limit[1].is_number() && !(limit[1].get<double>() > std::numeric_limits<double>::max())))
    Fail(ErrorKind::kUnsupported, "{}: {} {} is not supported; supported: 0 to infinity", in.where, key,
         DumpPythonJson(limit));
}

void ReadMamba(const HfFields& in, ModelConfig& c) {
  MambaConfig& m = c.mamba;
  m.heads = in.Int("mamba_n_heads", 128);
  m.groups = in.Int("mamba_n_groups", 1);
  m.state = in.Int("mamba_d_state", 256);
  m.kernel = in.Int("mamba_d_conv", 4);
  const int64_t inner = in.Has("mamba_d_ssm") ? in.Int("mamba_d_ssm") : in.Int("mamba_expand", 2) * c.hidden;
  const bool stated = in.Has("mamba_d_head") && in.json["mamba_d_head"].is_number_integer();  // else "auto"
  if (m.heads < 1 || inner < 1 || inner % m.heads != 0 || (stated && in.Int("mamba_d_head") * m.heads != inner))
    Fail(ErrorKind::kCorrupt, "{}: {} heads of Mamba do not make {} channels", in.where, m.heads, inner);
  m.head_dim = inner / m.heads;
  if (!in.Bool("mamba_conv_bias", true) || in.Bool("mamba_proj_bias", false))
    Fail(ErrorKind::kUnsupported, "{}: Mamba with mamba_conv_bias false or mamba_proj_bias true is not supported",
         in.where);
  RefuseStepLimit(in, "time_step_limit");
}

void AddMamba(const ModelConfig& c, Json& out) {
  const MambaConfig& m = c.mamba;
  out["mamba_n_heads"] = m.heads;
  out["mamba_n_groups"] = m.groups;
  out["mamba_d_state"] = m.state;
  out["mamba_d_head"] = m.head_dim;
  out["mamba_d_conv"] = m.kernel;
  out["mamba_conv_bias"] = true;
  out["mamba_proj_bias"] = false;
}

void ReadMamba(const GgufFields& in, ModelConfig& c) {
  MambaConfig& m = c.mamba;
  m.heads = in.Int("ssm.time_step_rank");
  m.groups = in.Int("ssm.group_count");
  m.state = in.Int("ssm.state_size");
  m.kernel = in.Int("ssm.conv_kernel");
  const int64_t inner = in.Int("ssm.inner_size");
  if (m.heads < 1 || m.heads > 65536 || inner < 1 || inner % m.heads != 0)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}ssm.time_step_rank: {} heads do not make {} channels", in.file.where,
         in.prefix, m.heads, inner);
  m.head_dim = inner / m.heads;
}

void AddMamba(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const MambaConfig& m = c.mamba;
  for (auto [key, value] : {std::pair{"ssm.conv_kernel", m.kernel},
                            {"ssm.inner_size", m.heads * m.head_dim},
                            {"ssm.state_size", m.state},
                            {"ssm.time_step_rank", m.heads},
                            {"ssm.group_count", m.groups}})
    out.AddUint32(p + key, static_cast<uint64_t>(value));
}

}  // namespace assay
