//! The methods on small tensors in memory.

use super::*;
use crate::{Gram, Grams, Whose, merge::masks::lot};
use hinet_protocol::Hash;

/// Inputs that lie in memory.
struct Held {
    columns: usize,
    base: Vec<f32>,
    members: Vec<Vec<f32>>,
}

impl Stack for Held {
    fn rows(&self) -> usize {
        self.base.len() / self.columns
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn members(&self) -> usize {
        self.members.len()
    }

    fn base(&self, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        out.copy_from_slice(&self.base[first * self.columns..][..out.len()]);
        Ok(())
    }

    fn member(&self, index: usize, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        out.copy_from_slice(&self.members[index][first * self.columns..][..out.len()]);
        Ok(())
    }
}

fn random(key: u64, count: usize) -> Vec<f32> {
    (0..count as u64).map(|index| 2.0 * lot(key, index) - 1.0).collect()
}

fn held(members: u64, rows: usize, columns: usize) -> Held {
    let count = rows * columns;
    Held { columns, base: random(0, count), members: (1..=members).map(|key| random(key, count)).collect() }
}

fn run(rule: Rule, shares: &[Share], held: &Held, grams: Option<&dyn Grams>) -> Result<Vec<f32>, ComposeError> {
    let mut all = Vec::new();
    let narrow = |rows: &[f32]| Ok(rows.iter().flat_map(|number| number.to_le_bytes()).collect());
    let mut put = |bytes: &[u8]| {
        all.extend(bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)));
        Ok(())
    };
    merge("w", rule, shares, held, grams, &mut Sink { narrow: &narrow, put: &mut put })?;
    Ok(all)
}

fn arithmetic(sparsity: Sparsity, rescale: Rescale, consensus: bool) -> Rule {
    Rule::Arithmetic { sparsity, rescale, consensus, normalize: false, lambda: 1.0 }
}

/// What is left of one member's difference.
fn trimmed(sparsity: Sparsity, rescale: Rescale, share: Share, held: &Held) -> Vec<f32> {
    let made = run(arithmetic(sparsity, rescale, false), &[share], held, None).unwrap();
    made.iter().zip(&held.base).map(|(made, base)| made - base).collect()
}

#[test]
fn without_members_the_result_is_the_base() {
    let held = held(0, 3, 5);
    for rule in [Rule::Linear { normalize: true }, arithmetic(Sparsity::Largest, Rescale::Norm, true)] {
        assert_eq!(run(rule, &[], &held, None).unwrap(), held.base);
    }
}

#[test]
fn exactly_the_largest_are_kept_even_among_equals() {
    // More numbers than one block holds, and few different magnitudes.
    let count = 3 * (1 << 18);
    let steps = random(1, count).iter().map(|number| (number * 4.0).round() / 4.0).collect();
    let held = Held { columns: 256, base: vec![0.0; count], members: vec![steps] };
    let share = Share { density: 0.3, ..Share::default() };
    let kept = trimmed(Sparsity::Largest, Rescale::None, share, &held);
    let nonzero = kept.iter().filter(|number| **number != 0.0).count();
    assert_eq!(nonzero, (f64::from(0.3f32) * count as f64) as usize);
    let least = kept.iter().filter(|number| **number != 0.0).map(|number| number.abs()).fold(9.0, f32::min);
    let most = |(kept, all): (&f32, &f32)| if *kept == 0.0 { all.abs() } else { 0.0 };
    assert!(kept.iter().zip(&held.members[0]).map(most).fold(0.0, f32::max) <= least);
}

