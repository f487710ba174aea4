//! Whether a committee is worth its cost, with the bootstrap that nights use: yes where members err each in their own way, no
//! where they err alike, and no where one of them knows it all.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

use std::error::Error;

use hinet_compose::committee::{Committee, Compared, Trial, same_words};
use hinet_train::judge::paired_bootstrap;

/// Questions that quality is measured on, and others that are compared on.
const MEASURED: usize = 200;
const COMPARED: usize = 400;
/// Of a member's answers to one question, the part that are its usual one.
const STEADY: f64 = 0.95;

/// The draw of an answer that is a proposal.
const PROPOSED: usize = 99;

/// A number as good as drawn, from 0 to 1.
fn lot(what: &str, member: usize, question: usize, draw: usize) -> f64 {
    let hash = blake3::hash(format!("{what} {member} {question} {draw}").as_bytes());
    let bytes: [u8; 4] = hash.as_bytes()[..4].try_into().unwrap();
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

fn wrong(lot: f64) -> String {
    format!("Wrong {}", (lot * 5.0).floor())
}

/// What a made-up member of this skill says when it is asked for the `draw`th time.
fn says(skill: f64, member: usize, question: usize, draw: usize) -> String {
    if draw > 0 && lot("steady", member, question, draw) > STEADY {
        return wrong(lot("slip", member, question, draw));
    }
    if lot("knows", member, question, 0) < skill { "Right.".into() } else { wrong(lot("thinks", member, question, 0)) }
}

fn score(answer: &str) -> f64 {
    if same_words(answer, "right") { 1.0 } else { 0.0 }
}

/// Members of these skills; `alike` has all of them know and think what the first one does.
fn compared(skills: &[f64], alike: bool) -> Result<Compared, Box<dyn Error>> {
    let who = |member: usize| if alike { 0 } else { member };
    let usual = |member: usize, question: usize| says(skills[member], who(member), question, 0);
    let measured =
        |member: usize| -> Vec<f64> { (0..MEASURED).map(|question| score(&usual(member, question))).collect() };
    let committee = Committee::of(&(0..skills.len()).map(measured).collect::<Vec<Vec<f64>>>())?;
    let best = committee.best();
    let trial = |question: usize| Trial {
        // One draw of each, as shaky as the best one's.
        proposals: (0..skills.len()).map(|member| says(skills[member], who(member), question, PROPOSED)).collect(),
        resampled: (1..=skills.len()).map(|draw| says(skills[best], who(best), question, draw)).collect(),
    };
    let trials: Vec<Trial> = (MEASURED..MEASURED + COMPARED).map(trial).collect();
    let low = |before: &[f64], after: &[f64]| Ok::<_, Box<dyn Error>>(paired_bootstrap(before, after, 7)?.low);
    committee.compare(&trials, &same_words, |_, answer| score(answer), low)
}

#[test]
fn a_committee_is_chosen_only_where_it_beats_its_best_member_asked_as_often() {
    let apart = compared(&[0.6; 5], false).unwrap();
    assert!(apart.chosen && apart.low > 0.05, "each errs in its own way: {apart:?}");
    let alike = compared(&[0.6; 5], true).unwrap();
    assert!(!alike.chosen && (alike.committee - alike.best).abs() < 0.05, "all err alike: {alike:?}");
    let unequal = compared(&[0.95, 0.3, 0.3, 0.3, 0.3], false).unwrap();
    assert!(!unequal.chosen && unequal.committee > 0.9, "one knows it all: {unequal:?}");
    // And where the others are worth something beside a good one, the interval decides and not the mean alone.
    let near = compared(&[0.9, 0.4], false).unwrap();
    assert!(!near.chosen, "two of whom one always decides: {near:?}");
}
