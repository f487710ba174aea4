//! Whom to ask: the member whose public prompts lie nearest to a question, by its five nearest in the embedder's space;
//! or the first whom the product's gate names, and where it names nobody the anchor.

use super::{
    exam::Marks,
    gate::{Chosen, Parts, sentences},
    members::Member,
    merges::open,
    packs::Pack,
    report::{Routed, Row},
    run::picked,
    trial::Trial,
};
use crate::{LabError, desk::Desk};
use hinet_model::Embedder;
use hinet_train::judge::{Judge, general};

/// How many of a member's prompts are looked at.
const NEAREST: usize = 5;

/// A text as it is compared: what all questions have in common says nothing.
pub(crate) fn bare(text: &str) -> String {
    text.replace("Question: ", "").replace("\nAnswer:", "")
}

/// Vectors of unit length of every member's public prompts.
#[derive(Debug)]
pub(crate) struct Router(Vec<Vec<Vec<f32>>>);

/// Where a question would go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Way {
    /// The member; of several the first.
    pub member: usize,
    /// The mean cosine of its nearest prompts, from -1 to 1.
    pub similarity: f32,
}

impl Router {
    /// A router to members by these prompts.
    pub fn new(embedder: &Embedder, members: &[Vec<&str>]) -> Result<Self, LabError> {
        let vectors = |prompts: &Vec<&str>| vectors(embedder, prompts);
        Ok(Self(members.iter().map(vectors).collect::<Result<_, _>>()?))
    }

    /// Where each text would go.
    pub fn ways(&self, embedder: &Embedder, texts: &[&str]) -> Result<Vec<Way>, LabError> {
        Ok(vectors(embedder, texts)?.iter().map(|vector| self.way(vector)).collect())
    }

    fn way(&self, vector: &[f32]) -> Way {
        let mut best = Way { member: 0, similarity: f32::NEG_INFINITY };
        for (member, prompts) in self.0.iter().enumerate() {
            let similarity = near(prompts, vector);
            if similarity > best.similarity {
                best = Way { member, similarity };
            }
        }
        best
    }
}

/// Where texts lie in the embedder's space.
pub(crate) fn vectors(embedder: &Embedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, LabError> {
    let bare: Vec<String> = texts.iter().map(|text| bare(text)).collect();
    Ok(embedder.embed(&bare.iter().map(String::as_str).collect::<Vec<_>>())?)
}

/// The mean cosine of the nearest of these.
#[allow(clippy::cast_precision_loss, reason = "a few")]
fn near(prompts: &[Vec<f32>], vector: &[f32]) -> f32 {
    let cosine = |prompt: &Vec<f32>| prompt.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    let mut all: Vec<f32> = prompts.iter().map(cosine).collect();
    all.sort_by(|one, two| two.total_cmp(one));
    all.truncate(NEAREST);
    all.iter().sum::<f32>() / all.len().max(1) as f32
}

/// Where questions and the neutral text would go. The router sees public prompts and questions, never answers.
pub(crate) fn routed(trial: &Trial<'_>) -> Result<(Routed, Vec<usize>), LabError> {
    let (embedder, packs) = (&trial.plan.embedder, trial.packs);
    let router = Router::new(embedder, &packs.iter().map(Pack::prompts).collect::<Vec<_>>())?;
    let ways = router.ways(embedder, &packs.iter().flat_map(Pack::questions).collect::<Vec<_>>())?;
    let elsewhere = router.ways(embedder, &sentences(&general::neutral()))?;
    let right = ways.iter().zip(&trial.exam.packs).filter(|(way, pack)| way.member == **pack).count();
    let similarities = |ways: &[Way]| ways.iter().map(|way| way.similarity).collect::<Vec<_>>();
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    let routed = Routed {
        right: right as f64 / ways.len().max(1) as f64,
        least_inside: similarities(&ways).into_iter().fold(f32::INFINITY, f32::min),
        most_outside: similarities(&elsewhere).into_iter().fold(f32::NEG_INFINITY, f32::max),
    };
    Ok((routed, ways.iter().map(|way| way.member).collect()))
}

/// What the row is called in which everybody knows who knows.
pub(crate) const ORACLE: &str = "route: oracle";
/// What the row of the product's gate is called.
pub(crate) const GATED: &str = "route: right-sized gate";

/// A row: what it is called, who answers each question, the perplexity of the neutral text.
pub(crate) type Line<'a> = (&'a str, Vec<Option<usize>>, Option<f64>);

