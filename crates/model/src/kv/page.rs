//! One page: sixty-four positions of every layer and head.
//!
//! For each layer and head the keys come first, in panels of sixteen positions (`[position / 16][dim][16]`), as
//! [`crate::kernels::attend`] reads them, and then the values, position by position. What was written is remembered, so
//! that wiping overwrites all of it and touches nothing else.

use super::{KvKind, PAGE, PANEL, pool::KvPool};
use crate::{
    Config, ModelError,
    shelf::{Arena, Shelf},
};
use half::{f16, slice::HalfFloatSliceExt};
use zeroize::Zeroize;

/// The largest half float; keys and values beyond it are cut, so that a page never holds an infinity.
const LARGEST: f32 = 65504.0;
/// The widest head.
const WIDEST: usize = 256;

/// What decides the size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl Shape {
    pub(crate) fn of(config: &Config) -> Self {
        Self { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim }
    }

    /// Numbers in the keys, or in the values, of one head of one layer.
    fn half(self) -> usize {
        PAGE * self.head_dim
    }

    /// Pairs of a layer and a head.
    fn heads(self) -> usize {
        self.layers * self.kv_heads
    }

    /// Numbers of keys and values in a page.
    fn numbers(self) -> usize {
        self.heads() * 2 * self.half()
    }

    /// Scales in a page whose numbers are int8.
    fn scales(self) -> usize {
        self.heads() * 2 * PAGE
    }

    /// Bytes of a page.
    pub(crate) fn bytes(self, kind: KvKind) -> usize {
        match kind {
            KvKind::F16 => 2 * self.numbers(),
            KvKind::Int8 => self.numbers() + size_of::<f32>() * self.scales(),
        }
    }
}

/// The memory of a page.
#[derive(Debug)]
pub(super) struct Cells {
    /// Half floats, in a page that is kept so.
    halves: Shelf<u16>,
    /// Rounded numbers, in a page that is kept so.
    bytes: Shelf<i8>,
    /// Their scales, for each layer and head those of the keys and then those of the values.
    scales: Shelf<f32>,
}

impl Cells {
    /// Zeros from an arena for pages of this kind; `None` when the system has no memory left.
    pub(super) fn new(shape: Shape, kind: KvKind, arena: &Arena) -> Option<Self> {
        let (halves, bytes, scales) = match kind {
            KvKind::F16 => (shape.numbers(), 0, 0),
            KvKind::Int8 => (0, shape.numbers(), shape.scales()),
        };
        let (halves, bytes) = (Shelf::zeros(arena, halves)?, Shelf::zeros(arena, bytes)?);
        Some(Self { halves, bytes, scales: Shelf::zeros(arena, scales)? })
    }

    /// The mapping of each of its pieces, and how many pieces that has.
    pub(super) fn sharers(&self) -> impl Iterator<Item = (usize, usize)> {
        [self.halves.sharers(), self.bytes.sharers(), self.scales.sharers()].into_iter().flatten()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.halves.iter().all(|x| *x == 0)
            && self.bytes.iter().all(|x| *x == 0)
            && self.scales.iter().all(|x| x.to_bits() == 0)
    }
}

/// A page in use.
#[derive(Debug)]
pub(crate) struct Page {
    shape: Shape,
    kind: KvKind,
    /// There until the page is dropped.
    cells: Option<Cells>,
    /// Positions ever written.
    written: usize,
    pool: KvPool,
}

impl Page {
    pub(super) fn new(shape: Shape, kind: KvKind, cells: Cells, pool: KvPool) -> Self {
        Self { shape, kind, cells: Some(cells), written: 0, pool }
    }

    fn cells(&self) -> &Cells {
        self.cells.as_ref().expect("a page has its memory until it is dropped")
    }

    fn cells_mut(&mut self) -> &mut Cells {
        self.cells.as_mut().expect("a page has its memory until it is dropped")
    }

    fn start(&self, layer: usize, head: usize) -> usize {
        (layer * self.shape.kv_heads + head) * 2
    }

    /// The keys and the values of one head, as half floats.
    pub(crate) fn halves(&self, layer: usize, head: usize) -> (&[u16], &[u16]) {
        let half = self.shape.half();
        self.cells().halves[self.start(layer, head) * half..][..2 * half].split_at(half)
    }

    /// The keys and the values of one head, as int8.
    pub(crate) fn bytes(&self, layer: usize, head: usize) -> (&[i8], &[i8]) {
        let half = self.shape.half();
        self.cells().bytes[self.start(layer, head) * half..][..2 * half].split_at(half)
    }

    /// The scales of the keys and of the values of one head.
    pub(crate) fn scales(&self, layer: usize, head: usize) -> (&[f32], &[f32]) {
        self.cells().scales[self.start(layer, head) * PAGE..][..2 * PAGE].split_at(PAGE)
    }

