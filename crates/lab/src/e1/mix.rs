//! Members answer together on the bare anchor, as the product has them do: the deltas that the gate chooses for a
//! question, each as much as the gate says. Only low-rank members are deltas that can be switched in.

use super::{
    exam::Marks,
    gate::{Chosen, Parts},
    members::Member,
    trial::Trial,
};
use crate::{LabError, desk::Desk};
use hinet_model::{Delta, Resident};
use hinet_train::judge::Judge;

/// What the row of the gate's mixes is called.
pub(crate) const RIGHT: &str = "mix: right-sized";
/// What the row is called in which everybody knows who knows.
pub(crate) const ORACLE: &str = "mix: oracle, one member each";

/// The marks of mixes by what they are called; none where members are no deltas.
pub(crate) fn marks(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    members: &[Member],
    chosen: &Chosen,
) -> Result<Vec<(&'static str, Marks)>, LabError> {
    let deltas: Option<Vec<&Delta>> = members.iter().map(|member| member.delta.as_ref()).collect();
    let Some(deltas) = deltas else { return Ok(Vec::new()) };
    let hashes: String = deltas.iter().map(|delta| delta.hash().to_string()).collect();
    let (packs, windows) = (&trial.exam.packs, chosen.windows.len());
    let everybody = |weight: f32| {
        let parts: Parts = (0..members.len()).map(|member| (member, weight)).collect();
        (vec![parts.clone(); packs.len()], vec![parts; windows])
    };
    #[allow(clippy::cast_precision_loss, reason = "members are few")]
    let even = 1.0 / members.len() as f32;
    let oracle: Vec<Parts> = packs.iter().map(|pack| vec![(*pack, 1.0)]).collect();
    let ways = [
        (RIGHT, (chosen.questions.clone(), chosen.windows.clone())),
        ("mix: all members, weight 1/n (control)", everybody(even)),
        ("mix: all members, weight 1 (control)", everybody(1.0)),
        (ORACLE, (oracle, vec![Parts::new(); windows])),
    ];
    let mut all = Vec::with_capacity(ways.len());
    for (name, ways) in ways {
        all.push((name, together(desk, trial, (&deltas, &hashes), name, &ways)?));
    }
    Ok(all)
}

/// Who answers each question, and who each window of the neutral text.
pub(crate) type Ways = (Vec<Parts>, Vec<Parts>);

/// The marks of some deltas that answer together on the anchor in these ways.
pub(crate) fn together(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    (deltas, hashes): (&[&Delta], &str),
    name: &str,
    (questions, windows): &Ways,
) -> Result<Marks, LabError> {
    let way = format!("{questions:?} {windows:?}");
    trial.marked(desk, name, &[hashes, &way], |watch| {
        let mut residents: Vec<Resident> = Vec::with_capacity(deltas.len());
        for delta in deltas {
            residents.push(trial.anchor.attach(delta)?);
        }
        let mut judge = |parts: &[(usize, f32)]| -> Result<Judge, LabError> {
            let with = |(member, weight): &(usize, f32)| (residents[*member].clone(), *weight);
            Ok(Judge::new(trial.anchor, &parts.iter().map(with).collect::<Vec<_>>())?)
        };
        trial.exam.marks_by(questions, windows, &mut judge, watch)
    })
}
