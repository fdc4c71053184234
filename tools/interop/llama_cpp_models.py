#!/usr/bin/env python3
"""Is what is written as GGUF the model that llama.cpp runs? Every golden model, as it is and with one key of its config.json changed,
is written as GGUF: either that is refused with the reason, or llama.cpp loads the file and measures the perplexity that is measured
here: within 0.05 % in float32 (`reference`, where `inspect` says nothing of a difference), within 2 % as `deployed`.

    python3 tools/interop/llama_cpp_models.py ASSAY [--only TEXT] [--change TEXT] [--plain]

Needs numpy, safetensors and torch, and libllama as the package llama-cpp-py-sync brings it (tried with 0.11739; it is what llama.cpp's
own programs run). One Markdown row for each; exit status 1 where a file does not load or the perplexities are apart."""

import argparse
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).parents[2] / "tests" / "golden"
LLAMA = GOLDEN / "checkpoint" / "tiny_llama"
CONTEXT, CHUNKS = 64, 6
# `reference` arithmetic in float32 on both sides, where it is the engine's model too; `deployed` has a cache in half precision, by which
# experts at the edge of being chosen may fall otherwise.
EXACT, NEAR = 5e-4, 2e-2  # llama.cpp looks GELU up in a table of halves

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
ROPE = {
    "linear": {"rope_type": "linear", "factor": 2.0},
    "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    "yarn": YARN,
    "yarn, beta_fast 8": YARN | {"beta_fast": 8.0},
    "yarn, truncate false": YARN | {"truncate": False},
    "yarn, attention_factor 1.3": YARN | {"attention_factor": 1.3},
    "longrope": {"rope_type": "longrope", "original_max_position_embeddings": 32, "attention_factor": 1.1},
}
# What is tried with every model: a name, and what is changed.
EVERYWHERE = [
    ("as it is", {}),
    ("another activation", {"hidden_act": "gelu", "hidden_activation": "gelu", "activation_function": "gelu"}),
    ("another activation (tanh)", {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "silu", "activation_function": "relu2"}),
    ("output apart", {"tie_word_embeddings": False}),
    ("output tied", {"tie_word_embeddings": True}),
    ("biases in attention", {"attention_bias": True}),
    ("biases in feed-forward", {"mlp_bias": True}),
    ("window of 16", {"sliding_window": 16, "use_sliding_window": True, "max_window_layers": 1}),
    ("epsilon 0.01", {"rms_norm_eps": 0.01, "layer_norm_eps": 0.01, "layer_norm_epsilon": 0.01}),
    ("heads of 24", {"head_dim": 24}),
    ("half a head rotated", {"partial_rotary_factor": 0.5}),
    *((f"rope {name}", {"rope_scaling": rope}) for name, rope in ROPE.items()),
]
DEEPSEEK_YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 32, "beta_slow": 1}
DEEPSEEK = [
    ("yarn", {"rope_scaling": DEEPSEEK_YARN}),
    ("mscale = mscale_all_dim", {"rope_scaling": DEEPSEEK_YARN | {"mscale": 0.7, "mscale_all_dim": 0.7}}),
    ("mscale 1 = mscale_all_dim", {"rope_scaling": DEEPSEEK_YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}}),
    ("mscale ≠ mscale_all_dim", {"rope_scaling": DEEPSEEK_YARN | {"mscale": 1.0, "mscale_all_dim": 0.7}}),
    ("without a rank of queries", {"q_lora_rank": None}),
    ("27 layers", {"num_hidden_layers": 27}),
    ("27 layers without a rank of queries", {"num_hidden_layers": 27, "q_lora_rank": None}),
    ("groups", {"n_group": 2, "topk_group": 1, "topk_method": "noaux_tc"}),
    ("groups by the best", {"n_group": 2, "topk_group": 1, "topk_method": "group_limited_greedy"}),
    ("all groups", {"n_group": 2, "topk_group": 2}),
    ("softmax", {"scoring_func": "softmax", "topk_method": "greedy"}),
    ("weights as scored", {"norm_topk_prob": False}),
    ("weights add up", {"norm_topk_prob": True}),
    ("no shared expert", {"n_shared_experts": 0}),
]
# llama.cpp turns the indexer's heads by a matrix of 64, 128 … rows, and stops where they are smaller. Every position is seen: which of
# those that score 0 are not is nobody's rule.
BASE = {"deepseek_v32": {"index_head_dim": 64, "index_topk": 512}, "glm_moe_dsa": {"index_head_dim": 64, "index_topk": 512},
        "deepseek_v4": {"index_topk": 512}, "deepseek_v4_fp4": {"index_topk": 512}}