    /// Stores the keys and values of one token, `[head][head_dim]` each, at one of the page's positions.
    pub(crate) fn store(&mut self, layer: usize, at: usize, keys: &[f32], values: &[f32]) {
        assert!(at < PAGE && layer < self.shape.layers, "a page holds this position");
        let dim = self.shape.head_dim;
        let (kind, half) = (self.kind, self.shape.half());
        self.written = self.written.max(at + 1);
        let panel = at / PANEL * PANEL * dim + at % PANEL;
        for (head, (key, value)) in keys.chunks_exact(dim).zip(values.chunks_exact(dim)).enumerate() {
            let start = self.start(layer, head);
            let cells = self.cells_mut();
            match kind {
                KvKind::F16 => {
                    let mut halves = [f16::ZERO; WIDEST];
                    let halves = &mut halves[..dim];
                    to_halves(key, halves);
                    let panel = &mut cells.halves[start * half..][..half][panel..];
                    panel.iter_mut().step_by(PANEL).zip(&*halves).for_each(|(to, half)| *to = half.to_bits());
                    to_halves(value, halves);
                    let row = &mut cells.halves[(start + 1) * half + at * dim..][..dim];
                    row.iter_mut().zip(&*halves).for_each(|(to, half)| *to = half.to_bits());
                    halves.fill(f16::ZERO);
                }
                KvKind::Int8 => {
                    let mut bytes = [0i8; WIDEST];
                    let bytes = &mut bytes[..dim];
                    cells.scales[start * PAGE + at] = to_bytes(key, bytes);
                    let panel = &mut cells.bytes[start * half..][..half][panel..];
                    panel.iter_mut().step_by(PANEL).zip(&*bytes).for_each(|(to, byte)| *to = *byte);
                    cells.scales[(start + 1) * PAGE + at] = to_bytes(value, bytes);
                    cells.bytes[(start + 1) * half + at * dim..][..dim].copy_from_slice(bytes);
                    bytes.fill(0);
                }
            }
        }
    }

    /// Takes over the first `positions` of another page of the same kind, by whole panels.
    pub(crate) fn copy_from(&mut self, other: &Self, positions: usize) {
        assert!(self.shape == other.shape && self.kind == other.kind, "the pages are of one kind");
        let panels = positions.min(other.written).next_multiple_of(PANEL).min(PAGE);
        let (numbers, half) = (panels * self.shape.head_dim, self.shape.half());
        self.written = self.written.max(panels);
        let from = other.cells();
        let to = self.cells_mut();
        to.halves.chunks_exact_mut(half).zip(from.halves.chunks_exact(half)).for_each(|(to, from)| {
            to[..numbers].copy_from_slice(&from[..numbers]);
        });
        to.bytes.chunks_exact_mut(half).zip(from.bytes.chunks_exact(half)).for_each(|(to, from)| {
            to[..numbers].copy_from_slice(&from[..numbers]);
        });
        to.scales.chunks_exact_mut(PAGE).zip(from.scales.chunks_exact(PAGE)).for_each(|(to, from)| {
            to[..panels].copy_from_slice(&from[..panels]);
        });
    }

    /// Appends everything a full page holds, little-endian.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        let cells = self.cells();
        cells.halves.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
        cells.bytes.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
        cells.scales.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
    }

    /// Fills the page with what [`Page::write_to`] wrote. Every number must be one that [`Page::store`] could have stored.
    pub(crate) fn read_from(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        if bytes.len() != self.shape.bytes(self.kind) {
            return Err(ModelError::BadPrefix { problem: "has pages of another size" });
        }
        self.written = PAGE;
        let cells = self.cells_mut();
        let (halves, rest) = bytes.split_at(2 * cells.halves.len());
        let (numbers, scales) = rest.split_at(cells.bytes.len());
        for (to, from) in cells.halves.iter_mut().zip(halves.as_chunks::<2>().0) {
            *to = u16::from_le_bytes(*from);
        }
        for (to, from) in cells.bytes.iter_mut().zip(numbers) {
            *to = from.cast_signed();
        }
        for (to, from) in cells.scales.iter_mut().zip(scales.as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*from);
        }
        let finite = cells.halves.iter().all(|bits| f16::from_bits(*bits).is_finite())
            && cells.bytes.iter().all(|byte| *byte != i8::MIN)
            && cells.scales.iter().all(|scale| (0.0..=LARGEST).contains(scale));
        if finite { Ok(()) } else { Err(ModelError::BadPrefix { problem: "holds numbers that are not finite" }) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let Some(mut cells) = self.cells.take() else { return };
        let panels = self.written.next_multiple_of(PANEL);
        let (numbers, half) = (panels * self.shape.head_dim, self.shape.half());
        cells.halves.chunks_exact_mut(half).for_each(|part| part[..numbers].zeroize());
        cells.bytes.chunks_exact_mut(half).for_each(|part| part[..numbers].zeroize());
        cells.scales.chunks_exact_mut(PAGE).for_each(|part| part[..panels].zeroize());
        self.pool.give_back(self.kind, cells);
    }
}

fn to_halves(from: &[f32], to: &mut [f16]) {
    to.convert_from_f32_slice(from);
    for half in to {
        if !half.is_finite() {
            *half = if half.is_sign_negative() { f16::from_f32(-LARGEST) } else { f16::from_f32(LARGEST) };
        }
    }
}

/// Rounds to the nearest of 255 steps, ties to even, and gives the size of a step.
fn to_bytes(from: &[f32], to: &mut [i8]) -> f32 {
    // 1.5 · 2²³: adding it leaves the nearest integer in the lowest bits.
    const MAGIC: f32 = 12_582_912.0;
    let largest = from.iter().map(|x| x.abs()).fold(0.0, f32::max).min(LARGEST);
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    for (to, x) in to.iter_mut().zip(from) {
        let x = x.clamp(-largest, largest) * inverse;
        #[allow(clippy::cast_possible_truncation, reason = "the lowest byte is what is asked for")]
        let low = (x + MAGIC).to_bits() as u8;
        *to = low.cast_signed();
    }
    largest / 127.0
}
