#!/usr/bin/env python3
"""What servers tell of their prompts and settings, from outside: it is compared, and believed no further than their answers bear it out.

usage: telling_test.py ASSAY CHECKOUT"""
import json, os, pathlib, subprocess, sys, tempfile, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telling_server import Server

ASSAY = os.path.abspath(sys.argv[1])
N = 40


class Telling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.environment = {**os.environ, "ASSAY_CACHE": str(self.path / "cache")}
        lines = [{"id": f"e{i}", "messages": [{"role": "user", "content": f"{'Listen. ' * (i % 7)}What is {i} * 2?"}], "expect": [{"type": "number", "value": 2 * i}]}
                 for i in range(N)]
        lines[5]["messages"][0]["content"] = "Listen. " * 100 + "What is 5 * 2?"
        lines[6] = {"id": "e6", "prompt": "What is 6 * 2?", "expect": [{"type": "number", "value": 12}]}
        (self.path / "task.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def serve(self, **how):
        server = Server(**how)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def assay(self, command, url, *more, code=0):
        result = subprocess.run([ASSAY, command, url, "--task", "task.jsonl", *more], capture_output=True, text=True, cwd=self.path, env=self.environment, timeout=120)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr[-3000:])
        return result

    def run_(self, url, *more):
        result = self.assay("run", url, "-o", "out.run", "--force", *more)
        lines = [json.loads(line) for line in (self.path / "out.run").read_text().splitlines()]
        return lines[0], {line["id"]: line for line in lines[1:-1]}, result

    def check(self, url, candidate, *more, code=0):
        result = self.assay("check", url, "--candidate", candidate, "--json", *more, code=code)
        return json.loads(result.stdout)["verdicts"][0] if code != 1 else result.stderr

    def test_tokens_are_recorded(self):
        header, answers, _ = self.run_(self.serve().url)
        self.assertTrue(header["server"]["tells_chat_tokens"] and header["server"]["tells_text_tokens"])
        self.assertNotIn("tokenize", header["can"])
        self.assertEqual(bytes(answers["e1"]["prompt_ids"]).decode(), "|user:Listen. What is 1 * 2?")
        self.assertEqual(bytes(answers["e6"]["prompt_ids"]).decode(), "What is 6 * 2?")
        self.assertTrue(all(answer["pass"] for answer in answers.values()))

    def test_the_same_and_another_template(self):
        comparison = self.check(self.serve().url, self.serve().url)
        self.assertEqual(comparison["obstacles"], [])
        self.assertNotIn("prompt tokens", json.dumps(comparison["notes"]))
        other = self.serve(mark="#").url
        said = self.check(self.serve().url, other, code=1)
        self.assertIn("are run differently (--allow-difference compares them all the same): chat template", said)
        comparison = self.check(self.serve().url, other, "--allow-difference")
        self.assertEqual(comparison["obstacles"], [])
        notes = json.dumps(comparison["notes"])
        self.assertIn("allowed to differ: different chat template", notes)
        self.assertIn("in e0 prompt token 1 is 124 for the baseline and 35 for the candidate", notes)
        self.assertIn("Allowed to differ: different chat template", (self.path / "assay-report.html").read_text())

    def test_another_setting_is_refused(self):
        said = self.check(self.serve().url, self.serve(settings={"reasoning_format": "none"}).url, code=1)
        self.assertIn('reasoning_format: null and "none"', said)
        comparison = self.check(self.serve().url, self.serve(settings={"reasoning_format": "none"}).url, "--allow-difference")
        self.assertIn("allowed to differ: the servers are run differently: reasoning_format", json.dumps(comparison["notes"]))
        # A sampling default does no harm: every request names the value.
        self.assertEqual(self.check(self.serve().url, self.serve(settings={"top_k": 3}).url)["obstacles"], [])

    def test_of_two_runs_too(self):
        for name, mark in (("a.run", "|"), ("b.run", "#")):
            self.assay("run", self.serve(mark=mark).url, "-o", name)
        compare = [ASSAY, "compare", "a.run", "b.run", "--json"]
        refused = subprocess.run(compare, capture_output=True, text=True, cwd=self.path, env=self.environment)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("is not comparable with", refused.stderr)
        self.assertIn("saw different prompt tokens in examples e0, e1", refused.stdout)
        allowed = subprocess.run([*compare, "--allow-difference"], capture_output=True, text=True, cwd=self.path, env=self.environment)
        self.assertEqual(allowed.returncode, 0, allowed.stderr)

    def test_tokens_that_are_not_what_it_counts_are_not_believed(self):
        header, answers, result = self.run_(self.serve(adds=1).url)
        self.assertFalse(header["server"]["tells_chat_tokens"])
        self.assertRegex(result.stderr, r"its own calls tell \d+ tokens of a chat where it counts \d+: they are not believed")
        self.assertNotIn("prompt_ids", answers["e1"])

    def test_a_prompt_that_is_cut_is_no_answer(self):
        # Told by the tokens: only the long example is an error.
        header, answers, _ = self.run_(self.serve(context=500).url)
        errors = {i: answer["error"] for i, answer in answers.items() if answer.get("error")}
        self.assertEqual(list(errors), ["e5"])
        self.assertIn("another prompt: the server counts 500 tokens of a prompt that has ", errors["e5"])
        # Told by the count, with more and less at its beginning.
        said = self.assay("run", self.serve(context=500, tells=False).url, "-o", "x.run", code=1).stderr
        self.assertIn("cuts the longest prompt of the task: it counts 500 tokens of it, and 500 with a sentence more", said)
        self.assay("run", self.serve(tells=False).url, "-o", "y.run")
        # Told by a word that its model finds, or does not.
        result = self.assay("run", self.serve(context=500, tells=False, counts=False).url, "-o", "z.run")
        self.assertIn("does not find a word at the beginning of this prompt", result.stderr)
        result = self.assay("run", self.serve(tells=False, counts=False).url, "-o", "w.run")
        self.assertNotIn("does not find a word", result.stderr)

    def test_counts_are_compared_where_tokens_are_not_told(self):
        comparison = self.check(self.serve(tells=False).url, self.serve(tells=False, adds=2).url)
        self.assertIn("40 of 40 prompts have another number of tokens for the candidate than for the baseline (in e0 20 tokens and 22)", json.dumps(comparison["notes"]))

    def test_a_schema_that_is_not_held(self):
        self.assertTrue(self.run_(self.serve().url)[0]["server"]["holds_schema"])
        self.assertFalse(self.run_(self.serve(holds=False).url)[0]["server"]["holds_schema"])
        self.assay("run", self.serve().url, "--hold-schema", "-o", "x.run")
        said = self.assay("run", self.serve(holds=False).url, "--hold-schema", "-o", "y.run", code=1).stderr
        self.assertIn("does not hold an answer to the schema in response_format", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
