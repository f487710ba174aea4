"""PyTorch tuning under the same stopwatch: reads one command a line, answers each with one line of JSON.

Started by `icore bench train`: python3 -u -c THIS MODEL.gguf lora|full ADAPTER_FOLDER THREADS EXAMPLES TOKENS RATE DECAY
Command: `step`, one step of AdamW on the same examples. The low-rank factors begin as they are in the folder.
"""

import json
import os
import sys
import time

import safetensors.torch
import torch
import transformers

path, mode, folder = sys.argv[1:4]
threads, examples, length = (int(n) for n in sys.argv[4:7])
rate, decay = (float(n) for n in sys.argv[7:9])
torch.set_num_threads(threads)
transformers.utils.logging.disable_progress_bar()
model = transformers.AutoModelForCausalLM.from_pretrained(
    os.path.dirname(path) or ".", gguf_file=os.path.basename(path), dtype=torch.float32, attn_implementation="sdpa"
)
vocabulary = model.config.vocab_size


class Factors(torch.nn.Module):
    def __init__(self, linear, a, b, scale):
        super().__init__()
        self.linear, self.scale = linear, scale
        self.a, self.b = torch.nn.Parameter(a), torch.nn.Parameter(b)

    def forward(self, x):
        narrow = torch.nn.functional.linear(x, self.a)
        return self.linear(x) + self.scale * torch.nn.functional.linear(narrow, self.b)


if mode == "lora":
    tensors = safetensors.torch.load_file(os.path.join(folder, "adapter_model.safetensors"))
    with open(os.path.join(folder, "adapter_config.json")) as file:
        config = json.load(file)
    scale = config["lora_alpha"] / config["r"]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for name in sorted({name.split(".lora_")[0] for name in tensors}):
        parent, _, last = name.removeprefix("base_model.model.").rpartition(".")
        module = model.get_submodule(parent)
        factors = (tensors[f"{name}.lora_{part}.weight"] for part in "AB")
        setattr(module, last, Factors(getattr(module, last), *factors, scale))
    del tensors

model.train()
parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
ids = torch.tensor([(i * 7919 + 13) % (vocabulary - 152) for i in range(examples * length)])
targets = torch.roll(ids, -1)
ids = ids.view(examples, length)


def peak():
    """The largest resident memory so far, in MiB, where the system says so."""
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except OSError:
        return 0.0


def step():
    logits = model(input_ids=ids, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, vocabulary), targets)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())


try:
    # What loading took does not count.
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
except OSError:
    pass
print(json.dumps({"ready": f"PyTorch {torch.__version__}, transformers {transformers.__version__}"}), flush=True)
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    loss = step()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"wall_ms": wall * 1e3, "cpu_ms": cpu * 1e3, "loss": loss, "peak_mib": peak()}), flush=True)
