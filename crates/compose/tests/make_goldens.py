"""Makes the golden files of `goldens.rs`: tiny random checkpoints, recipes, and what mergekit makes of them.

    python make_goldens.py    (mergekit 0.1.5, torch, transformers, peft, safetensors, blake3)

Where a method draws lots, mergekit is given ours: a generator that depends on the recipe's seed, the tensor's name and the
member's weights, written here once more from its description.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
import yaml
from blake3 import blake3
from safetensors.torch import load_file, save_file

import mergekit.merge_methods.generalized_task_arithmetic as arithmetic
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

HERE = Path(__file__).parent / "goldens"
WIDTH, HIDDEN, LAYERS, WORDS, HEADS, KV = 8, 12, 3, 20, 2, 1
SEED = 7
BITS = (1 << 64) - 1

SHAPES = {"model.embed_tokens.weight": (WORDS, WIDTH), "model.norm.weight": (WIDTH,)}
for layer in range(LAYERS):
    at = f"model.layers.{layer}."
    head = WIDTH // HEADS
    SHAPES |= {
        at + "input_layernorm.weight": (WIDTH,),
        at + "post_attention_layernorm.weight": (WIDTH,),
        at + "self_attn.q_proj.weight": (WIDTH, WIDTH),
        at + "self_attn.k_proj.weight": (KV * head, WIDTH),
        at + "self_attn.v_proj.weight": (KV * head, WIDTH),
        at + "self_attn.o_proj.weight": (WIDTH, WIDTH),
        at + "mlp.gate_proj.weight": (HIDDEN, WIDTH),
        at + "mlp.up_proj.weight": (HIDDEN, WIDTH),
        at + "mlp.down_proj.weight": (WIDTH, HIDDEN),
    }

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": HIDDEN,
    "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV, "vocab_size": WORDS,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "torch_dtype": "float32",
}

TWO = [{"model": "a", "parameters": {"weight": 0.7, "density": 0.4}}, {"model": "b", "parameters": {"weight": 0.5, "density": 0.6}}]
THREE = [
    {"model": "a", "parameters": {"weight": [0.2, 1.0]}},
    {"model": "b", "parameters": {"weight": [{"filter": "mlp", "value": 0.9}, {"value": 0.3}]}},
    {"model": "c", "parameters": {"weight": 0.4}},
]
PLAIN = [{"model": name} for name in "abc"]
BASED = {"base_model": "base"}


def recipe(method, models, parameters=None, **more):
    return {"models": models, "merge_method": method, **({"parameters": parameters} if parameters else {}), **more}


RECIPES = {
    "linear": recipe("linear", THREE),
    "linear_sum": recipe("linear", THREE, {"normalize": False}, dtype="bfloat16"),
    "task_arithmetic": recipe("task_arithmetic", THREE, {"lambda": 0.8}, **BASED),
    "ties": recipe("ties", TWO, **BASED),
    "ties_rescaled": recipe("ties", TWO, {"rescale": True, "normalize": False}, **BASED),
    "dare_linear": recipe("dare_linear", TWO, seed=SEED, **BASED),
    "dare_ties": recipe("dare_ties", TWO, {"rescale": False}, seed=SEED, **BASED),
    "della": recipe("della", TWO, {"epsilon": 0.2}, seed=SEED, **BASED),
    "della_linear": recipe("della_linear", TWO, seed=SEED, **BASED),
    "breadcrumbs": recipe("breadcrumbs", TWO, {"gamma": 0.1}, **BASED),
    "breadcrumbs_ties": recipe("breadcrumbs_ties", TWO, {"gamma": 0.05}, **BASED),
    "slerp": recipe(
        "slerp", [{"model": "base"}, {"model": "a"}],
        {"t": [{"filter": "self_attn", "value": [0, 0.5, 1]}, {"filter": "mlp", "value": [1, 0]}, {"value": 0.3}]}, **BASED,
    ),
    "model_stock": recipe("model_stock", PLAIN, **BASED),
    "model_stock_rows": recipe("model_stock", PLAIN, {"filter_wise": True}, **BASED),
    "adapter": recipe("task_arithmetic", [{"model": "base+lora", "parameters": {"weight": 0.5}}, TWO[0]], **BASED),
    "slices": {
        "slices": [
            {"sources": [{"model": "a", "layer_range": [0, 2], "parameters": {"weight": [0, 1]}},
                         {"model": "b", "layer_range": [1, 3], "parameters": {"weight": 0.5}}]},
            {"sources": [{"model": "c", "layer_range": [1, 3], "parameters": {"weight": 2}}]},
        ],
        "merge_method": "linear",
    },
    "passthrough": {
        "slices": [
            {"sources": [{"model": "a", "layer_range": [0, 2]}]},
            {"sources": [{"model": "b", "layer_range": [1, 3], "parameters": {"scale": [{"filter": "o_proj", "value": 0.5}, {"value": 1}]}}]},
        ],
        "merge_method": "passthrough",
    },
}


def weights_hash(folder):
    hasher = blake3(derive_key_context="hinet/weights/v1")
    size = lambda number: number.to_bytes(8, "little")
    for name, tensor in sorted(load_file(folder / "model.safetensors").items()):
        hasher.update(size(len(name)) + name.encode() + size(tensor.dim()))
        for dimension in tensor.shape:
            hasher.update(size(dimension))
        data = tensor.contiguous().numpy().tobytes()
        hasher.update(b"F32\0" + size(len(data)) + data)
    return hasher.digest()


def lot(key, index):
    z = (key + (index + 1) * 0x9E3779B97F4A7C15) & BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return ((z ^ (z >> 31)) >> 40) / (1 << 24)


class OurLots:
    """Stands in for `torch.bernoulli` while a tensor of a member is made sparse."""

    def __init__(self):
        self.key, self.queue = 0, []
        self.hashes = {name: weights_hash(HERE / name) for name in "abc"}
        inner_merge, inner_sparsify = arithmetic.GeneralizedTaskArithmeticMerge.merge_group, arithmetic.sparsify

        def merge_group(method, group, /, **parameters):
            self.queue = [self.key_of(group.metadata.name, Path(entry.id.model.path).name) for entry in group.non_base]
            return inner_merge(method, group, **parameters)

        def sparsify(*args, **kwargs):
            self.key = self.queue.pop(0)
            return inner_sparsify(*args, **kwargs)

        def bernoulli(odds):
            lots = torch.tensor([lot(self.key, index) for index in range(odds.numel())]).reshape(odds.shape)
            return (lots < odds).to(odds.dtype)

        arithmetic.GeneralizedTaskArithmeticMerge.merge_group = merge_group
        arithmetic.sparsify, torch.bernoulli = sparsify, bernoulli

    def key_of(self, tensor, member):
        if member not in self.hashes:
            return 0
        hasher = blake3(derive_key_context="hinet/compose/lots/v1")
        hasher.update(SEED.to_bytes(8, "little") + self.hashes[member] + tensor.encode())
        return int.from_bytes(hasher.digest()[:8], "little")


def make_inputs():
    torch.manual_seed(1)
    base = {name: torch.randn(shape) * 0.5 + (1 if "norm" in name else 0) for name, shape in SHAPES.items()}
    for name in ["base", "a", "b", "c"]:
        folder = HERE / name
        folder.mkdir(parents=True)
        change = 0.0 if name == "base" else 0.2
        save_file({key: value + change * torch.randn(value.shape) for key, value in base.items()}, folder / "model.safetensors", {"format": "pt"})
        (folder / "config.json").write_text(json.dumps(CONFIG))
    lora, factors = HERE / "lora", {}
    lora.mkdir()
    for layer, part in [(0, "self_attn.q_proj"), (1, "mlp.down_proj")]:
        rows, columns = SHAPES[f"model.layers.{layer}.{part}.weight"]
        at = f"base_model.model.model.layers.{layer}.{part}."
        factors |= {at + "lora_A.weight": torch.randn(2, columns) * 0.3, at + "lora_B.weight": torch.randn(rows, 2) * 0.3}
    save_file(factors, lora / "adapter_model.safetensors", {"format": "pt"})
    target = [key.removeprefix("base_model.model.").removesuffix(".lora_A.weight") for key in factors if "lora_A" in key]
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none",
              "target_modules": target, "base_model_name_or_path": "base", "inference_mode": True}
    (lora / "adapter_config.json").write_text(json.dumps(config))


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    make_inputs()
    OurLots()
    os.chdir(HERE)
    for name, text in RECIPES.items():
        Path(f"{name}.yml").write_text(yaml.safe_dump(text, sort_keys=False))
        config = MergeConfiguration.model_validate({key: value for key, value in text.items() if key != "seed"})
        with tempfile.TemporaryDirectory() as out:
            options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True, lora_merge_cache=out + "/lora")
            run_merge(config, out + "/merged", options)
            save_file(load_file(out + "/merged/model.safetensors"), f"{name}.safetensors")


main()
