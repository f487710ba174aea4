//! What wearing deltas costs: writing with none, with one on every linear layer, with two of many.

use hinet_node::measure::{Engine, drawn};
use hinet_node::{FactorKind, Resident};
use hinet_protocol::Failure;

use super::engine::failed;
use super::figures::{Figure, Goal, Report};
use super::{Say, Told};

/// Deltas that are loaded.
const LOADED: u64 = 32;
/// Rank of each.
const RANK: usize = 16;
/// Tokens before those that are written, and those.
const WRITE: (usize, usize) = (64, 48);

type Worn = [(Resident, f32)];

/// Times writing with deltas against writing without, each first in every other pair.
pub(super) fn cost(pairs: usize, engine: &mut Engine, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    say(Told::Doing("Writing with deltas …"));
    let (mut halves, mut eighths) = (Vec::new(), Vec::new());
    for seed in 0..LOADED {
        let delta = drawn(engine.anchor(), RANK, seed, false).map_err(failed)?;
        halves.push(engine.anchor().attach(&delta).map_err(failed)?);
        eighths.push(engine.anchor().attach_as(&delta, FactorKind::Int8).map_err(failed)?);
    }
    let long = drawn(engine.anchor(), RANK, LOADED, true).map_err(failed)?;
    let long = engine.anchor().attach(&long).map_err(failed)?;
    let one = |all: &[Resident]| vec![(all[0].clone(), 1.0)];
    let two = |all: &[Resident]| vec![(all[2].clone(), 0.6), (all[5].clone(), 0.4)];
    let ways = [
        ("one of half floats", one(&halves), vec![], Some(1.12)),
        ("one of int8", one(&eighths), vec![], Some(1.06)),
        ("two of 32, half floats", two(&halves), vec![], Some(1.20)),
        ("two of 32, int8", two(&eighths), vec![], Some(1.20)),
        ("one with magnitudes, half floats", vec![(long, 1.0)], vec![], None),
        ("two of 32 against one, half floats", two(&halves), one(&halves), Some(1.30)),
    ];
    for (what, with, without, goal) in ways {
        let mut ratios = Vec::new();
        for pair in 0..=pairs {
            let [first, second]: [&Worn; 2] = if pair % 2 == 0 { [&with, &without] } else { [&without, &with] };
            let (first, second) = (written(engine, first)?, written(engine, second)?);
            if pair > 0 {
                ratios.push(if pair % 2 == 0 { first / second } else { second / first });
            }
        }
        let figure = Figure::new(format!("writing with deltas of rank {RANK}, {what}: times as long"), "x", ratios);
        report.add(goal.map_or(figure.clone(), |goal| figure.promised(Goal::Median(goal))), say);
    }
    engine.wear(&[]).map_err(failed)
}

/// Milliseconds.
fn written(engine: &mut Engine, deltas: &Worn) -> Result<f64, Failure> {
    engine.wear(deltas).map_err(failed)?;
    engine.decode(WRITE.0, WRITE.1).map(|taken| taken.wall_ms).map_err(failed)
}
