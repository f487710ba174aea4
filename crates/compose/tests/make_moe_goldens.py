"""Makes goldens/experts.json: what transformers computes with the sparse models that examples/experts.rs writes.

    cargo run -p hinet-compose --example experts -- OUT
    python make_moe_goldens.py OUT > goldens/experts.json    (torch, transformers)

Neither the members nor the models are kept: their numbers are made from the names of tensors, the same on every machine.
All is computed in float32, once as it is, and once with keys and values rounded to half floats, as our decoder keeps them:
the second shows whether anything else differs.
"""

import importlib
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

GOLDENS = Path(__file__).parents[2] / "model" / "tests" / "golden" / "families.json"
TOKENS = json.loads(GOLDENS.read_text())["llama"]["tokens"]
POSITIONS = [0, 8, 21, 39]


def rounding(model):
    """Makes attention see keys and values rounded to half floats."""
    module = importlib.import_module(type(model).__module__)
    plain = module.eager_attention_forward

    def rounded(layer, queries, keys, values, *rest, **named):
        return plain(layer, queries, keys.half().float(), values.half().float(), *rest, **named)

    module.eager_attention_forward = rounded
    return lambda: setattr(module, "eager_attention_forward", plain)


def logits(model):
    with torch.no_grad():
        found = model(torch.tensor([TOKENS])).logits[0]
    return {at: [round(number, 6) for number in found[at].tolist()] for at in POSITIONS}


def main(folder):
    out = {"tokens": TOKENS, "models": {}}
    for path in sorted(Path(folder).iterdir()):
        model, report = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        assert type(model).__name__ == "MixtralForCausalLM"
        assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
        model.eval()
        plain = logits(model)
        undo = rounding(model)
        out["models"][path.name] = {"logits": plain, "rounded": logits(model)}
        undo()
        print(path.name, sum(weight.numel() for weight in model.parameters()), file=sys.stderr)
    json.dump(out, sys.stdout)
    print()


main(sys.argv[1])
