//! Who answers, and how many: the gate that the product uses, made of the members' public prompts.
//!
//! It is calibrated as the product calibrates it, so neither the questions nor the neutral text decide anything about
//! it.

use super::{
    exam::Exam,
    packs::{Pack, Sort},
    report::{Gated, Sent, Shares},
    route::vectors,
    trial::Trial,
};
use crate::LabError;
use hinet_compose::{Claims, Gate, PROMPTS_MAX, elsewhere};
use hinet_protocol::Hash;
use hinet_train::judge::general;
use std::path::Path;

/// Members who answer together and how much of each, the heaviest first; nobody where the anchor answers alone.
pub(super) type Parts = Vec<(usize, f32)>;

/// Who answers what.
pub(super) struct Chosen {
    /// For each question.
    pub questions: Vec<Parts>,
    /// For each window of the neutral text.
    pub windows: Vec<Parts>,
    /// How often it was nobody, one or several.
    pub gated: Gated,
}

/// Sentences of the neutral text.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    text.split(". ").filter(|sentence| !sentence.trim().is_empty()).collect()
}

/// Has the gate choose for every question, every window and every sentence of the neutral text.
///
/// # Errors
/// Where a pack has too few prompts for a signature.
pub(super) fn chosen(trial: &Trial<'_>) -> Result<Chosen, LabError> {
    let (plan, packs, embedder) = (trial.plan, trial.packs, &trial.plan.embedder);
    // A member is known by its pack here, because there is no delta yet.
    let ids: Vec<Hash> = packs.iter().map(|pack| Hash(*blake3::hash(pack.name.as_bytes()).as_bytes())).collect();
    let published = match plan.packs.as_deref().and_then(Path::file_name) {
        None => format!("packs made up from the seed {}", plan.seed),
        Some(name) => name.to_string_lossy().into_owned(),
    };
    let mut claims = Vec::with_capacity(packs.len());
    for (pack, id) in packs.iter().zip(&ids) {
        let prompts = pack.prompts();
        let every = prompts.len().div_ceil(PROMPTS_MAX).max(1);
        let some: Vec<&str> = prompts.into_iter().step_by(every).collect();
        claims.push(Claims::new(*id, embedder.hash(), &published, &vectors(embedder, &some)?)?);
    }
    let gate = Gate::new(&claims.iter().collect::<Vec<_>>(), &embedder.embed(&elsewhere())?)?;
    let chosen = |texts: &[&str]| -> Result<Vec<Parts>, LabError> {
        let place = |delta: Hash| ids.iter().position(|id| *id == delta);
        let parts = |vector: &Vec<f32>| -> Parts {
            let choice = gate.choose(vector);
            choice.parts.iter().filter_map(|part| Some((place(part.delta)?, part.weight))).collect()
        };
        Ok(vectors(embedder, texts)?.iter().map(parts).collect())
    };
    let questions = chosen(&packs.iter().flat_map(Pack::questions).collect::<Vec<_>>())?;
    let windows: Vec<String> = trial.exam.windows().iter().map(|window| trial.anchor.decode(&window.tokens)).collect();
    let windows = chosen(&windows.iter().map(String::as_str).collect::<Vec<_>>())?;
    let neutral = chosen(&sentences(&general::neutral()))?;
    let first = |parts: &Parts| parts.first().map(|(member, _)| *member);
    let right = questions.iter().zip(&trial.exam.packs).filter(|(parts, pack)| first(parts) == Some(**pack)).count();
    let sizing = gate.sizing();
    let gated = Gated {
        floor: sizing.floor,
        margin: sizing.margin,
        right: share(right, questions.len()),
        questions: shares(&questions),
        sentences: shares(&neutral),
    };
    Ok(Chosen { questions, windows, gated })
}

/// How questions of each sort were sent, by the nearest prompts and by the gate.
pub(super) fn sent(exam: &Exam, nearest: &[usize], chosen: &[Parts]) -> Vec<Sent> {
    let of = |sort: Sort| {
        let all = exam.sorts.iter().enumerate().filter(|(_, other)| **other == sort).map(|(at, _)| at);
        let all: Vec<usize> = all.collect();
        let parts: Vec<Parts> = all.iter().map(|at| chosen[*at].clone()).collect();
        let right = |fits: &dyn Fn(usize) -> bool| share(all.iter().filter(|at| fits(**at)).count(), all.len());
        Sent {
            sort,
            questions: all.len(),
            nearest: right(&|at| nearest[at] == exam.packs[at]),
            heaviest: right(&|at| chosen[at].first().is_some_and(|(member, _)| *member == exam.packs[at])),
            among: right(&|at| chosen[at].iter().any(|(member, _)| *member == exam.packs[at])),
            sizes: shares(&parts),
        }
    };
    Sort::ALL.into_iter().map(of).filter(|sent| sent.questions > 0).collect()
}

#[allow(clippy::cast_precision_loss, reason = "questions are few")]
fn share(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

/// How often it is nobody, one or several.
fn shares(all: &[Parts]) -> Shares {
    let of = |fits: &dyn Fn(usize) -> bool| share(all.iter().filter(|parts| fits(parts.len())).count(), all.len());
    Shares { own: of(&|count| count == 0), one: of(&|count| count == 1), few: of(&|count| count > 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nobody_one_and_several_are_one_together() {
        let found = shares(&[Vec::new(), vec![(0, 1.0)], vec![(1, 0.6), (0, 0.4)], vec![(1, 1.0)]]);
        assert_eq!(found, Shares { own: 0.25, one: 0.5, few: 0.25 });
        assert_eq!(shares(&[]), Shares { own: 0.0, one: 0.0, few: 0.0 });
    }

    #[test]
    fn the_neutral_text_has_many_sentences() {
        assert_eq!(sentences("One. Two.  . Three."), ["One", "Two", "Three."]);
        assert!(sentences(&general::neutral()).len() > 40);
    }
}
