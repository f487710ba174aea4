//! Keys and values on a device, and attention over them.
//!
//! The room for all positions is made once. What is stored is rounded to half floats, as in [`crate::kv`]; what is seen is
//! widened again before it is multiplied.

use super::ops::{capped, softmax};
use crate::{Config, config::Attention};
use candle_core::{DType, Device, Result, Tensor};
use half::f16;

/// The keys and values of one conversation.
#[derive(Debug)]
pub(super) struct Cache {
    kv_heads: usize,
    head_dim: usize,
    /// Query heads that one key-value head serves.
    group: usize,
    /// Keys and values of each layer, `[kv_heads, context, head_dim]`.
    layers: Vec<(Tensor, Tensor)>,
    /// Position of the first row of the step, and how many rows it has.
    step: (usize, usize),
    /// What the rows of the step see, for each window: `[rows, 1, seen]` of zeros and negative infinity.
    masks: Vec<(Option<usize>, Tensor)>,
}

/// The first position that a row at `position` sees.
fn first_seen(window: Option<usize>, position: usize) -> usize {
    window.map_or(0, |window| (position + 1).saturating_sub(window))
}

impl Cache {
    /// Room for `context` positions.
    pub(super) fn new(config: &Config, context: usize, device: &Device) -> Result<Self> {
        let room = || Tensor::zeros((config.kv_heads, context, config.head_dim), DType::F16, device);
        Ok(Self {
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            group: config.heads / config.kv_heads,
            layers: (0..config.layers).map(|_| Ok((room()?, room()?))).collect::<Result<_>>()?,
            step: (0, 0),
            masks: Vec::new(),
        })
    }

    /// Begins a step of `rows` tokens, of which the first is at position `start`.
    pub(super) fn begin(&mut self, start: usize, rows: usize) {
        self.step = (start, rows);
        self.masks.clear();
    }

    /// Overwrites everything.
    pub(super) fn wipe(&mut self) {
        self.begin(0, 0);
        for (keys, values) in &self.layers {
            // A device that cannot be written any more cannot be read either.
            let _ = keys.zero_set();
            let _ = values.zero_set();
        }
    }

    /// Whether everything is overwritten.
    pub(super) fn is_blank(&self) -> bool {
        let blank = |room: &Tensor| {
            let numbers = room.flatten_all().and_then(|room| room.to_vec1::<f16>());
            numbers.is_ok_and(|numbers| numbers.iter().all(|number| number.to_bits() == 0))
        };
        self.layers.iter().all(|(keys, values)| blank(keys) && blank(values))
    }

    /// Stores the keys and values of the step's rows, `[rows, kv_heads · head_dim]`.
    fn store(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<()> {
        let (start, rows) = self.step;
        let (all_keys, all_values) = &self.layers[layer];
        for (room, mine) in [(all_keys, keys), (all_values, values)] {
            let mine = mine.reshape((rows, self.kv_heads, self.head_dim))?.transpose(0, 1)?;
            room.slice_set(&mine.contiguous()?.to_dtype(DType::F16)?, 1, start)?;
        }
        Ok(())
    }

    /// What is added to the scores of the step's rows over positions `from` and on; nothing where all see all of them.
    fn mask(&mut self, window: Option<usize>, from: usize, device: &Device) -> Result<Option<Tensor>> {
        let (start, rows) = self.step;
        if rows == 1 {
            return Ok(None);
        }
        if let Some((_, mask)) = self.masks.iter().find(|(of, _)| *of == window) {
            return Ok(Some(mask.clone()));
        }
        let seen = start + rows - from;
        let mut mask = Vec::with_capacity(rows * seen);
        for position in start..start + rows {
            let sees = first_seen(window, position)..=position;
            mask.extend((from..start + rows).map(|at| if sees.contains(&at) { 0.0 } else { f32::NEG_INFINITY }));
        }
        let mask = Tensor::from_vec(mask, (rows, 1, seen), device)?;
        self.masks.push((window, mask.clone()));
        Ok(Some(mask))
    }

    /// Stores the keys and values of the step's rows, and attends to all that they see.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        how: Attention,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<Tensor> {
        self.store(layer, keys, values)?;
        let (start, rows) = self.step;
        let (kv_heads, group, head_dim) = (self.kv_heads, self.group, self.head_dim);
        let from = first_seen(how.window, start);
        let seen = start + rows - from;
        let mask = self.mask(how.window, from, queries.device())?;
        let (keys, values) = &self.layers[layer];
        let wide = |room: &Tensor| room.narrow(1, from, seen)?.contiguous()?.to_dtype(DType::F32);
        // For each key-value head: the queries of all rows that it serves, row by row.
        let queries = queries.affine(f64::from(how.scale), 0.0)?;
        let queries = queries.reshape((rows, kv_heads, group * head_dim))?.transpose(0, 1)?.contiguous()?;
        let queries = queries.reshape((kv_heads, rows * group, head_dim))?;
        let mut scores = queries.matmul(&wide(keys)?.t()?)?;
        if let Some(limit) = how.cap {
            scores = capped(&scores, limit)?;
        }
        if let Some(mask) = mask {
            scores = scores.reshape((kv_heads, rows, group, seen))?.broadcast_add(&mask)?;
            scores = scores.reshape((kv_heads, rows * group, seen))?;
        }
        let gathered = softmax(&scores)?.matmul(&wide(values)?)?;
        let gathered = gathered.reshape((kv_heads, rows, group * head_dim))?.transpose(0, 1)?.contiguous()?;
        gathered.reshape((rows, kv_heads * group * head_dim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_the_beginning() {
        assert_eq!([0, 3, 9].map(|position| first_seen(None, position)), [0, 0, 0]);
        assert_eq!([0, 3, 9].map(|position| first_seen(Some(4), position)), [0, 0, 6]);
        assert_eq!(first_seen(Some(1), 5), 5);
        assert_eq!(first_seen(Some(1000), 5), 0);
    }
}
