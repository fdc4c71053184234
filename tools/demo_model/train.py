"""Trains the demo model from scratch on the world of generate.py, on one thread, from checkpoints that can be resumed.

    python train.py --demo ../../examples/demo --out FOLDER --steps N --cooldown M

First copying by itself, until the values of held-out lists are exact more than 95% of the time; then everything. The loss is on answers,
and on all of the prose. Step s draws its batch from a generator seeded with (seed, s), so a resumed run is the same run.
"""

import argparse
import json
import math
import os
import random
import signal
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import generate
from model import CONFIG, Llama

SEED = "assay-demo-train-1"
COPY_ENOUGH = 0.95
LESSONS = {  # how often each kind of item is drawn
    "copy": {"copy_list": 2, "copy_parts": 2, "copy_pairs": 1},
    "tasks": {"copy_list": 2, "copy_parts": 1, "copy_pairs": 1, "calls": 3, "json": 4, "retrieval": 6, "arithmetic": 5,
              "facts": 3},
    "binding": {"copy_list": 1, "copy_parts": 1, "copy_pairs": 1, "calls": 2, "json": 3, "retrieval": 4,
                "short_retrieval": 7, "arithmetic": 5, "facts": 3},
    "steps": {"copy_list": 1, "calls": 1, "json": 1, "retrieval": 4, "short_retrieval": 5, "arithmetic": 5, "drill": 4,
              "facts": 4},
    "again": {"copy_list": 1, "calls": 2, "json": 2, "retrieval": 3, "short_retrieval": 1, "again": 7, "arithmetic": 5,
              "drill": 3, "facts": 4},
}
PROSE_WINDOWS = [128, 256, 512]  # tokens
PROSE_TOKENS = 2048  # of a batch of prose
PROSE_EVERY = 10  # steps, once copying is learned
DEV_ITEMS = 100


