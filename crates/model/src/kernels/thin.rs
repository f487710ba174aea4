//! The thin products of a low-rank delta: `t = gate · x·Aᵀ`, and `out += t·Bᵀ`.
//!
//! Both factors lie in strips of sixteen outputs, column by column, so that one stream of memory is read once per token.
//! `A` is added up in four sums, of the columns that leave 0, 1, 2 and 3 when divided by four, so that one row keeps
//! the multipliers busy; `B` in one sum per output, delta after delta. The order is the same for every number of rows,
//! and every sum starts at zero, so a gate of zero adds exactly nothing.
#![allow(
    unsafe_code,
    reason = "vector loads over slices whose lengths are checked first, and outputs shared by threads"
)]

use super::{
    BLOCK, Int8Rows, Job, Q8Block, STRIP, Slots,
    lanes::Lanes,
    matrix::row_of,
    strip::{AHEAD, Output, direct},
};
use crate::shelf::Shelf;
use half::f16;

/// Sixteen half floats: one column of a strip.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Halves(pub(crate) [u16; STRIP]);

/// Sixteen small integers: one column of a strip.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Bytes(pub(crate) [i8; STRIP]);

/// `A`: from the width of the stream to the rank.
#[derive(Debug)]
pub(crate) enum Inward {
    /// Half floats, multiplied with the activations as they are.
    Half(Shelf<Halves>),
    /// Eight bits, multiplied with the activations rounded to int8.
    Int8(Shelf<Q8Block>),
}

/// `B`: from the rank to the outputs.
#[derive(Debug)]
pub(crate) enum Outward {
    /// Half floats.
    Half(Shelf<Halves>),
    /// Eight bits, and a factor for every output.
    Int8(Shelf<Bytes>, Shelf<f32>),
}

/// The largest power of two for which all numbers, multiplied with it, stay below 2^14, where half floats are at their
/// finest without overflowing; 1 when all are zero.
fn lift(numbers: &[f32]) -> f32 {
    let largest = numbers.iter().fold(0f32, |top, x| top.max(x.abs()));
    if largest == 0.0 {
        return 1.0;
    }
    // The exponent of a subnormal is read as -127, which lifts it as far as a float can be lifted.
    let exponent = i32::try_from(largest.to_bits() >> 23).unwrap_or(0) - 127;
    2f32.powi((13 - exponent).clamp(-126, 126))
}

/// Half floats of `[outputs, columns]` in strips, and the power of two they were multiplied with.
fn halves(numbers: &[f32], outputs: usize, columns: usize) -> (Shelf<Halves>, f32) {
    let lift = lift(numbers);
    let mut strips = Shelf::filled(Halves([0; STRIP]), outputs.div_ceil(STRIP) * columns);
    for (output, row) in numbers.chunks_exact(columns).enumerate() {
        for (column, number) in row.iter().enumerate() {
            strips[output / STRIP * columns + column].0[output % STRIP] = f16::from_f32(number * lift).to_bits();
        }
    }
    (strips, lift)
}

/// What [`halves`] packed, `[outputs, columns]`, with the power of two inside.
fn widened(strips: &[Halves], outputs: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(outputs * columns);
    for output in 0..outputs {
        let strip = &strips[output / STRIP * columns..][..columns];
        out.extend(strip.iter().map(|column| f16::from_bits(column.0[output % STRIP]).to_f32()));
    }
    out
}

#[allow(clippy::cast_possible_truncation, reason = "the quotient lies within ±127")]
fn eighth(number: f32, scale: f32) -> i8 {
    if scale > 0.0 { (number / scale).round_ties_even().clamp(-127.0, 127.0) as i8 } else { 0 }
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0f32, |top, x| top.max(x.abs()))
}

impl Inward {
    /// Packs `[rank, columns]`; the second result undoes the power of two that is inside.
    pub(crate) fn half(numbers: &[f32], rank: usize, columns: usize) -> (Self, f32) {
        let (strips, lift) = halves(numbers, rank, columns);
        (Self::Half(strips), 1.0 / lift)
    }

    /// The same, rounded to eight bits per 32 columns.
    pub(crate) fn int8(numbers: &[f32], rank: usize, columns: usize) -> (Self, f32) {
        let (lift, blocks) = (lift(numbers), columns / BLOCK);
        let mut strips = Shelf::filled(Q8Block::ZERO, rank.div_ceil(STRIP) * blocks);
        for (row, numbers) in numbers.chunks_exact(columns).enumerate() {
            for (b, numbers) in numbers.chunks_exact(BLOCK).enumerate() {
                let scale = f16::from_f32(largest(numbers) * lift / 127.0);
                let mut quants = [0u8; BLOCK];
                for (to, number) in quants.iter_mut().zip(numbers) {
                    *to = eighth(number * lift, scale.to_f32()).cast_unsigned();
                }
                strips[row / STRIP * blocks + b].set_row(row % STRIP, &quants, scale.to_bits());
            }
        }
        (Self::Int8(strips), 1.0 / lift)
    }

