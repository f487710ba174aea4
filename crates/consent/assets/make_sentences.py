"""Fills names.sentences with names of Faker's locales (MIT) and writes words with labels, to train the names with.

PYTHONHASHSEED=0 python3 make_sentences.py <folder for sentences.conll>; needs faker 40.54.0. The seed is in the file.
"""

import random, re, sys
from pathlib import Path

from faker import Faker

random.seed(20261126)
FILLS = 24
fakers, out = {}, []


def words(text, label):
    rows = []
    for line in text.split("\n"):
        for nth, word in enumerate(re.findall(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]", line)):
            rows.append((word, label if label == "O" or (nth == 0 and label == "B-PER") else "I-PER"))
        rows.append(("\\n", "O"))
    return rows[:-1]


for line in Path(__file__).with_name("names.sentences").read_text().splitlines():
    if line.startswith("#") or "|" not in line:
        continue
    locales, sentence = line.split("|", 1)
    for _ in range(FILLS if "{" in sentence else 4):
        locale = random.choice(locales.split())
        if locale not in fakers:
            fakers[locale] = Faker(locale)
            fakers[locale].seed_instance(20261126)
        fake, rows = fakers[locale], []
        for part in re.split(r"(\{\w\})", sentence.replace("\\n", "\n")):
            make = {
                "{n}": lambda: fake.first_name() + " " + fake.last_name(),
                "{g}": fake.first_name, "{f}": fake.last_name, "{c}": fake.city, "{o}": fake.company,
                "{s}": fake.street_name, "{k}": fake.country, "{i}": lambda: random.choice("ABCDEFGHJKLMNPRST") + ".",
            }.get(part)
            if make is None:
                rows += words(part, "O")
            else:
                rows += words(make(), "B-PER" if part in ("{n}", "{g}", "{f}", "{i}") else "O")
        out += ["\t".join(row) for row in rows if row[0].strip()] + [""]
Path(sys.argv[1], "sentences.conll").write_text("\n".join(out))
