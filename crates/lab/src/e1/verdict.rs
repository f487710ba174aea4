//! What was said before anything was measured, and whether a report bears it out: each hypothesis passes, is falsified, or
//! was not run.

use super::{Report, Row, Tuning, exam::points};
use crate::LabError;
use hinet_train::judge::paired_bootstrap;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was pre-registered.
const REGISTERED: &str = include_str!("../../../../assets/e1/preregistration.toml");
/// What sums of floats may be off by.
const ROUNDING: f64 = 1e-9;

/// What became of a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Each of its claims was met.
    #[serde(rename = "PASS")]
    Pass,
    /// It was tried, and a claim was not met.
    #[serde(rename = "FALSIFIED")]
    Falsified,
    /// Something it speaks of was not measured, or the experiment was too small.
    #[serde(rename = "NOT RUN")]
    NotRun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Falsified => "FALSIFIED",
            Self::NotRun => "NOT RUN",
        })
    }
}

/// A hypothesis, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is called.
    pub id: String,
    /// What it says.
    pub says: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The figures that decided, or what was missing.
    pub why: String,
}

/// What a seed is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Methods are chosen on it, so it proves nothing.
    Choosing,
    /// It was named before it was run.
    Deciding,
    /// Neither.
    Other,
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The BLAKE3 hash of what was pre-registered.
    pub preregistration: String,
    /// What this seed is for.
    pub seed: Use,
    /// The hypotheses, in their order.
    pub hypotheses: Vec<Finding>,
}

