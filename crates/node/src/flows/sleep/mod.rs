//! Sleep: gather what may be learned from → questions about it → tune → test → where the owner wants to share, distil
//! something for others and ask what it gives away → seal and wear, or keep the old self.
//!
//! A night runs on a thread of its own and belongs to the node, not to whoever asked for it. Where it has got to is a row
//! of the vault and some sealed objects, so that it goes on after an interruption or a kill; what answers changes in one
//! transaction at the end.

mod bed;
mod gather;
mod judge;
mod project;
pub(crate) mod schedule;
mod share;
mod study;
mod text;
mod views;
mod wishes;

use std::sync::atomic::AtomicBool;

use hinet_consent::{EntryKind, Note};
use hinet_model::{Anchor, Delta};
use hinet_vault::records::{DeltaRow, NightRow, Tx};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::failure::NodeError;
use crate::flows::{assembly, deltas, status};
use crate::mind::Worn;
use crate::protocol::{
    DeltaKind, ErrorKind, Event, Hash, ItemId, MessageId, Night, Outcome, SleepPlan, Sleeping, Stage,
};
use crate::state::{Node, now};
use crate::worn;

pub(crate) use bed::{Bed, interrupt, sleep, wake};
pub(crate) use wishes::veto;

/// Losses that are kept of a night.
const LOSSES_MAX: usize = 120;
/// Deltas of nights that are kept, the newest ones and the one that answers.
const DELTAS_KEPT: usize = 30;
/// Seconds between two looks at how far the drafting is, and two writings of it.
const DRAFT_SAVED_S: u64 = 30;
/// Longest plan, in minutes, and highest rank.
const MINUTES_MAX: u64 = 24 * 60;

/// What a night says that can go on.
pub(crate) fn interrupted() -> NodeError {
    NodeError::said(
        ErrorKind::Cancelled,
        "The night was interrupted; what it has done so far is kept, and the self before it answers.",
        "`icore sleep run` goes on with it.",
    )
}

/// A night that goes on.
struct Room<'a> {
    node: &'a Node,
    stop: &'a AtomicBool,
    runtime: Handle,
    gathered: &'a gather::Gathered,
    row: NightRow,
    night: Night,
    losses: Vec<f32>,
}

