#!/usr/bin/env python3
"""Holds the vector vocabulary together: both instruction sets define the words that docs/kernels.md lists, and no others are shared."""
import pathlib, re, sys

root = pathlib.Path(__file__).resolve().parent.parent
cpu = root / "src/kernel/cpu"


def defined(name):
    return set(re.findall(r"^static inline [\w:\s*]*?\b([A-Z]\w+)\(", (cpu / "vector" / name).read_text(), re.M))


page = (root / "docs/kernels.md").read_text()
listed = set(re.findall(r"`([A-Z]\w+)`", "\n".join(line for line in page[page.index("## The vocabulary"):].splitlines() if line.startswith("| "))))
problems, all_words = [], set()
for narrow, wide in (("vector_avx2.inc", "vector_avx512.inc"), ("integer_avx2.inc", "integer_avx512.inc")):
    a, b = defined(narrow), defined(wide)
    if len(a & b) < 10:
        sys.exit(f"vocabulary: only {len(a & b)} words are in {narrow} and {wide}: did their form change?")
    # A word that one of them needs to build the others is its own affair, as long as no algorithm uses it.
    algorithms = "".join(path.read_text() for path in cpu.glob("*.inc"))
    for name, words in ((narrow, a - b), (wide, b - a)):
        problems += [f"src/kernel/cpu/vector/{name}: {word} is an algorithm's word, and the other instruction set lacks it"
                     for word in sorted(words) if re.search(rf"\b{word}\(", algorithms)]
    all_words |= a & b
problems += [f"docs/kernels.md: {word} is not listed" for word in sorted(all_words - listed)]
problems += [f"docs/kernels.md: {word} is no word of both instruction sets" for word in sorted(listed - all_words)]
print("\n".join(problems) or f"vocabulary: {len(all_words)} words, both instruction sets and the page agree")
sys.exit(bool(problems))
