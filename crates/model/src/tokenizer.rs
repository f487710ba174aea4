//! From text to tokens and back: byte-level BPE and `SentencePiece` pieces from a GGUF's own metadata, and
//! `tokenizer.json` from folders of Hugging Face's.
//!
//! Invariant: untrusted text stays text. No vocabulary that is merged holds a control token, so [`Tokenizer::encode`] without
//! `special` cannot produce one whatever the text spells; control tokens are found by a scan of their own, and only
//! when asked. Nothing of a text is kept after a call (the library's per-thread word cache is off).

mod export;
mod json;
mod pieces;
mod special;
mod spm;

pub use export::tokenizer_files;

use crate::ModelError;
use crate::gguf::Gguf;
use hinet_protocol::Hash;
use json::Json;
use pieces::Splitter;
use special::SpecialTokens;
use spm::Spm;
use std::collections::{BTreeMap, HashMap};
use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Vocab};

/// GGML's number of the token of what has no other.
const KIND_UNKNOWN: i64 = 2;
/// GGML's number of a control token such as `<|im_start|>`.
const KIND_CONTROL: i64 = 3;
/// GGML's number of a token that its maker added; also found only when special tokens are asked for.
const KIND_ADDED: i64 = 4;
/// GGML's number of a token that is never used.
const KIND_UNUSED: i64 = 5;
/// GGML's number of a token that stands for one byte.
const KIND_BYTE: i64 = 6;
/// Changes when the same metadata would give other ids than before.
const HASH_DOMAIN: &str = "hinet/tokenizer/v1";

/// Turns text into token ids and back.
pub struct Tokenizer {
    engine: Engine,
    /// Bytes of every ordinary token, by id; empty for control and unused ones.
    bytes: Vec<Vec<u8>>,
    /// Control and added tokens.
    special: SpecialTokens,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    /// Whether texts begin with a space that nobody wrote, and that is not to be seen again.
    space_prefix: bool,
    hash: Hash,
}

enum Engine {
    /// Pieces of text, spelled in GPT-2's alphabet and merged.
    Bpe { bpe: Box<BPE>, splitter: Splitter },
    /// Pieces with scores.
    Spm(Spm),
    /// Whatever a `tokenizer.json` says.
    Json(Box<Json>),
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer({} tokens, {})", self.bytes.len(), self.hash)
    }
}

/// What a GGUF says about its tokenizer.
#[derive(Clone, Debug, Default)]
pub struct TokenizerParts<'a> {
    /// `tokenizer.ggml.model`, such as `gpt2`.
    pub model: &'a str,
    /// `tokenizer.ggml.pre`, such as `smollm`.
    pub pre: &'a str,
    /// All tokens, by id, in GPT-2's printable byte alphabet.
    pub tokens: Vec<&'a str>,
    /// GGML's kind of every token; empty if all are ordinary.
    pub kinds: Vec<i64>,
    /// Merges by rank, each two tokens with a space between; none where tokens have scores.
    pub merges: Vec<&'a str>,
    /// Scores of all tokens, where these decide what is merged.
    pub scores: Vec<f32>,
    /// Whether a text begins with a space that nobody wrote.
    pub space_prefix: bool,
    /// The token a text begins with.
    pub bos: Option<u32>,
    /// The token a turn ends with.
    pub eos: Option<u32>,
    /// Whether the model expects `bos` before every text.
    pub add_bos: bool,
}

impl<'a> TokenizerParts<'a> {
    /// Collects the parts from the metadata of a GGUF file.
    pub fn from_gguf(gguf: &'a Gguf) -> Result<Self, ModelError> {
        let id = |key| gguf.find_u64(key).and_then(|id| u32::try_from(id).ok());
        let model = gguf.text("tokenizer.ggml.model")?;
        let scored = model == "llama";
        let scores = if scored { gguf.find_floats("tokenizer.ggml.scores").unwrap_or_default() } else { Vec::new() };
        Ok(Self {
            model,
            pre: gguf.find_text("tokenizer.ggml.pre").unwrap_or("default"),
            tokens: gguf.texts("tokenizer.ggml.tokens")?,
            kinds: gguf.find_ints("tokenizer.ggml.token_type").unwrap_or_default(),
            merges: if scored { Vec::new() } else { gguf.texts("tokenizer.ggml.merges")? },
            scores,
            space_prefix: scored && gguf.find_bool("tokenizer.ggml.add_space_prefix").unwrap_or(true),
            bos: id("tokenizer.ggml.bos_token_id"),
            eos: id("tokenizer.ggml.eos_token_id"),
            add_bos: gguf.find_bool("tokenizer.ggml.add_bos_token").unwrap_or(scored),
        })
    }

