#!/usr/bin/env python3
"""Random combinations of normalizers, pre-tokenizers and added tokens as Hugging Face tokenizers 0.23.3 runs them:
tests/golden/tokenizer/steps.json. The model is WordPiece over single characters, so that the ids show where words begin.

  tokenizer_steps.py [SEED]
"""
import json
import os
import random
import sys

sys.path.append(sys.path.pop(0))  # numbers.py beside this file must not hide Python's own

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers as N, pre_tokenizers as P

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/tokenizer/steps.json")
PIECES = list("abcxyzABCÉéßñıİΣςДдǅʰª½²Ⅷ①١२12 \t\n\r\x85\u00a0\u3000\u2028\u200b\u200c\u200d\ufeff.,!?'-_—…«、。（<>|[$+=`@中文日カな한ไהع𐐀🙂🏽🇩ⓐﬁ㍿∑€") + [
    "ab", "xq", "qz", "xqz", "the ", "  ", "   ", "\r\n", "e\u0301", "<|x|>", "[TOK]", "abc", "▁", "न्दी", "ना", "a\u200db", "1\u20e3", "\u0301"]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def normalizer(self, depth=0):
        r = self.r
        flip = lambda: r.random() < 0.5
        k = r.randint(0, 11)
        if k == 10:
            return N.Prepend(r.choice(["▁", "x", " "]))
        if k == 11 and depth < 2:
            return N.Sequence([self.normalizer(depth + 1) for _ in range(r.randint(1, 3))])
        return [N.NFC, N.NFD, N.NFKC, N.NFKD, N.Lowercase, N.StripAccents,
                lambda: N.BertNormalizer(clean_text=flip(), handle_chinese_chars=flip(), strip_accents=r.choice([None, True, False]),
                                         lowercase=flip()),
                lambda: N.Strip(left=False, right=True),
                lambda: N.Replace(r.choice(["a", " ", "ab", "é"]), r.choice(["", "x", "▁", "  "])),
                lambda: N.Replace(Regex(r.choice([r"\s+", r" {2,}", r"[A-Z]", r"\d", r"\w", r"\p{M}", r"a|b"])), r.choice(["x", " "])),
                N.NFC, N.NFC][k]()

    def pre_tokenizer(self, depth=0):
        r = self.r
        k = r.randint(0, 9)
        if k == 9:
            if depth < 2:
                return P.Sequence([self.pre_tokenizer(depth + 1) for _ in range(r.randint(1, 3))])
            k = 1
        regex = [r"\s+", r"\d", r"\w+", r"\W+", r"\p{L}+|\p{N}", r"[^\s\p{L}]+", r"\b", r"(?i)a", r"\p{Han}+", r"[\p{P}\p{S}]",
                 r" ?\p{L}+", r"(?=\d)", r"[[:punct:]]", r"\B"]
        return [P.Whitespace, P.WhitespaceSplit, lambda: P.Punctuation(r.choice(BEHAVIORS)), lambda: P.Digits(r.random() < 0.5),
                lambda: P.CharDelimiterSplit(r.choice(" a-")),
                lambda: P.Metaspace(replacement="▁", prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.5),
                P.BertPreTokenizer, lambda: P.Split(r.choice([" ", "a", "ab", "é"]), r.choice(BEHAVIORS), r.random() < 0.3),
                lambda: P.Split(Regex(r.choice(regex)), r.choice(BEHAVIORS), r.random() < 0.3)][k]()

    def added(self):
        r = self.r
        tokens = ["ab", "xq", "qz", "<|x|>", "[TOK]", " a", "É", "the", "न", "abc"]
        return [AddedToken(c, single_word=r.random() < 0.3, lstrip=r.random() < 0.3, rstrip=r.random() < 0.3,
                           normalized=r.random() < 0.5, special=r.random() < 0.3) for c in r.sample(tokens, r.randint(0, 4))]


def main():
    maker = Maker(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    r = maker.r
    alphabet = set("".join(PIECES))
    for change in (N.NFKD(), N.NFKC(), N.Lowercase()):
        alphabet |= set("".join(change.normalize_str(c) for c in PIECES))
    alphabet = sorted(alphabet)
    vocab = {"[UNK]": 0}
    for c in alphabet + ["##" + c for c in alphabet]:
        vocab[c] = len(vocab)
    rows = []
    while len(rows) < 160:
        t = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]", max_input_chars_per_word=100))
        if r.random() < 0.85:
            t.pre_tokenizer = maker.pre_tokenizer()
        if r.random() < 0.6:
            t.normalizer = maker.normalizer()
        t.add_tokens(maker.added())
        state = json.loads(t.to_str())
        texts = ["".join(r.choice(PIECES) for _ in range(r.randint(1, 12))) for _ in range(10)]
        rows.append({"normalizer": state["normalizer"], "pre_tokenizer": state["pre_tokenizer"], "added_tokens": state["added_tokens"],
                     "texts": texts, "ids": [t.encode(x, add_special_tokens=False).ids for x in texts]})
    with open(OUT, "w") as out:
        head = {"provenance": "tokenizers 0.23.3, tools/golden/tokenizer_steps.py", "alphabet": alphabet}
        out.write(json.dumps(head, ensure_ascii=False)[:-1] + ',\n"rows": [\n')
        out.write(",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n]}\n")


main()
