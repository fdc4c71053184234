#!/usr/bin/env python3
"""Holds src/ to the rule that a format's name is for people and files: code asks the fields of its row (format/format.h) and
neither compares nor spells names, outside format/, the kernel table and the id maps. What remains is listed with its reason;
an entry that nothing needs fails too, so that the list only shrinks."""
import pathlib, re, sys

root = pathlib.Path(__file__).resolve().parent.parent

# Where names stand for the ids of a file, a kernel or a preset.
MAPS = (
    "src/kernel/table.cc",
    "src/checkpoint/gguf/gguf_types.cc",
    "src/checkpoint/hf/scheme/",
    "src/checkpoint/hf/packing/",
    "src/quantize/presets.cc",
    "src/quantize/gguf_mix.cc",
)
# Where a map's rows are compared with a format's name.
COMPARES = {
    "src/kernel/table.cc": "a kernel's row names its format",
    "src/checkpoint/gguf/gguf_types.cc": "a GGUF type's row names its format",
    "src/checkpoint/hf/scheme/fp8_write.cc": "a row of Model-Optimizer's algorithms names its format",
}
# Names elsewhere.
SPELLS = {
    "src/cli/command/check.cc": "presets that a check takes when none is asked for",
    "src/cli/command/convert.cc": "values of --plain",
    "src/cli/command/formats.cc": "what an explained format is shown beside",
    "src/model/cache_format.cc": "rows of the formats of a key-value cache",
    "src/quantize/explain.cc": "short names of the usual schemes' weights: fp8, int4",
}


def names():
    """Of the rows of the format table, written out or made up by rule."""
    out = set()
    for path in (root / "src/format").rglob("*"):
        if path.suffix in (".h", ".cc"):
            text = path.read_text()
            out |= set(re.findall(r'Row\(\{(?:Family|FormatFamily)::\w+,[^}]*\},\s*"(\w+)"', text))
            out |= set(re.findall(r'(?:Bnb4<\d+, \w+>|IntegerTable)\("(\w+)"', text))
    return out


MADE = re.compile(r"int[2-8]_(g\d+|channel|tensor|block\d+|axis0_g\d+)(_asym)?(_gidx)?(_a8|_a8_static|_af8)?")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
NAME = r"\b(?:[a-z_]*format_?|from|to|format\(\))(?:\.|->)name"
COMPARE = re.compile(NAME + r"\s*(?:==|!=|\.(?:starts_with|ends_with|find|substr|contains|compare))|(?:==|!=)\s*[\w.>-]*" + NAME)
PUT_TOGETHER = re.compile(r"\b(?:FindFormat|GetFormat)\([^()]*(?:\+|fmt::format)")
TAKEN = re.compile(r"\bstring(?:_view)?&? \w+ = [\w.>()*-]*format(?:\(\))?(?:\.|->)name;")  # to be taken apart


def findings():
    table = names()
    if len(table) < 60 or not {"f32", "q4_k", "iq1_s", "nf4_b32", "nvfp4_a4", "i64"} <= table:
        sys.exit(f"format names: only {len(table)} rows of the table were found: did their form change?")
    for path in sorted((root / "src").rglob("*")):
        name = str(path.relative_to(root))
        if path.suffix not in (".h", ".cc", ".inc") or name.startswith(("src/format/", "src/number/")):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = re.sub(r"^\s*//.*|\s//\s.*", "", line)
            if COMPARE.search(code) or TAKEN.search(code):
                yield name, number, "compares", line.strip()
            if PUT_TOGETHER.search(code):
                yield name, number, "puts together", line.strip()
            if name.startswith(MAPS) or code.startswith("#include"):
                continue
            for literal in LITERAL.findall(code):
                if literal in table or MADE.fullmatch(literal):
                    yield name, number, "spells", line.strip()


problems, needed = [], set()
for name, number, what, line in findings():
    listed = COMPARES if what == "compares" else SPELLS if what == "spells" else {}
    if name in listed:
        needed.add((what, name))
    else:
        problems.append(f"{name}:{number}: {what} a format's name; ask the fields of its row (format/format.h): {line}")
for what, listed in (("compares", COMPARES), ("spells", SPELLS)):
    problems += [f"tools/check_format_names.py: {name} no longer {what} names: take it off the list"
                 for name in listed if (what, name) not in needed]
print("\n".join(problems) if problems else f"format names: {len(COMPARES) + len(SPELLS)} files may use them, no other does")
sys.exit(1 if problems else 0)
