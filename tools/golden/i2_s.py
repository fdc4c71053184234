#!/usr/bin/env python3
"""A GGUF file with I2_S matrices as bitnet.cpp packs them: tests/golden/checkpoint/i2_s.gguf and i2_s.json.

    python3 tools/golden/i2_s.py BITNET/utils/convert-bitnet-embedding-to-gguf.py      (needs numpy, torch, gguf, transformers)

The packing is that of the script's own quantize_to_i2_s (microsoft/BitNet); the container is written by hand, since llama.cpp's gguf
package does not know the type. i2_s.json has the SHA-256 of the float32 weights that the codes stand for, in the order of the file.
"""

import hashlib
import importlib.util
import json
import pathlib
import struct
import sys

import numpy

OUT = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "checkpoint"
WIDTH, I2_S, FILE_TYPE = 128, 36, 40


def packer(path):
    spec = importlib.util.spec_from_file_location("bitnet_converter", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bitnet_converter"] = module
    spec.loader.exec_module(module)
    return module.quantize_to_i2_s


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def metadata():
    tokens = ["<s>", "a", "b", "c", "d", "e", "ab", "cd"]
    string = lambda value: struct.pack("<I", 8) + text(value)
    number = lambda value: struct.pack("<II", 4, value)
    strings = lambda values: struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(v) for v in values)
    return {
        "general.architecture": string("llama"), "general.file_type": number(FILE_TYPE), "llama.block_count": number(1),
        "llama.context_length": number(16), "llama.embedding_length": number(WIDTH), "llama.feed_forward_length": number(WIDTH),
        "llama.attention.head_count": number(2), "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", 6, 1e-5),
        "tokenizer.ggml.model": string("gpt2"), "tokenizer.ggml.pre": string("gpt-2"), "tokenizer.ggml.tokens": strings(tokens),
        "tokenizer.ggml.token_type": struct.pack("<IIQ8i", 9, 5, 8, 3, *[1] * 7), "tokenizer.ggml.merges": strings(["a b", "c d"]),
        "tokenizer.ggml.eos_token_id": number(0),
    }


def main():
    pack = packer(sys.argv[1])
    generator = numpy.random.default_rng(3)
    tensors, digest = [], hashlib.sha256()
    matrix = lambda rows: (generator.standard_normal((rows, WIDTH)) * 0.05).astype("<f4")
    tensors.append(("token_embd.weight", (8, WIDTH), 0, matrix(8).tobytes()))
    for name in ("attn_norm", "ffn_norm"):
        tensors.append((f"blk.0.{name}.weight", (WIDTH,), 0, numpy.ones(WIDTH, "<f4").tobytes()))
    tensors.append(("output_norm.weight", (WIDTH,), 0, numpy.ones(WIDTH, "<f4").tobytes()))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        weight = matrix(WIDTH)
        scale = numpy.float32(max(numpy.abs(weight.flatten()).mean(), 1e-5))
        codes = numpy.round(weight.flatten() * (1.0 / scale)).clip(-1, 1)
        digest.update((codes.astype("<f4") * scale + 0.0).astype("<f4").tobytes())
        tensors.append((f"blk.0.{name}.weight", (WIDTH, WIDTH), I2_S, pack(weight).tobytes()))
    entries = metadata()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(text(k) + v for k, v in entries.items())
    data = b""
    for name, shape, kind, raw in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, len(data))
        data += raw + b"\0" * (-len(raw) % 32)
    head += b"\0" * (-len(head) % 32)
    (OUT / "i2_s.gguf").write_bytes(head + data)
    (OUT / "i2_s.json").write_text(json.dumps({
        "provenance": "python3 tools/golden/i2_s.py with quantize_to_i2_s of microsoft/BitNet 16da220, numpy " + numpy.__version__,
        "sha256": digest.hexdigest()}) + "\n")


if __name__ == "__main__":
    main()
