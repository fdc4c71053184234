#!/usr/bin/env python3
"""Quantizing beside llama-quantize, on the same file with the same threads, interleaved: medians and ratios (above 1: we are faster).

usage: quantize.py ASSAY LLAMA_QUANTIZE MODEL.gguf [-r 3] [--threads 2] [--out FOLDER] PRESET…

Wall time of the whole program, reading and writing included; our figure includes measuring the error of what was written, which llama-quantize does not
do. The memory column is what reading the source once (by the same number of threads, from the page cache) and writing the output once takes here: no
program can be faster. The last column is that of our --no-error. Outputs go to memory (/dev/shm) where there is such a folder: a disk would be measured
otherwise. On a busy machine trust the ratio of processor time. What quantizing takes without writing: bench/format/encode_bench --source. llama.cpp: the tree inside the source package llama-cpp-python 0.3.36, target llama-quantize, built for this processor."""
import argparse
import math
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("assay"), p.add_argument("llama_quantize"), p.add_argument("model"), p.add_argument("presets", nargs="*")
p.add_argument("-r", type=int, default=3, help="rounds"), p.add_argument("--threads", type=int, default=2)
p.add_argument("--out", help="folder for the outputs (default: /dev/shm, else a temporary one)", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
a = p.parse_intermixed_args()
PIECE = 16 << 20


def timed(command):
    """Wall and processor seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def read_once(path):
    """Seconds to copy a file once from the page cache into small buffers."""
    size = os.path.getsize(path)
    buffers = [bytearray(PIECE) for _ in range(a.threads)]

    def work(k):
        with open(path, "rb", buffering=0) as file:
            for at in range(k * PIECE, size, a.threads * PIECE):
                file.seek(at)
                file.readinto(buffers[k])
    start = time.perf_counter()
    threads = [threading.Thread(target=work, args=(k,)) for k in range(a.threads)]
    [t.start() for t in threads], [t.join() for t in threads]
    return time.perf_counter() - start


def write_once(path, size):
    piece = os.urandom(1 << 20) * (PIECE >> 20)
    start = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        for at in range(0, size, PIECE):
            file.write(piece[:min(PIECE, size - at)])
    return time.perf_counter() - start


def size_of(path):
    return sum(f.stat().st_size for f in path.rglob("*")) if path.is_dir() else path.stat().st_size


def remove(*paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


with tempfile.TemporaryDirectory(dir=a.out) as folder:
    ours, theirs, plain = (pathlib.Path(folder) / name for name in ("ours", "theirs", "plain"))
    read_once(a.model)  # into the page cache
    print("| preset | assay s | llama-quantize s | ratio | of processor time | memory s | assay / memory | without error |\n|---|---|---|---|---|---|---|---|")
    for preset in a.presets or ["f16", "q8_0", "q4_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q3_k_s", "q2_k", "iq4_xs"]:
        rounds = []
        for _ in range(a.r):
            command = [a.assay, "quantize", a.model, "--to", preset, "-o", ours, "--threads", str(a.threads), "-q"]
            bare = timed([*command, "--no-error"])
            remove(ours)
            mine = timed(command)
            # Formats of safetensors have no peer here.
            peer = (math.nan, math.nan) if ours.is_dir() else timed([a.llama_quantize, a.model, theirs, preset.upper(), str(a.threads)])
            size = size_of(ours)
            remove(ours, theirs)  # first: memory that was never used before is slow on a virtual machine
            limit = read_once(a.model) + write_once(plain, size)
            rounds.append((*mine, *peer, limit, bare[0]))
            remove(plain)
        mine, my_cpu, peer, peer_cpu, limit, bare = (statistics.median(column) for column in zip(*rounds))
        print(f"| {preset} | {mine:.2f} | {peer:.2f} | {peer / mine:.2f} | {peer_cpu / my_cpu:.2f} | {limit:.2f} | {mine / limit:.2f} | {bare / limit:.2f} |".replace("nan", "–"), flush=True)
