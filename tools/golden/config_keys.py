#!/usr/bin/env python3
"""Makes tests/golden/config_keys.json: every key that the configuration classes of transformers know, and what changing it does.

For each language model of tools/golden/tiny_models.py the keys of its class (its own, those that all classes share, the names that the
class takes for others, the spellings of RoPE) are changed one at a time, and transformers says what became of the model:
  same     the same logits, to the bit
  changes  other logits from the same tensors
  shape    other tensors
  error    transformers refuses or fails
The weights follow from the tensors' names, so that two configurations with the same tensors have the same weights.

tests/checkpoint/config_keys_test.cc holds our reading against it: what changes the model changes ours or is refused, what does not does not.

With --compare ASSAY each changed model is saved, run by that program and by transformers (float32, eager), and the largest difference of
log-probabilities over a continuation of a long prompt is shown; nothing is written.

--table writes src/describe/arch/config_classes.inc, the same as a table for the program, from the golden file.

Needs torch, transformers, safetensors, tokenizers. Run from the checkout:
python3 tools/golden/config_keys.py [--table | [--compare ASSAY] [NAME …]]
"""

import sys

# Neighbours of this script have names of modules.
HERE = [p for p in sys.path if p.endswith("tools/golden")]
sys.path = [p for p in sys.path if not p.endswith("tools/golden")]

import copy
import dataclasses
import inspect
import json
import logging
import os
import platform
import random
import re
import shutil
import subprocess
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import safetensors.torch
import torch
import transformers

sys.path += HERE
import tiny_models

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "config_keys.json"
TOKENIZER = ROOT / "tests" / "golden" / "checkpoint" / "tiny_llama"
LENGTH = 40
TOLERANCE = 2e-3  # of a log-probability
ROUNDING = 1e-4  # of a score by which something is chosen