SPECIAL = {
    "gemma2": [("query_pre_attn_scalar", {"query_pre_attn_scalar": 40}), ("no cap of logits", {"final_logit_softcapping": None}),
               ("no cap of scores", {"attn_logit_softcapping": None}), ("other caps", {"final_logit_softcapping": 5.0, "attn_logit_softcapping": 3.0}),
               ("46 layers", {"num_hidden_layers": 46})],
    "gemma3": [("query_pre_attn_scalar", {"query_pre_attn_scalar": 40}), ("cap of logits", {"final_logit_softcapping": 5.0}),
               ("local base", {"rope_local_base_freq": 500.0}), ("62 layers", {"num_hidden_layers": 62})],
    "command_r": [("logit_scale", {"logit_scale": 0.5}), ("norms of queries", {"use_qk_norm": True}), ("64 layers", {"num_hidden_layers": 64})],
    "command_r_plus": [("64 layers", {"num_hidden_layers": 64})],
    "gpt_oss": [("truncate true", {"rope_scaling": YARN | {"truncate": True}}), ("truncate false", {"rope_scaling": YARN | {"truncate": False}}),
                ("swiglu_limit 3", {"swiglu_limit": 3.0})],
    "granite": [("attention_multiplier", {"attention_multiplier": 0.2})],
    "granite4": [("no positions", {"position_embedding_type": "nope"}), ("positions", {"position_embedding_type": "rope"})],
    "granite4_h": [("no positions", {"position_embedding_type": "nope"}), ("positions", {"position_embedding_type": "rope"})],
    "gpt_neox": [("gelu_new", {"hidden_act": "gelu_new"}), ("serial", {"use_parallel_residual": False})],
    "gpt2": [("exact GELU", {"activation_function": "gelu"}), ("scale by layer", {"scale_attn_by_inverse_layer_idx": True})],
    "qwen2_moe": [("weights add up", {"norm_topk_prob": True}), ("no biases", {"qkv_bias": False})],
    "qwen3_moe": [("weights as scored", {"norm_topk_prob": False})],
    "smollm3": [("all rotate", {"no_rope_layers": [1] * 64})],
    "mixtral": [("one expert", {"num_experts_per_tok": 1})],
    "deepseek_v2": DEEPSEEK, "deepseek_v3": DEEPSEEK, "deepseek_v32": DEEPSEEK[:4], "glm_moe_dsa": DEEPSEEK[:4],
}


