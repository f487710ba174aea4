//! The tokenizer of a GGUF file as the files that Hugging Face's libraries read.

use super::{KIND_ADDED, KIND_CONTROL, KIND_UNUSED, TokenizerParts, pieces::Splitter};
use crate::{ModelError, gguf::Gguf};
use serde_json::{Map, Value, json};

/// `tokenizer.json` and `tokenizer_config.json` for the tokenizer and the chat template of a GGUF file, with their names.
///
/// # Errors
/// Where its tokenizer merges by scores, or is one that this program does not run.
pub fn tokenizer_files(file: &Gguf) -> Result<Vec<(String, Vec<u8>)>, ModelError> {
    let parts = TokenizerParts::from_gguf(file)?;
    let unsupported = || ModelError::TokenizerKind { model: parts.model.to_owned(), pre: parts.pre.to_owned() };
    // What is wrong with its parts is found there.
    super::Tokenizer::new(&parts)?;
    if parts.model != "gpt2" {
        return Err(unsupported());
    }
    let (_, whole_words) = Splitter::named(parts.pre).ok_or_else(unsupported)?;
    let kind = |id: usize| parts.kinds.get(id).copied().unwrap_or_default();
    let (mut vocab, mut added) = (Map::new(), Vec::new());
    for (id, token) in parts.tokens.iter().enumerate() {
        let special = matches!(kind(id), KIND_CONTROL | KIND_ADDED);
        if special {
            let control = kind(id) == KIND_CONTROL;
            added.push(json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": control }));
        }
        // Where whole words of the vocabulary skip merging, text could spell what is in it; such files count their added
        // tokens on from the end of the vocabulary.
        if kind(id) != KIND_UNUSED && !(special && whole_words) {
            vocab.insert((*token).to_owned(), id.into());
        }
    }
    let counted_on = |(at, token): (usize, &Value)| token["id"] == vocab.len() + at;
    if whole_words && !added.iter().enumerate().all(counted_on) {
        return Err(unsupported());
    }
    let merges: Vec<Value> =
        parts.merges.iter().filter_map(|merge| merge.split_once(' ')).map(|pair| json!([pair.0, pair.1])).collect();
    let text =
        |id: Option<u32>| id.and_then(|id| parts.tokens.get(id as usize)).map_or(Value::Null, |text| (*text).into());
    let begins = match text(parts.bos) {
        Value::String(bos) if parts.add_bos => begins_with(&bos, parts.bos),
        _ => Value::Null,
    };
    let (normalizer, cut) = Splitter::described(parts.pre).ok_or_else(unsupported)?;
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": cut,
        "post_processor": begins,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": whole_words,
            "vocab": vocab, "merges": merges },
    });
    let mut settings = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
        "bos_token": text(parts.bos), "eos_token": text(parts.eos) });
    if let Some(template) = file.find_text("tokenizer.chat_template") {
        settings["chat_template"] = template.into();
    }
    let bytes = |value: &Value| format!("{value:#}\n").into_bytes();
    Ok(vec![("tokenizer.json".into(), bytes(&tokenizer)), ("tokenizer_config.json".into(), bytes(&settings))])
}

/// What puts a token before every text.
fn begins_with(token: &str, id: Option<u32>) -> Value {
    let (special, text) =
        (json!({ "SpecialToken": { "id": token, "type_id": 0 } }), json!({ "Sequence": { "id": "A", "type_id": 0 } }));
    let other = json!({ "Sequence": { "id": "B", "type_id": 1 } });
    json!({ "type": "TemplateProcessing", "single": [special, text], "pair": [special, text, other],
        "special_tokens": { token: { "id": token, "ids": [id], "tokens": [token] } } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tokenizer, gguf};
    use std::collections::BTreeMap;

    /// A file with a tokenizer and nothing else: single bytes, a few merges, two control tokens and an added one.
    fn file(pre: &str, model: &str) -> Gguf {
        let mut tokens: Vec<String> =
            (0..=u8::MAX).map(|byte| super::super::pieces::byte_char(byte).to_string()).collect();
        tokens.extend(["Ġt", "he", "Ġthe", "12", "<s>", "</s>", "<tool>"].map(String::from));
        let list = |all: Vec<gguf::Value>| gguf::Value::List(all);
        let text = |text: &str| gguf::Value::Text(text.into());
        let kinds = (0..tokens.len())
            .map(|id| {
                gguf::Value::Int(match id {
                    260 | 261 => 3,
                    262 => 4,
                    _ => 1,
                })
            })
            .collect();
        let metadata: BTreeMap<String, gguf::Value> = [
            ("tokenizer.ggml.model", text(model)),
            ("tokenizer.ggml.pre", text(pre)),
            ("tokenizer.ggml.tokens", list(tokens.iter().map(|token| text(token)).collect())),
            ("tokenizer.ggml.token_type", list(kinds)),
            ("tokenizer.ggml.merges", list(["Ġ t", "h e", "Ġt he", "1 2"].map(text).into())),
            ("tokenizer.ggml.bos_token_id", gguf::Value::Int(260)),
            ("tokenizer.ggml.eos_token_id", gguf::Value::Int(261)),
            ("tokenizer.ggml.add_bos_token", gguf::Value::Bool(true)),
            ("tokenizer.chat_template", text("{{ bos_token }}!")),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let mut bytes = Vec::new();
        gguf::write::write(&mut bytes, &metadata, &[]).unwrap();
        Gguf::from_bytes(bytes).unwrap()
    }

    #[test]
    fn the_files_give_the_same_ids() {
        for pre in ["gpt-2", "smollm", "qwen2", "llama-bpe"] {
            let file = file(pre, "gpt2");
            let ours = Tokenizer::from_gguf(&file).unwrap();
            let files = tokenizer_files(&file).unwrap();
            let settings: Value = serde_json::from_slice(&files[1].1).unwrap();
            assert_eq!(settings["chat_template"], "{{ bos_token }}!");
            let theirs =
                Tokenizer::from_json(&files[0].1, settings["bos_token"].as_str(), settings["eos_token"].as_str())
                    .unwrap();
            assert_eq!((theirs.bos(), theirs.eos(), theirs.adds_bos()), (Some(260), Some(261), true), "{pre}");
            for text in ["the then 12 123", "<s>in the</s> <tool>", "Ünter\r\n\n  don't 3½ e\u{301}", ""] {
                for special in [false, true] {
                    let (ours, theirs) = (ours.encode(text, special), theirs.encode(text, special));
                    assert_eq!(ours, theirs, "{pre}: {text:?}, {special}");
                }
            }
            assert!((0..263).all(|id| ours.token_bytes(id) == theirs.token_bytes(id)), "{pre}");
        }
        assert!(matches!(tokenizer_files(&file("default", "gpt2")), Err(ModelError::TokenizerKind { .. })));
    }
}
