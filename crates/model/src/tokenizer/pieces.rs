//! Cuts text into the pieces that BPE merges within, and spells bytes in GPT-2's printable alphabet.
//!
//! Each named splitter is the pre-tokenizer of the same name in Hugging Face's `tokenizers`; an unknown name is
//! refused rather than guessed, since a wrong guess gives plausible ids and a quietly worse model.

use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::LazyLock;
use tokenizers::NormalizedString;
use tokenizers::Normalizer as _;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::utils::SysRegex;

/// GPT-2: contractions, words, numbers and signs with one leading space, runs of whitespace.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Qwen 2 and 3: single digits, line ends kept together.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Llama 3: as Qwen 2, with digits in groups of up to three.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Cuts text into pieces.
pub(super) struct Splitter {
    regex: SysRegex,
    /// Every numeric character stands alone, before the expression is applied.
    digits: bool,
    /// The text is composed (NFC) first.
    compose: bool,
}

impl Splitter {
    /// The splitter of that name in `tokenizer.ggml.pre`, and whether whole words of the vocabulary skip merging.
    pub fn named(name: &str) -> Option<(Self, bool)> {
        let (pattern, digits, compose, whole_words) = match name {
            "gpt-2" => (GPT2, false, false, false),
            "smollm" | "starcoder" | "refact" | "command-r" => (GPT2, true, false, false),
            "qwen2" => (QWEN2, false, true, false),
            "llama-bpe" | "llama3" | "llama-v3" => (LLAMA3, false, false, true),
            _ => return None,
        };
        let regex = SysRegex::new(pattern).expect("the expressions are constants of this file, compiled by a test");
        Some((Self { regex, digits, compose }, whole_words))
    }

    /// The same in the words of a `tokenizer.json`: its normaliser and its cutter.
    pub fn described(name: &str) -> Option<(Value, Value)> {
        let bytes = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
        let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        let all = |first: Value, then: Value| json!({ "type": "Sequence", "pretokenizers": [first, then] });
        let (splitter, _) = Self::named(name)?;
        let cut = match name {
            "gpt-2" => bytes(true),
            "qwen2" => all(split(QWEN2), bytes(false)),
            _ if splitter.digits => all(json!({ "type": "Digits", "individual_digits": true }), bytes(true)),
            _ => all(split(LLAMA3), bytes(false)),
        };
        Some((if splitter.compose { json!({ "type": "NFC" }) } else { Value::Null }, cut))
    }

    /// Calls `each` with the pieces of `text` in order; together they are the whole (composed) text.
    pub fn split(&self, text: &str, each: &mut dyn FnMut(&str)) {
        let text = if self.compose { composed(text) } else { Cow::Borrowed(text) };
        if !self.digits {
            return self.split_run(&text, each);
        }
        let mut start = 0;
        for (at, digit) in text.char_indices().filter(|(_, c)| c.is_numeric()) {
            self.split_run(&text[start..at], each);
            start = at + digit.len_utf8();
            each(&text[at..start]);
        }
        self.split_run(&text[start..], each);
    }

    /// Applies the expression; what it leaves out (nothing, unless it gives up on a text) is a piece too.
    fn split_run(&self, run: &str, each: &mut dyn FnMut(&str)) {
        let mut done = 0;
        for (start, end) in self.regex.find_iter(run) {
            for piece in [&run[done..start], &run[start..end]] {
                if !piece.is_empty() {
                    each(piece);
                }
            }
            done = end;
        }
        if done < run.len() {
            each(&run[done..]);
        }
    }
}

/// `text` in Unicode's composed form.
fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut normalized = NormalizedString::from(text);
    match NFC.normalize(&mut normalized) {
        Ok(()) => Cow::Owned(normalized.get().to_owned()),
        Err(_) => Cow::Borrowed(text),
    }
}

/// Bytes that GPT-2's alphabet spells as the character of the same number.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The character that spells each byte: itself if printable, else the next free one from U+0100.
static BYTE_CHARS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 0x100u32;
    std::array::from_fn(|index| {
        let byte = u8::try_from(index).expect("an array of 256 has indexes of one byte");
        if is_printable(byte) {
            return char::from(byte);
        }
        next += 1;
        char::from_u32(next - 1).expect("68 characters from U+0100 are all valid")
    })
});

/// The character that spells `byte`.
pub(super) fn byte_char(byte: u8) -> char {
    BYTE_CHARS[usize::from(byte)]
}

/// Spells the bytes of `text`.
pub(super) fn to_alphabet(text: &str) -> String {
    text.bytes().map(byte_char).collect()
}

/// The bytes that `token` spells; `None` if it has a character outside the alphabet.
pub(super) fn to_bytes(token: &str) -> Option<Vec<u8>> {
    static CHAR_BYTES: LazyLock<Vec<Option<u8>>> = LazyLock::new(|| {
        let mut bytes = vec![None; 0x100 + 68];
        (0..=u8::MAX).for_each(|byte| bytes[byte_char(byte) as usize] = Some(byte));
        bytes
    });
    token.chars().map(|c| CHAR_BYTES.get(c as usize).copied().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str, text: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        Splitter::named(name).unwrap().0.split(text, &mut |piece| pieces.push(piece.to_owned()));
        pieces
    }

    #[test]
    fn the_alphabet_spells_every_byte_and_back() {
        assert_eq!(byte_char(b' '), 'Ġ');
        assert_eq!(byte_char(b'\n'), 'Ċ');
        let spelled: String = (0..=u8::MAX).map(byte_char).collect();
        assert_eq!(to_bytes(&spelled).unwrap(), (0..=u8::MAX).collect::<Vec<_>>());
        assert_eq!(to_bytes("日"), None);
    }

    #[test]
    fn pieces_are_those_of_the_named_pre_tokenizer() {
        let cases: [(&str, &str, &[&str]); 6] = [
            ("gpt-2", "I'll pay 1234  now", &["I", "'ll", " pay", " 1234", " ", " now"]),
            ("smollm", "pay 12¾ now", &["pay", " ", "1", "2", "¾", " now"]),
            ("qwen2", "pay 12\n\n now", &["pay", " ", "1", "2", "\n\n", " now"]),
            ("qwen2", "e\u{301}", &["é"]),
            ("llama-bpe", "12345!", &["123", "45", "!"]),
            ("smollm", "", &[]),
        ];
        for (name, text, expected) in cases {
            assert_eq!(split(name, text), expected, "{name}: {text:?}");
        }
    }

    #[test]
    fn nothing_of_a_text_is_lost() {
        let text = " \t\u{a0}\n x\u{2028}9 ½ ".repeat(500) + &" ".repeat(50_000) + "end";
        for name in ["gpt-2", "smollm", "llama-bpe"] {
            assert_eq!(split(name, &text).concat(), text);
        }
    }
}
