#!/usr/bin/env python3
"""Writes deltas.json: what Hugging Face PEFT computes, in float32, on top of the same GGUF file.

    pip install torch transformers gguf accelerate peft
    python3 deltas.py DIRECTORY SmolLM2-135M-Instruct.Q4_1.gguf > deltas.json

The adapters are made of numbers from a hash that tests/deltas.rs computes as well, so nothing big is kept. For each case
and some positions of a text: the eight largest logits, what they are without the adapter, and the mean and the standard
deviation of all.
"""

import json
import sys

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXT = (
    "The harbour of Hamburg lies on the river Elbe, about 110 kilometres from the North Sea. In 1842 a fire destroyed "
    "a third of the old town; the cranes, quays and brick warehouses that visitors see today were built afterwards."
)
POSITIONS = [0, 1, 7, 31, 47]
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def noise(seed, layer, linear, part, shape, amplitude):
    key = (seed << 32) | (layer << 16) | (linear << 8) | part
    x = np.arange(np.prod(shape), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    unit = (x >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return torch.from_numpy((unit * np.float32(amplitude)).reshape(shape))


def fill(model, name, seed, amplitude):
    for path, module in model.named_modules():
        if not hasattr(module, "lora_A") or name not in module.lora_A:
            continue
        layer, linear = int(path.split(".layers.")[1].split(".")[0]), LINEARS.index(path.split(".")[-1])
        a, b = module.lora_A[name].weight, module.lora_B[name].weight
        with torch.no_grad():
            a.copy_(noise(seed, layer, linear, 0, a.shape, 0.04))
            b.copy_(noise(seed, layer, linear, 1, b.shape, amplitude))
            if name in module.lora_magnitude_vector:
                vector = module.lora_magnitude_vector[name].weight
                lengths = torch.linalg.norm(module.base_layer.weight.double(), dim=1).float()
                vector.copy_(lengths * (1 + noise(seed, layer, linear, 2, lengths.shape, 0.1)))


def positions(model, ids, plain):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
    for position in POSITIONS:
        row = logits[position]
        top = torch.topk(row, 8)
        yield {
            "position": position,
            "top": [[int(i), round(float(v), 4)] for v, i in zip(top.values, top.indices)],
            "mean": round(float(row.mean()), 4),
            "deviation": round(float(row.std()), 4),
            "plain": [round(float(plain[position][i]), 4) for i in top.indices],
        }


directory, name = sys.argv[1:3]
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=name)
ids = tokenizer(TEXT, add_special_tokens=False).input_ids


def base():
    return AutoModelForCausalLM.from_pretrained(directory, gguf_file=name, dtype=torch.float32).eval()


with torch.no_grad():
    PLAIN = base()(torch.tensor([ids])).logits[0].float()


def lora(**settings):
    settings = {"r": 16, "lora_alpha": 32, "target_modules": LINEARS, "lora_dropout": 0.0, **settings}
    return LoraConfig(task_type="CAUSAL_LM", **settings)


def one(seed, amplitude, **settings):
    model = get_peft_model(base(), lora(**settings)).eval()
    fill(model, "default", seed, amplitude)
    return model


def two():
    model = get_peft_model(base(), lora(), adapter_name="first").eval()
    model.add_adapter("second", lora(r=8, lora_alpha=16))
    fill(model, "first", 1, 0.1)
    fill(model, "second", 2, 0.12)
    model.base_model.set_adapter(["first", "second"])
    for module in model.modules():
        if hasattr(module, "lora_A"):
            module.scaling["first"] *= 0.5
            module.scaling["second"] *= 0.75
    return model.eval()


patterns = {
    "rank_pattern": {"v_proj": 24, "layers.3.mlp.down_proj": 40},
    "alpha_pattern": {"gate_proj": 8, "model.layers.5.self_attn.q_proj": 64},
}
cases = {
    "lora": lambda: one(1, 0.1),
    "dora": lambda: one(3, 0.04, r=8, lora_alpha=16, use_dora=True),
    "patterns": lambda: one(4, 0.05, use_rslora=True, **patterns),
    "two": two,
}
out = {"text": TEXT, "tokens": ids, "cases": {}}
for case, make in cases.items():
    out["cases"][case] = list(positions(make(), ids, PLAIN))
text = json.dumps(out)
print(text.replace('{"position"', '\n  {"position"').replace('"cases"', '\n "cases"'))
