"""BERT's features as they are made in Python: HuggingFace's BertTokenizer, the one in Python, word by word, for every
question anew, and sliding windows.

    official_tokenise.py PACKAGES VOCABULARY QUESTIONS

PACKAGES is the folder that holds transformers.  One pass over all questions for every line on standard input; the answer
is its seconds.  One thread, as Assay's peer.  Places of most context are not counted on either side."""

import json
import re
import sys
import time

sys.path.insert(0, sys.argv[1])
from transformers.models.bert.tokenization_bert import BertTokenizer  # noqa: E402

LENGTH, STRIDE, QUESTION = 384, 128, 64


def features(tokenizer, context, question):
    document = [piece for word in re.split("[ \t\r\n\u202f]+", context) for piece in tokenizer.tokenize(word)]
    asked = tokenizer.tokenize(question)[:QUESTION]
    room, start = LENGTH - 3 - len(asked), 0
    while True:
        part = document[start:start + room]
        ids = tokenizer.convert_tokens_to_ids(["[CLS]"] + asked + ["[SEP]"] + part + ["[SEP]"])
        pad = [0] * (LENGTH - len(ids))
        yield (ids + pad, [1] * len(ids) + pad, [0] * (len(asked) + 2) + [1] * (len(part) + 1) + pad)
        if start + len(part) == len(document):
            return
        start += min(len(part), STRIDE)


def main():
    tokenizer = BertTokenizer(sys.argv[2])
    with open(sys.argv[3], encoding="utf-8") as f:
        data = json.load(f)["data"]
    for _ in sys.stdin:
        start = time.perf_counter()
        made = sum(1 for article in data for paragraph in article["paragraphs"] for entry in paragraph["qas"]
                   for _ in features(tokenizer, paragraph["context"], entry["question"]))
        print(time.perf_counter() - start, flush=True)
    print(f"{made} features", file=sys.stderr)


if __name__ == "__main__":
    main()
