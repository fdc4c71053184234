#!/usr/bin/env python3
"""The commands from outside, on the embedded model: results, determinism, resume, errors, exit codes.

usage: cli_test.py ASSAY CHECKOUT"""
import functools, hashlib, http.server, json, math, os, pathlib, re, shutil, signal, struct, subprocess, sys, tempfile, threading, time, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
TASK, TEXT = DEMO / "task.jsonl", DEMO / "text.txt"


def run(*arguments, cwd=None, env=None):
    return subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env={**os.environ, **(env or {})})


class Hub(http.server.SimpleHTTPRequestHandler):
    """Answers as a Hugging Face hub does: a list of files, and ranges of them."""

    sent = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        found = re.fullmatch(r"/api/models/org/demo/revision/main", self.path)
        if found:
            names = [p.name for p in pathlib.Path(self.directory).iterdir() if p.is_file()]
            return self.answer(200, json.dumps({"siblings": [{"rfilename": n} for n in names]}).encode(), {})
        found = re.fullmatch(r"/org/demo/resolve/main/([A-Za-z0-9_.-]+)", self.path)
        path = pathlib.Path(self.directory) / found[1] if found else None
        if not path or not path.is_file():
            return self.answer(404, b"no such file", {})
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked:
            return self.answer(200, data, {})
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        self.answer(206, data[first:last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
        Hub.sent += len(body)


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
        """Verdicts are the same bytes with one or two threads, any batch size and memory, cached or not, restarted or not."""
        seen = set()
        # 8 MiB: the whole context of one example.
        for threads, batch, cache, memory in ((1, 1, "a", "8MiB"), (2, 8, "b", "1GB"), (2, 3, "c", "9MB"), (1, 8, "b", "8MiB")):
            os.environ["ASSAY_CACHE"] = str(self.path / cache)
            out = self.json("check", DEMO, "--task", TASK, "--text", TEXT, "--context", 256, "--chunks", 4, "--to", "q4_0,q2_k,int8-w8a8",
                            "--threads", threads, "--batch", batch, "--cache-memory", memory, "--no-speed", codes=(0, 3, 4))
            seen.add(json.dumps(out["verdicts"], sort_keys=True))
        self.assertEqual(len(seen), 1)
        self.assertTrue((self.path / "assay-report.html").read_text().startswith("<!"))

    def test_a_perplexity_beyond_a_double(self):
        """It is infinite, not unmeasured, in every view, and again when it comes from the cache."""
        loud = self.path / "loud"
        shutil.copytree(DEMO, loud)
        weights = bytearray((loud / "model.safetensors").read_bytes())
        header = 8 + struct.unpack("<Q", weights[:8])[0]
        begin, end = (header + at for at in json.loads(weights[8:header])["model.norm.weight"]["data_offsets"])
        norm = f"<{(end - begin) // 2}H"
        weights[begin:end] = struct.pack(norm, *(x + (14 << 7) for x in struct.unpack(norm, weights[begin:end])))  # times 2^14
        (loud / "model.safetensors").write_bytes(weights)
        (self.path / "few.jsonl").write_text("".join(TASK.read_text().splitlines(keepends=True)[:3]))
        common = ("check", loud, "--task", "few.jsonl", "--to", "q8_0", "--no-speed", "--force", "--weak-baseline")
        for source in ("measured", "cached"):
            with self.subTest(source):
                out = self.json(*common, "--text", TEXT, "--context", 64, "--chunks", 2, codes=(0, 3, 4))
                self.assertEqual(out["baseline"]["quality"]["perplexity"], "inf")
                self.assertEqual(out["verdicts"][0]["quality"]["perplexity"], "inf")
                self.assertIsInstance(out["verdicts"][0]["quality"]["mean_kl"], float)
                record = json.loads((self.path / "assay-report.json").read_text())
                self.assertEqual(record["baseline"]["quality"]["perplexity"], "inf")
                self.assertRegex((self.path / "assay-report.html").read_text(), ">inf<")
        self.assertEqual(self.json("perplexity", loud, "--text", TEXT, "--context", 64, "--chunks", 2)["perplexity"], "inf")
        self.assertNotIn("perplexity", self.json(*common, codes=(0, 3, 4))["baseline"]["quality"])

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

    def test_samples(self):
        """Every example answered several times, by seeds of their own that both arms share; what greedy answers are is told."""
        options = ("--temperature", 2, "--samples", 3, "--max-tokens", 24)
        check = self.json("check", DEMO, "--task", TASK, "--to", "q8_0", "--no-speed", "--weak-baseline", *options, codes=(0, 3, 4))
        examples = check["baseline"]["examples"]
        self.assertEqual(check["baseline"]["answers"], 3 * examples)
        everything = check["verdicts"][0]["all"]
        self.assertEqual((everything["examples"], everything["answers"]), (examples, 3 * examples))
        self.assertEqual(everything["crack_test"], "sign flip")
        self.assertIsNone(check["noise"])
        one = self.json("run", DEMO, "--task", TASK, "-o", "one.jsonl", "--temperature", 2, "--max-tokens", 24)
        three = self.json("run", DEMO, "--task", TASK, "-o", "three.jsonl", "--no-cache", *options)
        self.assertEqual(three["header"]["samples"], 3)
        answers = {(e["id"], e.get("sample", 0)): e["answer_ids"] for e in three["examples"]}
        self.assertEqual(len(answers), 3 * examples)
        self.assertEqual({(e["id"], 0): e["answer_ids"] for e in one["examples"]}, {k: v for k, v in answers.items() if k[1] == 0})
        self.assertTrue(any(answers[e["id"], 0] != answers[e["id"], 1] for e in one["examples"]))
        other = run("compare", "one.jsonl", "three.jsonl", "--json", cwd=self.path)
        self.assertEqual(other.returncode, 1)
        self.assertIn("different numbers of samples of each example: 1 and 3", json.loads(other.stdout)["verdicts"][0]["obstacles"])
        self.assertIn("is not comparable with bf16: different numbers of samples", other.stderr)
        text = run("check", DEMO, "--task", TASK, "--to", "q8_0", "--no-speed", "--fail-on", "never", "-q", "--weak-baseline", *options, cwd=self.path).stdout
        self.assertIn(f"{3 * examples} answers ({examples} examples \u00d7 3)", text)

    def test_samples_of_greedy_answers(self):
        for command in ("run", "check"):
            self.fails(command, DEMO, "--task", TASK, "--samples", 2, "-q", says=["all samples would be the same answer", "--temperature"])
        self.fails("run", DEMO, "--task", TASK, "--temperature", 1, "--samples", 65, code=2, says=["--samples"])
        lines = [json.loads(line) for line in TASK.read_text().splitlines() if line.strip()]
        lines[0]["sampling"] = {"temperature": 1.0}
        mixed = self.path / "mixed.jsonl"
        mixed.write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = run("run", DEMO, "--task", mixed, "--samples", 2, "--max-tokens", 8, "-o", "mixed.run.jsonl", cwd=self.path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"{len(lines) - 1} of {len(lines)} examples are answered greedily: their 2 samples are one answer", result.stderr)

    def test_noise(self):
        """The baseline against itself: other seeds flip some of its answers, greedy ones are seen to stay."""
        common = ("check", DEMO, "--task", TASK, "--to", "q8_0", "--no-speed", "--max-tokens", 24, "--noise", "--weak-baseline")
        greedy = self.json(*common, codes=(0, 3, 4))["noise"]
        self.assertEqual((greedy["drawn"], greedy["repeated"], greedy["unsteady"]), (0, 5, []))
        warm = self.json(*common, "--temperature", 2, codes=(0, 3, 4))
        self.assertEqual((warm["noise"]["drawn"], warm["noise"]["repeated"]), (warm["baseline"]["examples"], 0))
        self.assertEqual(self.json(*common, "--temperature", 2, "--no-cache", codes=(0, 3, 4))["noise"], warm["noise"])
        text = run(*common, "--temperature", 2, "--fail-on", "never", "-q", cwd=self.path).stdout
        flips = len(warm["noise"]["lost"] + warm["noise"]["gained"])
        self.assertIn(f"the baseline flips {flips} of {warm['noise']['drawn']} examples against itself", " ".join(text.split()))

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
        formats = self.json("formats")
        width = {f["name"]: f["bits_per_weight"] for f in formats["formats"]}
        presets = {p["name"]: width[p["base"]] for p in formats["presets"]}
        base = self.json("perplexity", DEMO, "--text", TEXT, "--context", 256, "--chunks", 2)["perplexity"]
        for preset, bits in presets.items():
            with self.subTest(preset=preset):
                if preset.endswith("-experts"):  # the demo has none
                    result = run("quantize", DEMO, "--to", preset, "-o", "out", "--force", cwd=self.path)
                    self.assertEqual(result.returncode, 1)
                    self.assertIn("would quantize nothing", result.stderr)
                    continue
                record = self.json("quantize", DEMO, "--to", preset, "-o", "out", "--force")
                found = self.json("perplexity", "out", "--text", TEXT, "--context", 256, "--chunks", 2, "--against", DEMO)
                if bits > 2.6 and preset != "int2-g32-asym":  # below, formats need calibration, or training
                    self.assertLess(found["perplexity"], base * (1.15 if bits > 3.1 else 1.6))
                    self.assertLess(found["mean_kl"], 0.5)
                if preset in ("f32", "bf16"):
                    # BF16 weights fit both exactly; F32 files run in float32, the source in bfloat16 activations.
                    exact = self.json("perplexity", "out", "--text", TEXT, "--context", 256, "--chunks", 2, "--against", DEMO, "--arithmetic", "reference")
                    self.assertLess(exact["mean_kl"], 1e-9)
                self.assertGreater(record["result"]["bits_per_weight"], bits * 0.95)
                subprocess.run(["rm", "-r", str(self.path / "out")], check=True)

    def test_inspect_weights(self):
        self.json("quantize", DEMO, "--to", "q4_0", "-o", "small.gguf")
        errors = self.json("inspect", "small.gguf", "--errors", DEMO)
        by_name = {t["name"]: t for t in errors["tensors"]}
        relative = [t["relative"] for t in errors["tensors"]]
        self.assertEqual(relative, sorted(relative, reverse=True))
        self.assertEqual(by_name["blk.0.attn_norm.weight"]["rmse"], 0)
        worst = errors["tensors"][0]
        self.assertEqual(worst["format"], "q4_0")
        self.assertTrue(0.05 < worst["relative"] < 0.15, worst)
        # Small errors at right angles to the weights: cosine and SNR follow from the relative error.
        self.assertAlmostEqual(worst["cosine"], 1 - worst["relative"] ** 2 / 2, delta=2e-3)
        self.assertAlmostEqual(worst["snr_db"], -20 * math.log10(worst["relative"]), places=6)
        histogram = self.json("inspect", DEMO, "--histogram", "blk.0.attn_q.weight", "--bins", 10)
        self.assertEqual(sum(histogram["bins"]), math.prod(histogram["shape"]))
        outliers = self.json("inspect", DEMO, "--outliers")["tensors"]
        self.assertEqual(len(outliers), len([t for t in self.json("inspect", DEMO)["tensors"] if len(t["shape"]) == 2]))
        self.fails("inspect", DEMO, "--histogram", "blk.0.attn_qq.weight", says=["did you mean blk.0.attn_q.weight"])
        self.fails("inspect", DEMO, "--outliers", "--errors", DEMO, code=2, says=["--outliers"])

    def test_convert_keeps_every_weight(self):
        """4-bit groups go compressed-tensors, GPTQ, AWQ, GGUF and back, and never change."""
        self.json("quantize", DEMO, "--to", "int4-g128", "-o", "ct")
        for source, to, out in (("ct", "gptq", "gptq"), ("gptq", "awq", "awq"), ("awq", "gguf", "awq.gguf"), ("awq.gguf", "compressed-tensors", "back"),
                                ("back", "hqq", "hqq"), ("hqq", "gguf", "hqq.gguf")):
            record = self.json("convert", source, "--to", to, "-o", out, "--plain", "none")
            self.assertEqual({t["rmse"] for t in record["tensors"]}, {0})
            self.assertIn("q4_0" if to == "gguf" else "int4_g128", {t["to"] for t in record["tensors"]})
            errors = self.json("inspect", out, "--errors", "ct")
            self.assertEqual(errors["rmse"], 0, out)
        self.json("quantize", DEMO, "--to", "nf4", "-o", "nf4")
        self.fails("convert", "nf4", "--to", "gguf", "-o", "x.gguf", "--plain", "none", says=["nf4", "no codes in GGUF"])
        self.fails("convert", "nf4", "--to", "gptq", "-o", "x", says=["quantize"])
        self.fails("convert", "nf4", "--to", "gguff", "-o", "x", says=["gptq", "gguf"])
        self.assertFalse((self.path / "x").exists() or (self.path / "x.gguf").exists())
        # ModelOpt keeps the reciprocal of NVFP4's global scale: what that rounds is said.
        self.json("quantize", DEMO, "--to", "nvfp4", "-o", "nvfp4")
        record = self.json("convert", "nvfp4", "--to", "modelopt", "-o", "modelopt")
        errors = {t["name"]: t["rmse"] for t in self.json("inspect", "modelopt", "--errors", "nvfp4")["tensors"]}
        self.assertEqual({t["name"]: t["rmse"] for t in record["tensors"]}, errors)
        self.assertTrue(0 < max(errors.values()) < 1e-6)
        record = self.json("convert", "nf4", "--to", "gguf", "-o", "plain.gguf")
        self.assertEqual({t["method"] for t in record["tensors"] if t["from"] == "nf4"}, {"plain"})
        self.assertLess(self.json("inspect", "plain.gguf", "--errors", "nf4")["relative"], 2 ** -8)

    def test_what_is_in_the_format_is_kept(self):
        self.json("quantize", DEMO, "--to", "q4_k_m", "-o", "a.gguf")
        again = self.json("quantize", "a.gguf", "--to", "q4_k_m", "-o", "b.gguf")
        self.assertEqual({(t["method"], t["rmse"]) for t in again["tensors"]}, {("kept", 0)})
        self.assertEqual(self.json("inspect", "b.gguf", "--errors", "a.gguf")["relative"], 0)

    def test_the_error_need_not_be_measured(self):
        for preset in ("q4_k_m", "int8"):
            measured = self.json("quantize", DEMO, "--to", preset, "-o", f"{preset}-a")
            bare = self.json("quantize", DEMO, "--to", preset, "-o", f"{preset}-b", "--no-error")
            self.assertEqual(bare["result"]["fingerprint"], measured["result"]["fingerprint"])
            self.assertEqual({t["rmse"] for t in bare["tensors"] if t["method"] == "rtn"}, {None})
            said = run("quantize", DEMO, "--to", preset, "-o", f"{preset}-c", "--no-error", "-v", cwd=self.path)
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertNotIn("RMSE", said.stdout)
            self.assertIn(f"{measured['result']['bits_per_weight']:.2f} bits per weight", said.stdout)

    def test_a_folder_without_tokenizer_json(self):
        """Kimi K2.5 as published: ranks, template file, stop token in generation_config.json."""
        folder = ROOT / "tests" / "golden" / "kimi"
        golden = json.loads((folder / "reference.json").read_text())
        question = golden["chats"][0]["messages"][0]["content"]
        found = self.json("generate", folder, question, "--arithmetic", "reference")
        self.assertEqual(found["prompt_ids"], golden["chats"][0]["ids"])
        self.assertEqual(found["ids"] + [golden["stop"]], golden["answer"])
        self.assertEqual(found["finish"], "stop")
        chat = subprocess.run([ASSAY, "chat", str(folder), "--arithmetic", "reference", "-q"], input=(question + "\n\n").encode(), capture_output=True)
        self.assertEqual((chat.returncode, chat.stdout.decode(errors="replace")), (0, found["text"] + "\n"), chat.stderr)

    def test_sharded_outputs(self):
        self.json("quantize", DEMO, "--to", "q8_0", "-o", "one.gguf")
        written = self.json("quantize", DEMO, "--to", "q8_0", "-o", "many.gguf", "--shard", "2MB")["output"]
        files = sorted(p.name for p in self.path.glob("many*"))
        self.assertEqual(files, [f"many-{i:05}-of-{len(files):05}.gguf" for i in range(1, len(files) + 1)])
        self.assertGreaterEqual(len(files), 4)
        self.assertLess(max((self.path / name).stat().st_size for name in files[1:]), 2.1e6)
        self.assertEqual(written, files[0])
        self.assertEqual(self.json("inspect", written, "--errors", "one.gguf")["relative"], 0)
        whole, parts = (self.json("inspect", name) for name in ("one.gguf", written))
        self.assertEqual(whole["fingerprint"], parts["fingerprint"])
        self.fails("quantize", DEMO, "--to", "q8_0", "-o", "many.gguf", says=[files[0], "exists"])
        self.fails("convert", written, "--to", "gguf", "-o", "many.gguf", "--shard", "2MB", "--force", says=["replace the source"])
        self.assertEqual(self.json("convert", written, "--to", "gguf", "-o", "again.gguf")["output"], "again.gguf")
        self.json("quantize", DEMO, "--to", "fp8", "-o", "folder", "--shard", "3MB")
        self.assertTrue((self.path / "folder" / "model.safetensors.index.json").exists())
        self.json("inspect", "folder")

    def test_memory_is_what_was_planned(self):
        """GPTQ's layout is turned into another at load: those planes are ours, the rest of the file is mapped."""
        self.json("quantize", DEMO, "--to", "int4_g64", "--container", "gptq", "-o", "gptq")
        memory = self.json("bench", "gptq", "-p", "48", "-n", "4", "-r", "1")["memory"]
        planned, used = memory["planned_bytes"], memory["used_bytes"]
        # The system may take mapped pages back at any time.
        self.assertLessEqual(used["weights_mapped"], planned["weights_mapped"])
        self.assertGreater(used["weights_mapped"], planned["weights_mapped"] * 0.9)
        self.assertEqual({**planned, "weights_mapped": 0}, {**used, "weights_mapped": 0})
        self.assertGreater(used["weights_converted"], used["weights_mapped"])
        self.assertEqual((memory["tokens"], memory["context"]), (48, 1024))

    def test_token_without_a_row(self):
        """As in Gemma 3's small models, whose tokenizer knows the token of images: the model loads, a prompt with it is refused."""
        folder = self.path / "model"
        shutil.copytree(ROOT / "tests" / "golden" / "checkpoint" / "tiny_llama", folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
        tokenizer["added_tokens"].append({**tokenizer["added_tokens"][-1], "id": vocab, "content": "<image>"})
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        self.json("generate", folder, "a b", "--raw", "--max-tokens", "2")
        self.fails("generate", "model", "a <image> b", "--raw", says=[f'token {vocab} "<image>"', f"the {vocab} of the model"])
        self.json("quantize", folder, "--to", "q8_0", "-o", "small.gguf")
        self.assertEqual(self.json("tokenize", "small.gguf", "a b")["ids"], self.json("tokenize", folder, "a b")["ids"])

    def test_context_beyond_the_model_is_refused(self):
        self.fails("bench", DEMO, "-p", "5000", says=["5000 tokens", "context of 1024"])
        self.fails("generate", DEMO, "hi", "--max-tokens", "5000", says=["do not fit the context of 1024"])
        self.fails("check", DEMO, "--task", TASK, "--text", TEXT, "--context", "5000", says=["--context 5000", "1024"])

    def test_lost_window_is_told(self):
        """GGUF has no key for Mistral's window; Gemma's it has."""
        golden = ROOT / "tests" / "golden"
        for name, told in (("mistral", True), ("gemma3", False)):
            folder = self.path / name
            shutil.copytree(golden / "models" / name, folder)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(golden / "checkpoint" / "tiny_llama" / file, folder)
            result = run("quantize", folder, "--to", "f32", "-o", f"{name}.gguf", cwd=self.path)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual("without that window" in result.stderr, told, result.stderr)

    def test_explain(self):
        """INT8 is better than FP8 on normal values and useless beside an outlier."""
        int8, fp8 = (self.json("formats", "--explain", name) for name in ("int8", "fp8"))
        self.assertLess(int8["gaussian"]["relative"], fp8["gaussian"]["relative"])
        self.assertGreater(int8["outlier"]["small_relative"], 10 * fp8["outlier"]["small_relative"])
        self.assertEqual(len(int8["levels"]), 256)
        self.fails("formats", "--explain", "fp9", says=["fp9"])

    def test_inspect_what_cannot_be_run(self):
        (self.path / "odd").mkdir()
        header = json.dumps({"a.weight": {"dtype": "F8_E5M2", "shape": [2, 3], "data_offsets": [0, 6]}}).encode()
        (self.path / "odd" / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(6))
        (self.path / "odd" / "config.json").write_text('{"architectures": ["OddForCausalLM"], "model_type": "odd"}')
        out = self.json("inspect", "odd")
        self.assertEqual(out["architecture"], "OddForCausalLM")
        self.assertEqual(out["tensors"], [{"name": "a.weight", "type": "F8_E5M2", "shape": [2, 3], "bytes": 6}])
        # A family that is known, by a configuration that says too little.
        (self.path / "odd" / "config.json").write_text('{"architectures": ["NemotronHForCausalLM"], "model_type": "nemotron_h", '
                                                       '"hidden_size": 64, "time_step_limit": [0.0, Infinity], "vocab_size": 8}')
        said = run("inspect", "odd", cwd=self.path)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("num_hidden_layers", said.stderr)
        self.assertEqual(self.json("inspect", "odd")["architecture"], "NemotronHForCausalLM")

    def test_inspect_a_vocabulary(self):
        """A GGUF of a tokenizer alone: that, its metadata, and that there is no model in it."""
        self.json("quantize", DEMO, "--to", "f32", "-o", "demo.gguf")
        whole = (self.path / "demo.gguf").read_bytes()
        at = 24

        def text():
            nonlocal at
            size = struct.unpack_from("<Q", whole, at)[0]
            at += 8 + size

        def value(kind):
            nonlocal at
            if kind == 8:
                return text()
            if kind != 9:
                at += {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1}.get(kind, 8)
                return
            element, count = struct.unpack_from("<IQ", whole, at)
            at += 12
            for _ in range(count):
                value(element)

        for _ in range(struct.unpack_from("<Q", whole, 16)[0]):
            text()
            at += 4
            value(struct.unpack_from("<I", whole, at - 4)[0])
        (self.path / "vocab.gguf").write_bytes(whole[:8] + struct.pack("<Q", 0) + whole[16:at] + bytes(-at % 32))
        self.assertEqual(self.json("tokenize", "vocab.gguf", "Hello")["ids"], self.json("tokenize", "demo.gguf", "Hello")["ids"])
        out = self.json("inspect", "vocab.gguf")
        self.assertEqual((out["container"], out["architecture"], out["tensors"]), ("GGUF", "llama", []))
        self.assertEqual(out["vocabulary"]["tokens"], self.json("inspect", "demo.gguf")["config"]["vocab"])
        self.assertIn("llama.block_count", out["vocabulary"]["metadata"])
        said = run("inspect", "vocab.gguf", cwd=self.path)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        for words in ("no tensors: a vocabulary", "byte-level BPE", "control tokens", "eos 2", "general.architecture"):
            self.assertIn(words, said.stdout)
        for command in (("generate", "vocab.gguf", "hi"), ("quantize", "vocab.gguf", "--to", "q8_0"), ("inspect", "vocab.gguf", "--outliers")):
            self.fails(*command, says=["vocab.gguf: no tensors: a vocabulary"])

    def test_inspect_a_remote_model(self):
        """Headers alone come over the network: of a repository of safetensors, and of a GGUF file."""
        hub = self.path / "hub"
        hub.mkdir()
        header = json.dumps({f"{i}.weight": {"dtype": "BF16", "shape": [1 << 20], "data_offsets": [i << 21, (i + 1) << 21]} for i in range(4)}).encode()
        (hub / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8 << 20))
        (hub / "config.json").write_bytes((DEMO / "config.json").read_bytes())
        self.json("quantize", DEMO, "--to", "f32", "-o", hub / "demo-F32.gguf")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, directory=str(hub)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        online = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(self.path), "HF_TOKEN": "x"}

        def remote(name):
            Hub.sent = 0
            result = run("inspect", name, "--json", "--quiet", cwd=self.path, env=online)
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)

        out = remote("org/demo")
        self.assertEqual(sum(t["bytes"] for t in out["tensors"]), 8 << 20)
        self.assertEqual(out["architecture"], "LlamaForCausalLM")
        self.assertLess(Hub.sent, 2 << 20)
        out = remote("hf://org/demo/demo-F32.gguf")
        self.assertEqual(out["file_bytes"], (hub / "demo-F32.gguf").stat().st_size)
        local = {t["name"] for t in self.json("inspect", hub / "demo-F32.gguf")["tensors"]}
        self.assertEqual({t["name"] for t in out["tensors"]}, local)
        self.assertLess(Hub.sent, 3 << 20)
        self.assertEqual(list(self.path.glob("assay-*")), [])
        for name, text in (("org/demo/none.gguf", "404"), ("org/other", "404")):
            result = run("inspect", name, env=online)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn(text, result.stderr)
        offline = run("inspect", "hf://org/demo", env={**online, "HF_HUB_OFFLINE": "1"})
        self.assertIn("HF_HUB_OFFLINE", offline.stderr)

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

    def test_numbers_of_every_command(self):
        """One wording for every option that is a number: the option, what is expected, what was found."""
        commands = re.findall(r"^  ([a-z]+) ", run("--help").stdout.split("Subcommands:")[1], re.M)
        self.assertGreaterEqual(len(commands), 14)
        seen = set()
        for command in commands:
            for line in run(command, "--help").stdout.splitlines():
                found = re.match(r"\s+(?:-\w,)?(--[\w-]+) (?:INT|UINT|FLOAT)\b(?::in \[(\S+) - )?", line)
                if not found:
                    continue
                option, least = found.groups()
                self.assertIsNotNone(least, f"{command} {option} has no range")
                every = ("x", "nan", "", "0x10", "-1", "1e400", "9" * 30, "5 6", "+-0", "5x")
                for bad in every[:1] if option in seen else every:
                    with self.subTest(command=command, option=option, bad=bad):
                        result = run(command, option, bad)
                        self.assertEqual(result.returncode, 2)
                        self.assertRegex(result.stderr, f"^assay: {option}: expected a (number|size) from [^ ]+ to [^ ]+.* found '{re.escape(bad)}'\n")
                self.assertIn(f"{option}: expected a ", run(command, option).stderr)
                self.assertIn(f"{option}: expected one value, found 2", run(command, option, least, option, least).stderr)
                seen.add(option)
        for option in ("--threads", "--seed", "--shard", "--margin", "--batch", "--cache-memory", "--context", "--top-p", "--limit", "--repetitions"):
            self.assertIn(option, seen)
        # Base ten, whatever it begins with; sizes have units.
        self.assertEqual({r["test"] for r in self.json("bench", DEMO, "-p", "010", "-n", "0", "-r", "1")["rows"]}, {"pp10"})
        for size in ("2MB", "2000000", " 2 mb", "0.002GB", "2000K"):
            self.json("quantize", DEMO, "--to", "q8_0", "-o", "s.gguf", "--shard", size, "--force")
            self.assertGreaterEqual(len(list(self.path.glob("s-*.gguf"))), 4)
        for size in ("0", "0.5", "2XB", "MB", "2MiBB", "1e3", "2EB"):
            self.fails("quantize", DEMO, "--to", "q8_0", "--shard", size, code=2, says=["--shard: expected a size from 1 to", f"found '{size}'"])

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

    def test_certificate(self):
        """What a certificate states is found again, and what was changed since is found."""
        shutil.copy(TASK, self.path / "t.jsonl")
        words = ("check", DEMO, "--task", "t.jsonl", "--to", "q8_0,q2_k", "--no-speed", "--keep", "k", "--report", "r.html", "--certificate")
        self.json(*words, "c.json", codes=(0, 3, 4))
        certificate = json.loads((self.path / "c.json").read_text())
        self.assertEqual((certificate["schema"], certificate["version"]), ("assay.certificate", 1))
        self.assertEqual(certificate["record"]["sha256"], hashlib.sha256((self.path / "r.json").read_bytes()).hexdigest())
        kept = {p.name: p for p in (self.path / "k").iterdir()}
        small = next(p for name, p in kept.items() if "Q2_K" in name.upper())
        out = self.json("verify", "c.json", "--record", "r.json", "--task", "t.jsonl", "--model", DEMO, *(a for p in kept.values() for a in ("--candidate", p)))
        self.assertEqual(out["differ"], 0)
        self.assertEqual({f["state"] for f in out["findings"]}, {"ok"})
        one = self.json("verify", "c.json", "--task", "t.jsonl")
        self.assertEqual([f["what"] for f in one["findings"] if f["state"] == "not checked"], ["record and verdicts", "baseline", "q8_0", "q2_k"])

        def differs(*arguments):
            return [f["what"] for f in self.json("verify", "c.json", *arguments, codes=(1,))["findings"] if f["state"] == "differs"]

        data = (self.path / "r.json").read_bytes()
        (self.path / "byte.json").write_bytes(data[:-1] + b" ")
        self.assertEqual(differs("--record", "byte.json"), ["record"])
        self.assertIn(b'"pass":true', data)
        (self.path / "pass.json").write_bytes(data.replace(b'"pass":true', b'"pass":false', 1))  # the first example of the baseline
        self.assertIn("q8_0: verdict", differs("--record", "pass.json"))
        lines = (self.path / "t.jsonl").read_text()
        (self.path / "margin.jsonl").write_text('{"task": {"margin": 20}}\n' + lines)
        (self.path / "fewer.jsonl").write_text("\n".join(lines.splitlines()[1:]) + "\n")
        self.assertEqual(differs("--task", "margin.jsonl"), ["task"])
        self.assertEqual(differs("--task", "fewer.jsonl"), ["task"])
        self.assertEqual(differs("--model", small), ["baseline"])
        self.assertEqual(differs("--candidate", DEMO), ["candidate 1"])
        shown = run("verify", "c.json", "--record", "byte.json", cwd=self.path)
        self.assertEqual(shown.returncode, 1)
        self.assertRegex(shown.stdout, r'(?m)^differs      record: sha256: the certificate says "[0-9a-f]{64}", found "[0-9a-f]{64}"$')
        self.assertRegex(shown.stdout, r"(?m)^ok           q8_0: verdict: holds")
        self.fails("verify", "c.json", says=["--record"])
        self.fails("verify", "c.json", "--model", "http://127.0.0.1:9#m", says=["http://127.0.0.1:9#m", "found a server", "--record", "assay check"])
        self.fails("verify", "r.json", "--task", "t.jsonl", says=["r.json", "certificate"])
        self.fails(*words, "r.html", says=["the same name"])
        self.fails(*words, "t.jsonl", "--force", says=["replace the source"])

    def test_cache(self):
        words = ("check", DEMO, "--task", TASK, "--to", "q8_0,q4_k_m", "--no-speed", "--report", "r.html")
        self.json(*words, codes=(0, 3, 4))
        kept = self.json("cache")
        self.assertEqual(kept["folder"], str(self.path / "cache"))
        self.assertEqual(sorted(q["preset"] for q in kept["quants"]), ["q4_k_m", "q8_0"])
        self.assertEqual(kept["quant_bytes"], sum(pathlib.Path(q["path"]).stat().st_size for q in kept["quants"]))
        self.assertGreater(kept["results"], 0)
        spared = self.json("cache", "prune", "--keep", "0")
        self.assertEqual((spared["removed"], len(spared["spared"])), ([], 2))
        day_before = time.time() - 2 * 24 * 3600
        for quant in kept["quants"]:
            if quant["preset"] == "q8_0":
                for path in (quant["path"], quant["path"] + ".lock"):
                    os.utime(path, (day_before, day_before))
        would = self.json("cache", "prune", "--keep", "1kB", "--dry-run")
        self.assertEqual([q["preset"] for q in would["removed"]], ["q8_0"])
        self.assertEqual(len(self.json("cache")["quants"]), 2)
        gone = self.json("cache", "prune", "--keep", "1kB")
        self.assertEqual([q["preset"] for q in gone["removed"]], ["q8_0"])
        self.assertEqual([q["preset"] for q in self.json("cache", "list")["quants"]], ["q4_k_m"])
        self.assertEqual(self.json("cache", "prune", "--all", "--answers")["kept_bytes"], 0)
        empty = self.json("cache")
        self.assertEqual((empty["quants"], empty["results"]), ([], 0))
        # The limit holds by itself: what was not used today goes once more is made.
        limited = {"ASSAY_CACHE_SIZE": "1kB"}
        self.assertIn(run(*words, cwd=self.path, env=limited).returncode, (0, 3, 4))
        made = self.json("cache")["quants"]
        self.assertEqual(len(made), 2)  # of today
        for quant in made:
            for path in (quant["path"], quant["path"] + ".lock"):
                os.utime(path, (day_before, day_before))
        again = run(*words[:4], "--to", "q6_k", *words[6:], cwd=self.path, env=limited)
        self.assertIn(again.returncode, (0, 3, 4), again.stderr)
        self.assertIn("removed from the cache: q4_k_m, q8_0", again.stderr)
        self.assertEqual([q["preset"] for q in self.json("cache")["quants"]], ["q6_k"])
        self.assertIn("ASSAY_CACHE_SIZE", run("cache", env={"ASSAY_CACHE_SIZE": "much"}).stderr)


unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
