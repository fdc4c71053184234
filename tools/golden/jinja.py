#!/usr/bin/env python3
"""Makes tests/golden/jinja/{templates,cases}.json: what Hugging Face transformers' own template environment renders.

  python tools/golden/jinja.py TEMPLATES_DIR tests/golden/jinja [--gguf MODEL.gguf] [--add]

TEMPLATES_DIR holds *.jinja (ggml-org/llama.cpp models/templates at 10e97801, and from the source distribution of llama-cpp-python
0.3.36 those of gpt-oss, GLM-4.6, GLM-4.7-Flash, Qwen3-Coder, DeepSeek-V3.1, SmolLM3, Granite 4.0, Mistral-Small-3.2, Apertus,
MiniMax-M2, LFM2, LFM2.5, Nemotron and Gemma 4; each template has its model's licence). --gguf adds that file's tokenizer.chat_template. --add keeps
the templates that are there and renders those of TEMPLATES_DIR alone. Needs transformers, jinja2, and gguf for --gguf.
"""
import argparse
import datetime as real_datetime
import hashlib
import json
import pathlib
import platform
import sys

sys.path.append(sys.path.pop(0))  # numbers.py beside this file must not hide Python's own

import jinja2
import transformers
import transformers.utils.chat_template_utils as chat_template_utils

from jinja_cases import CASES, VARIABLES
from jinja_conversations import CONVERSATIONS

NOW = 1753617599  # 2025-07-27 11:59:59 UTC
FULL_TEXT_BYTES = 1000  # longer outputs are kept as SHA-256 and size


class FixedDatetime(real_datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, real_datetime.timezone.utc).replace(tzinfo=None)


chat_template_utils.datetime = FixedDatetime


def render(source, variables):
    kind = "parse"
    try:
        template = chat_template_utils._compile_jinja_template(source)
        kind = "run"
        return template.render(**variables)
    except Exception as e:  # what a template raises may be anything
        own = type(e) is jinja2.TemplateError
        return {"error": str(e) if own else type(e).__name__, "kind": kind, "own": own}


def packed(output, full):
    if isinstance(output, dict) or full or len(output.encode()) <= FULL_TEXT_BYTES:
        return output
    return {"sha256": hashlib.sha256(output.encode()).hexdigest(), "bytes": len(output.encode())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("templates")
    parser.add_argument("out")
    parser.add_argument("--gguf")
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--full", action="store_true", help="keep every output as text (for looking at a difference)")
    args = parser.parse_args()
    out = pathlib.Path(args.out)
    provenance = (
        f"tools/golden/jinja.py with transformers {transformers.__version__}, jinja2 {jinja2.__version__}, "
        f"Python {platform.python_version()}"
    )
    sources = {path.stem: path.read_text() for path in sorted(pathlib.Path(args.templates).glob("*.jinja"))}
    if args.gguf:
        import gguf

        field = gguf.GGUFReader(args.gguf).get_field("tokenizer.chat_template")
        sources["SmolLM2-135M-Instruct"] = field.contents()
    templates = []
    if args.add:
        before = json.loads((out / "templates.json").read_text())
        assert before["conversations"] == CONVERSATIONS
        if provenance not in before["provenance"]:
            provenance = f"{before['provenance']}; and {provenance}"
        templates = [template for template in before["templates"] if template["name"] not in sources]
    for name, source in sources.items():
        expected = []
        for conversation in CONVERSATIONS:
            variables = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"} | conversation["input"]
            expected.append(packed(render(source, variables), args.full))
        templates.append({"name": name, "source": source, "expected": expected})
    golden = {
        "provenance": provenance,
        "licence": "templates: of each model they belong to; collected by ggml-org/llama.cpp (MIT) at 10e97801 and later, SmolLM2's from its"
        " GGUF file (Apache-2.0). Conversations: this project.",
        "now_unix_s": NOW,
        "conversations": CONVERSATIONS,
        "templates": templates,
    }
    (out / "templates.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
    cases = [[source, render(source, VARIABLES)] for source in CASES]
    golden = {"provenance": provenance, "now_unix_s": NOW, "variables": VARIABLES, "cases": cases}
    lines = json.dumps(golden | {"cases": None}, ensure_ascii=False)[: -len("null}")]
    lines += "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "]}\n"
    (out / "cases.json").write_text(lines)
    texts = sum(isinstance(e, str) or "sha256" in e for t in templates for e in t["expected"])
    total = sum(len(t["expected"]) for t in templates)
    print(f"{len(templates)} templates x {len(CONVERSATIONS)} conversations: {texts} texts, {total - texts} errors; {len(cases)} cases")


if __name__ == "__main__":
    main()
