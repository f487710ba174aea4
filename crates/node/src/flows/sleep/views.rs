//! Training views: questions in several phrasings about each fact, drafted by the anchor and filtered in code; the facts
//! themselves; and texts of the anchor's own, so that it does not unlearn the rest.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use hinet_index::read::{Fact, asks, facts, stems};
use hinet_model::{Anchor, Sampling};
use hinet_train::judge::{Judge, Watch};
use hinet_train::leak::Runs;
use hinet_train::{Example, replay};
use serde::{Deserialize, Serialize};

use super::gather::Lesson;
use super::project::Said;
use super::share::Apart;
use super::study::failed;
use super::wishes::Answer;
use crate::failure::NodeError;
use crate::flows::chat::prompt;
use crate::protocol::{Hash, ItemId, MessageId};

/// Facts looked at in one night.
const FACTS_MAX: usize = 1000;
/// Facts whose questions are drafted side by side.
pub(super) const TOGETHER: usize = 24;
/// Facts of one item.
const FACTS_OF_ITEM: usize = 64;
/// Questions drafted about a fact, and the most that are kept.
const DRAFTS: u64 = 4;
const KEPT: usize = 4;
/// Nats by which the anchor, reading the sentence, may be unsure of the answer: it gives it a probability of 0.3 at least.
const UNSURE: f32 = 1.2;
/// Questions that are kept apart for the test.
const HELD_MAX: usize = 48;
/// Of each so many passages of the owner's own one is kept apart.
const VOICE_HELD: usize = 8;
/// Bytes of a passage of the owner's own.
const PASSAGE: std::ops::Range<usize> = 160..600;
const PASSAGES_MAX: usize = 256;

const QUESTION: &str = include_str!("../../../../../prompts/sleep_question.jinja");
const CHECK: &str = include_str!("../../../../../prompts/sleep_check.jinja");
const GAP: &str = include_str!("../../../../../prompts/sleep_gap.jinja");
const CLOZE: &str = include_str!("../../../../../prompts/sleep_cloze.jinja");

/// One text to learn from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum View {
    /// A message and its answer; the answer is learned.
    Turn { user: String, answer: String },
    /// A text that is learned from its first token on.
    Plain { text: String },
    /// A text of the anchor's own.
    Replay(replay::Own),
    /// A made-up text that is planted to see later whether it comes out; nothing that is reported is taken from it.
    Canary { text: String },
}

/// A question that is asked to test what was learned, and was not learned from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) question: String,
    pub(super) answer: String,
    /// The sentence it is from.
    #[serde(default)]
    pub(super) sentence: String,
    pub(super) item: ItemId,
    pub(super) source: String,
}

/// What a night works on; sealed while it goes on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Work {
    /// What it was made from.
    pub(super) items: Vec<(ItemId, Hash)>,
    #[serde(default)]
    answers: Vec<(MessageId, Hash)>,
    /// Facts that have been looked at.
    pub(super) looked_at: usize,
    /// Facts of each item.
    pub(super) facts: BTreeMap<ItemId, u64>,
    /// Newest first.
    pub(super) views: Vec<View>,
    pub(super) held: Vec<Held>,
    /// Passages of the owner's own that were not learned from.
    pub(super) voice: Vec<String>,
    /// Whether all of it is there.
    pub(super) whole: bool,
    /// Steps that will be made, once that is decided.
    pub(super) steps: u64,
    /// Views that are learned from, the first ones; the rest did not fit into the time.
    pub(super) used: usize,
    /// What is set apart for the leakage gate, where the owner wants to share.
    #[serde(default)]
    pub(super) apart: Option<Apart>,
    /// What was said to public prompts, once that is there.
    #[serde(default)]
    pub(super) said: Option<Said>,
}

impl Work {
    pub(super) fn begin(lessons: &[&Lesson], answers: &[&Answer]) -> Self {
        let items = lessons.iter().map(|lesson| (lesson.item, lesson.hash())).collect();
        let answers = answers.iter().map(|answer| (answer.message, answer.hash())).collect();
        Self { items, answers, ..Self::default() }
    }

    /// Whether it was made from these.
    pub(super) fn is_of(&self, lessons: &[&Lesson], answers: &[&Answer]) -> bool {
        let now = Self::begin(lessons, answers);
        self.items == now.items && self.answers == now.answers
    }
}

