//! Deltas: what an owner's training changed about an anchor, small enough to keep many of them and to switch in no time.
//!
//! A [`Delta`] holds low-rank factors for some of the linear layers: `W` becomes `W + s·B·A`, and with magnitudes
//! (`DoRA`) every row of that gets the length the magnitude says. Its numbers are always in Hugging Face's order of rows,
//! whatever file the anchor came from; [`row_order`] says which row of an anchor is which. [`crate::Anchor::attach`]
//! checks a delta against an anchor and packs it; a [`Resident`] is what sessions switch in and out.
//!
//! The deltas that are active add up: each adds `gate · (result with it alone - plain result)` to a plain product. So a
//! gate of zero is a delta that is not there, bit for bit.

mod config;
mod gates;
mod length;
mod peft;
mod resident;
mod step;
#[cfg(test)]
mod tests;

pub use gates::Gates;
pub use resident::{FactorKind, Resident};

pub(crate) use gates::DeltaSet;
pub(crate) use resident::number;
pub(crate) use step::StepDeltas;

use crate::{Config, ModelError, Passport, RopePairs};
use half::f16;
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest rank accepted; common ones are 8 to 256.
const RANK_MAX: usize = 4096;
/// The largest width of a linear layer accepted.
const WIDTH_MAX: usize = 1 << 20;

/// One of the linear layers inside a layer of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linear {
    /// Query projection.
    Query,
    /// Key projection.
    Key,
    /// Value projection.
    Value,
    /// Projection of what attention gathered back into the stream.
    Output,
    /// Gate of the feed-forward layer.
    Gate,
    /// Up-projection of the feed-forward layer.
    Up,
    /// Down-projection of the feed-forward layer.
    Down,
}

impl Linear {
    /// All of them, in the order in which a layer runs.
    pub const ALL: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// What Hugging Face calls it, with the part of the layer it is in.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// What GGUF calls it.
    pub(crate) const fn gguf(self) -> &'static str {
        match self {
            Self::Query => "attn_q",
            Self::Key => "attn_k",
            Self::Value => "attn_v",
            Self::Output => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    /// Outputs and inputs in a decoder of this shape.
    #[must_use]
    pub fn shape(self, config: &Config) -> (usize, usize) {
        let (queries, keys) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        match self {
            Self::Query => (queries, config.width),
            Self::Key | Self::Value => (keys, config.width),
            Self::Output => (config.width, queries),
            Self::Gate | Self::Up => (config.hidden, config.width),
            Self::Down => (config.width, config.hidden),
        }
    }
}

/// Where in a decoder a linear layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The layer, counted from zero.
    pub layer: usize,
    /// Which of its linear layers.
    pub linear: Linear,
}

impl Place {
    /// A number of its own for every place, small for every real model.
    pub(crate) const fn slot(self) -> usize {
        self.layer * Linear::ALL.len() + self.linear as usize
    }

    /// What Hugging Face calls it.
    #[must_use]
    pub fn path(self) -> String {
        format!("model.layers.{}.{}", self.layer, self.linear.path())
    }
}

