//! `out = a · b + bias` for weights packed once, bit-equal on every machine.
//!
//! Each output number is one chain of fused multiply-adds over the inner dimension in order, whatever the width of
//! the registers, the number of rows or the number of threads: vector lanes and tiles split outputs, never sums. So
//! a text gets the same vector in every batch and on every processor; the tests compare paths bit by bit.

#![allow(unsafe_code)]

/// Columns of one packed panel.
pub(super) const PANEL: usize = 32;

/// Which instructions are used; only [`Kernel::detect`] and [`Kernel::all`] make one, after asking the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Path);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// All that this processor runs, the slowest first.
    pub fn all() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have the plain path alone")]
        let mut all = vec![Self(Path::Plain)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self(Path::Avx2));
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(Self(Path::Avx512));
            }
        }
        all
    }

    /// The fastest that this processor runs.
    pub fn detect() -> Self {
        Self::all().pop().unwrap_or(Self(Path::Plain))
    }
}

/// Compiles one plain function for each instruction set and calls the one that `kernel` names.
macro_rules! for_each_kernel {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ty),*) = $plain:ident) => {
        $(#[$doc])*
        pub(super) fn $name(kernel: Kernel, $($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $kind),*) {
                $plain($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn avx512($($arg: $kind),*) {
                $plain($($arg),*)
            }
            match kernel.0 {
                Path::Plain => $plain($($arg),*),
                // SAFETY: a kernel with this path exists only where the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                Path::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above; every processor with AVX-512 has AVX2 and FMA.
                #[cfg(target_arch = "x86_64")]
                Path::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}

for_each_kernel! {
    /// GELU with the error function, in place.
    fn gelu(values: &mut [f32]) = gelu_plain
}
for_each_kernel! {
    /// Softmax numerators of the first `valid` numbers of each row of `stride`, zeros after them; reciprocals of the
    /// sums go to `scale`, one per row.
    fn softmax(scores: &mut [f32], stride: usize, valid: usize, scale: &mut [f32]) = softmax_plain
}
for_each_kernel! {
    /// `x = layer_norm(x + add)` for each row as long as `gain`.
    fn add_norm(x: &mut [f32], add: &[f32], norm: &super::LayerNorm) = add_norm_plain
}

/// A matrix packed in panels of 32 columns: panel, then inner index, then column.
#[derive(Debug, Default)]
pub(super) struct Packed {
    panels: Vec<f32>,
    inner: usize,
}

impl Packed {
    /// Packs the transpose of `rows` (row-major, `outputs` rows of `inner` numbers, each `stride` apart); columns
    /// beyond `outputs` are zero. Reuses the memory it has.
    pub fn pack_transposed(&mut self, rows: &[f32], outputs: usize, inner: usize, stride: usize) {
        self.inner = inner;
        self.panels.clear();
        self.panels.resize(outputs.div_ceil(PANEL) * PANEL * inner, 0.0);
        for (panel, out) in self.panels.chunks_exact_mut(inner * PANEL).enumerate() {
            for column in 0..PANEL.min(outputs - panel * PANEL) {
                let row = &rows[(panel * PANEL + column) * stride..][..inner];
                row.iter().zip(out[column..].iter_mut().step_by(PANEL)).for_each(|(&from, to)| *to = from);
            }
        }
    }

    /// Packs `inner` rows of `outputs` numbers, each row `stride` apart; `outputs` is a multiple of [`PANEL`].
    pub fn pack(&mut self, rows: &[f32], outputs: usize, inner: usize, stride: usize) {
        debug_assert_eq!(outputs % PANEL, 0);
        self.inner = inner;
        self.panels.clear();
        for panel in 0..outputs / PANEL {
            for row in 0..inner {
                self.panels.extend_from_slice(&rows[row * stride + panel * PANEL..][..PANEL]);
            }
        }
    }

    fn columns(&self) -> usize {
        self.panels.len().checked_div(self.inner).unwrap_or(0)
    }
}

/// Row-major numbers of which only the first `columns` of every `stride` are meant.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub data: &'a [f32],
    pub count: usize,
    pub stride: usize,
}

/// `out[r][c] = bias[c] + Σ a[r][i] · b[i][c]`, for all rows of `a` and all columns of `b`; rows of `out` are
/// `out_stride` apart. Without a bias the sum begins at zero.
pub(super) fn dense(kernel: Kernel, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: &mut [f32], out_stride: usize) {
    let columns = b.columns();
    if a.count == 0 || columns == 0 {
        return;
    }
    // These bounds are what makes the pointer arithmetic of the tiles sound.
    assert!(a.stride >= b.inner && a.data.len() >= (a.count - 1) * a.stride + b.inner);
    assert!(out_stride >= columns && out.len() >= (a.count - 1) * out_stride + columns);
    assert!(bias.is_none_or(|bias| bias.len() == columns));
    for (panel, weights) in b.panels.chunks_exact(b.inner * PANEL).enumerate() {
        let at = panel * PANEL;
        let start: &[f32] = bias.map_or(&[0.0; PANEL], |bias| &bias[at..at + PANEL]);
        let tile = Tile { inner: b.inner, a_stride: a.stride, out_stride };
        let mut row = 0;
        while row < a.count {
            let left = a.count - row;
            let a_rows = &a.data[row * a.stride..];
            let out_rows = &mut out[row * out_stride + at..];
            row += match kernel.0 {
                Path::Plain => plain_rows(tile, left, a_rows, weights, start, out_rows),
                // SAFETY: the path is only made where its instructions exist, and the bounds were checked above.
                #[cfg(target_arch = "x86_64")]
                Path::Avx2 => unsafe { x86::rows_avx2(tile, left, a_rows, weights, start, out_rows) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Path::Avx512 => unsafe { x86::rows_avx512(tile, left, a_rows, weights, start, out_rows) },
            };
        }
    }
}

/// Strides of one tile.
#[derive(Clone, Copy)]
struct Tile {
    inner: usize,
    a_stride: usize,
    out_stride: usize,
}

/// Up to four rows without vector instructions of its own; compilers vectorise the lanes where they can.
fn plain_rows(tile: Tile, left: usize, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
    if left >= 4 {
        plain_tile::<4>(tile, a, b, start, out);
        return 4;
    }
    plain_tile::<1>(tile, a, b, start, out);
    1
}

#[inline(always)]
fn plain_tile<const ROWS: usize>(tile: Tile, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) {
    const LANES: usize = 8;
    for lane in (0..PANEL).step_by(LANES) {
        let first: [f32; LANES] = std::array::from_fn(|i| start[lane + i]);
        let mut sums = [first; ROWS];
        for (i, weights) in b.chunks_exact(PANEL).enumerate() {
            let weights: [f32; LANES] = std::array::from_fn(|j| weights[lane + j]);
            for (row, sum) in sums.iter_mut().enumerate() {
                let x = a[row * tile.a_stride + i];
                *sum = std::array::from_fn(|j| x.mul_add(weights[j], sum[j]));
            }
        }
        for (row, sum) in sums.iter().enumerate() {
            out[row * tile.out_stride + lane..][..LANES].copy_from_slice(sum);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The same tiles with registers named by hand. `a`, `b` and `out` are read and written within the bounds that
    //! [`super::dense`] checks: rows `0..ROWS` of `a` and `out`, all of `b`.

    use super::{PANEL, Tile};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub unsafe fn rows_avx512(t: Tile, left: usize, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
        // SAFETY: `left` rows are in bounds, and each call takes at most that many.
        unsafe {
            match left {
                12.. => tile_avx512::<12>(t, a, b, start, out),
                8.. => tile_avx512::<8>(t, a, b, start, out),
                4.. => tile_avx512::<4>(t, a, b, start, out),
                2.. => tile_avx512::<2>(t, a, b, start, out),
                _ => tile_avx512::<1>(t, a, b, start, out),
            }
        }
    }

    /// Two registers of sixteen columns for each row: 24 sums at 12 rows.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile_avx512<const ROWS: usize>(t: Tile, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
        let (a, b, start, out) = (a.as_ptr(), b.as_ptr(), start.as_ptr(), out.as_mut_ptr());
        // SAFETY: see the module: `start` has 32 numbers, `b` has `inner` times 32, rows are within `a` and `out`.
        unsafe {
            let mut sums = [[_mm512_loadu_ps(start), _mm512_loadu_ps(start.add(16))]; ROWS];
            for i in 0..t.inner {
                let low = _mm512_loadu_ps(b.add(i * PANEL));
                let high = _mm512_loadu_ps(b.add(i * PANEL + 16));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(row * t.a_stride + i));
                    sum[0] = _mm512_fmadd_ps(x, low, sum[0]);
                    sum[1] = _mm512_fmadd_ps(x, high, sum[1]);
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(row * t.out_stride), sum[0]);
                _mm512_storeu_ps(out.add(row * t.out_stride + 16), sum[1]);
            }
        }
        ROWS
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn rows_avx2(t: Tile, left: usize, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
        // SAFETY: `left` rows are in bounds, and each call takes at most that many.
        unsafe {
            match left {
                3.. => tile_avx2::<3>(t, a, b, start, out),
                2.. => tile_avx2::<2>(t, a, b, start, out),
                _ => tile_avx2::<1>(t, a, b, start, out),
            }
        }
    }

    /// Four registers of eight columns for each row: 12 sums at 3 rows.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_avx2<const ROWS: usize>(t: Tile, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
        let (a, b, start, out) = (a.as_ptr(), b.as_ptr(), start.as_ptr(), out.as_mut_ptr());
        // SAFETY: see the module: `start` has 32 numbers, `b` has `inner` times 32, rows are within `a` and `out`.
        unsafe {
            let first = [0, 8, 16, 24].map(|lane| _mm256_loadu_ps(start.add(lane)));
            let mut sums = [first; ROWS];
            for i in 0..t.inner {
                let weights = [0, 8, 16, 24].map(|lane| _mm256_loadu_ps(b.add(i * PANEL + lane)));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*a.add(row * t.a_stride + i));
                    for (sum, weight) in sum.iter_mut().zip(weights) {
                        *sum = _mm256_fmadd_ps(x, weight, *sum);
                    }
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                for (lane, &part) in sum.iter().enumerate() {
                    _mm256_storeu_ps(out.add(row * t.out_stride + lane * 8), part);
                }
            }
        }
        ROWS
    }
}

use super::lanes::{add_norm_plain, gelu_plain, softmax_plain};
