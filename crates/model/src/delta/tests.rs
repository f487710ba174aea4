//! Deltas against plain arithmetic in double precision, and the files of PEFT: whole, damaged and hostile.
#![allow(unsafe_code, reason = "kernels are called as the operations call them")]

use super::*;
use crate::{
    Activation, Family, LayerPlan, Rope,
    gguf::{Kind, Tensor},
    kernels::{
        Int8Rows, Kernel, Matrix, Running, STRIP, Slots,
        rowwise::Round,
        thin::{Addend, Inward, Narrow, Outward, Widen},
    },
    weights,
};
use safetensors::{Dtype, serialize, tensor::TensorView};

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn float(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f32 / (1u64 << 30) as f32 - 1.0
    }

    fn floats(&mut self, count: usize, amplitude: f32) -> Vec<f32> {
        (0..count).map(|_| self.float() * amplitude).collect()
    }
}

fn here() -> Vec<Running> {
    Kernel::ALL.into_iter().filter_map(|kernel| kernel.checked().ok()).collect()
}

/// One delta for one matrix, packed.
struct One {
    inward: Inward,
    outward: Outward,
    scale: f32,
    rank: usize,
    gates: Vec<f32>,
    stretch: Option<Vec<f32>>,
}

/// `out += …` with the kernels, all rows at once or one by one.
fn add(running: Running, ones: &[One], x: &[f32], rounded: &Int8Rows, rows: usize, plain: &[f32]) -> Vec<f32> {
    let (columns, stride) = (x.len() / rows, plain.len() / rows);
    let at: Vec<usize> = ones
        .iter()
        .scan(0, |at, one| {
            *at += one.rank.next_multiple_of(STRIP);
            Some(*at - one.rank.next_multiple_of(STRIP))
        })
        .collect();
    let t_stride: usize = ones.iter().map(|one| one.rank.next_multiple_of(STRIP)).sum();
    let mut t = vec![f32::NAN; rows * t_stride];
    for (one, at) in ones.iter().zip(&at) {
        for strip in 0..one.rank.div_ceil(STRIP) {
            let job = Narrow {
                factor: &one.inward,
                strip,
                floats: x,
                rounded,
                columns,
                rows: 0..rows,
                gates: &one.gates,
                scale: one.scale,
                out: Slots::over(&mut t),
                at: at + strip * STRIP,
                stride: t_stride,
            };
            // SAFETY: one call after the other.
            unsafe { running.run(job) };
        }
    }
    let mut out = plain.to_vec();
    let addend = |index: usize| Addend {
        factor: &ones[index].outward,
        rank: ones[index].rank,
        at: at[index],
        gates: &ones[index].gates,
        stretch: ones[index].stretch.as_deref(),
    };
    let strips = 0..stride / STRIP;
    let job = Widen { addend, addends: ones.len(), strips, rows, t: &t, t_stride, out: Slots::over(&mut out), stride };
    // SAFETY: nobody else uses `out`.
    unsafe { running.run(job) };
    out
}

fn one(kind: FactorKind, a: &[f32], b: &[f32], rank: usize, gates: Vec<f32>, stretch: Option<Vec<f32>>) -> One {
    let (columns, outputs) = (a.len() / rank, b.len() / rank);
    let ((inward, undo_a), (outward, undo_b)) = match kind {
        FactorKind::Half => (Inward::half(a, rank, columns), Outward::half(b, outputs, rank)),
        FactorKind::Int8 => (Inward::int8(a, rank, columns), Outward::int8(b, outputs, rank)),
    };
    One { inward, outward, scale: undo_a * undo_b, rank, gates, stretch }
}

