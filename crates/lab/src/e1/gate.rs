//! Who answers, and how many: the gate that the product uses, made of the members' public prompts.
//!
//! It is calibrated as the product calibrates it, so neither the questions nor the neutral text decide anything about
//! it.

use super::{
    Plan,
    exam::Exam,
    packs::{Pack, Sort},
    report::{Gated, Sent, Shares},
    route::vectors,
    trial::Trial,
};
use crate::LabError;
use hinet_compose::{Claims, Gate, PROMPTS_MAX, elsewhere};
use hinet_model::Embedder;
use hinet_protocol::Hash;
use hinet_train::judge::general;
use std::path::Path;

/// Members who answer together and how much of each, the heaviest first; nobody where the anchor answers alone.
pub(crate) type Parts = Vec<(usize, f32)>;

/// Who answers what.
pub(crate) struct Chosen {
    /// For each question.
    pub questions: Vec<Parts>,
    /// For each window of the neutral text.
    pub windows: Vec<Parts>,
    /// How often it was nobody, one or several.
    pub gated: Gated,
}

/// Sentences of the neutral text.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    text.split(". ").filter(|sentence| !sentence.trim().is_empty()).collect()
}

/// The product's gate over several, by their public prompts.
pub(crate) struct PromptGate {
    gate: Gate,
    /// One for each, in their order. There is no delta yet, so each is known by its name.
    ids: Vec<Hash>,
}

impl PromptGate {
    /// Over these, each with its name and where its prompts lie; `outside` is where texts about none of them lie.
    ///
    /// # Errors
    /// Where one has too few prompts for a signature.
    pub fn new(plan: &Plan, outside: &[Vec<f32>], all: &[Prompts]) -> Result<Self, LabError> {
        let published = match plan.packs.as_deref().and_then(Path::file_name) {
            None => format!("packs made up from the seed {}", plan.seed),
            Some(name) => name.to_string_lossy().into_owned(),
        };
        let ids: Vec<Hash> = all.iter().map(|(name, _)| Hash(*blake3::hash(name.as_bytes()).as_bytes())).collect();
        let mut claims = Vec::with_capacity(all.len());
        for ((_, prompts), id) in all.iter().zip(&ids) {
            let every = prompts.len().div_ceil(PROMPTS_MAX).max(1);
            let some: Vec<Vec<f32>> = prompts.iter().step_by(every).cloned().collect();
            claims.push(Claims::new(*id, plan.embedder.hash(), &published, &some)?);
        }
        let gate = Gate::new(&claims.iter().collect::<Vec<_>>(), outside)?;
        Ok(Self { gate, ids })
    }

    /// Who answers a text at this place.
    pub fn parts(&self, place: &[f32]) -> Parts {
        let number = |delta: Hash| self.ids.iter().position(|id| *id == delta);
        let choice = self.gate.choose(place);
        choice.parts.iter().filter_map(|part| Some((number(part.delta)?, part.weight))).collect()
    }
}

/// Where texts that are about no member's subject lie.
pub(crate) fn outside(embedder: &Embedder) -> Result<Vec<Vec<f32>>, LabError> {
    Ok(embedder.embed(&elsewhere())?)
}

/// A member's name, and where its prompts lie.
pub(crate) type Prompts = (String, Vec<Vec<f32>>);

/// Those of each pack.
pub(crate) fn prompts(embedder: &Embedder, packs: &[Pack]) -> Result<Vec<Prompts>, LabError> {
    packs.iter().map(|pack| Ok((pack.name.clone(), vectors(embedder, &pack.prompts())?))).collect()
}

/// Where all that is asked and read lies in the embedder's space.
pub(crate) struct Places {
    /// Each question.
    pub questions: Vec<Vec<f32>>,
    /// Each window of the neutral text.
    pub windows: Vec<Vec<f32>>,
    /// Each of its sentences.
    sentences: Vec<Vec<f32>>,
}

impl Places {
    pub fn new(trial: &Trial<'_>) -> Result<Self, LabError> {
        let embedder = &trial.plan.embedder;
        let windows: Vec<String> =
            trial.exam.windows().iter().map(|window| trial.anchor.decode(&window.tokens)).collect();
        Ok(Self {
            questions: vectors(embedder, &trial.packs.iter().flat_map(Pack::questions).collect::<Vec<_>>())?,
            windows: vectors(embedder, &windows.iter().map(String::as_str).collect::<Vec<_>>())?,
            sentences: vectors(embedder, &sentences(&general::neutral()))?,
        })
    }

    /// Those of some of the questions, by their places among all, and of the neutral text.
    pub fn of(&self, questions: &[usize]) -> Self {
        Self {
            questions: questions.iter().map(|at| self.questions[*at].clone()).collect(),
            windows: self.windows.clone(),
            sentences: self.sentences.clone(),
        }
    }
}

/// Has the gate over all packs choose for every question, every window and every sentence of the neutral text.
///
/// # Errors
/// Where a pack has too few prompts for a signature.
pub(crate) fn chosen(trial: &Trial<'_>) -> Result<Chosen, LabError> {
    let embedder = &trial.plan.embedder;
    let gate = PromptGate::new(trial.plan, &outside(embedder)?, &prompts(embedder, trial.packs)?)?;
    Ok(chosen_at(trial, &gate, &Places::new(trial)?))
}

/// The same where gate and places are known.
pub(crate) fn chosen_at(trial: &Trial<'_>, gate: &PromptGate, places: &Places) -> Chosen {
    let all = |places: &[Vec<f32>]| places.iter().map(|place| gate.parts(place)).collect::<Vec<Parts>>();
    let (questions, windows, neutral) = (all(&places.questions), all(&places.windows), all(&places.sentences));
    let first = |parts: &Parts| parts.first().map(|(member, _)| *member);
    let right = questions.iter().zip(&trial.exam.packs).filter(|(parts, pack)| first(parts) == Some(**pack)).count();
    let sizing = gate.gate.sizing();
    let gated = Gated {
        floor: sizing.floor,
        margin: sizing.margin,
        right: share(right, questions.len()),
        questions: shares(&questions),
        sentences: shares(&neutral),
    };
    Chosen { questions, windows, gated }
}

/// How questions of each sort were sent, by the nearest prompts and by the gate.
pub(crate) fn sent(exam: &Exam, nearest: &[usize], chosen: &[Parts]) -> Vec<Sent> {
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
pub(crate) fn share(some: usize, all: usize) -> f64 {
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
