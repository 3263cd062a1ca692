"""Every command that README.md, docs/, and the READMEs and examples of help texts show is one that the program takes: each is
given to it with --help behind, so options, their values and the words of the command are looked at, and nothing is run.
Settings with a list of values are compared with it here."""
import glob
import json
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
STOPS = {"|", ">", ">>", "<", ";", "&&", "||", "&"}


def assay(*words):
    return subprocess.run([ASSAY, *words], capture_output=True, text=True, check=False)


def shown(path):
    """Commands of a page: lines of code, and `assay …` in a sentence."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text.replace("\\\n", " ")
    for number, line in enumerate(text.split("\n"), 1):
        code = re.match(r"(?:    +|\$ )?(?:build/release/bin/)?(assay [a-z].*)", line)
        if code and (line[0] in " $" or "```" in text):
            yield number, re.split(r"  +|\t", code.group(1))[0]
    for span in re.findall(r"(?<!\\)`(assay\s[a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.S)):
        yield 0, span


def words_of(command):
    """The words up to where the shell takes over; None: a form with an ellipsis, not a command.  A comparison that the shell
    would take for a file to write is an option that nobody knows."""
    if "…" in command or "..." in command or re.search(r"[a-z]\|[a-z]", command):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|><;&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = list(lexer)
    end = next((i for i, word in enumerate(words) if word in STOPS), len(words))
    if words[end + 1:] and words[end + 1].startswith("="):
        return ["run", "--unquoted" + words[end]]
    return words[1:end]


def choices():
    rows = json.loads(assay("settings", "--json").stdout)["settings"]
    return {row["name"]: [c.lower() for c in row["choices"]] for row in rows if "choices" in row}


def wrong_value(words, known):
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        name = name[2:] if name.startswith("--") else None
        if name in known:
            value = value if equals else words[i + 1]
            if value.lower() not in known[name] and not value.isupper():
                return "--%s cannot be %s" % (name, value)
    return None


def wrong_request(words):
    """Of help texts: what is asked for is answered by one recipe.  (The pages' own recipes are made up.)"""
    requests = words[1:]
    while requests and any(word.startswith("--") for word in requests):
        at = next(i for i, word in enumerate(requests) if word.startswith("--"))
        del requests[at:at + (2 if requests[at] in ("--have", "--set", "--accept") else 1)]
    answer = assay("plan", *requests)
    return answer.stderr.strip() if answer.returncode == 2 else None


def main():
    pages = [ROOT + "/README.md", *sorted(glob.glob(ROOT + "/docs/*.md")), *sorted(glob.glob(ROOT + "/*/*/README.md"))]
    known, count, bad = choices(), 0, 0
    for page in pages:
        for number, command in shown(page):
            words = words_of(command)
            if words is None or not words:
                continue
            answer = assay(*words, "--help")
            why = answer.stderr.strip().split("\n")[0] if answer.returncode else wrong_value(words, known)
            if not why and number and page.endswith("/commands.md") and words[0] in ("get", "plan"):
                why = wrong_request(words)
            count += 1
            if why and not (number == 0 and "wants a value" in why):  # a sentence may name an option alone
                bad += 1
                print("%s:%d: %s\n    %s" % (os.path.relpath(page, ROOT), number, command, why))
    print("%d commands, %d wrong" % (count, bad))
    return 1 if bad or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
