//! A base with an adapter of Hugging Face PEFT folded into it, row by row, in floats.

use super::{Info, Source};
use crate::{ComposeError, Float, error::member};
use hinet_model::{
    Delta,
    delta::{Factors, Linear, Place},
};
use hinet_protocol::Hash;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A base with a delta.
pub struct Adapted {
    base: Arc<dyn Source>,
    delta: Delta,
    path: PathBuf,
    tensors: BTreeMap<String, Info>,
    places: BTreeMap<String, Place>,
}

impl std::fmt::Debug for Adapted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Adapted({})", self.label())
    }
}

impl Adapted {
    /// Opens the folder of an adapter for a base.
    ///
    /// # Errors
    /// Where the adapter is malformed (a rank that lies, a number that is not finite), was made for other weights, or
    /// changes what the base does not have.
    pub fn open(base: Arc<dyn Source>, path: &Path) -> Result<Self, ComposeError> {
        let whose = || format!("{}+{}", base.label(), path.display());
        let delta = Delta::open(path).map_err(|source| member(whose(), source))?;
        Self::new(base, delta, path.to_owned())
    }

    /// A base with a delta that is in memory; `path` is what errors call the delta.
    ///
    /// # Errors
    /// As for [`Adapted::open`].
    pub fn new(base: Arc<dyn Source>, delta: Delta, path: PathBuf) -> Result<Self, ComposeError> {
        let whose = || format!("{}+{}", base.label(), path.display());
        if let Some(origin) = &delta.origin {
            let found = base.hash()?;
            if origin.weights != found {
                return Err(ComposeError::OtherAnchor { whose: whose(), made_for: origin.weights, found });
            }
        }
        let (mut tensors, mut places) = (base.tensors().clone(), BTreeMap::new());
        for (place, factors) in delta.iter() {
            let name = format!("{}.weight", place.path());
            let Some(info) = tensors.get_mut(&name) else {
                let problem = "is changed by the adapter, but its base does not have it; name the base it was made for";
                return Err(ComposeError::Tensor { name, whose: whose(), problem: problem.into() });
            };
            if info.shape != [factors.outputs(), factors.inputs()] {
                let (expected, found) = (info.shape.clone(), vec![factors.outputs(), factors.inputs()]);
                return Err(ComposeError::Shape { name, whose: whose(), expected, found });
            }
            info.float = Float::F32;
            places.insert(name, place);
        }
        Ok(Self { base, delta, path, tensors, places })
    }

    /// The linear layers it changes.
    pub fn linears(&self) -> impl Iterator<Item = Linear> {
        self.places.values().map(|place| place.linear)
    }
}

impl Source for Adapted {
    fn label(&self) -> String {
        format!("{}+{}", self.base.label(), self.path.display())
    }

    fn tensors(&self) -> &BTreeMap<String, Info> {
        &self.tensors
    }

    fn read(&self, name: &str, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        self.base.read(name, first, out)?;
        let Some(factors) = self.places.get(name).and_then(|place| self.delta.get(*place)) else { return Ok(()) };
        fold(factors, self.delta.scale(factors), first, out);
        super::not_finite(name, || self.label(), out)
    }

    fn hash(&self) -> Result<Hash, ComposeError> {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/adapted/v1");
        hasher.update(&self.base.hash()?.0).update(&self.delta.hash().0);
        Ok(Hash(*hasher.finalize().as_bytes()))
    }

    fn folder(&self) -> Option<&Path> {
        self.base.folder()
    }

    fn tied(&self) -> bool {
        self.base.tied()
    }

    fn config(&self) -> Result<Option<Value>, ComposeError> {
        self.base.config()
    }

    fn beside(&self) -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
        self.base.beside()
    }
}

/// Adds `scale·B·A` to rows of a base, and gives each the length its magnitude says (`DoRA`, Liu et al. 2024).
fn fold(factors: &Factors, scale: f32, first: usize, rows: &mut [f32]) {
    let width = factors.inputs();
    for (index, row) in rows.chunks_exact_mut(width).enumerate() {
        let b = &factors.b[(first + index) * factors.rank..][..factors.rank];
        for (b, a) in b.iter().zip(factors.a.chunks_exact(width)) {
            let b = scale * b;
            row.iter_mut().zip(a).for_each(|(to, a)| *to += b * a);
        }
        if let Some(magnitudes) = &factors.magnitudes {
            let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
            #[allow(clippy::cast_possible_truncation, reason = "a ratio of floats")]
            let ratio = if length > 0.0 { (f64::from(magnitudes[first + index]) / length) as f32 } else { 0.0 };
            row.iter_mut().for_each(|x| *x *= ratio);
        }
    }
}