    /// The numbers that were packed, `[rank, columns]`, as they were rounded and with the power of two inside.
    pub(crate) fn numbers(&self, rank: usize, columns: usize) -> Vec<f32> {
        match self {
            Self::Half(strips) => widened(strips, rank, columns),
            Self::Int8(strips) => {
                let mut out = vec![0.0; rank * columns];
                for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                    row_of(strips, row / STRIP, row % STRIP, out);
                }
                out
            }
        }
    }

    /// Whether the activations are wanted rounded.
    pub(crate) fn is_quantised(&self) -> bool {
        matches!(self, Self::Int8(_))
    }

    /// Bytes of the strips.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Half(strips) => size_of_val(&strips[..]),
            Self::Int8(strips) => size_of_val(&strips[..]),
        }
    }
}

impl Outward {
    /// Packs `[outputs, rank]`; the second result undoes the power of two that is inside.
    pub(crate) fn half(numbers: &[f32], outputs: usize, rank: usize) -> (Self, f32) {
        let (strips, lift) = halves(numbers, outputs, rank);
        (Self::Half(strips), 1.0 / lift)
    }

    /// The same, rounded to eight bits per output.
    pub(crate) fn int8(numbers: &[f32], outputs: usize, rank: usize) -> (Self, f32) {
        let padded = outputs.next_multiple_of(STRIP);
        let mut strips = Shelf::filled(Bytes([0; STRIP]), padded / STRIP * rank);
        let mut scales = Shelf::filled(0f32, padded);
        for (output, row) in numbers.chunks_exact(rank).enumerate() {
            let scale = largest(row) / 127.0;
            scales[output] = scale;
            for (column, number) in row.iter().enumerate() {
                strips[output / STRIP * rank + column].0[output % STRIP] = eighth(*number, scale);
            }
        }
        (Self::Int8(strips, scales), 1.0)
    }

    /// The numbers that were packed, `[outputs, rank]`, as they were rounded and with the power of two inside.
    pub(crate) fn numbers(&self, outputs: usize, rank: usize) -> Vec<f32> {
        match self {
            Self::Half(strips) => widened(strips, outputs, rank),
            Self::Int8(strips, scales) => {
                let mut out = Vec::with_capacity(outputs * rank);
                for output in 0..outputs {
                    let strip = &strips[output / STRIP * rank..][..rank];
                    out.extend(strip.iter().map(|column| f32::from(column.0[output % STRIP]) * scales[output]));
                }
                out
            }
        }
    }

    /// Bytes of the strips.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Half(strips) => size_of_val(&strips[..]),
            Self::Int8(strips, scales) => size_of_val(&strips[..]) + size_of_val(&scales[..]),
        }
    }
}

/// One strip of `A` over some rows of activations, times each row's gate.
pub(crate) struct Narrow<'a> {
    /// The factor.
    pub factor: &'a Inward,
    /// Which strip of it.
    pub strip: usize,
    /// The activations, all rows of the step.
    pub floats: &'a [f32],
    /// The same rounded, where the factor is.
    pub rounded: &'a Int8Rows,
    /// Numbers in a row of activations.
    pub columns: usize,
    /// The rows to do.
    pub rows: std::ops::Range<usize>,
    /// A gate for each row of the step.
    pub gates: &'a [f32],
    /// What the gates are multiplied with.
    pub scale: f32,
    /// Where the results go: sixteen in each row.
    pub out: Slots<f32>,
    /// The first of them in the first row of the step.
    pub at: usize,
    /// From row to row.
    pub stride: usize,
}

impl Job for Narrow<'_> {
    type Output = ();

    /// Needs that nobody else writes these sixteen columns of these rows.
    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        assert!(self.rows.end <= self.gates.len(), "every row has a gate");
        let mut row = self.rows.start;
        while row < self.rows.end {
            // SAFETY: forwarded; the rows stay inside the range.
            unsafe {
                row += match (self.rows.end - row).min(L::ROWS) {
                    4.. => self.some::<L, 4>(row),
                    2.. => self.some::<L, 2>(row),
                    _ => self.some::<L, 1>(row),
                };
            }
        }
    }
}

