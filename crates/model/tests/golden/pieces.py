"""Makes pieces.json: small tokenizers of the kinds that families bring, and the ids their own libraries give.

    python pieces.py > pieces.json            # sentencepiece, tokenizers
"""

import io
import json

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The harbour of Hamburg lies on the river Elbe, about 110 kilometres from the North Sea.",
    "In 1842 a fire destroyed a third of the old town; the cranes, quays and brick warehouses were built afterwards.",
    "def mean(xs):\n    return sum(xs) / len(xs)\n\n",
    "She wrote: \"We arrive on Tuesday at 9:45, please bring the keys.\" Größe, naïve, café, übermorgen.",
    "Water boils at 100 degrees Celsius at sea level, and at a lower temperature in the mountains.",
] * 4
TEXTS = [
    "The harbour lies on the river.", " two  spaces   three", "line\n\n\n\tend ", "", " ", "café 日本語 🦀 e\u0301",
    "1842 / 9:45 xs[3]", "<s>no control</s><end>", "▁▁already", "a\u00a0b\r\n", "<end>", "word<end> word <tool>x</tool>",
]


def scored(prefix):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=out, model_type="bpe", vocab_size=420, byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=prefix, control_symbols=["<end>"], user_defined_symbols=["\n\n", "▁▁", "▁▁▁", "<tool>"],
        pad_id=-1, minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    tokens, scores, kinds = [], [], []
    for id in range(model.get_piece_size()):
        kind = 2 if model.is_unknown(id) else 3 if model.is_control(id) else 6 if model.is_byte(id) else 1
        piece = model.id_to_piece(id)
        if piece in ["\n\n", "▁▁", "▁▁▁", "<tool>"]:
            kind, piece = 4, piece.replace("▁", " ")  # as they are written into GGUF files
        tokens.append(piece), scores.append(model.get_score(id)), kinds.append(kind)
    ids = [[text, model.encode(text), model.decode(model.encode(text))] for text in TEXTS]
    return dict(space_prefix=prefix, tokens=tokens, scores=scores, kinds=kinds, texts=ids)


def library(tokenizer, trainer):
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken("<end>", special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    texts = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        texts.append([text, ids, tokenizer.decode(ids, skip_special_tokens=True)])
    return dict(file=tokenizer.to_str(), texts=texts)


def spelled():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return library(tokenizer, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))


def with_bytes():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    first = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + ["<tool>"]
    result = library(tokenizer, trainers.BpeTrainer(vocab_size=420, special_tokens=first, show_progress=False))
    file = json.loads(result["file"])
    file["added_tokens"] = [t for t in file["added_tokens"] if not t["content"].startswith("<0x")]
    for token in file["added_tokens"]:
        token["special"] = token["content"] != "<tool>"
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    texts = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        texts.append([text, ids, tokenizer.decode(ids, skip_special_tokens=True)])
    return dict(file=tokenizer.to_str(), texts=texts)


print(json.dumps(dict(scored=[scored(True), scored(False)], files=[spelled(), with_bytes()]), separators=(",", ":")))