#[test]
fn thin_products_are_what_the_numbers_say() {
    let mut noise = Noise(7);
    let (rows, columns, outputs) = (11, 96, 48);
    for (kind, tolerance) in [(FactorKind::Half, 1e-3), (FactorKind::Int8, 2e-2)] {
        for (rank, size) in [(16, 1.0), (5, 1e-6), (24, 1e4), (1, 1.0)] {
            let (a, b) = (noise.floats(rank * columns, size), noise.floats(outputs * rank, 1.0 / size));
            let (other_a, other_b) = (noise.floats(8 * columns, 1.0), noise.floats(outputs * 8, 1.0));
            let x = noise.floats(rows * columns, 1.0);
            let plain = noise.floats(rows * outputs, 1.0);
            let stretch = noise.floats(outputs, 0.3);
            let mut gates = noise.floats(rows, 1.0);
            (gates[2], gates[9]) = (0.0, 0.0);
            let mut other_gates = noise.floats(rows, 1.0);
            other_gates[2] = 0.0;
            let mut results = Vec::new();
            for running in here() {
                let mut rounded = Int8Rows::default();
                rounded.shape(rows, columns);
                for (x, into) in x.chunks_exact(columns).zip(rounded.data.chunks_exact_mut(columns / 32)) {
                    // SAFETY: rounding asks for nothing.
                    unsafe { running.run(Round { x, into }) };
                }
                let ones = [
                    one(kind, &a, &b, rank, gates.clone(), Some(stretch.clone())),
                    one(kind, &other_a, &other_b, 8, other_gates.clone(), None),
                ];
                let out = add(running, &ones, &x, &rounded, rows, &plain);
                let product = |a: &[f32], b: &[f32], rank: usize, row: usize, output: usize| -> f64 {
                    let narrow = |k: usize| -> f64 {
                        let pairs = a[k * columns..][..columns].iter().zip(&x[row * columns..]);
                        pairs.map(|(a, x)| f64::from(*a) * f64::from(*x)).sum()
                    };
                    (0..rank).map(|k| f64::from(b[output * rank + k]) * narrow(k)).sum()
                };
                for row in 0..rows {
                    for output in 0..outputs {
                        let before = f64::from(plain[row * outputs + output]);
                        let first = f64::from(stretch[output]) * before + product(&a, &b, rank, row, output);
                        let second = product(&other_a, &other_b, 8, row, output);
                        let expected = before + f64::from(gates[row]) * first + f64::from(other_gates[row]) * second;
                        let error = (f64::from(out[row * outputs + output]) - expected).abs();
                        assert!(error < tolerance * 20.0, "{kind:?} rank {rank}: off by {error} at {row}, {output}");
                    }
                }
                assert_eq!(out[2 * outputs..3 * outputs], plain[2 * outputs..3 * outputs], "gates of zero");
                for row in 0..rows {
                    // Alone, and without the delta whose gate is zero, a row is the same to the bit.
                    let mut ones: Vec<One> = Vec::new();
                    if gates[row] != 0.0 {
                        ones.push(one(kind, &a, &b, rank, vec![gates[row]], Some(stretch.clone())));
                    }
                    if other_gates[row] != 0.0 {
                        ones.push(one(kind, &other_a, &other_b, 8, vec![other_gates[row]], None));
                    }
                    let blocks = columns / 32;
                    let part = Int8Rows { blocks, data: rounded.data[row * blocks..][..blocks].to_vec() };
                    let range = row * columns..(row + 1) * columns;
                    let before = &plain[row * outputs..][..outputs];
                    let alone = add(running, &ones, &x[range], &part, 1, before);
                    assert_eq!(alone, out[row * outputs..][..outputs], "{kind:?} rank {rank}: row {row} alone");
                }
                if running.kernel() != Kernel::Plain {
                    results.push(out);
                }
            }
            assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "vector paths agree to the bit");
        }
    }
}

