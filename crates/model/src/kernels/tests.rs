//! Every kernel on every instruction set of this machine, against plain arithmetic in double precision.

use super::{
    Int8Rows, Kernel, Matrix, Running, STRIP, Slots,
    attend::{Attend, BLOCK_POSITIONS, Gather, Heads, How, Into, Queries},
    lanes::{Lanes, widen},
    matrix::Input,
    rowwise::{Gate, Norm, Rotate, Round, Weigh},
};
use crate::{
    gguf::{Kind, Tensor},
    kv::{KvKind, KvPool, PageTable, Shape},
    weights,
};
use half::f16;

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn float(&mut self) -> f32 {
        self.bits() as f32 / (1u64 << 30) as f32 - 1.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

fn here() -> Vec<Running> {
    Kernel::ALL.into_iter().filter_map(|kernel| kernel.checked().ok()).collect()
}

fn near(found: f32, expected: f64, tolerance: f64, what: &str) {
    let error = (f64::from(found) - expected).abs();
    assert!(error <= tolerance * (1.0 + expected.abs()), "{what}: {found} instead of {expected}");
}

/// A tensor of random blocks whose scales are ordinary numbers.
fn blocks(kind: Kind, rows: usize, columns: usize, noise: &mut Noise) -> Vec<u8> {
    let (numbers, size) = kind.block();
    let mut bytes: Vec<u8> = (0..rows * columns / numbers * size).map(|_| noise.bits() as u8).collect();
    for block in bytes.chunks_exact_mut(size) {
        match kind {
            Kind::F32 => block.copy_from_slice(&noise.float().to_le_bytes()),
            Kind::F16 => block.copy_from_slice(&f16::from_f32(noise.float()).to_le_bytes()),
            _ => block[..2].copy_from_slice(&f16::from_f32(noise.float()).to_le_bytes()),
        }
        if kind == Kind::Q4_1 {
            block[2..4].copy_from_slice(&f16::from_f32(noise.float()).to_le_bytes());
        }
    }
    bytes
}

fn rounded(running: Running, x: &[f32], rows: usize) -> Int8Rows {
    let columns = x.len() / rows;
    let mut out = Int8Rows::default();
    out.shape(rows, columns);
    for (x, into) in x.chunks_exact(columns).zip(out.data.chunks_exact_mut(columns / 32)) {
        // SAFETY: rounding asks for nothing.
        unsafe { running.run(Round { x, into }) };
    }
    out
}

fn multiply(running: Running, matrix: &Matrix, x: &[f32], rows: usize) -> Vec<f32> {
    let strips = matrix.strip_count();
    let rounded = rounded(running, x, rows);
    let mut out = vec![f32::NAN; rows * strips * STRIP];
    // SAFETY: nobody else uses `out`.
    unsafe { matrix.multiply(running, 0..strips, Input { floats: x, rounded: &rounded, rows }, Slots::over(&mut out)) };
    out
}

#[test]
fn matrices_are_multiplied_as_their_numbers_say() {
    let mut noise = Noise(1);
    let (rows, columns, tokens) = (40, 96, 15);
    for kind in [Kind::Q4_0, Kind::Q4_1, Kind::Q8_0, Kind::F16, Kind::F32, Kind::Q5_0] {
        let bytes = blocks(kind, rows, columns, &mut noise);
        let tensor = Tensor { name: "w", shape: &[rows, columns], kind, bytes: &bytes };
        let (plain, matrix) = (weights::floats(&tensor).unwrap(), weights::matrix_of(&tensor).unwrap());
        let mut row = vec![0.0; columns];
        for (index, expected) in plain.chunks_exact(columns).enumerate() {
            matrix.row(index, &mut row);
            row.iter().zip(expected).for_each(|(a, b)| near(*a, f64::from(*b), 1e-6, "a stored number"));
        }
        let x = noise.floats(tokens * columns);
        for running in here() {
            let name = format!("{kind:?} {}", running.kernel().name());
            let out = multiply(running, &matrix, &x, tokens);
            let acts = rounded(running, &x, tokens);
            for token in 0..tokens {
                for row in 0..rows {
                    let act = |c: usize| {
                        let block = &acts.data[token * acts.blocks + c / 32];
                        let quantised = f64::from(block.quants[c % 32]) * f64::from(block.scale);
                        if matrix.is_quantised() { quantised } else { f64::from(x[token * columns + c]) }
                    };
                    let expected: f64 = (0..columns).map(|c| f64::from(plain[row * columns + c]) * act(c)).sum();
                    near(out[token * matrix.strip_count() * STRIP + row], expected, 1e-4, &name);
                }
                // The padding of the last strip is zero, not rubbish.
                assert!(out[token * 48 + rows..(token + 1) * 48].iter().all(|x| *x == 0.0), "{name}");
                let alone = multiply(running, &matrix, &x[token * columns..][..columns], 1);
                assert_eq!(alone, out[token * 48..(token + 1) * 48], "{name}: token {token} alone");
            }
        }
    }
}

#[test]
fn rows_are_rounded_to_the_nearest() {
    let mut noise = Noise(2);
    for running in here() {
        let mut x = noise.floats(64);
        x[32..].fill(0.0);
        let out = rounded(running, &x, 1);
        for (block, x) in out.data.iter().zip(x.chunks_exact(32)) {
            let total: i32 = block.quants.iter().map(|q| i32::from(*q)).sum();
            assert_eq!(block.total, total);
            near(block.sum, f64::from(total) * f64::from(block.scale), 1e-6, "sum");
            for (q, x) in block.quants.iter().zip(x) {
                near(f32::from(*q) * block.scale, f64::from(*x), f64::from(block.scale) * 0.51, "rounded");
            }
        }
        assert!(out.data[0].quants.iter().any(|q| q.unsigned_abs() == 127), "the largest uses the whole range");
    }
}

#[test]
fn row_kernels_match_plain_arithmetic() {
    let mut noise = Noise(3);
    for running in here() {
        let (x, gains) = (noise.floats(96), noise.floats(96));
        let mut out = vec![0.0; 96];
        // SAFETY: none of these jobs asks for anything.
        unsafe { running.run(Norm { x: &x, gains: &gains, eps: 1e-5, out: &mut out }) };
        let square: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 96.0;
        for i in 0..96 {
            near(out[i], f64::from(x[i]) * f64::from(gains[i]) / (square + 1e-5).sqrt(), 1e-6, "norm");
        }
        let mut gate: Vec<f32> = (0..96).map(|i| (i as f32 - 48.0) * 2.5).collect();
        let before = gate.clone();
        // SAFETY: as above.
        unsafe { running.run(Gate { gate: &mut gate, up: &x }) };
        for i in 0..96 {
            let g = f64::from(before[i]);
            near(gate[i], g / (1.0 + (-g).exp()) * f64::from(x[i]), 1e-6, "gate");
        }
        for neighbours in [true, false] {
            let (cos, sin) = ([0.8f32; 12], [0.6f32; 12]);
            let mut row = x.clone();
            // SAFETY: as above.
            unsafe { running.run(Rotate { row: &mut row, head_dim: 32, cos: &cos, sin: &sin, neighbours }) };
            let (a, b) = if neighbours { (32 + 6, 32 + 7) } else { (32 + 3, 32 + 15) };
            near(row[a], f64::from(x[a]) * 0.8 - f64::from(x[b]) * 0.6, 1e-6, "rotated");
            near(row[b], f64::from(x[a]) * 0.6 + f64::from(x[b]) * 0.8, 1e-6, "rotated");
            assert_eq!(row[32 + 24..64], x[32 + 24..64], "what is beyond the rotated part stays");
        }
        for seen in [0..1, 0..15, 0..16, 0..17, 0..48, 5..6, 3..48, 17..30, 40..40] {
            let mut scores: Vec<f32> = x[..48].iter().map(|x| x * 30.0).collect();
            let before = scores.clone();
            // SAFETY: as above.
            let (top, sum) = unsafe { running.run(Weigh { scores: &mut scores, seen: seen.clone(), scale: 0.5 }) };
            let largest = before[seen.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max) * 0.5;
            let weight = |x: f32| (f64::from(x) * 0.5 - f64::from(largest)).exp();
            assert!(top == largest, "{top} is the largest");
            near(sum, before[seen.clone()].iter().map(|x| weight(*x)).sum(), 1e-6, "the sum");
            for i in 0..48 {
                near(scores[i], if seen.contains(&i) { weight(before[i]) } else { 0.0 }, 1e-6, "a weight");
            }
        }
    }
}

struct Exponential<'a>(&'a mut [f32]);