impl Room<'_> {
    /// Fails where the night must stop: at somebody's word, or because a grant is gone.
    fn gathered_check(&self) -> Result<(), NodeError> {
        if self.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(interrupted());
        }
        self.gathered.check()
    }

    fn tell(&mut self, stage: Stage, done: u64, total: u64, tokens_per_s: f32, left_s: Option<u64>) {
        let losses = thinned(&self.losses);
        let sleeping = Sleeping { night: self.row.n, stage, done, total, losses, tokens_per_s, left_s };
        bed::tell(self.node, sleeping);
    }

    /// Writes down where the night has got to. What is new comes before the row that names it; what is old goes after.
    fn save(
        &mut self,
        work: Option<&views::Work>,
        checkpoint: Option<&[u8]>,
        items: &[ItemId],
    ) -> Result<(), NodeError> {
        let _one = self.runtime.block_on(self.node.memory_work.lock());
        if let Some(work) = work {
            let json = Zeroizing::new(serde_json::to_vec(work).map_err(|_| crate::failure::unexpected("the night"))?);
            self.row.work = Some(self.node.vault.put_object(&json)?);
        }
        if let Some(checkpoint) = checkpoint {
            self.row.checkpoint = Some(self.node.vault.put_object(checkpoint)?);
        }
        self.night.losses = thinned(&self.losses);
        self.write(items, |_| Ok(()))?;
        deltas::sweep(self.node)
    }

    /// Writes the row, in one transaction with what else belongs to it. [`Node::memory_work`] is held.
    fn write(
        &mut self,
        items: &[ItemId],
        more: impl FnOnce(&Tx<'_>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        self.row.report = serde_json::to_string(&self.night).map_err(|_| crate::failure::unexpected("the night"))?;
        self.node.vault.write(|tx| {
            // Something it learned from was forgotten meanwhile.
            if !tx.night(self.row.n)?.is_some_and(|row| row.open) {
                return Err(interrupted());
            }
            tx.put_night(&self.row, items)?;
            more(tx)
        })
    }

    /// Seals what passed the test, so that it need not be learned again where what comes after is interrupted; the numbers
    /// of its steps go.
    fn keep(&mut self, verdict: &judge::Verdict) -> Result<(), NodeError> {
        let packed = worn::pack(&verdict.delta)?;
        let _one = self.runtime.block_on(self.node.memory_work.lock());
        self.row.tested = Some(self.node.vault.put_object(&packed)?);
        self.row.checkpoint = None;
        self.night.losses = thinned(&self.losses);
        self.night.changed = verdict.changed.clone();
        self.write(&[], |_| Ok(()))?;
        deltas::sweep(self.node)
    }

    /// What passed the test before the night was interrupted.
    fn kept(&self) -> Option<judge::Verdict> {
        let packed = self.node.vault.object(self.row.tested?).ok()?;
        Some(judge::Verdict {
            scores: self.night.scores?,
            changed: self.night.changed.clone(),
            delta: worn::unpack(&packed)?.ok()?,
            strength: self.night.strength,
            failed: None,
        })
    }

    fn checkpoint(&self) -> Result<Option<Zeroizing<Vec<u8>>>, NodeError> {
        // One that cannot be read is one that is not there: the steps are made again.
        Ok(self.row.checkpoint.and_then(|hash| self.node.vault.object(hash).ok()))
    }

    /// A line in the ledger about a part that is done.
    fn record(&self, said: &str) -> Result<(), NodeError> {
        self.node.record(EntryKind::Sleep, &format!("night {}: {said}", self.row.n))
    }

    /// Ends the night: nothing of it is left but its report and what it made.
    fn end(
        &mut self,
        outcome: Outcome,
        why: String,
        more: impl FnOnce(&Tx<'_>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        if outcome != Outcome::Kept {
            // What was to be stored with it never was.
            (self.night.delta, self.row.delta, self.row.shared) = (None, None, None);
            if let Some(shared) = self.night.shared.as_mut().filter(|shared| shared.passed) {
                (shared.passed, shared.delta) = (false, None);
                shared.why = "it was not kept, because the night came to nothing".to_owned();
            }
        }
        (self.night.outcome, self.night.why, self.night.ended) = (outcome, why, Some(now()));
        self.night.losses = thinned(&self.losses);
        (self.row.open, self.row.work, self.row.checkpoint, self.row.tested) = (false, None, None, None);
        self.write(&[], more)?;
        deltas::sweep(self.node)
    }
}

/// At most [`LOSSES_MAX`] of them, each the mean of those it stands for.
fn thinned(losses: &[f32]) -> Vec<f32> {
    let each = losses.len().div_ceil(LOSSES_MAX).max(1);
    losses.chunks(each).map(|part| part.iter().sum::<f32>() / part.len() as f32).collect()
}

fn check(plan: &SleepPlan) -> Result<(), NodeError> {
    let demand = |holds: bool, said: &str, hint: &str| {
        if holds { Ok(()) } else { Err(NodeError::said(ErrorKind::Usage, said, hint)) }
    };
    demand((1..=256).contains(&plan.rank), "A rank is at least 1 and at most 256.", "Give --rank 16.")?;
    demand(
        (1..=MINUTES_MAX).contains(&plan.minutes),
        "A night has at least a minute and at most a day.",
        "Give --minutes 30.",
    )?;
    demand(
        plan.steps.is_none_or(|steps| (1..=100_000).contains(&steps)),
        "That many steps are no night.",
        "Give --steps 200.",
    )
}

/// Refuses to go on, where sharing is wished for, with a night that was begun without that wish: what it takes is set apart
/// at its beginning.
fn same_wish(asked: &SleepPlan, begun: &SleepPlan) -> Result<(), NodeError> {
    if begun.share || !asked.share {
        return Ok(());
    }
    Err(NodeError::said(
        ErrorKind::Usage,
        "The night that was interrupted was begun without the wish to share.",
        "Go on with it without --share, or begin another one with --share --anew.",
    ))
}

