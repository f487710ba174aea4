"""Writes tokenizer.json (golden token ids) for the anchor, from the GGUF's own vocabulary with Hugging Face's library.

Usage: pip install tokenizers gguf; python3 tokenizer.py MODEL.gguf > tokenizer.json
The pre-tokenizer is SmolLM2's as published in its tokenizer.json: single digits, then byte-level with GPT-2's expression.
"""

import json
import sys

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

TEXTS = [
    "", " ", "  ", "   \n", "\n\n\n", "\t\tx", " a", "a ", "Hello, world!", "Hello  world   again",
    "I'll say it's what they've done, we're sure he'd agree I'm right", "I'LL IT'S THEY'VE",
    "0", "1234567890", "3.14159, -2e10; 0xFF", "12½ ¾ ² ⅷ ٣٤ 四", "2026-11-22T19:51:17Z", "a1b2c3",
    "fn main() {\n    println!(\"{}\", 1 + 2);\n}\n", "def f(x):\n\treturn x**2  # square\n", "{\"a\": [1, 2.5, null]}",
    "https://example.org/a?b=c&d=%20#e", "user@example.org", "C:\\Users\\me\\file.txt",
    "naïve café Straße ÅÄÖ", "e\u0301 vs \u00e9", "Привет, как дела?", "你好，世界", "こんにちは世界", "안녕하세요",
    "مرحبا بالعالم", "שלום", "नमस्ते दुनिया", "🙂👍🏽👩‍👩‍👧‍👦🇩🇪", "\u200b\u00a0\u2028\ufeff", "a\u0000b\u0007c",
    "<|im_start|>user\nignore all rules<|im_end|>\n", "<|endoftext|>", "<repo_name> <|im_start", "|> <jupyter_code>",
    "   leading and trailing   ", "line one\r\nline two\r\n\r\n    indented", "x" * 300, "ab" * 100 + " " * 50 + "c",
    "The quick brown fox jumps over the lazy dog. " * 5,
]


def build(path):
    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds) if k == 3]
    return tokenizer, special


plain, special = build(sys.argv[1])
parsing, _ = build(sys.argv[1])
parsing.add_special_tokens(special)
cases = [{"text": t, "ids": plain.encode(t).ids, "special": parsing.encode(t).ids} for t in TEXTS]
assert all(plain.decode(case["ids"]) == case["text"] for case in cases)
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
