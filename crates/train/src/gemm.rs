//! `c = a · b` in floats, the one product that everything here is made of.
//!
//! Each output is one chain of fused multiply-adds over the inner dimension, from first to last, whatever the tiles, the
//! blocks and the threads; a product in several calls goes on where the last one stopped. So results depend on nothing
//! but the numbers and the kernel path.
#![allow(unsafe_code, reason = "vector loads and stores through pointers with strides")]

use hinet_model::kernels::{Job, lanes::Lanes};

/// How the left side of a product lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Left {
    /// So far from one row to the next, and from one number of a row to the next.
    Strided { row: usize, step: usize },
    /// Row by row it would be strided by one: what is summed over comes from lines so far apart.
    Flat { step: usize },
    /// As [`Pack`] lays rows of `columns` numbers, to be read from number `from` on.
    Packed { columns: usize, from: usize },
}

/// How many rows are multiplied together, of so many that are left.
#[inline(always)]
fn together<L: Lanes>(left: usize) -> usize {
    match left {
        12.. if L::ROWS >= 8 => 12,
        6.. if L::ROWS >= 4 => 6,
        4.. if L::ROWS >= 4 => 4,
        2.. if L::ROWS >= 4 => 2,
        _ => 1,
    }
}

/// Rows that a multiple of which can be packed and multiplied apart from the others.
pub(crate) const APART: usize = 12;

/// Lays the rows of a matrix as they are multiplied: those that are multiplied together side by side.
pub(crate) struct Pack<'a> {
    /// Rows.
    pub rows: usize,
    /// Numbers of a row.
    pub columns: usize,
    /// The matrix.
    pub from: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one number of a row to the next.
    pub step: usize,
    /// As many numbers as there are.
    pub to: &'a mut [f32],
}

impl Job for Pack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let mut first = 0;
        while first < self.rows {
            let count = together::<L>(self.rows - first);
            let to = &mut self.to[first * self.columns..][..count * self.columns];
            if self.row == 1 {
                for (to, from) in to.chunks_exact_mut(count).zip(self.from[first..].chunks(self.step)) {
                    to.copy_from_slice(&from[..count]);
                }
            } else {
                for t in 0..count {
                    let from = self.from[(first + t) * self.row..].iter().step_by(self.step);
                    to.iter_mut().skip(t).step_by(count).zip(from).for_each(|(to, from)| *to = *from);
                }
            }
            first += count;
        }
    }
}

/// `c (+)= a · b` for `[rows, inner] · [inner, columns]`, with sixteen columns at a time.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// Rows of `a` and `c`.
    pub rows: usize,
    /// Columns of `b` and `c`, a multiple of sixteen.
    pub columns: usize,
    /// What is summed over.
    pub inner: usize,
    /// First number of `a`.
    pub a: *const f32,
    /// How it lies.
    pub left: Left,
    /// First number of `b`, whose rows are stretches of sixteen numbers.
    pub b: *const f32,
    /// From one row of `b` to the next.
    pub b_step: usize,
    /// From sixteen columns of `b` to the next sixteen.
    pub b_strip: usize,
    /// First number of `c`.
    pub c: *mut f32,
    /// From one row of `c` to the next.
    pub c_row: usize,
    /// Whether the sums go on from what is in `c`.
    pub more: bool,
}

impl Job for Times {
    type Output = ();

    /// # Safety
    /// Besides the instruction set: all numbers that the fields describe are there, and those of `c` nobody else uses.
    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        // SAFETY: by contract.
        unsafe {
            for strip in 0..self.columns / 16 {
                let (b, c) = (self.b.add(strip * self.b_strip), self.c.add(strip * 16));
                let mut row = 0;
                while row < self.rows {
                    let left = self.rows - row;
                    let c = c.add(row * self.c_row);
                    row += match together::<L>(left) {
                        12 => self.rows_of::<L, 12>(row, b, c),
                        6 => self.rows_of::<L, 6>(row, b, c),
                        4 => self.rows_of::<L, 4>(row, b, c),
                        2 => self.rows_of::<L, 2>(row, b, c),
                        _ => self.rows_of::<L, 1>(row, b, c),
                    };
                }
            }
        }
    }
}

