//! Every kernel on every instruction set of this machine, against plain arithmetic in double precision.

use super::{
    Int8Rows, Kernel, Matrix, Running, STRIP, Slots,
    attend::Attend,
    lanes::{Lanes, widen},
    matrix::Input,
    rowwise::{Cap, Gate, Norm, Rotate, Round, Softmax},
};
use crate::{
    config::{Activation, Attention},
    gguf::{Kind, Tensor},
    kv::KvCache,
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
        for seen in [1, 15, 16, 17, 48] {
            let mut scores: Vec<f32> = x[..48].iter().map(|x| x * 30.0).collect();
            let before = scores.clone();
            // SAFETY: as above.
            unsafe { running.run(Softmax { scores: &mut scores, skip: 0, seen, scale: 0.5 }) };
            let total: f64 = before[..seen].iter().map(|x| (f64::from(*x) * 0.5).exp()).sum();
            for i in 0..48 {
                let expected = if i < seen { (f64::from(before[i]) * 0.5).exp() / total } else { 0.0 };
                near(scores[i], expected, 1e-6, "softmax");
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

/// Attention of `tokens` queries from position `start` on, computed in parts of `part` queries.
fn attend(
    running: Running,
    how: Attention,
    kv: &KvCache,
    queries: &[f32],
    start: usize,
    tokens: usize,
    part: usize,
) -> Vec<f32> {
    let (heads, kv_heads, head_dim) = (6, 2, 32);
    let mut out = vec![f32::NAN; queries.len()];
    let slots = Slots::over(&mut out);
    for kv_head in 0..kv_heads {
        let count = tokens * heads / kv_heads;
        for first in (0..count).step_by(part) {
            // SAFETY: one call after the other, and nobody else uses `out`.
            unsafe {
                running.run(Attend {
                    keys: kv.keys(0, kv_head),
                    values: kv.values(0, kv_head),
                    head_dim,
                    queries,
                    out: slots,
                    heads,
                    group: heads / kv_heads,
                    kv_head,
                    start,
                    how,
                    rows: first..(first + part).min(count),
                    scores: &mut Vec::new(),
                });
            }
        }
    }
    out
}

#[test]
fn attention_matches_plain_arithmetic_however_it_is_cut() {
    let mut noise = Noise(4);
    let (start, tokens, heads, dim) = (21, 19, 6, 32);
    let total = start + tokens;
    let (keys, values) = (noise.floats(total * 2 * dim), noise.floats(total * 2 * dim));
    let mut kv = KvCache::new(1, 2, dim, total);
    for position in 0..total {
        let range = position * 2 * dim..(position + 1) * 2 * dim;
        kv.store(0, position, &keys[range.clone()], &values[range]);
    }
    let queries: Vec<f32> = noise.floats(tokens * heads * dim).iter().map(|x| x * 4.0).collect();
    let scale = 1.0 / (dim as f32).sqrt();
    let ways = [(None, None), (Some(7), None), (Some(17), Some(0.5)), (None, Some(2.0)), (Some(1), None)];
    for (running, (window, cap)) in here().into_iter().flat_map(|running| ways.map(|way| (running, way))) {
        let how = Attention { scale, cap, window };
        let out = attend(running, how, &kv, &queries, start, tokens, 32);
        for token in 0..tokens {
            for head in 0..heads {
                let at = (token * heads + head) * dim;
                let half = |x: f32| f64::from(f16::from_f32(x).to_f32());
                let place = |position: usize, i: usize| (position * 2 + head / 3) * dim + i;
                let score = |p: usize| -> f64 {
                    let products = (0..dim).map(|i| f64::from(queries[at + i]) * half(keys[place(p, i)]));
                    let score = products.sum::<f64>() / (dim as f64).sqrt();
                    cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                };
                let seen = |p: usize| window.is_none_or(|window| start + token - p < window);
                let weight = |p| if seen(p) { score(p).exp() } else { 0.0 };
                let weights: Vec<f64> = (0..=start + token).map(weight).collect();
                let sum: f64 = weights.iter().sum();
                for i in 0..dim {
                    let expected: f64 = weights.iter().enumerate().map(|(p, w)| w * half(values[place(p, i)])).sum();
                    near(out[at + i], expected / sum, 1e-5, running.kernel().name());
                }
            }
        }
        for part in [1, 2, 3, 7, 57] {
            assert_eq!(attend(running, how, &kv, &queries, start, tokens, part), out, "in parts of {part}");
        }
        let row = heads * dim;
        let last = attend(running, how, &kv, &queries[(tokens - 1) * row..], total - 1, 1, 32);
        assert_eq!(last, out[(tokens - 1) * row..], "the last token alone");
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