impl Narrow<'_> {
    /// # Safety
    /// As for [`Job::go`], with `first..first + T` inside the rows.
    #[inline(always)]
    unsafe fn some<L: Lanes, const T: usize>(&self, first: usize) -> usize {
        // SAFETY: a part of every row is inside the slots, and this call's alone by contract.
        let out: [*mut f32; T] =
            std::array::from_fn(|t| unsafe { self.out.part(self.at + (first + t) * self.stride, STRIP).as_mut_ptr() });
        let gates: [f32; T] = std::array::from_fn(|t| self.gates[first + t] * self.scale);
        // SAFETY: the pointers are good for sixteen floats each, a stride apart.
        unsafe {
            match self.factor {
                Inward::Half(all) => {
                    let strip = &all[self.strip * self.columns..][..self.columns];
                    let x: [&[f32]; T] =
                        std::array::from_fn(|t| &self.floats[(first + t) * self.columns..][..self.columns]);
                    let sums = narrow_half::<L, T>(strip, x);
                    for t in 0..T {
                        sums[t].mul(L::splat(gates[t])).store(out[t]);
                    }
                }
                Inward::Int8(all) => {
                    let blocks = self.columns / BLOCK;
                    let to = Output { to: self.out.at(self.at), stride: self.stride };
                    direct::<L, Q8Block, T>(&all[self.strip * blocks..][..blocks], self.rounded, first, to);
                    for t in 0..T {
                        L::load(out[t]).mul(L::splat(gates[t])).store(out[t]);
                    }
                }
            }
        }
        T
    }
}

/// Asks for the memory as far beyond these numbers as is read in the time in which it comes: a processor looks ahead by
/// itself within a page only, and a factor is a few pages long.
///
/// # Safety
/// The processor has the instruction set of `L`.
#[inline(always)]
unsafe fn ahead<L: Lanes, C>(numbers: &[C]) {
    let from = numbers.as_ptr().cast::<u8>().wrapping_add(AHEAD);
    for line in (0..size_of_val(numbers)).step_by(64) {
        // SAFETY: by contract.
        unsafe { L::prefetch(from.wrapping_add(line)) };
    }
}

/// # Safety
/// The processor has the instruction set of `L`.
#[inline(always)]
unsafe fn narrow_half<L: Lanes, const T: usize>(strip: &[Halves], x: [&[f32]; T]) -> [L; T] {
    let columns = strip.len();
    assert!(columns.is_multiple_of(4) && x.iter().all(|row| row.len() == columns), "a row has a number per column");
    // SAFETY: all columns are below the length of the strip and of the rows.
    unsafe {
        if T == 1 {
            let mut sums = [L::splat(0.0); 4];
            for column in (0..columns).step_by(4) {
                ahead::<L, _>(&strip[column..column + 4]);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let weights = L::load_half(strip.get_unchecked(column + i).0.as_ptr());
                    *sum = L::splat(*x[0].get_unchecked(column + i)).fma(weights, *sum);
                }
            }
            return [sums[0].add(sums[1]).add(sums[2].add(sums[3])); T];
        }
        // One of the four sums after the other, since all of them for several rows do not fit into the registers.
        let mut sums = [[L::splat(0.0); T]; 4];
        for (i, sums) in sums.iter_mut().enumerate() {
            let mut inner = *sums;
            for column in (i..columns).step_by(4) {
                let weights = L::load_half(strip.get_unchecked(column).0.as_ptr());
                for (sum, x) in inner.iter_mut().zip(x) {
                    *sum = L::splat(*x.get_unchecked(column)).fma(weights, *sum);
                }
            }
            *sums = inner;
        }
        std::array::from_fn(|t| sums[0][t].add(sums[1][t]).add(sums[2][t].add(sums[3][t])))
    }
}

/// What one delta adds to a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addend<'a> {
    /// The factor.
    pub factor: &'a Outward,
    /// Its columns.
    pub rank: usize,
    /// Where this delta's numbers begin in a row of `t`.
    pub at: usize,
    /// A gate for each row of the step.
    pub gates: &'a [f32],
    /// What each output of the plain product is multiplied with and added, times the gate: `m / ‖W + sBA‖ - 1`.
    pub stretch: Option<&'a [f32]>,
}

/// Adds what the active deltas say to some strips of a product.
pub(crate) struct Widen<'a, F> {
    /// The addend with this number, in the order in which they are added.
    pub addend: F,
    /// How many.
    pub addends: usize,
    /// Strips of the matrix.
    pub strips: std::ops::Range<usize>,
    /// Rows of the step.
    pub rows: usize,
    /// All narrow products of the step.
    pub t: &'a [f32],
    /// From row to row of them.
    pub t_stride: usize,
    /// The plain product.
    pub out: Slots<f32>,
    /// From row to row of it.
    pub stride: usize,
}

