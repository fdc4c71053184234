#!/usr/bin/env python3
"""Makes tests/golden/format/gguf/: what the reference implementations say about the GGUF formats of src/format/gguf/.

  python tools/golden/gguf_types.py --ggml PATH/libggml-base.so

Needs numpy, ml_dtypes, gguf and a build of llama.cpp's libggml-base; reads the sample of weights that tools/golden/format.py wrote. Blocks are decoded
by libggml-base and by the Python package where it knows the type, and both must agree. Prints nothing.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parents[1] / "tests" / "golden" / "format" / "gguf"
sys.path = [p for p in sys.path if p != str(HERE)] + [str(HERE)]  # last: neighbours have names of standard modules

import argparse
import ctypes
import importlib.metadata
import json

import format as shared  # tools/golden/format.py
import ml_dtypes
import numpy as np
from gguf import GGMLQuantizationType, dequantize

# name here: (ggml name, type id, bytes of a block, weights of a block, offsets of F16 fields)
TYPES = {
    "q8_k": ("q8_K", 15, 292, 256, []),
    "iq4_xs": ("iq4_xs", 23, 136, 256, [0]),
    "iq3_s": ("iq3_s", 21, 110, 256, [0]),
    "iq3_xxs": ("iq3_xxs", 18, 98, 256, [0]),
    "iq2_s": ("iq2_s", 22, 82, 256, [0]),
    "iq2_xs": ("iq2_xs", 17, 74, 256, [0]),
    "iq2_xxs": ("iq2_xxs", 16, 66, 256, [0]),
    "iq1_m": ("iq1_m", 29, 56, 256, []),
    "iq1_s": ("iq1_s", 19, 50, 256, [0]),
    "tq2_0": ("tq2_0", 35, 66, 256, [64]),
    "tq1_0": ("tq1_0", 34, 54, 256, [52]),
    "q2_0": ("q2_0", 42, 18, 64, [0]),
    "q1_0": ("q1_0", 41, 18, 128, [0]),
    "mxfp4_gguf": ("mxfp4", 39, 17, 32, []),
    "nvfp4_gguf": ("nvfp4", 40, 36, 64, []),
}
EXACT = ["q8_k", "q1_0", "mxfp4_gguf", "nvfp4_gguf"]
NEEDS_IMPORTANCE = ["iq2_xxs", "iq2_xs", "iq1_s"]
HALVES = np.array([0x7BFF, 0x0001, 0x8000, 0xFBFF], np.uint16)  # largest, smallest, negative zero, most negative
EDGES = len(HALVES)


class Ggml:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]

    def quantize(self, name, w, imatrix=None):
        kind, number, size, block, _ = TYPES[name]
        w = np.ascontiguousarray(w, np.float32)
        out = np.zeros(w.size // block * size, np.uint8)
        if name == "q8_k":  # not a type that files are quantized to
            self.lib.quantize_row_q8_K_ref(ctypes.c_void_p(w.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_int64(w.size))
            return out
        self.lib.ggml_quantize_init(number)
        written = self.lib.ggml_quantize_chunk(number, w.ctypes.data, out.ctypes.data, 0, w.shape[0], w.shape[1],
                                               None if imatrix is None else imatrix.ctypes.data)
        assert written == out.size
        return out

    def decode(self, name, codes):
        kind, number, size, block, _ = TYPES[name]
        codes = np.ascontiguousarray(codes, np.uint8)
        out = np.zeros(codes.size // size * block, np.float32)
        getattr(self.lib, f"dequantize_row_{kind}")(ctypes.c_void_p(codes.ctypes.data), ctypes.c_void_p(out.ctypes.data),
                                                    ctypes.c_int64(out.size))
        return out


def blocks_of(name, rng, n=72):
    """Random blocks; the last ones have extreme scales over codes of all zeros, all ones or random."""
    _, _, size, _, halves = TYPES[name]
    raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
    raw[-1], raw[-2] = 0, 255
    for i in range(n):
        scale = np.float16(rng.standard_normal() * 10.0 ** rng.integers(-6, 3))
        if i >= n - EDGES:
            scale = HALVES[i - (n - EDGES)].view(np.float16)
        scale = np.array([scale], np.float16)
        for offset in halves:
            raw[i, offset:offset + 2] = scale.view(np.uint8)
        if name == "q8_k":
            raw[i, :4] = scale.astype(np.float32).view(np.uint8)
            sums = raw[i, 4:260].view(np.int8).astype(np.int16).reshape(16, 16).sum(axis=1).astype(np.int16)
            raw[i, 260:] = sums.view(np.uint8)
        if name == "iq1_m":
            words = raw[i, 48:].view(np.uint16)
            words[:] = words & 0x0FFF | (int(scale.view(np.uint16)[0]) >> np.array([0, 4, 8, 12]) & 15) << 12
        if name == "mxfp4_gguf":
            raw[i, 0] = min(raw[i, 0], 252)  # 253 and 254 overflow with the largest codes; 255 is NaN
        if name == "nvfp4_gguf":
            raw[i, :4] &= 0x7F
            raw[i, :4][raw[i, :4] == 0x7F] = 0x7E
    return raw


def agree(name, raw, values):
    """The Python package's word, where it has the type."""
    kind = TYPES[name][0].upper()
    if kind in ("Q8_K", "Q1_0", "Q2_0"):
        return False
    with np.errstate(over="ignore"):
        other = dequantize(raw, GGMLQuantizationType[kind]).astype(np.float32).reshape(-1)
    assert np.array_equal(other + 0.0, values + 0.0), name
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ggml", required=True)
    ggml = Ggml(parser.parse_args().ggml)
    OUT.mkdir(parents=True, exist_ok=True)
    read = lambda name: np.fromfile(OUT.parent / name, ml_dtypes.bfloat16).astype(np.float32)
    w, imp = read("weights.bf16").reshape(shared.ROWS, shared.COLS), read("importance.bf16")
    ones = np.ones_like(imp)
    rng = np.random.default_rng(4)
    decode, encode, error = {}, {}, {}
    for name in TYPES:
        raw = blocks_of(name, rng)
        raw.tofile(OUT / f"{name}.blocks")
        values = ggml.decode(name, raw)
        decode[name] = {"blocks": len(raw), "decoded_sha256": shared.sha(values + 0.0), "first": [float(v) for v in values[:8]],
                        "python_agrees": agree(name, raw, values)}
        plain = ggml.quantize(name, w, ones if name in NEEDS_IMPORTANCE else None)
        if name in EXACT:
            encode[name] = {"codes_sha256": shared.sha(plain), "first_row": plain[:plain.size // shared.ROWS].tobytes().hex()}
        if name in ("q8_k",):
            continue
        measure = lambda codes: shared.errors(w, ggml.decode(name, codes).reshape(w.shape), imp)
        error[name] = {"none": measure(plain), "importance": measure(ggml.quantize(name, w, imp))}
    golden = {
        "provenance": f"tools/golden/gguf_types.py; numpy {np.__version__}, gguf {importlib.metadata.version('gguf')}; libggml-base of llama.cpp as in "
                      "the source package llama-cpp-python 0.3.36; weights as in tests/golden/format/golden.json",
        "decode": decode, "encode": encode, "ggml_error": error,
    }
    (OUT / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
