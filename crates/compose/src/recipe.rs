//! A recipe: everything that decides a merged model, without the weights themselves.
//!
//! Members are named by the hashes of their weights and stand in the order of those, so a recipe does not remember who
//! came first. Leaving makes the recipe that never had the member, and the model is made anew from it: nothing is
//! subtracted.

use crate::{
    ComposeError, Float, Method,
    error::recipe,
    setting::{Parameters, Setting},
};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Members accepted in one recipe.
const MEMBERS_MAX: usize = 4096;
/// Slices accepted in one recipe.
const SLICES_MAX: usize = 4096;

/// How several models become one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The weights that differences are counted from, and whose configuration and tokenizer the result has.
    pub anchor: Hash,
    /// Who takes part, in the order of their hashes.
    pub members: Vec<Member>,
    /// From which layers the result is built, first to last; all layers of all members where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
    /// The method.
    pub method: Method,
    /// Parameters where a member or slice does not say otherwise.
    #[serde(default)]
    pub parameters: Parameters,
    /// What lots are drawn from.
    #[serde(default)]
    pub seed: u64,
    /// The format of the result; each tensor's format in the anchor where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<Float>,
    /// Parameters that were tuned with exactly these members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<Tuned>,
}

/// One who takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The hash of its weights.
    pub hash: Hash,
    /// Its own parameters, such as `weight` and `density`.
    #[serde(default)]
    pub parameters: Parameters,
}

/// Some layers of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Whose layers they are merged from, in the order of the hashes.
    pub sources: Vec<SliceSource>,
    /// Parameters of these layers.
    #[serde(default)]
    pub parameters: Parameters,
}

/// Some layers of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SliceSource {
    /// Whose.
    pub hash: Hash,
    /// The first layer, and the one after the last.
    pub layers: (usize, usize),
    /// Parameters of these layers.
    #[serde(default)]
    pub parameters: Parameters,
}

/// Parameters that somebody tuned for a set of members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// The members at that time, in the order of their hashes.
    pub with: Vec<Hash>,
    /// What was found, which goes before the recipe's own parameters.
    pub parameters: Parameters,
}

/// A recipe of any kind from JSON; whoever asks checks it.
pub(crate) fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ComposeError> {
    serde_json::from_str(text).map_err(|error| recipe(format!("it is malformed ({error})")))
}

/// BLAKE3 over a recipe of any kind, which is in order.
pub(crate) fn hashed(context: &str, all: &impl Serialize) -> Result<Hash, ComposeError> {
    let json = serde_json::to_vec(all).map_err(|error| recipe(format!("it cannot be written down ({error})")))?;
    let mut hasher = blake3::Hasher::new_derive_key(context);
    Ok(Hash(*hasher.update(&json).finalize().as_bytes()))
}

/// Refuses that a recipe's anchor leaves it.
pub(crate) fn no_anchor(who: Hash, anchor: Hash) -> Result<(), ComposeError> {
    if who == anchor {
        return Err(recipe(format!(
            "{who} is its anchor, which everything is counted from; write a recipe with another"
        )));
    }
    Ok(())
}

impl Recipe {
    /// A recipe without members.
    #[must_use]
    pub fn new(anchor: Hash, method: Method) -> Self {
        Self {
            anchor,
            members: Vec::new(),
            slices: Vec::new(),
            method,
            parameters: Parameters::new(),
            seed: 0,
            dtype: None,
            tuned: None,
        }
    }

    /// The same with a member more. What was tuned with the others is to be tuned again.
    #[must_use]
    pub fn with(mut self, hash: Hash, parameters: impl IntoIterator<Item = (&'static str, f32)>) -> Self {
        let parameters = parameters.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
        self.members.push(Member { hash, parameters });
        self.tuned = None;
        self.ordered()
    }

    /// Reads a recipe from JSON, as serde writes it, and checks it.
    ///
    /// # Errors
    /// Where it is malformed or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, ComposeError> {
        let found = parsed::<Self>(text)?.ordered();
        found.check()?;
        Ok(found)
    }

    /// The same with members and sources in the order of their hashes.
    pub(crate) fn ordered(mut self) -> Self {
        self.members.sort_by_key(|member| member.hash);
        self.slices.iter_mut().for_each(|slice| slice.sources.sort_by_key(|source| source.hash));
        self
    }

