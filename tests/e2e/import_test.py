#!/usr/bin/env python3
"""Tasks out of what people have, from outside: assay task import, assay task init, and what a wrong file is answered with.

usage: import_test.py ASSAY CHECKOUT"""
import json, os, pathlib, pty, select, subprocess, sys, tempfile, time, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DATA = ROOT / "tests" / "import" / "data"
DEMO = ROOT / "examples" / "demo"


class Import(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.environment = {**os.environ, "ASSAY_CACHE": str(self.path / "cache")}

    def assay(self, *arguments, code=0, stdin=None):
        result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path, env=self.environment, input=stdin, timeout=300)
        self.assertEqual(result.returncode, code, f"{arguments}: {result.stdout}{result.stderr}")
        return result

    def lines(self, name):
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]

    def test_a_table_becomes_a_task_that_runs(self):
        rows = [f'"What is {i} plus {i}?",{2 * i},sums' for i in range(1, 31)] + ["Capital of France?,Paris,facts", "Say something.,,facts"]
        (self.path / "mine.csv").write_text("question,answer,topic\n" + "\n".join(rows) + "\n")
        result = self.assay("task", "import", "mine.csv")
        self.assertIn('columns: prompt is "question", expected is "answer", slice is "topic"', result.stdout)
        self.assertIn("mine.task.jsonl: 31 examples in slices facts 1, sums 30; checks contains 1, number 30", result.stdout)
        self.assertIn("no right answer (first: mine.csv:33)", result.stdout)
        self.assertIn("1 prompt without a check not written: --unlabelled FILE", result.stderr)
        self.assertIn("usable", self.assay("task", "check", "mine.task.jsonl").stdout)
        # An output that is there is kept, unless it is to be replaced.
        before = (self.path / "mine.task.jsonl").read_bytes()
        self.assay("task", "import", "mine.csv", "--count", 5, code=1)
        self.assertEqual((self.path / "mine.task.jsonl").read_bytes(), before)
        self.assay("task", "import", "mine.csv", "--count", 5, "--force", "--unlabelled", "rest.jsonl")
        self.assertEqual(len(self.lines("mine.task.jsonl")), 5)
        self.assertEqual(self.lines("rest.jsonl")[0]["messages"][0]["content"], "Say something.")
        self.assay("run", DEMO, "--task", "mine.task.jsonl", "-o", "demo.run.jsonl", "--max-tokens", 8)

    def test_kinds_are_recognised(self):
        for name, kind in (("ifeval.jsonl", "ifeval"), ("mmlu_pro.jsonl", "multiple-choice"), ("gsm8k.jsonl", "gsm8k"), ("lost_in_the_middle.jsonl", "lost-in-the-middle")):
            report = json.loads(self.assay("task", "import", DATA / name, "-o", kind + ".jsonl", "--json").stdout)
            self.assertEqual(report["kind"], kind)
            self.assertGreater(report["examples"], 0)
            self.assertEqual(report["examples"], len(self.lines(kind + ".jsonl")))
            self.assertEqual(json.loads(self.assay("task", "check", kind + ".jsonl", "--json").stdout)["errors"], 0)
        self.assertEqual(len(json.loads(self.assay("task", "import", "--list-kinds", "--json").stdout)["kinds"]), 15)

    def test_possible_answers_beside_the_questions(self):
        (self.path / "possible_answer").mkdir()
        (self.path / "BFCL_v4_simple_python.json").write_bytes((DATA / "bfcl_simple_python.json").read_bytes())
        (self.path / "possible_answer" / "BFCL_v4_simple_python.json").write_bytes((DATA / "bfcl_answers.json").read_bytes())
        result = self.assay("task", "import", "BFCL_v4_simple_python.json", "-o", "tools.jsonl")
        self.assertIn("possible answers: possible_answer/BFCL_v4_simple_python.json", result.stderr)
        self.assertIn("usable", self.assay("task", "check", "tools.jsonl").stdout)

    def test_what_gives_no_example_writes_nothing(self):
        result = self.assay("task", "import", DATA / "humaneval.jsonl", "-o", "code.jsonl", code=1)
        self.assertIn("no check runs code yet", result.stdout)
        self.assertIn("code.jsonl: not written: none of 2 rows became an example", result.stderr)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), [])
        self.assay("task", "import", DATA / "humaneval.jsonl", "-o", "code.jsonl", "--unlabelled", "code.prompts.jsonl", code=1)
        self.assertEqual(len(self.lines("code.prompts.jsonl")), 2)

    def test_standard_input(self):
        self.assertIn("-o TASK", self.assay("task", "import", "-", code=1, stdin="prompt,answer\nx,y\n").stderr)
        self.assay("task", "import", "-", "-o", "t.jsonl", stdin="prompt,answer\nx,y\n")
        self.assertEqual(self.lines("t.jsonl")[0]["expect"][0]["value"], "y")

    def test_usage(self):
        self.assertIn("expected FILE", self.assay("task", "import", code=2).stderr)
        self.assertIn("assay task import --help", self.assay("task", "check", "x", "import", code=2).stderr)
        self.assertIn("expected FIELD=COLUMN", self.assay("task", "import", DATA / "gsm8k.jsonl", "-o", "t.jsonl", "--map", "prompt", code=1).stderr)
        self.assertIn("did you mean gsm8k?", self.assay("task", "import", DATA / "gsm8k.jsonl", "-o", "t.jsonl", "--from", "gsm8", code=1).stderr)

    def test_wrong_files_name_the_command_once_and_it_works(self):
        for name in ("14_csv.csv", "15_promptfoo.yaml", "18_jsonarray.json", "19_pretty.jsonl", "20_openai_ft.jsonl", "21_sharegpt.jsonl", "22_alpaca.jsonl", "25_latin1.jsonl",
                     "26_utf16.jsonl"):
            path = ROOT / "tests" / "task" / "data" / "mistakes" / name
            told = self.assay("task", "check", path, code=1).stdout
            self.assertEqual(told.count("assay task import FILE -o task.jsonl"), 1, told)
            self.assay("task", "import", path, "-o", "task.jsonl", "--force")
            self.assertIn("usable", self.assay("task", "check", "task.jsonl").stdout)

    def test_init_by_flags(self):
        self.assertIn("expected --kind", self.assay("task", "init", code=2, stdin="").stderr)
        result = self.assay("task", "init", "--kind", "json,tools,number,choice,text,retrieval", "--system", "You help.", "--about", "support")
        self.assertIn("task.jsonl: 6 samples", result.stdout)
        lines = self.lines("task.jsonl")
        self.assertEqual(lines[0], {"task": {"description": "support"}, "defaults": {"system": "You help."}})
        checked = self.assay("task", "check", "task.jsonl").stdout
        self.assertIn("6 of 6 examples are samples that assay task init wrote", checked)
        self.assertIn("usable", checked)
        self.assertIn("did you mean number?", self.assay("task", "init", "x.jsonl", "--kind", "numbr", code=1).stderr)
        self.assay("task", "init", "--kind", "text", code=1)  # it is there already

    def test_init_asks(self):
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.path)
            os.execve(ASSAY, [ASSAY, "task", "init", "asked.jsonl"], self.environment)
        said = b""
        answers = {b"do for you": b"It sorts tickets.\n", b"system prompt": b"Be brief.\n", b"with commas": b"json, choice\n"}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    piece = os.read(terminal, 4096)
                except OSError:
                    break
                if not piece:
                    break
                said += piece
            for question in [q for q in answers if q in said]:
                os.write(terminal, answers.pop(question))
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, said)
        lines = self.lines("asked.jsonl")
        self.assertEqual(lines[0], {"task": {"description": "It sorts tickets."}, "defaults": {"system": "Be brief."}})
        self.assertEqual([line["slice"] for line in lines[1:]], ["json", "choice"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
