//! A `tokenizer.json` as Hugging Face writes it, run by the library of the same maker.
//!
//! The library finds added tokens in any text. Text that somebody else wrote therefore goes past them: through the same
//! normaliser, cutter and merges, but with a list of added tokens that holds no control token.

use super::{SpecialTokens, pieces, spm};
use crate::ModelError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokenizers::{AddedToken, AddedVocabulary, Model as _, OffsetType, PreTokenizer as _};

/// Changes when the same file would give other ids than before.
const HASH_DOMAIN: &str = "hinet/tokenizer-json/v1";

/// The library's tokenizer.
pub(super) struct Json {
    inner: tokenizers::Tokenizer,
    /// The added tokens of any text: none where bytes are spelled, Gemma's runs of spaces and line ends elsewhere.
    plain: AddedVocabulary,
}

/// A tokenizer, and what else its file says.
pub(super) struct Read {
    pub json: Json,
    pub bytes: Vec<Vec<u8>>,
    pub special: SpecialTokens,
    pub hash: hinet_protocol::Hash,
    /// Whether a text begins with a space that nobody wrote.
    pub space_prefix: bool,
    /// Whether the file puts a token before every text.
    pub begins_with: Option<u32>,
}

fn bad(problem: &'static str) -> ModelError {
    ModelError::BadTokenizer { problem, source: None }
}

fn failed(problem: &'static str) -> impl Fn(tokenizers::Error) -> ModelError {
    move |source| ModelError::BadTokenizer { problem, source: Some(source) }
}

impl Json {
    pub(super) fn read(file: &[u8]) -> Result<Read, ModelError> {
        let value: Value = serde_json::from_slice(file)
            .map_err(|source| ModelError::BadTokenizer { problem: "it is not JSON", source: Some(source.into()) })?;
        let kind = value["model"]["type"].as_str().unwrap_or("BPE").to_owned();
        let spelled = mentions(&value["decoder"], "ByteLevel") || mentions(&value["pre_tokenizer"], "ByteLevel");
        let pieces = mentions(&value, "ByteFallback") || mentions(&value, "Metaspace");
        if kind != "BPE" || !(spelled || pieces) {
            let pre = value["pre_tokenizer"]["type"].as_str().unwrap_or("none").to_owned();
            return Err(ModelError::TokenizerKind { model: kind, pre });
        }
        check_controls(&value)?;
        // For training only: the same text would get other ids each time.
        if value["model"]["dropout"].as_f64().is_some_and(|share| share > 0.0) {
            return Err(bad("it leaves merges out at random"));
        }
        let mut inner = tokenizers::Tokenizer::from_bytes(file).map_err(failed("its file cannot be used"))?;
        let mut model = inner.get_model().clone();
        model.resize_cache(0);
        inner.with_model(model);
        let added = inner.get_added_tokens_decoder();
        let mut plain = AddedVocabulary::new();
        if !spelled {
            let tokens: BTreeMap<u32, AddedToken> =
                added.iter().filter(|(_, token)| !token.special).map(|(id, token)| (*id, token.clone())).collect();
            let known = tokens.iter().all(|(id, token)| inner.get_model().token_to_id(&token.content) == Some(*id));
            if !known {
                return Err(bad("an added token is not in its vocabulary"));
            }
            plain
                .add_tokens(tokens.into_values(), inner.get_model(), inner.get_normalizer())
                .map_err(failed("its added tokens cannot be used"))?;
        }
        let vocab = inner.get_vocab(true);
        let count = vocab.values().max().map_or(0, |id| *id as usize + 1);
        if count > 1 << 20 {
            return Err(bad("it has too many tokens"));
        }
        let mut bytes = vec![Vec::new(); count];
        for (token, id) in vocab {
            let into = &mut bytes[id as usize];
            *into = match added.get(&id) {
                Some(added) if added.special => Vec::new(),
                Some(added) => added.content.replace(spm::SPACE, if spelled { "\u{2581}" } else { " " }).into_bytes(),
                None if spelled => pieces::to_bytes(&token).unwrap_or_else(|| token.into_bytes()),
                None => match spm::byte_of(&token) {
                    Some(byte) => vec![byte],
                    None => token.replace(spm::SPACE, " ").into_bytes(),
                },
            };
        }
        let special = added.iter().map(|(id, token)| (token.content.clone(), (*id, token.special))).collect();
        let mut hasher = blake3::Hasher::new_derive_key(HASH_DOMAIN);
        for part in ["model", "normalizer", "pre_tokenizer", "added_tokens"] {
            let text = value[part].to_string();
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Ok(Read {
            begins_with: first_of_template(&value["post_processor"]),
            space_prefix: !spelled && (mentions(&value, "Prepend") || mentions(&value["decoder"], "Strip")),
            json: Self { inner, plain },
            bytes,
            special: SpecialTokens::new(special),
            hash: hinet_protocol::Hash(*hasher.finalize().as_bytes()),
        })
    }

    /// The ids of a text; with `special`, added tokens are found in it.
    pub(super) fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        let encoded = if special { self.inner.encode_fast(text, false) } else { self.plain(text) };
        encoded.map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
    }

    fn plain(&self, text: &str) -> tokenizers::Result<tokenizers::Encoding> {
        let mut text = self.plain.extract_and_normalize(self.inner.get_normalizer(), text);
        if let Some(cut) = self.inner.get_pre_tokenizer() {
            cut.pre_tokenize(&mut text)?;
        }
        text.tokenize(|piece| self.inner.get_model().tokenize(piece.get()))?;
        text.into_encoding(None, 0, OffsetType::None)
    }
}

/// Whether some part of the tokenizer is of this type.
fn mentions(value: &Value, kind: &str) -> bool {
    match value {
        Value::Object(map) => {
            map.get("type").and_then(Value::as_str) == Some(kind)
                || (kind == "ByteFallback" && map.get("byte_fallback") == Some(&Value::Bool(true)))
                || map.iter().filter(|(key, _)| *key != "vocab").any(|(_, value)| mentions(value, kind))
        }
        Value::Array(list) => list.iter().any(|value| value.is_object() && mentions(value, kind)),
        _ => false,
    }
}

/// Refuses a file whose merges could spell a control token.
fn check_controls(value: &Value) -> Result<(), ModelError> {
    let model = &value["model"];
    let unknown = model["unk_token"].as_str().unwrap_or_default();
    let tokens = value["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let controls: BTreeSet<&str> = (tokens.iter())
        .filter(|token| token["special"] == Value::Bool(true))
        .filter_map(|token| token["content"].as_str())
        .filter(|content| *content != unknown)
        .collect();
    let spelled = |merge: &Value| {
        let merged = match merge {
            Value::String(pair) => pair.replacen(' ', "", 1),
            Value::Array(pair) => pair.iter().filter_map(Value::as_str).collect(),
            _ => String::new(),
        };
        controls.contains(merged.as_str())
    };
    let whole =
        model["ignore_merges"] == Value::Bool(true) && controls.iter().any(|token| !model["vocab"][token].is_null());
    if whole || model["merges"].as_array().is_some_and(|merges| merges.iter().any(spelled)) {
        return Err(bad("ordinary text could spell one of its control tokens"));
    }
    Ok(())
}

/// The token with which a post-processor begins every text.
fn first_of_template(processor: &Value) -> Option<u32> {
    if let Some(all) = processor["processors"].as_array() {
        return all.iter().find_map(first_of_template);
    }
    let name = processor["single"].get(0)?["SpecialToken"]["id"].as_str()?;
    u32::try_from(processor["special_tokens"][name]["ids"].get(0)?.as_u64()?).ok()
}
