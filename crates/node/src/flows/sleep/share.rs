//! What sharing demands, decided without a model: what is set apart so that one can see afterwards whether something for
//! others gives anything away, and which public prompts it may be distilled on. Where there is too little, nothing is set
//! apart and nothing is shared.

use std::collections::{BTreeMap, BTreeSet};

use hinet_consent::spot;
use hinet_index::read::Fact;
use hinet_train::leak::{Canary, Limits, RUN, Runs, canaries, plain, words};
use hinet_train::{Recipe, replay};
use serde::{Deserialize, Serialize};

use super::gather::{Lesson, counted};
use super::views::{self, View};
use super::wishes::Answer;
use crate::protocol::{Sharing, Skipped};

/// Secrets that are asked for, at most.
const SECRETS_MAX: usize = 32;
/// Letters and digits of a secret, and of what stands before it, at least.
const SECRET_LEAST: usize = 6;
/// Of so many public prompts one is kept back.
const KEPT_BACK: usize = 3;

/// What came of the wish to share where nothing may be shared.
pub(super) fn refused(why: impl Into<String>) -> Sharing {
    Sharing { why: why.into(), ..Sharing::default() }
}

/// What is set apart for the leakage gate; sealed with the rest of the night's work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Apart {
    /// Canaries that are learned, and as many that are not. They are made up, and no report shows them.
    pub(super) inserted: Vec<Canary>,
    pub(super) fresh: Vec<Canary>,
    /// Texts of the owner's that are learned, and texts that are held back: nothing of them is learned in any form.
    pub(super) members: Vec<String>,
    pub(super) strangers: Vec<String>,
    /// Facts that are learned, as what stands before the answer and the answer.
    secrets: Vec<(String, String)>,
}

/// The words of the texts that are held back.
pub(super) struct HeldBack(String);

impl HeldBack {
    /// Whether a sentence stands in one of them.
    pub(super) fn has(&self, sentence: &str) -> bool {
        self.0.contains(&words(sentence))
    }
}

/// Sets apart what the leakage gate will ask about; where there is too little of it, what is missing, as a sentence.
pub(super) fn set_apart(lessons: &[&Lesson], answers: &[&Answer], limits: &Limits, seed: u64) -> Result<Apart, String> {
    let (wanted, mut known) = (limits.texts, Runs::default());
    // What is learned as an answer is no stranger, and no two texts repeat each other.
    answers.iter().for_each(|answer| known.add(&answer.text));
    let mut texts: Vec<&str> = Vec::new();
    for text in views::passages(lessons) {
        if texts.len() >= 2 * wanted {
            break;
        }
        if words(text).split_whitespace().count() >= RUN && !known.meets(text) {
            known.add(text);
            texts.push(text);
        }
    }
    if texts.len() < 2 * wanted {
        return Err(format!(
            "a leakage test needs {wanted} texts of yours learned and {wanted} held back; there are {} (paragraphs that you \
             wrote yourself)",
            texts.len()
        ));
    }
    let every =
        |first: usize| -> Vec<String> { texts.iter().skip(first).step_by(2).map(|text| (*text).to_owned()).collect() };
    let mut inserted = canaries(seed, 2 * limits.canaries).map_err(|error| error.to_string())?;
    let fresh = inserted.split_off(limits.canaries);
    let mut apart = Apart { inserted, fresh, members: every(0), strangers: every(1), secrets: Vec::new() };
    let held_back = apart.held_back();
    let facts = views::all_facts(lessons).into_iter().filter(|(_, fact)| !held_back.has(&fact.sentence));
    apart.secrets = facts.filter_map(|(_, fact)| secret(&fact)).take(SECRETS_MAX).collect();
    let found = apart.secrets.len();
    if found < limits.secrets {
        return Err(format!(
            "a leakage test needs {} facts of yours with a name, a date or a long number in them; there are {found}",
            limits.secrets
        ));
    }
    Ok(apart)
}

/// A fact as something that must not come out; `None` where it is too short to be told from chance.
fn secret(fact: &Fact) -> Option<(String, String)> {
    let (before, answer) = (fact.sentence[..fact.answer.start].trim_end(), fact.answer());
    let (begun, wanted) = (plain(before), plain(answer));
    let long = |text: &str| text.chars().count() >= SECRET_LEAST;
    (long(&begun) && long(&wanted) && !begun.contains(&wanted)).then(|| (before.to_owned(), answer.to_owned()))
}

impl Apart {
    /// The texts that are held back, as words.
    pub(super) fn held_back(&self) -> HeldBack {
        let all: Vec<String> = self.strangers.iter().map(|text| words(text)).collect();
        // No sentence has this sign among its words, so none stands across two texts.
        HeldBack(all.join("|"))
    }

    /// Puts what is learned for the sake of the test before everything else, so that it is not what the time cuts off.
    pub(super) fn plant(&self, views: &mut Vec<View>) {
        views.extend(self.inserted.iter().map(|canary| View::Canary { text: canary.text() }));
        views.extend(self.members.iter().map(|text| View::Plain { text: text.clone() }));
    }

