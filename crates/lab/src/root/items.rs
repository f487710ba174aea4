//! Exercises: a question, the passages it is asked of, and what is to be said, each drawn from the papers by a seed.

use super::texts::{Paper, Question, Talk};
use hinet_index::read::{Grounding, ground, sentences, stems};
use hinet_node::reader::{NOT_IN_MEMORY, system, turn};
use hinet_train::Stream;
use std::collections::HashSet;

/// Names an owner may have.
const OWNERS: &[&str] = &["Maya", "Tom", "Ines", "Yusuf", "Hannah", "Kofi", "Lena", "Ravi", "Chloe", "Marek"];
/// Other passages are drawn from so many that are nearest to the question.
const NEAREST: usize = 6;
/// Passages of other papers are cut to so many words, at least and at most.
const CUT: (usize, usize) = (24, 60);

/// What an exercise asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer stands in one of the passages.
    Answer,
    /// It stands in none of them.
    Refuse,
    /// There are no passages.
    Talk,
}

/// One exercise.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub kind: Kind,
    /// What is read, a role and its words each; a question comes last.
    pub turns: Vec<(String, String)>,
    /// What is to be said.
    pub answer: String,
    /// The question and its passages, each a title and a text.
    pub question: String,
    pub passages: Vec<(String, String)>,
    /// Words of which an answer must hold one.
    pub key: Vec<String>,
}

/// The papers, and which words each has.
pub(super) struct Shelf<'a> {
    papers: &'a [Paper],
    words: Vec<HashSet<String>>,
}

impl<'a> Shelf<'a> {
    pub fn new(papers: &'a [Paper]) -> Self {
        let words = papers.iter().map(|paper| stems(&format!("{} {}", paper.title, paper.text)).into_iter().collect());
        Self { papers, words: words.collect() }
    }

    /// Another paper, mostly one that is near to the question.
    fn other(&self, question: &str, but: &[usize], stream: &mut Stream) -> usize {
        let free = |at: &usize| !but.contains(at);
        if stream.below(5) < 2 {
            let all: Vec<usize> = (0..self.papers.len()).filter(free).collect();
            return *stream.one_of(&all);
        }
        let asked = stems(question);
        let shared = |at: usize| asked.iter().filter(|stem| self.words[at].contains(*stem)).count();
        let mut all: Vec<usize> = (0..self.papers.len()).filter(free).collect();
        all.sort_by_key(|at| std::cmp::Reverse(shared(*at)));
        all.truncate(NEAREST);
        *stream.one_of(&all)
    }

    /// The passages of an exercise: the paper at `right`, where it is to be there, among `width` in all. Gives its place.
    fn passages(
        &self,
        (at, present): (usize, bool),
        question: &str,
        width: usize,
        stream: &mut Stream,
    ) -> (Vec<(String, String)>, Option<usize>) {
        // No paper stands twice among them, nor the one that is to be absent.
        let width = width.min(self.papers.len() - usize::from(!present)).max(1);
        let place = stream.below(width);
        let mut taken = vec![at];
        let mut passages = Vec::with_capacity(width);
        for here in 0..width {
            if present && here == place {
                passages.push((self.papers[at].title.clone(), self.papers[at].text.clone()));
                continue;
            }
            let other = self.other(question, &taken, stream);
            taken.push(other);
            passages.push((self.papers[other].title.clone(), some_of(&self.papers[other].text, stream)));
        }
        (passages, present.then_some(place))
    }

    /// One question to the paper at `at`: what it answers, asked of `width` passages. Without the paper among them it is
    /// to be refused.
    pub fn answered(&self, at: usize, which: usize, (width, present): (usize, bool), stream: &mut Stream) -> Item {
        let paper = &self.papers[at];
        let asked = &paper.questions[which];
        // One that leans on what was asked before needs its words to be found.
        let before = which.checked_sub(1).map(|before| &paper.questions[before]).filter(|_| asked.follows);
        let sought = format!("{} {}", before.map_or("", |before| &before.text), asked.text);
        let (passages, place) = self.passages((at, present), &sought, width, stream);
        let mut turns = vec![("system".to_owned(), system(stream.one_of::<&str>(OWNERS)))];
        if let Some(Question { text, answer, .. }) = before {
            turns.extend([("user".into(), text.clone()), ("assistant".into(), answer.clone())]);
        }
        turns.push(("user".into(), read(&passages, &asked.text)));
        let (kind, answer, key) = match place {
            Some(place) => (Kind::Answer, format!("{} [{}]", asked.answer, place + 1), asked.key.clone()),
            None => (Kind::Refuse, NOT_IN_MEMORY.to_owned(), Vec::new()),
        };
        Item { kind, turns, answer, question: sought.trim().to_owned(), passages, key }
    }

