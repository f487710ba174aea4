"""Makes general.tsv out of WordNet's database files: words, what they mean, and three other words for each.

    python3 general.py DICT > general.tsv

DICT is the folder with WordNet's data and index files. Nothing but it and the seed decides what comes out.
"""

import random
import re
import sys
from pathlib import Path

SEED = 20261126
WANTED = {"noun": 900, "verb": 400, "adj": 300}
KINDS = {"noun": "1", "verb": "2", "adj": "35"}


def synsets(path, kind):
    """Words and definition of every synset of a kind, by its place in the file."""
    found = {}
    for line in (path / f"data.{kind}").read_text("latin-1").splitlines():
        if line.startswith("  "):
            continue
        head, gloss = line.split(" | ", 1)
        fields = head.split(" ")
        count = int(fields[3], 16)
        words = [re.sub(r"\(\w+\)$", "", word) for word in fields[4 : 4 + 2 * count : 2]]
        found[fields[0]] = (words, gloss)
    return found


def counts(path):
    """How often each first sense was met in tagged text: (kind, synset) -> (count, word)."""
    found, senses = [], {}
    for line in (path / "index.sense").read_text("latin-1").splitlines():
        key, synset, number, count = line.split(" ")
        word, rest = key.split("%")
        senses.setdefault(word, set()).add((rest[0], synset))
        if number == "1":
            found.append((int(count), word, rest[0], synset))
    return found, senses


def definition(gloss, word):
    """The definition without examples and remarks; none where it is long, short, or gives the word away."""
    text = re.sub(r"\([^)]*\)", "", gloss.split('; "')[0].split("; ")[0])
    text = re.sub(r"\s+", " ", text).strip(" ;:")
    stem = word[: max(4, len(word) - 3)]
    if not 20 <= len(text) <= 90 or stem in text.lower() or not re.fullmatch(r"[a-zA-Z ,'-]+", text):
        return None
    return text


def main():
    path = Path(sys.argv[1])
    random.seed(SEED)
    all_counts, senses = counts(path)
    all_counts.sort(key=lambda entry: (-entry[0], entry[1]))
    taken = set()
    for kind, wanted in WANTED.items():
        data = synsets(path, kind)
        rows = []
        for _, word, number, synset in all_counts:
            if number not in KINDS[kind] or not re.fullmatch(r"[a-z]{4,12}", word) or word in taken:
                continue
            text = definition(data[synset][1], word)
            if text is None or synset in taken:
                continue
            taken |= {word, synset}
            rows.append((word, text, synset))
            if len(rows) == wanted:
                break
        for at, (word, text, _) in enumerate(rows):
            # Words about as common, of which none has a sense in common with it.
            near = [row for row in rows[max(0, at - 60) : at + 61] if row[0] != word and not senses[row[0]] & senses[word]]
            near = [row for row in near if row[0] not in text.lower()]
            others = random.sample(near, 3)
            print(kind, word, text, ",".join(other[0] for other in others), sep="\t")


main()
