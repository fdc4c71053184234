#!/usr/bin/env python3
"""Are folders made of a GGUF models that transformers computes? For each golden model: our GGUF of it, our folder of that GGUF (config.json
written anew), and the largest difference of transformers' logits from those of the original.

usage: folders_from_gguf.py ASSAY [NAME …]     from the checkout; needs torch and transformers

Windows of Mistral and Qwen2 are lost in GGUF; models that GGUF's readers would run otherwise are refused, and named with the reason."""
import json, shutil, subprocess, sys, tempfile
from pathlib import Path

import torch, transformers

transformers.logging.set_verbosity_error()
golden = Path("tests/golden")
assay, names = sys.argv[1], sys.argv[2:] or sorted(p.name for p in (golden / "models").iterdir())
worst = 0.0


def run(*arguments):
    done = subprocess.run([assay, *map(str, arguments), "-q"], capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()


for name in names:
    with tempfile.TemporaryDirectory() as scratch:
        source, gguf, folder = Path(scratch) / "source", Path(scratch) / "model.gguf", Path(scratch) / "folder"
        shutil.copytree(golden / "models" / name, source)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(golden / "checkpoint/tiny_llama" / file, source)
        refusal = run("convert", source, "--to", "gguf", "--plain", "f32", "-o", gguf) or run(
            "convert", gguf, "--to", "safetensors", "--plain", "f32", "-o", folder)
        if refusal:
            print(f"{name}: {refusal}")
            continue
        reference = json.loads((source / "reference.json").read_text())
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            last = model(torch.tensor([reference["ids"]]), use_cache=False).logits[0, -1].double()
        difference = float((last - torch.tensor(reference["last_logits"], dtype=torch.float64)).abs().max())
        worst = max(worst, difference if name not in ("mistral", "qwen2_window") else 0.0)
        print(f"{name}: {type(model).__name__}, {difference:.1e}", flush=True)
sys.exit(worst > 1e-4)
