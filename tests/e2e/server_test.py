#!/usr/bin/env python3
"""Servers as arms, from outside: what a server does wrong is an error of its example or is asked again, never an answer.

usage: server_test.py ASSAY CHECKOUT"""
import json, math, os, pathlib, signal, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faulty_server

ASSAY = os.path.abspath(sys.argv[1])
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
N = 60


def task_lines():
    for i in range(N):
        if i % 3 == 2:
            yield {"id": f"t{i}", "slice": "tools", "messages": [{"role": "user", "content": f"City {i}: weather?"}], "tools": [WEATHER],
                   "expect": [{"type": "tool_calls", "calls": [{"name": "get_weather", "arguments": {"city": f"city {i}"}}]}]}
        elif i % 3 == 1:
            yield {"id": f"p{i}", "slice": "plain", "prompt": f"What is {i} * 2?", "expect": [{"type": "number", "value": 2 * i}]}
        else:
            yield {"id": f"n{i}", "slice": "math", "messages": [{"role": "user", "content": f"What is {i} * 2?"}], "expect": [{"type": "number", "value": 2 * i}]}


class Servers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.environment = {**os.environ, "ASSAY_CACHE": str(self.path / "cache")}
        self.environment.pop("ASSAY_API_KEY", None)
        (self.path / "task.jsonl").write_text("".join(json.dumps(line) + "\n" for line in task_lines()))
        self.server = faulty_server.start()
        self.addCleanup(self.server.shutdown)

    def url(self, model):
        return f"{self.server.url}#{model}"

    def arguments(self, command, model, *more):
        return [ASSAY, command, self.url(model), "--task", "task.jsonl", *map(str, more)]

    def assay(self, command, model, *more, code=0):
        result = subprocess.run(self.arguments(command, model, *more), capture_output=True, text=True, cwd=self.path, env=self.environment, timeout=120)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr[-3000:])
        return result

    def run_(self, model, *more, code=0):
        out = f"{model}.run"
        self.assay("run", model, "-o", out, "--force", *more, code=code)
        lines = [json.loads(line) for line in (self.path / out).read_text().splitlines()]
        return lines[0], {line["id"]: line for line in lines[1:-1]}

    def asked(self, model):
        return {question: n for (name, question), n in self.server.asked.items() if name == model and ("City" in question or "What is" in question)
                and "Oslo" not in question}

    def check(self, model, candidate, *more, code):
        result = self.assay("check", model, "--candidate", self.url(candidate), "--json", *more, code=code)
        return json.loads(result.stdout), result.stderr

    def test_a_good_server(self):
        header, answers = self.run_("good")
        self.assertEqual(len(answers), N)
        self.assertTrue(all(answer["pass"] for answer in answers.values()))
        self.assertTrue(all(n == 1 for n in self.asked("good").values()))
        facts = header["server"]
        self.assertEqual([facts[k] for k in ("model", "context", "chats", "completes", "counts_tokens", "takes_tools", "sees_tools", "seeds", "same_twice")],
                         ["good", 4096, True, True, True, True, True, True, True])
        self.assertEqual(header["can"], {"tokenize": False, "render": False, "score": False, "same_bits": False, "reads_calls": True})
        call = answers["t2"]
        self.assertIn('"city": "city 2"', call["answer"])
        sent = next(body for body in self.server.bodies if body.get("messages", [{}])[-1].get("content") == "City 2: weather?")
        self.assertEqual(sent["tools"], [WEATHER])
        self.assertEqual([sent[k] for k in ("tool_choice", "temperature", "top_p", "presence_penalty", "frequency_penalty", "max_tokens", "stream")],
                         ["auto", 0, 1, 0, 0, 256, True])
        self.assertIn("seed", sent)

    def test_what_passes_is_asked_again(self):
        for model in ("busy", "busy-after", "flaky", "cut", "cut-hard", "json", "utf8", "other", "empty", "reordered", "object"):
            with self.subTest(model):
                _, answers = self.run_(model)
                self.assertEqual([i for i, answer in answers.items() if not answer["pass"]], [])
                self.assertEqual(len(answers), N)
                again = {question for question, n in self.asked(model).items() if n > 1}
                if model in ("reordered", "object"):
                    self.assertEqual(again, set())
                elif model in ("busy", "busy-after", "flaky", "other", "empty"):
                    self.assertEqual(len(again), N // faulty_server.OFTEN)
                else:
                    self.assertTrue(again)

    def test_a_stalled_stream_ends(self):
        start = time.monotonic()
        _, answers = self.run_("stall", "--server-silence", "1", "--concurrency", "16")
        self.assertTrue(all(answer["pass"] for answer in answers.values()))
        self.assertLess(time.monotonic() - start, 15)

    def test_what_stays_wrong_is_an_error_and_no_answer(self):
        often = {i for i in range(0, N, faulty_server.OFTEN)}
        for model, says, asked in (("refuse", "refused: HTTP 400: this prompt is too long", 1), ("filter", "content filter: ", 1),
                                   ("long", "too long: the server counts 2560 tokens", 1), ("short", "truncated by the server: after 3 tokens of at most 256", 1)):
            with self.subTest(model):
                _, answers = self.run_(model)
                failed = {int(i[1:]) for i, answer in answers.items() if answer.get("error")}
                self.assertEqual(failed, often)
                for i in failed:
                    answer = next(a for a in answers.values() if int(a["id"][1:]) == i)
                    self.assertTrue(answer["error"].startswith(says), answer["error"])
                    self.assertEqual((answer["answer"], answer["pass"], answer["checks"]), ("", False, []))
                self.assertEqual(set(self.asked(model).values()), {asked})

    def test_an_endless_answer_ends(self):
        _, answers = self.run_("endless", "--max-tokens", "16", "--concurrency", "32")
        errors = [answer["error"] for answer in answers.values() if answer.get("error")]
        self.assertEqual(len(errors), 8)  # those that answer in words
        self.assertTrue(all(error.startswith("too long: ") for error in errors), errors)

    def test_a_model_that_says_nothing_fails(self):
        _, answers = self.run_("silent")
        silent = [answer for answer in answers.values() if int(answer["id"][1:]) % faulty_server.OFTEN == 0]
        self.assertEqual({answer["checks"][0]["failure"] for answer in silent}, {"empty"})
        self.assertEqual(sum(answer["pass"] for answer in answers.values()), N - len(silent))

    def test_verdicts(self):
        report, notes = self.check("good", "twin", code=0)
        self.assertIn("context of 4096 tokens", notes)
        served = [arm["served"] for arm in report["cost"]["arms"]]
        self.assertEqual([s["answers"] for s in served], [N, N])
        self.assertTrue(all(0 < s["first_token_p50_s"] <= s["first_token_p99_s"] for s in served))
        self.check("good", "wrong", code=3)
        # One of 60 is left out, two are too many.
        report, _ = self.check("good", "json-one", code=0)
        self.assertIn("left out of both models", json.dumps(report))
        report, _ = self.check("good", "json-two", code=1)
        self.assertIn("2 of 60 examples ended in an error (more than 2%)", json.dumps(report))

    def test_a_finished_check_asks_anew(self):
        self.check("good", "twin", "--no-noise", code=0)
        self.check("good", "twin", "--no-noise", code=0)
        self.assertEqual(set(self.asked("good").values()), {2})

    def test_a_call_left_in_the_text(self):
        report, _ = self.check("good", "text-calls", code=0)
        self.assertIn("the server of the candidate left calls in the text of 20 answers", json.dumps(report))
        self.assertIn("as delivered 20 of the passes would fail", json.dumps(report))
        _, answers = self.run_("text-calls")
        self.assertTrue(answers["t2"]["call_left_in_text"])
        self.assertNotIn("pass_as_delivered", answers["t2"])

    def test_reasoning_is_not_scored(self):
        for model in ("thinks", "thinks-so"):  # under the two names that servers have for it
            with self.subTest(model):
                header, answers = self.run_(model)
                self.assertTrue(header["server"]["reasons"])
                self.assertIn("reasoning apart from its answers", json.dumps(header["server"]["remarks"]))
                self.assertEqual([i for i, answer in answers.items() if not answer["pass"]], [])
                self.assertNotIn("999", json.dumps(answers))
        self.assertNotIn("gave reasoning apart", json.dumps(self.check("thinks", "thinks-so", code=0)[0]))
        report, _ = self.check("good", "thinks", code=0)
        self.assertIn("only the server of the candidate gave reasoning apart from the answers", json.dumps(report["verdicts"][0]["notes"]))
        # What switches it is kept where a server takes it, and refused where it is not known to.
        self.assertIn("is not known to take them", self.assay("run", "thinks", "-o", "x.run", "--chat-template-kwargs", '{"enable_thinking": false}', code=1).stderr)

    def test_what_the_template_leaves_out_is_told_before(self):
        result = self.assay("run", "no-tools", "-o", "x.run")
        self.assertIn("its chat template leaves them out", result.stderr)
        self.assertIn("20 could not be answered", result.stdout)
        result = self.assay("run", "unsteady", "-o", "y.run")
        self.assertIn("two answers to the same greedy request", result.stderr)

    def test_names_and_addresses(self):
        for model, says in (("goood", 'does not offer "goood", did you mean good?'), ("", "expected the name of a model behind #")):
            self.assertIn(says, self.assay("run", model, "-o", "x.run", code=1).stderr)
        bare = subprocess.run([ASSAY, "run", self.server.url, "--task", "task.jsonl"], capture_output=True, text=True, cwd=self.path, env=self.environment)
        self.assertEqual(bare.returncode, 1)
        self.assertIn("models (good, twin,", bare.stderr)
        self.assertIn("cannot be quantized", self.assay("check", "good", "--to", "q8_0", code=1).stderr)
        self.assertIn("give --candidate", self.assay("check", "good", code=1).stderr)
        gone = subprocess.run([ASSAY, "run", "http://127.0.0.1:1#m", "--task", "task.jsonl"], capture_output=True, text=True, cwd=self.path, env=self.environment)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("cannot be reached", gone.stderr)

    def test_the_key_is_nowhere(self):
        key = faulty_server.KEY
        refused = self.assay("run", "locked", "-o", "x.run", code=1)
        (self.path / "key").write_text(key + "\n")
        texts = [refused.stderr]
        for more, variable in ((["--api-key-file", "key"], None), ([], key)):
            if variable:
                self.environment["ASSAY_API_KEY"] = variable
            result = self.assay("run", "locked", "-o", "locked.run", "--force", "--verbose", *more)
            texts += [result.stdout, result.stderr, (self.path / "locked.run").read_text()]
        answers = [json.loads(line) for line in texts[-1].splitlines()[1:-1]]
        refused = [a["error"] for a in answers if a.get("error", "").startswith("refused: HTTP")]
        self.assertEqual(len(refused), N // faulty_server.OFTEN)
        self.assertIn("the key Bearer (the API key) may not ask this", refused[0])
        held = {a["id"][0] for a in answers if a.get("error", "").startswith("key in the answer")}
        self.assertIn("t", held)  # in a call's arguments, its letters escaped
        self.assertTrue(held & {"n", "p"})
        self.check("locked", "locked", code=1)
        texts += [path.read_text(errors="replace") for path in self.path.glob("assay-report*")]
        for path in (self.path / "cache").rglob("*"):
            if path.is_file():
                texts.append(path.read_bytes().decode(errors="replace"))
        self.assertTrue([a for a in answers if "xxxx" in a.get("error", "")])
        for text in texts:
            self.assertNotIn(key, text)
            self.assertNotIn(key[:8], text)  # nor the half of it that a cut would leave

    def test_keys_and_addresses_that_are_none(self):
        secret = "sk-abcdef-first"
        for key in (f"{secret}\nX-Evil: 1", f"{secret} two", "\ufeff" + secret, secret + "\xff"):
            (self.path / "key").write_text(key)
            said = self.assay("run", "locked", "-o", "x.run", "--api-key-file", "key", code=1).stderr
            self.assertIn("key: expected an API key, one word of printable ASCII", said)
            self.assertNotIn(secret, said)
        self.environment["ASSAY_API_KEY"] = f"{secret}\nX-Evil: 1"
        self.assertIn("ASSAY_API_KEY: expected", self.assay("run", "locked", "-o", "x.run", code=1).stderr)
        self.environment["ASSAY_API_KEY"] = secret
        self.assertNotIn(secret, self.assay("run", secret, "-o", "x.run", code=1).stderr)
        del self.environment["ASSAY_API_KEY"]
        self.assertFalse(self.server.asked)
        for url in ("http://a b:80", "http://127.0.0.1:0", "http://127.0.0.1:99999", "http://127.0.0.1:abc", "http://127.0.0.1:80:80", "http://[::1:80"):
            said = subprocess.run([ASSAY, "run", url + "#m", "--task", "task.jsonl"], capture_output=True, text=True, cwd=self.path,
                                  env=self.environment, timeout=5)
            self.assertEqual(said.returncode, 1)
            self.assertIn("expected a server such as http://host:8000, found", said.stderr)
        for command in (["generate", self.url("good"), "hi"], ["quantize", self.url("good"), "--to", "q8_0"]):
            said = subprocess.run([ASSAY, *command], capture_output=True, text=True, cwd=self.path, env=self.environment)
            self.assertEqual(said.returncode, 1)
            self.assertIn("a server is asked by `run` and `check` alone", said.stderr)
        self.assertIn("nothing to keep", self.assay("check", "good", "--candidate", self.url("good"), "--keep", "k", code=1).stderr)

    def test_one_that_does_not_draw_is_told(self):
        self.assertIn("perhaps it does not sample", self.assay("run", "still", "-o", "x.run").stderr)
        self.assertNotIn("perhaps it does not sample", self.assay("run", "good", "-o", "y.run").stderr)

    def test_a_server_that_lacks_the_model_is_told_before_the_baseline_is_asked(self):
        said = self.assay("check", "good", "--candidate", self.url("nosuch"), code=1).stderr
        self.assertIn("nosuch", said)
        self.assertFalse(self.asked("good"))

    def test_killed_and_gone_on(self):
        whole, undisturbed = self.run_("slow", "--concurrency", "4")
        before = sum(self.asked("slow").values())
        arguments = self.arguments("run", "slow", "-o", "killed.run", "--concurrency", "4")
        kills = 0
        while True:
            process = subprocess.Popen(arguments, cwd=self.path, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                process.communicate(timeout=1.5 + 0.13 * kills)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL if kills % 3 else signal.SIGINT)
                process.communicate()
                kills += 1
            self.assertLess(kills, 20)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(kills, 0)
        lines = [json.loads(line) for line in (self.path / "killed.run").read_text().splitlines()]
        whole["started"] = lines[0]["started"] = ""
        self.assertEqual(lines[0], whole)
        self.assertEqual({line["id"]: line for line in lines[1:-1]}, undisturbed)
        self.assertLessEqual(sum(self.asked("slow").values()) - before, N + 4 * kills)

    def test_a_killed_check_goes_on(self):
        arguments = [*self.arguments("check", "slow", "--concurrency", "4", "--no-noise"), "--candidate", self.url("twin")]
        process = subprocess.Popen(arguments, cwd=self.path, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while sum(self.asked("slow").values()) < 20:
            time.sleep(0.02)
        process.kill()
        process.wait()
        self.assay("check", "slow", "--candidate", self.url("twin"), "--concurrency", "4", "--no-noise", code=0)
        self.assertLessEqual(sum(self.asked("slow").values()), N + 4)

    def test_a_server_is_asked_twice_for_its_noise(self):
        report, _ = self.check("wavering", "good", code=0)
        noise = report["noise"]
        self.assertEqual((noise["drawn"], noise["repeated"]), (0, 20))  # every third of 60
        self.assertTrue(noise["unsteady"])
        self.assertEqual(noise["lost"], noise["unsteady"])
        report, _ = self.check("wavering", "good", "--no-noise", code=0)
        self.assertIsNone(report["noise"])

    def test_displacement_over_the_wire(self):
        report, notes = self.check("likely", "unlikely", code=3)
        self.assertNotIn("is not measured", notes)
        moved = report["verdicts"][0]["all"]["displacement"]
        self.assertTrue(moved["lower_bounds"])
        # Where the letters are the same: two distributions over the letter, the dot and all else. Where they part the letters are another's.
        p, q = (0.9, 0.03, 0.07), (0.6, 0.12, 0.28)
        same = sum(a * math.log(a / b) for a, b in zip(p, q))
        self.assertGreater(moved["mean_kl"], 0.9 * same)
        self.assertEqual((moved["examples"], moved["diverged"]), (20, 0.2))  # every third example; of those 6, 21, 36 and 51
        report, _ = self.check("likely", "likely", code=0)
        moved = report["verdicts"][0]["all"]["displacement"]
        self.assertEqual((moved["mean_kl"], moved["same_top"], moved["diverged"]), (0, 1, 0))
        report, notes = self.check("good", "twin", code=0)
        self.assertIn("tells no log-probabilities", notes)
        self.assertIn("the answers to all 60 examples are the same text", json.dumps(report))

    def test_several_urls_for_one_arm(self):
        other = faulty_server.start()
        self.addCleanup(other.shutdown)
        ours = lambda server: sum(n for (model, question), n in server.asked.items() if model == "slow" and "Oslo" not in question and ("City" in question or "What is" in question))
        header, answers = self.run_("slow", "--concurrency", "8", "--endpoint", other.url)
        self.assertTrue(all(answer["pass"] for answer in answers.values()))
        self.assertEqual(header["server"]["urls"], [self.server.url, other.url])
        self.assertEqual(ours(self.server) + ours(other), N)
        self.assertTrue(abs(ours(self.server) - ours(other)) < N // 3, (ours(self.server), ours(other)))
        # One of them goes away in the middle: the other answers what it leaves.
        process = subprocess.Popen(self.arguments("run", "slow", "-o", "gone.run", "--concurrency", "8", "--endpoint", other.url), cwd=self.path, env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        before = ours(other)
        while ours(other) < before + 8:
            time.sleep(0.02)
        other.vanish()
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 0, said)
        lines = [json.loads(line) for line in (self.path / "gone.run").read_text().splitlines()]
        self.assertEqual([line["id"] for line in lines[1:-1] if not line["pass"]], [])
        self.assertIn(f"{other.url}: ", said)
        self.assertIn("asked again", said)
        # One that is not there from the start is left out; none at all is an error.
        said = self.assay("run", "slow", "-o", "x.run", "--endpoint", other.url).stderr
        self.assertIn(f"the arm goes on without {other.url}: the server cannot be reached", said)
        self.assertEqual(subprocess.run([ASSAY, "run", f"http://127.0.0.1:1,{other.url}#m", "--task", "task.jsonl"], capture_output=True, cwd=self.path, env=self.environment).returncode, 1)
        third = faulty_server.start(context=2048)
        self.addCleanup(third.shutdown)
        self.assertIn("context: expected 4096", self.assay("run", "slow", "-o", "y.run", "--endpoint", third.url, code=1).stderr)
        self.assertIn("--endpoint", subprocess.run([ASSAY, "run", "model.gguf", "--task", "task.jsonl", "--endpoint", third.url], capture_output=True, text=True, cwd=self.path,
                                                   env=self.environment).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