    /// BLAKE3 over everything that decides which ids a text gets.
    fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(HASH_DOMAIN);
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        part(self.model.as_bytes());
        part(self.pre.as_bytes());
        for list in [&self.tokens, &self.merges] {
            part(&(list.len() as u64).to_le_bytes());
            list.iter().for_each(|text| part(text.as_bytes()));
        }
        self.kinds.iter().for_each(|kind| part(&kind.to_le_bytes()));
        part(format!("{:?} {:?} {}", self.bos, self.eos, self.add_bos).as_bytes());
        if self.model == "llama" {
            self.scores.iter().for_each(|score| part(&score.to_le_bytes()));
            part(&[u8::from(self.space_prefix)]);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

impl Tokenizer {
    /// The tokenizer of a GGUF file.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        Self::new(&TokenizerParts::from_gguf(gguf)?)
    }

    /// Builds a tokenizer; every id, merge and kind is checked first.
    pub fn new(parts: &TokenizerParts<'_>) -> Result<Self, ModelError> {
        let unsupported = || ModelError::TokenizerKind { model: parts.model.to_owned(), pre: parts.pre.to_owned() };
        let scored = parts.model == "llama";
        if parts.model != "gpt2" && !scored {
            return Err(unsupported());
        }
        let bad = |problem| ModelError::BadTokenizer { problem, source: None };
        let count = u32::try_from(parts.tokens.len()).map_err(|_| bad("it has too many tokens"))?;
        if !parts.kinds.is_empty() && parts.kinds.len() != parts.tokens.len() {
            return Err(bad("it does not give the kind of every token"));
        }
        if [parts.bos, parts.eos].into_iter().flatten().any(|id| id >= count) {
            return Err(bad("the token that begins or ends a text is outside its vocabulary"));
        }
        if scored && parts.scores.len() != parts.tokens.len() {
            return Err(bad("it does not give the score of every token"));
        }
        let (mut spelling, mut unknown) = (vec![None; 256], None);
        let (mut vocab, mut bytes, mut special) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (id, (&token, index)) in (0u32..).zip(parts.tokens.iter().zip(0usize..)) {
            match parts.kinds.get(index).copied() {
                Some(KIND_CONTROL | KIND_ADDED) => {
                    let control = parts.kinds[index] == KIND_CONTROL;
                    special.insert(token.to_owned(), (id, control));
                    let text = if scored { token.replace(spm::SPACE, " ") } else { token.to_owned() };
                    bytes.push(if control { Vec::new() } else { text.into_bytes() });
                }
                Some(KIND_UNUSED) => bytes.push(Vec::new()),
                Some(KIND_UNKNOWN) if scored => {
                    unknown = Some(id);
                    bytes.push(Vec::new());
                }
                Some(KIND_BYTE) if scored => {
                    let byte = spm::byte_of(token).ok_or_else(|| bad("the token of a byte does not name it"))?;
                    spelling[usize::from(byte)] = Some(id);
                    bytes.push(vec![byte]);
                }
                _ if scored => {
                    bytes.push(token.replace(spm::SPACE, " ").into_bytes());
                    vocab.insert(token, id);
                }
                _ => {
                    bytes.push(pieces::to_bytes(token).unwrap_or_else(|| token.as_bytes().to_vec()));
                    vocab.insert(token, id);
                }
            }
        }
        let engine = if scored {
            let score = |id: u32| parts.scores[id as usize];
            let pieces: HashMap<_, _> =
                vocab.iter().map(|(token, id)| ((*token).to_owned(), (*id, score(*id)))).collect();
            let added = special.iter().filter(|(_, (_, control))| !control);
            let whole = added.map(|(token, (id, _))| (token.clone(), *id)).collect();
            Engine::Spm(Spm::new(pieces, spelling, unknown, whole, parts.space_prefix)?)
        } else {
            let (splitter, ignore_merges) = Splitter::named(parts.pre).ok_or_else(unsupported)?;
            Engine::Bpe { bpe: Box::new(build_bpe(&vocab, &parts.merges, ignore_merges)?), splitter }
        };
        Ok(Self {
            engine,
            bytes,
            special: SpecialTokens::new(special),
            bos: parts.bos,
            eos: parts.eos,
            add_bos: parts.add_bos,
            space_prefix: scored && parts.space_prefix,
            hash: parts.hash(),
        })
    }

    /// The tokenizer of a `tokenizer.json`. What begins and ends a text stands in another file.
    pub fn from_json(file: &[u8], bos: Option<&str>, eos: Option<&str>) -> Result<Self, ModelError> {
        let read = Json::read(file)?;
        let id = |token: Option<&str>| token.and_then(|token| read.special.ids.get(token)).map(|(id, _)| *id);
        Ok(Self {
            bos: id(bos).or(read.begins_with),
            eos: id(eos),
            add_bos: read.begins_with.is_some(),
            engine: Engine::Json(Box::new(read.json)),
            bytes: read.bytes,
            special: read.special,
            space_prefix: read.space_prefix,
            hash: read.hash,
        })
    }

    /// The ids of `text`. With `special`, spelled-out control tokens such as `<|im_start|>` become those tokens; use
    /// that for rendered chat templates only, never for text that somebody else wrote. No `bos` is added.
    pub fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        if let Engine::Json(json) = &self.engine {
            return json.encode(text, special);
        }
        let mut ids = Vec::with_capacity(text.len() / 3);
        // Pieces find those of their added tokens that are no more than text in any text, and by themselves.
        let added = !matches!(self.engine, Engine::Spm(_));
        let find = |rest: &str| if special { self.special.find(rest, added) } else { None };
        let mut rest = text;
        while let Some((start, length, id)) = find(rest) {
            self.encode_plain(&rest[..start], &mut ids);
            ids.push(id);
            rest = &rest[start + length..];
        }
        self.encode_plain(rest, &mut ids);
        ids
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        let (bpe, splitter) = match &self.engine {
            Engine::Bpe { bpe, splitter } => (bpe, splitter),
            Engine::Spm(spm) => return spm.encode(text, ids),
            Engine::Json(json) => return ids.extend(json.encode(text, false)),
        };
        splitter.split(text, &mut |piece| {
            let spelled = pieces::to_alphabet(piece);
            let tokens = bpe.tokenize(&spelled);
            let tokens = tokens.expect("without dropout or an unknown token, merging a word has no way to fail");
            ids.extend(tokens.iter().map(|token| token.id));
        });
    }