impl super::Job for Exponential<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        for x in self.0.as_chunks_mut::<16>().0 {
            // SAFETY: a chunk has sixteen numbers.
            unsafe { L::load(x.as_ptr()).exp().store(x.as_mut_ptr()) };
        }
    }
}

#[test]
fn the_exponential_is_right_to_the_last_places() {
    let x: Vec<f32> = (0..16_000).map(|i| (i as f32 - 8000.0) * 0.0108).collect();
    for running in here() {
        let mut out = x.clone();
        // SAFETY: the job asks for nothing.
        unsafe { running.run(Exponential(&mut out)) };
        for (found, x) in out.iter().zip(&x) {
            let expected = f64::from(*x).exp();
            assert!((f64::from(*found) / expected - 1.0).abs() < 3e-7, "e^{x} = {expected}, not {found}");
        }
    }
}

#[test]
fn halves_are_widened_exactly() {
    for bits in 0..=u16::MAX {
        let half = f16::from_bits(bits);
        if half.is_finite() {
            assert_eq!(widen(bits).to_bits(), half.to_f32().to_bits(), "{bits:#06x}");
        }
    }
}

const HEADS: Heads = Heads { head_dim: 48, heads: 6, group: 3 };
const SCALE: f32 = 0.144_337_57;

/// How attention is cut into calls.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Queries of a call.
    part: usize,
    /// Whether each block of positions is a call of its own.
    apart: bool,
}

