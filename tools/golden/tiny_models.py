#!/usr/bin/env python3
"""Makes tests/golden/models: a tiny random model of each architecture, saved by transformers, and what transformers says it computes.

Each folder has config.json, model.safetensors (BF16) and reference.json: token ids of a prompt that is longer than every window,
logits of its last position, argmax and log-probabilities along it, and a greedy continuation with the margin of each step, all in float32
with eager attention. The tokenizer is that of tests/golden/checkpoint/tiny_llama.

Models with windows, chunks or states have long.json too: the logits behind a prompt that is longer than a window and a step of the engine
together (kStepTokens in src/model/sequence.h), so that what a window has left behind is given up on the way.

Needs torch, transformers, safetensors. Run from the checkout: python3 tools/golden/tiny_models.py [--long] [NAME …]
--long writes long.json alone, for models that are there.
"""

import sys

# Neighbours of this script have names of modules.
sys.path = [p for p in sys.path if not p.endswith("tools/golden")]

import importlib.util
import json
import platform
import random
import re
import shutil
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import transformers

# A class that transformers has not.
spec = importlib.util.spec_from_file_location("decilm", Path(__file__).with_name("decilm.py"))
sys.modules["decilm"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["decilm"])

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
VOCAB, LENGTH, GREEDY = 272, 40, 12
LONG = 700
WITH_WINDOWS = ["cohere2", "deepseek_v4_fp4", "exaone4", "gemma2", "gemma3", "gemma3n", "gemma3n_streams", "gemma4", "gpt_oss", "llama4", "mistral", "olmo3", "qwen2_window", "qwen3_5"]

BASE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=128, bos_token_id=0, eos_token_id=1, pad_token_id=1, tie_word_embeddings=True, rms_norm_eps=1e-5)


def config(kind, drop=(), **changes):
    values = {k: v for k, v in BASE.items() if k not in drop}
    values.update(changes)
    return getattr(transformers, kind + "Config")(**values)


def rope(theta=10000.0, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


# Ids of tokens that stand for images: below the vocabulary, and not in the prompts.
IMAGES = dict(image_token_index=3, image_token_id=3, boi_token_index=2, eoi_token_index=2, video_token_id=2, vision_start_token_id=2,
              vision_end_token_id=2)

def decilm_block(group=None, multiplier=None, linear=False):
    """A layer of DeciLM: heads that share a key-value head (None: no attention, or a matrix), width over two thirds of the hidden size."""
    return {"attention": {"n_heads_in_group": group, "no_op": group is None and not linear, "replace_with_linear": linear, "sparsify": None},
            "ffn": {"ffn_mult": multiplier, "no_op": multiplier is None, "replace_with_linear": False, "sparsify": None}}


LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 128}  # that can be told from the factors which GGUF has instead

FALCON_MULTIPLIERS = dict(embedding_multiplier=3.0, lm_head_multiplier=0.4, key_multiplier=0.7, attention_in_multiplier=1.3,
                          attention_out_multiplier=0.8, ssm_in_multiplier=1.2, ssm_out_multiplier=0.6, ssm_multipliers=[0.9, 1.1, 0.7, 1.4, 0.5],
                          mlp_multipliers=[1.5, 0.6])

