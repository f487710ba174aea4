"""Makes the files that `icore bench inference --model FILE` is run on: the default anchor in other quantisations, and a
random model of a width that the K quantisations can have (576 is no multiple of 256).

usage: python3 quantized.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER     (needs gguf and llama_cpp)
"""

import ctypes
import pathlib
import sys

import gguf
import llama_cpp
import numpy

anchor, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
reader = gguf.GGUFReader(anchor)
WIDTH, INNER, LAYERS, HEADS, KV_HEADS = 1024, 2816, 12, 16, 4
SHAPE = {
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": INNER,
    "llama.block_count": LAYERS,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.rope.dimension_count": WIDTH // HEADS,
}


def copied(writer, changed):
    """The anchor's own fields, its tokenizer among them, but for what is changed."""
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        value = changed.get(name, field.contents())
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, kind, sub_type=inner)


def written(path, changed, tensors):
    writer = gguf.GGUFWriter(path, "llama")
    copied(writer, changed)
    writer.add_file_type(1)
    for name, numbers in tensors:
        writer.add_tensor(name, numbers.astype(numpy.float32 if numbers.ndim == 1 else numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def own():
    for tensor in reader.tensors:
        yield tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def drawn():
    random = numpy.random.default_rng(1)
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)

    def matrix(outputs, inputs):
        return random.standard_normal((outputs, inputs), dtype=numpy.float32) / inputs**0.5

    yield "token_embd.weight", matrix(vocabulary, WIDTH)
    keys = WIDTH // HEADS * KV_HEADS
    for layer in range(LAYERS):
        for name, outputs, inputs in [
            ("attn_q", WIDTH, WIDTH), ("attn_k", keys, WIDTH), ("attn_v", keys, WIDTH), ("attn_output", WIDTH, WIDTH),
            ("ffn_gate", INNER, WIDTH), ("ffn_up", INNER, WIDTH), ("ffn_down", WIDTH, INNER),
        ]:
            yield f"blk.{layer}.{name}.weight", matrix(outputs, inputs)
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, numpy.float32)
    yield "output_norm.weight", numpy.ones(WIDTH, numpy.float32)


def quantised(source, kind, name):
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.pure, options.nthread = kind, True, 2
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(folder / name).encode(), ctypes.byref(options))
    assert code == 0, f"{name} could not be made"


half, wide = folder / "anchor-f16.gguf", folder / "wide-f16.gguf"
written(half, {}, own())
written(wide, SHAPE, drawn())
for source, kinds in [
    (half, ["Q4_0", "Q4_1", "Q8_0"]),
    (wide, ["Q4_1", "Q4_K_M", "Q5_K_M", "Q6_K"]),
]:
    for kind in kinds:
        value = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        quantised(source, value, f"{source.stem.removesuffix('-f16')}-{kind.removesuffix('_M')}.gguf")
