//! Asking an assembly: where the memory has no answer, the members that are near enough to the question answer from their
//! weights, and the answer says who they were.

use super::prompt;
use super::speak::{Reply, Turn, reply, room, sampling, stream};
use crate::failure::NodeError;
use crate::flows::assembly;
use crate::protocol::{Composition, Mode, Role};
use hinet_model::StopReason;

/// Who answers. What leans on an earlier turn is asked together with it.
pub(super) async fn choose(turn: &Turn<'_>, assembly: &str) -> Result<Composition, NodeError> {
    let earlier = turn.history.iter().rev().find(|message| message.role == Role::User);
    let text = earlier.map_or_else(|| turn.text.to_owned(), |earlier| format!("{} {}", earlier.text, turn.text));
    let assembly = assembly.to_owned();
    turn.node.apart("the assembly", move |node| assembly::choose(node, &assembly, &text)).await
}

/// The composition of an answer that needed nobody.
pub(super) async fn alone(turn: &Turn<'_>, assembly: &str, from_memory: bool) -> Result<Composition, NodeError> {
    let why = if from_memory { "your memory answers it" } else { "it is about icore or you, not about a subject" };
    let assembly = assembly.to_owned();
    turn.node.apart("the assembly", move |node| assembly::alone(node, &assembly, why)).await
}

/// Has the members answer. A member that is gone by now is left out; where all are, the owner's iCore answers.
pub(super) async fn answer(turn: &Turn<'_>, mut chosen: Composition, question: bool) -> Result<Reply, NodeError> {
    let about = turn.node.mind.about().await?;
    let sampling = sampling(turn.params, &about.sampling, question, turn.again);
    let (sampling, reserved) = room(sampling, about.context);
    let none = (&[][..], about.cites);
    let built = prompt::build(turn.node, turn.text, none, turn.history, about.context, reserved).await?;
    let answering = |chosen: &Composition| -> Vec<_> {
        chosen.near.iter().filter(|share| share.weight > 0.0).map(|share| (share.delta, share.weight)).collect()
    };
    let (spoken, cut) = stream(turn, built, sampling, answering(&chosen)).await?;
    for share in &mut chosen.near {
        let said = spoken.deltas.iter().find(|(delta, _)| *delta == share.delta);
        share.weight = said.filter(|_| share.weight > 0.0).map_or(0.0, |(_, weight)| *weight);
    }
    let said = answering(&chosen).len();
    if said == 0 {
        (chosen.mode, chosen.why) = (Mode::Own, "the members that were near could not be opened".to_owned());
    } else if said == 1 && chosen.mode == Mode::Mix {
        (chosen.mode, chosen.why) = (Mode::Route, "of those that were near only this one could be opened".to_owned());
    }
    let mut reply = reply(&spoken, cut);
    reply.how = match (spoken.generated.stopped, said) {
        (StopReason::Cancelled, _) => "stopped",
        (_, 0) => "generated",
        _ => "assembled",
    };
    reply.composed = Some(chosen);
    Ok(reply)
}
