#!/usr/bin/env python3
"""A real server as an arm, beside the same file in this program: the same prompts, the same greedy answers up to the first near-tie, the same
verdict; and what such a server does when it is asked for what it cannot do, or is started in a way that it should not be.

usage: real_servers_test.py ASSAY CHECKOUT SERVER    (llama-server, llama-cpp-python, vllm, transformers)

tools/servers/install puts the first three into ~/.cache/assay/servers ($ASSAY_SERVERS); transformers is run by the Python that
ASSAY_TRANSFORMERS_PYTHON names. A server that is not there is not asked, and the test says so and exits with 77. The model is SmolLM2
(tools/fetch_models)."""
import contextlib, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time, unittest, urllib.error, urllib.request

ASSAY, CHECKOUT, SERVER = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
VERSION, VLLM_VERSION = "0.3.36", "0.32.0"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")) / "assay"
SERVERS = pathlib.Path(os.environ.get("ASSAY_SERVERS") or CACHE / "servers")
MODEL = pathlib.Path(os.environ.get("ASSAY_MODELS") or CACHE / "models") / "SmolLM2-135M-Instruct.Q4_1.gguf"
TASK = CHECKOUT / "examples/tasks/smollm2-50.jsonl"
PROGRAMS = {"llama-server": SERVERS / f"llama.cpp-{VERSION}/bin/llama-server", "llama-cpp-python": SERVERS / f"llama-cpp-python-{VERSION}/bin/python",
            "vllm": SERVERS / f"vllm-{VLLM_VERSION}/bin/vllm", "transformers": pathlib.Path(os.environ.get("ASSAY_TRANSFORMERS_PYTHON", "/nowhere"))}
PROGRAM = PROGRAMS[SERVER]
# In float32 two engines differ by the order of their sums: where the best two tokens are nearer than this many nats, either may come.
NEAR_TIE = 0.02
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url, body, timeout=300):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.load(response)


