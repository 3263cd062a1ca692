"""BERT on SQuAD v1.1 in plain Python: the tests' second opinion, with no package but the standard library.

Tokeniser, features, answers from logits, F1 and exact match, written from the rules and for clearness, not speed.
golden_bert.py compares the tokeniser with HuggingFace's own."""
import collections
import json
import re
import string
import unicodedata

LENGTH, STRIDE, QUESTION, BEST, ANSWER = 384, 128, 64, 20, 30
SPECIAL = ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]")
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
              (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
ASCII_PUNCTUATION = set(string.punctuation)


def is_punctuation(c):
    return c in ASCII_PUNCTUATION or unicodedata.category(c)[0] == "P"


def basic(text, features=True):
    """The words; features: HuggingFace's rules, else those of the alignment."""
    cleaned = []
    for c in text:
        kind = unicodedata.category(c)
        if c in " \t\n\r" or kind == "Zs":
            cleaned.append(" ")
        elif c in "\0\ufffd" or (kind[0] == "C" if features else kind in ("Cc", "Cf")):
            continue
        elif any(low <= ord(c) <= high for low, high in IDEOGRAPHS):
            cleaned.append(f" {c} ")
        else:
            cleaned.append(c)
    words = []
    for word in "".join(cleaned).split():
        if features and word in SPECIAL:
            words.append(word)
            continue
        word = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        words += "".join(f" {c} " if is_punctuation(c) else c for c in word).split()
    return words


class Vocabulary:
    def __init__(self, path):
        with open(path, encoding="utf-8", newline="\n") as f:
            self.tokens = f.read().rstrip("\n").split("\n")
        self.ids = {token: i for i, token in enumerate(self.tokens)}

    def pieces(self, word):
        if word in SPECIAL:
            return [word]
        if len(word) > 100:
            return ["[UNK]"]
        pieces, start = [], 0
        while start < len(word):
            lead = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if lead + word[start:e] in self.ids), None)
            if end is None:
                return ["[UNK]"]
            pieces.append(lead + word[start:end])
            start = end
        return pieces

    def tokenise(self, text):
        return [piece for word in basic(text) for piece in self.pieces(word)]


class Feature:
    """One window of a question."""

    def __init__(self, question, window, start, count):
        self.question, self.window, self.start, self.count = question, window, start, count
        self.before = len(question.asked) + 2
        self.tokens = (["[CLS]"] + question.asked + ["[SEP]"] + question.tokens[start:start + count] + ["[SEP]"])

    def token(self, position):
        """The paragraph's token at a position, or None."""
        at = position - self.before
        return self.start + at if 0 <= at < self.count else None

    def owns(self, token):
        def context(w):
            return min(token - w.start, w.start + w.count - 1 - token) + 0.01 * w.count

        holders = [w for w in self.question.features if w.start <= token < w.start + w.count]
        return max(holders, key=context) is self  # max gives the first of equals

    def inputs(self, ids):
        row = [ids.get(t, ids["[UNK]"]) for t in self.tokens]
        pad = [0] * (LENGTH - len(row))
        return row + pad, [1] * len(row) + pad, [0] * self.before + [1] * (self.count + 1) + pad


class Question:
    def __init__(self, entry, context, tokenise):
        self.id, self.truths = entry["id"], [a["text"] for a in entry["answers"]]
        places = list(re.finditer("[^ \t\r\n\u202f]+", context))
        self.words = [m.group() for m in places]
        begin = entry["answers"][0].get("answer_start", 0)
        end = begin + len(self.truths[0])
        self.touched = [i for i, m in enumerate(places) if m.start() < end and m.end() > begin]  # by the first truth
        self.tokens, self.word_of = [], []
        for i, word in enumerate(self.words):
            pieces = tokenise(word)
            self.tokens += pieces
            self.word_of += [i] * len(pieces)
        self.asked = tokenise(entry["question"])[:QUESTION]
        room, start, self.features = LENGTH - 3 - len(self.asked), 0, []
        while True:
            count = min(room, len(self.tokens) - start)
            self.features.append(Feature(self, len(self.features), start, count))
            if start + count == len(self.tokens):
                break
            start += min(count, STRIDE)


def read(path, tokenise):
    with open(path, encoding="utf-8") as f:
        data = json.load(f)["data"]
    return [Question(entry, p["context"], tokenise) for article in data for p in article["paragraphs"]
            for entry in p["qas"]]


# ---- answers ----

def align(pieces, original):
    words = " ".join(basic(original, features=False))
    at = words.find(pieces)
    if at < 0 or not pieces:
        return original
    tight = [i for i, c in enumerate(words) if c != " "]
    there = [i for i, c in enumerate(original) if c != " "]
    last = at + len(pieces) - 1
    if len(tight) != len(there) or at not in tight or last not in tight:
        return original
    return original[there[tight.index(at)]:there[tight.index(last)] + 1]


def answer(question, results):
    """results: for each window a list of (start, end) pairs, or None."""
    found = []
    for feature, pairs in zip(question.features, results):
        if pairs is None:
            continue
        pairs = list(pairs) + [(-10000.0, -10000.0)] * (LENGTH - len(pairs))
        best = [sorted(range(LENGTH), key=lambda i, k=k: -pairs[i][k])[:BEST] for k in (0, 1)]
        for s in best[0]:
            for e in best[1]:
                if feature.token(s) is None or feature.token(e) is None or not s <= e < s + ANSWER:
                    continue
                if feature.owns(feature.token(s)):
                    found.append((pairs[s][0] + pairs[e][1], feature, s, e))
    if not found:
        return "empty"
    return text_of(*max(found, key=lambda f: f[0])[1:])


def text_of(feature, s, e):
    """What a span of positions answers."""
    pieces = " ".join(feature.tokens[s:e + 1]).replace(" ##", "").replace("##", "")
    first, last = (feature.question.word_of[feature.token(p)] for p in (s, e))
    return align(" ".join(pieces.split()), " ".join(feature.question.words[first:last + 1]))


# ---- score ----

def normalise(text):
    text = "".join(c for c in text.lower() if c not in ASCII_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(given, truth):
    given, truth = normalise(given).split(), normalise(truth).split()
    same = sum((collections.Counter(given) & collections.Counter(truth)).values())
    if not same:
        return 0
    precision, recall = same / len(given), same / len(truth)
    return 2 * precision * recall / (precision + recall)


def score(pairs):
    """pairs of an answer and its list of truths -> the official script's line."""
    exact = sum(max(float(normalise(given) == normalise(t)) for t in truths) for given, truths in pairs)
    total = 0
    for given, truths in pairs:
        total += max(f1(given, t) for t in truths)
    return json.dumps({"exact_match": 100.0 * exact / len(pairs), "f1": 100.0 * total / len(pairs)})
