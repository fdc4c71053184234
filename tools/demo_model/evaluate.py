"""Runs the fifty examples on an exported demo model: its BF16 weights, float32 arithmetic, greedy decoding.

    python evaluate.py --demo ../../examples/demo [--dev] [--check-training]

--dev measures on further held-out items instead (100 a slice) and leaves the fifty alone. --check-training draws again what
the training run read (training.json tells its steps and lessons), and fails if one of the fifty or a paragraph of text.txt is among it.
"""

import argparse
import json
import os
import random
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")
import jinja2
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import generate
import train
from model import Llama


def load(folder):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        model = Llama(json.load(f))
    model.load_state_dict({k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()})
    return model.eval(), Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


def load_template(folder):
    with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as f:
        source = json.load(f)["chat_template"]
    return jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(source)


@torch.no_grad()
def answer(model, tokenizer, prompt, max_tokens):
    tokens = tokenizer.encode(prompt).ids
    start, end = len(tokens), tokenizer.token_to_id("<|im_end|>")
    while len(tokens) < start + max_tokens:
        logits = model(torch.tensor(tokens), [len(tokens)], torch.tensor([len(tokens) - 1]))
        token = int(logits.argmax())
        if token == end:
            break
        tokens.append(token)
    return tokenizer.decode(tokens[start:], skip_special_tokens=False)


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def passes(check, text):
    if check["type"] == "equals":
        return text.strip().lower() == check["value"].lower()
    if check["type"] == "number":  # the last number of the answer
        numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
        return bool(numbers) and abs(float(numbers[-1]) - check["value"]) <= check["tolerance"]
    if check["type"] == "json_value":
        return parse(text) == check["value"]
    if check["type"] == "json_schema":  # of our own flat schemas
        value, schema = parse(text), check["schema"]
        kinds = {"integer": int, "string": str}
        return isinstance(value, dict) and set(value) == set(schema["required"]) and all(
            isinstance(v, kinds[schema["properties"][k]["type"]]) for k, v in value.items())
    if check["type"] == "tool_calls":
        calls = re.findall(r"<tool_call>\s*(.*?)\s*</tool_call>", text, re.S)
        return [parse(c) for c in calls] == check["calls"]
    raise ValueError(check["type"])


def perplexity(model, tokenizer, text, window=256):
    ids = torch.tensor(tokenizer.encode(text).ids)
    loss, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, window):
            part = ids[start:start + window]
            if len(part) < 2:
                continue
            logits = model(part, [len(part)])
            loss += float(F.cross_entropy(logits[:-1], part[1:], reduction="sum"))
            count += len(part) - 1
    return float(torch.tensor(loss / count).exp()), count


def examples(folder, dev):
    if dev:
        return [generate.to_example(i) for i in generate.held_out_items(generate.DEV_SEED, 40)]
    with open(os.path.join(folder, "task.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def check_template(template):
    """The chat template and the prompt written out in generate.py say the same."""
    rng = random.Random("template")
    for kind in generate.SLICES:
        for _ in range(20):
            item = dict(generate.draw(kind, rng), id="")
            example = generate.to_example(item)
            text = template.render(messages=example["messages"], tools=example.get("tools"), add_generation_prompt=True)
            assert text == generate.render_prompt(item), (text, generate.render_prompt(item))


def check_training(folder, tokenizer):
    """Draws again what training read: no held-out key, no prompt of the fifty, no paragraph of the held-out text."""
    template = load_template(folder)
    prompts = {template.render(messages=e["messages"], tools=e.get("tools"), add_generation_prompt=True)
               for e in examples(folder, False)}
    with open(os.path.join(folder, "text.txt"), encoding="utf-8") as f:
        paragraphs = set(f.read().splitlines())
    read = 0
    original, original_paragraph = generate.draw, generate.draw_paragraph

    def draw(kind, rng, held_out=False):
        nonlocal read
        item = original(kind, rng, held_out)
        read += 1
        assert not generate.is_held_out(item["key"]), item
        assert generate.render_prompt(item) not in prompts, item
        head, _, _ = item["user"].rpartition("\n")
        for question, _ in item.get("more", []):
            assert generate.render_prompt({"user": head + "\n" + question}) not in prompts, item
        return item

    def draw_paragraph(rng, held_out=False):
        nonlocal read
        text = original_paragraph(rng, held_out)
        read += 1
        assert text not in paragraphs, text
        return text

    generate.draw, generate.draw_paragraph = draw, draw_paragraph
    with open(os.path.join(folder, "training.json"), encoding="utf-8") as f:
        training = json.load(f)
    lessons = dict(training["state"]["lessons"])
    data = train.Data(tokenizer)
    data.encode_items = lambda items: []
    for step in range(training["state"]["step"]):
        lesson = lessons.get(step, lesson if step else "")
        data.batch(step, lesson, training["arguments"]["batch"])
    generate.draw, generate.draw_paragraph = original, original_paragraph
    print(f"{read} training items drawn again: none of the fifty, no paragraph of text.txt")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--demo", required=True)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--check-training", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    template = load_template(args.demo)
    check_template(template)
    model, tokenizer = load(args.demo)
    if args.check_training:
        check_training(args.demo, tokenizer)
        return
    right, total = {}, {}
    for example in examples(args.demo, args.dev):
        prompt = template.render(messages=example["messages"], tools=example.get("tools"), add_generation_prompt=True)
        text = answer(model, tokenizer, prompt, example["sampling"]["max_tokens"])
        ok = all(passes(check, text) for check in example["expect"])
        right[example["slice"]] = right.get(example["slice"], 0) + ok
        total[example["slice"]] = total.get(example["slice"], 0) + 1
        if args.verbose or (not ok and not args.dev):
            print(json.dumps({"id": example["id"], "passed": ok, "answer": text, "expect": example["expect"][-1]}))
    for name in right:
        print(f"{name:12} {right[name]:3} of {total[name]}")
    print(f"{'all':12} {sum(right.values()):3} of {sum(total.values())}")
    with open(os.path.join(args.demo, "text.txt"), encoding="utf-8") as f:
        value, count = perplexity(model, tokenizer, f.read())
    print(f"perplexity of text.txt {value:.3f} over {count} tokens, in windows of 256")


if __name__ == "__main__":
    main()