/// One night, on this thread.
fn run(node: &Node, plan: SleepPlan, anew: bool, stop: &AtomicBool, runtime: Handle) -> Result<Night, NodeError> {
    check(&plan)?;
    let (anchor, ..) = crate::mind::anchor_of(&node.settings, &node.vault)?;
    let gathered = gather::gather(node)?;
    let (lessons, answers) = (gathered.lessons()?, gathered.answers()?);
    let items: Vec<ItemId> = lessons.iter().map(|lesson| lesson.item).collect();
    let (row, night, mut work) = match open_night(node, anew, &lessons, &answers)? {
        Some(found) => {
            same_wish(&plan, &found.1.plan)?;
            found
        }
        None => {
            study::refuse_too_large(&anchor, &plan, 256)?;
            let night = Night {
                night: 0,
                began: now(),
                ended: None,
                outcome: Outcome::Open,
                why: "it goes on".into(),
                plan,
                learned: Vec::new(),
                answers: answers.len() as u64,
                refused: gathered.refused.clone(),
                views: 0,
                steps: 0,
                losses: Vec::new(),
                scores: None,
                changed: Vec::new(),
                delta: None,
                wore: node.vault.read(|r| r.worn_delta())?.map(|row| row.hash),
                strength: 0.0,
                shared: None,
            };
            let n = node.vault.write(|tx| Ok::<_, NodeError>(tx.begin_night(night.began, "{}")?))?;
            let row = NightRow {
                n,
                began: night.began,
                open: true,
                report: String::new(),
                work: None,
                checkpoint: None,
                tested: None,
                delta: None,
                shared: None,
            };
            (row, Night { night: n, ..night }, views::Work::begin(&lessons, &answers))
        }
    };
    let losses = night.losses.clone();
    let mut room = Room { node, stop, runtime, gathered: &gathered, row, night, losses };
    {
        let messages: Vec<MessageId> = answers.iter().map(|answer| answer.message).collect();
        let _one = room.runtime.block_on(node.memory_work.lock());
        let n = room.row.n;
        room.write(&items, |tx| Ok(tx.put_night_messages(n, &messages)?))?;
    }
    room.record(&match (items.len() as u64, answers.len()) {
        (items, 0) => format!("{} are learned from", gather::items(items)),
        (items, answers) => format!("{} and {answers} answers that were taken are learned from", gather::items(items)),
    })?;
    let done = night_of(&mut room, &anchor, &lessons, &answers, &mut work);
    match done {
        Ok(()) => Ok(room.night),
        Err(error) => {
            if !is_interruption(&error) {
                let why = crate::protocol::Failure::from(error);
                let _one = room.runtime.block_on(room.node.memory_work.lock());
                room.end(Outcome::Failed, why.message.clone(), |_| Ok(()))?;
                drop(_one);
                room.record("it came to nothing")?;
                return Err(NodeError::Said(why));
            }
            Err(error)
        }
    }
}

fn is_interruption(error: &NodeError) -> bool {
    matches!(error, NodeError::Said(failure) if failure.kind == ErrorKind::Cancelled)
}

/// The night that can go on: with its texts, where they are still those that may be learned from. One that cannot is
/// closed.
fn open_night(
    node: &Node,
    anew: bool,
    lessons: &[&gather::Lesson],
    answers: &[&wishes::Answer],
) -> Result<Option<(NightRow, Night, views::Work)>, NodeError> {
    let Some(mut row) = node.vault.read(|r| r.open_night())? else { return Ok(None) };
    let night: Option<Night> = serde_json::from_str(&row.report).ok();
    let work = row.work.and_then(|hash| node.vault.object(hash).ok());
    let work: Option<views::Work> = match (&work, row.work) {
        (Some(json), _) => serde_json::from_slice(json).ok(),
        (None, None) => Some(views::Work::begin(lessons, answers)),
        (None, Some(_)) => None,
    };
    let why = match (night, work) {
        (Some(night), Some(work)) if !anew && work.is_of(lessons, answers) => return Ok(Some((row, night, work))),
        (Some(mut night), _) => {
            night.outcome = Outcome::Failed;
            night.ended = Some(now());
            night.changed.clear();
            night.why = if anew {
                "another night was begun instead".into()
            } else {
                "what may be learned from changed while it was interrupted".into()
            };
            serde_json::to_string(&night).unwrap_or_default()
        }
        (None, _) => row.report.clone(),
    };
    (row.open, row.work, row.checkpoint, row.tested, row.report) = (false, None, None, None, why);
    node.vault.write(|tx| Ok::<_, NodeError>(tx.put_night(&row, &[])?))?;
    Ok(None)
}