# Richer than the models of tiny_models.py where a key would have nothing to act on; the released layout of DeepSeek V4 is left out.
def cases():
    special = ("_heads", "_images", "_fp4", "_norm", "_long", "_scaled", "_two_ropes", "_halves", "_epsilon", "_gelu", "_dynamic", "_vl_moe")
    out = {name: case for name, case in tiny_models.CASES.items() if not name.endswith(special)}
    config = tiny_models.config
    out["gemma3n"] = out.pop("gemma3n_streams")
    out["llama"] = ("LlamaForCausalLM", lambda: config("Llama"))
    out["qwen3_window"] = ("Qwen3ForCausalLM", lambda: config("Qwen3", head_dim=16, use_sliding_window=True, sliding_window=8, max_window_layers=1))
    out["qwen2_moe"] = ("Qwen2MoeForCausalLM", lambda: config(
        "Qwen2Moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=24, use_sliding_window=True,
        sliding_window=8, max_window_layers=1))
    out["qwen3_moe_window"] = ("Qwen3MoeForCausalLM", lambda: config(
        "Qwen3Moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16, head_dim=16, use_sliding_window=True, sliding_window=8))
    out["deepseek_v2_groups"] = ("DeepseekV2ForCausalLM", lambda: config(
        "DeepseekV2", num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1,
        first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=10, rms_norm_eps=1e-6,
        routed_scaling_factor=1.5, topk_method="group_limited_greedy", n_group=4, topk_group=2))
    out["mixtral_window"] = ("MixtralForCausalLM", lambda: config("Mixtral", num_local_experts=4, intermediate_size=24, sliding_window=8))
    out["phi3_window"] = ("Phi3ForCausalLM", lambda: config("Phi3", num_attention_heads=2, num_key_value_heads=1, sliding_window=8))
    return out


CASES = cases()

# Keys that files have without the class's knowing: old names, and what other libraries or the hub write.
LEGACY = {"rope_theta": [5000.0], "partial_rotary_factor": [0.5], "rotary_pct": [0.5], "rotary_emb_base": [5000.0], "rope_ratio": [2.0],
          "sliding_window_pattern": [2], "_sliding_window_pattern": [2], "rope_local_base_freq": [5000.0], "no_rope_layer_interval": [2],
          "use_qk_norm": [True, False], "qk_norm": [True], "clip_qkv": [0.5], "parallel_attn": [True], "scale_embeddings": [True],
          "layer_types": [], "hidden_activation": ["gelu", "silu"], "hidden_act": ["gelu", "relu"], "num_experts": [3], "num_local_experts": [3],
          "n_routed_experts": [3], "norm_topk_prob": [True, False], "attention_bias": [True, False], "qkv_bias": [True, False],
          "mlp_bias": [True], "head_dim": [12], "sliding_window": [6, None], "use_sliding_window": [True, False], "max_window_layers": [0, 2],
          "tie_word_embeddings": [True, False], "attn_logit_softcapping": [2.0], "final_logit_softcapping": [2.0], "query_pre_attn_scalar": [9],
          "logit_scale": [0.7], "logits_scaling": [3.0], "embedding_multiplier": [2.0], "attention_multiplier": [0.4],
          "residual_multiplier": [0.5], "scoring_func": ["softmax", "sigmoid"], "topk_method": ["greedy", "noaux_tc", "group_limited_greedy"],
          "rope_interleave": [True, False], "moe_layer_freq": [2], "first_k_dense_replace": [0, 2], "use_cache": [False],
          "num_nextn_predict_layers": [0, 2], "pretraining_tp": [2], "layer_norm_eps": [0.01], "layer_norm_epsilon": [0.01],
          "rms_norm_eps": [0.01], "norm_eps": [0.01], "attention_sink": [True], "per_layer_config": [{"0": {"rms_norm_eps": 0.5}}],
          "num_key_value_heads": [1, None], "intermediate_size": [40], "n_positions": [64], "n_inner": [40], "n_ctx": [64],
          "max_position_embeddings": [64], "original_max_position_embeddings": [16], "n_embd": [48], "mamba_d_ssm": [64],
          "time_step_limit": [[0.0, 2.0]], "block_ff_dim": [60, None], "tie_embedding": [True, False, None], "full_attn_idxs": [[0]],
          "hybrid_override_pattern": ["MM*-M", "M-*"], "mamba_n_groups": [1], "mamba_d_conv": [3], "mamba_conv_bias": [False],
          "mamba_expand": [3], "mamba_dt_limit": [[0.0, 2.0]]}

TEXTS = {"activation_function": ["gelu", "relu", "silu", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu"],
         "hidden_act": ["gelu", "relu", "silu", "gelu_new", "gelu_pytorch_tanh", "relu2", "quick_gelu", "swish", "tanh"],
         "hidden_activation": ["gelu", "silu", "relu", None], "mlp_hidden_act": ["silu", "gelu"], "mamba_hidden_act": ["gelu", "relu"],
         "topk_method": ["greedy", "group_limited_greedy", "noaux_tc"], "scoring_func": ["softmax", "sigmoid", "sqrtsoftplus"],
         "position_embedding_type": ["rope", "nope", "absolute", None], "rope_type": [], "index_topk_pattern": ["FSFS"],
         "use_bidirectional_attention": ["vision", "all"], "summary_type": ["mean"], "problem_type": ["regression"], "experts_implementation": ["eager"]}


# Kinds of layers that few classes know, by one of them that a list has.
OWN_KINDS = {"conv": {"conv", "full_attention", "linear_attention"}, "mlp": {"mlp", "moe", "full_attention"}}


def listed(key, value, values):
    """Other lists of one entry a layer, for a list."""
    if value and isinstance(value[0], str):
        kinds = {"full_attention", "sliding_attention", "chunked_attention", "linear_attention", "hash_moe", "moe", "dense", "sparse", "full",
                 "shared", "compressed_sparse_attention", "heavily_compressed_attention"}
        same = [kinds & group for group in ({"full_attention", "sliding_attention", "chunked_attention", "linear_attention"}, {"hash_moe", "moe"},
                                            {"dense", "sparse"}, {"full", "shared"},
                                            {"sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"})
                if value[0] in group]
        same += [group for mark, group in OWN_KINDS.items() if mark in value]
        turned = value[1:] + value[:1]
        return [turned] + [[kind] * len(value) for kind in sorted(set().union(*same))] + [None]
    if key == "no_rope_layers":
        return [[1 - x for x in value], [1] * len(value), None, []]
    if key in ("moe_layers", "mlp_only_layers"):
        return [[0], [1], [], None]
    return [value[::-1], None]


def ropes(config, labels):
    """Whole RoPE objects: every type, old and new spelling, and, where kinds of layers differ, for each kind."""
    dim = getattr(config, "qk_rope_head_dim", None) or getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    base = config.rope_parameters or {}
    parts = [base[label] for label in labels] if labels else [base]
    theta, partial = (parts[0] or {}).get("rope_theta", 1e4), (parts[0] or {}).get("partial_rotary_factor")
    pairs = int(dim * (partial or 1)) // 2
    kinds = [
        {"rope_type": "default"}, {"rope_type": "linear", "factor": 3.0}, {"rope_type": "dynamic", "factor": 3.0},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32},
        {"rope_type": "yarn", "factor": 3.0},
        {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 32},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "truncate": False},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "beta_fast": 8, "beta_slow": 2},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "beta_fast": 0, "beta_slow": None},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "attention_factor": 1.3},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "mscale": 0.7, "mscale_all_dim": 0.4},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "mscale": 0.7},
        {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 32, "mscale_all_dim": 0.7},
        {"rope_type": "yarn", "factor": 0.5, "original_max_position_embeddings": 32},
        {"rope_type": "llama3", "factor": 3.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
        {"rope_type": "llama3", "factor": 3.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
        {"rope_type": "llama3", "factor": 3.0, "original_max_position_embeddings": 32},
        {"rope_type": "longrope", "short_factor": [1 + i / 8 for i in range(pairs)], "long_factor": [1 + i / 2 for i in range(pairs)],
         "original_max_position_embeddings": 64},
        {"rope_type": "longrope", "short_factor": [1 + i / 8 for i in range(pairs)], "long_factor": [1 + i / 2 for i in range(pairs)],
         "original_max_position_embeddings": 16, "factor": 2.0},
        {"rope_type": "longrope", "short_factor": [1 + i / 8 for i in range(pairs)], "long_factor": [1 + i / 2 for i in range(pairs)],
         "original_max_position_embeddings": 16, "attention_factor": 1.2},
        {"rope_type": "proportional", "partial_rotary_factor": 0.5}, {"rope_type": "proportional", "factor": 2.0},
        {"rope_type": "default", "partial_rotary_factor": 0.5}, {"rope_type": "linear", "factor": 3.0, "partial_rotary_factor": 0.5},
        {"rope_type": "default", "mrope_section": [pairs - 2, 1, 1]}, {"rope_type": "su", "factor": 2.0}, {"rope_type": "mrope"},
        {"rope_type": "axial"},
    ]
    out = []
    for kind in kinds:
        new = {"rope_theta": theta} | ({"partial_rotary_factor": partial} if partial else {}) | kind
        if not labels:
            out.append({"rope_parameters": new})
            if kind["rope_type"] == "dynamic":
                out.append({"rope_parameters": new, "max_position_embeddings": 16})
        else:
            for label in labels:
                out.append({"rope_parameters": base | {label: (base[label] or {}) | kind}})
            out.append({"rope_parameters": new})  # one for all
        old = {("type" if key == "rope_type" else key): value for key, value in kind.items()}
        out.append({"rope_parameters": ..., "rope_theta": theta, "rope_scaling": old} | ({"partial_rotary_factor": partial} if partial else {}))
    out.append({"rope_parameters": ..., "rope_theta": 5000.0})
    out.append({"rope_parameters": ..., "rope_theta": 5000.0, "partial_rotary_factor": 0.5})
    out.append({"rope_parameters": ...})
    out.append({"rope_parameters": None})
    out.append({"rope_scaling": {"type": "linear", "factor": 3.0}})  # beside rope_parameters
    out.append({"rope_parameters": {"rope_type": "default"}})
    out.append({"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}, "rope_theta": 20000.0})
    if not labels:
        out.append({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": theta},
                                        "sliding_attention": {"rope_type": "default", "rope_theta": theta}}})
    return out


def changes(config, values):
    """Every change of a case's config.json: {key: value}, where ... removes."""
    config = copy.copy(config)
    config.allow_global_per_layer_attribute_access = True  # of Gemma 4's heads
    hints = {f.name: f for cls in type(config).__mro__ if dataclasses.is_dataclass(cls) for f in dataclasses.fields(cls)}
    keys = dict.fromkeys(list(hints) + list(values) + list(type(config).attribute_map) + list(LEGACY))
    out = []
    for key in keys:
        if key in ("rope_parameters", "architectures", "model_type", "transformers_version", "quantization_config", "auto_map"):
            continue
        value = values.get(key, getattr(config, key, None))
        new = list(LEGACY.get(key, [])) + list(TEXTS.get(key, []))
        if isinstance(value, bool) or (value is None and str(hints[key].type if key in hints else "").startswith("bool")):
            new += [not value, None]
        elif isinstance(value, int):
            new += [value + 1, value * 2, None] + ([value - 1] if value > 1 else [])
        elif isinstance(value, float):
            new += [value * 2 + 0.25, None]
        elif isinstance(value, (list, tuple)) and float("inf") not in value:
            new += listed(key, list(value), values)
        elif isinstance(value, str):
            new += [None]
        elif value is None and key in hints and not new:
            kind = str(hints[key].type)
            new += [True] if "bool" in kind else [3] if "int" in kind else [0.5] if "float" in kind else []
        if key in values:
            new.append(...)  # not stated
        for changed in new:
            if changed is ... or changed != values.get(key, ...) or type(changed) is not type(values.get(key)):
                if {key: changed} not in out:
                    out.append({key: changed})
    if "per_layer_config" in values:
        own = values["per_layer_config"]
        out += [{"per_layer_config": ...} | more for more in ({"global_head_dim": 24}, {"num_global_key_value_heads": 4}, {"head_dim": 12})]
        out += [{"per_layer_config": own | {"0": {"head_dim": 12}}}, {"per_layer_config": {key: value | {"sliding_window": 6} for key, value in own.items()}},
                {"per_layer_config": {key: {"head_dim": 24} for key in own}}, {"per_layer_config": {}}, {"per_layer_config": None}]
    if values.get("block_configs"):
        first, *others = values["block_configs"]
        for block, part in (("attention", {"n_heads_in_group": 4}), ("attention", {"n_heads_in_group": 3}), ("attention", {"no_op": True}),
                            ("attention", {"replace_with_linear": True}), ("attention", {"window_length": 6}), ("attention", {"sparsify": ["x"]}),
                            ("attention", {"num_sink_tokens": 2}), ("attention", {"unshifted_sink": True}), ("ffn", {"ffn_mult": 20.0}),
                            ("ffn", {"ffn_mult": 11.9}), ("ffn", {"no_op": True}), ("ffn", {"replace_with_linear": True}), ("ffn", {"sparsify": ["x"]})):
            out.append({"block_configs": [first | {block: first[block] | part}] + others})
        out.append({"block_configs": others})
    layers = getattr(config, "num_hidden_layers", 0)
    if "layer_types" not in values:
        for kinds in (["sliding_attention"] * layers, (["full_attention", "sliding_attention"] * layers)[:layers]):
            out.append({"layer_types": kinds})
            out.append({"layer_types": kinds, "sliding_window": 6})
    if hasattr(config, "rope_parameters"):
        labels = config.nested_rope_parameter_keys(config.rope_parameters or {})
        out += ropes(config, labels)
    return out


def applied(values, change):
    out = dict(values)
    for key, value in change.items():
        if value is ...:
            out.pop(key, None)
        else:
            out[key] = value
    return json.loads(json.dumps(out))


def weight(name, shape, shifted, others):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + others)
    norm = "norm" in name or ".ln_" in name
    scale = 0.5 if "emb" in name or "wte" in name else 0.15 if norm or len(shape) == 1 else 0.3
    out = torch.randn(shape, generator=generator) * scale
    if norm and name.endswith("weight") and (not shifted or "linear_attn.norm" in name):
        out += 1
    if "router.scale" in name or "modality_router" in name:
        out *= 20
    if "correct_output_scale" in name:
        out += 1
    return out.to(torch.bfloat16).float()


def build(kind, config, name, others=0):
    model = getattr(transformers, kind)._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    shifted = tiny_models.stored_less_one(name)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(weight(key, parameter.shape, shifted, others))
        for key, buffer in model.named_buffers():
            if "tid2eid" in key:
                generator = torch.Generator().manual_seed(7)
                buffer.copy_(torch.randint(0, config.n_routed_experts, buffer.shape, generator=generator))
            if "e_score_correction" in key or "expert_bias" in key:
                buffer.copy_(weight(key, buffer.shape, False, others))
            if "layer_scalar" in key:
                buffer.copy_((1 + weight(key, buffer.shape, False, others)).to(torch.bfloat16))
    return model


def run(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].double()


def tensors(model):
    return {key: list(value.shape) for key, value in model.state_dict().items()}


def judge(base, kind, values, name, ids):
    """(effect, model): of one changed config.json."""
    try:
        config = type(base[0]).from_dict(json.loads(json.dumps(values)))
        model = build(kind, config, name)
        shapes = tensors(model)
        logits = run(model, ids)
        if not torch.isfinite(logits).all():
            return "error", None
    except Exception as error:
        return "error", None
    if shapes != base[1]:
        return "shape", model
    return ("same" if torch.equal(logits, base[2]) else "changes"), model


class Choices:
    """The least distance of what was chosen (experts, groups of them, positions) from what was not, of the largest there."""

    def __enter__(self):
        self.least, self.before = 1.0, (torch.topk, torch.Tensor.topk)

        def topk(values, k, dim=-1, **options):
            if k < values.shape[dim]:
                top = self.before[0](values.double(), k + 1, dim).values.movedim(dim, -1)
                last, next = top[..., -2], top[..., -1]
                apart = (last - next) / top.abs().amax(-1).clamp(min=1e-30)
                apart = apart[(next > -1e30) & ~torch.isnan(apart)]  # others are masked
                self.least = min([self.least] + apart.flatten().tolist())
            return self.before[0](values, k, dim, **options)

        torch.topk = torch.Tensor.topk = topk
        return self

    def __exit__(self, *_):
        torch.topk, torch.Tensor.topk = self.before


def compare(assay, folder, model, values, name):
    """The largest difference of log-probabilities along a greedy continuation and the least distance of a choice; or what the program said."""
    import tokenizers
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)  # a copy: frequencies of RoPE are rounded too
    (folder / "generation_config.json").unlink(missing_ok=True)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    for old, new in tiny_models.RELEASED_NAMES.get(CASES[name][0], []):
        tensors = {key.replace(old, new): value for key, value in tensors.items()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(values))
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / file, folder / file)
    text = "The quick brown fox jumps over the lazy dog and runs away."
    result = subprocess.run([assay, "generate", str(folder), text, "--raw", "--greedy", "--logprobs", "5", "--arithmetic", "reference",
                             "--max-tokens", "6", "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        return "refused: " + result.stderr.strip().split(str(folder))[-1][:150] if result.returncode == 1 else f"CRASH {result.returncode}"
    with Choices() as choices:
        largest = judge_answer(json.loads(result.stdout), model, text, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
    return largest, choices.least


def decided(assay, folder, model, values, name):
    """The same; where it differs and a choice is a matter of rounding, with other weights. None: by none of them."""
    for others in range(12):
        if others:
            kind = CASES[name][0]
            model = build(kind, type(model.config).from_dict(json.loads(json.dumps(values))), name, others)
        said = compare(assay, folder, model, values, name)
        if isinstance(said, str):
            return said
        if said[0] < TOLERANCE or said[1] > ROUNDING:
            return said[0]
    return None


def judge_answer(answer, model, text, tokenizer):
    prompt = tokenizer.encode(text, add_special_tokens=False).ids
    assert answer["prompt_ids"][-len(prompt):] == prompt
    ids = answer["prompt_ids"] + answer["ids"]
    logprobs = torch.log_softmax(run(model, ids), -1)
    n = len(answer["prompt_ids"])
    largest = max((abs(float(logprobs[i - 1, ids[i]]) - x) for i, x in enumerate(answer["prompt_logprobs"]) if i > 0), default=0.0)
    for i, step in enumerate(answer["top_logprobs"]):
        largest = max([largest] + [abs(float(logprobs[n + i - 1, top["id"]]) - top["logprob"]) for top in step])
    return largest


def case(name, assay=None):
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    kind, make = CASES[name]
    config = make()
    values = json.loads(config.to_json_string()) | {"architectures": [kind], "model_type": config.model_type}
    for key in ("transformers_version", "time_step_limit"):  # the latter holds an infinity, in a notation of its own
        values.pop(key, None)
    config = type(config).from_dict(json.loads(json.dumps(values)))
    ids = random.Random(name).choices(range(4, tiny_models.VOCAB), k=LENGTH)
    model = build(kind, config, name)
    base = (config, tensors(model), run(model, ids))
    rows, lines = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for change in [{}] + changes(config, values):
            changed = applied(values, change)
            effect, model = judge(base, kind, changed, name, ids)
            rows.append([{key: "..." if value is ... else value for key, value in change.items()}, effect])
            if assay and model is not None:
                said = decided(assay, scratch, model, changed, name)
                lines.append((name, rows[-1][0], effect, said))
    source = inspect.getsource(sys.modules[getattr(transformers, kind).__module__])
    read = sorted(set(re.findall(r"config\.([a-z]\w*)", source)) | set(re.findall(r"""getattr\((?:self\.)?config, ["'](\w+)["']""", source)))
    keys = [f.name for f in dataclasses.fields(type(config)) if not f.name.startswith("_")]
    known = {"class": kind, "config": values, "keys": keys, "aliases": dict(type(config).attribute_map),
             "read": [key for key in read if key in keys or key in values], "changes": rows}
    return name, known, lines


# Language models inside of others whose configuration has a class of its own, and the class of ours that computes the same.
TEXTS_OF_OTHERS = {"Qwen2VLTextConfig": "qwen2", "Qwen2_5_VLTextConfig": "qwen2", "Qwen3VLTextConfig": "qwen3", "Qwen3VLMoeTextConfig": "qwen3_moe",
                   "Gemma4UnifiedTextConfig": "gemma4_text"}


def table():
    """src/describe/arch/config_classes.inc from the golden file: a row a class."""
    models = json.loads(OUT.read_text())["models"]
    classes = {}
    for name, known in models.items():
        row = classes.setdefault(known["config"]["model_type"], {"class": type(CASES[name][1]()), "acts": set(), "idle": set()})
        for change, effect in known["changes"]:
            if len(change) == 1 and effect != "error":
                row["idle" if effect == "same" else "acts"] |= set(change)
        if "per_layer_config" in known["config"]:  # by which other kinds of layers are errors
            row["acts"].add("layer_types")
    for name, ours in TEXTS_OF_OTHERS.items():
        kind = getattr(transformers, name)
        classes[kind.model_type] = {"class": kind, "acts": classes[ours]["acts"] & {"head_dim"}, "idle": set()}
    lines = []
    for model_type, row in sorted(classes.items()):
        defaults = {}
        for field in dataclasses.fields(row["class"]):
            value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
            if isinstance(value, (bool, int, float, str, list, type(None))) and field.name not in ("transformers_version", "architectures", "dtype"):
                defaults[row["class"].attribute_map.get(field.name, field.name)] = value
        defaults = {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}
        idle = [key for key in defaults if key in row["idle"] - row["acts"]]
        source = inspect.getsource(sys.modules[row["class"].__module__])
        also = set(re.findall(r"""kwargs\.(?:get|pop|setdefault)\(\s*["'](\w+)["']""", source)) | row["acts"] - {"rope_scaling"}
        also |= {field.name for field in dataclasses.fields(row["class"]) if isinstance(field.default, tuple)}
        also = sorted(key for key in also if key not in defaults and key not in row["class"].attribute_map and not key.endswith("_config"))
        fields = {field.name for field in dataclasses.fields(row["class"])}  # what the class sets first; other names win
        aliases = [f"{theirs}{':' if theirs in fields else '='}{ours}" for theirs, ours in row["class"].attribute_map.items()]
        # Other names that the class takes as it is made win too.
        aliases += [f"{theirs}={ours}" for ours, theirs in re.findall(r"""self\.(\w+) = kwargs\.pop\(\s*["'](\w+)["']""", source)]
        theta = row["class"].default_theta
        if isinstance(theta, (int, float)):
            defaults["rope_theta"] = defaults.get("rope_theta", theta)
        lines.append(f'{{"{model_type}",\n R"({json.dumps(defaults, separators=(",", ":"))})",\n "{" ".join(idle)}",\n "{" ".join(also)}",\n "{" ".join(aliases)}"}},')
    text = (f"// Made by tools/golden/config_keys.py --table with transformers {transformers.__version__}: model_type, what the class takes where a "
            "file\n// states nothing, the keys of the class that act on no logit, keys beyond its own that it takes, other names of keys\n"
            "// (: where the class's own goes before it).\n// clang-format off\n")
    (ROOT / "src/describe/arch/config_classes.inc").write_text(text + "\n".join(lines) + "\n")


def main():
    args = sys.argv[1:]
    if args == ["--table"]:
        return table()
    assay = None
    if args[:1] == ["--compare"]:
        assay, args = os.path.abspath(args[1]), args[2:]
    names = args or list(CASES)
    out, count = {}, dict.fromkeys(("EQUAL", "DIFFERS", "TIES", "REFUSED", "CRASH"), 0)
    with ProcessPoolExecutor(2) as pool:
        for name, known, lines in pool.map(case, names, [assay] * len(names)):
            out[name] = known
            effects = {effect: sum(row[1] == effect for row in known["changes"]) for effect in ("same", "changes", "shape", "error")}
            print(f"{name}: {len(known['changes'])} changes, {effects}", file=sys.stderr, flush=True)
            for _, change, effect, said in lines:
                fate = ("TIES" if said is None else "EQUAL" if said < TOLERANCE else "DIFFERS") if not isinstance(said, str) else (
                    "CRASH" if said.startswith("CRASH") else "REFUSED")
                count[fate] += 1
                if fate != "EQUAL":
                    print(f"{fate} {name} {json.dumps(change)} ({effect}): {said}", flush=True)
    if assay:
        print(", ".join(f"{n} {fate}" for fate, n in count.items()))
        return count["DIFFERS"] + count["CRASH"] > 0
    provenance = (f"python3 tools/golden/config_keys.py with python {platform.python_version()}, torch {torch.__version__}, transformers "
                  f"{transformers.__version__}; float32, eager attention, {LENGTH} tokens")
    old = json.loads(OUT.read_text())["models"] if args and OUT.exists() else {}
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(known, separators=(',', ':'))}" for name, known in (old | out).items())
    OUT.write_text(f'{{"provenance": {json.dumps(provenance)},\n"models": {{\n{rows}\n}}}}\n')


if __name__ == "__main__":
    sys.exit(main())
