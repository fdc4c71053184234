#!/usr/bin/env python3
"""Do the libraries that own a container and this program read each other's checkpoints to the same weights, bit for bit?

    python3 tools/interop/check.py LIBRARY --assay build/assay [--work FOLDER]

LIBRARY: compressed-tensors, bitsandbytes, gptqmodel, auto-round, hqq, transformers or modelopt; run it in an environment that
has the library (and gguf, safetensors, numpy). Prints a table, a row per scheme and direction:

  read   the library packs a tiny Llama's matrices, `assay quantize --to f32` decodes the checkpoint (two shards with an index),
         and the float32 weights are compared with the library's own
  write  `assay quantize` (and `assay convert`) write the checkpoint, the library unpacks it, and its weights are compared with
         what assay decodes from its first output

and, with --load, also loads each written checkpoint with transformers and compares its logits with those of the decoded
weights (activations are quantized in some schemes, so they differ a little). Exit status 1 when any row fails. Known failures of
the libraries, with files of their own making too: transformers 5.23 with compressed-tensors 0.20 expects unpacked zeros of
asymmetric pack-quantized modules; transformers 5.23 does not load HQQ checkpoints (HQQLinear.load_state_dict, which `write` uses,
does).
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import libraries

TINY = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "checkpoint" / "tiny_llama"
HIDDEN, FEED, HEADS, KV, DIM, VOCAB = 128, 256, 2, 1, 64, 272
SHAPES = {"self_attn.q_proj": (HEADS * DIM, HIDDEN), "self_attn.k_proj": (KV * DIM, HIDDEN), "self_attn.v_proj": (KV * DIM, HIDDEN),
          "self_attn.o_proj": (HIDDEN, HEADS * DIM), "mlp.gate_proj": (FEED, HIDDEN), "mlp.up_proj": (FEED, HIDDEN),
          "mlp.down_proj": (HIDDEN, FEED)}
GGUF = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
# What is written and tried with each library: preset, container ("" is the preset's own).
WRITES = {
    "compressed-tensors": [("int4-g128", ""), ("int8", ""), ("int8-w8a8", ""), ("fp8", ""), ("nvfp4", ""), ("mxfp4", ""),
                           ("int4-g128-asym", ""), ("int3-g128", ""), ("fp8-block", ""), ("mxfp8", "")],
    "bitsandbytes": [("nf4", ""), ("nf4", "bitsandbytes-nested"), ("bnb-fp4", ""), ("llm-int8", "")],
    "gptqmodel": [("int4-g128", "gptq"), ("int4-g128", "gptq_v2"), ("int4-g128-asym", "gptq_v2"), ("int3-g128", "gptq"),
                  ("int8", "gptq"), ("int4-g128", "awq"), ("int4-g128-asym", "awq")],
    "auto-round": [("int4-g128", "auto-round"), ("int4-g128-asym", "auto-round")],
    "hqq": [("int4-g128", "hqq"), ("int4-g128-asym", "hqq"), ("int3-g128", "hqq")],
    "transformers": [("ternary", "bitnet"), ("fp8-block", "fp8")],
    "modelopt": [("int4-g128", "modelopt"), ("nvfp4", "modelopt")],
}


def config_json():
    config = json.loads((TINY / "config.json").read_text())
    config.update(hidden_size=HIDDEN, intermediate_size=FEED, num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=DIM,
                  num_hidden_layers=1)
    return config


def weights():
    generator = torch.Generator().manual_seed(5)
    out = {}
    for module, shape in SHAPES.items():
        weight = (torch.randn(shape, generator=generator) * 0.1).to(torch.bfloat16)
        weight[0, 3], weight[1] = 1.5, weight[1] * 0.01
        out[module] = weight
    return out


def save(folder, tensors, quantization, sidecars, dtype=torch.bfloat16):
    """A checkpoint in two shards."""
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(TINY / name, folder / name)
    generator = torch.Generator().manual_seed(6)
    plain = {f"model.layers.0.{n}.weight": torch.ones(HIDDEN, dtype=dtype) for n in ("input_layernorm", "post_attention_layernorm")}
    plain["model.norm.weight"] = torch.ones(HIDDEN, dtype=dtype)
    plain["model.embed_tokens.weight"] = torch.randn((VOCAB, HIDDEN), generator=generator).to(dtype)
    shards = {"model-00001-of-00002.safetensors": plain, "model-00002-of-00002.safetensors": tensors}
    for name, part in shards.items():
        save_file({k: v.contiguous().clone() for k, v in part.items()}, folder / name, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {k: name for name, part in shards.items() for k in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = config_json()
    if quantization:
        config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config, default=str))
    for name, value in sidecars.items():
        (folder / name).write_text(json.dumps(value))


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])


def decoded(assay, folder, work):
    """What assay makes of a checkpoint: float32 matrices in Hugging Face's order of rows."""
    import gguf

    path = work / "decoded.gguf"
    path.unlink(missing_ok=True)
    run(assay, "quantize", folder, "--to", "f32", "-o", path)
    tensors = {t.name: numpy.array(t.data) for t in gguf.GGUFReader(path).tensors}
    out = {}
    for module, name in GGUF.items():
        weight = tensors[f"blk.0.{name}.weight"].astype("<f4").reshape(SHAPES[module])
        if name in ("attn_q", "attn_k"):
            heads = weight.shape[0] // DIM
            weight = weight.reshape(heads, DIM // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)
        out[module] = weight
    return out


def compare(ours, theirs):
    different = total = 0
    for module in SHAPES:
        a, b = ours[module], theirs[module]
        different += int((a != b).sum())
        total += a.size
    return "equal" if different == 0 else f"{different} of {total} differ"


def check_read(variant, assay, work):
    folder = work / "theirs"
    shutil.rmtree(folder, ignore_errors=True)
    tensors, expected = {}, {}
    for module, weight in weights().items():
        packed = variant.pack(weight.clone())
        expected[module] = variant.unpack(packed).numpy()
        tensors.update({f"model.layers.0.{module}{suffix}": value for suffix, value in packed.items()})
    save(folder, tensors, variant.config, variant.sidecars)
    return compare(decoded(assay, folder, work), expected)


def load_tensors(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            tensors.update({key: file.get_tensor(key) for key in file.keys()})
    return tensors


def check_write(preset, container, assay, work):
    source, first, last = work / "source", work / "first", work / "last"
    for folder in (source, first, last):
        shutil.rmtree(folder, ignore_errors=True)
    save(source, {f"model.layers.0.{m}.weight": w for m, w in weights().items()}, None, {})
    run(assay, "quantize", source, "--to", preset, "-o", first)
    if container:
        run(assay, "convert", first, "--to", container, "-o", last)
    else:
        last = first
    tensors = load_tensors(last)
    unpack = libraries.reader(json.loads((last / "config.json").read_text())["quantization_config"])
    theirs = {}
    for module in SHAPES:
        prefix = f"model.layers.0.{module}"
        theirs[module] = unpack({k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix + ".")}).numpy()
    # Nested scales and the reciprocal of a global scale are rounded on the way: there the weights are those of the last output.
    return compare(decoded(assay, last if container == "bitsandbytes-nested" or (preset, container) == ("nvfp4", "modelopt") else first, work), theirs), last


def check_load(folder, assay, work, dtype=torch.float32):
    """transformers opens the folder and answers; the logits are those of the decoded weights."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map="cpu").eval()
    plain = work / "plain"
    shutil.rmtree(plain, ignore_errors=True)
    tensors = {f"model.layers.0.{m}.weight": torch.from_numpy(w.copy()) for m, w in decoded(assay, folder, work).items()}
    save(plain, tensors, None, {}, torch.bfloat16)
    reference = AutoModelForCausalLM.from_pretrained(plain, dtype=dtype).eval()
    ids = torch.arange(20, 52)[None]
    with torch.no_grad():
        a, b = model(ids).logits, reference(ids).logits
    return f"loads; logits differ by at most {float((a - b).abs().max() / b.abs().max()):.1e} of the largest"


def check_gpt_oss(assay, work):
    """Experts as gpt-oss packs them, against the same file with what transformers makes of them."""
    import gguf
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    source = TINY.parents[1] / "models" / "gpt_oss"
    config = json.loads((source / "config.json").read_text())
    config["intermediate_size"] = width = 32
    hidden, experts = config["hidden_size"], config["num_local_experts"]
    generator = torch.Generator().manual_seed(9)
    plain, packed = {}, {}
    for name, tensor in load_tensors(source).items():
        if name.endswith("gate_up_proj_bias"):
            tensor = torch.ones((experts, 2 * width), dtype=tensor.dtype)
        if not name.endswith((".gate_up_proj", ".down_proj")):
            plain[name] = packed[name] = tensor
            continue
        rows, cols = (2 * width, hidden) if "gate" in name else (hidden, width)
        blocks = torch.randint(0, 256, (experts, rows, cols // 32, 16), generator=generator, dtype=torch.uint8)
        scales = torch.randint(118, 126, (experts, rows, cols // 32), generator=generator, dtype=torch.uint8)
        packed[name + "_blocks"], packed[name + "_scales"] = blocks, scales
        plain[name] = convert_moe_packed_tensors(blocks, scales)
    found = []
    for folder, tensors, method in ((work / "oss_plain", plain, None), (work / "oss_packed", packed, {"quant_method": "mxfp4"})):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TINY / name, folder / name)
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config | ({"quantization_config": method} if method else {})))
        out = folder.with_suffix(".gguf")
        out.unlink(missing_ok=True)
        run(assay, "quantize", folder, "--to", "f32", "-o", out)
        found.append({t.name: numpy.array(t.data) for t in gguf.GGUFReader(out).tensors})
    different = [name for name in found[0] if not numpy.array_equal(found[0][name], found[1][name])]
    return f"{len(different)} tensors differ: {different[:3]}" if different else "equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=libraries.LIBRARIES)
    parser.add_argument("--assay", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--load", action="store_true")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    print(f"{libraries.versions(options.library)}")
    failed = False

    def row(direction, name, body):
        nonlocal failed
        try:
            result = body()
        except Exception as error:  # a row says what went wrong, the others go on
            result = f"{type(error).__name__}: {error}"
        failed |= result != "equal" and not result.startswith("loads")
        print(f"{direction:5}  {name:36}  {result}", flush=True)

    for variant in libraries.variants(options.library):
        row("read", variant.name, lambda: check_read(variant, options.assay, work))
    if options.library == "transformers":
        row("read", "gpt_oss_mxfp4", lambda: check_gpt_oss(options.assay, work))
    for preset, container in WRITES[options.library]:
        name = preset + (f" as {container}" if container else "")
        folder = []

        def write():
            result, last = check_write(preset, container, options.assay, work)
            folder.append(last)
            return result

        row("write", name, write)
        if options.load and folder:

            def load():
                try:
                    return check_load(folder[0], options.assay, work)
                except RuntimeError as error:  # kernels that compute in bfloat16 only
                    if "dtype" not in str(error):
                        raise
                    return check_load(folder[0], options.assay, work, torch.bfloat16) + " (bfloat16)"

            row("load", name, load)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
