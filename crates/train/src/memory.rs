//! How much memory tuning takes, before it begins.

use crate::{
    model::filled,
    recipe::{Full, Method, Recipe},
    run::rows_at_once,
};
use hinet_model::{Anchor, Config, delta::Linear, kernels::STRIP};

impl Recipe {
    /// Numbers that change in a model of this shape.
    #[must_use]
    pub fn numbers(&self, config: &Config) -> u64 {
        let shape = |linear: Linear| {
            let (rows, columns) = linear.shape(config);
            (rows as u64, columns as u64)
        };
        let whole = |linears: &[Linear]| linears.iter().map(|linear| shape(*linear)).map(|(r, c)| r * c).sum::<u64>();
        let layers = config.layers as u64;
        match &self.method {
            Method::Lora(lora) => {
                let rank = filled(lora.rank) as u64;
                let lengths = u64::from(lora.magnitudes);
                let each = lora.linears.iter().map(|linear| shape(*linear));
                layers * each.map(|(rows, columns)| rank * (rows + columns) + lengths * rows).sum::<u64>()
            }
            Method::Full(Full::Mlp) => layers * whole(&[Linear::Gate, Linear::Up, Linear::Down]),
            Method::Full(Full::Linears) => layers * whole(&Linear::ALL),
            // The head counts once more where it is not the embedding; that is not known from the shape.
            Method::Full(Full::Everything) => {
                let words = config.vocabulary.next_multiple_of(STRIP) as u64 * config.width as u64;
                layers * (whole(&Linear::ALL) + 4 * config.width as u64) + words
            }
        }
    }

    /// About how many bytes tuning takes beside the anchor itself, for batches of `batch` examples of `longest` tokens.
    #[must_use]
    pub fn memory(&self, anchor: &Anchor, longest: usize, batch: usize) -> u64 {
        let config = anchor.config();
        let rows = longest as u64 * batch as u64;
        let (width, hidden) = (config.width as u64, config.hidden as u64);
        let (queries, keys) = ((config.heads * config.head_dim) as u64, (config.kv_heads * config.head_dim) as u64);
        let (rank, lengths) = match &self.method {
            Method::Lora(lora) => (filled(lora.rank) as u64, u64::from(lora.magnitudes)),
            Method::Full(_) => (0, 0),
        };
        // What a layer keeps of every row: see `ops`.
        let normed = u64::from(config.head_norms) * (queries + keys) + u64::from(config.post_norms) * 2 * width;
        let shown = lengths * (queries + 2 * keys + 2 * width);
        let layers = config.layers as u64;
        let (under, ranks) = under(anchor);
        let ranks = 7 * rank + ranks.div_ceil(layers.max(1));
        let kept = 2 * width + 2 * queries + 2 * keys + 2 * hidden + ranks + normed + shown;
        let all = match (self.recompute, self.compact) {
            (true, _) => layers * width + kept,
            (false, true) => layers * kept / 2 + kept,
            (false, false) => layers * kept,
        };
        // Gradients and rows that are made again, while one layer is gone back through.
        let passing = 5 * hidden + 4 * (width + queries);
        let head = 2 * (rows_at_once(config.vocabulary) as u64).min(rows) * config.vocabulary as u64 + 3 * rows * width;
        14 * (self.numbers(config) + under) + 4 * (rows * (all + passing) + head)
    }
}

/// The numbers of the root's factors, which lie beside the new ones and do not change, and the sum of their ranks.
fn under(anchor: &Anchor) -> (u64, u64) {
    let Some(root) = anchor.root() else { return (0, 0) };
    root.iter().fold((0, 0), |(numbers, ranks), (place, factors)| {
        let (rows, columns) = place.linear.shape(anchor.config());
        let rank = filled(factors.rank) as u64;
        (numbers + rank * (rows + columns) as u64, ranks + rank)
    })
}