    /// The text of `ids`, without control tokens; bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.token_bytes(id)).copied().collect();
        let bytes = bytes.strip_prefix(b" ").filter(|_| self.space_prefix).unwrap_or(&bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The bytes of one token; empty for control tokens and ids outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Begins decoding a text that arrives token by token.
    pub fn stream(&self) -> DecodeStream<'_> {
        DecodeStream { tokenizer: self, decoding: Decoding::new(self) }
    }

    /// The id of a control or added token.
    pub fn special_id(&self, token: &str) -> Option<u32> {
        self.special.ids.get(token).map(|&(id, _)| id)
    }

    /// The spelling of a control or added token.
    pub fn special_text(&self, id: u32) -> Option<&str> {
        self.special.ids.iter().find(|&(_, &(other, _))| other == id).map(|(text, _)| text.as_str())
    }

    /// Whether `id` is a control token: one that text can never contain.
    pub fn is_control(&self, id: u32) -> bool {
        self.special.control.binary_search(&id).is_ok()
    }

    /// Size of the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.bytes.len()
    }

    /// The token a text begins with.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token a turn ends with.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether the model expects [`Tokenizer::bos`] before every text.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Identifies everything that decides which ids a text gets.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}

/// Builds the merge table after checking what the library takes on trust.
fn build_bpe(vocab: &BTreeMap<&str, u32>, merges: &[&str], ignore_merges: bool) -> Result<BPE, ModelError> {
    let bad = |problem| ModelError::BadTokenizer { problem, source: None };
    // A byte may lack a token (SmolLM2 has none for 21 of them); the library leaves such bytes out, as the reference does.
    let mut pairs = Vec::with_capacity(merges.len());
    for merge in merges {
        let (left, right) = merge.split_once(' ').ok_or_else(|| bad("a merge is not two tokens"))?;
        let merged = format!("{left}{right}");
        if ![left, right, merged.as_str()].iter().all(|token| vocab.contains_key(token)) {
            return Err(bad("a merge names a token that is not in the vocabulary"));
        }
        pairs.push((left.to_owned(), right.to_owned()));
    }
    let vocab: Vocab = vocab.iter().map(|(&token, &id)| (token.to_owned(), id)).collect();
    BPE::builder()
        .vocab_and_merges(vocab, pairs)
        .ignore_merges(ignore_merges)
        .cache_capacity(0)
        .build()
        .map_err(|source| ModelError::BadTokenizer { problem: "its merges cannot be used", source: Some(source) })
}

/// Decodes a text that arrives token by token; a character is given out when its last byte is there.
#[derive(Debug)]
pub struct DecodeStream<'a> {
    tokenizer: &'a Tokenizer,
    decoding: Decoding,
}

impl DecodeStream<'_> {
    /// Adds a token and returns the text that is now certain, which may be empty.
    pub fn push(&mut self, id: u32) -> String {
        self.decoding.push(self.tokenizer, id)
    }

    /// Ends the text; an unfinished character becomes U+FFFD.
    pub fn finish(self) -> String {
        self.decoding.finish()
    }
}

/// Where such a text stands, for whoever has the tokenizer at hand.
#[derive(Debug, Default)]
pub(crate) struct Decoding {
    pending: Vec<u8>,
    /// Whether the next byte is the first, and a space that nobody wrote.
    begins: bool,
}

impl Decoding {
    /// At the beginning of a text.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Self {
        Self { pending: Vec::new(), begins: tokenizer.space_prefix }
    }

    /// See [`DecodeStream::push`].
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        let mut bytes = tokenizer.token_bytes(id);
        if self.begins && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.begins = false;
        }
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let (valid, rest) = self.pending.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    // Bytes that no further byte can complete become one U+FFFD, as `decode` makes them.
                    let bad = error.error_len();
                    let keep = rest[bad.unwrap_or(0)..].to_vec();
                    self.pending = keep;
                    if bad.is_none() {
                        return text;
                    }
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }

    /// See [`DecodeStream::finish`].
    pub(crate) fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