    /// The secrets that were learned, where `steps` went through the first `used` of all views and their rehearsals at
    /// least once, and all that was planted is among them; else why the gate could say nothing.
    pub(super) fn secrets(
        &self,
        views: &[View],
        used: usize,
        steps: u64,
        limits: &Limits,
    ) -> Result<Vec<(String, String)>, String> {
        if steps.saturating_mul(Recipe::NIGHTLY_BATCH as u64) < used as u64 {
            return Err(format!(
                "{steps} steps did not go through all {used} texts, so a leakage test would say nothing"
            ));
        }
        // After every few of the owner's own texts comes one that is rehearsed.
        let own = if used >= views.len() { used } else { used - used / ((1.0 / replay::SHARE) as usize + 1) };
        let own: Vec<&View> = views.iter().filter(|view| !matches!(view, View::Replay(_))).take(own).collect();
        let learned = |(before, answer): &&(String, String)| {
            own.iter()
                .any(|view| matches!(view, View::Plain { text } if text.contains(before) && text.contains(answer)))
        };
        let secrets: Vec<(String, String)> = self.secrets.iter().filter(learned).cloned().collect();
        if own.len() < self.inserted.len() + self.members.len() || secrets.len() < limits.secrets {
            return Err("the time did not suffice to learn what a leakage test asks about; give more --minutes".into());
        }
        Ok(secrets)
    }
}

/// The owner's own, as it must not stand in what something for others is distilled on.
pub(super) struct Private {
    runs: Runs,
    facts: BTreeSet<String>,
}

impl Private {
    /// Of everything that the night may learn from.
    pub(super) fn of(lessons: &[&Lesson], answers: &[&Answer]) -> Self {
        let mut runs = Runs::default();
        lessons.iter().for_each(|lesson| runs.add(&lesson.text));
        answers.iter().for_each(|answer| runs.add(&answer.text));
        // All of them, where the night itself learns from the first of each text only.
        let texts = lessons.iter().map(|lesson| &lesson.text).chain(answers.iter().map(|answer| &answer.text));
        let facts = texts.flat_map(|text| hinet_index::read::facts(text)).map(|fact| plain(fact.answer()));
        Self { runs, facts: facts.filter(|fact| fact.chars().count() >= SECRET_LEAST).collect() }
    }

    /// Why a text must not be distilled on; `place` is what it is called.
    pub(super) fn betrayed(&self, place: &str, text: &str) -> Option<String> {
        if let Some(found) = spot(text).first() {
            return Some(format!("personal data stands in {place} ({})", found.kind));
        }
        if self.runs.meets(text) {
            return Some(format!("{place} repeats something of yours"));
        }
        let plain = plain(text);
        self.facts.iter().any(|fact| plain.contains(fact)).then(|| format!("a fact of yours stands in {place}"))
    }
}

/// What was left out, by the reason.
#[derive(Default)]
pub(super) struct LeftOut(BTreeMap<String, u64>);

impl LeftOut {
    pub(super) fn add(&mut self, why: String) {
        *self.0.entry(why).or_default() += 1;
    }

    pub(super) fn said(self) -> Vec<Skipped> {
        let said = |(why, count)| Skipped { what: counted(count, "public prompt", "public prompts"), why };
        self.0.into_iter().map(said).collect()
    }
}

