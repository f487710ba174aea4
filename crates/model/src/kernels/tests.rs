//! Every kernel on every instruction set of this machine, against plain arithmetic in double precision.

use super::{
    Int8Rows, Kernel, Matrix, Running, STRIP, Slots,
    attend::{Attend, BLOCK_POSITIONS, Gather, Heads, How, Into, Queries},
    lanes::{Lanes, widen},
    matrix::Input,
    rowwise::{Cap, Gate, Norm, Rotate, Round, Weigh},
};
use crate::{
    ModelError,
    config::Activation,
    gguf::{Kind, Tensor},
    kv::{KvKind, KvPool, PageTable, Shape},
    weights,
};
use half::{bf16, f16};

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

const KINDS: [Kind; 13] = [
    Kind::F32,
    Kind::F16,
    Kind::BF16,
    Kind::Q4_0,
    Kind::Q4_1,
    Kind::Q5_0,
    Kind::Q5_1,
    Kind::Q8_0,
    Kind::Q2K,
    Kind::Q3K,
    Kind::Q4K,
    Kind::Q5K,
    Kind::Q6K,
];

/// Where a block has its half floats.
fn half_places(kind: Kind) -> &'static [usize] {
    match kind {
        Kind::F32 | Kind::BF16 => &[],
        Kind::F16 | Kind::Q4_0 | Kind::Q5_0 | Kind::Q8_0 => &[0],
        Kind::Q4_1 | Kind::Q5_1 | Kind::Q4K | Kind::Q5K => &[0, 2],
        Kind::Q2K => &[80, 82],
        Kind::Q3K => &[108],
        Kind::Q6K => &[208],
    }
}

/// A tensor of blocks of what `byte` says, whose scales are ordinary numbers.
fn blocks_of(kind: Kind, rows: usize, columns: usize, noise: &mut Noise, byte: fn(&mut Noise) -> u8) -> Vec<u8> {
    let (numbers, size) = kind.block();
    let mut bytes: Vec<u8> = (0..rows * columns / numbers * size).map(|_| byte(noise)).collect();
    for block in bytes.chunks_exact_mut(size) {
        match kind {
            Kind::F32 => block.copy_from_slice(&noise.float().to_le_bytes()),
            Kind::BF16 => block.copy_from_slice(&bf16::from_f32(noise.float()).to_le_bytes()),
            _ => {
                for at in half_places(kind) {
                    block[*at..at + 2].copy_from_slice(&f16::from_f32(noise.float()).to_le_bytes());
                }
            }
        }
    }
    bytes
}

