//! A delta packed for one anchor, ready to be switched in: factors in strips, and for `DoRA` the stretch of every row.

use super::{Delta, Factors, Linear, Place, row_order};
use crate::{
    Anchor, ModelError, Passport,
    graph::{Decoder, FeedForward},
    kernels::{
        Matrix, STRIP,
        thin::{Inward, Outward},
    },
};
use hinet_protocol::Hash;
use rayon::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How the factors of a resident delta are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactorKind {
    /// Half floats; activations are not rounded.
    #[default]
    Half,
    /// Eight bits; the activations that meet `A` are rounded to int8, as for quantised weights.
    Int8,
}

/// A delta that is checked against an anchor and packed. Cloning is cheap.
#[derive(Clone)]
pub struct Resident(Arc<Packed>);

impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resident({}, {:?}, {} bytes)", self.hash(), self.0.order.1, self.bytes())
    }
}

struct Packed {
    /// Sums are taken in the order of these, whatever the order of attaching and of the sets: the delta's hash, its
    /// kind, and a number of its own.
    order: (Hash, FactorKind, u64),
    anchor: Passport,
    /// By [`Place::slot`].
    linears: Vec<Option<Thin>>,
}

/// What a resident delta adds to one matrix.
#[derive(Debug)]
pub(crate) struct Thin {
    pub(crate) rank: usize,
    pub(crate) inward: Inward,
    pub(crate) outward: Outward,
    /// What the product is multiplied with: the delta's own scale, and what undoes the packing.
    pub(crate) scale: f32,
    /// `m / ‖W + sBA‖ - 1` for every row, filled up to whole strips.
    pub(crate) stretch: Option<Vec<f32>>,
}

impl Resident {
    /// The hash of the delta.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.0.order.0
    }

    /// Bytes that are read per token while the delta is active.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let stretch = |thin: &Thin| thin.stretch.as_deref().map_or(0, size_of_val);
        let all = self.0.linears.iter().flatten();
        all.map(|thin| thin.inward.bytes() + thin.outward.bytes() + stretch(thin)).sum()
    }

    pub(super) fn order(&self) -> (&Hash, FactorKind, u64) {
        (&self.0.order.0, self.0.order.1, self.0.order.2)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn fits(&self, anchor: &Anchor) -> bool {
        self.0.anchor == *anchor.passport()
    }

    /// What it adds to the matrix of a slot.
    pub(crate) fn thin(&self, slot: usize) -> Option<&Thin> {
        self.0.linears.get(slot)?.as_ref()
    }
}

impl Anchor {
    /// Checks a delta against this anchor and packs it, in half floats.
    pub fn attach(&self, delta: &Delta) -> Result<Resident, ModelError> {
        self.attach_as(delta, FactorKind::default())
    }

    /// The same, and says how to store the factors.
    pub fn attach_as(&self, delta: &Delta, kind: FactorKind) -> Result<Resident, ModelError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (mine, config) = (self.passport(), self.config());
        if let Some(origin) = &delta.origin {
            let differs = [
                ("architecture", origin.arch != mine.arch),
                ("tokenizer", origin.tokenizer != mine.tokenizer),
                ("weights", origin.weights != mine.weights),
                // What was made for the bare anchor adds up with any root.
                ("root", origin.root.is_some() && origin.root != mine.root),
            ];
            if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                return Err(ModelError::ForeignDelta { what });
            }
        }
        let mut linears: Vec<Option<Thin>> = (0..config.layers * Linear::ALL.len()).map(|_| None).collect();
        for (place, factors) in delta.iter() {
            let (weights, order) = (matrix(self, place, factors)?, row_order(config, place.linear));
            linears[place.slot()] = Some(pack(factors, delta.scale(factors), place, kind, weights, order)?);
        }
        let order = (delta.hash(), kind, NUMBER.fetch_add(1, Ordering::Relaxed));
        Ok(Resident(Arc::new(Packed { order, anchor: mine.clone(), linears })))
    }
}

