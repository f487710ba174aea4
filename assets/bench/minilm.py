"""PyTorch's MiniLM under the same stopwatch: reads one command a line, answers each with one line of JSON.

Started by `icore bench embed`: python3 -u -c THIS DIRECTORY THREADS
Command: `embed TEXTS TOKENS`, so many texts of so many tokens in one batch.
"""

import json
import sys
import time

import torch
import transformers

directory, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
model = transformers.BertModel.from_pretrained(directory).float().eval()


def ids(texts, length):
    return torch.tensor([(i * 7919 + 13) % 29000 + 1000 for i in range(texts * length)]).view(texts, length)


print(json.dumps({"ready": f"PyTorch {torch.__version__}, transformers {transformers.__version__}"}), flush=True)
for line in sys.stdin:
    word, texts, length = line.split()
    batch = ids(int(texts), int(length))
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        model(input_ids=batch).last_hidden_state.mean(1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"wall_ms": wall * 1e3, "cpu_ms": cpu * 1e3}), flush=True)
