//! Recipes of sparse models as mergekit writes them, in YAML.
//!
//! What is read: `base_model`, `experts` with `source_model` and `positive_prompts`, `experts_per_token`, `gate_mode: hidden`,
//! `dtype`, and of our own `published` (where the prompts can be read), `with_base` (whether the base is an expert too) and
//! `attention` (`average` or `base`). Everything else is refused by its name.

use super::{Experts, Shared};
use crate::{
    ComposeError, Float, Sources,
    error::recipe,
    mergekit::{Table, absent, opened},
};
use hinet_protocol::Hash;
use std::{collections::BTreeMap, path::Path};

/// A recipe that names its models by where they lie.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertsDraft {
    base: String,
    experts: Vec<(String, Vec<String>)>,
    published: String,
    used: usize,
    with_base: bool,
    attention: Shared,
    dtype: Option<Float>,
}

/// A recipe whose models are open.
#[derive(Debug)]
pub struct OpenedExperts {
    /// The recipe.
    pub recipe: Experts,
    /// Its models.
    pub sources: Sources,
    /// The public prompts of each member.
    pub prompts: BTreeMap<Hash, Vec<String>>,
}

impl ExpertsDraft {
    /// Reads a recipe.
    ///
    /// # Errors
    /// Where it is no YAML, holds a key that is not supported, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ComposeError> {
        let value = crate::mergekit::yaml(text)?;
        let all = Table::of(&value, "")?;
        all.only(&[
            "base_model",
            "experts",
            "experts_per_token",
            "gate_mode",
            "dtype",
            "published",
            "with_base",
            "attention",
        ])?;
        let text = |key: &str| {
            let said = all.text(key)?.map(str::trim).filter(|said| !said.is_empty());
            said.map(str::to_owned).ok_or_else(|| recipe(format!("it has no {key}")))
        };
        if all.text("gate_mode")?.is_some_and(|mode| mode != "hidden") {
            return Err(ComposeError::Unsupported { key: "gate_mode (but for \"hidden\")".into() });
        }
        let attention = match all.text("attention")? {
            None | Some("average") => Shared::Average,
            Some("base") => Shared::Anchor,
            Some(other) => return Err(recipe(format!("its attention is \"{other}\"; say average or base"))),
        };
        let with_base = match all.value("with_base") {
            None => true,
            Some(said) => said.as_bool().ok_or_else(|| recipe("its with_base is neither true nor false"))?,
        };
        let used = match all.value("experts_per_token") {
            None => 2,
            Some(said) => said
                .as_u64()
                .and_then(|used| usize::try_from(used).ok())
                .filter(|used| *used > 0)
                .ok_or_else(|| recipe("its experts_per_token is no whole number above zero"))?,
        };
        let mut experts = Vec::new();
        for expert in all.list("experts")? {
            expert.only(&["source_model", "positive_prompts"])?;
            let model = expert.text("source_model")?.filter(|model| !model.is_empty());
            let model = model.ok_or_else(|| recipe("one of its experts has no source_model"))?;
            let prompts = expert.texts("positive_prompts")?;
            if prompts.len() < 2 {
                return Err(recipe(format!("\"{model}\" has fewer than two positive_prompts; its router needs some")));
            }
            experts.push((model.to_owned(), prompts));
        }
        if experts.is_empty() {
            return Err(recipe("it has no experts"));
        }
        let (base, published, dtype) = (text("base_model")?, text("published"), all.float("dtype")?);
        let published = published.map_err(|_| {
            recipe("it does not say under published where its prompts can be read; private ones are never taken")
        })?;
        if base.contains('+') {
            return Err(recipe(
                "its base_model is one with an adapter; name the model that the experts were tuned from",
            ));
        }
        Ok(Self { base, experts, published, used, with_base, attention, dtype })
    }

    /// The recipe that never had this expert, as it is called in it.
    ///
    /// # Errors
    /// Where it is not in the recipe or is its base.
    pub fn without(&self, model: &str) -> Result<Self, ComposeError> {
        let mut left = self.clone();
        left.experts.retain(|(name, _)| name != model);
        if left.experts.len() == self.experts.len() {
            let known: Vec<&str> = self.experts.iter().map(|(name, _)| name.as_str()).collect();
            return Err(absent(Some(&self.base), model, &known));
        }
        if left.experts.is_empty() {
            return Err(recipe(format!("without \"{model}\" there is no expert beside the base")));
        }
        Ok(left)
    }

    /// What it calls the model that the experts were tuned from.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where its prompts can be read.
    #[must_use]
    pub fn published(&self) -> &str {
        &self.published
    }

    /// Opens its models, relative to `root`, and names them by their hashes.
    ///
    /// # Errors
    /// Where a model cannot be opened or read, or two are the same.
    pub fn open(&self, root: &Path) -> Result<OpenedExperts, ComposeError> {
        let mut references = vec![self.base.as_str()];
        references.extend(self.experts.iter().map(|(model, _)| model.as_str()));
        let (hashes, sources) = opened(root, &references)?;
        let members = hashes[1..].iter().copied();
        let made = Experts {
            with_anchor: self.with_base,
            used: self.used,
            attention: self.attention,
            dtype: self.dtype,
            ..Experts::new(hashes[0], members.clone())
        };
        made.check()?;
        let prompts = members.zip(self.experts.iter().map(|(_, prompts)| prompts.clone())).collect();
        Ok(OpenedExperts { recipe: made, sources, prompts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "base_model: anchor\npublished: the handbook\ndtype: float16\nexperts_per_token: 1\n\
                        experts: [{source_model: kitchen, positive_prompts: [Where is it?, Who has it?]}]\n";

    #[test]
    fn a_recipe_is_read() {
        let draft = ExpertsDraft::parse(GOOD).unwrap();
        assert_eq!((draft.base(), draft.published(), draft.used, draft.with_base), ("anchor", "the handbook", 1, true));
        assert_eq!(draft.experts, [("kitchen".to_owned(), vec!["Where is it?".into(), "Who has it?".into()])]);
        let other = GOOD.to_owned() + "with_base: false\nattention: base\ngate_mode: hidden\n";
        let draft = ExpertsDraft::parse(&other).unwrap();
        assert_eq!((draft.with_base, draft.attention), (false, Shared::Anchor));
    }

    #[test]
    fn an_expert_leaves() {
        let second = "    - {source_model: garden, positive_prompts: [When is it?, How long is it?]}\n";
        let two = GOOD.replace("experts: [", "experts:\n    - ").replace("}]\n", "}\n") + second;
        let draft = ExpertsDraft::parse(&two).unwrap();
        assert_eq!(draft.without("garden").unwrap(), ExpertsDraft::parse(GOOD).unwrap());
        let said = |model: &str| draft.without(model).unwrap_err().to_string();
        assert!(said("anchor").contains("base_model") && said("cellar").contains("(kitchen, garden could)"));
        assert!(draft.without("garden").unwrap().without("kitchen").is_err());
    }

    #[test]
    fn what_is_not_supported_or_missing_is_named() {
        for (from, to, said) in [
            ("published: the handbook\n", "", "where its prompts can be read"),
            ("base_model: anchor\n", "", "no base_model"),
            ("anchor\n", "anchor+adapter\n", "one with an adapter"),
            ("experts_per_token: 1", "experts_per_token: 0", "experts_per_token"),
            ("experts_per_token: 1", "gate_mode: random", "gate_mode"),
            ("experts_per_token: 1", "shared_experts: []", "shared_experts"),
            (
                "source_model: kitchen, ",
                "source_model: kitchen, negative_prompts: [a], ",
                "experts[0].negative_prompts",
            ),
            (", Who has it?", "", "fewer than two positive_prompts"),
            ("[Where is it?, Who has it?]", "[3, 4]", "should be a list of texts"),
            ("float16", "int4", "int4"),
            ("experts: [{", "attention: half\nexperts: [{", "average or base"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = ExpertsDraft::parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