impl Times {
    /// `T` rows of sixteen columns, from row `row` on.
    ///
    /// # Safety
    /// As for the whole.
    #[inline(always)]
    unsafe fn rows_of<L: Lanes, const T: usize>(&self, row: usize, b: *const f32, c: *mut f32) -> usize {
        // SAFETY: by contract.
        unsafe {
            match self.left {
                Left::Strided { row: apart, step } => {
                    self.tile::<L, T, false>(self.a.add(row * apart), apart, step, b, c)
                }
                Left::Flat { step } => self.tile::<L, T, true>(self.a.add(row), 1, step, b, c),
                Left::Packed { columns, from } => {
                    self.tile::<L, T, true>(self.a.add(row * columns + from * T), 1, T, b, c);
                }
            }
        }
        T
    }

    /// The same, for rows of `a` that lie `apart`; `FLAT` says that this is one, so that it is known beforehand.
    ///
    /// # Safety
    /// As for the whole.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const T: usize, const FLAT: bool>(
        &self,
        mut a: *const f32,
        apart: usize,
        step: usize,
        mut b: *const f32,
        c: *mut f32,
    ) {
        let apart = if FLAT { 1 } else { apart };
        // SAFETY: by contract.
        unsafe {
            let mut sums = [L::splat(0.0); T];
            if self.more {
                for (t, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(c.add(t * self.c_row));
                }
            }
            for _ in 0..self.inner {
                let right = L::load(b);
                for (t, sum) in sums.iter_mut().enumerate() {
                    *sum = L::splat(*a.add(t * apart)).fma(right, *sum);
                }
                a = a.add(step);
                b = b.add(self.b_step);
            }
            for (t, sum) in sums.iter().enumerate() {
                sum.store(c.add(t * self.c_row));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_model::kernels::Kernel;

    #[test]
    fn every_path_and_every_cut_gives_one_chain_of_sums() {
        let number = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 509.0 - 1.0;
        let (rows, columns, inner) = (23, 48, 37);
        let a: Vec<f32> = (0..rows * inner).map(number).collect();
        let b: Vec<f32> = (0..inner * columns).map(|i| number(i + 5)).collect();
        let mut expected = vec![0f32; rows * columns];
        for r in 0..rows {
            for c in 0..columns {
                expected[r * columns + c] =
                    (0..inner).fold(0.0, |sum, i| a[r * inner + i].mul_add(b[i * columns + c], sum));
            }
        }
        for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.runs_here()) {
            let running = kernel.checked().unwrap();
            let turned: Vec<f32> = (0..rows * inner).map(|i| a[i % rows * inner + i / rows]).collect();
            let mut packed = vec![0.0; rows * inner];
            // SAFETY: the job asks for nothing.
            unsafe { running.run(Pack { rows, columns: inner, from: &a, row: inner, step: 1, to: &mut packed }) };
            for (cut, how) in [inner, 16].into_iter().flat_map(|cut| [(cut, 0), (cut, 1), (cut, 2)]) {
                let mut c = vec![f32::NAN; rows * columns];
                for from in (0..inner).step_by(cut) {
                    let (a, left) = match how {
                        0 => (a[from..].as_ptr(), Left::Strided { row: inner, step: 1 }),
                        1 => (turned[from * rows..].as_ptr(), Left::Flat { step: rows }),
                        _ => (packed.as_ptr(), Left::Packed { columns: inner, from }),
                    };
                    let times = Times {
                        rows,
                        columns,
                        inner: cut.min(inner - from),
                        a,
                        left,
                        b: b[from * columns..].as_ptr(),
                        b_step: columns,
                        b_strip: 16,
                        c: c.as_mut_ptr(),
                        c_row: columns,
                        more: from > 0,
                    };
                    // SAFETY: the slices have these shapes.
                    unsafe { running.run(times) };
                }
                let worst = c.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let most = if kernel == Kernel::Plain { 1e-4 } else { 0.0 };
                assert!(worst <= most, "{} cut at {cut}: {worst}", kernel.name());
            }
        }
    }
}
