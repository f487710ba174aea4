#!/usr/bin/env python3
"""Writes smollm2-135m.json: what transformers computes, in float32, from the same GGUF file.

    pip install torch transformers gguf accelerate
    python3 reference.py DIRECTORY SmolLM2-135M-Instruct.Q4_1.gguf > smollm2-135m.json

transformers widens the quantised weights to floats, so what differs from the program is only the rounding of
activations to int8 and of keys and values to half floats. For some positions of a text: the eight largest logits, the
mean and the standard deviation of all; and the mean log-probability of the text.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXT = (
    "The harbour of Hamburg lies on the river Elbe, about 110 kilometres from the North Sea. In 1842 a fire destroyed "
    "a third of the old town; the cranes, quays and brick warehouses that visitors see today were built afterwards. "
    "def mean(xs):\n    return sum(xs) / len(xs)\n\nShe wrote: \"We arrive on Tuesday at 9:45, please bring the keys.\" "
    "Water boils at 100 degrees Celsius at sea level, and at a lower temperature in the mountains, because the air "
    "pressure is lower there."
)
POSITIONS = [0, 1, 7, 31, 63, 100]

directory, name = sys.argv[1:3]
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(directory, gguf_file=name, dtype=torch.float32).eval()
ids = tokenizer(TEXT, add_special_tokens=False).input_ids
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0].float()
logp = torch.log_softmax(logits[:-1].double(), -1)[range(len(ids) - 1), ids[1:]]
lines = []
for position in POSITIONS:
    row = logits[position]
    top = torch.topk(row, 8)
    line = {
        "position": position,
        "top": [[int(i), round(float(v), 4)] for v, i in zip(top.values, top.indices)],
        "mean": round(float(row.mean()), 4),
        "deviation": round(float(row.std()), 4),
    }
    lines.append("  " + json.dumps(line))
print('{\n "text": %s,\n "tokens": %s,' % (json.dumps(TEXT), json.dumps(ids)))
print(' "mean_log_probability": %.6f,\n "positions": [' % logp.mean().item())
print(",\n".join(lines) + "\n ]\n}")
