//! The keys and values of every token a session has read, as half floats, reserved once.
//!
//! Keys are stored by panels of sixteen positions, as [`crate::kernels::attend`] reads them; values by position.
//! What was written is remembered, so that [`KvCache::wipe`] overwrites all of it and touches nothing else.

use half::{f16, slice::HalfFloatSliceExt};
use zeroize::Zeroize;

/// Positions in a panel of keys.
const PANEL: usize = 16;
/// The largest half float; keys and values beyond it are cut, so that the cache never holds an infinity.
const HALF_MAX: f32 = 65504.0;

pub(crate) struct KvCache {
    keys: Vec<u16>,
    values: Vec<u16>,
    kv_heads: usize,
    head_dim: usize,
    /// Room for positions, a multiple of [`PANEL`].
    room: usize,
    /// Positions ever written since the last wipe.
    written: usize,
    /// One head being rounded.
    halves: Vec<f16>,
}

impl KvCache {
    /// Room for `positions` tokens. The memory is zeroed by the system when it is first touched.
    pub(crate) fn new(layers: usize, kv_heads: usize, head_dim: usize, positions: usize) -> Self {
        let room = positions.next_multiple_of(PANEL);
        let size = layers * kv_heads * head_dim * room;
        Self {
            keys: vec![0; size],
            values: vec![0; size],
            kv_heads,
            head_dim,
            room,
            written: 0,
            halves: vec![f16::ZERO; head_dim],
        }
    }

    fn head_start(&self, layer: usize, head: usize) -> usize {
        (layer * self.kv_heads + head) * self.room * self.head_dim
    }

    /// The keys of one head, in panels.
    pub(crate) fn keys(&self, layer: usize, head: usize) -> &[u16] {
        &self.keys[self.head_start(layer, head)..][..self.room * self.head_dim]
    }

    /// The values of one head.
    pub(crate) fn values(&self, layer: usize, head: usize) -> &[u16] {
        &self.values[self.head_start(layer, head)..][..self.room * self.head_dim]
    }

    /// Stores the keys and values of one token, `[head][head_dim]` each.
    pub(crate) fn store(&mut self, layer: usize, position: usize, keys: &[f32], values: &[f32]) {
        let dim = self.head_dim;
        assert!(position < self.room, "a session never reads beyond its context");
        let heads = keys.chunks_exact(dim).zip(values.chunks_exact(dim));
        for (head, (key, value)) in heads.enumerate().take(self.kv_heads) {
            let start = self.head_start(layer, head);
            round(key, &mut self.halves);
            let panel = start + position / PANEL * PANEL * dim + position % PANEL;
            for (to, half) in self.keys[panel..].iter_mut().step_by(PANEL).zip(&self.halves) {
                *to = half.to_bits();
            }
            round(value, &mut self.halves);
            for (to, half) in self.values[start + position * dim..][..dim].iter_mut().zip(&self.halves) {
                *to = half.to_bits();
            }
        }
        self.written = self.written.max(position + 1);
    }

    /// Overwrites everything that was ever written with zeros.
    pub(crate) fn wipe(&mut self) {
        let (dim, used) = (self.head_dim, self.written.next_multiple_of(PANEL));
        for head in 0..self.keys.len() / (self.room * dim).max(1) {
            let start = head * self.room * dim;
            self.keys[start..][..used * dim].zeroize();
            self.values[start..][..used * dim].zeroize();
        }
        self.halves.fill(f16::ZERO);
        self.written = 0;
    }

    /// Whether nothing is left of what was read.
    pub(crate) fn is_blank(&self) -> bool {
        self.keys.iter().chain(&self.values).all(|half| *half == 0)
    }
}

impl Drop for KvCache {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn round(from: &[f32], to: &mut [f16]) {
    to.convert_from_f32_slice(from);
    for half in to {
        if !half.is_finite() {
            *half = if half.is_sign_negative() { f16::from_f32(-HALF_MAX) } else { f16::from_f32(HALF_MAX) };
        }
    }
}