def score(path, text):
    """Perplexity as llama-perplexity measures it, by libllama; a process of its own, which llama.cpp may end."""
    import numpy
    from llama_cpp_py_sync import _cffi_bindings as bindings

    lib, ffi = bindings.get_lib(), bindings.get_ffi()
    lib.llama_backend_init()
    options = lib.llama_model_default_params()
    options.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(str(path).encode(), options)
    if model == ffi.NULL:
        sys.exit("llama.cpp does not load it")
    vocab = lib.llama_model_get_vocab(model)
    data = pathlib.Path(text).read_bytes()
    ids = ffi.new("llama_token[]", len(data) + 16)
    n = lib.llama_tokenize(vocab, data, len(data), ids, len(data) + 16, True, False)
    options = lib.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = CONTEXT
    options.n_threads = options.n_threads_batch = 1
    options.flash_attn_type = 0
    options.type_k = options.type_v = 0  # float32: near ties of experts and indexers fall as they do here
    context = lib.llama_init_from_model(model, options)
    if context == ffi.NULL:
        sys.exit("llama.cpp makes no context for it")
    width, total, count = lib.llama_vocab_n_tokens(vocab), 0.0, 0
    for chunk in range(min(CHUNKS, n // CONTEXT)):
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        batch = lib.llama_batch_init(CONTEXT, 0, 1)
        batch.n_tokens = CONTEXT
        for i in range(CONTEXT):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = ids[chunk * CONTEXT + i], i, 1, 0, 1
        if lib.llama_vocab_get_add_bos(vocab):
            batch.token[0] = lib.llama_vocab_bos(vocab)
        if lib.llama_decode(context, batch) != 0:
            sys.exit("llama.cpp does not run it")
        for i in range(CONTEXT // 2, CONTEXT - 1):
            logits = numpy.frombuffer(ffi.buffer(lib.llama_get_logits_ith(context, i), width * 4), numpy.float32).astype(numpy.float64)
            total += numpy.log(numpy.exp(logits - logits.max()).sum()) + logits.max() - logits[ids[chunk * CONTEXT + i + 1]]
            count += 1
    print("perplexity", math.exp(total / count))


def layer_prefix(tensors):
    return re.match(r"(.*?\.?(?:layers|h))\.\d+\.", next(n for n in tensors if re.search(r"(?:layers|h)\.\d+\.", n)))[1]


def reshape(tensors, config, change):
    """The tensors that the changed configuration asks for: those that are there, repeated, cut or made."""
    import torch

    generator = torch.Generator().manual_seed(3)
    make = lambda *shape: torch.randn(shape, generator=generator) * 0.1
    text = config.get("text_config", config)
    prefix, hidden = layer_prefix(tensors), text.get("hidden_size", text.get("n_embd"))
    old = len({n.split(".")[prefix.count(".") + 1] for n in tensors if n.startswith(prefix + ".")})
    layers = change.get("num_hidden_layers", old)
    for i in range(old, layers):  # behind a dense layer come those with experts
        like = old - 1 if text.get("first_k_dense_replace") else i % old
        for name in [n for n in tensors if n.startswith(f"{prefix}.{like}.")]:
            tensors[name.replace(f"{prefix}.{like}.", f"{prefix}.{i}.", 1)] = tensors[name].clone()
    if change.get("tie_word_embeddings") is False:
        embedding = next(n for n in tensors if re.search(r"(embed_tokens|wte|embed_in|^embed)\.weight$", n))
        head = "embed_out.weight" if "embed_in" in embedding else "lm_head.weight"
        tensors.setdefault(head, make(*tensors[embedding].shape))
    if change.get("tie_word_embeddings"):
        for head in ("lm_head.weight", "embed_out.weight"):
            tensors.pop(head, None)
    for i in range(layers):
        at = f"{prefix}.{i}."
        for key, names in (("attention_bias", ("q_proj", "k_proj", "v_proj", "o_proj")), ("mlp_bias", ("gate_proj", "up_proj", "down_proj"))):
            for name in names if change.get(key) else ():
                for full in [n for n in tensors if n.startswith(at) and n.endswith(f".{name}.weight") and "expert" not in n]:
                    tensors.setdefault(full[: -len("weight")] + "bias", make(tensors[full].shape[0]))
        if "head_dim" in change and at + "self_attn.q_proj.weight" in tensors:
            dim, heads, kv = change["head_dim"], text["num_attention_heads"], text.get("num_key_value_heads", text["num_attention_heads"])
            for name, rows in (("q_proj", heads), ("k_proj", kv), ("v_proj", kv)):
                tensors[f"{at}self_attn.{name}.weight"] = make(rows * dim, hidden)
                if f"{at}self_attn.{name}.bias" in tensors:
                    tensors[f"{at}self_attn.{name}.bias"] = make(rows * dim)
            tensors[at + "self_attn.o_proj.weight"] = make(hidden, heads * dim)
            for name, full in (("q_norm", (heads, dim)), ("k_norm", (kv, dim))):
                old_norm = tensors.get(f"{at}self_attn.{name}.weight")
                if old_norm is not None:
                    tensors[f"{at}self_attn.{name}.weight"] = make(*full) if old_norm.dim() == 2 else make(dim)
        if "index_head_dim" in change and at + "self_attn.indexer.wk.weight" in tensors:
            dim, rank = change["index_head_dim"], text["q_lora_rank"]
            for name, shape in (("wq_b.weight", (text["index_n_heads"] * dim, rank)), ("wk.weight", (dim, hidden)), ("k_norm.weight", (dim,)),
                                ("k_norm.bias", (dim,))):
                tensors[f"{at}self_attn.indexer.{name}"] = make(*shape)
        if "q_lora_rank" in change and at + "self_attn.q_a_proj.weight" in tensors:
            rows = tensors.pop(at + "self_attn.q_b_proj.weight").shape[0]
            for name in ("q_a_proj", "q_a_layernorm"):
                tensors.pop(f"{at}self_attn.{name}.weight")
            tensors[at + "self_attn.q_proj.weight"] = make(rows, hidden)
        if change.get("use_qk_norm"):
            dim = hidden // text["num_attention_heads"]
            tensors[at + "self_attn.q_norm.weight"] = 1 + make(text["num_attention_heads"], dim)
            tensors[at + "self_attn.k_norm.weight"] = 1 + make(text["num_key_value_heads"], dim)
        if change.get("n_shared_experts") == 0:
            for name in [n for n in tensors if n.startswith(at) and "shared_experts" in n]:
                del tensors[name]
        if change.get("qkv_bias") is False:
            for name in [n for n in tensors if n.startswith(at) and re.search(r"[qkv]_proj\.bias$", n)]:
                del tensors[name]


def folder(source, change, out):
    """False: the model has none of the keys, or they say what is changed already."""
    from safetensors.torch import load_file, save_file

    config = json.loads((source / "config.json").read_text())
    text = config.get("text_config", config)
    change, plain = dict(change), not change
    for key in ("hidden_act", "hidden_activation", "activation_function", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"):
        if key in change and key not in text:
            del change[key]
    if "sliding_window" in change and len(change) > 1 and "use_sliding_window" not in text:
        change = {"sliding_window": change["sliding_window"]}
    rope = change.get("rope_scaling")
    if rope and "factor" not in rope:
        pairs = int(text.get("head_dim") or text.get("hidden_size", 64) // text.get("num_attention_heads", 4)) // 2
        pairs = int(pairs * text.get("partial_rotary_factor", 1.0))
        rope = change["rope_scaling"] = rope | {"short_factor": [1.0 + 0.1 * i for i in range(pairs)], "long_factor": [2.0 + 0.3 * i for i in range(pairs)]}
    if rope and isinstance(text.get("rope_parameters"), dict):
        theta = text["rope_parameters"].get("rope_theta", text.get("rope_theta"))
        text["rope_parameters"] = rope | ({"rope_theta": theta} if theta else {})
        change.pop("rope_scaling")
        if "full_attention" in json.loads((source / "config.json").read_text()).get("rope_parameters", {}):
            return False
    elif not plain and all(text.get(key, "none") == value for key, value in change.items()):
        return False
    change |= BASE.get(source.name, {})
    if "layer_types" in text and "num_hidden_layers" in change:
        text["layer_types"] = [text["layer_types"][i % len(text["layer_types"])] for i in range(change["num_hidden_layers"])]
    if "no_rope_layers" in change:
        change["no_rope_layers"] = change["no_rope_layers"][: text["num_hidden_layers"]]
    text.update(change)
    tensors = load_file(source / "model.safetensors")
    if change:
        reshape(tensors, config, change)
    out.mkdir(parents=True)
    save_file({n: t.contiguous() for n, t in tensors.items()}, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(LLAMA / name, out / name)
    return True


def last(done):
    return ((done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def attempt(assay, source, change, work, text):
    """One row: what became of it, and whether that is right."""
    shutil.rmtree(work, ignore_errors=True)
    if not folder(source, change, work / "folder"):
        return None
    file = work / "model.gguf"
    done = subprocess.run([assay, "quantize", work / "folder", "--to", "f32", "-o", file, "--no-error", "-q"], capture_output=True, text=True)
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}", False
    if done.returncode != 0:
        return "refused: " + re.sub(r"^.*?GGUF", "GGUF", last(done)), True
    theirs = subprocess.run([sys.executable, __file__, "--score", file, text], capture_output=True, text=True)
    found = re.search(r"^perplexity (\S+)", theirs.stdout, re.M)
    if not found:
        reasons = [line for line in theirs.stderr.splitlines() if re.search(r"error|ASSERT|missing|wrong|does not", line)]
        return "llama.cpp: " + (reasons or [last(theirs)])[0], False
    inspected = subprocess.run([assay, "inspect", file, "--json"], capture_output=True, text=True)
    differs = json.loads(inspected.stdout)["differences"]
    measured, right = [], True
    for arithmetic, tolerance in (("deployed", NEAR),) if differs else (("reference", EXACT), ("deployed", NEAR)):
        ours = subprocess.run([assay, "perplexity", file, "--text", text, "--context", str(CONTEXT), "--chunks", str(CHUNKS), "--arithmetic",
                               arithmetic, "--json", "-q"], capture_output=True, text=True)
        if ours.returncode != 0:
            return "assay: " + last(ours), False
        apart = abs(json.loads(ours.stdout)["perplexity"] / float(found[1]) - 1)
        measured.append(f"{arithmetic} {apart:.1e}")
        right = right and apart < tolerance
    return f"{float(found[1]):.4f}; apart: {', '.join(measured)}. {'; '.join(differs)}", right


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("assay")
    p.add_argument("--only", default="", help="models whose name holds this")
    p.add_argument("--change", default="", help="changes whose name holds this")
    p.add_argument("--plain", action="store_true", help="the models as they are")
    options = p.parse_args()
    sources = {"llama": LLAMA} | {f.name: f for f in sorted((GOLDEN / "models").iterdir()) if not (f / "quantization_config.json").exists()}
    wrong = tried = 0
    print("| model | changed | |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        work, text = pathlib.Path(scratch), pathlib.Path(scratch) / "text.txt"
        text.write_text((pathlib.Path(__file__).parents[2] / "README.md").read_text()[:4000])
        for name, source in sources.items():
            if options.only not in name:
                continue
            changes = EVERYWHERE[:1] if options.plain else EVERYWHERE + SPECIAL.get(name, [])
            for what, change in changes:
                if options.change not in what:
                    continue
                try:
                    row = attempt(options.assay, source, change, work / "model", text)
                except (KeyError, StopIteration, TypeError, RuntimeError) as error:
                    row = (f"not tried: {type(error).__name__} {error}", False)
                if row is None:
                    continue
                tried += 1
                wrong += not row[1]
                print(f"| {name} | {what} | {'' if row[1] else '**WRONG** '}{row[0]} |", flush=True)
    print(f"\n{tried} tried, {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    score(*sys.argv[2:]) if sys.argv[1:2] == ["--score"] else main()
