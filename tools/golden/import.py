#!/usr/bin/env python3
"""Cuts the excerpts in tests/import/data/ out of public data sets.

    tools/golden/import.py DATA_FOLDER [OUT]

DATA_FOLDER has the data sets as tests/import/data/README.md names them. Lines are copied as they are; every n-th is taken.
"""
import gzip
import pathlib
import sys

data = pathlib.Path(sys.argv[1])
out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "tests/import/data")
out.mkdir(parents=True, exist_ok=True)

for name, path, step, most in (
    ("ifeval.jsonl", "ifeval/input_data.jsonl", 18, 30),
    ("mmlu_pro.jsonl", "mmlu_pro/questions_sample.jsonl", 100, 6),
    ("gsm8k.jsonl", "gsm8k/test.jsonl", 160, 8),
    ("humaneval.jsonl", "humaneval/HumanEval.jsonl", 80, 2),
    ("lost_in_the_middle.jsonl", "lost_in_the_middle/kv-retrieval-75_keys.jsonl.gz", 250, 2),
    ("bfcl_simple_python.json", "bfcl/BFCL_v4_simple_python.json", 80, 5),
    ("bfcl_answers.json", "bfcl/possible_answer/BFCL_v4_simple_python.json", 80, 5),
):
    source = data / path
    text = (gzip.open(source, "rt", encoding="utf-8") if path.endswith(".gz") else open(source, encoding="utf-8")).read()
    (out / name).write_text("".join(line + "\n" for line in text.split("\n")[::step][:most] if line), encoding="utf-8")
