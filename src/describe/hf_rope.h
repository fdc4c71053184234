#pragma once
// The rotation as config.json states it: rope_scaling of older files, rope_parameters of transformers 5, one for all
// layers or one for each kind of them. Source: transformers modeling_rope_utils.py.

#include "describe/arch/spec.h"

namespace assay {

/// rope_theta, rotary_dim (unless it is there), rope_scaling, factors and what local layers have of them.
void ReadRope(const HfFields& in, const ArchitectureSpec& spec, ModelConfig& out);

}  // namespace assay