#[test]
fn factors_are_packed_to_the_precision_of_their_kind() {
    let mut noise = Noise(8);
    let (rank, columns) = (3, 64);
    for size in [1e-30, 1.0, 1e20] {
        let a = noise.floats(rank * columns, size);
        let (packed, undo) = Inward::half(&a, rank, columns);
        let Inward::Half(strips) = &packed else { panic!("half floats were asked for") };
        for (index, number) in a.iter().enumerate() {
            let half = half::f16::from_bits(strips[index % columns].0[index / columns]).to_f32();
            assert!((half * undo - number).abs() <= size * 6e-4, "{number} became {}", half * undo);
        }
    }
    let (zeros, undo) = Inward::half(&[0.0; 32], 1, 32);
    assert!(undo == 1.0 && zeros.bytes() == 32 * 32);
}

#[test]
fn packed_factors_can_be_read_back() {
    let mut noise = Noise(12);
    // Neither fills its last strip.
    let (rank, columns, outputs) = (19, 64, 37);
    let (a, b) = (noise.floats(rank * columns, 0.5), noise.floats(outputs * rank, 0.5));
    for (kind, allowed) in [(FactorKind::Half, 5e-4), (FactorKind::Int8, 3e-3)] {
        let packed = one(kind, &a, &b, rank, Vec::new(), None);
        let (inward, outward) = (packed.inward.numbers(rank, columns), packed.outward.numbers(outputs, rank));
        assert_eq!((inward.len(), outward.len()), (a.len(), b.len()));
        for at in 0..a.len() {
            let with = at % b.len();
            let (found, expected) = (inward[at] * outward[with] * packed.scale, a[at] * b[with]);
            assert!((found - expected).abs() < allowed, "{kind:?} {at}: {found} instead of {expected}");
        }
    }
}

fn config() -> Config {
    Config {
        family: Family::Llama,
        architecture: "llama".into(),
        layers: 2,
        width: 64,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        hidden: 96,
        vocabulary: 10,
        context: 64,
        norm_eps: 1e-5,
        embedding_scale: 1.0,
        activation: Activation::Silu,
        head_norms: false,
        post_norms: false,
        attention_scale: 0.25,
        attention_cap: None,
        logit_cap: None,
        mixture: None,
        ropes: vec![Rope { base: 1e4, scale: 1.0, factors: Vec::new() }],
        rope_dims: 16,
        rope_pairs: RopePairs::Neighbours,
        plan: vec![LayerPlan { window: None, rope: 0, mixture: false }; 2],
    }
}

#[test]
fn rows_of_queries_and_keys_change_places_and_come_back() {
    let config = config();
    // Head 1, number 5: the pair 2, its second half.
    assert_eq!(row_order(&config, Linear::Query).unwrap()[16 + 5], 16 + 2 + 8);
    assert_eq!(row_order(&config, Linear::Key).unwrap().len(), 32);
    assert!(row_order(&config, Linear::Value).is_none());
    let halves = Config { rope_pairs: RopePairs::Halves, ..config.clone() };
    assert!(row_order(&halves, Linear::Query).is_none());
    let rows: Vec<f32> = (0..64 * 3).map(|i| i as f32).collect();
    let theirs = to_checkpoint_order(&config, Linear::Query, &rows, 3);
    let order = row_order(&config, Linear::Query).unwrap();
    let back: Vec<f32> = order.iter().flat_map(|row| theirs[row * 3..][..3].to_vec()).collect();
    assert_eq!(back, rows);
    assert_ne!(theirs, rows);
}

/// A matrix, and its numbers.
fn weights_of(noise: &mut Noise, rows: usize, columns: usize) -> (Matrix, Vec<f32>) {
    let mut bytes = Vec::new();
    (0..rows * columns / 32).for_each(|_| {
        bytes.extend(half::f16::from_f32(noise.float() * 0.1).to_le_bytes());
        bytes.extend((0..32).map(|_| (noise.float() * 127.0) as i8 as u8));
    });
    let tensor = Tensor { name: "w", shape: &[rows, columns], kind: Kind::Q8_0, bytes: &bytes };
    (weights::matrix_of(&tensor).unwrap(), weights::floats(&tensor).unwrap())
}

