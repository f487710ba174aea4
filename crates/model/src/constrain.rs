//! Answers of a given form: JSON of a schema, a regular expression, or a grammar.
//!
//! Before each token the grammar says which tokens may follow; all others lose their probability, and what is left is
//! drawn as always. The automaton is llguidance's. Its limits bound what a hostile schema can cost, and its errors never
//! repeat what was written so far.

use crate::{ModelError, Tokenizer};
use llguidance::{
    Matcher, ParserFactory,
    api::{ParserLimits, TopLevelGrammar},
    toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie},
};
use std::sync::Arc;

/// Longest grammar or schema accepted, in bytes.
const SOURCE_MAX: usize = 1 << 20;
/// Lexer states kept; about two kilobytes each.
const STATES_MAX: usize = 50_000;

/// The form an answer must have.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// JSON that a schema admits.
    JsonSchema(serde_json::Value),
    /// Text that a regular expression matches as a whole.
    Regex(String),
    /// Text of a grammar in llguidance's dialect of Lark.
    Grammar(String),
}

impl Form {
    /// A schema from its text.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub fn json_schema(text: &str) -> Result<Self, ModelError> {
        let schema = serde_json::from_str(text).map_err(|error| ModelError::Form { problem: error.to_string() })?;
        Ok(Self::JsonSchema(schema))
    }

    fn size(&self) -> usize {
        match self {
            Self::JsonSchema(schema) => schema.to_string().len(),
            Self::Regex(text) | Self::Grammar(text) => text.len(),
        }
    }
}

/// What a vocabulary is to a grammar; made once for a model.
pub(crate) struct Forms(ParserFactory);

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forms")
    }
}

impl Forms {
    /// The bytes of every token; `end` is what stands for the end of an answer.
    pub(crate) fn new(tokenizer: &Tokenizer, end: u32) -> Result<Self, ModelError> {
        let count = u32::try_from(tokenizer.vocabulary()).unwrap_or(u32::MAX);
        let words: Vec<Vec<u8>> = (0..count).map(|id| tokenizer.token_bytes(id).to_vec()).collect();
        let trie = TokTrie::from(&TokRxInfo::new(count, end), &words);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&env).map_err(|error| said(&error))?;
        factory.quiet();
        *factory.limits_mut() =
            ParserLimits { verbose_errors: false, max_lexer_states: STATES_MAX, ..ParserLimits::default() };
        Ok(Self(factory))
    }

    /// A fresh automaton for a form.
    ///
    /// # Errors
    /// Where the form is too large, is not understood, or admits nothing.
    pub(crate) fn constraint(&self, form: &Form) -> Result<Constraint, ModelError> {
        if form.size() > SOURCE_MAX {
            return Err(ModelError::Form { problem: format!("it is longer than {SOURCE_MAX} bytes") });
        }
        let grammar = match form {
            Form::JsonSchema(schema) => TopLevelGrammar::from_json_schema(without_gaps(schema)),
            Form::Regex(text) => TopLevelGrammar::from_regex(text),
            Form::Grammar(text) => TopLevelGrammar::from_lark(text.clone()),
        };
        let matcher = Matcher::new(self.0.create_parser(grammar));
        match matcher.get_error() {
            Some(problem) => Err(ModelError::Form { problem }),
            None => Ok(Constraint { matcher }),
        }
    }
}

/// The schema with one way to write spaces, unless it says itself: where any number of them is allowed, a small model may
/// write nothing else.
fn without_gaps(schema: &serde_json::Value) -> serde_json::Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.entry("x-guidance").or_insert_with(|| serde_json::json!({ "whitespace_flexible": false }));
    }
    schema
}

/// Where an answer stands in its form.
pub(crate) struct Constraint {
    matcher: Matcher,
}

impl Constraint {
    /// Whether the form is complete and nothing can follow.
    pub(crate) fn is_over(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// Takes all probability from tokens that may not follow. `ends` are the tokens that end an answer: where the form
    /// admits an end, each of them does.
    pub(crate) fn mask(&mut self, logits: &mut [f32], ends: &[u32], end: u32) -> Result<(), ModelError> {
        let allowed: SimpleVob = self.matcher.compute_mask_or_eos().map_err(|error| said(&error))?;
        let may_end = allowed.is_allowed(end);
        for (id, logit) in (0u32..).zip(logits.iter_mut()) {
            let may =
                if ends.contains(&id) { may_end } else { (id as usize) < allowed.len() && allowed.is_allowed(id) };
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    /// Goes on by a token that the mask admitted.
    pub(crate) fn push(&mut self, token: u32) -> Result<(), ModelError> {
        self.matcher.consume_token(token).map_err(|error| said(&error))
    }
}

fn said(error: &impl std::fmt::Display) -> ModelError {
    ModelError::Form { problem: error.to_string() }
}
