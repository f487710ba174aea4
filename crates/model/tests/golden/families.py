"""Makes families.json: for each family of decoders a tiny configuration and what transformers computes with it.

The weights are not kept. Each number is made from the name of its tensor and its place in it by integer arithmetic
(`numbers` here, `numbers` in tests/families/checkpoint.rs) and is exact in float32, float16 and bfloat16 alike.

All is computed in float32, once as it is, and once with keys and values rounded to half floats, as the program keeps
them: the second shows whether anything else differs.

    python families.py > families.json        # torch, transformers, safetensors
"""

import importlib
import json
import os
import sys
import tempfile

import numpy
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM

SIZES = dict(
    vocab_size=272, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, bos_token_id=256, eos_token_id=257, pad_token_id=None,
)
FAMILIES = {
    "llama": dict(
        model_type="llama", tie_word_embeddings=False, rms_norm_eps=1e-5,
        rope_parameters=dict(
            rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=64,
        ),
    ),
    "mistral": dict(model_type="mistral", tie_word_embeddings=False, sliding_window=8, head_dim=16),
    "mixtral": dict(
        model_type="mixtral", num_local_experts=4, num_experts_per_tok=2, tie_word_embeddings=False, head_dim=16,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
    ),
    "qwen3": dict(
        model_type="qwen3", head_dim=32, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
    ),
    "qwen3-untied": dict(
        model_type="qwen3", head_dim=16, tie_word_embeddings=False, num_key_value_heads=4,
        rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=1000000.0),
    ),
    "qwen3moe": dict(
        model_type="qwen3_moe", head_dim=32, num_experts=8, num_experts_per_tok=3, moe_intermediate_size=32,
        norm_topk_prob=True, tie_word_embeddings=False,
    ),
    "qwen3moe-mixed": dict(
        model_type="qwen3_moe", head_dim=32, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32,
        norm_topk_prob=False, mlp_only_layers=[1], tie_word_embeddings=False, num_hidden_layers=3,
    ),
    "gemma2": dict(
        model_type="gemma2", head_dim=32, num_hidden_layers=4, sliding_window=8, query_pre_attn_scalar=24,
        attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
    ),
    "gemma3": dict(
        model_type="gemma3_text", head_dim=32, num_hidden_layers=7, sliding_window=8, query_pre_attn_scalar=24,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ),
}
POSITIONS = [0, 7, 8, 21, 39]


def stream(name, count):
    """The first `count` numbers of SplitMix64, begun at the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed) + (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))


def numbers(name, shape, centre):
    """Gains within an eighth of `centre`; elsewhere eight-bit integers, scaled to about the inverse root of the width."""
    z = stream(name, int(numpy.prod(shape)))
    if len(shape) == 1:
        values = ((z >> numpy.uint64(60)).astype(numpy.int64) - 8) / 64 + centre
    else:
        power = 6 + (int(shape[-1]).bit_length()) // 2
        values = ((z >> numpy.uint64(56)).astype(numpy.int64) - 128) / 2**power
    return values.astype(numpy.float32).reshape(shape)


def rounding(model):
    """Makes attention see keys and values rounded to half floats."""
    module = importlib.import_module(type(model).__module__)
    plain = module.eager_attention_forward

    def rounded(layer, queries, keys, values, *rest, **named):
        return plain(layer, queries, keys.half().float(), values.half().float(), *rest, **named)

    module.eager_attention_forward = rounded
    return lambda: setattr(module, "eager_attention_forward", plain)


def golden(family, settings):
    settings = {**SIZES, **settings}
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    with tempfile.TemporaryDirectory() as folder:
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        path = os.path.join(folder, "model.safetensors")
        with safe_open(path, "np") as file:
            shapes = {name: list(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
        centre = 0.0 if family.startswith("gemma") else 1.0
        save_file({name: numbers(name, shape, centre) for name, shape in shapes.items()}, path, {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with open(os.path.join(folder, "config.json")) as file:
            written = json.load(file)
    tokens = [int(z % numpy.uint64(256)) for z in stream("tokens of " + family, max(POSITIONS) + 1)]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
        undo = rounding(model)
        rounded = model(torch.tensor([tokens])).logits[0]
        undo()
    effect = (logits - rounded)[POSITIONS].abs().max()
    print(f"{family}: logits spread by {logits.std():.2f}, rounding moves them by {effect:.1e}", file=sys.stderr)
    rows = lambda logits: {str(at): [round(float(x), 5) for x in logits[at]] for at in POSITIONS}
    return dict(config=written, tensors=shapes, tokens=tokens, logits=rows(logits), rounded=rows(rounded))


if __name__ == "__main__":
    torch.manual_seed(0)
    print(json.dumps({family: golden(family, settings) for family, settings in FAMILIES.items()}, separators=(",", ":")))
