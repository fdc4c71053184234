#!/usr/bin/env python3
"""Prompts without right answers from outside: what they add to a verdict, what a person labels, what is refused.

usage: unlabelled_test.py ASSAY CHECKOUT"""
import json, os, pathlib, subprocess, sys, tempfile, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"


class Unlabelled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cache = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.cache.cleanup)
        os.environ["ASSAY_CACHE"] = cls.cache.name

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        rows = [json.loads(line) for line in (DEMO / "task.jsonl").read_text().splitlines()]
        self.write("task.jsonl", rows[::2])
        self.write("traffic.jsonl", [{k: v for k, v in row.items() if k != "expect"} for row in rows[1::2]])

    def write(self, name, rows):
        (self.path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def differing(self):
        return [json.loads(line) for line in (self.path / "assay-report.differing.jsonl").read_text().splitlines()]

    def check(self, *arguments):
        return subprocess.run([ASSAY, "check", DEMO, "--task", "task.jsonl", "--no-speed", "--margin", "20", *arguments],
                              capture_output=True, text=True, cwd=self.path)

    def verdicts(self, *arguments):
        result = self.check("--json", "--quiet", *arguments)
        self.assertIn(result.returncode, (0, 3, 4), result.stderr)
        self.assertEqual(result.stderr, "")
        return {v["candidate"]: v for v in json.loads(result.stdout)["verdicts"]}

    def test_equal_answers_narrow_the_bound(self):
        alone = self.verdicts("--to", "q8_0")["q8_0"]
        self.assertIsNone(alone["unlabelled"])
        found = self.verdicts("--to", "q8_0", "--unlabelled", "traffic.jsonl")["q8_0"]
        prompts = found["unlabelled"]
        self.assertEqual((prompts["prompts"], prompts["differing"], prompts["used"]), (25, [], True))
        self.assertEqual(prompts["compared_as"], {"text": 10, "JSON": 5, "calls": 5, "number": 5})
        self.assertAlmostEqual(prompts["bound"], 100 * (1 - 0.05 ** (1 / 25)), places=4)
        self.assertLess(found["all"]["drop_bounds"][1], alone["all"]["drop_bounds"][1])
        self.assertEqual(self.differing(), [])
        record = json.loads((self.path / "assay-report.json").read_text())
        self.assertEqual(len(record["candidates"][0]["unlabelled"]["examples"]), 25)
        self.assertIn("25 unlabelled prompts: no answer differs", (self.path / "assay-report.html").read_text())

    def test_prompts_are_answered_once(self):
        result = self.check("--to", "q8_0", "--unlabelled", "traffic.jsonl", "--samples", "4", "--temperature", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("--unlabelled: expected --samples 1, found 4", result.stderr)

    def test_a_person_labels_what_differs(self):
        arguments = ("--to", "q2_k_s", "--unlabelled", "traffic.jsonl")
        before = self.verdicts(*arguments)["q2_k_s"]["unlabelled"]
        self.assertGreater(before["unknown"], 0)
        rows = self.differing()
        self.assertEqual([row["id"] for row in rows], before["differing"])
        self.assertTrue(all(row["prompt"] and row["draft"]["answer"] and row["answers"][0]["right"] is None for row in rows))
        for i, row in enumerate(rows):
            row["answers"][0]["right"] = "baseline" if i else "both"
        self.write("assay-report.differing.jsonl", rows)

        # What a person wrote is not lost, and not both read and written.
        again = self.check(*arguments)
        self.assertEqual(again.returncode, 1)
        self.assertIn("has labels of yours", again.stderr)
        same = self.check(*arguments, "--labels", "assay-report.differing.jsonl")
        self.assertEqual(same.returncode, 1)
        self.assertIn("rename it first", same.stderr)
        self.assertEqual(self.differing(), rows)

        (self.path / "assay-report.differing.jsonl").rename(self.path / "labels.jsonl")
        after = self.verdicts(*arguments, "--labels", "labels.jsonl")["q2_k_s"]["unlabelled"]
        self.assertEqual((after["lost"], after["no_loss"], after["unknown"]), (len(rows) - 1, 1, 0))
        self.assertEqual(self.differing(), rows)  # carried over
        self.assertEqual(len(json.loads((self.path / "assay-report.json").read_text())["labels"]), len(rows))

        # Labels of other answers are told and do not count.
        (self.path / "assay-report.differing.jsonl").unlink()
        other = self.check("--to", "q8_0", "--unlabelled", "traffic.jsonl", "--labels", "labels.jsonl")
        self.assertIn("are of other answers than this run's and do not count", other.stderr)

    def test_refusals(self):
        def fails(*arguments, says, code=1):
            result = self.check("--to", "q8_0", *arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(says, result.stderr)

        fails("--unlabelled", "task.jsonl", says="task.jsonl:1: expect: an unlabelled prompt has no right answer")
        fails("--labels", "traffic.jsonl", says="--unlabelled", code=2)
        fails("--unlabelled", "traffic.jsonl", "--labels", "traffic.jsonl", says="traffic.jsonl:1")
        (self.path / "empty.jsonl").write_text("\n")
        fails("--unlabelled", "empty.jsonl", says="the file is empty")
        self.assertFalse((self.path / "assay-report.html").exists())


unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