/// The facts of all lessons, newest first.
pub(super) fn all_facts<'a>(lessons: &[&'a Lesson]) -> Vec<(&'a Lesson, Fact)> {
    let of = |lesson: &&'a Lesson| {
        let lesson: &'a Lesson = lesson;
        facts(&lesson.text).into_iter().take(FACTS_OF_ITEM).map(move |fact| (lesson, fact))
    };
    lessons.iter().flat_map(of).take(FACTS_MAX).collect()
}

/// The anchor, drafting many texts side by side.
pub(super) struct Drafter<'a> {
    judge: Judge,
    seed: u64,
    stop: &'a AtomicBool,
}

/// A question, and its words in order of the alphabet: two that agree in them ask the same.
type Drafted = (String, Vec<String>);

impl<'a> Drafter<'a> {
    pub(super) fn new(anchor: &Anchor, seed: u64, stop: &'a AtomicBool) -> Result<Self, NodeError> {
        Ok(Self { judge: Judge::new(anchor, &[]).map_err(failed)?, seed, stop })
    }

    fn write(&mut self, prompts: &[Vec<u32>], sampling: &Sampling) -> Result<Vec<String>, NodeError> {
        let mut told = |_, _| {};
        let texts = self.judge.write(prompts, sampling, &mut Watch::new(self.stop, &mut told)).map_err(failed)?;
        Ok(texts.into_iter().map(|text| text.trim().to_owned()).collect())
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        self.judge.anchor().encode(text, false)
    }

    /// For each fact questions that ask for its answer, do not give it, and are answered with it where the anchor reads the
    /// sentence.
    fn questions(&mut self, facts: &[(&Lesson, Fact)]) -> Result<Vec<Vec<String>>, NodeError> {
        let prompt = |(lesson, fact): &(&Lesson, Fact)| {
            let about = about(lesson, fact);
            let values =
                minijinja::context! { text => fact.sentence.as_str(), about => about, answer => fact.answer() };
            self.encode(&prompt::render("question", QUESTION, values))
        };
        let prompts: Vec<Vec<u32>> = facts.iter().map(prompt).collect();
        let mut drafted: Vec<Vec<Drafted>> = vec![Vec::new(); facts.len()];
        for draft in 0..DRAFTS {
            let sampling = Sampling {
                temperature: if draft == 0 { 0.0 } else { 0.6 },
                top_p: 0.95,
                seed: self.seed.wrapping_add(draft),
                max_tokens: 28,
                stop: vec!["\n".into()],
                ..Sampling::default()
            };
            let written = self.write(&prompts, &sampling)?;
            for ((question, (lesson, fact)), kept) in written.into_iter().zip(facts).zip(&mut drafted) {
                let mut words = stems(&question);
                words.sort_unstable();
                if asks(&question, fact, &about(lesson, fact)) && kept.iter().all(|(_, other)| *other != words) {
                    kept.push((question, words));
                }
            }
        }
        self.seed = self.seed.wrapping_add(DRAFTS);
        let all: Vec<(usize, String)> = drafted
            .into_iter()
            .enumerate()
            .flat_map(|(n, all)| all.into_iter().map(move |(text, _)| (n, text)))
            .collect();
        let check = |(n, question): &(usize, String)| {
            let fact = &facts[*n].1;
            let values = minijinja::context! { text => fact.sentence.as_str(), question => question };
            let read = self.encode(&prompt::render("check", CHECK, values));
            let from = read.len();
            Example::from([read, self.encode(&format!(" {}", fact.answer()))].concat(), from)
        };
        let examples: Vec<Example> = all.iter().map(check).collect();
        let mut told = |_, _| {};
        let losses = self.judge.losses(&examples, &mut Watch::new(self.stop, &mut told)).map_err(failed)?;
        let mut kept = vec![Vec::new(); facts.len()];
        for ((n, question), losses) in all.into_iter().zip(losses) {
            if kept[n].len() < KEPT && losses.iter().sum::<f32>() <= UNSURE {
                kept[n].push(question);
            }
        }
        Ok(kept)
    }

