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

    /// The cosine of the angle between what this and another delta of the same anchor add, over all their matrices: 0
    /// where they have nothing to do with each other, below it where they work against each other. None where one adds
    /// nothing, or gives rows a length (`DoRA`), which is no sum.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f64> {
        if self.iter().chain(other.iter()).any(|(_, factors)| factors.magnitudes.is_some()) {
            return None;
        }
        let with = |one: &Self, two: &Self| {
            let both = one.iter().filter_map(|(place, factors)| Some((factors, two.get(place)?)));
            both.map(|(a, b)| inner((a, one.scale(a)), (b, two.scale(b)))).sum::<f64>()
        };
        let lengths = (with(self, self) * with(other, other)).sqrt();
        (lengths > 0.0).then(|| with(self, other) / lengths)
    }
}

/// The squared length of `s·B·A`, from the thin factors.
pub(super) fn square(factors: &Factors, scale: f32) -> f64 {
    // Rounding may leave a little less than nothing.
    inner((factors, scale), (factors, scale)).max(0.0)
}

/// The sum over all places of what `s·B·A` and another have there, from the thin factors: that over `(BᵀB') ∘ (AA'ᵀ)`.
fn inner((one, by): (&Factors, f32), (two, times): (&Factors, f32)) -> f64 {
    let scale = f64::from(by) * f64::from(times);
    let mut sum = 0.0;
    for (at, first) in one.a.chunks_exact(one.inputs()).enumerate() {
        for (other, second) in two.a.chunks_exact(two.inputs()).enumerate() {
            let right: f64 = first.iter().zip(second).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let rows = one.b.chunks_exact(one.rank).zip(two.b.chunks_exact(two.rank));
            sum += scale * right * rows.map(|(row, across)| f64::from(row[at]) * f64::from(across[other])).sum::<f64>();
        }
    }
    sum
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::{Linear, Place};

    /// A delta of one matrix of two rows and two columns, by rank one.
    fn delta(a: [f32; 2], b: [f32; 2], alpha: f32) -> Delta {
        let mut delta = Delta::new(None);
        let factors = Factors { rank: 1, a: a.to_vec(), b: b.to_vec(), alpha, magnitudes: None };
        delta.insert(Place { layer: 0, linear: Linear::Query }, factors).unwrap();
        delta
    }

    #[test]
    fn the_cosine_says_what_two_deltas_have_in_common() {
        let one = delta([1.0, 2.0], [3.0, 0.0], 2.0);
        let with = |other: &Delta| one.cosine(other).unwrap();
        assert!((with(&one) - 1.0).abs() < 1e-9);
        // However large, and by whatever scale.
        assert!((with(&delta([2.0, 4.0], [-3.0, 0.0], 5.0)) + 1.0).abs() < 1e-9);
        // Other rows, or other columns, have nothing to do with these.
        assert!(with(&delta([1.0, 2.0], [0.0, 1.0], 1.0)).abs() < 1e-9);
        assert!(with(&delta([2.0, -1.0], [3.0, 0.0], 1.0)).abs() < 1e-9);
        // By hand: [[3, 6], [0, 0]] with [[1, 0], [1, 0]].
        assert!((with(&delta([1.0, 0.0], [1.0, 1.0], 1.0)) - 3.0 / (45f64 * 2.0).sqrt()).abs() < 1e-9);
        assert_eq!(one.cosine(&delta([0.0, 0.0], [1.0, 1.0], 1.0)), None);
        let mut long = delta([1.0, 2.0], [3.0, 0.0], 2.0);
        let place = Place { layer: 0, linear: Linear::Query };
        let factors = long.get(place).unwrap().clone();
        long.insert(place, Factors { magnitudes: Some(vec![1.0; 2]), ..factors }).unwrap();
        assert_eq!(one.cosine(&long), None);
    }
}