/// A tensor of random blocks.
fn blocks(kind: Kind, rows: usize, columns: usize, noise: &mut Noise) -> Vec<u8> {
    blocks_of(kind, rows, columns, noise, |noise| noise.bits() as u8)
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

/// Compares products of `x` with plain arithmetic over the widened weights and the rounded activations.
fn check(running: Running, matrix: &Matrix, plain: &[f32], x: &[f32], tokens: usize, what: &str) {
    let (rows, columns, stride) = (matrix.rows, matrix.columns, matrix.strip_count() * STRIP);
    let out = multiply(running, matrix, x, tokens);
    let acts = rounded(running, x, tokens);
    for token in 0..tokens {
        let act = |c: usize| {
            let block = &acts.data[token * acts.blocks + c / 32];
            let quantised = f64::from(block.quants[c % 32]) * f64::from(block.scale);
            if matrix.is_quantised() { quantised } else { f64::from(x[token * columns + c]) }
        };
        for row in 0..rows {
            let products = (0..columns).map(|c| f64::from(plain[row * columns + c]) * act(c));
            let (sum, size) = products.fold((0.0, 0.0), |(sum, size), x: f64| (sum + x, size + x.abs()));
            let error = (f64::from(out[token * stride + row]) - sum).abs();
            assert!(error <= 2e-6 * size + 1e-6, "{what}: {} instead of {sum}", out[token * stride + row]);
        }
        // The padding of the last strip is zero, not rubbish.
        assert!(out[token * stride + rows..(token + 1) * stride].iter().all(|x| *x == 0.0), "{what}");
        let alone = multiply(running, matrix, &x[token * columns..][..columns], 1);
        assert_eq!(alone, out[token * stride..(token + 1) * stride], "{what}: token {token} alone");
    }
}

#[test]
fn matrices_are_multiplied_as_their_numbers_say() {
    let mut noise = Noise(1);
    for kind in KINDS {
        for (rows, columns) in [(37, 512), (16, 768), (5, if kind.block().0 == 256 { 256 } else { 96 })] {
            let bytes = blocks(kind, rows, columns, &mut noise);
            let tensor = Tensor { name: "w", shape: &[rows, columns], kind, bytes: &bytes };
            let (plain, matrix) = (weights::floats(&tensor).unwrap(), weights::matrix_of(&tensor).unwrap());
            let mut row = vec![0.0; columns];
            let largest = plain.iter().fold(0f32, |top, x| top.max(x.abs()));
            for (index, expected) in plain.chunks_exact(columns).enumerate() {
                matrix.row(index, &mut row);
                for (a, b) in row.iter().zip(expected) {
                    assert!((a - b).abs() <= largest * 1e-6, "{kind:?}: {a} is stored instead of {b}");
                }
            }
            for running in here() {
                for tokens in (1..=9).chain([15]) {
                    let x = noise.floats(tokens * columns);
                    let what = format!("{kind:?} {rows}x{columns}, {tokens} rows, {}", running.kernel().name());
                    check(running, &matrix, &plain, &x, tokens, &what);
                }
            }
        }
    }
}

/// The largest codes and factors with the largest activations, where a sum of sixteen bits would be full first.
#[test]
fn the_largest_numbers_do_not_overflow() {
    let mut noise = Noise(7);
    let bytes: [fn(&mut Noise) -> u8; 4] =
        [|_| 0xff, |_| 0, |_| 0x80, |noise| [0xff, 0, 0x80, 0x7f][noise.bits() as usize % 4]];
    for kind in KINDS.into_iter().filter(|kind| kind.block().0 > 1 && *kind != Kind::Q2K) {
        for byte in bytes {
            let bytes = blocks_of(kind, 16, 512, &mut noise, byte);
            let tensor = Tensor { name: "w", shape: &[16, 512], kind, bytes: &bytes };
            let (plain, matrix) = (weights::floats(&tensor).unwrap(), weights::matrix_of(&tensor).unwrap());
            for running in here() {
                for row in [0, 1, 4, 7, 9] {
                    let tokens = 7;
                    let sign = |i: usize| match row {
                        0 => 1.0,
                        1 => -1.0,
                        // Places that are summed together have one sign.
                        4 => [1.0, 1.0, -1.0, -1.0][i % 4],
                        7 => [1.0, -1.0][i / 16 % 2],
                        _ => [1.0, -1.0][i % 2],
                    };
                    let x: Vec<f32> = (0..tokens * 512).map(sign).collect();
                    check(running, &matrix, &plain, &x, tokens, &format!("{kind:?} {}", running.kernel().name()));
                }
            }
        }
    }
}

#[test]
fn weights_take_little_more_than_in_the_file() {
    let mut noise = Noise(8);
    for kind in KINDS.into_iter().filter(|kind| !matches!(kind, Kind::Q2K | Kind::Q3K)) {
        let bytes = blocks(kind, 32, 512, &mut noise);
        let matrix = weights::matrix_of(&Tensor { name: "w", shape: &[32, 512], kind, bytes: &bytes }).unwrap();
        assert!(matrix.bytes() * 100 <= bytes.len() * 103, "{kind:?}: {} for {}", matrix.bytes(), bytes.len());
    }
}

fn tensor(kind: Kind, bytes: &[u8]) -> Tensor<'_> {
    Tensor { name: "w", shape: &[16, 256], kind, bytes }
}