/// What was pre-registered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    tunings: Vec<Tuning>,
    seeds: Seeds,
    least: Least,
    hypothesis: Vec<Hypothesis>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeds {
    choosing: Vec<u64>,
    deciding: Vec<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Least {
    packs: usize,
    questions: usize,
    neutral_tokens: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hypothesis {
    id: String,
    says: String,
    /// With fewer members it says nothing.
    #[serde(default)]
    members: usize,
    /// One of these has to meet the claims, or all of those.
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    claims: Vec<Claim>,
}

/// A column of a row is so much beside `times` that of another row and `plus` a number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// The candidate where none is named.
    row: Option<String>,
    column: Column,
    is: Comparison,
    than: Option<String>,
    #[serde(default = "one")]
    times: f64,
    #[serde(default)]
    plus: f64,
    test: Test,
}

fn one() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Column {
    Choice,
    Exact,
    Ppl,
    ByteEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    MoreThan,
    AtLeast,
    AtMost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Test {
    Bootstrap,
    Point,
}

fn broken(problem: impl fmt::Display) -> LabError {
    LabError::Registered { problem: problem.to_string() }
}

/// What the program was built with, read and checked.
#[derive(Debug)]
pub(super) struct Hypotheses {
    registered: Registered,
    hash: String,
}

impl Hypotheses {
    /// What ships with the program.
    pub fn shipped() -> Result<Self, LabError> {
        Self::read(REGISTERED)
    }

    fn read(text: &str) -> Result<Self, LabError> {
        let registered: Registered = toml::from_str(text).map_err(broken)?;
        for Hypothesis { id, any, all, claims, .. } in &registered.hypothesis {
            if any.is_empty() == all.is_empty() || claims.is_empty() {
                return Err(broken(format!("{id} needs claims, and either \"any\" or \"all\" of some candidates")));
            }
            let drawn = |claim: &Claim| matches!(claim.column, Column::Choice | Column::Exact) && claim.than.is_some();
            if claims.iter().any(|claim| claim.test == Test::Bootstrap && !drawn(claim)) {
                let hint = "only choice and exact of two rows have the same questions to draw again";
                return Err(broken(format!("{id} has a bootstrap of something else; {hint}")));
            }
            if claims.iter().any(|claim| !claim.times.is_finite() || !claim.plus.is_finite()) {
                return Err(broken(format!("{id} has a number that is not finite")));
            }
        }
        Ok(Self { registered, hash: blake3::hash(text.as_bytes()).to_string() })
    }

    /// What a report makes of them.
    pub fn verdict(&self, report: &Report) -> Result<Verdict, LabError> {
        let Seeds { choosing, deciding } = &self.registered.seeds;
        let seed = match report.seed {
            seed if choosing.contains(&seed) => Use::Choosing,
            seed if deciding.contains(&seed) => Use::Deciding,
            _ => Use::Other,
        };
        let hypotheses =
            self.registered.hypothesis.iter().map(|one| self.found(one, report)).collect::<Result<_, _>>()?;
        Ok(Verdict { preregistration: self.hash.clone(), seed, hypotheses })
    }

    fn found(&self, hypothesis: &Hypothesis, report: &Report) -> Result<Finding, LabError> {
        let candidates = hypothesis.any.iter().chain(&hypothesis.all);
        let tried: Vec<Tried> = candidates.map(|name| tried(hypothesis, name, report)).collect::<Result<_, _>>()?;
        let is = |outcome: Outcome| tried.iter().any(|one| one.outcome == outcome);
        let outcome = match hypothesis.all.is_empty() {
            // One is enough, and as long as one was not tried nothing is falsified.
            true if is(Outcome::Pass) => Outcome::Pass,
            true if is(Outcome::NotRun) => Outcome::NotRun,
            true => Outcome::Falsified,
            false if is(Outcome::Falsified) => Outcome::Falsified,
            false if is(Outcome::NotRun) => Outcome::NotRun,
            false => Outcome::Pass,
        };
        let decided = tried.into_iter().filter(|one| one.outcome == outcome).map(|one| one.why);
        let why = decided.collect::<Vec<_>>().join("; ");
        let (outcome, why) = match self.unfit(hypothesis, report) {
            // What has no row at all is said first: it is a fault of what was registered, or of the run.
            Some(problem) if outcome != Outcome::NotRun => (Outcome::NotRun, problem),
            _ => (outcome, why),
        };
        Ok(Finding { id: hypothesis.id.clone(), says: hypothesis.says.clone(), outcome, why })
    }

    /// Why a report gets no verdict, where it gets none.
    fn unfit(&self, hypothesis: &Hypothesis, report: &Report) -> Option<String> {
        let Least { packs, questions, neutral_tokens } = self.registered.least;
        let members = hypothesis.members.max(packs);
        if !self.registered.tunings.contains(&report.tuning) {
            return Some("members tuned like this are not to be shared; they are the upper bound".into());
        }
        if !report.made_up {
            return Some("the packs are of a file, and not made up from the seed".into());
        }
        let short = [
            (report.packs.len(), members, "members"),
            (report.questions, questions, "questions"),
            (report.neutral_tokens, neutral_tokens, "tokens of neutral text"),
        ];
        let (has, needs, what) = short.into_iter().find(|(has, needs, _)| has < needs)?;
        Some(format!("it takes {needs} {what}, and there are {has}"))
    }
}

/// What became of a candidate.
struct Tried {
    outcome: Outcome,
    why: String,
}

/// Whether a candidate meets all claims.
fn tried(hypothesis: &Hypothesis, candidate: &str, report: &Report) -> Result<Tried, LabError> {
    let mut tried = Tried { outcome: Outcome::Pass, why: String::new() };
    for claim in &hypothesis.claims {
        let found = weighed(claim, candidate, report)?;
        match (found.outcome, tried.outcome) {
            // Something that was not measured is said by itself, and the claims that were not met are all said.
            (Outcome::NotRun, _) => return Ok(found),
            (Outcome::Falsified, Outcome::Pass) => tried = found,
            (one, other) if one == other => {
                let joint = if tried.why.is_empty() { "" } else { ", " };
                tried.why = format!("{}{joint}{}", tried.why, found.why);
            }
            _ => {}
        }
    }
    Ok(tried)
}

/// Whether a claim is met.
fn weighed(claim: &Claim, candidate: &str, report: &Report) -> Result<Tried, LabError> {
    let name = claim.row.as_deref().unwrap_or(candidate);
    let sides = (side(claim.column, name, report), claim.than.as_deref().map(|than| side(claim.column, than, report)));
    let (left, right) = match sides {
        (Some(left), None) => (left, Side { number: 0.0, points: Vec::new() }),
        (Some(left), Some(Some(right))) => (left, right),
        (left, _) => {
            let missing = if left.is_none() { name } else { claim.than.as_deref().unwrap_or_default() };
            return Ok(Tried { outcome: Outcome::NotRun, why: format!("there is no figure of \"{missing}\"") });
        }
    };
    let bound = claim.times * right.number + claim.plus;
    let sign = if claim.is == Comparison::AtMost { -1.0 } else { 1.0 };
    let (lead, words) = match claim.test {
        Test::Point => (sign * (left.number - bound), String::new()),
        Test::Bootstrap => {
            let bounds: Vec<f64> = right.points.iter().map(|point| sign * (claim.times * point + claim.plus)).collect();
            let points: Vec<f64> = left.points.iter().map(|point| sign * point).collect();
            let low = paired_bootstrap(&bounds, &points, report.seed)?.low;
            (low, format!(" (with 95 % ahead by {low:.3})"))
        }
    };
    let (met, comparison) = match claim.is {
        Comparison::MoreThan => (lead > ROUNDING, ">"),
        Comparison::AtLeast => (lead >= -ROUNDING, "≥"),
        Comparison::AtMost => (lead >= -ROUNDING, "≤"),
    };
    let not = if met { "" } else { "not " };
    Ok(Tried {
        outcome: if met { Outcome::Pass } else { Outcome::Falsified },
        why: format!("{name}: {:.3} is {not}{comparison} {bound:.3}{words}", left.number),
    })
}

/// A figure, and what each question adds to it where it is of questions.
struct Side {
    number: f64,
    points: Vec<f64>,
}

/// A column of a mode or a row.
fn side(column: Column, name: &str, report: &Report) -> Option<Side> {
    let plain = |number: f64| Some(Side { number, points: Vec::new() });
    let row: &Row = match column {
        Column::ByteEqual => return plain(f64::from(u8::from(report.opt_out?.byte_equal))),
        _ => report.row(report.modes.get(name).map_or(name, |mode| mode.row.as_str()))?,
    };
    let right = |bits: &str| bits.bytes().map(|bit| bit == b'1').collect::<Vec<bool>>();
    let counts = |place: usize| report.asked.iter().map(|counts| counts[place]).collect::<Vec<usize>>();
    match column {
        Column::Choice => Some(Side { number: row.choice, points: points(&counts(0), &right(&row.chosen)) }),
        Column::Exact => Some(Side { number: row.exact, points: points(&counts(1), &right(&row.recalled)) }),
        Column::Ppl | Column::ByteEqual => plain(row.neutral?),
    }
}

#[cfg(test)]
mod tests;
