#!/usr/bin/env python3
"""Makes tests/golden/format/: what independent implementations say about number and block formats.

  python tools/golden/format.py --ggml PATH/libggml-base.so --model SmolLM2-135M-Instruct.Q4_1.gguf

Needs numpy, ml_dtypes, gguf, torch, compressed-tensors, bitsandbytes and a build of llama.cpp's libggml-base. The model gives some rows of
real weights (Apache-2.0). Prints nothing; the provenance line in golden.json names the versions.
"""

import argparse
import ctypes
import hashlib
import importlib.metadata
import json
import pathlib
import sys

sys.path = [p for p in sys.path if p != str(pathlib.Path(__file__).resolve().parent)]  # a neighbour is called statistics.py

import gguf
import ml_dtypes
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "format"
ROWS, COLS = 40, 512
REGULAR_ROWS = 32  # the rest are edge cases

# name here: (ggml name, bytes of a block, weights of a block, offsets of F16 fields)
GGUF = {
    "q4_0": ("Q4_0", 18, 32, [0]),
    "q4_1": ("Q4_1", 20, 32, [0, 2]),
    "q5_0": ("Q5_0", 22, 32, [0]),
    "q5_1": ("Q5_1", 24, 32, [0, 2]),
    "q8_0": ("Q8_0", 34, 32, [0]),
    "q2_k": ("Q2_K", 84, 256, [80, 82]),
    "q3_k": ("Q3_K", 110, 256, [108]),
    "q4_k": ("Q4_K", 144, 256, [0, 2]),
    "q5_k": ("Q5_K", 176, 256, [0, 2]),
    "q6_k": ("Q6_K", 210, 256, [208]),
    "iq4_nl": ("IQ4_NL", 18, 32, [0]),
}
EXACT = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def stream(n, state=1):
    """The test's own sequence of 32-bit patterns."""
    out = np.empty(n, np.uint32)
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state
    return out


def numbers():
    """SHA-256 of all decoded values (NaN as 7fc00000, sign dropped) and of the codes of patterned values."""
    result = {}
    dtypes = {
        "f16": (np.float16, np.uint16, 65536), "bf16": (ml_dtypes.bfloat16, np.uint16, 65536),
        "fp8_e4m3": (ml_dtypes.float8_e4m3fn, np.uint8, 256), "fp8_e5m2": (ml_dtypes.float8_e5m2, np.uint8, 256),
        "e8m0": (ml_dtypes.float8_e8m0fnu, np.uint8, 256), "fp4_e2m1": (ml_dtypes.float4_e2m1fn, np.uint8, 16),
    }
    bits = stream(100000)
    for name, (dtype, code_type, n) in dtypes.items():
        values = np.arange(n).astype(code_type).view(dtype).astype(np.float32)
        decoded = values.view(np.uint32).copy()
        decoded[np.isnan(values)] = 0x7FC00000
        largest = float(ml_dtypes.finfo(dtype).max)
        # Patterned values near the format's range: exponents from a few octaves below its smallest to its largest value.
        low = max(float(np.log2(float(ml_dtypes.finfo(dtype).smallest_subnormal))), -140) - 3
        if name == "e8m0":
            low = -126.0  # below lie float32 subnormals, where ml_dtypes does not round to nearest
        exponents = np.floor(low + (bits >> 8 & 0xFFFF) / 65536.0 * (np.log2(largest) - low)).astype(np.int32)
        x = np.ldexp(1.0 + (bits & 0xFF) / 256.0 + (bits >> 24) / 65536.0 / 256.0, exponents).astype(np.float32)
        x = np.minimum(x, np.float32(largest))
        if name != "e8m0":
            x = np.where(bits >> 7 & 1, -x, x)
        codes = x.astype(dtype).view(code_type)
        result[name] = {"decoded_sha256": sha(decoded), "inputs_sha256": sha(x), "codes_sha256": sha(codes), "low": low}
    return result


def shared_weights(model):
    """[ROWS, COLS] float32 exactly representable in bfloat16; rows REGULAR_ROWS … are edge cases."""
    rng = np.random.default_rng(20261122)
    w = np.zeros((ROWS, COLS), np.float32)
    reader = gguf.GGUFReader(model)
    tensors = {t.name: t for t in reader.tensors}
    names = ["blk.0.attn_q.weight", "blk.7.attn_output.weight", "blk.13.ffn_up.weight", "blk.29.attn_v.weight"]
    for i, name in enumerate(names):
        t = tensors[name]
        full = gguf.dequantize(t.data, t.tensor_type).reshape(t.shape[1], t.shape[0])
        w[4 * i:4 * i + 4] = full[10:14, :COLS]
    w[16:24] = rng.standard_normal((8, COLS)) * 0.02
    w[24:32] = rng.standard_t(4, (8, COLS)) * 0.05
    edge = w[32:]
    edge[0] = 0.0
    edge[1] = 0.37
    edge[2] = -1.25
    edge[3] = np.where(np.arange(COLS) % 2, 1.0, -1.0)
    edge[4] = np.where(np.arange(COLS) % 37 == 0, 96.0, rng.standard_normal(COLS) * 1e-3)
    edge[5] = rng.standard_normal(COLS) * 1e-30
    edge[6] = rng.standard_normal(COLS) * 8000
    edge[7, :256] = np.arange(256) / 256.0
    edge[7, 256:] = -np.arange(256) / 64.0
    w[0, 32:64] = 0.0
    w[17, 64:96] = -0.0
    return w.astype(ml_dtypes.bfloat16).astype(np.float32)