#[test]
fn a_length_is_that_of_everything_that_is_changed() {
    let mut noise = Noise(11);
    let (rows, columns, rank, scale) = (32, 64, 4, 0.5);
    let (matrix, plain) = weights_of(&mut noise, rows, columns);
    let (a, b) = (noise.floats(rank * columns, 1.0), noise.floats(rows * rank, 1.0));
    let added = |row: usize, column: usize| -> f64 {
        (0..rank).map(|k| 0.5 * f64::from(b[row * rank + k]) * f64::from(a[k * columns + column])).sum()
    };
    let factors = Factors { rank, a: a.clone(), b: b.clone(), alpha: 2.0, magnitudes: None };
    let expected: f64 = (0..rows).map(|row| (0..columns).map(|column| added(row, column).powi(2)).sum::<f64>()).sum();
    let found = length::square(&factors, scale);
    assert!((found / expected - 1.0).abs() < 1e-5, "{found} instead of {expected}");

    // With lengths: the rows as they are then, less the rows as they were. Rows of the delta may have another order.
    let lengths: Vec<f32> = noise.floats(rows, 0.5).iter().map(|number| number + 2.0).collect();
    let order: Vec<usize> = (0..rows).rev().collect();
    for order in [None, Some(&order[..])] {
        let from = |row: usize| order.map_or(row, |order| order[row]);
        let expected: f64 = (0..rows)
            .map(|row| {
                let before = |column: usize| f64::from(plain[row * columns + column]);
                let after: Vec<f64> = (0..columns).map(|column| before(column) + added(from(row), column)).collect();
                let norm = after.iter().map(|number| number * number).sum::<f64>().sqrt();
                let stretch = f64::from(lengths[from(row)]) / norm;
                let squares =
                    after.iter().enumerate().map(|(column, after)| (stretch * after - before(column)).powi(2));
                squares.sum::<f64>()
            })
            .sum();
        let found = length::stretched(&matrix, &factors, scale, &lengths, order);
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} instead of {expected}");
    }

    // Nothing is added and every row keeps its length: nothing is changed. Twice the length adds each row once more.
    let nothing = Factors { b: vec![0.0; rows * rank], ..factors };
    let own = resident::norms(&matrix, &nothing.a, &nothing.b, scale);
    assert!(length::stretched(&matrix, &nothing, scale, &own, None) < 1e-6);
    let twice: Vec<f32> = own.iter().map(|norm| norm * 2.0).collect();
    let squares: f64 = plain.iter().map(|number| f64::from(*number).powi(2)).sum();
    let found = length::stretched(&matrix, &nothing, scale, &twice, None);
    assert!((found / squares - 1.0).abs() < 1e-5, "{found} instead of {squares}");
}

#[test]
fn lengths_of_rows_are_those_of_the_changed_weights() {
    let mut noise = Noise(9);
    let (rows, columns, rank) = (32, 64, 4);
    let (matrix, plain) = weights_of(&mut noise, rows, columns);
    let (a, b) = (noise.floats(rank * columns, 1.0), noise.floats(rows * rank, 1.0));
    for (row, found) in resident::norms(&matrix, &a, &b, 0.5).into_iter().enumerate() {
        let square = |column: usize| {
            let product: f64 =
                (0..rank).map(|k| f64::from(b[row * rank + k]) * f64::from(a[k * columns + column])).sum();
            (f64::from(plain[row * columns + column]) + 0.5 * product).powi(2)
        };
        let expected = (0..columns).map(square).sum::<f64>().sqrt();
        assert!((f64::from(found) - expected).abs() < 1e-5 * expected, "{found} instead of {expected}");
    }
}