/// The matrix that factors at a place change, if they fit it; the experts of a mixture have none of their own.
pub(super) fn matrix<'a>(anchor: &'a Anchor, place: Place, factors: &Factors) -> Result<&'a Matrix, ModelError> {
    let bad = |problem| ModelError::BadTensor { name: place.path(), problem };
    let (outputs, inputs) = place.linear.shape(anchor.config());
    let layer = anchor.decoder().layers.get(place.layer);
    let layer = layer.ok_or_else(|| bad("belongs to a layer this model does not have"))?;
    let found = [factors.outputs(), factors.inputs()];
    if found != [outputs, inputs] {
        let (expected, found) = (vec![outputs, inputs], found.to_vec());
        return Err(ModelError::Shape { name: place.path(), expected, found });
    }
    let feed = match &layer.feed {
        FeedForward::Dense(feed) => Ok(feed),
        FeedForward::Mixture { .. } => {
            Err(bad("belongs to the feed-forward layer of a mixture, whose experts take no deltas"))
        }
    };
    Ok(match place.linear {
        Linear::Query => &layer.query,
        Linear::Key => &layer.key,
        Linear::Value => &layer.value,
        Linear::Output => &layer.output,
        Linear::Gate => &feed?.gate,
        Linear::Up => &feed?.up,
        Linear::Down => &feed?.down,
    })
}

/// Tells every matrix that deltas can change which one it is.
pub(crate) fn number<M, G>(decoder: &mut Decoder<M, G>, slot: impl Fn(&mut M) -> &mut Option<usize>) {
    for (index, layer) in decoder.layers.iter_mut().enumerate() {
        let attention = [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.output];
        let feed = match &mut layer.feed {
            FeedForward::Dense(feed) => vec![&mut feed.gate, &mut feed.up, &mut feed.down],
            FeedForward::Mixture { .. } => Vec::new(),
        };
        for (matrix, linear) in attention.into_iter().chain(feed).zip(Linear::ALL) {
            *slot(matrix) = Some(Place { layer: index, linear }.slot());
        }
    }
}

fn pack(
    factors: &Factors,
    scale: f32,
    place: Place,
    kind: FactorKind,
    weights: &Matrix,
    order: Option<Vec<usize>>,
) -> Result<Thin, ModelError> {
    let (rank, outputs, inputs) = (factors.rank, factors.outputs(), factors.inputs());
    let from = |row: usize| order.as_ref().map_or(row, |order| order[row]);
    let mut b = Vec::with_capacity(factors.b.len());
    (0..outputs).for_each(|row| b.extend_from_slice(&factors.b[from(row) * rank..][..rank]));
    let mut stretch = None;
    if let Some(magnitudes) = &factors.magnitudes {
        let norms = norms(weights, &factors.a, &b, scale);
        let mut all = vec![0.0; outputs.next_multiple_of(STRIP)];
        for (row, norm) in norms.into_iter().enumerate() {
            let stretch = magnitudes[from(row)] / norm;
            if !stretch.is_finite() {
                let problem =
                    "has a row that is zero once the delta is added, or a magnitude too large to compute with";
                return Err(ModelError::BadTensor { name: place.path(), problem });
            }
            b[row * rank..][..rank].iter_mut().for_each(|number| *number *= stretch);
            all[row] = stretch - 1.0;
        }
        stretch = Some(all);
    }
    let ((inward, undo_a), (outward, undo_b)) = match kind {
        FactorKind::Half => (Inward::half(&factors.a, rank, inputs), Outward::half(&b, outputs, rank)),
        FactorKind::Int8 => (Inward::int8(&factors.a, rank, inputs), Outward::int8(&b, outputs, rank)),
    };
    let scale = scale * undo_a * undo_b;
    if scale.is_finite() && b.iter().all(|number| number.is_finite()) {
        Ok(Thin { rank, inward, outward, scale, stretch })
    } else {
        Err(ModelError::BadTensor { name: place.path(), problem: "holds numbers too large to compute with" })
    }
}

/// A row of `W + s·B·A`; `b` is that row of `B`.
pub(super) fn changed_row(matrix: &Matrix, row: usize, a: &[f32], b: &[f32], scale: f32) -> Vec<f32> {
    let mut sum = vec![0.0; matrix.columns];
    matrix.row(row, &mut sum);
    for (a, b) in a.chunks_exact(matrix.columns).zip(b) {
        let factor = b * scale;
        sum.iter_mut().zip(a).for_each(|(sum, a)| *sum += factor * a);
    }
    sum
}

/// The length of every row of `W + s·B·A`.
pub(super) fn norms(matrix: &Matrix, a: &[f32], b: &[f32], scale: f32) -> Vec<f32> {
    let rank = b.len() / matrix.rows;
    let norm = |row: usize| {
        let sum = changed_row(matrix, row, a, &b[row * rank..][..rank], scale);
        #[allow(clippy::cast_possible_truncation, reason = "rounded to a float on purpose")]
        let norm = sum.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
        norm
    };
    (0..matrix.rows).into_par_iter().map(norm).collect()
}
