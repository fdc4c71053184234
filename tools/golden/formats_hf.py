#!/usr/bin/env python3
"""Makes tests/golden/format/formats_hf.json: what the libraries that own them say about the block formats of Hugging Face
checkpoints, as hashes of codes, scales and decoded float bits.

  PYTHONPATH=FOLDER_WITH_TORCHAO python tools/golden/formats_hf.py --old-compressed-tensors FOLDER --gptqmodel FOLDER

Needs numpy, ml_dtypes, torch, compressed-tensors, bitsandbytes, transformers and torchao, all on a CPU; FOLDER holds an
unpacked compressed-tensors 0.13 (the last line of versions with padded packing), the other one gptqmodel 7.7 (only its
utils/planar_packing.py is read). Encodes tests/golden/format/weights.bf16
(made by format.py); decodes codes and scales that the test makes by the same rule (`stream`). Compressed-tensors' scales
are those of float32 arithmetic rounded to bfloat16, its zero points its formula over the rounded scale.
"""

import argparse
import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import sys
import typing

sys.path = [p for p in sys.path if p != str(pathlib.Path(__file__).resolve().parent)]

import bitsandbytes.functional as bnb
import ml_dtypes
import numpy as np
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils.helpers import calculate_qparams

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "format"
ROWS, COLS = 40, 512
f32 = np.float32
EPS = 2.0 ** -7
DEFAULT_KERNEL = torch._C.DispatchKey.CompositeExplicitAutograd


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def sha_values(array):
    return sha(np.asarray(array, f32) + f32(0))


def stream(n, state):
    out = np.empty(n, np.uint32)
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state
    return out


def random_bytes(n, seed):
    return (stream(n, seed) >> 24).astype(np.uint8)


def random_floats(n, seed):
    """Sign, exponent -12 … 3, eight bits of mantissa."""
    s = stream(n, seed)
    x = np.ldexp(1.0 + (s >> 8 & 0xFF) / 256.0, (s >> 16 & 15).astype(np.int32) - 12)
    return np.where(s >> 31, -x, x).astype(f32)


