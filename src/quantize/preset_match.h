#pragma once
// Which preset a checkpoint was made with, by what its matrices are stored as; and the recipe that it amounts to.

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace assay {

struct PresetMatch {
  std::string preset;  // nearest; empty when no preset writes this container's formats
  double share = 0;    // of the weights in matrices that have the format the preset would give them; 1: all
  std::vector<std::string> different;  // tensors that do not, "blk.3.attn_v.weight: q6_k, the preset gives q4_k"
};

/// Of presets that fit equally well the first in the table.
PresetMatch MatchPreset(const Checkpoint& checkpoint);

/// "attn_q", "ffn_down", "token_embd": what a tensor is for, whichever layer it is in; experts of a layer are one kind.
std::string RoleName(const std::string& canonical_name);

/// One line per kind of matrix and format: "ffn_down: q6_k in layers 0-3, 7; q4_k in the others".
std::vector<std::string> RecipeLines(const Checkpoint& checkpoint);

}  // namespace assay
