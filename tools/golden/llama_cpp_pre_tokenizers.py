#!/usr/bin/env python3
"""How llama.cpp cuts texts into words, for every tokenizer.ggml.pre that it knows, and the names of tokens that end an answer there:
tests/golden/tokenizer/llama_cpp_words.json.

  llama_cpp_pre_tokenizers.py LLAMA_CPP    a source tree of llama.cpp (written with that of llama-cpp-python 0.3.36)

The regular expressions and the names are taken out of src/llama-vocab.cpp and compiled with src/unicode.cpp, so that no
vocabulary is needed. Words are stated by their lengths in bytes.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

OUT = os.path.join(os.path.dirname(__file__), "../../tests/golden/tokenizer/llama_cpp_words.json")
# Another shape than byte-level BPE, or none of ours.
OTHER_MODELS = {"gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"}
PIECES = [" ", "  ", "   ", "\n", "\r", "\r\n", "\t", "\u00a0", "\u3000", "a", "Ab", "ABC", "xYz", "é", "É", "ÀÉÎ", "ß", "ñandú",
          "1", "12", "345", "6789", "1234567", "١٢", "!", "?.,", "'s", "'S", "'ll", "'T", "'re", "’s", "$", "+", "=", "<|", "_", "-",
          "—", "…", "。", "、", "中文", "日本語", "カナ", "한국어", "हिन्दी", "न्", "ক্ষ", "ไทย", "עברית", "العربية", "🙂", "👩‍👩‍👧", "🇩🇪",
          "e\u0301", "\u0301", "\u200d", "\u200b", "ǅ", "ʰ", "ª", "Ελλ", "ЖЗ", "жз", "/", "//", "\\", "#", "`", "@", "IMGIMGABZ",
          "<sentinel:1>", "Ａ", "１", "㐀", "𐐀", "\x85", "\x0b", "\u2028"]


def program(tree):
    source = open(tree + "/src/llama-vocab.cpp").read()
    enum = re.search(r"enum llama_vocab_pre_type \{.*?\};", open(tree + "/src/llama-vocab.h").read(), re.S).group(0)
    cases = source[source.index("switch (vocab.get_pre_type()) {"):]
    cases = cases[:cases.index("    std::vector<std::string> regex_exprs;")]
    cases = cases[:cases.rindex("}")]
    chain = source[source.index("if (tokenizer_pre.empty()) {\n"):]
    chain = chain[:chain.index("} else if (type == LLAMA_VOCAB_TYPE_SPM)")]
    return re.findall(r'tokenizer_pre == "([^"]+)"', chain), f"""
#include "unicode.h"
#include <iostream>
#include <stdexcept>
#define LLAMA_LOG_WARN(...)
{enum}
struct Vocab {{ llama_vocab_pre_type type; llama_vocab_pre_type get_pre_type() const {{ return type; }} }};
int main() {{
  std::string tokenizer_pre; size_t n;
  while (std::cin >> tokenizer_pre >> n) {{
    std::cin.get();
    std::string text(n, 0);
    std::cin.read(&text[0], n);
    llama_vocab_pre_type pre_type; struct {{ bool lowercase; }} normalizer_opts; const int LLAMA_TOKEN_NULL = -1;
    bool clean_spaces, ignore_merges, add_bos, escape_whitespaces, add_sep, byte_encode; int special_bos_id;
    auto format = [](auto...) {{ return std::string("unknown"); }};
    {chain}
    Vocab vocab{{pre_type}};
    std::vector<std::string> regex_exprs;
    {cases}
    for (const auto & word : unicode_regex_split(text, regex_exprs, false)) if (!word.empty()) std::cout << word.size() << " ";
    std::cout << std::endl;
  }}
}}
"""


def ends(tree):
    """Names that make a token one of special_eog_ids."""
    source = open(tree + "/src/llama-vocab.cpp").read()
    found = []
    for begin, end in (("// find FIM_PAD token", "// find FIM_REP token"), ("// find FIM_REP token", "// find FIM_SEP token"),
                       ("// find FIM_SEP token", "// maintain a list of tokens that cause end-of-generation"),
                       ("// maintain a list of tokens that cause end-of-generation", "special_eog_ids.insert(t.second)")):
        block = source[source.index(begin):]
        names = re.findall(r't\.first == "([^"]+)"', block[:block.index(end)])
        assert names, begin
        found += [n for n in names if n not in found]
    return found


def main():
    tree = sys.argv[1]
    names, source = program(tree)
    rng = random.Random(7)
    texts = ["".join(rng.choice(PIECES) for _ in range(rng.randint(1, 9))) for _ in range(150)]
    with tempfile.TemporaryDirectory() as folder:
        open(folder + "/words.cc", "w").write(source)
        subprocess.run(["g++", "-std=c++17", "-O1", "-w", "-I" + tree + "/src", folder + "/words.cc", tree + "/src/unicode.cpp",
                        tree + "/src/unicode-data.cpp", "-o", folder + "/words"], check=True)
        groups = {}
        for name in names:
            if name in OTHER_MODELS:
                continue
            given = b"".join(f"{name} {len(t.encode())}\n".encode() + t.encode() for t in texts)
            lines = subprocess.run([folder + "/words"], input=given, capture_output=True, check=True).stdout.decode()
            groups.setdefault(lines, []).append(name)
    rows = [{"names": v, "words": [[int(n) for n in line.split()] for line in k.splitlines()]} for k, v in groups.items()]
    with open(OUT, "w") as out:
        out.write(json.dumps({"provenance": "llama.cpp of llama-cpp-python 0.3.36, tools/golden/llama_cpp_pre_tokenizers.py",
                              "ends": ends(tree), "texts": texts}, ensure_ascii=False)[:-1] + ',\n"rules": [\n')
        out.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]}\n")


main()