    /// Everybody whose weights are needed: the anchor first.
    pub fn needed(&self) -> impl Iterator<Item = Hash> {
        let sources = self.slices.iter().flat_map(|slice| &slice.sources).map(|source| source.hash);
        std::iter::once(self.anchor).chain(self.members.iter().map(|member| member.hash)).chain(sources)
    }

    /// Everybody who takes part, each once, in the order of their hashes; the anchor too where it is named as a source.
    #[must_use]
    pub fn who(&self) -> Vec<Hash> {
        let sources = self.slices.iter().flat_map(|slice| &slice.sources).map(|source| source.hash);
        let mut all: Vec<Hash> = self.members.iter().map(|member| member.hash).chain(sources).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// BLAKE3 over all of it; the same for the same members in any order.
    ///
    /// # Errors
    /// Where the recipe contradicts itself.
    pub fn hash(&self) -> Result<Hash, ComposeError> {
        self.check()?;
        hashed("hinet/compose/recipe/v1", &self.clone().ordered())
    }

    /// The recipe that never had this member. What was tuned with it is not kept, and is to be tuned again.
    ///
    /// # Errors
    /// Where it is no member or the anchor, or a slice has no other source.
    pub fn leave(&self, who: Hash) -> Result<Self, ComposeError> {
        no_anchor(who, self.anchor)?;
        let mut left = self.clone().ordered();
        let before = left.members.len() + left.slices.iter().map(|slice| slice.sources.len()).sum::<usize>();
        left.members.retain(|member| member.hash != who);
        left.slices.iter_mut().for_each(|slice| slice.sources.retain(|source| source.hash != who));
        let after = left.members.len() + left.slices.iter().map(|slice| slice.sources.len()).sum::<usize>();
        if before == after {
            return Err(ComposeError::NoMember { hash: who });
        }
        if left.slices.iter().any(|slice| slice.sources.is_empty()) {
            return Err(recipe("some of its layers come from this member alone; write a recipe without those layers"));
        }
        left.tuned = None;
        left.check()?;
        Ok(left)
    }

    /// Checks what can be checked without the weights.
    ///
    /// # Errors
    /// Where the recipe contradicts itself, with a hint.
    pub fn check(&self) -> Result<(), ComposeError> {
        if self.members.len() > MEMBERS_MAX || self.slices.len() > SLICES_MAX {
            return Err(recipe("it has more members or slices than any real one"));
        }
        let twice = |mut all: Vec<Hash>| {
            all.sort_unstable();
            all.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
        };
        let lists = std::iter::once(self.members.iter().map(|member| member.hash).collect())
            .chain(self.slices.iter().map(|slice| slice.sources.iter().map(|source| source.hash).collect()));
        for list in lists {
            if let Some(hash) = twice(list) {
                return Err(recipe(format!("it names the weights {hash} twice in one place; give them one weight")));
            }
        }
        if !self.slices.is_empty() && !self.members.is_empty() {
            return Err(recipe("it has both members and slices; say it in one of the two ways"));
        }
        for slice in &self.slices {
            let count = |source: &SliceSource| source.layers.1.checked_sub(source.layers.0).filter(|n| *n > 0);
            let Some(first) = slice.sources.first().map(count) else {
                return Err(recipe("one of its slices has no source"));
            };
            if first.is_none() || slice.sources.iter().any(|source| count(source) != first) {
                return Err(recipe("the sources of a slice have different numbers of layers, or none"));
            }
        }
        let own = self.members.iter().map(|member| &member.parameters);
        let slices = self.slices.iter().map(|slice| &slice.parameters);
        let sources = self.slices.iter().flat_map(|slice| &slice.sources).map(|source| &source.parameters);
        let tuned = self.tuned.iter().map(|tuned| &tuned.parameters);
        for (name, setting) in own.chain(slices).chain(sources).chain(tuned).chain([&self.parameters]).flatten() {
            if !self.method.knows(name) {
                return Err(ComposeError::Unsupported { key: format!("parameters.{name}") });
            }
            if !Setting::finite(setting) {
                return Err(recipe(format!("\"{name}\" is empty or holds numbers that are not finite")));
            }
        }
        if self.tuned.as_ref().is_some_and(|tuned| tuned.with != self.who()) {
            return Err(recipe("it was tuned with other members; tune it again"));
        }
        Ok(())
    }
}