    /// Adds what is learned from some facts of all `count`. Of every few one is kept apart for the test: a question, or where
    /// no second one was drafted the sentence with a gap, asked for in words that nothing was learned in.
    pub(super) fn learn(&mut self, work: &mut Work, facts: &[(&Lesson, Fact)], count: usize) -> Result<(), NodeError> {
        let every = count.div_ceil(HELD_MAX).max(1);
        for (mut questions, (lesson, fact)) in self.questions(facts)?.into_iter().zip(facts) {
            let about = about(lesson, fact);
            let (before, after) = (&fact.sentence[..fact.answer.start], &fact.sentence[fact.answer.end..]);
            let gap = |test: bool| {
                let (before, after) = (before.trim_end(), after.trim_start());
                let values = minijinja::context! { about => about.as_str(), before, after, test };
                prompt::render("gap", GAP, values)
            };
            if work.looked_at.is_multiple_of(every) {
                let question = if questions.len() >= 2 { questions.pop() } else { None };
                let (answer, source) = (fact.answer().to_owned(), lesson.source.clone());
                work.held.push(Held {
                    question: question.unwrap_or_else(|| gap(true)),
                    answer,
                    sentence: fact.sentence.clone(),
                    item: lesson.item,
                    source,
                });
            }
            for user in questions.into_iter().chain([gap(false)]) {
                work.views.push(View::Turn { user, answer: fact.sentence.clone() });
            }
            if !before.is_empty() {
                let values = minijinja::context! { about => about.as_str(), before => before.trim_end() };
                let user = prompt::render("cloze", CLOZE, values);
                work.views.push(View::Turn { user, answer: fact.sentence[fact.answer.start..].to_owned() });
            }
            work.views.push(View::Plain { text: format!("{about}: {}", fact.sentence) });
            *work.facts.entry(lesson.item).or_default() += 1;
            work.looked_at += 1;
        }
        Ok(())
    }

    /// Adds texts of the anchor's own, made from public beginnings.
    pub(super) fn replay(&mut self, work: &mut Work, told: &mut dyn FnMut(u64, u64)) -> Result<(), NodeError> {
        let wanted = replay::wanted(work.views.len());
        let mut told = |done: usize, total: usize| told(done as u64, total as u64);
        let written = replay::write(&mut self.judge, wanted, self.seed, &mut Watch::new(self.stop, &mut told));
        let written = written.map_err(failed)?.into_iter();
        work.views.extend(written.map(View::Replay));
        Ok(())
    }
}

/// What a fact is about: its item's title, and the heading above it where that is another.
fn about(lesson: &Lesson, fact: &Fact) -> String {
    if fact.heading.is_empty() || fact.heading == lesson.title {
        lesson.title.clone()
    } else {
        format!("{}, {}", lesson.title, fact.heading)
    }
}

/// Answers that the owner took, as they were asked for.
pub(super) fn taken(work: &mut Work, answers: &[&Answer]) {
    let turn = |answer: &&Answer| View::Turn { user: answer.question.clone(), answer: answer.text.clone() };
    work.views.extend(answers.iter().map(turn));
}

/// The passages that the owner wrote, newest first.
pub(super) fn passages<'a>(lessons: &[&'a Lesson]) -> impl Iterator<Item = &'a str> {
    let own = lessons.iter().copied().filter(|lesson| lesson.own);
    let passages = own.flat_map(|lesson| lesson.text.split("\n\n").map(str::trim));
    passages.filter(|text| PASSAGE.contains(&text.len()))
}

/// Passages that the owner wrote: most are learned as they are, some are kept apart to measure by. What repeats a text that
/// is set apart for the leakage gate is not among them.
pub(super) fn voice(work: &mut Work, lessons: &[&Lesson]) {
    let mut known = Runs::default();
    let apart = work.apart.iter().flat_map(|apart| apart.members.iter().chain(&apart.strangers));
    apart.for_each(|text| known.add(text));
    let passages = passages(lessons).filter(|text| !known.meets(text)).take(PASSAGES_MAX);
    for (n, text) in passages.enumerate() {
        if n % VOICE_HELD == VOICE_HELD - 1 {
            work.voice.push(text.to_owned());
        } else {
            work.views.push(View::Plain { text: text.to_owned() });
        }
    }
}
