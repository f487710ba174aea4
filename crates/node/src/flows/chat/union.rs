//! Retrieval-union: where the memory has no answer, the homes that are members of an assembly are asked for excerpts, and
//! the owner's iCore reads those as it reads its own passages. Each citation says whose it is.

use super::recall::nearness;
use super::speak::{Reply, Turn, read};
use super::{Asked, Event, Hit};
use crate::failure::NodeError;
use crate::flows::assembly::{self, Composed, homes};
use crate::protocol::{ItemId, Mode, ScoreParts, Share, Span};
use hinet_index::read::{Question, weigh};

/// Asks the homes, and answers from what they hand out; `spoken` is whether words went out that are withdrawn first. Without
/// an answer it gives the sentences that say why, for whatever answers then.
pub(super) async fn answer(
    turn: &Turn<'_>,
    asked: &Asked,
    assembly: &str,
    question: &Question,
    spoken: bool,
) -> Result<Result<Reply, Vec<String>>, NodeError> {
    // What is to be stored nowhere is not told to others, who store that they were asked.
    if asked.turn.incognito.is_some() {
        return Ok(Err(Vec::new()));
    }
    // What was said before, perhaps with nobody else there, stays here.
    let homes::Union { excerpts, mut silent } = tokio::select! {
        found = homes::ask(turn.node, assembly, turn.text) => found?,
        () = turn.cancel.cancelled() => return Err(crate::mind::not_begun()),
    };
    if excerpts.is_empty() {
        return Ok(Err(silent));
    }
    if spoken {
        turn.sink.send_until(Event::ChatReset, turn.cancel).await;
    }
    let hits: Vec<Hit> = excerpts.iter().map(hit).collect();
    let near = nearness(turn.node, turn.text.to_owned(), &hits).await;
    // How rare a word is there is not known here: all count alike.
    let strength = |hit: &Hit, near: &[f32]| {
        let nearest = near.iter().copied().fold(0.0, f32::max);
        weigh(question, hit, nearest, &|_| 1.0).strength
    };
    let mut weighed: Vec<(f32, Hit, Vec<f32>)> =
        hits.into_iter().zip(near).map(|(hit, near)| (strength(&hit, &near), hit, near)).collect();
    weighed.sort_by(|one, two| two.0.total_cmp(&one.0));
    let best = weighed.first().map_or((0.0, &[][..]), |(strength, _, near)| (*strength, &near[..]));
    let about = turn.node.mind.about().await?;
    let hits: Vec<&Hit> = weighed.iter().map(|(_, hit, _)| hit).collect();
    let readings: Vec<Vec<&Hit>> = hits.chunks(about.passages.max(1)).map(<[&Hit]>::to_vec).collect();
    let mut reply = read(turn, &about, question, &readings, best).await?;
    if reply.how == "not_in_memory" {
        turn.sink.send_until(Event::ChatReset, turn.cancel).await;
        silent.insert(0, format!("what {} handed out does not answer it", names(&excerpts)));
        return Ok(Err(silent));
    }
    if reply.how == "generated" {
        reply.how = "assembled";
    }
    for citation in &mut reply.citations {
        citation.member = hits.iter().find(|hit| hit.item == citation.item).map(|hit| hit.title.clone());
    }
    let assembly = assembly.to_owned();
    let mut composed = turn.node.apart("the assembly", move |node| assembly::alone(node, &assembly)).await?;
    composed.said.mode = Mode::Union;
    composed.said.why = format!("{} handed out excerpts", names(&excerpts));
    let weight = 1.0 / excerpts.len() as f32;
    let share =
        |excerpt: homes::Excerpt| Share { delta: excerpt.identity, name: excerpt.name, similarity: 0.0, weight };
    composed.said.near = excerpts.into_iter().map(share).collect();
    note(&mut composed, &silent);
    reply.composed = Some(composed);
    Ok(Ok(reply))
}

/// Adds to the reason of a composition why others said nothing.
pub(super) fn note(composed: &mut Composed, silent: &[String]) {
    for why in silent {
        composed.said.why.push_str("; ");
        composed.said.why.push_str(why);
    }
}

fn names(excerpts: &[homes::Excerpt]) -> String {
    excerpts.iter().map(|excerpt| excerpt.name.as_str()).collect::<Vec<_>>().join(" and ")
}

/// An excerpt as a passage; its id is nobody's.
fn hit(excerpt: &homes::Excerpt) -> Hit {
    Hit {
        item: ItemId::new(),
        source: format!("{} (another home)", excerpt.name),
        title: excerpt.name.clone(),
        text: excerpt.text.clone(),
        span: Span { start: 0, end: excerpt.text.len() },
        score: 1.0,
        parts: ScoreParts::default(),
        modified: 0,
        kind: "text".to_owned(),
        pinned: false,
    }
}
