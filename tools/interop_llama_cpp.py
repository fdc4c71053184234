#!/usr/bin/env python3
"""Do files written here load in llama.cpp, and does it measure the perplexity that we measure? For each GGUF preset: our quantize, our
perplexity, llama-perplexity on the same file and text.

usage: interop_llama_cpp.py ASSAY LLAMA_BIN_FOLDER MODEL TEXT [--context 512] [--chunks 8] [--presets q8_0,q4_k_m,…]

llama.cpp: the tree inside the source package llama-cpp-python 0.3.36, target llama-perplexity."""
import argparse, json, os, re, subprocess, sys, tempfile

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("assay"), p.add_argument("llama"), p.add_argument("model"), p.add_argument("text")
p.add_argument("--context", type=int, default=512)
p.add_argument("--chunks", type=int, default=8)
p.add_argument("--presets", default="f16,bf16,q8_0,q6_k,q5_k_m,q5_k_s,q5_1,q5_0,q4_k_m,q4_k_s,q4_1,q4_0,q3_k_l,q3_k_m,q3_k_s,q2_k")
a = p.parse_args()
worst = 0
print(f"| preset | assay | llama.cpp | ratio |\n|---|---|---|---|")
for preset in a.presets.split(","):
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, preset + ".gguf")
        subprocess.run([a.assay, "quantize", a.model, "--to", preset, "-o", out, "-q"], check=True, stdout=subprocess.DEVNULL)
        ours = json.loads(subprocess.run([a.assay, "perplexity", out, "--text", a.text, "--context", str(a.context), "--chunks", str(a.chunks), "--json", "-q"],
                                         check=True, capture_output=True, text=True).stdout)["perplexity"]
        for attempt in range(20):  # its log is written by a thread that may not finish before the program ends
            log = subprocess.run([os.path.join(a.llama, "llama-perplexity"), "-m", out, "-f", a.text, "-c", str(a.context), "--chunks", str(a.chunks), "-t", "2", "-b", "512"],
                             capture_output=True, text=True)
            found = re.search(r"Final estimate: PPL = ([0-9.]+)", log.stdout + log.stderr)
            if found:
                break
        if not found:
            print(f"| {preset} | {ours:.4f} | did not run | |")
            print(f"exit code {log.returncode}\n{(log.stderr or log.stdout)[-600:]}", file=sys.stderr)
            worst = 1
            continue
        theirs = float(found[1])
        worst = max(worst, abs(ours / theirs - 1))
        print(f"| {preset} | {ours:.4f} | {theirs:.4f} | {ours / theirs:.4f} |", flush=True)
print(f"largest difference {100 * worst:.2f} %")
sys.exit(worst > 0.005)
