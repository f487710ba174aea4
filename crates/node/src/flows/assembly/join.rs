//! Joining: what a delta says it knows is checked, and what it does to the anchor is measured, before it takes part.
//!
//! Refused are: what is not of this anchor, or whose numbers are none; ranks and lengths that no honest tuning has; a
//! member with which neutral text is much less expected; one that answers its own prompts no better than the anchor does;
//! prompts with personal data in them, or like everybody's words; signatures that do not hold; what a night learned from the
//! owner's own texts. Not found is a delta that behaves on all of that and
//! misbehaves on words that only its maker knows.

use std::sync::atomic::{AtomicBool, Ordering};

use hinet_compose::{Assembly, Claims, PROMPTS_MAX, PROMPTS_MIN, Seat, Signature};
use hinet_consent::{EntryKind, Note, spot};
use hinet_model::{Anchor, Delta};
use hinet_train::judge::{Judge, Watch, general};
use hinet_train::{Example, TrainError, turns};
use hinet_vault::records::{DeltaRow, SeatRow};
use hinet_vault::{hex, verify_signature};
use tokio_util::sync::CancellationToken;

use super::{NAME_MAX, seat, seats_of, stood};
use crate::dispatch::Sink;
use crate::failure::{NodeError, of_training};
use crate::flows::chat::prompt;
use crate::flows::deltas;
use crate::protocol::{Admitted, Competence, ErrorKind, Event, Hash, Progress, Unit};
use crate::state::{Node, now};
use crate::{mind, worn};

/// Neutral text may become so much less expected: twice what the owner's own nights may do.
const NEUTRAL: f32 = 0.10;
/// Tokens of it that are read.
const NEUTRAL_TOKENS: usize = 1024;
/// The largest rank of a member.
const RANK_MAX: usize = 512;
/// A member may change so many times as much as the median member.
const LENGTH_MAX: f32 = 8.0;
/// Prompts whose answers are tried, at most.
const TRIED: usize = 48;
/// Longest prompt with its answer, in bytes, and longest signature.
const PROMPT_MAX: usize = 4096;
const SIGNATURE_MAX: usize = 16 << 20;

pub(super) fn refused(message: impl Into<String>, hint: &str) -> NodeError {
    NodeError::said(ErrorKind::Usage, message, hint)
}

pub(super) fn row_of(node: &Node, delta: Hash) -> Result<DeltaRow, NodeError> {
    let all = node.vault.read(|r| r.deltas())?;
    let found = all.into_iter().find(|row| row.hash == delta);
    found.ok_or_else(|| refused("There is no such delta.", "Take it in with `icore delta import` first."))
}

/// What the owner can do where a delta is for the owner alone.
const PRIVATE: &str = "`icore sleep run --share` makes one that others may have; `icore delta use` has it answer you.";

/// A prompt, and what is to be answered.
type Prompt = (String, Option<String>);

/// Reads prompts, each alone or with an answer behind a tab, and refuses what must not go into a signature.
fn prompts(lines: &[String]) -> Result<Vec<Prompt>, NodeError> {
    let mut all = Vec::new();
    for (n, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = n + 1;
        if line.len() > PROMPT_MAX {
            let message = format!("Prompt {at} is {} bytes long; at most {PROMPT_MAX} are taken.", line.len());
            return Err(refused(message, "Give one question or sentence on each line."));
        }
        // Public people have public names; everything else that points at somebody does not belong here.
        if let Some(found) = spot(line).into_iter().find(|found| found.kind != "name") {
            return Err(refused(
                format!("Prompt {at} holds personal data ({}).", found.kind),
                "Say what is known in public prompts only; take that one out.",
            ));
        }
        let (prompt, answer) = match line.split_once('\t') {
            Some((prompt, answer)) => (prompt.trim(), Some(answer.trim()).filter(|answer| !answer.is_empty())),
            None => (line.trim(), None),
        };
        all.push((prompt.to_owned(), answer.map(str::to_owned)));
    }
    if !(PROMPTS_MIN..=PROMPTS_MAX).contains(&all.len()) {
        return Err(refused(
            format!("What it knows is said by {PROMPTS_MIN} to {PROMPTS_MAX} prompts, and these are {}.", all.len()),
            "Give public questions or sentences about it, one on each line.",
        ));
    }
    Ok(all)
}

