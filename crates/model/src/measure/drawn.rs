//! Deltas that mean nothing, to see what wearing one costs.

use crate::{
    Anchor, Delta, ModelError,
    delta::{Factors, Linear, Place},
};

/// A delta of low-rank factors beside every linear layer of every layer, with numbers that the seed decides.
///
/// # Errors
/// Where the model has no such layers.
pub fn drawn(anchor: &Anchor, rank: usize, seed: u64, magnitudes: bool) -> Result<Delta, ModelError> {
    let (config, mut state) = (anchor.config(), seed);
    #[allow(clippy::cast_precision_loss, reason = "24 bits are exact")]
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * 0.02
    };
    let mut delta = Delta::new(Some(anchor.passport().clone()));
    for layer in 0..config.layers {
        for linear in Linear::ALL {
            let (outputs, inputs) = linear.shape(config);
            let a = (0..rank * inputs).map(|_| number()).collect();
            let b = (0..outputs * rank).map(|_| number()).collect();
            let magnitudes = magnitudes.then(|| vec![1.0; outputs]);
            delta.insert(Place { layer, linear }, Factors { rank, a, b, alpha: 32.0, magnitudes })?;
        }
    }
    Ok(delta)
}