/// The parts of a night, each going on where it was left.
fn night_of(
    room: &mut Room<'_>,
    anchor: &Anchor,
    lessons: &[&gather::Lesson],
    answers: &[&wishes::Answer],
    work: &mut views::Work,
) -> Result<(), NodeError> {
    if !work.whole {
        draft(room, anchor, lessons, answers, work)?;
    }
    room.night.learned = room.gathered.learned(&work.facts)?;
    room.night.views = work.views.len() as u64;
    let verdict = match room.kept() {
        Some(verdict) => verdict,
        None => learn(room, anchor, work)?,
    };
    let public = if room.night.plan.share {
        project::for_others(room, anchor, (lessons, answers), work, &verdict)?
    } else {
        None
    };
    commit(room, verdict, public)
}

/// Learns, and tests what was learned.
fn learn(room: &mut Room<'_>, anchor: &Anchor, work: &mut views::Work) -> Result<judge::Verdict, NodeError> {
    let learned = study::learn(room, anchor, work)?.delta().map_err(study::failed)?;
    if work.used < work.views.len() {
        let what = format!("{} of {} training texts", work.views.len() - work.used, work.views.len());
        let why = "they did not fit into the time; the oldest wait for another night".to_owned();
        room.night.refused.push(crate::protocol::Skipped { what, why });
    }
    room.record(&format!("{} steps were made", room.night.steps))?;
    let verdict = judge::test(room, anchor, work, &learned)?;
    room.night.scores = Some(verdict.scores);
    room.night.strength = verdict.strength;
    Ok(verdict)
}

/// Drafts the questions, writing down now and then how far it is.
fn draft(
    room: &mut Room<'_>,
    anchor: &Anchor,
    lessons: &[&gather::Lesson],
    answers: &[&wishes::Answer],
    work: &mut views::Work,
) -> Result<(), NodeError> {
    project::prepare(room, lessons, answers, work)?;
    let mut facts = views::all_facts(lessons);
    if let Some(held_back) = work.apart.as_ref().map(share::Apart::held_back) {
        facts.retain(|(_, fact)| !held_back.has(&fact.sentence));
    }
    let room_seed = room.night.plan.seed;
    // Each group has draws of its own, so that it does not matter where a night was interrupted.
    let seed = |at: usize| room_seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(at as u64 * 1_000_003);
    let mut saved = std::time::Instant::now();
    while let Some(rest) = facts.get(work.looked_at..).filter(|rest| !rest.is_empty()) {
        room.gathered_check()?;
        let group = &rest[..rest.len().min(views::TOGETHER)];
        let mut drafter = views::Drafter::new(anchor, seed(work.looked_at), room.stop)?;
        let learned = drafter.learn(work, group, facts.len());
        if learned.is_err() || saved.elapsed().as_secs() >= DRAFT_SAVED_S {
            room.save(Some(work), None, &[])?;
            saved = std::time::Instant::now();
        }
        learned?;
        room.tell(Stage::Views, work.looked_at as u64, facts.len() as u64, 0.0, None);
    }
    views::taken(work, answers);
    views::voice(work, lessons);
    if work.views.is_empty() {
        return Err(NodeError::said(
            ErrorKind::Failed,
            "Nothing in what may be learned from can be learned: there is no sentence with a number, a date or a name.",
            "Let icore learn from notes and letters; facts without a shape are found by the memory alone.",
        ));
    }
    views::Drafter::new(anchor, seed(facts.len()), room.stop)?
        .replay(work, &mut |done, total| room.tell(Stage::Views, done, total, 0.0, None))?;
    work.whole = true;
    room.save(Some(work), None, &[])?;
    room.record(&format!("{} training texts were made of {} facts", work.views.len(), work.looked_at))
}

