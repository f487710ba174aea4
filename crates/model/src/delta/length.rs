//! How much a delta changes an anchor, as one number.

use super::{
    Delta, Factors,
    resident::{changed_row, matrix},
    row_order,
};
use crate::{Anchor, ModelError, kernels::Matrix};
use rayon::prelude::*;

impl Delta {
    /// The length of everything the delta changes about this anchor: the Frobenius norm over all its matrices. Where it gives
    /// rows a length (`DoRA`), what that does to the anchor's own rows counts too.
    pub fn length(&self, anchor: &Anchor) -> Result<f64, ModelError> {
        let mut squares = 0.0;
        for (place, factors) in self.iter() {
            let scale = self.scale(factors);
            squares += match &factors.magnitudes {
                None => square(factors, scale),
                Some(magnitudes) => {
                    let order = row_order(anchor.config(), place.linear);
                    stretched(matrix(anchor, place, factors)?, factors, scale, magnitudes, order.as_deref())
                }
            };
        }
        Ok(squares.sqrt())
    }
}

/// The squared length of `s·B·A`, from the thin factors: the sum over `(BᵀB) ∘ (AAᵀ)`.
pub(super) fn square(factors: &Factors, scale: f32) -> f64 {
    let (rank, inputs, scale) = (factors.rank, factors.inputs(), f64::from(scale));
    let rows = |row: usize| &factors.a[row * inputs..][..inputs];
    let mut sum = 0.0;
    for one in 0..rank {
        for two in 0..rank {
            let right: f64 = rows(one).iter().zip(rows(two)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let columns = factors.b.chunks_exact(rank).map(|row| f64::from(row[one]) * f64::from(row[two]));
            sum += scale * scale * right * columns.sum::<f64>();
        }
    }
    // Rounding may leave a little less than nothing.
    sum.max(0.0)
}

/// The squared length of what is changed about a matrix whose rows get these lengths once the factors are added. No number
/// where a row is zero then.
pub(super) fn stretched(
    matrix: &Matrix,
    factors: &Factors,
    scale: f32,
    magnitudes: &[f32],
    order: Option<&[usize]>,
) -> f64 {
    let rank = factors.rank;
    let square = |row: usize| {
        let from = order.map_or(row, |order| order[row]);
        let mut plain = vec![0.0; matrix.columns];
        matrix.row(row, &mut plain);
        let changed = changed_row(matrix, row, &factors.a, &factors.b[from * rank..][..rank], scale);
        let norm = changed.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        let stretch = f64::from(magnitudes[from]) / norm;
        let pairs = changed.iter().zip(&plain);
        pairs.map(|(after, before)| (stretch * f64::from(*after) - f64::from(*before)).powi(2)).sum::<f64>()
    };
    // Threads share the rows; the sum over them has one order.
    let squares: Vec<f64> = (0..matrix.rows).into_par_iter().map(square).collect();
    squares.iter().sum()
}
