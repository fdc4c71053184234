#!/usr/bin/env python3
"""Makes tests/golden/checkpoint: tiny random Llamas saved by transformers, and what transformers says they compute.

Needs torch, transformers, tokenizers, safetensors, numpy. Run from the checkout: python3 tools/golden/checkpoint.py
"""

import sys

# Neighbours of this script have names of modules.
sys.path = [p for p in sys.path if not p.endswith("tools/golden")]

import json
import platform
import shutil
from pathlib import Path

import numpy
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "checkpoint"
PROMPT = "the cat sat on the mat and looked at 12 small birds"
CORPUS = [
    "the cat sat on the mat and looked at the small birds", "a dog ran to the house and back again", "on the mat there were 12 birds",
    "she said that the house was small", "and then the birds looked at the cat", "numbers like 10, 20 and 300 stand in the text",
] * 4
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=272, special_tokens=["<s>", "<|end|>", "<|user|>", "<|assistant|>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|end|>")
    fast.chat_template = TEMPLATE
    return fast


def make_config(tokenizer, **changes):
    values = dict(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
        rms_norm_eps=1e-5,
    )
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    rope.update(changes.pop("rope", {}))
    values.update(changes)
    return LlamaConfig(rope_parameters=rope, **values)


def make_model(config, seed):
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.6 if "embed" in name else 0.25 if name.endswith("weight") and parameter.dim() == 2 else 0.3
            parameter.copy_(torch.randn_like(parameter) * scale)
            if "norm" in name:
                parameter.add_(1.0)
    # The weights as they are stored: BF16. Computed in float32.
    return model.to(torch.bfloat16)


def reference(folder, tokenizer):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
        step, margins = list(ids), []
        for _ in range(16):
            last = model(torch.tensor([step])).logits[0, -1].double()
            top = torch.topk(last, 2)
            margins.append(round(float(top.values[0] - top.values[1]), 5))
            step.append(int(top.indices[0]))
    return {
        "provenance": provenance(),
        "prompt": PROMPT,
        "ids": ids,
        "last_logits": [round(float(x), 5) for x in logits[-1]],
        "argmax": [int(x) for x in logits.argmax(-1)],
        "prompt_logprobs": [round(float(torch.log_softmax(logits[i], -1)[ids[i + 1]]), 6) for i in range(len(ids) - 1)],
        "greedy": step[len(ids):],
        "greedy_margins": margins,
    }


def provenance():
    return (
        f"python3 tools/golden/checkpoint.py with python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}, safetensors {safetensors.__version__}, "
        f"numpy {numpy.__version__}; weights stored as BF16, computed in float32, eager attention"
    )


def write_json(path, value):
    path.write_text(json.dumps(value) + "\n")


def save(folder, model, tokenizer):
    shutil.rmtree(folder, ignore_errors=True)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[1, 3], do_sample=True, temperature=0.7, top_p=0.9, top_k=40)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "logits.json", reference(folder, tokenizer))


def make_seeds(folder):
    """Seeds for fuzz/safetensors_fuzz.cc: one layer of width 32, two tokens, in each scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    linears = [f"self_attn.{m}_proj" for m in "qkvo"] + [f"mlp.{m}_proj" for m in ("gate", "up", "down")]
    layer = "model.layers.0."
    common = {name: torch.ones(32, dtype=torch.bfloat16) for name in
              (layer + "input_layernorm.weight", layer + "post_attention_layernorm.weight", "model.norm.weight")}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        common[name] = torch.ones(2, 32, dtype=torch.bfloat16)
    scale, shape = torch.full((32, 1), 0.5, dtype=torch.bfloat16), torch.tensor([32, 32])
    nf4 = torch.tensor([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                        -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0])
    state = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [32, 32]}).encode()
    schemes = {
        "plain": {".weight": torch.ones(32, 32, dtype=torch.bfloat16)},
        "int4": {".weight_packed": torch.zeros(32, 4, dtype=torch.int32), ".weight_scale": scale, ".weight_shape": shape},
        "int8": {".weight_packed": torch.zeros(32, 8, dtype=torch.int32), ".weight_scale": scale, ".weight_shape": shape},
        "fp8": {".weight": torch.ones(32, 32).to(torch.float8_e4m3fn), ".weight_scale": scale},
        "nvfp4": {".weight_packed": torch.zeros(32, 16, dtype=torch.uint8), ".weight_scale": torch.ones(32, 2).to(torch.float8_e4m3fn),
                  ".weight_global_scale": torch.ones(1)},
        "nf4": {".weight": torch.zeros(512, 1, dtype=torch.uint8), ".weight.absmax": torch.ones(16), ".weight.quant_map": nf4,
                ".weight.quant_state.bitsandbytes__nf4": torch.tensor(list(state), dtype=torch.uint8)},
    }
    for name, parts in schemes.items():
        tensors = {layer + module + end: tensor.clone() for module in linears for end, tensor in parts.items()}
        save_file(tensors | common, folder / name)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    base = make_model(make_config(tokenizer), seed=7)
    save(OUT / "tiny_llama", base, tokenizer)

    biased = make_config(tokenizer, hidden_size=64, intermediate_size=48, num_hidden_layers=1, num_key_value_heads=4, head_dim=16,
                         attention_bias=True, mlp_bias=True, tie_word_embeddings=False)
    save(OUT / "tiny_bias", make_model(biased, seed=8), tokenizer)

    # The same weights under other RoPE scalings: only the configuration and the results are kept.
    variants = {
        "linear": {"rope_type": "linear", "factor": 2.0},
        "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 64},
        "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    }
    for name, rope in variants.items():
        folder = OUT / f"rope_{name}"
        config = make_config(tokenizer, rope=rope)
        model = LlamaForCausalLM(config).to(torch.bfloat16)
        model.load_state_dict(base.state_dict(), strict=False)
        model.tie_weights()
        save(folder, model, tokenizer)
        for path in folder.iterdir():
            if path.name not in ("config.json", "logits.json"):
                path.unlink()
    (OUT / "PROVENANCE").write_text(provenance() + "\n")
    make_seeds(OUT.parents[2] / "fuzz" / "corpus" / "safetensors")
    total = sum(p.stat().st_size for p in OUT.rglob("*") if p.is_file())
    print(f"{total} bytes in {OUT}", file=sys.stderr)


if __name__ == "__main__":
    main()
