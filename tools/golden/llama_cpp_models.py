#!/usr/bin/env python3
"""Makes tests/golden/checkpoint/*_llama_cpp.gguf: tiny models of tests/golden/models as llama.cpp's own converter writes them (BF16).

deepseek_v2_old_llama_cpp.gguf is that converter's file with the two projections out of the latent space joined and the sizes stated as
before attention.key_length_mla was introduced. The FP8 linears of deepseek_v4_fp4 become the BF16 that has the same values, for the converter
would round them to Q8_0.

usage: llama_cpp_models.py LLAMA_CPP_SOURCE [NAME …]

The shared tokenizer's expression is not among those that the converter recognizes: it is told one. Needs torch, transformers, and the gguf
package of that source tree. Made with the tree inside the source package llama-cpp-python 0.3.36."""

import runpy
import shutil
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


def join_latent(made, out):
    import gguf
    import numpy

    reader = gguf.GGUFReader(made)
    writer = gguf.GGUFWriter(out, "deepseek2")

    def number(key):
        return int(reader.fields["deepseek2." + key].contents())

    heads, rank, rope = number("attention.head_count"), number("attention.kv_lora_rank"), number("rope.dimension_count")
    changed = {"attention.head_count_kv": heads, "attention.key_length": number("attention.key_length_mla"),
               "attention.value_length": number("attention.value_length_mla")}
    assert number("attention.key_length") == rank + rope
    for name, field in reader.fields.items():
        key = name.removeprefix("deepseek2.")
        if name.startswith("GGUF.") or name == "general.architecture" or key.endswith("_length_mla"):
            continue
        if key in changed:
            writer.add_uint32(name, changed[key])
            continue
        sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub)
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def values(tensor):
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tuple(int(n) for n in reversed(tensor.shape)))

    for name, tensor in tensors.items():
        if name.endswith("attn_v_b.weight"):
            continue
        if name.endswith("attn_k_b.weight"):
            keys = values(tensor).transpose(0, 2, 1)  # [heads, nope, rank]
            both = numpy.concatenate([keys, values(tensors[name.replace("attn_k_b", "attn_v_b")])], 1)
            writer.add_tensor(name.replace("attn_k_b", "attn_kv_b"), numpy.ascontiguousarray(both.reshape(-1, rank)))
        else:
            writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def without_fp8(folder):
    import safetensors.torch
    import torch

    path = Path(folder) / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    for name in [name for name in tensors if name.endswith(".scale")]:
        weight = tensors[name.removesuffix(".scale") + ".weight"]
        if weight.dtype == torch.float8_e4m3fn:
            exact = weight.float() * tensors.pop(name).float().repeat_interleave(128, 0)[:len(weight)]
            tensors[name.removesuffix(".scale") + ".weight"] = exact.bfloat16()
            assert torch.equal(exact.bfloat16().float(), exact)
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def main():
    source = Path(sys.argv[1])
    sys.path[:0] = [str(source), str(source / "gguf-py")]
    import transformers
    from conversion import base, deci, gemma

    gemma.Gemma4Model.set_vocab = gemma.Gemma4Model._set_vocab_gpt2  # of the shared tokenizer
    deci.DeciModel.set_vocab = deci.DeciModel._set_vocab_gpt2
    transformers.AutoTokenizer.from_pretrained = lambda folder, **_: transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "llama-bpe"
    names = sys.argv[2:] or ["qwen3_5_images", "qwen3_next", "deepseek_v2", "deepseek_v4_fp4", "ministral3", "granite4_h", "gemma3n", "gemma4", "gemma4_moe", "deci"]
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            for file in ("config.json", "model.safetensors"):
                shutil.copy(GOLDEN / "models" / name / file, scratch)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(GOLDEN / "checkpoint" / "tiny_llama" / file, scratch)
            if name == "deepseek_v4_fp4":
                without_fp8(scratch)
            old = name == "deepseek_v2"
            out = Path(scratch) / "made.gguf" if old else GOLDEN / "checkpoint" / f"{name}_llama_cpp.gguf"
            sys.argv = ["convert_hf_to_gguf.py", scratch, *(["--no-mtp"] if name.startswith(("qwen3", "deepseek_v4")) else []), "--outtype", "bf16", "--model-name", name,
                        "--outfile", str(out)]
            runpy.run_path(str(source / "convert_hf_to_gguf.py"), run_name="__main__")
            if old:
                join_latent(out, GOLDEN / "checkpoint" / f"{name}_old_llama_cpp.gguf")


if __name__ == "__main__":
    main()