impl<'a, F: Fn(usize) -> Addend<'a>> Job for Widen<'_, F> {
    type Output = ();

    /// Needs that nobody else uses these columns of `out`.
    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        assert!(self.t.len() >= self.rows * self.t_stride, "every row was narrowed");
        let mut row = 0;
        // SAFETY: forwarded; strips and rows stay inside their ranges.
        unsafe {
            while row < self.rows {
                let left = (self.rows - row).min(L::ROWS);
                let mut strip = self.strips.start;
                while strip < self.strips.end {
                    let pair = self.strips.end - strip >= 2;
                    strip += match left {
                        4.. => self.some::<L, 4, 1>(row, strip),
                        2.. => self.some::<L, 2, 1>(row, strip),
                        _ if pair => self.some::<L, 1, 2>(row, strip),
                        _ => self.some::<L, 1, 1>(row, strip),
                    };
                }
                row += match left {
                    4.. => 4,
                    2.. => 2,
                    _ => 1,
                };
            }
        }
    }
}

impl<'a, F: Fn(usize) -> Addend<'a>> Widen<'_, F> {
    /// Rows `row..row + T` of strips `strip..strip + S`.
    ///
    /// # Safety
    /// As for [`Job::go`].
    #[inline(always)]
    unsafe fn some<L: Lanes, const T: usize, const S: usize>(&self, row: usize, strip: usize) -> usize {
        // SAFETY: `Slots::part` checks the places, which are this call's alone; every column is below the rank, and the
        // strips were packed with that many columns, which the slices check.
        unsafe {
            let mut sums = [[L::splat(0.0); S]; T];
            let mut stretches = [[L::splat(0.0); S]; T];
            let mut stretched = false;
            for index in 0..self.addends {
                let addend = (self.addend)(index);
                let gates: [f32; T] = std::array::from_fn(|t| addend.gates[row + t]);
                if gates.iter().all(|gate| *gate == 0.0) {
                    continue;
                }
                let rank = addend.rank;
                let t: [&[f32]; T] = std::array::from_fn(|t| &self.t[(row + t) * self.t_stride + addend.at..][..rank]);
                match addend.factor {
                    Outward::Half(all) => {
                        let columns: [&[Halves]; S] = std::array::from_fn(|s| &all[(strip + s) * rank..][..rank]);
                        if T == 1 {
                            for columns in columns {
                                ahead::<L, _>(columns);
                            }
                        }
                        for column in 0..rank {
                            let weights: [L; S] =
                                std::array::from_fn(|s| L::load_half(columns[s].get_unchecked(column).0.as_ptr()));
                            widen_column(&mut sums, &weights, column, &t);
                        }
                    }
                    Outward::Int8(all, scales) => {
                        let columns: [&[Bytes]; S] = std::array::from_fn(|s| &all[(strip + s) * rank..][..rank]);
                        if T == 1 {
                            for columns in columns {
                                ahead::<L, _>(columns);
                            }
                        }
                        let mut own = [[L::splat(0.0); S]; T];
                        for column in 0..rank {
                            let weights: [L; S] =
                                std::array::from_fn(|s| L::load_int8(columns[s].get_unchecked(column).0.as_ptr()));
                            widen_column(&mut own, &weights, column, &t);
                        }
                        let scales = &scales[strip * STRIP..][..S * STRIP];
                        for (sums, own) in sums.iter_mut().zip(&own) {
                            for s in 0..S {
                                sums[s] = own[s].fma(L::load(scales.as_ptr().add(s * STRIP)), sums[s]);
                            }
                        }
                    }
                }
                if let Some(stretch) = addend.stretch {
                    stretched = true;
                    let stretch = &stretch[strip * STRIP..][..S * STRIP];
                    for (stretches, gate) in stretches.iter_mut().zip(gates) {
                        for (s, sum) in stretches.iter_mut().enumerate() {
                            *sum = L::splat(gate).fma(L::load(stretch.as_ptr().add(s * STRIP)), *sum);
                        }
                    }
                }
            }
            for (t, (sums, stretches)) in sums.iter().zip(&stretches).enumerate() {
                let out = self.out.part((row + t) * self.stride + strip * STRIP, S * STRIP).as_mut_ptr();
                for s in 0..S {
                    let plain = L::load(out.add(s * STRIP));
                    let sum = if stretched { plain.fma(stretches[s], sums[s]) } else { sums[s] };
                    plain.add(sum).store(out.add(s * STRIP));
                }
            }
        }
        S
    }
}

/// # Safety
/// Every row of `t` has this column, and the processor the instruction set of `L`.
#[inline(always)]
unsafe fn widen_column<L: Lanes, const T: usize, const S: usize>(
    sums: &mut [[L; S]; T],
    weights: &[L; S],
    column: usize,
    t: &[&[f32]; T],
) {
    for (sums, t) in sums.iter_mut().zip(t) {
        // SAFETY: by contract.
        unsafe {
            let number = L::splat(*t.get_unchecked(column));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = number.fma(*weights, *sum);
            }
        }
    }
}
