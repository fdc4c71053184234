"""Writes a checkpoint of train.py as a Hugging Face folder: BF16 model.safetensors, config.json, generation_config.json.

    python export.py --checkpoint FOLDER/checkpoint.pt --out ../../examples/demo
"""

import argparse
import json
import os

import torch
from safetensors.torch import save_file

from generate import write
from train import SEED


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    saved = torch.load(args.checkpoint, weights_only=False, map_location="cpu")
    os.makedirs(args.out, exist_ok=True)
    tensors = {name: p.to(torch.bfloat16).contiguous() for name, p in saved["model"].items()}
    path = os.path.join(args.out, "model.safetensors")
    save_file(tensors, path + ".part", metadata={"format": "pt"})
    os.replace(path + ".part", path)
    config = saved["config"]
    write(os.path.join(args.out, "config.json"), json.dumps(config, indent=2) + "\n")
    generation = {"do_sample": False, "eos_token_id": config["eos_token_id"], "pad_token_id": config["pad_token_id"]}
    write(os.path.join(args.out, "generation_config.json"), json.dumps(generation, indent=2) + "\n")
    write(os.path.join(args.out, "training.json"), json.dumps(
        {"seed": SEED, "state": saved["state"], "arguments": {k: v for k, v in saved["args"].items()
                                                              if k not in ("demo", "out", "max_seconds")}}, indent=1) + "\n")
    print(f"{os.path.getsize(path)} bytes, {json.dumps(saved['state'])}")


if __name__ == "__main__":
    main()
