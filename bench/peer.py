#!/usr/bin/env python3
"""Prefill and decode speed beside llama.cpp's, on the same files, interleaved: medians and ratios (above 1: we are faster).

usage: peer.py ASSAY LLAMA_BENCH MODEL.gguf… [-p 256] [-n 64] [-r 3] [--threads 2]

llama.cpp: the tree inside the source package llama-cpp-python 0.3.36, target llama-bench, built for this processor."""
import argparse, json, statistics, subprocess

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("assay"), p.add_argument("llama_bench"), p.add_argument("models", nargs="+")
p.add_argument("-p", type=int, default=256), p.add_argument("-n", type=int, default=64)
p.add_argument("-r", type=int, default=3, help="rounds; each runs both programs once"), p.add_argument("--threads", type=int, default=2)
a = p.parse_args()


def ours(model):
    out = json.loads(subprocess.run([a.assay, "bench", model, "-p", str(a.p), "-n", str(a.n), "-r", "1", "--threads", str(a.threads), "--json", "-q"],
                                    check=True, capture_output=True, text=True).stdout)
    return {row["test"]: row["median"] if "median" in row else statistics.median(row["tokens_per_s"]) for row in out["rows"]}


def theirs(model):
    out = json.loads(subprocess.run([a.llama_bench, "-m", model, "-p", str(a.p), "-n", str(a.n), "-r", "1", "-t", str(a.threads), "-o", "json"],
                                    check=True, capture_output=True, text=True).stdout)
    return {(f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"): row["avg_ts"] for row in out}


print("| model | test | assay t/s | llama.cpp t/s | ratio |\n|---|---|---|---|---|")
for model in a.models:
    rounds = [(ours(model), theirs(model)) for _ in range(a.r)]
    for test in (f"pp{a.p}", f"tg{a.n}"):
        mine, peer = (statistics.median(r[i][test] for r in rounds) for i in (0, 1))
        print(f"| {model.rsplit('/', 1)[-1]} | {test} | {mine:.1f} | {peer:.1f} | {mine / peer:.2f} |", flush=True)
