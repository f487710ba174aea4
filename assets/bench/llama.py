"""llama.cpp under the same stopwatch: reads one command a line, answers each with one line of JSON.

Started by `icore bench inference`: python3 -u -c THIS MODEL.gguf THREADS CONTEXT
Commands: `prefill N`, `decode FROM N` (N tokens one by one after FROM), `perplexity IDS…`, `greedy N IDS…`.
"""

import json
import math
import sys
import time

import llama_cpp

path, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = llama_cpp.Llama(
    path, n_ctx=context, n_batch=context, n_ubatch=512, n_threads=threads, n_threads_batch=threads, n_gpu_layers=0,
    verbose=False, logits_all=False,
)
vocabulary = model.n_vocab()


def tokens(count):
    return [(i * 7919 + 13) % (vocabulary - 152) for i in range(count)]


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall_ms": (time.perf_counter() - wall) * 1e3, "cpu_ms": (time.process_time() - cpu) * 1e3}


def clear():
    model.reset()
    model._ctx.kv_cache_clear()


def one_by_one(ids):
    for token in ids:
        model.eval([token])


def log_probabilities(ids):
    """Each token but the first, given those before it, token by token: the logits of the last position only."""
    import numpy

    clear()
    out = []
    for here, following in zip(ids, ids[1:]):
        model.eval([here])
        raw = llama_cpp.llama_get_logits_ith(model._ctx.ctx, -1)
        row = numpy.ctypeslib.as_array(raw, shape=(vocabulary,)).astype("float64")
        top = row.max()
        out.append(float(row[following] - top - math.log(numpy.exp(row - top).sum())))
    return out


def greedy(count, ids):
    import numpy

    clear()
    model.eval(ids)
    out = []
    for _ in range(count):
        raw = llama_cpp.llama_get_logits_ith(model._ctx.ctx, -1)
        out.append(int(numpy.ctypeslib.as_array(raw, shape=(vocabulary,)).argmax()))
        model.eval([out[-1]])
    return out


print(json.dumps({"ready": f"llama-cpp-python {llama_cpp.__version__}"}), flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    numbers = [int(n) for n in rest]
    if word == "prefill":
        clear()
        answer = timed(lambda: model.eval(tokens(numbers[0])))
    elif word == "decode":
        clear()
        all_tokens = tokens(numbers[0] + numbers[1])
        model.eval(all_tokens[: numbers[0]])
        answer = timed(lambda: one_by_one(all_tokens[numbers[0] :]))
    elif word == "perplexity":
        answer = {"log_probabilities": log_probabilities(numbers)}
    elif word == "greedy":
        answer = {"tokens": greedy(numbers[0], numbers[1:])}
    else:
        answer = {"error": f"unknown command {word}"}
    print(json.dumps(answer), flush=True)