    /// A question that the paper at `at` does not answer, asked of it among `width` passages.
    pub fn unanswered(&self, at: usize, which: usize, width: usize, stream: &mut Stream) -> Item {
        let question = &self.papers[at].unanswered[which];
        let (passages, _) = self.passages((at, true), question, width, stream);
        let system = ("system".to_owned(), system(stream.one_of::<&str>(OWNERS)));
        let turns = vec![system, ("user".into(), read(&passages, question))];
        let (answer, key) = (NOT_IN_MEMORY.to_owned(), Vec::new());
        Item { kind: Kind::Refuse, turns, answer, question: question.clone(), passages, key }
    }
}

/// A conversation whose last answer is learned.
fn talked(talk: &Talk, stream: &mut Stream) -> Vec<Item> {
    let mut turns = vec![("system".to_owned(), system(stream.one_of::<&str>(OWNERS)))];
    let mut items = Vec::new();
    for (said, answer) in &talk.turns {
        turns.push(("user".into(), said.clone()));
        let (kind, question) = (Kind::Talk, said.clone());
        let (passages, key) = (Vec::new(), Vec::new());
        items.push(Item { kind, turns: turns.clone(), answer: answer.clone(), question, passages, key });
        turns.push(("assistant".into(), answer.clone()));
    }
    items
}

fn read(passages: &[(String, String)], question: &str) -> String {
    turn(passages.iter().map(|(title, text)| (title.as_str(), text.as_str())), question, true)
}

/// Some sentences of a text one after the other, as a passage that was cut out of a longer one.
fn some_of(text: &str, stream: &mut Stream) -> String {
    let parts = sentences(text);
    let wanted = CUT.0 + stream.below(CUT.1 - CUT.0);
    let first = if parts.len() > 2 { stream.below(parts.len() / 2) } else { 0 };
    let (mut end, mut words) = (parts.get(first).map_or(text.len(), |part| part.end), 0);
    for part in &parts[first.min(parts.len())..] {
        end = part.end;
        words += text[part.clone()].split_whitespace().count();
        if words >= wanted {
            break;
        }
    }
    let start = parts.get(first).map_or(0, |part| part.start);
    text[start..end].trim().to_owned()
}

/// Exercises to learn from: each question once, among other passages each time, a quarter of them without an answer, and
/// the conversations.
pub(super) fn lessons(papers: &[Paper], talks: &[Talk], seed: u64) -> Vec<Item> {
    let shelf = Shelf::new(papers);
    let mut stream = Stream::new(seed, "exercises of a root");
    let mut items = Vec::new();
    for (at, paper) in papers.iter().enumerate() {
        for (which, asked) in paper.questions.iter().enumerate() {
            // What the chat's own check would withdraw is not taught.
            if ground(&asked.answer, &paper.title, &paper.text, &asked.text) != Grounding::Grounded && !asked.follows {
                continue;
            }
            let absent = stream.below(12) == 0;
            let width = width(&mut stream);
            items.push(shelf.answered(at, which, (width, !absent), &mut stream));
        }
        for which in 0..paper.unanswered.len() {
            let width = width(&mut stream);
            items.push(shelf.unanswered(at, which, width, &mut stream));
        }
    }
    // Of those without an answer more are written than are wanted.
    let answered = items.iter().filter(|item| item.kind == Kind::Answer).count();
    let (mut refused, most) = (0, answered * 2 / 5);
    stream.shuffle(&mut items);
    items.retain(|item| {
        refused += usize::from(item.kind == Kind::Refuse);
        item.kind != Kind::Refuse || refused <= most
    });
    for talk in talks {
        items.extend(talked(talk, &mut stream));
    }
    stream.shuffle(&mut items);
    items
}

