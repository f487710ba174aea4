//! Asking an assembly: where the memory has no answer, the members that are near enough to the question answer from their
//! weights, and the answer says who they were.

use super::prompt;
use super::speak::{Reply, Turn, reply, room, sampling, stream};
use crate::failure::NodeError;
use crate::flows::assembly::{self, Composed};
use crate::protocol::{Event, Hash, Mode, Role};
use hinet_model::StopReason;

/// What is asked, behind the earlier turn that it leans on, where it leans on one.
fn with_earlier(turn: &Turn<'_>) -> String {
    let earlier = turn.history.iter().rev().find(|message| message.role == Role::User);
    earlier.map_or_else(|| turn.text.to_owned(), |earlier| format!("{} {}", earlier.text, turn.text))
}

/// Who answers. What leans on an earlier turn is asked together with it. Members of another anchor than the one that answers
/// now do not.
pub(super) async fn choose(turn: &Turn<'_>, assembly: &str) -> Result<Composed, NodeError> {
    let text = with_earlier(turn);
    let assembly = assembly.to_owned();
    let mut chosen = turn.node.apart("the assembly", move |node| assembly::choose(node, &assembly, &text)).await?;
    if chosen.said.mode != Mode::Own && chosen.anchor != turn.node.mind.about().await?.weights {
        own(&mut chosen, "it stands on another anchor than the one that answers now");
    }
    Ok(chosen)
}

/// The composition of an answer that needed nobody.
pub(super) async fn alone(turn: &Turn<'_>, assembly: &str, from_memory: bool) -> Result<Composed, NodeError> {
    let why = if from_memory { "your memory answers it" } else { "it is about icore or you, not about a subject" };
    let assembly = assembly.to_owned();
    let mut alone = turn.node.apart("the assembly", move |node| assembly::alone(node, &assembly)).await?;
    alone.said.why = why.to_owned();
    Ok(alone)
}

fn own(composed: &mut Composed, why: &str) {
    (composed.said.mode, composed.said.why) = (Mode::Own, why.to_owned());
    composed.said.near.iter_mut().for_each(|share| share.weight = 0.0);
    composed.standing = None;
}

/// The deltas that speak, and how much of each: a pre-merge for all of its members, else the members themselves.
fn cast(chosen: &Composed) -> Vec<(Hash, f32)> {
    match chosen.standing {
        Some(standing) => vec![(standing, 1.0)],
        None => answering(chosen),
    }
}

/// The members that answer, and the weight of each.
fn answering(chosen: &Composed) -> Vec<(Hash, f32)> {
    let near = chosen.said.near.iter().filter(|share| share.weight > 0.0);
    near.map(|share| (share.delta, share.weight)).collect()
}

/// Has the members answer. A pre-merge that cannot be opened is mixed of its members instead, and a member that is gone by
/// now is left out; `None` where nobody was chosen or all are gone, so that the owner's iCore answers.
pub(super) async fn answer(turn: &Turn<'_>, chosen: &mut Composed, question: bool) -> Result<Option<Reply>, NodeError> {
    if chosen.said.mode == Mode::Own {
        return Ok(None);
    }
    let mut ready = turn.node.mind.summon(cast(chosen)).await?;
    if ready.is_empty() && chosen.standing.take().is_some() {
        chosen.said.mode = Mode::Mix;
        chosen.said.why = "the delta that was made of them beforehand could not be opened".to_owned();
        ready = turn.node.mind.summon(cast(chosen)).await?;
    }
    if ready.is_empty() {
        own(chosen, "the members that were near could not be opened");
        return Ok(None);
    }
    let about = turn.node.mind.about().await?;
    let sampling = sampling(turn.params, &about.sampling, question, turn.again);
    let (sampling, reserved) = room(sampling, about.context);
    let none = (&[][..], about.cites);
    let built = prompt::build(turn.node, turn.text, none, turn.history, about.context, reserved).await?;
    let (spoken, cut) = stream(turn, built, sampling, cast(chosen)).await?;
    let standing = chosen.standing;
    let spoke = |delta: Hash| spoken.deltas.iter().find(|(known, _)| *known == delta).map(|(_, weight)| *weight);
    for share in chosen.said.near.iter_mut().filter(|share| share.weight > 0.0) {
        share.weight = match standing {
            Some(standing) => spoke(standing).map_or(0.0, |_| share.weight),
            None => spoke(share.delta).unwrap_or(0.0),
        };
    }
    match answering(chosen).len() {
        0 => {
            // They were there a moment ago: what the anchor said without them counts for nothing.
            turn.sink.send_until(Event::ChatReset, turn.cancel).await;
            own(chosen, "the members that were near could not be opened");
            return Ok(None);
        }
        1 if chosen.said.mode == Mode::Mix => {
            chosen.said.mode = Mode::Route;
            chosen.said.why = "of those that were near only this one could be opened".to_owned();
        }
        _ => {}
    }
    let mut reply = reply(&spoken, cut);
    reply.how = if spoken.generated.stopped == StopReason::Cancelled { "stopped" } else { "assembled" };
    reply.composed = Some(chosen.clone());
    Ok(Some(reply))
}