class Data:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.end = tokenizer.token_to_id("<|im_end|>")
        self.turn = [self.end] + tokenizer.encode("\n<|im_start|>user\n").ids
        self.answer_turn = [self.end] + tokenizer.encode("\n<|im_start|>assistant\n").ids

    def encode_items(self, items, follow_up=True):
        """For each item: tokens, and for each token how much its prediction weighs."""
        texts = []
        for item in items:
            texts += [generate.render_prompt(item)] + [text for text, _ in item.get("segments", [(item["answer"], 1)])]
            for question, answer in item.get("more", []) if follow_up else []:
                texts += [question, answer]
        ids = iter(e.ids for e in self.tokenizer.encode_batch(texts))
        out = []
        for item in items:
            tokens = list(next(ids))
            weights = [0.0] * len(tokens)
            if "segments" in item:
                for _, weight in item["segments"]:
                    part = next(ids)
                    tokens += part
                    weights += [weight] * len(part)
                out.append((tokens, weights))
                continue
            answer = next(ids) + [self.end]
            weight = item.get("token_weight", len(answer) ** -0.5)
            tokens += answer
            if "only_after" in item:
                sign = self.tokenizer.token_to_id(item["only_after"].replace(" ", "\u0120"))
                weights += [weight if before == sign else 0.0 for before in [None] + answer[:-1]]
            else:
                weights += [weight] * len(answer)
            for _ in item.get("more", []) if follow_up else []:
                question, answer = self.turn[1:] + next(ids) + self.answer_turn, next(ids) + [self.end]
                tokens += question + answer
                weights += [0.0] * len(question) + [weight] * len(answer)
            out.append((tokens, weights))
        return out

    def prose(self, rng, length):
        text = ""
        while len(text) < 8 * length:
            text += generate.draw_paragraph(rng) + "\n"
        ids = self.tokenizer.encode(text).ids
        start = rng.randrange(max(1, min(100, len(ids) - length)))
        tokens = ids[start:start + length]
        return tokens, [0.0] + [1.0] * (len(tokens) - 1)

    def batch(self, step, lesson, size):
        rng = random.Random(f"{SEED} {step}")
        mix = LESSONS[lesson]
        if lesson != "copy" and step % PROSE_EVERY == 0:
            length = rng.choice(PROSE_WINDOWS)
            return [self.prose(rng, length) for _ in range(PROSE_TOKENS // length)]
        kinds = rng.choices(list(mix), weights=list(mix.values()), k=size)
        return self.encode_items([generate.draw(kind, rng) for kind in kinds])


def pack(rows):
    """Flat tokens, lengths, positions that predict something, what they predict, and the weights."""
    tokens, lengths, wanted, targets, weights = [], [], [], [], []
    for ids, w in rows:
        base = len(tokens)
        tokens += ids
        lengths.append(len(ids))
        for i in range(1, len(ids)):
            if w[i]:
                wanted.append(base + i - 1)
                targets.append(ids[i])
                weights.append(w[i])
    return torch.tensor(tokens), lengths, torch.tensor(wanted), torch.tensor(targets), torch.tensor(weights)


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalized updates for the matrices inside the blocks (Jordan et al. 2024)."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}  # matrices of one shape are done together
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                x = p.grad.lerp(m, group["momentum"]).bfloat16()
                x = x.T if x.shape[0] > x.shape[1] else x
                alike.setdefault(x.shape, []).append((p, x))
            for pairs in alike.values():
                x = torch.stack([x for _, x in pairs])
                x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
                for _ in range(5):  # Newton-Schulz
                    a = x @ x.mT
                    x = torch.baddbmm(x, torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
                for (p, _), y in zip(pairs, x.float()):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    y = y.T if p.shape[0] > p.shape[1] else y
                    p.add_(y, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def make_optimizers(model, args):
    inner = [p for p in model.model.layers.parameters() if p.dim() == 2]
    ids = {id(p) for p in inner}
    outer = [p for p in model.parameters() if id(p) not in ids]
    if args.optimizer == "adam":
        return [torch.optim.AdamW([{"params": inner, "weight_decay": 0.05}, {"params": outer, "weight_decay": 0.0}], lr=args.lr,
                     betas=(0.9, 0.97), fused=True)]
    return [Muon(inner, lr=args.muon_lr, weight_decay=0.05),
            torch.optim.AdamW(outer, lr=args.lr, betas=(0.9, 0.97), weight_decay=0.0, fused=True)]


@torch.no_grad()
def copied(model, data, items, use_bfloat16):
    """Share of the values in the answers that are right."""
    values = {i for word in generate.VALUES for e in data.tokenizer.encode_batch([word, " " + word])
              for i in e.ids}
    tokens, lengths, wanted, targets, _ = pack(data.encode_items(items, follow_up=False))
    with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16):
        hit = model(tokens, lengths, wanted).argmax(-1) == targets
    is_value = torch.tensor([t in values for t in targets.tolist()])
    return hit[is_value].float().mean().item()


@torch.no_grad()
def exact(model, data, items, use_bfloat16):
    """Share of the items whose whole answer is what greedy decoding would say."""
    right = 0
    for i in range(0, len(items), 25):
        rows = data.encode_items(items[i:i + 25], follow_up=False)
        tokens, lengths, wanted, targets, _ = pack(rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16):
            hit = model(tokens, lengths, wanted).argmax(-1) == targets
        at = 0
        for _, w in rows:
            n = sum(1 for x in w if x)
            right += bool(hit[at:at + n].all())
            at += n
    return right / len(items)


def dev_items(kind):
    rng = random.Random(f"{generate.DEV_SEED} {kind}")
    return [generate.draw(kind, rng, held_out=True) for _ in range(DEV_ITEMS)]


def save(path, state):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--demo", required=True, help="folder with tokenizer.json")
    parser.add_argument("--out", required=True, help="folder for checkpoints and the log; resumes from what lies there")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--cooldown", type=int, default=4000, help="last steps, over which the learning rate goes to 0")
    parser.add_argument("--lesson", choices=list(LESSONS), help="goes over to this lesson; without it, on with the last one")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--muon-lr", type=float, default=0.01)
    parser.add_argument("--optimizer", choices=["muon", "adam"], default="muon")
    parser.add_argument("--float32", action="store_true", help="for processors without bfloat16 instructions")
    parser.add_argument("--compile", action="store_true", help="torch.compile: a third faster, where there is a C++ compiler")
    parser.add_argument("--layers", type=int, default=CONFIG["num_hidden_layers"])
    parser.add_argument("--hidden", type=int, default=CONFIG["hidden_size"])
    parser.add_argument("--save-every", type=float, default=120, help="seconds")
    parser.add_argument("--eval-every", type=int, default=250, help="steps")
    parser.add_argument("--max-seconds", type=float, default=math.inf)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1)
    os.makedirs(args.out, exist_ok=True)
    tokenizer = Tokenizer.from_file(os.path.join(args.demo, "tokenizer.json"))
    data = Data(tokenizer)
    path = os.path.join(args.out, "checkpoint.pt")
    saved = torch.load(path, weights_only=False) if os.path.exists(path) else None
    config = saved["config"] if saved else dict(CONFIG, vocab_size=tokenizer.get_vocab_size(), num_hidden_layers=args.layers, hidden_size=args.hidden,
                  intermediate_size=3 * args.hidden, num_attention_heads=args.hidden // 64,
                  num_key_value_heads=args.hidden // 64)
    model = Llama(config)
    model.initialize()
    optimizers = make_optimizers(model, args)
    if args.compile:
        for layer in model.model.layers:
            layer.forward = torch.compile(layer.forward, dynamic=True)
    base_lrs = [[g["lr"] for g in o.param_groups] for o in optimizers]
    state = {"step": 0, "tokens": 0, "seconds": 0.0, "lessons": [[0, "copy"]]}
    if saved:
        model.load_state_dict(saved["model"])
        for o, s in zip(optimizers, saved["optimizers"] or []):
            o.load_state_dict(s)
        state = saved["state"]
    if args.lesson and args.lesson != state["lessons"][-1][1]:
        state["lessons"].append([state["step"], args.lesson])
    log = open(os.path.join(args.out, "log.txt"), "a", buffering=1)

    def say(text):
        log.write(text + "\n")
        print(text, flush=True)

    def checkpoint():
        save(path, {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "state": state,
                    "config": config, "args": vars(args)})

    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))  # the checkpoint is written before leaving
    first = state["step"]
    say(f"{sum(p.numel() for p in model.parameters())} parameters, from step {state['step']}")
    dev = {kind: dev_items(kind) for kind in generate.SLICES + ["copy_list", "short_retrieval", "again"]}
    use_bfloat16 = not args.float32
    started = last_save = last_time = time.time()
    last_tokens, losses = state["tokens"], []
    while state["step"] < args.steps and time.time() - started < args.max_seconds and not stop:
        step = state["step"]
        factor = min(1, (step - first + 1) / 50) * min(1, (args.steps - step) / args.cooldown)
        for o, lrs in zip(optimizers, base_lrs):
            for g, lr in zip(o.param_groups, lrs):
                g["lr"] = lr * factor
        lesson = state["lessons"][-1][1]
        tokens, lengths, wanted, targets, weights = pack(data.batch(step, lesson, args.batch))
        with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16):
            logits = model(tokens, lengths, wanted)
        loss = (F.cross_entropy(logits, targets, reduction="none") * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad()
        losses.append(loss.item())
        state["step"] += 1
        state["tokens"] += len(tokens)
        now = time.time()
        if state["step"] % 50 == 0:
            state["seconds"] += now - last_time
            rate = (state["tokens"] - last_tokens) / (now - last_time)
            say(f"step {state['step']} {lesson} tokens {state['tokens']} seconds {state['seconds']:.0f} "
                f"rate {rate:.0f}/s loss {sum(losses) / len(losses):.4f}")
            last_tokens, last_time, losses = state["tokens"], now, []
        if state["step"] % args.eval_every == 0:
            kinds = [k for k in dev if k in LESSONS[lesson] or lesson != "copy"]
            scores = {k: exact(model, data, dev[k], use_bfloat16) for k in kinds}
            if lesson == "copy":
                scores["copied values"] = copied(model, data, dev["copy_list"], use_bfloat16)
                if scores["copied values"] > COPY_ENOUGH:
                    state["lessons"].append([state["step"], "tasks"])
            say(f"dev step {state['step']} " + json.dumps(scores))
            state["scores"] = scores
        if now - last_save > args.save_every:
            last_save = now
            checkpoint()
    checkpoint()


if __name__ == "__main__":
    main()