/// How many passages one exercise has.
fn width(stream: &mut Stream) -> usize {
    *stream.one_of(&[1, 1, 2, 3, 3, 3, 3, 3, 4, 5])
}

/// Questions of an examination, each with `width` passages: all that are answered, and all that are not.
pub(super) fn exam(papers: &[Paper], width: usize, seed: u64) -> Vec<Item> {
    let shelf = Shelf::new(papers);
    let mut stream = Stream::new(seed, "examination of a root");
    let mut items = Vec::new();
    for (at, paper) in papers.iter().enumerate() {
        items.extend((0..paper.questions.len()).map(|which| shelf.answered(at, which, (width, true), &mut stream)));
        items.extend((0..paper.unanswered.len()).map(|which| shelf.unanswered(at, which, width, &mut stream)));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::texts::File;

    fn papers() -> Vec<Paper> {
        let text = "## Boat\nThe boat is blue. It lies in Faro. The oars are new.\nQ: Which colour is the boat?\nA: The boat is blue.\nK: blue\n\
             F: And where does it lie?\nA: It lies in Faro.\nK: Faro\nN: What did the boat cost?\n\n\
             ## Cat\nThe cat is called Moss. She is nine.\nQ: What is the cat called?\nA: The cat is called Moss.\nK: Moss\nN: What does the cat eat?\n\n\
             ## Bus\nThe bus leaves at 7:10. It is the 14.\nQ: When does the bus leave?\nA: The bus leaves at 7:10.\nK: 7:10\nN: What is a ticket?\n";
        File { name: "t", text }.papers().unwrap()
    }

    #[test]
    fn an_exercise_cites_its_passage_or_refuses() {
        let papers = papers();
        let shelf = Shelf::new(&papers);
        for seed in 0..20 {
            let mut stream = Stream::new(seed, "t");
            let item = shelf.answered(0, 0, (3, true), &mut stream);
            let place: usize = item.answer.split(['[', ']']).nth(1).unwrap().parse().unwrap();
            assert_eq!(item.passages[place - 1], (papers[0].title.clone(), papers[0].text.clone()));
            assert_eq!(item.passages.len(), 3);
            let titles: HashSet<&String> = item.passages.iter().map(|(title, _)| title).collect();
            assert_eq!(titles.len(), 3, "{titles:?}");
            let item = shelf.answered(0, 0, (2, false), &mut stream);
            assert!(item.passages.iter().all(|(title, _)| title != "Boat") && item.answer == NOT_IN_MEMORY);
            let item = shelf.unanswered(1, 0, 2, &mut stream);
            assert!(item.passages.iter().any(|(title, _)| title == "Cat") && item.answer == NOT_IN_MEMORY);
        }
    }

    #[test]
    fn what_leans_on_a_question_comes_after_it() {
        let papers = papers();
        let item = Shelf::new(&papers).answered(0, 1, (1, true), &mut Stream::new(1, "t"));
        let roles: Vec<&str> = item.turns.iter().map(|(role, _)| role.as_str()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user"]);
        assert!(item.turns[3].1.ends_with("And where does it lie?") && item.turns[2].1 == "The boat is blue.");
    }

    #[test]
    fn lessons_are_the_seeds_and_a_quarter_is_refused_at_most() {
        let papers = papers();
        let talk = Talk { kind: "greet".into(), turns: vec![("hi".into(), "Hello.".into()); 2] };
        let lessons = |seed| lessons(&papers, std::slice::from_ref(&talk), seed);
        let said = |items: &[Item]| items.iter().map(|item| item.answer.clone()).collect::<Vec<_>>();
        assert_eq!(said(&lessons(1)), said(&lessons(1)));
        let count = |kind| lessons(3).iter().filter(|item| item.kind == kind).count();
        assert_eq!(count(Kind::Talk), 2);
        assert!(count(Kind::Refuse) * 5 <= count(Kind::Answer) * 2 && count(Kind::Answer) >= 3);
        assert_eq!(exam(&papers, 2, 1).len(), 7);
    }
}