CASES = {
    "qwen2": ("Qwen2ForCausalLM", lambda: config("Qwen2")),
    "qwen2_window": ("Qwen2ForCausalLM", lambda: config("Qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1)),
    "qwen3": ("Qwen3ForCausalLM", lambda: config("Qwen3", head_dim=16, tie_word_embeddings=False)),
    "gemma2": ("Gemma2ForCausalLM", lambda: config("Gemma2", head_dim=16, query_pre_attn_scalar=16, sliding_window=8,
                                                   attn_logit_softcapping=5.0, final_logit_softcapping=8.0)),
    "gemma3": ("Gemma3ForCausalLM", lambda: config("Gemma3Text", head_dim=16, query_pre_attn_scalar=16, sliding_window=8, num_hidden_layers=3,
                                                   layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                                                   rope_parameters={"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6},
                                                                    "sliding_attention": rope()})),
    # Of sizes that llama.cpp takes; the next one of others.
    "gemma3n": ("Gemma3nForCausalLM", lambda: config(
        "Gemma3nText", head_dim=16, sliding_window=8, num_kv_shared_layers=0, activation_sparsity_pattern=[0.95, 0.95],
        vocab_size_per_layer_input=VOCAB - 16, layer_types=["sliding_attention", "full_attention"])),
    "gemma3n_streams": ("Gemma3nForCausalLM", lambda: config(
        "Gemma3nText", head_dim=16, sliding_window=8, num_hidden_layers=6, num_kv_shared_layers=2, hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=VOCAB - 16, laurel_rank=8, altup_num_inputs=3, altup_active_idx=1, altup_correct_scale=False,
        intermediate_size=[48, 48, 40, 48, 48, 56], activation_sparsity_pattern=[0.9, 0.3, 0.0, 0.5, 0.0, 0.0], final_logit_softcapping=8.0,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"] * 2)),
    "gemma4": ("Gemma4ForCausalLM", lambda: config(
        "Gemma4Text", head_dim=8, global_head_dim=16, sliding_window=8, num_hidden_layers=6, num_kv_shared_layers=2, use_double_wide_mlp=True,
        hidden_size_per_layer_input=8, vocab_size_per_layer_input=VOCAB, final_logit_softcapping=8.0,
        layer_types=["sliding_attention", "full_attention"] * 3)),
    "gemma4_moe": ("Gemma4ForCausalLM", lambda: config(
        "Gemma4Text", head_dim=16, global_head_dim=32, num_global_key_value_heads=1, attention_k_eq_v=True, sliding_window=8, num_hidden_layers=3,
        hidden_size_per_layer_input=0, enable_moe_block=True, num_experts=6, top_k_experts=2, moe_intermediate_size=16,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"])),
    "deci": ("DeciLMForCausalLM", lambda: config(
        "DeciLM", drop=["intermediate_size", "num_key_value_heads"], num_hidden_layers=5, tie_word_embeddings=False, rope_parameters=LLAMA3,
        block_configs=[decilm_block(2, 12.0), decilm_block(linear=True, multiplier=12.0), decilm_block(), decilm_block(None, 15.9),
                       decilm_block(4, 10.0)])),
    # A layer that llama.cpp leaves out.
    "deci_attention": ("DeciLMForCausalLM", lambda: config(
        "DeciLM", drop=["intermediate_size", "num_key_value_heads"], tie_word_embeddings=False,
        block_configs=[decilm_block(1), decilm_block(None, 11.0)])),
    "deci_heads": ("DeciLMForCausalLM", lambda: config(
        "DeciLM", intermediate_size=256, num_key_value_heads_per_layer=[4, 1], tie_word_embeddings=False)),
    "mistral": ("MistralForCausalLM", lambda: config("Mistral", sliding_window=8, head_dim=16)),
    "smollm3": ("SmolLM3ForCausalLM", lambda: config("SmolLM3", num_hidden_layers=4, rope_parameters=rope(5000.0))),
    "phi3": ("Phi3ForCausalLM", lambda: config("Phi3", tie_word_embeddings=False, rope_parameters=rope(partial_rotary_factor=0.75),
                                               num_attention_heads=2, num_key_value_heads=1)),
    "phi3_long": ("Phi3ForCausalLM", lambda: config(
        "Phi3", num_attention_heads=2, num_key_value_heads=1, original_max_position_embeddings=32,
        rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
                         "long_factor": [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5], "original_max_position_embeddings": 32})),
    "granite": ("GraniteForCausalLM", lambda: config("Granite", embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2,
                                                     logits_scaling=2.0)),
    "granite4": ("GraniteMoeHybridForCausalLM", lambda: config(
        "GraniteMoeHybrid", embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2, logits_scaling=2.0, num_local_experts=0,
        num_experts_per_tok=0, shared_intermediate_size=48, mamba_n_heads=4, position_embedding_type="rope", layer_types=["attention", "attention"])),
    "granite4_h": ("GraniteMoeHybridForCausalLM", lambda: config(
        "GraniteMoeHybrid", num_hidden_layers=3, embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2, logits_scaling=2.0,
        num_local_experts=6, num_experts_per_tok=2, intermediate_size=16, shared_intermediate_size=24, mamba_n_heads=4, mamba_n_groups=2,
        mamba_d_state=16, mamba_d_conv=4, layer_types=["linear_attention", "full_attention", "linear_attention"])),
    "granite4_h_dense": ("GraniteMoeHybridForCausalLM", lambda: config(
        "GraniteMoeHybrid", embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2, logits_scaling=2.0, num_local_experts=0,
        num_experts_per_tok=0, shared_intermediate_size=48, mamba_n_heads=8, mamba_n_groups=1, mamba_d_state=8,
        layer_types=["linear_attention", "full_attention"])),
    "glm4": ("Glm4ForCausalLM", lambda: config("Glm4", head_dim=16, attention_bias=True, tie_word_embeddings=False,
                                               rope_parameters=rope(partial_rotary_factor=0.5))),
    "command_r": ("CohereForCausalLM", lambda: config("Cohere", drop=["rms_norm_eps"], layer_norm_eps=1e-5, logit_scale=0.25)),
    "command_r_plus": ("CohereForCausalLM", lambda: config("Cohere", drop=["rms_norm_eps"], layer_norm_eps=1e-5, logit_scale=0.25,
                                                           use_qk_norm=True)),
    "cohere2": ("Cohere2ForCausalLM", lambda: config("Cohere2", drop=["rms_norm_eps"], layer_norm_eps=1e-5, logit_scale=0.25, num_hidden_layers=4,
                                                     sliding_window=8)),
    "gpt2": ("GPT2LMHeadModel", lambda: transformers.GPT2Config(vocab_size=VOCAB, n_positions=128, n_embd=32, n_layer=2, n_head=4,
                                                                bos_token_id=0, eos_token_id=1)),
    "gpt_neox": ("GPTNeoXForCausalLM", lambda: config("GPTNeoX", drop=["rms_norm_eps", "num_key_value_heads"], layer_norm_eps=1e-5,
                                                      tie_word_embeddings=False, rope_parameters=rope(partial_rotary_factor=0.5))),
    "gpt_neox_serial": ("GPTNeoXForCausalLM", lambda: config("GPTNeoX", drop=["rms_norm_eps", "num_key_value_heads"], layer_norm_eps=1e-5,
                                                             tie_word_embeddings=False, use_parallel_residual=False,
                                                             rope_parameters=rope(partial_rotary_factor=0.25))),
    "mixtral": ("MixtralForCausalLM", lambda: config("Mixtral", num_local_experts=4, num_experts_per_tok=2, intermediate_size=24)),
    "qwen2_moe": ("Qwen2MoeForCausalLM", lambda: config("Qwen2Moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                                                        shared_expert_intermediate_size=24, norm_topk_prob=False)),
    "qwen3_moe": ("Qwen3MoeForCausalLM", lambda: config("Qwen3Moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
                                                        norm_topk_prob=True, head_dim=16)),
    "qwen3_moe_mixed": ("Qwen3MoeForCausalLM", lambda: config("Qwen3Moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                                                              norm_topk_prob=False, head_dim=16, mlp_only_layers=[0])),
    "gpt_oss": ("GptOssForCausalLM", lambda: config("GptOss", num_local_experts=4, num_experts_per_tok=2, intermediate_size=24, head_dim=16,
                                                    sliding_window=8, tie_word_embeddings=False, rope_parameters={
                                                        "rope_type": "yarn", "rope_theta": 150000.0, "factor": 4.0, "beta_fast": 32.0,
                                                        "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 32})),
    "llama4": ("Llama4ForCausalLM", lambda: config("Llama4Text", num_local_experts=3, intermediate_size=16, intermediate_size_mlp=24,
                                                   num_hidden_layers=4, interleave_moe_layer_step=2, attention_chunk_size=16, floor_scale=8,
                                                   attn_scale=0.3, head_dim=16, rope_parameters=rope(5000.0))),
    "deepseek_v2": ("DeepseekV2ForCausalLM", lambda: config(
        "DeepseekV2", num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=2,
        first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=None, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=10, rms_norm_eps=1e-6,
        routed_scaling_factor=1.5, topk_method="greedy")),
    "deepseek_v3": ("DeepseekV3ForCausalLM", lambda: config(
        "DeepseekV3", num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=16, n_shared_experts=1, n_group=4,
        topk_group=2, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=12,
        rms_norm_eps=1e-6, routed_scaling_factor=2.5, rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1,
            "original_max_position_embeddings": 32})),
    "ministral3": ("Ministral3ForCausalLM", lambda: config("Ministral3", tie_word_embeddings=False, head_dim=8, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": 16, "beta_fast": 32.0, "beta_slow": 1.0,
        "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.3})),
    "deepseek_v32": ("DeepseekV32ForCausalLM", lambda: config(
        "DeepseekV32", num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=16, n_shared_experts=1, n_group=4,
        topk_group=2, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=12,
        rms_norm_eps=1e-6, routed_scaling_factor=2.5, index_n_heads=8, index_head_dim=16, index_topk=11, rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1,
            "original_max_position_embeddings": 32})),
    "glm_moe_dsa": ("GlmMoeDsaForCausalLM", lambda: config(
        "GlmMoeDsa", num_hidden_layers=4, num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
        n_shared_experts=1, n_group=1, topk_group=1, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12,
        qk_rope_head_dim=8, v_head_dim=16, routed_scaling_factor=2.5, index_n_heads=6, index_head_dim=16, index_topk=9,
        indexer_types=["full", "shared", "full", "shared"], rope_parameters=rope(1e6))),
    "deepseek_v4": ("DeepseekV4ForCausalLM", lambda: config(
        "DeepseekV4", drop=["intermediate_size"], num_hidden_layers=4, num_key_value_heads=1, head_dim=16, partial_rotary_factor=0.5, q_lora_rank=24,
        n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, swiglu_limit=1.5, sliding_window=8, o_groups=2, o_lora_rank=8,
        index_n_heads=4, index_head_dim=16, index_topk=3, hc_mult=3, tie_word_embeddings=False, rms_norm_eps=1e-6,
        layer_types=["sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention", "compressed_sparse_attention"],
        compress_rates={"compressed_sparse_attention": 4, "heavily_compressed_attention": 10},
        mlp_layer_types=["hash_moe", "moe", "moe", "moe"], rope_parameters={
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 32, "beta_slow": 1})),
    # Of sizes that llama.cpp takes (tools/golden/llama_cpp_models.py).
    "deepseek_v4_fp4": ("DeepseekV4ForCausalLM", lambda: config(
        "DeepseekV4", drop=["intermediate_size"], num_hidden_layers=3, num_key_value_heads=1, head_dim=16, partial_rotary_factor=0.5, q_lora_rank=32,
        n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, sliding_window=8, o_groups=2, o_lora_rank=32, index_n_heads=8,
        index_head_dim=64, index_topk=6, hc_mult=4, tie_word_embeddings=False, rms_norm_eps=1e-6, max_position_embeddings=1024,
        swiglu_limit=1.5, layer_types=["sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"],
        mlp_layer_types=["hash_moe", "moe", "moe"], rope_parameters={
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256, "beta_fast": 32, "beta_slow": 1})),
    "qwen3_next": ("Qwen3NextForCausalLM", lambda: config(
        "Qwen3Next", num_hidden_layers=4, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
        shared_expert_intermediate_size=16, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
        rope_parameters=rope(partial_rotary_factor=0.25))),
    "qwen3_5": ("Qwen3_5ForCausalLM", lambda: config(
        "Qwen3_5Text", num_hidden_layers=4, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8,
        linear_value_head_dim=12, rope_parameters=rope(partial_rotary_factor=0.5))),
    "qwen3_5_moe": ("Qwen3_5MoeForCausalLM", lambda: config(
        "Qwen3_5MoeText", num_hidden_layers=2, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
        shared_expert_intermediate_size=16, linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"], rope_parameters=rope(partial_rotary_factor=0.25))),
    "bitnet": ("BitNetForCausalLM", lambda: config("BitNet")),
    "seed_oss": ("SeedOssForCausalLM", lambda: config("SeedOss", head_dim=16, tie_word_embeddings=False)),
    "glm": ("GlmForCausalLM", lambda: config("Glm", head_dim=8, tie_word_embeddings=False, rope_parameters=rope(partial_rotary_factor=0.5))),
    "glm4_moe": ("Glm4MoeForCausalLM", lambda: config(
        "Glm4Moe", head_dim=16, num_hidden_layers=3, n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=16, attention_bias=True,
        use_qk_norm=True, routed_scaling_factor=2.5, tie_word_embeddings=False, rope_parameters=rope(1e6, partial_rotary_factor=0.5))),
    "glm4_moe_air": ("Glm4MoeForCausalLM", lambda: config(
        "Glm4Moe", head_dim=16, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=2, attention_bias=True,
        tie_word_embeddings=False, rope_parameters=rope(partial_rotary_factor=0.5))),
    "ernie4_5": ("Ernie4_5ForCausalLM", lambda: config("Ernie4_5", head_dim=16)),
    "ernie4_5_moe": ("Ernie4_5_MoeForCausalLM", lambda: config(
        "Ernie4_5_Moe", num_hidden_layers=3, moe_num_experts=6, moe_k=2, moe_intermediate_size=16, moe_num_shared_experts=2)),
    "starcoder2": ("Starcoder2ForCausalLM", lambda: config("Starcoder2", drop=["rms_norm_eps"], norm_epsilon=1e-5)),
    "granite_moe": ("GraniteMoeForCausalLM", lambda: config(
        "GraniteMoe", num_local_experts=6, num_experts_per_tok=2, intermediate_size=16, embedding_multiplier=3.0, residual_multiplier=0.4,
        attention_multiplier=0.2, logits_scaling=2.0)),
    "olmo2": ("Olmo2ForCausalLM", lambda: config("Olmo2", tie_word_embeddings=False, rope_parameters=rope(5e5))),
    "olmo3": ("Olmo3ForCausalLM", lambda: config(
        "Olmo3", num_hidden_layers=4, sliding_window=8, tie_word_embeddings=False, rope_parameters={
            "full_attention": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 5e5, "original_max_position_embeddings": 32,
                               "attention_factor": 1.2, "beta_fast": 32.0, "beta_slow": 1.0},
            "sliding_attention": rope(5e5)})),
    "exaone4": ("Exaone4ForCausalLM", lambda: config("Exaone4", num_hidden_layers=4, sliding_window=8, tie_word_embeddings=False,
                                                     rope_parameters=rope(1e6))),
    "exaone4_no_window": ("Exaone4ForCausalLM", lambda: config(
        "Exaone4", sliding_window=None, layer_types=["full_attention"] * 2, rope_parameters={
            "rope_type": "llama3", "rope_theta": 1e4, "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64})),
    "apertus": ("ApertusForCausalLM", lambda: config("Apertus", tie_word_embeddings=False, rope_parameters={
        "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64})),
    "hunyuan_dense": ("HunYuanDenseV1ForCausalLM", lambda: config(
        "HunYuanDenseV1", head_dim=16, rope_parameters=rope() | {"rope_type": "dynamic", "alpha": 50.0, "factor": 1.0})),
    "hunyuan_moe": ("HunYuanMoEV1ForCausalLM", lambda: config(
        "HunYuanMoEV1", head_dim=16, num_experts=6, moe_topk=[2, 2], intermediate_size=24,
        rope_parameters=rope() | {"rope_type": "dynamic", "alpha": 1000.0, "factor": 1.0})),
    "minimax_m2": ("MiniMaxM2ForCausalLM", lambda: config(
        "MiniMaxM2", head_dim=16, num_local_experts=6, num_experts_per_tok=2, intermediate_size=16, tie_word_embeddings=False,
        rope_parameters=rope(5e6, partial_rotary_factor=0.5))),
    "glm4_moe_lite": ("Glm4MoeLiteForCausalLM", lambda: config(
        "Glm4MoeLite", num_hidden_layers=3, num_attention_heads=5, num_key_value_heads=5, n_routed_experts=8, num_experts_per_tok=3,
        moe_intermediate_size=16, n_shared_experts=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=12,
        tie_word_embeddings=False, rope_parameters=rope(1e6))),
    "lfm2": ("Lfm2ForCausalLM", lambda: config(
        "Lfm2", drop=["rms_norm_eps"], norm_eps=1e-5, num_hidden_layers=3, block_multiple_of=20,
        layer_types=["conv", "full_attention", "conv"])),
    "lfm2_moe": ("Lfm2MoeForCausalLM", lambda: config(
        "Lfm2Moe", drop=["rms_norm_eps"], norm_eps=1e-5, num_hidden_layers=3, num_dense_layers=1, num_experts=6, num_experts_per_tok=2,
        moe_intermediate_size=16, layer_types=["conv", "full_attention", "conv"])),
    "falcon_h1": ("FalconH1ForCausalLM", lambda: config(
        "FalconH1", tie_word_embeddings=False, head_dim=16, mamba_d_ssm=48, mamba_n_heads=4, mamba_d_head=12, mamba_n_groups=2, mamba_d_state=8, **FALCON_MULTIPLIERS)),
    "falcon_h1_norm": ("FalconH1ForCausalLM", lambda: config(
        "FalconH1", mamba_d_ssm=None, mamba_n_heads=8, mamba_n_groups=1, mamba_d_state=16, mamba_rms_norm=True, mamba_norm_before_gate=False,
        mlp_bias=True)),
    "nemotron_h": ("NemotronHForCausalLM", lambda: config(
        "NemotronH", drop=["rms_norm_eps", "num_hidden_layers"], head_dim=16, mamba_num_heads=4, mamba_head_dim=12, n_groups=2, ssm_state_size=8,
        tie_word_embeddings=False, layers_block_type=["linear_attention", "mlp", "full_attention", "mlp", "linear_attention"])),
    "nemotron_h_moe": ("NemotronHForCausalLM", lambda: config(
        "NemotronH", drop=["rms_norm_eps", "num_hidden_layers"], head_dim=16, mamba_num_heads=4, mamba_head_dim=12, n_groups=1, ssm_state_size=8,
        tie_word_embeddings=False, n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=16, moe_shared_expert_intermediate_size=24,
        n_group=2, topk_group=1, routed_scaling_factor=2.5, layers_block_type=["linear_attention", "moe", "full_attention", "moe"])),
    "nemotron": ("NemotronForCausalLM", lambda: config("Nemotron", drop=["rms_norm_eps"], norm_eps=1e-5, tie_word_embeddings=False)),
    # Keys that few models use.
    "gpt2_scaled": ("GPT2LMHeadModel", lambda: transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=30, n_layer=3, n_head=2, n_inner=40, bos_token_id=0, eos_token_id=1, activation_function="relu",
        scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False, reorder_and_upcast_attn=True, tie_word_embeddings=False)),
    "gemma3_two_ropes": ("Gemma3ForCausalLM", lambda: config(
        "Gemma3Text", head_dim=16, query_pre_attn_scalar=20, sliding_window=8, attention_bias=True, attn_logit_softcapping=2.0,
        layer_types=["sliding_attention", "full_attention"], rope_parameters={
            "full_attention": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6, "original_max_position_embeddings": 32},
            "sliding_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": 1e4}})),
    "deepseek_v3_halves": ("DeepseekV3ForCausalLM", lambda: config(
        "DeepseekV3", num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1, n_group=1,
        topk_group=1, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=None, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=12,
        rope_interleave=False, norm_topk_prob=False, rope_parameters=rope())),
    "deepseek_v3_epsilon": ("DeepseekV3ForCausalLM", lambda: config(
        "DeepseekV3", num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1, n_group=1,
        topk_group=1, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=12,
        rms_norm_eps=0.02, rope_parameters=rope())),
    "qwen3_next_gelu": ("Qwen3NextForCausalLM", lambda: config(
        "Qwen3Next", num_hidden_layers=2, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, hidden_act="gelu",
        shared_expert_intermediate_size=16, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"], rope_parameters=rope(partial_rotary_factor=0.25))),
    "llama_dynamic": ("LlamaForCausalLM", lambda: config("Llama", rope_parameters=rope() | {
        "rope_type": "dynamic", "factor": 4.0, "partial_rotary_factor": 1.0})),
    # Models of text and images, asked in text alone.
    "qwen3_vl_moe": ("Qwen3VLMoeForConditionalGeneration", lambda: transformers.Qwen3VLMoeConfig(
        text_config=config("Qwen3VLMoeText", head_dim=16, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16,
                           rope_parameters=rope(5e6, mrope_section=[4, 2, 2], mrope_interleaved=True)).to_dict(),
        vision_config=dict(hidden_size=16, intermediate_size=16, depth=1, num_heads=2, patch_size=4, out_hidden_size=32,
                           num_position_embeddings=16, deepstack_visual_indexes=[0]), tie_word_embeddings=False, **IMAGES)),
    "gemma3_images": ("Gemma3ForConditionalGeneration", lambda: transformers.Gemma3Config(
        text_config=config("Gemma3Text", head_dim=16, query_pre_attn_scalar=16, sliding_window=8, rms_norm_eps=1e-6, num_hidden_layers=2,
                           layer_types=["sliding_attention", "full_attention"]).to_dict(),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                           image_size=16, patch_size=8), mm_tokens_per_image=4, **IMAGES)),
    # The language model, put into the class that sees and hears (save).
    "gemma3n_images": ("Gemma3nForCausalLM", lambda: config(
        "Gemma3nText", head_dim=16, sliding_window=8, num_hidden_layers=3, num_kv_shared_layers=1, hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=VOCAB - 16, laurel_rank=8, activation_sparsity_pattern=[0.95, 0.0, 0.0],
        layer_types=["sliding_attention", "full_attention", "sliding_attention"])),
    "gemma4_images": ("Gemma4ForConditionalGeneration", lambda: transformers.Gemma4Config(
        text_config=config("Gemma4Text", head_dim=8, global_head_dim=16, num_global_key_value_heads=1, attention_k_eq_v=True, sliding_window=8,
                           hidden_size_per_layer_input=0, use_bidirectional_attention="vision", layer_types=["sliding_attention", "full_attention"],
                           rope_parameters={"full_attention": {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.5},
                                            "sliding_attention": rope()}).to_dict(),
        vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, head_dim=8,
                           patch_size=4, position_embedding_size=16), **IMAGES)),
    "gemma4_unified_images": ("Gemma4UnifiedForConditionalGeneration", lambda: transformers.Gemma4UnifiedConfig(
        text_config=config("Gemma4UnifiedText", head_dim=8, global_head_dim=16, sliding_window=8, num_hidden_layers=3, num_kv_shared_layers=1,
                           layer_types=["sliding_attention", "full_attention", "full_attention"]).to_dict(),
        vision_config=dict(patch_size=4, pooling_kernel_size=1, mm_embed_dim=16, mm_posemb_size=16, output_proj_dims=16), **IMAGES)),
    "llama4_images": ("Llama4ForConditionalGeneration", lambda: transformers.Llama4Config(
        text_config=config("Llama4Text", num_local_experts=3, intermediate_size=16, intermediate_size_mlp=24, num_hidden_layers=2,
                           interleave_moe_layer_step=2, attention_chunk_size=16, floor_scale=8, attn_scale=0.3, head_dim=16,
                           no_rope_layers=[1, 0], tie_word_embeddings=False, rope_parameters={
                               "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0,
                               "original_max_position_embeddings": 32}).to_dict(),
        vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8,
                           vision_output_dim=16, projector_input_dim=16, projector_output_dim=16), **IMAGES)),
    "qwen3_5_images": ("Qwen3_5ForConditionalGeneration", lambda: transformers.Qwen3_5Config(
        text_config=config("Qwen3_5Text", num_hidden_layers=2, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4,
                           linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention", "full_attention"],
                           rope_parameters=rope(partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True)).to_dict(),
        vision_config=dict(hidden_size=16, intermediate_size=16, depth=1, num_heads=2, patch_size=4, out_hidden_size=32,
                           num_position_embeddings=16), tie_word_embeddings=True, **IMAGES)),
}


# Indexers choose the best positions: a seed for which none is chosen by rounding.
SEEDS = {"deepseek_v32": 11, "glm_moe_dsa": 12, "deepseek_v4": 2, "deepseek_v4_fp4": 0}

# transformers renames the tensors of these when it loads them, and takes back only part of that when it saves them.
RELEASED_NAMES = {"DeepseekV4ForCausalLM": [("model.layers.", "layers."), ("model.embed_tokens.", "embed."), ("model.norm.", "norm."),
                                  ("model.hc_head.hc_", "hc_head_"), (".attn.norm.", ".attn.kv_norm.")]}


def stored_less_one(name):
    """Whether the weights of a model's norms are."""
    return name.startswith(("gemma2", "gemma3", "qwen3_5", "qwen3_next")) and not name.startswith("gemma3n") or name == "nemotron"


def make(name):
    kind, build = CASES[name]
    torch.manual_seed(sum(map(ord, name)) + SEEDS.get(name, 0))
    model = getattr(transformers, kind)(build())
    shifted = stored_less_one(name)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            norm = "norm" in parameter_name or ".ln_" in parameter_name
            scale = 0.5 if "emb" in parameter_name or "wte" in parameter_name else 0.15 if norm or parameter.dim() == 1 else 0.3
            parameter.copy_(torch.randn_like(parameter) * scale)
            if norm and parameter_name.endswith("weight") and (not shifted or "linear_attn.norm" in parameter_name):
                parameter.add_(1.0)
            if "router.scale" in parameter_name or "modality_router" in parameter_name:  # else all experts, or streams, are nearly alike
                parameter.mul_(20.0)
            if "correct_output_scale" in parameter_name:
                parameter.add_(1.0)
        for buffer_name, buffer in model.named_buffers():
            if "tid2eid" in buffer_name:
                buffer.copy_(torch.randint_like(buffer, model.config.n_routed_experts))
            if "e_score_correction" in buffer_name or "expert_bias" in buffer_name:
                buffer.copy_(torch.randn_like(buffer) * 0.2)
            if "layer_scalar" in buffer_name:
                buffer.copy_(1 + torch.randn_like(buffer) * 0.2)
    return model.to(torch.bfloat16)  # as stored; computed in float32


def save(model, folder, name):
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name == "granite4_h":  # as IBM publishes it
        values = json.loads((folder / "config.json").read_text())
        values["layer_types"] = [{"linear_attention": "mamba", "full_attention": "attention"}[kind] for kind in values["layer_types"]]
        values["position_embedding_type"] = "nope"
        del values["time_step_limit"]
        (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    if name.startswith("deci"):  # as NVIDIA, and before it Deci, publish it
        values = json.loads((folder / "config.json").read_text())
        del values["head_dim"]
        if name == "deci_heads":
            values["model_type"] = "deci"
            del values["block_configs"]
        else:
            values["num_key_value_heads"] = None
            del values["num_key_value_heads_per_layer"]
            values["rope_scaling"] = values.pop("rope_parameters")
            values["rope_theta"] = values["rope_scaling"].pop("rope_theta")
            if values["rope_scaling"]["rope_type"] == "default":
                values["rope_scaling"] = None
        (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    if name == "minimax_m2":  # as MiniMax publishes it
        values = json.loads((folder / "config.json").read_text())
        values["rotary_dim"] = int(values["head_dim"] * values["rope_parameters"]["partial_rotary_factor"])
        values["rope_theta"] = values.pop("rope_parameters")["rope_theta"]
        (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    if name == "gemma4":  # as Google publishes it: with keys and values that nobody reads
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        for layer, dim in ((4, 8), (5, 16)):
            for part, shape in (("k_proj", (2 * dim, 32)), ("v_proj", (2 * dim, 32)), ("k_norm", (dim,))):
                tensors[f"model.layers.{layer}.self_attn.{part}.weight"] = torch.randn(shape).bfloat16()
        safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if name == "gemma3n_images":  # as Google publishes it: within a class whose images want a library of their own
        shutil.copy(folder / "config.json", folder / "plain.json")
        shutil.copy(folder / "model.safetensors", folder / "plain.safetensors")
        text = json.loads((folder / "config.json").read_text())
        del text["architectures"]
        values = {"architectures": ["Gemma3nForConditionalGeneration"], "model_type": "gemma3n", "text_config": text,
                  "vision_config": {"model_type": "gemma3n_vision"}, "audio_config": {"model_type": "gemma3n_audio"}, "dtype": "bfloat16"}
        (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
        tensors = {key.replace("model.", "model.language_model.", 1): value
                   for key, value in safetensors.torch.load_file(folder / "model.safetensors").items()}
        for part, shape in (("k_proj", (32, 32)), ("v_proj", (32, 32)), ("k_norm", (16,))):  # nobody reads them
            tensors[f"model.language_model.layers.2.self_attn.{part}.weight"] = torch.randn(shape).bfloat16()
        for tower in ("vision_tower.timm_model.conv_stem.conv", "embed_vision.embedding", "audio_tower.conformer.0.norm", "embed_audio.embedding"):
            tensors[f"model.{tower}.weight"] = torch.randn(4, 4).bfloat16()
        safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if name == "gemma4_moe":  # as Google publishes it
        values = json.loads((folder / "config.json").read_text())
        own = values.pop("per_layer_config")["2"]
        values |= {"global_head_dim": own["head_dim"], "num_global_key_value_heads": own["num_key_value_heads"]}
        (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    if CASES[name][0] not in RELEASED_NAMES:
        return
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    for old, new in RELEASED_NAMES[CASES[name][0]]:
        tensors = {key.replace(old, new): value for key, value in tensors.items()}
    if name.endswith("_fp4"):
        tensors = quantize_released(tensors, folder)
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def quantize_released(tensors, folder):
    """DeepSeek V4's own layout: experts E2M1 with a power of two for each 32 of a row, other linears E4M3 with one for each 128 x 128; and
    its own keys in config.json."""
    levels = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    out, plain = {}, {}
    for name, weight in tensors.items():
        out[name] = plain[name] = weight
        stem, w = name.removesuffix(".weight"), weight.float()
        if ".ffn.experts." in name:
            blocks = w.view(w.shape[0], -1, 32)
            exponent = torch.ceil(torch.log2(blocks.abs().amax(-1) / 6))
            scaled = blocks / torch.exp2(exponent)[..., None]
            code = (scaled.abs()[..., None] - levels).abs().argmin(-1)
            plain[name] = (levels[code] * scaled.sign() * torch.exp2(exponent)[..., None]).view_as(w).bfloat16()
            code = (code + 8 * (scaled < 0)).view_as(w).to(torch.uint8)
            out[name] = (code[:, 0::2] | code[:, 1::2] << 4).view(torch.int8)
        elif re.search(r"attn\.w|attn\.indexer\.wq_b|shared_experts", name):
            assert w.shape[1] <= 128
            exponent = torch.stack([torch.ceil(torch.log2(rows.abs().amax() / 448)) for rows in w.split(128)]).view(-1, 1)
            scale = torch.exp2(exponent).repeat_interleave(128, 0)[:len(w)]
            out[name] = (w / scale).to(torch.float8_e4m3fn)
            plain[name] = (out[name].float() * scale).bfloat16()
        else:
            continue
        out[stem + ".scale"] = (exponent + 127).to(torch.uint8).view(torch.float8_e8m0fnu)
    values = json.loads((folder / "config.json").read_text())
    rates = {"sliding_attention": 0, **values.pop("compress_rates")}
    values["compress_ratios"] = [rates[kind] for kind in values.pop("layer_types")]
    values["num_hash_layers"] = values.pop("mlp_layer_types").count("hash_moe")
    yarn = values.pop("rope_parameters")["compress"]
    values["rope_scaling"] = {"type": "yarn"} | {key: yarn[key] for key in ("factor", "original_max_position_embeddings", "beta_fast", "beta_slow")}
    values["qk_rope_head_dim"] = int(values["head_dim"] * values.pop("partial_rotary_factor"))
    values["expert_dtype"] = "fp4"
    values["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "scale_fmt": "ue8m0",
                                     "weight_block_size": [128, 128]}
    (folder / "config.json").rename(folder / "plain.json")
    (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    safetensors.torch.save_file(plain, folder / "plain.safetensors", metadata={"format": "pt"})
    return out


class IndexMargins:
    """Records by how much the last chosen position of every query beats the best that was not chosen."""

    def __enter__(self):
        self.margins, self.original = [], torch.Tensor.topk
        recorder = self

        def topk(scores, k, *args, **kwargs):
            if scores.dim() == 3 and len(scores) == 1 and k < scores.shape[-1]:  # [batch, query, position]
                best = recorder.original(scores, k + 1, dim=-1).values
                gap = best[..., k - 1] - best[..., k]
                recorder.margins += gap[best[..., k] > -1e30].flatten().tolist()  # the mask hides the rest
            return recorder.original(scores, k, *args, **kwargs)

        torch.Tensor.topk = topk
        return self

    def __exit__(self, *_):
        torch.Tensor.topk = self.original


def reference(folder, kind, name):
    with IndexMargins() as index:
        result = compute_reference(folder, kind, name)
    if index.margins:
        print(f"{name}: {len(index.margins)} choices of an indexer, closest by {min(index.margins):.2g}", file=sys.stderr)
        assert min(index.margins) > 1e-4, f"{name}: another seed"
    return result


def compute_reference(folder, kind, name):
    model = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    # llama.cpp's converter gives tokens without embeddings of layers zeros, the class those of token 0.
    known = model.config.vocab_size_per_layer_input if name == "gemma3n" else VOCAB
    ids = random.Random(name).choices(range(4, known), k=LENGTH)
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].double()
        step, margins = list(ids), []
        for _ in range(GREEDY):
            last = model(torch.tensor([step]), use_cache=False).logits[0, -1].double()
            top = torch.topk(last, 2)
            margins.append(round(float(top.values[0] - top.values[1]), 5))
            step.append(int(top.indices[0]))
    spread = float(logits[-1].std())
    logprobs = torch.log_softmax(logits, -1)
    assert spread > 0.2, f"{name}: logits are all alike"
    return {
        "provenance": provenance(),
        "ids": ids,
        "last_logits": [round(float(x), 5) for x in logits[-1]],
        "argmax": [int(x) for x in logits.argmax(-1)],
        "prompt_logprobs": [round(float(logprobs[i, ids[i + 1]]), 5) for i in range(len(ids) - 1)],
        "greedy": step[len(ids):],
        "greedy_margins": margins,
    }, spread


def long_reference(name, weights):
    model = getattr(transformers, CASES[name][0]).from_pretrained(weights, dtype=torch.float32, attn_implementation="eager").eval()
    ids = [4 + t * t % 251 for t in range(LONG)]
    with torch.no_grad(), IndexMargins() as index:
        last = model(torch.tensor([ids]), use_cache=False).logits[0, -1].double()
    if index.margins:
        print(f"{name}: {len(index.margins)} choices of an indexer over {LONG} tokens, closest by {min(index.margins):.2g}", file=sys.stderr)
    values = {"provenance": provenance(), "tokens": LONG, "last_logits": [round(float(x), 5) for x in last]}
    (OUT / name / "long.json").write_text(json.dumps(values) + "\n")


def provenance():
    return (f"python3 tools/golden/tiny_models.py with python {platform.python_version()}, torch {torch.__version__}, transformers "
            f"{transformers.__version__}, safetensors {safetensors.__version__}; weights stored as BF16, computed in float32, eager attention")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    names = [name for name in sys.argv[1:] if name != "--long"]
    if "--long" in sys.argv:
        for name in names or [name for name in WITH_WINDOWS if not name.endswith("_fp4")]:
            long_reference(name, OUT / name)
        return
    for name in names or CASES:
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        save(make(name), folder, name)
        plain = folder / "plain"  # the same weights, for transformers
        if (folder / "plain.json").exists():
            plain.mkdir()
            (folder / "plain.json").rename(plain / "config.json")
            (folder / "plain.safetensors").rename(plain / "model.safetensors")
        weights = plain if plain.exists() else folder
        values, spread = reference(weights, CASES[name][0], name)
        (folder / "reference.json").write_text(json.dumps(values) + "\n")
        if name in WITH_WINDOWS:
            long_reference(name, weights)
        shutil.rmtree(plain, ignore_errors=True)
        size = sum(p.stat().st_size for p in folder.iterdir())
        print(f"{name}: {size} bytes, logits spread {spread:.2f}", file=sys.stderr)


if __name__ == "__main__":
    main()
