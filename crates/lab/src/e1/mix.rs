//! Members answer together on the bare anchor, as the product has them do: the deltas that the gate chooses for a
//! question, each as much as the gate says. Only low-rank members are deltas that can be switched in.

use super::{
    exam::Marks,
    gate::{Chosen, Parts},
    members::Member,
    trial::Trial,
};
use crate::{LabError, desk::Desk};
use hinet_model::{Anchor, Delta, Resident};
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
    for (name, (questions, windows)) in ways {
        let way = format!("{questions:?} {windows:?}");
        let marks = trial.marked(desk, name, &[&hashes, &way], |watch| {
            let mixer = Mixer::new(trial.anchor, &deltas)?;
            trial.exam.marks_by(&questions, &windows, &mut |parts| mixer.judge(parts), watch)
        })?;
        all.push((name, marks));
    }
    Ok(all)
}

/// Deltas that lie in memory beside the anchor, and answer together as somebody says.
pub(crate) struct Mixer<'a> {
    anchor: &'a Anchor,
    residents: Vec<Resident>,
}

impl<'a> Mixer<'a> {
    pub fn new(anchor: &'a Anchor, deltas: &[&Delta]) -> Result<Self, LabError> {
        let residents = deltas.iter().map(|delta| anchor.attach(delta)).collect::<Result<_, _>>()?;
        Ok(Self { anchor, residents })
    }

    /// What some of them are together; the bare anchor where nobody is named.
    pub fn judge(&self, parts: &[(usize, f32)]) -> Result<Judge, LabError> {
        let with = |(member, weight): &(usize, f32)| (self.residents[*member].clone(), *weight);
        Ok(Judge::new(self.anchor, &parts.iter().map(with).collect::<Vec<_>>())?)
    }

    /// Bytes of the weights of all of them and of the anchor, in memory.
    pub fn bytes(&self) -> usize {
        self.anchor.weight_bytes() + self.residents.iter().map(Resident::bytes).sum::<usize>()
    }
}