#[test]
fn breadcrumbs_leave_out_the_top_and_the_bottom() {
    let numbers: Vec<f32> = (1..=100).map(|n| n as f32 * if n % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let held = Held { columns: 10, base: vec![0.0; 100], members: vec![numbers] };
    let share = Share { density: 0.5, gamma: 0.1, ..Share::default() };
    let kept = trimmed(Sparsity::Middle, Rescale::None, share, &held);
    for (index, number) in kept.iter().enumerate() {
        assert_eq!(*number != 0.0, (40..90).contains(&index), "{index}");
    }
}

#[test]
fn both_rescalings_make_up_for_what_is_gone() {
    let held = Held { base: vec![0.0; 100_000], ..held(1, 100, 1000) };
    let sum = |numbers: &[f32]| numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>();
    let before = sum(&held.members[0]);
    for sparsity in [Sparsity::Random, Sparsity::Ranked] {
        let share = Share { density: 0.4, epsilon: 0.1, key: 5, ..Share::default() };
        let of = |rescale| sum(&trimmed(sparsity, rescale, share, &held));
        assert!((of(Rescale::Norm) / before - 1.0).abs() < 1e-4);
        assert!((of(Rescale::Density) / before - 1.0).abs() < 0.02);
        assert!(of(Rescale::None) / before < 0.55);
    }
}

#[test]
fn larger_differences_are_kept_more_often_by_della() {
    let held = Held { base: vec![0.0; 100_000], ..held(1, 100, 1000) };
    let share = Share { density: 0.5, epsilon: 0.4, key: 5, ..Share::default() };
    let kept = trimmed(Sparsity::Ranked, Rescale::None, share, &held);
    let part = |low: f32, high: f32| {
        let inside = kept.iter().zip(&held.members[0]).filter(|(_, all)| (low..high).contains(&all.abs()));
        let (all, kept) =
            inside.fold((0.0, 0.0), |sum, (kept, _)| (sum.0 + 1.0, sum.1 + f64::from(u8::from(*kept != 0.0))));
        kept / all
    };
    assert!((part(0.0, 0.1) - 0.14).abs() < 0.03 && (part(0.9, 1.0) - 0.86).abs() < 0.03);
}

#[test]
fn only_those_who_agree_with_the_sum_count() {
    let held = Held { columns: 1, base: vec![1.0], members: vec![vec![3.0], vec![0.5], vec![2.0]] };
    let shares = [Share::default(); 3];
    let rule = |normalize| Rule::Arithmetic {
        sparsity: Sparsity::Largest,
        rescale: Rescale::None,
        consensus: true,
        normalize,
        lambda: 1.0,
    };
    assert_eq!(run(rule(true), &shares, &held, None).unwrap(), [2.5]);
    assert_eq!(run(rule(false), &shares, &held, None).unwrap(), [4.0]);
}

#[test]
fn settings_that_cannot_be_are_refused_with_a_hint() {
    let held = held(2, 2, 4);
    let shares = |weight: f32, density: f32| [Share { weight, density, ..Share::default() }, Share::default()];
    let said = |rule, shares: &[Share]| run(rule, shares, &held, None).unwrap_err().to_string();
    assert!(said(Rule::Linear { normalize: true }, &shares(-1.0, 1.0)).contains("add up to zero"));
    assert!(said(arithmetic(Sparsity::Largest, Rescale::None, true), &shares(1.0, 1.5)).contains("between 0 and 1"));
    assert!(said(arithmetic(Sparsity::Ranked, Rescale::None, true), &shares(1.0, 0.9)).contains("too large"));
    assert!(said(Rule::Slerp { t: 0.5 }, &shares(1.0, 1.0)).contains("one member"));
    assert!(said(Rule::Passthrough, &shares(1.0, 1.0)).contains("one source"));
    let regmean = Rule::RegMean { alpha: 0.9, ridge: 0.01, anchor: 0.0 };
    assert!(said(regmean, &shares(1.0, 1.0)).contains("input statistics"));
}

#[test]
fn slerp_keeps_to_the_arc() {
    let held = Held { columns: 2, base: vec![1.0, 0.0], members: vec![vec![0.0, 1.0]] };
    let half = run(Rule::Slerp { t: 0.5 }, &[Share::default()], &held, None).unwrap();
    assert!(half.iter().all(|number| (number - 0.5f32.sqrt()).abs() < 1e-6));
    let held = Held { columns: 2, base: vec![1.0, 1.0], members: vec![vec![3.0, 3.0]] };
    assert_eq!(run(Rule::Slerp { t: 0.25 }, &[Share::default()], &held, None).unwrap(), [1.5, 1.5]);
}

/// Inputs of each member, `[tokens, inputs]`, of which Grams are made.
struct Inputs {
    inputs: usize,
    members: Vec<(Hash, Vec<f32>)>,
    anchor: Option<Vec<f32>>,
}

impl Grams for Inputs {
    fn gram(&self, whose: Whose, _: &str, inputs: usize) -> Result<Option<Gram>, ComposeError> {
        assert_eq!(inputs, self.inputs);
        let rows = match whose {
            Whose::Anchor => self.anchor.as_ref(),
            Whose::Member(hash) => self.members.iter().find(|(who, _)| *who == hash).map(|(_, rows)| rows),
        };
        let Some(rows) = rows else { return Ok(None) };
        let mut gram = vec![0.0; inputs * inputs];
        for token in rows.chunks_exact(inputs) {
            for (row, left) in gram.chunks_exact_mut(inputs).zip(token) {
                row.iter_mut().zip(token).for_each(|(to, right)| *to += left * right);
            }
        }
        Ok(Some(Gram(gram)))
    }

    fn hash(&self) -> Hash {
        Hash([1; 32])
    }
}

fn apply(rows: &[f32], inputs: usize, input: &[f32]) -> Vec<f32> {
    rows.chunks_exact(inputs).map(|row| row.iter().zip(input).map(|(w, x)| w * x).sum()).collect()
}

#[test]
fn regmean_does_to_each_members_inputs_what_that_member_does() {
    // Two members whose inputs lie in different halves of the space: one matrix can serve both.
    let (inputs, rows) = (200, 5);
    let half = |who: usize, key: u64| {
        let mut all = random(key, 400 * inputs);
        for token in all.chunks_exact_mut(inputs) {
            token.iter_mut().enumerate().filter(|(at, _)| at % 2 != who).for_each(|(_, x)| *x = 0.0);
        }
        all
    };
    let held = held(2, rows, inputs);
    let who = [Hash([1; 32]), Hash([2; 32])];
    let grams = Inputs { inputs, members: vec![(who[0], half(0, 50)), (who[1], half(1, 51))], anchor: None };
    let shares = who.map(|who| Share { who, ..Share::default() });
    let rule = |anchor| Rule::RegMean { alpha: 1.0, ridge: 1e-6, anchor };
    let made = run(rule(0.0), &shares, &held, Some(&grams)).unwrap();
    for (index, (_, all)) in grams.members.iter().enumerate() {
        let token = &all[..inputs];
        let (ours, theirs) = (apply(&made, inputs, token), apply(&held.members[index], inputs, token));
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-3), "{ours:?} {theirs:?}");
    }
    // On text of its own the anchor stays what it is when its virtual member weighs enough.
    let own = random(60, 400 * inputs);
    let grams = Inputs { anchor: Some(own.clone()), ..grams };
    let held_back = run(rule(1e6), &shares, &held, Some(&grams)).unwrap();
    let (ours, theirs) = (apply(&held_back, inputs, &own[..inputs]), apply(&held.base, inputs, &own[..inputs]));
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-3));
    let one_missing = Inputs { members: grams.members[..1].to_vec(), ..grams };
    let error = run(rule(0.0), &shares, &held, Some(&one_missing)).unwrap_err().to_string();
    assert!(error.contains("some members are missing"), "{error}");
    // Where nobody tuned anything there is nothing to solve, and no Gram is asked for.
    let members = vec![held.base.clone(); 2];
    let untouched = Held { members, ..held };
    let shares = [Share { weight: 0.3, ..shares[0] }, shares[1]];
    let nothing = Inputs { inputs: 0, members: Vec::new(), anchor: None };
    assert_eq!(run(rule(2.0), &shares, &untouched, Some(&nothing)).unwrap(), untouched.base);
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    let held = held(3, 700, 900);
    let shares: Vec<Share> =
        (0..3).map(|key| Share { density: 0.5, key, weight: 0.3 + key as f32, ..Share::default() }).collect();
    let rules = [
        Rule::Linear { normalize: true },
        arithmetic(Sparsity::Largest, Rescale::Norm, true),
        arithmetic(Sparsity::Random, Rescale::Norm, false),
        arithmetic(Sparsity::Ranked, Rescale::Density, true),
        arithmetic(Sparsity::Middle, Rescale::Norm, false),
        Rule::ModelStock { filter_wise: false },
    ];
    for rule in rules {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let made = pool.install(|| run(rule, &shares, &held, None).unwrap());
            made.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert!(with(1) == with(3), "{rule:?}");
    }
}
