//! Several members of one anchor as one sparse model (branch-train-mix, Sukhbaatar et al. 2024).
//!
//! Every member's feed-forward layers become experts beside the anchor's own; attention, norms, embeddings and head are the
//! mean of the members' or the anchor's; a router says for each token which experts it uses. So nothing of what a member
//! learned in its feed-forward layers is averaged away, and the result has more parameters than any of them. It is written
//! in Mixtral's layout, which `transformers` and our decoder read.

mod draft;
mod gguf;
mod layout;
mod plan;
mod route;

pub use draft::{ExpertsDraft, OpenedExperts};
pub use gguf::experts_to_gguf;
pub(crate) use route::Route;
pub use route::Router;

use crate::{
    ComposeError, Composed, Float, Options, Progress, Sources, Whose,
    compose::{VERSION, Work},
    error::recipe,
    recipe::{hashed, no_anchor, parsed},
    source::beside,
};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};
use std::{ops::ControlFlow, path::Path};

/// Experts accepted in one recipe, as in the decoder that reads the result.
const EXPERTS_MAX: usize = 1024;

/// What everything but the feed-forward layers is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// The mean of the members' weights.
    #[default]
    Average,
    /// The anchor's weights.
    Anchor,
}

/// Which models become the experts of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// The weights that all members were tuned from, and whose configuration and tokenizer the result has.
    pub anchor: Hash,
    /// Whose feed-forward layers are experts, in the order of their hashes.
    pub members: Vec<Hash>,
    /// Whether the anchor's own feed-forward layers are an expert too, the first.
    #[serde(default = "yes")]
    pub with_anchor: bool,
    /// Experts that a token uses; all of them where there are fewer.
    #[serde(default = "two")]
    pub used: usize,
    /// What attention, norms, embeddings and head are made of.
    #[serde(default)]
    pub attention: Shared,
    /// What the members' mean difference from the anchor is multiplied with in those; 1 is the plain mean.
    #[serde(default = "one")]
    pub scale: f32,
    /// The format of the result; each tensor's format in the anchor where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<Float>,
}

const fn yes() -> bool {
    true
}

const fn two() -> usize {
    2
}

const fn one() -> f32 {
    1.0
}

impl Experts {
    /// The anchor with these members.
    #[must_use]
    pub fn new(anchor: Hash, members: impl IntoIterator<Item = Hash>) -> Self {
        let mut members: Vec<Hash> = members.into_iter().collect();
        members.sort_unstable();
        let (with_anchor, used, scale) = (yes(), two(), one());
        Self { anchor, members, with_anchor, used, attention: Shared::default(), scale, dtype: None }
    }

    /// Reads a recipe from JSON, as serde writes it, and checks it.
    ///
    /// # Errors
    /// Where it is malformed or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, ComposeError> {
        let found: Self = parsed(text)?;
        found.check()?;
        Ok(found.ordered())
    }

    fn ordered(mut self) -> Self {
        self.members.sort_unstable();
        self
    }

    /// Everybody whose weights are needed: the anchor first.
    pub fn needed(&self) -> impl Iterator<Item = Hash> {
        std::iter::once(self.anchor).chain(self.members.iter().copied())
    }

    /// Whose feed-forward layers are which expert: the anchor's first where it is one, then the members' in the order of
    /// their hashes.
    #[must_use]
    pub fn experts(&self) -> Vec<Whose> {
        let mut members = self.members.clone();
        members.sort_unstable();
        let anchor = self.with_anchor.then_some(Whose::Anchor);
        anchor.into_iter().chain(members.into_iter().map(Whose::Member)).collect()
    }

    /// BLAKE3 over all of it; the same for the same members in any order.
    ///
    /// # Errors
    /// Where the recipe contradicts itself.
    pub fn hash(&self) -> Result<Hash, ComposeError> {
        self.check()?;
        hashed("hinet/compose/experts/v1", &self.clone().ordered())
    }

    /// The recipe that never had this member. Its expert goes, and what is averaged is averaged without it.
    ///
    /// # Errors
    /// Where it is no member or the anchor, or nobody is left to be an expert.
    pub fn leave(&self, who: Hash) -> Result<Self, ComposeError> {
        no_anchor(who, self.anchor)?;
        let mut left = self.clone().ordered();
        left.members.retain(|member| *member != who);
        if left.members.len() == self.members.len() {
            return Err(ComposeError::NoMember { hash: who });
        }
        left.check()?;
        Ok(left)
    }

    /// Checks what can be checked without the weights.
    ///
    /// # Errors
    /// Where the recipe contradicts itself, with a hint.
    pub fn check(&self) -> Result<(), ComposeError> {
        let experts = self.experts();
        if experts.is_empty() {
            return Err(recipe("nobody is left to be an expert; name a member, or let the anchor be one"));
        }
        if experts.len() > EXPERTS_MAX {
            return Err(recipe(format!("it has more than {EXPERTS_MAX} experts; merge some of the members first")));
        }
        if let Some(pair) = experts.windows(2).find(|pair| pair[0] == pair[1])
            && let Whose::Member(hash) = pair[0]
        {
            return Err(recipe(format!("it names the weights {hash} twice; one expert is enough")));
        }
        if self.members.contains(&self.anchor) {
            return Err(recipe("its anchor is among its members; say with_anchor to have it as an expert"));
        }
        if self.used == 0 {
            return Err(recipe("a token uses no expert; let it use one or more"));
        }
        if !self.scale.is_finite() {
            return Err(recipe("\"scale\" is not a finite number; 1 is the plain mean"));
        }
        Ok(())
    }
}

/// Composes a sparse model into the folder `place`, which must not be there; stopping, going on and what is left after an
/// error are as for [`crate::compose`]. The configuration comes from [`Options::files`] or the anchor.
///
/// # Errors
/// Where Mixtral's layout cannot carry the anchor, the recipe cannot be done with these sources, rows of the router do not
/// fit, a source is damaged, or the result cannot be written.
pub fn compose_experts(
    recipe: &Experts,
    sources: &Sources,
    router: &dyn Router,
    place: &Path,
    options: &Options<'_>,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<Composed, ComposeError> {
    let hash = recipe.hash()?;
    let anchor = sources.get(&recipe.anchor).ok_or(ComposeError::Absent { hash: recipe.anchor })?;
    let layout = layout::Layout::of(anchor.as_ref(), options.files.as_deref())?;
    let jobs = plan::plan(recipe, sources, &layout, router)?;
    let config = layout.config(recipe, &jobs);
    let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/experts/identity/v1");
    hasher.update(&VERSION.to_le_bytes()).update(&hash.0).update(&router.hash(&recipe.experts()).0);
    let identity = Hash(*hasher.finalize().as_bytes());
    let beside = match &options.files {
        Some(folder) => beside(Some(folder))?,
        None => anchor.beside()?,
    };
    Work { recipe: hash, identity, jobs, grams: None, config: Some(config), beside }.write(place, options, progress)
}
