//! What readers make of exercises they never saw, judged in code: the words that must be there, refusals, the passage
//! that is cited, and whether what is said stands in it.

use super::items::{Item, Kind};
use crate::LabError;
use hinet_index::read::{Grounding, Question, answers, ground, quote, shrugs, stems};
use hinet_model::Sampling;
use hinet_node::reader::{NOT_IN_MEMORY, cited, turn, unmarked};
use hinet_train::{
    judge::{Judge, Watch},
    turns,
};
use serde::{Deserialize, Serialize};

/// Tokens of an answer.
const TOKENS: usize = 64;
/// How a reader did, each a share of those it is counted among.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who read.
    pub name: String,
    /// Passages before each question.
    pub passages: usize,
    /// Questions that have an answer, and that have none.
    pub asked: (usize, usize),
    /// Of those with an answer: the words that must be there were there.
    pub answered: f64,
    /// Of those without: refused.
    pub refused: f64,
    /// Of those with an answer: refused all the same.
    pub refused_falsely: f64,
    /// Of all answers that were no refusals: what was said stands in no passage, or says nothing of the question.
    pub unsupported: f64,
    /// Of them: a number or a name stands in no passage.
    pub invented: f64,
    /// Of the answers to what has one: the right passage was cited. None where no number was asked for.
    pub cited: Option<f64>,
    /// Of those with an answer, where an answer that stands in no passage is replaced by a quotation, as the chat does.
    pub as_chat: f64,
}

/// Whether an answer refuses, in the root's own words or in those of models that were taught none.
fn refuses(answer: &str) -> bool {
    answer.contains(NOT_IN_MEMORY.trim_end_matches('.')) || shrugs(answer)
}

/// What a reader says to each exercise. One that does not cite is asked without numbers.
pub(super) fn said(
    judge: &mut Judge,
    items: &[Item],
    cites: bool,
    watch: &mut Watch<'_>,
) -> Result<Vec<String>, LabError> {
    let mut prompts = Vec::with_capacity(items.len());
    for item in items {
        let mut asked = item.turns.clone();
        if let Some((_, words)) = asked.last_mut().filter(|_| !cites && !item.passages.is_empty()) {
            let question = words.rsplit_once("Question: ").map_or("", |(_, question)| question).to_owned();
            let passages = item.passages.iter().map(|(title, text)| (title.as_str(), text.as_str()));
            *words = turn(passages, &question, false);
        }
        prompts.push(turns::asked(judge.anchor(), &asked)?);
    }
    let sampling = Sampling { max_tokens: TOKENS, stop: vec!["\n".into()], ..Sampling::default() };
    let answers = judge.write(&prompts, &sampling, watch)?;
    Ok(answers.into_iter().map(|answer| answer.trim().to_owned()).collect())
}

/// The passage an answer stands in.
fn supporting(item: &Item, answer: &str) -> Option<usize> {
    item.passages.iter().position(|(title, text)| ground(answer, title, text, &item.question) == Grounding::Grounded)
}

/// Whether a number or a name of it stands in no passage.
fn invents(item: &Item, answer: &str) -> bool {
    let invented = |(title, text): &(String, String)| {
        matches!(ground(answer, title, text, &item.question), Grounding::Invented(_))
    };
    item.passages.iter().all(invented)
}

/// The sentences that a reader of words alone would quote: of the passage that shares most with the question.
fn quoted(item: &Item) -> String {
    let question = Question::read(&item.question);
    let asked = stems(&item.question);
    let shared = |(title, text): &&(String, String)| {
        let there = stems(&format!("{title} {text}"));
        asked.iter().filter(|stem| there.contains(stem)).count()
    };
    let best = item.passages.iter().rev().max_by_key(shared);
    best.map_or_else(String::new, |(title, text)| text[quote(&question, title, text, &[])].to_owned())
}

#[allow(clippy::cast_precision_loss, reason = "questions are few")]
fn share(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

/// Counts.
pub(super) fn row(name: &str, items: &[Item], all: &[String], cites: bool) -> Row {
    let (mut with, mut without, mut right, mut refused, mut falsely) = (0, 0, 0, 0, 0);
    let (mut told, mut unsupported, mut invented, mut of_right, mut well_cited, mut as_chat) = (0, 0, 0, 0, 0, 0);
    for (item, answer) in items.iter().zip(all) {
        let words = unmarked(answer);
        let holds = |text: &str| item.key.iter().any(|key| answers(text, key));
        let has = item.kind == Kind::Answer;
        with += usize::from(has);
        without += usize::from(!has);
        if refuses(&words) {
            refused += usize::from(!has);
            falsely += usize::from(has);
            continue;
        }
        let support = supporting(item, &words);
        told += 1;
        unsupported += usize::from(support.is_none());
        invented += usize::from(invents(item, &words));
        if has {
            of_right += 1;
            right += usize::from(holds(&words));
            let place = cited(&item.answer);
            well_cited += usize::from(cited(answer) == place);
            as_chat += usize::from(if support.is_some() { holds(&words) } else { holds(&quoted(item)) });
        }
    }
    Row {
        name: name.to_owned(),
        passages: items.first().map_or(0, |item| item.passages.len()),
        asked: (with, without),
        answered: share(right, with),
        refused: share(refused, without),
        refused_falsely: share(falsely, with),
        unsupported: share(unsupported, told),
        invented: share(invented, told),
        cited: cites.then(|| share(well_cited, of_right)),
        as_chat: share(as_chat, with),
    }
}

/// What quotations alone come to: the best sentences of the passage that shares most words with the question.
pub(super) fn quotations(items: &[Item]) -> Row {
    let all: Vec<String> = items.iter().map(quoted).collect();
    row("quotation alone", items, &all, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: Kind, key: &str, answer: &str) -> Item {
        Item {
            kind,
            turns: Vec::new(),
            answer: answer.into(),
            question: "When does the bus leave?".into(),
            passages: vec![
                ("Cat".into(), "The cat is called Moss.".into()),
                ("Bus".into(), "The bus leaves at 7:10 from Faro.".into()),
            ],
            key: vec![key.into()],
        }
    }

    #[test]
    fn a_row_counts_what_was_said() {
        let items = [
            item(Kind::Answer, "7:10", "The bus leaves at 7:10. [2]"),
            item(Kind::Answer, "7:10", "The bus leaves at 7:10. [2]"),
            item(Kind::Answer, "7:10", "The bus leaves at 7:10. [2]"),
            item(Kind::Refuse, "", NOT_IN_MEMORY),
        ];
        let said = ["The bus leaves at 7:10. [2]", "It leaves at 8:45. [1]", NOT_IN_MEMORY, NOT_IN_MEMORY];
        let row = row("r", &items, &said.map(str::to_owned), true);
        assert_eq!((row.asked, row.passages), ((3, 1), 2));
        assert!((row.answered - 1.0 / 3.0).abs() < 1e-9 && (row.refused_falsely - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!((row.refused, row.unsupported, row.invented, row.cited), (1.0, 0.5, 0.5, Some(0.5)));
        // The invented one is replaced by a quotation, which has it.
        assert!((row.as_chat - 2.0 / 3.0).abs() < 1e-9);
        assert!(quotations(&items[..1]).answered > 0.99);
    }
}
