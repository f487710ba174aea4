//! `out = a · b + bias` for weights packed once, bit-equal on every machine.
//!
//! Each output number is one chain of fused multiply-adds over the inner dimension in order, whatever the width of
//! the registers, the number of rows or the number of threads: vector lanes and tiles split outputs, never sums. So
//! a text gets the same vector in every batch and on every processor; the tests compare paths bit by bit.

#![allow(unsafe_code)]

use crate::shelf::Shelf;
use std::ops::Deref;

/// Columns of the widest packed panel: widths are multiples of it.
pub(super) const PANEL: usize = 32;
/// Inner numbers that a tile goes through before the next tile: as many as leave its panel in a first-level cache.
const INNER_BLOCK: usize = 256;

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

    /// Columns of a packed panel: two registers of sixteen for AVX-512, two of eight for AVX2. Wider tiles would need
    /// more registers than there are.
    pub fn panel(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => PANEL,
            _ => PANEL / 2,
        }
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

/// A matrix packed in panels of some columns: panel, then inner index, then column.
#[derive(Debug, Default)]
pub(super) struct Packed<S = Vec<f32>> {
    panels: S,
    inner: usize,
    panel: usize,
}

impl Packed {
    /// The same where it is quick to read, to be kept.
    pub fn shelved(&self) -> Packed<Shelf<f32>> {
        Packed { panels: Shelf::from(&self.panels[..]), inner: self.inner, panel: self.panel }
    }

    /// Packs the transpose of `rows` (row-major, `outputs` rows of `inner` numbers, each `stride` apart); columns
    /// beyond `outputs` are zero. Reuses the memory it has.
    pub fn pack_transposed(&mut self, kernel: Kernel, rows: &[f32], outputs: usize, inner: usize, stride: usize) {
        let width = kernel.panel();
        (self.inner, self.panel) = (inner, width);
        self.panels.clear();
        self.panels.resize(outputs.div_ceil(width) * width * inner, 0.0);
        for (panel, out) in self.panels.chunks_exact_mut(inner * width).enumerate() {
            for column in 0..width.min(outputs - panel * width) {
                let row = &rows[(panel * width + column) * stride..][..inner];
                row.iter().zip(out[column..].iter_mut().step_by(width)).for_each(|(&from, to)| *to = from);
            }
        }
    }

    /// Packs `inner` rows of `outputs` numbers, each row `stride` apart; `outputs` is a multiple of [`PANEL`].
    pub fn pack(&mut self, kernel: Kernel, rows: &[f32], outputs: usize, inner: usize, stride: usize) {
        debug_assert_eq!(outputs % PANEL, 0);
        let width = kernel.panel();
        (self.inner, self.panel) = (inner, width);
        self.panels.clear();
        for panel in 0..outputs / width {
            for row in 0..inner {
                self.panels.extend_from_slice(&rows[row * stride + panel * width..][..width]);
            }
        }
    }
}

impl<S: Deref<Target = [f32]>> Packed<S> {
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
pub(super) fn dense<S: Deref<Target = [f32]>>(
    kernel: Kernel,
    a: Rows<'_>,
    b: &Packed<S>,
    bias: Option<&[f32]>,
    out: &mut [f32],
    out_stride: usize,
) {
    let columns = b.columns();
    if a.count == 0 || columns == 0 {
        return;
    }
    // These bounds are what makes the pointer arithmetic of the tiles sound.
    assert_eq!(b.panel, kernel.panel(), "packed for another kernel");
    assert!(a.stride >= b.inner && a.data.len() >= (a.count - 1) * a.stride + b.inner);
    assert!(out_stride >= columns && out.len() >= (a.count - 1) * out_stride + columns);
    assert!(bias.is_none_or(|bias| bias.len() == columns));
    for from in (0..b.inner).step_by(INNER_BLOCK) {
        let inner = INNER_BLOCK.min(b.inner - from);
        // A later block goes on from the sums that the one before left.
        let tile = Tile { inner, a_stride: a.stride, out_stride, fresh: from == 0 };
        for (panel, weights) in b.panels.chunks_exact(b.inner * b.panel).enumerate() {
            let at = panel * b.panel;
            let start: &[f32] = bias.map_or(&[0.0; PANEL], |bias| &bias[at..at + b.panel]);
            let weights = &weights[from * b.panel..][..inner * b.panel];
            let mut row = 0;
            while row < a.count {
                let left = a.count - row;
                let a_rows = &a.data[row * a.stride + from..];
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
}

/// One tile's share of the inner dimension, and its strides.
#[derive(Clone, Copy)]
struct Tile {
    inner: usize,
    a_stride: usize,
    out_stride: usize,
    /// Whether the sums begin with the bias, or with what is in the output.
    fresh: bool,
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
    const WIDTH: usize = PANEL / 2;
    for lane in (0..WIDTH).step_by(LANES) {
        let mut sums: [[f32; LANES]; ROWS] = std::array::from_fn(|row| {
            let from = if tile.fresh { &start[lane..] } else { &out[row * tile.out_stride + lane..] };
            std::array::from_fn(|i| from[i])
        });
        for (i, weights) in b.chunks_exact(WIDTH).enumerate() {
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
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
            for (row, sum) in sums.iter_mut().enumerate() {
                let from = if t.fresh { start } else { out.add(row * t.out_stride).cast_const() };
                *sum = [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))];
            }
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
                6.. => tile_avx2::<6>(t, a, b, start, out),
                3.. => tile_avx2::<3>(t, a, b, start, out),
                2.. => tile_avx2::<2>(t, a, b, start, out),
                _ => tile_avx2::<1>(t, a, b, start, out),
            }
        }
    }

    /// Two registers of eight columns for each row: twelve sums at six rows, two of weights and one of input.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_avx2<const ROWS: usize>(t: Tile, a: &[f32], b: &[f32], start: &[f32], out: &mut [f32]) -> usize {
        const WIDTH: usize = PANEL / 2;
        let (a, b, start, out) = (a.as_ptr(), b.as_ptr(), start.as_ptr(), out.as_mut_ptr());
        // SAFETY: see the module: `start` has 16 numbers, `b` has `inner` times 16, rows are within `a` and `out`.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
            for (row, sum) in sums.iter_mut().enumerate() {
                let from = if t.fresh { start } else { out.add(row * t.out_stride).cast_const() };
                *sum = [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))];
            }
            for i in 0..t.inner {
                let low = _mm256_loadu_ps(b.add(i * WIDTH));
                let high = _mm256_loadu_ps(b.add(i * WIDTH + 8));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*a.add(row * t.a_stride + i));
                    sum[0] = _mm256_fmadd_ps(x, low, sum[0]);
                    sum[1] = _mm256_fmadd_ps(x, high, sum[1]);
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps(out.add(row * t.out_stride), sum[0]);
                _mm256_storeu_ps(out.add(row * t.out_stride + 8), sum[1]);
            }
        }
        ROWS
    }
}

use super::lanes::{add_norm_plain, gelu_plain, softmax_plain};