@contextlib.contextmanager
def serving(model, *flags, wait=True):
    """Starts the server on a free port; gives its URL."""
    port, environment = free_port(), dict(os.environ)
    if SERVER == "llama-server":
        command = [PROGRAM, "-m", model, "--host", "127.0.0.1", "--port", port, "-t", "1", "--no-webui", *flags]
        health = "/health"
    elif SERVER == "llama-cpp-python":
        command = [PROGRAM, "-m", "llama_cpp.server", "--model", model, "--host", "127.0.0.1", "--port", port, "--n_threads", "1", "--n_ctx", "4096", *flags]
        health = "/v1/models"
    elif SERVER == "vllm":
        command = [PROGRAM, "serve", model, "--served-model-name", "smol", "--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--max-model-len", "2048",
                   "--enforce-eager", *flags]
        environment.update(VLLM_CPU_KVCACHE_SPACE="1", HF_HUB_OFFLINE="1", VLLM_NO_USAGE_STATS="1")
        health = "/health"
    else:
        command = [PROGRAM.parent / "transformers", "serve", model, "--host", "127.0.0.1", "--port", port, "--device", "cpu", "--dtype", "float32", *flags]
        health = "/health"
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=environment)
        try:
            deadline = time.monotonic() + 600
            while wait:
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(f"{command}: did not start:\n{log.read()[-3000:].decode(errors='replace')}")
                try:
                    with urllib.request.urlopen(url + health, timeout=5):
                        break
                except urllib.error.HTTPError as error:
                    if error.code in (401, 403):
                        break
                except OSError:
                    pass
                time.sleep(0.2)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not MODEL.exists():
            raise AssertionError(f"{MODEL} is missing: run tools/fetch_models")
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.environment = {**os.environ, "ASSAY_CACHE": str(cls.path / "cache")}
        cls.environment.pop("ASSAY_API_KEY", None)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def assay(self, *arguments, code=0, environment=None):
        result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path, env={**self.environment, **(environment or {})}, timeout=1500)
        self.assertIn(result.returncode, code if isinstance(code, tuple) else (code,), result.stdout[-3000:] + result.stderr[-3000:])
        return result

    def run_(self, model, *more, task=TASK, code=0):
        out = self.path / "out.run"
        result = self.assay("run", model, "--task", task, "-o", out, "--force", "--no-cache", *more, code=code)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        return lines[0], {line["id"]: line for line in lines[1:-1]}, result

    def check(self, baseline, *more, code):
        result = self.assay("check", baseline, "--json", "--no-speed", "--weak-baseline", *more, code=code)
        return json.loads(result.stdout), result.stderr

    def quant(self, preset):
        out = self.path / f"{preset}.gguf"
        if not out.exists():
            self.assay("quantize", MODEL, "--to", preset, "-o", out)
        return out

    def plain(self):
        """The model in float32, and every third example: with int8 activations each engine rounds in its own way."""
        out = self.path / "f32.gguf"
        if not out.exists():
            self.assay("quantize", MODEL, "--to", "f32", "-o", out)
        return out, self.task(*map(json.loads, TASK.read_text().splitlines()[::3]))

    def task(self, *lines):
        path = self.path / "task.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def tokens(self, model, text):
        (self.path / "text").write_text(text)
        return json.loads(self.assay("tokenize", model, "--file", self.path / "text", "--plain", "--json", "--quiet").stdout)["ids"]

    def assert_same_answers(self, files, served, gap):
        """`gap(ids, ours, theirs)`: how much the server likes its own token behind `ids` better than ours."""
        equal, ties = 0, []
        for i, ours in files.items():
            theirs = served[i]
            self.assertFalse(theirs.get("error"), theirs)
            if ours["answer"] == theirs["answer"]:
                equal += 1
                continue
            ids = ours["answer_ids"]
            other = self.tokens(MODEL, theirs["answer"])
            at = next((k for k, (a, b) in enumerate(zip(ids, other)) if a != b), min(len(ids), len(other)))
            ended = 2  # the token that ends an answer
            ties.append((i, at, gap(ours["prompt_ids"] + ids[:at], ids[at] if at < len(ids) else ended, other[at] if at < len(other) else ended)))
        print(f"{SERVER}: {equal} of {len(files)} answers are equal, the others part at (example, token, gap in nats):", ties, flush=True)
        self.assertGreaterEqual(equal, len(files) * 3 // 4)
        self.assertEqual([tie for tie in ties if not tie[2] < NEAR_TIE], [])


def outcome(report, i=0):
    """Verdict, and passes of both arms."""
    comparison = report["verdicts"][i]
    return comparison["all"]["verdict"], comparison["all"]["baseline_passed"], comparison["all"]["candidate_passed"]


@unittest.skipUnless(SERVER == "llama-server", SERVER)
class LlamaServer(Base):
    def test_file_and_server(self):
        model, task = self.plain()
        header, ours, _ = self.run_(model, "--arithmetic", "reference", task=task)
        with serving(model, "-c", "4096", "--parallel", "2", "--cache-type-k", "f32", "--cache-type-v", "f32") as url:
            served, theirs, _ = self.run_(url, "--concurrency", "2", task=task)
            facts = served["server"]
            self.assertEqual((facts["kind"], facts["tells_chat_tokens"], facts["tells_text_tokens"], facts["counts_tokens"], facts["logprobs"], facts["holds_schema"]),
                             ("llama-server", True, True, True, True, True))
            self.assertEqual((served["tokenizer_probe"], served["template_hash"]), (header["tokenizer_probe"], header["template_hash"]))
            self.assertEqual({i: a["prompt_ids"] for i, a in theirs.items()}, {i: a["prompt_ids"] for i, a in ours.items()})
            self.assertEqual({a["prompt_tokens"] - len(a["prompt_ids"]) for a in theirs.values()}, {0})

            def gap(ids, mine, its):
                said = post(url + "/completion", {"prompt": ids, "n_predict": 1, "temperature": 0, "n_probs": 50, "cache_prompt": False})
                top = {t["id"]: t["logprob"] for t in said["completion_probabilities"][0]["top_logprobs"]}
                return top[its] - top.get(mine, -99)

            self.assert_same_answers(ours, theirs, gap)
            report, _ = self.check(model, "--task", task, "--candidate", url, code=4)
            self.assertEqual(report["verdicts"][0]["obstacles"], [])
            self.assertNotIn("are not known", json.dumps(report["verdicts"][0]["notes"]))
            # Along whole answers, token by token.
            few = self.task(*({**json.loads(line), "sampling": {"max_tokens": 24}} for line in TASK.read_text().splitlines()[::10]))
            report, _ = self.check(model, "--arithmetic", "reference", "--task", few, "--candidate", url, "--slow-displacement", "--concurrency", "2", code=(0, 4))
            moved = report["verdicts"][0]["all"]["displacement"]
            print("token by token:", moved, flush=True)
            self.assertEqual((moved["whole_answers"], moved["known_tokens"], moved["examples"]), (True, 20, 5))
            self.assertLess(moved["max_kl"], 1e-3)
            self.assertGreater(moved["same_top"], 0.99)

    def test_verdict_of_quants(self):
        big, small = self.quant("q8_0"), self.quant("q2_k")
        files, _ = self.check(big, "--task", TASK, "--candidate", small, code=(0, 3, 4))
        with serving(big, "-c", "4096") as a, serving(small, "-c", "4096") as b:
            served, _ = self.check(a, "--task", TASK, "--candidate", b, code=(0, 3, 4))
        print("Q8_0 against Q2_K, verdict and passes of both: files", outcome(files), "servers", outcome(served), flush=True)
        self.assertEqual(outcome(files)[0], outcome(served)[0])
        for f, s in zip(outcome(files)[1:], outcome(served)[1:]):
            self.assertLessEqual(abs(f - s), 5)

    def test_other_template_is_told_with_its_first_token(self):
        with serving(MODEL, "-c", "2048", "--chat-template", "llama3") as url:
            said = self.assay("check", MODEL, "--task", TASK, "--candidate", url, code=1).stderr
            self.assertIn("are run differently (--allow-difference compares them all the same): chat template", said)
            task = self.task(*map(json.loads, TASK.read_text().splitlines()[::10]))
            report, _ = self.check(MODEL, "--task", task, "--candidate", url, "--allow-difference", code=(0, 3, 4))
            self.assertEqual(report["verdicts"][0]["obstacles"], [])
            notes = json.dumps(report["verdicts"][0]["notes"])
            self.assertIn("allowed to differ: different chat template", notes)
            self.assertRegex(notes, r"in facts-01 prompt token \d+ is \d+ for the baseline and \d+ for the candidate")
            with serving(MODEL, "-c", "2048") as other:
                said = self.assay("check", other, "--task", TASK, "--candidate", url, code=1).stderr
                self.assertIn("are run differently", said)

    def test_small_context(self):
        long = "word " * 900
        task = self.task({"id": "long", "messages": [{"role": "user", "content": long + "What is 2 + 2?"}], "expect": [{"type": "contains", "value": "4"}]},
                         {"id": "short", "messages": [{"role": "user", "content": "What is 2 + 2?"}], "expect": [{"type": "contains", "value": "4"}]},
                         {"id": "answer", "messages": [{"role": "user", "content": "Count from 1 to 1000."}], "sampling": {"max_tokens": 1200}, "expect": [{"type": "contains", "value": "4"}]})
        with serving(MODEL, "-c", "512", "--parallel", "1") as url:
            _, answers, _ = self.run_(url, task=task)
        self.assertRegex(answers["long"]["error"], "^refused: HTTP 400: .*exceeds the available context size")
        self.assertFalse(answers["short"].get("error"))
        self.assertTrue(answers["answer"].get("error", "").startswith("truncated by the server") or answers["answer"]["finish"] == "stop", answers["answer"])

    def test_key_names_and_slow_loading(self):
        with serving(MODEL, "-c", "512", "--api-key", "sk-a-long-secret") as url:
            self.assertIn("access denied", self.assay("run", url, "--task", TASK, "-o", "x.run", code=1).stderr)
            self.assertIn("access denied", self.assay("run", url, "--task", TASK, "-o", "x.run", code=1, environment={"ASSAY_API_KEY": "sk-another-one"}).stderr)
            result = self.assay("run", url, "--task", TASK, "-o", "x.run", environment={"ASSAY_API_KEY": "sk-a-long-secret"})
            self.assertNotIn("sk-a-long-secret", result.stdout + result.stderr + (self.path / "x.run").read_text())
            said = self.assay("run", url + "#nosuch", "--task", TASK, "-o", "y.run", code=1, environment={"ASSAY_API_KEY": "sk-a-long-secret"}).stderr
            self.assertIn('does not offer "nosuch"', said)
        task = self.task({"id": "one", "messages": [{"role": "user", "content": "Say hello."}], "expect": [{"type": "contains", "value": "ello"}]})
        with serving(MODEL, "-c", "512", wait=False) as url:
            # Asked while it loads, from before it listens on.
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=1):
                    break
                time.sleep(0.05)
            _, answers, _ = self.run_(url, task=task)
            self.assertFalse(answers["one"].get("error"), answers)

    def test_tools(self):
        tool = {"id": "tool", "messages": [{"role": "user", "content": "What is the weather in Oslo?"}], "tools": [WEATHER],
                "expect": [{"type": "tool_calls", "calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]}]}
        schema = {"id": "schema", "messages": [{"role": "user", "content": "Tell me about a fox."}], "expect": [{"type": "json_value", "value": {"lamp": "red"}}],
                  "response_schema": {"type": "object", "properties": {"lamp": {"enum": ["red", "green"]}}, "required": ["lamp"], "additionalProperties": False}}
        task = self.task(tool, schema)
        with serving(MODEL, "-c", "2048") as url:
            header, answers, _ = self.run_(url, "--hold-schema", task=task)
            facts = header["server"]
            print("tools:", {k: facts.get(k) for k in ("takes_tools", "sees_tools", "sees_system", "calls")}, answers["tool"], flush=True)
            self.assertTrue(facts["takes_tools"])
            self.assertIn(json.loads(answers["schema"]["answer"])["lamp"], ("red", "green"))
        with serving(MODEL, "-c", "2048", "--no-jinja") as url:
            header, answers, result = self.run_(url, task=task)
            self.assertFalse(header["server"]["takes_tools"])
            self.assertIn("refuses chats with tools", result.stderr)
            self.assertIn("refuses chats with tools", answers["tool"]["error"])

    def test_a_grammar_of_the_servers_own(self):
        with serving(MODEL, "-c", "512", "--grammar", 'root ::= "yes" | "no"') as url:
            header, _, result = self.run_(url, task=self.task({"id": "one", "messages": [{"role": "user", "content": "Say hello."}], "expect": [{"type": "contains", "value": "ello"}]}))
            self.assertIn("grammar", header["server"]["settings"])
            self.assertIn("a grammar of its own", result.stderr)
            with serving(MODEL, "-c", "512") as plain:
                self.assertIn("grammar", self.assay("check", plain, "--task", TASK, "--candidate", url, code=1).stderr)


@unittest.skipUnless(SERVER == "llama-cpp-python", SERVER)
class LlamaCppPython(Base):
    def test_file_and_server(self):
        model, task = self.plain()
        _, ours, _ = self.run_(model, "--arithmetic", "reference", task=task)
        with serving(model, "--type_k", "0", "--type_v", "0") as url:  # caches in float32
            served, theirs, _ = self.run_(url, "--concurrency", "4", task=task)
        facts = served["server"]
        self.assertEqual((facts["kind"], facts["counts_tokens"], facts["tells_chat_tokens"]), ("llama-cpp-python", True, False))
        self.assertEqual({i: a["prompt_tokens"] for i, a in theirs.items()}, {i: len(a["prompt_ids"]) for i, a in ours.items()})
        asked = []

        def gap(*question):
            asked.append(question)
            return 0  # asked below

        self.assert_same_answers(ours, theirs, gap)
        # The package itself, in the server's place, says how near the two tokens were.
        script = ("import json, sys, llama_cpp\nm = llama_cpp.Llama(sys.argv[1], n_ctx=4096, n_threads=1, type_k=0, type_v=0, verbose=False)\n"
                  "for ids, a, b in json.load(sys.stdin):\n  m.reset(); m.eval(ids); l = m._ctx.get_logits_ith(-1); print(l[b] - l[a])")
        said = subprocess.run([PROGRAM, "-c", script, model], input=json.dumps(asked), capture_output=True, text=True, check=True)
        gaps = [float(line) for line in said.stdout.split()]
        print("gaps:", gaps, flush=True)
        self.assertEqual(len(gaps), len(asked))
        self.assertEqual([g for g in gaps if g >= NEAR_TIE], [])

    def test_verdict_of_quants(self):
        """It answers one request at a time, so of each third example, and no answer is long. All that follow from them is judged alike."""
        big, small = self.quant("q8_0"), self.quant("q2_k")
        task = self.task(*({**json.loads(line), "sampling": {"max_tokens": 24}} for line in TASK.read_text().splitlines()[::3]))
        files, _ = self.check(big, "--task", task, "--candidate", small, code=(0, 3, 4))
        with serving(big, "--n_threads", "2") as a, serving(small, "--n_threads", "2") as b:
            served, _ = self.check(a, "--task", task, "--candidate", b, "--no-noise", "--no-displacement", code=(0, 3, 4))
        for f, s in zip(outcome(files)[1:], outcome(served)[1:]):
            self.assertLessEqual(abs(f - s), 3)
        print("Q8_0 against Q2_K, verdict and passes of both: files", outcome(files), "servers", outcome(served), flush=True)
        self.assertEqual(outcome(files)[0], outcome(served)[0])


@unittest.skipUnless(SERVER == "vllm", SERVER)
class Vllm(Base):
    # Of a model that knows no tools one with a template that shows them; it is asked to repeat a call.
    TEMPLATE = ("{% if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n"
                "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

    def folder_(self):
        out = self.path / "smollm2"
        if not out.exists():
            self.assay("convert", MODEL, "--to", "safetensors", "--plain", "f32", "-o", out)
        return out

    def test_folder_and_server(self):
        """In float32 both compute the same, but for the order of sums."""
        folder = self.folder_()
        task = self.task(*map(json.loads, TASK.read_text().splitlines()[::5]))
        _, ours, _ = self.run_(folder, "--arithmetic", "reference", task=task)
        with serving(folder) as url:
            header, theirs, _ = self.run_(url, "--concurrency", "2", task=task)
            facts = header["server"]
            print({k: facts.get(k) for k in ("version", "takes_tools", "sees_tools", "holds_schema", "seeds", "same_twice", "remarks")}, flush=True)
            self.assertEqual((facts["kind"], facts["context"], facts["tells_chat_tokens"], facts["tells_text_tokens"], facts["counts_tokens"], facts["logprobs"], facts["prompt_logprobs"]),
                             ("vLLM", 2048, True, True, True, True, 20))
            self.assertEqual({i: a["prompt_ids"] for i, a in theirs.items()}, {i: a["prompt_ids"] for i, a in ours.items()})
            equal = [i for i in ours if ours[i]["answer"] == theirs[i]["answer"]]
            print(f"vllm: {len(equal)} of {len(ours)} answers are equal", flush=True)
            self.assertGreaterEqual(len(equal), len(ours) - 1)
            self.assertEqual([i for i in equal if ours[i]["answer_ids"] != theirs[i]["answer_ids"]], [])

            # Along whole answers: from a file, and from another quantization of it, which moves and is bounded from below.
            tokens = sum(len(a["answer_ids"]) + 1 for a in ours.values())
            report, _ = self.check(folder, "--arithmetic", "reference", "--task", task, "--candidate", url, "--concurrency", "2", code=(0, 4))
            comparison = report["verdicts"][0]
            moved = comparison["all"]["displacement"]
            print("folder and server:", moved, flush=True)
            self.assertEqual(comparison["obstacles"], [])
            self.assertEqual((moved["tokens"], moved["whole_answers"], moved["known_tokens"]), (tokens, True, 20))
            self.assertLess(moved["max_kl"], 1e-3)
            self.assertGreater(moved["same_top"], 0.99)
            small = self.quant("q2_k")
            files, _ = self.check(folder, "--arithmetic", "reference", "--task", task, "--candidate", small, code=(0, 3, 4))
            served, _ = self.check(url, "--arithmetic", "reference", "--task", task, "--candidate", small, "--no-noise", "--concurrency", "2", code=(0, 3, 4))
            whole, bound = (r["verdicts"][0]["all"]["displacement"] for r in (files, served))
            print("Q2_K from the folder:", whole, "and from the server:", bound, flush=True)
            self.assertFalse(whole["lower_bounds"])
            self.assertTrue(bound["lower_bounds"] and bound["whole_answers"])
            if len(equal) == len(ours):  # the same answers are followed
                self.assertLess(bound["mean_kl"], whole["mean_kl"] * 1.001)
                self.assertGreater(bound["mean_kl"], whole["mean_kl"] * 0.3)

    def test_calls(self):
        """With its parser calls come apart from the text; without one vLLM refuses chats with tools."""
        folder, template = self.folder_(), self.path / "tools.jinja"
        template.write_text(self.TEMPLATE)
        call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
        expect = [{"type": "tool_calls", "calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]}]
        told = {"messages": [{"role": "user", "content": f"Repeat exactly this and say nothing else:\n{call}"}, {"role": "assistant", "content": call},
                             {"role": "user", "content": f"Once more:\n{call}"}], "tools": [WEATHER], "expect": expect, "sampling": {"max_tokens": 60}}
        task = self.task({"id": "told", **told})
        for parser in ("hermes", None):
            flags = ["--enable-auto-tool-choice", "--tool-call-parser", parser] if parser else []
            with serving(folder, "--chat-template", template, *flags) as url:
                header, answers, result = self.run_(url, task=task, code=0 if parser else 1)
            facts, answer = header["server"], answers["told"]
            print(parser, {k: facts.get(k) for k in ("takes_tools", "sees_tools", "calls")}, answer, flush=True)
            self.assertEqual(facts["takes_tools"], parser is not None)
            if parser is None:
                self.assertIn("refuses chats with tools", result.stderr)
                self.assertIn("refuses chats with tools", answer["error"])
            else:
                self.assertTrue(facts["sees_tools"])
                self.assertFalse(answer.get("error"), answer)
                self.assertFalse(answer.get("call_left_in_text"), answer)
                self.assertTrue(answer["pass"], answer)


@unittest.skipUnless(SERVER == "transformers", SERVER)
class Transformers(Base):
    def test_folder_and_server(self):
        """In float32 both compute the same, but for the order of sums."""
        folder = self.path / "smollm2"
        self.assay("convert", MODEL, "--to", "safetensors", "--plain", "f32", "-o", folder)
        task = self.task(*map(json.loads, TASK.read_text().splitlines()[::5]))
        _, ours, _ = self.run_(folder, "--arithmetic", "reference", task=task)
        with serving(folder) as url:
            header, theirs, result = self.run_(url, "--concurrency", "1", task=task)
            facts = header["server"]
            print({k: facts.get(k) for k in ("kind", "takes_tools", "sees_tools", "holds_schema", "logprobs", "counts_tokens", "remarks")}, flush=True)
            self.assertEqual({i: a["prompt_tokens"] for i, a in theirs.items()}, {i: len(a["prompt_ids"]) for i, a in ours.items()})
            equal = [i for i in ours if ours[i]["answer"] == theirs[i]["answer"]]
            print(f"transformers: {len(equal)} of {len(ours)} answers are equal", flush=True)
            self.assertGreaterEqual(len(equal), len(ours) - 1)
            self.assertFalse(facts["holds_schema"])
            said = self.assay("run", url, "--hold-schema", "--task", task, "-o", "x.run", code=1).stderr
            self.assertIn("does not hold an answer to the schema", said)


if not os.access(PROGRAM, os.X_OK):
    print(f"{SERVER} is not installed ({PROGRAM}), and was therefore not asked: " + ("set ASSAY_TRANSFORMERS_PYTHON" if SERVER == "transformers" else
          f"run tools/servers/install {SERVER}"))
    sys.exit(77)
print(f"{SERVER}: {PROGRAM}")
unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[4:])
