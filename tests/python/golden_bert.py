"""Makes the golden files of BERT's tokeniser and features with HuggingFace's BertTokenizer.

    golden_bert.py SQUAD-MINI GOLDEN

features.txt: of every feature of the data set the hashes of its three inputs as 384 int64 and of its places of most
context; texts.txt: hard texts and their ids.  Needs `pip install 'transformers<5'`, the last with the tokeniser in
Python.  Words go through squad_reference.py's windows, which is compared on the way: its own tokeniser must agree,
and so must the features that the data set brings along (features_sample.json).  Its answers' alignment, normalising and
F1, which test_bert.py judges by, are compared with HuggingFace's copies of the official scripts."""
import hashlib
import json
import os
import random
import struct
import sys
import unicodedata

import squad_reference as reference
from transformers.data.metrics import squad_metrics
from transformers.models.bert.tokenization_bert import BertTokenizer

HARD = [
    "", " ", "Hello, World!", "naïve café Ångström", "I\u0307stanbul İstanbul", "ΑΣ ΣΑΣ Σ ΑΣ. 'ΑΣ' ΑΣΑ ᾼΣ aΣ\u0301 Σ\u0301b",
    "中文abc日本 한국어 カタカナ", "\uf900\U0002f800x", "a\u200bb\u00adc\ufeffd", "tab\tline\nfeed\rreturn\x0bvt\x0cff\x1cfs\x85nel",
    "nbsp\u00a0en\u2002thin\u2009narrow\u202fideo\u3000ls\u2028ps\u2029end", "[CLS] [sep] [SEP] x[SEP]y [MASK]. [PAD][UNK] [UNK]",
    "6½ sacks £5 ½ ² ³ № ™ ℃ Ω Å", "“quoted” ‘single’ – dash — em … ellipsis ¿que? ¡si! «fr» ‹x› 「日」", "a" * 100, "a" * 101,
    "é" * 100, "é" * 101, "ﬁ ﬂ ß ẞ ŉ ǰ ΐ", "q̣̇ q̣̇ \u0344 \u0958 \u0f73 각 각", "\U0001f600 emoji \U0001f468\u200d\U0001f469",
    "\u0378 unassigned \ue000 private \ufffd replacement \x00 nul", "don't o'clock e.g. U.S.A. 3,000.50 50% a_b a-b a/b",
    "ªº ⅣⅤ Ⓐⓑ ΣⅣ ⅣΣ", "\u1d165\U0001d165\U0001d16e\u302e\u0327\u0301z", "##ing # ##a ###", "۰۱۲ ０１２ Ａｂ", "ǅ ǈ ǋ Ǆ",
]


def random_texts(count):
    pick = random.Random(11)
    ranges = [(0x20, 0x7e)] * 6 + [(0xa0, 0x24f), (0x300, 0x3ff), (0x400, 0x52f), (0x590, 0x6ff), (0x900, 0x97f),
                                   (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2100, 0x218f), (0x3000, 0x30ff),
                                   (0x4e00, 0x4eff), (0xac00, 0xacff), (0xf900, 0xfaff), (0xff00, 0xffee), (0x1d160, 0x1d170)]
    for _ in range(count):
        chars = []
        while len(chars) < pick.randrange(1, 60):
            c = chr(pick.randint(*pick.choice(ranges)))
            # A younger Unicode may have assigned them meanwhile.
            if unicodedata.category(c) != "Cn":
                chars.append(c)
        yield "".join(chars)


def digest(values):
    return hashlib.sha256(struct.pack(f"<{len(values)}q", *values)).hexdigest()[:32]


def write_texts(path, words, ids, own):
    with open(path, "w", encoding="utf-8") as f:
        f.write("# UTF-8 in hex (- is the empty text), then the ids of its tokens\n")
        for text in HARD + list(random_texts(400)):
            tokens = words(text)
            if tokens != own(text):
                sys.exit(f"squad_reference.py differs: {text!r}: {own(text)} {tokens}")
            f.write(" ".join([text.encode().hex() or "-"] + [str(ids.get(t, ids["[UNK]"])) for t in tokens]) + "\n")