fn sample(dora: bool) -> Delta {
    let (config, mut noise) = (config(), Noise(10));
    let passport =
        Passport { arch: "llama".into(), tokenizer: Hash([3; 32]), weights: Hash([4; 32]), root: Some(Hash([5; 32])) };
    let mut delta = Delta { rank_stabilised: dora, ..Delta::new(Some(passport)) };
    for (index, linear) in Linear::ALL.into_iter().enumerate() {
        let (outputs, inputs) = linear.shape(&config);
        let rank = if index == 3 { 5 } else { 4 };
        let (a, b) = (noise.floats(rank * inputs, 1.0), noise.floats(outputs * rank, 1.0));
        let magnitudes = dora.then(|| noise.floats(outputs, 1.0));
        let alpha = if index == 4 { 3.5 } else { 8.0 };
        delta.insert(Place { layer: index % 2, linear }, Factors { rank, a, b, alpha, magnitudes }).unwrap();
    }
    delta
}

#[test]
fn half_floats_are_written_as_such() {
    let delta = sample(true);
    let halved = delta.halved().unwrap();
    assert_ne!(halved, delta);
    let (whole, half) = (delta.to_peft().unwrap().0, halved.to_peft().unwrap());
    assert!(half.0.len() * 10 < whole.len() * 6, "{} of {}", half.0.len(), whole.len());
    assert_eq!(Delta::from_peft(&half.0, half.1.as_bytes()).unwrap(), halved);
    assert_eq!(halved.halved().unwrap().hash(), halved.hash());
    let mut wide = Delta::default();
    let factors = Factors { rank: 1, a: vec![1e6; 8], b: vec![0.1; 8], alpha: 1.0, magnitudes: None };
    wide.insert(Place { layer: 0, linear: Linear::Up }, factors).unwrap();
    assert!(matches!(wide.halved(), Err(crate::ModelError::NotFinite { .. })));
}

