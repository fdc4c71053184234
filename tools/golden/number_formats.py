#!/usr/bin/env python3
"""Makes tests/golden/format/numbers.json: what independent implementations say about every code of the number formats
and about the rounding of a dense set of values.

  python tools/golden/number_formats.py

Needs numpy, ml_dtypes, torch and bitsandbytes (on a CPU). Floats: ml_dtypes' casts, with what it turns into NaN or
infinity replaced by the largest code where the format saturates. Integers: numpy's rint and clip. Code books:
bitsandbytes' own tables and its default (torch) kernels. The provenance line names the versions.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

sys.path = [p for p in sys.path if p != str(pathlib.Path(__file__).resolve().parent)]

import bitsandbytes.functional as bnb
import ml_dtypes
import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "format" / "numbers.json"
f32 = np.float32

FLOATS = {
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "fp8_e4m3": ml_dtypes.float8_e4m3fn, "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "fp8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "fp6_e3m2": ml_dtypes.float6_e3m2fn, "fp6_e2m3": ml_dtypes.float6_e2m3fn, "fp4_e2m1": ml_dtypes.float4_e2m1fn,
}
SATURATING = [n for n in FLOATS if n.startswith("fp")]
BITS = {"f16": 16, "bf16": 16, "fp6_e3m2": 6, "fp6_e2m3": 6, "fp4_e2m1": 4}


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def stream(n, state=1):
    out = np.empty(n, np.uint32)
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state
    return out


BITSTREAM = stream(60000)


def inputs(values):
    """Every value, every midpoint of neighbours, the float neighbours of these, and patterned values from two octaves below
    the smallest to two above the largest magnitude."""
    finite = np.unique(values[np.isfinite(values)].astype(f32) + f32(0))
    middle = ((finite[1:].astype(np.float64) + finite[:-1].astype(np.float64)) / 2).astype(f32)
    middle = middle[np.isfinite(middle)]
    up, down = np.nextafter(middle, f32(np.inf)), np.nextafter(middle, f32(-np.inf))
    magnitude = np.abs(finite[finite != 0])
    low, high = np.log2(float(magnitude.min())) - 2, min(np.log2(float(magnitude.max())) + 2, 127.9)
    low = max(low, -126.0)
    exponent = np.floor(low + (BITSTREAM >> 8 & 0xFFFF) / 65536.0 * (high - low)).astype(np.int32)
    x = np.ldexp(1.0 + (BITSTREAM & 0xFF) / 256.0 + (BITSTREAM >> 24) / 65536.0 / 256.0, exponent).astype(f32)
    x = np.where(BITSTREAM >> 7 & 1, -x, x)
    return np.concatenate([finite, middle, up, down, x]).astype(f32), float(low), float(high)


def record(values, encode, code_type, x=None):
    decoded = values.astype(f32).view(np.uint32).copy()
    decoded[np.isnan(values)] = 0x7FC00000
    x, low, high = inputs(values)
    return {"decoded_sha256": sha(decoded), "low": low, "high": high, "n": int(x.size), "inputs_sha256": sha(x),
            "codes_sha256": sha(encode(x).astype(code_type))}


def floats(result):
    for name, dtype in FLOATS.items():
        bits = BITS.get(name, 8)
        code_type = np.uint16 if bits == 16 else np.uint8
        values = np.arange(1 << bits).astype(code_type).view(dtype).astype(f32)
        largest = values[np.isfinite(values)].max()
        top = int(np.flatnonzero(values == largest)[0])

        def cast(x):
            with np.errstate(over="ignore"):
                return x.astype(dtype).view(code_type)

        def saturated(x):
            codes = cast(x)
            broken = ~np.isfinite(values[codes])
            return np.where(broken, top | (np.signbit(x).astype(code_type) << (bits - 1)), codes)

        result[name] = record(values, saturated if name in SATURATING else cast, code_type)
        if name in ("fp8_e4m3", "fp8_e5m2"):
            result[name]["overflowing_sha256"] = sha(cast(inputs(values)[0]))


def integers(result):
    for bits in range(2, 9):
        half = 1 << (bits - 1)
        codes = np.arange(1 << bits)
        signed = np.where(codes < half, codes, codes - 2 * half).astype(f32)
        result[f"int{bits}"] = record(signed, lambda x: np.clip(np.rint(x), -half, half - 1).astype(int) & (2 * half - 1), np.uint8)
        result[f"uint{bits}"] = record(codes.astype(f32), lambda x: np.clip(np.rint(x), 0, 2 * half - 1), np.uint8)
    codes = np.arange(256)
    mx = (codes.astype(np.uint8).view(np.int8) / 64.0).astype(f32)
    result["mxint8"] = record(mx, lambda x: np.clip(np.rint(x.astype(np.float64) * 64), -127, 127).astype(int) & 255, np.uint8)
    result["ternary"] = record(np.array([-1, 0, 1, 2], f32), lambda x: np.clip(np.rint(x), -1, 1) + 1, np.uint8)


def code_books(result):
    def four(kind):
        def encode(x):
            # Blocks of 64 that begin with 1, so that their scale is 1; values beyond ±1 saturate before.
            x = np.clip(x, -1, 1)
            x = np.pad(x, (0, -x.size % 63))
            blocks = np.concatenate([np.ones((x.size // 63, 1), f32), x.reshape(-1, 63)], axis=1)
            packed, state = bnb.quantize_4bit(torch.from_numpy(blocks), blocksize=64, quant_type=kind)
            assert (state.absmax == 1).all()
            packed = packed.numpy().reshape(-1)
            codes = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1, 64)[:, 1:].reshape(-1)
            return codes

        def exact(x):
            return encode(x)[:x.size]
        return exact

    for name, kind in (("nf4", "nf4"), ("bnb_fp4", "fp4")):
        result[name] = record(bnb.get_4bit_type(kind, device="cpu").numpy(), four(kind), np.uint8)
    default = torch._C.DispatchKey.CompositeExplicitAutograd
    for name, signed in (("bnb_dynamic8", True), ("bnb_dynamic8_unsigned", False)):
        code = bnb.create_dynamic_map(signed=signed)

        def encode(x):
            x = np.clip(x, -1, 1)
            x = np.pad(x, (0, -x.size % 255))
            blocks = np.concatenate([np.ones((x.size // 255, 1), f32), x.reshape(-1, 255)], axis=1)
            q, absmax = torch.ops.bitsandbytes.quantize_blockwise.default._op_dk(default, torch.from_numpy(blocks), code, 256)
            assert (absmax == 1).all()
            return q.numpy()[:, 1:].reshape(-1)

        result[name] = record(code.numpy(), lambda x: encode(x)[:x.size], np.uint8)


def main():
    result = {}
    floats(result)
    integers(result)
    code_books(result)
    versions = {p: importlib.metadata.version(p) for p in ("numpy", "ml_dtypes", "torch", "bitsandbytes")}
    golden = {"provenance": "tools/golden/number_formats.py; " + ", ".join(f"{k} {v}" for k, v in versions.items()), "numbers": result}
    OUT.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