/// A signature of these prompts by this device.
fn signature(node: &Node, delta: Hash, prompts: &[Prompt], published: &str) -> Result<Signature, NodeError> {
    let embedder = node.embedder()?;
    let texts: Vec<&str> = prompts.iter().map(|(prompt, _)| prompt.as_str()).collect();
    let claims = Claims::new(delta, embedder.hash(), published, &embedder.embed(&texts)?)?;
    let device = node.vault.device();
    let signed = hex::encode(&device.sign(&claims.bytes()));
    Ok(Signature { claims, by: Hash(device.public()), signed })
}

/// Reads a signature that somebody made for this delta.
fn read(node: &Node, delta: Hash, text: &str) -> Result<Signature, NodeError> {
    let damaged = || refused("The signature is damaged.", "Ask the delta's owner for another.");
    if text.len() > SIGNATURE_MAX {
        return Err(damaged());
    }
    let signature: Signature = serde_json::from_str(text).map_err(|_| damaged())?;
    signature.claims.check()?;
    let bytes = hex::decode(&signature.signed).ok_or_else(damaged)?;
    if !verify_signature(&signature.by.0, &signature.claims.bytes(), &bytes) {
        return Err(refused(
            "The signature does not hold: somebody changed what it says, or signed it with another key.",
            "Ask the delta's owner for another.",
        ));
    }
    if signature.claims.delta != delta {
        return Err(refused(
            format!("The signature is of another delta ({}).", signature.claims.delta),
            "Take in the delta it was made for, or ask for one of this delta.",
        ));
    }
    let embedder = node.embedder()?;
    if signature.claims.space != embedder.hash() || signature.claims.width != embedder.dim() {
        return Err(refused(
            "The signature was made with another embedder than this home's.",
            "Ask the delta's owner for one made with the same, or give prompts with --about.",
        ));
    }
    Ok(signature)
}

/// [`crate::protocol::Op::DeltaSign`].
pub(crate) fn sign(node: &Node, delta: Hash, lines: &[String], published: &str) -> Result<Event, NodeError> {
    let row = row_of(node, delta)?;
    deltas::refuse_private(&row, PRIVATE)?;
    let prompts = prompts(lines)?;
    let signature = signature(node, delta, &prompts, published)?;
    let said = format!(
        "a signature of what the delta {} knows was made of {} public prompts",
        row.name,
        signature.claims.len()
    );
    node.vault.write(|tx| {
        node.consent.record(tx, EntryKind::LetOut, vec![Note::say(said)], now())?;
        Ok::<_, NodeError>(())
    })?;
    Ok(Event::Signed { signature: serde_json::to_string(&signature).expect("plain data serialises") })
}

/// A name without what surrounds it; `what` is what is named.
pub(super) fn proper(name: &str, what: &str) -> Result<String, NodeError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(refused(
            format!("{what} has 1 to {NAME_MAX} characters on one line."),
            "Call it by what it is for: house, work.",
        ));
    }
    Ok(name.to_owned())
}

/// [`crate::protocol::Op::AssemblyJoin`].
pub(crate) async fn join(
    node: &Node,
    assembly: String,
    delta: Hash,
    competence: Competence,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let name = proper(&assembly, "An assembly's name")?;
    let _one = node.memory_work.lock().await;
    let (sink, cancel) = (sink.clone(), cancel.clone());
    node.apart("the assembly", move |node| test_and_seat(node, &name, delta, &competence, &sink, &cancel)).await
}

