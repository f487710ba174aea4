//! `c = a · b` in floats, the one product that everything here is made of.
//!
//! Each output is one chain of fused multiply-adds over the inner dimension, from first to last, whatever the tiles, the
//! blocks and the threads; a product in several calls goes on where the last one stopped. So results depend on nothing
//! but the numbers and the kernel path.
#![allow(unsafe_code, reason = "vector loads and stores through pointers with strides")]

use hinet_model::kernels::{Job, lanes::Lanes};

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
    /// From one row of `a` to the next.
    pub a_row: usize,
    /// From one number of a row of `a` to the next.
    pub a_step: usize,
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
                    let (a, c) = (self.a.add(row * self.a_row), c.add(row * self.c_row));
                    row += if const { L::ROWS >= 8 } && left >= 12 {
                        self.tile::<L, 12>(a, b, c)
                    } else if const { L::ROWS >= 4 } && left >= 6 {
                        self.tile::<L, 6>(a, b, c)
                    } else if const { L::ROWS >= 4 } && left >= 4 {
                        self.tile::<L, 4>(a, b, c)
                    } else if const { L::ROWS >= 4 } && left >= 2 {
                        self.tile::<L, 2>(a, b, c)
                    } else {
                        self.tile::<L, 1>(a, b, c)
                    };
                }
            }
        }
    }
}

impl Times {
    /// `T` rows of sixteen columns.
    ///
    /// # Safety
    /// As for the whole.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const T: usize>(&self, a: *const f32, b: *const f32, c: *mut f32) -> usize {
        // SAFETY: by contract.
        unsafe {
            let mut sums = [L::splat(0.0); T];
            if self.more {
                for t in 0..T {
                    sums[t] = L::load(c.add(t * self.c_row));
                }
            }
            let (mut a, mut b) = (a, b);
            for _ in 0..self.inner {
                let right = L::load(b);
                for t in 0..T {
                    sums[t] = L::splat(*a.add(t * self.a_row)).fma(right, sums[t]);
                }
                a = a.add(self.a_step);
                b = b.add(self.b_step);
            }
            for t in 0..T {
                sums[t].store(c.add(t * self.c_row));
            }
        }
        T
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
            for cut in [inner, 16] {
                let mut c = vec![f32::NAN; rows * columns];
                for from in (0..inner).step_by(cut) {
                    let times = Times {
                        rows,
                        columns,
                        inner: cut.min(inner - from),
                        a: a[from..].as_ptr(),
                        a_row: inner,
                        a_step: 1,
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
