//! The test of a night, on the very delta that would answer: the owner's facts, general ability, neutral text, the owner's
//! own words. It fails closed: what cannot be measured has not passed.

use hinet_model::{Anchor, Delta, Resident, Sampling};
use hinet_train::judge::{By, Judge, Watch, general, paired_bootstrap, points};
use hinet_train::{Example, turns};

use super::Room;
use super::study::failed;
use super::views::{Held, Work};
use crate::failure::NodeError;
use crate::flows::chat;
use crate::protocol::{Change, Changed, OwnScores, Scores, Stage};

/// Neutral text may become so much less expected.
const NEUTRAL: f64 = 1.05;
/// General ability may, with 95 % certainty, have lost so much.
const GENERAL: f64 = -0.02;
/// How much of what was learned is tried, most first.
const STRENGTHS: &[f32] = &[1.0, 0.6, 0.4, 0.25];
/// General questions that are asked first, and how many more than before may be wrong.
const SCREEN: usize = 320;
const SCREEN_LOST: f64 = 8.0;
/// Tokens of an answer to a question of the test.
const ANSWER: usize = 40;
/// Where the general points of a bare anchor are kept.
const GENERAL_OF: &str = "sleep/general/";

/// What the test found.
pub(super) struct Verdict {
    pub(super) scores: Scores,
    pub(super) changed: Vec<Changed>,
    /// The delta that was tested, as it will serve, and how much of what was learned it holds.
    pub(super) delta: Delta,
    pub(super) strength: f32,
    /// Why it did not pass.
    pub(super) failed: Option<String>,
}

/// The same delta with its effect multiplied.
fn scaled(delta: &Delta, strength: f32) -> Result<Delta, NodeError> {
    let mut out = delta.clone();
    for (place, factors) in delta.iter() {
        let mut factors = factors.clone();
        factors.alpha *= strength;
        out.insert(place, factors)?;
    }
    Ok(out)
}

/// A delta as it is after it was sealed and opened again, resident.
pub(super) fn as_served(anchor: &Anchor, delta: &Delta) -> Result<(Delta, Resident), NodeError> {
    let packed = crate::worn::pack(delta)?;
    let served = crate::worn::unpack(&packed).ok_or_else(|| crate::failure::unexpected("the delta"))??;
    let resident = anchor.attach(&served)?;
    Ok((served, resident))
}

struct Bench<'r, 'a> {
    room: &'r mut Room<'a>,
    done: u64,
    total: u64,
}

