# test: BERT's score against a second implementation
"""`assay score bert` says for logits of many kinds what plain Python says for the same log, to the last digit."""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import squad_reference as reference

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(ROOT, "..", "shared", "data"), "squad-mini")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def noise(feature, pick, length):
    return [(single(pick.gauss(0, 3)), single(pick.gauss(0, 3))) for _ in range(length)]


def coarse(feature, pick, length):
    """Full of ties."""
    return [(float(pick.randrange(3)), float(pick.randrange(3))) for _ in range(length)]


def place_of(feature):
    """Where the true answer stands: in the words that it touches, the span that gives its text; None: no span does."""
    question = feature.question
    at = [i for i in range(feature.before, feature.before + feature.count)
          if question.word_of[feature.token(i)] in question.touched]
    wanted = reference.normalise(question.truths[0])
    return next(((s, e) for s in at for e in at if s <= e < s + reference.ANSWER and feature.owns(feature.token(s))
                 and reference.normalise(reference.text_of(feature, s, e)) == wanted), None)


def anywhere(feature, pick, length):
    """Spans that begin and end inside words too."""
    pairs = [(0.0, 0.0)] * length
    first = pick.randrange(feature.before, feature.before + feature.count)
    last = min(first + pick.randrange(6), feature.before + feature.count - 1)
    pairs[first] = (9.0, 0.0)
    pairs[last] = (pairs[last][0], 9.0)
    return pairs


def perfect(feature, pick, length):
    """The place of the true answer, as a perfect model would have it."""
    pairs = [(0.0, 0.0)] * length
    place = place_of(feature)
    if place:
        pairs[place[0]] = (10.0, pairs[place[0]][1])
        pairs[place[1]] = (pairs[place[1]][0], 10.0)
    return pairs


def write_log(path, rows, pick):
    """In LoadGen's form and any order; the first is there before, with other data: the last of a sample counts."""
    order = [i for i in range(len(rows)) if rows[i] is not None]
    pick.shuffle(order)
    listed = [(order[0], bytes(len(rows[order[0]])))] + [(i, rows[i]) for i in order]
    entries = [f'{{ "seq_id" : {n}, "qsl_idx" : {i}, "data" : "{data.hex().upper()}" }}'
               for n, (i, data) in enumerate(listed)]
    with open(path, "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(entries) + "\n]\n")


def scored(log, data, *more):
    done = subprocess.run([ASSAY, "score", "bert", "--dataset", data, "--log", log, *more], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        sys.exit(f"assay score: exit code {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def check(name, questions, logits, length, folder, data):
    """length: of a feature's payload; None: no payload at all."""
    pick = random.Random(name)
    results = {f: None if length(f) is None else logits(f, pick, length(f)) for q in questions for f in q.features}
    rows = [None if pairs is None else b"".join(struct.pack("<2f", *p) for p in pairs) for pairs in results.values()]
    log = os.path.join(folder, "mlperf_log_accuracy.json")
    write_log(log, rows, pick)
    want = reference.score([(reference.answer(q, [results[f] for f in q.features]), q.truths) for q in questions])
    found = scored(log, data)
    print(f"{name}: {found}")
    if found != want:
        sys.exit(f"{name}: assay {found}, Python {want}")
    return json.loads(found), results


def whole(feature):
    return reference.LENGTH


def own(feature):
    return len(feature.tokens)


def hard_data(folder):
    """Questions whose texts and answers are awkward, in a data set of their own."""
    context = ("The naïve café — “6½ sacks” — won\u2028£5.50 (the U.S.A. prize) in İstanbul; ΟΔΥΣΣΕΥΣ\u00a0wept. "
               "中文字 a\u200bb An the a. \ue000 x\ue000y [SEP] end ﬁnal e\u0301te\u0301 " + "word " * 400 + "last")
    answers = ["café", "6½ sacks", "the", "A", "", "“6½", "İstanbul", "οδυσσευς", "中文", "ab", "a.", "été", "word word",
               "last", "x\ue000y", "[SEP]", "The the a", "ΟΔΥΣΣΕΥΣ wept"]
    qas = [{"id": str(i), "question": f"what is {a}?", "answers": [
        {"text": a, "answer_start": max(0, context.find(a))}, {"text": "a " + a + "!"}]} for i, a in enumerate(answers)]
    # Where the alignment's own rules show: special words, characters that features drop.
    parts = [{"id": f"part {i}", "question": "what?", "answers": [{"text": a, "answer_start": 0}]}
             for i, a in enumerate(["enter [SEP]", "re-enter [SEP]", "z re", "[SEP] x\ue000y", "y-z"] * 8)]
    path = os.path.join(folder, "hard")
    os.mkdir(path)
    with open(os.path.join(path, "dev-v1.1.json"), "w", encoding="utf-8") as f:
        json.dump({"data": [{"paragraphs": [{"context": context, "qas": qas},
                                            {"context": "re-enter [SEP] x\ue000y-z " * 20, "qas": parts}]}]}, f)
    os.symlink(os.path.join(DATA, "vocab.txt"), os.path.join(path, "vocab.txt"))
    return path


def explain(questions, results):
    """A perfect answer that is not equal is one that no span of at most 30 tokens on token borders can give."""
    missed = 0
    for question in questions:
        given = reference.answer(question, [results[f] for f in question.features])
        if reference.normalise(given) == reference.normalise(question.truths[0]):
            continue
        if any(place_of(f) for f in question.features):
            sys.exit(f"perfect logits lose the answer {question.truths[0]!r} of question {question.id}")
        missed += 1
        print(f"  out of reach: {question.truths[0]!r}, in the text {[question.words[i] for i in question.touched]}")
    return missed


def main():
    if not os.path.isdir(DATA):
        return 77
    vocabulary = reference.Vocabulary(os.path.join(DATA, "vocab.txt"))
    questions = reference.read(os.path.join(DATA, "dev-mini-v1.1.json"), vocabulary.tokenise)
    with tempfile.TemporaryDirectory() as folder:
        score, results = check("perfect", questions, perfect, whole, folder, DATA)
        missed = explain(questions, results)
        if abs(score["exact_match"] - 100 * (1 - missed / len(questions))) > 1e-9 or missed > len(questions) // 20:
            sys.exit(f"perfect logits: {score} with {missed} answers out of reach")
        check("noise", questions, noise, whole, folder, DATA)
        check("noise, own length", questions, noise, own, folder, DATA)
        check("spans anywhere", questions, anywhere, whole, folder, DATA)
        check("ties", questions, coarse, whole, folder, DATA)
        check("ties, own length", questions, coarse, own, folder, DATA)
        check("a part is missing", questions, noise, lambda f: own(f) if len(f.tokens) % 3 else None, folder, DATA)
        hard = hard_data(folder)
        awkward = reference.read(os.path.join(hard, "dev-v1.1.json"), vocabulary.tokenise)
        for logits in (perfect, noise, coarse, anywhere):
            _, results = check(f"hard, {logits.__name__}", awkward, logits, own, folder, hard)
            if logits is perfect:
                explain(awkward, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