/// Seals what passed and has the anchor wear it; what did not pass leaves only its report.
fn commit(room: &mut Room<'_>, verdict: judge::Verdict, public: Option<Delta>) -> Result<(), NodeError> {
    room.gathered_check()?;
    room.tell(Stage::Commit, 0, 1, 0.0, None);
    room.night.changed = verdict.changed;
    let one = room.runtime.block_on(room.node.memory_work.lock());
    if let Some(why) = verdict.failed {
        room.end(Outcome::Refused, why, |_| Ok(()))?;
        drop(one);
        return room.record("what was learned did not pass the test; the self before it answers");
    }
    let row = sealed(room, &verdict.delta, DeltaKind::Private)?;
    let public = public.map(|delta| sealed(room, &delta, DeltaKind::Public)).transpose()?;
    let hash = row.hash;
    let worn: Worn = Some(Box::new((hash, verdict.delta)));
    room.runtime.block_on(room.node.mind.wear(worn))?;
    (room.night.delta, room.row.delta) = (Some(hash), Some(hash));
    room.row.shared = public.as_ref().map(|row| row.hash);
    let (node, n) = (room.node, room.row.n);
    let written = room.end(Outcome::Kept, "it passed the test".into(), |tx| {
        tx.put_delta(&row)?;
        public.iter().try_for_each(|row| tx.put_delta(row))?;
        retain(tx, hash)?;
        let for_others = if public.is_some() { ", and there is something that others may have" } else { "" };
        let said = "what was learned passed the test; the anchor answers with it from here on";
        let said = format!("night {n}: {said}{for_others}");
        node.consent.record(tx, EntryKind::Sleep, vec![Note::say(said)], now())?;
        Ok(())
    });
    if written.is_err() {
        room.runtime.block_on(room.node.mind.wear_recorded());
    }
    drop(one);
    let _inside = room.runtime.enter();
    status::tell(room.node);
    written
}

/// Seals what a night made, as a row that is written with the rest.
fn sealed(room: &Room<'_>, delta: &Delta, kind: DeltaKind) -> Result<DeltaRow, NodeError> {
    let packed = worn::pack(delta)?;
    let object = room.node.vault.put_object(&packed)?;
    let private = kind == DeltaKind::Private;
    let name = format!("night {}{}", room.row.n, if private { "" } else { " for others" });
    let (hash, said, bytes) = (delta.hash(), deltas::describe(delta), packed.len() as u64);
    Ok(DeltaRow { hash, kind, object, at: now(), name, said, bytes, worn: private })
}

/// Lets go of the deltas of old nights, but for those that take part in an assembly.
fn retain(tx: &Tx<'_>, worn: Hash) -> Result<(), NodeError> {
    let seated: Vec<Hash> = tx.seats()?.into_iter().map(|row| row.delta).collect();
    let known = tx.deltas()?.into_iter().map(|row| row.hash).filter(|hash| !seated.contains(hash));
    let known: Vec<Hash> = known.collect();
    let nights = tx.nights(usize::MAX)?;
    let made: [fn(&NightRow) -> Option<Hash>; 2] = [|row| row.delta, |row| row.shared];
    for made in made {
        // Two nights may have made the same.
        let mut seen = std::collections::HashSet::new();
        let made = nights.iter().filter_map(made).filter(|hash| seen.insert(*hash));
        for old in made.filter(|hash| *hash != worn && known.contains(hash)).skip(DELTAS_KEPT) {
            tx.delete_delta(old)?;
        }
    }
    Ok(())
}

/// Texts, questions with answers, and what is not learned from, with the reason.
#[cfg(test)]
pub(crate) type Learnable = (Vec<String>, Vec<[String; 2]>, Vec<String>);

/// What a night would learn from now.
#[cfg(test)]
pub(crate) fn learnable(node: &Node) -> Result<Learnable, NodeError> {
    let found = gather::gather(node)?;
    let texts = found.lessons()?.iter().map(|lesson| lesson.text.clone()).collect();
    let answers = found.answers()?.iter().map(|answer| [answer.question.clone(), answer.text.clone()]).collect();
    let refused = found.refused.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.why)).collect();
    Ok((texts, answers, refused))
}

fn report(row: &NightRow) -> Option<Night> {
    serde_json::from_str(&row.report).ok()
}

/// [`crate::protocol::Op::Nights`].
pub(crate) fn nights(node: &Node, limit: usize) -> Result<Event, NodeError> {
    let rows = node.vault.read(|r| r.nights(limit))?;
    Ok(Event::Nights {
        nights: rows.iter().filter_map(report).collect(),
        going: bed::going(node),
        bedtime: schedule::bedtime(node)?,
    })
}

