"""The record of a made-up check: fifty examples, as many candidates as wanted, each worse than the one before."""


def run(name, bits, passes, answer, examples):
    header = {"assay_run": 1, "model": {"name": f"some-model.{name}", "fingerprint": f"f-{name}", "architecture": "llama", "format": name,
                                        "bits_per_weight": bits, "file_bytes": int(bits * 10_000_000)},
              "task_name": "support.jsonl", "task_hash": "0123456789abcdef", "margin": 10, "tokenizer_hash": "t", "template_hash": "c",
              "sampling": {"temperature": 0}, "arithmetic": "deployed", "build": "assay", "machine": "some machine", "started": "2026-11-22T09:30:00Z"}
    results = []
    for i, (id, slice, _, _) in enumerate(examples):
        passed = passes(i)
        check = {"type": "contains", "pass": passed, **({} if passed else {"failure": ["wrong value", "no call", "malformed JSON"][i % 3], "detail": f"expected {i}"})}
        results.append({"id": id, "slice": slice, "index": i, "prompt_hash": f"p{i}", "prompt_tokens": 20, "answer": answer(i), "answer_ids": [1, 2, i],
                        "logprobs": [-0.1, -0.1, -0.1], "finish": "stop", "pass": passed, "checks": [check]})
    return {"run": {"header": header, "examples": results, "complete": True}, "cost": {}, "quality": {}, "displacement": []}


# lost: how many answers a candidate loses, or which.
def record(candidates=3, lost=lambda candidate: 2 * candidate, slices=("calls", "json", "long context", "facts", "arithmetic"), name="q{}", wide=""):
    examples = [(f"ex-{i:02}", slices[i // 10 % len(slices)], f"What is {i} plus {i}?{wide}", str(2 * i)) for i in range(50)]
    texts = [{"id": id, "slice": slice, "prompt": [{"role": "tools", "text": f"add(a, b){wide}"}, {"role": "system", "text": "You add."}, {"role": "user", "text": question}],
              "expected": expected} for id, slice, question, expected in examples]
    # The baseline misses one, and every candidate the same one in the same words.
    arms = [run("bf16", 16, lambda i: i != 49, lambda i: f"It is {2 * i}{wide}." if i != 49 else "It is 7.", examples)]
    for c in range(candidates):
        wrong = lost(c) if isinstance(lost(c), set) else {(5 * k + 3) % 49 for k in range(lost(c))}
        arms.append(run(name.format(c), 8 - 0.5 * c, lambda i: i != 49 and i not in wrong,
                        lambda i: "It is 7." if i == 49 else f"It is {2 * i + 1}, by candidate {c}." if i in wrong else f"It is {2 * i}{wide}.", examples))
    return {"assay_check": 1, "started": "2026-11-22T09:30:00Z", "elapsed_s": 60, "build": "assay of another day", "machine": "some machine", "task_name": "support.jsonl",
            "margin": 10, "examples": texts, "baseline": arms[0], "candidates": arms[1:]}