def write_features(path, questions, ids, sample):
    n = 0
    with open(path, "w", encoding="utf-8") as f:
        f.write("# question window length ids mask types owner: SHA-256, first half, of little-endian int64\n")
        for number, question in enumerate(questions):
            for feature in question.features:
                rows = feature.inputs(ids)
                known = sample.get(1000000000 + n)
                length = len(feature.tokens)
                if known and (known["input_ids"] != rows[0][:length] or known["segment_ids"] != rows[2][:length]):
                    sys.exit(f"feature {n} differs from features_sample.json")
                owner = [int(feature.token(i) is not None and feature.owns(feature.token(i)))
                         for i in range(reference.LENGTH)]
                f.write(" ".join([str(number), str(feature.window), str(length)] + [digest(r) for r in rows + (owner,)])
                        + "\n")
                n += 1
    print(f"{n} features of {len(questions)} questions, {len(sample)} of them as in features_sample.json")


def check_alignment(pieces, original):
    found, official = reference.align(pieces, original), squad_metrics.get_final_text(pieces, original, True)
    if found != official:
        sys.exit(f"squad_reference.py differs: {pieces!r} in {original!r}: {found!r} {official!r}")


def compare_answers(questions):
    pick, texts = random.Random(3), HARD + list(random_texts(3000))
    for feature in (f for q in questions for f in q.features for _ in range(40)):
        s = pick.randrange(feature.before, feature.before + feature.count)
        e = min(s + pick.randrange(30), feature.before + feature.count - 1)
        words = feature.question.words[feature.question.word_of[feature.token(s)]:
                                       feature.question.word_of[feature.token(e)] + 1]
        pieces = " ".join(feature.tokens[s:e + 1]).replace(" ##", "").replace("##", "")
        check_alignment(" ".join(pieces.split()), " ".join(words))
    for text in texts:
        words = reference.basic(text, features=False)
        # Elsewhere the two variants of the tokeniser differ, and HuggingFace aligns with its own.
        if words and words == reference.basic(text):
            s = pick.randrange(len(words))
            check_alignment(" ".join(words[s:pick.randrange(s, len(words)) + 1]), " ".join(text.split()))
    for text in texts:
        if reference.normalise(text) != squad_metrics.normalize_answer(text):
            sys.exit(f"squad_reference.py differs: {text!r} is normalised to {reference.normalise(text)!r}")
        words = (text + " " + pick.choice(texts)).split()
        pick.shuffle(words)
        other = " ".join(words[:pick.randrange(20)])
        # For nothing but articles SQuAD 2's rule is another.
        if reference.normalise(text) and reference.normalise(other) and (
                reference.f1(text, other) != squad_metrics.compute_f1(other, text)):
            sys.exit(f"squad_reference.py differs: F1 of {text!r} for {other!r}")


def main():
    data, golden = sys.argv[1:]
    vocabulary = os.path.join(data, "vocab.txt")
    official, own = BertTokenizer(vocabulary), reference.Vocabulary(vocabulary)
    with open(os.path.join(data, "features_sample.json"), encoding="utf-8") as f:
        sample = {entry["unique_id"]: entry for entry in json.load(f)}
    write_texts(os.path.join(golden, "texts.txt"), official._tokenize, official.vocab, own.tokenise)
    questions = reference.read(os.path.join(data, "dev-mini-v1.1.json"), official.tokenize)
    for question, again in zip(questions, reference.read(os.path.join(data, "dev-mini-v1.1.json"), own.tokenise)):
        if (question.tokens, question.asked) != (again.tokens, again.asked):
            sys.exit(f"squad_reference.py differs: {question.id}")
    compare_answers(questions)
    write_features(os.path.join(golden, "features.txt"), questions, official.vocab, sample)


if __name__ == "__main__":
    main()
