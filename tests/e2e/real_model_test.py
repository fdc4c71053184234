#!/usr/bin/env python3
"""The program on two real GGUF files that this project did not write, SmolLM2-135M-Instruct and Gemma 3 270M, against what transformers
and llama.cpp said about them. The reference figures are in tests/golden/{smollm2,gemma3}/; their READMEs name origin and tolerances.

usage: real_model_test.py ASSAY GOLDEN_FOLDER    (the models: $ASSAY_MODELS, else ~/.cache/assay/models; tools/fetch_models puts them there)
"""
import json, os, pathlib, subprocess, sys, tempfile, unittest

ASSAY, GOLDEN = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
BASE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
MODELS = pathlib.Path(os.environ.get("ASSAY_MODELS") or os.path.join(BASE, "assay", "models"))
TEXT = GOLDEN / "smollm2" / "perplexity_text.txt"


def assay(*arguments, codes=(0,)):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode not in codes:
        raise AssertionError(f"assay {' '.join(map(str, arguments))}: exit code {result.returncode}\n{result.stderr}")
    return result.stdout


def assay_json(*arguments, codes=(0,)):
    return json.loads(assay(*arguments, "--json", "--quiet", codes=codes))


class Checks:
    """What holds for every model; `model` and `golden` name it, `stop` ends its answers, `chunks` were measured."""

    @classmethod
    def setUpClass(cls):
        cls.path = MODELS / cls.model
        if not cls.path.exists():
            raise AssertionError(f"{cls.path} is missing: run tools/fetch_models")
        cls.scratch = tempfile.TemporaryDirectory()
        os.environ["ASSAY_CACHE"] = os.path.join(cls.scratch.name, "cache")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def rows(self, name):
        with open(GOLDEN / self.golden / name, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]

    def test_token_ids(self):
        """45 texts, as transformers tokenizes them, and as llama.cpp does when special tokens are plain text."""
        for row in self.rows("token_ids.jsonl"):
            path = os.path.join(self.scratch.name, "text")
            with open(path, "w", encoding="utf-8", newline="") as f:
                f.write(row["text"])
            self.assertEqual(assay_json("tokenize", self.path, "--file", path)["ids"], row["ids"], row["name"])
            if "ids_plain" in row and "llama_cpp_ids" not in row:  # the one text where the two split differently
                self.assertEqual(assay_json("tokenize", self.path, "--file", path, "--plain")["ids"], row["ids_plain"], row["name"])

    def test_logits(self):
        """Log-probabilities of every prompt token and of the best next tokens, float32 arithmetic: within 5e-4 of transformers."""
        for row in self.rows("logits.jsonl"):
            out = assay_json("generate", self.path, row["text"], "--raw", "--greedy", "--max-tokens", 1, "--logprobs", 20, "--arithmetic", "reference")
            self.assertEqual(out["prompt_ids"], row["ids"], row["name"])
            self.assertEqual(len(out["prompt_logprobs"]), len(row["prompt_logprobs"]))
            for found, expected in zip(out["prompt_logprobs"][1:], row["prompt_logprobs"][1:]):
                self.assertAlmostEqual(found, expected, delta=5e-4, msg=row["name"])
            if not out["top_logprobs"]:
                continue  # the model ends at once
            expected = {i: logit - row["last_logsumexp"] for i, logit in row["last_logits_top20"]}
            for entry in out["top_logprobs"][0][:15]:
                self.assertIn(entry["id"], expected, row["name"])
                self.assertAlmostEqual(entry["logprob"], expected[entry["id"]], delta=5e-4, msg=row["name"])

    def test_greedy(self):
        """Greedy text in float32 arithmetic, up to the first step whose margin is below 2e-3."""
        for row in self.rows("greedy.jsonl"):
            logits = next(r for r in self.rows("logits.jsonl") if r["name"] == row["name"])
            out = assay_json("generate", self.path, logits["text"], "--raw", "--greedy", "--max-tokens", len(row["continuation"]), "--arithmetic", "reference")
            expected = row["continuation"]
            for step, margin in enumerate(row["margin"]):
                if margin < 2e-3:
                    expected = expected[:step]
                    break
            stop = next((i for i, token in enumerate(expected) if token == self.stop), None)  # ends our answer, not the reference's
            if stop is not None:
                expected = expected[:stop]
            self.assertEqual(out["ids"][: len(expected)], expected, row["name"])

    def test_perplexity(self):
        """Reference arithmetic within 2e-5 of transformers, deployed within 0.6 %; divergence between the two bounded."""
        reference = json.load(open(GOLDEN / self.golden / "perplexity.json"))
        exact = assay_json("perplexity", self.path, "--text", TEXT, "--chunks", self.chunks, "--arithmetic", "reference")
        self.assertAlmostEqual(exact["perplexity"] / reference["perplexity"], 1, delta=2e-5)
        for found, expected in zip(exact["chunk_nll"], reference["chunks"]):
            self.assertAlmostEqual(found, expected["mean_nll"], delta=1e-4)
        deployed = assay_json("perplexity", self.path, "--text", TEXT, "--chunks", self.chunks)
        self.assertAlmostEqual(deployed["perplexity"] / reference["perplexity"], 1, delta=0.006)
        self.assertNotEqual(deployed["perplexity"], exact["perplexity"])

    def test_presets(self):
        """What llama-quantize writes for each preset: tensor types, file size within 0.1 %, RMSE no worse, perplexity within 1 % or better."""
        presets = json.load(open(GOLDEN / self.golden / "presets.json"))
        for name, expected in presets["presets"].items():
            if self.presets and name not in self.presets:
                continue
            with self.subTest(preset=name):
                out = os.path.join(self.scratch.name, name + ".gguf")
                record = assay_json("quantize", self.path, "--to", name, "-o", out)
                types = {}
                for tensor in assay_json("inspect", out)["tensors"]:
                    types[tensor["format"].upper()] = types.get(tensor["format"].upper(), 0) + 1
                self.assertEqual(types, expected["types"])
                self.assertAlmostEqual(os.path.getsize(out) / expected["file_bytes"], 1, delta=0.001)
                by_name = {t["name"]: t for t in record["tensors"]}
                for tensor, (kind, rmse) in expected["tensors"].items():
                    self.assertEqual(by_name[tensor]["to"].upper(), kind, tensor)
                    self.assertLessEqual(by_name[tensor]["rmse"], rmse * self.rmse + 1e-9, tensor)
                found = assay_json("perplexity", out, "--text", TEXT, "--chunks", presets["chunks"])
                if expected["perplexity"] < 1000:  # ternary leaves neither of the two a model to compare
                    self.assertLess(found["perplexity"], expected["perplexity"] * 1.01)
                os.remove(out)


class SmolLM2(Checks, unittest.TestCase):
    model, golden, stop, chunks, presets, rmse = "SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2", 2, 16, None, 1.00001


class Gemma3(Checks, unittest.TestCase):
    """Windows, norms stored plus one, SentencePiece; tensors Q5_0, Q4_K, Q8_0, Q6_K."""

    model, golden, stop, chunks, presets, rmse = "gemma-3-270m-q4_k_m.gguf", "gemma3", 1, 8, ("Q8_0", "Q4_K_M", "Q4_0"), 1.00001


unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[3:])
