#!/usr/bin/env python3
"""Text from strangers' files never acts on a terminal: every command meets names, values, templates, answers and hub listings full of escape
sequences, bells and direction overrides, and nothing of it reaches stdout or stderr as it was.

usage: terminal_test.py ASSAY CHECKOUT"""
import json, os, pathlib, re, shutil, struct, subprocess, sys, tempfile, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066\x9b31m\x7f\b\x00"
# What a terminal acts on, but for the line end and the tab.
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def run(*arguments, cwd=None):
    return subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, cwd=cwd, timeout=300)


def gguf(path, entries, tensors=()):
    """A GGUF file of string metadata and F32 tensors of one row."""
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    for key, value in entries:
        out += text(key) + struct.pack("<I", 8) + text(value)
    for i, name in enumerate(tensors):
        out += text(name) + struct.pack("<IQIQ", 1, 32, 0, 128 * i)
    out += b"\0" * (-len(out) % 32) + b"\0" * 128 * len(tensors)
    path.write_bytes(out)


class Terminal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        os.environ["ASSAY_CACHE"] = str(self.path / "cache")
        self.task = self.path / "two.jsonl"
        self.task.write_text("".join((DEMO / "task.jsonl").read_text().splitlines(True)[:2]))

    def clean(self, *arguments):
        result = run(*arguments, cwd=self.path)
        for name, data in (("stdout", result.stdout), ("stderr", result.stderr)):
            found = ACTS.search(data.decode("utf-8", "surrogateescape"))
            self.assertIsNone(found, f"{name} of assay {' '.join(map(str, arguments))!r}: {found and found[0]!r}: {data[:600]!r}")
        self.assertGreaterEqual(result.returncode, 0, "ended by a signal")
        return result

    def demo(self, **files):
        """The embedded model with parts of its JSON files changed."""
        folder = self.path / f"model{len(list(self.path.iterdir()))}"
        shutil.copytree(DEMO, folder)
        for name, change in files.items():
            path = folder / (name + ".json")
            value = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(change(value) or value))
        return folder

    def every_command(self, model):
        results = [self.clean("inspect", model), self.clean("inspect", model, "--tensors"), self.clean("inspect", model, "--json"),
                   self.clean("generate", model, "hello", "--max-tokens", "3", "-v"), self.clean("tokenize", model, "hello"),
                   self.clean("run", model, "--task", self.task, "-o", self.path / "x.run.jsonl"),
                   self.clean("quantize", model, "--to", "q8_0", "-o", self.path / "out.gguf"),
                   self.clean("convert", model, "--to", "gguf", "-o", self.path / "out2.gguf"),
                   self.clean("bench", model, "-p", "4", "-n", "2", "-r", "1")]
        for name in ("x.run.jsonl", "out.gguf", "out2.gguf"):
            (self.path / name).unlink(missing_ok=True)
        return results

    def test_configurations(self):
        for key in ("model_type", "hidden_act", "torch_dtype", "rope_type", EVIL):
            self.every_command(self.demo(config=lambda c: c.update({key: EVIL})))
        self.every_command(self.demo(config=lambda c: c.update({"architectures": [EVIL]})))
        self.every_command(self.demo(config=lambda c: c.update({"quantization_config": {"quant_method": EVIL, EVIL: EVIL}})))
        self.every_command(self.demo(config=lambda c: c.update({"hidden_size": EVIL})))

    def test_templates_and_tokens(self):
        for template in (EVIL, "{{ raise_exception(%s) }}" % json.dumps(EVIL), "{{ %s }}" % EVIL, "{% include '" + EVIL + "' %}"):
            model = self.demo(tokenizer_config=lambda c: c.update({"chat_template": template}))
            (model / "chat_template.jinja").unlink(missing_ok=True)
            self.every_command(model)
        self.every_command(self.demo(tokenizer_config=lambda c: c.update({"eos_token": EVIL})))
        self.every_command(self.demo(tokenizer=lambda t: t["model"].update({"type": EVIL})))
        self.every_command(self.demo(tokenizer=lambda t: t.update({"normalizer": {"type": EVIL}})))

    def test_tensors(self):
        header = {EVIL: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "b": {"dtype": EVIL, "shape": [1], "data_offsets": [16, 20]}}
        text = json.dumps(header).encode()
        path = self.path / "evil.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 20)
        self.clean("inspect", path, "--tensors")
        model = self.demo()
        shutil.copy(path, model / "model.safetensors")
        self.every_command(model)

    def test_gguf(self):
        path = self.path / "evil.gguf"
        for entries in ([("general.architecture", EVIL)], [("general.architecture", "llama"), (EVIL, EVIL)], [("general.architecture", "llama"), ("tokenizer.ggml.model", EVIL)]):
            gguf(path, entries, [EVIL, "token_embd.weight"])
            self.every_command(path)

    def test_answers(self):
        # The piece of a common token becomes a sequence that clears the screen.
        def evil(tokenizer):
            vocabulary = tokenizer["model"]["vocab"]
            taken = {t["id"] for t in tokenizer["added_tokens"]}
            tokenizer["added_tokens"] += [{"id": i, "content": f"\x1b[2J\u202e{i}", "special": False, "single_word": False, "lstrip": False,
                                           "rstrip": False, "normalized": False} for i in sorted(vocabulary.values())[300:] if i not in taken]
        model = self.demo(tokenizer=evil)
        for result in self.every_command(model)[3:5]:
            self.assertIn(result.returncode, (0, 1))
        self.clean("check", model, "--task", self.task, "--to", "q8_0", "--no-speed", "--weak-baseline", "--report", self.path / "r.html")

    def test_tasks_and_flags(self):
        line = {"id": EVIL, "slice": EVIL, "messages": [{"role": "user", "content": EVIL}], "expect": [{"type": "contains", "value": EVIL}]}
        task = self.path / "evil.jsonl"
        for text in (json.dumps(line), json.dumps({**line, EVIL: 1}), json.dumps({**line, "expect": [{"type": EVIL}]}), EVIL):
            task.write_text(text + "\n")
            self.clean("task", "check", task)
            self.clean("task", "show", task)
            self.clean("task", "show", task, DEMO, "--tokens")
            self.clean("run", DEMO, "--task", task, "-o", self.path / "y.run.jsonl")
        for arguments in (["inspect", EVIL.replace("\0", "")], ["quantize", DEMO, "--to", EVIL.replace("\0", "")], [EVIL.replace("\0", "")],
                          ["bench", DEMO, "-p", EVIL.replace("\0", "")], ["formats", "--explain", EVIL.replace("\0", "")]):
            self.assertIn(self.clean(*arguments).returncode, (1, 2))

    def test_endless_names_are_cut(self):
        path = self.path / "long.gguf"
        gguf(path, [("general.architecture", "x" * 5_000_000)])
        for result in (self.clean("inspect", path), self.clean("generate", path, "a")):
            self.assertLess(len(result.stdout) + len(result.stderr), 200_000)

    def test_numbers_of_flags(self):
        for arguments in (["bench", DEMO, "-p", "-1"], ["generate", DEMO, "a", "--temperature", "nan"], ["generate", DEMO, "a", "--max-tokens", "-1"],
                          ["generate", DEMO, "a", "--max-tokens", str(2**63 - 1)], ["generate", DEMO, "a", "--top-p", "1e999"],
                          ["check", DEMO, "--task", self.task, "--margin", "nan"], ["check", DEMO, "--task", self.task, "--chunks", "-1"],
                          ["quantize", DEMO, "--to", "q8_0", "--shard", "-5"], ["generate", DEMO, "a", "--threads", "0"],
                          ["perplexity", DEMO, "--text", TEXT, "--context", "1"], ["generate", DEMO, "a", "--temperature", "inf"]):
            result = self.clean(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))
            self.assertIn(b"--" if b"-p" not in result.stderr else b"-p", result.stderr)
        self.assertEqual(self.clean("bench", DEMO, "-p", "0", "-n", "2", "-r", "1").returncode, 0)


TEXT = DEMO / "text.txt"
if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
