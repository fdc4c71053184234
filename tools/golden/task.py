#!/usr/bin/env python3
"""Cuts the excerpts in tests/task/data/ out of public data sets.

    tools/golden/task.py BFCL_FOLDER GSM8K_FOLDER [OUT]

BFCL_FOLDER   BFCL_v4_{simple_python,multiple,parallel,irrelevance}.json and possible_answer/, ShishirPatil/gorilla at commit 6ea57973
GSM8K_FOLDER  test.jsonl and example_model_solutions.jsonl, openai/grade-school-math at commit 3101c7d5
Lines are copied as they are; nothing is chosen by looking at what the program makes of it (every n-th line is taken).
"""
import json
import pathlib
import sys

bfcl, gsm8k = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
out = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else "tests/task/data")
out.mkdir(parents=True, exist_ok=True)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


with open(out / "bfcl.jsonl", "w") as file:
    for name, step in (("simple_python", 23), ("multiple", 15), ("parallel", 12), ("irrelevance", 24)):
        questions = lines(bfcl / f"BFCL_v4_{name}.json")
        answer_file = bfcl / "possible_answer" / f"BFCL_v4_{name}.json"
        answers = {row["id"]: row["ground_truth"] for row in lines(answer_file)} if answer_file.exists() else {}
        for row in questions[::step]:
            row["ground_truth"] = answers.get(row["id"], [])
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

with open(out / "gsm8k.jsonl", "w") as file:
    gold = lines(gsm8k / "test.jsonl")
    solutions = lines(gsm8k / "example_model_solutions.jsonl")
    for i in range(0, len(gold), 41):
        assert gold[i]["question"] == solutions[i]["question"]
        row = {"line": i + 1, "answer": gold[i]["answer"]}
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            row[model] = solutions[i][model]
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