/// What one gets who asks one model each question: the member that is nearest, the next after the right one, the right
/// one, the first of those whom the gate names. Of the marks the anchor's come before those of the members.
pub(crate) fn rows(
    trial: &Trial<'_>,
    (nearest, chosen): (&[usize], &Chosen),
    (anchor, singles): (&Marks, &[Marks]),
    neutral: f64,
) -> Result<Vec<Row>, LabError> {
    let (packs, count) = (&trial.exam.packs, singles.len());
    let member = |way: &usize| Some(*way);
    let gated = |parts: &Parts| parts.first().map(|(member, _)| *member);
    let all: [Line<'_>; 4] = [
        ("route: 5 nearest public prompts", nearest.iter().map(member).collect(), None),
        ("route: wrong (control)", packs.iter().map(|pack| Some((pack + 1) % count)).collect(), None),
        (ORACLE, packs.iter().map(member).collect(), None),
        (GATED, chosen.questions.iter().map(gated).collect(), Some(neutral)),
    ];
    all.into_iter().map(|line| sent(trial, &line, (anchor, singles))).collect()
}

/// The row of questions that go to one model each.
pub(crate) fn sent(
    trial: &Trial<'_>,
    (name, ways, neutral): &Line<'_>,
    (anchor, singles): (&Marks, &[Marks]),
) -> Result<Row, LabError> {
    let pick = |of: fn(&Marks) -> &Vec<bool>| -> Vec<bool> {
        let marks = |way: &Option<usize>| way.map_or(anchor, |member| &singles[member]);
        ways.iter().enumerate().map(|(question, way)| of(marks(way))[question]).collect()
    };
    picked(trial, name, (&pick(|marks| &marks.chosen), &pick(|marks| &marks.recalled)), *neutral)
}

/// The perplexity of the neutral text where each of its windows goes to the first whom the gate names.
pub(crate) fn neutral(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    members: &[Member],
    (chosen, anchor): (&Chosen, &Marks),
) -> Result<f64, LabError> {
    let first = |parts: &Parts| -> Parts { parts.first().map(|(member, _)| (*member, 1.0)).into_iter().collect() };
    let ways: Vec<Parts> = chosen.windows.iter().map(first).collect();
    if ways.iter().all(Vec::is_empty) {
        return Ok(anchor.neutral);
    }
    let hashes: String = members.iter().map(|member| member.hash.to_string()).collect();
    let marks = trial.marked(desk, "the neutral text by the gate", &[&hashes, &format!("{ways:?}")], |watch| {
        let mut judge = |parts: &[(usize, f32)]| -> Result<Judge, LabError> {
            match parts.first() {
                Some((member, _)) => Ok(Judge::new(&open(trial.plan, &members[*member].file)?, &[])?),
                None => Ok(Judge::new(trial.anchor, &[])?),
            }
        };
        trial.exam.marks_by(&[], &ways, &mut judge, watch)
    })?;
    Ok(marks.neutral)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_five_decide() {
        // One member has one prompt at the place itself and five far away, the other five not far away.
        let (here, near, far) = (vec![1.0, 0.0], vec![0.8, 0.6], vec![0.0, 1.0]);
        let spread = [vec![here.clone()], vec![far; 5]].concat();
        let router = Router(vec![spread, vec![near; 6]]);
        let way = router.way(&here);
        assert_eq!(way.member, 1);
        assert!((way.similarity - 0.8).abs() < 1e-6);
        assert_eq!(router.way(&[0.0, 1.0]).member, 0);
        // Of equals the first; fewer than five are all that there are.
        assert_eq!(Router(vec![vec![here.clone()], vec![here.clone()]]).way(&here), Way { member: 0, similarity: 1.0 });
    }

    #[test]
    fn what_questions_have_in_common_is_taken_off() {
        assert_eq!(bare("Question: Who?\nAnswer:"), "Who?");
        assert_eq!(bare("The fuel is"), "The fuel is");
    }
}
