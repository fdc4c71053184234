#!/usr/bin/env python3
"""From messages to tokens and from logits to answers, from outside: templates, variables, the clock, special tokens and
generation_config.json of folders and GGUF files made from the embedded model.

usage: prompts_test.py ASSAY CHECKOUT"""
import copy, json, os, pathlib, shutil, subprocess, sys, tempfile, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
PLAIN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
TOOLS = "<|im_start|>system\n{% for t in tools or [] %}{{ t.function.name }}{% endfor %}<|im_end|>\n" + PLAIN
ORDER = [{"type": "function", "function": {"name": "order", "parameters": {"type": "object", "properties": {}}}}]
CHECK = [{"type": "contains", "value": "x"}]


class Prompts(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = pathlib.Path(holder.name)
        os.environ["ASSAY_CACHE"] = str(self.path / "cache")

    def run_assay(self, *arguments, code=0):
        result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def folder(self, name, template=None, generation=None, post_processor=None, **config):
        """The demo with other texts beside its weights."""
        folder = self.path / name
        folder.mkdir()
        for file in DEMO.iterdir():
            if file.suffix in (".json", ".safetensors", ".jinja"):
                shutil.copy(file, folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings.update(config)
        if template is not None:
            (folder / "chat_template.jinja").unlink(missing_ok=True)
            settings["chat_template"] = template
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        if generation is not None:
            (folder / "generation_config.json").write_text(json.dumps(generation))
        if post_processor is not None:
            tokenizer = json.loads((folder / "tokenizer.json").read_text())
            tokenizer["post_processor"] = post_processor(tokenizer)
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        return folder

    def gguf(self, folder):
        out = self.path / (folder.name + ".gguf")
        self.run_assay("convert", folder, "--to", "gguf", "-o", out, "-q")
        return out

    def answer(self, model, example, *flags, code=0):
        """The record's header and its one example."""
        task = self.path / "task.jsonl"
        task.write_text(json.dumps({"id": "a", "sampling": {"max_tokens": 1}, "expect": CHECK, **example}) + "\n")
        out = self.path / "run.jsonl"
        out.unlink(missing_ok=True)
        self.run_assay("run", model, "--task", task, "-o", out, "--no-cache", "-q", *flags, code=code)
        lines = out.read_text().splitlines()
        return json.loads(lines[0]), json.loads(lines[1])

    def test_tools_choose_tool_use(self):
        ask = {"messages": [{"role": "user", "content": "order two"}], "tools": ORDER}
        listed = [{"name": "default", "template": PLAIN}, {"name": "tool_use", "template": TOOLS}]
        by_list, by_file = self.folder("list", listed), self.folder("files", PLAIN)
        (by_file / "additional_chat_templates").mkdir()
        (by_file / "additional_chat_templates" / "tool_use.jinja").write_text(TOOLS)
        direct = self.folder("direct", TOOLS)
        right = self.answer(direct, ask)[1]["prompt_hash"]
        for model in (by_list, by_file, self.gguf(by_list)):
            header, example = self.answer(model, ask)
            self.assertEqual(example["prompt_hash"], right, example)
            self.assertNotIn("error", example)
        # The same shows in what is hidden, and in the way out.
        plain = self.folder("plain", PLAIN)
        self.assertIn("does not show the model tool order", self.answer(plain, ask, code=1)[1]["error"])
        file = self.path / "tools.jinja"
        file.write_text(TOOLS)
        self.assertEqual(self.answer(plain, ask, "--template", file)[1]["prompt_hash"], right)

    def test_messages_are_fitted(self):
        strings = self.folder("strings", "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}")
        text = self.answer(strings, {"messages": [{"role": "user", "content": "a b"}]})[1]
        parts = self.answer(strings, {"messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}]}]})[1]
        self.assertEqual(text["prompt_hash"], parts["prompt_hash"])
        self.assertEqual(len(parts["prompt_remarks"]), 1)
        self.assertNotIn("prompt_remarks", text)

    def test_variables_and_the_clock(self):
        template = "{{ strftime_now('%Y-%m-%d') }} {{ enable_thinking }} {{ messages[0].content }}"
        model = self.folder("clock", template)
        ask = {"messages": [{"role": "user", "content": "q"}]}
        off = ("--chat-template-kwargs", '{"enable_thinking": false}')
        header, first = self.answer(model, ask, "--now", "2026-05-01", *off)
        self.assertEqual(header["now"], "2026-05-01T00:00:00")
        self.assertEqual(header["template_variables"], {"enable_thinking": False})
        shutil.copy(self.path / "run.jsonl", self.path / "first.jsonl")
        own = self.answer(model, {**ask, "chat_template_kwargs": {"enable_thinking": False}}, "--now", "2026-05-01T23:00")[1]
        self.assertEqual(first["prompt_hash"], own["prompt_hash"])
        header, later = self.answer(model, ask, "--now", "2027-05-01", *off)
        self.assertNotEqual(first["prompt_hash"], later["prompt_hash"])
        told = self.run_assay("compare", "first.jsonl", "run.jsonl", code=1)
        self.assertIn("run both with the same --now", " ".join((told.stdout + told.stderr).split()))
        self.assertNotIn("1970", self.answer(model, ask, *off)[0]["now"])
        self.assertIn("--now", self.run_assay("run", model, "--task", "task.jsonl", "--now", "soon", code=1).stderr)

    def test_an_interrupted_run_goes_on_by_its_own_clock(self):
        model = self.folder("clock", "{{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ messages[0].content }}")
        task = self.path / "two.jsonl"
        task.write_text("".join(json.dumps({"id": name, "messages": [{"role": "user", "content": name}], "sampling": {"max_tokens": 1},
                                            "expect": CHECK}) + "\n" for name in "ab"))
        run = lambda *flags: self.run_assay("run", model, "--task", task, "--no-cache", *flags)
        run("-o", "whole", "--now", "2026-05-01")
        whole = [json.loads(line) for line in (self.path / "whole").read_text().splitlines()]
        half = "".join((self.path / "whole").read_text().splitlines(keepends=True)[:2])
        (self.path / "cut.part").write_text(half)
        self.assertIn("going on after 1 finished", run("-o", "cut").stderr)
        cut = [json.loads(line) for line in (self.path / "cut").read_text().splitlines()]
        self.assertEqual(cut[0]["now"], "2026-05-01T00:00:00")
        self.assertEqual([x["prompt_hash"] for x in cut[1:3]], [x["prompt_hash"] for x in whole[1:3]])
        # Another clock that is asked for is another run.
        (self.path / "other.part").write_text(half)
        self.assertIn("other.part.stale", run("-o", "other", "--now", "2027-05-01").stderr)
        self.assertEqual(json.loads((self.path / "other").read_text().splitlines()[0])["now"], "2027-05-01T00:00:00")
        self.assertEqual((self.path / "other.part.stale").read_text(), half)

    def test_special_tokens_around_a_chat(self):
        def both(_):
            special = {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in (("<|reserved_0|>", 1713), ("<|im_end|>", 2))}
            around = [{"SpecialToken": {"id": "<|reserved_0|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                      {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}]
            return {"type": "Sequence", "processors": [
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                {"type": "TemplateProcessing", "single": around, "pair": around + [{"Sequence": {"id": "B", "type_id": 1}}],
                 "special_tokens": special}]}
        plain, around = self.folder("plain", PLAIN), self.folder("around", PLAIN, post_processor=both)
        ids = lambda model, *flags: json.loads(
            self.run_assay("generate", model, "hi there", "--json", "--max-tokens", 1, "--greedy", *flags).stdout)["prompt_ids"]
        self.assertEqual(ids(around), ids(plain))
        self.assertEqual(ids(around, "--raw")[-1], 2)
        # What was typed and what is added both stand, as in the engines, and it is said.
        typed, said = "<|reserved_0|>hi<|im_end|>", "begins with <|reserved_0|> and ends with <|im_end|>, which the tokenizer adds as well"
        for model in (around, self.gguf(around)):
            result = self.run_assay("generate", model, typed, "--raw", "--json", "--max-tokens", 1)
            found = json.loads(result.stdout)["prompt_ids"]
            self.assertEqual((found[:2], found[-2:]), ([1713, 1713], [2, 2]))
            self.assertEqual(result.stderr.count(said), 1, result.stderr)
            result = self.run_assay("tokenize", model, typed, "--bos", "--json")
            self.assertEqual(json.loads(result.stdout)["ids"], found)
            self.assertEqual(result.stderr.count(said), 1, result.stderr)
            self.assertNotIn("adds as well", self.run_assay("tokenize", model, typed).stderr)
            self.assertIn(said, self.answer(model, {"prompt": typed})[1]["prompt_remarks"][0])

    def test_the_files_penalty_is_applied_and_recorded(self):
        penalized = self.folder("penalized", generation={"eos_token_id": 2, "repetition_penalty": 1.5})
        plain = self.folder("plain", generation={"eos_token_id": 2})
        ids = lambda model, *flags: json.loads(
            self.run_assay("generate", model, "the order is the order is", "--raw", "--json", "--max-tokens", 24, *flags).stdout)["ids"]
        self.assertEqual(ids(penalized), ids(plain, "--repetition-penalty", 1.5))
        self.assertEqual(ids(penalized, "--greedy"), ids(penalized))
        self.assertEqual(ids(penalized, "--repetition-penalty", 1), ids(plain))
        self.assertNotEqual(ids(penalized), ids(plain))
        self.assertEqual(ids(self.gguf(penalized)), ids(self.gguf(plain), "--repetition-penalty", 1.5))
        ask = {"prompt": "the order is the order is", "sampling": {"max_tokens": 24}}
        header, example = self.answer(penalized, ask)
        self.assertEqual(header["sampling"]["repetition_penalty"], 1.5)
        self.assertEqual(example["answer_ids"], ids(penalized))
        self.assertEqual(self.answer(penalized, ask, "--repetition-penalty", 1)[1]["answer_ids"], ids(plain))

    def test_what_is_not_applied_is_told(self):
        model = self.folder("beams", generation={"eos_token_id": 2, "num_beams": 4, "temperature": 0.6, "what": 1})
        told = self.run_assay("generate", model, "hi", "--max-tokens", 2).stderr
        for word in ("num_beams", "temperature 0.6", '"what" is not known'):
            self.assertIn(word, told)
        header, _ = self.answer(model, {"prompt": "hi"})
        self.assertEqual(len(header["generation_remarks"]), 3)

    def test_a_model_whose_templates_have_no_default(self):
        model = self.folder("rag", [{"name": "rag", "template": PLAIN}])
        self.assertIn("choose with --template: rag", self.run_assay("generate", model, "hi", code=1).stderr)
        self.run_assay("generate", model, "hi", "--template", "rag", "--max-tokens", 1)

    def test_a_run_without_an_answer_is_an_error(self):
        """Whatever --fail-on; where some examples were answered the others are told."""
        refusing = self.folder("refusing", "{% if 'no' in messages[0].content | string %}{{ raise_exception('not that one') }}{% endif %}" + PLAIN)

        def task(name, *questions):
            (self.path / name).write_text("".join(json.dumps({"id": f"q{i}", "messages": [{"role": "user", "content": q}], "sampling": {"max_tokens": 1},
                                                              "expect": CHECK}) + "\n" for i, q in enumerate(questions)))
            return name

        none, some = task("none.jsonl", "no", "no no"), task("some.jsonl", "yes", "no")
        result = self.run_assay("run", refusing, "--task", none, "-o", "none", code=1)
        self.assertIn("2 of 2 examples could not be answered; the first, q0:", result.stderr)
        self.assertIn("not that one", result.stderr)
        self.assertEqual(json.loads((self.path / "none").read_text().splitlines()[-1])["end"]["examples"], 2)
        self.assertIn("1 of 2 examples could not be answered; the first, q1:", self.run_assay("run", refusing, "--task", some, "-o", "some").stderr)
        report = self.path / "r.html"
        # A check, where more than a comparison may leave out would be missing, sees it before it asks.
        check = ("check", refusing, "--to", "q8_0", "--no-speed", "--report", report, "--fail-on", "never", "--task")
        for name, count in ((none, 2), (some, 1)):
            said = self.run_assay(*check, name, code=1).stderr
            self.assertIn(f"refusing cannot be asked {count} of 2 examples of {name}", said)
            self.assertIn("not that one", said)
        plain = self.folder("plain", PLAIN)
        result = self.run_assay("check", plain, "--candidate", refusing, "--no-speed", "--report", report, "--fail-on", "never", "--task", none,
                                "--allow-difference", code=1)
        self.assertIn("refusing cannot be asked 2 of 2 examples of none.jsonl", result.stderr)
        self.assertFalse(report.exists())
        self.run_assay("run", plain, "--task", none, "-o", "whole")
        for arms in (("none", "whole"), ("whole", "none")):
            self.assertIn("2 of 2 examples could not be answered", self.run_assay("compare", *arms, "--fail-on", "never", code=1).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