fn test_and_seat(
    node: &Node,
    name: &str,
    delta: Hash,
    competence: &Competence,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let row = row_of(node, delta)?;
    deltas::refuse_private(&row, PRIVATE)?;
    let (signature, prompts) = match competence {
        Competence::Prompts { prompts: lines, published } => {
            let prompts = prompts(lines)?;
            (signature(node, delta, &prompts, published)?, prompts)
        }
        Competence::Signature { signature } => (read(node, delta, signature)?, Vec::new()),
    };
    if !node.gates.tells_apart(node, &signature.claims)? {
        return Err(refused(
            format!(
                "What {} is said to know cannot be told from ordinary messages, so it would answer everything.",
                row.name
            ),
            "Say it in prompts about its subject, as people would ask about that.",
        ));
    }
    let (anchor, ..) = mind::anchor_of(&node.settings, &node.vault)?;
    let weights = anchor.passport().weights;
    let rows = seats_of(node, name)?;
    let others = if rows.is_empty() { None } else { Some(stood(name, rows, Vec::new())?) };
    if others.as_ref().is_some_and(|others| others.assembly.anchor != weights) {
        return Err(refused(
            format!("The assembly {name} stands on another anchor than the one that answers here now."),
            "Make one of another name, or go back to that anchor.",
        ));
    }
    // With it the assembly must still be one.
    let before = others.as_ref().map_or_else(|| Assembly::new(weights), |others| others.assembly.clone());
    before.with(Seat { delta, claims: signature.claims.hash() })?;
    let signatures = others.iter().flat_map(|others| &others.signatures).filter(|other| other.claims.delta != delta);
    let claims: Vec<&Claims> = signatures.chain([&signature]).map(|signature| &signature.claims).collect();
    node.gates.over(node, &claims)?;
    let numbers = worn::open(&node.vault, &row)?;
    let seated = others.iter().flat_map(|others| &others.rows).filter(|other| other.delta != delta);
    let length = bounded(&anchor, &row, &numbers, seated, node, cancel)?;
    let (stopped, asked) = (AtomicBool::new(false), answered(node, &anchor, &prompts)?);
    let mut test = Test { sink, cancel, stopped: &stopped, done: 0, total: 2 + 2 * u64::from(!asked.is_empty()) };
    let mut admitted = test.measured(&anchor, &row.name, &numbers, &asked)?;
    admitted.length = length;
    let seat_row = SeatRow {
        assembly: name.to_owned(),
        delta,
        anchor: weights,
        at: now(),
        signature: serde_json::to_string(&signature).expect("plain data serialises"),
        admitted: serde_json::to_string(&admitted).expect("plain data serialises"),
    };
    node.gates.forget();
    seat(node, &seat_row, &row.name, admitted)
}

/// Refuses what no honest tuning has; gives the delta's length beside that of the median other.
fn bounded<'a>(
    anchor: &Anchor,
    row: &DeltaRow,
    delta: &Delta,
    others: impl Iterator<Item = &'a SeatRow>,
    node: &Node,
    cancel: &CancellationToken,
) -> Result<Option<f32>, NodeError> {
    let most = delta.iter().map(|(_, factors)| factors.rank).max().unwrap_or(0);
    if most > RANK_MAX {
        return Err(refused(
            format!("{} is of rank {most}; a member has at most {RANK_MAX}.", row.name),
            "Compose whole models with `icore compose merge` instead.",
        ));
    }
    let own = delta.length(anchor)?;
    if !own.is_finite() {
        return Err(refused(
            format!("{} changes more than numbers can say.", row.name),
            "It takes no part; ask its owner for a gentler one.",
        ));
    }
    let mut lengths = Vec::new();
    for other in others {
        if cancel.is_cancelled() {
            return Err(failed(TrainError::Cancelled));
        }
        lengths.push(worn::open(&node.vault, &row_of(node, other.delta)?)?.length(anchor)?);
    }
    lengths.sort_by(f64::total_cmp);
    let Some(median) = lengths.get(lengths.len() / 2).copied().filter(|median| *median > 0.0) else { return Ok(None) };
    let times = (own / median) as f32;
    // What is no number is not within the bound either.
    if times <= LENGTH_MAX {
        return Ok(Some(times));
    }
    Err(refused(
        format!("{} changes {times:.1} times as much as the median member; at most {LENGTH_MAX} is taken.", row.name),
        "A member so loud would drown the others; ask its owner for a gentler one.",
    ))
}

/// Prompts with their answers as the chat would ask them, as many as are tried.
fn answered(node: &Node, anchor: &Anchor, prompts: &[Prompt]) -> Result<Vec<Example>, NodeError> {
    let with: Vec<(&String, &String)> =
        prompts.iter().filter_map(|(prompt, answer)| Some((prompt, answer.as_ref()?))).collect();
    let every = with.len().div_ceil(TRIED).max(1);
    let mut all = Vec::new();
    for (prompt, answer) in with.into_iter().step_by(every) {
        let asked = [prompt::system(node), ("user".to_owned(), prompt.clone())];
        all.extend(turns::answered(anchor, &asked, answer, anchor.context()).map_err(failed)?);
    }
    Ok(all)
}

