#!/usr/bin/env python3
"""What servers tell of their prompts and settings, from outside: it is compared, and believed no further than their answers bear it out.

usage: telling_test.py ASSAY CHECKOUT"""
import json, math, os, pathlib, subprocess, sys, tempfile, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telling_server import END, Server

ASSAY = os.path.abspath(sys.argv[1])
N = 40


def sharp(previous):
    """What a model says behind a byte: one token is likely, a second less so, and all others are alike."""
    first, second = (previous * 7 + 3) % 256, END
    return [0.8 if t == first else 0.1 if t == second else 0.1 / 255 for t in range(257)]


def blurred(previous):
    """Another: less sure, and of something else behind every fourth byte."""
    first, second = (previous * 7 + 3) % 256, END
    if previous % 4 == 0:
        first, second = second, first
    return [0.5 if t == first else 0.2 if t == second else 0.3 / 255 for t in range(257)]


def coarse_kl(p, q, kept):
    """KL divergence of two distributions over `kept` and all else as one."""
    parts = [(p[t], q[t]) for t in kept]
    if len(kept) < len(p):
        parts.append((1 - sum(a for a, _ in parts), 1 - sum(b for _, b in parts)))
    return sum(a * math.log(a / b) for a, b in parts)


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
        self.assertIn(result.returncode, code if isinstance(code, tuple) else (code,), result.stdout[-2000:] + result.stderr[-3000:])
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
        self.assertIn("both models saw the same prompt tokens in 40 of 40 examples", json.dumps(comparison["notes"]))
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

    def test_prompts_are_asked_for_at_once_and_of_all_urls(self):
        for concurrency in (1, 8):
            server = self.serve()
            self.run_(server.url, "--concurrency", str(concurrency))
            self.assertGreaterEqual(server.tokenized, N)
            (self.assertEqual if concurrency == 1 else self.assertGreater)(server.most_tokenizing, 1)
            self.assertLessEqual(server.most_tokenizing, concurrency)
        first, second = self.serve(), self.serve()
        _, answers, result = self.run_(first.url, "--endpoint", second.url)
        self.assertIn("asking for the tokens of prompts", result.stderr)
        self.assertEqual(bytes(answers["e1"]["prompt_ids"]).decode(), "|user:Listen. What is 1 * 2?")
        self.assertTrue(min(first.tokenized, second.tokenized) > N // 4, (first.tokenized, second.tokenized))

    def vllm(self, predicts=sharp, **how):
        return self.serve(vllm=True, predicts=predicts, **how)

    def test_displacement_along_whole_answers(self):
        # The candidate says something else from the first letter on: both are led along what the baseline says.
        baseline, candidate = self.vllm(), self.vllm(blurred, says="No idea.")
        result = self.assay("check", baseline.url, "--candidate", candidate.url, "--json", "--no-noise", code=3)
        report = json.loads(result.stdout)
        comparison = report["verdicts"][0]
        moved = comparison["all"]["displacement"]
        led = [body for body in candidate.bodies if len(body.get("prompt", "")) > 60 and isinstance(body["prompt"], list) and body["prompt"][-1] == ord(".")]
        texts = {f"e{i}": (f"|user:{'Listen. ' * (i % 7)}What is {i} * 2?" if i not in (5, 6) else "|user:" + "Listen. " * 100 + "What is 5 * 2?" if i == 5 else "What is 6 * 2?",
                           f"It is {2 * i}.") for i in range(0, N, 2)}  # of 40, at most 25 from all over the task
        kls, exact, same = [], [], 0
        for prompt, answer in texts.values():
            text = (prompt + answer).encode()
            for at in range(len(prompt), len(text) + 1):
                p, q = sharp(text[at - 1]), blurred(text[at - 1])
                there = text[at] if at < len(text) else END
                lists = [{there, *sorted(range(257), key=lambda t: (-x[t], t))[:20]} for x in (p, q)]
                kls.append(coarse_kl(p, q, lists[0] & lists[1]))
                exact.append(coarse_kl(p, q, range(257)))
                same += max(range(257), key=p.__getitem__) == max(range(257), key=q.__getitem__)
        self.assertEqual((moved["examples"], moved["tokens"], moved["known_tokens"]), (20, len(kls), 20))
        self.assertTrue(moved["lower_bounds"] and moved["whole_answers"])
        self.assertAlmostEqual(moved["mean_kl"], sum(kls) / len(kls), places=5)
        self.assertAlmostEqual(moved["max_kl"], max(kls), places=5)
        self.assertLessEqual(moved["mean_kl"], sum(exact) / len(exact) + 1e-6)
        self.assertAlmostEqual(moved["same_top"], same / len(kls), places=6)
        self.assertTrue(0 < same < len(kls))
        self.assertEqual(moved["diverged"], 1)
        self.assertEqual({(body["max_tokens"], body["temperature"], body["stream"], body["prompt_logprobs"]) for body in led}, {(1, 1, False, 20)})
        self.assertRegex(json.dumps(comparison["notes"]), rf"along the baseline's answers to 20 examples \({len(kls)} tokens, which both models were given\): mean KL at least "
                         r"\d\.\d{4} nats, .* It is a lower bound: of each step the 20 most likely tokens are known of either model")
        record = json.loads((self.path / "assay-report.json").read_text())
        self.assertEqual(record["candidates"][0]["displacement"][0]["first_divergence"], 0)
        # The same model moves nowhere; what tells fewer is asked for fewer.
        moved = self.check(self.vllm().url, self.vllm(most=5).url)["all"]["displacement"]
        self.assertEqual((moved["mean_kl"], moved["same_top"], moved["diverged"], moved["known_tokens"], moved["tokens"]), (0, 1, 0, 5, len(kls)))

    def test_displacement_in_the_calls_of_other_servers(self):
        """SGLang tells all of a text at once; llama-server is asked for every token of it, if --slow-displacement says so."""
        baseline = self.vllm()
        whole = self.check(baseline.url, self.vllm(blurred).url, "--no-noise", code=4)["all"]["displacement"]
        for how, flags in (({"sglang": True}, []), ({}, ["--slow-displacement"])):
            with self.subTest(how):
                server = self.serve(predicts=sharp, **how)
                result = self.assay("check", baseline.url, "--candidate", server.url, "--json", "--no-noise", *flags, code=(0, 3, 4))
                moved = json.loads(result.stdout)["verdicts"][0]["all"]["displacement"]
                self.assertEqual((moved["mean_kl"], moved["max_kl"], moved["same_top"], moved["tokens"], moved["whole_answers"]), (0, 0, 1, whole["tokens"], True))
                record = json.loads((self.path / "assay-report.json").read_text())
                facts = record["candidates"][0]["run"]["header"]["server"]
                self.assertEqual((facts["kind"], facts["prompt_logprobs"], facts.get("led_token_by_token")), ("SGLang" if how else "llama-server", 20, None if how else True))
                other = self.serve(predicts=blurred, **how)
                result = self.assay("check", baseline.url, "--candidate", other.url, "--json", "--no-noise", *flags, code=(0, 3, 4))
                moved = json.loads(result.stdout)["verdicts"][0]["all"]["displacement"]
                self.assertAlmostEqual(moved["mean_kl"], whole["mean_kl"], delta=0.05 * whole["mean_kl"])
                self.assertEqual((moved["same_top"], moved["tokens"]), (whole["same_top"], whole["tokens"]))
        asked = [body for body in other.bodies if "n_probs" in body]
        self.assertEqual(len(asked), whole["tokens"])
        self.assertEqual({(body["n_predict"], body["n_probs"], body["cache_prompt"], body["stream"]) for body in asked}, {(1, 20, True, False)})
        # Not asked for: no such request. Wrong lists are told, and nothing is measured from them.
        quiet = self.serve(predicts=sharp)
        self.assay("check", baseline.url, "--candidate", quiet.url, "--no-noise", code=(0, 3, 4))
        self.assertEqual([body for body in quiet.bodies if "n_probs" in body], [])
        wrong = self.serve(predicts=sharp, of_prompt=lambda lists: [])
        said = self.assay("check", baseline.url, "--candidate", wrong.url, "--no-noise", "--slow-displacement", code=(0, 3, 4)).stderr
        self.assertIn("20 of 20 answers could not be followed: completion_probabilities: expected top_logprobs with ids, found []", said)

    def test_answers_of_a_vllm_are_recorded_by_their_tokens(self):
        header, answers, _ = self.run_(self.vllm().url)
        self.assertEqual((header["server"]["kind"], header["server"]["prompt_logprobs"]), ("vLLM", 20))
        self.assertEqual(bytes(answers["e3"]["answer_ids"]).decode(), "It is 6.")  # without the token that ends it

    def test_answers_that_cannot_be_followed_are_told(self):
        def check(candidate):
            result = self.assay("check", self.vllm().url, "--candidate", candidate.url, "--json", "--no-noise")
            return json.loads(result.stdout)["verdicts"][0]["all"]["displacement"], result.stderr

        moved, said = check(self.vllm(ids=False))  # its own are not needed
        self.assertEqual((moved["tokens"] > 0, moved["whole_answers"]), (True, True))
        result = self.assay("check", self.vllm(ids=False).url, "--candidate", self.vllm().url)
        self.assertIn("not along whole answers, since the tokens of the baseline's are not known", result.stderr)
        # It tells them while it is asked what it can do, and not when it matters.
        long = lambda change: lambda lists: change(lists) if len(lists) > 70 else lists
        moved, said = check(self.vllm(of_prompt=long(lambda lists: lists[:-1])))
        self.assertRegex(said, r"\d+ of 20 answers could not be followed: expected prompt_logprobs of \d+ tokens, found \d+")
        self.assertLess(moved["examples"], 20)
        moved, said = check(self.vllm(of_prompt=long(lambda lists: lists[:-1] + [{"1": {"logprob": -1}}])))
        self.assertRegex(said, r"could not be followed: prompt_logprobs\[\d+\]: expected token 46 among the most likely")
        scores = lambda lists: lists[:-1] + [{t: {"logprob": 7} for t in lists[-1]}]
        moved, said = check(self.vllm(of_prompt=long(scores)))
        self.assertIn("expected logarithms of probabilities", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