def dense(codes, bits):
    """Little-endian bit stream along the last axis, as bytes."""
    expanded = (codes[..., None].astype(np.uint8) >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(expanded.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")


def undense(data, bits, n):
    expanded = np.unpackbits(data, axis=-1, bitorder="little")[..., :n * bits]
    return (expanded.reshape(*data.shape[:-1], n, bits) << np.arange(bits, dtype=np.uint8)).sum(axis=-1).astype(np.int64)


def record(codes, scales, decoded, **extra):
    return {"codes_sha256": sha(codes), "scales_sha256": sha(scales), "decoded_sha256": sha_values(decoded),
            "first": np.ascontiguousarray(codes).reshape(-1).view(np.uint8)[:16].tobytes().hex(), **extra}


def rounded(scale):
    """To bfloat16; what float32 arithmetic puts in place of zero becomes what bfloat16 arithmetic does."""
    scale = scale.to(torch.bfloat16).float()
    return torch.where(scale == torch.finfo(torch.float32).eps, torch.tensor(EPS), scale)


def integers(x, out):
    for bits in range(2, 9):
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        for group in (128, 64, 32, 16, -1):
            for symmetric in (True, False):
                shape = {"strategy": "channel"} if group < 0 else {"strategy": "group", "group_size": group}
                args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, **shape)
                g = x if group < 0 else x.unflatten(-1, (COLS // group, group))
                scale, native = calculate_qparams(g.amin(-1, keepdim=group < 0), g.amax(-1, keepdim=group < 0), args)
                smallest = torch.minimum(g.amin(-1, keepdim=group < 0), torch.tensor(0.0))
                scale = rounded(scale)
                zero = None
                if not symmetric:
                    zero = torch.round(torch.clamp(low - smallest / scale, low, high))
                q = quantize(x, scale, zero, args, dtype=torch.int8)
                decoded = dequantize(q, scale, zero, args)
                codes = q.numpy() if bits == 8 else pack_to_int32(q, bits).numpy()
                name = f"int{bits}_" + ("channel" if group < 0 else f"g{group}")
                if symmetric:
                    out[name] = record(codes, scale.numpy(), decoded.numpy())
                else:
                    entries = np.stack([scale.numpy(), zero.numpy() - (0 if bits == 8 else low)], axis=-1).astype(f32)
                    out[name + "_asym"] = record(codes, entries, decoded.numpy())
        args = QuantizationArgs(num_bits=bits, type="int", strategy="tensor")
        scale = rounded(calculate_qparams(x.amin(), x.amax(), args)[0])
        q = quantize(x, scale, None, args, dtype=torch.int8)
        out[f"int{bits}_tensor"] = record(q.numpy() if bits == 8 else pack_to_int32(q, bits).numpy(), np.zeros(0, f32),
                                          dequantize(q, scale, None, args).numpy(), global_scale=float(scale))


def blocks(x, out):
    """Blocks of 128 x 128, the last rows short: 150 rows made of the weights repeated, 500 columns."""
    x = x.repeat(4, 1)[:150, :500].contiguous()
    for name, kind in (("fp8_block128", "float"), ("int8_block128", "int")):
        args = QuantizationArgs(num_bits=8, type=kind, strategy="block", block_structure=[128, 128])
        padded = torch.nn.functional.pad(x, (0, 12, 0, 106)).unflatten(0, (2, 128)).unflatten(-1, (4, 128)).transpose(1, 2)
        scale = rounded(calculate_qparams(padded.amin((-1, -2)), padded.amax((-1, -2)), args)[0])
        q = quantize(x, scale, None, args, dtype=torch.float8_e4m3fn if kind == "float" else torch.int8)
        decoded = dequantize(q if kind == "int" else q.float(), scale, None, args)
        expanded = scale.repeat_interleave(128, 0)[:150]
        out[name] = record(q.view(torch.uint8).numpy(), expanded.numpy(), decoded.numpy(), rows=150, cols=500)
    args = QuantizationArgs(num_bits=8, type="float", strategy="tensor")
    scale = rounded(calculate_qparams(x.amin(), x.amax(), args)[0])
    q = quantize(x, scale, None, args, dtype=torch.float8_e4m3fn)
    out["fp8_tensor"] = record(q.view(torch.uint8).numpy(), np.zeros(0, f32), dequantize(q.float(), scale, None, args).numpy(),
                               global_scale=float(scale), rows=150, cols=500)


def mx_compressed_tensors(x, out):
    from compressed_tensors.compressors.mx_utils import compress_mx_scale
    for name, bits, dtype in (("mxfp8_e4m3", 8, ml_dtypes.float8_e4m3fn), ("mxfp6_e2m3", 6, ml_dtypes.float6_e2m3fn)):
        args = QuantizationArgs(num_bits=bits, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8,
                                zp_dtype=torch.uint8)
        g = x.unflatten(-1, (COLS // 32, 32))
        scale, _ = calculate_qparams(g.amin(-1), g.amax(-1), args)
        q = quantize(x, scale, None, args)
        values = q.float().numpy()
        codes = values.astype(dtype).view(np.uint8)
        assert (codes.view(dtype).astype(f32) == values).all()
        stored = compress_mx_scale(scale, torch.uint8).numpy()
        out[name] = record(codes if bits == 8 else dense(codes, 6), stored, (values.reshape(ROWS, -1, 32) * scale.float().numpy()[..., None]))


def mx_torchao(x, out):
    from torchao.prototype.mx_formats.config import ScaleCalculationMode as Mode
    from torchao.prototype.mx_formats.mx_tensor import to_mx
    kinds = {"mxfp8_e4m3": torch.float8_e4m3fn, "mxfp8_e5m2": torch.float8_e5m2, "mxfp6_e2m3": "fp6_e2m3",
             "mxfp6_e3m2": "fp6_e3m2", "mxfp4": torch.float4_e2m1fn_x2}
    # Zeros without a sign: torchao keeps it in every element, compressed-tensors drops it in E2M1, and it means nothing.
    for name, kind in kinds.items():
        for mode in (Mode.FLOOR, Mode.EVEN, Mode.CEIL, Mode.RCEIL):
            scale, codes = to_mx(x + 0.0, kind, 32, mode)
            scale, codes = scale.view(torch.uint8).numpy(), codes.view(torch.uint8).numpy()
            if name.startswith("mxfp6"):
                codes = dense(codes, 6)
            out[f"{name}:{mode.value}"] = {"codes_sha256": sha(codes), "scales_sha256": sha(scale),
                                           "first": codes.reshape(-1)[:16].tobytes().hex()}


def mx_int8(w, out):
    """The specification's formulas in numpy: floor(log2), codes in 64ths to nearest even, -2 left unused."""
    g = w.reshape(ROWS, -1, 32)
    amax = np.abs(g).max(-1)
    exponent = np.where(amax > 0, np.frexp(amax)[1] - 1, -127)
    scale = np.clip(exponent, -127, 127)
    codes = np.clip(np.rint(g.astype(np.float64) / np.exp2(scale.astype(np.float64))[..., None] * 64), -127, 127).astype(np.int8)
    out["mxint8"] = record(codes, (scale + 127).astype(np.uint8), codes / 64.0 * np.exp2(scale.astype(np.float64))[..., None])


def bitsandbytes_formats(w, out):
    for kind, name in (("nf4", "nf4"), ("fp4", "bnb_fp4")):
        for block in (64, 32, 128, 256, 512, 1024, 2048, 4096):
            for suffix, x in (("", w), (":odd", w[:23, :501])):
                packed, state = bnb.quantize_4bit(torch.from_numpy(np.ascontiguousarray(x)), blocksize=block, quant_type=kind)
                # The CPU library of 0.50.2 decodes blocks of 1024 with other blocks' scales; the default kernel does not.
                decoded = torch.ops.bitsandbytes.dequantize_4bit.default._op_dk(DEFAULT_KERNEL, packed, state.absmax, block, kind, x.shape,
                                                                               torch.float32)
                key = name + ("" if block == 64 else f"_b{block}") + suffix
                out[key] = record(packed.numpy(), state.absmax.numpy(), decoded.numpy(), rows=x.shape[0], cols=x.shape[1])
    x = torch.from_numpy(w.copy())
    x[32, 0] = 1.0  # a row of zeros would be 0 * infinity
    q, stats, _ = torch.ops.bitsandbytes.int8_vectorwise_quant.default(x.clone(), 0.0)
    decoded = torch.ops.bitsandbytes.int8_vectorwise_dequant.default(q, stats)
    out["llm_int8"] = record(q.numpy(), stats.numpy(), decoded.numpy())


def nested(golden):
    """1000 block scales; the offset is torch's, codes and scales those of the default kernel."""
    absmax = np.abs(random_floats(1000, 77))
    t = torch.from_numpy(absmax)
    offset = t.mean()
    code = bnb.create_dynamic_map()
    q, state = torch.ops.bitsandbytes.quantize_blockwise.default._op_dk(DEFAULT_KERNEL, t - offset, code, 256)
    back = torch.ops.bitsandbytes.dequantize_blockwise.default._op_dk(DEFAULT_KERNEL, q, state, code, 256, torch.float32) + offset
    library, _ = bnb.quantize_blockwise(t - offset, blocksize=256)
    golden["nested"] = {"n": 1000, "offset": float(offset), "codes_sha256": sha(q.numpy()), "absmax_sha256": sha(state.numpy()),
                        "decoded_sha256": sha(back.numpy()), "cpu_library_differs": int((library != q).sum())}


def bitnet(w, out, golden):
    from transformers.integrations.bitnet import WeightQuant, pack_weights
    x = torch.from_numpy(w)
    scale = 1.0 / x.abs().mean().clamp(min=1e-5)
    q = (x * scale).round().clamp(-1, 1)
    decoded = WeightQuant.apply(x.clone())
    assert torch.equal(decoded, q / scale)
    codes = (q + 1).to(torch.uint8).numpy()
    out["ternary"] = {"codes_sha256": sha(dense(codes, 2)), "global_divisor": float(scale),
                      "first": dense(codes, 2).reshape(-1)[:16].tobytes().hex()}
    packed = pack_weights(q.clone()).numpy()
    golden["bitnet_packed_sha256"] = sha(packed)
    # bitnet.cpp's x86 layout as its source states it.
    i2s = np.zeros((ROWS, COLS // 128, 32), np.uint8)
    for j in range(128):
        i2s[:, :, j % 32] |= codes.reshape(ROWS, -1, 128)[:, :, j] << (6 - 2 * (j // 32))
    out["i2_s"] = {"codes_sha256": sha(i2s), "global_divisor": float(scale), "first": i2s.reshape(-1)[:16].tobytes().hex()}


def decodes(out):
    """[16, 1024] random codes with random scales, decoded by the formula of each library in float32."""
    rows, cols = 16, 1024
    e8m0 = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(f32)
    e4m3 = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(f32)
    for bits in range(2, 9):
        data = random_bytes(rows * cols * bits // 8, bits).reshape(rows, -1)
        codes = data.view(np.int8).astype(np.int64) if bits == 8 else undense(data, bits, cols)
        middle = 0 if bits == 8 else 1 << (bits - 1)
        for group in (128, 64, 32, 1024):
            n = cols // group
            scales = random_floats(rows * n, 100 + bits).reshape(rows, n)
            zeros = random_floats(rows * n, 200 + bits).reshape(rows, n)
            order = (stream(cols, 300 + bits) >> 8) % n
            spread = lambda a: np.repeat(a, group, axis=1)
            c = torch.from_numpy(codes.astype(f32))
            t = lambda a: torch.from_numpy(np.ascontiguousarray(a))
            name = f"int{bits}_g{group}"
            out[name] = sha_values(((c - middle) * t(spread(scales))).numpy())
            out[name + "_asym"] = sha_values(((c - t(spread(zeros))) * t(spread(scales))).numpy())
            if bits in (2, 3, 4, 8):
                out[name + "_gidx"] = sha_values(((c - middle) * t(scales[:, order])).numpy())
                out[name + "_asym_gidx"] = sha_values(((c - t(zeros[:, order])) * t(scales[:, order])).numpy())
    mx = {"mxfp8_e4m3": (8, ml_dtypes.float8_e4m3fn), "mxfp8_e5m2": (8, ml_dtypes.float8_e5m2), "mxfp6_e2m3": (6, ml_dtypes.float6_e2m3fn),
          "mxfp6_e3m2": (6, ml_dtypes.float6_e3m2fn), "mxfp4": (4, ml_dtypes.float4_e2m1fn), "mxint8": (8, None)}
    for name, (bits, dtype) in mx.items():
        data = random_bytes(rows * cols * bits // 8, bits).reshape(rows, -1)
        codes = undense(data, bits, cols).astype(np.uint8)
        values = codes.view(np.int8) / f32(64) if dtype is None else codes.view(dtype).astype(f32)
        scales = random_bytes(rows * cols // 32, 400).reshape(rows, -1) % 255
        if name in ("mxfp8_e5m2", "mxfp8_e4m3"):
            values = np.where(np.isfinite(values), values, 0)  # the test does the same: such codes are refused
        with np.errstate(over="ignore"):
            out[name] = sha_values((values * np.repeat(e8m0[scales], 32, axis=1)).astype(f32))
    codes = undense(random_bytes(rows * cols // 2, 4).reshape(rows, -1), 4, cols).astype(np.uint8).view(ml_dtypes.float4_e2m1fn).astype(f32)
    scales = random_bytes(rows * cols // 16, 500).reshape(rows, -1)
    scales = np.where((scales & 0x7F) == 0x7F, 0, scales)
    out["nvfp4"] = sha_values(codes * np.repeat(e4m3[scales] / f32(3.7), 16, axis=1))
    out["nvfp4:modelopt"] = sha_values(codes * np.repeat(e4m3[scales] * f32(0.0123), 16, axis=1))
    return {"rows": rows, "cols": cols, "formats": out}


def packings(old):
    # The function alone: the rest of the old module wants the rest of the old package.
    source = next(pathlib.Path(old).rglob("pack_quantized.py")).read_text()
    function = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "pack_to_int32")
    scope = {"math": math, "torch": torch, "np": np, "numpy": np, **vars(typing)}
    exec(compile(ast.Module([function], []), "pack_quantized.py", "exec"), scope)
    out = {}
    for bits in range(2, 9):
        values = (random_bytes(3 * 61, 600 + bits) & ((1 << bits) - 1)).reshape(3, 61)
        q = torch.from_numpy((values.astype(np.int16) - (1 << (bits - 1))).astype(np.int8))
        out[str(bits)] = {"dense_sha256": sha(pack_to_int32(q, bits).numpy()), "padded_sha256": sha(scope["pack_to_int32"](q, bits).numpy())}
    return out


def planes(gptqmodel):
    """GPTQModel's bit planes of 96 values, and what it unpacks them to."""
    path = next(pathlib.Path(gptqmodel).rglob("planar_packing.py"))
    spec = importlib.util.spec_from_file_location("planar_packing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = {}
    for bits in (3, 5, 6, 7):
        values = random_bytes(96, 700 + bits) & ((1 << bits) - 1)
        packed = module.planar_pack_rows(torch.from_numpy(values.astype(np.int64))[:, None], bits)
        assert (module.planar_unpack_rows(packed, bits)[:, 0].numpy() == values).all()
        out[str(bits)] = sha(packed.numpy())
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old-compressed-tensors", required=True)
    parser.add_argument("--gptqmodel", required=True)
    options = parser.parse_args()
    w = (np.fromfile(OUT / "weights.bf16", np.uint16).astype(np.uint32) << 16).view(f32).reshape(ROWS, COLS)
    x = torch.from_numpy(w)
    encoded, golden = {}, {}
    integers(x, encoded)
    blocks(x, encoded)
    mx_compressed_tensors(x, encoded)
    mx_int8(w, encoded)
    bitsandbytes_formats(w, encoded)
    bitnet(w, encoded, golden)
    torchao = {}
    mx_torchao(x, torchao)
    nested(golden)
    versions = {p: importlib.metadata.version(p) for p in ("numpy", "ml_dtypes", "torch", "compressed-tensors", "bitsandbytes", "transformers", "torchao")}
    golden = {"provenance": "tools/golden/formats_hf.py; " + ", ".join(f"{k} {v}" for k, v in versions.items()) +
                            "; padded packing by compressed-tensors 0.13.0, bit planes by gptqmodel 7.7.0",
              "encoded": encoded, "mx_rules": torchao, "decoded": decodes({}), "packings": packings(options.old_compressed_tensors), "planes": planes(options.gptqmodel),
              **golden}
    (OUT / "formats_hf.json").write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
