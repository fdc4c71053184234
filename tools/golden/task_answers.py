#!/usr/bin/env python3
"""Writes a right answer for every example of examples/tasks/ to tests/task/data/right_answers.jsonl, from what its checks expect.

    tools/golden/task_answers.py > tests/task/data/right_answers.jsonl

The test that reads it shows that each shipped example can be passed at all, and that another example's answer does not pass it.
"""
import json
import pathlib
import re

# Texts for patterns, written by hand.
BY_PATTERN = {
    "Phoenix(, (AZ|Arizona))?": "Phoenix", "(?i)eggs?": "eggs", "(?i)tomato(es)?": "tomatoes", "(?i)onions?": "onion",
}
FORMAT = {
    "format-01": "HELLO", "format-02": "red, green, blue", "format-03": "1. Apple\n2. Pear\n3. Plum",
    "format-04": "The sea is calling!", "format-05": "1 2 3 4 5", "format-06": "Dear Anna,", "format-07": "- dog\n- cat\n- cow",
    "format-08": "Could you tell me whether it will rain?", "format-09": "A bridge crosses the river.",
    "format-10": "The quick brown fox jumps over the lazy dog.",
}


def concrete(e):
    if isinstance(e, list):
        return [concrete(x) for x in e]
    if not isinstance(e, dict):
        return e
    if "$regex" in e:
        return BY_PATTERN.get(e["$regex"], re.sub(r"\w\?", "", e["$regex"]))
    for key in ("$casefold", "$number"):
        if key in e:
            return e[key]
    if "$contains" in e:
        return "The " + e["$contains"].upper()
    if "$set" in e:
        return [concrete(x) for x in reversed(e["$set"])]
    return {k: concrete(v) for k, v in e.items() if v != {"$ignore": True}}


def answer(example):
    check = example["expect"][-1]
    kind = check["type"]
    if example["id"] in FORMAT and kind in ("regex", "contains"):
        return FORMAT[example["id"]]
    if kind == "tool_calls":
        calls = [{"name": c["name"], "arguments": concrete(c["arguments"])} for c in check["calls"]]
        return "\n".join(f"<tool_call>{json.dumps(c)}</tool_call>" for c in calls) or "That needs no tool."
    if kind == "json_value":
        return json.dumps(concrete(check["value"]), ensure_ascii=False)
    if kind == "number":
        return f"So it is\n{check['value']}"
    if kind == "choice":
        return check["choices"][ord(check["value"]) - ord("A")].capitalize() + "."
    wanted = []
    for check in example["expect"]:
        value = check["value"] if isinstance(check["value"], list) else [check["value"]]
        if not check.get("not"):
            wanted += value[:1] if check.get("any") else value
    return "It is " + ", ".join(wanted) + "."


root = pathlib.Path(__file__).resolve().parents[2]
for path in sorted((root / "examples" / "tasks").glob("*.jsonl")):
    for line in path.read_text().splitlines():
        example = json.loads(line)
        print(json.dumps({"file": path.name, "id": example["id"], "answer": answer(example)}, ensure_ascii=False))
