#!/usr/bin/env python3
"""Makes tests/task/data/template_calls.json: tool calls as models' own chat templates render them, to be read back.

  python tools/golden/tool_calls.py TEMPLATES_DIR tests/task/data/template_calls.json

TEMPLATES_DIR holds *.jinja (models/templates of llama.cpp, as the source distribution of llama-cpp-python 0.3.36 ships
them). Kept is the assistant's turn only, which begins where the conversation without it ends. Needs transformers, jinja2.
"""
import json
import os
import pathlib
import re
import sys

sys.path.append(sys.path.pop(0))  # numbers.py beside this file must not hide Python's own

import jinja2
import transformers

from jinja import render
from jinja_conversations import SEARCH, WEATHER, assistant, call, user

ONE = [("get_weather", {"city": "Ål \"x\" 東京", "days": 2, "unit": "c"})]
TWO = ONE + [("search", {"query": "a\nb </b> {c} [d] 'e'", "limit": None, "filters": ["x", "y, z"], "options": {"deep": {"a": [1, 2.5, True]}}})]
TEXT = "Let me look."
# Marks of the turn's end; what generates stops there.
ENDS = ["<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "</s>", "<|END_OF_TURN_TOKEN|>", "<end_of_turn>", "<|call|>",
        "<｜end▁of▁sentence｜>", "<|end|>", "[e~[", "<seed:eos>", "<turn|>", "<end_of_sentence>", "<|tool_response>", "<SPECIAL_12>",
        "<|calls|>", "<|role_end|>", "<sep>", "<|message_sep|>"]


def messages(calls, content, as_text):
    made = [call(n, json.dumps(a, ensure_ascii=False) if as_text else a, f"call{i:05d}") for i, (n, a) in enumerate(calls)]
    return [user("Weather?"), assistant(content, tool_calls=made)]


def turn(source, calls, content):
    tools = [WEATHER, SEARCH] if len(calls) > 1 else [WEATHER]  # some templates cannot render the other's schema
    base = {"tools": tools, "documents": None, "bos_token": "", "eos_token": "</s>"}
    for as_text in (False, True):
        before = render(source, base | {"messages": [user("Weather?")], "add_generation_prompt": True})
        after = render(source, base | {"messages": messages(calls, content, as_text), "add_generation_prompt": False})
        if isinstance(before, str) and isinstance(after, str) and "get_weather" in after:
            # The prompt may open what the finished turn has closed or left out.
            start = len(os.path.commonprefix([before, after]))
            while start > 0 and re.search(r"[<\[|\w]\Z", after[:start]):
                start -= 1
            text = after[start:]
            ends = [text.find(e, text.rfind("days")) for e in ENDS]
            cut = min([e for e in ends if e >= 0], default=len(text))
            return text[:cut]
    return None


def main():
    rows = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_text()
        for name, calls, content in (("one", ONE, ""), ("two", TWO, ""), ("text and two", TWO, TEXT)):
            text = turn(source, calls, content)
            if path.stem.startswith("LFM2.5") and calls is TWO:
                continue  # this template does not escape quotes inside quotes
            if text and all(n in text for n, _ in calls):
                rows.append({"template": path.stem, "case": name, "text": text})
    golden = {
        "provenance": f"tools/golden/tool_calls.py with transformers {transformers.__version__}, jinja2 {jinja2.__version__}",
        "tools": [WEATHER, SEARCH], "one": ONE, "two": TWO, "rows": rows,
    }
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False, indent=0)
        f.write("\n")
    print(len({r["template"] for r in rows}), "templates,", len(rows), "turns")


if __name__ == "__main__":
    main()
