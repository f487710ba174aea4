//! Sentence vectors: WordPiece, the encoder, mean pooling, unit length.
//!
//! A text's vector depends on the text alone: the same bits come out in any batch, order, thread count or processor.
//! Special tokens spelled in a text stay text.

use crate::ModelError;
use crate::bert::{Bert, Kernel};
use crate::registry::{ModelEntry, ModelPaths, Sha256Digest};
use hinet_protocol::Hash;
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;
use tokenizers::{Tokenizer, TruncationParams};

/// Longest text in tokens, `[CLS]` and `[SEP]` included, as the model was trained.
const TOKENS_MAX: usize = 256;
/// Bytes of a text that are looked at; 256 tokens of prose are about 1,200.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Tokens that go through the encoder together: enough rows for every weight that is fetched, few enough that the
/// activations stay in the cache and that two cores both have work.
const BATCH_TOKENS: usize = 384;
/// Changes when the same weights and tokenizer would give other vectors than before.
const HASH_DOMAIN: &str = "hinet/embedder/v1 mean-pooled l2 256 tokens";

/// Turns texts into vectors of unit length. Cheap to clone.
#[derive(Clone)]
pub struct Embedder {
    shared: Arc<Shared>,
}

struct Shared {
    bert: Bert,
    tokenizer: Tokenizer,
    hash: Hash,
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedder({})", self.shared.hash)
    }
}

impl Embedder {
    /// Loads the model, checking every byte against the list of models.
    pub fn load(paths: &ModelPaths) -> Result<Self, ModelError> {
        let (weights, config) = (paths.open("model.safetensors")?, paths.open("config.json")?);
        let tokenizer = paths.open("tokenizer.json")?;
        let bert = Bert::load(&config, &weights, Kernel::detect())?;
        let tokenizer = plain_tokenizer(&tokenizer)?;
        if tokenizer.get_vocab_size(true) > bert.config().vocab_size {
            return Err(ModelError::BadEmbedder { problem: "its tokenizer has more tokens than its weights" });
        }
        if bert.config().max_position_embeddings < TOKENS_MAX {
            return Err(ModelError::BadEmbedder { problem: "it reads fewer than 256 tokens" });
        }
        let hash = Self::hash_of(paths.entry())?;
        Ok(Self { shared: Arc::new(Shared { bert, tokenizer, hash }) })
    }

    /// What [`Embedder::hash`] will be, known from the list of models without loading anything.
    ///
    /// # Errors
    /// Where the entry is not an embedder's.
    pub fn hash_of(entry: &ModelEntry) -> Result<Hash, ModelError> {
        let mut hasher = blake3::Hasher::new_derive_key(HASH_DOMAIN);
        for suffix in ["model.safetensors", "config.json", "tokenizer.json"] {
            let file = entry.file(suffix)?;
            let pin = file.pin.ok_or(ModelError::BadEmbedder { problem: "the list of models has no hash for it" })?;
            let Sha256Digest(digest) = pin.sha256;
            hasher.update(&digest);
        }
        Ok(Hash(*hasher.finalize().as_bytes()))
    }

    /// Identifies weights, tokenizer and pooling: vectors of different hashes must not be compared.
    pub fn hash(&self) -> Hash {
        self.shared.hash
    }

    /// Numbers in a vector.
    pub fn dim(&self) -> usize {
        self.shared.bert.config().hidden_size
    }

    /// The token ids the encoder reads for `text`.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.shared.tokenizer.encode_fast(head(text), true);
        let encoding = encoding
            .map_err(|source| ModelError::BadTokenizer { problem: "a text cannot be encoded", source: Some(source) })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// One vector of unit length per text, in order. All cores are used; texts are cut at 256 tokens.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let tokens: Result<Vec<_>, _> = texts.par_iter().with_min_len(8).map(|text| self.tokens(text)).collect();
        let tokens = tokens?;
        // Texts of like length share a batch, so that no thread is left with one long tail of work.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(tokens[i].len()));
        let batches = batches(&order, |i| tokens[i].len());
        let pooled: Vec<Vec<Vec<f32>>> = batches
            .par_iter()
            .map(|batch| {
                let ids: Vec<&[u32]> = batch.iter().map(|&i| tokens[i].as_slice()).collect();
                self.shared.bert.mean_pooled(&ids)
            })
            .collect();
        let mut vectors = vec![Vec::new(); texts.len()];
        for (&at, mut vector) in order.iter().zip(pooled.into_iter().flatten()) {
            normalise(&mut vector)?;
            vectors[at] = vector;
        }
        Ok(vectors)
    }
}

/// Cuts `order` into runs of at most [`BATCH_TOKENS`] tokens; a longer text is a run of its own.
fn batches(order: &[usize], length: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut runs = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (at, &i) in order.iter().enumerate() {
        if at > start && tokens + length(i) > BATCH_TOKENS {
            runs.push(&order[start..at]);
            (start, tokens) = (at, 0);
        }
        tokens += length(i);
    }
    if start < order.len() {
        runs.push(&order[start..]);
    }
    runs
}

/// The part of a text that is looked at.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// The model's tokenizer without padding, cut at 256 tokens, blind to special tokens spelled in a text.
fn plain_tokenizer(json: &[u8]) -> Result<Tokenizer, ModelError> {
    let bad = |source| ModelError::BadTokenizer { problem: "tokenizer.json cannot be used", source: Some(source) };
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(bad)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(Some(TruncationParams { max_length: TOKENS_MAX, ..Default::default() })).map_err(bad)?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Scales a vector to unit length.
fn normalise(vector: &mut [f32]) -> Result<(), ModelError> {
    let length = vector.iter().fold(0.0f64, |sum, &x| f64::from(x).mul_add(f64::from(x), sum)).sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(ModelError::Diverged);
    }
    #[allow(clippy::cast_possible_truncation, reason = "a unit vector is stored in single precision")]
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_text_once_and_are_bounded() {
        let lengths = [256, 256, 200, 184, 100, 100, 100, 100, 5];
        let order: Vec<usize> = (0..lengths.len()).collect();
        let runs = batches(&order, |i| lengths[i]);
        assert_eq!(runs.concat(), order);
        assert!(runs.iter().all(|run| run.iter().map(|&i| lengths[i]).sum::<usize>() <= BATCH_TOKENS));
        assert!(batches(&[], |_| 1).is_empty());
    }
}
