#!/usr/bin/env python3
"""Makes tests/golden/models/kimi_k2 and gpt_oss_mxfp4: tiny random models whose experts are packed as Kimi K2 Thinking and gpt-oss are
published (4-bit integers in groups of 32 by compressed-tensors, MXFP4), and what transformers computes with the unpacked weights.

The packed codes are unpacked by the libraries themselves: compressed_tensors' unpack_from_int32, transformers' convert_moe_packed_tensors.
Needs what tiny_models.py needs, and compressed-tensors. Run from the checkout: python3 tools/golden/packed_models.py
"""

import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).resolve().parent / "tiny_models.py")
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)

import compressed_tensors
import torch
import transformers
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

# config.json of moonshotai/Kimi-K2-Thinking, with small numbers.
KIMI = {
    "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "aux_loss_alpha": 0.001, "bos_token_id": 0,
    "dtype": "bfloat16", "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 32,
    "initializer_range": 0.02, "intermediate_size": 48, "kv_lora_rank": 16, "max_position_embeddings": 128, "model_type": "kimi_k2",
    "moe_intermediate_size": 32, "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 4, "n_shared_experts": 1, "norm_topk_prob": True,
    "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 2, "num_key_value_heads": 4, "num_nextn_predict_layers": 0,
    "pad_token_id": 1, "pretraining_tp": 1, "q_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8, "rms_norm_eps": 1e-05,
    "rope_scaling": {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 4.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                     "original_max_position_embeddings": 32, "type": "yarn"},
    "rope_theta": 50000.0, "routed_scaling_factor": 2.827, "scoring_func": "sigmoid", "seq_aux": True, "tie_word_embeddings": False,
    "topk_group": 1, "topk_method": "noaux_tc", "transformers_version": "4.57.1", "use_cache": True, "v_head_dim": 12, "vocab_size": tiny.VOCAB,
    "quantization_config": {
        "config_groups": {"group_0": {
            "input_activations": None, "output_activations": None, "targets": ["Linear"],
            "weights": {"actorder": None, "block_structure": None, "dynamic": False, "group_size": 32, "num_bits": 4, "observer": "minmax",
                        "observer_kwargs": {}, "strategy": "group", "symmetric": True, "type": "int"}}},
        "format": "pack-quantized", "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
                                               "re:.*mlp\\.(gate|up|gate_up|down)_proj.*"],
        "kv_cache_scheme": None, "quant_method": "compressed-tensors", "quantization_status": "compressed"},
}


def pack_int4(weight):
    """Returns what the file has, and the weights that it means."""
    groups = weight.float().reshape(weight.shape[0], -1, 32)
    scale = (groups.abs().amax(-1) / 7).to(torch.bfloat16)
    codes = torch.clamp(torch.round(groups / scale.float()[..., None]), -8, 7).to(torch.int8).reshape(weight.shape)
    packed = pack_to_int32(codes, 4)
    back = unpack_from_int32(packed, 4, weight.shape).reshape(groups.shape).float() * scale.float()[..., None]
    return {"weight_packed": packed, "weight_scale": scale, "weight_shape": torch.tensor(weight.shape)}, back.reshape(weight.shape)


def kimi_k2(folder, plain):
    tiny.CASES["kimi_k2"] = ("DeepseekV3ForCausalLM", lambda: transformers.DeepseekV3Config(
        **{k: v for k, v in KIMI.items() if k not in ("architectures", "model_type", "quantization_config", "transformers_version")}))
    tiny.make("kimi_k2").save_pretrained(plain)
    tensors, stored, meant = load_file(plain / "model.safetensors"), {}, {}
    for name, tensor in tensors.items():
        if ".mlp.experts." in name and name.endswith(".weight"):
            packed, meant[name] = pack_int4(tensor)
            stored.update({name.removesuffix("weight") + key: value.contiguous() for key, value in packed.items()})
        else:
            stored[name], meant[name] = tensor, tensor.float()
    assert len(stored) > len(tensors)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(meant, plain / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(KIMI, indent=2) + "\n")
    return "DeepseekV3ForCausalLM"


def gpt_oss_mxfp4(folder, plain):
    build = tiny.CASES["gpt_oss"][1]

    def with_whole_blocks():
        config = build()
        config.intermediate_size = 32
        return config

    tiny.CASES["gpt_oss_mxfp4"] = ("GptOssForCausalLM", with_whole_blocks)
    tiny.make("gpt_oss_mxfp4").save_pretrained(plain)
    tensors, stored, meant = load_file(plain / "model.safetensors"), {}, {}
    for name, tensor in tensors.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            stored[name], meant[name] = tensor, tensor.float()
            continue
        rows = tensor.shape[2]  # stored [experts, in, out]
        generator = torch.Generator().manual_seed(len(stored))
        blocks = torch.randint(0, 256, (tensor.shape[0], rows, tensor.shape[1] // 32, 16), dtype=torch.uint8, generator=generator)
        scales = torch.randint(123, 126, blocks.shape[:3], dtype=torch.uint8, generator=generator)
        stored[name + "_blocks"], stored[name + "_scales"] = blocks, scales
        meant[name] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).contiguous()
        assert meant[name].shape == tensor.shape
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(meant, plain / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((plain / "config.json").read_text())
    config["quantization_config"] = {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens",
                                                                "lm_head"], "quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return "GptOssForCausalLM"


def main():
    for make in (kimi_k2, gpt_oss_mxfp4):
        name = make.__name__
        folder = tiny.OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            kind = make(folder, Path(scratch))
            values, spread = tiny.reference(Path(scratch), kind, name)
        values["provenance"] = values["provenance"].replace("tiny_models", "packed_models").replace(
            "weights stored as BF16", f"compressed-tensors {compressed_tensors.__version__}; experts packed, the rest stored as BF16")
        (folder / "reference.json").write_text(json.dumps(values) + "\n")
        print(f"{name}: {sum(p.stat().st_size for p in folder.iterdir())} bytes, logits spread {spread:.2f}", file=sys.stderr)


if __name__ == "__main__":
    main()