/// What a delta changes about one linear layer.
#[derive(Clone, PartialEq)]
pub struct Factors {
    /// The rank.
    pub rank: usize,
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`, in Hugging Face's order of rows.
    pub b: Vec<f32>,
    /// The product is multiplied with `alpha / rank`, or `alpha / √rank` where the delta is rank-stabilised.
    pub alpha: f32,
    /// The length of each row, where the delta has them (`DoRA`), in the order of the rows of `b`.
    pub magnitudes: Option<Vec<f32>>,
}

impl std::fmt::Debug for Factors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Factors({} to {} by rank {})", self.inputs(), self.outputs(), self.rank)
    }
}

impl Factors {
    /// Columns of `a`.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.a.len() / self.rank.max(1)
    }

    /// Rows of `b`.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.b.len() / self.rank.max(1)
    }

    fn check(&self, place: Place) -> Result<(), ModelError> {
        let bad = |problem| Err(ModelError::BadTensor { name: place.path(), problem });
        if !(1..=RANK_MAX).contains(&self.rank) {
            return bad("has a rank that is zero or implausibly large");
        }
        let whole = self.a.len().is_multiple_of(self.rank) && self.b.len().is_multiple_of(self.rank);
        if !whole || !(1..=WIDTH_MAX).contains(&self.inputs()) || !(1..=WIDTH_MAX).contains(&self.outputs()) {
            return bad("has factors whose sizes do not fit their rank");
        }
        if self.magnitudes.as_ref().is_some_and(|all| all.len() != self.outputs()) {
            return bad("has another number of magnitudes than of rows");
        }
        let mut numbers = self.a.iter().chain(&self.b).chain(self.magnitudes.iter().flatten()).chain([&self.alpha]);
        if numbers.all(|number| number.is_finite()) {
            Ok(())
        } else {
            Err(ModelError::NotFinite { name: place.path() })
        }
    }
}

/// What training changed about an anchor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delta {
    factors: BTreeMap<Place, Factors>,
    /// Whether products are divided by the root of the rank instead of the rank.
    pub rank_stabilised: bool,
    /// The anchor it was made for, where that is known.
    pub origin: Option<Passport>,
}

impl Delta {
    /// A delta that changes nothing yet.
    #[must_use]
    pub fn new(origin: Option<Passport>) -> Self {
        Self { origin, ..Self::default() }
    }

    /// Puts the factors of one linear layer in, in place of those it had.
    pub fn insert(&mut self, place: Place, factors: Factors) -> Result<(), ModelError> {
        factors.check(place)?;
        self.factors.insert(place, factors);
        Ok(())
    }

    /// The factors of one linear layer.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&Factors> {
        self.factors.get(&place)
    }

    /// All factors, layer by layer.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Factors)> {
        self.factors.iter().map(|(place, factors)| (*place, factors))
    }

    /// What the product of these factors is multiplied with.
    #[must_use]
    pub fn scale(&self, factors: &Factors) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
        let rank = factors.rank as f32;
        factors.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }

    /// The delta with every number rounded to a half float, which takes half the room where it is written.
    pub fn halved(&self) -> Result<Self, ModelError> {
        let round =
            |numbers: &[f32]| numbers.iter().map(|number| f16::from_f32(*number).to_f32()).collect::<Vec<f32>>();
        let mut halved = Self { factors: BTreeMap::new(), ..self.clone() };
        for (place, factors) in self.iter() {
            let magnitudes = factors.magnitudes.as_deref().map(round);
            halved
                .insert(place, Factors { a: round(&factors.a), b: round(&factors.b), magnitudes, ..factors.clone() })?;
        }
        Ok(halved)
    }

    /// Whether every number is a half float.
    fn is_half(&self) -> bool {
        let half = |number: &f32| f16::from_f32(*number).to_f32().to_bits() == number.to_bits();
        let numbers =
            |factors: &Factors| factors.a.iter().chain(&factors.b).chain(factors.magnitudes.iter().flatten()).all(half);
        self.factors.values().all(numbers)
    }

    /// BLAKE3 over everything that decides what the delta computes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/delta/v1");
        let mut numbers = |numbers: &[f32]| {
            hasher.update(&(numbers.len() as u64).to_le_bytes());
            for part in numbers.chunks(1024) {
                let mut bytes = [0u8; 4096];
                for (to, number) in bytes.chunks_exact_mut(4).zip(part) {
                    to.copy_from_slice(&number.to_le_bytes());
                }
                hasher.update(&bytes[..4 * part.len()]);
            }
        };
        for (place, factors) in self.iter() {
            #[allow(clippy::cast_precision_loss, reason = "both are small and exact")]
            numbers(&[place.slot() as f32, factors.rank as f32, self.scale(factors)]);
            numbers(&factors.a);
            numbers(&factors.b);
            numbers(factors.magnitudes.as_deref().unwrap_or_default());
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

/// Which row of a Hugging Face checkpoint each row of this linear layer of an anchor is; `None` where they are the same.
///
/// Where a rotary position turns neighbours together (GGUF files of the Llama family), row `2i + j` of a head is row
/// `i + j · half` of the checkpoint, for queries and keys.
#[must_use]
pub fn row_order(config: &Config, linear: Linear) -> Option<Vec<usize>> {
    if config.rope_pairs != RopePairs::Neighbours || !matches!(linear, Linear::Query | Linear::Key) {
        return None;
    }
    let (half, dims) = (config.rope_dims / 2, config.rope_dims);
    let row = |row: usize| {
        let (head, inside) = (row / config.head_dim * config.head_dim, row % config.head_dim);
        if inside < dims { head + inside / 2 + inside % 2 * half } else { row }
    };
    Some((0..linear.shape(config).0).map(row).collect())
}

/// Takes rows of `width` numbers from an anchor's order to that of a Hugging Face checkpoint: the way back from
/// training on an anchor.
#[must_use]
pub fn to_checkpoint_order(config: &Config, linear: Linear, rows: &[f32], width: usize) -> Vec<f32> {
    let Some(order) = row_order(config, linear) else { return rows.to_vec() };
    let mut out = vec![0.0; rows.len()];
    for (from, to) in rows.chunks_exact(width).zip(order) {
        out[to * width..][..width].copy_from_slice(from);
    }
    out
}
