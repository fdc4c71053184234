#!/usr/bin/env python3
"""Judging what others answered or scored, from outside: score, task try, compare of files of other tools.

usage: judge_test.py ASSAY CHECKOUT"""
import json, os, pathlib, subprocess, sys, tempfile, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
N = 60


def task_lines():
    for i in range(N):
        if i % 2:
            yield {"id": f"n{i}", "slice": "math", "prompt": f"{i} * 2?", "expect": [{"type": "number", "value": 2 * i}]}
        else:
            yield {"id": f"t{i}", "slice": "tools", "messages": [{"role": "user", "content": f"Weather in city {i}?"}], "tools": [WEATHER],
                   "expect": [{"type": "tool_calls", "calls": [{"name": "get_weather", "arguments": {"city": f"city {i}"}}]}]}


def answer_lines(wrong=()):
    for i in range(N):
        if i % 2:
            yield {"id": f"n{i}", "answer": f"It is {2 * i + (i in wrong)}."}
        else:
            call = {"name": "get_weather", "arguments": json.dumps({"city": f"city {i + 100 * (i in wrong)}"})}
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": call}]}
            yield {"id": f"t{i}", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 5}}


class Judging(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        os.environ["ASSAY_CACHE"] = str(self.path / "cache")
        self.write("task.jsonl", task_lines())

    def write(self, name, lines):
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines))

    def run_(self, *arguments, stdin=None):
        return subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path, input=stdin)

    def json(self, *arguments, codes=(0,)):
        result = self.run_(*arguments, "--json", "--quiet")
        self.assertIn(result.returncode, codes, result.stderr)
        return json.loads(result.stdout)

    def fails(self, *arguments, code=1, says=(), stdin=None):
        result = self.run_(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, code, result.stderr + result.stdout)
        self.assertEqual(result.stdout, "")
        for text in says:
            self.assertIn(text, result.stderr)

    def fails_(self, *arguments, says):
        result = self.run_(*arguments)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(says, result.stderr)

    def test_an_empty_text_is_no_value(self):
        for flag in ("--report", "--metric"):
            self.fails("compare", "a", "b", flag, "", code=2, says=[f"{flag}: expected some text, found ''"])
        self.fails("check", "m", "--task", "t", "--certificate", "", code=2, says=["--certificate: expected some text, found ''"])

    def test_score_and_compare(self):
        self.write("base.jsonl", answer_lines())
        self.write("small.jsonl", answer_lines(wrong=range(0, 40)))
        whole = self.json("score", "task.jsonl", "base.jsonl", "-o", "base.run", "--name", "demo", "--format", "bf16")
        self.assertEqual(sum(e["pass"] for e in whole["examples"]), N)
        self.assertEqual(whole["header"]["model"]["name"], "demo")
        self.assertEqual(whole["header"]["answers_from"], "base.jsonl")
        text = self.run_("score", "task.jsonl", "-", "-o", "small.run", "--format", "q2", stdin=(self.path / "small.jsonl").read_text())
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("answers on task.jsonl: 20 of 60 passed", text.stdout)
        self.assertIn("n1: number: wrong value: expected 2, found \"3\"", text.stdout)
        self.assertIn("failed: wrong value   40", text.stdout)
        out = self.json("compare", "base.run", "small.run", codes=(3,))
        self.assertEqual((out["verdicts"][0]["candidate"], out["verdicts"][0]["comparable"]), ("q2", True))
        self.assertEqual(sum("made elsewhere" in note for note in out["verdicts"][0]["notes"]), 1)
        self.assertEqual(self.json("compare", "base.run", "base.run")["verdicts"][0]["all"]["verdict"], "holds")
        self.assertIn("base.run is compared with itself", self.run_("compare", "base.run", "base.run").stderr)
        self.fails("score", "task.jsonl", "base.jsonl", "-o", "base.run", says=["base.run"])  # it is there

    def test_every_answer_is_accounted_for(self):
        lines = list(answer_lines())
        lines[3] = {"id": "m3", "answer": "6"}
        lines[5] = {"id": "n5", "answer": 10}
        lines.append(lines[0])
        self.write("bad.jsonl", lines)
        self.fails("score", "task.jsonl", "bad.jsonl", "-o", "x.run", says=[
            "bad.jsonl:4: id: task.jsonl has no example \"m3\"; did you mean \"n3\"?",
            "bad.jsonl:6: answer: expected a string", "bad.jsonl:61: id: a second answer to \"t0\"; the first is in line 1",
            "task.jsonl:4: \"n3\" has no answer in bad.jsonl"])
        self.assertFalse((self.path / "x.run").exists())
        # An answer that cannot be read is told where it stands, not as missing.
        self.assertNotIn('"n5" has no answer', self.run_("score", "task.jsonl", "bad.jsonl").stderr)
        self.write("none.jsonl", "")
        self.fails_("score", "task.jsonl", "none.jsonl", "--allow-missing", says="60 of 60 examples could not be answered")
        self.write("few.jsonl", list(answer_lines())[:-1])
        self.fails("score", "task.jsonl", "few.jsonl", says=["--allow-missing"])
        out = self.json("score", "task.jsonl", "few.jsonl", "--allow-missing")
        self.assertEqual(out["examples"][-1]["error"], "no answer was given")
        self.assertIsNone(out["file"])
        self.assertIn("not read: latency", self.run_("score", "task.jsonl", "-", stdin="".join(
            json.dumps({**line, **({"latency": 1} if "answer" in line else {})}) + "\n" for line in answer_lines())).stderr)

    def test_task_try(self):
        result = self.run_("task", "try", "task.jsonl", "--id", "n1", "--answer", "<think>4</think>I get 3")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("n1 (slice math): the answer fails, 0 of 1 checks", "reasoning is taken off", "expect[0] number: fail, wrong value",
                     'expects  {"type":"number","value":2}', 'read     "3" as 3', 'why      expected 2, found "3"'):
            self.assertIn(text, result.stdout)
        (self.path / "answer.txt").write_text('<tool_call>{"name": "get_weather", "arguments": {"city": "city 2"}}</tool_call>')
        out = self.json("task", "try", "task.jsonl", "--id", "t2", "--answer-file", "answer.txt")
        self.assertTrue(out["pass"])
        self.assertEqual(out["checks"][0]["read"], 'get_weather({"city":"city 2"})')
        self.assertIn("passes", self.run_("task", "try", "task.jsonl", "--id", "n1", "--answer-file", "-", stdin="2").stdout)
        self.fails("task", "try", "task.jsonl", "--id", "n2", "--answer", "x", says=["no example \"n2\"", "did you mean"])
        self.fails("task", "try", "task.jsonl", "--answer", "x", code=2, says=["--id"])
        self.fails("task", "try", "task.jsonl", "--id", "n1", code=2, says=["--answer"])
        self.fails("task", "show", "task.jsonl", "--answer", "x", code=2, says=["for task try"])
        self.fails("task", "check", "task.jsonl", "--id", "n1", code=2, says=["for task show and task try"])

    def verdict(self, *arguments, codes=(0, 3, 4)):
        out = self.json("compare", *arguments, codes=codes)
        self.assertEqual(out["verdicts"][0]["obstacles"], [])
        return out["verdicts"][0]

    def test_files_of_other_tools(self):
        good, bad = [True] * N, [i >= 30 for i in range(N)]

        def lm_eval(passed):
            return [{"doc_id": i, "doc": {}, "target": "x", "arguments": {}, "resps": [["x"]], "filtered_resps": ["x"], "filter": "none",
                     "metrics": ["exact_match"], "doc_hash": "d", "prompt_hash": f"p{i}", "target_hash": "t", "exact_match": float(p)}
                    for i, p in enumerate(passed)]

        def inspect(passed):
            return json.dumps({"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}, "samples": [
                {"id": i, "epoch": 1, "input": f"q{i}", "target": "x", "output": {"completion": "x"},
                 "scores": {"match": {"value": "C" if p else "I"}}} for i, p in enumerate(passed)]}, indent=1)

        def csv(passed):
            return "id,pass,slice\n" + "".join(f"e{i},{int(p)},{'even' if i % 2 == 0 else 'odd'}\n" for i, p in enumerate(passed))

        promptfoo = json.dumps({"results": {"version": 3, "results": [
            {"promptIdx": 0, "testIdx": i, "provider": {"id": name}, "prompt": {"raw": f"q{i}", "label": "q"}, "success": p,
             "failureReason": int(not p), "namedScores": {}} for name, passed in (("base", good), ("small", bad)) for i, p in enumerate(passed)]}})
        self.write("promptfoo.json", promptfoo)
        for kind, write, suffix in (("lm_eval", lm_eval, "jsonl"), ("inspect", inspect, "json"), ("csv", csv, "csv")):
            with self.subTest(kind):
                self.write(f"base/{kind}.{suffix}", write(good))
                self.write(f"small/{kind}.{suffix}", write(bad))
                base, small = f"base/{kind}.{suffix}", f"small/{kind}.{suffix}"
                self.assertEqual(self.verdict(base, base, codes=(0,))["all"]["verdict"], "holds")
                found = self.verdict(base, small, codes=(3,))
                self.assertEqual((found["all"]["verdict"], found["candidate"]), ("cracks", "small"))
                self.assertEqual(sum("made elsewhere" in note for note in found["notes"]), 1)
        self.assertEqual(self.verdict("promptfoo.json#base", "promptfoo.json#small", codes=(3,))["candidate"], "small")
        self.fails("compare", "promptfoo.json", "promptfoo.json#small", says=["several providers: base, small"])
        # Prompts that a tool states and that differ keep its runs from being compared.
        other = lm_eval(good)
        other[3]["prompt_hash"] = "another"
        self.write("other.jsonl", other)
        refused = self.run_("compare", "base/lm_eval.jsonl", "other.jsonl")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, "is not comparable with .*different prompt tokens in examples 3")
        self.write("scores.csv", "id,pass\na,0.5\n")
        self.fails("compare", "scores.csv", "scores.csv", says=["0.5 in line 2", "--threshold"])
        notes = self.verdict("scores.csv", "scores.csv", "--threshold", "0.4", codes=(4,))["notes"]
        self.assertIn("baseline: pass of at least 0.4 passes", notes)
        self.fails("compare", "base/csv.csv", code=2, says=["at least one CANDIDATE"])

    def test_answers_of_a_run_score_as_they_did(self):
        """What the program answered itself, given to it as a file; one side then states no prompts, and that is said, not refused."""
        demo = ROOT / "examples" / "demo"
        own = self.json("run", demo, "--task", demo / "task.jsonl", "-o", "own.run")
        self.write("answers.jsonl", [{"id": e["id"], "answer": e["answer"], "finish_reason": e["finish"]} for e in own["examples"]])
        scored = self.json("score", demo / "task.jsonl", "answers.jsonl", "-o", "scored.run")
        self.assertEqual([(e["id"], e["pass"], e["checks"]) for e in own["examples"]], [(e["id"], e["pass"], e["checks"]) for e in scored["examples"]])
        for base, candidate, who in (("own.run", "scored.run", "the candidate (answers.jsonl)"), ("scored.run", "own.run", "the baseline (answers.jsonl)")):
            found = self.verdict(base, candidate)
            self.assertEqual((found["comparable"], found["all"]["regressions"], found["all"]["fixes"]), (True, 0, 0))
            self.assertIn(f"answers of {who} were made elsewhere: that prompts, sampling and arithmetic were the same for both is not known here", found["notes"])
        page = self.run_("compare", "own.run", "scored.run", "--report", "page.html")
        self.assertIn("made elsewhere", (self.path / "page.html").read_text(), page.stderr)

    def test_data_of_a_check_is_judged_again(self):
        demo = ROOT / "examples" / "demo"
        first = self.json("check", demo, "--task", demo / "task.jsonl", "--to", "q2_k", "--no-speed", codes=(0, 3, 4))
        again = self.json("compare", "assay-report.json", codes=(0, 3, 4))
        self.assertEqual(first["verdicts"], again["verdicts"])
        wide = self.json("compare", "assay-report.json", "--margin", "40", codes=(0, 3, 4))
        self.assertEqual(wide["verdicts"][0]["margin"], 40)
        self.write("a.csv", "id,pass\na,1\n")
        self.fails("compare", "a.csv", "assay-report.json", says=["give it first"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