/// [`crate::protocol::Op::Rollback`]: the delta of that night is worn again, byte for byte.
pub(crate) async fn rollback(node: &Node, night: u64) -> Result<Event, NodeError> {
    let wanted = node
        .apart("the night", move |node| {
            let rows = node.vault.read(|r| r.nights(usize::MAX))?;
            let gone = |said: String| NodeError::said(ErrorKind::Usage, said, "`icore sleep history` shows them.");
            if night == 0 {
                return Ok(rows.iter().min_by_key(|row| row.n).and_then(report).and_then(|first| first.wore));
            }
            let row = rows.into_iter().find(|row| row.n == night);
            let row = row.ok_or_else(|| gone(format!("There was no night {night}.")))?;
            match report(&row).map(|report| (report.outcome, report.delta)) {
                Some((Outcome::Kept, Some(hash))) => Ok(Some(hash)),
                Some((Outcome::Forgotten, _)) => {
                    Err(gone(format!("Night {night} had learned from something that was forgotten, and went with it.")))
                }
                _ => Err(gone(format!("Night {night} changed nothing: what it learned did not come to answer."))),
            }
        })
        .await?;
    let known = node.apart("the deltas", |node| Ok(node.vault.read(|r| r.deltas())?)).await?;
    if wanted.is_some_and(|hash| known.iter().all(|row| row.hash != hash)) {
        let said = format!("What the anchor wore then is not here any more (night {night}).");
        return Err(NodeError::said(ErrorKind::Failed, said, "`icore delta list` shows what is."));
    }
    deltas::wear(node, wanted).await?;
    let said = format!("the owner went back to the self of night {night}");
    node.apart("the ledger", move |node| node.record(EntryKind::Rollback, &said)).await?;
    node.apart("the nights", |node| nights(node, 20)).await
}

/// Takes back what nights learned from these items, in the transaction that forgets them: their reports say so, their
/// deltas go, and the newest that knows nothing of it answers. Gives whether another delta is worn from here on.
pub(crate) fn forget(node: &Node, tx: &Tx<'_>, items: &[ItemId]) -> Result<bool, NodeError> {
    take_back(node, tx, tx.nights_of(items)?)
}

/// The same for answers that were learned from and are not there any more, once they went.
pub(crate) fn forget_lost_answers(node: &Node, tx: &Tx<'_>) -> Result<bool, NodeError> {
    let affected = tx.nights_of_lost_answers()?;
    let numbers: Vec<u64> = affected.iter().map(|row| row.n).collect();
    let taken_off = take_back(node, tx, affected)?;
    numbers.into_iter().try_for_each(|n| tx.drop_night_messages(n))?;
    Ok(taken_off)
}

fn take_back(node: &Node, tx: &Tx<'_>, affected: Vec<NightRow>) -> Result<bool, NodeError> {
    let mut deltas = tx.deltas()?;
    let mut taken_off = false;
    for mut row in affected {
        if let Some(mut night) = report(&row) {
            night.changed.clear();
            night.outcome = Outcome::Forgotten;
            night.why = "something it had learned from was forgotten, and what it learned with it".into();
            night.ended = night.ended.or(Some(now()));
            night.delta = None;
            night.shared = None;
            row.report = serde_json::to_string(&night).map_err(|_| crate::failure::unexpected("the night"))?;
        }
        // What was made for others was made from what learned from it.
        for made in [row.delta.take(), row.shared.take()].into_iter().flatten() {
            // Two nights may have made the same.
            if let Some(at) = deltas.iter().position(|delta| delta.hash == made) {
                let delta = deltas.swap_remove(at);
                taken_off |= delta.worn;
                assembly::delete_delta(node, tx, &delta)?;
            }
        }
        (row.open, row.work, row.checkpoint, row.tested) = (false, None, None, None);
        tx.put_night(&row, &[])?;
    }
    if taken_off {
        let left: Vec<Hash> = tx.deltas()?.into_iter().map(|row| row.hash).collect();
        let newest = tx.nights(usize::MAX)?.into_iter().filter_map(|row| row.delta).find(|hash| left.contains(hash));
        tx.wear_delta(newest)?;
    }
    Ok(taken_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharing_is_wished_for_before_a_night_begins() {
        let before = r#"{"method":"lora","rank":16,"minutes":30,"steps":null,"seed":0}"#;
        let alone: SleepPlan = serde_json::from_str(before).unwrap();
        assert!(!alone.share && !SleepPlan::default().share);
        let shares = SleepPlan { share: true, ..alone.clone() };
        assert!(check(&shares).is_ok());
        for (asked, begun) in [(&alone, &alone), (&alone, &shares), (&shares, &shares)] {
            assert!(same_wish(asked, begun).is_ok());
        }
        let refused = crate::failure::of(same_wish(&shares, &alone).unwrap_err());
        assert!(refused.kind == ErrorKind::Usage && refused.hint.contains("--anew"), "{refused:?}");
    }
}
