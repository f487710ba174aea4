//! Products and a Cholesky solver in double precision.
//!
//! Work is split into parts of a fixed size, so that results do not depend on the number of threads.
#![allow(unsafe_code, reason = "the product takes pointers")]

use crate::ComposeError;
use gemm::Parallelism;
use rayon::prelude::*;

/// Columns that are factored at a time.
const PANEL: usize = 96;
/// Rows that one task updates.
const ROWS: usize = 64;

/// A matrix inside a slice: number `[row, column]` lies at `row · row_step + column · column_step`.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub numbers: &'a [f64],
    pub row_step: usize,
    pub column_step: usize,
}

impl<'a> View<'a> {
    /// Rows one after another, `step` numbers apart.
    pub fn rows(numbers: &'a [f64], step: usize) -> Self {
        Self { numbers, row_step: step, column_step: 1 }
    }

    /// The same, turned.
    pub fn turned(self) -> Self {
        Self { row_step: self.column_step, column_step: self.row_step, ..self }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = (rows - 1) * self.row_step + (columns - 1) * self.column_step;
        last < self.numbers.len()
    }
}

/// Adds `factor · left · right` to `out`, whose rows lie `step` numbers apart: `[rows, inner] · [inner, columns]`.
///
/// # Panics
/// Where a slice is too short for its matrix.
pub(super) fn add_product(
    (rows, inner, columns): (usize, usize, usize),
    factor: f64,
    left: View<'_>,
    right: View<'_>,
    out: &mut [f64],
    step: usize,
) {
    if rows == 0 || inner == 0 || columns == 0 {
        return;
    }
    assert!(left.holds(rows, inner) && right.holds(inner, columns), "the factors are whole");
    assert!(columns <= step && (rows - 1) * step + columns <= out.len(), "there is room for the product");
    // Steps within a slice fit the signed size of a pointer.
    let signed = |step: usize| isize::try_from(step).expect("a step within a slice");
    // SAFETY: all numbers that the product reads and writes lie within the slices, as was checked above; `out` is borrowed
    // for itself alone, and rows of it do not overlap.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            signed(step),
            true,
            left.numbers.as_ptr(),
            signed(left.column_step),
            signed(left.row_step),
            right.numbers.as_ptr(),
            signed(right.column_step),
            signed(right.row_step),
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The lower factor `L` of a symmetric positive definite matrix `L·Lᵀ`.
pub(super) struct Cholesky {
    size: usize,
    /// `[size, size]`; what lies above the diagonal means nothing.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors `[size, size]`, of which the lower half is read. `None` where it is not positive definite.
    pub fn of(mut lower: Vec<f64>, size: usize) -> Option<Self> {
        for at in (0..size).step_by(PANEL) {
            let width = PANEL.min(size - at);
            let diagonal = factor(&mut lower, size, at, width)?;
            let end = at + width;
            lower[end * size..].par_chunks_exact_mut(size).for_each(|row| forward(&diagonal, width, &mut row[at..end]));
            let panel: Vec<f64> =
                lower[end * size..].chunks_exact(size).flat_map(|row| &row[at..end]).copied().collect();
            lower[end * size..].par_chunks_mut(ROWS * size).enumerate().for_each(|(part, out)| {
                let (rows, first) = (out.len() / size, part * ROWS);
                // Up to the diagonal of the last of these rows.
                let columns = first + rows;
                let left = View::rows(&panel[first * width..], width);
                let right = View::rows(&panel, width).turned();
                add_product((rows, width, columns), -1.0, left, right, &mut out[end..], size);
            });
        }
        Some(Self { size, lower })
    }

    /// Solves `X·L·Lᵀ = N` for rows of `N`, in their place: `[rows, size]`.
    pub fn solve(&self, rows: &mut [f64]) {
        let (size, count) = (self.size, rows.len() / self.size);
        let panels: Vec<usize> = (0..size).step_by(PANEL).collect();
        let mut done = Vec::new();
        for &at in &panels {
            let width = PANEL.min(size - at);
            done.clear();
            done.extend(rows.chunks_exact(size).flat_map(|row| &row[..at]));
            let right = View::rows(&self.lower[at * size..], size).turned();
            add_product((count, at, width), -1.0, View::rows(&done, at), right, &mut rows[at..], size);
            let diagonal = self.diagonal(at, width);
            rows.chunks_exact_mut(size).for_each(|row| forward(&diagonal, width, &mut row[at..at + width]));
        }
        for &at in panels.iter().rev() {
            let width = PANEL.min(size - at);
            let (end, rest) = (at + width, size - at - width);
            done.clear();
            done.extend(rows.chunks_exact(size).flat_map(|row| &row[end..]));
            if rest > 0 {
                let right = View::rows(&self.lower[end * size + at..], size);
                add_product((count, rest, width), -1.0, View::rows(&done, rest), right, &mut rows[at..], size);
            }
            let diagonal = self.diagonal(at, width);
            rows.chunks_exact_mut(size).for_each(|row| backward(&diagonal, width, &mut row[at..end]));
        }
    }

    fn diagonal(&self, at: usize, width: usize) -> Vec<f64> {
        (at..at + width).flat_map(|row| &self.lower[row * self.size + at..][..width]).copied().collect()
    }
}

/// Solves `X · (gram + ridge·I) = rows` for rows, in their place: the least-squares answers to inputs with this Gram,
/// `[inputs, inputs]`, of which the lower half is read. `name` is what errors call it.
///
/// # Errors
/// Where the system has no solution, or sizes do not fit.
pub fn regress(name: &str, mut gram: Vec<f64>, ridge: f64, rows: &mut [f64]) -> Result<(), ComposeError> {
    let size = gram.len().isqrt();
    if size * size != gram.len() || size == 0 || !rows.len().is_multiple_of(size) {
        let problem = "they are for another number of inputs; gather them with this anchor";
        return Err(ComposeError::Gram { name: name.into(), problem });
    }
    (0..size).for_each(|at| gram[at * size + at] += ridge);
    let solver = Cholesky::of(gram, size).ok_or_else(|| ComposeError::Singular { name: name.into() })?;
    solver.solve(rows);
    Ok(())
}

/// Factors a block on the diagonal, and gives it, `[width, width]`.
fn factor(all: &mut [f64], size: usize, at: usize, width: usize) -> Option<Vec<f64>> {
    let mut block: Vec<f64> = (at..at + width).flat_map(|row| &all[row * size + at..][..width]).copied().collect();
    for row in 0..width {
        for column in 0..=row {
            let (left, right) = (&block[row * width..][..column], &block[column * width..][..column]);
            let rest = block[row * width + column] - left.iter().zip(right).map(|(a, b)| a * b).sum::<f64>();
            block[row * width + column] = if column < row {
                rest / block[column * width + column]
            } else if rest > 0.0 && rest.is_finite() {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    for (row, numbers) in block.chunks_exact(width).enumerate() {
        all[(at + row) * size + at..][..width].copy_from_slice(numbers);
    }
    Some(block)
}

/// Solves `x·Lᵀ = b` for one row, in its place.
fn forward(lower: &[f64], width: usize, row: &mut [f64]) {
    for column in 0..width {
        let (known, rest) = row.split_at_mut(column);
        let line = &lower[column * width..][..width];
        let sum: f64 = known.iter().zip(line).map(|(x, l)| x * l).sum();
        rest[0] = (rest[0] - sum) / line[column];
    }
}

/// Solves `x·L = b` for one row, in its place.
fn backward(lower: &[f64], width: usize, row: &mut [f64]) {
    for column in (0..width).rev() {
        let line = &lower[column * width..][..width];
        let x = row[column] / line[column];
        row[column] = x;
        row[..column].iter_mut().zip(line).for_each(|(to, l)| *to -= x * l);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::masks::lot;

    fn random(count: usize, key: u64) -> Vec<f64> {
        (0..count as u64).map(|index| f64::from(lot(key, index)) - 0.5).collect()
    }

    fn plain((rows, inner, columns): (usize, usize, usize), a: &[f64], b: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; rows * columns];
        for row in 0..rows {
            for k in 0..inner {
                for column in 0..columns {
                    out[row * columns + column] += a[row * inner + k] * b[k * columns + column];
                }
            }
        }
        out
    }

    #[test]
    fn products_are_those_of_the_plain_loops() {
        for shape in [(1, 1, 1), (3, 5, 7), (70, 33, 129)] {
            let (rows, inner, columns) = shape;
            let (a, b) = (random(rows * inner, 1), random(inner * columns, 2));
            let mut out = vec![0.0; rows * columns];
            add_product(shape, 1.0, View::rows(&a, inner), View::rows(&b, columns), &mut out, columns);
            let expected = plain(shape, &a, &b);
            assert!(out.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-12), "{shape:?}");
        }
    }

    #[test]
    fn solutions_solve_and_do_not_depend_on_threads() {
        for size in [1, 5, 96, 97, 250] {
            let half = random(size * size, 3);
            let mut matrix = vec![0.0; size * size];
            add_product(
                (size, size, size),
                1.0,
                View::rows(&half, size),
                View::rows(&half, size).turned(),
                &mut matrix,
                size,
            );
            (0..size).for_each(|at| matrix[at * size + at] += 0.1);
            let wanted = random(9 * size, 4);
            let solve = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut rows = plain((9, size, size), &wanted, &matrix);
                pool.install(|| Cholesky::of(matrix.clone(), size).unwrap().solve(&mut rows));
                rows
            };
            let found = solve(1);
            assert_eq!(found, solve(3));
            assert!(found.iter().zip(&wanted).all(|(x, y)| (x - y).abs() < 1e-8), "{size}");
        }
        assert!(Cholesky::of(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
        let mut rows = vec![4.0, 8.0];
        regress("w", vec![3.0, 0.0, 0.0, 3.0], 1.0, &mut rows).unwrap();
        assert_eq!(rows, [1.0, 2.0]);
        assert!(matches!(regress("w", vec![0.0], 0.0, &mut [1.0]), Err(ComposeError::Singular { .. })));
        assert!(regress("w", vec![1.0, 0.0], 0.0, &mut [1.0]).is_err());
    }
}
