"""Writes embed.json: sentence vectors of the embedder, computed in double precision with numpy alone.

Usage: pip install numpy safetensors tokenizers; python3 embed.py FOLDER_OF_THE_MODEL > embed.json
Follows sentence-transformers' modules.json: BERT, truncated at 256 tokens, mean pooling, unit length.
"""

import json
import math
import sys

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

TEXTS = [
    "", "hello", "Where did I put my passport?", "The meeting with Anna is on Tuesday at 10:30.",
    "fn main() { println!(\"hi\"); }", "Straße, café, 你好世界, Привет", "🙂",
    "The quick brown fox jumps over the lazy dog. " * 4,
    "A long note about gardens, rivers and trains that goes on and on. " * 40,
]
W = {k: v.astype(np.float64) for k, v in load_file(sys.argv[1] + "/model.safetensors").items() if v.dtype == np.float32}
erf = np.vectorize(math.erf)


def norm(x, name):
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-12) * W[name + ".weight"] + W[name + ".bias"]


def dense(x, name):
    return x @ W[name + ".weight"].T + W[name + ".bias"]


def encode(ids):
    x = W["embeddings.word_embeddings.weight"][ids] + W["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + W["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(6):
        p = f"encoder.layer.{i}."
        q, k, v = (
            dense(x, p + "attention.self." + n).reshape(-1, 12, 32).transpose(1, 0, 2) for n in ("query", "key", "value")
        )
        s = q @ k.transpose(0, 2, 1) / math.sqrt(32)
        s = np.exp(s - s.max(-1, keepdims=True))
        c = ((s / s.sum(-1, keepdims=True)) @ v).transpose(1, 0, 2).reshape(len(ids), 384)
        x = norm(x + dense(c, p + "attention.output.dense"), p + "attention.output.LayerNorm")
        h = dense(x, p + "intermediate.dense")
        h = 0.5 * h * (1 + erf(h / math.sqrt(2)))
        x = norm(x + dense(h, p + "output.dense"), p + "output.LayerNorm")
    y = x.mean(0)
    return y / np.linalg.norm(y)


tokenizer = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(256)
rows = []
for text in TEXTS:
    ids = tokenizer.encode(text).ids
    rows.append(json.dumps({"text": text, "ids": ids, "vector": [round(float(v), 6) for v in encode(ids)]}))
print("[\n" + ",\n".join(rows) + "\n]")