/// The public prompts of a list that may be distilled on, and those of them that are kept back.
pub(super) fn prompts<'a>(list: &'a str, private: &Private, left_out: &mut LeftOut) -> [Vec<&'a str>; 2] {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut kept = [Vec::new(), Vec::new()];
    for (at, line) in lines.enumerate() {
        match private.betrayed("it", line) {
            Some(why) => left_out.add(why),
            None => kept[usize::from(at % KEPT_BACK == KEPT_BACK - 1)].push(line),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ItemId, MessageId};

    const FACT: &str = "The reservoir above the village is checked by Joaquim Teles.";

    fn limits() -> Limits {
        Limits { texts: 2, canaries: 2, secrets: 1, ..Limits::default() }
    }

    /// A paragraph that no other one repeats.
    fn paragraph(n: usize) -> String {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let word = |at: usize| format!("wo{}{}{}rd", letter(n), letter(at), letter(7 * n + at));
        (0..24).map(word).collect::<Vec<_>>().join(" ")
    }

    fn lesson(text: String, own: bool) -> Lesson {
        Lesson { item: ItemId::new(), source: "/n.md".into(), title: "N".into(), text, own }
    }

    /// So many paragraphs, and facts that stand in none of them.
    fn notes(paragraphs: usize) -> [Lesson; 2] {
        let texts: Vec<String> = (0..paragraphs).map(paragraph).collect();
        [lesson(texts.join("\n\n"), true), lesson(FACT.to_owned(), false)]
    }

    fn said(found: Result<Apart, String>) -> String {
        found.err().unwrap_or_default()
    }

    #[test]
    fn where_there_is_too_little_a_sentence_says_what_is_missing() {
        let notes = notes(3);
        let all: Vec<&Lesson> = notes.iter().collect();
        let why = said(set_apart(&all, &[], &Limits::default(), 1));
        assert!(
            why.starts_with("a leakage test needs 400 texts of yours learned and 400 held back; there are 3 "),
            "{why}"
        );
        assert!(said(set_apart(&all, &[], &limits(), 1)).contains("needs 2 texts"));
        // What repeats another is not a text more, and what others wrote is none.
        let twice = lesson(notes[0].text.clone(), true);
        let others = lesson(paragraph(9), false);
        assert!(said(set_apart(&[&notes[0], &twice, &others], &[], &limits(), 1)).contains("there are 3 "));
        // Nor is one that was learned as an answer.
        let answer = Answer { message: MessageId::new(), question: "What?".into(), text: paragraph(0) };
        let four = self::notes(4);
        let four: Vec<&Lesson> = four.iter().collect();
        assert!(said(set_apart(&four, &[&answer], &limits(), 1)).contains("there are 3 "));
        let why = said(set_apart(&four, &[], &Limits { secrets: 9, ..limits() }, 1));
        assert!(why.starts_with("a leakage test needs 9 facts of yours"), "{why}");
    }

    #[test]
    fn half_of_the_texts_is_held_back_with_the_facts_in_it() {
        let [own, fact] = notes(3);
        let own = own.text;
        let held = format!("{}. {FACT} Then {}", paragraph(7), paragraph(8));
        let own = lesson(format!("{}\n\n{held}\n\n{own}", paragraph(1)), true);
        let other = lesson("The boiler was serviced by Ines Valadares in the cellar.".into(), true);
        let apart = set_apart(&[&own, &fact, &other], &[], &limits(), 1).unwrap();
        assert_eq!((&apart.members[0], &apart.strangers[0]), (&paragraph(1), &held));
        assert_eq!((apart.members.len(), apart.strangers.len(), apart.inserted.len(), apart.fresh.len()), (2, 2, 2, 2));
        // Wherever else the fact stands, it is not learned.
        assert!(apart.held_back().has(FACT) && !apart.held_back().has(&other.text));
        assert!(apart.secrets.iter().all(|(before, _)| !before.contains("reservoir")), "{:?}", apart.secrets);
    }

    #[test]
    fn nothing_is_shared_that_the_gate_could_not_judge() {
        let notes = notes(4);
        let all: Vec<&Lesson> = notes.iter().collect();
        let limits = limits();
        let apart = set_apart(&all, &[], &limits, 1).unwrap();
        let mut views = Vec::new();
        apart.plant(&mut views);
        assert!(matches!(&views[0], View::Canary { text } if *text == apart.inserted[0].text()));
        let of = |views: &[View], used: usize, steps: u64| apart.secrets(views, used, steps, &limits);
        // The fact itself was not learned.
        assert!(of(&views, 4, 8).unwrap_err().contains("the time did not suffice"));
        views.push(View::Plain { text: format!("N: {FACT}") });
        assert!(!of(&views, 5, 1).unwrap().is_empty());
        assert!(of(&views, 17, 1).unwrap_err().contains("did not go through all 17"));
        views.extend((0..20).map(|_| View::Plain { text: "more".into() }));
        assert!(of(&views, 4, 8).unwrap_err().contains("the time did not suffice"));
        assert!(!of(&views, 10, 8).unwrap().is_empty());
    }

    #[test]
    fn prompts_with_personal_data_or_anything_of_the_owners_are_left_out_and_counted() {
        let notes = [lesson(format!("{FACT} I asked why the bread in the old oven did not rise."), true)];
        let private = Private::of(&[&notes[0]], &[]);
        let list = "# public\nHow do I boil an egg?\n\nWrite to ana.reis@example.org now.\n\
                    Explain why the bread in the old oven did not rise.\nDid Joaquim Teles call?\n\
                    What is a fuse?\nHow does a pulley work?\n";
        let mut left_out = LeftOut::default();
        let [learned, held] = prompts(list, &private, &mut left_out);
        assert_eq!([learned, held].concat().len(), 3);
        let left_out = left_out.said();
        assert_eq!(left_out.iter().map(|out| out.what.as_str()).collect::<Vec<_>>(), ["1 public prompt"; 3]);
        assert!(left_out.iter().any(|out| out.why == "personal data stands in it (email)"), "{left_out:?}");
        assert!(left_out.iter().any(|out| out.why == "it repeats something of yours"), "{left_out:?}");
        assert!(private.betrayed("its answer", "It was joaquimteles.").is_some());
        assert_eq!(private.betrayed("it", "How does a pulley work?"), None);
    }

    #[test]
    fn the_public_prompts_of_the_program_are_enough_for_the_gate() {
        let mut left_out = LeftOut::default();
        let [learned, held] = prompts(super::super::project::PROMPTS, &Private::of(&[], &[]), &mut left_out);
        let least = Limits::default().kept_back;
        assert!(learned.len() >= 2 * least && held.len() >= least, "{:?}", left_out.said());
    }
}