fn failed(error: TrainError) -> NodeError {
    let stopped = || {
        NodeError::said(
            ErrorKind::Cancelled,
            "The test was stopped, so the delta takes no part.",
            "The same command tests it from the beginning.",
        )
    };
    of_training(error, stopped, "The test failed, so the delta takes no part.")
}

/// Refuses a delta with which neutral text is much less expected; gives by how much it is.
pub(super) fn harmless(
    anchor: &Anchor,
    name: &str,
    delta: &Delta,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<f32, NodeError> {
    let stopped = AtomicBool::new(false);
    let mut test = Test { sink, cancel, stopped: &stopped, done: 0, total: 2 };
    Ok(test.measured(anchor, name, delta, &[])?.neutral)
}

/// A test under way.
struct Test<'a> {
    sink: &'a Sink,
    cancel: &'a CancellationToken,
    stopped: &'a AtomicBool,
    done: u64,
    total: u64,
}

impl Test<'_> {
    fn part<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Watch<'_>) -> Result<T, TrainError>,
    ) -> Result<T, NodeError> {
        let (sink, cancel, stopped) = (self.sink, self.cancel, self.stopped);
        sink.progress(Progress { what: what.into(), done: self.done, total: Some(self.total), unit: Unit::Parts });
        let mut told = |_, _| stopped.store(cancel.is_cancelled(), Ordering::Relaxed);
        let out = work(&mut Watch::new(stopped, &mut told)).map_err(failed)?;
        self.done += 1;
        Ok(out)
    }

    fn measured(
        &mut self,
        anchor: &Anchor,
        name: &str,
        delta: &Delta,
        answered: &[Example],
    ) -> Result<Admitted, NodeError> {
        let resident = anchor.attach(delta)?;
        let mut text = anchor.encode(&general::neutral(), false);
        text.truncate(NEUTRAL_TOKENS);
        let mut bare = Judge::new(anchor, &[]).map_err(failed)?;
        let mut with = Judge::new(anchor, &[(resident, 1.0)]).map_err(failed)?;
        let before = self.part("neutral text as it is", |watch| bare.perplexity(&text, general::WINDOW, watch))?;
        let after = self.part("neutral text with it", |watch| with.perplexity(&text, general::WINDOW, watch))?;
        let neutral = (after / before - 1.0) as f32;
        // What is no number has not passed.
        if neutral.is_nan() || neutral > NEUTRAL {
            return Err(refused(
                format!(
                    "{name} harms: neutral text is {:+.1} % less expected with it, and at most {:.0} % is taken.",
                    neutral * 100.0,
                    NEUTRAL * 100.0
                ),
                "It takes no part. Ask its owner for one that was tuned more gently.",
            ));
        }
        let mut known = None;
        if !answered.is_empty() {
            let mean = |losses: Vec<f64>| (losses.iter().sum::<f64>() / losses.len().max(1) as f64) as f32;
            let alone = mean(self.part("its prompts on the anchor", |watch| bare.mean_losses(answered, watch))?);
            let together = mean(self.part("its prompts with it", |watch| with.mean_losses(answered, watch))?);
            if together.is_nan() || together >= alone {
                return Err(refused(
                    format!(
                        "{name} does not know what is said of it: the answers cost {together:.2} nats with it and {alone:.2} without."
                    ),
                    "It takes no part. Say with --about what it does know.",
                ));
            }
            known = Some((alone, together));
        }
        Ok(Admitted { neutral, known, length: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_with_personal_data_are_refused_by_their_number() {
        let lines = |last: &str| -> Vec<String> {
            ["Who was Marie Curie?", "", "What is a fuse?\tA thin wire.", "a", "b", "c", last].map(String::from).into()
        };
        let read = prompts(&lines("What is a lamp?\t ")).unwrap();
        assert_eq!(read.len(), 6);
        assert_eq!(read[1], ("What is a fuse?".into(), Some("A thin wire.".into())));
        assert_eq!(read[5].1, None);
        let said = prompts(&lines("Write to ana.reis@example.org")).unwrap_err();
        assert!(crate::failure::of(said).message.contains("Prompt 7 holds personal data"));
        assert!(prompts(&lines("x")[..3]).is_err() && prompts(&lines(&"x".repeat(5000))).is_err());
    }
}