#[test]
fn a_delta_is_read_as_it_was_written() {
    for delta in [sample(false), sample(true)] {
        let (tensors, config) = delta.to_peft().unwrap();
        assert_eq!(Delta::from_peft(&tensors, config.as_bytes()).unwrap(), delta);
        let folder = tempfile::tempdir().unwrap();
        delta.save(folder.path()).unwrap();
        let again = Delta::open(folder.path()).unwrap();
        assert_eq!((again.hash(), &again), (delta.hash(), &delta));
    }
    assert_ne!(sample(false).hash(), sample(true).hash());
    let error = Delta::open(std::path::Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
}

/// A file of one pair of factors, with one tensor more.
#[test]
fn a_delta_is_written_in_the_same_bytes_each_time() {
    for delta in [sample(false), sample(true)] {
        let (first, folders) = (delta.to_peft().unwrap(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
        (0..8).for_each(|_| assert_eq!(delta.to_peft().unwrap(), first));
        folders.iter().for_each(|folder| delta.save(folder.path()).unwrap());
        for name in [peft::TENSORS, peft::CONFIG] {
            let [one, two] = folders.each_ref().map(|folder| std::fs::read(folder.path().join(name)).unwrap());
            assert_eq!(one, two, "{name}");
        }
        // It is still a file as `safetensors` writes them.
        let header = u64::from_le_bytes(first.0[..8].try_into().unwrap());
        assert!(header.is_multiple_of(8) && first.0[8..].starts_with(b"{\"__metadata__\":{\"format\":\"pt\","));
        let (_, found) = safetensors::SafeTensors::read_metadata(&first.0).unwrap();
        assert_eq!(found.metadata().as_ref().unwrap().len(), 5);
    }
    let mut nameless = sample(false);
    nameless.origin = None;
    let (tensors, config) = nameless.to_peft().unwrap();
    assert_eq!(Delta::from_peft(&tensors, config.as_bytes()).unwrap(), nameless);
}

fn file(extra: (&str, Dtype, Vec<usize>, Vec<u8>)) -> Vec<u8> {
    let name = |part: &str| format!("base_model.model.model.layers.0.mlp.up_proj.{part}.weight");
    let (a, b) = (vec![0u8; 4 * 2 * 32], vec![0u8; 4 * 16 * 2]);
    let mut all = vec![
        (name("lora_A"), TensorView::new(Dtype::F32, vec![2, 32], &a).unwrap()),
        (name("lora_B"), TensorView::new(Dtype::F32, vec![16, 2], &b).unwrap()),
    ];
    all.retain(|(name, _)| *name != extra.0);
    if !extra.2.is_empty() {
        all.push((extra.0.to_owned(), TensorView::new(extra.1, extra.2.clone(), &extra.3).unwrap()));
    }
    serialize(all, None).unwrap()
}

const PLAIN: &str = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 4}"#;

#[test]
fn files_that_cannot_be_used_are_refused_with_a_reason() {
    let up = "base_model.model.model.layers.0.mlp.up_proj";
    let none = || ("", Dtype::F32, vec![], vec![]);
    Delta::from_peft(&file(none()), PLAIN.as_bytes()).unwrap();
    let refused = |tensors: &[u8], config: &str, sentence: &str| {
        let error = Delta::from_peft(tensors, config.as_bytes()).expect_err(sentence).to_string();
        assert!(error.contains(sentence), "\"{error}\" should say \"{sentence}\"");
    };
    let (a, b) = (format!("{up}.lora_A.weight"), format!("{up}.lora_B.weight"));
    let extra = |name: &str, dtype, shape: &[usize], bytes: Vec<u8>| file((name, dtype, shape.to_vec(), bytes));
    refused(&extra("model.embed_tokens.weight", Dtype::F32, &[1], vec![0; 4]), PLAIN, "no linear layer");
    refused(
        &extra("base_model.model.lm_head.lora_A.weight", Dtype::F32, &[1, 1], vec![0; 4]),
        PLAIN,
        "no linear layer",
    );
    refused(&extra(&format!("{up}.lora_embedding_A"), Dtype::F32, &[1], vec![0; 4]), PLAIN, "no linear layer");
    let far = "base_model.model.model.layers.99999999999999999999.mlp.up_proj.lora_A.weight";
    refused(&extra(far, Dtype::F32, &[1, 1], vec![0; 4]), PLAIN, "no linear layer");
    refused(&extra(&format!("{up}.lora_A.default.weight"), Dtype::F32, &[2, 32], vec![0; 256]), PLAIN, "two names");
    refused(&extra(&a, Dtype::F32, &[64], vec![0; 256]), PLAIN, "not a matrix");
    refused(&extra(&a, Dtype::F64, &[2, 32], vec![0; 512]), PLAIN, "number format");
    refused(&extra(&a, Dtype::F32, &[3, 32], vec![0; 384]), PLAIN, "ranks 3 and 2");
    refused(&extra(&a, Dtype::F16, &[1, 2], vec![0, 0, 0, 0x7c]), PLAIN, "not finite");
    refused(&extra(&b, Dtype::BF16, &[1, 2], vec![0, 0, 0xc0, 0x7f]), PLAIN, "not finite");
    refused(&extra(&b, Dtype::F32, &[0, 2], vec![]), PLAIN, "sizes do not fit");
    refused(&extra(&b, Dtype::F32, &[0], vec![]), PLAIN, "not a matrix");
    let magnitudes = format!("{up}.lora_magnitude_vector");
    let with = |count: usize| extra(&magnitudes, Dtype::F32, &[count], vec![0; 4 * count]);
    let dora = PLAIN.replace("{\"peft", "{\"use_dora\": true, \"peft");
    refused(&with(16), PLAIN, "disagree about magnitudes");
    refused(&file(none()), &dora, "disagree about magnitudes");
    refused(&with(15), &dora, "another number of magnitudes");
    Delta::from_peft(&with(16), dora.as_bytes()).unwrap();
    let only = serialize(vec![(a.as_str(), TensorView::new(Dtype::F32, vec![2, 1], &[0; 8]).unwrap())], None).unwrap();
    refused(&only, PLAIN, "lacks its lora_B");
    let empty: Vec<(&str, TensorView<'_>)> = Vec::new();
    refused(&serialize(empty, None).unwrap(), PLAIN, "no factors");
    let partial = Some([("hinet.arch".to_owned(), "llama".to_owned())].into());
    let tensors = vec![(a.as_str(), TensorView::new(Dtype::F32, vec![2, 1], &[0; 8]).unwrap())];
    refused(&serialize(tensors, partial).unwrap(), PLAIN, "passport is incomplete");
}

#[test]
fn configurations_that_mean_something_else_are_refused() {
    let tensors = file(("", Dtype::F32, vec![], vec![]));
    let refused = |config: &str, sentence: &str| {
        let error = Delta::from_peft(&tensors, config.as_bytes()).expect_err(sentence).to_string();
        assert!(error.contains(sentence), "\"{error}\" should say \"{sentence}\"");
    };
    let with = |setting: &str| PLAIN.replace("{\"peft", &format!("{{{setting}, \"peft"));
    refused("", "malformed");
    refused("[1]", "malformed");
    refused(&"[".repeat(100_000), "malformed");
    refused(&" ".repeat(2 << 20), "larger");
    refused(r#"{"r": 2}"#, "lora_alpha");
    refused(r#"{"r": -2, "lora_alpha": 1}"#, "\"r\"");
    refused(r#"{"r": 2, "lora_alpha": 1e300}"#, "lora_alpha");
    refused(r#"{"r": 3, "lora_alpha": 1}"#, "says 3");
    refused(&PLAIN.replace("LORA", "IA3"), "IA3");
    refused(&with(r#""fan_in_fan_out": true"#), "fan_in_fan_out");
    refused(&with(r#""modules_to_save": ["lm_head"]"#), "modules_to_save");
    refused(&with(r#""bias": "all""#), "biases");
    refused(&with(r#""init_lora_weights": "pissa_niter_4""#), "pissa");
    refused(&with(r#""use_dora": 1"#), "use_dora");
    refused(&with(r#""alpha_pattern": {"up_.*": 2}"#), "expression");
    refused(&with(r#""alpha_pattern": {"up_proj": "two"}"#), "plausible number");
    refused(&with(r#""alpha_pattern": {"up_proj": 1, "mlp.up_proj": 2}"#), "disagree");
    refused(&with(r#""rank_pattern": {"up_proj": 8}"#), "says 8");
    let alpha = |setting: &str| {
        let delta = Delta::from_peft(&tensors, with(setting).as_bytes()).unwrap();
        delta.get(Place { layer: 0, linear: Linear::Up }).unwrap().alpha
    };
    assert_eq!(alpha(r#""bias": "none""#), 4.0);
    assert_eq!(alpha(r#""alpha_pattern": {"mlp.up_proj": 7}"#), 7.0);
    assert_eq!(alpha(r#""alpha_pattern": {"^model\\.layers\\.0\\.mlp\\.up_proj": 7}"#), 7.0);
    assert_eq!(alpha(r#""alpha_pattern": {"p_proj": 7, "layers.1.mlp.up_proj": 8, "^mlp.up_proj": 9}"#), 4.0);
}

#[test]
fn flipped_bits_never_bring_it_down() {
    let (tensors, config) = sample(true).to_peft().unwrap();
    let header = 8 + u64::from_le_bytes(tensors[..8].try_into().unwrap()) as usize;
    let mut state = 99u64;
    for round in 0..3000 {
        let (mut tensors, mut config) = (tensors.clone(), config.clone().into_bytes());
        let bytes: &mut [u8] = if round % 3 == 0 { &mut config } else { &mut tensors[..header] };
        for _ in 0..2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bit = (state >> 33) as usize % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Some changes are of names nobody reads; whatever is accepted still holds together.
        if let Ok(delta) = Delta::from_peft(&tensors, &config) {
            delta.iter().for_each(|(place, factors)| factors.check(place).unwrap());
        }
    }
    for length in [0, 7, 8, 100, header, tensors.len() - 1] {
        assert!(Delta::from_peft(&tensors[..length], config.as_bytes()).is_err(), "cut at {length}");
    }
}