impl Bench<'_, '_> {
    /// Does one part of the test, telling how far it is.
    fn part<T>(
        &mut self,
        work: impl FnOnce(&mut Watch<'_>) -> Result<T, hinet_train::TrainError>,
    ) -> Result<T, NodeError> {
        self.room.gathered_check()?;
        self.room.tell(Stage::Judge, self.done, self.total, 0.0, None);
        let stop = self.room.stop;
        let mut told = |_, _| {};
        let out = work(&mut Watch::new(stop, &mut told)).map_err(failed)?;
        self.done += 1;
        Ok(out)
    }
}

/// Tests what was learned; of a harmful delta weaker forms are tried.
pub(super) fn test(room: &mut Room<'_>, anchor: &Anchor, work: &Work, learned: &Delta) -> Result<Verdict, NodeError> {
    let dora = learned.iter().any(|(_, factors)| factors.magnitudes.is_some());
    let neutral_text = anchor.encode(&general::neutral(), false);
    let mut bench = Bench { room, done: 0, total: 9 };
    let mut bare = Judge::new(anchor, &[]).map_err(failed)?;
    let before = bench.part(|watch| bare.perplexity(&neutral_text, general::WINDOW, watch))?;
    let questions = general::questions(anchor).map_err(failed)?;
    let general_before = general_of_the_anchor(&mut bench, &mut bare, anchor, &questions)?;
    let mut tried = None;
    for strength in STRENGTHS {
        let (delta, resident) = as_served(anchor, &scaled(learned, *strength)?)?;
        let mut judge = Judge::new(anchor, &[(resident, 1.0)]).map_err(failed)?;
        let after = bench.part(|watch| judge.perplexity(&neutral_text, general::WINDOW, watch))?;
        // What harms is seen in a part of them already; all are asked where it does not, and of what is reported.
        let last = dora || *strength == STRENGTHS[STRENGTHS.len() - 1];
        let screened = bench.part(|watch| judge.choose(&questions[..SCREEN], By::Sum, watch))?;
        let lost = points(&screened).iter().zip(&general_before).map(|(after, before)| before - after).sum::<f64>();
        if !last && (after > before * NEUTRAL || lost > SCREEN_LOST) {
            continue;
        }
        let general_after = points(&bench.part(|watch| judge.choose(&questions, By::Sum, watch))?);
        let bound = paired_bootstrap(&general_before, &general_after, 0).map_err(failed)?;
        // A number that is none passes nothing.
        let (harmless, able) = (after <= before * NEUTRAL, bound.low >= GENERAL);
        tried = Some((delta, judge, after, general_after, bound, *strength));
        // A learned length of rows cannot be halved by a factor.
        if (harmless && able) || dora {
            break;
        }
    }
    let Some((delta, mut judge, after, general_after, bound, strength)) = tried else {
        return Err(super::interrupted());
    };
    let (own, changed) = own(&mut bench, anchor, &work.held, &mut bare, &mut judge)?;
    let voice = voice(&mut bench, anchor, &work.voice, &mut bare, &mut judge)?;
    let mean = |points: &[f64]| points.iter().sum::<f64>() / points.len().max(1) as f64;
    let change = |before: f64, after: f64| Change { before: before as f32, after: after as f32 };
    let scores = Scores {
        own,
        neutral: change(before, after),
        voice,
        general: Some(change(mean(&general_before), mean(&general_after))),
        general_low: Some(bound.low as f32),
    };
    // A number that is none passes nothing.
    let harmless = after <= before * NEUTRAL;
    let able = bound.low >= GENERAL;
    let failed = if !harmless {
        Some(format!("neutral text became less expected: perplexity {before:.1} before, {after:.1} after"))
    } else if !able {
        Some(format!("general ability may have lost {:.1} points of 100", -100.0 * bound.low))
    } else if own.asked > 0 && own.weights_only < own.before {
        Some("fewer of your facts are known than before".to_owned())
    } else if own.asked > 0 && own.both < own.retrieval_only {
        Some("with the memory fewer questions are answered rightly than before".to_owned())
    } else {
        None
    };
    Ok(Verdict { scores, changed, delta, strength, failed })
}

fn general_of_the_anchor(
    bench: &mut Bench<'_, '_>,
    bare: &mut Judge,
    anchor: &Anchor,
    questions: &[hinet_train::judge::Question],
) -> Result<Vec<f64>, NodeError> {
    let (weights, root) = (anchor.passport().weights, anchor.passport().root);
    let root = root.map_or_else(String::new, |root| format!("+{root}"));
    let key = format!("{GENERAL_OF}{weights}{root}/{}/{}", anchor.kernel().name(), questions.len());
    let kept = bench.room.node.vault.read(|r| r.meta(&key))?;
    if let Some(kept) = kept.filter(|kept| kept.len() == questions.len()) {
        return Ok(kept.bytes().map(|point| f64::from(u8::from(point == b'1'))).collect());
    }
    let chosen = bench.part(|watch| bare.choose(questions, By::Sum, watch))?;
    let line: String = chosen.iter().map(|choice| if choice.right { '1' } else { '0' }).collect();
    bench.room.node.vault.write(|tx| Ok::<_, NodeError>(tx.set_meta(&key, &line)?))?;
    Ok(points(&chosen))
}

/// The owner's facts: the anchor alone, what was learned alone, and each with the memory.
fn own(
    bench: &mut Bench<'_, '_>,
    anchor: &Anchor,
    held: &[Held],
    bare: &mut Judge,
    judge: &mut Judge,
) -> Result<(OwnScores, Vec<Changed>), NodeError> {
    let mut prompts = [Vec::new(), Vec::new()];
    for question in held {
        for (prompts, remember) in prompts.iter_mut().zip([false, true]) {
            let said = bench.room.runtime.block_on(chat::turns_for(bench.room.node, &question.question, remember))?;
            // Where the memory has nothing, it is asked like one without.
            let plain =
                [crate::flows::chat::prompt::system(bench.room.node), ("user".into(), question.question.clone())];
            prompts.push(turns::asked(anchor, said.as_deref().unwrap_or(&plain)).map_err(failed)?);
        }
    }
    let [alone, remembering] = prompts;
    let sampling = Sampling { max_tokens: ANSWER, ..Sampling::default() };
    let old = bench.part(|watch| bare.write(&alone, &sampling, watch))?;
    let new = bench.part(|watch| judge.write(&alone, &sampling, watch))?;
    let retrieved = bench.part(|watch| bare.write(&remembering, &sampling, watch))?;
    let both = bench.part(|watch| judge.write(&remembering, &sampling, watch))?;
    let right = |text: &String, held: &Held| hinet_index::read::answers(text, &held.answer);
    let share = |texts: &[String]| {
        let count = texts.iter().zip(held).filter(|(text, held)| right(text, held)).count();
        count as f32 / held.len().max(1) as f32
    };
    let scores = OwnScores {
        asked: held.len() as u64,
        before: share(&old),
        weights_only: share(&new),
        retrieval_only: share(&retrieved),
        both: share(&both),
    };
    let changed = held.iter().zip(old.iter().zip(&new)).filter(|(_, (old, new))| old != new);
    let changed = changed.map(|(held, (old, new))| Changed {
        question: held.question.clone(),
        old: old.trim().to_owned(),
        new: new.trim().to_owned(),
        right: right(new, held),
        fact: held.sentence.clone(),
        vetoed: false,
        item: held.item,
        source: held.source.clone(),
    });
    Ok((scores, changed.collect()))
}

/// Perplexity on words of the owner's that were not learned from.
fn voice(
    bench: &mut Bench<'_, '_>,
    anchor: &Anchor,
    passages: &[String],
    bare: &mut Judge,
    judge: &mut Judge,
) -> Result<Option<Change>, NodeError> {
    let encoded = passages.iter().map(|text| anchor.encode(text, false)).filter(|tokens| tokens.len() > 1);
    let examples: Vec<Example> = encoded.map(Example::whole).collect();
    if examples.is_empty() {
        return Ok(None);
    }
    let of = |judge: &mut Judge, watch: &mut Watch<'_>| {
        let losses = judge.losses(&examples, watch)?.concat();
        Ok((losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len().max(1) as f64).exp() as f32)
    };
    let before = bench.part(|watch| of(bare, watch))?;
    let after = bench.part(|watch| of(judge, watch))?;
    Ok(Some(Change { before, after }))
}