def importance():
    rng = np.random.default_rng(7)
    return rng.lognormal(0, 1.5, COLS).astype(ml_dtypes.bfloat16).astype(np.float32)


class Ggml:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                                 ctypes.c_int64, ctypes.c_void_p]

    def quantize(self, kind, w, imatrix=None):
        kind = gguf.GGMLQuantizationType[kind]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        out = np.zeros(w.size // block * size, np.uint8)
        w = np.ascontiguousarray(w, np.float32)
        self.lib.ggml_quantize_init(int(kind))
        written = self.lib.ggml_quantize_chunk(int(kind), w.ctypes.data, out.ctypes.data, 0, w.shape[0], w.shape[1],
                                               None if imatrix is None else imatrix.ctypes.data)
        assert written == out.size
        return out


def errors(w, decoded, imp):
    """Sums of squared errors over the regular rows: plain, weighted by |x|, weighted by importance * sqrt(mean square of the row + x²)."""
    w = w[:REGULAR_ROWS].astype(np.float64)
    e = (decoded[:REGULAR_ROWS] - w) ** 2
    root = np.sqrt((w ** 2).mean(axis=1, keepdims=True) + w ** 2)
    return {"plain": e.sum(), "magnitude": (np.abs(w) * e).sum(), "importance": (imp * root * e).sum()}


def gguf_formats(ggml, w, imp):
    decode, encode, searched = {}, {}, {}
    rng = np.random.default_rng(99)
    for name, (kind, size, block, halves) in GGUF.items():
        n = 68
        raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
        for offset in halves:
            scale = (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 3, n)).astype(np.float16)
            raw[:, offset:offset + 2] = scale.view(np.uint8).reshape(n, 2)
        raw[64], raw[65] = 0, 255
        for offset in halves:  # zero scale; largest finite; smallest subnormal; negative zero
            raw[65, offset:offset + 2] = np.array([0x7BFF], np.uint16).view(np.uint8)
            raw[66, offset:offset + 2] = np.array([0x0001], np.uint16).view(np.uint8)
            raw[67, offset:offset + 2] = np.array([0x8000], np.uint16).view(np.uint8)
        raw.tofile(OUT / f"{name}.blocks")
        values = gguf.dequantize(raw, gguf.GGMLQuantizationType[kind]).astype(np.float32)
        decode[name] = {"blocks": n, "decoded_sha256": sha(values + 0.0), "first": [float(v) for v in values[0, :8]]}
        for key, weights in (("none", None), ("importance", imp)):
            codes = ggml.quantize(kind, w, weights)
            if name in EXACT and weights is None:
                encode[name] = {"codes_sha256": sha(codes), "first_row": codes[:codes.size // ROWS].tobytes().hex()}
            if name not in EXACT or (weights is not None and name != "q8_0"):
                back = gguf.dequantize(codes.reshape(ROWS, -1), gguf.GGMLQuantizationType[kind])
                searched.setdefault(name, {})[key] = errors(w, back, imp)
    return decode, encode, searched


def ct_args(**kwargs):
    from compressed_tensors.quantization import QuantizationArgs
    return QuantizationArgs(**kwargs)


def compressed_tensors_formats(w):
    """Codes and scales of compressed-tensors: scales as for a bfloat16 model, codes by these scales in float32."""
    import torch
    from compressed_tensors.compressors.nvfp4.helpers import pack_fp4_to_uint8
    from compressed_tensors.compressors.mx_utils import compress_mx_scale, decompress_mx_scale
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
    from compressed_tensors.quantization.utils.helpers import calculate_qparams, generate_gparam

    x = torch.from_numpy(w)
    out = {}

    def groups(t, size):
        return t.unflatten(-1, (t.shape[-1] // size, size))

    def record(name, codes, scales, decoded, **extra):
        out[name] = {"codes_sha256": sha(codes), "scales_sha256": sha(scales), "decoded_sha256": sha(decoded + 0.0),
                     "first_row": np.ascontiguousarray(codes[0]).tobytes().hex(), **extra}

    for name, args in (("fp8_channel", ct_args(num_bits=8, type="float", strategy="channel")),
                       ("int8_channel", ct_args(num_bits=8, type="int", strategy="channel"))):
        b = x.to(torch.bfloat16)
        scale, zero = calculate_qparams(b.amin(-1, keepdim=True), b.amax(-1, keepdim=True), args)
        assert scale.dtype == torch.bfloat16
        scale = scale.float()
        dtype = torch.float8_e4m3fn if name == "fp8_channel" else torch.int8
        q = quantize(x, scale, None, args, dtype=dtype)
        native = quantize(b, scale.to(torch.bfloat16), None, args, dtype=dtype)
        differ = (q.view(torch.uint8) != native.view(torch.uint8)).float().mean().item()
        record(name, q.view(torch.uint8).numpy(), scale.numpy(), dequantize(q.float(), scale, None, args).numpy(),
               bfloat16_arithmetic_differs=differ)
    for size in (128, 64, 32):
        args = ct_args(num_bits=4, type="int", strategy="group", group_size=size)
        b = groups(x.to(torch.bfloat16), size)
        scale, zero = calculate_qparams(b.amin(-1), b.amax(-1), args)
        native = quantize(x.to(torch.bfloat16), scale, None, args, dtype=torch.int8)
        scale = scale.float()
        q = quantize(x, scale, None, args, dtype=torch.int8)
        record(f"int4_g{size}", pack_to_int32(q, 4).numpy(), scale.numpy(), dequantize(q, scale, None, args).numpy(),
               bfloat16_arithmetic_differs=(q != native).float().mean().item())

    args = ct_args(num_bits=4, type="float", strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn,
                   zp_dtype=torch.float8_e4m3fn)
    divisor = generate_gparam(x.amin(), x.amax())
    g = groups(x, 16)
    scale, zero = calculate_qparams(g.amin(-1), g.amax(-1), args, global_scale=divisor)
    q = quantize(x, scale, None, args, global_scale=divisor)
    packed = pack_fp4_to_uint8(q)
    record("nvfp4", packed.numpy(), scale.to(torch.float8_e4m3fn).view(torch.uint8).numpy(),
           dequantize(q, scale, None, args, dtype=torch.float32, global_scale=divisor).numpy(), global_divisor=float(divisor))

    args = ct_args(num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8, zp_dtype=torch.uint8)
    g = groups(x, 32)
    scale, zero = calculate_qparams(g.amin(-1), g.amax(-1), args)
    q = quantize(x, scale, None, args)
    stored = compress_mx_scale(scale, torch.uint8)
    assert torch.equal(decompress_mx_scale(stored).float(), scale)
    record("mxfp4", pack_fp4_to_uint8(q).numpy(), stored.numpy(), dequantize(q, scale, None, args, dtype=torch.float32).numpy())
    return out


def bitsandbytes_formats(w):
    import torch
    import bitsandbytes.functional as bnb
    out = {}
    for name, x in (("nf4", w), ("nf4_odd", w[:5, :101])):  # 505 weights: a short last block, an odd last weight
        packed, state = bnb.quantize_4bit(torch.from_numpy(np.ascontiguousarray(x)), blocksize=64, quant_type="nf4")
        decoded = bnb.dequantize_4bit(packed, state)
        out[name] = {"codes_sha256": sha(packed.numpy()), "scales_sha256": sha(state.absmax.numpy()),
                     "decoded_sha256": sha(decoded.numpy() + 0.0), "first_row": packed.numpy().reshape(-1)[:50].tobytes().hex()}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ggml", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    w, imp = shared_weights(options.model), importance()
    w.astype(ml_dtypes.bfloat16).tofile(OUT / "weights.bf16")
    imp.astype(ml_dtypes.bfloat16).tofile(OUT / "importance.bf16")
    decode, encode, searched = gguf_formats(Ggml(options.ggml), w, imp)
    versions = {p: importlib.metadata.version(p) for p in ("numpy", "ml_dtypes", "gguf", "torch", "compressed-tensors", "bitsandbytes")}
    golden = {
        "provenance": "tools/golden/format.py; " + ", ".join(f"{k} {v}" for k, v in versions.items()) +
                      "; libggml-base of llama.cpp as in the source package llama-cpp-python 0.3.36; "
                      "real rows from SmolLM2-135M-Instruct Q4_1 (Apache-2.0) rounded to bfloat16",
        "rows": ROWS, "cols": COLS, "regular_rows": REGULAR_ROWS,
        "numbers": numbers(), "gguf_decode": decode, "gguf_encode": encode, "ggml_error": searched,
        "planes": {**compressed_tensors_formats(w), **bitsandbytes_formats(w)},
    }
    (OUT / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
