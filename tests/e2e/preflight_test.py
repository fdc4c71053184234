#!/usr/bin/env python3
"""What a check looks at before any model runs, its plan, the baseline that is too weak to go on with, prompts as models get them, and what
decides the exit code.

usage: preflight_test.py ASSAY CHECKOUT"""
import json, os, pathlib, pty, select, shutil, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telling_server import Server

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
TASK, TEXT = DEMO / "task.jsonl", DEMO / "text.txt"
PLAIN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
TOOLS = "<|im_start|>system\n{% for t in tools or [] %}{{ t.function.name }}{% endfor %}<|im_end|>\n" + PLAIN
ORDER = [{"type": "function", "function": {"name": "order", "parameters": {"type": "object", "properties": {}}}}]


class Preflight(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name)
        self.path = self.base / "work"
        self.path.mkdir()
        self.environment = {**os.environ, "ASSAY_CACHE": str(self.base / "cache")}

    def assay(self, *arguments, code=0, **more):
        result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path, env={**self.environment, **more})
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr[-3000:])
        return result

    def task(self, name, *lines):
        (self.path / name).write_text("".join(json.dumps({"id": f"e{i}", "expect": [{"type": "contains", "value": "x"}], **line}) + "\n" for i, line in enumerate(lines)))
        return name

    def ask(self, text, **more):
        return {"messages": [{"role": "user", "content": text}], "sampling": {"max_tokens": 2}, **more}

    def folder(self, name, template):
        folder = self.path / name
        shutil.copytree(DEMO, folder)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
        return folder

    def refused(self, *arguments, says):
        """Exit 1 before any model is asked; nothing is there that was not."""
        before = sorted(self.path.rglob("*"))
        said = self.assay("check", *arguments, code=1).stderr
        self.assertNotIn("answering", said)
        self.assertEqual(before, sorted(self.path.rglob("*")))
        for words in says:
            self.assertIn(words, said)
        return said

    # --- what can fail ---

    def test_all_that_is_in_the_way_is_told_together(self):
        (self.path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
        other = ROOT / "tests" / "golden" / "checkpoint" / "tiny_llama"
        task = self.task("t.jsonl", self.ask("hi"), {"messages": [{"role": "user", "content": "hi"}]})
        said = self.refused(DEMO, "--task", task, "--to", "q8_0,q4_km,nvfp5", "--candidate", "missing.gguf", "--candidate", "cut.gguf", "--candidate", other,
                            "--report", "no/such/r.html", "--max-tokens", 5000,
                            says=["did you mean q4_k_m", "nvfp5", "missing.gguf: no such file", "cut.gguf", "no/such/r.html",
                                  "demo and tiny_llama cannot be compared: different tokenizer", "demo cannot be asked 1 of 2 examples of t.jsonl",
                                  "5000 to generate do not fit the context of 1024"])
        self.assertIn("things are in the way, and nothing was run:\n  - ", said)
        self.assertEqual(said.count("missing.gguf"), 1)
        # A task that cannot be read does not hide a model that is not there.
        (self.path / "bad.jsonl").write_text("{}\n")
        self.refused("gone", "--task", "bad.jsonl", says=["bad.jsonl:1", "gone: no such file"])

    def test_one_problem_is_told_as_it_is(self):
        said = self.refused(DEMO, "--task", TASK, "--candidate", "missing.gguf", says=["missing.gguf: no such file"])
        self.assertTrue(said.rstrip().splitlines()[-1].startswith("assay: missing.gguf"), said)

    def test_weights_of_a_candidate_that_cannot_be_read(self):
        self.assay("quantize", DEMO, "--to", "q8_0", "-o", "q.gguf", "-q")
        data = (self.path / "q.gguf").read_bytes()
        (self.path / "q.gguf").write_bytes(data[:len(data) // 2])
        self.refused(DEMO, "--task", TASK, "--candidate", "q.gguf", says=["q.gguf"])

    def test_examples_that_cannot_be_asked(self):
        long = self.ask("word " * 2000)
        few = self.task("few.jsonl", long, *[self.ask(f"q{i}") for i in range(59)])  # 1 of 60 may be left out
        told = self.assay("check", DEMO, "--task", few, "--to", "q8_0", "--dry-run").stderr
        self.assertIn("demo cannot be asked 1 of 60 examples of few.jsonl, which are left out: e0: prompt of ", told)
        many = self.task("many.jsonl", long, long, *[self.ask(f"q{i}") for i in range(58)])
        self.refused(DEMO, "--task", many, "--to", "q8_0", says=["cannot be asked 2 of 60 examples", "more than the 2%", "e1: prompt of "])

    def test_a_template_that_hides_tools_or_the_system_message(self):
        hiding = self.folder("hiding", "{% for m in messages if m.role != 'system' %}" + PLAIN.split("%}", 1)[1])
        tools = self.task("tools.jsonl", self.ask("order two", tools=ORDER))
        system = self.task("system.jsonl", {**self.ask("hi"), "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]})
        self.refused(hiding, "--task", tools, "--to", "q8_0", says=["does not show the model tool order", "--template FILE"])
        self.refused(hiding, "--task", system, "--to", "q8_0", says=["does not show the model messages[0] (system)", "put the text into the first user message"])
        (self.path / "tools.jinja").write_text(TOOLS)
        self.assay("check", hiding, "--task", tools, "--to", "q8_0", "--template", "tools.jinja", "--dry-run")

    def test_another_chat_template_is_found_before(self):
        plain, other = self.folder("plain", PLAIN), self.folder("other", TOOLS)
        task = self.task("t.jsonl", self.ask("hi"))
        self.refused(plain, "--task", task, "--candidate", other, says=["--allow-difference compares them all the same", "chat template: "])
        self.assay("check", plain, "--task", task, "--candidate", other, "--allow-difference", "--dry-run")

    def test_room_on_the_disk(self):
        small = self.base / "small"
        small.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True).returncode != 0:
            self.skipTest("needs to mount a file system")
        try:
            said = self.refused(DEMO, "--task", TASK, "--to", "q8_0,q4_k_m", "--keep", small / "kept", says=["the quantized models take about 12", "has room for 1.00 MiB", "--keep"])
            self.assertEqual(list(small.iterdir()), [])
            told = self.assay("check", DEMO, "--task", TASK, "--to", "q8_0", "--dry-run", ASSAY_CACHE=str(small / "cache")).stderr
            self.assertIn("the rest is made in", told)
            self.assertIn("--keep", said)
        finally:
            subprocess.run(["umount", str(small)], check=True)

    def test_a_home_that_cannot_be_written_is_a_remark(self):
        environment = {"ASSAY_CACHE": "", "XDG_CACHE_HOME": "", "HOME": str(TASK)}
        result = self.assay("check", DEMO, "--task", TASK, "--to", "q8_0", "--dry-run", **environment)
        self.assertIn("going on without a cache", result.stderr)
        self.assertIn("a temporary folder", result.stdout)

    # --- the plan ---

    def test_dry_run(self):
        words = ("check", DEMO, "--task", TASK, "--to", "q8_0,fp8", "--text", TEXT, "--context", 64, "--chunks", 4, "--no-speed")
        before = sorted(self.path.rglob("*"))
        first = self.assay(*words, "--dry-run", "--keep", "kept/deep", "--slow-displacement")
        shown = first.stdout
        self.assertIn("--slow-displacement is for servers", first.stderr)
        self.assertEqual(before, sorted(self.path.rglob("*")))
        for text in ("plan: 50 examples of task.jsonl, 3 models", "\n  demo ", "\n  q8_0 ", "kept/deep/demo-Q8_0.gguf", "an estimate, from ",
                     "writes assay-report.html, assay-report.json"):
            self.assertIn(text, shown)
        plan = json.loads(self.assay(*words, "--dry-run", "--json", "-q").stdout)
        self.assertEqual((plan["schema"], plan["version"], plan["examples"], plan["context"]), ("assay.plan", 1, 50, 1024))
        legs = {model["name"]: {leg["what"]: leg for leg in model["legs"]} for model in plan["models"]}
        self.assertEqual(list(legs), ["demo", "q8_0", "fp8"])
        self.assertEqual(list(legs["q8_0"]), ["quantize", "answers", "perplexity", "displacements"])
        self.assertEqual((legs["demo"]["answers"]["open"], legs["demo"]["answers"]["cached"]), (50, 0))
        self.assertEqual(legs["demo"]["answers"]["written_tokens"], sum(json.loads(line)["sampling"]["max_tokens"] for line in TASK.read_text().splitlines()))
        self.assertEqual(legs["demo"]["perplexity"]["scored_tokens"], 4 * 64)
        self.assertGreater(legs["demo"]["answers"]["at_most_s"], 0)
        self.assertGreater(plan["speed"]["written_tokens_per_s"], 0)
        self.assertEqual([p.name for p in self.path.iterdir()], [])
        # What it says is what is done.
        self.assay(*words, "-q", code=0)
        run = json.loads((self.path / "assay-report.json").read_text())["baseline"]["run"]
        self.assertEqual(sum(e["prompt_tokens"] for e in run["examples"]), legs["demo"]["answers"]["read_tokens"])
        quants = {p.name: p for p in (self.base / "cache" / "quants").rglob("*") if p.suffix == ".gguf"}
        self.assertLess(abs(quants["q8_0.gguf"].stat().st_size / legs["q8_0"]["quantize"]["bytes"] - 1), 0.1)
        # All of it is in the cache now: nothing is measured, nothing takes time.
        plan = json.loads(self.assay(*words, "--dry-run", "--json", "-q").stdout)
        self.assertEqual({leg["open"] for model in plan["models"] for leg in model["legs"]}, {0})
        self.assertIsNone(plan["speed"])
        self.assertIn("all from the cache", self.assay(*words, "--dry-run").stdout)
        # A further format is the only thing left.
        plan = json.loads(self.assay(*words, "--to", "q4_0", "--dry-run", "--json", "-q").stdout)
        self.assertEqual([model["name"] for model in plan["models"] if any(leg["open"] for leg in model["legs"])], ["q4_0"])

    def test_the_plan_is_shown_before_the_work(self):
        told = self.assay("check", DEMO, "--task", TASK, "--to", "q8_0", "--no-speed").stderr
        self.assertLess(told.index("plan: 50 examples"), told.index("answering task.jsonl"))
        self.assertNotIn("plan:", self.assay("check", DEMO, "--task", TASK, "--to", "q8_0", "--no-speed", "-q").stderr)

    # --- the baseline ---

    def weak(self):
        lines = [json.loads(line) for line in TASK.read_text().splitlines() if line.strip()]
        for line in lines[:30]:
            line["expect"] = [{"type": "contains", "value": "never said"}]
        return self.task("weak.jsonl", *lines)

    def test_a_baseline_that_fails_more_than_it_passes(self):
        words = ("check", DEMO, "--task", self.weak(), "--to", "q8_0", "--no-speed")
        said = self.assay(*words, code=1).stderr
        for text in ("the baseline (demo) fails 30 of 50 examples and passes 20: the task or its checks are wrong more often than the model",
                     "failed: missing 30", ": contains: missing", "answer: \"", "assay task show weak.jsonl", "--weak-baseline goes on"):
            self.assertIn(text, said)
        self.assertFalse((self.path / "assay-report.html").exists())
        self.assertNotIn("quantize to", said)
        self.assertIn("fails 30 of 50", self.assay(*words, "--weak-baseline", code=4).stderr)
        self.assertTrue((self.path / "assay-report.html").exists())

    def test_a_person_is_asked(self):
        words = [ASSAY, "check", str(DEMO), "--task", self.weak(), "--to", "q8_0", "--no-speed"]
        for answer, code in (("n", 1), ("", 1), ("y", 4)):
            leader, follower = pty.openpty()
            child = subprocess.Popen(words, cwd=self.path, env=self.environment, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower)
            os.close(follower)
            seen, deadline, answered = b"", time.time() + 120, False
            while time.time() < deadline:
                if select.select([leader], [], [], 1)[0]:
                    try:
                        piece = os.read(leader, 4096)
                    except OSError:  # the other end is closed
                        break
                    seen += piece
                    if not answered and b"go on all the same? [y/N]" in seen:
                        os.write(leader, answer.encode() + b"\n")
                        answered = True
            os.close(leader)
            self.assertEqual(child.wait(60), code, seen)
            self.assertTrue(answered)
            self.assertEqual(b"stopped at a baseline" in seen, code == 1)

    def test_a_quantized_baseline_and_a_larger_candidate(self):
        self.assay("quantize", DEMO, "--to", "q8_0", "-o", "q8.gguf", "-q")
        self.assay("quantize", DEMO, "--to", "f32", "-o", "f32.gguf", "-q")
        result = self.assay("check", "q8.gguf", "--task", TASK, "--candidate", "f32.gguf", "--no-speed", "--json")
        self.assertIn("the baseline is itself quantized (q8_0, 8.5", result.stderr)
        self.assertIn("f32.gguf: the candidate is larger than the baseline", result.stderr)
        notes = " ".join(json.loads(result.stdout)["verdicts"][0]["notes"])
        self.assertIn("the baseline is itself quantized", notes)
        self.assertIn("the candidate is larger than the baseline", notes)
        self.assertIn("is itself quantized", (self.path / "assay-report.html").read_text())
        self.assertNotIn("itself quantized", self.assay("check", DEMO, "--task", TASK, "--to", "q8_0", "--dry-run").stderr)

    # --- prompts as models get them ---

    def test_task_show_of_a_model(self):
        self.assay("run", DEMO, "--task", TASK, "-o", "demo.run", "-q")
        answers = {e["id"]: e for e in map(json.loads, (self.path / "demo.run").read_text().splitlines()[1:-1])}
        shown = json.loads(self.assay("task", "show", TASK, DEMO, "--tokens", "--json").stdout)["examples"]
        self.assertEqual(len(shown), 50)
        for example in shown:
            self.assertEqual(example["ids"], answers[example["id"]]["prompt_ids"])
            self.assertEqual("".join(example["pieces"]), example["prompt"])
        one = shown[3]
        text = self.assay("task", "show", TASK, DEMO, "--id", one["id"]).stdout
        self.assertTrue(text.startswith(f"{one['id']} ({one['slice']}): {len(one['ids'])} tokens of a context of 1024\n"), text)
        self.assertIn(one["prompt"], text)
        tokens = self.assay("task", "show", TASK, DEMO, "--id", one["id"], "--tokens").stdout
        self.assertRegex(tokens, rf"(?m)^ +{one['ids'][0]}  \"")
        question = json.loads(self.assay("task", "show", TASK, "--id", one["id"], "--json").stdout)
        self.assertEqual(question["id"], one["id"])
        self.assertIn("messages", question["question"])

    def test_task_show_of_what_is_hidden(self):
        plain = self.folder("plain", PLAIN)
        tools = self.task("tools.jsonl", self.ask("order two", tools=ORDER), self.ask("hi"))
        result = self.assay("task", "show", tools, plain, code=1)
        self.assertIn("error: ", result.stdout)
        self.assertIn("does not show the model tool order", result.stdout)
        self.assertIn("1 of 2 examples of tools.jsonl cannot be asked", result.stderr)
        (self.path / "tools.jinja").write_text(TOOLS)
        self.assertIn("order<|im_end|>", self.assay("task", "show", tools, plain, "--template", "tools.jinja").stdout)
        self.assertIn("--template", self.assay("task", "show", tools, "--template", "tools.jinja", code=1).stderr)
        self.assertIn("for task show", self.assay("task", "check", tools, plain, code=2).stderr)

    def test_task_show_of_a_server(self):
        task = self.task("t.jsonl", self.ask("What is 1 * 2?"))
        for tells, text in ((True, "|user:What is 1 * 2?"), (False, "the server does not tell what it makes of this; it is sent:")):
            server = Server(tells=tells)
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            shown = self.assay("task", "show", task, server.url, "--tokens").stdout
            self.assertIn(text, shown)
            self.assertIn("tokens: 124 117 " if tells else "tokens: the server does not tell them", shown)
            plan = json.loads(self.assay("check", server.url, "--task", task, "--candidate", server.url, "--dry-run", "--json", "-q").stdout)
            self.assertEqual({model["server"] for model in plan["models"]}, {True})
            self.assertIsNone(plan["speed"])

    # --- exit codes ---

    def test_required_candidates(self):
        words = ("check", DEMO, "--task", TASK, "--to", "q8_0,q2_k", "--no-speed", "-q")
        self.assay(*words, code=3)
        self.assay(*words, "--require", "q8_0", code=0)
        self.assay(*words, "--require", "Q2-K", code=3)
        self.assay(*words, "--require", "q8_0,q2_k", code=3)
        self.assay(*words, "--fail-on", "none-holds", code=0)
        said = self.assay(*words, "--require", "q4_0", code=1).stderr
        self.assertIn("--require q4_0: no candidate of that name; expected q8_0, q2_k", said)
        self.assay(*words, "--require", "q8_0", "--fail-on", "cracks", code=2)
        few = ("check", DEMO, "--task", "few.jsonl", "--to", "q8_0", "--no-speed", "-q")
        (self.path / "few.jsonl").write_text("".join(TASK.read_text().splitlines(keepends=True)[:4]))
        self.assay(*few, "--require", "q8_0", code=4)
        self.assay(*few, "--fail-on", "none-holds", code=4)

    def test_saved_runs_that_are_required(self):
        self.assay("run", DEMO, "--task", TASK, "-o", "base.run", "-q")
        lines = (self.path / "base.run").read_text().splitlines()
        wrong = [json.dumps({**e, "pass": False, "checks": [{**c, "pass": False, "failure": "wrong value"} for c in e["checks"]]}) for e in map(json.loads, lines[1:-1])]
        (self.path / "broken.run").write_text("\n".join([lines[0], *wrong, lines[-1]]) + "\n")
        shutil.copy(self.path / "base.run", self.path / "good.run")
        words = ("compare", "base.run", "good.run", "broken.run")
        self.assay(*words, code=3)
        self.assay(*words, "--require", "good.run", code=0)
        self.assay(*words, "--require", "broken.run", code=3)
        self.assay(*words, "--fail-on", "none-holds", code=0)
        self.assay("compare", "base.run", "broken.run", "--fail-on", "none-holds", code=3)

    def test_what_cannot_be_compared_is_an_error_and_no_verdict(self):
        (self.path / "few.jsonl").write_text("".join(TASK.read_text().splitlines(keepends=True)[:4]))
        self.assay("run", DEMO, "--task", TASK, "-o", "base.run", "-q")
        self.assay("run", DEMO, "--task", "few.jsonl", "-o", "few.run", "-q")
        for more in ((), ("--fail-on", "never"), ("--fail-on", "none-holds")):
            result = self.assay("compare", "base.run", "few.run", "--report", "r.html", "--force", *more, code=1)
            self.assertRegex(result.stderr, "assay: bf16 is not comparable with bf16: different task: ")
            self.assertIn("different task", result.stdout)
            self.assertIn("ifferent task", (self.path / "r.html").read_text())


unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