#[test]
fn damaged_weights_are_refused() {
    let mut noise = Noise(9);
    for kind in KINDS {
        let whole = blocks(kind, 16, 256, &mut noise);
        let places = if half_places(kind).is_empty() { &[0] } else { half_places(kind) };
        for at in places {
            for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                let mut bytes = whole.clone();
                // The last block.
                let at = bytes.len() - kind.block().1 + at;
                match kind {
                    Kind::F32 => bytes[at..at + 4].copy_from_slice(&bad.to_le_bytes()),
                    Kind::BF16 => bytes[at..at + 2].copy_from_slice(&bf16::from_f32(bad).to_le_bytes()),
                    _ => bytes[at..at + 2].copy_from_slice(&f16::from_f32(bad).to_le_bytes()),
                }
                let refused = weights::matrix_of(&tensor(kind, &bytes));
                assert!(matches!(refused, Err(ModelError::NotFinite { .. })), "{kind:?}");
            }
        }
        let short = weights::matrix_of(&tensor(kind, &whole[1..]));
        assert!(matches!(short, Err(ModelError::BadTensor { .. })), "{kind:?}");
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
            for (half, centre) in block.quants.as_chunks::<16>().0.iter().zip(block.centre) {
                let sum = |places: [usize; 2]| -> i32 {
                    (0..16).filter(|i| places.contains(&(i % 4))).map(|i| i32::from(half[i])).sum()
                };
                assert_eq!((i32::from(centre as i16), centre >> 16), (-32 * sum([0, 1]), -32 * sum([2, 3])));
            }
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
        unsafe { running.run(Gate { gate: &mut gate, up: &x, activation: Activation::Silu }) };
        for i in 0..96 {
            let g = f64::from(before[i]);
            near(gate[i], g / (1.0 + (-g).exp()) * f64::from(x[i]), 1e-6, "gate");
        }
        let mut gate: Vec<f32> = before.iter().map(|g| g / 16.0).collect();
        let mut capped = before.clone();
        // SAFETY: as above.
        unsafe {
            running.run(Gate { gate: &mut gate, up: &x, activation: Activation::GeluTanh });
            running.run(Cap { x: &mut capped, scale: 0.5, limit: 30.0 });
        }
        for i in 0..96 {
            let g = f64::from(before[i]) / 16.0;
            let tanh = ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044_715 * g.powi(3))).tanh();
            near(gate[i], 0.5 * g * (1.0 + tanh) * f64::from(x[i]), 1e-6, "gelu gate");
            near(capped[i], 30.0 * (f64::from(before[i]) / 60.0).tanh(), 2e-6, "cap");
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
    let ways = [
        (KvKind::F16, None, None),
        (KvKind::Int8, None, Some(2.0)),
        (KvKind::F16, Some(270), Some(0.5)),
        (KvKind::F16, Some(1), None),
        (KvKind::Int8, Some(9), None),
    ];
    for (kind, window, cap) in ways {
        let (heads, how) = (HEADS, How { scale: SCALE, cap, window });
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
            let name = format!("{} {} {window:?} {cap:?}", running.kernel().name(), kind.name());
            let out = attend(running, &table, how, &queries, start, Cut { part: 32, apart: false });
            for token in 0..tokens {
                for head in 0..heads.heads {
                    let at = (token * heads.heads + head) * dim;
                    let place = |position: usize| position * 2 + head / heads.group;
                    let score = |p: usize| -> f64 {
                        let products = queries[at..][..dim].iter().zip(&keys[place(p)]);
                        let score = products.map(|(q, k)| f64::from(*q) * k).sum::<f64>() * f64::from(SCALE);
                        cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
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
    for kind in KINDS {
        let bytes = blocks(kind, 32, 512, &mut noise);
        let matrix = weights::matrix_of(&Tensor { name: "w", shape: &[32, 512], kind, bytes: &bytes }).unwrap();
        for rows in [1, 3, 9] {
            let x = noise.floats(rows * 512);
            let all: Vec<Vec<f32>> = vectors.iter().map(|running| multiply(*running, &matrix, &x, rows)).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{kind:?}");
        }
    }
}
