#!/usr/bin/env python3
"""The commands from outside, on the embedded model: results, determinism, resume, errors, exit codes.

usage: cli_test.py ASSAY CHECKOUT"""
import json, os, pathlib, signal, subprocess, sys, tempfile, time, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
TASK, TEXT = DEMO / "task.jsonl", DEMO / "text.txt"


def run(*arguments, cwd=None, env=None):
    return subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env={**os.environ, **(env or {})})


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        os.environ["ASSAY_CACHE"] = str(self.path / "cache")

    def json(self, *arguments, codes=(0,)):
        result = run(*arguments, "--json", "--quiet", cwd=self.path)
        self.assertIn(result.returncode, codes, result.stderr)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def fails(self, *arguments, code=1, says=()):
        result = run(*arguments, cwd=self.path)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        for text in says:
            self.assertIn(text, result.stderr)

    def test_check_is_deterministic(self):
        """Verdicts are the same bytes with one or two threads, any batch size, cached or not, restarted or not."""
        seen = set()
        for threads, batch, cache in ((1, 1, "a"), (2, 8, "b"), (2, 3, "c"), (1, 8, "b")):
            os.environ["ASSAY_CACHE"] = str(self.path / cache)
            out = self.json("check", DEMO, "--task", TASK, "--text", TEXT, "--context", 256, "--chunks", 4, "--to", "q4_0,q2_k,int8-w8a8",
                            "--threads", threads, "--batch", batch, "--no-speed", codes=(0, 3, 4))
            seen.add(json.dumps(out["verdicts"], sort_keys=True))
        self.assertEqual(len(seen), 1)
        self.assertTrue((self.path / "assay-report.html").read_text().startswith("<!"))

    def test_legs_one_by_one(self):
        """quantize, run, compare give what check gives."""
        check = self.json("check", DEMO, "--task", TASK, "--to", "q2_k", "--no-speed", codes=(0, 3, 4))
        self.json("quantize", DEMO, "--to", "q2_k", "-o", "small.gguf")
        self.json("run", DEMO, "--task", TASK, "-o", "base.run.jsonl", "--no-cache")
        self.json("run", "small.gguf", "--task", TASK, "-o", "small.run.jsonl", "--no-cache")
        compare = self.json("compare", "base.run.jsonl", "small.run.jsonl", codes=(0, 3, 4))
        both = [r["verdicts"][0] for r in (check, compare)]
        for verdict in both:  # compare has no displacement, and other names for the same models
            verdict["all"].pop("displacement", None)
        self.assertEqual(both[0]["all"], both[1]["all"])
        self.assertEqual([v["regressions"] + v["fixes"] for v in both[:1]], [v["regressions"] + v["fixes"] for v in both[1:]])

    def test_run_resumes_after_interruption(self):
        whole = self.json("run", DEMO, "--task", TASK, "-o", "whole.jsonl", "--no-cache", "--threads", 1)
        child = subprocess.Popen([ASSAY, "run", str(DEMO), "--task", str(TASK), "-o", "cut.jsonl", "--no-cache", "--threads", "1", "--batch", "1", "-q"],
                                 cwd=self.path, stderr=subprocess.PIPE)
        part = self.path / "cut.jsonl.part"
        deadline = time.time() + 60
        while time.time() < deadline and child.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 4):
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        child.communicate()
        if child.returncode == 0:
            self.skipTest("the run was over before it could be interrupted")
        self.assertEqual(child.returncode, 130)
        self.assertFalse((self.path / "cut.jsonl").exists())
        finished = part.read_bytes().count(b"\n")
        result = run("run", DEMO, "--task", TASK, "-o", "cut.jsonl", "--no-cache", "--threads", 1, "--json", cwd=self.path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"going on after {finished - 1} finished", result.stderr)
        again = json.loads(result.stdout)
        self.assertEqual([(e["id"], e["answer"]) for e in again["examples"]], [(e["id"], e["answer"]) for e in whole["examples"]])

    def test_every_preset_is_written_and_read_back(self):
        presets = [p["name"] for p in self.json("formats")["presets"]]
        base = self.json("perplexity", DEMO, "--text", TEXT, "--context", 256, "--chunks", 4)["perplexity"]
        for preset in presets:
            with self.subTest(preset=preset):
                record = self.json("quantize", DEMO, "--to", preset, "-o", "out")
                found = self.json("perplexity", "out", "--text", TEXT, "--context", 256, "--chunks", 4, "--against", DEMO)
                self.assertLess(found["perplexity"], base * (1.5 if preset == "q2_k" else 1.15))
                self.assertLess(found["mean_kl"], 0.5)
                if preset in ("f32", "bf16"):
                    # BF16 weights fit both exactly; F32 files run in float32, the source in bfloat16 activations.
                    exact = self.json("perplexity", "out", "--text", TEXT, "--context", 256, "--chunks", 4, "--against", DEMO, "--arithmetic", "reference")
                    self.assertLess(exact["mean_kl"], 1e-9)
                self.assertGreater(record["result"]["bits_per_weight"], 2)
                subprocess.run(["rm", "-r", str(self.path / "out")], check=True)

    def test_generate_and_tokenize(self):
        out = self.json("generate", DEMO, "Hello", "--raw", "--greedy", "--max-tokens", 5, "--logprobs", 3)
        self.assertEqual(len(out["ids"]), len(out["top_logprobs"]))
        self.assertEqual(len(out["prompt_logprobs"]), len(out["prompt_ids"]))
        self.assertIsNone(out["prompt_logprobs"][0])
        self.assertEqual(self.json("tokenize", DEMO, "Hello")["ids"], out["prompt_ids"])
        seeded = [self.json("generate", DEMO, "Hello", "--temperature", 1.5, "--seed", s, "--max-tokens", 20)["ids"] for s in (1, 1, 2)]
        self.assertEqual(seeded[0], seeded[1])
        self.assertNotEqual(seeded[0], seeded[2])

    def test_errors(self):
        (self.path / "bad.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
        (self.path / "bad.jsonl").write_text('{"id": "a", "prompt": "x", "expect": [{"type": "equls", "value": "y"}]}\n')
        self.fails("inspect", "missing.gguf", says=["missing.gguf", "no such file"])
        self.fails("inspect", "bad.gguf", says=["bad.gguf"])
        self.fails("quantize", DEMO, "--to", "q4_km", says=["q4_km", "did you mean q4_k_m"])
        self.fails("run", DEMO, "--task", "bad.jsonl", says=["bad.jsonl:1", "equals"])
        self.fails("chek", code=2, says=["assay check"])
        self.fails("check", DEMO, code=2, says=["--task"])
        self.fails("generate", DEMO, "x" * 20000, says=["context"])
        self.fails("quantize", DEMO, "--to", "q8_0", "-o", self.path / "no" / "such" / "folder.gguf", says=["folder.gguf"])
        self.assertEqual([p.name for p in self.path.iterdir() if "part" in p.name], [])
        (self.path / "there.gguf").write_text("x")
        self.fails("quantize", DEMO, "--to", "q8_0", "-o", "there.gguf", says=["exists"])
        self.assertEqual((self.path / "there.gguf").read_text(), "x")

    def test_exit_codes_of_verdicts(self):
        run_file = self.json("run", DEMO, "--task", TASK, "-o", "base.jsonl")["file"]
        lines = (self.path / run_file).read_text().splitlines()
        passed = [json.loads(l) for l in lines[1:-1]]
        broken = [json.dumps({**e, "pass": False, "answer": "wrong", "checks": [{**c, "pass": False, "failure": "wrong value"} for c in e["checks"]]}) for e in passed]
        (self.path / "broken.jsonl").write_text("\n".join([lines[0], *broken, lines[-1]]) + "\n")
        if sum(e["pass"] for e in passed) >= 40:
            self.assertEqual(run("compare", "base.jsonl", "base.jsonl", cwd=self.path).returncode, 0)
            self.assertEqual(run("compare", "base.jsonl", "broken.jsonl", cwd=self.path).returncode, 3)
            self.assertEqual(run("compare", "base.jsonl", "broken.jsonl", "--fail-on", "never", cwd=self.path).returncode, 0)

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("perplexity", run("completion", shell).stdout)
        script = run("completion", "bash").stdout + "\nCOMP_WORDS=(assay quan); COMP_CWORD=1; _assay; echo \"${COMPREPLY[@]}\"\n"
        self.assertEqual(subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.strip(), "quantize")


unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