/// Attention of the queries of `tokens` from position `start` on.
fn attend(running: Running, table: &PageTable, how: How, queries: &[f32], start: usize, cut: Cut) -> Vec<f32> {
    let heads = HEADS;
    let mut out = vec![f32::NAN; queries.len()];
    let tokens = queries.len() / heads.heads / heads.head_dim;
    let slots = Slots::over(&mut out);
    let blocks = (start + tokens).div_ceil(BLOCK_POSITIONS);
    let count = tokens * heads.group;
    for kv_head in 0..heads.heads / heads.group {
        let queries = Queries { all: queries, first_row: 0, start, kv_head, how };
        let mut parts = vec![f32::NAN; count * blocks * heads.part()];
        for first in (0..count).step_by(cut.part) {
            let rows = first..(first + cut.part).min(count);
            let width = if cut.apart { 1 } else { blocks };
            let calls = (0..blocks).step_by(width).map(|block| block..block + width);
            for blocks_here in calls {
                let into = if cut.apart {
                    Into::Parts { slots: Slots::over(&mut parts), at: 0, blocks }
                } else {
                    Into::Rows(slots)
                };
                let (rows, blocks, scratch) = (rows.clone(), blocks_here, &mut Vec::new());
                // SAFETY: one call after the other, and nobody else uses what they write to.
                unsafe {
                    match table.kind() {
                        KvKind::F16 => {
                            let pages = table.head::<u16>(1, kv_head);
                            running.run(Attend { pages, heads, queries, rows, blocks, into, scratch });
                        }
                        KvKind::Int8 => {
                            let pages = table.head::<i8>(1, kv_head);
                            running.run(Attend { pages, heads, queries, rows, blocks, into, scratch });
                        }
                    }
                }
            }
        }
        if cut.apart {
            // SAFETY: as above.
            unsafe { running.run(Gather { heads, queries, rows: 0..count, parts: &mut parts, blocks, out: slots }) };
        }
    }
    out
}

