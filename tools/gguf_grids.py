#!/usr/bin/env python3
"""Writes src/format/gguf/codebook/grids.inc: the codebooks of GGUF's IQ1, IQ2 and IQ3 formats.

  python tools/gguf_grids.py

The codebooks are part of the file formats: a file holds indices into them. They are read from the arrays of the Python package `gguf`.
Every entry is packed in 16 bits: 8 values of 2 bits (IQ1, IQ2) or 4 values of 4 bits (IQ3), the first value lowest; a value is an index into the
format's few levels (grids.cc).
"""
import importlib.metadata
import pathlib
import subprocess
import sys

import numpy as np
from gguf import quants

OUT = pathlib.Path(__file__).resolve().parents[1] / "src" / "format" / "gguf" / "codebook" / "grids.inc"
GRIDS = [("kPackedIq1", quants.IQ1_S), ("kPackedIq2Xxs", quants.IQ2_XXS), ("kPackedIq2Xs", quants.IQ2_XS),
         ("kPackedIq2S", quants.IQ2_S), ("kPackedIq3Xxs", quants.IQ3_XXS), ("kPackedIq3S", quants.IQ3_S)]

lines = [f"// Made by tools/gguf_grids.py from the Python package gguf {importlib.metadata.version('gguf')}. Do not edit."]
for name, kind in GRIDS:
    kind.init_grid()
    values = kind.grid.reshape(kind.grid_shape).astype(int)
    index = np.vectorize({v: i for i, v in enumerate(kind.grid_map)}.__getitem__)(values)
    entries, width = kind.grid_shape
    packed = (index << (np.arange(width) * (16 // width))).sum(axis=1)
    lines.append(f"constexpr uint16_t {name}[{entries}] = {{")
    text = [f"0x{p:04x}" for p in packed]
    lines += ["    " + ", ".join(text[i:i + 14]) + "," for i in range(0, entries, 14)]
    lines.append("};")
OUT.write_text("\n".join(lines) + "\n")
