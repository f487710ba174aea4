//! Parameters of a merge: numbers that may differ from layer to layer and from tensor to tensor.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parameters by name.
pub type Parameters = BTreeMap<String, Setting>;

/// What a parameter is, or how it changes over the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// The same everywhere; of a switch, 1 is on and 0 is off.
    Number(f32),
    /// A name, for what has names.
    Text(String),
    /// From the first layer to the last, straight between these, which lie at equal distances.
    Gradient(Vec<f32>),
    /// The first of these whose filter is part of the tensor's name.
    Filtered(Vec<Filtered>),
}

/// A setting for some tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filtered {
    /// What the tensor's name must contain; all tensors where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The setting.
    pub value: Setting,
}

/// A setting at one tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Number(f32),
    Text(String),
}

impl Setting {
    /// What it is for a tensor that lies at `t` of its slice, from 0 (first layer) to 1 (last).
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a gradient has a few numbers"
    )]
    pub(crate) fn at(&self, tensor: &str, t: f32) -> Option<Scalar> {
        match self {
            Self::Number(number) => Some(Scalar::Number(*number)),
            Self::Text(text) => Some(Scalar::Text(text.clone())),
            Self::Gradient(numbers) => {
                let place = t * (numbers.len().checked_sub(1)? as f32);
                let before = place.floor() as usize;
                let (from, to) = (numbers.get(before)?, numbers[(before + 1).min(numbers.len() - 1)]);
                let part = place - before as f32;
                Some(Scalar::Number((1.0 - part) * from + part * to))
            }
            Self::Filtered(all) => {
                let fits = |one: &&Filtered| {
                    one.filter.as_deref().is_none_or(|filter| filter == "*" || tensor.contains(filter))
                };
                all.iter().find(fits)?.value.at(tensor, t)
            }
        }
    }

    /// Whether all its numbers are finite.
    pub(crate) fn finite(&self) -> bool {
        match self {
            Self::Number(number) => number.is_finite(),
            Self::Text(_) => true,
            Self::Gradient(numbers) => !numbers.is_empty() && numbers.iter().all(|number| number.is_finite()),
            Self::Filtered(all) => !all.is_empty() && all.iter().all(|one| one.value.finite()),
        }
    }
}

impl From<f32> for Setting {
    fn from(number: f32) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(setting: &Setting, tensor: &str, t: f32) -> Option<f32> {
        match setting.at(tensor, t)? {
            Scalar::Number(number) => Some(number),
            Scalar::Text(_) => None,
        }
    }

    #[test]
    fn gradients_and_filters_are_followed() {
        let gradient = Setting::Gradient(vec![0.0, 1.0, 0.5]);
        for (t, expected) in [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.75, 0.75), (1.0, 0.5)] {
            assert_eq!(number(&gradient, "w", t), Some(expected), "{t}");
        }
        let filtered = Setting::Filtered(vec![
            Filtered { filter: Some("mlp".into()), value: gradient },
            Filtered { filter: None, value: 0.25.into() },
        ]);
        assert_eq!(number(&filtered, "model.layers.0.mlp.up_proj.weight", 1.0), Some(0.5));
        assert_eq!(number(&filtered, "model.norm.weight", 1.0), Some(0.25));
        let text = serde_json::to_string(&filtered).unwrap();
        assert_eq!(serde_json::from_str::<Setting>(&text).unwrap(), filtered);
    }
}