#[test]
fn attention_matches_plain_arithmetic_however_it_is_cut() {
    let mut noise = Noise(4);
    let (start, tokens, dim) = (501, 23, HEADS.head_dim);
    let total = start + tokens;
    let (keys, values) = (noise.floats(total * 2 * dim), noise.floats(total * 2 * dim));
    let queries: Vec<f32> = noise.floats(tokens * HEADS.heads * dim).iter().map(|x| x * 4.0).collect();
    for (kind, window) in [(KvKind::F16, None), (KvKind::Int8, None), (KvKind::F16, Some(270)), (KvKind::Int8, Some(9))]
    {
        let (heads, how) = (HEADS, How { scale: SCALE, window });
        let mut table = PageTable::new(KvPool::new(Shape { layers: 2, kv_heads: 2, head_dim: dim }), kind, total, None);
        table.make_room(0, total).unwrap();
        for position in 0..total {
            let range = position * 2 * dim..(position + 1) * 2 * dim;
            table.store(1, position, &keys[range.clone()], &values[range]);
        }
        // What the cache keeps of each head, in double precision.
        let kept = |numbers: &[f32]| -> Vec<f64> {
            let largest = numbers.iter().map(|x| x.abs()).fold(0.0, f32::max);
            let step = f64::from(largest / 127.0);
            let number = |x: &f32| match kind {
                KvKind::F16 => f64::from(f16::from_f32(*x).to_f32()),
                KvKind::Int8 => f64::from(x * (127.0 / largest)).round_ties_even() * step,
            };
            numbers.iter().map(number).collect()
        };
        let keys: Vec<Vec<f64>> = keys.chunks(dim).map(kept).collect();
        let values: Vec<Vec<f64>> = values.chunks(dim).map(kept).collect();
        for running in here() {
            let name = format!("{} {} {window:?}", running.kernel().name(), kind.name());
            let out = attend(running, &table, how, &queries, start, Cut { part: 32, apart: false });
            for token in 0..tokens {
                for head in 0..heads.heads {
                    let at = (token * heads.heads + head) * dim;
                    let place = |position: usize| position * 2 + head / heads.group;
                    let score = |p: usize| -> f64 {
                        let products = queries[at..][..dim].iter().zip(&keys[place(p)]);
                        products.map(|(q, k)| f64::from(*q) * k).sum::<f64>() * f64::from(SCALE)
                    };
                    let seen = start + token + 1;
                    let seen = window.map_or(0, |window| seen.saturating_sub(window))..seen;
                    let weights: Vec<f64> = seen.clone().map(|p| score(p).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for i in 0..dim {
                        let expected: f64 = seen.clone().zip(&weights).map(|(p, w)| w * values[place(p)][i]).sum();
                        near(out[at + i], expected / sum, 1e-5, &name);
                    }
                }
            }
            for part in [1, 2, 3, 7, 69] {
                for apart in [false, true] {
                    let cut = Cut { part, apart };
                    assert_eq!(attend(running, &table, how, &queries, start, cut), out, "{name} {cut:?}");
                }
            }
            let row = heads.heads * dim;
            let last = &queries[(tokens - 1) * row..];
            for apart in [false, true] {
                let last = attend(running, &table, how, last, total - 1, Cut { part: 32, apart });
                assert_eq!(last, out[(tokens - 1) * row..], "{name}: the last token alone");
            }
        }
    }
}

#[test]
fn vector_paths_agree_to_the_bit() {
    let mut noise = Noise(5);
    let vectors: Vec<Running> = here().into_iter().filter(|running| running.kernel() != Kernel::Plain).collect();
    for kind in [Kind::Q4_1, Kind::Q8_0, Kind::F32] {
        let bytes = blocks(kind, 32, 160, &mut noise);
        let matrix = weights::matrix_of(&Tensor { name: "w", shape: &[32, 160], kind, bytes: &bytes }).unwrap();
        let x = noise.floats(9 * 160);
        let all: Vec<Vec<f32>> = vectors.iter().map(|running| multiply(*running, &matrix, &x, 9)).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{kind:?}");
    }
}
