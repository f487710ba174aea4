//! The way back of each operation by itself against central differences, number by number.

use crate::{
    engine::Engine,
    examples::Stream,
    ops::TapeOps,
    tape::{Pool, Rows, Tape},
    tests::{families, tiny},
    weight::{Gains, Numbers, Weight},
};
use hinet_model::{Activation, Attention, RopeTable, graph::Ops, kernels::Kernel};
use std::ops::Range;

const SEGMENTS: [Range<usize>; 3] = [0..5, 5..6, 6..23];
const ROWS: usize = 23;
/// The distance of differences, and how far from them a gradient may be, of the largest.
const STEP: f32 = 1e-2;
const OFF: f32 = 4e-3;

fn numbers(seed: &str, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(1, seed);
    (0..count).map(|_| stream.unit()).collect()
}

/// What an operation makes of rows.
type Apply<'a> = &'a dyn Fn(&mut TapeOps<'_>, Vec<Rows>) -> Rows;

/// Checks an operation of several rows of these widths, and what it says about `changing` numbers of weights.
fn check(name: &str, widths: &[usize], matrix: Option<(usize, usize)>, gains: usize, apply: Apply<'_>) {
    let anchor = tiny(&families()["gemma2"], 1);
    let config = anchor.config();
    let engine = Engine::new(Kernel::best().checked().unwrap(), 2);
    let ropes: Vec<RopeTable> = config.ropes.iter().map(|rope| RopeTable::new(config, rope, ROWS)).collect();
    let positions: Vec<usize> = SEGMENTS.iter().flat_map(|segment| 0..segment.len()).collect();
    let inputs: Vec<Vec<f32>> =
        widths.iter().enumerate().map(|(at, width)| numbers(&format!("{name} {at}"), ROWS * width)).collect();
    let count = matrix.map_or(0, |(rows, columns)| rows * columns);
    let mut values = numbers(name, count + gains);
    values[count..].iter_mut().for_each(|gain| *gain += 1.5);
    // Runs there, and with a gradient back too.
    let run = |inputs: &[Vec<f32>], values: &[f32], gradient: Option<&[f32]>, grads: &mut [f32]| {
        let mut pool = Pool::default();
        let weights: Vec<Weight<'_>> = matrix
            .map(|(rows, columns)| Weight {
                rows,
                columns,
                numbers: Numbers::Floats(&values[..count]),
                at: Some(0),
                adapter: None,
            })
            .into_iter()
            .collect();
        let gains = [Gains { values: &values[count..], at: Some(count) }];
        let mut ops = TapeOps {
            engine: &engine,
            config,
            weights: &weights,
            gains: &gains,
            ropes: &ropes,
            segments: &SEGMENTS,
            positions: &positions,
            pool: &mut pool,
            tape: Tape::default(),
            records: true,
            look: None,
        };
        // The first place is one that nothing comes from, so that all inputs are alike.
        ops.begin(Vec::new(), false);
        let places: Vec<Rows> = inputs.iter().map(|input| ops.tape.node(input.clone(), true)).collect();
        let ends: Vec<usize> = places.iter().map(|place| place.0).collect();
        let out = apply(&mut ops, places);
        let end = Rows(out.0);
        let made = ops.steal(out);
        let flows = gradient.map(|gradient| ops.back_to(&ends, end, gradient.to_vec(), grads));
        (made, flows.unwrap_or_default())
    };
    let (made, _) = run(&inputs, &values, None, &mut []);
    let weighed = numbers("weighed", made.len());
    let loss = |inputs: &[Vec<f32>], values: &[f32]| {
        let (made, _) = run(inputs, values, None, &mut []);
        made.iter().zip(&weighed).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let mut grads = vec![0.0; values.len()];
    let (_, flows) = run(&inputs, &values, Some(&weighed), &mut grads);
    let compare = |what: &str, found: &[f32], differences: &mut dyn FnMut(usize, f32) -> f64| {
        let largest = found.iter().fold(0f32, |most, g| most.max(g.abs()));
        assert!(largest > 0.0, "{name}: {what} get no gradient");
        for at in (0..found.len()).step_by(7.min(found.len() / 8).max(1)) {
            let expected = ((differences(at, STEP) - differences(at, -STEP)) / f64::from(2.0 * STEP)) as f32;
            let off = (found[at] - expected).abs() / largest;
            assert!(off < OFF, "{name}: {what} at {at}: {} instead of {expected}", found[at]);
        }
    };
    for (index, flow) in flows.iter().enumerate() {
        let flow = flow.as_ref().unwrap_or_else(|| panic!("{name}: input {index} gets a gradient"));
        compare(&format!("rows {index}"), flow, &mut |at, far| {
            let mut moved = inputs.clone();
            moved[index][at] += far;
            loss(&moved, &values)
        });
    }
    for part in [0..count, count..values.len()].into_iter().filter(|part| !part.is_empty()) {
        compare("weights", &grads[part.clone()], &mut |at, far| {
            let mut moved = values.clone();
            moved[part.start + at] += far;
            loss(&inputs, &moved)
        });
    }
}

#[test]
fn norms() {
    check("norm", &[64], None, 64, &|ops, x| ops.norm(&x[0], &0, 1e-5).unwrap());
    check("norm_parts", &[64], None, 16, &|ops, mut x| ops.norm_parts(x.remove(0), &0, 1e-5).unwrap());
}

#[test]
fn projections_and_embeddings() {
    check("project", &[64], Some((48, 64)), 0, &|ops, mut x| {
        let [y] = ops.project([&0], x.remove(0)).unwrap();
        y
    });
    check("embed", &[32], Some((48, 32)), 0, &|ops, mut x| {
        let tokens: Vec<u32> = (0..ROWS as u32).map(|at| at * 5 % 41).collect();
        let rows = ops.embed(&0, &tokens).unwrap();
        ops.add(x.remove(0), rows).unwrap()
    });
}

#[test]
fn rotations() {
    let width = |heads: usize| heads * tiny(&families()["gemma2"], 1).config().head_dim;
    check("rope", &[width(2)], None, 0, &|ops, mut x| ops.rope(x.remove(0), 2, 0).unwrap());
}

#[test]
fn attention_of_all_kinds() {
    let anchor = tiny(&families()["gemma2"], 1);
    let config = anchor.config();
    let (queries, keys) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    for (cap, window) in [(None, None), (None, Some(4)), (Some(2.0), None), (Some(2.0), Some(3))] {
        let how = Attention { scale: 0.7, cap, window };
        check(&format!("{how:?}"), &[queries, keys, keys], None, 0, &|ops, x| {
            let [q, k, v]: [Rows; 3] = x.try_into().unwrap();
            ops.attention(0, how, q, k, v).unwrap()
        });
    }
}

#[test]
fn gates() {
    for activation in [Activation::Silu, Activation::GeluTanh] {
        check(&format!("{activation:?}"), &[48, 48], None, 0, &|ops, x| {
            let [gate, up]: [Rows; 2] = x.try_into().unwrap();
            ops.gate(gate, up, activation).unwrap()
        });
    }
}

#[test]
fn sums_scales_caps_and_choices() {
    check("add", &[32, 32], None, 0, &|ops, x| {
        let [x, y]: [Rows; 2] = x.try_into().unwrap();
        ops.add(x, y).unwrap()
    });
    check("scale", &[32], None, 0, &|ops, mut x| ops.scale(x.remove(0), -1.7).unwrap());
    check("cap", &[32], None, 0, &|ops, mut x| ops.cap(x.remove(0), 0.8).unwrap());
    check("last", &[32], None, 0, &|ops, mut x| ops.last(x.remove(0), 9).unwrap());
}
